/* Programs of ours: started with a clean descriptor table, watched, and ended by pidfd, never by a pid that
 * may have been given to somebody else. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "state.h"

enum { CHILD_FIRST_FD = IPC_CHANNEL_FD + 1, CHILD_FDS_MAX = 8, CHILD_ENVIRONMENT_MAX = 8 };

static int open_pidfd(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

static int send_signal(int pidfd, int signal)
{
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

/* The monitor keeps its own descriptors above these numbers (monitor.c), so no step below overwrites a
 * source. */
static bool add_descriptors(posix_spawn_file_actions_t *actions, const struct child_start *start, int channel,
                            int null_fd)
{
    bool is_ok = posix_spawn_file_actions_adddup2(actions, null_fd, STDIN_FILENO) == 0 &&
                 posix_spawn_file_actions_adddup2(actions, null_fd, STDOUT_FILENO) == 0 &&
                 posix_spawn_file_actions_adddup2(actions, channel, IPC_CHANNEL_FD) == 0;
    if (start->is_silent) {
        is_ok = is_ok && posix_spawn_file_actions_adddup2(actions, null_fd, STDERR_FILENO) == 0;
    }
    for (unsigned i = 0; i < start->fd_count; i++) {
        is_ok =
            is_ok && posix_spawn_file_actions_adddup2(actions, start->fds[i], CHILD_FIRST_FD + (int)i) == 0;
    }
    return is_ok &&
           posix_spawn_file_actions_addclosefrom_np(actions, CHILD_FIRST_FD + (int)start->fd_count) == 0;
}

static bool add_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigset_t all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    /* The monitor blocks what it reads by signalfd; a child starts with a clean slate. */
    return posix_spawnattr_setsigmask(attributes, &none) == 0 &&
           posix_spawnattr_setsigdefault(attributes, &all) == 0 &&
           posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) == 0;
}

static void pass_environment(const char *const *names, char **ret)
{
    size_t count = 0;
    for (; names != NULL && *names != NULL; names++) {
        size_t len = strlen(*names);
        for (char **at = environ; *at != NULL && count < CHILD_ENVIRONMENT_MAX; at++) {
            if (strncmp(*at, *names, len) == 0 && (*at)[len] == '=') {
                ret[count++] = *at;
            }
        }
    }
    ret[count] = NULL;
}

static enum err spawn(const char *path, const struct child_start *start, int channel, int null_fd,
                      pid_t *ret_pid)
{
    static char path_variable[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    static char locale_variable[] = "LC_ALL=C.UTF-8";
    char *environment[CHILD_ENVIRONMENT_MAX + 3] = {path_variable, locale_variable};
    pass_environment(start->environment, environment + 2);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    if (posix_spawn_file_actions_init(&actions) != 0) {
        return ERR_MEMORY;
    }
    if (posix_spawnattr_init(&attributes) != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return ERR_MEMORY;
    }
    enum err err = ERR_MEMORY;
    if (add_descriptors(&actions, start, channel, null_fd) && add_attributes(&attributes)) {
        errno = posix_spawn(ret_pid, path, &actions, &attributes, start->argv, environment);
        err = errno == 0 ? ERR_NONE : ERR_SYSTEM;
    }
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    return err;
}

static void channel_ready(struct loop_op *op, int result)
{
    struct child *child = OWNER_OF(op, struct child, channel_op);
    if (child->owner != NULL && result != -ECANCELED) {
        child->on_message(child->owner, child);
    }
}

/* A sentence about how it ended. @return false while it still runs. */
static bool reap(struct child *child, int wait_flags, bool *ret_is_clean, char *ret_how, size_t size_bytes)
{
    siginfo_t info = {0};
    if (child->pid <= 0 || waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | wait_flags) != 0 ||
        info.si_pid == 0) {
        return false;
    }
    child->pid = 0;
    *ret_is_clean = info.si_code == CLD_EXITED && info.si_status == 0;
    if (info.si_code == CLD_EXITED) {
        (void)snprintf(ret_how, size_bytes, "exited with status %d", info.si_status);
        return true;
    }
    const char *name = sigabbrev_np(info.si_status);
    const char *note = info.si_status == SIGSYS ? " (a system call that its sandbox forbids)" : "";
    (void)snprintf(ret_how, size_bytes, "was ended by SIG%s%s", name == NULL ? "?" : name, note);
    return true;
}

