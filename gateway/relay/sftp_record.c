#include "sftp_state.h"

MUST_CHECK enum err sftp_record_request(struct sftp *sftp, const struct record_file_request *request)
{
    uint8_t memory[2 * SFTP_PATH_BYTES + 64];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u32be(&out, request->number);
    writer_u8(&out, request->op);
    writer_u32be(&out, request->flags);
    writer_u32be(&out, request->mode);
    writer_u64be(&out, request->size);
    writer_u32be(&out, request->of);
    writer_u32be(&out, request->of_second);
    writer_string(&out, request->path);
    writer_string(&out, request->second);
    struct cursor body;
    TRY(writer_done(&out, &body));
    return sftp->calls->record(sftp->owner, RECORD_FILE_REQUEST, sftp->channel, body, cursor_of(NULL, 0));
}

MUST_CHECK enum err sftp_record_result(struct sftp *sftp, uint32_t number, uint32_t status)
{
    if (number == 0) {
        return ERR_NONE;
    }
    uint8_t memory[8];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u32be(&out, number);
    writer_u32be(&out, status);
    struct cursor body;
    TRY(writer_done(&out, &body));
    return sftp->calls->record(sftp->owner, RECORD_FILE_RESULT, sftp->channel, body, cursor_of(NULL, 0));
}
