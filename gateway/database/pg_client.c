/* Messages of a client that is in: each is looked at, recorded where it asks for something, and passes. */
#include "pg_state.h"

enum { MESSAGE_FORBIDDEN = 0, MESSAGE_SHORT, MESSAGE_LONG };

/* Which may come, and how long the server lets them be. */
static const uint8_t LENGTHS[256] = {
    ['Q'] = MESSAGE_LONG,  ['P'] = MESSAGE_LONG,  ['B'] = MESSAGE_LONG,  ['F'] = MESSAGE_LONG,
    ['d'] = MESSAGE_LONG,  ['D'] = MESSAGE_SHORT, ['E'] = MESSAGE_SHORT, ['C'] = MESSAGE_SHORT,
    ['H'] = MESSAGE_SHORT, ['S'] = MESSAGE_SHORT, ['X'] = MESSAGE_SHORT, ['c'] = MESSAGE_SHORT,
    ['f'] = MESSAGE_SHORT,
};

static bool is_copy_message(uint8_t type)
{
    return type == 'd' || type == 'c' || type == 'f';
}

static bool is_copying_in(const struct pg_relay *pg)
{
    return pg->copy.is_in && !pg->copy.is_client_done;
}

/* ---- messages whose beginning was handled ---- */

static struct cursor front(const struct cursor *bytes, uint32_t most_bytes)
{
    return cursor_of(bytes->at, cursor_len(bytes) < most_bytes ? cursor_len(bytes) : most_bytes);
}

static enum err pass_rest(struct pg_relay *pg, struct cursor *bytes)
{
    struct cursor part = front(bytes, pg->rest_bytes);
    if (pg->rest_is_copy) {
        pg_copy_data(pg, DB_CLIENT, part);
    }
    TRY(pg_pass(pg, DB_TARGET, part));
    bytes->at = part.end;
    pg->rest_bytes -= (uint32_t)cursor_len(&part);
    return ERR_NONE;
}

static void discard_rest(struct pg_relay *pg, struct cursor *bytes)
{
    size_t held = queue_len(&pg->held);
    size_t part = held > 0 ? held : cursor_len(bytes);
    part = part < pg->discard_bytes ? part : pg->discard_bytes;
    pg_drop(pg, bytes, part);
    pg->discard_bytes -= (uint32_t)part;
}

static enum err more_of_long(struct pg_relay *pg, struct cursor *bytes)
{
    struct pg_long *message = &pg->long_message;
    if (!message->is_text) {
        TRY(pg_arguments_more(pg, bytes));
    } else {
        struct cursor part = front(bytes, message->left_bytes);
        message->left_bytes -= (uint32_t)cursor_len(&part);
        TRY(pg_more_text(pg, part));
        TRY(pg_pass(pg, DB_TARGET, part));
        bytes->at = part.end;
    }
    if (message->left_bytes == 0) {
        *message = (struct pg_long){0};
    }
    return ERR_NONE;
}

/* ---- whole messages ---- */

static enum err handle_whole(struct pg_relay *pg, uint8_t type, struct cursor body)
{
    switch (type) {
    case 'Q':
        return pg_query(pg, body, (uint32_t)cursor_len(&body));
    case 'P':
        return pg_parse(pg, body, (uint32_t)cursor_len(&body));
    case 'B':
    case 'F':
        return pg_arguments(pg, type, body);
    case 'D':
        return pg_describe(pg, body);
    case 'E':
        return pg_execute(pg, body);
    case 'C':
        return pg_close(pg, body);
    case 'S':
        return pg_expect(pg, (struct pg_operation){.kind = PG_SYNC, .slot = PG_NO_SLOT});
    case 'c':
    case 'f':
        pg->copy.is_client_done = true;
        return ERR_NONE;
    case 'X':
        TRY(pg_record_lost(pg));
        db_end_with(&pg->base, DB_END_CLOSED, "the client said good-bye");
        return ERR_NONE;
    default:
        return ERR_NONE; /* Flush */
    }
}

static enum err begin_long(struct pg_relay *pg, uint8_t type, uint32_t body_bytes, struct cursor *bytes)
{
    struct cursor view;
    size_t taken_bytes = PG_WHOLE_BYTES;
    TRY(pg_see(pg, bytes, PG_WHOLE_BYTES, &view));
    struct cursor body = cursor_of(view.at + PG_HEADER_BYTES, PG_WHOLE_BYTES - PG_HEADER_BYTES);
    pg->long_message = (struct pg_long){.type = type, .slot = PG_NO_SLOT};
    if (type == 'Q' || type == 'P') {
        pg->long_message.is_text = true;
        TRY(type == 'Q' ? pg_query(pg, body, body_bytes) : pg_parse(pg, body, body_bytes));
    } else {
        TRY(pg_arguments_begin(pg, type, body, &taken_bytes));
        taken_bytes += PG_HEADER_BYTES;
    }
    pg->long_message.left_bytes = body_bytes - (uint32_t)(taken_bytes - PG_HEADER_BYTES);
    return pg_let_pass(pg, bytes, taken_bytes);
}

