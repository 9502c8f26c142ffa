/* An RSA key of this process, to which a client encrypts a password where the protocol knows nothing better:
 * MySQL's caching_sha2_password on a connection without TLS. Never stored, gone with the process. */
#ifndef CRYPTO_RSA_KEY_H
#define CRYPTO_RSA_KEY_H

#include "base/cursor.h"

enum {
    CRYPTO_RSA_SEALED_BYTES = 256, /* what a 2048-bit key encrypts is as long as its modulus */
    CRYPTO_RSA_PLAIN_BYTES = 214,  /* RFC 8017 section 7.1.1: modulus - 2 * 20 - 2 */
    CRYPTO_RSA_PEM_BYTES = 512,    /* 451 bytes of text and a NUL, with room */
};

/** The public key as PEM ("BEGIN PUBLIC KEY"), NUL-terminated. The first call of a process makes the key,
 * which takes some 100 ms. @return ERR_LIBRARY. */
MUST_CHECK enum err crypto_rsa_pem(char ret_pem[static CRYPTO_RSA_PEM_BYTES]);
/** Decrypt RSAES-OAEP with SHA-1 (RFC 8017 section 7.1).
 *  @param ret_plain  wipe it
 *  @return ERR_MISMATCH when it was not encrypted to this key; ERR_STATE before crypto_rsa_pem(). */
MUST_CHECK enum err crypto_rsa_open(struct cursor sealed, uint8_t ret_plain[static CRYPTO_RSA_PLAIN_BYTES],
                                    size_t *ret_len_bytes);

#endif
