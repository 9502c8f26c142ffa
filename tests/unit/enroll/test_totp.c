#include "totp.h"

#include <stdlib.h>
#include <string.h>

#include "qr.h"
#include "unit_test.h"

static void base32_is_that_of_rfc4648(void **state)
{
    (void)state;
    char text[TOTP_BASE32_BYTES];
    /* RFC 6238 appendix B's secret, as everybody's tests spell it */
    totp_base32((const uint8_t *)"12345678901234567890", text);
    assert_string_equal(text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    uint8_t ones[TOTP_SECRET_BYTES];
    memset(ones, 0xff, sizeof ones);
    totp_base32(ones, text);
    assert_string_equal(text, "77777777777777777777777777777777");
}

static void uri_encodes_names(void **state)
{
    (void)state;
    char uri[TOTP_URI_BYTES];
    assert_int_equal(totp_uri("My Bastion: A&B", "alice", "ABCD", uri), ERR_NONE);
    assert_string_equal(
        uri, "otpauth://totp/My%20Bastion%3A%20A%26B:alice?secret=ABCD&issuer=My%20Bastion%3A%20A%26B"
             "&algorithm=SHA1&digits=6&period=30");
    char issuer[200];
    memset(issuer, ' ', sizeof issuer);
    issuer[199] = 0;
    assert_int_equal(totp_uri(issuer, "alice", "ABCD", uri), ERR_TOO_LARGE);
}

static void qr_code_has_its_quiet_zone_and_finder_patterns(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_int_equal(qr_print(out, "otpauth://totp/bastion:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
                     ERR_NONE);
    (void)fclose(out);
    unsigned lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++) {
        lines++;
    }
    assert_in_range(lines, 15, 40);
    /* Rows 4 and 5 of the picture: the upper edge of the finder pattern, seven dark over a dark-light-dark
     * row. */
    const char *third = strchr(strchr(text, '\n') + 1, '\n') + 1;
    assert_memory_equal(third, "\033[30;47m    █▀▀▀▀▀█ ", strlen("\033[30;47m    █▀▀▀▀▀█ "));
    free(text);
    static char large[4000];
    memset(large, 'a', sizeof large - 1);
    out = open_memstream(&text, &len);
    assert_int_equal(qr_print(out, large), ERR_TOO_LARGE);
    (void)fclose(out);
    free(text);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(base32_is_that_of_rfc4648),
        cmocka_unit_test(uri_encodes_names),
        cmocka_unit_test(qr_code_has_its_quiet_zone_and_finder_patterns),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
