/* The allow-list of escape sequences; private to this room. */
#ifndef REPLAY_SEQUENCE_H
#define REPLAY_SEQUENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"

enum { SEQUENCE_BYTES = 128 };

/** What may be passed on. */
struct replay_sequence {
    uint8_t bytes[SEQUENCE_BYTES];
    size_t len_bytes;
    unsigned removed_modes; /* modes that were taken out of a list of modes */
    bool switches_screen, is_alternate;
};

/** @param whole  one sequence from ESC to its final byte, of 7-bit bytes, at most SEQUENCE_BYTES
 *  @return false when nothing of it may be passed on. */
bool replay_sequence_check(struct cursor whole, struct replay_sequence *ret_sequence);

#endif
