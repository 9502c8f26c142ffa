/* What a connection may reach: policy first, then bastion-dial, then, once the account is known, the grant
 * (target_grant.c). No step can be skipped: each checks the state that only the one before it sets. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "base/writer.h"
#include "crypto/random.h"
#include "state.h"

enum {
    US_PER_S = 1000000,
    WITHDRAWAL_US = 5000000, /* how long the session may take to end it */
    SESSION_GRACE_S = 5,     /* the session process ends by itself at the limit; the monitor a little later */
};

struct access *target_find(const struct connection *connection, uint32_t ref)
{
    for (unsigned i = 0; i < LIMIT_ACCESSES_PER_CONNECTION; i++) {
        struct access *access = connection->accesses[i];
        if (access != NULL && access->ref == ref) {
            return access;
        }
    }
    return NULL;
}

void target_send_denied(const struct access *access, enum target_denial kind, const char *sentence)
{
    uint8_t body[LIMIT_SENTENCE_BYTES + 64];
    struct writer out = writer_of(body, sizeof body);
    writer_u8(&out, (uint8_t)kind);
    writer_text(&out, sentence);
    struct cursor bytes;
    if (writer_done(&out, &bytes) == ERR_NONE) {
        connection_send(access->connection, IPC_TARGET_DENIED, access->ref, bytes, NULL);
    }
}

/* Say no to the engineer, the operator and the evidence log. */
static void deny_as(struct access *access, enum target_denial kind, const char *event, const char *code,
                    const char *sentence)
{
    report_access(access, event, EVENT_DENIED, code, sentence);
    report_decision(access, false, code);
    char text[LIMIT_SENTENCE_BYTES];
    (void)snprintf(text, sizeof text, "%.*s [%s]", (int)(sizeof text - POLICY_CODE_BYTES - 4), sentence,
                   code);
    target_send_denied(access, kind, text);
}

void target_deny(struct access *access, const char *event, const char *code, const char *sentence)
{
    deny_as(access, TARGET_DENIED, event, code, sentence);
}

void target_done(struct access *access)
{
    struct connection *connection = access->connection;
    child_done(&access->dial);
    child_done(&access->token);
    target_forget_grant(access);
    secret_done(&access->cancel_key);
    free(access->host_certificate);
    fd_close(&access->target_fd);
    for (unsigned i = 0; i < LIMIT_ACCESSES_PER_CONNECTION; i++) {
        if (connection->accesses[i] == access) {
            connection->accesses[i] = NULL;
        }
    }
    free(access);
}

struct policy_request target_request(const struct access *access)
{
    const struct connection *connection = access->connection;
    return (struct policy_request){.person = connection->person,
                                   .principals = identity_principals(connection),
                                   .from = connection->from,
                                   .host = access->host,
                                   .port = access->port,
                                   .account = access->account,
                                   .database = cursor_of_text(access->database),
                                   .factor = access->decided_factor.has ? &access->decided_factor : NULL,
                                   .action = access->action,
                                   .at_s = access->decided_s,
                                   .reason = cursor_of_text(access->reason),
                                   .key = connection->key_proof};
}

/* Counted where the target is known: not before it is dialled. */
static bool has_too_many(const struct access *access, unsigned limit)
{
    const struct monitor *monitor = access->connection->monitor;
    unsigned open = 0;
    for (size_t i = 0; limit > 0 && i < monitor->connection_capacity; i++) {
        const struct connection *connection = monitor->connections[i];
        bool is_same = connection != NULL && strcmp(connection->person, access->connection->person) == 0;
        for (unsigned j = 0; is_same && j < LIMIT_ACCESSES_PER_CONNECTION; j++) {
            const struct access *other = connection->accesses[j];
            bool counts = other != NULL && other != access &&
                          (other->state == ACCESS_GRANTING || other->state == ACCESS_GRANTED) &&
                          strcmp(other->target_name, access->target_name) == 0;
            open += counts ? 1 : 0;
        }
    }
    return limit > 0 && open >= limit;
}

void target_decide(struct access *access, struct policy_decision *ret)
{
    const struct connection *connection = access->connection;
    access->decided_factor = identity_factor(connection, clock_monotonic_us());
    access->decided_s = clock_wall_s();
    access->decided_by = connection->monitor->policy_number;
    reason_take(access);
    struct policy_request request = target_request(access);
    policy_decide(connection->monitor->policy, &request, ret);
    target_narrow(access, ret);
    (void)snprintf(access->rule, sizeof access->rule, "%s", ret->rule);
    if (ret->is_observed) {
        report_access(access, "policy.would_deny", EVENT_SUCCESS, ret->code, ret->sentence);
    }
    if (ret->verdict == POLICY_ALLOWED && has_too_many(access, ret->grant.connections)) {
        ret->verdict = POLICY_DENIED;
        (void)snprintf(ret->code, sizeof ret->code, "D-ACCESSES");
        (void)snprintf(
            ret->sentence, sizeof ret->sentence,
            "you have %u sessions open on %s, which is as many as the policy allows; end one first",
            ret->grant.connections, access->target_name);
    }
}

