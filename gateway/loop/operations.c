#include "private.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

enum { WRITE_MAX_BYTES = 1 << 30 }; /* the kernel refuses more than INT_MAX */

void loop_fail(struct loop *loop)
{
    loop->failure = errno != 0 ? errno : EIO;
}

struct io_uring_sqe *loop_sqe(struct loop *loop, struct loop_op *op, uint8_t opcode, int fd)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);
    if (sqe == NULL) {
        int result = io_uring_submit(&loop->ring);
        sqe = io_uring_get_sqe(&loop->ring);
        if (sqe == NULL) {
            errno = result < 0 ? -result : EBUSY;
            return NULL;
        }
    }
    memset(sqe, 0, sizeof *sqe);
    sqe->opcode = opcode;
    sqe->fd = fd;
    sqe->user_data = (uint64_t)(uintptr_t)op;
    if (op != NULL) {
        assert(!op->is_armed);
        op->is_armed = true;
        loop->armed_count++;
    }
    return sqe;
}

void loop_op_start(struct loop_op *op, enum op_kind kind, int fd, loop_done *done)
{
    assert(!op->in_flight && !op->is_armed);
    op->done = done;
    op->fd = fd;
    op->kind = (uint8_t)kind;
    op->is_cancelled = false;
}

/* Start an operation that is one submission. */
static struct io_uring_sqe *start(struct loop *loop, struct loop_op *op, enum op_kind kind, uint8_t opcode,
                                  int fd, loop_done *done)
{
    loop_op_start(op, kind, fd, done);
    struct io_uring_sqe *sqe = loop_sqe(loop, op, opcode, fd);
    op->in_flight = sqe != NULL;
    return sqe;
}

enum err loop_poll(struct loop *loop, struct loop_op *op, int fd, loop_done *done)
{
    struct io_uring_sqe *sqe = start(loop, op, OP_POLL, IORING_OP_POLL_ADD, fd, done);
    if (sqe == NULL) {
        return ERR_SYSTEM;
    }
    sqe->poll32_events = POLLIN;
    return ERR_NONE;
}

enum err loop_poll_out(struct loop *loop, struct loop_op *op, int fd, loop_done *done)
{
    struct io_uring_sqe *sqe = start(loop, op, OP_ONE_SHOT, IORING_OP_POLL_ADD, fd, done);
    if (sqe == NULL) {
        return ERR_SYSTEM;
    }
    sqe->poll32_events = POLLOUT;
    return ERR_NONE;
}

enum err loop_timer(struct loop *loop, struct loop_op *op, uint64_t delay_ms, loop_done *done)
{
    struct io_uring_sqe *sqe = start(loop, op, OP_TIMER, IORING_OP_TIMEOUT, -1, done);
    if (sqe == NULL) {
        return ERR_SYSTEM;
    }
    struct __kernel_timespec *delay = &loop->delays[sqe - loop->ring.sq.sqes];
    delay->tv_sec = (int64_t)(delay_ms / 1000);
    delay->tv_nsec = (long long)(delay_ms % 1000) * 1000000;
    sqe->addr = (uint64_t)(uintptr_t)delay;
    sqe->len = 1;
    sqe->timeout_flags = IORING_TIMEOUT_BOOTTIME;
    return ERR_NONE;
}

enum err loop_write(struct loop *loop, struct loop_op *op, int fd, struct cursor bytes, loop_done *done)
{
    struct io_uring_sqe *sqe = start(loop, op, OP_ONE_SHOT, IORING_OP_WRITE, fd, done);
    if (sqe == NULL) {
        return ERR_SYSTEM;
    }
    size_t len = cursor_len(&bytes);
    sqe->addr = (uint64_t)(uintptr_t)bytes.at;
    sqe->len = len > WRITE_MAX_BYTES ? (uint32_t)WRITE_MAX_BYTES : (uint32_t)len;
    sqe->off = (uint64_t)-1; /* the descriptor's own position */
    return ERR_NONE;
}

enum err loop_fsync(struct loop *loop, struct loop_op *op, int fd, loop_done *done)
{
    if (!loop->profile->has_fsync) {
        return ERR_STATE;
    }
    struct io_uring_sqe *sqe = start(loop, op, OP_ONE_SHOT, IORING_OP_FSYNC, fd, done);
    if (sqe == NULL) {
        return ERR_SYSTEM;
    }
    sqe->fsync_flags = IORING_FSYNC_DATASYNC;
    return ERR_NONE;
}

void loop_submit_cancel(struct loop *loop, struct loop_op *op)
{
    struct io_uring_sqe *sqe = loop_sqe(loop, NULL, IORING_OP_ASYNC_CANCEL, -1);
    if (sqe == NULL) {
        loop_fail(loop);
        return;
    }
    sqe->addr = (uint64_t)(uintptr_t)op;
}

void loop_cancel(struct loop *loop, struct loop_op *op)
{
    if (!op->in_flight || op->is_cancelled) {
        return;
    }
    op->is_cancelled = true;
    if (op->is_armed) {
        loop_submit_cancel(loop, op);
        return;
    }
    /* The kernel does not hold it (paused, or inside its own done()): a NOP carries the end to the next turn.
     */
    if (loop_sqe(loop, op, IORING_OP_NOP, -1) == NULL) {
        loop_fail(loop);
    }
}
