/* An access to a database: between a channel of the outer connection and the target's socket stands the
 * relay, which reads both sides. What it needs is met here: TLS, the monitor's word, the recorder. */
#include "database.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "base/writer.h"
#include "record/stream.h"

enum {
    DATABASE_CHANNEL = 0, /* of its records: one connection is one stream */
    NAME_BYTES_MAX = LIMIT_SENTENCE_BYTES,
};

/* ---- what the monitor says ---- */

enum err database_trust(struct session *session, struct ipc_message *message)
{
    uint32_t len = 0;
    struct cursor body = message->body;
    TRY(cursor_u32be(&body, &len));
    TRY(cursor_end(&body));
    OWNED_FD fd = ipc_message_take_fd(message, 0);
    void *bytes = len == 0 ? MAP_FAILED : mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) {
        return ERR_SYSTEM;
    }
    crypto_trust_free(session->database_trust);
    session->database_trust = NULL;
    /* What cannot be read trusts nobody: the connection is refused where it would be needed. */
    err_ignore(crypto_trust_load(cursor_of(bytes, len), &session->database_trust));
    return munmap(bytes, len) == 0 ? ERR_NONE : ERR_SYSTEM;
}

static enum err read_ready(struct database *database, struct cursor body)
{
    static const enum db_login LOGINS[] = {[IPC_DATABASE_CLIENT] = DB_LOGIN_CLIENT,
                                           [IPC_DATABASE_ASK] = DB_LOGIN_ASK,
                                           [IPC_DATABASE_TOKEN] = DB_LOGIN_TOKEN};
    uint8_t protocol = 0;
    uint8_t login = 0;
    bool is_terminated = false;
    TRY(cursor_u8(&body, &protocol));
    TRY(cursor_bool(&body, &is_terminated));
    TRY(cursor_u8(&body, &login));
    TRY(cursor_bool(&body, &database->is_name_checked));
    TRY(cursor_text(&body, database->name, sizeof database->name));
    TRY(cursor_end(&body));
    bool is_known = protocol == IPC_DATABASE_POSTGRES || protocol == IPC_DATABASE_MYSQL;
    if (!is_known || login >= sizeof LOGINS / sizeof LOGINS[0]) {
        return ERR_MALFORMED;
    }
    database->config =
        (struct db_config){.protocol = protocol == IPC_DATABASE_POSTGRES ? DB_POSTGRES : DB_MYSQL,
                           .client_tls = is_terminated ? DB_CLIENT_TLS_TERMINATE : DB_CLIENT_TLS_REFUSE,
                           .login = LOGINS[login]};
    return ERR_NONE;
}

/* ---- calls out of the relay ---- */

/* A refusal is a record and an event; the relay knows only of records. */
static void note_refusal(struct access *access, struct cursor head)
{
    struct cursor what;
    struct cursor reason;
    char sentence[LIMIT_SENTENCE_BYTES];
    if (cursor_string(&head, LIMIT_SENTENCE_BYTES, &what) == ERR_NONE &&
        cursor_string(&head, LIMIT_SENTENCE_BYTES, &reason) == ERR_NONE) {
        (void)snprintf(sentence, sizeof sentence, "%.*s: %.*s", (int)cursor_len(&what), (const char *)what.at,
                       (int)cursor_len(&reason), (const char *)reason.at);
        session_note(access->session, access->ref, "refused", sentence);
    }
}

static enum err record(void *owner, uint8_t kind, struct cursor head, struct cursor body)
{
    struct database *database = owner;
    struct access *access = database->access;
    if (kind == RECORD_REFUSED) {
        note_refusal(access, head);
    }
    return recorder_add(&access->recorder, kind, DATABASE_CHANNEL, head, body);
}

static enum err send_key(struct access *access, enum ipc_type type, struct cursor key)
{
    uint8_t memory[IPC_DATABASE_KEY_BYTES + 8];
    struct writer out = writer_of(memory, sizeof memory);
    writer_string(&out, key);
    struct cursor body;
    TRY(writer_done(&out, &body));
    return link_send(access->session, type, access->ref, body);
}

