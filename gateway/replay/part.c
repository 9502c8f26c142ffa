#include "part.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "replay/file_words.h"
#include "replay/moment.h"

enum { NOTE_BYTES = 1024, PARTS_FIRST = 8 };

const char *replay_part_kind_name(enum replay_part_kind kind)
{
    switch (kind) {
    case REPLAY_PART_TERMINAL:
        return "terminal";
    case REPLAY_PART_COMMAND:
        return "command";
    case REPLAY_PART_SUBSYSTEM:
        return "subsystem";
    case REPLAY_PART_FORWARD:
        return "forward";
    case REPLAY_PART_OTHER:
        break;
    }
    return "channel";
}

void part_restart(struct replay_recording *recording)
{
    recording->part_count = 0;
}

/* A client gives a channel's number again after its close; records without an opening begin a part, too. */
size_t part_of(struct replay_recording *recording, const struct record_body *body, uint32_t channel)
{
    if (channel == RECORD_WHOLE_ACCESS) {
        return SIZE_MAX;
    }
    if (body->kind != RECORD_CHANNEL_OPEN && body->kind != RECORD_FORWARD_OPEN) {
        for (size_t i = recording->part_count; i > 0; i--) {
            if (recording->channels[i - 1] == channel) {
                return i - 1;
            }
        }
    }
    if (recording->part_count == REPLAY_PARTS_MAX) {
        return SIZE_MAX;
    }
    recording->channels[recording->part_count] = channel;
    return recording->part_count++;
}

static enum err make_part(struct replay_survey *survey, size_t part, uint32_t channel, uint64_t t_us)
{
    if (part < survey->part_count) {
        return ERR_NONE;
    }
    bool is_full = (part & (part - 1)) == 0 || part < PARTS_FIRST; /* grow at powers of two */
    if (is_full) {
        size_t capacity = part < PARTS_FIRST ? PARTS_FIRST : part * 2;
        struct replay_part *parts = realloc(survey->parts, capacity * sizeof *parts);
        if (parts == NULL) {
            return ERR_MEMORY;
        }
        survey->parts = parts;
    }
    survey->part_count = part + 1;
    survey->parts[part] =
        (struct replay_part){.channel = channel, .from_us = t_us, .exit_status = UINT32_MAX};
    return ERR_NONE;
}

static void learn_title(struct replay_part *part, enum replay_part_kind kind, struct cursor title)
{
    part->kind = kind;
    text_printable(title, part->title, sizeof part->title);
}

static void learn_pty(struct replay_part *part, const struct record_body *body)
{
    if (part->kind == REPLAY_PART_OTHER) {
        part->kind = REPLAY_PART_TERMINAL;
    }
    part->has_terminal = true;
    part->cols = body->pty.cols;
    part->rows = body->pty.rows;
    text_printable(body->pty.term, part->term, sizeof part->term);
}

