#include "crypto/aead.h"

#include "crypto/vector.h"

/* RFC 8439 section 2.8.2 */
static const char KEY[] = "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f";
static const char NONCE[] = "070000004041424344454647";
static const char AD[] = "50515253c0c1c2c3c4c5c6c7";
static const char PLAIN[] =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
    "sunscreen would be it.";
static const char SEALED[] = "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671"
                             "282fafb69da92728b1a71de0a9e060b2905d"
                             "6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3f"
                             "f4def08e4b7a9de576d26586cec64b6116"
                             "1ae10b594f09e26a7e902ecbd0600691";

static void seal_of_vector_is_published_text(void **state)
{
    (void)state;
    struct vector key = unhex(KEY);
    struct vector nonce = unhex(NONCE);
    struct vector ad = unhex(AD);
    struct crypto_aead aead = {0};
    crypto_aead_init(&aead);
    uint8_t out[sizeof PLAIN - 1 + CRYPTO_AEAD_TAG_BYTES];
    for (int round = 0; round < 2; round++) {
        memcpy(out, PLAIN, sizeof PLAIN - 1); /* in place */
        assert_int_equal(crypto_aead_seal(&aead, key.bytes, nonce.bytes, vector_peek(&ad),
                                          cursor_of(out, sizeof PLAIN - 1), out),
                         ERR_NONE);
        assert_hex(out, sizeof out, SEALED);
        assert_int_equal(crypto_aead_open(&aead, key.bytes, nonce.bytes, vector_peek(&ad),
                                          cursor_of(out, sizeof out), out),
                         ERR_NONE);
        assert_memory_equal(out, PLAIN, sizeof PLAIN - 1);
    }
    crypto_aead_done(&aead);
}

static void open_after_any_change_is_mismatch(void **state)
{
    (void)state;
    struct vector key = unhex(KEY);
    struct vector nonce = unhex(NONCE);
    struct vector ad = unhex(AD);
    struct vector sealed = unhex(SEALED);
    struct crypto_aead aead = {0};
    crypto_aead_init(&aead);
    uint8_t out[VECTOR_BYTES];
    struct vector *const parts[] = {&key, &nonce, &ad, &sealed};
    for (size_t part = 0; part < COUNT_OF(parts); part++) {
        for (size_t i = 0; i < parts[part]->len; i++) {
            parts[part]->bytes[i] ^= 1;
            assert_int_equal(
                crypto_aead_open(&aead, key.bytes, nonce.bytes, vector_peek(&ad), vector_peek(&sealed), out),
                ERR_MISMATCH);
            parts[part]->bytes[i] ^= 1;
        }
    }
    for (size_t len = 0; len < sealed.len; len++) {
        enum err err = crypto_aead_open(&aead, key.bytes, nonce.bytes, vector_peek(&ad),
                                        cursor_of(sealed.bytes, len), out);
        assert_int_equal(err, len < CRYPTO_AEAD_TAG_BYTES ? ERR_TRUNCATED : ERR_MISMATCH);
    }
    crypto_aead_done(&aead);
}

static void seal_of_nothing_is_a_tag(void **state)
{
    (void)state;
    struct vector key = unhex(KEY);
    struct vector nonce = unhex(NONCE);
    struct crypto_aead aead = {0};
    crypto_aead_init(&aead);
    uint8_t out[CRYPTO_AEAD_TAG_BYTES];
    struct cursor none = cursor_of(NULL, 0);
    assert_int_equal(crypto_aead_seal(&aead, key.bytes, nonce.bytes, none, none, out), ERR_NONE);
    assert_int_equal(crypto_aead_open(&aead, key.bytes, nonce.bytes, none, cursor_of(out, sizeof out), out),
                     ERR_NONE);
    assert_int_equal(crypto_aead_seal(&aead, key.bytes, nonce.bytes, none, none, out), ERR_NONE);
    out[0] ^= 1;
    assert_int_equal(crypto_aead_open(&aead, key.bytes, nonce.bytes, none, cursor_of(out, sizeof out), out),
                     ERR_MISMATCH);
    crypto_aead_done(&aead);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(seal_of_vector_is_published_text),
        cmocka_unit_test(open_after_any_change_is_mismatch),
        cmocka_unit_test(seal_of_nothing_is_a_tag),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
