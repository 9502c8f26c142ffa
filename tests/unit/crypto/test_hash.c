#include "crypto/hash.h"

#include "crypto/vector.h"

static void sha256_of_vectors_is_published_digest(void **state)
{
    (void)state;
    /* FIPS 180-2 appendix B */
    static const struct {
        const char *text, *hex;
    } ROWS[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        uint8_t digest[CRYPTO_SHA256_BYTES];
        crypto_sha256(cursor_of_text(ROWS[i].text), digest);
        assert_hex(digest, sizeof digest, ROWS[i].hex);
    }
}

static void sha256_in_parts_equals_whole(void **state)
{
    (void)state;
    uint8_t whole[CRYPTO_SHA256_BYTES];
    uint8_t parts[CRYPTO_SHA256_BYTES];
    uint8_t again[CRYPTO_SHA256_BYTES];
    crypto_sha256(cursor_of_text("abc"), whole);
    OWNED_SHA256 hash = {0};
    OWNED_SHA256 copy = {0};
    for (int round = 0; round < 2; round++) { /* the second round uses the context again */
        crypto_sha256_init(&hash);
        crypto_sha256_add(&hash, cursor_of_text("a"));
        crypto_sha256_peek(&hash, parts);
        assert_memory_not_equal(parts, whole, sizeof whole);
        crypto_sha256_copy(&copy, &hash);
        crypto_sha256_add(&hash, cursor_of_text("bc"));
        crypto_sha256_add(&copy, cursor_of_text("bc"));
        crypto_sha256_end(&hash, parts);
        crypto_sha256_end(&copy, again);
        assert_memory_equal(parts, whole, sizeof whole);
        assert_memory_equal(again, whole, sizeof whole);
    }
}

static void hmac_of_vectors_is_published_mac(void **state)
{
    (void)state;
    /* RFC 4231 test cases 1, 2 and 6 (a key longer than a block) */
    uint8_t mac[CRYPTO_SHA256_BYTES];
    struct vector key = unhex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
    crypto_hmac_sha256(vector_peek(&key), cursor_of_text("Hi There"), mac);
    assert_hex(mac, sizeof mac, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    crypto_hmac_sha256(cursor_of_text("Jefe"), cursor_of_text("what do ya want for nothing?"), mac);
    assert_hex(mac, sizeof mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    uint8_t long_key[131];
    memset(long_key, 0xaa, sizeof long_key);
    crypto_hmac_sha256(cursor_of(long_key, sizeof long_key),
                       cursor_of_text("Test Using Larger Than Block-Size Key - Hash Key First"), mac);
    assert_hex(mac, sizeof mac, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void hkdf_of_vectors_is_published_key(void **state)
{
    (void)state;
    /* RFC 5869 A.1 to A.3 */
    static const struct {
        const char *secret, *salt, *info, *key;
    } ROWS[] = {
        {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
         "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
        {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303"
         "13233343"
         "5363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
         "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909"
         "19293949"
         "5969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
         "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e"
         "1e2e3e4e"
         "5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
         "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3"
         "275600c2"
         "f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
        {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
         "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct vector secret = unhex(ROWS[i].secret);
        struct vector salt = unhex(ROWS[i].salt);
        struct vector info = unhex(ROWS[i].info);
        uint8_t key[128];
        size_t len = strlen(ROWS[i].key) / 2;
        crypto_hkdf_sha256(vector_peek(&secret), vector_peek(&salt), vector_peek(&info), key, len);
        assert_hex(key, len, ROWS[i].key);
    }
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(sha256_of_vectors_is_published_digest),
        cmocka_unit_test(sha256_in_parts_equals_whole),
        cmocka_unit_test(hmac_of_vectors_is_published_mac),
        cmocka_unit_test(hkdf_of_vectors_is_published_key),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