/* The answer has to stand behind those that are under way. */
static enum err refuse_function(struct pg_relay *pg, uint32_t message_bytes)
{
    static const char SENTENCE[] =
        "the policy of the bastion allows no function calls by number here (fastpath)";
    if (pg->type != 0) {
        return ERR_AGAIN; /* the target is in the middle of a notice */
    }
    if (!pg->is_skipping && pg->operations.count > 0) {
        uint8_t last = pg_operations_at(&pg->operations, pg->operations.count - 1)->kind;
        bool will_settle = last == PG_QUERY || last == PG_FUNCTION || last == PG_SYNC;
        return will_settle ? ERR_AGAIN : pg_deny(pg, "function call", SENTENCE);
    }
    TRY(db_record_refused(&pg->base, "function call", SENTENCE));
    pg->discard_bytes = message_bytes;
    if (pg->is_skipping) {
        return ERR_NONE; /* the server would not have answered it either */
    }
    TRY(pg_send_error(pg, "ERROR", "42501", SENTENCE));
    return pg_send(pg, DB_CLIENT, 'Z', cursor_of(&pg->transaction, 1));
}

static enum err begin_message(struct pg_relay *pg, uint8_t type, uint32_t body_bytes, struct cursor *bytes)
{
    struct cursor view;
    size_t message_bytes = PG_HEADER_BYTES + (size_t)body_bytes;
    if (type == 'F' && !pg->base.rights.function_call) {
        return refuse_function(pg, (uint32_t)message_bytes);
    }
    if (type == 'd') {
        pg->rest_bytes = body_bytes;
        pg->rest_is_copy = is_copying_in(pg);
        pg->copy.ways[DB_CLIENT].messages += pg->rest_is_copy;
        return pg_let_pass(pg, bytes, PG_HEADER_BYTES);
    }
    if (message_bytes > PG_WHOLE_BYTES) {
        return begin_long(pg, type, body_bytes, bytes);
    }
    TRY(pg_see(pg, bytes, message_bytes, &view));
    TRY(handle_whole(pg, type, cursor_of(view.at + PG_HEADER_BYTES, body_bytes)));
    return pg_let_pass(pg, bytes, message_bytes);
}

/* While data is expected. The server ignores Sync and Flush then, so they need not reach it. */
static enum err begin_while_copying(struct pg_relay *pg, uint8_t type, uint32_t body_bytes,
                                    struct cursor *bytes)
{
    if (is_copy_message(type) || type == 'X') {
        return begin_message(pg, type, body_bytes, bytes);
    }
    if (type == 'S' || type == 'H') {
        pg_drop(pg, bytes, PG_HEADER_BYTES);
        return ERR_NONE;
    }
    return pg_violation(pg, DB_CLIENT, "the client sent something else than data during a COPY");
}

static enum err next_message(struct pg_relay *pg, struct cursor *bytes)
{
    struct cursor view;
    uint8_t type = 0;
    uint32_t len = 0;
    TRY(pg_see(pg, bytes, PG_HEADER_BYTES, &view));
    TRY(cursor_u8(&view, &type));
    TRY(cursor_u32be(&view, &len));
    uint32_t most = LENGTHS[type] == MESSAGE_LONG ? PG_LONGEST_BYTES : PG_SHORT_BYTES;
    bool is_empty = type == 'S' || type == 'H' || type == 'X' || type == 'c';
    if (LENGTHS[type] == MESSAGE_FORBIDDEN || len < 4 || len > most || (is_empty && len != 4)) {
        return ERR_MALFORMED;
    }
    if (is_copying_in(pg)) {
        return begin_while_copying(pg, type, len - 4, bytes);
    }
    /* Data that is sent before the server asked for it waits for what the server says: the grant may not
     * allow it. With nothing under way it belongs to a COPY that has failed, and the server ignores it. */
    bool is_early = is_copy_message(type) && pg->operations.count > 0 && !pg->is_skipping;
    if (is_early || pg_operations_are_full(&pg->operations)) {
        return ERR_AGAIN;
    }
    return begin_message(pg, type, len - 4, bytes);
}

static enum err step(struct pg_relay *pg, struct cursor *bytes)
{
    bool has_bytes = cursor_len(bytes) > 0;
    if (pg->rest_bytes > 0) {
        return has_bytes ? pass_rest(pg, bytes) : ERR_AGAIN;
    }
    has_bytes = has_bytes || queue_len(&pg->held) > 0;
    if (!has_bytes || pg_is_congested(pg, DB_TARGET)) {
        return ERR_AGAIN;
    }
    if (is_copying_in(pg) && queue_len(&pg->held) == 0) {
        uint64_t count = 0;
        TRY(pg_pass_run(pg, DB_CLIENT, bytes, 'd', &count));
        pg->copy.ways[DB_CLIENT].messages += count;
        if (count > 0) {
            return ERR_NONE;
        }
    }
    if (pg->discard_bytes > 0) {
        discard_rest(pg, bytes);
        return ERR_NONE;
    }
    return pg->long_message.type != 0 ? more_of_long(pg, bytes) : next_message(pg, bytes);
}

enum err pg_client_messages(struct pg_relay *pg, struct cursor *bytes)
{
    enum err err = ERR_NONE;
    while (err == ERR_NONE && pg->base.end == DB_END_NONE) {
        err = step(pg, bytes);
    }
    if (err == ERR_MALFORMED || err == ERR_TRUNCATED || err == ERR_TOO_LARGE) {
        return pg_violation(pg, DB_CLIENT,
                            "the client sent a malformed message, or one that may not come now");
    }
    return err == ERR_AGAIN ? ERR_NONE : err;
}
