/* The records of databases: their names, their bodies written and read. */
#include <assert.h>

#include "record/stream.h"
#include "stream_parts.h"

#define NAME_OF(names, number)                                                                               \
    ((number) < sizeof(names) / sizeof(names)[0] && (names)[number] != NULL ? (names)[number] : "unknown")

const char *record_db_operation_name(unsigned operation)
{
    static const char *const NAMES[RECORD_DB_OPERATIONS] = {
        [RECORD_DB_QUERY] = "query",
        [RECORD_DB_PREPARE] = "prepare",
        [RECORD_DB_EXECUTE] = "execute",
        [RECORD_DB_FUNCTION] = "function",
        [RECORD_DB_CHANGE_DATABASE] = "change database",
        [RECORD_DB_CHANGE_USER] = "change user",
        [RECORD_DB_COMMAND] = "command",
        [RECORD_DB_CLOSE] = "close",
    };
    return NAME_OF(NAMES, operation);
}

const char *record_db_what_name(unsigned what)
{
    static const char *const NAMES[RECORD_DB_WHATS] = {
        [RECORD_DB_WHAT_TEXT] = "text",
        [RECORD_DB_WHAT_PARAMETER] = "parameter",
        [RECORD_DB_WHAT_COPY_IN] = "copy to the server",
        [RECORD_DB_WHAT_COPY_OUT] = "copy from the server",
        [RECORD_DB_WHAT_INFILE] = "local infile",
        [RECORD_DB_WHAT_FUNCTION] = "function call",
    };
    return NAME_OF(NAMES, what);
}

const char *record_db_outcome_name(unsigned outcome)
{
    static const char *const NAMES[RECORD_DB_OUTCOMES] = {
        [RECORD_DB_DONE] = "done",           [RECORD_DB_ERROR] = "error", [RECORD_DB_SKIPPED] = "skipped",
        [RECORD_DB_SUSPENDED] = "suspended", [RECORD_DB_LOST] = "lost",
    };
    return NAME_OF(NAMES, outcome);
}

/* ---- writing ---- */

static void write_name(struct writer *out, struct cursor name)
{
    writer_string(out, stream_cut(name, RECORD_DB_NAME_BYTES));
}

/* The length of the last string, whose bytes the caller adds. */
static struct cursor last_string(struct writer *out, struct cursor bytes, size_t max_bytes)
{
    bytes = stream_cut(bytes, max_bytes);
    writer_u32be(out, (uint32_t)cursor_len(&bytes));
    return bytes;
}

static struct cursor write_startup(struct writer *out, const struct record_db_startup *startup)
{
    stream_write_text(out, startup->protocol, RECORD_DB_NAME_BYTES);
    write_name(out, startup->user);
    write_name(out, startup->database);
    write_name(out, startup->application);
    writer_string(out, stream_cut(startup->parameters, RECORD_DB_OPTIONS_BYTES));
    stream_write_text(out, startup->server_version, RECORD_DB_NAME_BYTES);
    stream_write_text(out, startup->tls, RECORD_DB_NAME_BYTES);
    writer_string(out, stream_cut(startup->certificate_sha256, 32));
    stream_write_text(out, startup->login, RECORD_DB_NAME_BYTES);
    return cursor_of(NULL, 0);
}

static struct cursor write_statement(struct writer *out, const struct record_db_statement *statement)
{
    writer_u32be(out, statement->number);
    writer_u8(out, statement->operation);
    writer_u32be(out, statement->of);
    writer_u64be(out, statement->text_bytes);
    write_name(out, statement->name);
    return last_string(out, statement->text, RECORD_DB_PIECE_BYTES);
}

static struct cursor write_more(struct writer *out, const struct record_db_more *more)
{
    writer_u32be(out, more->number);
    writer_u8(out, more->what);
    writer_u32be(out, more->index);
    return last_string(out, more->bytes, RECORD_DB_PIECE_BYTES);
}

static struct cursor write_parameter(struct writer *out, const struct record_db_parameter *parameter)
{
    writer_u32be(out, parameter->number);
    writer_u32be(out, parameter->index);
    writer_u32be(out, parameter->type);
    writer_u8(out, parameter->format);
    writer_u64be(out, parameter->value_bytes);
    return last_string(out, parameter->value, RECORD_DB_PIECE_BYTES);
}

