/* The target's messages after the login. Rows pass unseen in long runs; what ends a result, and what changes
 * how the next message is read, is looked at and recorded before it passes. */
#include <string.h>

#include "base/text.h"
#include "my_state.h"

enum { DEFINITIONS_MAX = 65535, LOOK_BYTES = MY_HEADER_BYTES + 1 };

static enum err end_target(struct my_relay *my, const char *sentence)
{
    return my_end(my, DB_END_TARGET, &MY_LOST, sentence);
}

/* A header, and the first byte of what follows it. */
struct look {
    uint32_t payload_bytes;
    uint8_t sequence, first;
};

/* Once for each row, so it is read in one step. @return false before all five bytes are there */
static bool read_look(struct cursor in, struct look *ret_look)
{
    struct cursor head;
    if (cursor_bytes(&in, LOOK_BYTES, &head) != ERR_NONE) {
        return false;
    }
    ret_look->payload_bytes = (uint32_t)head.at[0] | (uint32_t)head.at[1] << 8 | (uint32_t)head.at[2] << 16;
    ret_look->sequence = head.at[3];
    ret_look->first = head.at[4];
    return true;
}

/* The same for a packet that may have no payload. */
static enum err read_header(struct cursor in, struct look *ret_look)
{
    uint64_t payload_bytes = 0;
    TRY(cursor_uint_le(&in, 3, &payload_bytes));
    *ret_look = (struct look){.payload_bytes = (uint32_t)payload_bytes};
    return cursor_u8(&in, &ret_look->sequence);
}

/* The answer at hand */

static void start_result(struct my_relay *my, enum my_reply_state state)
{
    my->reply.state = state;
    my->reply.rows = 0;
    my->reply.bytes = 0;
}

static void start_answer(struct my_relay *my, const struct my_waiting *waiting)
{
    bool has_only_rows = waiting->kind == MY_REPLY_ROWS || waiting->kind == MY_REPLY_FIELDS;
    my->reply.is_started = true;
    start_result(my, has_only_rows ? MY_AT_ROWS : MY_AT_FIRST);
}

static void end_answer(struct my_relay *my)
{
    my->reply.is_started = false;
    my_waiting_pop(my);
}

static enum err end_result(struct my_relay *my, const struct my_ok *ok, uint64_t rows)
{
    bool is_suspended = (ok->status & MY_CURSOR_EXISTS) != 0 && (ok->status & MY_LAST_ROW_SENT) == 0;
    const struct my_outcome outcome = {.outcome = is_suspended ? RECORD_DB_SUSPENDED : RECORD_DB_DONE,
                                       .ok = ok,
                                       .rows = rows,
                                       .bytes = my->reply.bytes};
    TRY(my_record_result(my, my_waiting_first(my), &outcome));
    if ((ok->status & MY_MORE_RESULTS) != 0 && my_waiting_first(my)->kind == MY_REPLY_RESULT) {
        start_result(my, MY_AT_FIRST);
        return ERR_NONE;
    }
    if (my_waiting_first(my)->kind == MY_REPLY_CLEARED) {
        my_statements_done(&my->statements);
        my->has_last_prepared = false;
    }
    end_answer(my);
    return ERR_NONE;
}

static enum err take_ok(struct my_relay *my, struct cursor payload, bool has_rows)
{
    struct my_ok ok;
    if (my_read_ok(payload, my->capabilities, &ok) != ERR_NONE) {
        return end_target(my, "the target's end of a result is malformed");
    }
    return end_result(my, &ok, has_rows ? my->reply.rows : ok.affected_rows);
}

static enum err take_error(struct my_relay *my, struct cursor payload)
{
    const struct my_waiting *waiting = my_waiting_first(my);
    enum err err = my_record_error(my, waiting, payload, my->reply.bytes);
    if (err == ERR_MALFORMED) {
        return end_target(my, "an error of the target is malformed");
    }
    if (waiting->kind == MY_REPLY_PREPARED) {
        my->has_last_prepared = false;
    }
    end_answer(my);
    return err;
}

/* Columns and parameters of a statement are described by one packet each, which pass unseen. */

static enum err end_prepare(struct my_relay *my)
{
    const struct my_outcome outcome = {.outcome = RECORD_DB_DONE, .bytes = my->reply.bytes};
    TRY(my_record_result(my, my_waiting_first(my), &outcome));
    end_answer(my);
    return ERR_NONE;
}

