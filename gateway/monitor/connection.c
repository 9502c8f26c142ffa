/* One engineer connection: its session process, its phase, and what its messages mean. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/writer.h"
#include "state.h"

enum { MESSAGES_PER_TURN = 16, US_PER_S = 1000000 };

struct connection *connection_find(struct monitor *monitor, uint32_t number)
{
    for (size_t i = 0; i < monitor->connection_capacity; i++) {
        struct connection *connection = monitor->connections[i];
        if (connection != NULL && connection->number == number) {
            return connection;
        }
    }
    return NULL;
}

void connection_send(struct connection *connection, enum ipc_type type, uint32_t ref, struct cursor body,
                     const int *fd)
{
    if (connection->session == NULL) {
        return;
    }
    enum err err = ipc_send(connection->session->channel, type, ref, body, fd, fd == NULL ? 0 : 1);
    if (err != ERR_NONE && err != ERR_CLOSED) {
        connection_violation(connection, "the session process does not read its messages");
    }
}

void connection_violation(struct connection *connection, const char *what)
{
    report_connection(connection, "ipc.violation", EVENT_FAILURE, NULL, what);
    connection->offence_text = what;
    connection->offence = ADMISSION_CRASH;
    connection->phase = PHASE_ENDED;
    if (connection->session != NULL) {
        child_kill(connection->session);
    }
}

void connection_end(struct connection *connection, const char *sentence)
{
    if (connection->phase == PHASE_ENDED) {
        return;
    }
    uint8_t body[2 * LIMIT_SENTENCE_BYTES];
    char text[LIMIT_SENTENCE_BYTES];
    text_printable(cursor_of_text(sentence), text, sizeof text);
    struct writer out = writer_of(body, sizeof body);
    writer_text(&out, text);
    struct cursor bytes;
    if (writer_done(&out, &bytes) == ERR_NONE) {
        connection_send(connection, IPC_CONNECTION_END, 0, bytes, NULL);
    }
    connection->phase = PHASE_ENDED;
    connection->kill_at_us = clock_monotonic_us() + MONITOR_END_GRACE_US;
    factor_done(connection);
}

void connection_identified(struct connection *connection)
{
    connection->phase = PHASE_OPEN;
    connection->deadline_us = 0;
    if (!connection->is_counted_proven) {
        connection->is_counted_proven = true;
        admission_proven(&connection->monitor->admission);
    }
    report_login(connection);
    char leaf[256];
    (void)snprintf(leaf, sizeof leaf, "connection=%u person=%s from=%s key=%s factor=%s", connection->number,
                   connection->person, connection->from, connection->key_fingerprint, connection->factor_by);
    report_evidence(connection->monitor, "auth", leaf);
}

/* Held against its shape here, so that nothing a session says can break the protocol between us and the
 * signer. */
static enum err kex_sign(struct connection *connection, struct cursor body)
{
    enum { INNER_KEY = 1, HASH_BYTES_MAX = 64 };
    struct cursor whole = body;
    uint8_t which = 0;
    struct cursor hash;
    TRY(cursor_u8(&body, &which));
    TRY(cursor_string(&body, HASH_BYTES_MAX, &hash));
    TRY(cursor_end(&body));
    if (which > INNER_KEY) {
        return ERR_MALFORMED;
    }
    return signer_ask(connection->monitor, connection, SIGNER_ASKED_KEX, 0, whole);
}

static enum err note(struct connection *connection, uint32_t ref, struct cursor body)
{
    char code[64];
    char text[LIMIT_SENTENCE_BYTES];
    TRY(cursor_text(&body, code, sizeof code));
    TRY(cursor_text(&body, text, sizeof text));
    TRY(cursor_end(&body));
    struct access *access = target_find(connection, ref);
    if (access != NULL) {
        report_access(access, "session.note", EVENT_DENIED, code, text);
    } else {
        report_connection(connection, "session.note", EVENT_DENIED, code, text);
    }
    return ERR_NONE;
}

