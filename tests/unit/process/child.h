/* A program of the house under test: started as bastiond starts it, with the other end of its channel in our
 * hands. */
#ifndef TESTS_PROCESS_CHILD_H
#define TESTS_PROCESS_CHILD_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/writer.h"
#include "ipc/channel.h"
#include "unit_test.h"

enum { CHILD_ANSWER_MS = 20000, CHILD_KILLED = 1000 };

struct child {
    pid_t pid;
    int channel;
    struct ipc_message message; /* the last one received */
};

/* `arguments` ends with NULL. */
__attribute__((unused)) static void child_start(struct child *child, const char *const *arguments)
{
    int theirs = -1;
    assert_int_equal(ipc_pair(&child->channel, &theirs), ERR_NONE);
    child->pid = fork();
    assert_true(child->pid >= 0);
    if (child->pid == 0) {
        /* dup2() onto itself would keep close-on-exec */
        int moved = fcntl(theirs, F_DUPFD_CLOEXEC, IPC_CHANNEL_FD + 1);
        (void)dup2(moved, IPC_CHANNEL_FD);
        (void)execv(arguments[0], (char **)(uintptr_t)arguments);
        _exit(127);
    }
    fd_close(&theirs);
}

/* @return the exit status, or CHILD_KILLED plus the signal. */
__attribute__((unused)) static int child_wait(struct child *child)
{
    int status = 0;
    for (int i = 0; i < CHILD_ANSWER_MS / 10; i++) {
        pid_t got = waitpid(child->pid, &status, WNOHANG);
        assert_true(got >= 0);
        if (got == child->pid) {
            fd_close(&child->channel);
            return WIFEXITED(status) ? WEXITSTATUS(status) : CHILD_KILLED + WTERMSIG(status);
        }
        (void)usleep(10000);
    }
    (void)kill(child->pid, SIGKILL);
    (void)waitpid(child->pid, &status, 0);
    fail_msg("the program does not end");
    return -1;
}

/* The monitor goes away. */
__attribute__((unused)) static int child_leave(struct child *child)
{
    fd_close(&child->channel);
    return child_wait(child);
}

__attribute__((unused)) static void child_send(struct child *child, enum ipc_type type, uint32_t ref,
                                               const struct writer *body)
{
    struct cursor bytes = {NULL, NULL};
    if (body != NULL) {
        assert_int_equal(writer_done(body, &bytes), ERR_NONE);
    }
    assert_int_equal(ipc_send(child->channel, type, ref, bytes, NULL, 0), ERR_NONE);
}

/* The next message, which must be of `type`. Its body is in child->message.body. */
__attribute__((unused)) static void child_expect(struct child *child, enum ipc_type type, uint32_t ref)
{
    assert_int_equal(ipc_wait(child->channel, CHILD_ANSWER_MS), ERR_NONE);
    enum err err = ipc_receive(child->channel, &child->message);
    if (err != ERR_NONE || child->message.type != type) {
        fail_msg("expected %s, got %s (%s)", ipc_name(type), ipc_name(child->message.type), err_text(err));
    }
    assert_true(child->message.ref == ref);
}

#endif
