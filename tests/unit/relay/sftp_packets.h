/* Builds SFTP packets for tests, one after another, into one block. */
#ifndef TESTS_RELAY_SFTP_PACKETS_H
#define TESTS_RELAY_SFTP_PACKETS_H

#include <stdarg.h>

#include "base/writer.h"

/* One letter for each field: i u32, I u64, t text, b u32 so many bytes of 'x' as contents. */
__attribute__((unused)) static void sp_add(struct writer *out, unsigned type, const char *layout, ...)
{
    va_list fields;
    va_start(fields, layout);
    uint8_t *begin = writer_string_begin(out);
    writer_u8(out, (uint8_t)type);
    for (; *layout != 0; layout++) {
        if (*layout == 'i') {
            writer_u32be(out, va_arg(fields, uint32_t));
        } else if (*layout == 'I') {
            writer_u64be(out, va_arg(fields, uint64_t));
        } else if (*layout == 't') {
            writer_text(out, va_arg(fields, const char *));
        } else {
            uint32_t len = va_arg(fields, uint32_t);
            writer_u32be(out, len);
            for (uint32_t i = 0; i < len; i++) {
                writer_u8(out, (uint8_t)('a' + i % 26));
            }
        }
    }
    writer_string_end(out, begin);
    va_end(fields);
    assert_false(out->is_full);
}

/* The numbers of draft-ietf-secsh-filexfer-02 section 3 */
enum {
    SP_INIT = 1,
    SP_VERSION = 2,
    SP_OPEN = 3,
    SP_CLOSE = 4,
    SP_READ = 5,
    SP_WRITE = 6,
    SP_LSTAT = 7,
    SP_FSTAT = 8,
    SP_SETSTAT = 9,
    SP_FSETSTAT = 10,
    SP_OPENDIR = 11,
    SP_READDIR = 12,
    SP_REMOVE = 13,
    SP_MKDIR = 14,
    SP_RMDIR = 15,
    SP_REALPATH = 16,
    SP_STAT = 17,
    SP_RENAME = 18,
    SP_READLINK = 19,
    SP_SYMLINK = 20,
    SP_STATUS = 101,
    SP_HANDLE = 102,
    SP_DATA = 103,
    SP_NAME = 104,
    SP_ATTRS = 105,
    SP_EXTENDED = 200,
    SP_EXTENDED_REPLY = 201,
};

#endif
