#include "replay/moment.h"

#include "unit_test.h"

#define S UINT64_C(1000000)

static void moment_rows(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
        uint64_t wall_s;
    } ROWS[] = {
        {"1d", ERR_NONE, 2000000000 - 86400},
        {"90s", ERR_NONE, 2000000000 - 90},
        {"3650d", ERR_NONE, 2000000000 - 3650UL * 86400},
        {"1970-01-01", ERR_NONE, 0},
        {"2026-01-31", ERR_NONE, 1769817600},
        {"2026-01-31T10:30", ERR_NONE, 1769855400},
        {"2026-01-31 10:30:05", ERR_NONE, 1769855405},
        {"2026-01-31T10:30:05Z", ERR_NONE, 1769855405},
        {"2024-02-29", ERR_NONE, 1709164800},
        {"2026-02-29", ERR_MALFORMED, 0},
        {"2026-13-01", ERR_TOO_LARGE, 0},
        {"2026-00-01", ERR_MALFORMED, 0},
        {"2026-04-31", ERR_MALFORMED, 0},
        {"2026-01-31T24:00", ERR_TOO_LARGE, 0},
        {"2026-01-31T10", ERR_MALFORMED, 0},
        {"2026-01-31T10:30:05x", ERR_MALFORMED, 0},
        {"2026-01", ERR_MALFORMED, 0},
        {"", ERR_MALFORMED, 0},
        {"yesterday", ERR_MALFORMED, 0},
        {"1969-12-31", ERR_MALFORMED, 0},
        {"2026-01-31T10:30:", ERR_MALFORMED, 0},
        {"-1d", ERR_MALFORMED, 0},
        {"99999-01-01", ERR_TOO_LARGE, 0},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        uint64_t wall_us = 0;
        assert_int_equal(
            replay_moment_parse(cursor_of_text(ROWS[i].text), 2000000000 * (uint64_t)S, &wall_us),
            ROWS[i].err);
        assert_true(wall_us == ROWS[i].wall_s * S);
    }
    uint64_t wall_us = 7;
    assert_int_equal(replay_moment_parse(cursor_of_text("1d"), 5, &wall_us), ERR_NONE);
    assert_true(wall_us == 0);
}

static void offset_rows(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
        uint64_t seconds;
    } ROWS[] = {
        {"90s", ERR_NONE, 90},
        {"1:30", ERR_NONE, 90},
        {"1:02:03", ERR_NONE, 3723},
        {"5", ERR_NONE, 5},
        {"0:00", ERR_NONE, 0},
        {"1:60", ERR_TOO_LARGE, 0},
        {"1:", ERR_MALFORMED, 0},
        {":5", ERR_MALFORMED, 0},
        {"", ERR_MALFORMED, 0},
        {"x", ERR_MALFORMED, 0},
        {"1:2:3:4:5:6:7:8:9", ERR_TOO_LARGE, 0},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        uint64_t us = 0;
        assert_int_equal(replay_offset_parse(cursor_of_text(ROWS[i].text), &us), ROWS[i].err);
        assert_true(us == ROWS[i].seconds * S);
    }
}

static void permille_rows(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
        uint32_t permille;
    } ROWS[] = {
        {"1", ERR_NONE, 1000},     {"1.5", ERR_NONE, 1500},   {"0.25", ERR_NONE, 250},
        {"0.001", ERR_NONE, 1},    {"100", ERR_NONE, 100000}, {"100.001", ERR_TOO_LARGE, 0},
        {"101", ERR_TOO_LARGE, 0}, {"1.", ERR_MALFORMED, 0},  {".5", ERR_MALFORMED, 0},
        {"", ERR_MALFORMED, 0},    {"-1", ERR_MALFORMED, 0},  {"1.2345", ERR_MALFORMED, 0},
        {"1e3", ERR_MALFORMED, 0}, {"1.x", ERR_MALFORMED, 0},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        uint32_t permille = 0;
        assert_int_equal(replay_permille_parse(cursor_of_text(ROWS[i].text), 100000, &permille), ROWS[i].err);
        assert_int_equal(permille, ROWS[i].permille);
    }
}

static void texts_rows(void **state)
{
    (void)state;
    char text[REPLAY_TIME_BYTES];
    assert_string_equal(replay_offset_text(0, text), "00:00:00");
    assert_string_equal(replay_offset_text(3723 * (uint64_t)S + 999999, text), "01:02:03");
    assert_string_equal(replay_wall_text(1769855405 * (uint64_t)S, text), "2026-01-31 10:30:05");
    assert_string_equal(replay_bytes_text(0, text), "0 B");
    assert_string_equal(replay_bytes_text(1023, text), "1023 B");
    assert_string_equal(replay_bytes_text(1024, text), "1.0 KiB");
    assert_string_equal(replay_bytes_text(1572864, text), "1.5 MiB");
    assert_string_equal(replay_bytes_text(UINT64_MAX, text), "15.9 EiB");
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(moment_rows),
        cmocka_unit_test(offset_rows),
        cmocka_unit_test(permille_rows),
        cmocka_unit_test(texts_rows),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
