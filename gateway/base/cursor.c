#include "base/cursor.h"

#include <assert.h>
#include <string.h>

struct cursor cursor_of(const void *bytes, size_t len_bytes)
{
    const uint8_t *at = bytes;
    /* NULL + 0 is undefined before C2Y, and an empty cursor is a normal value here. */
    return (struct cursor){at, len_bytes == 0 ? at : at + len_bytes};
}

struct cursor cursor_of_text(const char *text)
{
    return cursor_of(text, strlen(text));
}

size_t cursor_len(const struct cursor *in)
{
    return in->at == in->end ? 0 : (size_t)(in->end - in->at);
}

enum err cursor_bytes(struct cursor *in, size_t len_bytes, struct cursor *ret_block)
{
    if (cursor_len(in) < len_bytes) {
        return ERR_TRUNCATED;
    }
    *ret_block = cursor_of(in->at, len_bytes);
    in->at = ret_block->end;
    return ERR_NONE;
}

static enum err read_be(struct cursor *in, size_t len_bytes, uint64_t *ret_value)
{
    struct cursor block;
    TRY(cursor_bytes(in, len_bytes, &block));
    uint64_t value = 0;
    while (block.at != block.end) {
        value = value << 8 | *block.at++;
    }
    *ret_value = value;
    return ERR_NONE;
}

enum err cursor_u8(struct cursor *in, uint8_t *ret_value)
{
    uint64_t value = 0;
    TRY(read_be(in, 1, &value));
    *ret_value = (uint8_t)value;
    return ERR_NONE;
}

enum err cursor_u16be(struct cursor *in, uint16_t *ret_value)
{
    uint64_t value = 0;
    TRY(read_be(in, 2, &value));
    *ret_value = (uint16_t)value;
    return ERR_NONE;
}

enum err cursor_u32be(struct cursor *in, uint32_t *ret_value)
{
    uint64_t value = 0;
    TRY(read_be(in, 4, &value));
    *ret_value = (uint32_t)value;
    return ERR_NONE;
}

enum err cursor_u64be(struct cursor *in, uint64_t *ret_value)
{
    return read_be(in, 8, ret_value);
}

enum err cursor_uint_le(struct cursor *in, size_t len_bytes, uint64_t *ret_value)
{
    assert(len_bytes >= 1 && len_bytes <= sizeof *ret_value);
    struct cursor block;
    TRY(cursor_bytes(in, len_bytes, &block));
    uint64_t value = 0;
    for (size_t i = len_bytes; i > 0; i--) {
        value = value << 8 | block.at[i - 1];
    }
    *ret_value = value;
    return ERR_NONE;
}

enum err cursor_until_nul(struct cursor *in, size_t max_bytes, struct cursor *ret_text)
{
    size_t len = cursor_len(in);
    const uint8_t *nul = len == 0 ? NULL : memchr(in->at, 0, len <= max_bytes ? len : max_bytes + 1);
    if (nul == NULL) {
        return len > max_bytes ? ERR_TOO_LARGE : ERR_TRUNCATED;
    }
    *ret_text = cursor_of(in->at, (size_t)(nul - in->at));
    in->at = nul + 1;
    return ERR_NONE;
}

enum err cursor_bool(struct cursor *in, bool *ret_value)
{
    uint8_t value = 0;
    TRY(cursor_u8(in, &value));
    *ret_value = value != 0;
    return ERR_NONE;
}

enum err cursor_string(struct cursor *in, size_t max_bytes, struct cursor *ret_block)
{
    struct cursor probe = *in;
    uint32_t len = 0;
    TRY(cursor_u32be(&probe, &len));
    if (len > max_bytes) {
        return ERR_TOO_LARGE;
    }
    struct cursor block;
    TRY(cursor_bytes(&probe, len, &block));
    *in = probe;
    *ret_block = block;
    return ERR_NONE;
}

enum err cursor_text(struct cursor *in, char *ret_text, size_t size_bytes)
{
    struct cursor probe = *in;
    struct cursor block;
    TRY(cursor_string(&probe, size_bytes - 1, &block));
    size_t len = cursor_len(&block);
    if (len > 0 && memchr(block.at, 0, len) != NULL) {
        return ERR_MALFORMED;
    }
    if (len > 0) {
        memcpy(ret_text, block.at, len);
    }
    ret_text[len] = 0;
    *in = probe;
    return ERR_NONE;
}

enum err cursor_end(const struct cursor *in)
{
    return cursor_len(in) == 0 ? ERR_NONE : ERR_MALFORMED;
}

bool cursor_equal(struct cursor a, struct cursor b)
{
    size_t len = cursor_len(&a);
    return len == cursor_len(&b) && (len == 0 || memcmp(a.at, b.at, len) == 0);
}

bool cursor_equal_text(struct cursor a, const char *text)
{
    return cursor_equal(a, cursor_of_text(text));
}

/* Take everything up to `stop`, and `stop` itself. */
static bool take_until(struct cursor *in, uint8_t stop, struct cursor *ret_part)
{
    size_t len = cursor_len(in);
    if (len == 0) {
        return false;
    }
    const uint8_t *found = memchr(in->at, stop, len);
    *ret_part = (struct cursor){in->at, found != NULL ? found : in->end};
    in->at = found != NULL ? found + 1 : in->end;
    return true;
}

bool cursor_take(struct cursor *in, char c)
{
    bool is_there = in->at != in->end && *in->at == (uint8_t)c;
    in->at += is_there ? 1 : 0;
    return is_there;
}

bool cursor_name(struct cursor *in, struct cursor *ret_name)
{
    return take_until(in, ',', ret_name);
}

bool cursor_line(struct cursor *in, struct cursor *ret_line)
{
    return take_until(in, '\n', ret_line);
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

bool cursor_word(struct cursor *in, struct cursor *ret_word)
{
    while (in->at != in->end && is_blank(*in->at)) {
        in->at++;
    }
    if (in->at == in->end) {
        return false;
    }
    ret_word->at = in->at;
    while (in->at != in->end && !is_blank(*in->at)) {
        in->at++;
    }
    ret_word->end = in->at;
    return true;
}
