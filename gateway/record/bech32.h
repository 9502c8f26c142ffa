/* Bech32 texts (BIP 173) of 32-byte keys, as age writes them. Private to the room. */
#ifndef RECORD_BECH32_H
#define RECORD_BECH32_H

#include "base/cursor.h"

enum { BECH32_KEY_BYTES = 32 };

/** @param prefix  lower case, such as "age". @return ERR_MALFORMED; ERR_MISMATCH when the checksum is wrong;
 *          ERR_NOT_FOUND when the prefix is another one. */
MUST_CHECK enum err bech32_key(struct cursor text, const char *prefix,
                               uint8_t ret_key[static BECH32_KEY_BYTES]);
/** Lower-case text of a key; `size_bytes` must hold strlen(prefix) + 60. */
void bech32_text(const uint8_t key[static BECH32_KEY_BYTES], const char *prefix, char *ret_text,
                 size_t size_bytes);

#endif
