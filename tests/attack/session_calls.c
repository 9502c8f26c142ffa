#include "session_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "unit_test.h"

/* One line per attempt: its name, and the call. */
#define TRIES(name, call)                                                                                    \
    static int name(struct captive *captive)                                                                 \
    {                                                                                                        \
        (void)captive;                                                                                       \
        return ERRNO_OF(call);                                                                               \
    }

static char page[4096] __attribute__((aligned(4096)));
static struct sockaddr_in somewhere = {.sin_family = AF_INET};
static struct iovec part = {page, 16};
static struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

/* Reach out. */
TRIES(opens_a_socket, syscall(SYS_socket, AF_INET, SOCK_STREAM, 0))
TRIES(opens_a_unix_socket, syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0))
TRIES(opens_a_socket_pair, syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, page))
TRIES(connects, syscall(SYS_connect, CLIENT, &somewhere, sizeof somewhere))
TRIES(binds, syscall(SYS_bind, CLIENT, &somewhere, sizeof somewhere))
TRIES(listens, syscall(SYS_listen, CLIENT, 1))
TRIES(accepts, syscall(SYS_accept4, CLIENT, NULL, NULL, 0))
TRIES(sends_to_an_address, syscall(SYS_sendto, CLIENT, page, 1, MSG_FASTOPEN, &somewhere, sizeof somewhere))
TRIES(sends_without_address, syscall(SYS_sendto, CLIENT, page, 1, 0, NULL, 0))
TRIES(sends_a_message_to_another_descriptor, syscall(SYS_sendmsg, CLIENT, &message, 0))
TRIES(receives_a_message_from_another_descriptor, syscall(SYS_recvmsg, CLIENT, &message, 0))
TRIES(sends_many_messages, syscall(SYS_sendmmsg, CHANNEL, &message, 1, 0))
TRIES(sets_a_socket_option, syscall(SYS_setsockopt, CLIENT, SOL_SOCKET, SO_MARK, page, 4))
/* Become more. */
TRIES(runs_a_program, syscall(SYS_execve, "/bin/sh", NULL, NULL))
TRIES(runs_a_program_at, syscall(SYS_execveat, CLIENT, "", NULL, NULL, 0x1000))
TRIES(makes_a_process, syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL))
TRIES(makes_a_process_newly, syscall(SYS_clone3, page, 64))
TRIES(takes_another_user, syscall(SYS_setuid, 0))
TRIES(takes_three_other_users, syscall(SYS_setresuid, 0, 0, 0))
TRIES(sets_capabilities, syscall(SYS_capset, page, page))
TRIES(enters_a_namespace, syscall(SYS_setns, CLIENT, 0))
TRIES(makes_a_namespace, syscall(SYS_unshare, CLONE_NEWUSER))
TRIES(mounts, syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL))
TRIES(changes_the_root, syscall(SYS_chroot, "/"))
TRIES(makes_itself_dumpable, syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0))
TRIES(sets_another_filter, syscall(SYS_seccomp, 1, 0, page))
TRIES(uses_landlock, syscall(SYS_landlock_create_ruleset, NULL, 0, 1))
TRIES(raises_a_limit, syscall(SYS_prlimit64, 0, 7, page, NULL))
TRIES(changes_its_personality, personality(ADDR_NO_RANDOMIZE))
/* Reach into others. */
TRIES(traces, syscall(SYS_ptrace, PTRACE_ATTACH, 1, 0, 0))
TRIES(signals, syscall(SYS_kill, 1, 0))
TRIES(signals_a_queue, syscall(SYS_rt_sigqueueinfo, 1, SIGTERM, page))
TRIES(reads_memory_of_others, syscall(SYS_process_vm_readv, 1, &part, 1, &part, 1, 0))
TRIES(writes_memory_of_others, syscall(SYS_process_vm_writev, 1, &part, 1, &part, 1, 0))
TRIES(opens_a_process, syscall(SYS_pidfd_open, 1, 0))
TRIES(takes_a_descriptor_of_others, syscall(SYS_pidfd_getfd, CLIENT, 0, 0))
TRIES(shares_memory, syscall(SYS_shmget, 1, 4096, 0666))
/* Get code in. */
TRIES(maps_code, syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
TRIES(maps_writable_code,
      syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
TRIES(makes_data_code, syscall(SYS_mprotect, page, 4096, PROT_READ | PROT_EXEC))
TRIES(makes_data_code_with_a_key, syscall(SYS_pkey_mprotect, page, 4096, PROT_READ | PROT_EXEC, -1))
TRIES(makes_a_memory_file, syscall(SYS_memfd_create, "x", 0))
TRIES(makes_a_secret_memory_file, syscall(447 /* memfd_secret */, 0))
/* Tools of kernel exploits, and what seccomp cannot see. */
TRIES(handles_page_faults, syscall(SYS_userfaultfd, 0))
TRIES(loads_bpf, syscall(SYS_bpf, 0, page, 64))
TRIES(uses_kernel_keys, syscall(SYS_keyctl, 0, 0, 0, 0, 0))
TRIES(counts_events, syscall(SYS_perf_event_open, page, 0, -1, -1, 0))
TRIES(makes_a_ring, syscall(SYS_io_uring_setup, 8, page))
TRIES(registers_with_the_ring, syscall(SYS_io_uring_register, 5, 0, page, 1))
TRIES(makes_a_timer_descriptor, syscall(SYS_timerfd_create, CLOCK_MONOTONIC, 0))
TRIES(uses_old_asynchronous_io, syscall(SYS_io_setup, 1, page))
TRIES(calls_x32, syscall(0x40000000L | SYS_getpid))
TRIES(calls_what_does_not_exist, syscall(4000))
/* Files and descriptors. */
TRIES(opens_a_file, syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY))
TRIES(opens_the_root, syscall(SYS_openat, AT_FDCWD, "/", O_PATH))
TRIES(opens_itself, syscall(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDWR))
TRIES(makes_a_file, syscall(SYS_openat, AT_FDCWD, "/x", O_CREAT | O_WRONLY, 0600))
TRIES(asks_for_a_file, syscall(SYS_newfstatat, AT_FDCWD, "/", page, 0))
TRIES(opens_a_file_newly, syscall(SYS_openat2, AT_FDCWD, "/", page, 24))
TRIES(removes_a_file, syscall(SYS_unlinkat, AT_FDCWD, "/x", 0))
TRIES(writes_over_what_was_appended, syscall(SYS_pwritev2, CLIENT, &part, 1, 0, 0, 0x20 /* RWF_NOAPPEND */))
TRIES(cuts_a_file, syscall(SYS_ftruncate, CLIENT, 0))
TRIES(copies_a_descriptor, syscall(SYS_fcntl, CLIENT, F_DUPFD, 10))
TRIES(takes_a_lease, syscall(SYS_fcntl, CLIENT, F_SETLEASE, F_WRLCK))
TRIES(asks_for_signals, syscall(SYS_fcntl, CLIENT, F_SETOWN, 1))
TRIES(dups, syscall(SYS_dup, CLIENT))
TRIES(dups_over, syscall(SYS_dup3, CLIENT, CHANNEL, 0))
TRIES(types_into_a_terminal, syscall(SYS_ioctl, 0, TIOCSTI, "x"))
TRIES(makes_a_pipe, syscall(SYS_pipe2, page, 0))
TRIES(splices, syscall(SYS_splice, CLIENT, NULL, CHANNEL, NULL, 1, 0))
TRIES(reads_a_descriptor_that_was_not_given, syscall(SYS_read, STRAY, page, 16))

static int reads_any_other_descriptor(struct captive *captive)
{
    (void)captive;
    for (int fd = CLIENT + 1; fd < 1024; fd++) {
        struct pollfd probe = {.fd = fd, .events = POLLIN};
        /* The ring itself is there, and reading it is refused by the kernel. */
        bool is_open = poll(&probe, 1, 0) == 0 || (probe.revents & POLLNVAL) == 0;
        if (is_open && read(fd, page, sizeof page) >= 0) {
            return fd;
        }
    }
    return -EBADF;
}

/* What a session needs. */
TRIES(asks_for_its_number, syscall(SYS_getpid))
TRIES(gets_random_bytes, syscall(SYS_getrandom, page, 16, 0))
TRIES(looks_at_the_clock, syscall(SYS_clock_gettime, CLOCK_MONOTONIC, page))
TRIES(takes_memory,
      syscall(SYS_mmap, NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == -1 ? -1
                                                                                                         : 0)
TRIES(protects_memory, syscall(SYS_mprotect, page, 4096, PROT_READ))
TRIES(gives_memory_back, syscall(SYS_madvise, page, 4096, MADV_DONTNEED))
TRIES(sends_a_message_to_the_monitor, syscall(SYS_sendmsg, CHANNEL, &message, 0))
TRIES(receives_a_message_of_the_monitor, syscall(SYS_recvmsg, CHANNEL, &message, 0))
TRIES(reads_the_client, syscall(SYS_read, CLIENT, page, 16))
TRIES(writes_the_client, syscall(SYS_write, CLIENT, page, 16))
TRIES(ends_one_direction, syscall(SYS_shutdown, CLIENT, SHUT_WR))
TRIES(asks_for_flags, syscall(SYS_fcntl, CLIENT, F_GETFL))
TRIES(sets_flags, syscall(SYS_fcntl, CLIENT, F_SETFL, O_NONBLOCK))
TRIES(closes_a_descriptor, syscall(SYS_close, CLIENT))

static int uses_the_heap(struct captive *captive)
{
    (void)captive;
    for (size_t size = 64; size <= 16U << 20; size *= 4) {
        uint8_t *bytes = malloc(size);
        if (bytes == NULL) {
            return -ENOMEM;
        }
        memset(bytes, 1, size);
        free(bytes);
    }
    return 0;
}

#define NO(run)                                                                                              \
    {                                                                                                        \
#run, run, STAGE_CALLS, ENDS_BY_SIGSYS, 0                                                            \
    }
#define FAILS(run, error)                                                                                    \
    {                                                                                                        \
#run, run, STAGE_CALLS, -(error), 0                                                                  \
    }
#define YES(run)                                                                                             \
    {                                                                                                        \
#run, run, STAGE_CALLS, ENDS_WELL, 0                                                                 \
    }

const struct attempt SESSION_CALLS[] = {
    NO(opens_a_socket),
    NO(opens_a_unix_socket),
    NO(opens_a_socket_pair),
    NO(connects),
    NO(binds),
    NO(listens),
    NO(accepts),
    NO(sends_to_an_address),
    NO(sends_without_address),
    NO(sends_a_message_to_another_descriptor),
    NO(receives_a_message_from_another_descriptor),
    NO(sends_many_messages),
    NO(sets_a_socket_option),
    NO(runs_a_program),
    NO(runs_a_program_at),
    NO(makes_a_process),
    NO(makes_a_process_newly),
    NO(takes_another_user),
    NO(takes_three_other_users),
    NO(sets_capabilities),
    NO(enters_a_namespace),
    NO(makes_a_namespace),
    NO(mounts),
    NO(changes_the_root),
    NO(makes_itself_dumpable),
    NO(sets_another_filter),
    NO(uses_landlock),
    FAILS(changes_its_personality, 200),
    NO(traces),
    NO(signals),
    NO(signals_a_queue),
    NO(reads_memory_of_others),
    NO(writes_memory_of_others),
    NO(opens_a_process),
    NO(takes_a_descriptor_of_others),
    NO(shares_memory),
    NO(maps_code),
    NO(maps_writable_code),
    NO(makes_data_code),
    NO(makes_data_code_with_a_key),
    NO(makes_a_memory_file),
    NO(makes_a_secret_memory_file),
    NO(handles_page_faults),
    NO(loads_bpf),
    NO(uses_kernel_keys),
    NO(counts_events),
    NO(makes_a_ring),
    NO(registers_with_the_ring),
    NO(makes_a_timer_descriptor),
    NO(uses_old_asynchronous_io),
    NO(calls_x32),
    NO(calls_what_does_not_exist),
    FAILS(opens_a_file, ENOENT),
    FAILS(opens_the_root, ENOENT),
    FAILS(opens_itself, ENOENT),
    FAILS(makes_a_file, ENOENT),
    FAILS(asks_for_a_file, ENOENT),
    NO(opens_a_file_newly),
    NO(removes_a_file),
    NO(writes_over_what_was_appended),
    NO(cuts_a_file),
    NO(copies_a_descriptor),
    NO(takes_a_lease),
    NO(asks_for_signals),
    NO(dups),
    NO(dups_over),
    NO(types_into_a_terminal),
    NO(makes_a_pipe),
    NO(splices),
    FAILS(reads_a_descriptor_that_was_not_given, EBADF),
    FAILS(reads_any_other_descriptor, EBADF),
    YES(asks_for_its_number),
    YES(gets_random_bytes),
    YES(looks_at_the_clock),
    YES(takes_memory),
    YES(protects_memory),
    YES(gives_memory_back),
    YES(sends_a_message_to_the_monitor),
    YES(receives_a_message_of_the_monitor),
    YES(reads_the_client),
    YES(writes_the_client),
    YES(ends_one_direction),
    YES(asks_for_flags),
    YES(sets_flags),
    YES(closes_a_descriptor),
    YES(uses_the_heap),
};
const size_t SESSION_CALL_COUNT = COUNT_OF(SESSION_CALLS);

/* Calls that the sanitizers' runtime may make, so they can be tried in ordinary builds only. */
const struct attempt SESSION_ORDINARY_CALLS[] = {NO(raises_a_limit)};
const size_t SESSION_ORDINARY_CALL_COUNT = COUNT_OF(SESSION_ORDINARY_CALLS);
