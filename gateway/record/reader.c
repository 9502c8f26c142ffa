#include "record/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/fd.h"
#include "base/secret.h"
#include "format.h"

struct record_reading {
    int fd, owned_fd; /* owned_fd is -1 when the descriptor is borrowed */
    struct record_head head;
    uint8_t public_key[CRYPTO_ED25519_PUBLIC_BYTES];
    uint8_t chain[CRYPTO_SHA256_BYTES];
    uint64_t offset, seq, t_us;
    bool is_closed, has_key;
    uint8_t key[CRYPTO_AEAD_KEY_BYTES];
    struct crypto_sha256 hash;
    struct crypto_aead aead;
    ZSTD_DCtx *zstd;       /* OWNED */
    struct cursor records; /* of the current data frame, not yet given out; in `plain` or `frame` */
    char why[RECORD_WHY_BYTES];
    uint8_t head_bytes[RECORD_HEAD_BYTES];
    uint8_t frame[FORMAT_FRAME_HEADER_BYTES + FORMAT_FRAME_BODY_BYTES];
    uint8_t plain[FORMAT_FRAME_PLAIN_BYTES];
};

static enum err fail(struct record_reading *reading, enum err err, const char *what)
{
    (void)snprintf(reading->why, sizeof reading->why, "%s, in the frame at offset %" PRIu64, what,
                   reading->offset);
    return err;
}

/* As many of `len` bytes as the file has at `offset`. */
static enum err read_at(int fd, uint64_t offset, uint8_t *bytes, size_t len, size_t *ret_got)
{
    size_t got = 0;
    while (got < len) {
        ssize_t part = pread(fd, bytes + got, len - got, (off_t)(offset + got));
        if (part < 0 && errno == EINTR) {
            continue;
        }
        if (part < 0) {
            return ERR_SYSTEM;
        }
        if (part == 0) {
            break;
        }
        got += (size_t)part;
    }
    *ret_got = got;
    return ERR_NONE;
}

static void free_reading(struct record_reading **reading)
{
    struct record_reading *old = *reading;
    if (old == NULL) {
        return;
    }
    crypto_sha256_done(&old->hash);
    crypto_aead_done(&old->aead);
    (void)ZSTD_freeDCtx(old->zstd);
    fd_close(&old->owned_fd);
    secret_wipe(old, sizeof *old);
    free(old);
    *reading = NULL;
}
#define OWNED_READING __attribute__((cleanup(free_reading))) struct record_reading

static enum err read_head(struct record_reading *reading, const uint8_t *public_key)
{
    size_t got = 0;
    TRY(read_at(reading->fd, 0, reading->head_bytes, sizeof reading->head_bytes, &got));
    struct cursor in = cursor_of(reading->head_bytes, got);
    enum err err = format_head_read(&in, &reading->head);
    if (err != ERR_NONE) {
        return err == ERR_TOO_LARGE ? ERR_MALFORMED : err;
    }
    struct cursor head = {reading->head_bytes, in.at};
    reading->offset = cursor_len(&head);
    crypto_sha256_init(&reading->hash);
    format_chain_first(&reading->hash, head, reading->chain);
    if (public_key != NULL &&
        memcmp(public_key, reading->head.log_public_key, sizeof reading->public_key) != 0) {
        return ERR_MISMATCH;
    }
    memcpy(reading->public_key, reading->head.log_public_key, sizeof reading->public_key);
    return ERR_NONE;
}

static enum err new_reading(int fd, int owned_fd, const uint8_t *public_key, const struct record_key *key,
                            struct record_reader *reader)
{
    OWNED_READING *reading = calloc(1, sizeof *reading);
    if (reading == NULL) {
        fd_close(&owned_fd);
        return ERR_MEMORY;
    }
    reading->fd = fd;
    reading->owned_fd = owned_fd;
    TRY(read_head(reading, public_key));
    if (key != NULL) {
        reading->has_key = true;
        memcpy(reading->key, key->bytes, sizeof reading->key);
        crypto_aead_init(&reading->aead);
        reading->zstd = ZSTD_createDCtx();
        if (reading->zstd == NULL) {
            return ERR_MEMORY;
        }
    }
    record_reader_done(reader);
    reader->reading = reading;
    reading = NULL;
    return ERR_NONE;
}

