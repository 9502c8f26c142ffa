/* SHA-256 and what is built from it. */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include "base/cursor.h"

enum { CRYPTO_SHA256_BYTES = 32 };

/** Ask the library for every algorithm of this room, before a sandbox is closed: later calls then open no
 * file and allocate little. openssl.cnf is not read: what it says cannot change what the bastion uses.
 * Calling it is optional and may be repeated; the room's other functions do it when nobody did. Aborts when
 * an algorithm is missing. */
void crypto_start(void);

/** One running hash; {0} is empty. Reusable: _init starts again without a new context.
 *  No function here can fail but for want of memory, and then it aborts: a hash that is skipped is worse. */
struct crypto_sha256 {
    void *context; /* OWNED */
};
void crypto_sha256_init(struct crypto_sha256 *hash);
void crypto_sha256_done(struct crypto_sha256 *hash);
void crypto_sha256_add(struct crypto_sha256 *hash, struct cursor bytes);
/** The hash of what was added so far; more may be added after it (a copy is finished, not the hash itself).
 */
void crypto_sha256_peek(const struct crypto_sha256 *hash, uint8_t ret_digest[static CRYPTO_SHA256_BYTES]);
/** As _peek, but the hash itself is finished: only _init or _done may follow. */
void crypto_sha256_end(struct crypto_sha256 *hash, uint8_t ret_digest[static CRYPTO_SHA256_BYTES]);
/** `to` (empty or in use) becomes a copy of `from`. */
void crypto_sha256_copy(struct crypto_sha256 *to, const struct crypto_sha256 *from);
#define OWNED_SHA256 __attribute__((cleanup(crypto_sha256_done))) struct crypto_sha256

/** The hash of one block. */
void crypto_sha256(struct cursor bytes, uint8_t ret_digest[static CRYPTO_SHA256_BYTES]);
/** RFC 2104. */
void crypto_hmac_sha256(struct cursor key, struct cursor bytes, uint8_t ret_mac[static CRYPTO_SHA256_BYTES]);
/** RFC 5869, extract and expand; an empty salt counts as 32 zero bytes (section 2.2).
 *  @param len_bytes  at most 255 * 32 */
void crypto_hkdf_sha256(struct cursor secret, struct cursor salt, struct cursor info, uint8_t *ret_key,
                        size_t len_bytes);

#endif
