/* Binary values of MySQL's parameters. Source: "Binary Protocol Value" of its protocol documentation. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "value.h"

enum {
    IS_UNSIGNED = 0x8000, /* beside the type */
    TINY = 1,
    SHORT = 2,
    LONG = 3,
    FLOAT = 4,
    DOUBLE = 5,
    TIMESTAMP = 7,
    LONGLONG = 8,
    INT24 = 9,
    DATE = 10,
    TIME = 11,
    DATETIME = 12,
    YEAR = 13,
};

static uint64_t take(struct cursor *in, size_t len_bytes)
{
    uint64_t value = 0;
    err_ignore(cursor_uint_le(in, len_bytes, &value)); /* the caller knows that they are there */
    return value;
}

/* Of integers and IEEE 754; 0 for other types. */
static size_t number_bytes(uint32_t type)
{
    static const uint8_t BYTES[] = {[TINY] = 1,   [SHORT] = 2,    [LONG] = 4,  [FLOAT] = 4,
                                    [DOUBLE] = 8, [LONGLONG] = 8, [INT24] = 4, [YEAR] = 2};
    return type < sizeof BYTES ? BYTES[type] : 0;
}

static void say_number(uint32_t type, bool is_unsigned, struct cursor bytes, char *text)
{
    size_t len = cursor_len(&bytes);
    uint64_t value = take(&bytes, len);
    if (type == FLOAT || type == DOUBLE) {
        value_say_float(value, len, text);
    } else if (is_unsigned) {
        (void)snprintf(text, REPLAY_VALUE_BYTES, "%" PRIu64, value);
    } else {
        (void)snprintf(text, REPLAY_VALUE_BYTES, "%" PRId64, value_as_signed(value, len));
    }
}

/* Hours, minutes, seconds and, where they are not zero, microseconds, as far as they are there. */
static void say_clock(struct cursor bytes, uint64_t more_hours, char *text, size_t size_bytes)
{
    enum { CLOCK_BYTES = 3, MICROSECONDS_BYTES = 4 };
    if (cursor_len(&bytes) < CLOCK_BYTES) {
        text[0] = 0;
        return;
    }
    uint64_t hours = more_hours + take(&bytes, 1);
    uint64_t minutes = take(&bytes, 1);
    uint64_t seconds = take(&bytes, 1);
    int len = snprintf(text, size_bytes, "%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64, hours, minutes, seconds);
    if (cursor_len(&bytes) >= MICROSECONDS_BYTES) {
        (void)snprintf(text + len, size_bytes - (size_t)len, ".%06" PRIu64, take(&bytes, MICROSECONDS_BYTES));
    }
}

/* What is zero at the end is left out: no bytes at all are the zero date. */
static bool say_date(struct cursor bytes, char *text)
{
    enum { NOTHING = 0, DATE_BYTES = 4, SECONDS_BYTES = 7, ALL_BYTES = 11 };
    size_t len = cursor_len(&bytes);
    if (len != NOTHING && len != DATE_BYTES && len != SECONDS_BYTES && len != ALL_BYTES) {
        return false;
    }
    uint64_t year = len == 0 ? 0 : take(&bytes, 2);
    uint64_t month = len == 0 ? 0 : take(&bytes, 1);
    uint64_t day = len == 0 ? 0 : take(&bytes, 1);
    char clock[32];
    say_clock(bytes, 0, clock, sizeof clock);
    (void)snprintf(text, REPLAY_VALUE_BYTES, "%04" PRIu64 "-%02" PRIu64 "-%02" PRIu64 "%s%s", year, month,
                   day, clock[0] == 0 ? "" : " ", clock);
    return true;
}

static bool say_time(struct cursor bytes, char *text)
{
    enum { NOTHING = 0, SECONDS_BYTES = 8, ALL_BYTES = 12, HOURS_OF_DAY = 24 };
    size_t len = cursor_len(&bytes);
    if (len != NOTHING && len != SECONDS_BYTES && len != ALL_BYTES) {
        return false;
    }
    if (len == NOTHING) {
        (void)snprintf(text, REPLAY_VALUE_BYTES, "00:00:00");
        return true;
    }
    bool is_negative = take(&bytes, 1) != 0;
    uint64_t days = take(&bytes, 4);
    char clock[48];
    say_clock(bytes, days * HOURS_OF_DAY, clock, sizeof clock);
    (void)snprintf(text, REPLAY_VALUE_BYTES, "%s%s", is_negative ? "-" : "", clock);
    return true;
}

bool value_say_mysql(uint32_t type, struct cursor bytes, char text[static REPLAY_VALUE_BYTES])
{
    uint32_t plain = type & UINT8_MAX;
    if (plain == TIMESTAMP || plain == DATE || plain == DATETIME) {
        return say_date(bytes, text);
    }
    if (plain == TIME) {
        return say_time(bytes, text);
    }
    size_t len = number_bytes(plain);
    if (len == 0 || len != cursor_len(&bytes)) {
        return false;
    }
    say_number(plain, (type & IS_UNSIGNED) != 0, bytes, text);
    return true;
}
