#include "base/text.h"

#include <string.h>

#include "unit_test.h"

static void text_duration_rows(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
        uint64_t seconds;
    } ROWS[] = {
        {"90s", ERR_NONE, 90},       {"15m", ERR_NONE, 900},    {"8h", ERR_NONE, 28800},
        {"30d", ERR_NONE, 2592000},  {"0s", ERR_NONE, 0},       {"", ERR_MALFORMED, 0},
        {"h", ERR_MALFORMED, 0},     {"5", ERR_MALFORMED, 0},   {"-5m", ERR_MALFORMED, 0},
        {"1h30m", ERR_MALFORMED, 0}, {" 5m", ERR_MALFORMED, 0}, {"99999999999999999999s", ERR_TOO_LARGE, 0},
        {"3661d", ERR_TOO_LARGE, 0},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        uint64_t seconds = 0;
        assert_int_equal(text_duration_s(cursor_of_text(ROWS[i].text), &seconds), ROWS[i].err);
        assert_true(seconds == ROWS[i].seconds);
    }
}

static void text_u64_bounds(void **state)
{
    (void)state;
    uint64_t value = 7;
    assert_int_equal(text_u64(cursor_of_text("18446744073709551615"), UINT64_MAX, &value), ERR_NONE);
    assert_true(value == UINT64_MAX);
    assert_int_equal(text_u64(cursor_of_text("18446744073709551616"), UINT64_MAX, &value), ERR_TOO_LARGE);
    assert_int_equal(text_u64(cursor_of_text("22"), 22, &value), ERR_NONE);
    assert_int_equal(text_u64(cursor_of_text("23"), 22, &value), ERR_TOO_LARGE);
    assert_int_equal(text_u64(cursor_of_text("9"), 5, &value), ERR_TOO_LARGE);
    assert_int_equal(text_u64(cursor_of_text("2 "), 22, &value), ERR_MALFORMED);
}

static void text_names_rows(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool is_person, is_host, is_account;
    } ROWS[] = {
        {"alice", true, true, true},
        {"a.b-c_9", true, true, true},
        {"Alice", false, true, true},
        {"9a", false, true, false},
        {"", false, false, false},
        {"-oProxyCommand=x", false, false, false},
        {"../x", false, false, false},
        {"a b", false, false, false},
        {"2001:db8::1", false, true, false},
        {"abcdefghijklmnopqrstuvwxyzabcdef", true, true, true},
        {"abcdefghijklmnopqrstuvwxyzabcdefg", false, true, false},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct cursor name = cursor_of_text(ROWS[i].name);
        assert_int_equal(text_is_person(name), ROWS[i].is_person);
        assert_int_equal(text_is_host(name), ROWS[i].is_host);
        assert_int_equal(text_is_account(name), ROWS[i].is_account);
    }
    assert_false(text_is_person(cursor_of("ab\0c", 4)));
    assert_false(text_is_host(cursor_of("ab\0c", 4)));
}

static void text_printable_hides_what_could_act(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } ROWS[] = {
        {"plain", "plain"},
        {"a\x1b[31mb", "a?[31mb"},
        {"a\r\nb", "a??b"},
        {"caf\xc3\xa9", "caf\xc3\xa9"},
        {"\xc2\x9b"
         "31m",
         "?31m"},
        {"\xe2\x80\xa8x", "?x"},
        {"\xe2\x80\xae"
         "evil",
         "?evil"},
        {"\xff\xfe", "??"},
        {"\xc0\x80", "??"},
        {"\xed\xa0\x80", "???"},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        char text[64];
        text_printable(cursor_of_text(ROWS[i].in), text, sizeof text);
        assert_string_equal(text, ROWS[i].out);
    }
    char cut[10];
    text_printable(cursor_of_text("0123456789abcdef"), cut, sizeof cut);
    assert_string_equal(cut, "012345...");
}

static void text_hex_round_trip(void **state)
{
    (void)state;
    static const uint8_t BYTES[] = {0x00, 0x7f, 0x80, 0xff};
    char hex[9];
    assert_string_equal(text_hex(cursor_of(BYTES, sizeof BYTES), hex, sizeof hex), "007f80ff");
    uint8_t back[4];
    assert_int_equal(text_unhex(cursor_of_text("007F80ff"), back, sizeof back), ERR_NONE);
    assert_memory_equal(back, BYTES, sizeof back);
    assert_int_equal(text_unhex(cursor_of_text("007f80fg"), back, sizeof back), ERR_MALFORMED);
    assert_int_equal(text_unhex(cursor_of_text("007f80"), back, sizeof back), ERR_MALFORMED);
    assert_string_equal(text_hex(cursor_of(BYTES, sizeof BYTES), hex, 8), "");
}

static void text_begins_with_a_word_in_any_case(void **state)
{
    (void)state;
    assert_true(text_begins_with(cursor_of_text("SeLect 1"), "select"));
    assert_true(text_begins_with(cursor_of_text("x"), ""));
    assert_false(text_begins_with(cursor_of_text("selec"), "select"));
    assert_false(text_begins_with(cursor_of_text("[elect"), "{elect"));
    assert_int_equal(text_lower('Z'), 'z');
    assert_int_equal(text_lower('['), '[');
    assert_int_equal(text_lower(0xc4), 0xc4);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(text_duration_rows),  cmocka_unit_test(text_u64_bounds),
        cmocka_unit_test(text_names_rows),     cmocka_unit_test(text_printable_hides_what_could_act),
        cmocka_unit_test(text_hex_round_trip), cmocka_unit_test(text_begins_with_a_word_in_any_case),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
