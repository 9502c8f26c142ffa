#include "crypto/sha1.h"

#include "unit_test.h"

#include "base/text.h"

static void sha1_of_parts_is_sha1_of_the_whole(void **state)
{
    (void)state;
    /* FIPS 180-4 example: "abc" */
    static const char *const WANT = "a9993e364706816aba3e25717850c26c9cd0d89d";
    static const char *const PARTS[][2] = {{"abc", ""}, {"", "abc"}, {"a", "bc"}};
    for (size_t i = 0; i < COUNT_OF(PARTS); i++) {
        uint8_t digest[CRYPTO_SHA1_BYTES];
        char hex[2 * CRYPTO_SHA1_BYTES + 1];
        assert_int_equal(crypto_sha1(cursor_of_text(PARTS[i][0]), cursor_of_text(PARTS[i][1]), digest),
                         ERR_NONE);
        assert_string_equal(text_hex(cursor_of(digest, sizeof digest), hex, sizeof hex), WANT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sha1_of_parts_is_sha1_of_the_whole)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
