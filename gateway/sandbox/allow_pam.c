#include "page.h"

#include <errno.h>
#include <stddef.h>

/* bastion-pam: one conversation of the machine's PAM stack. Which calls its modules make cannot be known, so
 * this is a list of what no module needs; the bounds are its own uid, no capability, Landlock, its deadline
 * and that it lives for one conversation. */

static const struct sandbox_call CALLS[] = {
    CALL_KILLS(ptrace, "look into other processes"),
    CALL_KILLS(process_vm_readv, "look into other processes"),
    CALL_KILLS(process_vm_writev, "change other processes"),
    CALL_KILLS(kcmp, "look into other processes"),
    CALL_KILLS(pidfd_getfd, "take descriptors of other processes"),
    CALL_KILLS(bpf, "programs in the kernel"),
    CALL_KILLS(userfaultfd, "a tool of kernel exploits"),
    CALL_KILLS(perf_event_open, "a tool of kernel exploits"),
    CALL_KILLS(io_uring_setup, "calls that seccomp cannot see"),
    CALL_KILLS(io_uring_enter, "calls that seccomp cannot see"),
    CALL_KILLS(io_uring_register, "calls that seccomp cannot see"),
    CALL_KILLS(init_module, "kernel modules"),
    CALL_KILLS(finit_module, "kernel modules"),
    CALL_KILLS(delete_module, "kernel modules"),
    CALL_KILLS(kexec_load, "another kernel"),
    CALL_KILLS(kexec_file_load, "another kernel"),
    CALL_KILLS(reboot, "the machine"),
    CALL_KILLS(swapon, "the machine"),
    CALL_KILLS(swapoff, "the machine"),
    CALL_KILLS(acct, "the machine"),
    CALL_KILLS(settimeofday, "one-time codes depend on the clock"),
    CALL_KILLS(clock_settime, "one-time codes depend on the clock"),
    CALL_KILLS(adjtimex, "one-time codes depend on the clock"),
    CALL_KILLS(clock_adjtime, "one-time codes depend on the clock"),
    CALL_KILLS(mount, "another view of the files"),
    CALL_KILLS(umount2, "another view of the files"),
    CALL_KILLS(pivot_root, "another view of the files"),
    CALL_KILLS(chroot, "another view of the files"),
    CALL_KILLS(fsopen, "another view of the files"),
    CALL_KILLS(fsmount, "another view of the files"),
    CALL_KILLS(fspick, "another view of the files"),
    CALL_KILLS(move_mount, "another view of the files"),
    CALL_KILLS(open_tree, "another view of the files"),
    CALL_KILLS(open_by_handle_at, "files past their paths"),
    CALL_KILLS(unshare, "namespaces"),
    CALL_KILLS(setns, "namespaces"),
    /* pam_keyinit and pam_unix try these and go on without. */
    CALL_FAILS(keyctl, EPERM, "keys of the kernel"),
    CALL_FAILS(add_key, EPERM, "keys of the kernel"),
    CALL_FAILS(request_key, EPERM, "keys of the kernel"),
    CALL_FAILS(memfd_create, EPERM, "programs that are in no file"),
};

/* Reading is left to the owners and modes of files: a module may want any of them. */
static const char *const READABLE[] = {"/", NULL};

const struct sandbox_page SANDBOX_PAM = {
    .name = "bastion-pam",
    .is_deny_list = true,
    .tables = {TABLE("Refused", CALLS)},
    .limits = {{RLIMIT_NPROC, "NPROC", 64, "modules start helpers; counts all conversations of the uid"},
               {RLIMIT_FSIZE, "FSIZE", 16UL << 20, "pam_oath writes its users file anew"},
               {RLIMIT_CORE, "CORE", 0, "codes and passwords do not reach a disk"},
               {RLIMIT_NOFILE, "NOFILE", 64, "modules open few files"},
               {RLIMIT_AS, "AS", 512UL << 20, "modules are small"}},
    .highest_fd = 3,
    .descriptors = "0-1 /dev/null, 2 the daemon's stderr, 3 the monitor",
    .uses_landlock = true,
    .readable_paths = READABLE,
    .may_run_programs = true,
    .paths =
        "read and execute: what its uid may; write: only the folders that it is given (one-time code users, "
        "tallies)",
    .dies_with_parent = true,
    .ring = "none",
    .canary_error = 204,
};
