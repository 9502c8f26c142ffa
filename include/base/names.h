/* A set of names with a number each, found in constant time. Names are borrowed and must outlive the set.
 * Filled from files that an administrator wrote: no defence against chosen collisions is needed. */
#ifndef BASE_NAMES_H
#define BASE_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/err.h"

struct names_slot {
    struct cursor name;
    uint32_t number;
    bool is_used;
};
/** Embedded; {0} is empty. */
struct names {
    struct names_slot *slots; /* OWNED */
    size_t capacity, count;
};

void names_done(struct names *names);
/** @return ERR_STATE when the name is already there (nothing changes); ERR_MEMORY. */
MUST_CHECK enum err names_add(struct names *names, struct cursor name, uint32_t number);
/** @return ERR_NOT_FOUND. */
MUST_CHECK enum err names_find(const struct names *names, struct cursor name, uint32_t *ret_number);
/** How many letters must change to make `a` of `b`: for "did you mean". Names over 63 bytes are 63 apart. */
size_t names_distance(struct cursor a, struct cursor b);

#endif
