#include "base/queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUEUE_SMALLEST_BYTES = 4096,
    QUEUE_KEPT_BYTES = 16384, /* an idle connection holds no more than this */
};

void queue_init(struct queue *queue, size_t limit_bytes)
{
    *queue = (struct queue){.limit_bytes = limit_bytes};
}

void queue_done(struct queue *queue)
{
    free(queue->bytes);
    *queue = (struct queue){.limit_bytes = queue->limit_bytes};
}

size_t queue_len(const struct queue *queue)
{
    return queue->end - queue->start;
}

struct cursor queue_peek(const struct queue *queue)
{
    return queue->bytes == NULL ? cursor_of(NULL, 0)
                                : cursor_of(queue->bytes + queue->start, queue_len(queue));
}

uint8_t *queue_bytes(struct queue *queue)
{
    return queue->bytes == NULL ? NULL : queue->bytes + queue->start;
}

static void move_to_front(struct queue *queue)
{
    if (queue->start > 0) {
        memmove(queue->bytes, queue->bytes + queue->start, queue_len(queue));
        queue->end -= queue->start;
        queue->start = 0;
    }
}

static enum err grow(struct queue *queue, size_t needed_bytes)
{
    size_t capacity = queue->capacity == 0 ? QUEUE_SMALLEST_BYTES : queue->capacity;
    if (queue->bytes == NULL && needed_bytes < queue->last_peak_bytes) {
        needed_bytes = queue->last_peak_bytes;
    }
    while (capacity < needed_bytes) {
        capacity *= 2;
    }
    uint8_t *bytes = realloc(queue->bytes, capacity);
    if (bytes == NULL) {
        return ERR_MEMORY;
    }
    queue->bytes = bytes;
    queue->capacity = capacity;
    return ERR_NONE;
}

enum err queue_reserve(struct queue *queue, size_t len_bytes, uint8_t **ret_room)
{
    size_t waiting = queue_len(queue);
    if (waiting > queue->limit_bytes || len_bytes > queue->limit_bytes - waiting) {
        return ERR_TOO_LARGE;
    }
    if (queue->bytes == NULL || queue->capacity - queue->end < len_bytes) {
        /* Moving is cheaper than growing when at most half of the block is in use. */
        if (queue->bytes != NULL) {
            move_to_front(queue);
        }
        if (queue->bytes == NULL || queue->capacity - queue->end < len_bytes) {
            TRY(grow(queue, waiting + len_bytes));
        }
    }
    *ret_room = queue->bytes + queue->end;
    return ERR_NONE;
}

void queue_added(struct queue *queue, size_t len_bytes)
{
    assert(queue->capacity - queue->end >= len_bytes);
    queue->end += len_bytes;
}

enum err queue_append(struct queue *queue, struct cursor bytes)
{
    size_t len = cursor_len(&bytes);
    if (len == 0) {
        return ERR_NONE;
    }
    uint8_t *room = NULL;
    TRY(queue_reserve(queue, len, &room));
    memcpy(room, bytes.at, len);
    queue_added(queue, len);
    return ERR_NONE;
}

void queue_consume(struct queue *queue, size_t len_bytes)
{
    assert(len_bytes <= queue_len(queue));
    queue->start += len_bytes;
    if (queue->start != queue->end) {
        return;
    }
    queue->last_peak_bytes = queue->end;
    queue->start = 0;
    queue->end = 0;
    if (queue->capacity > QUEUE_KEPT_BYTES) {
        free(queue->bytes);
        queue->bytes = NULL;
        queue->capacity = 0;
    }
}

void queue_swap(struct queue *from, struct queue *to)
{
    assert(queue_len(to) == 0);
    struct queue emptied = *to;
    emptied.limit_bytes = from->limit_bytes;
    from->limit_bytes = to->limit_bytes;
    *to = *from;
    *from = emptied;
}
