#include <string.h>

#include "record/stream.h"
#include "stream_parts.h"

const char *record_kind_name(unsigned kind)
{
    static const char *const NAMES[RECORD_KIND_COUNT] = {
        [RECORD_TERMINAL_OUT] = "terminal_out",
        [RECORD_STDOUT] = "stdout",
        [RECORD_STDERR] = "stderr",
        [RECORD_STDIN] = "stdin",
        [RECORD_PTY] = "pty",
        [RECORD_RESIZE] = "resize",
        [RECORD_SHELL] = "shell",
        [RECORD_EXEC] = "exec",
        [RECORD_SUBSYSTEM] = "subsystem",
        [RECORD_ENV] = "env",
        [RECORD_SIGNAL] = "signal",
        [RECORD_EXIT_STATUS] = "exit_status",
        [RECORD_EXIT_SIGNAL] = "exit_signal",
        [RECORD_CHANNEL_OPEN] = "channel_open",
        [RECORD_CHANNEL_CLOSE] = "channel_close",
        [RECORD_STREAM_TOTAL] = "stream_total",
        [RECORD_REFUSED] = "refused",
        [RECORD_TARGET_LOGIN] = "target_login",
        [RECORD_NOTE] = "note",
        [RECORD_END] = "end",
        [RECORD_FORWARD_OPEN] = "forward_open",
        [RECORD_FORWARD_CLOSE] = "forward_close",
        [RECORD_FILE_REQUEST] = "file_request",
        [RECORD_FILE_RESULT] = "file_result",
        [RECORD_FILE_TOTAL] = "file_total",
        [RECORD_DB_STARTUP] = "db_startup",
        [RECORD_DB_STATEMENT] = "db_statement",
        [RECORD_DB_MORE] = "db_more",
        [RECORD_DB_PARAMETER] = "db_parameter",
        [RECORD_DB_TOTAL] = "db_total",
        [RECORD_DB_COPY] = "db_copy",
        [RECORD_DB_RESULT] = "db_result",
        [RECORD_DB_NOTICE] = "db_notice",
        [RECORD_DB_CANCEL] = "db_cancel",
    };
    return kind < RECORD_KIND_COUNT && NAMES[kind] != NULL ? NAMES[kind] : "unknown";
}

const char *record_file_op_name(unsigned op)
{
    static const char *const NAMES[RECORD_FILE_OPS] = {
        [RECORD_FILE_OPEN] = "open",
        [RECORD_FILE_OPENDIR] = "opendir",
        [RECORD_FILE_REMOVE] = "remove",
        [RECORD_FILE_RENAME] = "rename",
        [RECORD_FILE_POSIX_RENAME] = "posix-rename",
        [RECORD_FILE_MKDIR] = "mkdir",
        [RECORD_FILE_RMDIR] = "rmdir",
        [RECORD_FILE_SETSTAT] = "setstat",
        [RECORD_FILE_FSETSTAT] = "fsetstat",
        [RECORD_FILE_LSETSTAT] = "lsetstat",
        [RECORD_FILE_SYMLINK] = "symlink",
        [RECORD_FILE_HARDLINK] = "hardlink",
        [RECORD_FILE_COPY_DATA] = "copy-data",
        [RECORD_FILE_FSYNC] = "fsync",
        [RECORD_FILE_LIMITS] = "limits",
        [RECORD_FILE_READLINK] = "readlink",
        [RECORD_FILE_EXPAND_PATH] = "expand-path",
        [RECORD_FILE_STATVFS] = "statvfs",
        [RECORD_FILE_USERS_GROUPS] = "users-groups",
        [RECORD_FILE_SCP_PUT] = "scp-put",
        [RECORD_FILE_SCP_GET] = "scp-get",
        [RECORD_FILE_SCP_MKDIR] = "scp-mkdir",
        [RECORD_FILE_RSYNC_PUT] = "rsync-put",
        [RECORD_FILE_RSYNC_GET] = "rsync-get",
        [RECORD_FILE_GIT_PUSH] = "git-push",
        [RECORD_FILE_GIT_FETCH] = "git-fetch",
    };
    return op < RECORD_FILE_OPS && NAMES[op] != NULL ? NAMES[op] : "unknown";
}