static struct cursor write_total(struct writer *out, const struct record_db_total *total)
{
    writer_u32be(out, total->number);
    writer_u8(out, total->what);
    writer_u32be(out, total->index);
    writer_u64be(out, total->bytes);
    writer_u64be(out, total->rows);
    return last_string(out, total->sha256, 32);
}

static struct cursor write_result(struct writer *out, const struct record_db_result *result)
{
    writer_u32be(out, result->number);
    writer_u8(out, result->outcome);
    writer_u8(out, result->transaction);
    writer_u64be(out, result->rows);
    writer_u64be(out, result->bytes);
    writer_u64be(out, result->duration_us);
    stream_write_text(out, result->code, RECORD_DB_NAME_BYTES);
    return last_string(out, result->message, RECORD_DB_MESSAGE_BYTES);
}

struct cursor record_db_head(struct writer *out, const struct record_body *body)
{
    switch ((int)body->kind) {
    case RECORD_DB_STARTUP:
        return write_startup(out, &body->db_startup);
    case RECORD_DB_STATEMENT:
        return write_statement(out, &body->db_statement);
    case RECORD_DB_MORE:
        return write_more(out, &body->db_more);
    case RECORD_DB_PARAMETER:
        return write_parameter(out, &body->db_parameter);
    case RECORD_DB_TOTAL:
        return write_total(out, &body->db_total);
    case RECORD_DB_COPY:
        writer_u32be(out, body->db_copy.number);
        writer_u8(out, body->db_copy.what);
        return last_string(out, body->db_copy.name, RECORD_DB_NAME_BYTES);
    case RECORD_DB_RESULT:
        return write_result(out, &body->db_result);
    case RECORD_DB_NOTICE:
        stream_write_text(out, body->db_notice.severity, RECORD_DB_NAME_BYTES);
        stream_write_text(out, body->db_notice.code, RECORD_DB_NAME_BYTES);
        return last_string(out, body->db_notice.message, RECORD_DB_MESSAGE_BYTES);
    default:
        assert(body->kind == RECORD_DB_CANCEL);
        writer_string(out, stream_cut(body->db_cancel.sid, LIMIT_SID_BYTES));
        stream_write_text(out, body->db_cancel.how, RECORD_DB_NAME_BYTES);
        return cursor_of(NULL, 0);
    }
}

void record_write_db(struct writer *out, uint32_t channel, const struct record_body *body)
{
    uint8_t *start = stream_begin(out, body->kind, channel);
    writer_bytes(out, record_db_head(out, body));
    stream_end(out, start);
}

/* ---- reading ---- */

/* A value of an enum whose first is `first` and which ends before `end`. */
static enum err read_one_of(struct cursor *in, uint8_t first, uint8_t end, uint8_t *ret_value)
{
    uint8_t value = 0;
    TRY(cursor_u8(in, &value));
    if (value < first || value >= end) {
        return ERR_MALFORMED;
    }
    *ret_value = value;
    return ERR_NONE;
}

static enum err read_name(struct cursor *in, struct cursor *ret_name)
{
    return cursor_string(in, RECORD_DB_NAME_BYTES, ret_name);
}

static enum err read_startup(struct cursor *in, struct record_db_startup *startup)
{
    TRY(stream_read_text(in, &startup->protocol));
    TRY(read_name(in, &startup->user));
    TRY(read_name(in, &startup->database));
    TRY(read_name(in, &startup->application));
    TRY(cursor_string(in, RECORD_DB_OPTIONS_BYTES, &startup->parameters));
    TRY(stream_read_text(in, &startup->server_version));
    TRY(stream_read_text(in, &startup->tls));
    TRY(stream_read_hash(in, &startup->certificate_sha256));
    return stream_read_text(in, &startup->login);
}

static enum err read_statement(struct cursor *in, struct record_db_statement *statement)
{
    TRY(cursor_u32be(in, &statement->number));
    TRY(read_one_of(in, RECORD_DB_QUERY, RECORD_DB_OPERATIONS, &statement->operation));
    TRY(cursor_u32be(in, &statement->of));
    TRY(cursor_u64be(in, &statement->text_bytes));
    TRY(read_name(in, &statement->name));
    TRY(cursor_string(in, RECORD_DB_PIECE_BYTES, &statement->text));
    return cursor_len(&statement->text) <= statement->text_bytes ? ERR_NONE : ERR_MALFORMED;
}

