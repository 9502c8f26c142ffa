#include "outer_state.h"

#include <assert.h>

#include "base/text.h"

/* Packets of ours */

static MUST_CHECK enum err outer_give(struct outer *outer, enum relay_type type, struct cursor head,
                                      struct cursor body)
{
    return outer->calls->send(outer->owner, (uint8_t)type, head, body);
}

/* Send what `out` holds. Our own packets are small and bounded, so a full writer is a fault of this file. */
MUST_CHECK enum err outer_give_written(struct outer *outer, enum relay_type type, const struct writer *out)
{
    struct cursor head;
    enum err err = writer_done(out, &head);
    assert(err == ERR_NONE);
    return outer_give(outer, type, head, cursor_of(NULL, 0));
}

MUST_CHECK enum err outer_give_number(struct outer *outer, enum relay_type type, uint32_t number)
{
    uint8_t memory[sizeof number];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u32be(&out, number);
    return outer_give_written(outer, type, &out);
}

MUST_CHECK enum err outer_give_open_failure(struct outer *outer, uint32_t recipient,
                                            enum relay_open_reason reason, const char *sentence)
{
    char text[LIMIT_SENTENCE_BYTES];
    text_printable(cursor_of_text(sentence), text, sizeof text);
    uint8_t memory[RELAY_OWN_PACKET_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    relay_write_open_failure(&out, recipient, reason, text);
    return outer_give_written(outer, RELAY_OPEN_FAILURE, &out);
}

/* What the owner asks for */

static struct outer_channel *outer_at(struct outer *outer, unsigned channel)
{
    assert(channel < OUTER_CHANNELS_MAX);
    return &outer->channels[channel];
}

MUST_CHECK enum err outer_confirm(struct outer *outer, unsigned channel)
{
    struct outer_channel *at = outer_at(outer, channel);
    if (at->state != OUTER_ASKED) {
        return ERR_STATE;
    }
    at->state = OUTER_OPEN;
    uint8_t memory[RELAY_OWN_PACKET_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    relay_write_confirmation(&out, at->client_number, channel, OUTER_WINDOW_BYTES, OUTER_PACKET_BYTES);
    return outer_give_written(outer, RELAY_OPEN_CONFIRMATION, &out);
}

MUST_CHECK enum err outer_refuse(struct outer *outer, unsigned channel, enum relay_open_reason reason,
                                 const char *sentence)
{
    struct outer_channel *at = outer_at(outer, channel);
    if (at->state != OUTER_ASKED) {
        return ERR_STATE;
    }
    uint32_t client_number = at->client_number;
    *at = (struct outer_channel){0};
    return outer_give_open_failure(outer, client_number, reason, sentence);
}

size_t outer_window(const struct outer *outer, unsigned channel)
{
    assert(channel < OUTER_CHANNELS_MAX);
    const struct outer_channel *at = &outer->channels[channel];
    return at->state == OUTER_OPEN && !at->has_sent_eof ? at->send_window_bytes : 0;
}

static MUST_CHECK enum err outer_give_data(struct outer *outer, const struct outer_channel *at, bool is_error,
                                           struct cursor piece)
{
    uint8_t memory[RELAY_DATA_HEAD_BYTES + sizeof(uint32_t)];
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor head;
    writer_u32be(&out, at->client_number);
    if (is_error) {
        writer_u32be(&out, RELAY_EXTENDED_STDERR);
    }
    writer_u32be(&out, (uint32_t)cursor_len(&piece));
    enum err err = writer_done(&out, &head);
    assert(err == ERR_NONE);
    return outer_give(outer, is_error ? RELAY_EXTENDED_DATA : RELAY_DATA, head, piece);
}

static MUST_CHECK enum err outer_send_pieces(struct outer *outer, unsigned channel, bool is_error,
                                             struct cursor bytes, size_t *ret_taken)
{
    struct outer_channel *at = outer_at(outer, channel);
    if (at->state != OUTER_OPEN || at->has_sent_eof) {
        return ERR_STATE;
    }
    const uint8_t *start = bytes.at;
    while (cursor_len(&bytes) > 0 && at->send_window_bytes > 0) {
        size_t piece_bytes = cursor_len(&bytes);
        if (piece_bytes > at->send_packet_bytes) {
            piece_bytes = at->send_packet_bytes;
        }
        if (piece_bytes > at->send_window_bytes) {
            piece_bytes = at->send_window_bytes;
        }
        struct cursor piece;
        TRY(cursor_bytes(&bytes, piece_bytes, &piece));
        at->send_window_bytes -= (uint32_t)piece_bytes;
        TRY(outer_give_data(outer, at, is_error, piece));
    }
    *ret_taken = (size_t)(bytes.at - start);
    return ERR_NONE;
}

MUST_CHECK enum err outer_send(struct outer *outer, unsigned channel, struct cursor bytes, size_t *ret_taken)
{
    return outer_send_pieces(outer, channel, false, bytes, ret_taken);
}

MUST_CHECK enum err outer_send_error(struct outer *outer, unsigned channel, struct cursor bytes,
                                     size_t *ret_taken)
{
    if (!outer_at(outer, channel)->is_session) {
        return ERR_STATE;
    }
    return outer_send_pieces(outer, channel, true, bytes, ret_taken);
}

MUST_CHECK enum err outer_exit(struct outer *outer, unsigned channel, uint32_t status)
{
    const struct outer_channel *at = outer_at(outer, channel);
    if (!at->has_command || at->state == OUTER_FREE) {
        return ERR_STATE;
    }
    if (at->state == OUTER_CLOSING) {
        return ERR_NONE;
    }
    uint8_t memory[RELAY_OWN_PACKET_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    relay_write_exit_status(&out, at->client_number, status);
    TRY(outer_give_written(outer, RELAY_REQUEST, &out));
    TRY(outer_eof(outer, channel));
    return outer_close(outer, channel);
}

MUST_CHECK enum err outer_consumed(struct outer *outer, unsigned channel, size_t len_bytes)
{
    struct outer_channel *at = outer_at(outer, channel);
    if (at->state != OUTER_OPEN) {
        return ERR_NONE;
    }
    assert(len_bytes <= at->unconsumed_bytes);
    at->unconsumed_bytes -= (uint32_t)len_bytes;
    at->consumed_bytes += (uint32_t)len_bytes;
    if (at->consumed_bytes < OUTER_ADJUST_BYTES || at->has_received_eof) {
        return ERR_NONE;
    }
    uint8_t memory[2 * sizeof(uint32_t)];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u32be(&out, at->client_number);
    writer_u32be(&out, at->consumed_bytes);
    at->receive_window_bytes += at->consumed_bytes;
    at->consumed_bytes = 0;
    return outer_give_written(outer, RELAY_WINDOW_ADJUST, &out);
}

MUST_CHECK enum err outer_eof(struct outer *outer, unsigned channel)
{
    struct outer_channel *at = outer_at(outer, channel);
    if (at->state == OUTER_FREE || at->state == OUTER_ASKED) {
        return ERR_STATE;
    }
    if (at->state == OUTER_CLOSING || at->has_sent_eof) {
        return ERR_NONE;
    }
    at->has_sent_eof = true;
    return outer_give_number(outer, RELAY_EOF, at->client_number);
}

MUST_CHECK enum err outer_close(struct outer *outer, unsigned channel)
{
    struct outer_channel *at = outer_at(outer, channel);
    if (at->state == OUTER_FREE || at->state == OUTER_ASKED) {
        return ERR_STATE;
    }
    if (at->state == OUTER_CLOSING) {
        return ERR_NONE;
    }
    at->state = OUTER_CLOSING;
    return outer_give_number(outer, RELAY_CLOSE, at->client_number);
}

unsigned outer_channel_count(const struct outer *outer)
{
    unsigned count = 0;
    for (unsigned i = 0; i < OUTER_CHANNELS_MAX; i++) {
        count += outer->channels[i].state != OUTER_FREE;
    }
    return count;
}

MUST_CHECK enum err outer_keepalive(struct outer *outer)
{
    if (outer->keepalives >= OUTER_KEEPALIVES_MAX) {
        return ERR_NONE;
    }
    outer->keepalives++;
    uint8_t memory[RELAY_OWN_PACKET_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    writer_text(&out, "keepalive@openssh.com");
    writer_bool(&out, true);
    return outer_give_written(outer, RELAY_GLOBAL_REQUEST, &out);
}

unsigned outer_keepalives_unanswered(const struct outer *outer)
{
    return outer->keepalives;
}
