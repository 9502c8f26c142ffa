/* Time zones of the system's tz database (IANA), read once when a policy is loaded: deciding reads memory
 * only. Sources: RFC 9636 (TZif), POSIX.1-2017 section 8.3 (the TZ text at the end of such a file). */
#ifndef POLICY_ZONE_H
#define POLICY_ZONE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

enum {
    ZONE_NAME_BYTES = 64,
    ZONE_FILE_BYTES = 65536, /* the largest of today's has 3.5 KiB */
    ZONE_LAST_YEAR = 2100,   /* how far the rule for the future is written out */
};

/** From `at_s` on the local time is UTC plus `offset_s`. */
struct zone_change {
    int64_t at_s;
    int32_t offset_s;
};
/** Borrowed from the arena that it was read into. */
struct zone {
    const char *name;
    int32_t first_offset_s; /* before the first change */
    struct zone_change *changes;
    size_t count;
};

/** Find a zone by name ("Europe/Berlin"; "UTC" needs no file).
 *  @return ERR_NOT_FOUND when the system does not know it or the name cannot be one; ERR_MALFORMED when its
 * file cannot be understood; ERR_MEMORY; as fd_read_trusted_file() */
MUST_CHECK enum err zone_find(struct arena *arena, struct cursor name, struct zone *ret);
/** Read the bytes of one file. @return ERR_TRUNCATED; ERR_MALFORMED; ERR_MEMORY. */
MUST_CHECK enum err zone_read(struct arena *arena, struct cursor file, struct zone *ret);
/** Seconds to add to UTC. */
int32_t zone_offset_s(const struct zone *zone, int64_t at_s);

#endif
