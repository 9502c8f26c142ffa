/* The same for the processes that hold more than a session: each keeps to its page. */
#include "session_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit_test.h"

#define TRIES(name, call)                                                                                    \
    static int name(struct captive *captive)                                                                 \
    {                                                                                                        \
        (void)captive;                                                                                       \
        return ERRNO_OF(call);                                                                               \
    }

static char page[4096];
static const char STRAY_FILE[] = "/tmp/bastion-attack-file";
static const char STRAY_DEVICE[] = "/tmp/bastion-attack-device";

TRIES(opens_passwd, open("/etc/passwd", O_RDONLY))
TRIES(opens_shadow, open("/etc/shadow", O_RDONLY))
TRIES(opens_hosts, open("/etc/hosts", O_RDONLY))
TRIES(writes_hosts, open("/etc/hosts", O_WRONLY))
TRIES(opens_memory_of_init, open("/proc/1/mem", O_RDONLY))
TRIES(makes_a_file_in_tmp, open(STRAY_FILE, O_CREAT | O_EXCL | O_WRONLY, 0600))
TRIES(opens_ipv4, socket(AF_INET, SOCK_STREAM, 0))
TRIES(opens_unix, socket(AF_UNIX, SOCK_STREAM, 0))
TRIES(opens_packets, socket(AF_PACKET, SOCK_RAW, 0))
TRIES(opens_crypto, socket(38 /* AF_ALG */, SOCK_SEQPACKET, 0))
TRIES(opens_vsock, socket(AF_VSOCK, SOCK_STREAM, 0))
TRIES(listens, syscall(SYS_listen, CLIENT, 1))
TRIES(runs_a_program, syscall(SYS_execve, "/bin/true", NULL, NULL))
TRIES(makes_a_process, syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL))
TRIES(traces, syscall(SYS_ptrace, PTRACE_ATTACH, 1, 0, 0))
TRIES(signals, syscall(SYS_kill, 1, 0))
TRIES(enters_the_ring, syscall(SYS_io_uring_enter, CLIENT, 0, 0, 0, NULL, 0))
TRIES(makes_a_ring, syscall(SYS_io_uring_setup, 8, page))
TRIES(registers_with_a_ring, syscall(SYS_io_uring_register, CLIENT, 0, page, 1))
TRIES(maps_code, syscall(SYS_mmap, NULL, 4096, 5 /* read, execute */, 0x22 /* private, anonymous */, -1, 0))
TRIES(mounts, mount("none", "/mnt", "tmpfs", 0, NULL))
TRIES(makes_a_namespace, unshare(CLONE_NEWNS))
TRIES(loads_bpf, syscall(SYS_bpf, 0, page, 64))
TRIES(loads_a_module, syscall(SYS_finit_module, CLIENT, "", 0))
TRIES(sets_the_clock, syscall(SYS_clock_settime, 0, page))
TRIES(uses_kernel_keys, syscall(SYS_keyctl, 0, 0, 0, 0, 0))
TRIES(opens_by_handle, syscall(SYS_open_by_handle_at, CLIENT, page, 0))
TRIES(reboots, syscall(SYS_reboot, 0, 0, 0, NULL))
TRIES(becomes_root, setuid(0))
TRIES(makes_a_device, mknod(STRAY_DEVICE, S_IFCHR | 0600, 0x103))
TRIES(changes_an_owner, fchown(CLIENT, 1, 1))
TRIES(binds_to_a_device, setsockopt(CLIENT, SOL_SOCKET, SO_RCVBUFFORCE, page, 4))
TRIES(sends_to_the_monitor, syscall(SYS_sendmsg, CHANNEL, &(struct msghdr){0}, 0))
TRIES(receives_from_the_monitor, syscall(SYS_recvmsg, CHANNEL, &(struct msghdr){0}, 0))
TRIES(sends_to_another, syscall(SYS_sendmsg, CLIENT, &(struct msghdr){0}, 0))

static int in_folder(const struct captive *captive, const char *name, char *path, size_t size)
{
    return snprintf(path, size, "%s/%s", captive->folder, name);
}

static int makes_its_file(struct captive *captive)
{
    char path[128];
    (void)in_folder(captive, "file", path, sizeof path);
    int fd = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    return fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) != 0 || ftruncate(fd, 0) != 0 ? -errno : 0;
}

static int makes_its_folder(struct captive *captive)
{
    char path[128];
    (void)in_folder(captive, "day", path, sizeof path);
    return mkdirat(AT_FDCWD, path, 0700) != 0 && errno != EEXIST ? -errno : 0;
}

static int climbs_out_of_its_folder(struct captive *captive)
{
    char path[128];
    (void)in_folder(captive, "../../etc/passwd", path, sizeof path);
    return ERRNO_OF(open(path, O_RDONLY));
}

static int links_out_of_its_folder(struct captive *captive)
{
    char path[128];
    (void)in_folder(captive, "link", path, sizeof path);
    return ERRNO_OF(symlink("/etc/passwd", path));
}

