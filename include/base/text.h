/* Small texts: numbers, durations, names. The house's only home of number parsing. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/cursor.h"

/** Decimal digits only, no sign, no blank. @return ERR_MALFORMED; ERR_TOO_LARGE over `max`. */
MUST_CHECK enum err text_u64(struct cursor digits, uint64_t max, uint64_t *ret_value);
/** "90s", "15m", "8h", "30d": a number and one unit. @return ERR_MALFORMED; ERR_TOO_LARGE over ten years. */
MUST_CHECK enum err text_duration_s(struct cursor text, uint64_t *ret_seconds);
/** "65536", "64KiB", "8MiB", "2GiB". @return ERR_MALFORMED; ERR_TOO_LARGE over 2^50. */
MUST_CHECK enum err text_size_bytes(struct cursor text, uint64_t *ret_bytes);
/** Lower-case hex of `bytes`, NUL-terminated; `size_bytes` must be at least twice the length plus one,
 *  else the text is empty. Returns `ret_hex`. */
const char *text_hex(struct cursor bytes, char *ret_hex, size_t size_bytes);
/** @return ERR_MALFORMED unless exactly `2 * len_bytes` hex digits. */
MUST_CHECK enum err text_unhex(struct cursor hex, uint8_t *ret_bytes, size_t len_bytes);
/** An ASCII letter in lower case; any other byte as it is. */
uint8_t text_lower(uint8_t letter);
/** `text` begins with `word`, which is in lower case, in any case of its ASCII letters. */
bool text_begins_with(struct cursor text, const char *word);
/** A person's name: [a-z][a-z0-9._-]{0,31}. */
bool text_is_person(struct cursor name);
/** A host name or address literal: letters, digits, ".:_-", 1 to 253 bytes, no leading "-" or ".". */
bool text_is_host(struct cursor name);
/** A Unix account name on a target: [A-Za-z_][A-Za-z0-9._-]{0,31}, so it cannot pass for an option. */
bool text_is_account(struct cursor name);
/** One UTF-8 sequence at the front of `in` (RFC 3629 section 4).
 *  @return its length, 1 to 4; 0 when there is no valid one, then `ret_point` is unchanged. */
size_t text_utf8(struct cursor in, uint32_t *ret_point);
/** Copy for people to read: control bytes, invalid UTF-8 and U+2028/9 are shown as "?"; cut to size with
 * "...". */
void text_printable(struct cursor bytes, char *ret_text, size_t size_bytes);

#endif
