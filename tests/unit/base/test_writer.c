#include "base/writer.h"

#include "unit_test.h"

static void writer_overflow_is_sticky(void **state)
{
    (void)state;
    uint8_t memory[6];
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor bytes;
    writer_u32be(&out, 1);
    writer_u32be(&out, 2);
    writer_u8(&out, 3);
    assert_int_equal(writer_done(&out, &bytes), ERR_TOO_LARGE);
    assert_int_equal(out.at - out.start, 4);
}

static void writer_fields_are_big_endian(void **state)
{
    (void)state;
    uint8_t memory[64];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u8(&out, 1);
    writer_u16be(&out, 0x0203);
    writer_text(&out, "ab");
    uint8_t *begin = writer_string_begin(&out);
    writer_bool(&out, true);
    writer_string_end(&out, begin);
    struct cursor bytes;
    assert_int_equal(writer_done(&out, &bytes), ERR_NONE);
    static const uint8_t WANT[] = {1, 2, 3, 0, 0, 0, 2, 'a', 'b', 0, 0, 0, 1, 1};
    assert_true(cursor_equal(bytes, cursor_of(WANT, sizeof WANT)));
}

static void writer_uint_le_is_little_endian(void **state)
{
    (void)state;
    uint8_t memory[6];
    struct writer out = writer_of(memory, sizeof memory);
    writer_uint_le(&out, 3, 0x11030201);
    writer_uint_le(&out, 3, 4);
    struct cursor bytes;
    assert_int_equal(writer_done(&out, &bytes), ERR_NONE);
    static const uint8_t WANT[] = {1, 2, 3, 4, 0, 0};
    assert_true(cursor_equal(bytes, cursor_of(WANT, sizeof WANT)));
    writer_uint_le(&out, 1, 5);
    assert_int_equal(writer_done(&out, &bytes), ERR_TOO_LARGE);
}

static void writer_mpint_rows(void **state)
{
    (void)state;
    /* RFC 4251 section 5, the positive examples of mpint */
    static const struct {
        uint8_t in[9], out[14];
        size_t in_len, out_len;
    } ROWS[] = {
        {{0}, {0, 0, 0, 0}, 1, 4},
        {{0x09, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7},
         {0, 0, 0, 8, 0x09, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7},
         8,
         12},
        {{0x80}, {0, 0, 0, 2, 0x00, 0x80}, 1, 6},
        {{0, 0, 0x80}, {0, 0, 0, 2, 0x00, 0x80}, 3, 6},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        uint8_t memory[64];
        struct writer out = writer_of(memory, sizeof memory);
        writer_mpint(&out, cursor_of(ROWS[i].in, ROWS[i].in_len));
        struct cursor bytes;
        assert_int_equal(writer_done(&out, &bytes), ERR_NONE);
        assert_true(cursor_equal(bytes, cursor_of(ROWS[i].out, ROWS[i].out_len)));
    }
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(writer_overflow_is_sticky),
        cmocka_unit_test(writer_fields_are_big_endian),
        cmocka_unit_test(writer_uint_le_is_little_endian),
        cmocka_unit_test(writer_mpint_rows),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