static enum err dispatch(struct connection *connection, const struct ipc_message *message)
{
    switch ((unsigned)message->type) {
    case IPC_KEX_SIGN:
        return kex_sign(connection, message->body);
    case IPC_AUTH_PROBE:
        return identity_probe(connection, message->body);
    case IPC_AUTH_PUBLICKEY:
        return identity_publickey(connection, message->body);
    case IPC_FACTOR_BEGIN:
        return factor_begin(connection, message->ref);
    case IPC_FACTOR_ANSWER:
        return factor_answer(connection, message->ref, message->body);
    case IPC_TARGET_OPEN:
        return target_open(connection, message->ref, message->body);
    case IPC_TARGET_LOGIN:
        return target_login(connection, message->ref, message->body);
    case IPC_DATABASE_LOGIN:
        return database_login(connection, message->ref, message->body);
    case IPC_DATABASE_CERTIFY:
        return database_certify(connection, message->ref, message->body);
    case IPC_DATABASE_KEY:
        return database_key(connection, message->ref, message->body);
    case IPC_DATABASE_CANCEL:
        return database_cancel(connection, message->ref, message->body);
    case IPC_TARGET_END:
        return target_end(connection, message->ref, message->body);
    case IPC_COMMAND:
        return command_run(connection, message->ref, message->body);
    case IPC_COMMAND_MORE:
        return command_more(connection, message->ref, message->body);
    case IPC_COMMAND_END:
        return command_end(connection, message->ref, message->body);
    case IPC_NOTE:
        return note(connection, message->ref, message->body);
    default:
        return ERR_STATE;
    }
}

/* @return false when there is nothing more to receive. */
static bool receive_one(struct connection *connection)
{
    struct monitor *monitor = connection->monitor;
    enum err err = child_receive(connection->session, PEER_SESSION, connection->phase);
    if (err == ERR_AGAIN) {
        return false;
    }
    if (err == ERR_CLOSED) {
        /* Usually the process has ended, which its pidfd tells; one that lives on without its channel must
         * not. */
        connection->kill_at_us = clock_monotonic_us() + MONITOR_END_GRACE_US;
        return false;
    }
    if (err == ERR_NONE) {
        err = dispatch(connection, &monitor->message);
        ipc_message_done(&monitor->message);
    }
    if (err != ERR_NONE) {
        char what[LIMIT_SENTENCE_BYTES];
        (void)snprintf(what, sizeof what, "message %s: %s", ipc_name(monitor->message.type), err_text(err));
        connection_violation(connection, what);
        return false;
    }
    return true;
}

static void session_ready(void *owner, struct child *child)
{
    struct connection *connection = owner;
    bool has_more = true;
    for (int i = 0; i < MESSAGES_PER_TURN && has_more && child->owner != NULL; i++) {
        /* After CONNECTION_END whatever was under way when it was sent may still arrive: read and forgotten.
         */
        has_more =
            connection->phase == PHASE_ENDED ? child_discard(child) == ERR_NONE : receive_one(connection);
    }
}

static bool is_forgiven(const struct connection *connection)
{
    const struct gateway_config *config = &connection->monitor->config;
    struct network source;
    if (network_address(cursor_of_text(connection->from), &source) != ERR_NONE) {
        return false;
    }
    for (size_t i = 0; i < config->no_penalties_count; i++) {
        if (network_contains(&config->no_penalties[i], &source)) {
            return true;
        }
    }
    return false;
}

static void penalise(struct connection *connection)
{
    bool has_offended = connection->offence_text != NULL;
    if ((!has_offended && connection->is_counted_proven) || is_forgiven(connection)) {
        return;
    }
    enum admission_offence offence = has_offended               ? connection->offence
                                     : connection->failures > 0 ? ADMISSION_AUTH_FAIL
                                                                : ADMISSION_NO_AUTH;
    admission_offend(&connection->monitor->admission, &connection->peer, offence, clock_monotonic_us());
}

static void session_exited(void *owner, struct child *child, bool is_clean, const char *how)
{
    (void)child;
    struct connection *connection = owner;
    bool was_expected = connection->phase == PHASE_ENDED;
    if (!is_clean && !was_expected) {
        /* An identified engineer's session that dies is our trouble; a stranger's may be an attempt. */
        connection->offence_text = connection->is_counted_proven ? NULL : how;
        connection->offence = ADMISSION_CRASH;
        report_connection(connection, "session.killed", EVENT_FAILURE, NULL, how);
    }
    report_connection(connection, "connection.closed", EVENT_SUCCESS, NULL, NULL);
    penalise(connection);
    connection_free(connection);
}

void connection_free(struct connection *connection)
{
    struct monitor *monitor = connection->monitor;
    connection->phase = PHASE_ENDED; /* nobody waits for what it is asked */
    factor_done(connection);
    for (unsigned i = 0; i < LIMIT_ACCESSES_PER_CONNECTION; i++) {
        if (connection->accesses[i] != NULL) {
            target_done(connection->accesses[i]);
        }
    }
    command_free_all(connection);
    signer_forget(monitor, connection->number);
    admission_leave(&monitor->admission, &connection->peer, connection->is_counted_proven);
    child_done(&connection->session);
    monitor->connections[connection->uid_slot] = NULL;
    free(connection);
    monitor_stop_if_empty(monitor);
}

