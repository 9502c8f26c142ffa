/* The process's RSA key; encrypting is the client's part, done here with OpenSSL itself. */
#include "crypto/rsa_key.h"

#include "unit_test.h"

#include <string.h>

#define ERR_STATE openssl_err_state
#include <openssl/pem.h>
#include <openssl/rsa.h>
#undef ERR_STATE

static size_t seal(const char *pem, struct cursor plain, uint8_t sealed[static CRYPTO_RSA_SEALED_BYTES])
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    assert_non_null(key);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    assert_int_equal(EVP_PKEY_encrypt_init(context), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING), 1);
    size_t len = CRYPTO_RSA_SEALED_BYTES;
    assert_int_equal(EVP_PKEY_encrypt(context, sealed, &len, plain.at, cursor_len(&plain)), 1);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
    BIO_free(bio);
    return len;
}

static void rsa_key_before_it_is_made_opens_nothing(void **state)
{
    (void)state;
    uint8_t plain[CRYPTO_RSA_PLAIN_BYTES];
    size_t len = 0;
    assert_int_equal(crypto_rsa_open(cursor_of_text("x"), plain, &len), ERR_STATE);
}

static void rsa_key_opens_what_was_sealed_to_it(void **state)
{
    (void)state;
    char pem[CRYPTO_RSA_PEM_BYTES];
    char again[CRYPTO_RSA_PEM_BYTES];
    assert_int_equal(crypto_rsa_pem(pem), ERR_NONE);
    assert_int_equal(crypto_rsa_pem(again), ERR_NONE);
    assert_string_equal(pem, again);
    assert_memory_equal(pem, "-----BEGIN PUBLIC KEY-----\n", 27);
    uint8_t sealed[CRYPTO_RSA_SEALED_BYTES];
    size_t sealed_len = seal(pem, cursor_of("secret", 7), sealed);
    uint8_t plain[CRYPTO_RSA_PLAIN_BYTES];
    size_t len = 0;
    assert_int_equal(crypto_rsa_open(cursor_of(sealed, sealed_len), plain, &len), ERR_NONE);
    assert_int_equal(len, 7);
    assert_memory_equal(plain, "secret", 7);
    sealed[17] ^= 1;
    assert_int_equal(crypto_rsa_open(cursor_of(sealed, sealed_len), plain, &len), ERR_MISMATCH);
    assert_int_equal(crypto_rsa_open(cursor_of(sealed, 5), plain, &len), ERR_MISMATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rsa_key_before_it_is_made_opens_nothing),
        cmocka_unit_test(rsa_key_opens_what_was_sealed_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
