#include "gate_state.h"

#include <assert.h>
#include <stdio.h>

#include "base/text.h"

/* Channel types that may pass, and who may ask for them. All others are refused towards the side that asked.
 */
static const struct gate_kind_rule {
    const char *name;
    enum gate_side opener;
} GATE_KIND_RULES[GATE_KINDS] = {
    [GATE_SESSION] = {"session", GATE_CLIENT},
    [GATE_AGENT] = {"auth-agent@openssh.com", GATE_TARGET},
    [GATE_X11] = {"x11", GATE_TARGET},
    [GATE_DIRECT_TCP] = {"direct-tcpip", GATE_CLIENT},
    [GATE_DIRECT_SOCKET] = {"direct-streamlocal@openssh.com", GATE_CLIENT},
    [GATE_REMOTE_TCP] = {"forwarded-tcpip", GATE_TARGET},
    [GATE_REMOTE_SOCKET] = {"forwarded-streamlocal@openssh.com", GATE_TARGET},
};

/* Does the grant, and the client's own wish, allow this kind at all? */
static bool gate_is_kind_granted(const struct gate *gate, enum gate_kind kind)
{
    switch (kind) {
    case GATE_SESSION:    /* what it runs is decided by its requests */
    case GATE_DIRECT_TCP: /* where it leads is looked at next */
    case GATE_DIRECT_SOCKET:
    case GATE_REMOTE_TCP:
    case GATE_REMOTE_SOCKET:
        return true;
    case GATE_AGENT:
        return gate->grant->agent && gate->is_asked[kind];
    case GATE_X11:
        return gate->grant->x11 && gate->is_asked[kind];
    case GATE_KINDS:
        break;
    }
    return false;
}

static bool gate_find_kind(struct cursor name, enum gate_side opener, enum gate_kind *ret_kind)
{
    for (unsigned i = 0; i < GATE_KINDS; i++) {
        if (GATE_KIND_RULES[i].opener == opener && cursor_equal_text(name, GATE_KIND_RULES[i].name)) {
            *ret_kind = (enum gate_kind)i;
            return true;
        }
    }
    return false;
}

/* The channel for which `side` uses `number`, whether or not it may still speak there. */
static struct gate_channel *gate_number_used(struct gate *gate, enum gate_side side, uint32_t number)
{
    for (unsigned i = 0; i < LIMIT_CHANNELS_PER_ACCESS; i++) {
        struct gate_channel *at = &gate->channels[i];
        bool has_number = at->state == GATE_OPEN || (at->state == GATE_ASKED && at->opener == side);
        if (has_number && at->number[side] == number) {
            return at;
        }
    }
    return NULL;
}

static struct gate_channel *gate_find_room(struct gate *gate)
{
    if (gate_channel_count(gate) >= gate->grant->channels) {
        return NULL;
    }
    for (unsigned i = 0; i < LIMIT_CHANNELS_PER_ACCESS; i++) {
        if (gate->channels[i].state == GATE_FREE) {
            return &gate->channels[i];
        }
    }
    return NULL;
}

