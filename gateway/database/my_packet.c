#include <string.h>

#include "base/text.h"
#include "my_state.h"

void my_copy_text(char *ret_text, struct cursor bytes)
{
    size_t len_bytes = cursor_len(&bytes);
    if (len_bytes > 0) {
        memcpy(ret_text, bytes.at, len_bytes);
    }
    ret_text[len_bytes] = 0;
}

static enum err send_packet(struct my_relay *my, enum db_side side, uint8_t sequence, struct cursor payload)
{
    uint8_t header[MY_HEADER_BYTES];
    struct writer out = writer_of(header, sizeof header);
    writer_uint_le(&out, 3, cursor_len(&payload));
    writer_u8(&out, sequence);
    TRY(queue_append(&my->common.out[side], cursor_of(header, sizeof header)));
    return queue_append(&my->common.out[side], payload);
}

enum err my_send(struct my_relay *my, enum db_side side, struct cursor payload)
{
    return send_packet(my, side, my->legs[side].sequence++, payload);
}

enum err my_send_error(struct my_relay *my, uint8_t sequence, const struct my_error *error,
                       const char *sentence)
{
    uint8_t memory[LIMIT_SENTENCE_BYTES + 16];
    char text[LIMIT_SENTENCE_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    text_printable(cursor_of_text(sentence), text, sizeof text);
    my_write_error(&out, error, my->phase != MY_PHASE_GREETING, text);
    struct cursor payload;
    TRY(writer_done(&out, &payload));
    return send_packet(my, DB_CLIENT, sequence, payload);
}

enum err my_gather(struct my_leg *leg, struct cursor *bytes, size_t needed_bytes, struct cursor *ret_view,
                   bool *ret_is_there)
{
    size_t here_bytes = queue_len(&leg->partial);
    *ret_is_there = true;
    if (here_bytes == 0 && cursor_len(bytes) >= needed_bytes) {
        *ret_view = cursor_of(bytes->at, needed_bytes);
        return ERR_NONE;
    }
    if (here_bytes < needed_bytes) {
        size_t missing_bytes = needed_bytes - here_bytes;
        size_t len_bytes = cursor_len(bytes) < missing_bytes ? cursor_len(bytes) : missing_bytes;
        struct cursor piece;
        TRY(cursor_bytes(bytes, len_bytes, &piece));
        TRY(queue_append(&leg->partial, piece));
        *ret_is_there = len_bytes == missing_bytes;
    }
    if (*ret_is_there) {
        *ret_view = cursor_of(queue_peek(&leg->partial).at, needed_bytes);
    }
    return ERR_NONE;
}

void my_gathered(struct my_leg *leg, struct cursor *bytes, size_t len_bytes)
{
    if (queue_len(&leg->partial) > 0) {
        queue_consume(&leg->partial, len_bytes);
    } else {
        bytes->at += len_bytes;
    }
}
