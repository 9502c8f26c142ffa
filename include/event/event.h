/* What operators and their SIEM read: one event, one line of JSON, one write. Every value is encoded by the
 * JSON library, so that nothing a peer sends can forge a line. docs/operations.md lists the events. */
#ifndef EVENT_EVENT_H
#define EVENT_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum event_outcome { EVENT_SUCCESS, EVENT_DENIED, EVENT_FAILURE };

/** One field; a field whose text is NULL is left out. */
struct event_field {
    const char *key;
    const char *text; /* borrowed; bytes that are no UTF-8 are shown as "?" */
    uint64_t number;  /* used when `is_number` */
    bool is_number;
};
#define EVENT_NUMBER(key_, number_)                                                                          \
    {                                                                                                        \
        .key = (key_), .number = (number_), .is_number = true                                                \
    }

struct event_log {
    int fd;         /* OWNED; -1: no file */
    uint64_t count; /* lines written since start: "seq" shows gaps */
    char host[64];
};

/** Open (append, create 0640) the events file. @return ERR_SYSTEM. */
MUST_CHECK enum err event_open(struct event_log *log, const char *path, const char *host);
/** Open it again after rotation. On error the old file stays in use. @return ERR_SYSTEM. */
MUST_CHECK enum err event_reopen(struct event_log *log, const char *path);
void event_close(struct event_log *log);
/** Write one event to the file, and to stderr when it is no success.
 *  @param fields  ended by a field whose key is NULL
 *  @return ERR_SYSTEM: the line is lost; the caller must stop admitting people. */
MUST_CHECK enum err event_write(struct event_log *log, const char *name, enum event_outcome outcome,
                                const struct event_field *fields);

#endif
