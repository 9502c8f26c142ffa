#include "replay/asciicast.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "replay/screen.h"

enum {
    SECOND_US = 1000000,
    REAL_DIGITS = 15, /* significant: microseconds of 30 years are exact, and 0.1 is written 0.1 */
};

static void free_json(json_t **json)
{
    json_decref(*json);
}
#define OWNED_JSON __attribute__((cleanup(free_json))) json_t

static enum err collect(void *context, enum replay_piece piece, struct cursor bytes)
{
    (void)piece;
    return queue_append(context, bytes);
}

void replay_cast_init(struct replay_cast *cast, unsigned version, bool is_raw)
{
    *cast = (struct replay_cast){.version = version, .is_raw = is_raw};
    queue_init(&cast->text, REPLAY_CAST_LINE_BYTES);
    replay_filter_init(&cast->filter, false, collect, &cast->text);
}

void replay_cast_done(struct replay_cast *cast)
{
    queue_done(&cast->text);
}

static enum err write_line(const json_t *json, struct queue *out)
{
    char *line = json == NULL ? NULL : json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS));
    if (line == NULL) {
        return ERR_MEMORY;
    }
    enum err err = queue_append(out, cursor_of_text(line));
    free(line);
    return err == ERR_NONE ? queue_append(out, cursor_of_text("\n")) : err;
}

/* The memory of `json` and `value` is the parent's from here on; failures show when the parent is written. */
static void set(json_t *parent, const char *name, json_t *value)
{
    (void)json_object_set_new(parent, name, value);
}

enum err replay_cast_begin(struct replay_cast *cast, const struct replay_cast_head *head, struct queue *out)
{
    OWNED_JSON *json = json_object();
    json_t *term = json_object();
    if (json == NULL || term == NULL) {
        json_decref(term);
        return ERR_MEMORY;
    }
    json_int_t cols = replay_screen_cols(head->cols);
    json_int_t rows = replay_screen_rows(head->rows);
    bool is_second = cast->version == 2;
    bool has_term = *head->term != 0;
    set(json, "version", json_integer((json_int_t)cast->version));
    if (is_second) {
        set(json, "width", json_integer(cols));
        set(json, "height", json_integer(rows));
    } else {
        set(term, "cols", json_integer(cols));
        set(term, "rows", json_integer(rows));
    }
    set(json, "timestamp", json_integer((json_int_t)(head->wall_us / SECOND_US)));
    if (*head->title != 0) {
        set(json, "title", json_string(head->title));
    }
    if (has_term) {
        set(term, is_second ? "TERM" : "type", json_string(head->term));
    }
    if (has_term || !is_second) {
        set(json, is_second ? "env" : "term", json_incref(term));
    }
    json_decref(term);
    return write_line(json, out);
}

/* [time, code, text] */
static enum err write_event(struct replay_cast *cast, uint64_t t_us, const char *code, struct cursor text,
                            struct queue *out)
{
    if (t_us < cast->last_us) {
        t_us = cast->last_us; /* players refuse a time that goes back */
    }
    uint64_t shown_us = cast->version == 2 ? t_us : t_us - cast->last_us;
    cast->last_us = t_us;
    OWNED_JSON *json = json_array();
    json_t *time = json_real((double)shown_us / SECOND_US);
    json_t *data = json_stringn((const char *)text.at, cursor_len(&text));
    if (json == NULL || json_array_append_new(json, time) != 0 ||
        json_array_append_new(json, json_string(code)) != 0 || json_array_append_new(json, data) != 0) {
        return ERR_MEMORY;
    }
    return write_line(json, out);
}

static enum err decode(struct replay_cast *cast, struct cursor bytes)
{
    while (bytes.at != bytes.end) {
        switch (replay_utf8_put(&cast->utf8, *bytes.at)) {
        case REPLAY_UTF8_CHARACTER:
            TRY(queue_append(&cast->text, replay_utf8_bytes(&cast->utf8)));
            bytes.at++;
            break;
        case REPLAY_UTF8_INVALID:
            TRY(queue_append(&cast->text, cursor_of_text(REPLAY_REPLACEMENT)));
            bytes.at++;
            break;
        case REPLAY_UTF8_BROKEN:
            TRY(queue_append(&cast->text, cursor_of_text(REPLAY_REPLACEMENT)));
            break;
        case REPLAY_UTF8_MORE:
            bytes.at++;
            break;
        }
    }
    return ERR_NONE;
}

static enum err write_text(struct replay_cast *cast, uint64_t t_us, struct queue *out)
{
    if (queue_len(&cast->text) == 0) {
        return ERR_NONE;
    }
    enum err err = write_event(cast, t_us, "o", queue_peek(&cast->text), out);
    queue_consume(&cast->text, queue_len(&cast->text));
    return err;
}

enum err replay_cast_event(struct replay_cast *cast, const struct replay_event *event, struct queue *out)
{
    if (event->kind == REPLAY_RESIZE) {
        char size[64];
        (void)snprintf(size, sizeof size, "%" PRIu32 "x%" PRIu32, replay_screen_cols(event->cols),
                       replay_screen_rows(event->rows));
        return write_event(cast, event->t_us, "r", cursor_of_text(size), out);
    }
    if (event->kind == REPLAY_NOTE) {
        return ERR_NONE;
    }
    TRY(cast->is_raw ? decode(cast, event->bytes) : replay_filter_put(&cast->filter, event->bytes));
    return write_text(cast, event->t_us, out);
}

enum err replay_cast_end(struct replay_cast *cast, uint64_t t_us, uint32_t exit_status, struct queue *out)
{
    if (replay_utf8_is_open(&cast->utf8)) {
        cast->utf8 = (struct replay_utf8){0};
        TRY(queue_append(&cast->text, cursor_of_text(REPLAY_REPLACEMENT)));
    }
    TRY(replay_filter_end(&cast->filter, false));
    TRY(write_text(cast, t_us, out));
    if (cast->version == 2 || exit_status == UINT32_MAX) {
        return ERR_NONE;
    }
    char status[16];
    (void)snprintf(status, sizeof status, "%" PRIu32, exit_status);
    return write_event(cast, t_us, "x", cursor_of_text(status), out);
}
