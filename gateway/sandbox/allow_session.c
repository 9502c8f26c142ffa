#include "page.h"

#include <errno.h>
#include <fcntl.h>

/* bastion-session: one engineer's connection. It parses what strangers send, so it has the least of all.
 * Sockets are read and written by the ring; the ring's own limits are gateway/loop/profile.c. */

static const struct sandbox_condition CHANNEL_ONLY = INT_IS(0, 3, "descriptor 3");
static const struct sandbox_condition GET_FLAGS = INT_IS(1, F_GETFL, "F_GETFL");
static const struct sandbox_condition SET_FLAGS = INT_IS(1, F_SETFL, "F_SETFL");

static const struct sandbox_call CALLS[] = {
    CALL(io_uring_enter, "the event loop; the ring was limited before"),
    CALL_IF(sendmsg, CHANNEL_ONLY, "messages to the monitor"),
    CALL_IF(recvmsg, CHANNEL_ONLY, "messages and descriptors from the monitor"),
    CALL(shutdown, "pass on the end of one direction of a forward"),
    CALL_IF(fcntl, GET_FLAGS, "libssh asks for the mode of a descriptor"),
    CALL_IF(fcntl, SET_FLAGS, "libssh sets O_NONBLOCK"),
    CALL_FAILS(openat, ENOENT, "libssh looks for known_hosts and moduli and goes on without"),
    CALL_FAILS(newfstatat, ENOENT, "the same"),
};

const struct sandbox_page SANDBOX_SESSION = {
    .name = "bastion-session",
    .tables = {CORE_TABLE, TABLE("Its own", CALLS)},
    .limits = {{RLIMIT_NPROC, "NPROC", 0, "no process, no thread"},
               {RLIMIT_FSIZE, "FSIZE", 0, "no file grows"},
               {RLIMIT_CORE, "CORE", 0, "keys do not reach a disk"},
               {RLIMIT_NOFILE, "NOFILE", 96, "32 accesses with two descriptors each, and a few"},
               {RLIMIT_AS, "AS", 512UL << 20, "memory of one connection"}},
    .namespaces = 1U << SANDBOX_MOUNT | 1U << SANDBOX_NET | 1U << SANDBOX_IPC | 1U << SANDBOX_UTS,
    .highest_fd = 4,
    .descriptors =
        "0-2 /dev/null, 3 the monitor, 4 the engineer's socket; later, from the monitor: target sockets "
        "(ESTABLISHED only) and pipes to the recorder",
    .paths = "none: the root is empty and read-only",
    .dies_with_parent = true,
    .ring = "session",
    .canary_error = 200,
};
