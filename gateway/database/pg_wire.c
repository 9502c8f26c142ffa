#include <string.h>

#include "base/text.h"
#include "pg_state.h"

enum err pg_see(struct pg_relay *pg, struct cursor *bytes, size_t wanted, struct cursor *ret_view)
{
    size_t held = queue_len(&pg->held);
    if (held == 0 && cursor_len(bytes) >= wanted) {
        *ret_view = cursor_of(bytes->at, wanted);
        return ERR_NONE;
    }
    if (held < wanted) {
        size_t missing = wanted - held;
        struct cursor part;
        TRY(cursor_bytes(bytes, cursor_len(bytes) < missing ? cursor_len(bytes) : missing, &part));
        TRY(queue_append(&pg->held, part));
        if (cursor_len(&part) < missing) {
            return ERR_AGAIN;
        }
    }
    *ret_view = cursor_of(queue_peek(&pg->held).at, wanted);
    return ERR_NONE;
}

void pg_drop(struct pg_relay *pg, struct cursor *bytes, size_t len_bytes)
{
    if (queue_len(&pg->held) > 0) {
        queue_consume(&pg->held, len_bytes);
    } else {
        bytes->at += len_bytes;
    }
}

enum err pg_let_pass(struct pg_relay *pg, struct cursor *bytes, size_t len_bytes)
{
    if (queue_len(&pg->held) > 0) {
        TRY(pg_pass(pg, DB_TARGET, cursor_of(queue_peek(&pg->held).at, len_bytes)));
        TRY(pg_flush(pg));
        queue_consume(&pg->held, len_bytes);
        return ERR_NONE;
    }
    struct cursor part;
    TRY(cursor_bytes(bytes, len_bytes, &part));
    return pg_pass(pg, DB_TARGET, part);
}

enum err pg_pass(struct pg_relay *pg, enum db_side to, struct cursor bytes)
{
    if (pg->run.at != NULL && pg->run_to == to && pg->run.end == bytes.at) {
        pg->run.end = bytes.end;
        return ERR_NONE;
    }
    TRY(pg_flush(pg));
    pg->run = bytes;
    pg->run_to = to;
    return ERR_NONE;
}

enum err pg_flush(struct pg_relay *pg)
{
    struct cursor run = pg->run;
    pg->run = cursor_of(NULL, 0);
    return queue_append(&pg->base.out[pg->run_to], run);
}

enum err pg_pass_run(struct pg_relay *pg, enum db_side from, struct cursor *bytes, uint8_t wanted,
                     uint64_t *ret_count)
{
    struct cursor at = *bytes;
    *ret_count = 0;
    for (;;) {
        struct cursor next = at;
        struct cursor body;
        uint8_t type = 0;
        uint32_t len = 0;
        if (cursor_u8(&next, &type) != ERR_NONE || type != wanted || cursor_u32be(&next, &len) != ERR_NONE ||
            len < 4 || cursor_bytes(&next, len - 4, &body) != ERR_NONE) {
            break;
        }
        if (wanted == 'd') {
            pg_copy_data(pg, from, body);
        }
        at = next;
        ++*ret_count;
    }
    struct cursor run = cursor_of(bytes->at, (size_t)(at.at - bytes->at));
    bytes->at = run.end;
    return *ret_count > 0 ? pg_pass(pg, from == DB_CLIENT ? DB_TARGET : DB_CLIENT, run) : ERR_NONE;
}

enum err pg_send(struct pg_relay *pg, enum db_side to, uint8_t type, struct cursor body)
{
    TRY(pg_flush(pg));
    uint8_t *room = NULL;
    size_t len = PG_HEADER_BYTES + cursor_len(&body);
    TRY(queue_reserve(&pg->base.out[to], len, &room));
    struct writer out = writer_of(room, len);
    writer_u8(&out, type);
    writer_u32be(&out, (uint32_t)(4 + cursor_len(&body)));
    writer_bytes(&out, body);
    struct cursor written;
    TRY(writer_done(&out, &written));
    queue_added(&pg->base.out[to], len);
    return ERR_NONE;
}

static void error_field(struct writer *out, char field, const char *text)
{
    writer_u8(out, (uint8_t)field);
    writer_bytes(out, cursor_of(text, strlen(text) + 1));
}

enum err pg_send_error(struct pg_relay *pg, const char *severity, const char *sqlstate, const char *sentence)
{
    uint8_t memory[LIMIT_SENTENCE_BYTES + 64];
    struct writer out = writer_of(memory, sizeof memory);
    error_field(&out, 'S', severity);
    error_field(&out, 'V', severity);
    error_field(&out, 'C', sqlstate);
    error_field(&out, 'M', sentence);
    writer_u8(&out, 0);
    struct cursor body;
    TRY(writer_done(&out, &body));
    return pg_send(pg, DB_CLIENT, 'E', body);
}

bool pg_is_congested(const struct pg_relay *pg, enum db_side to)
{
    return queue_len(&pg->base.out[to]) > DB_OUT_HIGH_BYTES;
}

/* Between two messages, and speaking this protocol: it has asked for something in it. */
static bool client_takes_error(const struct pg_relay *pg)
{
    return pg->client >= PG_CLIENT_ASKS && pg->base.asked.cancel_key.at == NULL &&
           (pg->type == 0 || pg->is_withheld);
}

static enum err end_with_error(struct pg_relay *pg, const char *sqlstate, const char *sentence)
{
    TRY(pg_flush(pg));
    TRY(pg_record_lost(pg));
    return client_takes_error(pg) ? pg_send_error(pg, "FATAL", sqlstate, sentence) : ERR_NONE;
}

enum err pg_violation(struct pg_relay *pg, enum db_side side, const char *sentence)
{
    TRY(end_with_error(pg, "08P01", sentence));
    db_end_with(&pg->base, side == DB_CLIENT ? DB_END_CLIENT : DB_END_TARGET, sentence);
    return ERR_NONE;
}

enum err pg_deny(struct pg_relay *pg, const char *what, const char *sentence)
{
    TRY(db_record_refused(&pg->base, what, sentence));
    TRY(end_with_error(pg, "42501", sentence));
    db_end_with(&pg->base, DB_END_REFUSED, sentence);
    return ERR_NONE;
}

enum err pg_refuse(struct db_relay *relay, enum db_refusal refusal, const char *sentence)
{
    static const char *const SQLSTATES[] = {
        [DB_REFUSED_POLICY] = "28000",      /* invalid_authorization_specification */
        [DB_REFUSED_TARGET_TLS] = "08001",  /* sqlclient_unable_to_establish_sqlconnection */
        [DB_REFUSED_TARGET_LOST] = "08006", /* connection_failure */
        [DB_REFUSED_ENDED] = "57P01",       /* admin_shutdown */
    };
    char text[LIMIT_SENTENCE_BYTES];
    text_printable(cursor_of_text(sentence), text, sizeof text);
    return end_with_error(pg_of(relay), SQLSTATES[refusal], text);
}
