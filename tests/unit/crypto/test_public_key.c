#include "crypto/public_key.h"

#include <stdio.h>
#include <string.h>

#define ERR_STATE openssl_err_state
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#undef ERR_STATE

#include "base/text.h"
#include "crypto/secure_memory.h"
#include "unit_test.h"

/* RFC 6979 A.2.5, SHA-256, message "sample" */
static const char POINT_HEX[] = "04"
                                "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                                "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
static const char R_HEX[] = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716";
static const char S_HEX[] = "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";

static void unhex(const char *hex, uint8_t *ret_bytes)
{
    assert_int_equal(text_unhex(cursor_of_text(hex), ret_bytes, strlen(hex) / 2), ERR_NONE);
}

static enum err verify(struct cursor point, struct cursor r, struct cursor s, const char *text)
{
    return crypto_ecdsa_verify(CRYPTO_P256, point, r, s, cursor_of_text(text));
}

static void ecdsa_vector_of_rfc6979_is_accepted(void **state)
{
    (void)state;
    uint8_t point[65];
    uint8_t r[32];
    uint8_t s[32];
    unhex(POINT_HEX, point);
    unhex(R_HEX, r);
    unhex(S_HEX, s);
    struct cursor key = cursor_of(point, sizeof point);
    struct cursor r_bytes = cursor_of(r, sizeof r);
    struct cursor s_bytes = cursor_of(s, sizeof s);
    assert_int_equal(verify(key, r_bytes, s_bytes, "sample"), ERR_NONE);
    assert_int_equal(verify(key, r_bytes, s_bytes, "Sample"), ERR_MISMATCH);
    assert_int_equal(verify(key, s_bytes, r_bytes, "sample"), ERR_MISMATCH);
    r[31] ^= 1;
    assert_int_equal(verify(key, r_bytes, s_bytes, "sample"), ERR_MISMATCH);
    uint8_t zero[33] = {0};
    assert_int_equal(verify(key, cursor_of(zero, 1), cursor_of(zero, 1), "sample"), ERR_MISMATCH);
    assert_int_equal(verify(key, cursor_of(zero, 0), s_bytes, "sample"), ERR_MISMATCH);
    assert_int_equal(verify(key, cursor_of(zero, 33), s_bytes, "sample"), ERR_MISMATCH);
}

static void point_off_the_curve_is_malformed(void **state)
{
    (void)state;
    uint8_t point[66] = {0};
    unhex(POINT_HEX, point);
    assert_int_equal(crypto_ecdsa_check_point(CRYPTO_P256, cursor_of(point, 65)), ERR_NONE);
    assert_int_equal(crypto_ecdsa_check_point(CRYPTO_P256, cursor_of(point, 64)), ERR_MALFORMED);
    assert_int_equal(crypto_ecdsa_check_point(CRYPTO_P256, cursor_of(point, 66)), ERR_MALFORMED);
    assert_int_equal(crypto_ecdsa_check_point(CRYPTO_P384, cursor_of(point, 65)), ERR_MALFORMED);
    point[64] ^= 1;
    assert_int_equal(crypto_ecdsa_check_point(CRYPTO_P256, cursor_of(point, 65)), ERR_MALFORMED);
    point[64] ^= 1;
    point[0] = 6; /* hybrid form of the same point */
    assert_int_equal(crypto_ecdsa_check_point(CRYPTO_P256, cursor_of(point, 65)), ERR_MALFORMED);
    point[0] = 2; /* compressed */
    assert_int_equal(crypto_ecdsa_check_point(CRYPTO_P256, cursor_of(point, 33)), ERR_MALFORMED);
    static const uint8_t INFINITY_POINT[65] = {0};
    assert_int_equal(crypto_ecdsa_check_point(CRYPTO_P256, cursor_of(INFINITY_POINT, 1)), ERR_MALFORMED);
    assert_int_equal(crypto_ecdsa_check_point(CRYPTO_P256, cursor_of(INFINITY_POINT, 65)), ERR_MALFORMED);
    assert_int_equal(crypto_ecdsa_check_point(CRYPTO_P256, cursor_of(INFINITY_POINT, 0)), ERR_MALFORMED);
}

struct rsa {
    EVP_PKEY *key;
    uint8_t modulus[256], exponent[8], signature[256];
    size_t modulus_len, exponent_len, signature_len;
};

static void rsa_sign(struct rsa *rsa, const char *digest, const char *text)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    rsa->signature_len = sizeof rsa->signature;
    assert_int_equal(EVP_DigestSignInit_ex(context, NULL, digest, NULL, NULL, rsa->key, NULL), 1);
    assert_int_equal(
        EVP_DigestSign(context, rsa->signature, &rsa->signature_len, (const uint8_t *)text, strlen(text)), 1);
    EVP_MD_CTX_free(context);
}

static enum err rsa_verify(const struct rsa *rsa, enum crypto_rsa_hash hash, struct cursor signature,
                           const char *text)
{
    return crypto_rsa_verify(hash, cursor_of(rsa->exponent, rsa->exponent_len),
                             cursor_of(rsa->modulus, rsa->modulus_len), signature, cursor_of_text(text));
}

