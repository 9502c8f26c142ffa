#include "lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void lines_init(struct lines *lines, int fd)
{
    lines->fd = fd;
    lines->offset = 0;
    lines->start = 0;
    lines->end = 0;
}

/* @return ERR_CLOSED when the file has no more bytes. */
static enum err fill(struct lines *lines)
{
    size_t len = lines->end - lines->start;
    memmove(lines->bytes, lines->bytes + lines->start, len);
    lines->start = 0;
    lines->end = len;
    ssize_t got = 0;
    do {
        got = pread(lines->fd, lines->bytes + len, sizeof lines->bytes - len, (off_t)(lines->offset + len));
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return ERR_SYSTEM;
    }
    lines->end += (size_t)got;
    return got == 0 ? ERR_CLOSED : ERR_NONE;
}

enum err lines_next(struct lines *lines, struct cursor *ret_line)
{
    for (;;) {
        size_t len = lines->end - lines->start;
        uint8_t *at = lines->bytes + lines->start;
        const uint8_t *newline = len == 0 ? NULL : memchr(at, '\n', len);
        if (newline != NULL) {
            *ret_line = (struct cursor){at, newline};
            size_t line_len = cursor_len(ret_line);
            lines->start += line_len + 1;
            lines->offset += line_len + 1;
            return line_len > RECORD_LEAF_BYTES ? ERR_TOO_LARGE : ERR_NONE;
        }
        if (len > RECORD_LEAF_BYTES) {
            return ERR_TOO_LARGE;
        }
        enum err err = fill(lines);
        if (err == ERR_CLOSED && len > 0) {
            *ret_line = cursor_of(lines->bytes, len);
            return ERR_TRUNCATED;
        }
        TRY(err);
    }
}
