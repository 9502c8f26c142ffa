#include "session_rows.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../gateway/loop/private.h"
#include "unit_test.h"

/* Whoever has taken over a session can write anything into the ring's memory: these attempts do. */

static char memory[256];

static int submit(struct loop *loop, struct io_uring_sqe wanted)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);
    if (sqe == NULL) {
        return -EBUSY;
    }
    *sqe = wanted;
    /* Not for ever: a flag that should be refused may be one that leaves no completion. */
    struct __kernel_timespec limit = {.tv_sec = 2};
    struct io_uring_cqe *cqe = NULL;
    int result = io_uring_submit_and_wait_timeout(&loop->ring, &cqe, 1, &limit, NULL);
    if (result < 0 || io_uring_peek_cqe(&loop->ring, &cqe) != 0) {
        return result < 0 ? result : -EIO;
    }
    result = cqe->res;
    io_uring_cqe_seen(&loop->ring, cqe);
    return result;
}

int submits_operation(struct captive *captive)
{
    return submit(captive->loop, (struct io_uring_sqe){.opcode = (uint8_t)captive->scratch,
                                                       .fd = CLIENT,
                                                       .addr = (uint64_t)(uintptr_t)memory,
                                                       .len = 16});
}

int ring_last_operation(void)
{
    struct io_uring_probe *probe = io_uring_get_probe();
    assert_non_null(probe);
    int last = probe->last_op;
    io_uring_free_probe(probe);
    return last;
}

/* Said here once more, so that a row too many in the table of the code is noticed. */
bool ring_allows(enum loop_profile profile, int opcode)
{
    switch (opcode) {
    case IORING_OP_NOP:
    case IORING_OP_POLL_ADD:
    case IORING_OP_TIMEOUT:
    case IORING_OP_ASYNC_CANCEL:
        return true;
    case IORING_OP_RECV:
    case IORING_OP_WRITE:
        return profile != LOOP_MONITOR;
    case IORING_OP_FSYNC:
        return profile == LOOP_RECORDER;
    default:
        return false;
    }
}

static int submits_flags(struct captive *captive)
{
    return submit(captive->loop, (struct io_uring_sqe){
                                     .opcode = IORING_OP_NOP, .flags = (uint8_t)captive->scratch, .fd = -1});
}

static int submits_personality(struct captive *captive)
{
    return submit(captive->loop, (struct io_uring_sqe){.opcode = IORING_OP_NOP, .fd = -1, .personality = 1});
}

static int sends_with_fast_open(struct captive *captive)
{
    return submit(captive->loop, (struct io_uring_sqe){.opcode = IORING_OP_SEND,
                                                       .fd = CLIENT,
                                                       .addr = (uint64_t)(uintptr_t)memory,
                                                       .len = 16,
                                                       .msg_flags = MSG_FASTOPEN});
}

static int writes_to_a_descriptor_that_was_not_given(struct captive *captive)
{
    return submit(captive->loop, (struct io_uring_sqe){.opcode = IORING_OP_WRITE,
                                                       .fd = STRAY,
                                                       .addr = (uint64_t)(uintptr_t)memory,
                                                       .len = 16});
}

static int limits_the_ring_again(struct captive *captive)
{
    return ring_restrict(&captive->loop->ring, profile_of(LOOP_RECORDER));
}

static int registers_a_file(struct captive *captive)
{
    int fd = CLIENT;
    return io_uring_register_files(&captive->loop->ring, &fd, 1);
}

static int registers_a_personality(struct captive *captive)
{
    return io_uring_register_personality(&captive->loop->ring);
}

static int enables_the_ring_again(struct captive *captive)
{
    return io_uring_enable_rings(&captive->loop->ring);
}

/* What a session needs, through the loop. */
struct user {
    struct loop *loop;
    struct loop_op op;
    struct loop_receive receive;
    int result, calls;
};

static void on_done(struct loop_op *op, int result)
{
    struct user *user = OWNER_OF(op, struct user, op);
    user->result = result;
    user->calls++;
    loop_stop(user->loop);
}

