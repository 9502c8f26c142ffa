/* A scripted conversation through a gate. Everything that leaves the gate is written down as text, one item
 * after another: "pass" for a packet that was forwarded (the same memory, whole), "client: ..." and "target:
 * ..." for the gate's own packets, "<kind> <channel> ..." for records, which are read with the record room's
 * own reader. */
#ifndef TESTS_RELAY_TALK_H
#define TESTS_RELAY_TALK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packets.h"
#include "policy/grant.h"
#include "record/stream.h"
#include "relay/gate.h"

enum { TALK_TEXT_BYTES = 8192 };

struct talk {
    struct gate *gate;
    struct policy_grant grant;
    struct cursor payload; /* of the step at hand */
    enum gate_side from;
    uint8_t type;
    enum err send_error, record_error; /* what the calls return from now on */
    size_t text_len;
    char text[TALK_TEXT_BYTES];
};

__attribute__((format(printf, 2, 3))) static void talk_write(struct talk *talk, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    size_t room = sizeof talk->text - talk->text_len;
    if (talk->text_len > 0 && talk->text_len + 2 < sizeof talk->text) {
        memcpy(talk->text + talk->text_len, "; ", 3);
        talk->text_len += 2;
        room -= 2;
    }
    int len = vsnprintf(talk->text + talk->text_len, room, format, values);
    va_end(values);
    assert_true(len >= 0 && (size_t)len < room);
    talk->text_len += (size_t)len;
}

#define SHOWN(bytes)                                                                                         \
    ((int)cursor_len(&(bytes)) > 200 ? 200 : (int)cursor_len(&(bytes))), (const char *)(bytes).at

static void talk_write_own(struct talk *talk, const char *to, uint8_t type, struct cursor payload)
{
    struct relay_data data;
    struct relay_request request;
    struct relay_open open;
    struct relay_open_failure failure;
    uint32_t number = 0;
    if (type == RELAY_EXTENDED_DATA) {
        assert_int_equal(relay_read_data(payload, true, &data), ERR_NONE);
        talk_write(talk, "%s: stderr %u '%.*s'", to, data.recipient, SHOWN(data.bytes));
    } else if (type == RELAY_REQUEST) {
        assert_int_equal(relay_read_request(payload, &request), ERR_NONE);
        assert_int_equal(cursor_u32be(&request.rest, &number), ERR_NONE);
        assert_int_equal(cursor_end(&request.rest), ERR_NONE);
        talk_write(talk, "%s: %.*s %u = %u", to, SHOWN(request.name), request.recipient, number);
    } else if (type == RELAY_OPEN) {
        assert_int_equal(relay_read_open(payload, &open), ERR_NONE);
        talk_write(talk, "%s: open %.*s %u window %u max %u", to, SHOWN(open.kind), open.sender,
                   open.window_bytes, open.max_packet_bytes);
    } else if (type == RELAY_OPEN_FAILURE) {
        assert_int_equal(relay_read_open_failure(payload, &failure), ERR_NONE);
        talk_write(talk, "%s: open failure %u reason %u", to, failure.recipient, failure.reason);
    } else if (type == RELAY_REQUEST_FAILURE) {
        assert_int_equal(cursor_end(&payload), ERR_NONE);
        talk_write(talk, "%s: request failure", to);
    } else {
        assert_int_equal(relay_read_channel(payload, &number), ERR_NONE);
        talk_write(talk, "%s: %s %u", to, relay_type_name(type), number);
    }
}

static enum err talk_send(void *owner, enum gate_side to, uint8_t type, struct cursor head,
                          struct cursor body)
{
    struct talk *talk = owner;
    assert_int_equal(cursor_len(&body), 0);
    if (head.at == talk->payload.at && head.at != NULL) {
        assert_ptr_equal(head.end, talk->payload.end);
        assert_int_equal(type, talk->type);
        assert_int_not_equal(to, talk->from);
        talk_write(talk, "pass");
    } else {
        talk_write_own(talk, to == GATE_CLIENT ? "client" : "target", type, head);
    }
    return talk->send_error;
}