enum err record_reader_open_fd(struct record_reader *reader, int fd, const uint8_t *public_key,
                               const struct record_key *key)
{
    return new_reading(fd, -1, public_key, key, reader);
}

/* Never waits for a pipe and never follows a link that somebody put into the folder. */
static enum err open_regular(const char *path, int *ret_fd)
{
    OWNED_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat status;
    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND
               : errno == ELOOP                    ? ERR_MALFORMED
                                                   : ERR_SYSTEM;
    }
    if (fstat(fd, &status) != 0) {
        return ERR_SYSTEM;
    }
    if (!S_ISREG(status.st_mode)) {
        return ERR_MALFORMED;
    }
    *ret_fd = fd_take(&fd);
    return ERR_NONE;
}

enum err record_reader_open(struct record_reader *reader, const char *path, const uint8_t *public_key,
                            const struct record_key *key)
{
    int fd = -1;
    TRY(open_regular(path, &fd));
    return new_reading(fd, fd, public_key, key, reader);
}

void record_reader_done(struct record_reader *reader)
{
    free_reading(&reader->reading);
}

const struct record_head *record_reader_head(const struct record_reader *reader)
{
    return &reader->reading->head;
}

const char *record_reader_why(const struct record_reader *reader)
{
    return reader->reading == NULL ? "" : reader->reading->why;
}

uint64_t record_reader_offset(const struct record_reader *reader)
{
    return reader->reading->offset;
}

void record_reader_chain(const struct record_reader *reader, uint8_t ret_hash[static CRYPTO_SHA256_BYTES])
{
    memcpy(ret_hash, reader->reading->chain, CRYPTO_SHA256_BYTES);
}

static enum err step_end(struct record_reading *reading, size_t got, struct record_step *ret_step)
{
    struct stat status;
    if (fstat(reading->fd, &status) != 0) {
        return ERR_SYSTEM;
    }
    uint64_t size = status.st_size < 0 ? 0 : (uint64_t)status.st_size;
    ret_step->type = RECORD_STEP_END;
    ret_step->tail_bytes = size > reading->offset ? size - reading->offset : got;
    ret_step->file_bytes = reading->offset;
    ret_step->t_us = reading->t_us;
    if (ret_step->tail_bytes > 0) {
        (void)snprintf(reading->why, sizeof reading->why,
                       "torn: the last %" PRIu64 " bytes, from offset %" PRIu64 ", are no whole frame",
                       ret_step->tail_bytes, reading->offset);
    } else {
        (void)snprintf(reading->why, sizeof reading->why,
                       "unfinished: it ends at offset %" PRIu64 " without a close", reading->offset);
    }
    return ERR_NONE;
}

/* A file system that grew the file but lost its data shows zeros. */
static bool is_zeros(struct cursor bytes)
{
    while (bytes.at != bytes.end) {
        if (*bytes.at++ != 0) {
            return false;
        }
    }
    return true;
}

static enum err check_signature(struct record_reading *reading, struct cursor body, struct cursor signature)
{
    uint8_t memory[FORMAT_SIGNED_BYTES];
    struct cursor message;
    struct cursor covered = {body.at, signature.at};
    TRY(format_signed(reading->head.sid, cursor_of(reading->frame, FORMAT_FRAME_HEADER_BYTES), covered,
                      memory, &message));
    if (crypto_ed25519_verify(reading->public_key, message, signature.at) != ERR_NONE) {
        return fail(reading, ERR_MISMATCH, "the signature of the checkpoint is wrong");
    }
    return ERR_NONE;
}

static enum err check_stamp(struct record_reading *reading, const struct format_stamp *stamp)
{
    if (memcmp(stamp->chain.at, reading->chain, sizeof reading->chain) != 0) {
        return fail(reading, ERR_MISMATCH, "bytes before the checkpoint are not those that it signed");
    }
    if (stamp->bytes_before != reading->offset) {
        return fail(reading, ERR_MISMATCH, "the checkpoint stands at another offset than it was written at");
    }
    return ERR_NONE;
}

