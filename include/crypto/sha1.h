/* SHA-1, only where a protocol fixes it and it guards nothing by itself: MySQL's mysql_native_password. */
#ifndef CRYPTO_SHA1_H
#define CRYPTO_SHA1_H

#include "base/cursor.h"

enum { CRYPTO_SHA1_BYTES = 20 };

/** The hash of both parts, one after the other; either may be empty. @return ERR_LIBRARY. */
MUST_CHECK enum err crypto_sha1(struct cursor first, struct cursor second,
                                uint8_t ret_digest[static CRYPTO_SHA1_BYTES]);

#endif
