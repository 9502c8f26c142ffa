/* Bytes of both sides from the beginning, in any order and cut anywhere.
 * Input: the bits of pg_fuzz.h, then { u8 side, u16 length, bytes } repeated. */
#include "pg_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor in = cursor_of(data, size);
    struct pg_fuzz fuzz;
    uint8_t bits = 0;
    uint8_t side = 0;
    uint16_t len = 0;
    if (cursor_u8(&in, &bits) != ERR_NONE) {
        return 0;
    }
    pg_fuzz_begin(&fuzz, bits);
    while (cursor_u8(&in, &side) == ERR_NONE && cursor_u16be(&in, &len) == ERR_NONE) {
        struct cursor part;
        size_t left = cursor_len(&in);
        enum err err = cursor_bytes(&in, len < left ? len : left, &part);
        assert(err == ERR_NONE);
        pg_fuzz_feed(&fuzz, (enum db_side)(side & 1), part);
    }
    pg_fuzz_end(&fuzz, (enum db_side)(bits & 1));
    return 0;
}
