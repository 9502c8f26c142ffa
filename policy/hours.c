#include "hours.h"

#include <string.h>

#include "policy/calendar.h"

enum {
    DAY_MINUTES = 1440,
    MINUTE_S = 60,
    HOUR_MINUTES = 60,
    DAY_S = 86400,
    WEEK = 7,
    EVERY_DAY = 127,
    DAY_LETTERS = 3
};

static bool take_weekday(struct cursor *in, unsigned *ret)
{
    static const char NAMES[] = "SunMonTueWedThuFriSat";
    struct cursor rest = *in;
    struct cursor name;
    if (cursor_bytes(&rest, DAY_LETTERS, &name) != ERR_NONE) {
        return false;
    }
    for (unsigned day = 0; day < WEEK; day++) {
        if (memcmp(name.at, NAMES + (size_t)day * DAY_LETTERS, DAY_LETTERS) == 0) {
            *in = rest;
            *ret = day;
            return true;
        }
    }
    return false;
}

/* "Mon-Fri", "Sat,Sun", "Fri-Mon", "daily" */
static bool read_days(struct cursor in, uint8_t *ret)
{
    if (cursor_equal_text(in, "daily")) {
        *ret = EVERY_DAY;
        return true;
    }
    *ret = 0;
    do {
        unsigned first = 0;
        if (!take_weekday(&in, &first)) {
            return false;
        }
        unsigned last = first;
        if (cursor_take(&in, '-') && !take_weekday(&in, &last)) {
            return false;
        }
        for (unsigned day = first;; day = (day + 1) % WEEK) {
            *ret = (uint8_t)(*ret | 1U << day);
            if (day == last) {
                break;
            }
        }
    } while (cursor_take(&in, ','));
    return in.at == in.end;
}

/* "08:00", and "24:00" for the end of a day */
static bool take_clock(struct cursor *in, uint16_t *ret)
{
    unsigned hour = 0;
    unsigned minute = 0;
    bool is_good = calendar_take_two(in, DAY_MINUTES / HOUR_MINUTES, &hour) && cursor_take(in, ':') &&
                   calendar_take_two(in, HOUR_MINUTES - 1, &minute);
    *ret = (uint16_t)(hour * HOUR_MINUTES + minute);
    return is_good && *ret <= DAY_MINUTES;
}

const char *hours_read(struct cursor text, struct hours *ret, struct cursor *ret_zone)
{
    struct cursor rest = text;
    struct cursor days;
    struct cursor times;
    struct cursor more;
    if (!cursor_word(&rest, &days) || !cursor_word(&rest, &times) || !cursor_word(&rest, ret_zone) ||
        cursor_word(&rest, &more)) {
        return "it must be days, times and a time zone, such as \"Mon-Fri 08:00-20:00 Europe/Berlin\"";
    }
    if (!read_days(days, &ret->days)) {
        return "its days must be such as Mon-Fri, Sat,Sun or daily";
    }
    bool is_good = take_clock(&times, &ret->from) && cursor_take(&times, '-') &&
                   take_clock(&times, &ret->to) && times.at == times.end && ret->from < DAY_MINUTES &&
                   ret->to > 0;
    if (!is_good) {
        return "its times must be such as 08:00-20:00 or 22:00-06:00";
    }
    return ret->from == ret->to ? "it begins when it ends; a whole day is 00:00-24:00" : NULL;
}

bool hours_hold(const struct hours *hours, const struct zone *zone, int64_t at_s)
{
    int64_t local_s = at_s + zone_offset_s(zone, at_s);
    int64_t day = local_s / DAY_S - (local_s % DAY_S < 0 ? 1 : 0);
    unsigned minute = (unsigned)((local_s - day * DAY_S) / MINUTE_S);
    bool is_today = (hours->days >> calendar_weekday(day) & 1) != 0;
    bool is_yesterday = (hours->days >> calendar_weekday(day - 1) & 1) != 0;
    if (hours->from < hours->to) {
        return is_today && minute >= hours->from && minute < hours->to;
    }
    return (is_today && minute >= hours->from) || (is_yesterday && minute < hours->to);
}
