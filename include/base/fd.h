/* Descriptors with an owner. */
#ifndef BASE_FD_H
#define BASE_FD_H

#include "base/cursor.h"
#include "base/err.h"
#include "base/secret.h"

/** Closes `*fd` unless it is negative, and makes it -1. errno is kept. */
void fd_close(int *fd);
/** Ownership leaves: `*fd` becomes -1. */
int fd_take(int *fd);
#define OWNED_FD __attribute__((cleanup(fd_close))) int

/** free(), for what fd_read_trusted_file() gives. */
void fd_bytes_free(uint8_t **bytes);
#define OWNED_BYTES __attribute__((cleanup(fd_bytes_free))) uint8_t

/** Read the whole of a regular file that root or the caller's user owns and nobody else may write, and that
 *  is no symbolic link.
 *  @param dir_fd     folder that `name` is relative to, or AT_FDCWD
 *  @param ret_bytes  OWNED by the caller, free(); a NUL follows the last byte
 *  @return ERR_NOT_FOUND; ERR_DENIED for wrong owner, mode or kind; ERR_TOO_LARGE over `max_bytes`;
 * ERR_SYSTEM. */
MUST_CHECK enum err fd_read_trusted_file(int dir_fd, const char *name, size_t max_bytes, uint8_t **ret_bytes,
                                         size_t *ret_len_bytes);
/** As fd_read_trusted_file(), for a file that nobody else may even read: mode 0600 or less.
 *  @return as above; ERR_DENIED also when group or others have any right. */
MUST_CHECK enum err fd_read_secret_file(int dir_fd, const char *name, size_t max_bytes,
                                        struct secret *ret_bytes);
/** Write all of `bytes`. @return ERR_SYSTEM. */
MUST_CHECK enum err fd_write_all(int fd, struct cursor bytes);
/** Replace file `name` by one with `bytes`: temporary file, fsync, rename, fsync of the folder.
 *  @return ERR_SYSTEM; then the old file is unchanged. */
MUST_CHECK enum err fd_replace_file(int dir_fd, const char *name, unsigned mode, struct cursor bytes);
/** The same without waiting for the disk: readers see the old or the new file, and what a power failure
 * leaves of it does not matter. @return ERR_SYSTEM. */
MUST_CHECK enum err fd_swap_file(int dir_fd, const char *name, unsigned mode, struct cursor bytes);

#endif
