#include "relay/lane.h"

#include <assert.h>
#include <string.h>

#include "base/limits.h"

/* What one packet passes comes on top of it before it is sent. */
enum {
    LANE_QUEUE_LIMIT_BYTES = LANE_DEBT_MAX_BYTES + LANE_ADVANCE_MAX_BYTES + 2 * LIMIT_PACKET_PAYLOAD_BYTES
};

void lane_init(struct lane *lane, lane_send *send, void *owner, unsigned to, uint32_t recipient)
{
    *lane = (struct lane){.send = send, .owner = owner, .to = to, .recipient = recipient};
    queue_init(&lane->waiting, LANE_QUEUE_LIMIT_BYTES);
}

void lane_done(struct lane *lane)
{
    queue_done(&lane->waiting);
    lane->small_bytes = 0;
    lane->body = cursor_of(NULL, 0);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t room_for(const struct lane *lane, size_t wanted_bytes)
{
    return smaller(wanted_bytes, smaller(lane->room_bytes, lane->max_packet_bytes));
}

static void write_head(struct lane *lane, uint8_t *memory, size_t data_bytes)
{
    struct writer out = writer_of(memory, RELAY_DATA_HEAD_BYTES);
    writer_u32be(&out, lane->recipient);
    writer_u32be(&out, (uint32_t)data_bytes);
}

static MUST_CHECK enum err drain(struct lane *lane)
{
    while (queue_len(&lane->waiting) > 0) {
        struct cursor bytes = queue_peek(&lane->waiting);
        size_t len_bytes = room_for(lane, cursor_len(&bytes));
        if (len_bytes == 0) {
            return ERR_NONE;
        }
        uint8_t head[RELAY_DATA_HEAD_BYTES];
        write_head(lane, head, len_bytes);
        lane->room_bytes -= (uint32_t)len_bytes;
        TRY(lane->send(lane->owner, lane->to, cursor_of(head, sizeof head), cursor_of(bytes.at, len_bytes)));
        queue_consume(&lane->waiting, len_bytes);
    }
    return ERR_NONE;
}

/* One packet of the small pieces and the body. @return false when there is no room for it. */
static MUST_CHECK enum err send_one(struct lane *lane, bool *ret_sent)
{
    size_t len_bytes = room_for(lane, lane->small_bytes + cursor_len(&lane->body));
    *ret_sent = len_bytes > 0;
    if (len_bytes == 0) {
        return ERR_NONE;
    }
    size_t small_bytes = smaller(len_bytes, lane->small_bytes);
    struct cursor part;
    TRY(cursor_bytes(&lane->body, len_bytes - small_bytes, &part));
    write_head(lane, lane->small, len_bytes);
    lane->room_bytes -= (uint32_t)len_bytes;
    TRY(lane->send(lane->owner, lane->to, cursor_of(lane->small, RELAY_DATA_HEAD_BYTES + small_bytes), part));
    lane->small_bytes -= small_bytes;
    uint8_t *first = lane->small + RELAY_DATA_HEAD_BYTES;
    memmove(first, first + small_bytes, lane->small_bytes);
    return ERR_NONE;
}

MUST_CHECK enum err lane_flush(struct lane *lane)
{
    TRY(drain(lane));
    bool is_sent = queue_len(&lane->waiting) == 0;
    while (is_sent && lane->small_bytes + cursor_len(&lane->body) > 0) {
        TRY(send_one(lane, &is_sent));
    }
    TRY(queue_append(&lane->waiting, cursor_of(lane->small + RELAY_DATA_HEAD_BYTES, lane->small_bytes)));
    TRY(queue_append(&lane->waiting, lane->body));
    lane->small_bytes = 0;
    lane->body = cursor_of(NULL, 0);
    return ERR_NONE;
}

static bool fits_small(const struct lane *lane, size_t len_bytes)
{
    return cursor_len(&lane->body) == 0 && len_bytes <= LANE_SMALL_BYTES - lane->small_bytes;
}

static void add_small(struct lane *lane, struct cursor bytes)
{
    if (cursor_len(&bytes) > 0) {
        memcpy(lane->small + RELAY_DATA_HEAD_BYTES + lane->small_bytes, bytes.at, cursor_len(&bytes));
        lane->small_bytes += cursor_len(&bytes);
    }
}

MUST_CHECK enum err lane_pass(struct lane *lane, struct cursor bytes)
{
    if (fits_small(lane, cursor_len(&bytes))) {
        add_small(lane, bytes);
        return ERR_NONE;
    }
    if (cursor_len(&lane->body) > 0 && lane->body.end == bytes.at) {
        lane->body.end = bytes.end;
        return ERR_NONE;
    }
    if (cursor_len(&lane->body) > 0) {
        TRY(lane_flush(lane));
    }
    lane->body = bytes;
    return ERR_NONE;
}

MUST_CHECK enum err lane_pass_copy(struct lane *lane, struct cursor bytes)
{
    if (!fits_small(lane, cursor_len(&bytes))) {
        TRY(lane_flush(lane));
    }
    if (fits_small(lane, cursor_len(&bytes))) {
        add_small(lane, bytes);
        return ERR_NONE;
    }
    lane->body = bytes;
    return lane_flush(lane);
}

MUST_CHECK enum err lane_more_room(struct lane *lane, uint32_t more_bytes)
{
    if (more_bytes > UINT32_MAX - lane->room_bytes) {
        return ERR_MALFORMED;
    }
    lane->room_bytes += more_bytes;
    return drain(lane);
}

/* What the sender may have in all, less what it has: negative when it is ahead. */
static int64_t balance(const struct lane *lane, uint32_t window_bytes)
{
    assert(lane->small_bytes == 0 && cursor_len(&lane->body) == 0);
    return (int64_t)lane->room_bytes + lane->advance_bytes - (int64_t)queue_len(&lane->waiting) -
           (int64_t)lane->kept_bytes - (int64_t)window_bytes;
}

uint32_t lane_due(const struct lane *lane, uint32_t window_bytes)
{
    int64_t due = balance(lane, window_bytes);
    int64_t most = (int64_t)(UINT32_MAX - window_bytes);
    due = due > most ? most : due;
    return due > 0 ? (uint32_t)due : 0;
}

uint64_t lane_debt(const struct lane *lane, uint32_t window_bytes)
{
    int64_t due = balance(lane, window_bytes);
    return due < 0 ? (uint64_t)-due : 0;
}

bool lane_is_waiting(const struct lane *lane)
{
    return queue_len(&lane->waiting) > 0;
}
