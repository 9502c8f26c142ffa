/* Memory for a value that is built once and freed as a whole. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"

struct arena_block;
/** Embedded; {0} is empty. */
struct arena {
    struct arena_block *blocks; /* OWNED */
    uint8_t *at, *end;          /* free rest of the newest block */
};

void arena_done(struct arena *arena);
/** `count` zeroed things of `size_bytes` each, aligned for every type; valid until arena_done().
 *  @return NULL when memory is exhausted or the product overflows. Never NULL for a count of 0. */
void *arena_array(struct arena *arena, size_t count, size_t size_bytes);
/** A copy of `bytes` with a NUL behind it. @return NULL when memory is exhausted. */
char *arena_text(struct arena *arena, struct cursor bytes);

#endif
