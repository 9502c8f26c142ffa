/* What operators read, and what goes into the evidence log. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/writer.h"
#include "policy/decided.h"
#include "state.h"

enum { LEAF_BYTES = 2048 };

void report(struct monitor *monitor, const char *event, enum event_outcome outcome,
            const struct event_field *fields)
{
    bool was_lost = monitor->is_evidence_lost;
    monitor->is_evidence_lost = event_write(&monitor->events, event, outcome, fields) != ERR_NONE;
    if (monitor->is_evidence_lost && !was_lost) {
        (void)fputs("bastiond: cannot write the events file: nobody is admitted until it can be written; "
                    "free space on "
                    "its disk or check its path\n",
                    stderr);
    }
}

void report_connection(struct connection *connection, const char *event, enum event_outcome outcome,
                       const char *code, const char *sentence)
{
    const char *person = connection->person[0] != 0 ? connection->person : connection->claimed_person;
    if (outcome == EVENT_DENIED) {
        past_denied(connection, NULL, code, sentence);
    }
    REPORT(connection->monitor, event, outcome, EVENT_NUMBER("connection", connection->number),
           {.key = "from", .text = connection->from}, {.key = "person", .text = person},
           {.key = "key", .text = connection->key_fingerprint}, {.key = "code", .text = code},
           {.key = "sentence", .text = sentence});
}

void report_login(struct connection *connection)
{
    struct policy_factor factor = identity_factor(connection, clock_monotonic_us());
    struct event_field age = EVENT_NUMBER("factor_age_s", factor.age_s);
    REPORT(connection->monitor, "login.accepted", EVENT_SUCCESS,
           EVENT_NUMBER("connection", connection->number), {.key = "from", .text = connection->from},
           {.key = "person", .text = connection->person}, {.key = "key", .text = connection->key_fingerprint},
           {.key = "factor", .text = connection->factor_by},
           factor.has ? age : (struct event_field){.key = "factor_age_s", .text = NULL});
}

void report_access(struct access *access, const char *event, enum event_outcome outcome, const char *code,
                   const char *sentence)
{
    struct connection *connection = access->connection;
    if (outcome == EVENT_DENIED) {
        past_denied(connection, access, code, sentence);
    }
    REPORT(connection->monitor, event, outcome, EVENT_NUMBER("connection", connection->number),
           {.key = "session", .text = access->sid_text}, {.key = "from", .text = connection->from},
           {.key = "person", .text = connection->person}, {.key = "key", .text = connection->key_fingerprint},
           {.key = "host", .text = access->host}, EVENT_NUMBER("port", access->port),
           {.key = "target", .text = access->target_name}, {.key = "address", .text = access->peer_address},
           {.key = "account", .text = access->account},
           {.key = "database", .text = access->database[0] != 0 ? access->database : NULL},
           {.key = "factor", .text = connection->factor_by},
           {.key = "reason", .text = access->reason[0] != 0 ? access->reason : NULL},
           {.key = "rule", .text = access->rule}, {.key = "policy", .text = connection->monitor->policy_hash},
           {.key = "code", .text = code}, {.key = "sentence", .text = sentence});
}

void report_closed(struct access *access, const char *reason, uint64_t to_target_bytes,
                   uint64_t from_target_bytes)
{
    struct connection *connection = access->connection;
    REPORT(connection->monitor, "target.closed", EVENT_SUCCESS,
           EVENT_NUMBER("connection", connection->number), {.key = "session", .text = access->sid_text},
           {.key = "from", .text = connection->from}, {.key = "person", .text = connection->person},
           {.key = "host", .text = access->host}, EVENT_NUMBER("port", access->port),
           {.key = "target", .text = access->target_name}, {.key = "address", .text = access->peer_address},
           {.key = "account", .text = access->account},
           {.key = "database", .text = access->database[0] != 0 ? access->database : NULL},
           {.key = "rule", .text = access->rule}, EVENT_NUMBER("to_target_bytes", to_target_bytes),
           EVENT_NUMBER("from_target_bytes", from_target_bytes), {.key = "sentence", .text = reason});
}

void report_decision(const struct access *access, bool is_allowed, const char *code)
{
    struct policy_request request = target_request(access);
    struct policy_decided decided;
    char line[DECIDED_LINE_BYTES];
    policy_decided_of(&request, &decided);
    decided.is_allowed = is_allowed;
    (void)snprintf(decided.session, sizeof decided.session, "%s", access->sid_text);
    (void)snprintf(decided.rule, sizeof decided.rule, "%s", access->rule);
    (void)snprintf(decided.code, sizeof decided.code, "%s", code);
    (void)snprintf(decided.policy, sizeof decided.policy, "%s", access->connection->monitor->policy_hash);
    report_evidence(access->connection->monitor, "decision", policy_decided_write(&decided, line));
}

void report_evidence(struct monitor *monitor, const char *kind, const char *text)
{
    char printable[LEAF_BYTES - 64];
    text_printable(cursor_of_text(text), printable, sizeof printable);
    for (char *at = printable; *at != 0; at++) {
        if ((unsigned char)*at >= 0x7f) {
            *at = '?'; /* leaves are ASCII */
        }
    }
    char leaf[LEAF_BYTES];
    char time[CLOCK_TEXT_BYTES];
    (void)snprintf(leaf, sizeof leaf, "%s %s %s", kind, clock_text(clock_wall_us(), time), printable);
    uint8_t body[LEAF_BYTES + 8];
    struct writer out = writer_of(body, sizeof body);
    writer_text(&out, leaf);
    struct cursor bytes;
    const struct service *recorder = &monitor->recordings.service;
    if (recorder->state != SERVICE_READY || writer_done(&out, &bytes) != ERR_NONE ||
        ipc_send(recorder->child->channel, IPC_EVIDENCE_ADD, 0, bytes, NULL, 0) != ERR_NONE) {
        REPORT(monitor, "evidence.lost", EVENT_FAILURE, {.key = "leaf", .text = leaf});
    }
}
