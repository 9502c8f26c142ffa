/* A recording without its timing: for pipes, pagers and grep. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "replay/database_words.h"
#include "replay/file_words.h"
#include "replay/moment.h"
#include "replay/screen.h"
#include "replay/terminal_filter.h"
#include "show.h"

enum { SPOUT_LIMIT_BYTES = 1 << 22 }; /* one record of 64 KiB, filtered, with everything removed shown */
enum { WIDE_COLS = REPLAY_COLS_MAX }; /* the output of a command has no width: long lines stay whole */

/** Where output goes: through the filter, in pieces that are written together. */
struct spout {
    struct replay_filter filter;
    struct queue waiting;
    int fd;
};

static enum err collect_piece(void *context, enum replay_piece piece, struct cursor bytes)
{
    (void)piece;
    return queue_append(context, bytes);
}

static void spout_init(struct spout *spout, int fd, bool shows_removed)
{
    queue_init(&spout->waiting, SPOUT_LIMIT_BYTES);
    replay_filter_init(&spout->filter, shows_removed, collect_piece, &spout->waiting);
    spout->fd = fd;
}

static enum err spout_flush(struct spout *spout)
{
    enum err err = fd_write_all(spout->fd, queue_peek(&spout->waiting));
    queue_consume(&spout->waiting, queue_len(&spout->waiting));
    return err;
}

static enum err spout_put(struct spout *spout, struct cursor bytes, bool is_raw)
{
    TRY(is_raw ? queue_append(&spout->waiting, bytes) : replay_filter_put(&spout->filter, bytes));
    return spout_flush(spout);
}

struct pouring {
    struct spout out, err;
    bool is_raw;
};

static enum err pour_event(struct pouring *pouring, const struct replay_event *event)
{
    switch (event->kind) {
    case REPLAY_OUTPUT:
        return spout_put(&pouring->out, event->bytes, pouring->is_raw);
    case REPLAY_ERRORS:
        return spout_put(&pouring->err, event->bytes, pouring->is_raw);
    case REPLAY_NOTE:
        TRY(spout_put(&pouring->err, event->bytes, false));
        return spout_put(&pouring->err, cursor_of_text("\n"), false);
    case REPLAY_RESIZE:
        break;
    }
    return ERR_NONE;
}

static enum err pour_all(struct show *show, struct pouring *pouring)
{
    struct replay_source source = replay_recording_source(&show->recording, show->part);
    TRY(source.rewind(source.context));
    for (;;) {
        struct replay_event event;
        enum err err = source.next(source.context, &event);
        if (err != ERR_NONE) {
            return err == ERR_CLOSED ? ERR_NONE : err;
        }
        TRY(pour_event(pouring, &event));
    }
}

static int nothing_to_show(void)
{
    return complain(COMMAND_NO, "replay", "nothing in it can be shown; --events lists what happened");
}

static enum err end_pouring(struct pouring *pouring, bool resets_terminal)
{
    TRY(replay_filter_end(&pouring->out.filter, resets_terminal));
    TRY(replay_filter_end(&pouring->err.filter, false));
    TRY(spout_flush(&pouring->out));
    return spout_flush(&pouring->err);
}

int pour_output(struct show *show, bool is_raw, bool shows_removed)
{
    if (show->part == SIZE_MAX) {
        return nothing_to_show();
    }
    struct pouring pouring = {.is_raw = is_raw};
    spout_init(&pouring.out, STDOUT_FILENO, shows_removed);
    spout_init(&pouring.err, STDERR_FILENO, shows_removed);
    enum err err = pour_all(show, &pouring);
    if (err == ERR_NONE && !is_raw) {
        err =
            end_pouring(&pouring, show->survey.parts[show->part].has_terminal && isatty(STDOUT_FILENO) != 0);
    }
    uint64_t removed = pouring.out.filter.removed_count + pouring.err.filter.removed_count;
    queue_done(&pouring.out.waiting);
    queue_done(&pouring.err.waiting);
    if (removed > 0 && !shows_removed) {
        (void)fprintf(stderr, "%" PRIu64 " escape sequences were removed (--show-removed shows them)\n",
                      removed);
    }
    return err == ERR_NONE ? COMMAND_OK : complain(COMMAND_TROUBLE, "replay", "%s", err_text(err));
}

