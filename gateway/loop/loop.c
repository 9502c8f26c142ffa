#include "private.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    IDLE_S = 1,  /* used buffers go back to the system after one or two times this without an event */
    DRAIN_S = 1, /* loop_free() waits this long for the kernel to let go */
    HEAP_KEPT_BYTES = 16 * 1024 * 1024, /* more than the queues of a busy session hold */
};

/* A busy process fills and empties queues of hundreds of KiB many times a second. Given back to the system
 * each time, as glibc does by default, a tenth of its CPU time goes to page faults; give_back_memory() does
 * it once idle. */
static void keep_heap_while_busy(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, HEAP_KEPT_BYTES); /* a refusal costs time, nothing else */
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_KEPT_BYTES);
}

enum err loop_new(enum loop_profile profile, struct loop **ret_loop, struct loop_refusal *ret_why)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) {
        return ERR_MEMORY;
    }
    loop->profile = profile_of(profile);
    if (loop->profile->buffer_count > 0) {
        keep_heap_while_busy();
    }
    enum err err = ring_bring_up(loop->profile, &loop->ring, &loop->buffers, ret_why);
    if (err != ERR_NONE) {
        free(loop);
        return err;
    }
    loop->delays = calloc(loop->ring.sq.ring_entries, sizeof *loop->delays);
    if (loop->delays == NULL || signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        loop_free(loop);
        return ERR_MEMORY;
    }
    *ret_loop = loop;
    return ERR_NONE;
}

static void complete_poll(struct loop *loop, struct loop_op *op, int result)
{
    if (op->is_cancelled || result < 0) {
        op->in_flight = false;
        op->done(op, op->is_cancelled ? -ECANCELED : result);
        return;
    }
    op->done(op, result);
    if (op->is_cancelled) {
        return; /* from inside done(): the end is on its way */
    }
    struct io_uring_sqe *sqe = loop_sqe(loop, op, IORING_OP_POLL_ADD, op->fd);
    if (sqe == NULL) {
        loop_fail(loop);
        return;
    }
    /* Armed anew, not multishot: a multishot poll is edge-triggered and would forget what was left unread. */
    sqe->poll32_events = POLLIN;
}

/* The last completion of a submission has no IORING_CQE_F_MORE. */
static struct loop_op *take_completion(struct loop *loop, const struct io_uring_cqe *cqe)
{
    struct loop_op *op = io_uring_cqe_get_data(cqe);
    unsigned flags = cqe->flags;
    if (op != NULL && (flags & IORING_CQE_F_MORE) == 0) {
        assert(op->is_armed && loop->armed_count > 0);
        op->is_armed = false;
        loop->armed_count--;
    }
    return op;
}

static void complete(struct loop *loop, struct loop_op *op, int result, unsigned flags)
{
    switch ((enum op_kind)op->kind) {
    case OP_POLL:
        complete_poll(loop, op, result);
        break;
    case OP_RECEIVE:
        receive_complete(loop, op, result, flags);
        break;
    case OP_TIMER:
        op->in_flight = false;
        op->done(op, result == -ETIME ? 0 : result);
        break;
    case OP_ONE_SHOT:
        op->in_flight = false;
        op->done(op, result);
        break;
    case OP_NONE:
        assert(op->kind != OP_NONE);
    }
}

/* Only what is there now: a flood of events may not keep the turn from running. */
static void handle_completions(struct loop *loop)
{
    for (unsigned ready = io_uring_cq_ready(&loop->ring); ready > 0; ready--) {
        struct io_uring_cqe *cqe = NULL;
        if (io_uring_peek_cqe(&loop->ring, &cqe) != 0) {
            return;
        }
        struct loop_op *op = take_completion(loop, cqe);
        int result = cqe->res;
        unsigned flags = cqe->flags;
        io_uring_cqe_seen(&loop->ring, cqe);
        if (op != NULL) {
            complete(loop, op, result, flags);
        }
    }
}

/* All buffers are with the kernel now, and it writes into them only inside our own io_uring_enter. */
static void give_back_memory(struct loop *loop)
{
    (void)madvise(loop->buffers.bytes, loop->buffers.total_bytes, MADV_DONTNEED);
    (void)malloc_trim(0);
    loop->has_touched_buffers = false;
}

static int submit_and_wait(struct loop *loop)
{
    if (!loop->has_touched_buffers) {
        return io_uring_submit_and_wait(&loop->ring, 1);
    }
    struct io_uring_cqe *cqe = NULL;
    struct __kernel_timespec idle = {.tv_sec = IDLE_S};
    int result = io_uring_submit_and_wait_timeout(&loop->ring, &cqe, 1, &idle, NULL);
    if (result == -ETIME && io_uring_cq_ready(&loop->ring) == 0) {
        give_back_memory(loop);
    }
    return result;
}

/* EBUSY and EAGAIN: the kernel wants completions to be taken, or memory; the next turn tries again. */
static bool is_passing(int result)
{
    return result >= 0 || result == -EINTR || result == -ETIME || result == -EBUSY || result == -EAGAIN;
}

enum err loop_run(struct loop *loop)
{
    for (;;) {
        if (loop->turn != NULL) {
            loop->turn(loop->turn_owner);
        }
        int result = loop->is_stopping ? io_uring_submit(&loop->ring) : submit_and_wait(loop);
        if (!is_passing(result)) {
            loop->failure = -result;
        }
        if (loop->failure != 0) {
            errno = loop->failure;
            return ERR_SYSTEM;
        }
        if (loop->is_stopping) {
            loop->is_stopping = false;
            return ERR_NONE;
        }
        handle_completions(loop);
    }
}

void loop_stop(struct loop *loop)
{
    loop->is_stopping = true;
}

void loop_on_turn(struct loop *loop, void (*turn)(void *owner), void *owner)
{
    loop->turn = turn;
    loop->turn_owner = owner;
}

static void drain(struct loop *loop)
{
    struct io_uring_sqe *sqe = loop_sqe(loop, NULL, IORING_OP_ASYNC_CANCEL, -1);
    if (sqe == NULL) {
        return;
    }
    sqe->cancel_flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
    struct __kernel_timespec limit = {.tv_sec = DRAIN_S};
    while (loop->armed_count > 0) {
        struct io_uring_cqe *cqe = NULL;
        int result = io_uring_submit_and_wait_timeout(&loop->ring, &cqe, 1, &limit, NULL);
        if (result < 0 && result != -EINTR) {
            return;
        }
        if (io_uring_peek_cqe(&loop->ring, &cqe) != 0) {
            continue;
        }
        struct loop_op *op = take_completion(loop, cqe);
        if (op != NULL && !op->is_armed) {
            op->in_flight = false;
        }
        io_uring_cqe_seen(&loop->ring, cqe);
    }
}

void loop_free(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    if (loop->armed_count > 0) {
        drain(loop);
    }
    io_uring_queue_exit(&loop->ring);
    ring_buffers_done(&loop->buffers);
    free(loop->delays);
    free(loop);
}
