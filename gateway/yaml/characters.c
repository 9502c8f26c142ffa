#include "characters.h"

#include "base/text.h"

/* Unicode 15: bidirectional controls (UAX #9), zero-width and line separators, the byte order mark. */
static bool hides_text(uint32_t point)
{
    return (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2060 && point <= 0x206f) || point == 0xfeff || point == 0xad || point == 0x061c;
}

static const char *check_point(uint32_t point, bool allow_lines)
{
    bool is_line = point == '\n' || point == '\r' || point == '\t';
    if (is_line) {
        return allow_lines ? NULL : "a text must be on one line and without tabs";
    }
    if (point < 0x20 || (point >= 0x7f && point < 0xa0)) {
        return "a control character is not allowed";
    }
    return hides_text(point) ? "an invisible character that can change what a reader sees is not allowed"
                             : NULL;
}

const char *characters_check(struct cursor bytes, bool allow_lines, struct character_place *ret_place)
{
    struct character_place place = {1, 1};
    while (bytes.at != bytes.end) {
        uint32_t point = 0;
        size_t len = text_utf8(bytes, &point);
        const char *problem = len == 0 ? "this is not valid UTF-8" : check_point(point, allow_lines);
        if (problem != NULL) {
            *ret_place = place;
            return problem;
        }
        bool is_newline = point == '\n';
        place.line += is_newline ? 1 : 0;
        place.column = is_newline ? 1 : place.column + 1;
        bytes.at += len;
    }
    return NULL;
}
