#include "private.h"

#include <errno.h>

/* The states of a receive that is in flight: armed (the kernel holds it), paused (not armed and not to be),
 * or both for a moment, until the kernel has answered the cancellation that a pause submits. */

static enum err arm(struct loop *loop, struct loop_receive *receive)
{
    struct io_uring_sqe *sqe = loop_sqe(loop, &receive->op, IORING_OP_RECV, receive->op.fd);
    if (sqe == NULL) {
        return ERR_SYSTEM;
    }
    sqe->ioprio = IORING_RECV_MULTISHOT;
    sqe->flags = IOSQE_BUFFER_SELECT;
    sqe->buf_group = RING_BUFFER_GROUP;
    return ERR_NONE;
}

static void arm_or_fail(struct loop *loop, struct loop_receive *receive)
{
    if (arm(loop, receive) != ERR_NONE) {
        loop_fail(loop);
    }
}

enum err loop_receive_start(struct loop *loop, struct loop_receive *receive, int fd, loop_received *received)
{
    if (loop->buffers.count == 0) {
        return ERR_STATE;
    }
    loop_op_start(&receive->op, OP_RECEIVE, fd, NULL);
    receive->received = received;
    receive->is_paused = false;
    TRY(arm(loop, receive));
    receive->op.in_flight = true;
    return ERR_NONE;
}

void loop_receive_pause(struct loop *loop, struct loop_receive *receive)
{
    if (!receive->op.in_flight || receive->is_paused || receive->op.is_cancelled) {
        return;
    }
    receive->is_paused = true;
    if (receive->op.is_armed) {
        loop_submit_cancel(loop, &receive->op);
    }
}

void loop_receive_resume(struct loop *loop, struct loop_receive *receive)
{
    if (!receive->op.in_flight || !receive->is_paused || receive->op.is_cancelled) {
        return;
    }
    receive->is_paused = false;
    if (!receive->op.is_armed) {
        arm_or_fail(loop, receive);
    }
    /* Still armed: its cancellation is on the way, and that completion arms it anew. */
}

/* Without buffers for a moment, ended by a pause, or cut short: none of these is an end of the stream. */
static bool is_final(const struct loop_op *op, int result, unsigned flags)
{
    if ((flags & IORING_CQE_F_MORE) != 0) {
        return false;
    }
    return op->is_cancelled ||
           !(result > 0 || result == -ENOBUFS || result == -ECANCELED || result == -EINTR);
}

void receive_complete(struct loop *loop, struct loop_op *op, int result, unsigned flags)
{
    struct loop_receive *receive = OWNER_OF(op, struct loop_receive, op);
    bool has_buffer = (flags & IORING_CQE_F_BUFFER) != 0;
    uint16_t id = (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT);
    loop->has_touched_buffers = loop->has_touched_buffers || has_buffer;
    if (has_buffer && result > 0 && !op->is_cancelled) {
        receive->received(receive, loop->buffers.bytes + (size_t)id * LOOP_BUFFER_BYTES, result);
    }
    if (has_buffer) {
        ring_buffers_return(&loop->buffers, id);
    }
    if (op->is_armed) {
        return; /* more completions follow; or received() paused and resumed it, which armed it again */
    }
    if (is_final(op, result, flags)) {
        op->in_flight = false;
        receive->received(receive, NULL, op->is_cancelled ? -ECANCELED : result);
        return;
    }
    if (!receive->is_paused && !op->is_cancelled) {
        arm_or_fail(loop, receive);
    }
}
