/* Bytes that must not outlive their use: wiped when freed, never printed. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/cursor.h"

/** Embedded; {0} is empty. */
struct secret {
    uint8_t *bytes; /* OWNED, wiped by secret_done() */
    size_t len_bytes;
};

/** Wipe memory that a compiler may otherwise leave. */
void secret_wipe(void *bytes, size_t len_bytes);
void secret_done(struct secret *secret);
/** A copy of `bytes`; what `secret` held before is wiped. @return ERR_MEMORY. */
MUST_CHECK enum err secret_set(struct secret *secret, struct cursor bytes);
struct cursor secret_peek(const struct secret *secret);
/** Equal length and content, in constant time for equal lengths. */
bool secret_equal(struct cursor a, struct cursor b);
#define OWNED_SECRET __attribute__((cleanup(secret_done))) struct secret

#endif
