/* The self-test of bastion-session costs as much CPU time as the rest of its start, so it runs once, before
 * anybody is let in, and counts for as long as the program is the very file that passed. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "state.h"

static struct file_stamp program_now(const struct monitor *monitor)
{
    char path[2 * CONFIG_PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/" MONITOR_SESSION_PROGRAM, monitor->libexec_dir);
    return file_stamp_of(path);
}

bool self_test_holds(const struct monitor *monitor)
{
    const struct file_stamp *tested = &monitor->tested_session;
    struct file_stamp now = program_now(monitor);
    return tested->inode != 0 && file_stamp_equal(&now, tested);
}

enum err self_test_session(struct monitor *monitor)
{
    char *const argv[] = {MONITOR_SESSION_PROGRAM, "--self-test", NULL};
    struct file_stamp before = program_now(monitor);
    OWNED_FD null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    pid_t pid = 0;
    int status = 0;
    if (null_fd < 0 || before.inode == 0) {
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
