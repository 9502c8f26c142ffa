/* UTF-8 as a stream: characters may be split over any number of chunks. Source: RFC 3629, Unicode 15 section
 * 3.9 "maximal subpart" for what one replacement character stands for. */
#ifndef REPLAY_UTF8_H
#define REPLAY_UTF8_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cursor.h"

enum { REPLAY_UTF8_BYTES = 4 };
/** U+FFFD in UTF-8. */
#define REPLAY_REPLACEMENT "\xef\xbf\xbd"

/** Embedded; {0} is between characters. */
struct replay_utf8 {
    uint8_t bytes[REPLAY_UTF8_BYTES];
    uint8_t have, need;
    uint8_t low, high; /* the range that the next byte must be in */
};

enum replay_utf8_step {
    REPLAY_UTF8_MORE,      /* the byte was taken, the character goes on */
    REPLAY_UTF8_CHARACTER, /* bytes[0 .. have) is one valid character */
    REPLAY_UTF8_INVALID,   /* the byte was taken and is no UTF-8 */
    REPLAY_UTF8_BROKEN,    /* the character before ended early; the byte was not taken: give it again */
};

enum replay_utf8_step replay_utf8_put(struct replay_utf8 *utf8, uint8_t byte);
/** A character has begun and is not complete. */
bool replay_utf8_is_open(const struct replay_utf8 *utf8);
/** After REPLAY_UTF8_CHARACTER: its bytes, valid until the next put. */
struct cursor replay_utf8_bytes(const struct replay_utf8 *utf8);
/** The code point of one valid character. */
uint32_t replay_utf8_point(struct cursor character);
/** The bytes of `point` (at most 0x10ffff) are written to `ret_bytes`; returns their count. */
uint8_t replay_utf8_encode(uint32_t point, uint8_t ret_bytes[static REPLAY_UTF8_BYTES]);
/** Nothing a terminal may act upon or that turns text around: no C0, DEL, C1, line separators, bidi marks. */
bool replay_utf8_is_shown(uint32_t point);

#endif
