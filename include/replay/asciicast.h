/* A recording as an asciicast, which asciinema and its web player show: one JSON value a line.
 * Version 2: absolute times, played by every asciinema (Debian's 2.2 knows no other). Version 3: intervals,
 * the terminal in its own object, an exit event. Source: docs.asciinema.org/manual/asciicast/v2 and v3. */
#ifndef REPLAY_ASCIICAST_H
#define REPLAY_ASCIICAST_H

#include "base/queue.h"
#include "replay/player.h"
#include "replay/terminal_filter.h"

enum { REPLAY_CAST_LINE_BYTES = 1 << 20 }; /* a record of 64 KiB, each byte escaped, stays far below */

struct replay_cast_head {
    uint32_t cols, rows; /* brought into 2..1000; 0 is the usual size */
    uint64_t wall_us;
    const char *title; /* UTF-8, "" for none */
    const char *term;  /* "" when unknown */
};

/** Embedded; ended by replay_cast_done(). */
struct replay_cast {
    unsigned version;
    bool is_raw; /* escape sequences are exported as they were recorded, dangerous ones too */
    uint64_t last_us;
    struct replay_filter filter;
    struct replay_utf8 utf8;
    struct queue text;
};

/** @param version  2 or 3 @param is_raw  do not filter escape sequences */
void replay_cast_init(struct replay_cast *cast, unsigned version, bool is_raw);
void replay_cast_done(struct replay_cast *cast);
/** The first line. Lines end with a newline. @return ERR_MEMORY; ERR_TOO_LARGE when `out` is full. */
MUST_CHECK enum err replay_cast_begin(struct replay_cast *cast, const struct replay_cast_head *head,
                                      struct queue *out);
/** One event; none for a note, and none when its bytes are only a part of a character or sequence. Characters
 * that are split over events stay whole, what is no UTF-8 becomes U+FFFD. Same errors. */
MUST_CHECK enum err replay_cast_event(struct replay_cast *cast, const struct replay_event *event,
                                      struct queue *out);
/** What is still open, and in version 3 the exit status unless it is UINT32_MAX. Same errors. */
MUST_CHECK enum err replay_cast_end(struct replay_cast *cast, uint64_t t_us, uint32_t exit_status,
                                    struct queue *out);

#endif
