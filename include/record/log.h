/* Writing the evidence log of one host: lines are added, then one commit makes them durable and signs the
 * tree. Files in the evidence folder: `leaves` and `checkpoint`. Source: docs/formats/evidence.md. */
#ifndef RECORD_LOG_H
#define RECORD_LOG_H

#include "base/limits.h"
#include "base/queue.h"
#include "record/leaf.h"
#include "record/note.h"
#include "record/tree.h"

enum {
    RECORD_LOG_PENDING_BYTES = 1 << 22
}; /* lines that wait for a disk: 20,000 recordings open and close */

/** OWNED; {0} is closed. One process at a time: see record_log_lock(). */
struct record_log {
    int dir_fd, leaves_fd;
    const struct record_log_key *key; /* borrowed */
    struct record_tree tree;          /* pending lines included */
    struct crypto_sha256 hash;
    struct queue pending; /* lines that are not in the file yet */
    uint64_t file_bytes;
};

/** A recording that was open when the recorder stopped. */
struct record_unclosed {
    uint8_t sid[LIMIT_SID_BYTES];
    uint8_t open_hash[CRYPTO_SHA256_BYTES];
    char day[sizeof "2026/01/01"]; /* its folder; empty when the leaf's time is odd */
};
struct record_log_recovery {
    uint64_t torn_bytes; /* of an incomplete last line that was cut off and replaced by a `recover` leaf */
    bool is_new;         /* there was no log: this is the first leaf's */
    struct record_unclosed *unclosed; /* OWNED by the caller, free() */
    size_t unclosed_count;
    char sentence[LIMIT_SENTENCE_BYTES]; /* on error: what is wrong and what to do */
};

/** Take the evidence folder for this process, until the descriptor is closed. @return ERR_STATE when another
 * process has it; ERR_SYSTEM. */
MUST_CHECK enum err record_log_lock(int dir_fd);
/** Open or make the log in `dir_fd` (borrowed), check it against its own checkpoint, and find what was not
 * closed. Reads all leaves once: about a second for each million.
 *  @return ERR_MISMATCH when leaves and checkpoint do not fit together: nothing is changed then;
 *          ERR_MALFORMED; ERR_SYSTEM; ERR_MEMORY. */
MUST_CHECK enum err record_log_open(struct record_log *log, int dir_fd, const struct record_log_key *key,
                                    struct record_log_recovery *ret_recovery);
void record_log_done(struct record_log *log);

/** Add one line, without a newline. @return ERR_TOO_LARGE when too much waits or the line is too long;
 * ERR_MALFORMED unless it is printable. */
MUST_CHECK enum err record_log_add(struct record_log *log, struct cursor line);
/** Add a leaf about a recording. */
MUST_CHECK enum err record_log_add_leaf(struct record_log *log, const struct record_leaf *leaf,
                                        uint64_t wall_us);
bool record_log_is_pending(const struct record_log *log);

/* A commit in three steps, so that a loop can wait for the disk between them:
 * write -> fdatasync(leaves_fd) -> stage -> fdatasync(that) -> publish. */

/** Write what is pending. @param ret_note  the tree with it. @return ERR_SYSTEM (ENOSPC, EIO): the file is as
 * before and the lines still wait. */
MUST_CHECK enum err record_log_write(struct record_log *log, struct record_note *ret_note);
/** Sign `note` into a new file beside `checkpoint`. @param ret_fd  OWNED by the caller: fdatasync it, then
 * publish */
MUST_CHECK enum err record_log_stage(const struct record_log *log, const struct record_note *note,
                                     int *ret_fd);
/** The staged file becomes `checkpoint`. */
MUST_CHECK enum err record_log_publish(const struct record_log *log);
/** All of it, waiting for the disk. */
MUST_CHECK enum err record_log_commit(struct record_log *log);

#endif
