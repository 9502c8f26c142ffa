/* TLS on both sides of the relay of a database. The target's must be verified before anything but the request
 * for it goes there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "database.h"

enum {
    TLS_CHUNK_BYTES = 65536,           /* decrypted or encrypted at once */
    TLS_LIMIT_BYTES = 2 * 1024 * 1024, /* more than DB_OUT_HIGH_BYTES, a chunk, and what is under way */
};

static struct queue *wire(struct database *database, enum db_side side)
{
    struct stream *stream = &database->access->stream;
    return side == DB_TARGET ? &stream->to_target : &stream->to_client;
}

bool database_is_early(const struct database *database)
{
    const struct db_asked *asked = db_relay_asked(database->relay);
    return database->config.protocol == DB_POSTGRES && cursor_len(&asked->user) == 0 &&
           cursor_len(&asked->cancel_key) == 0;
}

static enum err move(struct queue *from, struct queue *to)
{
    if (queue_len(to) == 0) {
        queue_swap(from, to);
        return ERR_NONE;
    }
    TRY(queue_append(to, queue_peek(from)));
    queue_consume(from, queue_len(from));
    return ERR_NONE;
}

static enum err flush_tls(struct database *database, enum db_side side)
{
    return move(crypto_tls_out(database->sides[side].tls), wire(database, side));
}

/* One sentence for the engineer, in the words of the protocol, and one event. */
static enum err refuse_tls(struct database *database, enum db_side side, const char *failure)
{
    struct access *access = database->access;
    char sentence[LIMIT_SENTENCE_BYTES];
    if (side == DB_TARGET) {
        (void)snprintf(sentence, sizeof sentence,
                       "the bastion refuses to speak with %s, since it cannot be sure of it: %.160s [D-TLS]",
                       access->host, failure);
    } else {
        (void)snprintf(sentence, sizeof sentence,
                       "TLS with the engineer's client failed: %.300s [D-CLIENT-TLS]", failure);
    }
    session_note(access->session, access->ref, side == DB_TARGET ? "target_tls" : "client_tls", sentence);
    return db_relay_refuse(database->relay, DB_REFUSED_TARGET_TLS, sentence, clock_monotonic_us());
}

static enum err begin_target(struct database *database)
{
    const struct crypto_trust *trust = database->access->session->database_trust;
    struct database_side *target = &database->sides[DB_TARGET];
    if (trust == NULL) {
        return refuse_tls(database, DB_TARGET,
                          "the file of CAs that the policy names holds none that can be read");
    }
    struct crypto_tls_client config = {.trust = trust,
                                       .name = database->name,
                                       .is_name_ignored = !database->is_name_checked,
                                       .alpn =
                                           database->config.protocol == DB_POSTGRES ? "postgresql" : NULL};
    TRY(crypto_tls_client_new(&config, TLS_LIMIT_BYTES, &target->tls));
    target->is_tls_begun = true;
    TRY(crypto_tls_start(target->tls));
    return flush_tls(database, DB_TARGET);
}

/* A key for this connection alone; the monitor has the target's name certified for it. */
static enum err begin_client(struct database *database)
{
    if (database->key != NULL) {
        return ERR_NONE; /* asked already */
    }
    uint8_t key_memory[CRYPTO_X509_PUBLIC_BYTES];
    uint8_t memory[CRYPTO_X509_PUBLIC_BYTES + 8];
    struct writer key = writer_of(key_memory, sizeof key_memory);
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor public_key;
    struct cursor body;
    TRY(crypto_x509_key_new(&key, &database->key));
    TRY(writer_done(&key, &public_key));
    writer_string(&out, public_key);
    TRY(writer_done(&out, &body));
    return link_send(database->access->session, IPC_DATABASE_CERTIFY, database->access->ref, body);
}

enum err database_begin_tls(struct database *database, enum db_side side)
{
    if (database->sides[side].is_tls_begun) {
        return ERR_NONE;
    }
    return side == DB_TARGET ? begin_target(database) : begin_client(database);
}

enum err database_certified(struct access *access, struct cursor body)
{
    struct database *database = access->database;
    struct cursor certificate;
    struct cursor ca;
    TRY(cursor_string(&body, CRYPTO_X509_DER_BYTES, &certificate));
    TRY(cursor_string(&body, CRYPTO_X509_DER_BYTES, &ca));
    TRY(cursor_end(&body));
    if (database == NULL || database->key == NULL || database->sides[DB_CLIENT].is_tls_begun) {
        return ERR_STATE;
    }
    if (cursor_len(&certificate) == 0) {
        access_end(access, NULL, "the signer gave no certificate for TLS with the client");
        return ERR_NONE;
    }
    const struct crypto_tls_server config = {.key = database->key,
                                             .chain = {certificate, ca},
                                             .alpn = database->config.protocol == DB_POSTGRES ? "postgresql"
                                                                                              : NULL};
    TRY(crypto_tls_server_new(&config, TLS_LIMIT_BYTES, &database->sides[DB_CLIENT].tls));
    database->sides[DB_CLIENT].is_tls_begun = true; /* the turn reads what has come of the handshake */
    crypto_x509_key_free(database->key);
    database->key = NULL;
    return ERR_NONE;
}

