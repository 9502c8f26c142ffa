#include "profile.h"

#include <assert.h>

#include <liburing.h>

/* No SEND, SENDMSG or CONNECT: they take an address (SEND with MSG_FASTOPEN opens connections). No OPENAT,
 * CLOSE, SOCKET, ACCEPT, SPLICE, URING_CMD or MSG_RING: descriptors come only from the monitor. No
 * POLL_REMOVE or TIMEOUT_REMOVE: ASYNC_CANCEL does both. */
#define ROW_NOP                                                                                              \
    {                                                                                                        \
        IORING_OP_NOP, "NOP", "self-test; the end of an operation that the kernel does not hold"             \
    }
#define ROW_POLL                                                                                             \
    {                                                                                                        \
        IORING_OP_POLL_ADD, "POLL_ADD", "wait for messages on channels, and for room to write"               \
    }
#define ROW_TIMEOUT                                                                                          \
    {                                                                                                        \
        IORING_OP_TIMEOUT, "TIMEOUT", "deadlines and idle limits"                                            \
    }
#define ROW_CANCEL                                                                                           \
    {                                                                                                        \
        IORING_OP_ASYNC_CANCEL, "ASYNC_CANCEL", "end or pause an operation"                                  \
    }
#define ROW_RECV                                                                                             \
    {                                                                                                        \
        IORING_OP_RECV, "RECV", "multishot receive from sockets"                                             \
    }
#define ROW_WRITE                                                                                            \
    {                                                                                                        \
        IORING_OP_WRITE, "WRITE", "write to sockets and files that were given"                               \
    }
#define ROW_FSYNC                                                                                            \
    {                                                                                                        \
        IORING_OP_FSYNC, "FSYNC", "make recordings durable without stopping the loop"                        \
    }

static const struct profile_row SESSION_ROWS[] = {ROW_NOP,    ROW_POLL, ROW_TIMEOUT,
                                                  ROW_CANCEL, ROW_RECV, ROW_WRITE};
static const struct profile_row RECORDER_ROWS[] = {ROW_NOP,  ROW_POLL,  ROW_TIMEOUT, ROW_CANCEL,
                                                   ROW_RECV, ROW_WRITE, ROW_FSYNC};
static const struct profile_row MONITOR_ROWS[] = {ROW_NOP, ROW_POLL, ROW_TIMEOUT, ROW_CANCEL};

#define ROWS(rows) (rows), sizeof(rows) / sizeof((rows)[0])
static const struct profile PROFILES[LOOP_PROFILE_COUNT] = {
    [LOOP_SESSION] = {"session", ROWS(SESSION_ROWS), IOSQE_BUFFER_SELECT, 64, LOOP_SESSION_BUFFER_COUNT,
                      false},
    [LOOP_RECORDER] = {"recorder", ROWS(RECORDER_ROWS), IOSQE_BUFFER_SELECT, 1024, LOOP_RECORDER_BUFFER_COUNT,
                       true},
    [LOOP_MONITOR] = {"monitor", ROWS(MONITOR_ROWS), 0, 1024, 0, false},
};

const struct profile *profile_of(enum loop_profile profile)
{
    assert(profile < LOOP_PROFILE_COUNT);
    return &PROFILES[profile];
}
