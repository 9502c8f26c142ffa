#include "relay/tap.h"

#include "base/limits.h"
#include "base/text.h"
#include "base/writer.h"
#include "record/stream.h"

static const uint8_t TAP_STREAM_RECORDS[TAP_STREAMS] = {
    [TAP_STDIN] = RECORD_STDIN,
    [TAP_STDOUT] = RECORD_STDOUT,
    [TAP_STDERR] = RECORD_STDERR,
};

void tap_init(struct tap *tap, tap_record *record, void *owner, uint32_t channel)
{
    tap_done(tap);
    *tap = (struct tap){.record = record, .owner = owner, .channel = channel};
}

void tap_done(struct tap *tap)
{
    for (unsigned i = 0; i < TAP_STREAMS; i++) {
        crypto_sha256_done(&tap->streams[i].hash);
    }
    *tap = (struct tap){0};
}

void tap_set_terminal(struct tap *tap, bool is_terminal)
{
    tap->is_terminal = is_terminal;
}

/* Data */

static MUST_CHECK enum err tap_give(struct tap *tap, uint8_t kind, struct cursor head, struct cursor body)
{
    return tap->record(tap->owner, kind, tap->channel, head, body);
}

/* A packet may be a little larger than a record. */
static MUST_CHECK enum err tap_give_bytes(struct tap *tap, uint8_t kind, struct cursor bytes)
{
    while (cursor_len(&bytes) > 0) {
        size_t piece_bytes = cursor_len(&bytes);
        if (piece_bytes > LIMIT_RECORD_BODY_BYTES) {
            piece_bytes = LIMIT_RECORD_BODY_BYTES;
        }
        struct cursor piece;
        TRY(cursor_bytes(&bytes, piece_bytes, &piece));
        TRY(tap_give(tap, kind, cursor_of(NULL, 0), piece));
    }
    return ERR_NONE;
}

static MUST_CHECK enum err tap_stream_data(struct tap *tap, enum tap_stream_kind kind, struct cursor bytes)
{
    struct tap_stream *stream = &tap->streams[kind];
    if (tap->hashes_streams) {
        if (stream->seen_bytes == 0) {
            crypto_sha256_init(&stream->hash);
        }
        crypto_sha256_add(&stream->hash, bytes);
    }
    stream->seen_bytes += cursor_len(&bytes);
    uint64_t left_bytes = tap->cap_bytes - stream->kept_bytes;
    size_t kept_bytes = cursor_len(&bytes) < left_bytes ? cursor_len(&bytes) : (size_t)left_bytes;
    stream->kept_bytes += kept_bytes;
    struct cursor kept;
    TRY(cursor_bytes(&bytes, kept_bytes, &kept));
    return tap_give_bytes(tap, TAP_STREAM_RECORDS[kind], kept);
}

MUST_CHECK enum err tap_data(struct tap *tap, enum tap_stream_kind stream, struct cursor bytes)
{
    size_t len_bytes = cursor_len(&bytes);
    if (len_bytes == 0) {
        return ERR_NONE;
    }
    bool is_typed = stream == TAP_STDIN;
    *(is_typed ? &tap->to_target_bytes : &tap->from_target_bytes) += len_bytes;
    if (!tap->is_terminal) {
        return tap_stream_data(tap, stream, bytes);
    }
    if (!is_typed) {
        /* A terminal shows both streams of the target, so the recording plays both. */
        return tap_give_bytes(tap, RECORD_TERMINAL_OUT, bytes);
    }
    return tap->records_input ? tap_give_bytes(tap, RECORD_STDIN, bytes) : ERR_NONE;
}

void tap_count(struct tap *tap, enum tap_stream_kind stream, struct cursor bytes)
{
    *(stream == TAP_STDIN ? &tap->to_target_bytes : &tap->from_target_bytes) += cursor_len(&bytes);
}

/* Facts. The bodies are small; a writer that is full means a text over TAP_EXACT_BYTES. */

enum { TAP_HEAD_BYTES = 2048 };

static void tap_write_text(struct writer *out, struct cursor bytes)
{
    char text[TAP_NAME_BYTES];
    text_printable(bytes, text, sizeof text);
    writer_text(out, text);
}

static MUST_CHECK enum err tap_give_written(struct tap *tap, uint8_t kind, const struct writer *out)
{
    struct cursor head;
    TRY(writer_done(out, &head));
    return tap_give(tap, kind, head, cursor_of(NULL, 0));
}

