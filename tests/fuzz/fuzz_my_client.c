/* Bytes of a MySQL client that is logged in and has a prepared statement of six parameters, whose types were
 * told. Input: the bits of database_fuzz.h (without the login's), then its bytes. */
#include "my_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor in = cursor_of(data, size);
    struct database_fuzz fuzz;
    uint8_t bits = 0;
    if (cursor_u8(&in, &bits) != ERR_NONE) {
        return 0;
    }
    database_fuzz_begin(&fuzz, DB_MYSQL, bits & (uint8_t) ~(DATABASE_FUZZ_ASK | DATABASE_FUZZ_TOKEN));
    my_fuzz_login(&fuzz, true);
    MY_FUZZ_FEED(&fuzz, DB_CLIENT, "\7\0\0\0\x16select");
    MY_FUZZ_FEED(&fuzz, DB_TARGET,
                 "\x0c\0\0\1\0\1\0\0\0\0\0\6\0\0\0\0"
                 "\1\0\0\2d\1\0\0\3d\1\0\0\4d\1\0\0\5d\1\0\0\6d\1\0\0\7d");
    MY_FUZZ_FEED(&fuzz, DB_CLIENT, "\x18\0\0\0\x17\1\0\0\0\0\1\0\0\0\x3f\1\x08\0\xfd\0\x0c\0\xfc\0\1\0\3\0");
    MY_FUZZ_FEED(&fuzz, DB_TARGET, "\7\0\0\1\0\0\0\2\0\0\0");
    assert(db_relay_end(fuzz.relay, NULL) == DB_END_NONE);
    database_fuzz_feed(&fuzz, DB_CLIENT, in);
    database_fuzz_end(&fuzz, DB_CLIENT);
    return 0;
}
