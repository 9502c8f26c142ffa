/* Bytes of a client that is logged in. Input: the bits of database_fuzz.h (without the login's), then its
 * bytes. */
#include "pg_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor in = cursor_of(data, size);
    struct database_fuzz fuzz;
    uint8_t bits = 0;
    if (cursor_u8(&in, &bits) != ERR_NONE) {
        return 0;
    }
    pg_fuzz_login(&fuzz, bits);
    database_fuzz_feed(&fuzz, DB_CLIENT, in);
    database_fuzz_end(&fuzz, DB_CLIENT);
    return 0;
}
