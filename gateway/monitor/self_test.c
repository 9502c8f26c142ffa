/* The self-test of bastion-session costs as much CPU time as the rest of its start, so it runs once, before
 * anybody is let in, and counts for as long as the program is the very file that passed. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "state.h"

static bool program_now(const struct monitor *monitor, struct session_program *ret)
{
    char path[2 * CONFIG_PATH_BYTES];
    struct stat status;
    (void)snprintf(path, sizeof path, "%s/" MONITOR_SESSION_PROGRAM, monitor->libexec_dir);
    if (stat(path, &status) != 0) {
        return false;
    }
    *ret = (struct session_program){status.st_dev, status.st_ino, status.st_size, status.st_mtim,
                                    status.st_ctim};
    return true;
}

static bool is_same_time(const struct timespec *one, const struct timespec *two)
{
    return one->tv_sec == two->tv_sec && one->tv_nsec == two->tv_nsec;
}

bool self_test_holds(const struct monitor *monitor)
{
    const struct session_program *tested = &monitor->tested_session;
    struct session_program now;
    return tested->inode != 0 && program_now(monitor, &now) && now.device == tested->device &&
           now.inode == tested->inode && now.size_bytes == tested->size_bytes &&
           is_same_time(&now.modified, &tested->modified) && is_same_time(&now.changed, &tested->changed);
}

enum err self_test_session(struct monitor *monitor)
{
    char *const argv[] = {MONITOR_SESSION_PROGRAM, "--self-test", NULL};
    struct session_program before;
    OWNED_FD null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    pid_t pid = 0;
    int status = 0;
    if (null_fd < 0 || !program_now(monitor, &before)) {
        return ERR_SYSTEM;
    }
    TRY(child_spawn(monitor, argv, null_fd, &pid));
    if (waitpid(pid, &status, 0) != pid) {
        return ERR_SYSTEM;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return ERR_MISMATCH;
    }
    monitor->tested_session = before;
    return ERR_NONE;
}
