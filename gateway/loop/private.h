/* What the files of the loop share. */
#ifndef GATEWAY_LOOP_PRIVATE_H
#define GATEWAY_LOOP_PRIVATE_H

#include "ring.h"

enum op_kind { OP_NONE = 0, OP_ONE_SHOT, OP_TIMER, OP_POLL, OP_RECEIVE };

struct loop {
    struct io_uring ring;
    struct ring_buffers buffers;
    const struct profile *profile;
    void (*turn)(void *owner);
    void *turn_owner;
    struct __kernel_timespec *delays; /* OWNED; one per submission entry: read by the kernel at submit */
    size_t armed_count;               /* operations that the kernel holds */
    int failure;                      /* errno of a submission that had no caller to tell, 0 = none */
    bool is_stopping;
    bool has_touched_buffers; /* memory to give back when idle */
};

/** A cleared submission for `op`; when the queue is full it is submitted first.
 *  @param op  NULL for a submission whose completion nobody awaits
 *  @return NULL when the kernel takes no more; errno holds the reason. */
struct io_uring_sqe *loop_sqe(struct loop *loop, struct loop_op *op, uint8_t opcode, int fd);
/** Make `op` ready to be submitted by loop_sqe(). */
void loop_op_start(struct loop_op *op, enum op_kind kind, int fd, loop_done *done);
/** The kernel is told to end `op`, if it can. */
void loop_submit_cancel(struct loop *loop, struct loop_op *op);
/** Remember a failed submission for loop_run(). */
void loop_fail(struct loop *loop);

/** One completion of a receive. */
void receive_complete(struct loop *loop, struct loop_op *op, int result, unsigned flags);

#endif
