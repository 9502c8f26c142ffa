#include <assert.h>

#include "record/stream.h"
#include "stream_parts.h"

/* The length is filled in when the body is known. */
uint8_t *stream_begin(struct writer *out, enum record_kind kind, uint32_t channel)
{
    uint8_t *start = out->at;
    writer_u32be(out, 0);
    writer_u8(out, (uint8_t)kind);
    writer_u8(out, 0);
    writer_u16be(out, 0);
    writer_u32be(out, channel);
    return start;
}

void stream_end(struct writer *out, uint8_t *start)
{
    if (out->is_full) {
        return;
    }
    size_t body_len = (size_t)(out->at - start) - RECORD_HEADER_BYTES;
    assert(body_len <= LIMIT_RECORD_BODY_BYTES);
    struct writer length = writer_of(start, 4);
    writer_u32be(&length, (uint32_t)body_len);
}

struct cursor stream_cut(struct cursor bytes, size_t max_bytes)
{
    return cursor_len(&bytes) <= max_bytes ? bytes : cursor_of(bytes.at, max_bytes);
}

void stream_write_text(struct writer *out, struct cursor text, size_t max_bytes)
{
    text = stream_cut(text, max_bytes);
    uint8_t *start = writer_string_begin(out);
    for (; text.at != text.end; text.at++) {
        writer_u8(out, *text.at == 0 ? '?' : *text.at);
    }
    writer_string_end(out, start);
}

static void write_one_text(struct writer *out, enum record_kind kind, uint32_t channel, struct cursor text)
{
    uint8_t *start = stream_begin(out, kind, channel);
    stream_write_text(out, text, RECORD_STRING_BYTES);
    stream_end(out, start);
}

void record_write_bytes(struct writer *out, enum record_kind kind, uint32_t channel, struct cursor bytes)
{
    assert(kind >= RECORD_TERMINAL_OUT && kind <= RECORD_STDIN);
    while (cursor_len(&bytes) > 0) {
        struct cursor part = stream_cut(bytes, LIMIT_RECORD_BODY_BYTES);
        uint8_t *start = stream_begin(out, kind, channel);
        writer_bytes(out, part);
        stream_end(out, start);
        bytes.at = part.end;
    }
}

void record_write_pty(struct writer *out, uint32_t channel, struct cursor term, uint32_t cols, uint32_t rows)
{
    uint8_t *start = stream_begin(out, RECORD_PTY, channel);
    stream_write_text(out, term, RECORD_NAME_BYTES);
    writer_u32be(out, cols);
    writer_u32be(out, rows);
    stream_end(out, start);
}

void record_write_resize(struct writer *out, uint32_t channel, uint32_t cols, uint32_t rows)
{
    uint8_t *start = stream_begin(out, RECORD_RESIZE, channel);
    writer_u32be(out, cols);
    writer_u32be(out, rows);
    stream_end(out, start);
}

void record_write_shell(struct writer *out, uint32_t channel)
{
    stream_end(out, stream_begin(out, RECORD_SHELL, channel));
}

void record_write_exec(struct writer *out, uint32_t channel, struct cursor command)
{
    uint8_t *start = stream_begin(out, RECORD_EXEC, channel);
    writer_string(out, stream_cut(command, RECORD_STRING_BYTES));
    stream_end(out, start);
}

void record_write_subsystem(struct writer *out, uint32_t channel, struct cursor name)
{
    write_one_text(out, RECORD_SUBSYSTEM, channel, name);
}

void record_write_env(struct writer *out, uint32_t channel, struct cursor name, struct cursor value)
{
    uint8_t *start = stream_begin(out, RECORD_ENV, channel);
    writer_string(out, stream_cut(name, RECORD_NAME_BYTES));
    writer_string(out, stream_cut(value, RECORD_STRING_BYTES));
    stream_end(out, start);
}

void record_write_signal(struct writer *out, uint32_t channel, struct cursor name)
{
    write_one_text(out, RECORD_SIGNAL, channel, name);
}

void record_write_exit_status(struct writer *out, uint32_t channel, uint32_t status)
{
    uint8_t *start = stream_begin(out, RECORD_EXIT_STATUS, channel);
    writer_u32be(out, status);
    stream_end(out, start);
}

void record_write_exit_signal(struct writer *out, uint32_t channel, struct cursor name, bool has_core,
                              struct cursor message)
{
    uint8_t *start = stream_begin(out, RECORD_EXIT_SIGNAL, channel);
    stream_write_text(out, name, RECORD_NAME_BYTES);
    writer_bool(out, has_core);
    writer_string(out, stream_cut(message, RECORD_STRING_BYTES));
    stream_end(out, start);
}

void record_write_channel_open(struct writer *out, uint32_t channel, struct cursor type)
{
    write_one_text(out, RECORD_CHANNEL_OPEN, channel, type);
}

