#include "page.h"

#include <fcntl.h>

/* bastion-recorder: writes what sessions hand it. It is the only one that may make and remove files, and
 * Landlock keeps it in its two folders. */

static const struct sandbox_condition CHANNEL_ONLY = INT_IS(0, 3, "descriptor 3");
static const struct sandbox_condition GET_FLAGS = INT_IS(1, F_GETFL, "F_GETFL");
static const struct sandbox_condition SET_FLAGS = INT_IS(1, F_SETFL, "F_SETFL");

static const struct sandbox_call CALLS[] = {
    CALL(io_uring_enter, "the event loop; the ring was limited before"),
    CALL_IF(sendmsg, CHANNEL_ONLY, "answers to the monitor"),
    CALL_IF(recvmsg, CHANNEL_ONLY, "messages and streams from the monitor"),
    CALL(openat, "recordings and the evidence log"),
    CALL(newfstatat, "sizes when it recovers"),
    CALL(fstat, "the same"),
    CALL(lseek, "the end of the evidence log"),
    CALL(pread64, "recovery reads what was written before a crash"),
    CALL(writev, "frame header and body in one call"),
    CALL(getdents64, "recovery looks for unfinished recordings"),
    CALL(mkdirat, "folders by date"),
    CALL(renameat, "replace the checkpoint in one step"),
    CALL(renameat2, "the same"),
    CALL(unlinkat, "temporary files"),
    CALL(fchmod, "a finished recording loses its write bit"),
    CALL(fsync, "make durable"),
    CALL(fdatasync, "make durable"),
    CALL(fallocate, "the slack file for the last record of a full disk"),
    CALL(ftruncate, "a torn line at the end of the evidence log; the slack file"),
    CALL(statfs, "room left on the disk"),
    CALL(fstatfs, "room left on the disk"),
    CALL_IF(fcntl, GET_FLAGS, "stdio and the loop ask for the mode"),
    CALL_IF(fcntl, SET_FLAGS, "streams become O_NONBLOCK"),
};

const struct sandbox_page SANDBOX_RECORDER = {
    .name = "bastion-recorder",
    .tables = {CORE_TABLE, TABLE("Its own", CALLS)},
    .limits = {{RLIMIT_NPROC, "NPROC", 64, "threads of the kernel that carry out fsync count here"},
               {RLIMIT_CORE, "CORE", 0, "keys do not reach a disk"},
               {RLIMIT_NOFILE, "NOFILE", 65536, "two descriptors for each access of every session"}},
    .namespaces = 1U << SANDBOX_NET | 1U << SANDBOX_IPC | 1U << SANDBOX_UTS,
    .highest_fd = 3,
    .descriptors =
        "0-1 /dev/null, 2 the daemon's stderr, 3 the monitor; later, from the monitor: streams of sessions",
    .uses_landlock = true,
    .paths = "the recordings and the evidence folder: read and write; nothing else",
    .ring = "recorder",
    .canary_error = 202,
};