/* ---- step 1: TARGET_OPEN ---- */

/* The policy may have been replaced while it was dialled. */
static enum err find_target(const struct access *access, struct policy_target *ret)
{
    TRY(policy_target(access->connection->monitor->policy, access->host, access->port, ret));
    bool is_same = ret->kind == access->kind && database_is_read(ret) == access->is_database;
    return is_same ? ERR_NONE : ERR_MISMATCH;
}

/* @param ret_why  on error: what is missing to tell the right target from a wrong one */
static enum err write_ready(struct access *access, struct writer *out,
                            char ret_why[static LIMIT_SENTENCE_BYTES])
{
    struct policy_target target;
    TRY(find_target(access, &target));
    writer_string(out, cursor_of(access->sid, sizeof access->sid));
    if (access->is_stream) {
        writer_u8(out, IPC_TARGET_STREAM);
        return ERR_NONE;
    }
    if (access->is_database) {
        writer_u8(out, IPC_TARGET_DATABASE);
        return database_write_ready(access, &target.database, out, ret_why);
    }
    writer_u8(out, IPC_TARGET_SSH);
    writer_string(out, cursor_of(access->host_certificate, access->host_certificate_bytes));
    return target_trust_write(access, &target, out, ret_why);
}

static void deny_untrusted(struct access *access, const char *why)
{
    char sentence[LIMIT_SENTENCE_BYTES];
    if (access->is_database) {
        (void)snprintf(
            sentence, sizeof sentence,
            "the bastion has nothing to tell the right %s from a wrong one (%.150s); ask your operators",
            access->host, why);
    } else {
        (void)snprintf(
            sentence, sizeof sentence,
            "the bastion knows no host key of %s (%.150s), and it never trusts a first contact; ask "
            "your operators",
            access->host, why);
    }
    target_deny(access, access->is_database ? "target.no_ca" : "target.no_host_key",
                access->is_database ? "D-CA" : "D-HOST-KEY", sentence);
}

static void send_ready(struct access *access, int target_fd)
{
    char why[LIMIT_SENTENCE_BYTES] = "no memory";
    uint8_t *body = malloc(IPC_BODY_MAX);
    struct writer out = writer_of(body, body == NULL ? 0 : IPC_BODY_MAX);
    struct cursor bytes = {NULL, NULL};
    enum err err = body == NULL ? ERR_MEMORY : write_ready(access, &out, why);
    if (err == ERR_NONE) {
        err = writer_done(&out, &bytes);
    }
    if (err == ERR_NONE) {
        access->state = ACCESS_READY;
        connection_send(access->connection, IPC_TARGET_READY, access->ref, bytes, &target_fd);
    } else if (err == ERR_MISMATCH || access->is_stream) {
        target_deny(access, "target.denied", "D-CHANGED",
                    "the policy was changed meanwhile; please try again");
        target_done(access);
    } else {
        deny_untrusted(access, why);
        target_done(access);
    }
    free(body);
}

static bool is_established(int fd)
{
    struct tcp_state {
        uint8_t state; /* tcp(7) TCP_INFO: the first byte of struct tcp_info */
    } info = {0};
    socklen_t size = sizeof info;
    enum { STATE_ESTABLISHED = 1, OPTION_TCP_INFO = 11 };
    return getsockopt(fd, IPPROTO_TCP, OPTION_TCP_INFO, &info, &size) == 0 && info.state == STATE_ESTABLISHED;
}

/* It is reached, and what is needed to stand for it is there. */
static void hand_over(struct access *access)
{
    struct connection *connection = access->connection;
    uint32_t ref = access->ref;
    OWNED_FD fd = fd_take(&access->target_fd);
    send_ready(access, fd);
    access = target_find(connection, ref); /* a denial has freed it */
    if (access != NULL && access->is_stream) {
        target_grant_stream(access);
    }
}

static enum err read_dialled(struct access *access, struct ipc_message *message)
{
    struct cursor body = message->body;
    TRY(cursor_text(&body, access->peer_address, sizeof access->peer_address));
    TRY(cursor_text(&body, access->local_address, sizeof access->local_address));
    TRY(cursor_end(&body));
    OWNED_FD fd = ipc_message_take_fd(message, 0);
    /* A socket that is not established could be aimed elsewhere by whoever holds it. */
    if (!is_established(fd)) {
        return ERR_STATE;
    }
    child_done(&access->dial);
    access->target_fd = fd_take(&fd);
    if (!access->is_host_certificate_asked) {
        hand_over(access);
    }
    return ERR_NONE;
}

