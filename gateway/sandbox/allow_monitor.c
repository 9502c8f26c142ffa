#include "page.h"

#include <errno.h>
#include <linux/capability.h>
#include <stddef.h>

/* bastiond: starts the others, so it stays root with few capabilities, and its children inherit this filter.
 * A list of what neither it nor they need: the empty room is made before (mount is not needed later). */

static const struct sandbox_call CALLS[] = {
    CALL_KILLS(ptrace, "look into other processes"),
    CALL_KILLS(process_vm_readv, "look into other processes"),
    CALL_KILLS(process_vm_writev, "change other processes"),
    CALL_KILLS(kcmp, "look into other processes"),
    CALL_KILLS(pidfd_getfd, "take descriptors of other processes"),
    CALL_KILLS(bpf, "programs in the kernel"),
    CALL_KILLS(userfaultfd, "a tool of kernel exploits"),
    CALL_KILLS(perf_event_open, "a tool of kernel exploits"),
    CALL_KILLS(init_module, "kernel modules"),
    CALL_KILLS(finit_module, "kernel modules"),
    CALL_KILLS(delete_module, "kernel modules"),
    CALL_KILLS(kexec_load, "another kernel"),
    CALL_KILLS(kexec_file_load, "another kernel"),
    CALL_KILLS(reboot, "the machine"),
    CALL_KILLS(swapon, "the machine"),
    CALL_KILLS(swapoff, "the machine"),
    CALL_KILLS(acct, "the machine"),
    CALL_KILLS(settimeofday, "leases and records depend on the clock"),
    CALL_KILLS(clock_settime, "leases and records depend on the clock"),
    CALL_KILLS(adjtimex, "leases and records depend on the clock"),
    CALL_KILLS(clock_adjtime, "leases and records depend on the clock"),
    CALL_KILLS(open_by_handle_at, "files past their paths"),
    CALL_KILLS(fsopen, "another view of the files"),
    CALL_KILLS(fsmount, "another view of the files"),
    CALL_KILLS(fspick, "another view of the files"),
    CALL_KILLS(move_mount, "another view of the files"),
    CALL_KILLS(open_tree, "another view of the files"),
    CALL_FAILS(mount, EPERM, "the empty room is made before; a child that wants an own one is told no"),
    CALL_FAILS(umount2, EPERM, "the same"),
    CALL_FAILS(pivot_root, EPERM, "the same"),
    /* Inherited by bastion-pam: pam_keyinit tries these and goes on without. */
    CALL_FAILS(keyctl, EPERM, "keys of the kernel"),
    CALL_FAILS(add_key, EPERM, "keys of the kernel"),
    CALL_FAILS(request_key, EPERM, "keys of the kernel"),
};

#define BIT(capability) (1ULL << (capability))

const struct sandbox_page SANDBOX_MONITOR = {
    .name = "bastiond",
    .is_deny_list = true,
    .tables = {TABLE("Refused", CALLS)},
    .limits = {{RLIMIT_CORE, "CORE", 0, "what people answered does not reach a disk"},
               {RLIMIT_NOFILE, "NOFILE", 65536, "a channel for each session, and descriptors on their way"}},
    .highest_fd = -1,
    .descriptors = "all that it opened itself",
    .paths = "what root may read without CAP_DAC_OVERRIDE",
    .keeps_user = true,
    /* SYS_ADMIN, SYS_CHROOT: children enter the empty room. SETUID, SETGID, SETPCAP: they give up root.
     * KILL: end them. NET_BIND_SERVICE: port 22 again after a reload. DAC_READ_SEARCH: Landlock of the
     * recorder opens a folder that another uid owns; keys and policy of another owner. CHOWN: its folders'
     * owners. */
    .capabilities = BIT(CAP_SYS_ADMIN) | BIT(CAP_SYS_CHROOT) | BIT(CAP_SETUID) | BIT(CAP_SETGID) |
                    BIT(CAP_SETPCAP) | BIT(CAP_KILL) | BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_DAC_READ_SEARCH) |
                    BIT(CAP_CHOWN),
    .ring = "monitor",
    .canary_error = 205,
};
