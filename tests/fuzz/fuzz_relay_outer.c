/* Packets of a client and actions of the owner, in any order.
 * Input: { u8 what, u16 length, payload } repeated; `what` under 128 is a packet of that type, else an
 * action. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/outer.h"

/* The owner's own books, kept apart from the table's. */
struct owner {
    struct outer *outer;
    uint64_t may_send[OUTER_CHANNELS_MAX]; /* window that the client gave, minus what was sent */
    size_t unconsumed[OUTER_CHANNELS_MAX];
    uint32_t client_number[OUTER_CHANNELS_MAX];
    bool is_used[OUTER_CHANNELS_MAX];
    struct relay_open open; /* the open at hand */
};

static void begin_channel(struct owner *owner, unsigned channel)
{
    owner->is_used[channel] = true;
    owner->client_number[channel] = owner->open.sender;
    owner->may_send[channel] = owner->open.window_bytes;
    owner->unconsumed[channel] = 0;
}

static enum err owner_send(void *context, uint8_t type, struct cursor head, struct cursor body)
{
    struct owner *owner = context;
    assert(cursor_len(&head) + cursor_len(&body) <= LIMIT_PACKET_PAYLOAD_BYTES);
    struct relay_confirmation confirmation;
    if (type == RELAY_OPEN_CONFIRMATION && relay_read_confirmation(head, &confirmation) == ERR_NONE &&
        !owner->is_used[confirmation.sender]) {
        begin_channel(owner, confirmation.sender); /* of a session: nobody is asked */
    }
    if (type != RELAY_DATA && type != RELAY_EXTENDED_DATA) {
        return ERR_NONE;
    }
    uint32_t number = 0;
    uint32_t len_bytes = 0;
    uint32_t code = RELAY_EXTENDED_STDERR;
    enum err err = cursor_u32be(&head, &number);
    if (err == ERR_NONE && type == RELAY_EXTENDED_DATA) {
        err = cursor_u32be(&head, &code);
    }
    if (err == ERR_NONE) {
        err = cursor_u32be(&head, &len_bytes);
    }
    assert(code == RELAY_EXTENDED_STDERR && cursor_len(&head) == 0);
    assert(err == ERR_NONE && len_bytes == cursor_len(&body) && len_bytes > 0);
    for (unsigned i = 0; i < OUTER_CHANNELS_MAX; i++) {
        if (owner->is_used[i] && owner->client_number[i] == number) {
            assert(len_bytes <= owner->may_send[i]);
            owner->may_send[i] -= len_bytes;
            return ERR_NONE;
        }
    }
    assert(false && "data for no channel");
    return ERR_NONE;
}

static enum err owner_opened(void *context, const struct outer_open *open)
{
    struct owner *owner = context;
    assert(open->channel < OUTER_CHANNELS_MAX && open->port != 0 && !owner->is_used[open->channel]);
    begin_channel(owner, open->channel);
    return ERR_NONE;
}

static enum err owner_command(void *context, const struct outer_command *command)
{
    const struct owner *owner = context;
    assert(owner->is_used[command->channel] && cursor_len(&command->words) <= OUTER_COMMAND_BYTES);
    return ERR_NONE;
}

static enum err owner_data(void *context, unsigned channel, struct cursor bytes)
{
    struct owner *owner = context;
    assert(owner->is_used[channel] && cursor_len(&bytes) > 0);
    owner->unconsumed[channel] += cursor_len(&bytes);
    assert(owner->unconsumed[channel] <= OUTER_WINDOW_BYTES);
    return ERR_NONE;
}

static enum err owner_eof(void *context, unsigned channel)
{
    const struct owner *owner = context;
    assert(owner->is_used[channel]);
    return ERR_NONE;
}

static enum err owner_closed(void *context, unsigned channel)
{
    struct owner *owner = context;
    assert(owner->is_used[channel]);
    owner->is_used[channel] = false;
    return ERR_NONE;
}

