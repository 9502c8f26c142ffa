#include "replay/utf8.h"

/* RFC 3629 section 4: the second byte is what excludes overlong forms, surrogates and values over 10FFFF. */
static bool begin(struct replay_utf8 *utf8, uint8_t byte)
{
    if (byte < 0xc2 || byte > 0xf4) {
        return false;
    }
    utf8->need = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    utf8->low = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
    utf8->high = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
    utf8->bytes[0] = byte;
    utf8->have = 1;
    return true;
}

bool replay_utf8_is_open(const struct replay_utf8 *utf8)
{
    return utf8->have < utf8->need;
}

enum replay_utf8_step replay_utf8_put(struct replay_utf8 *utf8, uint8_t byte)
{
    if (!replay_utf8_is_open(utf8)) {
        if (byte < 0x80) {
            utf8->bytes[0] = byte;
            utf8->have = utf8->need = 1;
            return REPLAY_UTF8_CHARACTER;
        }
        return begin(utf8, byte) ? REPLAY_UTF8_MORE : REPLAY_UTF8_INVALID;
    }
    if (byte < utf8->low || byte > utf8->high) {
        utf8->have = utf8->need = 0;
        return REPLAY_UTF8_BROKEN;
    }
    utf8->bytes[utf8->have++] = byte;
    utf8->low = 0x80;
    utf8->high = 0xbf;
    return replay_utf8_is_open(utf8) ? REPLAY_UTF8_MORE : REPLAY_UTF8_CHARACTER;
}

struct cursor replay_utf8_bytes(const struct replay_utf8 *utf8)
{
    return cursor_of(utf8->bytes, utf8->have);
}

uint32_t replay_utf8_point(struct cursor character)
{
    size_t len = cursor_len(&character);
    if (len == 0) {
        return 0;
    }
    uint32_t point = len == 1 ? *character.at : *character.at & (0xffU >> (len + 1));
    for (character.at++; character.at != character.end; character.at++) {
        point = point << 6 | (*character.at & 0x3fU);
    }
    return point;
}

uint8_t replay_utf8_encode(uint32_t point, uint8_t ret_bytes[static REPLAY_UTF8_BYTES])
{
    if (point < 0x80) {
        ret_bytes[0] = (uint8_t)point;
        return 1;
    }
    uint8_t len = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (uint8_t i = (uint8_t)(len - 1); i > 0; i--) {
        ret_bytes[i] = (uint8_t)(0x80U | (point & 0x3fU));
        point >>= 6;
    }
    static const uint8_t LEADS[REPLAY_UTF8_BYTES + 1] = {0, 0, 0xc0, 0xe0, 0xf0};
    ret_bytes[0] = (uint8_t)(LEADS[len] | point);
    return len;
}

bool replay_utf8_is_shown(uint32_t point)
{
    bool is_control = point < 0x20 || (point >= 0x7f && point < 0xa0);
    bool is_mark = point == 0x061c || point == 0x200e || point == 0x200f ||
                   (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
    bool is_character = point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
    return is_character && !is_control && !is_mark;
}