static enum err cancel_key(void *owner, struct cursor key)
{
    struct database *database = owner;
    return send_key(database->access, IPC_DATABASE_KEY, key);
}

static bool allows(void *owner, struct cursor user, struct cursor name, const char **ret_reason)
{
    struct database *database = owner;
    return grant_allows_database(&database->access->grant, user, name, ret_reason);
}

/* ---- needs ---- */

static enum err ask_login(struct access *access, const struct db_asked *asked)
{
    if (cursor_len(&asked->user) > NAME_BYTES_MAX || cursor_len(&asked->database) > NAME_BYTES_MAX) {
        return ERR_TOO_LARGE;
    }
    uint8_t memory[2 * NAME_BYTES_MAX + 16];
    struct writer out = writer_of(memory, sizeof memory);
    writer_string(&out, asked->user);
    writer_string(&out, asked->database);
    writer_bool(&out, asked->is_replication);
    struct cursor body;
    TRY(writer_done(&out, &body));
    return link_send(access->session, IPC_DATABASE_LOGIN, access->ref, body);
}

static enum err ask_monitor(struct database *database, enum db_need need)
{
    struct access *access = database->access;
    if (access->is_login_asked) {
        return ERR_NONE;
    }
    access->is_login_asked = true;
    const struct db_asked *asked = db_relay_asked(database->relay);
    return need == DB_NEED_GRANT ? ask_login(access, asked)
                                 : send_key(access, IPC_DATABASE_CANCEL, asked->cancel_key);
}

/* How it ended is an event where somebody did something wrong, and it was not one already. */
static void end(struct database *database)
{
    static const struct {
        const char *note, *reason;
    } ENDS[] = {[DB_END_NONE] = {NULL, "ended"},          [DB_END_CLOSED] = {NULL, "ended"},
                [DB_END_REFUSED] = {NULL, "refused"},     [DB_END_LOGIN] = {"login_refused", "login refused"},
                [DB_END_CLIENT] = {"protocol", NULL},     [DB_END_TARGET] = {"protocol", NULL},
                [DB_END_LOST] = {NULL, "connection lost"}};
    struct access *access = database->access;
    const char *sentence = "";
    enum db_end how = db_relay_end(database->relay, &sentence);
    char reason[LIMIT_SENTENCE_BYTES];
    (void)snprintf(reason, sizeof reason, "%s", ENDS[how].reason == NULL ? sentence : ENDS[how].reason);
    if (ENDS[how].note != NULL) {
        session_note(access->session, access->ref, ENDS[how].note, sentence);
    }
    database->is_over = true;
    database_close_tls(database);
    access_end(access, NULL, reason);
}

static enum err meet_need(struct database *database, bool *ret_is_met)
{
    enum db_need need = db_relay_need(database->relay);
    *ret_is_met = false;
    switch (need) {
    case DB_NEED_NOTHING:
        return ERR_NONE;
    case DB_NEED_TARGET_TLS:
    case DB_NEED_CLIENT_TLS: {
        enum db_side side = need == DB_NEED_TARGET_TLS ? DB_TARGET : DB_CLIENT;
        bool was_begun = database->sides[side].is_tls_begun;
        TRY(database_send(database, side, SIZE_MAX));
        TRY(database_begin_tls(database, side));
        *ret_is_met = !was_begun && database->sides[side].is_tls_begun;
        return ERR_NONE;
    }
    case DB_NEED_GRANT:
    case DB_NEED_CANCEL:
        return ask_monitor(database, need);
    case DB_NEED_END:
        TRY(database_send(database, DB_TARGET, SIZE_MAX));
        TRY(database_send(database, DB_CLIENT, SIZE_MAX));
        end(database);
        return ERR_NONE;
    }
    return ERR_STATE;
}

/* ---- bytes ---- */