static void exit_ready(struct loop_op *op, int result)
{
    struct child *child = OWNER_OF(op, struct child, exit_op);
    bool is_clean = false;
    char how[128];
    if (child->owner == NULL || result == -ECANCELED || !reap(child, WNOHANG, &is_clean, how, sizeof how)) {
        return;
    }
    /* What it said before it ended comes first. */
    child->on_message(child->owner, child);
    if (child->owner != NULL) {
        child->on_exit(child->owner, child, is_clean, how);
    }
}

static void detach(struct child *child)
{
    struct monitor *monitor = child->monitor;
    child->owner = NULL;
    if (child->pid > 0) {
        bool is_clean = false;
        char how[128];
        child_kill(child);
        /* After SIGKILL the end is a matter of microseconds, and a zombie without an owner would stay for
         * ever. */
        (void)reap(child, 0, &is_clean, how, sizeof how);
    }
    loop_cancel(monitor->loop, &child->channel_op);
    loop_cancel(monitor->loop, &child->exit_op);
    child->next_detached = monitor->detached;
    monitor->detached = child;
}

static enum err watch(struct child *child)
{
    TRY(loop_poll(child->monitor->loop, &child->channel_op, child->channel, channel_ready));
    return loop_poll(child->monitor->loop, &child->exit_op, child->pidfd, exit_ready);
}

enum err child_spawn(const struct monitor *monitor, char *const *argv, int null_fd, pid_t *ret_pid)
{
    char path[2 * CONFIG_PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", monitor->libexec_dir, argv[0]);
    const struct child_start start = {.program = argv[0], .argv = argv};
    return spawn(path, &start, null_fd, null_fd, ret_pid);
}

static enum err start_process(struct child *child, const struct child_start *start)
{
    char path[2 * CONFIG_PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", child->monitor->libexec_dir, start->program);
    OWNED_FD theirs = -1;
    OWNED_FD null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0) {
        return ERR_SYSTEM;
    }
    TRY(ipc_pair(&child->channel, &theirs));
    TRY(spawn(path, start, theirs, null_fd, &child->pid));
    child->pidfd = open_pidfd(child->pid);
    if (child->pidfd < 0) {
        /* Not watchable, so not wanted: it has not been reaped, so the pid is still its own. */
        (void)kill(child->pid, SIGKILL);
        (void)waitpid(child->pid, NULL, 0);
        child->pid = 0;
        return ERR_SYSTEM;
    }
    return watch(child);
}

enum err child_start(struct monitor *monitor, const struct child_start *start, struct child **ret)
{
    struct child *child = calloc(1, sizeof *child);
    if (child == NULL) {
        return ERR_MEMORY;
    }
    *child = (struct child){.monitor = monitor,
                            .pidfd = -1,
                            .channel = -1,
                            .owner = start->owner,
                            .on_message = start->on_message,
                            .on_exit = start->on_exit};
    enum err err = start_process(child, start);
    if (err != ERR_NONE) {
        int kept_errno = errno;
        detach(child);
        errno = kept_errno;
        return err;
    }
    *ret = child;
    return ERR_NONE;
}

void child_kill(struct child *child)
{
    if (child->pidfd >= 0 && child->pid > 0) {
        (void)send_signal(child->pidfd, SIGKILL);
    }
}

void child_done(struct child **child)
{
    if (*child != NULL) {
        detach(*child);
    }
    *child = NULL;
}

/* An end of file stays readable for ever: the channel is not looked at again. */
static enum err receive(struct child *child)
{
    enum err err = ipc_receive(child->channel, &child->monitor->message);
    if (err == ERR_CLOSED) {
        loop_cancel(child->monitor->loop, &child->channel_op);
    }
    return err;
}

enum err child_receive(struct child *child, enum ipc_peer from, enum ipc_phase phase)
{
    struct ipc_message *message = &child->monitor->message;
    TRY(receive(child));
    enum err err = ipc_check(&child->ledger, message, from, PEER_MONITOR, phase);
    if (err != ERR_NONE) {
        ipc_message_done(message);
    }
    return err;
}

enum err child_discard(struct child *child)
{
    TRY(receive(child));
    ipc_message_done(&child->monitor->message);
    return ERR_NONE;
}

void child_sweep(struct monitor *monitor)
{
    struct child **link = &monitor->detached;
    while (*link != NULL) {
        struct child *child = *link;
        if (child->channel_op.in_flight || child->exit_op.in_flight) {
            link = &child->next_detached;
            continue;
        }
        *link = child->next_detached;
        fd_close(&child->channel);
        fd_close(&child->pidfd);
        free(child);
    }
}
