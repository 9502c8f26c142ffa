/* Writing a recording as a value: records in, bytes of the file out. Files, clocks and fsync belong to the
 * caller. Source: docs/formats/recording.md. */
#ifndef RECORD_CONTAINER_H
#define RECORD_CONTAINER_H

#include "base/limits.h"
#include "base/writer.h"
#include "crypto/aead.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "record/stream.h"

enum {
    RECORD_META_BYTES = 8192,  /* the clear JSON in the head */
    RECORD_HEAD_BYTES = 16384, /* the largest head of a file */
    RECORD_HOW_BYTES = 64,
    RECORD_REASON_BYTES = 512,
    RECORD_CHECKPOINT_FRAME_BYTES = 144,
    RECORD_CLOSE_FRAME_BYTES = 1024, /* room for the last frame */
    /* Frames add at most this much to records that are framed at once: 40 for each started 64 KiB, and one
       more. */
    RECORD_FRAME_EXTRA_BYTES = 40,
};
/** Room that record_container_data() needs at most for `len` bytes of records. */
#define RECORD_DATA_ROOM_BYTES(len) ((len) + ((len) / 32768 + 2) * RECORD_FRAME_EXTRA_BYTES)

/** What all recordings of a process share, so that an open one costs bytes and not megabytes. {0} is empty.
 */
struct record_tools {
    struct crypto_aead aead;
    struct crypto_sha256 hash;
    void *zstd;       /* OWNED; about 1 MiB */
    uint8_t *scratch; /* OWNED; one frame */
};
MUST_CHECK enum err record_tools_init(struct record_tools *tools); /* ERR_MEMORY */
void record_tools_done(struct record_tools *tools);

/** One open recording. A value; wipe it with record_container_done(). */
struct record_container {
    uint8_t sid[LIMIT_SID_BYTES];
    uint8_t key[CRYPTO_AEAD_KEY_BYTES]; /* of the next data frame; older ones cannot be computed from it */
    uint8_t chain[CRYPTO_SHA256_BYTES]; /* after the last byte that was given out */
    uint64_t seq, file_bytes, last_t_us;
    uint64_t frames, records, kept_bytes;
    uint8_t untried_frames; /* these will not be compressed: the last one did not shrink */
    struct record_moved moved;
};

struct record_opening {
    uint8_t sid[LIMIT_SID_BYTES];
    uint8_t key[CRYPTO_AEAD_KEY_BYTES]; /* what the key file holds */
    uint8_t key_file_sha256[CRYPTO_SHA256_BYTES];
    uint8_t log_public_key[CRYPTO_ED25519_PUBLIC_BYTES];
    uint64_t wall_us, log_size;
    struct cursor host_id, meta;
};
/** Begin a recording and write its head. @return ERR_TOO_LARGE. */
MUST_CHECK enum err record_container_begin(struct record_container *container, struct record_tools *tools,
                                           const struct record_opening *opening, struct writer *out);
void record_container_done(struct record_container *container);

/** Frame whole records, as the session's stream holds them.
 *  @param t_us     since the recording was opened, monotonic; a smaller one than before counts as the one
 * before
 *  @param records  checked with record_next() by the caller; asserted
 *  @return ERR_TOO_LARGE when `out` is smaller than RECORD_DATA_ROOM_BYTES; ERR_LIBRARY. After an error the
 * container must not be used any more. */
MUST_CHECK enum err record_container_data(struct record_container *container, struct record_tools *tools,
                                          uint64_t t_us, struct cursor records, struct writer *out);

struct record_stamp {
    uint64_t t_us, wall_us;
    uint64_t stream_bytes; /* of the session's stream that the file holds */
};
/** Write a signed checkpoint and turn the ratchet. Same errors. */
MUST_CHECK enum err record_container_checkpoint(struct record_container *container,
                                                struct record_tools *tools,
                                                const struct crypto_ed25519 *log_key,
                                                const struct record_stamp *stamp, struct writer *out);
struct record_ending {
    uint32_t exit_status;      /* or RECORD_NO_STATUS */
    struct cursor how, reason; /* made printable, cut to RECORD_HOW_BYTES and RECORD_REASON_BYTES */
};
/** Write the last frame. Same errors. */
MUST_CHECK enum err record_container_close(struct record_container *container, struct record_tools *tools,
                                           const struct crypto_ed25519 *log_key,
                                           const struct record_stamp *stamp,
                                           const struct record_ending *ending, struct writer *out);

#endif
