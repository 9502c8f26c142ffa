#include "crypto/ed25519.h"

#include "base/secret.h"
#include "library.h"

static void free_context(EVP_MD_CTX **context)
{
    EVP_MD_CTX_free(*context);
}
#define OWNED_CONTEXT __attribute__((cleanup(free_context))) EVP_MD_CTX
static void free_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}
#define OWNED_KEY __attribute__((cleanup(free_key))) EVP_PKEY

enum err crypto_ed25519_load(struct crypto_ed25519 *key, const uint8_t seed[static CRYPTO_ED25519_SEED_BYTES])
{
    (void)crypto_library();
    OWNED_KEY *loaded = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, CRYPTO_ED25519_SEED_BYTES);
    uint8_t public_key[CRYPTO_ED25519_PUBLIC_BYTES];
    size_t len = sizeof public_key;
    if (loaded == NULL || EVP_PKEY_get_raw_public_key(loaded, public_key, &len) != 1 ||
        len != sizeof public_key) {
        return ERR_LIBRARY;
    }
    crypto_ed25519_done(key);
    key->key = loaded;
    loaded = NULL;
    for (size_t i = 0; i < sizeof public_key; i++) {
        key->public_key[i] = public_key[i];
    }
    return ERR_NONE;
}

void crypto_ed25519_done(struct crypto_ed25519 *key)
{
    EVP_PKEY_free(key->key);
    *key = (struct crypto_ed25519){0};
}

enum err crypto_ed25519_sign(const struct crypto_ed25519 *key, struct cursor message,
                             uint8_t ret_signature[static CRYPTO_ED25519_SIGNATURE_BYTES])
{
    OWNED_CONTEXT *context = EVP_MD_CTX_new();
    size_t len = CRYPTO_ED25519_SIGNATURE_BYTES;
    bool is_ok = context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, key->key) == 1 &&
                 EVP_DigestSign(context, ret_signature, &len, message.at, cursor_len(&message)) == 1 &&
                 len == CRYPTO_ED25519_SIGNATURE_BYTES;
    return is_ok ? ERR_NONE : ERR_LIBRARY;
}

enum err crypto_ed25519_verify(const uint8_t public_key[static CRYPTO_ED25519_PUBLIC_BYTES],
                               struct cursor message,
                               const uint8_t signature[static CRYPTO_ED25519_SIGNATURE_BYTES])
{
    (void)crypto_library();
    OWNED_KEY *key =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, CRYPTO_ED25519_PUBLIC_BYTES);
    OWNED_CONTEXT *context = EVP_MD_CTX_new();
    bool is_ok = key != NULL && context != NULL &&
                 EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
                 EVP_DigestVerify(context, signature, CRYPTO_ED25519_SIGNATURE_BYTES, message.at,
                                  cursor_len(&message)) == 1;
    return is_ok ? ERR_NONE : ERR_MISMATCH;
}

enum err crypto_ed25519_public(const uint8_t seed[static CRYPTO_ED25519_SEED_BYTES],
                               uint8_t ret_public[static CRYPTO_ED25519_PUBLIC_BYTES])
{
    struct crypto_ed25519 key = {0};
    TRY(crypto_ed25519_load(&key, seed));
    for (size_t i = 0; i < CRYPTO_ED25519_PUBLIC_BYTES; i++) {
        ret_public[i] = key.public_key[i];
    }
    crypto_ed25519_done(&key);
    return ERR_NONE;
}