/* The last description passed, and the EOF after it where there is one. */
static enum err after_definitions(struct my_relay *my)
{
    struct my_reply *reply = &my->reply;
    bool is_prepare = my_waiting_first(my)->kind == MY_REPLY_PREPARED;
    bool was_parameters = reply->state == MY_AT_PARAMETERS || reply->state == MY_AT_PARAMETERS_END;
    if (was_parameters && reply->columns > 0) {
        reply->state = MY_AT_COLUMNS;
        reply->definitions = reply->columns;
        return ERR_NONE;
    }
    if (is_prepare) {
        return end_prepare(my);
    }
    reply->state = MY_AT_ROWS;
    return ERR_NONE;
}

static enum err count_definition(struct my_relay *my)
{
    struct my_reply *reply = &my->reply;
    if (--reply->definitions > 0) {
        return ERR_NONE;
    }
    if ((my->capabilities & MY_NO_EOF) == 0) {
        reply->state = reply->state == MY_AT_PARAMETERS ? MY_AT_PARAMETERS_END : MY_AT_COLUMNS_END;
        return ERR_NONE;
    }
    return after_definitions(my);
}

static enum err take_definitions_end(struct my_relay *my, struct cursor payload)
{
    struct my_ok ok;
    if (*payload.at != MY_EOF || my_read_ok(payload, my->capabilities, &ok) != ERR_NONE) {
        return end_target(my, "the target's columns do not end");
    }
    bool is_cursor = my->reply.state == MY_AT_COLUMNS_END && (ok.status & MY_CURSOR_EXISTS) != 0 &&
                     my_waiting_first(my)->kind == MY_REPLY_RESULT;
    return is_cursor ? end_result(my, &ok, 0) : after_definitions(my);
}

/* First messages */

static enum err take_prepared(struct my_relay *my, struct cursor payload)
{
    uint64_t id = 0;
    uint64_t columns = 0;
    uint64_t parameters = 0;
    payload.at++;
    if (cursor_uint_le(&payload, 4, &id) != ERR_NONE || cursor_uint_le(&payload, 2, &columns) != ERR_NONE ||
        cursor_uint_le(&payload, 2, &parameters) != ERR_NONE) {
        return end_target(my, "the target's answer to a prepare is malformed");
    }
    TRY(my_statements_add(&my->statements, (uint32_t)id, my_waiting_first(my)->number, (uint16_t)parameters));
    my_statements_find(&my->statements, (uint32_t)id)->is_secret = my_waiting_first(my)->is_secret;
    my->has_last_prepared = true;
    my->last_prepared_id = (uint32_t)id;
    my->reply.columns = (uint16_t)columns;
    my->reply.definitions = parameters;
    my->reply.state = MY_AT_PARAMETERS;
    return parameters > 0 ? ERR_NONE : after_definitions(my);
}

/* The server asks for a file of the client. */
static enum err take_infile(struct my_relay *my, struct cursor payload, uint32_t payload_bytes)
{
    char what[LIMIT_SENTENCE_BYTES] = "local infile ";
    size_t what_bytes = strlen(what);
    payload.at++;
    if (cursor_len(&payload) + 1 < payload_bytes || my->waiting_count != 1 || my->message.is_open) {
        return end_target(my, "the target asks for a file where it must not");
    }
    if (!my->common.rights.local_infile) {
        text_printable(payload, what + what_bytes, sizeof what - what_bytes);
        TRY(db_record_refused(&my->common, what, "the grant does not allow LOCAL INFILE"));
        return my_end(my, DB_END_REFUSED, &MY_DENIED,
                      "the target asked for a file of the client, which the policy does not allow");
    }
    const struct my_waiting *waiting = my_waiting_first(my);
    const struct record_body body = {
        .kind = RECORD_DB_COPY,
        .db_copy = {.number = waiting->number, .what = RECORD_DB_WHAT_INFILE, .name = payload}};
    TRY(db_record(&my->common, &body));
    my_keep_begin(&my->text, waiting->number, RECORD_DB_WHAT_INFILE, 0, RECORD_DB_LENGTH_LATER, 0);
    my->is_sending_file = true;
    my->file_packets = 0;
    my->message.sequence = (uint8_t)(waiting->sequence + 1); /* after this packet */
    return ERR_NONE;
}

static enum err take_columns(struct my_relay *my, struct cursor payload)
{
    uint64_t columns = 0;
    if (my_read_length(&payload, &columns) != ERR_NONE || cursor_len(&payload) != 0 || columns == 0 ||
        columns > DEFINITIONS_MAX) {
        return end_target(my, "the target's number of columns is malformed");
    }
    my->reply.state = MY_AT_COLUMNS;
    my->reply.definitions = columns;
    return ERR_NONE;
}