static MUST_CHECK enum err tap_give_text(struct tap *tap, uint8_t kind, struct cursor bytes)
{
    uint8_t memory[TAP_HEAD_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    tap_write_text(&out, bytes);
    return tap_give_written(tap, kind, &out);
}

MUST_CHECK enum err tap_opened(struct tap *tap, struct cursor kind)
{
    return tap_give_text(tap, RECORD_CHANNEL_OPEN, kind);
}

MUST_CHECK enum err tap_forward_opened(struct tap *tap, const char *kind, const char *from, const char *to)
{
    uint8_t memory[TAP_HEAD_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    tap->is_forward = true;
    writer_text(&out, kind);
    writer_text(&out, from);
    writer_text(&out, to);
    return tap_give_written(tap, RECORD_FORWARD_OPEN, &out);
}

MUST_CHECK enum err tap_pty(struct tap *tap, struct cursor term, uint32_t columns, uint32_t rows)
{
    uint8_t memory[TAP_HEAD_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    tap_write_text(&out, term);
    writer_u32be(&out, columns);
    writer_u32be(&out, rows);
    return tap_give_written(tap, RECORD_PTY, &out);
}

MUST_CHECK enum err tap_resize(struct tap *tap, uint32_t columns, uint32_t rows)
{
    uint8_t memory[TAP_HEAD_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u32be(&out, columns);
    writer_u32be(&out, rows);
    return tap_give_written(tap, RECORD_RESIZE, &out);
}

MUST_CHECK enum err tap_shell(struct tap *tap)
{
    return tap_give(tap, RECORD_SHELL, cursor_of(NULL, 0), cursor_of(NULL, 0));
}

MUST_CHECK enum err tap_exec(struct tap *tap, struct cursor command)
{
    if (cursor_len(&command) > TAP_EXACT_BYTES) {
        return ERR_TOO_LARGE;
    }
    uint8_t memory[sizeof(uint32_t)];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u32be(&out, (uint32_t)cursor_len(&command));
    return tap_give(tap, RECORD_EXEC, cursor_of(memory, sizeof memory), command);
}

MUST_CHECK enum err tap_subsystem(struct tap *tap, struct cursor name)
{
    return tap_give_text(tap, RECORD_SUBSYSTEM, name);
}

MUST_CHECK enum err tap_env(struct tap *tap, struct cursor name, struct cursor value)
{
    if (cursor_len(&value) > TAP_EXACT_BYTES) {
        return ERR_TOO_LARGE;
    }
    uint8_t memory[TAP_HEAD_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    writer_string(&out, name);
    writer_u32be(&out, (uint32_t)cursor_len(&value));
    struct cursor head;
    TRY(writer_done(&out, &head));
    return tap_give(tap, RECORD_ENV, head, value);
}

MUST_CHECK enum err tap_signal(struct tap *tap, struct cursor name)
{
    return tap_give_text(tap, RECORD_SIGNAL, name);
}

MUST_CHECK enum err tap_exit_status(struct tap *tap, uint32_t status)
{
    uint8_t memory[sizeof status];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u32be(&out, status);
    return tap_give_written(tap, RECORD_EXIT_STATUS, &out);
}

MUST_CHECK enum err tap_exit_signal(struct tap *tap, struct cursor name, bool dumped_core,
                                    struct cursor message)
{
    uint8_t memory[TAP_HEAD_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    tap_write_text(&out, name);
    writer_bool(&out, dumped_core);
    tap_write_text(&out, message);
    return tap_give_written(tap, RECORD_EXIT_SIGNAL, &out);
}

static MUST_CHECK enum err tap_stream_total(struct tap *tap, enum tap_stream_kind kind)
{
    struct tap_stream *stream = &tap->streams[kind];
    if (stream->seen_bytes == 0) {
        return ERR_NONE;
    }
    uint8_t digest[CRYPTO_SHA256_BYTES];
    if (tap->hashes_streams) {
        crypto_sha256_end(&stream->hash, digest);
    }
    uint8_t memory[TAP_HEAD_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u8(&out, TAP_STREAM_RECORDS[kind]);
    writer_u64be(&out, stream->seen_bytes);
    writer_u64be(&out, stream->kept_bytes);
    writer_string(&out, cursor_of(digest, tap->hashes_streams ? sizeof digest : 0));
    return tap_give_written(tap, RECORD_STREAM_TOTAL, &out);
}

MUST_CHECK enum err tap_closed(struct tap *tap)
{
    for (unsigned i = 0; i < TAP_STREAMS; i++) {
        TRY(tap_stream_total(tap, (enum tap_stream_kind)i));
    }
    uint8_t memory[TAP_HEAD_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u64be(&out, tap->to_target_bytes);
    writer_u64be(&out, tap->from_target_bytes);
    return tap_give_written(tap, tap->is_forward ? RECORD_FORWARD_CLOSE : RECORD_CHANNEL_CLOSE, &out);
}

MUST_CHECK enum err tap_refused(tap_record *record, void *owner, uint32_t channel, const char *what,
                                struct cursor detail, const char *reason)
{
    char subject[TAP_NAME_BYTES];
    char text[LIMIT_SENTENCE_BYTES];
    uint8_t memory[TAP_HEAD_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    uint8_t *begin = writer_string_begin(&out);
    text_printable(cursor_of_text(what), subject, sizeof subject);
    writer_bytes(&out, cursor_of_text(subject));
    if (cursor_len(&detail) > 0) {
        text_printable(detail, text, sizeof text);
        writer_bytes(&out, cursor_of_text(": "));
        writer_bytes(&out, cursor_of_text(text));
    }
    writer_string_end(&out, begin);
    text_printable(cursor_of_text(reason), text, sizeof text);
    writer_text(&out, text);
    struct cursor head;
    TRY(writer_done(&out, &head));
    return record(owner, RECORD_REFUSED, channel, head, cursor_of(NULL, 0));
}

MUST_CHECK enum err tap_note(tap_record *record, void *owner, uint32_t channel, const char *note)
{
    char text[LIMIT_SENTENCE_BYTES];
    text_printable(cursor_of_text(note), text, sizeof text);
    uint8_t memory[TAP_HEAD_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    writer_text(&out, text);
    struct cursor head;
    TRY(writer_done(&out, &head));
    return record(owner, RECORD_NOTE, channel, head, cursor_of(NULL, 0));
}