static int runs_true(struct captive *captive)
{
    (void)captive;
    pid_t child = fork();
    if (child == 0) {
        (void)execl("/bin/true", "true", (char *)NULL);
        _exit(99);
    }
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0 ? 0 : -ECHILD;
}

static int connects_to_where_nobody_listens(struct captive *captive)
{
    (void)captive;
    struct sockaddr there = {.sa_family = AF_UNSPEC};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return fd < 0 ? -errno : ERRNO_OF(connect(fd, &there, sizeof there));
}

struct fsync_user {
    struct loop *loop;
    struct loop_op op;
    int result;
};

static void on_done(struct loop_op *op, int result)
{
    struct fsync_user *user = OWNER_OF(op, struct fsync_user, op);
    user->result = result;
    loop_stop(user->loop);
}

static int makes_durable_through_the_ring(struct captive *captive)
{
    char path[128];
    (void)in_folder(captive, "file", path, sizeof path);
    struct fsync_user user = {.loop = captive->loop, .result = -EIO};
    int fd = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1 || loop_fsync(user.loop, &user.op, fd, on_done) != ERR_NONE ||
        loop_run(user.loop) != ERR_NONE) {
        return -errno;
    }
    return user.result;
}

#define KILLED(run)                                                                                          \
    {                                                                                                        \
#run, run, STAGE_CALLS, ENDS_BY_SIGSYS, 0                                                            \
    }
#define FAILS(run, error)                                                                                    \
    {                                                                                                        \
#run, run, STAGE_CALLS, -(error), 0                                                                  \
    }
#define WORKS(run)                                                                                           \
    {                                                                                                        \
#run, run, STAGE_CALLS, ENDS_WELL, 0                                                                 \
    }

static const struct attempt SIGNER[] = {
    FAILS(opens_passwd, ENOENT),
    KILLED(opens_ipv4),
    KILLED(opens_unix),
    KILLED(runs_a_program),
    KILLED(makes_a_process),
    KILLED(traces),
    KILLED(signals),
    KILLED(enters_the_ring),
    KILLED(makes_a_ring),
    KILLED(maps_code),
    KILLED(sends_to_another),
    KILLED(becomes_root),
    WORKS(sends_to_the_monitor),
    WORKS(receives_from_the_monitor),
};

static const struct attempt RECORDER[] = {
    FAILS(opens_passwd, EACCES),
    FAILS(opens_memory_of_init, EACCES),
    FAILS(makes_a_file_in_tmp, EACCES),
    FAILS(climbs_out_of_its_folder, EACCES),
    KILLED(links_out_of_its_folder),
    KILLED(makes_a_device),
    KILLED(opens_ipv4),
    KILLED(opens_unix),
    KILLED(runs_a_program),
    KILLED(makes_a_process),
    KILLED(traces),
    KILLED(signals),
    KILLED(makes_a_ring),
    KILLED(registers_with_a_ring),
    KILLED(maps_code),
    KILLED(sends_to_another),
    KILLED(becomes_root),
    KILLED(changes_an_owner),
    WORKS(makes_its_file),
    WORKS(makes_its_folder),
    WORKS(makes_durable_through_the_ring),
    WORKS(sends_to_the_monitor),
    WORKS(receives_from_the_monitor),
};

static const struct attempt DIAL[] = {
    FAILS(opens_passwd, EACCES),
    FAILS(opens_shadow, EACCES),
    FAILS(writes_hosts, EACCES),
    FAILS(makes_a_file_in_tmp, EACCES),
    FAILS(maps_code, EPERM),
    KILLED(opens_packets),
    KILLED(opens_crypto),
    KILLED(opens_vsock),
    KILLED(listens),
    KILLED(runs_a_program),
    KILLED(makes_a_process),
    KILLED(traces),
    KILLED(signals),
    KILLED(makes_a_ring),
    KILLED(becomes_root),
    WORKS(opens_hosts),
    WORKS(opens_ipv4),
    WORKS(connects_to_where_nobody_listens),
    WORKS(sends_to_the_monitor),
};

static const struct attempt TOKEN[] = {
    KILLED(opens_passwd),
    KILLED(opens_shadow),
    KILLED(writes_hosts),
    KILLED(makes_a_file_in_tmp),
    KILLED(maps_code),
    KILLED(opens_unix),
    KILLED(opens_packets),
    KILLED(opens_vsock),
    KILLED(listens),
    KILLED(runs_a_program),
    KILLED(makes_a_process),
    KILLED(traces),
    KILLED(signals),
    KILLED(makes_a_ring),
    KILLED(becomes_root),
    WORKS(opens_ipv4),
    WORKS(connects_to_where_nobody_listens),
    WORKS(sends_to_the_monitor),
    WORKS(receives_from_the_monitor),
};