static enum err send_start(struct connection *connection)
{
    const struct monitor *monitor = connection->monitor;
    uint8_t body[2 * LIMIT_KEY_BLOB_BYTES];
    struct writer out = writer_of(body, sizeof body);
    writer_u32be(&out, connection->number);
    writer_text(&out, connection->from);
    writer_string(&out, keys_blob_peek(&monitor->signer.host_blob));
    writer_string(&out, keys_blob_peek(&monitor->host_certificates.own));
    writer_string(&out, keys_blob_peek(&monitor->signer.inner_blob));
    writer_u32be(&out, monitor->config.times.banner_s);
    writer_u32be(&out, monitor->config.times.kex_s);
    writer_u32be(&out, monitor->config.times.alive_s);
    struct cursor bytes;
    TRY(writer_done(&out, &bytes));
    return ipc_send(connection->session->channel, IPC_SESSION_START, 0, bytes, NULL, 0);
}

static enum err start_session(struct connection *connection, int client_fd)
{
    struct monitor *monitor = connection->monitor;
    char uid[24];
    (void)snprintf(uid, sizeof uid, "%u", monitor->config.uids.sessions_first + connection->uid_slot);
    char *tested = self_test_holds(monitor) ? "--tested" : NULL;
    char *argv[] = {MONITOR_SESSION_PROGRAM, "--uid", uid, "--gid", uid, tested, NULL};
    int fds[] = {client_fd, monitor->empty_room[0], monitor->empty_room[1], monitor->empty_room[2],
                 monitor->empty_room[3]};
    struct child_start start = {.program = MONITOR_SESSION_PROGRAM,
                                .argv = argv,
                                .fds = fds,
                                .fd_count = sizeof fds / sizeof fds[0],
                                .is_silent = true,
                                .owner = connection,
                                .on_message = session_ready,
                                .on_exit = session_exited};
    TRY(child_start(monitor, &start, &connection->session));
    return send_start(connection);
}

static struct connection **free_place(struct monitor *monitor)
{
    for (size_t i = 0; i < monitor->connection_capacity; i++) {
        if (monitor->connections[i] == NULL) {
            return &monitor->connections[i];
        }
    }
    return NULL;
}

/* How the engineer may call us: by the configured name, else by the address that was good enough to get here.
 */
static void name_bastion(struct connection *connection, int client_fd)
{
    struct sockaddr_storage own = {0};
    socklen_t size = sizeof own;
    char name[LIMIT_ADDRESS_BYTES] = "bastion";
    if (getsockname(client_fd, (struct sockaddr *)&own, &size) == 0) {
        listener_address_text(&own, name, &connection->bastion_port);
    }
    const char *configured = connection->monitor->config.public_name;
    (void)snprintf(connection->bastion_name, sizeof connection->bastion_name, "%s",
                   configured[0] != 0 ? configured : name);
}

void connection_open(struct monitor *monitor, int client_fd, const struct sockaddr_storage *peer,
                     const char *from)
{
    struct connection **place = free_place(monitor);
    struct connection *connection = place == NULL ? NULL : calloc(1, sizeof *connection);
    if (connection == NULL) {
        admission_leave(&monitor->admission, peer, false);
        return;
    }
    connection->monitor = monitor;
    connection->number = ++monitor->next_connection;
    connection->uid_slot = (unsigned)(place - monitor->connections);
    connection->phase = PHASE_KEX;
    connection->peer = *peer;
    (void)snprintf(connection->from, sizeof connection->from, "%s", from);
    connection->opened_us = clock_monotonic_us();
    connection->deadline_us = connection->opened_us + (uint64_t)monitor->config.times.auth_s * US_PER_S;
    name_bastion(connection, client_fd);
    *place = connection;
    if (start_session(connection, client_fd) != ERR_NONE) {
        report_connection(connection, "connection.failed", EVENT_FAILURE, NULL, strerror(errno));
        connection_free(connection);
        return;
    }
    report_connection(connection, "connection.opened", EVENT_SUCCESS, NULL, NULL);
}

void connection_tick(struct connection *connection, uint64_t now_us)
{
    if (connection->kill_at_us != 0 && now_us >= connection->kill_at_us) {
        connection->kill_at_us = 0;
        child_kill(connection->session);
        return;
    }
    if (connection->deadline_us != 0 && now_us >= connection->deadline_us &&
        connection->phase != PHASE_ENDED) {
        connection->offence_text = "deadline";
        connection->offence = ADMISSION_DEADLINE;
        report_connection(connection, "login.deadline", EVENT_DENIED, "D-DEADLINE",
                          "the login took longer than the bastion waits");
        connection_end(connection, "the login took too long; please connect again [D-DEADLINE]");
        return;
    }
    factor_tick(connection, now_us);
    for (unsigned i = 0; i < LIMIT_ACCESSES_PER_CONNECTION; i++) {
        if (connection->accesses[i] != NULL) {
            target_tick(connection->accesses[i], now_us);
        }
    }
}
