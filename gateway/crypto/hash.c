#include "crypto/hash.h"

#include <assert.h>
#include <string.h>

#include "base/secret.h"
#include "library.h"

enum { BLOCK_BYTES = 64 };

void crypto_sha256_init(struct crypto_sha256 *hash)
{
    if (hash->context == NULL) {
        hash->context = EVP_MD_CTX_new();
        crypto_must(hash->context != NULL);
        crypto_must(EVP_DigestInit_ex2(hash->context, crypto_library()->sha256, NULL));
    } else {
        crypto_must(EVP_DigestInit_ex2(hash->context, NULL, NULL));
    }
}

void crypto_sha256_done(struct crypto_sha256 *hash)
{
    EVP_MD_CTX_free(hash->context);
    hash->context = NULL;
}

void crypto_sha256_add(struct crypto_sha256 *hash, struct cursor bytes)
{
    crypto_must(EVP_DigestUpdate(hash->context, bytes.at, cursor_len(&bytes)));
}

void crypto_sha256_end(struct crypto_sha256 *hash, uint8_t ret_digest[static CRYPTO_SHA256_BYTES])
{
    crypto_must(EVP_DigestFinal_ex(hash->context, ret_digest, NULL));
}

void crypto_sha256_copy(struct crypto_sha256 *to, const struct crypto_sha256 *from)
{
    if (to->context == NULL) {
        to->context = EVP_MD_CTX_new();
        crypto_must(to->context != NULL);
    }
    crypto_must(EVP_MD_CTX_copy_ex(to->context, from->context));
}

void crypto_sha256_peek(const struct crypto_sha256 *hash, uint8_t ret_digest[static CRYPTO_SHA256_BYTES])
{
    OWNED_SHA256 copy = {0};
    crypto_sha256_copy(&copy, hash);
    crypto_sha256_end(&copy, ret_digest);
}

void crypto_sha256(struct cursor bytes, uint8_t ret_digest[static CRYPTO_SHA256_BYTES])
{
    OWNED_SHA256 hash = {0};
    crypto_sha256_init(&hash);
    crypto_sha256_add(&hash, bytes);
    crypto_sha256_end(&hash, ret_digest);
}

/* RFC 2104 section 2: H(K xor opad, H(K xor ipad, text)). The text comes in up to three parts, so that HKDF
 * needs no copy of them. */
static void hmac_of_parts(struct cursor key, const struct cursor parts[3],
                          uint8_t ret_mac[static CRYPTO_SHA256_BYTES])
{
    uint8_t short_key[CRYPTO_SHA256_BYTES];
    if (cursor_len(&key) > BLOCK_BYTES) {
        crypto_sha256(key, short_key);
        key = cursor_of(short_key, sizeof short_key);
    }
    uint8_t inner[BLOCK_BYTES];
    uint8_t outer[BLOCK_BYTES];
    for (size_t i = 0; i < BLOCK_BYTES; i++) {
        uint8_t byte = i < cursor_len(&key) ? key.at[i] : 0;
        inner[i] = byte ^ 0x36;
        outer[i] = byte ^ 0x5c;
    }
    OWNED_SHA256 hash = {0};
    uint8_t digest[CRYPTO_SHA256_BYTES];
    crypto_sha256_init(&hash);
    crypto_sha256_add(&hash, cursor_of(inner, sizeof inner));
    for (size_t i = 0; i < 3; i++) {
        crypto_sha256_add(&hash, parts[i]);
    }
    crypto_sha256_end(&hash, digest);
    crypto_sha256_init(&hash);
    crypto_sha256_add(&hash, cursor_of(outer, sizeof outer));
    crypto_sha256_add(&hash, cursor_of(digest, sizeof digest));
    crypto_sha256_end(&hash, ret_mac);
    secret_wipe(short_key, sizeof short_key);
    secret_wipe(inner, sizeof inner);
    secret_wipe(outer, sizeof outer);
    secret_wipe(digest, sizeof digest);
}

void crypto_hmac_sha256(struct cursor key, struct cursor bytes, uint8_t ret_mac[static CRYPTO_SHA256_BYTES])
{
    hmac_of_parts(key, (const struct cursor[3]){bytes, {NULL, NULL}, {NULL, NULL}}, ret_mac);
}

void crypto_hkdf_sha256(struct cursor secret, struct cursor salt, struct cursor info, uint8_t *ret_key,
                        size_t len_bytes)
{
    assert(len_bytes <= (size_t)255 * CRYPTO_SHA256_BYTES);
    uint8_t extracted[CRYPTO_SHA256_BYTES];
    /* RFC 5869 2.2: a salt of zeros equals an empty HMAC key, which is padded with zeros. */
    crypto_hmac_sha256(salt, secret, extracted);
    uint8_t block[CRYPTO_SHA256_BYTES];
    size_t block_len = 0;
    uint8_t counter = 0;
    for (size_t done = 0; done < len_bytes;) {
        counter++;
        const struct cursor parts[3] = {cursor_of(block, block_len), info, cursor_of(&counter, 1)};
        hmac_of_parts(cursor_of(extracted, sizeof extracted), parts, block);
        block_len = sizeof block;
        size_t part = len_bytes - done < sizeof block ? len_bytes - done : sizeof block;
        memcpy(ret_key + done, block, part);
        done += part;
    }
    secret_wipe(extracted, sizeof extracted);
    secret_wipe(block, sizeof block);
}