static void learn_part(struct replay_part *part, const struct record_body *body)
{
    switch (body->kind) {
    case RECORD_TERMINAL_OUT:
        part->has_terminal = true;
        part->shown_bytes += cursor_len(&body->bytes);
        break;
    case RECORD_STDOUT:
    case RECORD_STDERR:
        part->shown_bytes += cursor_len(&body->bytes);
        break;
    case RECORD_PTY:
        learn_pty(part, body);
        break;
    case RECORD_SHELL:
        learn_title(part, REPLAY_PART_TERMINAL, cursor_of_text("shell"));
        break;
    case RECORD_EXEC:
        learn_title(part, REPLAY_PART_COMMAND, body->text);
        break;
    case RECORD_SUBSYSTEM:
        learn_title(part, REPLAY_PART_SUBSYSTEM, body->text);
        break;
    case RECORD_CHANNEL_OPEN:
        text_printable(body->text, part->title, sizeof part->title);
        break;
    case RECORD_FORWARD_OPEN:
        learn_title(part, REPLAY_PART_FORWARD, body->forward_open.to);
        break;
    case RECORD_EXIT_STATUS:
        part->exit_status = body->exit_status;
        break;
    case RECORD_EXIT_SIGNAL:
        text_printable(body->exit_signal.name, part->exit_signal, sizeof part->exit_signal);
        break;
    case RECORD_NONE:
    case RECORD_STDIN:
    case RECORD_RESIZE:
    case RECORD_ENV:
    case RECORD_SIGNAL:
    case RECORD_CHANNEL_CLOSE:
    case RECORD_FORWARD_CLOSE:
    case RECORD_STREAM_TOTAL:
    case RECORD_REFUSED:
    case RECORD_TARGET_LOGIN:
    case RECORD_NOTE:
    case RECORD_END:
    case RECORD_FILE_REQUEST:
    case RECORD_FILE_RESULT:
    case RECORD_FILE_TOTAL:
    case RECORD_DB_STARTUP:
    case RECORD_DB_STATEMENT:
    case RECORD_DB_MORE:
    case RECORD_DB_PARAMETER:
    case RECORD_DB_TOTAL:
    case RECORD_DB_COPY:
    case RECORD_DB_RESULT:
    case RECORD_DB_NOTICE:
    case RECORD_DB_CANCEL:
    case RECORD_KIND_COUNT:
        break;
    }
}

enum err part_learn(struct replay_survey *survey, size_t part, uint32_t channel, uint64_t t_us,
                    const struct record_body *body)
{
    survey->refused_count += body->kind == RECORD_REFUSED;
    survey->file_count += body->kind == RECORD_FILE_REQUEST;
    if (channel == RECORD_WHOLE_ACCESS) {
        return ERR_NONE;
    }
    if (part == SIZE_MAX) {
        survey->ignored_records++;
        return ERR_NONE;
    }
    TRY(make_part(survey, part, channel, t_us));
    survey->parts[part].to_us = t_us;
    learn_part(&survey->parts[part], body);
    return ERR_NONE;
}

/* --- notes ------------------------------------------------------------------------------------------ */

static enum err set_note(struct queue *note, const char *text, struct replay_event *ret_event)
{
    queue_consume(note, queue_len(note));
    TRY(queue_append(note, cursor_of_text(text)));
    ret_event->kind = REPLAY_NOTE;
    ret_event->bytes = queue_peek(note);
    return ERR_NONE;
}

static enum err note_of_text(const char *prefix, struct cursor bytes, const char *suffix, struct queue *note,
                             struct replay_event *ret_event)
{
    char printable[NOTE_BYTES - 128];
    char text[NOTE_BYTES];
    text_printable(bytes, printable, sizeof printable);
    (void)snprintf(text, sizeof text, "%s%s%s", prefix, printable, suffix);
    return set_note(note, text, ret_event);
}

static enum err note_of_status(uint32_t status, struct queue *note, struct replay_event *ret_event)
{
    char text[64];
    (void)snprintf(text, sizeof text, "[exit status %" PRIu32 "]", status);
    return set_note(note, text, ret_event);
}

/* Only when something is missing: a reader must not take a part of a stream for all of it. */
static enum err note_of_total(const struct record_body *body, struct queue *note,
                              struct replay_event *ret_event)
{
    if (body->stream_total.kept_bytes >= body->stream_total.seen_bytes) {
        return ERR_NOT_FOUND;
    }
    char kept[REPLAY_TIME_BYTES];
    char seen[REPLAY_TIME_BYTES];
    char hash[65];
    char text[NOTE_BYTES];
    bool has_hash = cursor_len(&body->stream_total.sha256) > 0;
    (void)snprintf(text, sizeof text, "[%s: %s of %s were kept; %s%s]",
                   record_kind_name(body->stream_total.kind),
                   replay_bytes_text(body->stream_total.kept_bytes, kept),
                   replay_bytes_text(body->stream_total.seen_bytes, seen),
                   has_hash ? "SHA-256 of all of it " : "not hashed",
                   text_hex(body->stream_total.sha256, hash, sizeof hash));
    return set_note(note, text, ret_event);
}