/* --- lines ------------------------------------------------------------------------------------------- */

static enum err write_line(void *context, struct cursor line)
{
    (void)context;
    (void)fwrite(line.at, 1, cursor_len(&line), stdout);
    return putchar('\n') == EOF ? ERR_SYSTEM : ERR_NONE;
}

static enum err line_event(struct replay_screen *screen, const struct replay_event *event, bool has_terminal,
                           struct queue *scratch)
{
    if (event->kind == REPLAY_RESIZE) {
        return replay_screen_resize(screen, event->cols, event->rows);
    }
    if (event->kind == REPLAY_NOTE) {
        return ERR_NONE;
    }
    if (has_terminal) {
        return replay_screen_put(screen, event->bytes);
    }
    queue_consume(scratch, queue_len(scratch));
    TRY(replay_add_returns(event->bytes, scratch));
    return replay_screen_put(screen, queue_peek(scratch));
}

static enum err pour_screen(struct show *show, struct queue *scratch)
{
    const struct replay_part *part = &show->survey.parts[show->part];
    uint32_t cols = part->has_terminal ? part->cols : WIDE_COLS;
    OWNED_SCREEN *screen = NULL;
    TRY(replay_screen_new(cols, part->rows, write_line, NULL, &screen));
    struct replay_source source = replay_recording_source(&show->recording, show->part);
    TRY(source.rewind(source.context));
    enum err err = ERR_NONE;
    while (err == ERR_NONE) {
        struct replay_event event;
        err = source.next(source.context, &event);
        err = err == ERR_NONE ? line_event(screen, &event, part->has_terminal, scratch) : err;
    }
    return err == ERR_CLOSED ? replay_screen_lines(screen) : err;
}

int pour_lines(struct show *show)
{
    if (show->part == SIZE_MAX) {
        return nothing_to_show();
    }
    struct queue scratch;
    queue_init(&scratch, (size_t)4 * LIMIT_RECORD_BODY_BYTES);
    enum err err = pour_screen(show, &scratch);
    queue_done(&scratch);
    return err == ERR_NONE ? COMMAND_OK : complain(COMMAND_TROUBLE, "replay", "%s", err_text(err));
}

/* --- records ----------------------------------------------------------------------------------------- */

enum { WORDS_BYTES = REPLAY_FILE_WORDS_BYTES };

static void two_texts(char *words, struct cursor first, const char *between, struct cursor second)
{
    char a[WORDS_BYTES / 4];
    char b[WORDS_BYTES / 4];
    text_printable(first, a, sizeof a);
    text_printable(second, b, sizeof b);
    (void)snprintf(words, WORDS_BYTES, "%s%s%s", a, between, b);
}

static void total_text(char *words, const struct record_body *body)
{
    char hash[65];
    bool has_hash = cursor_len(&body->stream_total.sha256) > 0;
    (void)snprintf(words, WORDS_BYTES, "%s: %" PRIu64 " bytes, %" PRIu64 " kept, %s%s",
                   record_kind_name(body->stream_total.kind), body->stream_total.seen_bytes,
                   body->stream_total.kept_bytes, has_hash ? "SHA-256 " : "not hashed",
                   text_hex(body->stream_total.sha256, hash, sizeof hash));
}

static void end_text(char *words, const struct record_body *body)
{
    char status[32] = "no exit status";
    if (body->end.exit_status != RECORD_NO_STATUS) {
        (void)snprintf(status, sizeof status, "exit status %" PRIu32, body->end.exit_status);
    }
    two_texts(words, cursor_of_text(status), ", ", body->end.reason);
}

static void forward_text(char *words, const struct record_body *body)
{
    char kind[64];
    text_printable(body->forward_open.kind, kind, sizeof kind);
    two_texts(words, body->forward_open.from, " -> ", body->forward_open.to);
    size_t used = strlen(words);
    (void)snprintf(words + used, WORDS_BYTES - used, " (%s)", kind);
}

