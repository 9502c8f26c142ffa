#include "gate_state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

struct gate *gate_new(const struct policy_grant *grant, const struct gate_calls *calls, void *owner)
{
    struct gate *gate = calloc(1, sizeof *gate);
    if (gate != NULL) {
        gate->grant = grant;
        gate->calls = calls;
        gate->owner = owner;
        gate->counters.exit_status = UINT32_MAX;
    }
    return gate;
}

void gate_free(struct gate *gate)
{
    if (gate == NULL) {
        return;
    }
    for (unsigned i = 0; i < LIMIT_CHANNELS_PER_ACCESS; i++) {
        tap_done(&gate->channels[i].tap);
        gate_files_free(&gate->channels[i]);
    }
    free(gate);
}

/* What the files of the gate share */

void gate_set_violation(struct gate *gate, enum gate_side from, const char *what)
{
    (void)snprintf(gate->explain, sizeof gate->explain, "the %s %s",
                   from == GATE_CLIENT ? "client" : "target", what);
    gate->is_violated = true;
}

MUST_CHECK enum err gate_forward(struct gate *gate, const struct gate_packet *packet)
{
    gate->is_forwarded = true;
    return gate->calls->send(gate->owner, gate_other(packet->from), packet->type, packet->payload,
                             cursor_of(NULL, 0));
}

MUST_CHECK enum err gate_send(struct gate *gate, enum gate_side to, enum relay_type type,
                              const struct writer *out)
{
    struct cursor head;
    enum err err = writer_done(out, &head);
    assert(err == ERR_NONE); /* our own packets are bounded by RELAY_OWN_PACKET_BYTES */
    return gate->calls->send(gate->owner, to, (uint8_t)type, head, cursor_of(NULL, 0));
}

MUST_CHECK enum err gate_send_number(struct gate *gate, enum gate_side to, enum relay_type type,
                                     const struct gate_channel *at)
{
    uint8_t memory[sizeof(uint32_t)];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u32be(&out, at->number[to]);
    return gate_send(gate, to, type, &out);
}

static bool gate_is_named(const struct gate_channel *at, enum gate_side from, uint32_t recipient)
{
    return at->state == GATE_OPEN && at->number[gate_other(from)] == recipient &&
           !at->flow[from].has_sent_close;
}

MUST_CHECK enum err gate_find(struct gate *gate, enum gate_side from, uint32_t recipient,
                              struct gate_channel **ret_channel)
{
    struct gate_channel *last = &gate->channels[gate->last[from]];
    if (gate_is_named(last, from, recipient)) {
        *ret_channel = last;
        return ERR_NONE;
    }
    for (unsigned i = 0; i < LIMIT_CHANNELS_PER_ACCESS; i++) {
        if (gate_is_named(&gate->channels[i], from, recipient)) {
            gate->last[from] = (uint8_t)i;
            *ret_channel = &gate->channels[i];
            return ERR_NONE;
        }
    }
    return gate_violation(gate, from, "named a channel that is not open");
}

MUST_CHECK enum err gate_refused(struct gate *gate, uint32_t channel, const char *what, struct cursor detail,
                                 const char *reason)
{
    gate->counters.refused_count++;
    return tap_refused(gate->calls->record, gate->owner, channel, what, detail, reason);
}

MUST_CHECK enum err gate_note(struct gate *gate, const struct gate_channel *at, const char *text,
                              struct cursor detail)
{
    char shown[LIMIT_SENTENCE_BYTES / 2];
    char note[LIMIT_SENTENCE_BYTES];
    text_printable(detail, shown, sizeof shown);
    (void)snprintf(note, sizeof note, "%s%s%s", text, shown[0] == 0 ? "" : ": ", shown);
    return tap_note(gate->calls->record, gate->owner, at->tap.channel, note);
}

/* Packets on open channels */

