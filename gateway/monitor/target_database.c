/* Databases: what the session needs to speak TLS with one, the login that it has read, and connections that
 * only cancel a statement of another. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "base/writer.h"
#include "crypto/hash.h"
#include "state.h"

enum {
    CA_FILE_BYTES = 1 << 20,    /* the bundle of all regions of RDS has 165 KiB */
    CERTIFICATE_BEFORE_S = 300, /* clocks of engineers may be behind ... */
    CERTIFICATE_AFTER_S = 3600, /* ... or ahead; it is looked at once, when the connection begins */
};

/* ---- certificates to trust ---- */

/* Written once, then nobody can change it, not even who holds it: it is read as memory by each session. */
static enum err seal(struct cursor bytes, int *ret_fd)
{
    OWNED_FD fd = memfd_create("trust", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || fd_write_all(fd, bytes) != ERR_NONE ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
        return ERR_SYSTEM;
    }
    *ret_fd = fd_take(&fd);
    return ERR_NONE;
}

static enum err send_trust(struct access *access, const char *file_name)
{
    struct connection *connection = access->connection;
    OWNED_BYTES *bytes = NULL;
    size_t len = 0;
    uint8_t hash[CRYPTO_SHA256_BYTES];
    TRY(fd_read_trusted_file(connection->monitor->known_hosts_dir, file_name, CA_FILE_BYTES, &bytes, &len));
    if (len == 0) {
        return ERR_MALFORMED;
    }
    crypto_sha256(cursor_of(bytes, len), hash);
    if (connection->has_trust && memcmp(hash, connection->trust_sha256, sizeof hash) == 0) {
        return ERR_NONE; /* the session holds these */
    }
    OWNED_FD fd = -1;
    TRY(seal(cursor_of(bytes, len), &fd));
    uint8_t memory[4];
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor body;
    writer_u32be(&out, (uint32_t)len);
    TRY(writer_done(&out, &body));
    connection_send(connection, IPC_TARGET_TRUST, access->ref, body, &fd);
    memcpy(connection->trust_sha256, hash, sizeof hash);
    connection->has_trust = true;
    return ERR_NONE;
}

bool database_is_read(const struct policy_target *target)
{
    bool is_database = target->kind == POLICY_TARGET_POSTGRES || target->kind == POLICY_TARGET_MYSQL;
    return is_database && target->database.client_tls != POLICY_CLIENT_TLS_OPAQUE;
}

static const enum ipc_database_login LOGINS[] = {[POLICY_LOGIN_CLIENT] = IPC_DATABASE_CLIENT,
                                                 [POLICY_LOGIN_ASK] = IPC_DATABASE_ASK,
                                                 [POLICY_LOGIN_RDS_IAM] = IPC_DATABASE_TOKEN};

enum err database_write_ready(struct access *access, const struct policy_database *database,
                              struct writer *out, char ret_why[static LIMIT_SENTENCE_BYTES])
{
    if (database->ca == NULL) {
        (void)snprintf(ret_why, LIMIT_SENTENCE_BYTES,
                       "the policy asks for no TLS, and this version speaks nothing else");
        return ERR_DENIED;
    }
    access->is_terminated = database->client_tls == POLICY_CLIENT_TLS_TERMINATE;
    if (access->is_terminated && access->connection->monitor->signer.database_ca_bytes == 0) {
        (void)snprintf(ret_why, LIMIT_SENTENCE_BYTES,
                       "it has no CA of its own for clients with TLS: \"bastion init\" makes it");
        return ERR_NOT_FOUND;
    }
    enum err err = send_trust(access, database->ca);
    if (err != ERR_NONE) {
        (void)snprintf(ret_why, LIMIT_SENTENCE_BYTES, "%.64s: %s", database->ca, err_text(err));
        return err;
    }
    writer_u8(out, access->kind == POLICY_TARGET_POSTGRES ? IPC_DATABASE_POSTGRES : IPC_DATABASE_MYSQL);
    writer_bool(out, access->is_terminated);
    writer_u8(out, (uint8_t)LOGINS[database->login]);
    writer_bool(out, database->verify == POLICY_TLS_FULL);
    writer_text(out, database->server_name == NULL ? access->host : database->server_name);
    return ERR_NONE;
}

/* ---- the login that the session has read ---- */

/* Names go into events and recordings, so only such that can be shown are taken. */
static bool take_name(struct cursor name, char text[static LIMIT_DB_NAME_BYTES])
{
    if (cursor_len(&name) >= LIMIT_DB_NAME_BYTES) {
        return false;
    }
    text_printable(name, text, LIMIT_DB_NAME_BYTES);
    return cursor_equal_text(name, text);
}

static void decide_login(struct access *access)
{
    struct policy_decision decision;
    target_decide(access, &decision);
    if (decision.verdict == POLICY_ALLOWED) {
        target_grant(access, &decision, cursor_of_text(""));
    } else {
        target_deny_unasked(access, &decision);
    }
}

