/* The event loop: one io_uring per process, limited to the operations of its profile before the first byte.
 *
 * One operation in flight is one `struct loop_op` inside its owner. The owner may be freed only when
 * `in_flight` is false for all of its operations; the loop does not touch an operation after the last call of
 * its done function. A done function records, advances the state and submits the next step; it never blocks.
 *
 * seccomp cannot see what a ring does, so the restrictions of the ring are the filter there: only the
 * operations of gateway/loop/profile.c can ever be submitted, whoever writes into the ring's memory.
 * After loop_new() the loop makes no system call but io_uring_enter, madvise and munmap. */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/err.h"
#include "base/limits.h"

struct loop;

/** Which operations the ring allows, and how large it is. */
enum loop_profile {
    LOOP_SESSION,  /* receive, write, poll, timers; a ring of 64 */
    LOOP_RECORDER, /* the same and fsync; a ring of 1024, for thousands of streams */
    LOOP_MONITOR,  /* poll and timers only; a ring of 1024, for thousands of channels */
    LOOP_PROFILE_COUNT
};

/** What is missing on this machine, and what to do about it. */
struct loop_refusal {
    char sentence[LIMIT_SENTENCE_BYTES];
};

/**
 * Make the ring of this process: disabled ring, buffers, restrictions, enable, then a self-test that submits
 * forbidden things. Any failure refuses, because a ring that was limited in a wrong order is not limited at
 * all. Must run in the process (after fork) that runs the loop. SIGPIPE is ignored from here on, because
 * sockets are written with WRITE.
 * @param ret_why  written on error: one sentence with the remedy
 * @return ERR_SYSTEM; ERR_MISMATCH when the self-test found the ring open; ERR_MEMORY
 * Source: docs/sandbox.md, "Bring-up order"
 */
MUST_CHECK enum err loop_new(enum loop_profile profile, struct loop **ret_loop, struct loop_refusal *ret_why);
/** Takes everything back from the kernel (waits at most one second), without calling any done function; every
 *  operation is then no longer in flight. NULL is fine. */
void loop_free(struct loop *loop);
/** Try every profile, and a multishot receive, as a daemon does once at its start. Errors as loop_new(). */
MUST_CHECK enum err loop_probe(struct loop_refusal *ret_why);

/** Handle completions until loop_stop(). @return ERR_SYSTEM when the ring fails; errno holds the reason. */
MUST_CHECK enum err loop_run(struct loop *loop);
/** loop_run() returns after the current turn; what the turn submitted is still given to the kernel. */
void loop_stop(struct loop *loop);
/** `turn` is called once before the first wait, and then after all completions of one wake-up are handled,
 *  before the single submit: the place to write what this wake-up collected. */
void loop_on_turn(struct loop *loop, void (*turn)(void *owner), void *owner);

struct loop_op;
/** @param result  >= 0, or -errno, as io_uring reports */
typedef void loop_done(struct loop_op *op, int result);

/** Embedded in its owner; {0} is an operation that is not in flight. Only `name` is for the owner to set. */
struct loop_op {
    loop_done *done;
    const char *name; /* for messages and debuggers; may be NULL */
    int fd;
    uint8_t kind;
    bool in_flight;    /* done() will be called (again) */
    bool is_armed;     /* the kernel holds it */
    bool is_cancelled; /* loop_cancel() was called */
};
#define OWNER_OF(op, type, member) ((type *)(void *)((char *)(op)-offsetof(type, member)))

/* Every function below that starts an operation: the operation must not be in flight (asserted).
 * @return ERR_SYSTEM when the kernel takes no more submissions; then the operation was not started. */

/** Report whenever `fd` can be read or has an error: result = revents. Level-triggered: done() is called
 * again on the next turn while there is something to read, so reading one message per call is safe, and so an
 *  end of file must be answered with loop_cancel(). Stays in flight until cancelled or until a result < 0. */
MUST_CHECK enum err loop_poll(struct loop *loop, struct loop_op *op, int fd, loop_done *done);
/** Report once when `fd` can be written or has an error: result = revents. */
MUST_CHECK enum err loop_poll_out(struct loop *loop, struct loop_op *op, int fd, loop_done *done);
/** Report once after `delay_ms`: result 0, or -ECANCELED. The clock goes on while the machine sleeps. */
MUST_CHECK enum err loop_timer(struct loop *loop, struct loop_op *op, uint64_t delay_ms, loop_done *done);
/** One write at the descriptor's own position. result = bytes written, which may be fewer than asked for.
 *  @param bytes  borrowed until done(); at most 1 GiB of it is written */
MUST_CHECK enum err loop_write(struct loop *loop, struct loop_op *op, int fd, struct cursor bytes,
                               loop_done *done);
/** fdatasync by a kernel thread. It covers writes that are already done, not those in flight.
 *  @return also ERR_STATE when the profile has no fsync */
MUST_CHECK enum err loop_fsync(struct loop *loop, struct loop_op *op, int fd, loop_done *done);
/** Ask for an end: done() is called later, with -ECANCELED, or with the true result when a one-shot operation
 * was faster. After this call a poll or a receive reports nothing but that end. Nothing happens when the
 *  operation is not in flight. The descriptor may be closed at once: the kernel holds its own reference. */
void loop_cancel(struct loop *loop, struct loop_op *op);

enum {
    LOOP_BUFFER_BYTES = 32768,       /* the most that one call of loop_received brings */
    LOOP_SESSION_BUFFER_COUNT = 8,   /* 256 KiB per process at its busiest, nothing while idle */
    LOOP_RECORDER_BUFFER_COUNT = 32, /* one process for all sessions */
};

struct loop_receive;
/**
 * @param bytes   result > 0: that many bytes, borrowed and writable until return
 * @param result  0 = end of file; < 0 = -errno. Both are the last call: the receive is no longer in flight.
 */
typedef void loop_received(struct loop_receive *receive, uint8_t *bytes, int result);

/** Embedded in its owner; {0} is idle. One per socket. */
struct loop_receive {
    struct loop_op op; /* op.in_flight, and loop_cancel(loop, &receive->op) */
    loop_received *received;
    bool is_paused;
};

/** Multishot receive into the buffers of the loop: an idle socket holds no buffer. When all buffers are in
 * use the kernel stops and the loop starts it again on the next turn, so nothing is lost.
 *  @param fd  a connected stream socket
 *  @return also ERR_STATE when the profile has no buffers */
MUST_CHECK enum err loop_receive_start(struct loop *loop, struct loop_receive *receive, int fd,
                                       loop_received *received);
/** Back-pressure: stop reading the socket. What the kernel had already received is still delivered, at most
 *  the loop's buffers twice over (session: 512 KiB), and so is an end of file or an error. */
void loop_receive_pause(struct loop *loop, struct loop_receive *receive);
/** Read again. A no-op when not paused or not in flight. */
void loop_receive_resume(struct loop *loop, struct loop_receive *receive);

#endif
