#include "gate_state.h"

#include <assert.h>
#include <stdio.h>

MUST_CHECK enum err gate_await(struct gate *gate, struct gate_pending *pending, enum gate_side side,
                               enum gate_awaited what)
{
    if (pending->count == GATE_PENDING_MAX) {
        return gate_violation(gate, side, "made too many requests before the first was answered");
    }
    pending->items[(pending->start + pending->count) % GATE_PENDING_MAX] = (uint8_t)what;
    pending->count++;
    return ERR_NONE;
}

static enum gate_awaited pending_first(const struct gate_pending *pending)
{
    assert(pending->count > 0);
    return (enum gate_awaited)pending->items[pending->start];
}

static void pending_drop_first(struct gate_pending *pending)
{
    assert(pending->count > 0);
    pending->start = (uint8_t)((pending->start + 1U) % GATE_PENDING_MAX);
    pending->count--;
}

MUST_CHECK enum err gate_answer_channel(struct gate *gate, struct gate_channel *at, enum gate_side asker)
{
    struct gate_pending *pending = &at->pending[asker];
    while (pending->count > 0) {
        enum gate_awaited first = pending_first(pending);
        if (first != GATE_ANSWERS_FAILURE && first != GATE_ENDS_CHANNEL) {
            return ERR_NONE;
        }
        pending_drop_first(pending);
        if (first == GATE_ENDS_CHANNEL) {
            return gate_tell_refusal(gate, at);
        }
        TRY(gate_send_number(gate, asker, RELAY_FAILURE, at));
    }
    return ERR_NONE;
}

MUST_CHECK enum err gate_answer_global(struct gate *gate, enum gate_side asker)
{
    struct gate_pending *pending = &gate->pending[asker];
    while (pending->count > 0 && pending_first(pending) == GATE_ANSWERS_FAILURE) {
        pending_drop_first(pending);
        uint8_t memory[1];
        struct writer out = writer_of(memory, sizeof memory);
        TRY(gate_send(gate, asker, RELAY_REQUEST_FAILURE, &out));
    }
    return ERR_NONE;
}

static const char GATE_UNASKED[] = "answered a request that was not made";

/* The target has said whether a terminal or the main process of a session exists. */
static MUST_CHECK enum err gate_note_reply(struct gate *gate, struct gate_channel *at, enum gate_awaited what,
                                           bool is_success)
{
    struct cursor none = cursor_of(NULL, 0);
    if (what == GATE_AWAITS_PTY && !is_success) {
        at->has_asked_pty = false;
        tap_set_terminal(&at->tap, false);
        return gate_note(gate, at, "the target gave no terminal", none);
    }
    if (what == GATE_AWAITS_MAIN) {
        at->main = is_success ? GATE_MAIN_RUNNING : GATE_MAIN_NONE;
        if (at->files != NULL) {
            TRY(gate_files_started(gate, at, is_success));
        }
        return is_success ? ERR_NONE : gate_note(gate, at, "the target refused to start it", none);
    }
    return ERR_NONE;
}

MUST_CHECK enum err gate_channel_reply(struct gate *gate, const struct gate_packet *packet)
{
    uint32_t recipient = 0;
    struct gate_channel *at = NULL;
    GATE_READ(gate, packet, relay_read_channel(packet->payload, &recipient));
    TRY(gate_find(gate, packet->from, recipient, &at));
    enum gate_side asker = gate_other(packet->from);
    struct gate_pending *pending = &at->pending[asker];
    if (pending->count == 0) {
        return gate_violation(gate, packet->from, GATE_UNASKED);
    }
    /* Answers of ours never wait at the front, but for a side that has closed and wants none any more. */
    enum gate_awaited what = pending_first(pending);
    if (what == GATE_ANSWERS_FAILURE || what == GATE_ENDS_CHANNEL) {
        return gate_violation(gate, packet->from, GATE_UNASKED);
    }
    pending_drop_first(pending);
    if (at->refusal == GATE_REFUSAL_TOLD) {
        return ERR_NONE;
    }
    if (asker == GATE_CLIENT) {
        TRY(gate_note_reply(gate, at, what, packet->type == RELAY_SUCCESS));
    }
    TRY(gate_forward(gate, packet));
    return gate_answer_channel(gate, at, asker);
}

