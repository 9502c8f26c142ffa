/* Bytes of a MySQL target that was asked for one thing of each kind.
 * Input: the bits of database_fuzz.h (without the login's; bit 1: without EOF packets), then its bytes. */
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
    my_fuzz_login(&fuzz, (bits & DATABASE_FUZZ_ASK) != 0);
    MY_FUZZ_FEED(&fuzz, DB_CLIENT,
                 "\7\0\0\0\3select"               /* QUERY */
                 "\1\0\0\0\x09"                   /* STATISTICS */
                 "\3\0\0\0\4t\0"                  /* FIELD_LIST */
                 "\1\0\0\0\x0e"                   /* PING */
                 "\x09\0\0\0\x1c\1\0\0\0\1\0\0\0" /* FETCH */
                 "\7\0\0\0\x16select"             /* PREPARE */
                 "\1\0\0\0\x1f");                 /* RESET_CONNECTION */
    assert(db_relay_end(fuzz.relay, NULL) == DB_END_NONE);
    database_fuzz_feed(&fuzz, DB_TARGET, in);
    database_fuzz_end(&fuzz, DB_TARGET);
    return 0;
}
