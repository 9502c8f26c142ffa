/* Changes of policy_diff() put together for people: what the same people may do on the same hosts under the
 * same conditions is one row. */
#ifndef POLICY_CLI_MATRIX_H
#define POLICY_CLI_MATRIX_H

#include <jansson.h>

#include "base/arena.h"
#include "base/names.h"
#include "policy/diff.h"

enum { MATRIX_ROWS_MAX = 100000 };

struct matrix_row {
    enum policy_change_kind kind;
    json_t *people, *hosts, *what, *rules; /* OWNED, lists of texts */
    const char *target, *account, *when;   /* of the matrix's memory */
    unsigned port;
};
/** {0} is empty. */
struct matrix {
    struct matrix_row *rows; /* OWNED */
    size_t count, capacity;
    size_t gains, losses; /* rows */
    struct arena texts;
    struct names keys;
    bool is_cut, is_out_of_memory;
};

/** A policy_change_each: context is the matrix. */
bool matrix_add(void *matrix, const struct policy_change *change);
/** Put together the people to whom the same happens. */
void matrix_join_people(struct matrix *matrix);
void matrix_done(struct matrix *matrix);

/** Say what went wrong. @return an exit status. */
int cli_complain(enum err err, const struct policy_diff_scope *scope, const struct matrix *matrix);

/** "alice, bob", "alice, bob and 98 more". Returns `text`. */
const char *matrix_list(const json_t *list, char *text, size_t size_bytes);
/** The rows as a list of objects. @param has_kind  with "change": "gain" or "loss". OWNED by the caller. */
json_t *matrix_json(const struct matrix *matrix, bool has_kind);
/** RFC 4180: person, host, port, account, what, when, rules; a line for each person and host. */
void matrix_print_csv(const struct matrix *matrix);

#endif