static enum err take_text(struct my_relay *my)
{
    const struct my_outcome outcome = {.outcome = RECORD_DB_DONE, .bytes = my->reply.bytes};
    TRY(my_record_result(my, my_waiting_first(my), &outcome));
    end_answer(my);
    return ERR_NONE;
}

static enum err take_first(struct my_relay *my, struct cursor payload, uint32_t payload_bytes)
{
    enum my_reply_kind kind = my_waiting_first(my)->kind;
    switch (*payload.at) {
    case MY_ERROR:
        return take_error(my, payload);
    case MY_OK:
        if (kind == MY_REPLY_PREPARED) {
            return take_prepared(my, payload);
        }
        break;
    case MY_LOCAL_INFILE:
        if (kind == MY_REPLY_RESULT) {
            return take_infile(my, payload, payload_bytes);
        }
        break;
    default:
        break;
    }
    if (kind == MY_REPLY_TEXT) {
        return take_text(my);
    }
    if (*payload.at == MY_OK || *payload.at == MY_EOF) {
        return kind == MY_REPLY_PREPARED ? end_target(my, "the target's answer to a prepare is malformed")
                                         : take_ok(my, payload, false);
    }
    return kind == MY_REPLY_RESULT ? take_columns(my, payload)
                                   : end_target(my, "the target's answer is none to what was asked");
}

/* Packets */

/* Does this packet begin a message that says more than a row or a description? Rows begin with 0xfe only
 * where a first value is longer than 16 MiB: then the packet is full. */
static bool is_told(const struct my_relay *my, const struct look *look)
{
    switch (my->reply.state) {
    case MY_AT_ROWS:
        return (look->first == MY_EOF && look->payload_bytes < MY_PAYLOAD_BYTES) || look->first == MY_ERROR;
    case MY_AT_COLUMNS:
    case MY_AT_PARAMETERS:
        return look->first == MY_ERROR;
    case MY_AT_FIRST:
    case MY_AT_COLUMNS_END:
    case MY_AT_PARAMETERS_END:
        break;
    }
    return true;
}

/* A row or a description begins. */
static enum err count(struct my_relay *my)
{
    if (my->reply.state == MY_AT_ROWS) {
        my->reply.rows++;
        return ERR_NONE;
    }
    return count_definition(my);
}

static void count_bytes(struct my_relay *my, const struct look *look)
{
    my->reply.bytes += MY_HEADER_BYTES + (uint64_t)look->payload_bytes;
}

static void begin_packet(struct my_relay *my, struct my_waiting *waiting, const struct look *look)
{
    waiting->sequence++;
    my->reply.left_bytes = look->payload_bytes;
    my->reply.is_continued = look->payload_bytes == MY_PAYLOAD_BYTES;
}

/* Packets that pass without being told, as many as are here.
 * @return false when the next one needs more than this */
static enum err pass_unseen(struct my_relay *my, struct cursor *bytes, bool *ret_is_through)
{
    struct my_reply *reply = &my->reply;
    struct my_waiting *waiting = my_waiting_first(my);
    *ret_is_through = true;
    while (cursor_len(bytes) > 0) {
        if (reply->left_bytes > 0) {
            size_t here_bytes = cursor_len(bytes);
            size_t len_bytes = here_bytes < reply->left_bytes ? here_bytes : reply->left_bytes;
            bytes->at += len_bytes;
            reply->left_bytes -= (uint32_t)len_bytes;
            continue;
        }
        struct look look;
        bool is_plain = waiting != NULL && reply->is_started && waiting->is_sent && !my->is_sending_file &&
                        read_look(*bytes, &look) && look.sequence == waiting->sequence &&
                        look.payload_bytes > 0 && (reply->is_continued || !is_told(my, &look));
        if (!is_plain) {
            *ret_is_through = false;
            return ERR_NONE;
        }
        bool is_new = !reply->is_continued;
        count_bytes(my, &look);
        begin_packet(my, waiting, &look);
        bytes->at += MY_HEADER_BYTES;
        if (is_new) {
            TRY(count(my));
            waiting = my_waiting_first(my);
        }
    }
    return ERR_NONE;
}

/* An error that answers nothing: "idle for too long", "shutting down", "the message is too large". */
static enum err take_unasked(struct my_relay *my, const struct look *look, struct cursor payload)
{
    if (look->payload_bytes == 0 || look->first != MY_ERROR) {
        return end_target(my, "the target sent something that nobody asked for");
    }
    return my_record_notice(my, payload);
}

