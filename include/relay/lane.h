/* One direction of a channel whose bytes the bastion takes apart and puts together again: it may keep bytes
 * back, drop some and insert some of its own, and still neither side's window (RFC 4254 5.2) is broken.
 *
 * What the receiver takes and what the sender was told it may send are two numbers here. Kept back: the
 * sender was promised `advance_bytes` more than the receiver takes, so that a request is complete even where
 * windows are of one byte. Dropped: the sender gets them back. Inserted: the sender gets that much less of
 * what the receiver allows next; until then its bytes may find no room and wait in the queue, which is
 * bounded by what was inserted and advanced. No I/O: packets leave through a call. */
#ifndef RELAY_LANE_H
#define RELAY_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/queue.h"
#include "relay/packet.h"

/** Send one CHANNEL_DATA to side `to`: the payload is head (which begins with channel and length), then body.
 */
typedef enum err lane_send(void *owner, unsigned to, struct cursor head, struct cursor body);

enum {
    LANE_SMALL_BYTES = 1024, /* pieces that are joined with what follows, so that a stream is not cut up */
    LANE_ADVANCE_MAX_BYTES = 32768,
    LANE_DEBT_MAX_BYTES = 1 << 21, /* inserted and not made up for; clients give window after 1 MiB at most */
};

/** Embedded; lane_init(), lane_done(). */
struct lane {
    lane_send *send;
    void *owner;
    unsigned to;
    uint32_t recipient;        /* the receiver's number of the channel */
    uint32_t max_packet_bytes; /* that the receiver takes */
    uint32_t room_bytes;       /* that it takes now */
    uint32_t advance_bytes;    /* that the sender may send beyond it */
    size_t kept_bytes;         /* of the sender, in the parser: neither passed nor dropped yet */
    struct queue waiting;      /* passed, and no room for it */
    uint8_t small[RELAY_DATA_HEAD_BYTES + LANE_SMALL_BYTES];
    size_t small_bytes;
    struct cursor body; /* borrowed until lane_flush() */
};

void lane_init(struct lane *lane, lane_send *send, void *owner, unsigned to, uint32_t recipient);
void lane_done(struct lane *lane);

/** Bytes of the sender go on. Borrowed until lane_flush(), which every caller does before it returns. */
MUST_CHECK enum err lane_pass(struct lane *lane, struct cursor bytes);
/** The same for bytes that do not live as long: kept back earlier, or of our own. */
MUST_CHECK enum err lane_pass_copy(struct lane *lane, struct cursor bytes);
/** Send what was passed, as far as there is room; the rest waits. */
MUST_CHECK enum err lane_flush(struct lane *lane);
/** The receiver takes more. @return ERR_MALFORMED when its window would be over 2^32 - 1. */
MUST_CHECK enum err lane_more_room(struct lane *lane, uint32_t more_bytes);
/** How much window the sender should be given now. @param window_bytes  what it has */
uint32_t lane_due(const struct lane *lane, uint32_t window_bytes);
/** How far the sender is ahead of the receiver: what was inserted and not yet made up for. */
uint64_t lane_debt(const struct lane *lane, uint32_t window_bytes);
bool lane_is_waiting(const struct lane *lane);

#endif