const char *record_file_order_name(unsigned order)
{
    static const char *const NAMES[RECORD_FILE_ORDERS] = {
        [RECORD_FILE_NO_BYTES] = "no bytes",          [RECORD_FILE_SEQUENTIAL] = "sequential",
        [RECORD_FILE_FROM_OFFSET] = "from an offset", [RECORD_FILE_SPARSE] = "sparse",
        [RECORD_FILE_OUT_OF_ORDER] = "out of order",  [RECORD_FILE_NOT_DECODED] = "not decoded",
    };
    return order < RECORD_FILE_ORDERS ? NAMES[order] : "unknown";
}

enum err record_next(struct cursor *in, struct record *ret_record)
{
    struct cursor at = *in;
    uint32_t body_len = 0;
    uint8_t kind = 0;
    uint8_t zero8 = 0;
    uint16_t zero16 = 0;
    struct record record = {0};
    TRY(cursor_u32be(&at, &body_len));
    if (body_len > LIMIT_RECORD_BODY_BYTES) {
        return ERR_TOO_LARGE;
    }
    TRY(cursor_u8(&at, &kind));
    TRY(cursor_u8(&at, &zero8));
    TRY(cursor_u16be(&at, &zero16));
    if (kind == RECORD_NONE || zero8 != 0 || zero16 != 0) {
        return ERR_MALFORMED;
    }
    TRY(cursor_u32be(&at, &record.channel));
    TRY(cursor_bytes(&at, body_len, &record.body));
    record.kind = kind;
    *ret_record = record;
    *in = at;
    return ERR_NONE;
}

enum err stream_read_text(struct cursor *in, struct cursor *ret_text)
{
    struct cursor text;
    TRY(cursor_string(in, RECORD_STRING_BYTES, &text));
    if (cursor_len(&text) > 0 && memchr(text.at, 0, cursor_len(&text)) != NULL) {
        return ERR_MALFORMED;
    }
    *ret_text = text;
    return ERR_NONE;
}

static enum err read_pty(struct cursor *in, bool has_term, struct record_body *body)
{
    if (has_term) {
        TRY(stream_read_text(in, &body->pty.term));
    } else {
        body->pty.term = cursor_of(NULL, 0);
    }
    TRY(cursor_u32be(in, &body->pty.cols));
    return cursor_u32be(in, &body->pty.rows);
}

static enum err read_exit_signal(struct cursor *in, struct record_body *body)
{
    TRY(stream_read_text(in, &body->exit_signal.name));
    TRY(cursor_bool(in, &body->exit_signal.has_core));
    return cursor_string(in, RECORD_STRING_BYTES, &body->exit_signal.message);
}

static enum err read_stream_total(struct cursor *in, struct record_body *body)
{
    uint8_t kind = 0;
    TRY(cursor_u8(in, &kind));
    if (kind < RECORD_STDOUT || kind > RECORD_STDIN) {
        return ERR_MALFORMED;
    }
    body->stream_total.kind = (enum record_kind)kind;
    TRY(cursor_u64be(in, &body->stream_total.seen_bytes));
    TRY(cursor_u64be(in, &body->stream_total.kept_bytes));
    return stream_read_hash(in, &body->stream_total.sha256);
}

static enum err read_two_texts(struct cursor *in, struct cursor *ret_first, struct cursor *ret_second)
{
    TRY(stream_read_text(in, ret_first));
    return stream_read_text(in, ret_second);
}

static enum err read_two_counts(struct cursor *in, uint64_t *ret_first, uint64_t *ret_second)
{
    TRY(cursor_u64be(in, ret_first));
    return cursor_u64be(in, ret_second);
}

enum err stream_read_hash(struct cursor *in, struct cursor *ret_hash)
{
    TRY(cursor_string(in, 32, ret_hash));
    return cursor_len(ret_hash) == 0 || cursor_len(ret_hash) == 32 ? ERR_NONE : ERR_MALFORMED;
}

static enum err read_file_request(struct cursor *in, struct record_file_request *request)
{
    TRY(cursor_u32be(in, &request->number));
    TRY(cursor_u8(in, &request->op));
    TRY(cursor_u32be(in, &request->flags));
    TRY(cursor_u32be(in, &request->mode));
    TRY(cursor_u64be(in, &request->size));
    TRY(cursor_u32be(in, &request->of));
    TRY(cursor_u32be(in, &request->of_second));
    TRY(cursor_string(in, RECORD_FILE_PATH_BYTES, &request->path));
    return cursor_string(in, RECORD_FILE_PATH_BYTES, &request->second);
}

