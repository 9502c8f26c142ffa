#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

/* Newer than the headers of the oldest supported distribution; linux/landlock.h of Linux 6.12. */
enum {
    ABI_TRUNCATE = 3,
    ABI_IOCTL = 5,
    ABI_SCOPES = 6,
};
static const uint64_t RIGHT_TRUNCATE = 1ULL << 14;
static const uint64_t RIGHT_IOCTL_DEV = 1ULL << 15;
static const uint64_t SCOPE_ABSTRACT_SOCKET = 1ULL << 0;
static const uint64_t SCOPE_SIGNAL = 1ULL << 1;

/* struct landlock_ruleset_attr of ABI 6; older kernels are given its first bytes only. */
struct ruleset {
    uint64_t files, net, scopes;
};

static const uint64_t READ_TREE = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
static const uint64_t WRITE_TREE = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                                   LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                   LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                   LANDLOCK_ACCESS_FS_MAKE_REG;

static uint64_t known_rights(int abi)
{
    uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1; /* all of ABI 1 */
    rights |= abi >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0;
    rights |= abi >= ABI_TRUNCATE ? RIGHT_TRUNCATE : 0;
    rights |= abi >= ABI_IOCTL ? RIGHT_IOCTL_DEV : 0;
    return rights;
}

static int make_ruleset(int abi)
{
    struct ruleset ruleset = {.files = known_rights(abi)};
    if (abi >= ABI_SCOPES) {
        /* Signals to processes outside, even those of the same uid. */
        ruleset.scopes = SCOPE_SIGNAL | SCOPE_ABSTRACT_SOCKET;
    }
    size_t size = abi >= ABI_SCOPES ? sizeof ruleset : sizeof ruleset.files;
    return (int)syscall(SYS_landlock_create_ruleset, &ruleset, size, 0);
}

static int add_path(int ruleset_fd, const char *path, uint64_t rights)
{
    OWNED_FD fd = open(path, O_PATH | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        return -1;
    }
    if (!S_ISDIR(status.st_mode)) {
        /* Rights on folders are refused for a file. */
        rights &= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE |
                  RIGHT_TRUNCATE | RIGHT_IOCTL_DEV;
    }
    struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};
    return (int)syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

/* @return the path that cannot be had, or NULL. */
static const char *add_paths(int ruleset_fd, const char *const *paths, uint64_t rights, bool is_optional)
{
    for (; paths != NULL && *paths != NULL; paths++) {
        if (add_path(ruleset_fd, *paths, rights) != 0 && !(is_optional && errno == ENOENT)) {
            return *paths;
        }
    }
    return NULL;
}

enum err landlock_close(const struct sandbox_page *page, const struct sandbox_place *place,
                        struct sandbox_refusal *ret_why)
{
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) {
        return sandbox_refuse(page, STEP_LANDLOCK, errno, "", ret_why);
    }
    OWNED_FD ruleset = make_ruleset(abi);
    if (ruleset < 0) {
        return sandbox_refuse(page, STEP_LANDLOCK, errno, "", ret_why);
    }
    uint64_t known = known_rights(abi);
    uint64_t execute = page->may_run_programs ? (uint64_t)LANDLOCK_ACCESS_FS_EXECUTE : 0;
    uint64_t reading = READ_TREE | execute;
    uint64_t writing = (WRITE_TREE | RIGHT_TRUNCATE) & known;
    const char *bad = add_paths(ruleset, page->readable_paths, reading, true);
    bad = bad != NULL ? bad : add_paths(ruleset, place->readable_paths, reading, true);
    bad = bad != NULL ? bad : add_paths(ruleset, place->writable_paths, writing, false);
    if (bad != NULL) {
        return sandbox_refuse(page, STEP_LANDLOCK_PATH, errno, bad, ret_why);
    }
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
        return sandbox_refuse(page, STEP_LANDLOCK, errno, "", ret_why);
    }
    return ERR_NONE;
}