void target_host_certified(struct access *access)
{
    if (access->target_fd >= 0) {
        hand_over(access);
    }
}

static enum err read_dial_failed(struct access *access, struct cursor body)
{
    static const char *const CODES[] = {"D-DIAL",         "D-DIAL-NAME",    "D-DIAL-ADDRESS",
                                        "D-DIAL-REFUSED", "D-DIAL-TIMEOUT", "D-DIAL"};
    uint8_t reason = 0;
    char sentence[LIMIT_SENTENCE_BYTES];
    TRY(cursor_u8(&body, &reason));
    TRY(cursor_text(&body, sentence, sizeof sentence));
    TRY(cursor_end(&body));
    const char *code = reason < sizeof CODES / sizeof CODES[0] ? CODES[reason] : CODES[0];
    target_deny(access, "target.not_reached", code, sentence);
    target_done(access);
    return ERR_NONE;
}

static void dial_ready(void *owner, struct child *child)
{
    struct access *access = owner;
    struct ipc_message *message = &access->connection->monitor->message;
    enum err err = child_receive(child, PEER_DIAL, PHASE_OPEN);
    if (err == ERR_AGAIN || err == ERR_CLOSED) {
        return;
    }
    if (err == ERR_NONE) {
        err = message->type == IPC_DIAL_DONE ? read_dialled(access, message)
                                             : read_dial_failed(access, message->body);
        ipc_message_done(message);
    }
    if (err != ERR_NONE) {
        child_kill(child);
    }
}

static void dial_exited(void *owner, struct child *child, bool is_clean, const char *how)
{
    (void)child;
    (void)is_clean;
    struct access *access = owner;
    char sentence[LIMIT_SENTENCE_BYTES];
    (void)snprintf(sentence, sizeof sentence, "the bastion could not connect to %s: bastion-dial %s",
                   access->host, how);
    target_deny(access, "target.not_reached", "D-DIAL", sentence);
    target_done(access);
}

static enum err start_dial(struct access *access, const struct policy_target *target)
{
    struct monitor *monitor = access->connection->monitor;
    char uid[24];
    (void)snprintf(uid, sizeof uid, "%u", monitor->config.uids.dial);
    char *argv[] = {"bastion-dial", "--uid", uid, "--gid", uid, NULL};
    struct child_start start = {.program = "bastion-dial",
                                .argv = argv,
                                .owner = access,
                                .on_message = dial_ready,
                                .on_exit = dial_exited};
    uint8_t body[16384];
    struct writer out = writer_of(body, sizeof body);
    writer_text(&out, access->host);
    writer_u16be(&out, access->port);
    writer_u32be(&out, MONITOR_DIAL_TIMEOUT_MS);
    writer_u16be(&out, (uint16_t)target->network_count);
    for (size_t i = 0; i < target->network_count; i++) {
        const struct network *network = &target->networks[i];
        writer_u8(&out, network->family);
        writer_string(&out, cursor_of(network->bytes, network->family == 4 ? 4 : 16));
        writer_u8(&out, network->prefix_bits);
    }
    struct cursor bytes;
    TRY(writer_done(&out, &bytes));
    TRY(child_start(monitor, &start, &access->dial));
    access->dial_deadline_us = clock_monotonic_us() + (uint64_t)MONITOR_DIAL_TIMEOUT_MS * 1000 + US_PER_S;
    return ipc_send(access->dial->channel, IPC_DIAL, 0, bytes, NULL, 0);
}

/* Inside a byte stream, and on the way to a database, nobody can be asked for a code. */
void target_deny_unasked(struct access *access, const struct policy_decision *decision)
{
    char sentence[LIMIT_SENTENCE_BYTES];
    const char *help =
        decision->verdict == POLICY_NEEDS_FACTOR   ? ": give it with ssh -t BASTION mfa renew, then try again"
        : decision->verdict == POLICY_NEEDS_REASON ? ": tell it with ssh BASTION reason TEXT, then try again"
                                                   : "";
    (void)snprintf(sentence, sizeof sentence, "%.400s%s", decision->sentence, help);
    target_deny(access, "target.denied", decision->code, sentence);
    target_done(access);
}

