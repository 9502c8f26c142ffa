#include "gate_state.h"

#include "base/text.h"

/* Everything is tried, whatever fails on the way: an access that must end does end. */

static MUST_CHECK enum err gate_end_open(struct gate *gate, uint32_t client_number, const char *sentence)
{
    uint8_t memory[RELAY_OWN_PACKET_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    relay_write_open_failure(&out, client_number, RELAY_ADMINISTRATIVELY_PROHIBITED, sentence);
    return gate_send(gate, GATE_CLIENT, RELAY_OPEN_FAILURE, &out);
}

static MUST_CHECK enum err gate_tell_end(struct gate *gate, struct gate_channel *at, const char *sentence)
{
    if (at->state == GATE_ASKED) {
        return at->opener == GATE_CLIENT ? gate_end_open(gate, at->number[GATE_CLIENT], sentence) : ERR_NONE;
    }
    if (at->is_reopen_held) {
        return gate_end_open(gate, at->number[GATE_CLIENT], sentence);
    }
    if (at->flow[GATE_TARGET].has_sent_close || at->refusal == GATE_REFUSAL_TOLD) {
        return ERR_NONE; /* the client has had its CLOSE */
    }
    if (at->kind == GATE_SESSION) {
        TRY(gate_tell(gate, at, sentence));
    }
    if (!at->flow[GATE_TARGET].is_eof_passed) {
        TRY(gate_send_number(gate, GATE_CLIENT, RELAY_EOF, at));
    }
    return gate_send_number(gate, GATE_CLIENT, RELAY_CLOSE, at);
}

MUST_CHECK enum err gate_end(struct gate *gate, const char *sentence)
{
    enum err first = ERR_NONE;
    char text[LIMIT_SENTENCE_BYTES];
    text_printable(cursor_of_text(sentence == NULL ? "" : sentence), text, sizeof text);
    gate->is_over = true;
    for (unsigned i = 0; i < LIMIT_CHANNELS_PER_ACCESS; i++) {
        struct gate_channel *at = &gate->channels[i];
        if (at->state == GATE_FREE) {
            continue;
        }
        enum err told = sentence == NULL ? ERR_NONE : gate_tell_end(gate, at, text);
        enum err filed = gate_files_end(at);
        enum err recorded = at->state == GATE_OPEN ? tap_closed(&at->tap) : ERR_NONE;
        first = first != ERR_NONE ? first : filed;
        first = first != ERR_NONE ? first : told;
        first = first != ERR_NONE ? first : recorded;
        tap_done(&at->tap);
        gate_files_free(at);
        at->state = GATE_FREE;
    }
    return first;
}
