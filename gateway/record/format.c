#include "format.h"

#include "base/secret.h"

const uint8_t FORMAT_MAGIC[FORMAT_MAGIC_BYTES] = {'B', 'R', 'E', 'C', '1', '\n', 0, 0};

void format_frame_write(struct writer *out, const struct format_frame *frame)
{
    writer_u32be(out, frame->body_len);
    writer_u8(out, frame->type);
    writer_u8(out, frame->flags);
    writer_u16be(out, 0);
    writer_u64be(out, frame->seq);
    writer_u64be(out, frame->t_us);
}

static enum err check_frame(const struct format_frame *frame)
{
    switch (frame->type) {
    case FORMAT_DATA:
        if ((frame->flags & ~FORMAT_FLAG_ZSTD) != 0) {
            return ERR_MALFORMED;
        }
        return frame->body_len <= FORMAT_FRAME_BODY_BYTES ? ERR_NONE : ERR_TOO_LARGE;
    case FORMAT_CHECKPOINT:
        return frame->flags == 0 && frame->body_len == FORMAT_CHECKPOINT_BODY_BYTES ? ERR_NONE
                                                                                    : ERR_MALFORMED;
    case FORMAT_CLOSE:
        return (frame->flags & ~FORMAT_FLAG_MOVED) == 0 &&
                       frame->body_len <= RECORD_CLOSE_FRAME_BYTES - FORMAT_FRAME_HEADER_BYTES
                   ? ERR_NONE
                   : ERR_MALFORMED;
    default:
        return ERR_MALFORMED;
    }
}

enum err format_frame_read(struct cursor *in, struct format_frame *ret_frame)
{
    struct format_frame frame = {0};
    uint16_t zero = 0;
    TRY(cursor_u32be(in, &frame.body_len));
    TRY(cursor_u8(in, &frame.type));
    TRY(cursor_u8(in, &frame.flags));
    TRY(cursor_u16be(in, &zero));
    TRY(cursor_u64be(in, &frame.seq));
    TRY(cursor_u64be(in, &frame.t_us));
    if (zero != 0) {
        return ERR_MALFORMED;
    }
    TRY(check_frame(&frame));
    *ret_frame = frame;
    return ERR_NONE;
}

void format_nonce(uint64_t seq, uint8_t ret_nonce[static CRYPTO_AEAD_NONCE_BYTES])
{
    struct writer out = writer_of(ret_nonce, CRYPTO_AEAD_NONCE_BYTES);
    writer_u32be(&out, 0);
    writer_u64be(&out, seq);
}

void format_chain_next(struct crypto_sha256 *hash, uint8_t chain[static CRYPTO_SHA256_BYTES],
                       struct cursor frame)
{
    static const uint8_t LINK = 1;
    crypto_sha256_init(hash);
    crypto_sha256_add(hash, cursor_of(&LINK, 1));
    crypto_sha256_add(hash, cursor_of(chain, CRYPTO_SHA256_BYTES));
    crypto_sha256_add(hash, frame);
    crypto_sha256_end(hash, chain);
}

void format_chain_first(struct crypto_sha256 *hash, struct cursor head,
                        uint8_t ret_chain[static CRYPTO_SHA256_BYTES])
{
    crypto_sha256_init(hash);
    crypto_sha256_add(hash, cursor_of_text("BREC1 header"));
    crypto_sha256_add(hash, head);
    crypto_sha256_end(hash, ret_chain);
}

void format_ratchet(uint8_t key[static CRYPTO_AEAD_KEY_BYTES])
{
    uint8_t next[CRYPTO_AEAD_KEY_BYTES];
    crypto_hkdf_sha256(cursor_of(key, CRYPTO_AEAD_KEY_BYTES), cursor_of(NULL, 0),
                       cursor_of_text("BREC1 ratchet"), next, sizeof next);
    for (size_t i = 0; i < sizeof next; i++) {
        key[i] = next[i];
    }
    secret_wipe(next, sizeof next);
}

enum err format_signed(const uint8_t sid[static LIMIT_SID_BYTES], struct cursor header, struct cursor body,
                       uint8_t memory[static FORMAT_SIGNED_BYTES], struct cursor *ret)
{
    struct writer out = writer_of(memory, FORMAT_SIGNED_BYTES);
    writer_bytes(&out, cursor_of_text("BREC1 checkpoint\n"));
    writer_bytes(&out, cursor_of(sid, LIMIT_SID_BYTES));
    writer_bytes(&out, header);
    writer_bytes(&out, body);
    return writer_done(&out, ret);
}

enum err format_head_write(const struct record_opening *opening, struct writer *out)
{
    writer_bytes(out, cursor_of(FORMAT_MAGIC, sizeof FORMAT_MAGIC));
    uint8_t *start = writer_string_begin(out);
    writer_u16be(out, FORMAT_SUITE);
    writer_bytes(out, cursor_of(opening->sid, sizeof opening->sid));
    writer_u64be(out, opening->wall_us);
    writer_u64be(out, opening->log_size);
    writer_bytes(out, cursor_of(opening->key_file_sha256, sizeof opening->key_file_sha256));
    writer_bytes(out, cursor_of(opening->log_public_key, sizeof opening->log_public_key));
    writer_string(out, opening->host_id);
    writer_string(out, opening->meta);
    writer_string_end(out, start);
    return out->is_full ? ERR_TOO_LARGE : ERR_NONE;
}

