/* One recording, ready to be shown: what is in it, and the events of one of its parts. A part is one channel
 * from its opening to its close: a terminal, a command, a subsystem, a forwarded connection. */
#ifndef REPLAY_RECORDING_H
#define REPLAY_RECORDING_H

#include "base/queue.h"
#include "crypto/ed25519.h"
#include "record/reader.h"
#include "replay/list.h"
#include "replay/player.h"

enum {
    REPLAY_PARTS_MAX = 4096, /* of one recording; what happens in later ones is counted, not shown */
    REPLAY_TITLE_BYTES = 256,
};

enum replay_part_kind {
    REPLAY_PART_OTHER,
    REPLAY_PART_TERMINAL,
    REPLAY_PART_COMMAND,
    REPLAY_PART_SUBSYSTEM,
    REPLAY_PART_FORWARD
};
/** "terminal", "command" ... */
const char *replay_part_kind_name(enum replay_part_kind kind);

/** All texts are printable. */
struct replay_part {
    uint32_t channel; /* the number that the client gave; it may give it again later */
    enum replay_part_kind kind;
    bool has_terminal;              /* a terminal was asked for: lines end with CR LF */
    char title[REPLAY_TITLE_BYTES]; /* the command, the subsystem, or the type of the channel */
    char term[32];
    uint32_t cols, rows; /* at the beginning; 0 when no terminal was asked for */
    uint64_t from_us, to_us;
    uint64_t shown_bytes;
    uint32_t exit_status; /* or UINT32_MAX */
    char exit_signal[32];
};

/** What one pass over the file finds. */
struct replay_survey {
    struct replay_part *parts; /* OWNED */
    size_t part_count;
    uint64_t ignored_records; /* of parts beyond REPLAY_PARTS_MAX */
    uint64_t refused_count;   /* requests that the policy refused */
    uint64_t file_count;      /* requests that name files */
    uint64_t end_us;
    bool is_closed;
    uint64_t tail_bytes; /* of a frame that was not finished */
    uint32_t exit_status;
    char how[REPLAY_TEXT_BYTES], reason[REPLAY_TITLE_BYTES];
    char damage[RECORD_WHY_BYTES]; /* "" or why it cannot be read further */
};
void replay_survey_done(struct replay_survey *survey);

/** OWNED; {0} is empty. */
struct replay_recording {
    struct record_reader reader;
    struct record_key key;
    bool has_public_key;
    uint8_t public_key[CRYPTO_ED25519_PUBLIC_BYTES];
    char path[REPLAY_PATH_BYTES];
    uint64_t wall_us; /* when it was opened */
    struct replay_meta meta;

    /* private: the part that is being read */
    uint32_t channels[REPLAY_PARTS_MAX]; /* of the parts seen so far */
    size_t part_count, part;
    struct queue note;
};

/** @param public_key  whose signatures count, or NULL: then only damage shows, no forgery
 *  @return as record_key_open() and record_reader_open(). */
MUST_CHECK enum err replay_recording_open(struct replay_recording *recording, const char *path,
                                          const uint8_t *public_key,
                                          const struct record_identities *identities);
void replay_recording_done(struct replay_recording *recording);
/** Read all of it once. Damage is in the survey and no error. @return ERR_MEMORY; ERR_SYSTEM. */
MUST_CHECK enum err replay_recording_survey(struct replay_recording *recording,
                                            struct replay_survey *ret_survey);
/** The part to show when nobody said which: the first terminal, else the first command, else the first that
 *  showed something. @return ERR_NOT_FOUND when there is none. */
MUST_CHECK enum err replay_survey_choose(const struct replay_survey *survey, size_t *ret_part);
/** The events of one part (an index of the survey). Where the recording is damaged, they end. Borrowed. */
struct replay_source replay_recording_source(struct replay_recording *recording, size_t part);

/** Every record as it is; `part` is SIZE_MAX for records of the whole access. */
typedef enum err replay_record_sink(void *context, uint64_t t_us, size_t part,
                                    const struct record_body *body);
/** @return what the sink returns; ERR_SYSTEM. Damage ends it without an error: see the survey. */
MUST_CHECK enum err replay_recording_each(struct replay_recording *recording, replay_record_sink *sink,
                                          void *context);

/** Append `bytes` as a terminal needs them that adds no CR itself: each LF becomes CR LF.
 *  @return ERR_MEMORY; ERR_TOO_LARGE. */
MUST_CHECK enum err replay_add_returns(struct cursor bytes, struct queue *out);

#endif