static MUST_CHECK enum err gate_check_data(struct gate *gate, const struct gate_packet *packet,
                                           const struct gate_channel *at, const struct relay_data *data)
{
    const struct gate_flow *flow = &at->flow[packet->from];
    size_t len_bytes = cursor_len(&data->bytes);
    /* RFC 4254 5.2 knows one code; 6 gives it to the server's side of a session only. */
    if (packet->type == RELAY_EXTENDED_DATA &&
        (packet->from == GATE_CLIENT || at->kind != GATE_SESSION || data->code != RELAY_EXTENDED_STDERR)) {
        return gate_violation(gate, packet->from, "sent extended data that its channel cannot have");
    }
    if (flow->has_sent_eof) {
        return gate_violation(gate, packet->from, "sent data after end of file");
    }
    if (len_bytes > flow->max_packet_bytes) {
        return gate_violation(gate, packet->from, "sent more data in one packet than the other side takes");
    }
    if (len_bytes > flow->window_bytes) {
        return gate_violation(gate, packet->from, "sent more data than its window allows");
    }
    return ERR_NONE;
}

static MUST_CHECK enum err gate_data(struct gate *gate, const struct gate_packet *packet)
{
    struct relay_data data;
    struct gate_channel *at = NULL;
    GATE_READ(gate, packet, relay_read_data(packet->payload, packet->type == RELAY_EXTENDED_DATA, &data));
    TRY(gate_find(gate, packet->from, data.recipient, &at));
    TRY(gate_check_data(gate, packet, at, &data));
    size_t len_bytes = cursor_len(&data.bytes);
    at->flow[packet->from].window_bytes -= (uint32_t)len_bytes;
    if (at->refusal != GATE_ACCEPTED) {
        return ERR_NONE;
    }
    enum tap_stream_kind stream = TAP_STDIN;
    if (packet->from == GATE_TARGET) {
        stream = packet->type == RELAY_DATA ? TAP_STDOUT : TAP_STDERR;
        gate->counters.from_target_bytes += len_bytes;
    } else {
        gate->counters.to_target_bytes += len_bytes;
    }
    gate->active_us = gate->now_us;
    if (at->files != NULL && packet->type == RELAY_DATA) {
        tap_count(&at->tap, stream, data.bytes);
        return gate_files_data(gate, at, packet->from, data.bytes);
    }
    if (at->transfer != NULL && packet->type == RELAY_DATA) {
        TRY(transfer_data(at->transfer, packet->from == GATE_CLIENT, data.bytes));
    }
    if (at->kind == GATE_SESSION) {
        TRY(tap_data(&at->tap, stream, data.bytes));
    } else {
        tap_count(&at->tap, stream, data.bytes);
    }
    return at->files == NULL ? gate_forward(gate, packet) : gate_files_errors(gate, at, data.bytes);
}

static MUST_CHECK enum err gate_window_adjust(struct gate *gate, const struct gate_packet *packet)
{
    uint32_t recipient = 0;
    uint32_t more_bytes = 0;
    struct gate_channel *at = NULL;
    GATE_READ(gate, packet, relay_read_window_adjust(packet->payload, &recipient, &more_bytes));
    TRY(gate_find(gate, packet->from, recipient, &at));
    if (at->files != NULL && at->refusal == GATE_ACCEPTED) {
        return gate_files_window(gate, at, packet->from, more_bytes);
    }
    struct gate_flow *flow = &at->flow[gate_other(packet->from)];
    /* RFC 4254 5.2: the window MUST NOT be increased above 2^32 - 1 bytes. */
    if (more_bytes > UINT32_MAX - flow->window_bytes) {
        return gate_violation(gate, packet->from, "made a window larger than 2^32 - 1 bytes");
    }
    flow->window_bytes += more_bytes;
    return at->refusal == GATE_ACCEPTED ? gate_forward(gate, packet) : ERR_NONE;
}

static MUST_CHECK enum err gate_eof(struct gate *gate, const struct gate_packet *packet)
{
    uint32_t recipient = 0;
    struct gate_channel *at = NULL;
    GATE_READ(gate, packet, relay_read_channel(packet->payload, &recipient));
    TRY(gate_find(gate, packet->from, recipient, &at));
    struct gate_flow *flow = &at->flow[packet->from];
    if (flow->has_sent_eof) {
        return gate_violation(gate, packet->from, "sent end of file twice");
    }
    flow->has_sent_eof = true;
    if (at->refusal != GATE_ACCEPTED || gate_files_hold_eof(at, packet->from)) {
        return ERR_NONE;
    }
    flow->is_eof_passed = true;
    return gate_forward(gate, packet);
}