MUST_CHECK enum err gate_global_reply(struct gate *gate, const struct gate_packet *packet)
{
    enum gate_side asker = gate_other(packet->from);
    struct gate_pending *pending = &gate->pending[asker];
    if (pending->count == 0) {
        return gate_violation(gate, packet->from, GATE_UNASKED);
    }
    unsigned what = (unsigned)pending_first(pending);
    pending_drop_first(pending);
    if (what >= GATE_AWAITS_REMOTE) {
        TRY(gate_remote_reply(gate, packet, what - GATE_AWAITS_REMOTE));
    }
    TRY(gate_forward(gate, packet));
    return gate_answer_global(gate, asker);
}

MUST_CHECK enum err gate_tell(struct gate *gate, struct gate_channel *at, const char *sentence)
{
    char text[LIMIT_SENTENCE_BYTES + sizeof "bastion: \r\n"];
    (void)snprintf(text, sizeof text, "bastion: %s\r\n", sentence);
    struct cursor bytes = cursor_of_text(text);
    struct gate_flow *flow = &at->flow[GATE_TARGET]; /* we speak in the target's name, on its window */
    uint32_t *window_bytes =
        at->files == NULL ? &flow->window_bytes : &at->files->lanes[GATE_CLIENT].room_bytes;
    size_t room_bytes = *window_bytes < flow->max_packet_bytes ? *window_bytes : flow->max_packet_bytes;
    size_t len_bytes = cursor_len(&bytes) < room_bytes ? cursor_len(&bytes) : room_bytes;
    if (len_bytes == 0 || flow->is_eof_passed) {
        return ERR_NONE;
    }
    *window_bytes -= (uint32_t)len_bytes;
    uint8_t memory[RELAY_OWN_PACKET_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u32be(&out, at->number[GATE_CLIENT]);
    writer_u32be(&out, RELAY_EXTENDED_STDERR);
    writer_string(&out, cursor_of(text, len_bytes));
    return gate_send(gate, GATE_CLIENT, RELAY_EXTENDED_DATA, &out);
}

MUST_CHECK enum err gate_tell_untold(struct gate *gate)
{
    for (unsigned i = 0; gate->untold[0] != 0 && i < LIMIT_CHANNELS_PER_ACCESS; i++) {
        struct gate_channel *at = &gate->channels[i];
        bool is_heard = at->state == GATE_OPEN && at->kind == GATE_SESSION && at->refusal == GATE_ACCEPTED &&
                        !at->flow[GATE_CLIENT].has_sent_close && !at->flow[GATE_TARGET].has_sent_close;
        if (is_heard) {
            TRY(gate_tell(gate, at, gate->untold));
            gate->untold[0] = 0;
        }
    }
    return ERR_NONE;
}

MUST_CHECK enum err gate_tell_refusal(struct gate *gate, struct gate_channel *at)
{
    if (at->refusal != GATE_REFUSAL_QUEUED) {
        return ERR_NONE;
    }
    at->refusal = GATE_REFUSAL_TOLD;
    if (at->wants_refusal_reply) {
        /* Success, although it was refused: after a failure clients print their own sentence and not ours. */
        TRY(gate_send_number(gate, GATE_CLIENT, RELAY_SUCCESS, at));
    }
    TRY(gate_tell(gate, at, at->sentence));
    uint8_t memory[RELAY_OWN_PACKET_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    relay_write_exit_status(&out, at->number[GATE_CLIENT], GATE_EXIT_REFUSED);
    TRY(gate_send(gate, GATE_CLIENT, RELAY_REQUEST, &out));
    if (!at->flow[GATE_TARGET].is_eof_passed) {
        TRY(gate_send_number(gate, GATE_CLIENT, RELAY_EOF, at));
    }
    return gate_send_number(gate, GATE_CLIENT, RELAY_CLOSE, at);
}
