/* The MySQL relay behind database/relay.h. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "my_state.h"

struct my_relay *my_of(struct db_relay *relay)
{
    return (struct my_relay *)relay; /* its first member */
}

static const struct my_relay *const_of(const struct db_relay *relay)
{
    return (const struct my_relay *)relay;
}

static enum err make(struct db_relay **ret)
{
    struct my_relay *my = calloc(1, sizeof *my);
    if (my == NULL) {
        return ERR_MEMORY;
    }
    *ret = &my->common;
    return ERR_NONE;
}

static enum err start(struct db_relay *relay)
{
    struct my_relay *my = my_of(relay);
    for (unsigned side = DB_CLIENT; side <= DB_TARGET; side++) {
        queue_init(&my->legs[side].partial, MY_LOGIN_PACKET_BYTES + MY_HEADER_BYTES);
    }
    queue_init(&my->scratch, (size_t)4 * MY_HEAD_BYTES);
    return ERR_NONE;
}

static void free_relay(struct db_relay *relay)
{
    struct my_relay *my = my_of(relay);
    for (unsigned side = DB_CLIENT; side <= DB_TARGET; side++) {
        queue_done(&my->legs[side].partial);
    }
    secret_done(&my->login_bytes);
    secret_done(&my->password);
    secret_done(&my->token);
    my_statements_done(&my->statements);
    my_keep_done(&my->values.keep);
    my_keep_done(&my->text);
    queue_done(&my->scratch);
    for (size_t i = 0; my->longs != NULL && i < MY_LONG_MAX; i++) {
        my_keep_done(&my->longs[i].keep);
    }
    free(my->longs);
    free(my->asked_memory);
}

/* The end */

/* Statements whose answer nobody will see. */
static enum err lose_waiting(struct my_relay *my)
{
    for (; my->waiting_count > 0; my_waiting_pop(my)) {
        const struct my_outcome outcome = {.outcome = RECORD_DB_LOST};
        TRY(my_record_result(my, my_waiting_first(my), &outcome));
    }
    return ERR_NONE;
}

/* May a message to the client begin here, and with which number? */
static bool can_tell(struct my_relay *my, uint8_t *ret_sequence)
{
    const struct my_waiting *waiting = my_waiting_first(my);
    switch ((int)my->phase) {
    case MY_PHASE_CLIENT_TLS:
        return false;
    case MY_PHASE_COMMANDS:
        *ret_sequence = waiting != NULL ? waiting->sequence : 0;
        return my->reply.left_bytes == 0 && !my->reply.is_continued;
    default:
        *ret_sequence = my->legs[DB_CLIENT].sequence;
        return true;
    }
}

enum err my_end(struct my_relay *my, enum db_end end, const struct my_error *error, const char *sentence)
{
    if (my->common.end != DB_END_NONE) {
        return ERR_NONE;
    }
    uint8_t sequence = 0;
    if (error != NULL && can_tell(my, &sequence)) {
        TRY(my_send_error(my, sequence, error, sentence));
    }
    db_end_with(&my->common, end, sentence);
    TRY(my_longs_end(my, NULL));
    return lose_waiting(my);
}

static enum err refuse(struct db_relay *relay, enum db_refusal refusal, const char *sentence)
{
    static const struct my_error *const ERRORS[] = {
        [DB_REFUSED_POLICY] = &MY_ACCESS_DENIED,
        [DB_REFUSED_TARGET_TLS] = &MY_BAD_HANDSHAKE,
        [DB_REFUSED_TARGET_LOST] = &MY_LOST,
        [DB_REFUSED_ENDED] = &MY_ENDED,
    };
    return my_end(my_of(relay), DB_END_REFUSED, ERRORS[refusal], sentence);
}

static enum err at_eof(struct db_relay *relay, enum db_side side)
{
    struct my_relay *my = my_of(relay);
    bool is_idle = my->phase == MY_PHASE_COMMANDS && my->waiting_count == 0 && !my->message.is_open &&
                   queue_len(&my->legs[DB_CLIENT].partial) == 0 &&
                   queue_len(&my->legs[DB_TARGET].partial) == 0;
    if (is_idle) {
        return my_end(my, DB_END_CLOSED, NULL,
                      side == DB_CLIENT ? "the client closed the connection"
                                        : "the target closed the connection");
    }
    if (side == DB_CLIENT) {
        return my_end(my, DB_END_LOST, NULL, "the client went away in the middle of something");
    }
    return my_end(my, DB_END_LOST, &MY_LOST, "the target closed the connection in the middle of something");
}

/* Bytes and needs */

static enum err feed(struct db_relay *relay, enum db_side side, struct cursor *bytes)
{
    struct my_relay *my = my_of(relay);
    if (my->phase != MY_PHASE_COMMANDS) {
        TRY(my_login_feed(my, side, bytes));
    }
    if (my->phase != MY_PHASE_COMMANDS || relay->end != DB_END_NONE) {
        return ERR_NONE;
    }
    if (side == DB_TARGET) {
        TRY(my_reply_feed(my, bytes));
    } else {
        TRY(my_message_feed(my, bytes));
    }
    /* A message of the client may have waited for this. */
    struct cursor none = cursor_of(NULL, 0);
    if (side == DB_TARGET && relay->end == DB_END_NONE && my->phase == MY_PHASE_COMMANDS) {
        return my_message_feed(my, &none);
    }
    return ERR_NONE;
}

static enum db_need need(const struct db_relay *relay)
{
    switch ((int)const_of(relay)->phase) {
    case MY_PHASE_CLIENT_TLS:
        return DB_NEED_CLIENT_TLS;
    case MY_PHASE_GRANT:
        return DB_NEED_GRANT;
    case MY_PHASE_TARGET_TLS:
        return DB_NEED_TARGET_TLS;
    default:
        return DB_NEED_NOTHING;
    }
}

static enum err tls_ready(struct db_relay *relay, enum db_side side, const struct db_tls *tls)
{
    struct my_relay *my = my_of(relay);
    if (side == DB_CLIENT && my->phase == MY_PHASE_CLIENT_TLS) {
        my->is_client_tls = true;
        my->phase = MY_PHASE_LOGIN;
        return ERR_NONE;
    }
    if (side != DB_TARGET || my->phase != MY_PHASE_TARGET_TLS) {
        return ERR_STATE;
    }
    text_printable(tls->description, my->tls, sizeof my->tls);
    if (cursor_len(&tls->certificate_sha256) == sizeof my->certificate_sha256) {
        memcpy(my->certificate_sha256, tls->certificate_sha256.at, sizeof my->certificate_sha256);
        my->has_certificate = true;
    }
    return my_login_encrypted(my);
}

static enum err granted(struct db_relay *relay, struct cursor token)
{
    struct my_relay *my = my_of(relay);
    return my->phase == MY_PHASE_GRANT ? my_login_granted(my, token) : ERR_STATE;
}

const struct db_ops MY_OPS = {
    .make = make,
    .start = start,
    .free = free_relay,
    .feed = feed,
    .eof = at_eof,
    .need = need,
    .tls_ready = tls_ready,
    .granted = granted,
    .refuse = refuse,
};
