#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

void secret_wipe(void *bytes, size_t len_bytes)
{
    if (bytes != NULL && len_bytes > 0) {
        explicit_bzero(bytes, len_bytes);
    }
}

void secret_done(struct secret *secret)
{
    secret_wipe(secret->bytes, secret->len_bytes);
    free(secret->bytes);
    *secret = (struct secret){0};
}

enum err secret_set(struct secret *secret, struct cursor bytes)
{
    size_t len = cursor_len(&bytes);
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    if (copy == NULL) {
        return ERR_MEMORY;
    }
    if (len > 0) {
        memcpy(copy, bytes.at, len);
    }
    secret_done(secret);
    *secret = (struct secret){copy, len};
    return ERR_NONE;
}

struct cursor secret_peek(const struct secret *secret)
{
    return cursor_of(secret->bytes, secret->len_bytes);
}

bool secret_equal(struct cursor a, struct cursor b)
{
    size_t len = cursor_len(&a);
    if (len != cursor_len(&b)) {
        return false;
    }
    uint8_t difference = 0;
    for (size_t i = 0; i < len; i++) {
        difference |= (uint8_t)(a.at[i] ^ b.at[i]);
    }
    return difference == 0;
}