static enum err read_file_total(struct cursor *in, struct record_file_total *total)
{
    TRY(cursor_u32be(in, &total->number));
    TRY(read_two_counts(in, &total->read_bytes, &total->written_bytes));
    TRY(cursor_u8(in, &total->read_order));
    TRY(cursor_u8(in, &total->written_order));
    TRY(cursor_u8(in, &total->flags));
    TRY(stream_read_hash(in, &total->read_sha256));
    return stream_read_hash(in, &total->written_sha256);
}

static enum err read_fields(struct cursor *in, struct record_body *body)
{
    switch (body->kind) {
    case RECORD_TERMINAL_OUT:
    case RECORD_STDOUT:
    case RECORD_STDERR:
    case RECORD_STDIN:
        body->bytes = *in;
        in->at = in->end;
        return ERR_NONE;
    case RECORD_PTY:
    case RECORD_RESIZE:
        return read_pty(in, body->kind == RECORD_PTY, body);
    case RECORD_SHELL:
        return ERR_NONE;
    case RECORD_EXEC:
        return cursor_string(in, RECORD_STRING_BYTES, &body->text);
    case RECORD_SUBSYSTEM:
    case RECORD_SIGNAL:
    case RECORD_CHANNEL_OPEN:
    case RECORD_NOTE:
        return stream_read_text(in, &body->text);
    case RECORD_ENV:
        TRY(cursor_string(in, RECORD_STRING_BYTES, &body->env.name));
        return cursor_string(in, RECORD_STRING_BYTES, &body->env.value);
    case RECORD_EXIT_STATUS:
        return cursor_u32be(in, &body->exit_status);
    case RECORD_EXIT_SIGNAL:
        return read_exit_signal(in, body);
    case RECORD_FORWARD_OPEN:
        TRY(stream_read_text(in, &body->forward_open.kind));
        return read_two_texts(in, &body->forward_open.from, &body->forward_open.to);
    case RECORD_CHANNEL_CLOSE:
    case RECORD_FORWARD_CLOSE:
        return read_two_counts(in, &body->channel_close.to_target_bytes,
                               &body->channel_close.from_target_bytes);
    case RECORD_STREAM_TOTAL:
        return read_stream_total(in, body);
    case RECORD_REFUSED:
        return read_two_texts(in, &body->refused.what, &body->refused.reason);
    case RECORD_TARGET_LOGIN:
        return read_two_texts(in, &body->target_login.account, &body->target_login.fingerprint);
    case RECORD_END:
        TRY(cursor_u32be(in, &body->end.exit_status));
        return stream_read_text(in, &body->end.reason);
    case RECORD_FILE_REQUEST:
        return read_file_request(in, &body->file_request);
    case RECORD_FILE_RESULT:
        TRY(cursor_u32be(in, &body->file_result.number));
        return cursor_u32be(in, &body->file_result.status);
    case RECORD_FILE_TOTAL:
        return read_file_total(in, &body->file_total);
    case RECORD_DB_STARTUP:
    case RECORD_DB_STATEMENT:
    case RECORD_DB_MORE:
    case RECORD_DB_PARAMETER:
    case RECORD_DB_TOTAL:
    case RECORD_DB_COPY:
    case RECORD_DB_RESULT:
    case RECORD_DB_NOTICE:
    case RECORD_DB_CANCEL:
        return stream_read_db(in, body);
    case RECORD_NONE:
    case RECORD_KIND_COUNT:
        break;
    }
    return ERR_NOT_FOUND;
}

enum err record_body_read(const struct record *record, struct record_body *ret_body)
{
    if (record->kind == RECORD_NONE || record->kind >= RECORD_KIND_COUNT) {
        return ERR_NOT_FOUND;
    }
    struct record_body body = {.kind = (enum record_kind)record->kind};
    struct cursor in = record->body;
    TRY(read_fields(&in, &body));
    TRY(cursor_end(&in));
    *ret_body = body;
    return ERR_NONE;
}