/* Decrypt, and send what TLS itself has to say. */
static enum err feed_tls(struct database *database, enum db_side side, struct cursor bytes)
{
    struct crypto_tls *tls = database->sides[side].tls;
    enum err err = crypto_tls_feed(tls, bytes);
    TRY(flush_tls(database, side));
    if (err == ERR_NONE || err == ERR_MEMORY) {
        return err;
    }
    database->sides[side].has_ended = true;
    return refuse_tls(database, side, crypto_tls_failure(tls));
}

enum err database_arrived(struct database *database, enum db_side side, struct cursor bytes)
{
    struct database_side *from = &database->sides[side];
    bool can_open = from->is_tls_begun && queue_len(&from->arrived) == 0 &&
                    cursor_len(&bytes) <= TLS_CHUNK_BYTES &&
                    queue_len(crypto_tls_plain(from->tls)) < DB_OUT_HIGH_BYTES;
    if (can_open && !from->has_ended) {
        return feed_tls(database, side, bytes);
    }
    return queue_append(&from->arrived, bytes);
}

static enum err tell_relay(struct database *database, enum db_side side)
{
    const struct crypto_tls *tls = database->sides[side].tls;
    uint8_t certificate[CRYPTO_SHA256_BYTES];
    uint8_t end_point[CRYPTO_TLS_END_POINT_BYTES];
    size_t end_point_bytes = 0;
    struct db_tls told = {0};
    if (side == DB_TARGET) {
        TRY(crypto_tls_certificate(tls, certificate));
        TRY(crypto_tls_end_point(tls, end_point, &end_point_bytes));
        told.description = cursor_of_text(crypto_tls_text(tls));
        told.certificate_sha256 = cursor_of(certificate, sizeof certificate);
        told.server_end_point = cursor_of(end_point, end_point_bytes);
    }
    return db_relay_tls_ready(database->relay, side, &told, clock_monotonic_us());
}

enum err database_open_tls(struct database *database, enum db_side side)
{
    struct database_side *from = &database->sides[side];
    if (!from->is_tls_begun) {
        return ERR_NONE;
    }
    while (queue_len(&from->arrived) > 0 && !from->has_ended &&
           queue_len(crypto_tls_plain(from->tls)) < DB_OUT_HIGH_BYTES) {
        struct cursor bytes = queue_peek(&from->arrived);
        if (cursor_len(&bytes) > TLS_CHUNK_BYTES) {
            bytes.end = bytes.at + TLS_CHUNK_BYTES;
        }
        TRY(feed_tls(database, side, bytes));
        queue_consume(&from->arrived, cursor_len(&bytes));
    }
    if (crypto_tls_is_ready(from->tls) && !from->is_tls_told) {
        from->is_tls_told = true;
        return tell_relay(database, side);
    }
    return ERR_NONE;
}

struct queue *database_plain(struct database *database, enum db_side side)
{
    struct database_side *from = &database->sides[side];
    return from->is_tls_begun ? crypto_tls_plain(from->tls) : &from->arrived;
}

enum err database_send(struct database *database, enum db_side side, size_t wire_bytes)
{
    struct database_side *to = &database->sides[side];
    struct queue *from = db_relay_out(database->relay, side);
    if (side == DB_TARGET && database_is_early(database)) {
        return ERR_NONE;
    }
    if (!to->is_tls_begun) {
        return queue_len(from) == 0 || queue_len(wire(database, side)) >= wire_bytes
                   ? ERR_NONE
                   : move(from, wire(database, side));
    }
    while (queue_len(from) > 0 && crypto_tls_is_ready(to->tls) &&
           queue_len(wire(database, side)) < wire_bytes) {
        struct cursor bytes = queue_peek(from);
        if (cursor_len(&bytes) > TLS_CHUNK_BYTES) {
            bytes.end = bytes.at + TLS_CHUNK_BYTES;
        }
        TRY(crypto_tls_write(to->tls, bytes));
        queue_consume(from, cursor_len(&bytes));
        TRY(flush_tls(database, side));
    }
    return ERR_NONE;
}

void database_close_tls(struct database *database)
{
    for (unsigned side = DB_CLIENT; side <= DB_TARGET; side++) {
        struct crypto_tls *tls = database->sides[side].tls;
        /* A peer that cannot be told any more is gone anyway. */
        if (tls != NULL && crypto_tls_close(tls) == ERR_NONE) {
            err_ignore(flush_tls(database, (enum db_side)side));
        }
    }
}
