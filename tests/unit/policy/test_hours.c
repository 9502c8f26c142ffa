#include "../../../policy/hours.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "policy/calendar.h"
#include "policy/policy.h"
#include "unit_test.h"

static uint64_t seed = 0x2545f4914f6cdd1dU;
static uint64_t any_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static int64_t time_of(const char *text)
{
    int64_t at_s = 0;
    assert_true(calendar_read_time(cursor_of_text(text), &at_s));
    return at_s;
}

static void calendar_agrees_with_the_library(void **state)
{
    (void)state;
    for (int64_t day = 0; day < INT64_C(365) * 131; day++) {
        time_t at = day * 86400;
        struct tm utc;
        assert_non_null(gmtime_r(&at, &utc));
        assert_int_equal(calendar_day(utc.tm_year + 1900, (unsigned)utc.tm_mon + 1, (unsigned)utc.tm_mday),
                         day);
        assert_int_equal(calendar_weekday(day), utc.tm_wday);
    }
    assert_int_equal(calendar_weekday(-1), 3);
}

static void calendar_times_are_read_or_refused(void **state)
{
    (void)state;
    assert_int_equal(time_of("2026-11-23T10:00:00+01:00"), 1795424400);
    assert_int_equal(time_of("2026-11-23T09:00:00Z"), 1795424400);
    assert_int_equal(time_of("2026-11-23T03:30:00-05:30"), 1795424400);
    static const char *const BAD[] = {"",
                                      "2026-11-23",
                                      "2026-11-23T10:00:00",
                                      "2026-11-23T10:00Z",
                                      "2026-11-23 10:00:00Z",
                                      "2026-11-23T10:00:00+0100",
                                      "2026-11-23T24:00:00Z",
                                      "2026-11-23T10:60:00Z",
                                      "2026-02-29T10:00:00Z",
                                      "2026-13-01T10:00:00Z",
                                      "2026-00-01T10:00:00Z",
                                      "2026-01-00T10:00:00Z",
                                      "1969-12-31T10:00:00Z",
                                      "2026-11-23T10:00:00Zx"};
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        int64_t at_s = 0;
        if (calendar_read_time(cursor_of_text(BAD[i]), &at_s)) {
            fail_msg("%s", BAD[i]);
        }
    }
    int64_t day = 0;
    assert_true(calendar_read_day(cursor_of_text("2028-02-29"), &day));
    assert_false(calendar_read_day(cursor_of_text("2027-02-29"), &day));
    assert_false(calendar_read_day(cursor_of_text("2027-2-9"), &day));
}

/* The library reads the same files by code of its own. */
static void zone_agrees_with_the_library(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"Europe/Berlin", "America/New_York",  "Australia/Lord_Howe",
                                        "Asia/Kolkata",  "America/Sao_Paulo", "Africa/Casablanca",
                                        "Pacific/Apia",  "Etc/GMT-3",         "Europe/Dublin",
                                        "America/Nuuk",  "Asia/Gaza",         "UTC"};
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        struct arena arena = {0};
        struct zone zone;
        assert_int_equal(zone_find(&arena, cursor_of_text(NAMES[i]), &zone), ERR_NONE);
        assert_string_equal(zone.name, NAMES[i]);
        assert_int_equal(setenv("TZ", NAMES[i], 1), 0);
        tzset();
        for (unsigned j = 0; j < 4000; j++) {
            /* From 1970 to 2099, and every change to the second. */
            time_t at = (time_t)(any_number() % UINT64_C(4102444800));
            if (j < 2 * zone.count && zone.changes[j / 2].at_s > 0) {
                at = zone.changes[j / 2].at_s - (time_t)(j % 2);
            }
            struct tm local;
            assert_non_null(localtime_r(&at, &local));
            if (zone_offset_s(&zone, at) != local.tm_gmtoff && local.tm_year < 200) {
                fail_msg("%s at %lld: %d, not %ld", NAMES[i], (long long)at, zone_offset_s(&zone, at),
                         local.tm_gmtoff);
            }
        }
        arena_done(&arena);
    }
    assert_int_equal(unsetenv("TZ"), 0);
}

static void zone_names_lead_nowhere_else(void **state)
{
    (void)state;
    static const char *const BAD[] = {"",          "Europe/Berli",  "../../etc/passwd", "/etc/localtime",
                                      "Europe",    "Europe/../UTC", "Europe/Berlin\n",  "./UTC",
                                      "tzdata.zi", "Europe/Berlin/"};
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct arena arena = {0};
        struct zone zone;
        if (zone_find(&arena, cursor_of_text(BAD[i]), &zone) == ERR_NONE) {
            fail_msg("%s", BAD[i]);
        }
        arena_done(&arena);
    }
}

static void zone_damaged_files_are_refused_or_read(void **state)
{
    (void)state;
    uint8_t *file = NULL;
    size_t len = 0;
    assert_int_equal(
        fd_read_trusted_file(-1, "/usr/share/zoneinfo/Europe/Berlin", ZONE_FILE_BYTES, &file, &len),
        ERR_NONE);
    struct arena arena = {0};
    struct zone zone;
    for (size_t cut = 0; cut < len; cut++) {
        assert_true(zone_read(&arena, cursor_of(file, cut), &zone) != ERR_NONE);
    }
    for (unsigned i = 0; i < 3000; i++) {
        size_t at = any_number() % len;
        uint8_t old = file[at];
        file[at] = (uint8_t)any_number();
        enum err err = zone_read(&arena, cursor_of(file, len), &zone);
        if (err == ERR_NONE) {
            (void)zone_offset_s(&zone, 1795424400);
        }
        file[at] = old;
        arena_done(&arena);
        arena = (struct arena){0};
    }
    arena_done(&arena);
    free(file);
}