static enum err feed_relay(struct database *database, enum db_side side, uint64_t now_us, bool *ret_has_moved)
{
    enum db_side other = side == DB_CLIENT ? DB_TARGET : DB_CLIENT;
    struct database_side *from = &database->sides[side];
    if (side == DB_TARGET && database_is_early(database)) {
        return ERR_NONE;
    }
    TRY(database_open_tls(database, side));
    struct queue *plain = database_plain(database, side);
    if (queue_len(plain) > 0 && queue_len(db_relay_out(database->relay, other)) < DB_OUT_HIGH_BYTES) {
        struct cursor bytes = queue_peek(plain);
        if (cursor_len(&bytes) > DB_FEED_BYTES) {
            bytes.end = bytes.at + DB_FEED_BYTES;
        }
        const uint8_t *start = bytes.at;
        enum err err = db_relay_feed(database->relay, side, &bytes, now_us);
        size_t taken = (size_t)(bytes.at - start);
        queue_consume(plain, taken);
        *ret_has_moved = *ret_has_moved || taken > 0;
        TRY(err);
    }
    bool is_at_end = from->has_ended && queue_len(plain) == 0;
    if (is_at_end && !from->is_end_told) {
        from->is_end_told = true;
        *ret_has_moved = true;
        return db_relay_eof(database->relay, side, now_us);
    }
    return ERR_NONE;
}

static enum err step(struct database *database, uint64_t now_us, bool *ret_has_moved)
{
    bool is_met = false;
    *ret_has_moved = false;
    TRY(feed_relay(database, DB_TARGET, now_us, ret_has_moved));
    TRY(feed_relay(database, DB_CLIENT, now_us, ret_has_moved));
    TRY(database_send(database, DB_TARGET, SESSION_HIGH_WATER_BYTES));
    TRY(database_send(database, DB_CLIENT, SESSION_HIGH_WATER_BYTES));
    TRY(meet_need(database, &is_met));
    *ret_has_moved = *ret_has_moved || is_met;
    return ERR_NONE;
}

void database_turn(struct access *access)
{
    struct database *database = access->database;
    uint64_t now_us = clock_monotonic_us();
    bool has_moved = true;
    enum err err = ERR_NONE;
    if (access->target_out.has_failed) {
        database->sides[DB_TARGET].has_ended = true;
    }
    /* Each step but the last takes bytes that were there, or meets a need that comes once. */
    while (has_moved && err == ERR_NONE && !database->is_over) {
        err = step(database, now_us, &has_moved);
    }
    if (err != ERR_NONE && !database->is_over) {
        database->is_over = true;
        char text[LIMIT_SENTENCE_BYTES];
        (void)snprintf(text, sizeof text, "the bastion could not go on with this connection: %s",
                       err_text(err));
        access_end(access, NULL, text);
    }
}

static void took(struct access *access, enum db_side side, struct cursor bytes)
{
    access->stream.active_us = clock_monotonic_us();
    if (database_arrived(access->database, side, bytes) != ERR_NONE) {
        access_end(access, NULL, "no memory");
    }
}

static void target_received(struct loop_receive *receive, uint8_t *bytes, int result)
{
    struct access *access = OWNER_OF(receive, struct access, target_in);
    if (result == -ECANCELED || access->state >= ACCESS_CLOSING) {
        return;
    }
    if (result <= 0) {
        access->database->sides[DB_TARGET].has_ended =
            true; /* the turn tells the relay, behind what still waits */
        return;
    }
    access->stream.from_target_bytes += (uint64_t)result;
    took(access, DB_TARGET, cursor_of(bytes, (size_t)result));
}

void database_data(struct access *access, struct cursor bytes)
{
    access->stream.to_target_bytes += cursor_len(&bytes);
    took(access, DB_CLIENT, bytes);
}

void database_client_eof(struct access *access)
{
    access->database->sides[DB_CLIENT].has_ended = true;
}

size_t database_waiting(struct access *access, bool is_from_client)
{
    struct database *database = access->database;
    enum db_side from = is_from_client ? DB_CLIENT : DB_TARGET;
    enum db_side to = is_from_client ? DB_TARGET : DB_CLIENT;
    size_t waiting = queue_len(&database->sides[from].arrived) + queue_len(db_relay_out(database->relay, to));
    if (database->sides[from].is_tls_begun) {
        waiting += queue_len(crypto_tls_plain(database->sides[from].tls));
    }
    return waiting;
}

