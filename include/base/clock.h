/* The two clocks: monotonic for deadlines and durations, wall time for what people read. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/** CLOCK_BOOTTIME: goes on while the machine sleeps, so a lease cannot be stretched by suspending. */
uint64_t clock_monotonic_us(void);
uint64_t clock_wall_us(void);
/** CLOCK_REALTIME in seconds since 1970. */
int64_t clock_wall_s(void);

enum { CLOCK_TEXT_BYTES = sizeof "2026-01-01T00:00:00.000000Z" };
/** RFC 3339 in UTC with microseconds. Returns `text`. */
const char *clock_text(uint64_t wall_us, char text[static CLOCK_TEXT_BYTES]);

#endif
