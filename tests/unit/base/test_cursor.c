#include "base/cursor.h"

#include "unit_test.h"

static void cursor_string_cut_anywhere_is_truncated(void **state)
{
    (void)state;
    static const uint8_t WIRE[] = {0, 0, 0, 3, 'a', 'b', 'c'};
    for (size_t len = 0; len < sizeof WIRE; len++) {
        struct cursor in = cursor_of(WIRE, len);
        struct cursor block;
        assert_int_equal(cursor_string(&in, 3, &block), ERR_TRUNCATED);
        assert_ptr_equal(in.at, WIRE);
    }
}

static void cursor_string_whole_is_read(void **state)
{
    (void)state;
    static const uint8_t WIRE[] = {0, 0, 0, 3, 'a', 'b', 'c'};
    struct cursor in = cursor_of(WIRE, sizeof WIRE);
    struct cursor block;
    assert_int_equal(cursor_string(&in, 3, &block), ERR_NONE);
    assert_true(cursor_equal_text(block, "abc"));
    assert_int_equal(cursor_end(&in), ERR_NONE);
}

static void cursor_string_over_limit_is_too_large(void **state)
{
    (void)state;
    static const uint8_t WIRE[] = {0, 0, 0, 3, 'a', 'b', 'c'};
    struct cursor in = cursor_of(WIRE, sizeof WIRE);
    struct cursor block;
    assert_int_equal(cursor_string(&in, 2, &block), ERR_TOO_LARGE);
    char text[3];
    assert_int_equal(cursor_text(&in, text, sizeof text), ERR_TOO_LARGE);
}

static void cursor_text_with_nul_is_malformed(void **state)
{
    (void)state;
    static const uint8_t WIRE[] = {0, 0, 0, 3, 'a', 0, 'c'};
    struct cursor in = cursor_of(WIRE, sizeof WIRE);
    char text[8];
    assert_int_equal(cursor_text(&in, text, sizeof text), ERR_MALFORMED);
}

static void cursor_integers_are_big_endian(void **state)
{
    (void)state;
    static const uint8_t WIRE[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    struct cursor in = cursor_of(WIRE, sizeof WIRE);
    uint8_t u8 = 0;
    uint16_t u16 = 0;
    uint32_t u32 = 0;
    uint64_t u64 = 0;
    assert_int_equal(cursor_u8(&in, &u8), ERR_NONE);
    assert_int_equal(cursor_u16be(&in, &u16), ERR_NONE);
    assert_int_equal(cursor_u32be(&in, &u32), ERR_NONE);
    assert_int_equal(cursor_u64be(&in, &u64), ERR_NONE);
    assert_int_equal(u8, 1);
    assert_int_equal(u16, 0x0203);
    assert_int_equal(u32, 0x04050607);
    assert_true(u64 == 0x08090a0b0c0d0e0fULL);
    assert_int_equal(cursor_end(&in), ERR_NONE);
}

static void cursor_uint_le_is_little_endian(void **state)
{
    (void)state;
    static const uint8_t WIRE[] = {1, 2, 3, 1, 2, 3, 4, 5, 6, 7, 0x88};
    struct cursor in = cursor_of(WIRE, sizeof WIRE);
    uint64_t value = 0;
    assert_int_equal(cursor_uint_le(&in, 3, &value), ERR_NONE);
    assert_int_equal(value, 0x030201);
    assert_int_equal(cursor_uint_le(&in, 8, &value), ERR_NONE);
    assert_true(value == 0x8807060504030201U);
    in = cursor_of(WIRE, 7);
    assert_int_equal(cursor_uint_le(&in, 8, &value), ERR_TRUNCATED);
    assert_int_equal(cursor_len(&in), 7);
}

static void cursor_until_nul_cut_anywhere_is_truncated(void **state)
{
    (void)state;
    static const uint8_t WIRE[] = {'a', 'b', 'c', 0, 'd'};
    struct cursor text;
    for (size_t len = 0; len < 4; len++) {
        struct cursor in = cursor_of(WIRE, len);
        assert_int_equal(cursor_until_nul(&in, 3, &text), ERR_TRUNCATED);
        assert_int_equal(cursor_len(&in), len);
    }
    struct cursor in = cursor_of(WIRE, sizeof WIRE);
    assert_int_equal(cursor_until_nul(&in, 2, &text), ERR_TOO_LARGE);
    assert_int_equal(cursor_until_nul(&in, 3, &text), ERR_NONE);
    assert_true(cursor_equal_text(text, "abc"));
    assert_int_equal(cursor_len(&in), 1);
}

static void cursor_end_with_trailing_byte_is_malformed(void **state)
{
    (void)state;
    struct cursor in = cursor_of("x", 1);
    assert_int_equal(cursor_end(&in), ERR_MALFORMED);
}

static void cursor_name_walks_a_list(void **state)
{
    (void)state;
    struct cursor in = cursor_of_text("a,bc,,d");
    static const char *const NAMES[] = {"a", "bc", "", "d"};
    struct cursor name;
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        assert_true(cursor_name(&in, &name));
        assert_true(cursor_equal_text(name, NAMES[i]));
    }
    assert_false(cursor_name(&in, &name));
}

static void cursor_words_and_lines_are_split(void **state)
{
    (void)state;
    struct cursor in = cursor_of_text(" one\t two \nthree");
    struct cursor line;
    struct cursor word;
    assert_true(cursor_line(&in, &line));
    assert_true(cursor_word(&line, &word) && cursor_equal_text(word, "one"));
    assert_true(cursor_word(&line, &word) && cursor_equal_text(word, "two"));
    assert_false(cursor_word(&line, &word));
    assert_true(cursor_line(&in, &line) && cursor_equal_text(line, "three"));
    assert_false(cursor_line(&in, &line));
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(cursor_string_cut_anywhere_is_truncated),
        cmocka_unit_test(cursor_string_whole_is_read),
        cmocka_unit_test(cursor_string_over_limit_is_too_large),
        cmocka_unit_test(cursor_text_with_nul_is_malformed),
        cmocka_unit_test(cursor_integers_are_big_endian),
        cmocka_unit_test(cursor_uint_le_is_little_endian),
        cmocka_unit_test(cursor_until_nul_cut_anywhere_is_truncated),
        cmocka_unit_test(cursor_end_with_trailing_byte_is_malformed),
        cmocka_unit_test(cursor_name_walks_a_list),
        cmocka_unit_test(cursor_words_and_lines_are_split),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
