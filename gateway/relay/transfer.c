/* scp's protocol, as OpenSSH's scp.c speaks it: lines "Cmode size name", "Dmode 0 name", "E", "Tmtime ..
 * atime
 * ..", contents of a file and a zero byte, and from the other side one byte for each: 0 good, 1 or 2 and a
 * line of text for a failure. */
#include "relay/transfer.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "record/stream.h"

enum scp_state {
    SCP_LINE = 0, /* a line, or the end byte of a file */
    SCP_OFFERED,  /* a file was named; its contents follow when the other side wants them */
    SCP_CONTENTS,
    SCP_END,  /* all contents passed; the byte that says whether they were good follows */
    SCP_LOST, /* this is not scp: nothing more is looked at */
};

struct transfer {
    tap_record *record;
    void *owner;
    uint32_t channel;
    uint8_t op;
    bool is_hashed;
    uint8_t base[TRANSFER_FOLDER_BYTES]; /* the path of the command */
    size_t base_bytes;
    uint32_t number, count;
    uint64_t to_target_bytes, from_target_bytes;
    enum scp_state state;
    uint8_t line[TRANSFER_LINE_BYTES];
    size_t line_bytes;
    uint8_t folder[TRANSFER_FOLDER_BYTES]; /* inside the base: "a/b/" */
    size_t folder_bytes;
    uint64_t left_bytes, passed_bytes;
    struct crypto_sha256 hash;
    bool is_in_answer_text; /* of the other side */
};

struct transfer *transfer_new(tap_record *record, void *owner, uint32_t channel,
                              const struct transfer_command *command, bool is_hashed)
{
    struct transfer *transfer = calloc(1, sizeof *transfer);
    if (transfer == NULL) {
        return NULL;
    }
    transfer->record = record;
    transfer->owner = owner;
    transfer->channel = channel;
    transfer->op = command->op;
    transfer->is_hashed = is_hashed;
    transfer->base_bytes = cursor_len(&command->path);
    if (transfer->base_bytes > 0) {
        memcpy(transfer->base, command->path.at, transfer->base_bytes);
    }
    return transfer;
}

void transfer_free(struct transfer *transfer)
{
    if (transfer != NULL) {
        crypto_sha256_done(&transfer->hash);
        free(transfer);
    }
}

static bool is_scp(const struct transfer *transfer)
{
    return transfer->op == RECORD_FILE_SCP_PUT || transfer->op == RECORD_FILE_SCP_GET;
}

/* Records */

static MUST_CHECK enum err give(struct transfer *transfer, uint8_t kind, const struct writer *out)
{
    struct cursor body;
    TRY(writer_done(out, &body));
    return transfer->record(transfer->owner, kind, transfer->channel, body, cursor_of(NULL, 0));
}

static MUST_CHECK enum err record_request(struct transfer *transfer, uint8_t op, uint32_t mode, uint64_t size,
                                          struct cursor folder, struct cursor name)
{
    uint8_t memory[2 * TRANSFER_FOLDER_BYTES + TRANSFER_LINE_BYTES + 64];
    struct writer out = writer_of(memory, sizeof memory);
    transfer->number = ++transfer->count;
    writer_u32be(&out, transfer->number);
    writer_u8(&out, op);
    writer_u32be(&out, 0);
    writer_u32be(&out, mode);
    writer_u64be(&out, size);
    writer_u32be(&out, 0);
    writer_u32be(&out, 0);
    writer_string(&out, cursor_of(transfer->base, transfer->base_bytes));
    uint8_t *begin = writer_string_begin(&out);
    writer_bytes(&out, folder);
    writer_bytes(&out, name);
    writer_string_end(&out, begin);
    return give(transfer, RECORD_FILE_REQUEST, &out);
}

static MUST_CHECK enum err record_result(struct transfer *transfer, uint32_t status)
{
    uint8_t memory[8];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u32be(&out, transfer->number);
    writer_u32be(&out, status);
    return give(transfer, RECORD_FILE_RESULT, &out);
}

static MUST_CHECK enum err record_total(struct transfer *transfer, const struct record_file_total *total)
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
    return give(transfer, RECORD_FILE_TOTAL, &out);
}

