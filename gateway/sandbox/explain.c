#include "steps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct step_text {
    const char *what, *remedy;
};

static const struct step_text TEXTS[STEP_COUNT] = {
    [STEP_USER] = {"the configuration gives it uid or gid 0",
                   "give it a user of its own (uids: in the configuration)"},
    [STEP_SIGNALS] = {"signals cannot be ignored", "report this"},
    [STEP_LIMITS] = {"a resource limit cannot be lowered",
                     "look for a seccomp profile that refuses prlimit64"},
    [STEP_MAKE_ROOM] =
        {"namespaces cannot be made",
         "start the daemon as root with CAP_SYS_ADMIN (systemd: RestrictNamespaces= must allow mnt net "
         "ipc uts; containers: allow unshare), and check user.max_*_namespaces"},
    [STEP_EMPTY_ROOT] =
        {"an empty root cannot be mounted",
         "start the daemon as root with CAP_SYS_ADMIN; systemd: SystemCallFilter= must allow @mount and "
         "pivot_root; containers: allow mount of tmpfs"},
    [STEP_ENTER_ROOM] =
        {"the empty room cannot be entered",
         "start the daemon as root with CAP_SYS_ADMIN and CAP_SYS_CHROOT; seccomp profiles must allow "
         "setns"},
    [STEP_DESCRIPTORS] = {"inherited descriptors cannot be closed",
                          "close_range needs Linux 5.9 or later, and a seccomp profile that allows it"},
    [STEP_NO_NEW_PRIVILEGES] = {"new privileges cannot be given up", "a seccomp profile must allow prctl"},
    [STEP_LANDLOCK] =
        {"Landlock is missing",
         "use a kernel with CONFIG_SECURITY_LANDLOCK and with \"landlock\" in its list of security modules "
         "(kernel command line: lsm=landlock,...; see /sys/kernel/security/lsm)"},
    [STEP_LANDLOCK_PATH] = {"a path cannot be opened for Landlock", "make it, or correct the configuration"},
    [STEP_BOUNDING_SET] = {"capabilities cannot be given up", "start the daemon as root with CAP_SETPCAP"},
    [STEP_IDENTITY] =
        {"its user cannot be taken on",
         "start the daemon as root with CAP_SETUID and CAP_SETGID, outside of a user namespace that lacks "
         "the uid"},
    [STEP_CAPABILITIES] = {"capabilities cannot be given up", "a seccomp profile must allow capset"},
    [STEP_MEMORY] = {"writable and executable memory cannot be given up",
                     "a seccomp profile must allow prctl"},
    [STEP_DUMPABLE] = {"it can still be looked into", "a seccomp profile must allow prctl"},
    [STEP_PARENT] = {"it would outlive its parent", "a seccomp profile must allow prctl"},
    [STEP_STILL_ROOT] = {"it could become root again",
                         "do not run the bastion on this kernel, and report it"},
    [STEP_FILTER] = {"the seccomp filter cannot be set",
                     "use a kernel with CONFIG_SECCOMP_FILTER, and libseccomp 2.5 or later"},
    [STEP_FILTER_TEST] = {"the seccomp filter is set but a refused call passed through it",
                          "do not run the bastion on this kernel, and report it"},
    [STEP_FORK] = {"a process for the trial cannot be started",
                   "look at the limits of the service (TasksMax=, NPROC)"},
};

void sandbox_explain(const char *process, enum sandbox_step step, int error, const char *detail,
                     struct sandbox_refusal *ret_why)
{
    const char *reason = error == 0 ? "" : strerror(error);
    (void)snprintf(ret_why->sentence, sizeof ret_why->sentence, "%s cannot be shut in: %s%s%s%s%s%s; %s",
                   process, TEXTS[step].what, *detail == '\0' ? "" : " [", detail, *detail == '\0' ? "" : "]",
                   error == 0 ? "" : ": ", reason, TEXTS[step].remedy);
}

enum err sandbox_refuse(const struct sandbox_page *page, enum sandbox_step step, int error,
                        const char *detail, struct sandbox_refusal *ret_why)
{
    sandbox_explain(page == NULL ? "bastion-session" : page->name, step, error, detail, ret_why);
    errno = error;
    return ERR_SYSTEM;
}
