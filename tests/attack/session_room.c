#include "session_rows.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "unit_test.h"

#define TRIES(name, call)                                                                                    \
    static int name(struct captive *captive)                                                                 \
    {                                                                                                        \
        (void)captive;                                                                                       \
        return ERRNO_OF(call);                                                                               \
    }

TRIES(opens_a_file, open("/etc/passwd", O_RDONLY))
TRIES(opens_proc, open("/proc/self/status", O_RDONLY))
TRIES(makes_a_folder, mkdir("/x", 0700))
TRIES(becomes_root, setuid(0))
TRIES(makes_a_mount_namespace, unshare(CLONE_NEWNS))
TRIES(mounts, mount("none", "/", "tmpfs", 0, NULL))
TRIES(changes_the_root, chroot("/"))
TRIES(signals_init, kill(1, 0))
TRIES(signals_its_parent, kill(getppid(), 0))
TRIES(traces_its_parent, ptrace(PTRACE_SEIZE, getppid(), 0, 0))
TRIES(makes_a_process, syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL))
TRIES(opens_a_raw_socket, socket(AF_INET, SOCK_RAW, IPPROTO_ICMP))
TRIES(reads_the_stray_descriptor, read(STRAY, (char[16]){0}, 16))
TRIES(maps_writable_code,
      mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
          ? -1
          : 0)

static int connect_to(const char *address)
{
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(22)};
    if (inet_pton(AF_INET, address, &there.sin_addr) != 1) {
        return -EINVAL;
    }
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return fd < 0 ? -errno : ERRNO_OF(connect(fd, (struct sockaddr *)&there, sizeof there));
}

static int connects_to_loopback(struct captive *captive)
{
    (void)captive;
    return connect_to("127.0.0.1");
}

static int connects_to_cloud_metadata(struct captive *captive)
{
    (void)captive;
    return connect_to("169.254.169.254");
}

static int finds_anything_in_the_root(struct captive *captive)
{
    (void)captive;
    DIR *root = opendir("/");
    if (root == NULL) {
        return -errno;
    }
    int found = 0;
    for (struct dirent *entry = readdir(root); entry != NULL; entry = readdir(root)) {
        found += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 ? 1 : 0;
    }
    (void)closedir(root);
    return found == 0 ? -ENOENT : found;
}

static int climbs_out_of_the_root(struct captive *captive)
{
    (void)captive;
    return ERRNO_OF(open("../../../../etc/passwd", O_RDONLY));
}

static int holds_a_capability(struct captive *captive)
{
    (void)captive;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}, {0}};
    if (syscall(SYS_capget, &header, data) != 0) {
        return -errno;
    }
    uint32_t any = 0;
    for (int i = 0; i < 2; i++) {
        any |= data[i].effective | data[i].permitted | data[i].inheritable;
    }
    for (unsigned long bit = 0; bit < 64; bit++) {
        any |= prctl(PR_CAPBSET_READ, bit, 0, 0, 0) == 1 ? 1U : 0U;
    }
    return any == 0 ? -EPERM : 1;
}

static int raises_the_limit_of(__rlimit_resource_t resource)
{
    struct rlimit more = {1UL << 40, 1UL << 40};
    return ERRNO_OF(setrlimit(resource, &more));
}

static int raises_the_limit_of_files(struct captive *captive)
{
    (void)captive;
    return raises_the_limit_of(RLIMIT_FSIZE);
}

static int raises_the_limit_of_processes(struct captive *captive)
{
    (void)captive;
    return raises_the_limit_of(RLIMIT_NPROC);
}

static int raises_the_limit_of_cores(struct captive *captive)
{
    (void)captive;
    return raises_the_limit_of(RLIMIT_CORE);
}

static int sees_the_name_of_the_machine(struct captive *captive)
{
    (void)captive;
    char name[65] = "";
    return gethostname(name, sizeof name) == 0 && strcmp(name, "room") == 0 ? -ENOENT : 1;
}

static int is_sealed(struct captive *captive)
{
    (void)captive;
    int death_signal = 0;
    bool is_good = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 &&
                   prctl(PR_GET_PDEATHSIG, &death_signal, 0, 0, 0) == 0 && death_signal == SIGKILL;
    return is_good ? 0 : -1;
}

#define AT_ROOM(run, expected)                                                                               \
    {                                                                                                        \
#run, run, STAGE_ROOM, expected, 0                                                                   \
    }

const struct attempt SESSION_ROOM[] = {
    AT_ROOM(opens_a_file, -ENOENT),
    AT_ROOM(opens_proc, -ENOENT),
    AT_ROOM(climbs_out_of_the_root, -ENOENT),
    AT_ROOM(finds_anything_in_the_root, -ENOENT),
    AT_ROOM(makes_a_folder, -EROFS),
    AT_ROOM(becomes_root, -EPERM),
    AT_ROOM(holds_a_capability, -EPERM),
    AT_ROOM(makes_a_mount_namespace, -EPERM),
    AT_ROOM(mounts, -EPERM),
    AT_ROOM(changes_the_root, -EPERM),
    AT_ROOM(signals_init, -EPERM),
    AT_ROOM(signals_its_parent, -EPERM),
    AT_ROOM(traces_its_parent, -EPERM),
    AT_ROOM(makes_a_process, -EAGAIN),
    AT_ROOM(opens_a_raw_socket, -EPERM),
    AT_ROOM(reads_the_stray_descriptor, -EBADF),
    AT_ROOM(maps_writable_code, -EACCES),
    AT_ROOM(connects_to_loopback, -ENETUNREACH),
    AT_ROOM(connects_to_cloud_metadata, -ENETUNREACH),
    AT_ROOM(raises_the_limit_of_files, -EPERM),
    AT_ROOM(raises_the_limit_of_processes, -EPERM),
    AT_ROOM(raises_the_limit_of_cores, -EPERM),
    AT_ROOM(sees_the_name_of_the_machine, -ENOENT),
    AT_ROOM(is_sealed, ENDS_WELL),
};
const size_t SESSION_ROOM_COUNT = COUNT_OF(SESSION_ROOM);
