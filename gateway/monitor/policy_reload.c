/* A new policy, while people work. The file is read once; a child loads it and runs its tests first, so that
 * whatever a broken file does to the parser (a crash, a loop), it does not do it to the monitor, which
 * waits for nobody. Then the same bytes are loaded here, and one pointer is swapped between two messages: no
 * decision sees half of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "state.h"

enum { JUDGE_CPU_S = 20, JUDGED_GOOD = 'y' };

static void refused(struct monitor *monitor, const char *sentence)
{
    REPORT(monitor, "policy.refused", EVENT_FAILURE, {.key = "sentence", .text = sentence},
           {.key = "policy", .text = monitor->policy_hash});
    monitor->policy_refused_s = clock_wall_s();
    text_printable(cursor_of_text(sentence), monitor->policy_refusal, sizeof monitor->policy_refusal);
    report_evidence(monitor, "policy", "refused, the one before stays in force");
}

/* In the child. What it finds is reported once, by the parent. */
static _Noreturn void judge(struct monitor *monitor, int told_fd)
{
    struct rlimit cpu = {JUDGE_CPU_S, JUDGE_CPU_S};
    (void)setrlimit(RLIMIT_CPU, &cpu);
    fd_close(&monitor->events.fd);
    (void)close(STDERR_FILENO);
    char sentence[LIMIT_SENTENCE_BYTES];
    struct policy *policy = NULL;
    enum err err = policy_file_compile(monitor, cursor_of(monitor->reload.bytes, monitor->reload.len),
                                       &policy, sentence, sizeof sentence);
    if (err != ERR_NONE) {
        _exit(1);
    }
    /* The verdict first: a comparison that takes too long changes nothing about it. */
    char told[1 + POLICY_DIFFERENCES_BYTES] = {JUDGED_GOOD};
    err_ignore(fd_write_all(told_fd, cursor_of(told, 1)));
    policy_differences(monitor->policy, policy, told + 1);
    err_ignore(fd_write_all(told_fd, cursor_of_text(told + 1)));
    _exit(0);
}

/* What the child said before it ended. @return false when it found no good policy. */
static bool read_told(struct policy_reload *reload, char differences[static POLICY_DIFFERENCES_BYTES])
{
    char told[1 + POLICY_DIFFERENCES_BYTES] = {0};
    size_t used = 0;
    ssize_t len = 0;
    while (used < sizeof told - 1 && (len = read(reload->told_fd, told + used, sizeof told - 1 - used)) > 0) {
        used += (size_t)len;
    }
    (void)snprintf(differences, POLICY_DIFFERENCES_BYTES, "%s", used > 1 ? told + 1 : "not compared in time");
    return used > 0 && told[0] == JUDGED_GOOD;
}

static void put_in_force(struct monitor *monitor, const char *differences)
{
    struct policy_reload *reload = &monitor->reload;
    char sentence[LIMIT_SENTENCE_BYTES];
    struct policy *policy = NULL;
    if (policy_file_compile(monitor, cursor_of(reload->bytes, reload->len), &policy, sentence,
                            sizeof sentence) != ERR_NONE) {
        refused(monitor, sentence);
        return;
    }
    char hash_before[sizeof monitor->policy_hash];
    (void)snprintf(hash_before, sizeof hash_before, "%s", monitor->policy_hash);
    struct policy *before = policy_file_adopt(monitor, policy);
    monitor->policy_refused_s = 0;
    policy_keep(monitor, cursor_of(reload->bytes, reload->len));
    unsigned ended = policy_live_check(monitor, before);
    policy_free(before);
    REPORT(monitor, "policy.loaded", EVENT_SUCCESS, {.key = "policy", .text = monitor->policy_hash},
           {.key = "before", .text = hash_before}, EVENT_NUMBER("ended", ended),
           {.key = "differences", .text = differences});
    report_evidence(monitor, "policy", monitor->policy_hash);
}

static void judged(struct loop_op *op, int result)
{
    struct monitor *monitor = OWNER_OF(op, struct monitor, reload.op);
    struct policy_reload *reload = &monitor->reload;
    if (result == -ECANCELED) {
        bool is_wanted_again = reload->is_wanted_again && !monitor->is_shutting_down;
        policy_reload_done(reload);
        if (is_wanted_again) {
            policy_reload(monitor);
        }
        return;
    }
    siginfo_t info = {0};
    if (waitid(P_PIDFD, (id_t)reload->pidfd, &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0) {
        return;
    }
    reload->pid = 0;
    loop_cancel(monitor->loop, op);
    char differences[POLICY_DIFFERENCES_BYTES];
    bool is_good = read_told(reload, differences);
    if (info.si_code == CLD_EXITED || is_good) {
        put_in_force(monitor, differences);
    } else {
        refused(
            monitor,
            "the policy file ended the process that judges it (its time was over, or it crashed); tell the "
            "developers");
    }
}

static enum err start_judge(struct monitor *monitor)
{
    struct policy_reload *reload = &monitor->reload;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        return ERR_SYSTEM;
    }
    reload->told_fd = ends[0];
    reload->pid = fork();
    if (reload->pid == 0) {
        judge(monitor, ends[1]);
    }
    fd_close(&ends[1]);
    if (reload->pid < 0) {
        reload->pid = 0;
        return ERR_SYSTEM;
    }
    reload->pidfd = (int)syscall(SYS_pidfd_open, reload->pid, 0);
    return reload->pidfd < 0 ? ERR_SYSTEM : loop_poll(monitor->loop, &reload->op, reload->pidfd, judged);
}

void policy_reload(struct monitor *monitor)
{
    struct policy_reload *reload = &monitor->reload;
    if (reload->op.in_flight) {
        reload->is_wanted_again = true;
        return;
    }
    char sentence[LIMIT_SENTENCE_BYTES];
    if (policy_file_read(monitor, &reload->bytes, &reload->len, sentence, sizeof sentence) != ERR_NONE) {
        refused(monitor, sentence);
        return;
    }
    if (start_judge(monitor) != ERR_NONE) {
        refused(monitor, "the bastion could not start a process to judge the policy; try again");
        policy_reload_done(reload);
    }
}

void policy_reload_done(struct policy_reload *reload)
{
    if (reload->pid > 0) {
        (void)kill(reload->pid, SIGKILL); /* not reaped yet, so the pid is its own */
        (void)waitpid(reload->pid, NULL, 0);
        reload->pid = 0;
    }
    fd_close(&reload->pidfd);
    fd_close(&reload->told_fd);
    free(reload->bytes);
    reload->bytes = NULL;
    reload->is_wanted_again = false;
}