static enum err step_checkpoint(struct record_reading *reading, struct cursor body, struct record_step *step)
{
    struct format_stamp stamp;
    struct cursor at = body;
    struct cursor signature;
    TRY(format_stamp_read(&at, &stamp));
    TRY(cursor_bytes(&at, CRYPTO_ED25519_SIGNATURE_BYTES, &signature));
    TRY(check_stamp(reading, &stamp));
    TRY(check_signature(reading, body, signature));
    step->type = RECORD_STEP_CHECKPOINT;
    step->checkpoint = (struct record_checkpoint){
        .wall_us = stamp.wall_us,
        .stream_bytes = stamp.stream_bytes,
        .file_bytes = reading->offset + FORMAT_FRAME_HEADER_BYTES + cursor_len(&body),
    };
    return ERR_NONE;
}

static enum err step_close(struct record_reading *reading, uint8_t flags, struct cursor body,
                           struct record_step *step)
{
    struct format_stamp stamp;
    struct cursor signature;
    if (format_close_read(flags, body, &stamp, &step->closing, &signature) != ERR_NONE) {
        return fail(reading, ERR_MALFORMED, "the close does not have its fields");
    }
    TRY(check_stamp(reading, &stamp));
    TRY(check_signature(reading, body, signature));
    step->type = RECORD_STEP_CLOSE;
    return ERR_NONE;
}

static enum err open_data(struct record_reading *reading, const struct format_frame *frame,
                          struct cursor body)
{
    uint8_t nonce[CRYPTO_AEAD_NONCE_BYTES];
    uint8_t *text = reading->frame + FORMAT_FRAME_HEADER_BYTES;
    size_t len = cursor_len(&body) - CRYPTO_AEAD_TAG_BYTES;
    bool is_packed = (frame->flags & FORMAT_FLAG_ZSTD) != 0;
    uint8_t *out = is_packed ? text : reading->plain;
    /* Packed text is decrypted in place, so the chain must be computed before. */
    format_nonce(frame->seq, nonce);
    if (crypto_aead_open(&reading->aead, reading->key, nonce,
                         cursor_of(reading->frame, FORMAT_FRAME_HEADER_BYTES), body, out) != ERR_NONE) {
        return fail(reading, ERR_MISMATCH,
                    "the key does not open it: it was changed, or the key is another one");
    }
    if (is_packed) {
        len = ZSTD_decompressDCtx(reading->zstd, reading->plain, sizeof reading->plain, text, len);
        if (ZSTD_isError(len) != 0) {
            return fail(reading, ERR_MALFORMED, "its text cannot be decompressed");
        }
    }
    reading->records = cursor_of(reading->plain, len);
    return ERR_NONE;
}

/* Whole records, to the last byte: checked before the first of them is given out. */
static enum err check_records(struct record_reading *reading)
{
    struct cursor at = reading->records;
    while (cursor_len(&at) > 0) {
        struct record record;
        if (record_next(&at, &record) != ERR_NONE) {
            reading->records = cursor_of(NULL, 0);
            return fail(reading, ERR_MALFORMED, "its text does not consist of whole records");
        }
    }
    return ERR_NONE;
}

static enum err step_data(struct record_reading *reading, const struct format_frame *frame,
                          struct cursor body, struct record_step *step)
{
    if (cursor_len(&body) < CRYPTO_AEAD_TAG_BYTES) {
        return fail(reading, ERR_MALFORMED, "it is shorter than its tag");
    }
    step->type = RECORD_STEP_SEALED;
    step->sealed_bytes = frame->body_len;
    if (!reading->has_key) {
        return ERR_NONE;
    }
    TRY(open_data(reading, frame, body));
    return check_records(reading);
}

