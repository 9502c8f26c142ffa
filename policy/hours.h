/* Working hours of a rule: "Mon-Fri 08:00-20:00 Europe/Berlin". Local time is what a clock on the wall there
 * shows, so the hour that comes twice in autumn counts both times. */
#ifndef POLICY_HOURS_H
#define POLICY_HOURS_H

#include "zone.h"

struct hours {
    uint8_t days;       /* bit 1 << weekday on which it begins, 0 is Sunday */
    uint16_t from, to;  /* minutes of the day; `to` up to 1440, and not after `from`: until the next day */
    uint32_t zone;      /* number in the policy */
    struct cursor text; /* as the file says it */
};

/** Read days and times. @param ret_zone  the name of the zone
 *  @return NULL, or why it is none (a sentence fragment) */
const char *hours_read(struct cursor text, struct hours *ret, struct cursor *ret_zone);
bool hours_hold(const struct hours *hours, const struct zone *zone, int64_t at_s);

#endif
