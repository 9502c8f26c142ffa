/* Times as operators write and read them. */
#ifndef REPLAY_MOMENT_H
#define REPLAY_MOMENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"

/** "1d" (so long ago), "2026-01-31", "2026-01-31T10:30", "2026-01-31 10:30:00Z"; always UTC.
 *  @param now_us  wall time
 *  @return ERR_MALFORMED; ERR_TOO_LARGE. */
MUST_CHECK enum err replay_moment_parse(struct cursor text, uint64_t now_us, uint64_t *ret_wall_us);
/** A place in a recording: "90s", "15m", "1:30", "1:02:03". Same errors. */
MUST_CHECK enum err replay_offset_parse(struct cursor text, uint64_t *ret_us);
/** "1.5", "2", "0.25" as thousandths. @return ERR_MALFORMED; ERR_TOO_LARGE over `max`. */
MUST_CHECK enum err replay_permille_parse(struct cursor text, uint32_t max, uint32_t *ret_permille);

enum { REPLAY_TIME_BYTES = 32 };
/** "00:01:30" (hours may have more digits). Returns `text`. */
const char *replay_offset_text(uint64_t us, char text[static REPLAY_TIME_BYTES]);
/** "2026-01-31 10:30:00" in UTC. Returns `text`. */
const char *replay_wall_text(uint64_t wall_us, char text[static REPLAY_TIME_BYTES]);
/** "812 B", "64.0 KiB", "1.2 GiB". Returns `text`. */
const char *replay_bytes_text(uint64_t bytes, char text[static REPLAY_TIME_BYTES]);

#endif
