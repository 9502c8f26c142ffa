/* MD5, only where a protocol fixes it and it guards nothing by itself: PostgreSQL's password method of that
 * name. */
#ifndef CRYPTO_MD5_H
#define CRYPTO_MD5_H

#include "base/cursor.h"

enum { CRYPTO_MD5_BYTES = 16 };

/** The hash of both parts, one after the other; either may be empty. @return ERR_LIBRARY, also where the
 * system forbids MD5. */
MUST_CHECK enum err crypto_md5(struct cursor first, struct cursor second,
                               uint8_t ret_digest[static CRYPTO_MD5_BYTES]);

#endif
