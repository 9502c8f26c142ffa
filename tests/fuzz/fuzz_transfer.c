/* A command line, and the bytes of both sides.
 * Input: { u8 length, command }, then { u8 side, u8 length, bytes } repeated. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "record/stream.h"
#include "relay/transfer.h"

static enum err owner_record(void *context, uint8_t kind, uint32_t channel, struct cursor head,
                             struct cursor body)
{
    (void)context;
    assert(cursor_len(&body) == 0);
    const struct record record = {.channel = channel, .kind = kind, .body = head};
    struct record_body read;
    enum err err = record_body_read(&record, &read);
    assert(err == ERR_NONE);
    return err;
}

static struct cursor next(struct cursor *in)
{
    uint8_t len_bytes = 0;
    struct cursor part = cursor_of(NULL, 0);
    if (cursor_u8(in, &len_bytes) == ERR_NONE) {
        size_t left_bytes = cursor_len(in);
        enum err err = cursor_bytes(in, len_bytes < left_bytes ? len_bytes : left_bytes, &part);
        assert(err == ERR_NONE);
    }
    return part;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor in = cursor_of(data, size);
    struct transfer_command command = transfer_recognise(next(&in));
    if (command.op == RECORD_FILE_NONE) {
        command.op = RECORD_FILE_SCP_PUT; /* so that its bytes are looked at */
    }
    struct transfer *transfer = transfer_new(owner_record, NULL, 1, &command, true);
    assert(transfer != NULL);
    enum err err = transfer_begin(transfer);
    uint8_t side = 0;
    while (err == ERR_NONE && cursor_u8(&in, &side) == ERR_NONE) {
        err = transfer_data(transfer, (side & 1) == 0, next(&in));
    }
    assert(err == ERR_NONE);
    err = transfer_end(transfer);
    assert(err == ERR_NONE);
    transfer_free(transfer);
    return 0;
}
