#include "users_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "oath_users.h"

enum {
    ROUNDS_MAX = 5,
    SETTLE_US = 100000, /* liboath reads and writes the file within a few milliseconds */
};

enum err users_file_at(const char *path, struct users_file *ret_file)
{
    const char *slash = strrchr(path, '/');
    if (path[0] != '/' || slash[1] == 0) {
        return ERR_MALFORMED;
    }
    size_t folder_len = slash == path ? 1 : (size_t)(slash - path);
    size_t name_len = strlen(slash + 1);
    if (folder_len >= sizeof ret_file->folder || name_len >= sizeof ret_file->name) {
        return ERR_TOO_LARGE;
    }
    memcpy(ret_file->folder, path, folder_len);
    ret_file->folder[folder_len] = 0;
    memcpy(ret_file->name, slash + 1, name_len + 1);
    return ERR_NONE;
}

enum err users_file_make_folder(const struct users_file *file, uint32_t owner)
{
    if (mkdir(file->folder, 0700) != 0) {
        return errno == EEXIST ? ERR_NONE : ERR_SYSTEM;
    }
    return lchown(file->folder, owner, owner) == 0 ? ERR_NONE : ERR_SYSTEM;
}

/* The folder, and who we were before we took the rights of its owner. */
struct visit {
    int folder; /* OWNED */
    uid_t uid;
    gid_t gid;
};

static void visit_end(struct visit *visit)
{
    int kept_errno = errno;
    fd_close(&visit->folder);
    /* The saved ids are still ours, so this cannot fail; if it does, there is nobody left to act for. */
    if (seteuid(visit->uid) != 0 || setegid(visit->gid) != 0) {
        _exit(1);
    }
    errno = kept_errno;
}
#define OWNED_VISIT __attribute__((cleanup(visit_end))) struct visit

static enum err visit_begin(const struct users_file *file, struct visit *visit)
{
    visit->folder = open(file->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (visit->folder < 0) {
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM;
    }
    struct stat status;
    if (fstat(visit->folder, &status) != 0) {
        return ERR_SYSTEM;
    }
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return ERR_DENIED;
    }
    if (status.st_uid != geteuid() && (setegid(status.st_gid) != 0 || seteuid(status.st_uid) != 0)) {
        return ERR_SYSTEM;
    }
    return ERR_NONE;
}

static enum err read_in(const struct visit *visit, const struct users_file *file, struct secret *ret_text)
{
    enum err err = fd_read_secret_file(visit->folder, file->name, OATH_FILE_BYTES, ret_text);
    return err == ERR_NOT_FOUND ? secret_set(ret_text, cursor_of(NULL, 0)) : err;
}

enum err users_file_read(const struct users_file *file, struct secret *ret_text)
{
    OWNED_VISIT visit = {-1, geteuid(), getegid()};
    TRY(visit_begin(file, &visit));
    return read_in(&visit, file, ret_text);
}

/* liboath locks "name.lock" and unlinks it when done, so the lock must be held on the file that has the name
 * now. */
static enum err lock_in(const struct visit *visit, const char *name, int *ret_lock)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        OWNED_FD lock = openat(visit->folder, name, O_CREAT | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
        struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        if (lock < 0 || fcntl(lock, F_SETLKW, &whole) != 0) {
            return ERR_SYSTEM;
        }
        struct stat held;
        struct stat named;
        if (fstat(lock, &held) == 0 && fstatat(visit->folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
            held.st_ino == named.st_ino && held.st_dev == named.st_dev) {
            *ret_lock = fd_take(&lock);
            return ERR_NONE;
        }
    }
    return ERR_AGAIN;
}

static enum err change_once(const struct visit *visit, const struct users_file *file, users_change *change,
                            void *context)
{
    char lock_name[sizeof file->name + sizeof ".lock"];
    (void)snprintf(lock_name, sizeof lock_name, "%s.lock", file->name);
    OWNED_FD lock = -1;
    TRY(lock_in(visit, lock_name, &lock));
    OWNED_SECRET old = {0};
    OWNED_SECRET changed = {0};
    enum err err = read_in(visit, file, &old);
    if (err == ERR_NONE) {
        err = change(context, secret_peek(&old), &changed);
    }
    if (err == ERR_NONE) {
        err = fd_replace_file(visit->folder, file->name, 0600, secret_peek(&changed));
    }
    int kept_errno = errno;
    (void)unlinkat(visit->folder, lock_name, 0);
    errno = kept_errno;
    return err;
}

enum err users_file_change(const struct users_file *file, users_change *change, void *context)
{
    OWNED_VISIT visit = {-1, geteuid(), getegid()};
    TRY(visit_begin(file, &visit));
    for (int round = 0; round < ROUNDS_MAX; round++) {
        enum err err = change_once(&visit, file, change, context);
        /* A second look: liboath reads before it locks, so a login at this very moment may have written the
         * old text back. */
        if (err != ERR_NONE) {
            return err == ERR_AGAIN && round > 0 ? ERR_NONE : err;
        }
        (void)usleep(SETTLE_US);
    }
    return ERR_AGAIN;
}
