/* Bytes of a target that was asked for one thing of each kind. Input: the bits of database_fuzz.h (without
 * the login's), then its bytes. */
#include "pg_fuzz.h"

static const uint8_t ASKED[] = "Q\0\0\0\x0dselect 1\0"         /* Query */
                               "P\0\0\0\x12s\0select $1\0\0\0" /* Parse */
                               "D\0\0\0\7Ss\0"                 /* Describe */
                               "B\0\0\0\x12\0s\0\0\0\0\1\0\0\0\1x\0\0"
                               "E\0\0\0\x09\0\0\0\0\0" /* Execute */
                               "C\0\0\0\6S\0"          /* Close */
                               "S\0\0\0\4"
                               "F\0\0\0\x0e\0\0\0\1\0\0\0\0\0\0";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor in = cursor_of(data, size);
    struct database_fuzz fuzz;
    uint8_t bits = 0;
    if (cursor_u8(&in, &bits) != ERR_NONE) {
        return 0;
    }
    pg_fuzz_login(&fuzz, bits & (uint8_t)~DATABASE_FUZZ_NO_FUNCTION);
    database_fuzz_feed(&fuzz, DB_CLIENT, cursor_of(ASKED, sizeof ASKED - 1));
    assert(db_relay_end(fuzz.relay, NULL) == DB_END_NONE);
    database_fuzz_feed(&fuzz, DB_TARGET, in);
    database_fuzz_end(&fuzz, DB_TARGET);
    return 0;
}
