/* A passed second factor is good for (person, key, source address) for as long as a rule allows, so that
 * ansible, an editor or a fan-out of logins does not ask again. Leases live in memory only: a restart asks
 * again. */
#ifndef AUTH_LEASE_H
#define AUTH_LEASE_H

#include "base/cursor.h"
#include "base/limits.h"

enum { LEASE_COUNT_MAX = 4096, LEASE_KEY_BYTES = 32, LEASE_NOTE_BYTES = 256 };

struct lease {
    char person[LIMIT_PERSON_BYTES];
    uint8_t key_sha256[LEASE_KEY_BYTES];
    char source[LIMIT_ADDRESS_BYTES];
    uint64_t passed_us;          /* monotonic */
    char note[LEASE_NOTE_BYTES]; /* of a table of reasons: the text */
};

/** Heap; {0} is empty. */
struct lease_table {
    struct lease *leases; /* OWNED */
    size_t count, capacity;
};

void lease_done(struct lease_table *table);
/** Remember a passed factor; when the table is full the oldest lease goes.
 *  @param note  "" for a factor
 *  @return ERR_MEMORY. */
MUST_CHECK enum err lease_pass(struct lease_table *table, const char *person,
                               const uint8_t key_sha256[LEASE_KEY_BYTES], const char *source, uint64_t now_us,
                               const char *note);
/** NULL when there is none; valid until the table changes. */
const struct lease *lease_find(const struct lease_table *table, const char *person,
                               const uint8_t key_sha256[LEASE_KEY_BYTES], const char *source);
uint64_t lease_age(const struct lease *lease, uint64_t now_us);
/** @return false when there is none; else its age. */
bool lease_age_s(const struct lease_table *table, const char *person,
                 const uint8_t key_sha256[LEASE_KEY_BYTES], const char *source, uint64_t now_us,
                 uint64_t *ret_age_s);
/** Forget all leases of a person, or those older than `max_age_s` when `person` is NULL. */
void lease_drop(struct lease_table *table, const char *person, uint64_t now_us, uint64_t max_age_s);

#endif
