/* Checking recordings against the evidence log, with nothing secret: a public key is enough. */
#ifndef RECORD_VERIFY_H
#define RECORD_VERIFY_H

#include "base/limits.h"
#include "record/note.h"
#include "record/reader.h"

enum record_verdict {
    RECORD_OK = 0,     /* closed, logged, whole */
    RECORD_UNFINISHED, /* not closed: still being written, or the recorder stopped; a torn tail is named.
                          Whole as far as the log covers it */
    RECORD_RECOVERED, /* the recorder stopped while it was open and noted at its next start how far it went */
    RECORD_ABANDONED, /* a head without frames that was never logged: the recorder stopped while opening it */
    RECORD_FAULTS,    /* verdicts from here on are faults */
    RECORD_TAMPERED = RECORD_FAULTS, /* bytes were changed, removed, swapped or added */
    RECORD_TRUNCATED,                /* shorter than the log says */
    RECORD_DELETED,                  /* logged, but the file is gone */
    RECORD_NOT_LOGGED,               /* a file with frames that the log does not know */
    RECORD_WRONG_KEY,                /* signed by another key */
    RECORD_UNREADABLE,               /* it could not be read at all (permissions, disk) */
    RECORD_VERDICT_COUNT
};
/** "OK", "UNFINISHED" ... as text and JSON print them. */
const char *record_verdict_name(enum record_verdict verdict);

struct record_result {
    enum record_verdict verdict;
    bool is_key_missing; /* the key file is gone (shredded) or not the one the head names: see the sentence */
    uint8_t sid[LIMIT_SID_BYTES];
    const char *path; /* relative to the recordings folder; empty for DELETED */
    const char *sentence;
    uint64_t file_bytes, frames, tail_bytes;
    bool has_head;
    struct record_head head; /* borrowed, where has_head */
    const char *how;         /* of a closed recording, else empty */
};

enum record_log_verdict {
    RECORD_LOG_OK = 0,
    RECORD_LOG_TORN, /* an incomplete last line that no checkpoint covers: the recorder is writing, or stopped
                      */
    RECORD_LOG_FAULTS,                     /* verdicts from here on are faults */
    RECORD_LOG_EDITED = RECORD_LOG_FAULTS, /* leaves do not give the root that was signed */
    RECORD_LOG_TRUNCATED,                  /* fewer leaves than were signed */
    RECORD_LOG_BAD_SIGNATURE,              /* the checkpoint is not signed by the key */
    RECORD_LOG_MISSING,                    /* no leaves or no checkpoint */
    RECORD_LOG_ROLLBACK,                   /* smaller than the note that was held elsewhere */
    RECORD_LOG_FORK,                       /* not the log that the held note signed */
    RECORD_LOG_UNREADABLE,
    RECORD_LOG_VERDICT_COUNT
};
const char *record_log_verdict_name(enum record_log_verdict verdict);

struct record_log_result {
    enum record_log_verdict verdict;
    const char *sentence;
    uint64_t leaves, signed_leaves;
    uint8_t root[CRYPTO_SHA256_BYTES]; /* at signed_leaves */
};

struct record_verify_input {
    const char *recordings_dir, *evidence_dir;
    const struct record_vkey *vkey;
    const char *held_note;   /* path of a checkpoint kept elsewhere, or NULL */
    const uint8_t *only_sid; /* LIMIT_SID_BYTES: check this recording only; NULL = all */
};
struct record_verify_report {
    void *context;
    /** Called first, once. Everything it is given is borrowed. */
    void (*on_log)(void *context, const struct record_log_result *result);
    /** Called for each recording in the folder, then for each that is missing. */
    void (*on_recording)(void *context, const struct record_result *result);
};
struct record_verify_totals {
    uint64_t recordings, faults, unfinished, keys_missing;
    enum record_log_verdict log;
};
/** Check the evidence log, then each recording against it.
 *  @return ERR_NONE also when faults were found: see `ret_totals`; ERR_NOT_FOUND when a folder does not exist
 * or `only_sid` is neither logged nor there; ERR_SYSTEM; ERR_MEMORY. */
MUST_CHECK enum err record_verify(const struct record_verify_input *input,
                                  const struct record_verify_report *report,
                                  struct record_verify_totals *ret_totals);

/** Check one file without an evidence log: head, chain and signatures by `vkey`. A cut after a checkpoint of
 * an unfinished file cannot be seen this way. */
MUST_CHECK enum err record_verify_file(const char *path, const struct record_vkey *vkey,
                                       const struct record_verify_report *report);

#endif
