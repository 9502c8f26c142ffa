#include "sftp_state.h"

#include <assert.h>

enum {
    TYPE_AT = SFTP_LENGTH_BYTES,
    ID_END = SFTP_LENGTH_BYTES + 1 + 4,
    HANDLE_AT = ID_END + 4,     /* behind the length of the handle */
    WRITE_FIELDS_BYTES = 8 + 4, /* offset, length of the contents */
};

static uint32_t number_at(const struct sftp_stream *stream, size_t offset)
{
    struct cursor in = cursor_of(stream->kept + offset, sizeof(uint32_t));
    uint32_t value = 0;
    enum err err = cursor_u32be(&in, &value);
    assert(err == ERR_NONE);
    return value;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Of a WRITE all but its contents; what is no WRITE is left to the decision. */
static size_t write_wants(const struct sftp_stream *stream, size_t whole_bytes)
{
    if (stream->kept_bytes < HANDLE_AT) {
        return smaller(HANDLE_AT, whole_bytes);
    }
    uint32_t handle_bytes = number_at(stream, ID_END);
    if (handle_bytes > SFTP_HANDLE_NAME_BYTES) {
        return 0;
    }
    return smaller(HANDLE_AT + handle_bytes + WRITE_FIELDS_BYTES, whole_bytes);
}

size_t sftp_request_wants(const struct sftp_stream *stream)
{
    size_t whole_bytes = SFTP_LENGTH_BYTES + (size_t)number_at(stream, 0);
    if (stream->kept[TYPE_AT] == SFTP_WRITE) {
        return write_wants(stream, whole_bytes);
    }
    /* Of what is too large to be kept only its number is wanted, to answer it. */
    return whole_bytes <= stream->kept_size_bytes ? whole_bytes : ID_END;
}

/* draft-02 section 4. The target may not choose a version that is not taken apart here. */
static MUST_CHECK enum err decide_init(struct sftp *sftp, bool *ret_pass)
{
    struct sftp_stream *stream = &sftp->client;
    if (sftp->has_init || stream->kept[TYPE_AT] != SFTP_INIT || stream->kept_bytes < ID_END) {
        return sftp_violation(sftp, "sent an SFTP request out of turn");
    }
    if (number_at(stream, TYPE_AT + 1) < SFTP_VERSION_SPOKEN) {
        return sftp_violation(sftp, "speaks a version of SFTP before 3");
    }
    struct writer version = writer_of(stream->kept + TYPE_AT + 1, sizeof(uint32_t));
    writer_u32be(&version, SFTP_VERSION_SPOKEN);
    sftp->has_init = true;
    *ret_pass = true;
    return ERR_NONE;
}

MUST_CHECK enum err sftp_request_decide(struct sftp *sftp, bool *ret_pass)
{
    struct sftp_stream *stream = &sftp->client;
    if (!sftp->has_init || stream->kept[TYPE_AT] == SFTP_INIT) {
        return decide_init(sftp, ret_pass);
    }
    if (!sftp->has_version || stream->kept_bytes < ID_END) {
        return sftp_violation(sftp, "sent an SFTP request out of turn, or cut short");
    }
    const struct sftp_head head = {
        .type = stream->kept[TYPE_AT],
        .id = number_at(stream, TYPE_AT + 1),
        .len_bytes = number_at(stream, 0),
        .rest = cursor_of(stream->kept + ID_END, stream->kept_bytes - ID_END),
    };
    struct sftp_verdict verdict = {.what = "sftp",
                                   .request = {.type = head.type, .id = head.id, .handle = SFTP_NO_HANDLE}};
    TRY(sftp_decide(sftp, &head, &verdict));
    *ret_pass = verdict.status == SFTP_FX_OK;
    if (!*ret_pass) {
        verdict.request.is_ours = true;
        verdict.request.is_answered = true;
        verdict.request.status = verdict.status;
        verdict.request.reason = verdict.reason;
        TRY(sftp->calls->refused(sftp->owner, sftp->channel, verdict.what, verdict.path, verdict.reason));
    }
    return sftp_await(sftp, &verdict.request);
}
