/* Base64 of RFC 4648 section 4, strict: one text per value, no blanks, no line ends. */
#ifndef CRYPTO_BASE64_H
#define CRYPTO_BASE64_H

#include "base/cursor.h"

enum crypto_base64 { CRYPTO_BASE64_PADDED, CRYPTO_BASE64_UNPADDED };

/** The memory that the text of `len_bytes` bytes needs at most, with its NUL. */
#define CRYPTO_BASE64_TEXT_BYTES(len_bytes) (((len_bytes) + 2) / 3 * 4 + 1)

/** NUL-terminated text. @return ERR_TOO_LARGE when it does not fit `size_bytes`. */
MUST_CHECK enum err crypto_base64_encode(struct cursor bytes, enum crypto_base64 form, char *ret_text,
                                         size_t size_bytes);
/** @return ERR_MALFORMED for any other letter, wrong padding or set bits after the last byte; ERR_TOO_LARGE
 * when the bytes do not fit `size_bytes`. */
MUST_CHECK enum err crypto_base64_decode(struct cursor text, enum crypto_base64 form, uint8_t *ret_bytes,
                                         size_t size_bytes, size_t *ret_len_bytes);

#endif
