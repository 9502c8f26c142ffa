/* Ed25519 signatures (RFC 8032 section 5.1). */
#ifndef CRYPTO_ED25519_H
#define CRYPTO_ED25519_H

#include "base/cursor.h"

enum {
    CRYPTO_ED25519_SEED_BYTES = 32,
    CRYPTO_ED25519_PUBLIC_BYTES = 32,
    CRYPTO_ED25519_SIGNATURE_BYTES = 64
};

/** A private key, loaded once and used often. {0} is empty. */
struct crypto_ed25519 {
    void *key; /* OWNED; wiped when freed */
    uint8_t public_key[CRYPTO_ED25519_PUBLIC_BYTES];
};
/** @param seed  the 32 random bytes that RFC 8032 calls the private key. @return ERR_LIBRARY. */
MUST_CHECK enum err crypto_ed25519_load(struct crypto_ed25519 *key,
                                        const uint8_t seed[static CRYPTO_ED25519_SEED_BYTES]);
void crypto_ed25519_done(struct crypto_ed25519 *key);
/** @return ERR_LIBRARY. */
MUST_CHECK enum err crypto_ed25519_sign(const struct crypto_ed25519 *key, struct cursor message,
                                        uint8_t ret_signature[static CRYPTO_ED25519_SIGNATURE_BYTES]);
/** @return ERR_MISMATCH when the signature is not that key's over `message`. */
MUST_CHECK enum err crypto_ed25519_verify(const uint8_t public_key[static CRYPTO_ED25519_PUBLIC_BYTES],
                                          struct cursor message,
                                          const uint8_t signature[static CRYPTO_ED25519_SIGNATURE_BYTES]);
/** The public key of a seed. @return ERR_LIBRARY. */
MUST_CHECK enum err crypto_ed25519_public(const uint8_t seed[static CRYPTO_ED25519_SEED_BYTES],
                                          uint8_t ret_public[static CRYPTO_ED25519_PUBLIC_BYTES]);

#endif
