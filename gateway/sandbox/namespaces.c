#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

static const struct {
    int flag;
    const char *path;
} NAMESPACES[SANDBOX_NAMESPACE_COUNT] = {
    [SANDBOX_MOUNT] = {CLONE_NEWNS, "/proc/self/ns/mnt"},
    [SANDBOX_NET] = {CLONE_NEWNET, "/proc/self/ns/net"},
    [SANDBOX_IPC] = {CLONE_NEWIPC, "/proc/self/ns/ipc"},
    [SANDBOX_UTS] = {CLONE_NEWUTS, "/proc/self/ns/uts"},
};

enum { ALL_NAMESPACES = (1U << SANDBOX_NAMESPACE_COUNT) - 1 };

/* Replace the root by a tmpfs that holds nothing and takes nothing. */
static int empty_the_root(void)
{
    /* Any folder will do as the place for the moment of the change. */
    static const char *const PLACES[] = {"/proc", "/tmp", "/dev", "/run"};
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        return -1;
    }
    const char *place = NULL;
    for (size_t i = 0; i < sizeof PLACES / sizeof PLACES[0] && place == NULL; i++) {
        if (mount("none", PLACES[i], "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                  "size=4096,nr_inodes=2,mode=0555") == 0) {
            place = PLACES[i];
        } else if (errno != ENOENT) {
            return -1;
        }
    }
    if (place == NULL || chdir(place) != 0 || syscall(SYS_pivot_root, ".", ".") != 0) {
        return -1;
    }
    /* Both roots lie on "." now; the upper one, the old, goes. */
    return umount2(".", MNT_DETACH) != 0 || chdir("/") != 0 ? -1 : 0;
}

static int unshare_all(unsigned wanted)
{
    int flags = 0;
    for (int i = 0; i < SANDBOX_NAMESPACE_COUNT; i++) {
        flags |= (wanted & 1U << i) != 0 ? NAMESPACES[i].flag : 0;
    }
    return unshare(flags);
}

enum err namespaces_make(const struct sandbox_page *page, struct sandbox_refusal *ret_why)
{
    unsigned wanted = page->namespaces;
    if (unshare_all(wanted) != 0) {
        return sandbox_refuse(page, STEP_MAKE_ROOM, errno, "", ret_why);
    }
    if ((wanted & 1U << SANDBOX_MOUNT) != 0 && empty_the_root() != 0) {
        return sandbox_refuse(page, STEP_EMPTY_ROOT, errno, "", ret_why);
    }
    return ERR_NONE;
}

enum err namespaces_enter(const struct sandbox_page *page, const int *fds, struct sandbox_refusal *ret_why)
{
    /* The mount namespace last: with it /proc and everything else is gone. */
    for (int i = SANDBOX_NAMESPACE_COUNT - 1; i >= 0; i--) {
        if ((page->namespaces & 1U << i) != 0 && setns(fds[i], NAMESPACES[i].flag) != 0) {
            return sandbox_refuse(page, STEP_ENTER_ROOM, errno, NAMESPACES[i].path, ret_why);
        }
    }
    return ERR_NONE;
}

/* What the maker of the room says: a step that failed and its errno, or zeros and the descriptors. */
struct maker_report {
    int step, error;
};

static void send_report(int socket, struct maker_report report, const int *fds)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * SANDBOX_NAMESPACE_COUNT)];
    } control = {0};
    struct iovec part = {&report, sizeof report};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (report.error == 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int) * SANDBOX_NAMESPACE_COUNT);
        memcpy(CMSG_DATA(rights), fds, sizeof(int) * SANDBOX_NAMESPACE_COUNT);
    }
    (void)sendmsg(socket, &message, MSG_NOSIGNAL);
}

static struct maker_report make_room_here(int *fds)
{
    if (unshare_all(ALL_NAMESPACES) != 0) {
        return (struct maker_report){STEP_MAKE_ROOM, errno};
    }
    /* While /proc can be seen; the descriptors are the namespaces, whatever is mounted in them later. */
    for (int i = 0; i < SANDBOX_NAMESPACE_COUNT; i++) {
        fds[i] = open(NAMESPACES[i].path, O_RDONLY | O_CLOEXEC);
        if (fds[i] < 0) {
            return (struct maker_report){STEP_MAKE_ROOM, errno};
        }
    }
    static const char HOST_NAME[] = "room";
    if (sethostname(HOST_NAME, sizeof HOST_NAME - 1) != 0 || empty_the_root() != 0) {
        return (struct maker_report){STEP_EMPTY_ROOT, errno};
    }
    return (struct maker_report){0, 0};
}

static enum err receive_report(int socket, int *ret_fds, struct sandbox_refusal *ret_why)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * SANDBOX_NAMESPACE_COUNT)];
    } control = {0};
    struct maker_report report = {0, 0};
    struct iovec part = {&report, sizeof report};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t len = 0;
    do {
        len = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    } while (len < 0 && errno == EINTR);
    if (len != (ssize_t)sizeof report) {
        return sandbox_refuse(NULL, STEP_MAKE_ROOM, len < 0 ? errno : ECHILD, "the maker of the room ended",
                              ret_why);
    }
    if (report.error != 0) {
        return sandbox_refuse(NULL, (enum sandbox_step)report.step, report.error, "", ret_why);
    }
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    if (rights == NULL || rights->cmsg_type != SCM_RIGHTS ||
        rights->cmsg_len != CMSG_LEN(sizeof(int) * SANDBOX_NAMESPACE_COUNT)) {
        return sandbox_refuse(NULL, STEP_MAKE_ROOM, EMFILE, "no descriptors came", ret_why);
    }
    memcpy(ret_fds, CMSG_DATA(rights), sizeof(int) * SANDBOX_NAMESPACE_COUNT);
    return ERR_NONE;
}

enum err sandbox_make_empty_room(int ret_namespace_fds[SANDBOX_NAMESPACE_COUNT],
                                 struct sandbox_refusal *ret_why)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return sandbox_refuse(NULL, STEP_FORK, errno, "", ret_why);
    }
    OWNED_FD mine = ends[0];
    OWNED_FD theirs = ends[1];
    pid_t maker = fork();
    if (maker < 0) {
        return sandbox_refuse(NULL, STEP_FORK, errno, "", ret_why);
    }
    if (maker == 0) {
        int fds[SANDBOX_NAMESPACE_COUNT] = {-1, -1, -1, -1};
        struct maker_report report = make_room_here(fds);
        send_report(theirs, report, fds);
        _exit(0);
    }
    fd_close(&theirs);
    enum err err = receive_report(mine, ret_namespace_fds, ret_why);
    int kept_errno = errno;
    while (waitpid(maker, NULL, 0) < 0 && errno == EINTR) {
    }
    errno = kept_errno;
    return err;
}
