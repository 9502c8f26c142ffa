/* Wrong second factors are counted per person, across connections, sources and restarts: after five in a row
 * the person is locked for 15 minutes, then twice as long each time, up to a day. A right factor clears the
 * count. File format (docs/operations.md): a line per person, "NAME FAILURES LOCKED_UNTIL", the time in
 * seconds since 1970. */
#ifndef AUTH_LOCKOUT_H
#define AUTH_LOCKOUT_H

#include "base/cursor.h"
#include "base/limits.h"

enum {
    LOCKOUT_FAILURES = 5,
    LOCKOUT_FIRST_S = 15 * 60,
    LOCKOUT_LONGEST_S = 24 * 3600,
    LOCKOUT_COUNT_MAX =
        16384, /* only holders of a listed key reach the factor, so people, not attackers, fill it */
};

struct lockout {
    char person[LIMIT_PERSON_BYTES];
    uint32_t failures; /* in a row */
    int64_t until_s;   /* wall time; 0: not locked */
};

/** Heap; {0} is empty. */
struct lockout_table {
    struct lockout *entries; /* OWNED */
    size_t count, capacity;
};

void lockout_done(struct lockout_table *table);
/** Read the file's bytes into an empty table. @return ERR_MALFORMED: the file was not written by us;
 * ERR_TOO_LARGE. */
MUST_CHECK enum err lockout_read(struct lockout_table *table, struct cursor file);
/** The whole table as the file's bytes; OWNED by the caller, free(). @return ERR_MEMORY. */
MUST_CHECK enum err lockout_write(const struct lockout_table *table, char **ret_text, size_t *ret_len_bytes);
/** @return 0, or the wall time in seconds at which the lock ends. */
int64_t lockout_until_s(const struct lockout_table *table, const char *person, int64_t now_s);
/** Count one wrong factor. @return ERR_MEMORY; ERR_TOO_LARGE: treat the person as locked. */
MUST_CHECK enum err lockout_failed(struct lockout_table *table, const char *person, int64_t now_s);
/** A right factor, or an operator, clears the count. */
void lockout_clear(struct lockout_table *table, const char *person);

#endif
