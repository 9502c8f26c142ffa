/* What a client asked of PostgreSQL and was not answered yet, in order. The server answers in the same order.
 */
#ifndef DATABASE_PG_OPERATIONS_H
#define DATABASE_PG_OPERATIONS_H

#include <stdbool.h>

#include "base/cursor.h"

enum pg_operation_kind {
    PG_QUERY = 1,
    PG_PARSE,
    PG_BIND,
    PG_DESCRIBE,
    PG_EXECUTE,
    PG_CLOSE,
    PG_FUNCTION,
    PG_SYNC,
};
/* The server sends 5 bytes or more per answer and flushes every 8 KiB: a client that waits here is never
 * waiting for a server that waits for it. */
enum { PG_OPERATIONS_MAX = 16384 };

struct pg_operation {
    uint8_t kind;
    bool is_portal;     /* the slot is one of the portals', not of the statements' */
    bool is_statement;  /* DESCRIBE of a statement */
    bool has_result;    /* QUERY, FUNCTION: at least one was recorded */
    bool is_secret;     /* its text was redacted: so are its errors */
    bool is_unsettling; /* its text may change what names stand for */
    uint32_t number;    /* of its record; 0: none */
    uint32_t slot; /* PARSE, BIND, CLOSE: of the name it changed; DESCRIBE: that it asks of; QUERY, EXECUTE:
                      that it deallocates; else PG_NO_SLOT */
    uint32_t previous; /* what the name stood for before */
    uint64_t previous_change;
    uint64_t change; /* which change of names it was */
    uint64_t since_us;
};
/** Embedded; {0} is empty. */
struct pg_operations {
    struct pg_operation *all; /* OWNED; a ring */
    uint32_t first, count, capacity;
};

void pg_operations_done(struct pg_operations *operations);
bool pg_operations_are_full(const struct pg_operations *operations);
/** @return ERR_MEMORY. Not when full. */
MUST_CHECK enum err pg_operations_add(struct pg_operations *operations, const struct pg_operation *operation);
/** The oldest, or NULL. */
struct pg_operation *pg_operations_front(struct pg_operations *operations);
/** Counted from the oldest. */
struct pg_operation *pg_operations_at(struct pg_operations *operations, uint32_t index);
void pg_operations_drop_front(struct pg_operations *operations);
/** Drop all that are younger than the `kept` oldest ones. */
void pg_operations_keep(struct pg_operations *operations, uint32_t kept);

#endif