enum err database_login(struct connection *connection, uint32_t ref, struct cursor body)
{
    struct cursor user;
    struct cursor database;
    bool is_replication = false;
    TRY(cursor_string(&body, LIMIT_SENTENCE_BYTES, &user));
    TRY(cursor_string(&body, LIMIT_SENTENCE_BYTES, &database));
    TRY(cursor_bool(&body, &is_replication));
    TRY(cursor_end(&body));
    struct access *access = target_find(connection, ref);
    if (access == NULL || access->state != ACCESS_READY || !access->is_database) {
        return ERR_STATE;
    }
    if (cursor_len(&user) == 0 || !take_name(user, access->account) ||
        !take_name(database, access->database)) {
        access->account[0] = 0;
        access->database[0] = 0;
        target_deny(
            access, "target.denied", "D-ACCOUNT",
            "that is no name of a database user, or of a database: they have 1 to 64 bytes and can be shown");
        target_done(access);
        return ERR_NONE;
    }
    access->action = is_replication ? POLICY_DB_REPLICATION : POLICY_DB;
    decide_login(access);
    return ERR_NONE;
}

/* ---- TLS with the engineer's client ---- */

enum err database_certify(struct connection *connection, uint32_t ref, struct cursor body)
{
    struct cursor public_key;
    TRY(cursor_string(&body, CRYPTO_X509_PUBLIC_BYTES, &public_key));
    TRY(cursor_end(&body));
    struct access *access = target_find(connection, ref);
    if (access == NULL) {
        return ERR_NONE; /* a denial freed it before the session heard of it */
    }
    if (access->state != ACCESS_READY || !access->is_terminated || access->is_certifying) {
        return ERR_STATE;
    }
    access->is_certifying = true;
    uint64_t now_s = (uint64_t)clock_wall_s();
    uint8_t memory[CRYPTO_X509_PUBLIC_BYTES + LIMIT_HOST_BYTES + 64];
    struct writer out = writer_of(memory, sizeof memory);
    writer_string(&out, public_key);
    writer_text(&out, access->host);
    writer_u64be(&out, now_s - CERTIFICATE_BEFORE_S);
    writer_u64be(&out, now_s + CERTIFICATE_AFTER_S);
    struct cursor order;
    TRY(writer_done(&out, &order));
    if (signer_ask(connection->monitor, connection, SIGNER_ASKED_MINT_SERVER, ref, order) != ERR_NONE) {
        database_certified(access, cursor_of(NULL, 0));
    }
    return ERR_NONE;
}

void database_certified(const struct access *access, struct cursor certificate)
{
    const struct signer_calls *signer = &access->connection->monitor->signer;
    uint8_t memory[2 * CRYPTO_X509_DER_BYTES + 16];
    struct writer out = writer_of(memory, sizeof memory);
    writer_string(&out, certificate);
    writer_string(&out, cursor_of(signer->database_ca, signer->database_ca_bytes));
    struct cursor body;
    if (writer_done(&out, &body) == ERR_NONE) {
        connection_send(access->connection, IPC_DATABASE_CERTIFIED, access->ref, body, NULL);
    }
}

/* ---- cancelling ---- */

enum err database_key(struct connection *connection, uint32_t ref, struct cursor body)
{
    struct cursor key;
    TRY(cursor_string(&body, IPC_DATABASE_KEY_BYTES, &key));
    TRY(cursor_end(&body));
    struct access *access = target_find(connection, ref);
    if (access == NULL) {
        return ERR_NONE; /* a withdrawal freed it before the session heard of it */
    }
    if (access->state != ACCESS_GRANTED || !access->is_database || access->cancel_key.bytes != NULL) {
        return ERR_STATE;
    }
    return secret_set(&access->cancel_key, key);
}

/* The access of the same person, on the same target, that the key belongs to. */
static struct access *find_key(const struct access *canceller, struct cursor key)
{
    struct monitor *monitor = canceller->connection->monitor;
    for (size_t i = 0; i < monitor->connection_capacity; i++) {
        struct connection *connection = monitor->connections[i];
        if (connection == NULL || strcmp(connection->person, canceller->connection->person) != 0) {
            continue;
        }
        for (unsigned n = 0; n < LIMIT_ACCESSES_PER_CONNECTION; n++) {
            struct access *access = connection->accesses[n];
            if (access != NULL && access->state == ACCESS_GRANTED && access->port == canceller->port &&
                strcasecmp(access->host, canceller->host) == 0 && access->cancel_key.bytes != NULL &&
                secret_equal(secret_peek(&access->cancel_key), key)) {
                return access;
            }
        }
    }
    return NULL;
}

enum err database_cancel(struct connection *connection, uint32_t ref, struct cursor body)
{
    struct cursor key;
    TRY(cursor_string(&body, IPC_DATABASE_KEY_BYTES, &key));
    TRY(cursor_end(&body));
    struct access *access = target_find(connection, ref);
    if (access == NULL || access->state != ACCESS_READY || !access->is_database) {
        return ERR_STATE;
    }
    const struct access *cancelled = find_key(access, key);
    if (cancelled == NULL) {
        target_deny(access, "target.denied", "D-CANCEL",
                    "no open session of yours has a statement with this key");
        target_done(access);
        return ERR_NONE;
    }
    (void)snprintf(access->account, sizeof access->account, "%s", cancelled->account);
    (void)snprintf(access->database, sizeof access->database, "%s", cancelled->database);
    (void)snprintf(access->cancels, sizeof access->cancels, "%s", cancelled->sid_text);
    access->action = cancelled->action;
    decide_login(access);
    return ERR_NONE;
}
