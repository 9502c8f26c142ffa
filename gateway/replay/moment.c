#include "replay/moment.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"

enum { SECOND_US = 1000000, OFFSET_HOURS_MAX = 24 * 366, YEAR_MAX = 9999 };

/* Digits up to `stop`, which is taken too; the end of the text stands for every `stop`. */
static enum err read_number(struct cursor *in, const char *stops, uint64_t max, uint64_t *ret_value)
{
    struct cursor digits = {in->at, in->at};
    while (digits.end != in->end && *digits.end >= '0' && *digits.end <= '9') {
        digits.end++;
    }
    in->at = digits.end;
    if (in->at != in->end) {
        if (*in->at == 0 || strchr(stops, *in->at) == NULL) {
            return ERR_MALFORMED;
        }
        in->at++;
    }
    return text_u64(digits, max, ret_value);
}

struct date {
    uint64_t year, month, day, hour, minute, second;
};

static enum err read_clock(struct cursor in, struct date *date)
{
    if (in.at != in.end && in.end[-1] == 'Z') {
        in.end--;
    }
    TRY(read_number(&in, ":", 23, &date->hour));
    TRY(read_number(&in, ":", 59, &date->minute));
    if (in.at != in.end) {
        TRY(read_number(&in, "", 59, &date->second));
    }
    return ERR_NONE;
}

static enum err read_date(struct cursor in, uint64_t *ret_wall_us)
{
    static const uint8_t DAYS[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct date date = {0};
    if (in.at == in.end || *in.at < '1' || *in.at > '9' || in.end[-1] == ':' || in.end[-1] == '-') {
        return ERR_MALFORMED;
    }
    TRY(read_number(&in, "-", YEAR_MAX, &date.year));
    TRY(read_number(&in, "-", 12, &date.month));
    TRY(read_number(&in, "T ", 31, &date.day));
    if (in.at != in.end) {
        TRY(read_clock(in, &date));
    }
    bool is_leap = date.year % 4 == 0 && (date.year % 100 != 0 || date.year % 400 == 0);
    if (date.year < 1970 || date.month == 0 || date.day == 0 || date.day > DAYS[date.month - 1] ||
        (date.month == 2 && date.day == 29 && !is_leap)) {
        return ERR_MALFORMED;
    }
    struct tm tm = {
        .tm_year = (int)date.year - 1900,
        .tm_mon = (int)date.month - 1,
        .tm_mday = (int)date.day,
        .tm_hour = (int)date.hour,
        .tm_min = (int)date.minute,
        .tm_sec = (int)date.second,
    };
    *ret_wall_us = (uint64_t)timegm(&tm) * SECOND_US;
    return ERR_NONE;
}

enum err replay_moment_parse(struct cursor text, uint64_t now_us, uint64_t *ret_wall_us)
{
    uint64_t seconds = 0;
    if (text_duration_s(text, &seconds) == ERR_NONE) {
        uint64_t ago_us = seconds * SECOND_US;
        *ret_wall_us = now_us > ago_us ? now_us - ago_us : 0;
        return ERR_NONE;
    }
    return read_date(text, ret_wall_us);
}

enum err replay_offset_parse(struct cursor text, uint64_t *ret_us)
{
    uint64_t seconds = 0;
    if (text_duration_s(text, &seconds) == ERR_NONE) {
        *ret_us = seconds * SECOND_US;
        return ERR_NONE;
    }
    if (text.at == text.end || text.end[-1] == ':') {
        return ERR_MALFORMED;
    }
    uint64_t total = 0;
    bool is_first = true;
    while (text.at != text.end) {
        uint64_t part = 0;
        TRY(read_number(&text, ":", is_first ? OFFSET_HOURS_MAX : 59, &part));
        if (total > (uint64_t)OFFSET_HOURS_MAX * 60) {
            return ERR_TOO_LARGE;
        }
        total = total * 60 + part;
        is_first = false;
    }
    *ret_us = total * SECOND_US;
    return ERR_NONE;
}

enum err replay_permille_parse(struct cursor text, uint32_t max, uint32_t *ret_permille)
{
    if (text.at == text.end || text.end[-1] == '.') {
        return ERR_MALFORMED;
    }
    uint64_t whole = 0;
    uint64_t thousandths = 0;
    TRY(read_number(&text, ".", max / 1000, &whole));
    size_t digits = cursor_len(&text);
    if (digits > 3) {
        return ERR_MALFORMED;
    }
    if (digits > 0) {
        TRY(text_u64(text, 999, &thousandths));
        for (; digits < 3; digits++) {
            thousandths *= 10;
        }
    }
    uint64_t permille = whole * 1000 + thousandths;
    if (permille > max) {
        return ERR_TOO_LARGE;
    }
    *ret_permille = (uint32_t)permille;
    return ERR_NONE;
}

const char *replay_offset_text(uint64_t us, char text[static REPLAY_TIME_BYTES])
{
    uint64_t s = us / SECOND_US;
    (void)snprintf(text, REPLAY_TIME_BYTES, "%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64, s / 3600, s / 60 % 60,
                   s % 60);
    return text;
}

const char *replay_wall_text(uint64_t wall_us, char text[static REPLAY_TIME_BYTES])
{
    char exact[CLOCK_TEXT_BYTES];
    (void)clock_text(wall_us, exact);
    (void)snprintf(text, REPLAY_TIME_BYTES, "%.19s", exact);
    char *separator = strchr(text, 'T');
    if (separator != NULL) {
        *separator = ' ';
    }
    return text;
}

const char *replay_bytes_text(uint64_t bytes, char text[static REPLAY_TIME_BYTES])
{
    static const char *const UNITS[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        (void)snprintf(text, REPLAY_TIME_BYTES, "%" PRIu64 " B", bytes);
        return text;
    }
    size_t unit = 0;
    uint64_t tenths = bytes > UINT64_MAX / 10 ? bytes / 1024 * 10 : bytes * 10 / 1024;
    for (; tenths >= 10240 && unit + 1 < sizeof UNITS / sizeof UNITS[0]; unit++) {
        tenths /= 1024;
    }
    (void)snprintf(text, REPLAY_TIME_BYTES, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10,
                   UNITS[unit]);
    return text;
}