static enum err step_of_frame(struct record_reading *reading, const struct format_frame *frame,
                              struct cursor body, struct record_step *step)
{
    if (frame->type == FORMAT_DATA) {
        return step_data(reading, frame, body, step);
    }
    TRY(frame->type == FORMAT_CHECKPOINT ? step_checkpoint(reading, body, step)
                                         : step_close(reading, frame->flags, body, step));
    if (reading->has_key) {
        format_ratchet(reading->key);
    }
    reading->is_closed = frame->type == FORMAT_CLOSE;
    return ERR_NONE;
}

/* Reads header and body of the frame at the offset. @return ERR_CLOSED when the file ends before its end. */
static enum err read_frame(struct record_reading *reading, struct format_frame *ret_frame,
                           struct cursor *ret_body, size_t *ret_got)
{
    TRY(read_at(reading->fd, reading->offset, reading->frame, FORMAT_FRAME_HEADER_BYTES, ret_got));
    struct cursor in = cursor_of(reading->frame, *ret_got);
    if (*ret_got < FORMAT_FRAME_HEADER_BYTES || is_zeros(in)) {
        return ERR_CLOSED;
    }
    if (format_frame_read(&in, ret_frame) != ERR_NONE) {
        return fail(reading, ERR_MALFORMED, "this is no frame header");
    }
    if (ret_frame->seq != reading->seq) {
        return fail(reading, ERR_MISMATCH, "frames are missing, repeated or in another order");
    }
    if (ret_frame->t_us < reading->t_us) {
        return fail(reading, ERR_MALFORMED, "its time is before that of the frame before");
    }
    size_t got = 0;
    TRY(read_at(reading->fd, reading->offset + FORMAT_FRAME_HEADER_BYTES,
                reading->frame + FORMAT_FRAME_HEADER_BYTES, ret_frame->body_len, &got));
    *ret_got += got;
    if (got < ret_frame->body_len) {
        return ERR_CLOSED;
    }
    *ret_body = cursor_of(reading->frame + FORMAT_FRAME_HEADER_BYTES, got);
    return ERR_NONE;
}

static enum err next_frame(struct record_reading *reading, struct record_step *step)
{
    struct format_frame frame;
    struct cursor body;
    size_t got = 0;
    enum err err = read_frame(reading, &frame, &body, &got);
    if (err == ERR_CLOSED) {
        return step_end(reading, got, step);
    }
    TRY(err);
    uint8_t chain[CRYPTO_SHA256_BYTES];
    memcpy(chain, reading->chain, sizeof chain);
    format_chain_next(&reading->hash, chain,
                      cursor_of(reading->frame, FORMAT_FRAME_HEADER_BYTES + frame.body_len));
    step->t_us = frame.t_us;
    TRY(step_of_frame(reading, &frame, body, step));
    memcpy(reading->chain, chain, sizeof chain);
    reading->offset += FORMAT_FRAME_HEADER_BYTES + frame.body_len;
    reading->seq++;
    reading->t_us = frame.t_us;
    return ERR_NONE;
}

/* Nothing may follow a close. */
static enum err after_close(struct record_reading *reading, struct record_step *step)
{
    uint8_t byte = 0;
    size_t got = 0;
    TRY(read_at(reading->fd, reading->offset, &byte, 1, &got));
    if (got > 0) {
        return fail(reading, ERR_MALFORMED, "bytes follow the close");
    }
    step->type = RECORD_STEP_END;
    step->file_bytes = reading->offset;
    step->t_us = reading->t_us;
    return ERR_NONE;
}

enum err record_reader_next(struct record_reader *reader, struct record_step *ret_step)
{
    struct record_reading *reading = reader->reading;
    struct record_step step = {0};
    while (cursor_len(&reading->records) == 0) {
        TRY(reading->is_closed ? after_close(reading, &step) : next_frame(reading, &step));
        bool is_opened_data = step.type == RECORD_STEP_SEALED && reading->has_key;
        if (!is_opened_data) {
            *ret_step = step;
            return ERR_NONE;
        }
        /* A data frame without any record is allowed, and skipped. */
    }
    TRY(record_next(&reading->records, &step.record));
    step.type = RECORD_STEP_RECORD;
    step.t_us = reading->t_us;
    *ret_step = step;
    return ERR_NONE;
}
