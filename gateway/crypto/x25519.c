#include "crypto/x25519.h"

#include "crypto/random.h"
#include "library.h"

static void free_context(EVP_PKEY_CTX **context)
{
    EVP_PKEY_CTX_free(*context);
}
static void free_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}
#define OWNED_KEY __attribute__((cleanup(free_key))) EVP_PKEY

enum err crypto_x25519_public(const uint8_t private_key[static CRYPTO_X25519_BYTES],
                              uint8_t ret_public[static CRYPTO_X25519_BYTES])
{
    (void)crypto_library();
    OWNED_KEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, CRYPTO_X25519_BYTES);
    size_t len = CRYPTO_X25519_BYTES;
    return key != NULL && EVP_PKEY_get_raw_public_key(key, ret_public, &len) == 1 ? ERR_NONE : ERR_LIBRARY;
}

enum err crypto_x25519_generate(uint8_t ret_private[static CRYPTO_X25519_BYTES],
                                uint8_t ret_public[static CRYPTO_X25519_BYTES])
{
    /* RFC 7748 section 5: any 32 random bytes are a private key; the function clamps them itself. */
    crypto_random(ret_private, CRYPTO_X25519_BYTES);
    return crypto_x25519_public(ret_private, ret_public);
}

enum err crypto_x25519_derive(const uint8_t private_key[static CRYPTO_X25519_BYTES],
                              const uint8_t peer_public[static CRYPTO_X25519_BYTES],
                              uint8_t ret_shared[static CRYPTO_X25519_BYTES])
{
    (void)crypto_library();
    OWNED_KEY *mine = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, CRYPTO_X25519_BYTES);
    OWNED_KEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, peer_public, CRYPTO_X25519_BYTES);
    if (mine == NULL || peer == NULL) {
        return ERR_LIBRARY;
    }
    __attribute__((cleanup(free_context))) EVP_PKEY_CTX *context =
        EVP_PKEY_CTX_new_from_pkey(NULL, mine, NULL);
    if (context == NULL || EVP_PKEY_derive_init(context) != 1 ||
        EVP_PKEY_derive_set_peer(context, peer) != 1) {
        return ERR_LIBRARY;
    }
    /* OpenSSL refuses the all-zero secret here. */
    size_t len = CRYPTO_X25519_BYTES;
    return EVP_PKEY_derive(context, ret_shared, &len) == 1 && len == CRYPTO_X25519_BYTES ? ERR_NONE
                                                                                         : ERR_MALFORMED;
}