/* The file at hand is over. */
static MUST_CHECK enum err end_file(struct transfer *transfer, uint8_t flags)
{
    uint8_t digest[CRYPTO_SHA256_BYTES];
    struct cursor sha256 = cursor_of(NULL, 0);
    if (transfer->is_hashed && transfer->passed_bytes > 0) {
        crypto_sha256_end(&transfer->hash, digest);
        sha256 = cursor_of(digest, sizeof digest);
    }
    uint8_t order = transfer->passed_bytes > 0 ? RECORD_FILE_SEQUENTIAL : RECORD_FILE_NO_BYTES;
    struct record_file_total total = {.number = transfer->number, .flags = flags};
    if (transfer->op == RECORD_FILE_SCP_PUT) {
        total.written_bytes = transfer->passed_bytes;
        total.written_order = order;
        total.written_sha256 = sha256;
    } else {
        total.read_bytes = transfer->passed_bytes;
        total.read_order = order;
        total.read_sha256 = sha256;
    }
    transfer->state = SCP_LINE;
    transfer->passed_bytes = 0;
    return record_total(transfer, &total);
}

static MUST_CHECK enum err lose(struct transfer *transfer)
{
    transfer->state = SCP_LOST;
    return tap_note(transfer->record, transfer->owner, transfer->channel,
                    "these bytes are not what scp speaks: files from here on are not told apart");
}

/* What the side with the files says */

/* "0644 1234 name" */
static bool read_file_line(struct cursor in, uint32_t *ret_mode, uint64_t *ret_size, struct cursor *ret_name)
{
    enum { MODE_DIGITS = 4, SIZE_DIGITS_MAX = 19 };
    uint32_t mode = 0;
    uint64_t size = 0;
    unsigned digits = 0;
    for (; in.at != in.end && *in.at >= '0' && *in.at <= '7' && digits < MODE_DIGITS; in.at++, digits++) {
        mode = mode * 8 + (uint32_t)(*in.at - '0');
    }
    if (digits != MODE_DIGITS || in.at == in.end || *in.at++ != ' ') {
        return false;
    }
    for (digits = 0; in.at != in.end && *in.at >= '0' && *in.at <= '9' && digits < SIZE_DIGITS_MAX;
         digits++) {
        size = size * 10 + (uint64_t)(*in.at++ - '0');
    }
    if (digits == 0 || in.at == in.end || *in.at++ != ' ' || in.at == in.end) {
        return false;
    }
    *ret_mode = mode;
    *ret_size = size;
    *ret_name = in;
    return true;
}

static MUST_CHECK enum err enter_folder(struct transfer *transfer, struct cursor name)
{
    size_t name_bytes = cursor_len(&name);
    if (name_bytes + 1 > sizeof transfer->folder - transfer->folder_bytes) {
        return lose(transfer);
    }
    memcpy(transfer->folder + transfer->folder_bytes, name.at, name_bytes);
    transfer->folder_bytes += name_bytes;
    transfer->folder[transfer->folder_bytes++] = '/';
    return ERR_NONE;
}

static void leave_folder(struct transfer *transfer)
{
    do {
        transfer->folder_bytes -= transfer->folder_bytes > 0;
    } while (transfer->folder_bytes > 0 && transfer->folder[transfer->folder_bytes - 1] != '/');
}

static MUST_CHECK enum err take_named(struct transfer *transfer, bool is_folder, struct cursor rest)
{
    uint32_t mode = 0;
    uint64_t size = 0;
    struct cursor name;
    if (!read_file_line(rest, &mode, &size, &name)) {
        return lose(transfer);
    }
    struct cursor folder = cursor_of(transfer->folder, transfer->folder_bytes);
    TRY(record_request(transfer, is_folder ? RECORD_FILE_SCP_MKDIR : transfer->op, mode,
                       is_folder ? RECORD_FILE_NO_SIZE : size, folder, name));
    if (is_folder) {
        TRY(record_result(transfer, 0));
        return enter_folder(transfer, name);
    }
    transfer->state = SCP_OFFERED;
    transfer->left_bytes = size;
    transfer->passed_bytes = 0;
    if (transfer->is_hashed) {
        crypto_sha256_init(&transfer->hash);
    }
    return ERR_NONE;
}

/* A line without its end. */
static MUST_CHECK enum err take_line(struct transfer *transfer, struct cursor line)
{
    uint8_t letter = 0;
    if (cursor_u8(&line, &letter) != ERR_NONE) {
        return lose(transfer);
    }
    switch (letter) {
    case 'C':
    case 'D':
        return take_named(transfer, letter == 'D', line);
    case 'E':
        leave_folder(transfer);
        return ERR_NONE;
    case 'T':
    case 1: /* a warning, an error: text */
    case 2:
        return ERR_NONE;
    default:
        return lose(transfer);
    }
}

