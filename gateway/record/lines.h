/* The lines of a leaves file, one after another, in bounded memory. Private to the room. */
#ifndef RECORD_LINES_H
#define RECORD_LINES_H

#include "record/leaf.h"

enum { LINES_BUFFER_BYTES = 65536 };
struct lines {
    int fd;            /* borrowed; read with pread(2) */
    uint64_t offset;   /* of the next line in the file */
    size_t start, end; /* of what `bytes` holds and was not given out */
    uint8_t bytes[LINES_BUFFER_BYTES];
};
void lines_init(struct lines *lines, int fd);
/** The next line without its newline; borrowed until the next call.
 *  @return ERR_CLOSED at the end; ERR_TRUNCATED when the file ends inside a line (which `ret_line` then is);
 *          ERR_TOO_LARGE over RECORD_LEAF_BYTES; ERR_SYSTEM. */
MUST_CHECK enum err lines_next(struct lines *lines, struct cursor *ret_line);

#endif
