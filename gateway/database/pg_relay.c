/* PostgreSQL behind the interface of the relay. */
#include <stdlib.h>

#include "pg_state.h"

enum {
    HELD_LIMIT_BYTES = PG_WHOLE_BYTES + 16,
    REDACTED_LIMIT_BYTES = 4 * RECORD_DB_KEPT_BYTES,
    TLS_TEXT_BYTES = 128,
};

static enum err make(struct db_relay **ret)
{
    struct pg_relay *pg = calloc(1, sizeof *pg);
    if (pg == NULL) {
        return ERR_MEMORY;
    }
    *ret = &pg->base;
    return ERR_NONE;
}

/* The target is always asked for TLS: without it nothing else is said. */
static enum err start(struct db_relay *relay)
{
    static const uint8_t SSL_REQUEST[] = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f};
    struct pg_relay *pg = pg_of(relay);
    pg->transaction = 'I';
    queue_init(&pg->held, HELD_LIMIT_BYTES);
    queue_init(&pg->startup, PG_STARTUP_BYTES);
    queue_init(&pg->parameters, PG_STARTUP_BYTES);
    queue_init(&pg->redacted, REDACTED_LIMIT_BYTES);
    return queue_append(&relay->out[DB_TARGET], cursor_of(SSL_REQUEST, sizeof SSL_REQUEST));
}

static void done(struct db_relay *relay)
{
    struct pg_relay *pg = pg_of(relay);
    queue_done(&pg->held);
    queue_done(&pg->startup);
    queue_done(&pg->parameters);
    queue_done(&pg->redacted);
    secret_done(&pg->password);
    pg_scram_done(&pg->scram);
    pg_names_done(&pg->statements);
    pg_names_done(&pg->portals);
    pg_operations_done(&pg->operations);
    crypto_sha256_done(&pg->hash);
    crypto_sha256_done(&pg->function_hash);
    crypto_sha256_done(&pg->copy.ways[DB_CLIENT].hash);
    crypto_sha256_done(&pg->copy.ways[DB_TARGET].hash);
    free(pg->formats);
}

static enum err feed_client(struct pg_relay *pg, struct cursor *bytes)
{
    if (pg->client == PG_CLIENT_OPENING) {
        enum err err = pg_opening(pg, bytes);
        return err == ERR_AGAIN ? ERR_NONE : err;
    }
    if (pg->client == PG_CLIENT_LOGIN) {
        enum err err = pg_client_login(pg, bytes);
        return err == ERR_AGAIN ? ERR_NONE : err;
    }
    return pg->client == PG_CLIENT_OPEN ? pg_client_messages(pg, bytes) : ERR_NONE;
}

static enum err feed(struct db_relay *relay, enum db_side side, struct cursor *bytes)
{
    struct pg_relay *pg = pg_of(relay);
    enum err err = ERR_NONE;
    if (side == DB_CLIENT) {
        err = feed_client(pg, bytes);
    } else {
        err = pg_target_messages(pg, bytes);
        if (err == ERR_NONE && relay->end == DB_END_NONE && queue_len(&pg->held) > 0) {
            /* What the client sent may have waited for this answer. */
            struct cursor nothing = cursor_of(NULL, 0);
            TRY(pg_flush(pg));
            err = feed_client(pg, &nothing);
        }
    }
    enum err flushed = pg_flush(pg);
    return err == ERR_NONE ? flushed : err;
}

static enum err eof_of_client(struct pg_relay *pg)
{
    bool is_idle = pg->operations.count == 0 && queue_len(&pg->held) == 0 && pg->client != PG_CLIENT_LOGIN;
    TRY(pg_record_lost(pg));
    db_end_with(&pg->base, is_idle ? DB_END_CLOSED : DB_END_LOST,
                is_idle ? "the client closed the connection" : "the client was lost");
    return ERR_NONE;
}

static enum err eof(struct db_relay *relay, enum db_side side)
{
    struct pg_relay *pg = pg_of(relay);
    if (side == DB_CLIENT) {
        return eof_of_client(pg);
    }
    if (pg->client == PG_CLIENT_CANCELS) {
        db_end_with(relay, DB_END_CLOSED, "the target took the cancel request");
        return ERR_NONE;
    }
    static const char SENTENCE[] = "the target closed the connection";
    bool is_idle = pg->target == PG_TARGET_OPEN && pg->operations.count == 0 && pg->type == 0;
    TRY(pg_refuse(relay, DB_REFUSED_TARGET_LOST, SENTENCE));
    db_end_with(relay, is_idle ? DB_END_CLOSED : DB_END_LOST, SENTENCE);
    return ERR_NONE;
}

static enum db_need need(const struct db_relay *relay)
{
    const struct pg_relay *pg = (const struct pg_relay *)(const void *)relay;
    if (pg->target == PG_TARGET_WANTS_TLS) {
        return DB_NEED_TARGET_TLS;
    }
    if (pg->client == PG_CLIENT_WANTS_TLS) {
        return DB_NEED_CLIENT_TLS;
    }
    if (pg->client == PG_CLIENT_ASKS && pg->target == PG_TARGET_READY) {
        return relay->asked.cancel_key.at != NULL ? DB_NEED_CANCEL : DB_NEED_GRANT;
    }
    return DB_NEED_NOTHING;
}

/* A copy of `bytes` in the next part of the relay's memory for them. */
static enum err keep(struct pg_relay *pg, size_t part, struct cursor bytes, struct cursor *ret_kept)
{
    struct writer out = writer_of(pg->tls_memory + part * TLS_TEXT_BYTES, TLS_TEXT_BYTES);
    writer_bytes(&out, bytes);
    return writer_done(&out, ret_kept);
}

static enum err tls_ready(struct db_relay *relay, enum db_side side, const struct db_tls *tls)
{
    struct pg_relay *pg = pg_of(relay);
    if (side == DB_CLIENT) {
        if (pg->client != PG_CLIENT_WANTS_TLS) {
            return ERR_STATE;
        }
        pg->has_client_tls = true;
        pg->client = PG_CLIENT_OPENING;
        return ERR_NONE;
    }
    if (pg->target != PG_TARGET_WANTS_TLS) {
        return ERR_STATE;
    }
    TRY(keep(pg, 0, tls->description, &pg->target_tls.description));
    TRY(keep(pg, 1, tls->certificate_sha256, &pg->target_tls.certificate_sha256));
    TRY(keep(pg, 2, tls->server_end_point, &pg->target_tls.server_end_point));
    pg->target = PG_TARGET_READY;
    return ERR_NONE;
}

const struct db_ops PG_OPS = {
    .make = make,
    .start = start,
    .free = done,
    .feed = feed,
    .eof = eof,
    .need = need,
    .tls_ready = tls_ready,
    .granted = pg_granted,
    .refuse = pg_refuse,
};
