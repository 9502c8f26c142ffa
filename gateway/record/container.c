#include "record/container.h"

#include <assert.h>
#include <stdlib.h>
#include <zstd.h>

#include "base/secret.h"
#include "format.h"

enum {
    ZSTD_LEVEL = 1,
    ZSTD_WINDOW_LOG = 17, /* a frame is at most 64 KiB */
    /* Archives and encrypted files do not shrink, and trying costs as much as hashing: after a frame of this
     * size that did not, the next ones are not tried. */
    STUBBORN_BYTES = 16384,
    STUBBORN_FRAMES = 15,
};

enum err record_tools_init(struct record_tools *tools)
{
    struct record_tools made = {0};
    crypto_aead_init(&made.aead);
    crypto_sha256_init(&made.hash);
    made.scratch = malloc(FORMAT_FRAME_PLAIN_BYTES);
    made.zstd = ZSTD_createCCtx();
    if (made.scratch == NULL || made.zstd == NULL ||
        ZSTD_isError(ZSTD_CCtx_setParameter(made.zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL)) != 0 ||
        ZSTD_isError(ZSTD_CCtx_setParameter(made.zstd, ZSTD_c_windowLog, ZSTD_WINDOW_LOG)) != 0) {
        record_tools_done(&made);
        return ERR_MEMORY;
    }
    *tools = made;
    return ERR_NONE;
}

void record_tools_done(struct record_tools *tools)
{
    crypto_aead_done(&tools->aead);
    crypto_sha256_done(&tools->hash);
    (void)ZSTD_freeCCtx(tools->zstd);
    if (tools->scratch != NULL) {
        secret_wipe(tools->scratch, FORMAT_FRAME_PLAIN_BYTES);
    }
    free(tools->scratch);
    *tools = (struct record_tools){0};
}

enum err record_container_begin(struct record_container *container, struct record_tools *tools,
                                const struct record_opening *opening, struct writer *out)
{
    struct record_container begun = {0};
    uint8_t *start = out->at;
    if (cursor_len(&opening->meta) > RECORD_META_BYTES) {
        return ERR_TOO_LARGE;
    }
    TRY(format_head_write(opening, out));
    for (size_t i = 0; i < sizeof begun.sid; i++) {
        begun.sid[i] = opening->sid[i];
    }
    for (size_t i = 0; i < sizeof begun.key; i++) {
        begun.key[i] = opening->key[i];
    }
    struct cursor head = {start, out->at};
    begun.file_bytes = cursor_len(&head);
    format_chain_first(&tools->hash, head, begun.chain);
    *container = begun;
    secret_wipe(begun.key, sizeof begun.key);
    return ERR_NONE;
}

void record_container_done(struct record_container *container)
{
    secret_wipe(container, sizeof *container);
}

/* The frame [start, out->at) is complete: it becomes part of the chain. */
static void frame_done(struct record_container *container, struct record_tools *tools, const uint8_t *start,
                       const struct writer *out)
{
    struct cursor frame = {start, out->at};
    format_chain_next(&tools->hash, container->chain, frame);
    container->file_bytes += cursor_len(&frame);
    container->seq++;
    container->frames++;
}

static uint64_t forward(struct record_container *container, uint64_t t_us)
{
    if (t_us > container->last_t_us) {
        container->last_t_us = t_us;
    }
    return container->last_t_us;
}

/* The compressed text in the scratch memory, or `plain` itself where that is not smaller. */
static struct cursor compress(struct record_container *container, struct record_tools *tools,
                              struct cursor plain)
{
    size_t len = cursor_len(&plain);
    if (len < FORMAT_COMPRESS_FROM_BYTES) {
        return plain;
    }
    if (container->untried_frames > 0) {
        container->untried_frames--;
        return plain;
    }
    /* A result that does not fit in one byte less is an error to zstd, and no gain to us. */
    size_t packed = ZSTD_compress2(tools->zstd, tools->scratch, len - 1, plain.at, len);
    if (ZSTD_isError(packed) == 0) {
        return cursor_of(tools->scratch, packed);
    }
    container->untried_frames = len >= STUBBORN_BYTES ? STUBBORN_FRAMES : 0;
    return plain;
}

static enum err write_data_frame(struct record_container *container, struct record_tools *tools,
                                 uint64_t t_us, struct cursor plain, struct writer *out)
{
    struct cursor packed = compress(container, tools, plain);
    size_t sealed_len = cursor_len(&packed) + CRYPTO_AEAD_TAG_BYTES;
    struct format_frame frame = {
        .body_len = (uint32_t)sealed_len,
        .type = FORMAT_DATA,
        .flags = packed.at == plain.at ? 0 : FORMAT_FLAG_ZSTD,
        .seq = container->seq,
        .t_us = forward(container, t_us),
    };
    uint8_t *start = out->at;
    format_frame_write(out, &frame);
    if (out->is_full || (size_t)(out->end - out->at) < sealed_len) {
        return ERR_TOO_LARGE;
    }
    uint8_t nonce[CRYPTO_AEAD_NONCE_BYTES];
    format_nonce(container->seq, nonce);
    TRY(crypto_aead_seal(&tools->aead, container->key, nonce, cursor_of(start, FORMAT_FRAME_HEADER_BYTES),
                         packed, out->at));
    out->at += sealed_len;
    frame_done(container, tools, start, out);
    return ERR_NONE;
}

static void add(uint64_t *sum, uint64_t more)
{
    *sum = more > UINT64_MAX - *sum ? UINT64_MAX : *sum + more;
}

