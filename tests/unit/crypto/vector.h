/* Test vectors are written in hex, as their sources print them. */
#ifndef TESTS_CRYPTO_VECTOR_H
#define TESTS_CRYPTO_VECTOR_H

#include <string.h>

#include "base/text.h"
#include "unit_test.h"

enum { VECTOR_BYTES = 512 };
struct vector {
    uint8_t bytes[VECTOR_BYTES];
    size_t len;
};

static inline struct vector unhex(const char *hex)
{
    struct vector vector = {.len = strlen(hex) / 2};
    assert_true(vector.len <= VECTOR_BYTES);
    assert_int_equal(text_unhex(cursor_of_text(hex), vector.bytes, vector.len), ERR_NONE);
    return vector;
}
static inline struct cursor vector_peek(const struct vector *vector)
{
    return cursor_of(vector->bytes, vector->len);
}
static inline void assert_hex(const uint8_t *bytes, size_t len, const char *hex)
{
    struct vector wanted = unhex(hex);
    assert_int_equal(len, wanted.len);
    assert_memory_equal(bytes, wanted.bytes, len);
}

#endif
