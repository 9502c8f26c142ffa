/* Reading bytes that others wrote. A cursor only shrinks; a length becomes a child cursor, so inner
 * parsing cannot see past its block. Integers are big endian (RFC 4251 section 5), but for cursor_uint_le().
 */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/** Borrowed; the unread bytes are [at, end). */
struct cursor {
    const uint8_t *at, *end;
};

struct cursor cursor_of(const void *bytes, size_t len_bytes);
/** The bytes of a NUL-terminated text, without the NUL. */
struct cursor cursor_of_text(const char *text);
size_t cursor_len(const struct cursor *in);

/** @return ERR_TRUNCATED when fewer bytes are left; then the cursor has not moved. */
MUST_CHECK enum err cursor_u8(struct cursor *in, uint8_t *ret_value);
MUST_CHECK enum err cursor_u16be(struct cursor *in, uint16_t *ret_value);
MUST_CHECK enum err cursor_u32be(struct cursor *in, uint32_t *ret_value);
MUST_CHECK enum err cursor_u64be(struct cursor *in, uint64_t *ret_value);
/** A little-endian number of 1 to 8 bytes, as MySQL writes them. */
MUST_CHECK enum err cursor_uint_le(struct cursor *in, size_t len_bytes, uint64_t *ret_value);
/** RFC 4251 section 5: every value but 0 is true. */
MUST_CHECK enum err cursor_bool(struct cursor *in, bool *ret_value);
/** Exactly `len_bytes` bytes as a child. */
MUST_CHECK enum err cursor_bytes(struct cursor *in, size_t len_bytes, struct cursor *ret_block);
/** A length-prefixed block (RFC 4251 "string"). @return ERR_TOO_LARGE over `max_bytes`. */
MUST_CHECK enum err cursor_string(struct cursor *in, size_t max_bytes, struct cursor *ret_block);
/** A string of at most `size_bytes - 1` bytes, copied and NUL-terminated.
 *  @return ERR_TOO_LARGE; ERR_MALFORMED when it contains a NUL. */
MUST_CHECK enum err cursor_text(struct cursor *in, char *ret_text, size_t size_bytes);
/** Bytes up to a NUL, which is taken but not part of `ret_text`.
 *  @return ERR_TOO_LARGE when the first `max_bytes` + 1 bytes hold no NUL; ERR_TRUNCATED. */
MUST_CHECK enum err cursor_until_nul(struct cursor *in, size_t max_bytes, struct cursor *ret_text);
/** Everything must have been read. @return ERR_MALFORMED when bytes are left. */
MUST_CHECK enum err cursor_end(const struct cursor *in);

/** Public bytes only: not constant time. */
bool cursor_equal(struct cursor a, struct cursor b);
bool cursor_equal_text(struct cursor a, const char *text);
/** The byte `c` is taken when it is the next one. @return whether it was. */
bool cursor_take(struct cursor *in, char c);
/** The next item of a comma-separated name-list (RFC 4251 section 5), and the comma, are taken from `in`.
 *  @return false when the list is at its end. */
bool cursor_name(struct cursor *in, struct cursor *ret_name);
/** The next line without its "\n" (a last line may lack it). @return false at the end. */
bool cursor_line(struct cursor *in, struct cursor *ret_line);
/** The next run of bytes other than space and tab. @return false at the end. */
bool cursor_word(struct cursor *in, struct cursor *ret_word);

#endif
