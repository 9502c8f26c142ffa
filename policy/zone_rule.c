#include "zone_rule.h"

#include "base/text.h"
#include "policy/calendar.h"

enum { HOUR_S = 3600, DAY_S = 86400, HOURS_MAX = 167, WEEK = 7 };

/* "M3.5.0/2": the last (5) Sunday (0) of March (3), at 2 o'clock of the time that holds until then. */
struct turn {
    unsigned month, week, day;
    int32_t time_s;
};

struct rule {
    int32_t standard_s, summer_s; /* offsets to UTC */
    bool has_summer;
    struct turn start, end; /* of summer time */
};

static bool read_number(struct cursor *in, uint64_t max, unsigned *ret)
{
    struct cursor digits = {in->at, in->at};
    uint64_t value = 0;
    while (digits.end != in->end && *digits.end >= '0' && *digits.end <= '9') {
        digits.end++;
    }
    if (text_u64(digits, max, &value) != ERR_NONE) {
        return false;
    }
    in->at = digits.end;
    *ret = (unsigned)value;
    return true;
}

/* Three letters or more, or anything in <>. */
static bool skip_name(struct cursor *in)
{
    enum { NAME_MIN = 3 };
    size_t len = 0;
    bool is_quoted = cursor_take(in, '<');
    for (; in->at != in->end; in->at++, len++) {
        bool is_letter = (*in->at >= 'a' && *in->at <= 'z') || (*in->at >= 'A' && *in->at <= 'Z');
        if (is_quoted ? *in->at == '>' : !is_letter) {
            break;
        }
    }
    return len >= NAME_MIN && (!is_quoted || cursor_take(in, '>'));
}

/* "[+-]hh[:mm[:ss]]" */
static bool read_time(struct cursor *in, int32_t *ret_s)
{
    bool is_negative = cursor_take(in, '-');
    if (!is_negative) {
        (void)cursor_take(in, '+');
    }
    unsigned parts[3] = {0, 0, 0};
    const unsigned most[3] = {HOURS_MAX, 59, 59};
    for (size_t i = 0; i < 3 && (i == 0 || cursor_take(in, ':')); i++) {
        if (!read_number(in, most[i], &parts[i])) {
            return false;
        }
    }
    int32_t seconds = (int32_t)(parts[0] * HOUR_S + parts[1] * 60 + parts[2]);
    *ret_s = is_negative ? -seconds : seconds;
    return true;
}

static bool read_turn(struct cursor *in, struct turn *ret)
{
    *ret = (struct turn){.time_s = 2 * HOUR_S};
    bool is_good = cursor_take(in, ',') && cursor_take(in, 'M') && read_number(in, 12, &ret->month) &&
                   cursor_take(in, '.') && read_number(in, 5, &ret->week) && cursor_take(in, '.') &&
                   read_number(in, WEEK - 1, &ret->day);
    return is_good && ret->month > 0 && ret->week > 0 &&
           (!cursor_take(in, '/') || read_time(in, &ret->time_s));
}

static bool read_rule(struct cursor in, struct rule *ret)
{
    int32_t west_s = 0; /* POSIX counts to the west */
    *ret = (struct rule){0};
    if (!skip_name(&in) || !read_time(&in, &west_s)) {
        return false;
    }
    ret->standard_s = -west_s;
    if (in.at == in.end) {
        return true;
    }
    ret->has_summer = true;
    ret->summer_s = ret->standard_s + HOUR_S;
    if (!skip_name(&in)) {
        return false;
    }
    if (in.at != in.end && *in.at != ',') {
        if (!read_time(&in, &west_s)) {
            return false;
        }
        ret->summer_s = -west_s;
    }
    return read_turn(&in, &ret->start) && read_turn(&in, &ret->end) && in.at == in.end;
}

/* The day of a turn in a year, as local seconds since 1970. */
static int64_t turn_s(const struct turn *turn, int year)
{
    int64_t first = calendar_day(year, turn->month, 1);
    int64_t day =
        first + (turn->day + WEEK - calendar_weekday(first)) % WEEK + (int64_t)(turn->week - 1) * WEEK;
    int64_t next_month =
        turn->month == 12 ? calendar_day(year + 1, 1, 1) : calendar_day(year, turn->month + 1, 1);
    while (day >= next_month) {
        day -= WEEK; /* week 5 is the last one */
    }
    return day * DAY_S + turn->time_s;
}

static void append(struct zone *zone, struct zone_change change)
{
    if (zone->count == 0 || change.at_s > zone->changes[zone->count - 1].at_s) {
        zone->changes[zone->count++] = change;
    }
}

enum err zone_rule_append(struct cursor rule, struct zone *zone)
{
    struct rule read;
    if (cursor_len(&rule) == 0) {
        return ERR_NONE; /* RFC 9636 section 3.3: nothing is said about the future */
    }
    if (!read_rule(rule, &read)) {
        return ERR_MALFORMED;
    }
    for (int year = ZONE_RULE_FIRST_YEAR; read.has_summer && year <= ZONE_LAST_YEAR; year++) {
        struct zone_change start = {turn_s(&read.start, year) - read.standard_s, read.summer_s};
        struct zone_change end = {turn_s(&read.end, year) - read.summer_s, read.standard_s};
        bool is_north = start.at_s < end.at_s;
        append(zone, is_north ? start : end);
        append(zone, is_north ? end : start);
    }
    return ERR_NONE;
}
