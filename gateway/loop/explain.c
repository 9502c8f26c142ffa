#include "explain.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"

static size_t read_small_file(const char *path, char *ret_text, size_t size_bytes)
{
    ret_text[0] = '\0';
    OWNED_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    ssize_t len = read(fd, ret_text, size_bytes - 1);
    if (len < 0) {
        len = 0;
    }
    ret_text[len] = '\0';
    return (size_t)len;
}

static int read_sysctl(const char *path)
{
    char text[32];
    size_t len = read_small_file(path, text, sizeof text);
    struct cursor file = cursor_of(text, len);
    struct cursor digits;
    uint64_t value = 0;
    bool is_number = cursor_line(&file, &digits) && text_u64(digits, INT_MAX, &value) == ERR_NONE;
    return is_number ? (int)value : -1;
}

void ring_surroundings_read(struct ring_surroundings *ret_surroundings)
{
    struct ring_surroundings found = {0};
    found.sysctl_disabled = read_sysctl("/proc/sys/kernel/io_uring_disabled");
    found.sysctl_group = read_sysctl("/proc/sys/kernel/io_uring_group");
    char status[4096];
    (void)read_small_file("/proc/self/status", status, sizeof status);
    found.has_seccomp = strstr(status, "\nSeccomp:\t2") != NULL;
    struct utsname name;
    if (uname(&name) == 0) {
        (void)snprintf(found.kernel, sizeof found.kernel, "%.60s", name.release);
    }
    *ret_surroundings = found;
}

#define SAY(why, ...) (void)snprintf((why)->sentence, sizeof(why)->sentence, __VA_ARGS__)

static void explain_eperm(const struct ring_surroundings *here, struct loop_refusal *why)
{
    if (here->sysctl_disabled == 2) {
        SAY(why, "io_uring is switched off on this machine (kernel.io_uring_disabled=2): run \"sysctl -w "
                 "kernel.io_uring_disabled=0\" and keep that line in /etc/sysctl.d/");
    } else if (here->sysctl_disabled == 1) {
        SAY(why,
            "io_uring is limited to one group (kernel.io_uring_disabled=1, kernel.io_uring_group=%d) and the "
            "processes of the bastion are not in it: run \"sysctl -w kernel.io_uring_disabled=0\", or set "
            "kernel.io_uring_group to the group that they run as",
            here->sysctl_group);
    } else if (here->has_seccomp) {
        SAY(why,
            "a seccomp profile refuses io_uring_setup (Docker and containerd do so by default): give the "
            "container a profile that allows io_uring_setup, io_uring_enter and io_uring_register");
    } else {
        SAY(why, "io_uring_setup is refused (EPERM) though neither sysctl nor seccomp says so: look for a "
                 "refusal of SELinux or another security module in the audit log, and for "
                 "kernel.io_uring_disabled");
    }
}

static void explain_setup(int error, const struct ring_surroundings *here, struct loop_refusal *why)
{
    switch (error) {
    case EPERM:
    case EACCES:
        explain_eperm(here, why);
        break;
    case ENOSYS:
        SAY(why,
            "this machine has no io_uring (ENOSYS): kernel %s was built without CONFIG_IO_URING, or a "
            "container "
            "profile hides it; run on a kernel of 6.1 or later, or allow io_uring_setup, io_uring_enter and "
            "io_uring_register in the profile",
            here->kernel);
        break;
    case EINVAL:
        SAY(why,
            "kernel %s is too old for the event loop: Linux 6.1 or later is needed (io_uring with "
            "DEFER_TASKRUN, "
            "multishot receive and buffer rings); on Ubuntu 22.04 install the HWE kernel",
            here->kernel);
        break;
    case ENOMEM:
        SAY(why,
            "no memory for an io_uring: raise the memory limit of the service (systemd MemoryMax=) or its "
            "LimitMEMLOCK=");
        break;
    case EMFILE:
    case ENFILE:
        SAY(why, "no free descriptor for an io_uring: raise LimitNOFILE= of the service, or fs.file-max");
        break;
    default:
        SAY(why, "io_uring_setup failed on kernel %s: %s", here->kernel, strerror(error));
        break;
    }
}

static void explain_self_test(int error, struct loop_refusal *why)
{
    if (error == EACCES) {
        SAY(why, "the io_uring refuses an operation that it must allow: this kernel handles ring "
                 "restrictions in a "
                 "way that is not known; run another kernel and report this one");
        return;
    }
    SAY(why,
        "the io_uring is NOT limited: a forbidden operation was answered with \"%s\" and not with \"%s\"; "
        "do not run the bastion on this kernel, and report it",
        error == 0 ? "done" : strerror(error), strerror(EACCES));
}

void ring_explain(enum ring_step step, int error, const struct ring_surroundings *surroundings,
                  struct loop_refusal *ret_why)
{
    static const char *const STEP_NAMES[RING_STEP_COUNT] = {
        "io_uring_setup",
        "the features of io_uring",
        "registering the receive buffers of the io_uring",
        "limiting the io_uring to its operations",
        "enabling the io_uring",
        "the self-test of the io_uring",
        "a multishot receive",
    };
    if (step == RING_SETUP) {
        explain_setup(error, surroundings, ret_why);
    } else if (step == RING_SELF_TEST) {
        explain_self_test(error, ret_why);
    } else if (step == RING_FEATURES || error == EINVAL) {
        SAY(ret_why,
            "%s fails because kernel %s is too old: Linux 6.1 or later is needed; on Ubuntu 22.04 install "
            "the HWE "
            "kernel",
            STEP_NAMES[step], surroundings->kernel);
    } else if (error == EPERM || error == ENOSYS || (error == EACCES && step < RING_ENABLE)) {
        SAY(ret_why,
            "%s is refused (%s): the seccomp profile of the container or service must allow "
            "io_uring_register and "
            "io_uring_enter as well as io_uring_setup",
            STEP_NAMES[step], strerror(error));
    } else if (error == EBADFD) {
        SAY(ret_why,
            "%s came too late: the ring was already enabled, so it is not limited; this is a fault of the "
            "program, report it",
            STEP_NAMES[step]);
    } else if (error == ENOMEM) {
        SAY(ret_why,
            "%s fails for want of memory: raise LimitMEMLOCK= or the memory limit of the service (systemd "
            "MemoryMax=)",
            STEP_NAMES[step]);
    } else {
        SAY(ret_why, "%s failed on kernel %s: %s", STEP_NAMES[step], surroundings->kernel, strerror(error));
    }
}
