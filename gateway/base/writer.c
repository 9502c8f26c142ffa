#include "base/writer.h"

#include <assert.h>
#include <string.h>

struct writer writer_of(void *memory, size_t size_bytes)
{
    uint8_t *start = memory;
    return (struct writer){start, start, size_bytes == 0 ? start : start + size_bytes, false};
}

static uint8_t *reserve(struct writer *out, size_t len_bytes)
{
    if (out->is_full || (size_t)(out->end - out->at) < len_bytes) {
        out->is_full = true;
        return NULL;
    }
    uint8_t *at = out->at;
    out->at += len_bytes;
    return at;
}

static void put_be(uint8_t *at, size_t len_bytes, uint64_t value)
{
    for (size_t i = len_bytes; i > 0; i--) {
        at[i - 1] = (uint8_t)value;
        value >>= 8;
    }
}

static void write_be(struct writer *out, size_t len_bytes, uint64_t value)
{
    uint8_t *at = reserve(out, len_bytes);
    if (at != NULL) {
        put_be(at, len_bytes, value);
    }
}

void writer_u8(struct writer *out, uint8_t value)
{
    write_be(out, 1, value);
}

void writer_bool(struct writer *out, bool value)
{
    write_be(out, 1, value ? 1 : 0);
}

void writer_u16be(struct writer *out, uint16_t value)
{
    write_be(out, 2, value);
}

void writer_u32be(struct writer *out, uint32_t value)
{
    write_be(out, 4, value);
}

void writer_u64be(struct writer *out, uint64_t value)
{
    write_be(out, 8, value);
}

void writer_uint_le(struct writer *out, size_t len_bytes, uint64_t value)
{
    assert(len_bytes >= 1 && len_bytes <= sizeof value);
    uint8_t *at = reserve(out, len_bytes);
    for (size_t i = 0; at != NULL && i < len_bytes; i++) {
        at[i] = (uint8_t)value;
        value >>= 8;
    }
}

void writer_bytes(struct writer *out, struct cursor bytes)
{
    size_t len = cursor_len(&bytes);
    uint8_t *at = reserve(out, len);
    if (at != NULL && len > 0) {
        memcpy(at, bytes.at, len);
    }
}

void writer_string(struct writer *out, struct cursor bytes)
{
    size_t len = cursor_len(&bytes);
    if (len > UINT32_MAX) {
        out->is_full = true;
        return;
    }
    writer_u32be(out, (uint32_t)len);
    writer_bytes(out, bytes);
}

void writer_text(struct writer *out, const char *text)
{
    writer_string(out, cursor_of_text(text));
}

void writer_mpint(struct writer *out, struct cursor magnitude)
{
    while (magnitude.at != magnitude.end && *magnitude.at == 0) {
        magnitude.at++;
    }
    size_t len = cursor_len(&magnitude);
    bool needs_zero = len > 0 && (*magnitude.at & 0x80) != 0;
    writer_u32be(out, (uint32_t)(len + (needs_zero ? 1 : 0)));
    if (needs_zero) {
        writer_u8(out, 0);
    }
    writer_bytes(out, magnitude);
}

uint8_t *writer_string_begin(struct writer *out)
{
    return reserve(out, 4);
}

void writer_string_end(struct writer *out, uint8_t *begin)
{
    if (!out->is_full && begin != NULL) {
        put_be(begin, 4, (uint64_t)(out->at - begin) - 4);
    }
}

enum err writer_done(const struct writer *out, struct cursor *ret_bytes)
{
    if (out->is_full) {
        return ERR_TOO_LARGE;
    }
    *ret_bytes = (struct cursor){out->start, out->at};
    return ERR_NONE;
}
