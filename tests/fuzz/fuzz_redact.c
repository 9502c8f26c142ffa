/* Texts of statements. Input: one byte (1: MySQL's), then the text. */
#include <assert.h>
#include <stdint.h>

#include "redact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor in = cursor_of(data, size);
    struct cursor text;
    struct queue scratch;
    uint8_t bits = 0;
    bool is_secret = false;
    if (cursor_u8(&in, &bits) != ERR_NONE) {
        return 0;
    }
    queue_init(&scratch, 3 * size + 16);
    enum err err = db_redact((bits & 1) != 0 ? DB_MYSQL : DB_POSTGRES, in, &scratch, &text, &is_secret);
    assert(err == ERR_NONE);
    assert(is_secret || (text.at == in.at && text.end == in.end));
    assert(!is_secret || cursor_len(&text) >= 5);
    queue_done(&scratch);
    return 0;
}