static MUST_CHECK enum err gate_refuse_open(struct gate *gate, const struct gate_packet *packet,
                                            const struct relay_open *open, enum relay_open_reason reason,
                                            const char *sentence)
{
    uint32_t channel = packet->from == GATE_CLIENT ? open->sender : TAP_WHOLE_ACCESS;
    TRY(gate_refused(gate, channel, packet->from == GATE_CLIENT ? "channel" : "channel from the target",
                     open->kind, sentence));
    uint8_t memory[RELAY_OWN_PACKET_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    relay_write_open_failure(&out, open->sender, reason, sentence);
    return gate_send(gate, packet->from, RELAY_OPEN_FAILURE, &out);
}

/* RFC 4254 7.2 and OpenSSH's PROTOCOL: the refusals that an engineer is likely to meet say what to do. */
static const char *gate_kind_sentence(struct cursor kind, enum gate_side from)
{
    if (from == GATE_TARGET) {
        return "the bastion lets no channel of this type back to the engineer";
    }
    if (cursor_equal_text(kind, "tun@openssh.com")) {
        return "the bastion lets no tunnels of network packets through [D-TUN]";
    }
    return "the bastion lets no channel of this type through";
}

/* A forward to where the grant does not lead, or from where nobody listens. */
static MUST_CHECK enum err gate_refuse_path(struct gate *gate, const struct gate_packet *packet,
                                            const struct relay_open *open, const struct gate_path *path)
{
    char sentence[LIMIT_SENTENCE_BYTES];
    char detail[GATE_PLACE_BYTES + 64];
    char kind[64];
    char rules[GRANT_RULE_BYTES];
    text_printable(open->kind, kind, sizeof kind);
    text_printable(cursor_of_text(gate->grant->rule), rules, sizeof rules);
    (void)snprintf(detail, sizeof detail, "%s %s", kind, path->to);
    if (packet->from == GATE_TARGET) {
        (void)snprintf(sentence, sizeof sentence, "nobody asked to be forwarded from there");
    } else {
        (void)snprintf(sentence, sizeof sentence,
                       "you may not forward to %.260s (your access is by rule %.160s) [D-FORWARD]", path->to,
                       rules);
    }
    struct relay_open shown = *open;
    shown.kind = cursor_of_text(detail);
    return gate_refuse_open(gate, packet, &shown, RELAY_ADMINISTRATIVELY_PROHIBITED, sentence);
}

/* The state of a channel that `opener` asked for, from its open packet. */
static void gate_channel_begin(struct gate *gate, struct gate_channel *at, enum gate_kind kind,
                               enum gate_side opener, uint32_t number, struct gate_flow answerer)
{
    tap_done(&at->tap);
    gate_files_free(at);
    *at = (struct gate_channel){.state = GATE_ASKED, .kind = kind, .opener = opener};
    at->number[opener] = number;
    at->flow[gate_other(opener)] = answerer;
    tap_init(&at->tap, gate->calls->record, gate->owner, opener == GATE_CLIENT ? number : TAP_WHOLE_ACCESS);
    at->tap.cap_bytes = gate->grant->exec_record_cap_bytes;
    at->tap.hashes_streams = gate->grant->exec_hashes;
    at->tap.records_input = gate->grant->record_input;
}

MUST_CHECK enum err gate_open(struct gate *gate, const struct gate_packet *packet)
{
    struct relay_open open;
    GATE_READ(gate, packet, relay_read_open(packet->payload, &open));
    struct gate_channel *used = gate_number_used(gate, packet->from, open.sender);
    /* After a refusal the client has closed for good, and the target has not heard of it yet. */
    bool is_reopening = used != NULL && packet->from == GATE_CLIENT && used->refusal == GATE_REFUSAL_TOLD &&
                        used->flow[GATE_CLIENT].has_sent_close && !used->is_reopen_held;
    if (used != NULL && !is_reopening) {
        return gate_violation(gate, packet->from, "opened a channel with a number that is in use");
    }
    enum gate_kind kind = GATE_SESSION;
    if (!gate_find_kind(open.kind, packet->from, &kind) || !gate_is_kind_granted(gate, kind)) {
        return gate_refuse_open(gate, packet, &open, RELAY_ADMINISTRATIVELY_PROHIBITED,
                                gate_kind_sentence(open.kind, packet->from));
    }
    struct gate_path path = {0};
    if (kind == GATE_SESSION) {
        GATE_READ(gate, packet, cursor_end(&open.rest));
    } else if (gate_is_forward(kind)) {
        TRY(gate_forward_path(gate, packet, kind, open.rest, &path));
        if (!path.is_allowed) {
            return gate_refuse_path(gate, packet, &open, &path);
        }
    }
    const struct gate_flow answerer = {.window_bytes = open.window_bytes,
                                       .max_packet_bytes = open.max_packet_bytes};
    if (is_reopening && kind != GATE_SESSION) {
        return gate_refuse_open(gate, packet, &open, RELAY_RESOURCE_SHORTAGE,
                                "the channel before it is not closed yet: try again");
    }
    if (is_reopening) {
        used->is_reopen_held = true;
        used->held = answerer;
        return ERR_NONE;
    }
    struct gate_channel *at = gate_find_room(gate);
    if (at == NULL) {
        return gate_refuse_open(gate, packet, &open, RELAY_RESOURCE_SHORTAGE,
                                "too many channels are open on this access: close one first");
    }
    gate_channel_begin(gate, at, kind, packet->from, open.sender, answerer);
    at->path = path;
    return gate_forward(gate, packet);
}

/* The channel that `recipient` was asked for; the answer comes from the side that did not open it. */
static MUST_CHECK enum err gate_find_asked(struct gate *gate, const struct gate_packet *packet,
                                           uint32_t recipient, struct gate_channel **ret_channel)
{
    enum gate_side opener = gate_other(packet->from);
    struct gate_channel *at = gate_number_used(gate, opener, recipient);
    if (at == NULL || at->state != GATE_ASKED || at->opener != opener) {
        return gate_violation(gate, packet->from, "answered an open that was not asked");
    }
    *ret_channel = at;
    return ERR_NONE;
}

MUST_CHECK enum err gate_open_confirmation(struct gate *gate, const struct gate_packet *packet)
{
    struct relay_confirmation confirmation;
    struct gate_channel *at = NULL;
    GATE_READ(gate, packet, relay_read_confirmation(packet->payload, &confirmation));
    TRY(gate_find_asked(gate, packet, confirmation.recipient, &at));
    if (gate_number_used(gate, packet->from, confirmation.sender) != NULL) {
        return gate_violation(gate, packet->from, "confirmed a channel with a number that is in use");
    }
    at->state = GATE_OPEN;
    at->number[packet->from] = confirmation.sender;
    at->flow[at->opener].window_bytes = confirmation.window_bytes;
    at->flow[at->opener].max_packet_bytes = confirmation.max_packet_bytes;
    at->tap.channel = at->number[GATE_CLIENT];
    gate->counters.channels_opened++;
    const char *name = GATE_KIND_RULES[at->kind].name;
    TRY(gate_is_forward(at->kind) ? tap_forward_opened(&at->tap, name, at->path.from, at->path.to)
                                  : tap_opened(&at->tap, cursor_of_text(name)));
    TRY(gate_forward(gate, packet));
    return gate_tell_untold(gate);
}

MUST_CHECK enum err gate_open_failure(struct gate *gate, const struct gate_packet *packet)
{
    struct relay_open_failure failure;
    struct gate_channel *at = NULL;
    GATE_READ(gate, packet, relay_read_open_failure(packet->payload, &failure));
    TRY(gate_find_asked(gate, packet, failure.recipient, &at));
    TRY(gate_note(gate, at,
                  packet->from == GATE_TARGET ? "the target refused the channel"
                                              : "the client refused the target's channel",
                  failure.sentence));
    at->state = GATE_FREE;
    return gate_forward(gate, packet);
}

/* Ask the target for the channel that waited: the same bytes that the client sent. */
static MUST_CHECK enum err gate_reopen(struct gate *gate, struct gate_channel *at)
{
    const struct gate_flow held = at->held;
    uint32_t number = at->number[GATE_CLIENT];
    gate_channel_begin(gate, at, GATE_SESSION, GATE_CLIENT, number, held);
    uint8_t memory[RELAY_OWN_PACKET_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    writer_text(&out, GATE_KIND_RULES[GATE_SESSION].name);
    writer_u32be(&out, number);
    writer_u32be(&out, held.window_bytes);
    writer_u32be(&out, held.max_packet_bytes);
    return gate_send(gate, GATE_TARGET, RELAY_OPEN, &out);
}

MUST_CHECK enum err gate_channel_over(struct gate *gate, struct gate_channel *at)
{
    assert(at->state == GATE_OPEN);
    TRY(gate_files_end(at));
    gate_files_free(at);
    TRY(tap_closed(&at->tap));
    if (at->is_reopen_held) {
        return gate_reopen(gate, at);
    }
    tap_done(&at->tap);
    at->state = GATE_FREE;
    return ERR_NONE;
}
