#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/secret.h"
#include "format.h"

static const char RECORDING_SUFFIX[] = ".rec";
static const char KEY_SUFFIX[] = ".key.age";

static bool has_suffix(const char *path, const char *suffix)
{
    size_t len = strlen(path);
    size_t suffix_len = strlen(suffix);
    return len >= suffix_len && strcmp(path + len - suffix_len, suffix) == 0;
}

/* "x.rec" and "x.key.age" both mean "x.key.age". */
static enum err key_path(const char *path, char ret_path[static PATH_MAX])
{
    bool is_key = has_suffix(path, KEY_SUFFIX);
    size_t stem =
        strlen(path) - (!is_key && has_suffix(path, RECORDING_SUFFIX) ? sizeof RECORDING_SUFFIX - 1 : 0);
    int len = snprintf(ret_path, PATH_MAX, "%.*s%s", (int)stem, path, is_key ? "" : KEY_SUFFIX);
    return len > 0 && len < PATH_MAX ? ERR_NONE : ERR_TOO_LARGE;
}

static enum err open_file(const char *path, int *ret_fd, uint64_t *ret_size)
{
    OWNED_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat status;
    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_SYSTEM;
    }
    if (fstat(fd, &status) != 0) {
        return ERR_SYSTEM;
    }
    if (!S_ISREG(status.st_mode)) {
        return ERR_MALFORMED;
    }
    *ret_size = status.st_size < 0 ? 0 : (uint64_t)status.st_size;
    *ret_fd = fd_take(&fd);
    return ERR_NONE;
}

enum err record_key_open(const char *path, const struct record_identities *identities,
                         struct record_key *ret_key)
{
    char name[PATH_MAX];
    TRY(key_path(path, name));
    OWNED_FD fd = -1;
    uint64_t size = 0;
    TRY(open_file(name, &fd, &size));
    uint8_t file[RECORD_AGE_FILE_BYTES];
    ssize_t got = read(fd, file, sizeof file);
    if (got < 0) {
        return ERR_SYSTEM;
    }
    if ((uint64_t)got != size) {
        return ERR_MALFORMED;
    }
    size_t len = 0;
    TRY(record_age_open(identities, cursor_of(file, (size_t)got), ret_key->bytes, sizeof ret_key->bytes,
                        &len));
    return len == sizeof ret_key->bytes ? ERR_NONE : ERR_MALFORMED;
}

/* The last four bytes of a closed file are the length of its last frame. */
static enum err read_closing(int fd, uint64_t size, uint8_t memory[static RECORD_CLOSE_FRAME_BYTES],
                             struct record_closing *ret_closing)
{
    size_t len = size < RECORD_CLOSE_FRAME_BYTES ? (size_t)size : RECORD_CLOSE_FRAME_BYTES;
    if (pread(fd, memory, len, (off_t)(size - len)) != (ssize_t)len || len < FORMAT_FRAME_HEADER_BYTES + 4) {
        return ERR_NOT_FOUND;
    }
    uint32_t frame_len = 0;
    struct cursor last = cursor_of(memory + len - 4, 4);
    TRY(cursor_u32be(&last, &frame_len));
    if (frame_len < FORMAT_FRAME_HEADER_BYTES || frame_len > len) {
        return ERR_NOT_FOUND;
    }
    struct cursor in = cursor_of(memory + len - frame_len, frame_len);
    struct format_frame frame;
    struct format_stamp stamp;
    struct cursor signature;
    TRY(format_frame_read(&in, &frame));
    if (frame.type != FORMAT_CLOSE || frame.body_len != cursor_len(&in)) {
        return ERR_NOT_FOUND;
    }
    TRY(format_close_read(frame.flags, in, &stamp, ret_closing, &signature));
    return stamp.bytes_before == size - frame_len ? ERR_NONE : ERR_NOT_FOUND;
}

enum err record_summary_read(const char *path, uint8_t memory[static RECORD_SUMMARY_BYTES],
                             struct record_head *ret_head, bool *ret_closed,
                             struct record_closing *ret_closing)
{
    OWNED_FD fd = -1;
    uint64_t size = 0;
    TRY(open_file(path, &fd, &size));
    ssize_t got = pread(fd, memory, RECORD_HEAD_BYTES, 0);
    if (got < 0) {
        return ERR_SYSTEM;
    }
    struct cursor in = cursor_of(memory, (size_t)got);
    enum err err = format_head_read(&in, ret_head);
    if (err != ERR_NONE) {
        return err == ERR_TOO_LARGE ? ERR_MALFORMED : err;
    }
    *ret_closed = read_closing(fd, size, memory + RECORD_HEAD_BYTES, ret_closing) == ERR_NONE;
    return ERR_NONE;
}
