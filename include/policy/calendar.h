/* Days and times as people write them (ISO 8601, RFC 3339). */
#ifndef POLICY_CALENDAR_H
#define POLICY_CALENDAR_H

#include <stdint.h>

#include "base/cursor.h"

/** Days since 1970-01-01. @param month, day  from 1 */
int64_t calendar_day(int year, unsigned month, unsigned day);
/** 0 is Sunday. */
unsigned calendar_weekday(int64_t day);
/** "2026-12-31". @return false when it is no such day. */
bool calendar_read_day(struct cursor text, int64_t *ret_day);
/** "2026-11-23T10:00:00+01:00", "...Z": seconds since 1970. @return false when it is no such time. */
bool calendar_read_time(struct cursor text, int64_t *ret_s);
/** Two digits at the front, at most `max`; they are taken. */
bool calendar_take_two(struct cursor *in, unsigned max, unsigned *ret);

#endif
