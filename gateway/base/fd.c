#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void fd_close(int *fd)
{
    int kept_errno = errno;
    if (*fd >= 0) {
        (void)close(*fd);
    }
    *fd = -1;
    errno = kept_errno;
}

int fd_take(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

void fd_bytes_free(uint8_t **bytes)
{
    free(*bytes);
}

static enum err check_trusted(int fd, mode_t forbidden, size_t max_bytes, size_t *ret_len_bytes)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return ERR_SYSTEM;
    }
    bool is_owner_trusted = status.st_uid == 0 || status.st_uid == geteuid();
    if (!S_ISREG(status.st_mode) || !is_owner_trusted || (status.st_mode & forbidden) != 0) {
        return ERR_DENIED;
    }
    if (status.st_size < 0 || (uintmax_t)status.st_size > max_bytes) {
        return ERR_TOO_LARGE;
    }
    *ret_len_bytes = (size_t)status.st_size;
    return ERR_NONE;
}

static enum err read_file(int dir_fd, const char *name, mode_t forbidden, size_t max_bytes,
                          uint8_t **ret_bytes, size_t *ret_len_bytes)
{
    OWNED_FD fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        if (errno == ENOENT) {
            return ERR_NOT_FOUND;
        }
        return errno == ELOOP ? ERR_DENIED : ERR_SYSTEM;
    }
    size_t len = 0;
    TRY(check_trusted(fd, forbidden, max_bytes, &len));
    OWNED_BYTES *bytes = malloc(len + 1);
    if (bytes == NULL) {
        return ERR_MEMORY;
    }
    size_t done = 0;
    while (done < len) {
        ssize_t got = read(fd, bytes + done, len - done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return ERR_SYSTEM;
        }
        if (got == 0) {
            break; /* the file shrank while it was read: what is left is what it holds now */
        }
        done += (size_t)got;
    }
    bytes[done] = 0;
    *ret_bytes = bytes;
    *ret_len_bytes = done;
    bytes = NULL;
    return ERR_NONE;
}

enum err fd_read_trusted_file(int dir_fd, const char *name, size_t max_bytes, uint8_t **ret_bytes,
                              size_t *ret_len_bytes)
{
    return read_file(dir_fd, name, S_IWGRP | S_IWOTH, max_bytes, ret_bytes, ret_len_bytes);
}

enum err fd_read_secret_file(int dir_fd, const char *name, size_t max_bytes, struct secret *ret_bytes)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    TRY(read_file(dir_fd, name, S_IRWXG | S_IRWXO, max_bytes, &bytes, &len));
    secret_done(ret_bytes);
    *ret_bytes = (struct secret){bytes, len};
    return ERR_NONE;
}

enum err fd_write_all(int fd, struct cursor bytes)
{
    while (cursor_len(&bytes) > 0) {
        ssize_t put = write(fd, bytes.at, cursor_len(&bytes));
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return ERR_SYSTEM;
        }
        bytes.at += put;
    }
    return ERR_NONE;
}

static enum err write_and_rename(int dir_fd, const char *name, unsigned mode, struct cursor bytes,
                                 bool is_synced)
{
    char temporary[NAME_MAX + 1];
    int len = snprintf(temporary, sizeof temporary, ".%s.%ld.tmp", name, (long)getpid());
    if (len < 0 || (size_t)len >= sizeof temporary) {
        return ERR_TOO_LARGE;
    }
    OWNED_FD fd = openat(dir_fd, temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) {
        return ERR_SYSTEM;
    }
    enum err err = fd_write_all(fd, bytes);
    if (err == ERR_NONE &&
        ((is_synced && fsync(fd) != 0) || renameat(dir_fd, temporary, dir_fd, name) != 0)) {
        err = ERR_SYSTEM;
    }
    if (err != ERR_NONE) {
        int kept_errno = errno;
        (void)unlinkat(dir_fd, temporary, 0);
        errno = kept_errno;
    }
    return err;
}

enum err fd_swap_file(int dir_fd, const char *name, unsigned mode, struct cursor bytes)
{
    return write_and_rename(dir_fd, name, mode, bytes, false);
}

enum err fd_replace_file(int dir_fd, const char *name, unsigned mode, struct cursor bytes)
{
    TRY(write_and_rename(dir_fd, name, mode, bytes, true));
    OWNED_FD folder = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder >= 0 && fsync(folder) == 0 ? ERR_NONE : ERR_SYSTEM;
}
