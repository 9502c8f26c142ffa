#include "sftp_state.h"

#include <stdlib.h>
#include <string.h>

static bool is_named(const struct sftp_handle *handle, struct cursor name)
{
    return handle != NULL && cursor_equal(cursor_of(handle->name, handle->name_bytes), name);
}

unsigned sftp_handle_find(struct sftp *sftp, struct cursor name)
{
    if (is_named(sftp->handles[sftp->last_handle], name)) {
        return sftp->last_handle; /* most requests are about the same file again */
    }
    for (unsigned i = 0; i < SFTP_HANDLES_MAX; i++) {
        if (is_named(sftp->handles[i], name)) {
            sftp->last_handle = i;
            return i;
        }
    }
    return SFTP_NO_HANDLE;
}

static MUST_CHECK enum err find_room(struct sftp *sftp, unsigned *ret_index)
{
    for (unsigned i = 0; i < SFTP_HANDLES_MAX; i++) {
        if (sftp->handles[i] == NULL) {
            *ret_index = i;
            return ERR_NONE;
        }
    }
    return sftp_violation(sftp, "let more than 1024 files be open at once");
}

MUST_CHECK enum err sftp_handle_add(struct sftp *sftp, struct cursor name, const struct sftp_request *request)
{
    unsigned index = sftp_handle_find(sftp, name);
    if (index != SFTP_NO_HANDLE) {
        TRY(sftp_handle_end(sftp, index, 0)); /* its close was not answered yet, and the name is used again */
    }
    TRY(find_room(sftp, &index));
    struct sftp_handle *handle = calloc(1, sizeof *handle);
    if (handle == NULL) {
        return ERR_MEMORY;
    }
    memcpy(handle->name, name.at, cursor_len(&name));
    handle->name_bytes = (uint16_t)cursor_len(&name);
    handle->number = request->number;
    handle->is_dir = request->type == SFTP_OPENDIR;
    handle->may_write = (request->pflags & SFTP_FXF_CHANGES) != 0;
    handle->is_appending = (request->pflags & SFTP_FXF_APPEND) != 0;
    sftp->handles[index] = handle;
    return ERR_NONE;
}

void sftp_handle_free(struct sftp *sftp, unsigned index)
{
    struct sftp_handle *handle = sftp->handles[index];
    if (handle == NULL) {
        return;
    }
    if (sftp->hashed == &handle->read || sftp->hashed == &handle->written) {
        sftp->hashed = NULL;
    }
    if (sftp->hashed_answer == &handle->read) {
        sftp->hashed_answer = NULL;
    }
    for (unsigned i = 0; i < SFTP_OUTSTANDING_MAX; i++) {
        if (sftp->outstanding[i].handle == index) {
            sftp->outstanding[i].handle = SFTP_NO_HANDLE;
        }
    }
    crypto_sha256_done(&handle->read.hash);
    crypto_sha256_done(&handle->written.hash);
    free(handle);
    sftp->handles[index] = NULL;
}

static struct cursor way_hash(struct sftp_way *way, uint8_t digest[static CRYPTO_SHA256_BYTES])
{
    if (way->order != RECORD_FILE_SEQUENTIAL || way->hash.context == NULL) {
        return cursor_of(NULL, 0);
    }
    crypto_sha256_end(&way->hash, digest);
    return cursor_of(digest, CRYPTO_SHA256_BYTES);
}

static MUST_CHECK enum err record_total(struct sftp *sftp, const struct record_file_total *total)
{
    uint8_t memory[128];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u32be(&out, total->number);
    writer_u64be(&out, total->read_bytes);
    writer_u64be(&out, total->written_bytes);
    writer_u8(&out, total->read_order);
    writer_u8(&out, total->written_order);
    writer_u8(&out, total->flags);
    writer_string(&out, total->read_sha256);
    writer_string(&out, total->written_sha256);
    struct cursor body;
    TRY(writer_done(&out, &body));
    return sftp->calls->record(sftp->owner, RECORD_FILE_TOTAL, sftp->channel, body, cursor_of(NULL, 0));
}

MUST_CHECK enum err sftp_handle_end(struct sftp *sftp, unsigned index, uint8_t flags)
{
    struct sftp_handle *handle = sftp->handles[index];
    uint8_t read_digest[CRYPTO_SHA256_BYTES];
    uint8_t written_digest[CRYPTO_SHA256_BYTES];
    struct record_file_total total = {
        .number = handle->number,
        .read_bytes = handle->read.bytes,
        .written_bytes = handle->written.bytes,
        .read_order = handle->read.order,
        .written_order = handle->written.order,
        .flags = (uint8_t)(handle->flags | flags),
        .read_sha256 = way_hash(&handle->read, read_digest),
        .written_sha256 = way_hash(&handle->written, written_digest),
    };
    enum err err = handle->is_dir ? ERR_NONE : record_total(sftp, &total);
    sftp_handle_free(sftp, index);
    return err;
}

static uint8_t order_of(const struct sftp_way *way, uint64_t offset)
{
    if (way->order == RECORD_FILE_NO_BYTES) {
        return offset == 0 ? RECORD_FILE_SEQUENTIAL : RECORD_FILE_FROM_OFFSET;
    }
    if (offset < way->next_offset) {
        return RECORD_FILE_OUT_OF_ORDER;
    }
    if (offset > way->next_offset && way->order < RECORD_FILE_SPARSE) {
        return RECORD_FILE_SPARSE;
    }
    return way->order;
}

void sftp_way_add(struct sftp_way *way, uint64_t offset, uint32_t len_bytes, bool is_hashed)
{
    if (len_bytes == 0) {
        return;
    }
    bool is_first = way->order == RECORD_FILE_NO_BYTES;
    way->order = order_of(way, offset);
    if (is_first && is_hashed && way->order == RECORD_FILE_SEQUENTIAL) {
        crypto_sha256_init(&way->hash);
    }
    way->bytes += len_bytes;
    uint64_t end = offset > UINT64_MAX - len_bytes ? UINT64_MAX : offset + len_bytes;
    way->next_offset = end > way->next_offset ? end : way->next_offset;
}
