#include "crypto/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

enum { AT_ONCE_BYTES = 256 }; /* getrandom(2): up to 256 bytes are never cut short */

void crypto_random(void *bytes, size_t len_bytes)
{
    if (len_bytes > AT_ONCE_BYTES) {
        abort();
    }
    ssize_t got = 0;
    do {
        got = getrandom(bytes, len_bytes, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0 || (size_t)got != len_bytes) {
        abort();
    }
}
