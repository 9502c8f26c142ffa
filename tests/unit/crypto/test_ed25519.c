#include "crypto/ed25519.h"

#include "crypto/vector.h"

/* RFC 8032 section 7.1, tests 1 to 3 */
static const struct {
    const char *seed, *public_key, *message, *signature;
} ROWS[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f"
     "0595bbe246551"
     "41438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2ea"
     "eb4302aeeb00d"
     "291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e"
     "9716ed28dc027"
     "beceea1ec40a"},
};

static void sign_of_vectors_is_published_signature(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct vector seed = unhex(ROWS[i].seed);
        struct vector message = unhex(ROWS[i].message);
        struct crypto_ed25519 key = {0};
        uint8_t signature[CRYPTO_ED25519_SIGNATURE_BYTES];
        assert_int_equal(crypto_ed25519_load(&key, seed.bytes), ERR_NONE);
        assert_hex(key.public_key, sizeof key.public_key, ROWS[i].public_key);
        for (int round = 0; round < 2; round++) {
            assert_int_equal(crypto_ed25519_sign(&key, vector_peek(&message), signature), ERR_NONE);
            assert_hex(signature, sizeof signature, ROWS[i].signature);
        }
        assert_int_equal(crypto_ed25519_verify(key.public_key, vector_peek(&message), signature), ERR_NONE);
        uint8_t public_key[CRYPTO_ED25519_PUBLIC_BYTES];
        assert_int_equal(crypto_ed25519_public(seed.bytes, public_key), ERR_NONE);
        assert_memory_equal(public_key, key.public_key, sizeof public_key);
        crypto_ed25519_done(&key);
    }
}

static void verify_after_any_change_is_mismatch(void **state)
{
    (void)state;
    struct vector public_key = unhex(ROWS[2].public_key);
    struct vector message = unhex(ROWS[2].message);
    struct vector signature = unhex(ROWS[2].signature);
    struct vector *const parts[] = {&public_key, &message, &signature};
    for (size_t part = 0; part < COUNT_OF(parts); part++) {
        for (size_t i = 0; i < parts[part]->len; i++) {
            parts[part]->bytes[i] ^= 1;
            assert_int_equal(crypto_ed25519_verify(public_key.bytes, vector_peek(&message), signature.bytes),
                             ERR_MISMATCH);
            parts[part]->bytes[i] ^= 1;
        }
    }
    assert_int_equal(crypto_ed25519_verify(public_key.bytes, vector_peek(&message), signature.bytes),
                     ERR_NONE);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(sign_of_vectors_is_published_signature),
        cmocka_unit_test(verify_after_any_change_is_mismatch),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