static enum err note_of_counts(const struct record_body *body, struct queue *note,
                               struct replay_event *ret_event)
{
    char text[NOTE_BYTES];
    (void)snprintf(text, sizeof text, "[closed: %" PRIu64 " bytes to the target, %" PRIu64 " from it]",
                   body->channel_close.to_target_bytes, body->channel_close.from_target_bytes);
    return set_note(note, text, ret_event);
}

static enum err note_of_file(const struct record_body *body, struct queue *note,
                             struct replay_event *ret_event)
{
    char words[REPLAY_FILE_WORDS_BYTES];
    return note_of_text("[file ", cursor_of_text(replay_file_words(body, words)), "]", note, ret_event);
}

enum err part_event(const struct record_body *body, uint64_t t_us, struct queue *note,
                    struct replay_event *ret_event)
{
    *ret_event = (struct replay_event){.t_us = t_us};
    switch (body->kind) {
    case RECORD_TERMINAL_OUT:
    case RECORD_STDOUT:
        ret_event->kind = REPLAY_OUTPUT;
        ret_event->bytes = body->bytes;
        return ERR_NONE;
    case RECORD_STDERR:
        ret_event->kind = REPLAY_ERRORS;
        ret_event->bytes = body->bytes;
        return ERR_NONE;
    case RECORD_PTY:
    case RECORD_RESIZE:
        ret_event->kind = REPLAY_RESIZE;
        ret_event->cols = body->pty.cols;
        ret_event->rows = body->pty.rows;
        return ERR_NONE;
    case RECORD_EXEC:
        return note_of_text("$ ", body->text, "", note, ret_event);
    case RECORD_SUBSYSTEM:
        return note_of_text("[subsystem ", body->text, "]", note, ret_event);
    case RECORD_EXIT_STATUS:
        return note_of_status(body->exit_status, note, ret_event);
    case RECORD_EXIT_SIGNAL:
        return note_of_text("[ended by signal ", body->exit_signal.name, "]", note, ret_event);
    case RECORD_FORWARD_OPEN:
        return note_of_text("[forward to ", body->forward_open.to, "]", note, ret_event);
    case RECORD_FORWARD_CLOSE:
        return note_of_counts(body, note, ret_event);
    case RECORD_REFUSED:
        return note_of_text("[refused: ", body->refused.what, "]", note, ret_event);
    case RECORD_NOTE:
        return note_of_text("[", body->text, "]", note, ret_event);
    case RECORD_STREAM_TOTAL:
        return note_of_total(body, note, ret_event);
    case RECORD_FILE_REQUEST:
    case RECORD_FILE_TOTAL:
        return note_of_file(body, note, ret_event);
    case RECORD_FILE_RESULT:
        return body->file_result.status == 0 ? ERR_NOT_FOUND : note_of_file(body, note, ret_event);
    case RECORD_NONE:
    case RECORD_STDIN:
    case RECORD_SHELL:
    case RECORD_ENV:
    case RECORD_SIGNAL:
    case RECORD_CHANNEL_OPEN:
    case RECORD_CHANNEL_CLOSE:
    case RECORD_TARGET_LOGIN:
    case RECORD_END:
    case RECORD_DB_STARTUP:
    case RECORD_DB_STATEMENT:
    case RECORD_DB_MORE:
    case RECORD_DB_PARAMETER:
    case RECORD_DB_TOTAL:
    case RECORD_DB_COPY:
    case RECORD_DB_RESULT:
    case RECORD_DB_NOTICE:
    case RECORD_DB_CANCEL:
    case RECORD_KIND_COUNT:
        break;
    }
    return ERR_NOT_FOUND;
}
