#include "crypto/md5.h"

#include <string.h>

#include "base/text.h"
#include "unit_test.h"

/* RFC 1321 A.5 */
static void vectors_of_the_rfc_match(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second, *digest;
    } CASES[] = {
        {"", "", "d41d8cd98f00b204e9800998ecf8427e"},
        {"abc", "", "900150983cd24fb0d6963f7d28e17f72"},
        {"message ", "digest", "f96b697d7cb7938d525a2f31aaf161d0"},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        uint8_t digest[CRYPTO_MD5_BYTES];
        char hex[2 * CRYPTO_MD5_BYTES + 1];
        assert_int_equal(crypto_md5(cursor_of_text(CASES[i].first), cursor_of_text(CASES[i].second), digest),
                         ERR_NONE);
        assert_string_equal(text_hex(cursor_of(digest, sizeof digest), hex, sizeof hex), CASES[i].digest);
    }
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {cmocka_unit_test(vectors_of_the_rfc_match)};
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
