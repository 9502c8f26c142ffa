/* Random bytes that nobody can guess. */
#ifndef CRYPTO_RANDOM_H
#define CRYPTO_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/** Fill `bytes`, at most 256 bytes a call. Aborts the process when the kernel gives none: there is no safe
 * way to go on. Straight from getrandom(2), so nothing can be shared with a parent or child across fork(2).
 */
void crypto_random(void *bytes, size_t len_bytes);

#endif