static MUST_CHECK enum err take_line_byte(struct transfer *transfer, struct cursor *in)
{
    uint8_t byte = 0;
    TRY(cursor_u8(in, &byte));
    if (byte == 0 && transfer->line_bytes == 0) {
        return ERR_NONE; /* the answer of the same side, where it has both to give */
    }
    if (byte != '\n') {
        if (transfer->line_bytes == sizeof transfer->line) {
            return lose(transfer);
        }
        transfer->line[transfer->line_bytes++] = byte;
        return ERR_NONE;
    }
    size_t line_bytes = transfer->line_bytes;
    transfer->line_bytes = 0;
    return take_line(transfer, cursor_of(transfer->line, line_bytes));
}

static MUST_CHECK enum err take_contents(struct transfer *transfer, struct cursor *in)
{
    size_t len_bytes = transfer->left_bytes < cursor_len(in) ? (size_t)transfer->left_bytes : cursor_len(in);
    struct cursor part;
    TRY(cursor_bytes(in, len_bytes, &part));
    if (transfer->is_hashed) {
        crypto_sha256_add(&transfer->hash, part);
    }
    transfer->left_bytes -= len_bytes;
    transfer->passed_bytes += len_bytes;
    transfer->state = transfer->left_bytes == 0 ? SCP_END : SCP_CONTENTS;
    return ERR_NONE;
}

static MUST_CHECK enum err take_file_side(struct transfer *transfer, struct cursor in)
{
    while (cursor_len(&in) > 0) {
        uint8_t status = 0;
        switch (transfer->state) {
        case SCP_LINE:
            TRY(take_line_byte(transfer, &in));
            break;
        case SCP_OFFERED:
        case SCP_CONTENTS:
            TRY(take_contents(transfer, &in));
            break;
        case SCP_END:
            TRY(cursor_u8(&in, &status));
            /* 1: the reader of the file failed on the way, and sent what it had; a line of text follows. */
            TRY(end_file(transfer, status == 0 ? RECORD_FILE_END_READ : RECORD_FILE_LEFT_OPEN));
            if (status != 0) {
                transfer->line[transfer->line_bytes++] = status;
            }
            break;
        case SCP_LOST:
            return ERR_NONE;
        }
    }
    return ERR_NONE;
}

/* The other side answers: only a refusal of the file that was just offered changes what comes next. */
static MUST_CHECK enum err take_answers(struct transfer *transfer, struct cursor in)
{
    for (; in.at != in.end; in.at++) {
        if (transfer->is_in_answer_text) {
            transfer->is_in_answer_text = *in.at != '\n';
        } else if (*in.at == 1 || *in.at == 2) {
            transfer->is_in_answer_text = true;
            if (transfer->state == SCP_OFFERED) {
                enum { FAILURE = 4 }; /* SSH_FX_FAILURE */
                transfer->state = SCP_LINE;
                TRY(record_result(transfer, FAILURE));
            }
        }
    }
    return ERR_NONE;
}

/* The whole */

MUST_CHECK enum err transfer_begin(struct transfer *transfer)
{
    struct cursor none = cursor_of(NULL, 0);
    return is_scp(transfer)
               ? ERR_NONE
               : record_request(transfer, transfer->op, RECORD_FILE_NO_MODE, RECORD_FILE_NO_SIZE, none, none);
}

MUST_CHECK enum err transfer_data(struct transfer *transfer, bool is_to_target, struct cursor bytes)
{
    *(is_to_target ? &transfer->to_target_bytes : &transfer->from_target_bytes) += cursor_len(&bytes);
    if (!is_scp(transfer)) {
        return ERR_NONE;
    }
    bool is_file_side = is_to_target == (transfer->op == RECORD_FILE_SCP_PUT);
    return is_file_side ? take_file_side(transfer, bytes) : take_answers(transfer, bytes);
}

MUST_CHECK enum err transfer_end(struct transfer *transfer)
{
    if (is_scp(transfer)) {
        bool is_open =
            transfer->state == SCP_OFFERED || transfer->state == SCP_CONTENTS || transfer->state == SCP_END;
        return is_open ? end_file(transfer, RECORD_FILE_LEFT_OPEN) : ERR_NONE;
    }
    const struct record_file_total total = {
        .number = transfer->number,
        .read_bytes = transfer->from_target_bytes,
        .written_bytes = transfer->to_target_bytes,
        .read_order = transfer->from_target_bytes > 0 ? RECORD_FILE_NOT_DECODED : RECORD_FILE_NO_BYTES,
        .written_order = transfer->to_target_bytes > 0 ? RECORD_FILE_NOT_DECODED : RECORD_FILE_NO_BYTES,
    };
    return record_total(transfer, &total);
}
