#include "page.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* bastion-token: one token for a database. It holds the AWS credentials for as long as that takes; the only
 * thing that it may reach is a service over IPv4. */

static const struct sandbox_condition IPV4_STREAM = INT_IS(0, AF_INET, "AF_INET");
static const struct sandbox_condition GET_FLAGS = INT_IS(1, F_GETFL, "F_GETFL");
static const struct sandbox_condition SET_FLAGS = INT_IS(1, F_SETFL, "F_SETFL");
static const struct sandbox_condition SET_CLOEXEC = INT_IS(1, F_SETFD, "F_SETFD");

static const struct sandbox_call CALLS[] = {
    CALL_IF(socket, IPV4_STREAM, "the metadata service of the instance"),
    CALL(connect, "the same"),
    CALL(getsockname, "libcurl tells where a connection comes from"),
    CALL(getpeername, "the same"),
    CALL(getsockopt, "how the connection attempt ended"),
    CALL(setsockopt, "TCP_NODELAY, keepalive"),
    CALL(sendto, "libcurl"),
    CALL(recvfrom, "libcurl"),
    CALL(socketpair, "libcurl wakes itself up"),
    CALL(eventfd2, "the same, in newer ones"),
    CALL(sendmsg, "the answer to the monitor"),
    CALL(recvmsg, "the question of the monitor"),
    CALL_IF(fcntl, GET_FLAGS, "the socket becomes blocking or not"),
    CALL_IF(fcntl, SET_FLAGS, "the same"),
    CALL_IF(fcntl, SET_CLOEXEC, "the same"),
    CALL(fstat, "stdio"),
};

const struct sandbox_page SANDBOX_TOKEN = {
    .name = "bastion-token",
    .tables = {CORE_TABLE, TABLE("Its own", CALLS)},
    .limits = {{RLIMIT_NPROC, "NPROC", 0, "no process, no thread"},
               {RLIMIT_FSIZE, "FSIZE", 0, "no file grows"},
               {RLIMIT_CORE, "CORE", 0, "credentials do not reach a disk"},
               {RLIMIT_NOFILE, "NOFILE", 32, "few are open"},
               {RLIMIT_AS, "AS", 512UL << 20, "answers are small"}},
    .highest_fd = 3,
    .descriptors = "0-1 /dev/null, 2 the daemon's stderr, 3 the monitor",
    .uses_landlock = true,
    .paths = "none",
    .dies_with_parent = true,
    .ring = "none",
    .canary_error = 206,
};
