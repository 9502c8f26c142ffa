#include "crypto/secure_memory.h"

#include "library.h"

enum {
    ARENA_BYTES = 32768, /* some hundred Ed25519 keys */
    SMALLEST_BLOCK_BYTES = 32,
    FULLY_PROTECTED = 1, /* CRYPTO_secure_malloc_init(3): 2 means mapped, but not locked or not fenced */
};

enum err crypto_secure_memory_start(void)
{
    (void)crypto_library();
    return CRYPTO_secure_malloc_init(ARENA_BYTES, SMALLEST_BLOCK_BYTES) == FULLY_PROTECTED ? ERR_NONE
                                                                                           : ERR_SYSTEM;
}
