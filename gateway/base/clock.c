#include "base/clock.h"

#include <stdio.h>
#include <time.h>

enum { US_PER_S = 1000000, NS_PER_US = 1000 };

static uint64_t read_us(clockid_t id)
{
    struct timespec now = {0};
    (void)clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * US_PER_S + (uint64_t)now.tv_nsec / NS_PER_US;
}

uint64_t clock_monotonic_us(void)
{
    return read_us(CLOCK_BOOTTIME);
}

uint64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t clock_wall_s(void)
{
    return (int64_t)(clock_wall_us() / US_PER_S);
}

const char *clock_text(uint64_t wall_us, char text[static CLOCK_TEXT_BYTES])
{
    time_t seconds = (time_t)(wall_us / US_PER_S);
    struct tm utc = {0};
    if (gmtime_r(&seconds, &utc) == NULL || utc.tm_year > 9999 - 1900) {
        text[0] = 0;
        return text;
    }
    char whole[CLOCK_TEXT_BYTES];
    size_t len = strftime(whole, sizeof whole, "%Y-%m-%dT%H:%M:%S", &utc);
    whole[len] = 0;
    (void)snprintf(text, CLOCK_TEXT_BYTES, "%.19s.%06uZ", whole, (unsigned)(wall_us % US_PER_S));
    return text;
}
