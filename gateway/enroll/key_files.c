#include "key_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "crypto/ed25519.h"
#include "crypto/random.h"
#include "keys/private_key.h"

enum { PATH_BYTES = 512 };

static enum err folder_of(const char *path, char ret_folder[static PATH_BYTES])
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
    if (len >= PATH_BYTES) {
        return ERR_TOO_LARGE;
    }
    memcpy(ret_folder, slash == NULL ? "." : path, len);
    ret_folder[len] = 0;
    return ERR_NONE;
}

enum err key_files_make_folder(const char *path)
{
    char folder[PATH_BYTES];
    TRY(folder_of(path, folder));
    return mkdir(folder, 0700) == 0 || errno == EEXIST ? ERR_NONE : ERR_SYSTEM;
}

/* A new file that appears whole or not at all, and never in place of another: link(2) refuses where rename(2)
 * would replace. */
enum err key_files_write_new(const char *path, unsigned mode, struct cursor bytes)
{
    char folder[PATH_BYTES];
    char temporary[PATH_BYTES];
    TRY(folder_of(path, folder));
    int len = snprintf(temporary, sizeof temporary, "%s.%ld.tmp", path, (long)getpid());
    if (len < 0 || (size_t)len >= sizeof temporary) {
        return ERR_TOO_LARGE;
    }
    OWNED_FD fd = open(temporary, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return ERR_SYSTEM;
    }
    enum err err = fd_write_all(fd, bytes);
    if (err == ERR_NONE && (fchmod(fd, mode) != 0 || fsync(fd) != 0)) {
        err = ERR_SYSTEM;
    }
    if (err == ERR_NONE && link(temporary, path) != 0) {
        err = errno == EEXIST ? ERR_STATE : ERR_SYSTEM;
    }
    int kept_errno = errno;
    (void)unlink(temporary);
    OWNED_FD dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_durable = dir >= 0 && fsync(dir) == 0;
    errno = err == ERR_NONE ? errno : kept_errno;
    return err != ERR_NONE || is_durable ? err : ERR_SYSTEM;
}

enum err key_files_create(const char *path, const char *comment)
{
    uint8_t seed[KEYS_SEED_BYTES];
    uint32_t check = 0;
    crypto_random(seed, sizeof seed);
    crypto_random(&check, sizeof check);
    OWNED_SECRET file = {0};
    enum err err = keys_private_write(seed, check, comment, &file);
    secret_wipe(seed, sizeof seed);
    return err == ERR_NONE ? key_files_write_new(path, 0600, secret_peek(&file)) : err;
}

static const char *sentence_of(enum err err)
{
    if (err == ERR_DENIED) {
        return "must be a regular file of root with mode 0600";
    }
    return err == ERR_SYSTEM ? strerror(errno) : err_text(err);
}

/* "type base64 comment" beside the private file, for ssh-keygen and for copying. */
static enum err write_public(const char *path, const char *comment, struct cursor blob)
{
    char public_path[PATH_BYTES];
    char line[KEYS_LINE_BYTES];
    char text[KEYS_LINE_BYTES + KEYS_PRIVATE_COMMENT_BYTES + 2];
    int len = snprintf(public_path, sizeof public_path, "%s.pub", path);
    if (len < 0 || (size_t)len >= sizeof public_path) {
        return ERR_TOO_LARGE;
    }
    TRY(keys_line_write(blob, line, sizeof line));
    (void)snprintf(text, sizeof text, "%s %s\n", line, comment);
    enum err err = key_files_write_new(public_path, 0644, cursor_of_text(text));
    return err == ERR_STATE ? ERR_NONE : err;
}

enum err key_files_load(const char *path, const char *comment, struct keys_blob *ret_public,
                        const char **ret_sentence)
{
    OWNED_SECRET file = {0};
    OWNED_SECRET seed = {0};
    enum err err = fd_read_secret_file(AT_FDCWD, path, KEYS_PRIVATE_FILE_BYTES, &file);
    *ret_sentence = sentence_of(err);
    TRY(err);
    TRY(keys_private_read(secret_peek(&file), &seed, ret_public, ret_sentence));
    err = write_public(path, comment, keys_blob_peek(ret_public));
    *ret_sentence = sentence_of(err);
    return err;
}
