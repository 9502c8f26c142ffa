/* The prepared statements of one connection, found by the number that the server gave them. When there are
 * too many the one that was used longest ago is forgotten: it still runs, but its parameters are then
 * recorded as bytes. */
#ifndef DATABASE_MY_STATEMENTS_H
#define DATABASE_MY_STATEMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
    MY_STATEMENTS_MAX = 10000,
    MY_STATEMENTS_TYPES_BYTES = 4 * 1024 * 1024, /* of parameter types, all statements together */
};

struct my_statement {
    uint32_t id;        /* the server's */
    uint32_t number;    /* of the record that holds its text */
    uint32_t execution; /* the number of the last execution: rows fetched later belong to it */
    uint16_t parameters;
    bool has_types;
    bool is_secret;                     /* its text was redacted: no value of its parameters is recorded */
    uint8_t *types;                     /* OWNED: two bytes for each parameter, as they came last */
    struct my_statement *next;          /* in the bucket */
    struct my_statement *newer, *older; /* by use */
};
/** Embedded; {0} is empty. */
struct my_statements {
    struct my_statement **buckets; /* OWNED */
    struct my_statement *newest, *oldest;
    size_t count, types_bytes;
};

/** Forget all. The memory of the table itself goes too. */
void my_statements_done(struct my_statements *statements);
/** One that was there under the same id is replaced. @return ERR_MEMORY. */
MUST_CHECK enum err my_statements_add(struct my_statements *statements, uint32_t id, uint32_t number,
                                      uint16_t parameters);
/** The statement becomes the newest. @return NULL when it is not known. Valid until another is added. */
struct my_statement *my_statements_find(struct my_statements *statements, uint32_t id);
void my_statements_drop(struct my_statements *statements, uint32_t id);
/** Room for the types of its parameters; others are forgotten to make it.
 *  @return ERR_MEMORY; ERR_TOO_LARGE never happens for one statement. */
MUST_CHECK enum err my_statements_types(struct my_statements *statements, struct my_statement *statement);

#endif
