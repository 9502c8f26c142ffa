#include "sftp_state.h"

#include <assert.h>
#include <string.h>

enum {
    TYPE_AT = SFTP_LENGTH_BYTES,
    ID_AT = SFTP_LENGTH_BYTES + 1,
    FIELD_AT = ID_AT + 4, /* status, length of a handle or of contents, number of names */
    FIELD_END = FIELD_AT + 4,
    NAME_AT = FIELD_END + 4, /* behind the length of the first name */
};

static uint32_t number_at(const struct sftp_stream *stream, size_t offset)
{
    assert(offset + sizeof(uint32_t) <= stream->kept_bytes);
    struct cursor in = cursor_of(stream->kept + offset, sizeof(uint32_t));
    uint32_t value = 0;
    enum err err = cursor_u32be(&in, &value);
    assert(err == ERR_NONE);
    return value;
}

static struct sftp_request *request_at(struct sftp *sftp, unsigned i)
{
    return &sftp->outstanding[(sftp->outstanding_start + i) % SFTP_OUTSTANDING_MAX];
}

MUST_CHECK enum err sftp_await(struct sftp *sftp, const struct sftp_request *request)
{
    assert(sftp->outstanding_count < SFTP_OUTSTANDING_MAX);
    *request_at(sftp, sftp->outstanding_count++) = *request;
    return ERR_NONE;
}

/* The oldest request with this id that the target has not answered yet. */
static struct sftp_request *find_request(struct sftp *sftp, uint32_t id)
{
    for (unsigned i = 0; i < sftp->outstanding_count; i++) {
        struct sftp_request *request = request_at(sftp, i);
        if (request->id == id && !request->is_answered) {
            return request;
        }
    }
    return NULL;
}

/* How much of the first name is there to read: of the answer to a realpath only. */
static size_t name_wants(struct sftp *sftp, size_t whole_bytes)
{
    const struct sftp_stream *stream = &sftp->target;
    const struct sftp_request *request = find_request(sftp, number_at(stream, ID_AT));
    if (request == NULL || !request->wants_home || number_at(stream, FIELD_AT) != 1 ||
        whole_bytes < NAME_AT) {
        return 0;
    }
    if (stream->kept_bytes < NAME_AT) {
        return NAME_AT;
    }
    uint32_t name_bytes = number_at(stream, FIELD_END);
    return name_bytes < SFTP_PATH_BYTES && name_bytes <= whole_bytes - NAME_AT ? NAME_AT + name_bytes : 0;
}

size_t sftp_answer_wants(const struct sftp *sftp)
{
    const struct sftp_stream *stream = &sftp->target;
    size_t whole_bytes = SFTP_LENGTH_BYTES + (size_t)number_at(stream, 0);
    if (!sftp->has_version) {
        return whole_bytes;
    }
    uint8_t type = stream->kept[TYPE_AT];
    bool has_field = type == SFTP_STATUS || type == SFTP_HANDLE || type == SFTP_DATA || type == SFTP_NAME;
    size_t fixed_bytes = has_field ? FIELD_END : FIELD_AT;
    if (whole_bytes < fixed_bytes || stream->kept_bytes < fixed_bytes) {
        return whole_bytes < fixed_bytes ? whole_bytes : fixed_bytes;
    }
    if (type == SFTP_HANDLE) {
        uint32_t name_bytes = number_at(stream, FIELD_AT);
        return name_bytes <= SFTP_HANDLE_NAME_BYTES && name_bytes <= whole_bytes - FIELD_END
                   ? FIELD_END + name_bytes
                   : 0;
    }
    return type == SFTP_NAME ? name_wants((struct sftp *)sftp, whole_bytes) : 0;
}

static MUST_CHECK enum err read_status(struct sftp *sftp, const struct sftp_request *request, uint32_t status)
{
    struct sftp_handle *handle = request->handle == SFTP_NO_HANDLE ? NULL : sftp->handles[request->handle];
    if (handle != NULL && request->type == SFTP_READ && status == SFTP_FX_EOF &&
        request->offset <= handle->read.next_offset) {
        handle->flags |= RECORD_FILE_END_READ;
    }
    if (handle != NULL && request->type == SFTP_WRITE && status != SFTP_FX_OK) {
        handle->flags |= RECORD_FILE_WRITE_FAILED;
    }
    if (handle != NULL && request->type == SFTP_CLOSE) {
        return sftp_handle_end(sftp, request->handle, 0);
    }
    return sftp_record_result(sftp, request->number, status);
}

