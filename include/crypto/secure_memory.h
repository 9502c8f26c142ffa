/* Locked memory for private keys. */
#ifndef CRYPTO_SECURE_MEMORY_H
#define CRYPTO_SECURE_MEMORY_H

#include "base/err.h"

/** From now on OpenSSL keeps the bytes of private keys (crypto_ed25519_load()) in memory that is never
 * swapped, never part of a core dump and fenced by guard pages, and wipes it when freed. Call once, before
 * the first key is loaded and before limits are lowered: locking needs RLIMIT_MEMLOCK of about 64 KiB or
 * CAP_IPC_LOCK.
 *  @return ERR_SYSTEM when memory cannot be locked. */
MUST_CHECK enum err crypto_secure_memory_start(void);

#endif