static void on_received(struct loop_receive *receive, uint8_t *bytes, int result)
{
    struct user *user = OWNER_OF(receive, struct user, receive);
    user->result = result == 8 && memcmp(bytes, "engineer", 8) == 0 ? 0 : -EBADMSG;
    loop_stop(user->loop);
}

static int finish(struct user *user, enum err started)
{
    if (started != ERR_NONE || loop_run(user->loop) != ERR_NONE) {
        return -EIO;
    }
    return user->result;
}

static int receives(struct captive *captive)
{
    struct user user = {.loop = captive->loop};
    int result = finish(&user, loop_receive_start(user.loop, &user.receive, CLIENT, on_received));
    loop_free(user.loop);
    return result;
}

static int writes(struct captive *captive)
{
    struct user user = {.loop = captive->loop};
    return finish(&user, loop_write(user.loop, &user.op, CLIENT, cursor_of(memory, 16), on_done));
}

static int polls(struct captive *captive)
{
    struct user user = {.loop = captive->loop};
    int result = finish(&user, loop_poll(user.loop, &user.op, CHANNEL, on_done));
    loop_free(user.loop);
    return result;
}

static int polls_for_room(struct captive *captive)
{
    struct user user = {.loop = captive->loop};
    return finish(&user, loop_poll_out(user.loop, &user.op, CLIENT, on_done));
}

static int waits(struct captive *captive)
{
    struct user user = {.loop = captive->loop};
    return finish(&user, loop_timer(user.loop, &user.op, 5, on_done));
}

static int cancels(struct captive *captive)
{
    struct user user = {.loop = captive->loop};
    enum err started = loop_timer(user.loop, &user.op, 3600000, on_done);
    loop_cancel(user.loop, &user.op);
    return finish(&user, started);
}

/* The memory of an idle loop goes back under seccomp too. */
static int rests(struct captive *captive)
{
    struct user user = {.loop = captive->loop};
    int result = finish(&user, loop_receive_start(user.loop, &user.receive, CLIENT, on_received));
    if (result != 0) {
        return result;
    }
    return finish(&user, loop_timer(user.loop, &user.op, 2300, on_done));
}

#define NO(run, expected)                                                                                    \
    {                                                                                                        \
#run, run, STAGE_CALLS, expected, 0                                                                  \
    }
#define NO_FLAG(flag)                                                                                        \
    {                                                                                                        \
        "submits_flags " #flag, submits_flags, STAGE_CALLS, -EACCES, flag                                    \
    }
#define NO_AT_RING(run, expected)                                                                            \
    {                                                                                                        \
#run, run, STAGE_RING, expected, 0                                                                   \
    }
#define YES(run)                                                                                             \
    {                                                                                                        \
#run, run, STAGE_CALLS, ENDS_WELL, 0                                                                 \
    }

const struct attempt SESSION_RING[] = {
    NO_FLAG(IOSQE_FIXED_FILE),
    NO_FLAG(IOSQE_IO_DRAIN),
    NO_FLAG(IOSQE_IO_LINK),
    NO_FLAG(IOSQE_IO_HARDLINK),
    NO_FLAG(IOSQE_ASYNC),
    NO_FLAG(IOSQE_CQE_SKIP_SUCCESS),
    {"submits_flags unknown", submits_flags, STAGE_CALLS, -EINVAL, 0x80},
    NO(submits_personality, -EINVAL),
    NO(sends_with_fast_open, -EACCES),
    NO(writes_to_a_descriptor_that_was_not_given, -EBADF),
    NO_AT_RING(limits_the_ring_again, -EACCES),
    NO_AT_RING(registers_a_file, -EACCES),
    NO_AT_RING(registers_a_personality, -EACCES),
    NO_AT_RING(enables_the_ring_again, -EACCES),
    YES(receives),
    YES(writes),
    YES(polls),
    YES(polls_for_room),
    YES(waits),
    NO(cancels, -ECANCELED),
    YES(rests),
};
const size_t SESSION_RING_COUNT = COUNT_OF(SESSION_RING);
