#include <errno.h>

#include "state.h"

enum { WRITE_BYTES_MAX = 1 << 20 };

void sender_init(struct sender *sender, struct session *session, int fd)
{
    *sender = (struct sender){.session = session, .fd = fd};
    queue_init(&sender->writing, SESSION_OUTPUT_LIMIT_BYTES);
}

void sender_done(struct sender *sender)
{
    queue_done(&sender->writing);
}

static void submit(struct sender *sender);

static void written(struct loop_op *op, int result)
{
    struct sender *sender = OWNER_OF(op, struct sender, op);
    if (result == -EAGAIN || result == -EINTR) {
        result = 0;
    }
    if (result < 0) {
        sender->has_failed = true;
        queue_consume(&sender->writing, queue_len(&sender->writing));
        return;
    }
    queue_consume(&sender->writing, (size_t)result);
    if (queue_len(&sender->writing) > 0) {
        submit(sender);
    }
}

static void submit(struct sender *sender)
{
    struct cursor bytes = queue_peek(&sender->writing);
    if (cursor_len(&bytes) > WRITE_BYTES_MAX) {
        bytes.end = bytes.at + WRITE_BYTES_MAX;
    }
    if (loop_write(sender->session->loop, &sender->op, sender->fd, bytes, written) != ERR_NONE) {
        sender->has_failed = true;
    }
}

void sender_pump(struct sender *sender, struct queue *from)
{
    if (sender->op.in_flight || sender->has_failed) {
        return;
    }
    if (queue_len(&sender->writing) == 0 && queue_len(from) > 0) {
        queue_swap(from, &sender->writing);
    }
    if (queue_len(&sender->writing) > 0) {
        submit(sender);
    }
}

bool sender_is_idle(const struct sender *sender, const struct queue *from)
{
    bool has_nothing = queue_len(&sender->writing) == 0 && (from == NULL || queue_len(from) == 0);
    return !sender->op.in_flight && (sender->has_failed || has_nothing);
}
