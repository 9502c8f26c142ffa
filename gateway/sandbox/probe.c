#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

enum { NOBODY = 65534, REPORT_FD = 3 /* the one descriptor that every page keeps */ };

/* Runs in the child. The sentence goes back over descriptor 3; an empty one means: all is well. */
static int try_page(const struct sandbox_page *page, const int *namespace_fds, int report_fd)
{
    /* Above every number that is in use, so that none of them is overwritten. */
    int fds[SANDBOX_NAMESPACE_COUNT];
    for (int i = 0; i < SANDBOX_NAMESPACE_COUNT; i++) {
        fds[i] = fcntl(namespace_fds[i], F_DUPFD_CLOEXEC, 10);
    }
    int spare = fcntl(report_fd, F_DUPFD_CLOEXEC, 10);
    if (spare < 0 || dup2(spare, REPORT_FD) < 0) {
        return 1;
    }
    static const char *const PATHS[] = {"/", NULL};
    struct sandbox_place place = {.uid = NOBODY, .gid = NOBODY, .namespace_fds = fds};
    place.writable_paths = page->uses_landlock ? PATHS : NULL;
    struct sandbox_refusal why = {{0}};
    enum err err = sandbox_close_room(page, &place, &why);
    err = err == ERR_NONE ? sandbox_close_calls(page, &why) : err;
    if (err != ERR_NONE) {
        (void)!write(REPORT_FD, why.sentence, strlen(why.sentence));
        return 1;
    }
    return 0;
}

static enum err judge(const struct sandbox_page *page, pid_t child, int report_fd,
                      struct sandbox_refusal *ret_why)
{
    struct sandbox_refusal said = {{0}};
    ssize_t len = 0;
    do {
        len = read(report_fd, said.sentence, sizeof said.sentence - 1);
    } while (len < 0 && errno == EINTR);
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return sandbox_refuse(page, STEP_FORK, errno, "", ret_why);
        }
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return ERR_NONE;
    }
    if (len > 0) {
        *ret_why = said;
        return ERR_SYSTEM;
    }
    char how[64];
    (void)snprintf(how, sizeof how,
                   WIFSIGNALED(status) ? "the trial ended by signal %d" : "the trial ended with %d",
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return sandbox_refuse(page, STEP_FILTER, 0, how, ret_why);
}

static enum err probe_page(const struct sandbox_page *page, const int *namespace_fds,
                           struct sandbox_refusal *ret_why)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return sandbox_refuse(page, STEP_FORK, errno, "", ret_why);
    }
    OWNED_FD reader = ends[0];
    OWNED_FD writer = ends[1];
    pid_t child = fork();
    if (child < 0) {
        return sandbox_refuse(page, STEP_FORK, errno, "", ret_why);
    }
    if (child == 0) {
        _exit(try_page(page, namespace_fds, writer));
    }
    fd_close(&writer);
    return judge(page, child, reader, ret_why);
}

enum err sandbox_probe(struct sandbox_refusal *ret_why)
{
    int fds[SANDBOX_NAMESPACE_COUNT];
    TRY(sandbox_make_empty_room(fds, ret_why));
    enum err err = ERR_NONE;
    for (size_t i = 0; SANDBOX_PAGES[i] != NULL && err == ERR_NONE; i++) {
        err = probe_page(SANDBOX_PAGES[i], fds, ret_why);
    }
    for (int i = 0; i < SANDBOX_NAMESPACE_COUNT; i++) {
        fd_close(&fds[i]);
    }
    return err;
}
