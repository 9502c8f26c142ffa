#include "page.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* bastion-dial: one name, one connection. The only one that may open sockets, so it holds nothing and reads
 * no byte of the target. Modules of the name service switch beyond "files" and "dns" are not loaded: mmap()
 * of their code and their files are refused, and the lookup goes on with the next entry of the hosts: line.
 */

static const struct sandbox_condition UNIX_SOCKET = INT_IS(0, AF_UNIX, "AF_UNIX");
static const struct sandbox_condition IPV4_SOCKET = INT_IS(0, AF_INET, "AF_INET");
static const struct sandbox_condition IPV6_SOCKET = INT_IS(0, AF_INET6, "AF_INET6");
static const struct sandbox_condition NETLINK_SOCKET = INT_IS(0, AF_NETLINK, "AF_NETLINK");
static const struct sandbox_condition BYTES_READY = INT_IS(1, FIONREAD, "FIONREAD");
static const struct sandbox_condition GET_FLAGS = INT_IS(1, F_GETFL, "F_GETFL");
static const struct sandbox_condition SET_FLAGS = INT_IS(1, F_SETFL, "F_SETFL");
static const struct sandbox_condition EXECUTABLE = {"with PROT_EXEC", 2, PROT_EXEC, PROT_EXEC};

static const struct sandbox_call CALLS[] = {
    CALL_IF(socket, UNIX_SOCKET, "the resolver asks a local name service cache"),
    CALL_IF(socket, IPV4_SOCKET, "questions to name servers, and the connection"),
    CALL_IF(socket, IPV6_SOCKET, "the same"),
    CALL_IF(socket, NETLINK_SOCKET, "the resolver asks which address families this machine has"),
    CALL(connect, "to name servers, and to the target"),
    CALL(bind, "the netlink socket of the resolver"),
    CALL(getsockname, "our address, for the certificate of the target"),
    CALL(getpeername, "the address that was reached is the one that was checked"),
    CALL(getsockopt, "how the connection attempt ended"),
    CALL(setsockopt, "TCP_NODELAY, keepalive"),
    CALL(sendto, "the resolver"),
    CALL(sendmmsg, "the resolver asks for A and AAAA at once"),
    CALL(recvfrom, "the resolver"),
    CALL(sendmsg, "the answer to the monitor; the resolver over netlink"),
    CALL(recvmsg, "the question of the monitor; the resolver over netlink"),
    CALL_IF(ioctl, BYTES_READY, "the resolver sizes a long answer"),
    CALL_IF(fcntl, GET_FLAGS, "the socket becomes blocking or not"),
    CALL_IF(fcntl, SET_FLAGS, "the same"),
    CALL(openat, "the files of the resolver; Landlock names them"),
    CALL(newfstatat, "has resolv.conf changed"),
    CALL(fstat, "stdio"),
    CALL(lseek, "stdio reads /etc/hosts"),
    CALL(uname, "the local domain, when resolv.conf has none"),
    CALL(writev, "the resolver over TCP"),
    CALL_FAILS_IF(mmap, EXECUTABLE, EPERM, "modules of the name service switch are not loaded"),
};

static const char *const READABLE[] = {
    "/etc/resolv.conf", "/etc/hosts",    "/etc/nsswitch.conf", "/etc/host.conf",
    "/etc/gai.conf",    "/etc/services", "/etc/protocols",     NULL};

const struct sandbox_page SANDBOX_DIAL = {
    .name = "bastion-dial",
    .tables = {CORE_TABLE, TABLE("Its own", CALLS)},
    .limits = {{RLIMIT_NPROC, "NPROC", 0, "no process, no thread"},
               {RLIMIT_FSIZE, "FSIZE", 0, "no file grows"},
               {RLIMIT_CORE, "CORE", 0, "nothing reaches a disk"},
               {RLIMIT_NOFILE, "NOFILE", 4096,
                "few are open; but sockets of all of its uid that are on their way to the monitor count"},
               {RLIMIT_AS, "AS", 512UL << 20, "answers of name servers are small"}},
    .highest_fd = 3,
    .descriptors = "0-1 /dev/null, 2 the daemon's stderr, 3 the monitor",
    .uses_landlock = true,
    .readable_paths = READABLE,
    .paths =
        "read only: /etc/resolv.conf, hosts, nsswitch.conf, host.conf, gai.conf, services, protocols (what "
        "symbolic links lead to counts)",
    .dies_with_parent = true,
    .ring = "none",
    .canary_error = 203,
};