static enum err read_array(struct cursor *in, uint8_t *ret_bytes, size_t len_bytes)
{
    struct cursor block;
    TRY(cursor_bytes(in, len_bytes, &block));
    for (size_t i = 0; i < len_bytes; i++) {
        ret_bytes[i] = block.at[i];
    }
    return ERR_NONE;
}

static enum err read_head_fields(struct cursor block, struct record_head *head)
{
    uint16_t suite = 0;
    TRY(cursor_u16be(&block, &suite));
    if (suite != FORMAT_SUITE) {
        return ERR_MALFORMED;
    }
    TRY(read_array(&block, head->sid, sizeof head->sid));
    TRY(cursor_u64be(&block, &head->wall_us));
    TRY(cursor_u64be(&block, &head->log_size));
    TRY(read_array(&block, head->key_file_sha256, sizeof head->key_file_sha256));
    TRY(read_array(&block, head->log_public_key, sizeof head->log_public_key));
    TRY(cursor_string(&block, RECORD_HEAD_BYTES, &head->host_id));
    TRY(cursor_string(&block, RECORD_HEAD_BYTES, &head->meta));
    return cursor_end(&block);
}

enum err format_head_read(struct cursor *in, struct record_head *ret_head)
{
    struct cursor at = *in;
    struct cursor magic;
    struct cursor block;
    struct record_head head = {0};
    TRY(cursor_bytes(&at, FORMAT_MAGIC_BYTES, &magic));
    if (!cursor_equal(magic, cursor_of(FORMAT_MAGIC, sizeof FORMAT_MAGIC))) {
        return ERR_MALFORMED;
    }
    TRY(cursor_string(&at, RECORD_HEAD_BYTES - FORMAT_MAGIC_BYTES - 4, &block));
    /* The block is whole, so a field that passes its end is no reason to read more. */
    enum err err = read_head_fields(block, &head);
    if (err != ERR_NONE) {
        return ERR_MALFORMED;
    }
    *ret_head = head;
    *in = at;
    return ERR_NONE;
}

enum err format_stamp_read(struct cursor *in, struct format_stamp *ret_stamp)
{
    struct format_stamp stamp = {0};
    TRY(cursor_u64be(in, &stamp.bytes_before));
    TRY(cursor_u64be(in, &stamp.wall_us));
    TRY(cursor_u64be(in, &stamp.stream_bytes));
    TRY(cursor_bytes(in, CRYPTO_SHA256_BYTES, &stamp.chain));
    *ret_stamp = stamp;
    return ERR_NONE;
}

void format_moved_write(struct writer *out, const struct record_moved *moved)
{
    writer_u64be(out, moved->files);
    writer_u64be(out, moved->file_to_target_bytes);
    writer_u64be(out, moved->file_from_target_bytes);
    writer_u64be(out, moved->to_target_bytes);
    writer_u64be(out, moved->from_target_bytes);
}

static enum err read_moved(struct cursor *in, struct record_moved *ret_moved)
{
    TRY(cursor_u64be(in, &ret_moved->files));
    TRY(cursor_u64be(in, &ret_moved->file_to_target_bytes));
    TRY(cursor_u64be(in, &ret_moved->file_from_target_bytes));
    TRY(cursor_u64be(in, &ret_moved->to_target_bytes));
    return cursor_u64be(in, &ret_moved->from_target_bytes);
}

enum err format_close_read(uint8_t flags, struct cursor body, struct format_stamp *ret_stamp,
                           struct record_closing *ret_closing, struct cursor *ret_signature)
{
    struct record_closing closing = {0};
    uint32_t frame_len = 0;
    size_t body_len = cursor_len(&body);
    TRY(format_stamp_read(&body, ret_stamp));
    TRY(cursor_u32be(&body, &closing.exit_status));
    TRY(cursor_u64be(&body, &closing.records));
    TRY(cursor_u64be(&body, &closing.kept_bytes));
    TRY(cursor_string(&body, RECORD_HOW_BYTES, &closing.how));
    TRY(cursor_string(&body, RECORD_REASON_BYTES, &closing.reason));
    closing.has_moved = (flags & FORMAT_FLAG_MOVED) != 0;
    if (closing.has_moved) {
        TRY(read_moved(&body, &closing.moved));
    }
    TRY(cursor_bytes(&body, CRYPTO_ED25519_SIGNATURE_BYTES, ret_signature));
    TRY(cursor_u32be(&body, &frame_len));
    TRY(cursor_end(&body));
    if (frame_len != FORMAT_FRAME_HEADER_BYTES + body_len) {
        return ERR_MALFORMED;
    }
    closing.at.wall_us = ret_stamp->wall_us;
    closing.at.stream_bytes = ret_stamp->stream_bytes;
    closing.at.file_bytes = ret_stamp->bytes_before + frame_len;
    *ret_closing = closing;
    return ERR_NONE;
}
