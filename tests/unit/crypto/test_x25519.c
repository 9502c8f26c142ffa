#include "crypto/x25519.h"

#include "crypto/vector.h"

/* RFC 7748 section 6.1 */
static const struct {
    const char *private_key, *public_key;
} PEOPLE[] = {
    {"77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
     "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"},
    {"5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
     "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"},
};
static const char SHARED[] = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";

static void derive_of_vectors_is_published_secret(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(PEOPLE); i++) {
        struct vector mine = unhex(PEOPLE[i].private_key);
        struct vector peer = unhex(PEOPLE[1 - i].public_key);
        uint8_t bytes[CRYPTO_X25519_BYTES];
        assert_int_equal(crypto_x25519_public(mine.bytes, bytes), ERR_NONE);
        assert_hex(bytes, sizeof bytes, PEOPLE[i].public_key);
        assert_int_equal(crypto_x25519_derive(mine.bytes, peer.bytes, bytes), ERR_NONE);
        assert_hex(bytes, sizeof bytes, SHARED);
    }
}

static void derive_with_small_order_peer_is_malformed(void **state)
{
    (void)state;
    struct vector mine = unhex(PEOPLE[0].private_key);
    uint8_t peer[CRYPTO_X25519_BYTES] = {0};
    uint8_t shared[CRYPTO_X25519_BYTES];
    assert_int_equal(crypto_x25519_derive(mine.bytes, peer, shared), ERR_MALFORMED);
    peer[0] = 1;
    assert_int_equal(crypto_x25519_derive(mine.bytes, peer, shared), ERR_MALFORMED);
}

static void generate_twice_gives_pairs_that_agree(void **state)
{
    (void)state;
    uint8_t private_keys[2][CRYPTO_X25519_BYTES];
    uint8_t public_keys[2][CRYPTO_X25519_BYTES];
    uint8_t shared[2][CRYPTO_X25519_BYTES];
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(crypto_x25519_generate(private_keys[i], public_keys[i]), ERR_NONE);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(crypto_x25519_derive(private_keys[i], public_keys[1 - i], shared[i]), ERR_NONE);
    }
    assert_memory_equal(shared[0], shared[1], CRYPTO_X25519_BYTES);
    assert_memory_not_equal(public_keys[0], public_keys[1], CRYPTO_X25519_BYTES);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(derive_of_vectors_is_published_secret),
        cmocka_unit_test(derive_with_small_order_peer_is_malformed),
        cmocka_unit_test(generate_twice_gives_pairs_that_agree),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
