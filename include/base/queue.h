/* A first-in first-out queue of bytes with a bound. What is queued lies in one contiguous block. */
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"

/** Embedded; {0} with a limit is an empty queue that owns no memory. */
struct queue {
    uint8_t *bytes; /* OWNED */
    size_t start, end, capacity;
    size_t limit_bytes;     /* most bytes that may wait at once */
    size_t last_peak_bytes; /* how far it was filled when it was last emptied: so much room is made at once */
};

void queue_init(struct queue *queue, size_t limit_bytes);
void queue_done(struct queue *queue);
size_t queue_len(const struct queue *queue);
/** What waits; valid until the next call on this queue. */
struct cursor queue_peek(const struct queue *queue);
/** The same bytes for a parser that decodes in place. */
uint8_t *queue_bytes(struct queue *queue);
/** @return ERR_TOO_LARGE when the limit would be passed (then nothing was added); ERR_MEMORY. */
MUST_CHECK enum err queue_append(struct queue *queue, struct cursor bytes);
/** Room for `len_bytes` at the end; queue_added() makes them part of the queue. Same errors. */
MUST_CHECK enum err queue_reserve(struct queue *queue, size_t len_bytes, uint8_t **ret_room);
void queue_added(struct queue *queue, size_t len_bytes);
/** Drop `len_bytes` from the front; an emptied queue gives back memory over 16 KiB. */
void queue_consume(struct queue *queue, size_t len_bytes);
/** The whole content moves to an empty `to` (any memory of `to` moves to `from`). */
void queue_swap(struct queue *from, struct queue *to);

#endif