/* A refused channel ends like any other towards the target: by the client's own CLOSE. So the target cannot
 * use its number again while packets of the client for the old channel are on their way. */
static MUST_CHECK enum err gate_close(struct gate *gate, const struct gate_packet *packet)
{
    uint32_t recipient = 0;
    struct gate_channel *at = NULL;
    GATE_READ(gate, packet, relay_read_channel(packet->payload, &recipient));
    TRY(gate_find(gate, packet->from, recipient, &at));
    at->flow[packet->from].has_sent_close = true;
    TRY(gate_tell_refusal(gate, at));
    if (packet->from == GATE_TARGET && gate_files_hold_close(at)) {
        return ERR_NONE;
    }
    if (at->files != NULL) {
        TRY(gate_files_pass_close(gate, at));
    }
    bool is_told = at->refusal == GATE_REFUSAL_TOLD && packet->from == GATE_TARGET;
    if (at->flow[gate_other(packet->from)].has_sent_close) {
        TRY(gate_channel_over(gate, at));
    }
    return is_told ? ERR_NONE : gate_forward(gate, packet);
}

static MUST_CHECK enum err gate_dispatch(struct gate *gate, const struct gate_packet *packet)
{
    switch (packet->type) {
    case RELAY_DATA:
    case RELAY_EXTENDED_DATA:
        return gate_data(gate, packet);
    case RELAY_WINDOW_ADJUST:
        return gate_window_adjust(gate, packet);
    case RELAY_OPEN:
        return gate_open(gate, packet);
    case RELAY_OPEN_CONFIRMATION:
        return gate_open_confirmation(gate, packet);
    case RELAY_OPEN_FAILURE:
        return gate_open_failure(gate, packet);
    case RELAY_EOF:
        return gate_eof(gate, packet);
    case RELAY_CLOSE:
        return gate_close(gate, packet);
    case RELAY_REQUEST:
        return gate_channel_request(gate, packet);
    case RELAY_SUCCESS:
    case RELAY_FAILURE:
        return gate_channel_reply(gate, packet);
    case RELAY_GLOBAL_REQUEST:
        return gate_global_request(gate, packet);
    case RELAY_REQUEST_SUCCESS:
    case RELAY_REQUEST_FAILURE:
        return gate_global_reply(gate, packet);
    default:
        return gate_violation(gate, packet->from, "sent a packet type that RFC 4254 does not define");
    }
}

enum gate_verdict gate_packet(struct gate *gate, enum gate_side from, uint8_t type, struct cursor payload)
{
    if (gate->is_over) {
        return GATE_DROPPED;
    }
    const struct gate_packet packet = {.from = from, .type = type, .payload = payload};
    gate->is_forwarded = false;
    enum err err = gate_dispatch(gate, &packet);
    if (err == ERR_NONE) {
        return gate->is_forwarded ? GATE_FORWARDED : GATE_DROPPED;
    }
    gate->is_over = true;
    if (!gate->is_violated) {
        gate->error = err;
        return GATE_FAILED;
    }
    char note[LIMIT_SENTENCE_BYTES + sizeof "protocol error: "];
    (void)snprintf(note, sizeof note, "protocol error: %s", gate->explain);
    gate->error = tap_note(gate->calls->record, gate->owner, TAP_WHOLE_ACCESS, note);
    return GATE_VIOLATION;
}

const char *gate_explain(const struct gate *gate)
{
    return gate->is_violated ? gate->explain : NULL;
}

enum err gate_error(const struct gate *gate)
{
    return gate->error;
}

/* What the owner asks */

void gate_set_time(struct gate *gate, uint64_t now_us)
{
    gate->now_us = now_us;
    if (gate->active_us == 0) {
        gate->active_us = now_us; /* idle time begins with the access */
    }
}

uint64_t gate_idle_us(const struct gate *gate, uint64_t now_us)
{
    return now_us > gate->active_us ? now_us - gate->active_us : 0;
}

void gate_counters(const struct gate *gate, struct gate_counters *ret_counters)
{
    *ret_counters = gate->counters;
}

unsigned gate_channel_count(const struct gate *gate)
{
    unsigned count = 0;
    for (unsigned i = 0; i < LIMIT_CHANNELS_PER_ACCESS; i++) {
        count += gate->channels[i].state != GATE_FREE;
    }
    return count;
}