static MUST_CHECK enum err read_handle(struct sftp *sftp, const struct sftp_request *request)
{
    const struct sftp_stream *stream = &sftp->target;
    struct cursor rest = cursor_of(stream->kept + FIELD_AT, stream->kept_bytes - FIELD_AT);
    struct cursor name;
    bool is_asked = request->type == SFTP_OPEN || request->type == SFTP_OPENDIR;
    if (!is_asked || cursor_string(&rest, SFTP_HANDLE_NAME_BYTES, &name) != ERR_NONE ||
        cursor_len(&name) == 0 || number_at(stream, 0) + SFTP_LENGTH_BYTES != stream->kept_bytes) {
        return sftp_violation(sftp, "sent an SFTP handle that was not asked for, or is too long");
    }
    TRY(sftp_handle_add(sftp, name, request));
    return sftp_record_result(sftp, request->number, SFTP_FX_OK);
}

static MUST_CHECK enum err read_data(struct sftp *sftp, const struct sftp_request *request)
{
    const struct sftp_stream *stream = &sftp->target;
    uint32_t len_bytes = number_at(stream, FIELD_AT);
    if (request->type != SFTP_READ || SFTP_LENGTH_BYTES + number_at(stream, 0) != FIELD_END + len_bytes) {
        return sftp_violation(sftp,
                              "sent SFTP contents that were not asked for, or not laid out as they must "
                              "be");
    }
    struct sftp_handle *handle = request->handle == SFTP_NO_HANDLE ? NULL : sftp->handles[request->handle];
    if (handle != NULL) {
        sftp_way_add(&handle->read, request->offset, len_bytes, sftp->grant->sftp_hashes);
        sftp->hashed_answer = &handle->read;
    }
    return ERR_NONE;
}

static void read_home(struct sftp *sftp, const struct sftp_request *request)
{
    const struct sftp_stream *stream = &sftp->target;
    if (!request->wants_home || stream->kept_bytes <= NAME_AT) {
        return;
    }
    struct cursor rest = cursor_of(stream->kept + FIELD_END, stream->kept_bytes - FIELD_END);
    if (cursor_text(&rest, sftp->home, sizeof sftp->home) != ERR_NONE || sftp->home[0] != '/') {
        sftp->home[0] = 0;
    }
}

MUST_CHECK enum err sftp_answer_read(struct sftp *sftp)
{
    const struct sftp_stream *stream = &sftp->target;
    uint8_t type = stream->kept[TYPE_AT];
    bool is_answer = (type >= SFTP_STATUS && type <= SFTP_ATTRS) || type == SFTP_EXTENDED_REPLY;
    bool has_field = type >= SFTP_STATUS && type <= SFTP_NAME;
    if (!is_answer || stream->kept_bytes < (has_field ? FIELD_END : FIELD_AT)) {
        return sftp_violation(sftp, "sent what is no answer of SFTP");
    }
    struct sftp_request *request = find_request(sftp, number_at(stream, ID_AT));
    if (request == NULL) {
        return sftp_violation(sftp, "answered an SFTP request that was not made");
    }
    request->is_answered = true;
    switch (type) {
    case SFTP_STATUS:
        return read_status(sftp, request, number_at(stream, FIELD_AT));
    case SFTP_HANDLE:
        return read_handle(sftp, request);
    case SFTP_DATA:
        return read_data(sftp, request);
    case SFTP_NAME:
        read_home(sftp, request);
        break;
    default:
        break;
    }
    return sftp_record_result(sftp, request->number, SFTP_FX_OK);
}

/* draft-02 section 7 */
static MUST_CHECK enum err send_status(struct sftp *sftp, const struct sftp_request *request)
{
    uint8_t memory[LIMIT_SENTENCE_BYTES + 32];
    struct writer out = writer_of(memory, sizeof memory);
    uint8_t *begin = writer_string_begin(&out);
    writer_u8(&out, SFTP_STATUS);
    writer_u32be(&out, request->id);
    writer_u32be(&out, request->status);
    writer_text(&out, request->reason);
    writer_text(&out, "");
    writer_string_end(&out, begin);
    struct cursor answer;
    TRY(writer_done(&out, &answer));
    return lane_pass_copy(sftp->to_client, answer);
}

MUST_CHECK enum err sftp_answer_own(struct sftp *sftp)
{
    while (sftp->outstanding_count > 0) {
        struct sftp_request *first = request_at(sftp, 0);
        if (!first->is_answered) {
            return ERR_NONE;
        }
        if (first->is_ours) {
            TRY(send_status(sftp, first));
        }
        first->handle = SFTP_NO_HANDLE;
        sftp->outstanding_start = (sftp->outstanding_start + 1) % SFTP_OUTSTANDING_MAX;
        sftp->outstanding_count--;
    }
    return ERR_NONE;
}