static void write_counts(struct writer *out, enum record_kind kind, uint32_t channel,
                         uint64_t to_target_bytes, uint64_t from_target_bytes)
{
    uint8_t *start = stream_begin(out, kind, channel);
    writer_u64be(out, to_target_bytes);
    writer_u64be(out, from_target_bytes);
    stream_end(out, start);
}

void record_write_channel_close(struct writer *out, uint32_t channel, uint64_t to_target_bytes,
                                uint64_t from_target_bytes)
{
    write_counts(out, RECORD_CHANNEL_CLOSE, channel, to_target_bytes, from_target_bytes);
}

void record_write_forward_open(struct writer *out, uint32_t channel, struct cursor kind, struct cursor from,
                               struct cursor to)
{
    uint8_t *start = stream_begin(out, RECORD_FORWARD_OPEN, channel);
    stream_write_text(out, kind, RECORD_NAME_BYTES);
    stream_write_text(out, from, RECORD_NAME_BYTES);
    stream_write_text(out, to, RECORD_STRING_BYTES);
    stream_end(out, start);
}

void record_write_forward_close(struct writer *out, uint32_t channel, uint64_t to_target_bytes,
                                uint64_t from_target_bytes)
{
    write_counts(out, RECORD_FORWARD_CLOSE, channel, to_target_bytes, from_target_bytes);
}

void record_write_stream_total(struct writer *out, uint32_t channel, enum record_kind kind,
                               uint64_t seen_bytes, uint64_t kept_bytes, const uint8_t sha256[static 32])
{
    assert(kind >= RECORD_STDOUT && kind <= RECORD_STDIN);
    uint8_t *start = stream_begin(out, RECORD_STREAM_TOTAL, channel);
    writer_u8(out, (uint8_t)kind);
    writer_u64be(out, seen_bytes);
    writer_u64be(out, kept_bytes);
    writer_string(out, cursor_of(sha256, 32));
    stream_end(out, start);
}

void record_write_refused(struct writer *out, uint32_t channel, struct cursor what, struct cursor reason)
{
    uint8_t *start = stream_begin(out, RECORD_REFUSED, channel);
    stream_write_text(out, what, RECORD_NAME_BYTES);
    stream_write_text(out, reason, RECORD_STRING_BYTES);
    stream_end(out, start);
}

void record_write_target_login(struct writer *out, struct cursor account, struct cursor fingerprint)
{
    uint8_t *start = stream_begin(out, RECORD_TARGET_LOGIN, RECORD_WHOLE_ACCESS);
    stream_write_text(out, account, RECORD_NAME_BYTES);
    stream_write_text(out, fingerprint, RECORD_NAME_BYTES);
    stream_end(out, start);
}

void record_write_note(struct writer *out, uint32_t channel, struct cursor sentence)
{
    write_one_text(out, RECORD_NOTE, channel, sentence);
}

void record_write_end(struct writer *out, uint32_t exit_status, struct cursor reason)
{
    uint8_t *start = stream_begin(out, RECORD_END, RECORD_WHOLE_ACCESS);
    writer_u32be(out, exit_status);
    stream_write_text(out, reason, RECORD_STRING_BYTES);
    stream_end(out, start);
}

void record_write_file_request(struct writer *out, uint32_t channel,
                               const struct record_file_request *request)
{
    uint8_t *start = stream_begin(out, RECORD_FILE_REQUEST, channel);
    writer_u32be(out, request->number);
    writer_u8(out, request->op);
    writer_u32be(out, request->flags);
    writer_u32be(out, request->mode);
    writer_u64be(out, request->size);
    writer_u32be(out, request->of);
    writer_u32be(out, request->of_second);
    writer_string(out, stream_cut(request->path, RECORD_FILE_PATH_BYTES));
    writer_string(out, stream_cut(request->second, RECORD_FILE_PATH_BYTES));
    stream_end(out, start);
}

void record_write_file_result(struct writer *out, uint32_t channel, uint32_t number, uint32_t status)
{
    uint8_t *start = stream_begin(out, RECORD_FILE_RESULT, channel);
    writer_u32be(out, number);
    writer_u32be(out, status);
    stream_end(out, start);
}

void record_write_file_total(struct writer *out, uint32_t channel, const struct record_file_total *total)
{
    uint8_t *start = stream_begin(out, RECORD_FILE_TOTAL, channel);
    writer_u32be(out, total->number);
    writer_u64be(out, total->read_bytes);
    writer_u64be(out, total->written_bytes);
    writer_u8(out, total->read_order);
    writer_u8(out, total->written_order);
    writer_u8(out, total->flags);
    writer_string(out, stream_cut(total->read_sha256, 32));
    writer_string(out, stream_cut(total->written_sha256, 32));
    stream_end(out, start);
}