static void begin_access(struct access *access)
{
    struct monitor *monitor = access->connection->monitor;
    struct policy_target target;
    struct policy_decision decision;
    enum err err = policy_target(monitor->policy, access->host, access->port, &target);
    if (err == ERR_NONE) {
        access->kind = target.kind;
        access->is_database = database_is_read(&target);
        access->is_stream = !access->is_database && target.kind != POLICY_TARGET_SSH;
    }
    target_decide(access, &decision);
    if (decision.verdict == POLICY_DENIED) {
        target_deny(access, "target.denied", decision.code, decision.sentence);
        target_done(access);
        return;
    }
    if (monitor->is_evidence_lost || monitor->recordings.service.state != SERVICE_READY) {
        target_deny(access, "target.denied", "D-RECORDER",
                    "the bastion cannot record right now: no record, no session");
        target_done(access);
        return;
    }
    if (err == ERR_NONE && target.kind == POLICY_TARGET_INTERNAL) {
        target_deny(access, "target.denied", "D-KIND",
                    "this bastion does not connect to targets of this kind yet");
        target_done(access);
        return;
    }
    if (access->kind != POLICY_TARGET_SSH && decision.verdict != POLICY_ALLOWED) {
        target_deny_unasked(access, &decision);
        return;
    }
    if (err == ERR_NONE) {
        (void)snprintf(access->target_name, sizeof access->target_name, "%s", target.name);
        access->state = ACCESS_DIALLING;
        err = start_dial(access, &target);
    }
    if (err == ERR_NONE && access->kind == POLICY_TARGET_SSH) {
        host_certificate_ask(access);
    }
    if (err != ERR_NONE) {
        target_deny(access, "target.not_reached", "D-DIAL",
                    "the bastion could not start to connect; tell your operators");
        target_done(access);
    }
}

static struct access **free_place(struct connection *connection)
{
    for (unsigned i = 0; i < LIMIT_ACCESSES_PER_CONNECTION; i++) {
        if (connection->accesses[i] == NULL) {
            return &connection->accesses[i];
        }
    }
    return NULL;
}

enum err target_open(struct connection *connection, uint32_t ref, struct cursor body)
{
    char host[LIMIT_HOST_BYTES];
    uint16_t port = 0;
    TRY(cursor_text(&body, host, sizeof host));
    TRY(cursor_u16be(&body, &port));
    TRY(cursor_end(&body));
    struct access **place = free_place(connection);
    bool is_new = ref != 0 && target_find(connection, ref) == NULL && command_find(connection, ref) == NULL;
    if (place == NULL || !is_new || !text_is_host(cursor_of_text(host))) {
        return ERR_STATE;
    }
    struct access *access = calloc(1, sizeof *access);
    if (access == NULL) {
        return ERR_MEMORY;
    }
    access->connection = connection;
    access->ref = ref;
    access->recorder_fd = access->target_fd = -1;
    access->kind = POLICY_TARGET_SSH;
    access->port = port;
    (void)snprintf(access->host, sizeof access->host, "%s", host);
    crypto_random(access->sid, sizeof access->sid);
    (void)text_hex(cursor_of(access->sid, sizeof access->sid), access->sid_text, sizeof access->sid_text);
    *place = access;
    begin_access(access);
    return ERR_NONE;
}

enum err target_end(struct connection *connection, uint32_t ref, struct cursor body)
{
    char reason[LIMIT_SENTENCE_BYTES];
    uint64_t to_target_bytes = 0;
    uint64_t from_target_bytes = 0;
    TRY(cursor_text(&body, reason, sizeof reason));
    TRY(cursor_u64be(&body, &to_target_bytes));
    TRY(cursor_u64be(&body, &from_target_bytes));
    TRY(cursor_end(&body));
    struct access *access = target_find(connection, ref);
    if (access == NULL) {
        return ERR_NONE; /* a denial freed it before the session heard of it */
    }
    report_closed(access, reason, to_target_bytes, from_target_bytes);
    target_done(access);
    factor_abandon(connection, ref);
    return ERR_NONE;
}

void target_withdraw(struct access *access, const char *code, const char *sentence)
{
    if (access->withdrawn_us == 0) {
        access->withdrawn_us = clock_monotonic_us();
        deny_as(access, TARGET_DENIED_WITHDRAWN, "session.withdrawn", code, sentence);
    }
}

void target_tick(struct access *access, uint64_t now_us)
{
    if (access->withdrawn_us != 0 && now_us - access->withdrawn_us >= WITHDRAWAL_US) {
        connection_violation(access->connection, "it did not end a session that was withdrawn");
        return;
    }
    if (access->state == ACCESS_DIALLING && now_us >= access->dial_deadline_us) {
        target_deny(access, "target.not_reached", "D-DIAL-TIMEOUT", "the target did not answer in time");
        target_done(access);
        return;
    }
    if (access->token != NULL && now_us >= access->token_deadline_us) {
        child_done(&access->token);
        target_no_credential(access, "the bastion got no token of AWS in time");
        return;
    }
    uint64_t limit_us = ((uint64_t)access->session_limit_s + SESSION_GRACE_S) * US_PER_S;
    if (access->state == ACCESS_GRANTED && access->session_limit_s > 0 &&
        now_us - access->granted_us >= limit_us) {
        report_access(access, "session.limit", EVENT_DENIED, "D-LIMIT",
                      "the session process did not end at its limit");
        connection_end(access->connection, "this session has reached its longest allowed time [D-LIMIT]");
    }
}
