/* A recording of any bytes: opened, walked to its end or first fault, with and without a key. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "record/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(int fd, const struct record_key *key)
{
    struct record_reader reader = {0};
    struct record_step step = {0};
    if (record_reader_open_fd(&reader, fd, NULL, key) == ERR_NONE) {
        while (record_reader_next(&reader, &step) == ERR_NONE && step.type != RECORD_STEP_END) {
            struct record_body body;
            if (step.type == RECORD_STEP_RECORD && record_body_read(&step.record, &body) == ERR_NONE &&
                body.kind != step.record.kind) {
                abort();
            }
        }
    }
    record_reader_done(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* The key of the recording in the corpus. */
    static const struct record_key KEY = {{0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42,
                                           0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42,
                                           0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42}};
    static int fd = -1;
    if (fd < 0) {
        fd = memfd_create("recording", MFD_CLOEXEC);
    }
    if (fd < 0 || ftruncate(fd, (off_t)size) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size) {
        return 0;
    }
    walk(fd, NULL);
    walk(fd, &KEY);
    return 0;
}
