/* Checking the signatures of the public key kinds that OpenSSH users hold besides Ed25519 (crypto/ed25519.h).
 */
#ifndef CRYPTO_PUBLIC_KEY_H
#define CRYPTO_PUBLIC_KEY_H

#include "base/cursor.h"
#include "base/err.h"

/** The curves of RFC 5656 section 10.1; each is signed with the hash of its size (section 6.2.1). */
enum crypto_curve { CRYPTO_P256, CRYPTO_P384, CRYPTO_P521 };
enum crypto_rsa_hash { CRYPTO_RSA_SHA256, CRYPTO_RSA_SHA512 };

enum { CRYPTO_HMAC_SHA1_BYTES = 20 };

/** ECDSA over `data`.
 *  @param point  uncompressed point (SEC1 2.3.3)
 *  @param r, s   magnitudes, big endian
 *  @return ERR_MISMATCH for a wrong signature; ERR_MALFORMED for a point that is not on the curve;
 * ERR_MEMORY; ERR_LIBRARY. */
MUST_CHECK enum err crypto_ecdsa_verify(enum crypto_curve curve, struct cursor point, struct cursor r,
                                        struct cursor s, struct cursor data);
/** @return ERR_MALFORMED unless `point` is an uncompressed point on the curve other than infinity. */
MUST_CHECK enum err crypto_ecdsa_check_point(enum crypto_curve curve, struct cursor point);
/** RSASSA-PKCS1-v1_5 over `data`. A signature shorter than the modulus gets leading zeros, as OpenSSH does.
 *  @param exponent, modulus  magnitudes, big endian
 *  @return ERR_MISMATCH for a wrong signature; ERR_MALFORMED for numbers that make no key; ERR_MEMORY;
 * ERR_LIBRARY. */
MUST_CHECK enum err crypto_rsa_verify(enum crypto_rsa_hash hash, struct cursor exponent,
                                      struct cursor modulus, struct cursor signature, struct cursor data);
/** HMAC-SHA1 (RFC 2104), only for the hashed host names of known_hosts files, whose format fixes it. There it
 * hides names; it protects nothing. @return ERR_LIBRARY. */
MUST_CHECK enum err crypto_hmac_sha1(struct cursor key, struct cursor data,
                                     uint8_t ret_mac[static CRYPTO_HMAC_SHA1_BYTES]);

#endif
