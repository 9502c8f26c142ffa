/* The client's messages after the login. The head of each is held until it is decided and recorded; what
 * follows the head is recorded piece by piece, each piece before it passes. */
#include "my_state.h"

#include "base/text.h"

static enum err out_of_order(struct my_relay *my)
{
    return my_end(my, DB_END_CLIENT, &MY_OUT_OF_ORDER, "a packet of the client came out of order");
}

static enum err pass(struct my_relay *my, struct cursor bytes)
{
    bool is_kept_back = my->message.rest == MY_REST_DROP || my->message.rest == MY_REST_LOGIN;
    return is_kept_back ? ERR_NONE : queue_append(&my->common.out[DB_TARGET], bytes);
}

/* All of the message is there, and its last byte has passed. */
static enum err end_message(struct my_relay *my)
{
    struct my_message *message = &my->message;
    message->is_open = false;
    switch (message->rest) {
    case MY_REST_DROP:
        return my_send_error(my, message->sequence, message->error, message->reason);
    case MY_REST_LOGIN:
        my->legs[DB_CLIENT].sequence = message->sequence;
        my->legs[DB_TARGET].sequence = 0;
        return my_login_again(my);
    case MY_REST_GOODBYE:
        return my_end(my, DB_END_CLOSED, NULL, "the client said good-bye");
    case MY_REST_FILE:
        if (!my->is_sending_file) {
            my_waiting_first(my)->sequence = message->sequence;
        }
        return ERR_NONE;
    case MY_REST_LONG:
    case MY_REST_CLOSE:
        return ERR_NONE; /* no answer */
    case MY_REST_PASS:
    case MY_REST_TEXT:
    case MY_REST_VALUES:
        my_waiting_last(my)->sequence = message->sequence;
        my_waiting_last(my)->is_sent = true;
        return ERR_NONE;
    }
    return ERR_STATE;
}

/* Bytes of the packet at hand, its header among them; they pass when all that they say is recorded. */
static enum err advance(struct my_relay *my, uint32_t payload_bytes, struct cursor bytes)
{
    struct my_message *message = &my->message;
    message->left_bytes -= payload_bytes;
    bool is_last = message->left_bytes == 0 && !message->is_continued;
    if (is_last) {
        TRY(my_rest_end(my));
    }
    TRY(pass(my, bytes));
    return is_last && my->common.end == DB_END_NONE ? end_message(my) : ERR_NONE;
}

static void open_packet(struct my_message *message, uint32_t payload_bytes)
{
    message->is_open = true;
    message->left_bytes = payload_bytes;
    message->is_continued = payload_bytes == MY_PAYLOAD_BYTES;
    message->sequence++;
}

/* One packet of the file that the client sends for LOCAL INFILE; an empty one is its end. */
static enum err begin_file_packet(struct my_relay *my, uint32_t payload_bytes, struct cursor *bytes)
{
    uint8_t memory[MY_HEADER_BYTES];
    struct cursor header;
    struct writer copy = writer_of(memory, sizeof memory);
    writer_uint_le(&copy, 3, payload_bytes);
    writer_u8(&copy, my->message.sequence);
    TRY(writer_done(&copy, &header));
    my_gathered(&my->legs[DB_CLIENT], bytes, MY_HEADER_BYTES);
    my->message.rest = MY_REST_FILE;
    my->file_packets += payload_bytes > 0;
    my->is_sending_file = payload_bytes > 0;
    open_packet(&my->message, payload_bytes);
    return advance(my, 0, header);
}