static void hours_hold_on_the_clock_of_the_zone(void **state)
{
    (void)state;
    static const struct {
        const char *hours, *at;
        bool holds;
    } ROWS[] = {
        {"Mon-Fri 08:00-20:00 Europe/Berlin", "2026-11-23T08:00:00+01:00", true},
        {"Mon-Fri 08:00-20:00 Europe/Berlin", "2026-11-23T07:59:59+01:00", false},
        {"Mon-Fri 08:00-20:00 Europe/Berlin", "2026-11-23T19:59:59+01:00", true},
        {"Mon-Fri 08:00-20:00 Europe/Berlin", "2026-11-23T20:00:00+01:00", false},
        {"Mon-Fri 08:00-20:00 Europe/Berlin", "2026-11-22T10:00:00+01:00", false},
        /* Summer: the same hour of the wall is another one of UTC. */
        {"Mon-Fri 08:00-20:00 Europe/Berlin", "2026-07-20T06:00:00Z", true},
        {"Mon-Fri 08:00-20:00 Europe/Berlin", "2026-07-20T05:59:59Z", false},
        {"Mon-Fri 08:00-20:00 Europe/Berlin", "2026-01-19T06:00:00Z", false},
        {"Mon-Fri 08:00-20:00 Europe/Berlin", "2026-01-19T07:00:00Z", true},
        /* Monday there is Sunday in UTC. */
        {"Mon 00:00-09:00 Pacific/Auckland", "2026-11-22T12:00:00Z", true},
        {"Sun 00:00-09:00 Pacific/Auckland", "2026-11-22T12:00:00Z", false},
        /* Over midnight: the span is of the day on which it begins. */
        {"Fri 22:00-06:00 UTC", "2026-11-27T22:00:00Z", true},
        {"Fri 22:00-06:00 UTC", "2026-11-28T05:59:59Z", true},
        {"Fri 22:00-06:00 UTC", "2026-11-28T06:00:00Z", false},
        {"Fri 22:00-06:00 UTC", "2026-11-27T05:00:00Z", false},
        {"Fri 22:00-06:00 UTC", "2026-11-28T22:00:00Z", false},
        {"Sat 22:00-06:00 UTC", "2026-11-29T01:00:00Z", true},
        /* 02:30 comes not at all in spring, and twice in autumn. */
        {"Sun 02:00-03:00 Europe/Berlin", "2026-03-29T00:59:59Z", false},
        {"Sun 02:00-03:00 Europe/Berlin", "2026-03-29T01:00:00Z", false},
        {"Sun 02:00-03:00 Europe/Berlin", "2026-10-25T00:30:00Z", true},
        {"Sun 02:00-03:00 Europe/Berlin", "2026-10-25T01:30:00Z", true},
        {"Sun 02:00-03:00 Europe/Berlin", "2026-10-25T02:00:00Z", false},
        {"Sat 22:00-06:00 Europe/Berlin", "2026-10-25T04:59:59Z", true},
        {"Sat 22:00-06:00 Europe/Berlin", "2026-10-25T05:00:00Z", false},
        {"daily 00:00-24:00 UTC", "2026-11-23T23:59:59Z", true},
        {"Fri-Mon 10:00-11:00 UTC", "2026-11-22T10:30:00Z", true},
        {"Fri-Mon 10:00-11:00 UTC", "2026-11-24T10:30:00Z", false},
        {"Tue,Thu-Fri 10:00-11:00 UTC", "2026-11-24T10:30:00Z", true},
        {"Tue,Thu-Fri 10:00-11:00 UTC", "2026-11-25T10:30:00Z", false},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct arena arena = {0};
        struct zone zone;
        struct hours hours;
        struct cursor name;
        assert_null(hours_read(cursor_of_text(ROWS[i].hours), &hours, &name));
        assert_int_equal(zone_find(&arena, name, &zone), ERR_NONE);
        if (hours_hold(&hours, &zone, time_of(ROWS[i].at)) != ROWS[i].holds) {
            fail_msg("%s at %s", ROWS[i].hours, ROWS[i].at);
        }
        arena_done(&arena);
    }
}

static void hours_bad_texts_are_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {"",
                                      "Mon",
                                      "Mon 08:00-20:00",
                                      "08:00-20:00 UTC",
                                      "Mon 08:00-20:00 UTC x",
                                      "mon 08:00-20:00 UTC",
                                      "Mo 08:00-20:00 UTC",
                                      "Mon- 08:00-20:00 UTC",
                                      "Mon, 08:00-20:00 UTC",
                                      "Monday 08:00-20:00 UTC",
                                      "Mon 8:00-20:00 UTC",
                                      "Mon 08:00 UTC",
                                      "Mon 08:00-24:01 UTC",
                                      "Mon 24:00-08:00 UTC",
                                      "Mon 08:00-00:00 UTC",
                                      "Mon 08:60-20:00 UTC",
                                      "Mon 08:00-08:00 UTC",
                                      "Mon 08:00-20:00x UTC"};
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct hours hours;
        struct cursor name;
        if (hours_read(cursor_of_text(BAD[i]), &hours, &name) == NULL) {
            fail_msg("%s", BAD[i]);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(calendar_agrees_with_the_library),
        cmocka_unit_test(calendar_times_are_read_or_refused),
        cmocka_unit_test(zone_agrees_with_the_library),
        cmocka_unit_test(zone_names_lead_nowhere_else),
        cmocka_unit_test(zone_damaged_files_are_refused_or_read),
        cmocka_unit_test(hours_hold_on_the_clock_of_the_zone),
        cmocka_unit_test(hours_bad_texts_are_refused),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
