/* Bytes of both sides from the beginning, in any order and cut anywhere.
 * Input: the bits of database_fuzz.h, then { u8 side, u16 length, bytes } repeated. */
#include "database_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor in = cursor_of(data, size);
    struct database_fuzz fuzz;
    uint8_t bits = 0;
    if (cursor_u8(&in, &bits) != ERR_NONE) {
        return 0;
    }
    database_fuzz_begin(&fuzz, DB_POSTGRES, bits);
    database_fuzz_both(&fuzz, in);
    database_fuzz_end(&fuzz, (enum db_side)(bits & 1));
    return 0;
}
