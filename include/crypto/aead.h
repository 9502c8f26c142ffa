/* Authenticated encryption: ChaCha20-Poly1305 (RFC 8439 section 2.8). */
#ifndef CRYPTO_AEAD_H
#define CRYPTO_AEAD_H

#include "base/cursor.h"

enum { CRYPTO_AEAD_KEY_BYTES = 32, CRYPTO_AEAD_NONCE_BYTES = 12, CRYPTO_AEAD_TAG_BYTES = 16 };

/** A reusable context without a key of its own: one serves any number of keys. {0} is empty. */
struct crypto_aead {
    void *context; /* OWNED */
};
void crypto_aead_init(struct crypto_aead *aead); /* aborts when there is no memory */
void crypto_aead_done(struct crypto_aead *aead); /* wipes the key that was used last */

/** Encrypt. A nonce must never be used twice with one key.
 *  @param ad        authenticated, not encrypted
 *  @param ret_out   cursor_len(plain) + CRYPTO_AEAD_TAG_BYTES bytes; may be the memory of `plain` itself
 *  @return ERR_TOO_LARGE over 2^30 bytes; ERR_LIBRARY. */
MUST_CHECK enum err crypto_aead_seal(struct crypto_aead *aead,
                                     const uint8_t key[static CRYPTO_AEAD_KEY_BYTES],
                                     const uint8_t nonce[static CRYPTO_AEAD_NONCE_BYTES], struct cursor ad,
                                     struct cursor plain, uint8_t *ret_out);
/** Check and decrypt.
 *  @param sealed    ciphertext and tag
 *  @param ret_out   cursor_len(sealed) - CRYPTO_AEAD_TAG_BYTES bytes; may be the memory of `sealed`. After an
 *                   error its content means nothing and is wiped
 *  @return ERR_MISMATCH when key, nonce, ad or a byte is not what was sealed; ERR_TRUNCATED without a whole
 * tag. */
MUST_CHECK enum err crypto_aead_open(struct crypto_aead *aead,
                                     const uint8_t key[static CRYPTO_AEAD_KEY_BYTES],
                                     const uint8_t nonce[static CRYPTO_AEAD_NONCE_BYTES], struct cursor ad,
                                     struct cursor sealed, uint8_t *ret_out);

#endif