static enum err begin_command(struct my_relay *my, uint32_t payload_bytes, struct cursor *bytes,
                              bool *ret_goes_on)
{
    struct my_leg *leg = &my->legs[DB_CLIENT];
    struct my_message *message = &my->message;
    uint32_t head_bytes = payload_bytes < MY_HEAD_BYTES ? payload_bytes : MY_HEAD_BYTES;
    struct cursor packet;
    TRY(my_gather(leg, bytes, MY_HEADER_BYTES + head_bytes, &packet, ret_goes_on));
    if (!*ret_goes_on) {
        return ERR_NONE;
    }
    struct cursor head = cursor_of(packet.at + MY_HEADER_BYTES, head_bytes);
    struct my_decision decision = {0};
    TRY(my_decide(my, head, payload_bytes == MY_PAYLOAD_BYTES ? RECORD_DB_LENGTH_LATER : payload_bytes,
                  &decision));
    if (decision.is_held || my->common.end != DB_END_NONE) {
        *ret_goes_on = false;
        return ERR_NONE;
    }
    message->rest = decision.rest;
    if (decision.rest == MY_REST_DROP) {
        message->error = decision.error;
        text_printable(cursor_of_text(decision.reason), message->reason, sizeof message->reason);
    }
    message->sequence = 0;
    open_packet(message, payload_bytes);
    enum err err = advance(my, head_bytes, packet);
    my_gathered(leg, bytes, MY_HEADER_BYTES + head_bytes);
    return err;
}

static enum err begin_message(struct my_relay *my, struct cursor *bytes, bool *ret_goes_on)
{
    struct cursor header;
    uint64_t payload_bytes = 0;
    uint8_t sequence = 0;
    TRY(my_gather(&my->legs[DB_CLIENT], bytes, MY_HEADER_BYTES, &header, ret_goes_on));
    if (!*ret_goes_on) {
        return ERR_NONE;
    }
    TRY(cursor_uint_le(&header, 3, &payload_bytes));
    TRY(cursor_u8(&header, &sequence));
    if (sequence != (my->is_sending_file ? my->message.sequence : 0)) {
        return out_of_order(my);
    }
    if (my->is_sending_file) {
        return begin_file_packet(my, (uint32_t)payload_bytes, bytes);
    }
    if (payload_bytes == 0) {
        return my_end(my, DB_END_CLIENT, &MY_UNKNOWN_COMMAND, "the client sent a message without a command");
    }
    return begin_command(my, (uint32_t)payload_bytes, bytes, ret_goes_on);
}

/* The header of the next packet of a message that is longer than one packet. */
static enum err continue_packet(struct my_relay *my, struct cursor *bytes, bool *ret_goes_on)
{
    struct my_leg *leg = &my->legs[DB_CLIENT];
    struct cursor header;
    uint64_t payload_bytes = 0;
    uint8_t sequence = 0;
    TRY(my_gather(leg, bytes, MY_HEADER_BYTES, &header, ret_goes_on));
    if (!*ret_goes_on) {
        return ERR_NONE;
    }
    struct cursor fields = header;
    TRY(cursor_uint_le(&fields, 3, &payload_bytes));
    TRY(cursor_u8(&fields, &sequence));
    if (sequence != my->message.sequence) {
        return out_of_order(my);
    }
    open_packet(&my->message, (uint32_t)payload_bytes);
    enum err err = advance(my, 0, header);
    my_gathered(leg, bytes, MY_HEADER_BYTES);
    return err;
}

static enum err continue_message(struct my_relay *my, struct cursor *bytes, bool *ret_goes_on)
{
    struct my_message *message = &my->message;
    if (message->left_bytes == 0) {
        return continue_packet(my, bytes, ret_goes_on);
    }
    size_t len_bytes = cursor_len(bytes) < message->left_bytes ? cursor_len(bytes) : message->left_bytes;
    *ret_goes_on = len_bytes > 0;
    struct cursor piece;
    TRY(cursor_bytes(bytes, len_bytes, &piece));
    TRY(my_rest_add(my, piece));
    return advance(my, (uint32_t)len_bytes, piece);
}

enum err my_message_feed(struct my_relay *my, struct cursor *bytes)
{
    bool goes_on = true;
    while (goes_on && my->common.end == DB_END_NONE && my->phase == MY_PHASE_COMMANDS) {
        TRY(my->message.is_open ? continue_message(my, bytes, &goes_on) : begin_message(my, bytes, &goes_on));
    }
    return ERR_NONE;
}
