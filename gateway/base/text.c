#include "base/text.h"

#include <string.h>

enum { PERSON_MAX = 32, HOST_MAX = 253, ACCOUNT_MAX = 32 };

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(uint8_t c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_letter(uint8_t c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

enum err text_u64(struct cursor digits, uint64_t max, uint64_t *ret_value)
{
    if (cursor_len(&digits) == 0) {
        return ERR_MALFORMED;
    }
    uint64_t value = 0;
    for (; digits.at != digits.end; digits.at++) {
        if (!is_digit(*digits.at)) {
            return ERR_MALFORMED;
        }
        uint64_t digit = (uint64_t)*digits.at - '0';
        if (value > (max - digit) / 10 || digit > max) {
            return ERR_TOO_LARGE;
        }
        value = value * 10 + digit;
    }
    *ret_value = value;
    return ERR_NONE;
}

struct unit {
    const char *name;
    uint64_t factor;
};

/* Digits, then one of `units`, a table that a NULL name ends. */
static enum err number_with_unit(struct cursor text, const struct unit *units, uint64_t max, uint64_t *ret)
{
    struct cursor digits = {text.at, text.at};
    while (digits.end != text.end && is_digit(*digits.end)) {
        digits.end++;
    }
    struct cursor name = {digits.end, text.end};
    for (; units->name != NULL; units++) {
        if (cursor_equal_text(name, units->name)) {
            uint64_t value = 0;
            TRY(text_u64(digits, max / units->factor, &value));
            *ret = value * units->factor;
            return ERR_NONE;
        }
    }
    return ERR_MALFORMED;
}

enum err text_duration_s(struct cursor text, uint64_t *ret_seconds)
{
    static const struct unit UNITS[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {NULL, 0}};
    return number_with_unit(text, UNITS, (uint64_t)3660 * 86400, ret_seconds);
}

enum err text_size_bytes(struct cursor text, uint64_t *ret_bytes)
{
    static const struct unit UNITS[] = {
        {"", 1}, {"KiB", 1u << 10}, {"MiB", 1u << 20}, {"GiB", 1u << 30}, {NULL, 0}};
    return number_with_unit(text, UNITS, (uint64_t)1 << 50, ret_bytes);
}

const char *text_hex(struct cursor bytes, char *ret_hex, size_t size_bytes)
{
    static const char DIGITS[] = "0123456789abcdef";
    size_t len = cursor_len(&bytes);
    if (size_bytes / 2 < len || size_bytes < len * 2 + 1) {
        ret_hex[0] = 0;
        return ret_hex;
    }
    for (size_t i = 0; i < len; i++) {
        ret_hex[2 * i] = DIGITS[bytes.at[i] >> 4];
        ret_hex[2 * i + 1] = DIGITS[bytes.at[i] & 15];
    }
    ret_hex[2 * len] = 0;
    return ret_hex;
}

static int hex_value(uint8_t c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

enum err text_unhex(struct cursor hex, uint8_t *ret_bytes, size_t len_bytes)
{
    if (cursor_len(&hex) != 2 * len_bytes) {
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < len_bytes; i++) {
        int high = hex_value(hex.at[2 * i]);
        int low = hex_value(hex.at[2 * i + 1]);
        if (high < 0 || low < 0) {
            return ERR_MALFORMED;
        }
        ret_bytes[i] = (uint8_t)(high << 4 | low);
    }
    return ERR_NONE;
}

uint8_t text_lower(uint8_t letter)
{
    return letter >= 'A' && letter <= 'Z' ? (uint8_t)(letter + ('a' - 'A')) : letter;
}

bool text_begins_with(struct cursor text, const char *word)
{
    for (; *word != 0; word++, text.at++) {
        if (text.at == text.end || text_lower(*text.at) != (uint8_t)*word) {
            return false;
        }
    }
    return true;
}

bool text_is_person(struct cursor name)
{
    size_t len = cursor_len(&name);
    if (len == 0 || len > PERSON_MAX || !is_lower(*name.at)) {
        return false;
    }
    for (; name.at != name.end; name.at++) {
        if (!is_lower(*name.at) && !is_digit(*name.at) && strchr("._-", *name.at) == NULL) {
            return false;
        }
        if (*name.at == 0) {
            return false; /* strchr finds the NUL that ends its text */
        }
    }
    return true;
}

static bool is_made_of(struct cursor name, const char *others)
{
    for (; name.at != name.end; name.at++) {
        bool is_other = *name.at != 0 && strchr(others, *name.at) != NULL;
        if (!is_letter(*name.at) && !is_digit(*name.at) && !is_other) {
            return false;
        }
    }
    return true;
}

bool text_is_host(struct cursor name)
{
    size_t len = cursor_len(&name);
    return len > 0 && len <= HOST_MAX && *name.at != '-' && *name.at != '.' && is_made_of(name, ".:_-");
}

bool text_is_account(struct cursor name)
{
    size_t len = cursor_len(&name);
    return len > 0 && len <= ACCOUNT_MAX && (is_letter(*name.at) || *name.at == '_') &&
           is_made_of(name, "._-");
}

size_t text_utf8(struct cursor in, uint32_t *ret_point)
{
    if (in.at == in.end) {
        return 0;
    }
    uint8_t lead = *in.at;
    size_t len = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || cursor_len(&in) < len) {
        return 0;
    }
    uint32_t point = len == 1 ? lead : lead & (0xffU >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((in.at[i] & 0xc0) != 0x80) {
            return 0;
        }
        point = point << 6 | (in.at[i] & 0x3fU);
    }
    bool is_overlong = (len == 3 && point < 0x800) || (len == 4 && point < 0x10000);
    bool is_surrogate = point >= 0xd800 && point <= 0xdfff;
    if (is_overlong || is_surrogate || point > 0x10ffff) {
        return 0;
    }
    *ret_point = point;
    return len;
}

static bool is_harmless(struct cursor sequence)
{
    static const uint8_t LINE_SEPARATORS[] = {0xe2, 0x80}; /* U+2028, U+2029 and the bidi marks nearby */
    uint8_t lead = *sequence.at;
    size_t len = cursor_len(&sequence);
    if (len == 1) {
        return lead >= 0x20 && lead != 0x7f;
    }
    if (len == 2 && lead == 0xc2 && sequence.at[1] < 0xa0) {
        return false; /* C1 controls */
    }
    bool is_general = len == 3 && memcmp(sequence.at, LINE_SEPARATORS, 2) == 0;
    return !is_general || (sequence.at[2] >= 0x90 && sequence.at[2] < 0xa8);
}

void text_printable(struct cursor bytes, char *ret_text, size_t size_bytes)
{
    static const char CUT[] = "...";
    if (size_bytes < sizeof CUT) {
        if (size_bytes > 0) {
            ret_text[0] = 0;
        }
        return;
    }
    struct cursor out = cursor_of(ret_text, size_bytes - sizeof CUT);
    size_t used = 0;
    while (bytes.at != bytes.end) {
        uint32_t point = 0;
        size_t len = text_utf8(bytes, &point);
        struct cursor sequence = {bytes.at, bytes.at + (len == 0 ? 1 : len)};
        bool is_shown = len > 0 && is_harmless(sequence);
        size_t needed = is_shown ? len : 1;
        if (used + needed > cursor_len(&out)) {
            memcpy(ret_text + used, CUT, sizeof CUT);
            return;
        }
        memcpy(ret_text + used, is_shown ? sequence.at : (const uint8_t *)"?", needed);
        used += needed;
        bytes.at = sequence.end;
    }
    ret_text[used] = 0;
}
