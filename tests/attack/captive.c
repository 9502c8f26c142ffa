#include "captive.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit_test.h"

enum { SOMEBODY = 64999, HIGH_FD = 40 };

/* Shared by all attempts of one program. */
static int room[SANDBOX_NAMESPACE_COUNT];
static char folder[] = "/tmp/bastion-attack-XXXXXX";

void captive_prepare(void)
{
    struct sandbox_refusal why = {{0}};
    if (sandbox_make_empty_room(room, &why) != ERR_NONE) {
        fail_msg("%s", why.sentence);
    }
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chown(folder, SOMEBODY, SOMEBODY), 0);
}

void captive_finish(void)
{
    for (int i = 0; i < SANDBOX_NAMESPACE_COUNT; i++) {
        (void)close(room[i]);
    }
    char path[128];
    (void)snprintf(path, sizeof path, "%s/file", folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/day", folder);
    (void)rmdir(path);
    assert_int_equal(rmdir(folder), 0);
}

static void die(const char *what, const char *sentence)
{
    char line[700];
    int len = snprintf(line, sizeof line, "captive: %s: %s\n", what, sentence);
    (void)!write(2, line, len > 0 ? (size_t)len : 0);
    _exit(2);
}

/* The descriptors as the monitor would have left them, with a stray one on top. */
static void place_descriptors(int channel, int client, int *namespace_fds)
{
    int high_channel = fcntl(channel, F_DUPFD_CLOEXEC, HIGH_FD);
    int high_client = fcntl(client, F_DUPFD_CLOEXEC, HIGH_FD);
    for (int i = 0; i < SANDBOX_NAMESPACE_COUNT; i++) {
        namespace_fds[i] = fcntl(room[i], F_DUPFD_CLOEXEC, HIGH_FD);
    }
    int stray = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    if (dup2(stray, STRAY) != STRAY || dup2(high_channel, CHANNEL) != CHANNEL ||
        dup2(high_client, CLIENT) != CLIENT) {
        die("descriptors", strerror(errno));
    }
}

static void shut_in(const struct role *role, const struct attempt *attempt, const int *namespace_fds,
                    struct captive *captive)
{
    struct sandbox_refusal why = {{0}};
    const char *const writable[] = {folder, NULL};
    struct sandbox_place place = {
        .uid = SOMEBODY, .gid = SOMEBODY, .namespace_fds = namespace_fds, .writable_paths = writable};
    if (sandbox_close_room(role->page, &place, &why) != ERR_NONE) {
        die("room", why.sentence);
    }
    if (attempt->stage >= STAGE_RING && role->ring >= 0) {
        struct loop_refusal why_not = {{0}};
        if (loop_new((enum loop_profile)role->ring, &captive->loop, &why_not) != ERR_NONE) {
            die("ring", why_not.sentence);
        }
    }
    if (attempt->stage >= STAGE_CALLS && sandbox_close_calls(role->page, &why) != ERR_NONE) {
        die("calls", why.sentence);
    }
}

static void live(const struct role *role, const struct attempt *attempt, int channel, int client)
{
    int namespace_fds[SANDBOX_NAMESPACE_COUNT];
    struct captive captive = {.folder = folder, .scratch = attempt->scratch};
    place_descriptors(channel, client, namespace_fds);
    shut_in(role, attempt, namespace_fds, &captive);
    int result = attempt->run(&captive);
    bool is_expected = attempt->expected == ENDS_WELL ? result >= 0 : result == attempt->expected;
    if (!is_expected) {
        char line[200];
        int len = snprintf(line, sizeof line, "captive: %s: result %d, expected %d\n", attempt->name, result,
                           attempt->expected);
        (void)!write(2, line, len > 0 ? (size_t)len : 0);
    }
    _exit(is_expected ? 0 : 1);
}

static void judge(const struct attempt *attempt, int status)
{
    if (attempt->expected == ENDS_BY_SIGSYS) {
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS) {
            fail_msg("%s: not killed by SIGSYS (status %x)", attempt->name, (unsigned)status);
        }
        return;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail_msg("%s: ended with status %x", attempt->name, (unsigned)status);
    }
}

void captive_play(const struct role *role, const struct attempt *attempt)
{
    int channel[2];
    int client[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, client), 0);
    assert_int_equal(write(channel[0], "monitor", 7), 7);
    assert_int_equal(write(client[0], "engineer", 8), 8);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        live(role, attempt, channel[1], client[1]);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    for (int i = 0; i < 2; i++) {
        (void)close(channel[i]);
        (void)close(client[i]);
    }
    judge(attempt, status);
}
