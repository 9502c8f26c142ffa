#include "crypto/ed25519_password.h"

#include "unit_test.h"

#include <string.h>

static void ed25519_password_of_32_bytes_signs_as_rfc_8032(void **state)
{
    (void)state;
    /* OpenSSL's own signature is the vector: with 32 bytes the two definitions agree. */
    for (unsigned row = 0; row < 8; row++) {
        uint8_t seed[CRYPTO_ED25519_SEED_BYTES];
        uint8_t nonce[CRYPTO_ED25519_PASSWORD_NONCE_BYTES];
        memset(seed, (int)(17 * row), sizeof seed);
        memset(nonce, (int)(255 - row), sizeof nonce);
        struct crypto_ed25519 key = {0};
        uint8_t want[CRYPTO_ED25519_SIGNATURE_BYTES];
        uint8_t got[CRYPTO_ED25519_SIGNATURE_BYTES];
        assert_int_equal(crypto_ed25519_load(&key, seed), ERR_NONE);
        assert_int_equal(crypto_ed25519_sign(&key, cursor_of(nonce, sizeof nonce), want), ERR_NONE);
        crypto_ed25519_done(&key);
        assert_int_equal(
            crypto_ed25519_password_sign(cursor_of(seed, sizeof seed), cursor_of(nonce, sizeof nonce), got),
            ERR_NONE);
        assert_memory_equal(got, want, sizeof want);
    }
}

static void ed25519_password_with_another_nonce_length_is_malformed(void **state)
{
    (void)state;
    uint8_t signature[CRYPTO_ED25519_SIGNATURE_BYTES];
    assert_int_equal(crypto_ed25519_password_sign(cursor_of_text("x"), cursor_of_text("short"), signature),
                     ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ed25519_password_of_32_bytes_signs_as_rfc_8032),
        cmocka_unit_test(ed25519_password_with_another_nonce_length_is_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