static enum err take_payload(struct my_relay *my, const struct look *look, struct cursor payload)
{
    if (look->payload_bytes == 0) {
        return end_target(my, "the target sent an empty message");
    }
    if (!is_told(my, look)) {
        return count(my);
    }
    if (look->payload_bytes == MY_PAYLOAD_BYTES) {
        return end_target(my, "the target's end of a result is too long");
    }
    switch (my->reply.state) {
    case MY_AT_FIRST:
        return take_first(my, payload, look->payload_bytes);
    case MY_AT_ROWS:
        return look->first == MY_ERROR ? take_error(my, payload) : take_ok(my, payload, true);
    case MY_AT_COLUMNS_END:
    case MY_AT_PARAMETERS_END:
        return look->first == MY_ERROR ? take_error(my, payload) : take_definitions_end(my, payload);
    case MY_AT_COLUMNS:
    case MY_AT_PARAMETERS:
        return take_error(my, payload);
    }
    return ERR_STATE;
}

/* One packet that is looked at, as far as it has to be. */
static enum err take_packet(struct my_relay *my, const struct look *look, struct cursor payload)
{
    struct my_waiting *waiting = my_waiting_first(my);
    if (waiting == NULL || !waiting->is_sent) {
        my->reply.left_bytes = look->payload_bytes;
        my->reply.is_continued = false;
        return take_unasked(my, look, payload);
    }
    if (my->is_sending_file) {
        return end_target(my, "the target answers before the file was sent");
    }
    if (look->sequence != waiting->sequence) {
        return end_target(my, "a packet of the target came out of order");
    }
    count_bytes(my, look);
    if (!my->reply.is_continued) {
        TRY(take_payload(my, look, payload));
    }
    if (my->common.end == DB_END_NONE) {
        begin_packet(my, waiting, look); /* not before: a refusal stands in its place */
    }
    return ERR_NONE;
}

/* How much of the next packet has to be here before it is decided. */
static size_t head_bytes_of(const struct my_relay *my, const struct look *look)
{
    if (my->waiting_count == 0 || (!my->reply.is_continued && is_told(my, look))) {
        return look->payload_bytes < MY_REPLY_HEAD_BYTES ? look->payload_bytes : MY_REPLY_HEAD_BYTES;
    }
    return look->payload_bytes > 0 ? 1 : 0;
}

static enum err look_at_packet(struct my_relay *my, struct cursor *bytes, bool *ret_is_there)
{
    struct my_leg *leg = &my->legs[DB_TARGET];
    struct my_reply *reply = &my->reply;
    struct cursor packet;
    struct look look = {0};
    TRY(my_gather(leg, bytes, MY_HEADER_BYTES, &packet, ret_is_there));
    if (!*ret_is_there) {
        return ERR_NONE;
    }
    TRY(read_header(packet, &look));
    if (look.payload_bytes > 0) {
        TRY(my_gather(leg, bytes, LOOK_BYTES, &packet, ret_is_there));
        if (!*ret_is_there) {
            return ERR_NONE;
        }
        look.first = packet.end[-1];
    }
    if (my_waiting_first(my) != NULL && !reply->is_started) {
        start_answer(my, my_waiting_first(my));
    }
    size_t head_bytes = head_bytes_of(my, &look);
    TRY(my_gather(leg, bytes, MY_HEADER_BYTES + head_bytes, &packet, ret_is_there));
    if (!*ret_is_there) {
        return ERR_NONE;
    }
    TRY(take_packet(my, &look, cursor_of(packet.at + MY_HEADER_BYTES, head_bytes)));
    if (my->common.end == DB_END_NONE) {
        TRY(queue_append(&my->common.out[DB_CLIENT], packet));
        reply->left_bytes -= (uint32_t)head_bytes;
    }
    my_gathered(leg, bytes, MY_HEADER_BYTES + head_bytes);
    return ERR_NONE;
}

enum err my_reply_feed(struct my_relay *my, struct cursor *bytes)
{
    bool is_there = true;
    while (is_there && my->common.end == DB_END_NONE) {
        bool is_through = false;
        if (queue_len(&my->legs[DB_TARGET].partial) == 0) {
            struct cursor run = *bytes;
            TRY(pass_unseen(my, bytes, &is_through));
            TRY(queue_append(&my->common.out[DB_CLIENT], cursor_of(run.at, (size_t)(bytes->at - run.at))));
        }
        is_there = !is_through;
        if (is_there) {
            TRY(look_at_packet(my, bytes, &is_there));
        }
    }
    return ERR_NONE;
}
