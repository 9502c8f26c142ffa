/* Writing bytes that others read, into memory of a fixed size. Overflow is sticky: write all fields, then
 * ask once with writer_done(). */
#ifndef BASE_WRITER_H
#define BASE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"

/** Borrowed memory; the bytes written so far are [start, at). */
struct writer {
    uint8_t *start, *at, *end;
    bool is_full; /* something did not fit; nothing after it was written */
};

struct writer writer_of(void *memory, size_t size_bytes);
void writer_u8(struct writer *out, uint8_t value);
void writer_bool(struct writer *out, bool value);
void writer_u16be(struct writer *out, uint16_t value);
void writer_u32be(struct writer *out, uint32_t value);
void writer_u64be(struct writer *out, uint64_t value);
/** A little-endian number of 1 to 8 bytes, as MySQL writes them; higher bytes of `value` are dropped. */
void writer_uint_le(struct writer *out, size_t len_bytes, uint64_t value);
/** The bytes alone, without a length. */
void writer_bytes(struct writer *out, struct cursor bytes);
/** Length (32 bit), then the bytes: RFC 4251 "string". */
void writer_string(struct writer *out, struct cursor bytes);
void writer_text(struct writer *out, const char *text);
/** A positive number, RFC 4251 "mpint": leading zeros dropped, 0 put before a set top bit. */
void writer_mpint(struct writer *out, struct cursor magnitude);
/** Reserve the length of a string that is written next; writer_string_end() fills it in. */
uint8_t *writer_string_begin(struct writer *out);
void writer_string_end(struct writer *out, uint8_t *begin);
/** What was written. @return ERR_TOO_LARGE when something did not fit. */
MUST_CHECK enum err writer_done(const struct writer *out, struct cursor *ret_bytes);

#endif
