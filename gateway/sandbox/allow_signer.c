#include "page.h"

#include <errno.h>

/* bastion-signer: holds the private keys and answers the monitor. It reads its key files first, as root, and
 * closes its sandbox before the first message. */

static const struct sandbox_condition CHANNEL_ONLY = INT_IS(0, 3, "descriptor 3");

static const struct sandbox_call CALLS[] = {
    CALL_IF(sendmsg, CHANNEL_ONLY, "answers to the monitor"),
    CALL_IF(recvmsg, CHANNEL_ONLY, "questions of the monitor"),
    CALL_FAILS(openat, ENOENT, "libcrypto looks for openssl.cnf and goes on without"),
    CALL_FAILS(newfstatat, ENOENT, "the same"),
};

const struct sandbox_page SANDBOX_SIGNER = {
    .name = "bastion-signer",
    .tables = {CORE_TABLE, TABLE("Its own", CALLS)},
    .limits = {{RLIMIT_NPROC, "NPROC", 0, "no process, no thread"},
               {RLIMIT_FSIZE, "FSIZE", 0, "no file grows"},
               {RLIMIT_CORE, "CORE", 0, "keys do not reach a disk"},
               {RLIMIT_NOFILE, "NOFILE", 16, "it never gets another descriptor"},
               {RLIMIT_AS, "AS", 512UL << 20, "4,096 connections remembered take under 1 MiB"}},
    .namespaces = 1U << SANDBOX_MOUNT | 1U << SANDBOX_NET | 1U << SANDBOX_IPC | 1U << SANDBOX_UTS,
    .highest_fd = 3,
    .descriptors = "0-1 /dev/null, 2 the daemon's stderr, 3 the monitor",
    .paths = "none: the root is empty and read-only; its keys were read before",
    .ring = "none",
    .canary_error = 201,
};