static const struct attempt PAM[] = {
    FAILS(writes_hosts, EACCES),
    FAILS(opens_shadow, EACCES),
    FAILS(makes_a_file_in_tmp, EACCES),
    FAILS(becomes_root, EPERM),
    FAILS(uses_kernel_keys, EPERM),
    KILLED(traces),
    KILLED(makes_a_ring),
    KILLED(mounts),
    KILLED(makes_a_namespace),
    KILLED(loads_bpf),
    KILLED(loads_a_module),
    KILLED(sets_the_clock),
    KILLED(opens_by_handle),
    WORKS(opens_passwd),
    WORKS(makes_its_file),
    WORKS(runs_true),
    WORKS(sends_to_the_monitor),
};

static const struct attempt MONITOR[] = {
    FAILS(mounts, EPERM),
    FAILS(uses_kernel_keys, EPERM),
    FAILS(makes_a_device, EPERM),
    FAILS(binds_to_a_device, EPERM),
    KILLED(traces),
    KILLED(loads_bpf),
    KILLED(loads_a_module),
    KILLED(sets_the_clock),
    KILLED(opens_by_handle),
    KILLED(reboots),
    WORKS(signals),
    WORKS(opens_passwd),
    WORKS(opens_unix),
    WORKS(runs_true),
    WORKS(sends_to_the_monitor),
};

static const struct role ROLES[] = {
    {&SANDBOX_SIGNER, -1}, {&SANDBOX_RECORDER, LOOP_RECORDER}, {&SANDBOX_DIAL, -1},
    {&SANDBOX_PAM, -1},    {&SANDBOX_MONITOR, LOOP_MONITOR},   {&SANDBOX_TOKEN, -1},
};

static void play_signer(void **state)
{
    captive_play(&ROLES[0], *state);
}
static void play_recorder(void **state)
{
    captive_play(&ROLES[1], *state);
}
static void play_dial(void **state)
{
    captive_play(&ROLES[2], *state);
}
static void play_pam(void **state)
{
    captive_play(&ROLES[3], *state);
}
static void play_monitor(void **state)
{
    captive_play(&ROLES[4], *state);
}

static void play_token(void **state)
{
    captive_play(&ROLES[5], *state);
}

static int prepare(void **state)
{
    (void)state;
    captive_prepare();
    return 0;
}

static int finish(void **state)
{
    (void)state;
    captive_finish();
    /* Left only by an attempt that should have failed. */
    (void)unlink(STRAY_FILE);
    (void)unlink(STRAY_DEVICE);
    return 0;
}

enum { TESTS_MAX = 1024, NAME_BYTES = 64 };

struct suite {
    struct CMUnitTest tests[TESTS_MAX];
    char names[TESTS_MAX][NAME_BYTES];
    size_t count;
    struct attempt operations[2][256];
};

/* cmocka wants a pointer to what may change; nobody changes it. */
static void *as_state(const struct attempt *attempt)
{
    void *state = NULL;
    memcpy(&state, &attempt, sizeof state);
    return state;
}

static void add(struct suite *suite, const char *role, CMUnitTestFunction play, const struct attempt *attempt)
{
    assert_true(suite->count < TESTS_MAX);
    char *name = suite->names[suite->count];
    (void)snprintf(name, NAME_BYTES, "%s %s", role, attempt->name);
    suite->tests[suite->count++] =
        (struct CMUnitTest){.name = name, .test_func = play, .initial_state = as_state(attempt)};
}

#define ADD_ALL(suite, role, play, attempts)                                                                 \
    for (size_t i = 0; i < COUNT_OF(attempts); i++) {                                                        \
        add(suite, role, play, &(attempts)[i]);                                                              \
    }

static void add_operations(struct suite *suite, const char *role, CMUnitTestFunction play,
                           enum loop_profile profile, struct attempt *operations)
{
    int last = ring_last_operation();
    for (int opcode = 0; opcode <= last; opcode++) {
        if (!ring_allows(profile, opcode)) {
            operations[opcode] =
                (struct attempt){"submits_operation", submits_operation, STAGE_CALLS, -EACCES, opcode};
            add(suite, role, play, &operations[opcode]);
        }
    }
}

int main(void)
{
    struct suite *suite = calloc(1, sizeof *suite);
    if (suite == NULL) {
        return 1;
    }
    ADD_ALL(suite, "signer", play_signer, SIGNER)
    ADD_ALL(suite, "recorder", play_recorder, RECORDER)
    ADD_ALL(suite, "dial", play_dial, DIAL)
    ADD_ALL(suite, "token", play_token, TOKEN)
    ADD_ALL(suite, "pam", play_pam, PAM)
    ADD_ALL(suite, "monitor", play_monitor, MONITOR)
    add_operations(suite, "recorder", play_recorder, LOOP_RECORDER, suite->operations[0]);
    add_operations(suite, "monitor", play_monitor, LOOP_MONITOR, suite->operations[1]);
    int failed =
        _cmocka_run_group_tests("attack on the other processes", suite->tests, suite->count, prepare, finish);
    free(suite);
    return failed;
}