/* What a record says, printable; false for output, which is shown in another way. */
static bool record_words(const struct record_body *body, char words[static WORDS_BYTES])
{
    words[0] = 0;
    switch (body->kind) {
    case RECORD_PTY:
    case RECORD_RESIZE:
        two_texts(words, body->pty.term, "", cursor_of_text(""));
        (void)snprintf(words + strlen(words), 64, "%s%" PRIu32 "x%" PRIu32, words[0] == 0 ? "" : " ",
                       body->pty.cols, body->pty.rows);
        return true;
    case RECORD_EXEC:
    case RECORD_SUBSYSTEM:
    case RECORD_SIGNAL:
    case RECORD_CHANNEL_OPEN:
    case RECORD_NOTE:
        text_printable(body->text, words, WORDS_BYTES);
        return true;
    case RECORD_ENV:
        two_texts(words, body->env.name, "=", body->env.value);
        return true;
    case RECORD_EXIT_STATUS:
        (void)snprintf(words, WORDS_BYTES, "%" PRIu32, body->exit_status);
        return true;
    case RECORD_EXIT_SIGNAL:
        two_texts(words, body->exit_signal.name, " ", body->exit_signal.message);
        return true;
    case RECORD_FORWARD_OPEN:
        forward_text(words, body);
        return true;
    case RECORD_CHANNEL_CLOSE:
    case RECORD_FORWARD_CLOSE:
        (void)snprintf(words, WORDS_BYTES, "%" PRIu64 " bytes to the target, %" PRIu64 " from it",
                       body->channel_close.to_target_bytes, body->channel_close.from_target_bytes);
        return true;
    case RECORD_STREAM_TOTAL:
        total_text(words, body);
        return true;
    case RECORD_REFUSED:
        two_texts(words, body->refused.what, ": ", body->refused.reason);
        return true;
    case RECORD_TARGET_LOGIN:
        two_texts(words, body->target_login.account, " ", body->target_login.fingerprint);
        return true;
    case RECORD_END:
        end_text(words, body);
        return true;
    case RECORD_FILE_REQUEST:
    case RECORD_FILE_RESULT:
    case RECORD_FILE_TOTAL:
        (void)replay_file_words(body, words);
        return true;
    case RECORD_DB_STARTUP:
    case RECORD_DB_STATEMENT:
    case RECORD_DB_MORE:
    case RECORD_DB_PARAMETER:
    case RECORD_DB_TOTAL:
    case RECORD_DB_COPY:
    case RECORD_DB_RESULT:
    case RECORD_DB_NOTICE:
    case RECORD_DB_CANCEL:
        return replay_database_words(body, words);
    case RECORD_SHELL:
        return true;
    case RECORD_NONE:
    case RECORD_TERMINAL_OUT:
    case RECORD_STDOUT:
    case RECORD_STDERR:
    case RECORD_STDIN:
    case RECORD_KIND_COUNT:
        break;
    }
    return false;
}

static enum err print_record(void *context, uint64_t t_us, size_t part, const struct record_body *body)
{
    const bool *is_json = context;
    char words[WORDS_BYTES];
    if (!record_words(body, words)) {
        return ERR_NONE;
    }
    if (!*is_json) {
        char at[REPLAY_TIME_BYTES];
        char number[32] = "-";
        if (part != SIZE_MAX) {
            (void)snprintf(number, sizeof number, "%zu", part + 1);
        }
        (void)printf("%s.%03" PRIu64 "  %3s  %-14s %s\n", replay_offset_text(t_us, at), t_us / 1000 % 1000,
                     number, record_kind_name(body->kind), words);
        return ERR_NONE;
    }
    json_t *channel = part == SIZE_MAX ? json_null() : json_integer((json_int_t)part + 1);
    json_t *json = json_pack("{s:f, s:o, s:s, s:s}", "t", (double)t_us / 1e6, "channel", channel, "event",
                             record_kind_name(body->kind), "text", words);
    char *line = json == NULL ? NULL : json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));
    enum err err = line == NULL ? ERR_MEMORY : ERR_NONE;
    (void)puts(line == NULL ? "null" : line);
    free(line);
    json_decref(json);
    return err;
}

int pour_records(struct show *show, bool is_json)
{
    enum err err = replay_recording_each(&show->recording, print_record, &is_json);
    return err == ERR_NONE ? COMMAND_OK : complain(COMMAND_TROUBLE, "replay", "%s", err_text(err));
}