static void count_moved(struct record_moved *moved, const struct record *record)
{
    struct record_body body;
    bool is_total = record->kind == RECORD_FILE_TOTAL;
    bool is_close = record->kind == RECORD_CHANNEL_CLOSE || record->kind == RECORD_FORWARD_CLOSE;
    if ((!is_total && !is_close) || record_body_read(record, &body) != ERR_NONE) {
        return;
    }
    if (is_close) {
        add(&moved->to_target_bytes, body.channel_close.to_target_bytes);
        add(&moved->from_target_bytes, body.channel_close.from_target_bytes);
    } else {
        add(&moved->files, 1);
        add(&moved->file_to_target_bytes, body.file_total.written_bytes);
        add(&moved->file_from_target_bytes, body.file_total.read_bytes);
    }
}

enum err record_container_data(struct record_container *container, struct record_tools *tools, uint64_t t_us,
                               struct cursor records, struct writer *out)
{
    struct cursor at = records;
    const uint8_t *start = at.at;
    while (cursor_len(&at) > 0) {
        const uint8_t *before = at.at;
        struct record record;
        enum err err = record_next(&at, &record);
        assert(err == ERR_NONE);
        if (at.at - start > FORMAT_FRAME_PLAIN_BYTES) {
            TRY(write_data_frame(container, tools, t_us, (struct cursor){start, before}, out));
            start = before;
        }
        container->records++;
        bool is_said = record.kind <= RECORD_STDIN ||
                       (record.kind >= RECORD_DB_STATEMENT && record.kind <= RECORD_DB_PARAMETER);
        if (is_said) {
            container->kept_bytes += cursor_len(&record.body);
        }
        count_moved(&container->moved, &record);
    }
    return start == at.at ? ERR_NONE
                          : write_data_frame(container, tools, t_us, (struct cursor){start, at.at}, out);
}

static void write_stamp(const struct record_container *container, const struct record_stamp *stamp,
                        struct writer *out)
{
    writer_u64be(out, container->file_bytes);
    writer_u64be(out, stamp->wall_us);
    writer_u64be(out, stamp->stream_bytes);
    writer_bytes(out, cursor_of(container->chain, sizeof container->chain));
}

/* Signs the frame [start, out->at), appends the signature. */
static enum err sign_frame(const struct record_container *container, const struct crypto_ed25519 *log_key,
                           const uint8_t *start, struct writer *out)
{
    uint8_t memory[FORMAT_SIGNED_BYTES];
    uint8_t signature[CRYPTO_ED25519_SIGNATURE_BYTES];
    struct cursor message;
    if (out->is_full) {
        return ERR_TOO_LARGE;
    }
    struct cursor body = {start + FORMAT_FRAME_HEADER_BYTES, out->at};
    TRY(format_signed(container->sid, cursor_of(start, FORMAT_FRAME_HEADER_BYTES), body, memory, &message));
    TRY(crypto_ed25519_sign(log_key, message, signature));
    writer_bytes(out, cursor_of(signature, sizeof signature));
    return out->is_full ? ERR_TOO_LARGE : ERR_NONE;
}

enum err record_container_checkpoint(struct record_container *container, struct record_tools *tools,
                                     const struct crypto_ed25519 *log_key, const struct record_stamp *stamp,
                                     struct writer *out)
{
    uint8_t *start = out->at;
    struct format_frame frame = {
        .body_len = FORMAT_CHECKPOINT_BODY_BYTES,
        .type = FORMAT_CHECKPOINT,
        .seq = container->seq,
        .t_us = forward(container, stamp->t_us),
    };
    format_frame_write(out, &frame);
    write_stamp(container, stamp, out);
    TRY(sign_frame(container, log_key, start, out));
    frame_done(container, tools, start, out);
    format_ratchet(container->key);
    return ERR_NONE;
}

static void write_printable(struct writer *out, struct cursor text, size_t max_bytes)
{
    uint8_t *start = writer_string_begin(out);
    for (size_t i = 0; text.at != text.end && i < max_bytes; i++, text.at++) {
        writer_u8(out, *text.at < ' ' || *text.at > '~' ? '?' : *text.at);
    }
    writer_string_end(out, start);
}

enum err record_container_close(struct record_container *container, struct record_tools *tools,
                                const struct crypto_ed25519 *log_key, const struct record_stamp *stamp,
                                const struct record_ending *ending, struct writer *out)
{
    uint8_t *start = out->at;
    struct format_frame frame = {
        .type = FORMAT_CLOSE,
        .flags = FORMAT_FLAG_MOVED,
        .seq = container->seq,
        .t_us = forward(container, stamp->t_us),
    };
    format_frame_write(out, &frame);
    write_stamp(container, stamp, out);
    writer_u32be(out, ending->exit_status);
    writer_u64be(out, container->records);
    writer_u64be(out, container->kept_bytes);
    write_printable(out, ending->how, RECORD_HOW_BYTES);
    write_printable(out, ending->reason, RECORD_REASON_BYTES);
    format_moved_write(out, &container->moved);
    if (out->is_full) {
        return ERR_TOO_LARGE;
    }
    uint32_t frame_len = (uint32_t)(out->at - start) + CRYPTO_ED25519_SIGNATURE_BYTES + 4;
    struct writer length = writer_of(start, 4); /* known now, and before it is signed */
    writer_u32be(&length, frame_len - FORMAT_FRAME_HEADER_BYTES);
    TRY(sign_frame(container, log_key, start, out));
    writer_u32be(out, frame_len);
    if (out->is_full) {
        return ERR_TOO_LARGE;
    }
    frame_done(container, tools, start, out);
    format_ratchet(container->key);
    return ERR_NONE;
}