static void rsa_signature_is_accepted_for_its_hash_only(void **state)
{
    (void)state;
    static struct rsa rsa;
    rsa.key = EVP_RSA_gen(2048);
    assert_non_null(rsa.key);
    BIGNUM *number = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(rsa.key, "n", &number), 1);
    rsa.modulus_len = (size_t)BN_bn2bin(number, rsa.modulus);
    assert_int_equal(EVP_PKEY_get_bn_param(rsa.key, "e", &number), 1);
    rsa.exponent_len = (size_t)BN_bn2bin(number, rsa.exponent);
    BN_free(number);
    bool is_padded = false;
    char text[16];
    /* One signature in 256 starts with a zero, which some clients leave out: try until one did. */
    for (int i = 0; i < 4096 && !is_padded; i++) {
        (void)snprintf(text, sizeof text, "data %d", i);
        rsa_sign(&rsa, "SHA512", text);
        is_padded = rsa.signature[0] == 0;
    }
    assert_true(is_padded);
    struct cursor whole = cursor_of(rsa.signature, rsa.signature_len);
    struct cursor cut = cursor_of(rsa.signature + 1, rsa.signature_len - 1);
    assert_int_equal(rsa_verify(&rsa, CRYPTO_RSA_SHA512, whole, text), ERR_NONE);
    assert_int_equal(rsa_verify(&rsa, CRYPTO_RSA_SHA512, cut, text), ERR_NONE);
    assert_int_equal(rsa_verify(&rsa, CRYPTO_RSA_SHA256, whole, text), ERR_MISMATCH);
    assert_int_equal(rsa_verify(&rsa, CRYPTO_RSA_SHA512, whole, "other"), ERR_MISMATCH);
    assert_int_equal(rsa_verify(&rsa, CRYPTO_RSA_SHA512, cursor_of(NULL, 0), text), ERR_MISMATCH);
    static uint8_t longer[257];
    memcpy(longer + 1, rsa.signature, rsa.signature_len);
    assert_int_equal(rsa_verify(&rsa, CRYPTO_RSA_SHA512, cursor_of(longer, sizeof longer), text),
                     ERR_MISMATCH);
    rsa_sign(&rsa, "SHA1", text);
    whole = cursor_of(rsa.signature, rsa.signature_len);
    assert_int_equal(rsa_verify(&rsa, CRYPTO_RSA_SHA512, whole, text), ERR_MISMATCH);
    assert_int_equal(rsa_verify(&rsa, CRYPTO_RSA_SHA256, whole, text), ERR_MISMATCH);
    EVP_PKEY_free(rsa.key);
}

static void rsa_numbers_that_are_no_key_are_refused(void **state)
{
    (void)state;
    static const uint8_t ZEROS[2049] = {0};
    static const uint8_t F4[] = {1, 0, 1};
    struct cursor data = cursor_of_text("data");
    struct cursor exponent = cursor_of(F4, sizeof F4);
    assert_int_not_equal(crypto_rsa_verify(CRYPTO_RSA_SHA256, exponent, cursor_of(ZEROS, 256), data, data),
                         ERR_NONE);
    assert_int_not_equal(crypto_rsa_verify(CRYPTO_RSA_SHA256, exponent, cursor_of(ZEROS, 0), data, data),
                         ERR_NONE);
    assert_int_equal(crypto_rsa_verify(CRYPTO_RSA_SHA256, exponent, cursor_of(ZEROS, 2049), data, data),
                     ERR_MALFORMED);
}

static void hmac_sha1_vectors_of_rfc2202(void **state)
{
    (void)state;
    uint8_t key[20];
    uint8_t mac[CRYPTO_HMAC_SHA1_BYTES];
    char hex[2 * CRYPTO_HMAC_SHA1_BYTES + 1];
    memset(key, 0x0b, sizeof key);
    assert_int_equal(crypto_hmac_sha1(cursor_of(key, sizeof key), cursor_of_text("Hi There"), mac), ERR_NONE);
    assert_string_equal(text_hex(cursor_of(mac, sizeof mac), hex, sizeof hex),
                        "b617318655057264e28bc0b6fb378c8ef146be00");
    assert_int_equal(
        crypto_hmac_sha1(cursor_of_text("Jefe"), cursor_of_text("what do ya want for nothing?"), mac),
        ERR_NONE);
    assert_string_equal(text_hex(cursor_of(mac, sizeof mac), hex, sizeof hex),
                        "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    assert_int_equal(crypto_hmac_sha1(cursor_of(NULL, 0), cursor_of_text(""), mac), ERR_NONE);
    assert_string_equal(text_hex(cursor_of(mac, sizeof mac), hex, sizeof hex),
                        "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
}

static void secure_memory_is_locked(void **state)
{
    (void)state;
    assert_int_equal(crypto_secure_memory_start(), ERR_NONE);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(ecdsa_vector_of_rfc6979_is_accepted),
        cmocka_unit_test(point_off_the_curve_is_malformed),
        cmocka_unit_test(rsa_signature_is_accepted_for_its_hash_only),
        cmocka_unit_test(rsa_numbers_that_are_no_key_are_refused),
        cmocka_unit_test(hmac_sha1_vectors_of_rfc2202),
        cmocka_unit_test(secure_memory_is_locked),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