/* ---- its life ---- */

enum err database_start(struct access *access, struct cursor body)
{
    struct database *database = calloc(1, sizeof *database);
    if (database == NULL) {
        return ERR_MEMORY;
    }
    access->database = database;
    database->access = access;
    for (unsigned side = DB_CLIENT; side <= DB_TARGET; side++) {
        queue_init(&database->sides[side].arrived, SESSION_OUTPUT_LIMIT_BYTES);
    }
    TRY(read_ready(database, body));
    const struct db_owner owner = {.record = record, .cancel_key = cancel_key, .owner = database};
    if (db_relay_new(&database->config, &owner, &database->relay) != ERR_NONE) {
        access_end(access, "the bastion cannot speak with this database right now", "no relay");
        return ERR_NONE;
    }
    access->stream.active_us = clock_monotonic_us();
    TRY(loop_receive_start(access->session->loop, &access->target_in, access->target_fd, target_received));
    access->is_channel_open = true;
    return outer_confirm(access->session->outer, access->channel);
}

/* A connection that only cancels says first whose statement it ends. */
static enum err record_cancel(struct access *access, struct cursor cancelled_sid)
{
    uint8_t sid[LIMIT_SID_BYTES];
    uint8_t memory[64];
    struct writer out = writer_of(memory, sizeof memory);
    TRY(text_unhex(cancelled_sid, sid, sizeof sid));
    writer_string(&out, cursor_of(sid, sizeof sid));
    writer_text(&out, "cancel request");
    struct cursor body;
    TRY(writer_done(&out, &body));
    return recorder_add(&access->recorder, RECORD_DB_CANCEL, DATABASE_CHANNEL, body, cursor_of(NULL, 0));
}

enum err database_granted(struct access *access, struct cursor credential)
{
    static const enum db_params PARAMS[] = {[GRANT_PARAMS_NONE] = DB_PARAMS_NONE,
                                            [GRANT_PARAMS_HASH] = DB_PARAMS_HASH,
                                            [GRANT_PARAMS_FULL] = DB_PARAMS_FULL};
    struct database *database = access->database;
    const struct policy_grant *grant = &access->grant;
    const struct db_rights rights = {.copy = grant->db_copy,
                                     .function_call = grant->db_function_call,
                                     .replication = grant->db_replication,
                                     .local_infile = grant->db_local_infile,
                                     .params = PARAMS[grant->db_params],
                                     .allows = allows,
                                     .owner = database};
    bool is_cancel = db_relay_need(database->relay) == DB_NEED_CANCEL;
    if (is_cancel) {
        TRY(record_cancel(access, credential));
        credential = cursor_of(NULL, 0);
    }
    access_opened(access);
    return db_relay_granted(database->relay, &rights, credential, clock_monotonic_us());
}

enum err database_denied(struct access *access, const char *sentence)
{
    return db_relay_refuse(access->database->relay, DB_REFUSED_POLICY, sentence, clock_monotonic_us());
}

void database_end(struct access *access, const char *sentence)
{
    struct database *database = access->database;
    if (database->is_over || database->relay == NULL) {
        return;
    }
    database->is_over = true;
    /* As far as somebody still listens. */
    uint64_t now_us = clock_monotonic_us();
    err_ignore(sentence == NULL ? db_relay_eof(database->relay, DB_CLIENT, now_us)
                                : db_relay_refuse(database->relay, DB_REFUSED_ENDED, sentence, now_us));
    err_ignore(database_send(database, DB_CLIENT, SIZE_MAX));
    err_ignore(database_send(database, DB_TARGET, SIZE_MAX));
    database_close_tls(database);
}

void database_free(struct database *database)
{
    if (database == NULL) {
        return;
    }
    db_relay_free(database->relay);
    crypto_x509_key_free(database->key);
    for (unsigned side = DB_CLIENT; side <= DB_TARGET; side++) {
        queue_done(&database->sides[side].arrived);
        crypto_tls_free(database->sides[side].tls);
    }
    free(database);
}
