#include "policy/calendar.h"

#include "base/text.h"

enum { DAY_S = 86400, HOUR_S = 3600, MINUTE_S = 60, WEEK = 7, THURSDAY = 4 };

int64_t calendar_day(int year, unsigned month, unsigned day)
{
    /* Years begin in March here, so that the leap day is the last one: the 153 days of five months repeat. */
    enum { ERA_YEARS = 400, ERA_DAYS = 146097, DAYS_TO_1970 = 719468 };
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - (ERA_YEARS - 1)) / ERA_YEARS;
    int64_t year_of_era = y - era * ERA_YEARS;
    int64_t day_of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * ERA_DAYS + day_of_era - DAYS_TO_1970;
}

unsigned calendar_weekday(int64_t day)
{
    int64_t weekday = (day + THURSDAY) % WEEK; /* 1970-01-01 was a Thursday */
    return (unsigned)(weekday < 0 ? weekday + WEEK : weekday);
}

static bool take_digits(struct cursor *in, size_t count, uint64_t max, uint64_t *ret)
{
    struct cursor digits;
    return cursor_bytes(in, count, &digits) == ERR_NONE && text_u64(digits, max, ret) == ERR_NONE;
}

bool calendar_take_two(struct cursor *in, unsigned max, unsigned *ret)
{
    uint64_t value = 0;
    if (!take_digits(in, 2, max, &value)) {
        return false;
    }
    *ret = (unsigned)value;
    return true;
}

static bool take_day(struct cursor *in, int64_t *ret_day)
{
    uint64_t year = 0;
    unsigned month = 0;
    unsigned day = 0;
    bool is_good = take_digits(in, 4, 9999, &year) && cursor_take(in, '-') &&
                   calendar_take_two(in, 12, &month) && cursor_take(in, '-') &&
                   calendar_take_two(in, 31, &day) && year >= 1970 && month > 0 && day > 0;
    if (!is_good) {
        return false;
    }
    int64_t next_month =
        month == 12 ? calendar_day((int)year + 1, 1, 1) : calendar_day((int)year, month + 1, 1);
    *ret_day = calendar_day((int)year, month, day);
    return *ret_day < next_month;
}

bool calendar_read_day(struct cursor text, int64_t *ret_day)
{
    int64_t day = 0;
    if (!take_day(&text, &day) || text.at != text.end) {
        return false;
    }
    *ret_day = day;
    return true;
}

/* "Z", "+01:00", "-05:30" */
static bool take_zone(struct cursor *in, int64_t *ret_s)
{
    unsigned hours = 0;
    unsigned minutes = 0;
    *ret_s = 0;
    if (cursor_take(in, 'Z')) {
        return true;
    }
    bool is_west = cursor_take(in, '-');
    bool is_good = (is_west || cursor_take(in, '+')) && calendar_take_two(in, 23, &hours) &&
                   cursor_take(in, ':') && calendar_take_two(in, 59, &minutes);
    int64_t seconds = (int64_t)hours * HOUR_S + (int64_t)minutes * MINUTE_S;
    *ret_s = is_west ? -seconds : seconds;
    return is_good;
}

bool calendar_read_time(struct cursor text, int64_t *ret_s)
{
    int64_t day = 0;
    int64_t zone_s = 0;
    unsigned hour = 0;
    unsigned minute = 0;
    unsigned second = 0;
    bool is_good = take_day(&text, &day) && cursor_take(&text, 'T') && calendar_take_two(&text, 23, &hour) &&
                   cursor_take(&text, ':') && calendar_take_two(&text, 59, &minute) &&
                   cursor_take(&text, ':') && calendar_take_two(&text, 59, &second) &&
                   take_zone(&text, &zone_s) && text.at == text.end;
    if (is_good) {
        *ret_s = day * DAY_S + (int64_t)hour * HOUR_S + (int64_t)minute * MINUTE_S + second - zone_s;
    }
    return is_good;
}
