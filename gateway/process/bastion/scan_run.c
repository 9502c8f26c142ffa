/* A process for each host, some at once; a host that does not end in time is ended. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "scan.h"

enum { REPORT_BYTES = 16384, GRACE_US = 1000000, US_PER_MS = 1000, US_PER_S = 1000000 };

struct runner {
    pid_t pid;
    int fd; /* OWNED, -1: it has told all */
    uint8_t report[REPORT_BYTES];
    size_t len_bytes;
};

static enum err start(struct runner *runner, const struct scan_job *job, uint32_t uid, uint32_t timeout_s)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return ERR_SYSTEM;
    }
    runner->fd = ends[0];
    runner->len_bytes = 0;
    /* What waits to be printed is the parent's to print. */
    (void)fflush(NULL);
    runner->pid = fork();
    if (runner->pid == 0) {
        scan_host(job, uid, timeout_s, ends[1]);
    }
    (void)close(ends[1]);
    if (runner->pid < 0) {
        fd_close(&runner->fd);
        return ERR_SYSTEM;
    }
    return ERR_NONE;
}

static void take(struct runner *runner)
{
    ssize_t got =
        read(runner->fd, runner->report + runner->len_bytes, sizeof runner->report - runner->len_bytes);
    if (got > 0) {
        runner->len_bytes += (size_t)got;
    } else if (got == 0 || errno != EINTR) {
        fd_close(&runner->fd);
    }
}

/* Until all have told or the time is over. */
static void listen_to(struct runner *runners, size_t count, uint64_t deadline_us)
{
    for (;;) {
        struct pollfd wanted[SCAN_TOGETHER];
        size_t open_count = 0;
        for (size_t i = 0; i < count; i++) {
            wanted[i] = (struct pollfd){.fd = runners[i].fd, .events = POLLIN};
            open_count += runners[i].fd >= 0 ? 1 : 0;
        }
        uint64_t now_us = clock_monotonic_us();
        if (open_count == 0 || now_us >= deadline_us) {
            return;
        }
        if (poll(wanted, count, (int)((deadline_us - now_us) / US_PER_MS) + 1) <= 0) {
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            if (runners[i].fd >= 0 && wanted[i].revents != 0) {
                take(&runners[i]);
            }
        }
    }
}

static void end(struct runner *runner, struct scan_result *ret_result)
{
    fd_close(&runner->fd);
    if (runner->pid > 0) {
        (void)kill(runner->pid, SIGKILL);
        (void)waitpid(runner->pid, NULL, 0);
    }
    scan_host_read(cursor_of(runner->report, runner->len_bytes), ret_result);
}

enum err scan_run(const struct scan_job *jobs, size_t count, uint32_t uid, uint32_t timeout_s,
                  struct scan_result *ret_results)
{
    struct runner *runners = calloc(SCAN_TOGETHER, sizeof *runners);
    if (runners == NULL) {
        return ERR_MEMORY;
    }
    enum err err = ERR_NONE;
    for (size_t i = 0; i < SCAN_TOGETHER; i++) {
        runners[i].fd = -1;
    }
    for (size_t i = 0; err == ERR_NONE && i < count; i++) {
        err = start(&runners[i], &jobs[i], uid, timeout_s);
    }
    listen_to(runners, count, clock_monotonic_us() + (uint64_t)timeout_s * US_PER_S + GRACE_US);
    for (size_t i = 0; i < count; i++) {
        end(&runners[i], &ret_results[i]);
    }
    free(runners);
    return err;
}
