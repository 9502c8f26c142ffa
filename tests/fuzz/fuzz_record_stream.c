/* What a session may send: records and their bodies. */
#include <stdint.h>
#include <stdlib.h>

#include "record/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor in = cursor_of(data, size);
    struct record record;
    for (;;) {
        const uint8_t *before = in.at;
        if (record_next(&in, &record) != ERR_NONE) {
            if (in.at != before) {
                abort();
            }
            return 0;
        }
        struct record_body body;
        enum err err = record_body_read(&record, &body);
        if (err == ERR_NONE && body.kind != record.kind) {
            abort();
        }
    }
}
