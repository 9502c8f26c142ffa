#include "crypto/base64.h"

#include "crypto/vector.h"

/* RFC 4648 section 10 */
static const struct {
    const char *bytes, *padded, *unpadded;
} ROWS[] = {
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"\xfb\xff\xfe", "+//+", "+//+"},
};

static void base64_of_vectors_goes_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        for (int form = CRYPTO_BASE64_PADDED; form <= CRYPTO_BASE64_UNPADDED; form++) {
            const char *wanted = form == CRYPTO_BASE64_PADDED ? ROWS[i].padded : ROWS[i].unpadded;
            struct cursor bytes = cursor_of_text(ROWS[i].bytes);
            char text[16];
            uint8_t back[8];
            size_t len = 0;
            assert_int_equal(crypto_base64_encode(bytes, (enum crypto_base64)form, text, strlen(wanted) + 1),
                             ERR_NONE);
            assert_string_equal(text, wanted);
            assert_int_equal(crypto_base64_encode(bytes, (enum crypto_base64)form, text, strlen(wanted)),
                             ERR_TOO_LARGE);
            assert_int_equal(crypto_base64_decode(cursor_of_text(wanted), (enum crypto_base64)form, back,
                                                  cursor_len(&bytes), &len),
                             ERR_NONE);
            assert_true(cursor_equal(cursor_of(back, len), bytes));
        }
    }
}

static void base64_of_other_text_is_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum crypto_base64 form;
    } BAD[] = {
        {"Zg", CRYPTO_BASE64_PADDED},   {"Zg=", CRYPTO_BASE64_PADDED},      {"Zg===", CRYPTO_BASE64_PADDED},
        {"Z===", CRYPTO_BASE64_PADDED}, {"====", CRYPTO_BASE64_PADDED},     {"Zm9v\n", CRYPTO_BASE64_PADDED},
        {"Zm 9", CRYPTO_BASE64_PADDED}, {"Zg==Zg==", CRYPTO_BASE64_PADDED}, {"Zm9-", CRYPTO_BASE64_PADDED},
        {"Zh==", CRYPTO_BASE64_PADDED}, {"Zm9=", CRYPTO_BASE64_PADDED},     {"Zg==", CRYPTO_BASE64_UNPADDED},
        {"Z", CRYPTO_BASE64_UNPADDED},  {"Zh", CRYPTO_BASE64_UNPADDED},     {"Zm9vZ", CRYPTO_BASE64_UNPADDED},
    };
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        uint8_t bytes[16];
        size_t len = 0;
        assert_int_equal(
            crypto_base64_decode(cursor_of_text(BAD[i].text), BAD[i].form, bytes, sizeof bytes, &len),
            ERR_MALFORMED);
    }
}

static void base64_over_room_is_too_large(void **state)
{
    (void)state;
    uint8_t bytes[3];
    size_t len = 0;
    assert_int_equal(
        crypto_base64_decode(cursor_of_text("Zm9vYg=="), CRYPTO_BASE64_PADDED, bytes, sizeof bytes, &len),
        ERR_TOO_LARGE);
    assert_int_equal(
        crypto_base64_decode(cursor_of_text("Zm9v"), CRYPTO_BASE64_PADDED, bytes, sizeof bytes, &len),
        ERR_NONE);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(base64_of_vectors_goes_both_ways),
        cmocka_unit_test(base64_of_other_text_is_malformed),
        cmocka_unit_test(base64_over_room_is_too_large),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
