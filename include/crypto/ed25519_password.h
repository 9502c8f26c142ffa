/* MariaDB's login plugin "ed25519": an Ed25519 signature (RFC 8032) whose private key is a password of any
 * length, where RFC 8032 has 32 random bytes. OpenSSL signs with those only, so the curve is computed here.
 */
#ifndef CRYPTO_ED25519_PASSWORD_H
#define CRYPTO_ED25519_PASSWORD_H

#include "base/cursor.h"
#include "crypto/ed25519.h"

enum { CRYPTO_ED25519_PASSWORD_NONCE_BYTES = 32 };

/** Takes some milliseconds, and not the same for every password: once per login, on a connection where only
 *  the server that is about to check the password can see how long.
 *  @param nonce  CRYPTO_ED25519_PASSWORD_NONCE_BYTES bytes
 *  @return ERR_MALFORMED for another length; ERR_LIBRARY. */
MUST_CHECK enum err
crypto_ed25519_password_sign(struct cursor password, struct cursor nonce,
                             uint8_t ret_signature[static CRYPTO_ED25519_SIGNATURE_BYTES]);

#endif