static enum err owner_window(void *context, unsigned channel)
{
    const struct owner *owner = context;
    assert(owner->is_used[channel] && outer_window(owner->outer, channel) <= owner->may_send[channel]);
    return ERR_NONE;
}

static void act(struct owner *owner, uint8_t what, uint16_t len_bytes)
{
    static uint8_t bytes[UINT16_MAX];
    unsigned channel = what % OUTER_CHANNELS_MAX;
    size_t taken = 0;
    enum err err = ERR_NONE;
    switch ((what - 128) / OUTER_CHANNELS_MAX) {
    case 0:
        err = outer_confirm(owner->outer, channel);
        break;
    case 1:
        err = outer_refuse(owner->outer, channel, RELAY_CONNECT_FAILED, "no");
        owner->is_used[channel] = owner->is_used[channel] && err != ERR_NONE;
        break;
    case 2:
        err = outer_send(owner->outer, channel, cursor_of(bytes, len_bytes), &taken);
        assert(taken <= len_bytes);
        break;
    case 3:
        taken = len_bytes < owner->unconsumed[channel] ? len_bytes : owner->unconsumed[channel];
        if (owner->is_used[channel]) {
            owner->unconsumed[channel] -= taken;
            err = outer_consumed(owner->outer, channel, taken);
            assert(err == ERR_NONE);
        }
        break;
    case 4:
        err = outer_eof(owner->outer, channel);
        break;
    case 5:
        err = outer_close(owner->outer, channel);
        break;
    case 6:
        err = outer_send_error(owner->outer, channel, cursor_of(bytes, len_bytes), &taken);
        assert(taken <= len_bytes);
        break;
    default:
        err =
            len_bytes % 2 == 0 ? outer_exit(owner->outer, channel, len_bytes) : outer_keepalive(owner->outer);
        break;
    }
    assert(err == ERR_NONE || err == ERR_STATE);
}

/* What the packet at hand says about windows, for the owner's books. */
static void keep_books(struct owner *owner, uint8_t type, struct cursor payload)
{
    uint32_t channel = 0;
    uint32_t more_bytes = 0;
    if (type == RELAY_OPEN && relay_read_open(payload, &owner->open) != ERR_NONE) {
        owner->open = (struct relay_open){0};
    }
    if (type == RELAY_WINDOW_ADJUST && relay_read_window_adjust(payload, &channel, &more_bytes) == ERR_NONE &&
        channel < OUTER_CHANNELS_MAX) {
        owner->may_send[channel] += more_bytes;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct outer_calls CALLS = {.send = owner_send,
                                             .opened = owner_opened,
                                             .command = owner_command,
                                             .data = owner_data,
                                             .eof = owner_eof,
                                             .closed = owner_closed,
                                             .window = owner_window};
    struct owner owner = {0};
    owner.outer = outer_new(&CALLS, &owner);
    assert(owner.outer != NULL);
    struct cursor in = cursor_of(data, size);
    uint8_t what = 0;
    uint16_t len_bytes = 0;
    enum err err = ERR_NONE;
    while (err == ERR_NONE && cursor_u8(&in, &what) == ERR_NONE &&
           cursor_u16be(&in, &len_bytes) == ERR_NONE) {
        if (what >= 128) {
            act(&owner, what, len_bytes);
            continue;
        }
        struct cursor payload;
        err = cursor_bytes(&in, len_bytes < cursor_len(&in) ? len_bytes : cursor_len(&in), &payload);
        assert(err == ERR_NONE);
        keep_books(&owner, what, payload);
        err = outer_packet(owner.outer, what, payload);
        assert((err == ERR_NONE) == (outer_explain(owner.outer) == NULL));
    }
    assert(outer_channel_count(owner.outer) <= OUTER_CHANNELS_MAX);
    outer_free(owner.outer);
    return 0;
}