static void talk_write_record(struct talk *talk, const struct record *record)
{
    struct record_body body;
    assert_int_equal(record_body_read(record, &body), ERR_NONE);
    char where[16];
    (void)snprintf(where, sizeof where, "%d", (int)record->channel);
    const char *kind = record_kind_name(record->kind);
    if (record->kind <= RECORD_STDIN) {
        talk_write(talk, "%s %s '%.*s'", kind, where, SHOWN(body.bytes));
    } else if (record->kind == RECORD_PTY || record->kind == RECORD_RESIZE) {
        talk_write(talk, "%s %s %.*s%ux%u", kind, where, SHOWN(body.pty.term), body.pty.cols, body.pty.rows);
    } else if (record->kind == RECORD_ENV) {
        talk_write(talk, "%s %s %.*s=%.*s", kind, where, SHOWN(body.env.name), SHOWN(body.env.value));
    } else if (record->kind == RECORD_EXIT_STATUS) {
        talk_write(talk, "%s %s %u", kind, where, body.exit_status);
    } else if (record->kind == RECORD_FORWARD_OPEN) {
        talk_write(talk, "%s %s %.*s '%.*s' to %.*s", kind, where, SHOWN(body.forward_open.kind),
                   SHOWN(body.forward_open.from), SHOWN(body.forward_open.to));
    } else if (record->kind == RECORD_EXIT_SIGNAL) {
        talk_write(talk, "%s %s %.*s", kind, where, SHOWN(body.exit_signal.name));
    } else if (record->kind == RECORD_CHANNEL_CLOSE || record->kind == RECORD_FORWARD_CLOSE) {
        talk_write(talk, "%s %s to %u from %u", kind, where, (unsigned)body.channel_close.to_target_bytes,
                   (unsigned)body.channel_close.from_target_bytes);
    } else if (record->kind == RECORD_STREAM_TOTAL) {
        talk_write(talk, "%s %s %s %u/%u", kind, where, record_kind_name(body.stream_total.kind),
                   (unsigned)body.stream_total.kept_bytes, (unsigned)body.stream_total.seen_bytes);
    } else if (record->kind == RECORD_REFUSED) {
        talk_write(talk, "%s %s %.*s", kind, where, SHOWN(body.refused.what));
    } else if (record->kind == RECORD_SHELL) {
        talk_write(talk, "%s %s", kind, where);
    } else {
        talk_write(talk, "%s %s %.*s", kind, where, SHOWN(body.text));
    }
}

static enum err talk_record(void *owner, uint8_t kind, uint32_t channel, struct cursor head,
                            struct cursor body)
{
    struct talk *talk = owner;
    static uint8_t joined[LIMIT_RECORD_BODY_BYTES];
    struct writer out = writer_of(joined, sizeof joined);
    writer_bytes(&out, head);
    writer_bytes(&out, body);
    const struct record record = {.channel = channel, .kind = kind, .body = packet_end(&out)};
    talk_write_record(talk, &record);
    return talk->record_error;
}

static const struct gate_calls TALK_CALLS = {.send = talk_send, .record = talk_record};

/* A gate that grants shell and every command; the rest is off. */
static void talk_begin(struct talk *talk)
{
    *talk = (struct talk){.grant = {.shell = true,
                                    .exec = GRANT_EXEC_ANY,
                                    .exec_hashes = true,
                                    .exec_record_cap_bytes = 1 << 20,
                                    .channels = LIMIT_CHANNELS_PER_ACCESS,
                                    .rule = "r1"}};
    talk->gate = gate_new(&talk->grant, &TALK_CALLS, talk);
    assert_non_null(talk->gate);
}

static void talk_end(struct talk *talk)
{
    gate_free(talk->gate);
    talk->gate = NULL;
}

/* One packet; `expected` is everything that it makes leave the gate. */
static void talk_step(struct talk *talk, enum gate_side from, uint8_t type, struct cursor payload,
                      enum gate_verdict verdict, const char *expected)
{
    talk->from = from;
    talk->type = type;
    talk->payload = payload;
    talk->text_len = 0;
    talk->text[0] = 0;
    assert_int_equal(gate_packet(talk->gate, from, type, payload), verdict);
    assert_string_equal(talk->text, expected);
}

/* The same for packets of which only the verdict matters. */
__attribute__((unused)) static void talk_expect(struct talk *talk, enum gate_side from, uint8_t type,
                                                struct cursor payload, enum gate_verdict verdict)
{
    talk->from = from;
    talk->type = type;
    talk->payload = payload;
    talk->text_len = 0;
    assert_int_equal(gate_packet(talk->gate, from, type, payload), verdict);
}

#define FROM_CLIENT(type, payload, verdict, expected)                                                        \
    talk_step(&talk, GATE_CLIENT, RELAY_##type, payload, GATE_##verdict, expected)
#define FROM_TARGET(type, payload, verdict, expected)                                                        \
    talk_step(&talk, GATE_TARGET, RELAY_##type, payload, GATE_##verdict, expected)

/* An open session: the client calls it `client`, the target `target`; windows and packets of 1000 bytes each
 * way. */
__attribute__((unused)) static void talk_open(struct talk *talk, uint32_t client, uint32_t target)
{
    talk_expect(talk, GATE_CLIENT, RELAY_OPEN, pk_open("session", client, 1000, 1000), GATE_FORWARDED);
    talk_expect(talk, GATE_TARGET, RELAY_OPEN_CONFIRMATION, pk_confirm(client, target, 1000, 1000),
                GATE_FORWARDED);
}

/* The packet ends the access, the explanation contains `why`, and nothing passes any more. */
__attribute__((unused)) static void talk_violate(struct talk *talk, enum gate_side from, uint8_t type,
                                                 struct cursor payload, const char *why)
{
    talk_expect(talk, from, type, payload, GATE_VIOLATION);
    assert_non_null(gate_explain(talk->gate));
    assert_non_null(strstr(gate_explain(talk->gate), why));
    assert_non_null(strstr(talk->text, "note -1 protocol error: "));
    talk_step(talk, GATE_CLIENT, RELAY_GLOBAL_REQUEST, pk_global("keepalive@openssh.com", true), GATE_DROPPED,
              "");
}

#endif
