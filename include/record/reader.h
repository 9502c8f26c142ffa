/* Reading one recording, finished, unfinished or torn, with or without its key, in bounded memory. Nothing in
 * the file is believed before it is checked: lengths are bounded, the hash chain is followed frame by frame
 * and each checkpoint's signature must hold. Source: docs/formats/recording.md. */
#ifndef RECORD_READER_H
#define RECORD_READER_H

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "record/age.h"
#include "record/stream.h"

/** The key of one recording at its beginning; wipe it with secret_wipe(). */
struct record_key {
    uint8_t bytes[CRYPTO_AEAD_KEY_BYTES];
};
/** Open `<sid>.key.age` with one of `identities`.
 *  @param path  of the recording (".rec") or of the key file itself (".key.age")
 *  @return ERR_NOT_FOUND without a key file; ERR_DENIED when no identity is among its recipients;
 * ERR_MALFORMED. */
MUST_CHECK enum err record_key_open(const char *path, const struct record_identities *identities,
                                    struct record_key *ret_key);

/** What the clear, authenticated head of a recording says. Borrowed from the reader. */
struct record_head {
    uint8_t sid[LIMIT_SID_BYTES];
    uint64_t wall_us;            /* when it was opened */
    uint64_t log_size;           /* leaves in the evidence log then */
    uint8_t key_file_sha256[32]; /* of <sid>.key.age */
    uint8_t log_public_key[32];  /* who signs its checkpoints (a claim: compare it with the key you trust) */
    struct cursor host_id;       /* text */
    struct cursor meta;          /* JSON that the monitor gave: who, what, when, from where */
};

struct record_checkpoint {
    uint64_t wall_us;
    uint64_t stream_bytes; /* of the session's stream before it */
    uint64_t file_bytes;   /* of the file through its last byte */
};
/** The last frame of a closed recording. Texts are borrowed until the next step. */
struct record_closing {
    struct record_checkpoint at;
    uint32_t exit_status; /* or RECORD_NO_STATUS */
    uint64_t records;     /* records in the recording */
    uint64_t kept_bytes;  /* bytes in records of kinds 1 to 4 */
    struct cursor
        how; /* "ended", "session lost", "stream malformed", "ended by the monitor", "daemon stopped" ... */
    struct cursor reason; /* a sentence, may be empty */
    bool has_moved;       /* recordings of earlier versions do not say it */
    struct record_moved moved;
};

enum record_step_type {
    RECORD_STEP_RECORD = 1, /* one record, decrypted */
    RECORD_STEP_SEALED,     /* one data frame that was not decrypted: no key was given */
    RECORD_STEP_CHECKPOINT,
    RECORD_STEP_CLOSE, /* nothing follows */
    RECORD_STEP_END,   /* the file ends here without a close: see `tail_bytes` */
};
struct record_step {
    enum record_step_type type;
    uint64_t t_us;         /* since the recording was opened */
    struct record record;  /* RECORD */
    uint32_t sealed_bytes; /* SEALED: of the frame's text and tag */
    struct record_checkpoint checkpoint;
    struct record_closing closing;
    /* END: bytes after the last whole frame. 0 = the file ends between frames: it is still being written, or
     * the recorder stopped. Else it is torn at `file_bytes`. Ask again later to follow a file that grows. */
    uint64_t tail_bytes, file_bytes;
};

/** OWNED; {0} is empty. About 400 KiB, whatever the file. */
struct record_reader {
    struct record_reading *reading;
};
enum { RECORD_WHY_BYTES = 256 }; /* room for a sentence that names the fault and its offset */

/** Open a recording and check its head.
 *  @param public_key  the key whose signatures are accepted; NULL = the one in the head, which shows damage
 * but no forgery
 *  @param key         NULL: frames are checked but not decrypted
 *  @return ERR_NOT_FOUND; ERR_MALFORMED when it is no recording; ERR_TRUNCATED when its head is cut;
 * ERR_MISMATCH when the head names another log key than `public_key`; ERR_SYSTEM. */
MUST_CHECK enum err record_reader_open(struct record_reader *reader, const char *path,
                                       const uint8_t *public_key, const struct record_key *key);
/** The same for a descriptor that allows pread(2); it is borrowed and must stay open. */
MUST_CHECK enum err record_reader_open_fd(struct record_reader *reader, int fd, const uint8_t *public_key,
                                          const struct record_key *key);
void record_reader_done(struct record_reader *reader);
const struct record_head *record_reader_head(const struct record_reader *reader);
/** The next step. Borrowed until the next call.
 *  @return ERR_MALFORMED, ERR_MISMATCH (chain, signature or decryption) with record_reader_why(); the reader
 * then stays at that frame. ERR_SYSTEM. */
MUST_CHECK enum err record_reader_next(struct record_reader *reader, struct record_step *ret_step);
/** A sentence about the last error or tear: what is wrong, at which offset. */
const char *record_reader_why(const struct record_reader *reader);
/** Offset and hash chain after the last whole frame that was read. */
uint64_t record_reader_offset(const struct record_reader *reader);
void record_reader_chain(const struct record_reader *reader, uint8_t ret_hash[static CRYPTO_SHA256_BYTES]);

/** Only the clear head and, if the recording is closed, its closing: what a list shows. Reads the first and
 * the last KiBs of the file; signatures and chain are NOT checked.
 *  @param memory      at least RECORD_SUMMARY_BYTES; what the result borrows from
 *  @param ret_closed  false: unfinished, `ret_closing` is not written
 *  @return as record_reader_open(). */
enum { RECORD_SUMMARY_BYTES = 65536 };
MUST_CHECK enum err record_summary_read(const char *path, uint8_t memory[static RECORD_SUMMARY_BYTES],
                                        struct record_head *ret_head, bool *ret_closed,
                                        struct record_closing *ret_closing);

#endif
