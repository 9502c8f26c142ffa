#include "event/event.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"

enum { EVENT_TEXT_BYTES = 4096, EVENT_LINE_BYTES = 32768 };

static const char *const OUTCOMES[] = {"success", "denied", "failure"};

enum err event_open(struct event_log *log, const char *path, const char *host)
{
    *log = (struct event_log){.fd = -1};
    (void)snprintf(log->host, sizeof log->host, "%s", host);
    return event_reopen(log, path);
}

enum err event_reopen(struct event_log *log, const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) {
        return ERR_SYSTEM;
    }
    fd_close(&log->fd);
    log->fd = fd;
    return ERR_NONE;
}

void event_close(struct event_log *log)
{
    fd_close(&log->fd);
}

static void free_json(json_t **json)
{
    json_decref(*json);
}

static void set_text(json_t *json, const char *key, const char *text)
{
    char printable[EVENT_TEXT_BYTES];
    text_printable(cursor_of_text(text), printable, sizeof printable);
    (void)json_object_set_new(json, key, json_string(printable));
}

static void set_fields(json_t *json, const struct event_field *fields)
{
    for (; fields->key != NULL; fields++) {
        if (fields->is_number) {
            (void)json_object_set_new(json, fields->key, json_integer((json_int_t)fields->number));
        } else if (fields->text != NULL && fields->text[0] != 0) {
            set_text(json, fields->key, fields->text);
        }
    }
}

enum err event_write(struct event_log *log, const char *name, enum event_outcome outcome,
                     const struct event_field *fields)
{
    __attribute__((cleanup(free_json))) json_t *json = json_object();
    if (json == NULL) {
        return ERR_MEMORY;
    }
    char time[CLOCK_TEXT_BYTES];
    set_text(json, "time", clock_text(clock_wall_us(), time));
    set_text(json, "bastion", log->host);
    (void)json_object_set_new(json, "seq", json_integer((json_int_t)log->count));
    set_text(json, "event", name);
    set_text(json, "outcome", OUTCOMES[outcome]);
    set_fields(json, fields);
    char line[EVENT_LINE_BYTES];
    size_t len = json_dumpb(json, line, sizeof line - 1, JSON_COMPACT | JSON_PRESERVE_ORDER);
    if (len == 0 || len > sizeof line - 1) {
        return ERR_TOO_LARGE;
    }
    line[len] = '\n'; /* one write per line, so that lines of several writers cannot mix */
    log->count++;
    if (outcome != EVENT_SUCCESS) {
        /* A copy for whoever watches the terminal or the journal; the file is the record. */
        err_ignore(fd_write_all(STDERR_FILENO, cursor_of(line, len + 1)));
    }
    return log->fd < 0 ? ERR_NONE : fd_write_all(log->fd, cursor_of(line, len + 1));
}
