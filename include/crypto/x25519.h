/* X25519 key agreement (RFC 7748 section 5). */
#ifndef CRYPTO_X25519_H
#define CRYPTO_X25519_H

#include "base/cursor.h"

enum { CRYPTO_X25519_BYTES = 32 };

/** A new key pair. @return ERR_LIBRARY. */
MUST_CHECK enum err crypto_x25519_generate(uint8_t ret_private[static CRYPTO_X25519_BYTES],
                                           uint8_t ret_public[static CRYPTO_X25519_BYTES]);
/** @return ERR_LIBRARY. */
MUST_CHECK enum err crypto_x25519_public(const uint8_t private_key[static CRYPTO_X25519_BYTES],
                                         uint8_t ret_public[static CRYPTO_X25519_BYTES]);
/** @return ERR_MALFORMED for a peer of small order, whose secret would be all zero (RFC 7748 section 6.1). */
MUST_CHECK enum err crypto_x25519_derive(const uint8_t private_key[static CRYPTO_X25519_BYTES],
                                         const uint8_t peer_public[static CRYPTO_X25519_BYTES],
                                         uint8_t ret_shared[static CRYPTO_X25519_BYTES]);

#endif