static enum err read_more(struct cursor *in, struct record_db_more *more)
{
    TRY(cursor_u32be(in, &more->number));
    TRY(read_one_of(in, RECORD_DB_WHAT_TEXT, RECORD_DB_WHAT_COPY_IN, &more->what));
    TRY(cursor_u32be(in, &more->index));
    return cursor_string(in, RECORD_DB_PIECE_BYTES, &more->bytes);
}

static enum err read_parameter(struct cursor *in, struct record_db_parameter *parameter)
{
    TRY(cursor_u32be(in, &parameter->number));
    TRY(cursor_u32be(in, &parameter->index));
    TRY(cursor_u32be(in, &parameter->type));
    TRY(read_one_of(in, RECORD_DB_AS_TEXT, RECORD_DB_FORMATS, &parameter->format));
    TRY(cursor_u64be(in, &parameter->value_bytes));
    TRY(cursor_string(in, RECORD_DB_PIECE_BYTES, &parameter->value));
    return cursor_len(&parameter->value) <= parameter->value_bytes ? ERR_NONE : ERR_MALFORMED;
}

static enum err read_total(struct cursor *in, struct record_db_total *total)
{
    TRY(cursor_u32be(in, &total->number));
    TRY(read_one_of(in, RECORD_DB_WHAT_TEXT, RECORD_DB_WHATS, &total->what));
    TRY(cursor_u32be(in, &total->index));
    TRY(cursor_u64be(in, &total->bytes));
    TRY(cursor_u64be(in, &total->rows));
    return stream_read_hash(in, &total->sha256);
}

static bool is_transaction(uint8_t status)
{
    return status == 0 || status == 'I' || status == 'T' || status == 'E';
}

static enum err read_result(struct cursor *in, struct record_db_result *result)
{
    TRY(cursor_u32be(in, &result->number));
    TRY(read_one_of(in, RECORD_DB_DONE, RECORD_DB_OUTCOMES, &result->outcome));
    TRY(cursor_u8(in, &result->transaction));
    if (!is_transaction(result->transaction)) {
        return ERR_MALFORMED;
    }
    TRY(cursor_u64be(in, &result->rows));
    TRY(cursor_u64be(in, &result->bytes));
    TRY(cursor_u64be(in, &result->duration_us));
    TRY(stream_read_text(in, &result->code));
    return cursor_string(in, RECORD_DB_MESSAGE_BYTES, &result->message);
}

enum err stream_read_db(struct cursor *in, struct record_body *body)
{
    switch ((int)body->kind) {
    case RECORD_DB_STARTUP:
        return read_startup(in, &body->db_startup);
    case RECORD_DB_STATEMENT:
        return read_statement(in, &body->db_statement);
    case RECORD_DB_MORE:
        return read_more(in, &body->db_more);
    case RECORD_DB_PARAMETER:
        return read_parameter(in, &body->db_parameter);
    case RECORD_DB_TOTAL:
        return read_total(in, &body->db_total);
    case RECORD_DB_COPY:
        TRY(cursor_u32be(in, &body->db_copy.number));
        TRY(read_one_of(in, RECORD_DB_WHAT_COPY_IN, RECORD_DB_WHATS, &body->db_copy.what));
        return read_name(in, &body->db_copy.name);
    case RECORD_DB_RESULT:
        return read_result(in, &body->db_result);
    case RECORD_DB_NOTICE:
        TRY(stream_read_text(in, &body->db_notice.severity));
        TRY(stream_read_text(in, &body->db_notice.code));
        return cursor_string(in, RECORD_DB_MESSAGE_BYTES, &body->db_notice.message);
    case RECORD_DB_CANCEL:
        TRY(cursor_string(in, LIMIT_SID_BYTES, &body->db_cancel.sid));
        return stream_read_text(in, &body->db_cancel.how);
    default:
        return ERR_NOT_FOUND;
    }
}
