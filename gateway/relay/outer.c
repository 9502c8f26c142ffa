#include "outer_state.h"

#include <stdlib.h>

#include "base/text.h"

struct outer *outer_new(const struct outer_calls *calls, void *owner)
{
    struct outer *outer = calloc(1, sizeof *outer);
    if (outer != NULL) {
        outer->calls = calls;
        outer->owner = owner;
    }
    return outer;
}

void outer_free(struct outer *outer)
{
    free(outer);
}

const char *outer_explain(const struct outer *outer)
{
    return outer->violation;
}

enum err outer_violation(struct outer *outer, const char *sentence)
{
    outer->violation = sentence;
    return ERR_MALFORMED;
}

/* Opening */

static bool outer_is_client_number_used(const struct outer *outer, uint32_t client_number)
{
    for (unsigned i = 0; i < OUTER_CHANNELS_MAX; i++) {
        if (outer->channels[i].state != OUTER_FREE && outer->channels[i].client_number == client_number) {
            return true;
        }
    }
    return false;
}

bool outer_find_free(const struct outer *outer, unsigned *ret_channel)
{
    for (unsigned i = 0; i < OUTER_CHANNELS_MAX; i++) {
        if (outer->channels[i].state == OUTER_FREE) {
            *ret_channel = i;
            return true;
        }
    }
    return false;
}

struct outer_channel outer_channel_of(const struct relay_open *open, enum outer_state state)
{
    uint32_t packet_bytes = open->max_packet_bytes;
    return (struct outer_channel){
        .state = state,
        .client_number = open->sender,
        .send_window_bytes = open->window_bytes,
        .send_packet_bytes = packet_bytes < OUTER_PACKET_BYTES ? packet_bytes : OUTER_PACKET_BYTES,
        .receive_window_bytes = OUTER_WINDOW_BYTES,
    };
}

static MUST_CHECK enum err outer_open_tcp(struct outer *outer, const struct relay_open *open)
{
    struct relay_direct_tcpip direct;
    TRY_READ(outer, relay_read_direct_tcpip(open->rest, &direct));
    char host[LIMIT_HOST_BYTES];
    char originator[LIMIT_ADDRESS_BYTES];
    if (!text_is_host(direct.host)) {
        return outer_give_open_failure(outer, open->sender, RELAY_CONNECT_FAILED,
                                       "this is no host name and no address");
    }
    if (direct.port == 0 || direct.port > UINT16_MAX) {
        return outer_give_open_failure(outer, open->sender, RELAY_CONNECT_FAILED, "this port does not exist");
    }
    unsigned channel = 0;
    if (!outer_find_free(outer, &channel)) {
        return outer_give_open_failure(outer, open->sender, RELAY_RESOURCE_SHORTAGE,
                                       "too many targets are open on this connection: close one first");
    }
    struct writer out = writer_of(host, sizeof host);
    writer_bytes(&out, direct.host); /* text_is_host(): it fits, and holds no NUL */
    writer_u8(&out, 0);
    text_printable(direct.originator, originator, sizeof originator);
    outer->channels[channel] = outer_channel_of(open, OUTER_ASKED);
    const struct outer_open told = {
        .channel = channel,
        .host = host,
        .port = (uint16_t)direct.port,
        .originator = originator,
        .originator_port = direct.originator_port > UINT16_MAX ? 0 : (uint16_t)direct.originator_port,
    };
    return outer->calls->opened(outer->owner, &told);
}

static MUST_CHECK enum err outer_open(struct outer *outer, struct cursor payload)
{
    struct relay_open open;
    TRY_READ(outer, relay_read_open(payload, &open));
    if (outer_is_client_number_used(outer, open.sender)) {
        return outer_violation(outer, "the client opened a channel with a number that is in use");
    }
    if (open.max_packet_bytes < OUTER_PEER_PACKET_BYTES_MIN) {
        return outer_violation(outer, "the client takes packets of less than 256 bytes only");
    }
    if (cursor_equal_text(open.kind, "direct-tcpip")) {
        return outer_open_tcp(outer, &open);
    }
    if (cursor_equal_text(open.kind, "session")) {
        TRY_READ(outer, cursor_end(&open.rest));
        return outer_open_session(outer, &open);
    }
    return outer_give_open_failure(outer, open.sender, RELAY_UNKNOWN_CHANNEL_TYPE,
                                   "this bastion opens direct-tcpip and session channels only");
}

/* What the client says on a channel */

/* A channel that the client may speak on. It knows our number from the confirmation only, so before it
 * (ASKED) any packet is as wrong as one for a channel that never was. */
static struct outer_channel *outer_find(struct outer *outer, uint32_t number)
{
    if (number >= OUTER_CHANNELS_MAX) {
        return NULL;
    }
    struct outer_channel *at = &outer->channels[number];
    return at->state == OUTER_OPEN || at->state == OUTER_CLOSING ? at : NULL;
}

static const char OUTER_NO_CHANNEL[] = "the client named a channel that is not open";

static MUST_CHECK enum err outer_data(struct outer *outer, struct cursor payload)
{
    struct relay_data data;
    TRY_READ(outer, relay_read_data(payload, false, &data));
    struct outer_channel *at = outer_find(outer, data.recipient);
    if (at == NULL) {
        return outer_violation(outer, OUTER_NO_CHANNEL);
    }
    if (at->has_received_eof) {
        return outer_violation(outer, "the client sent data after end of file");
    }
    size_t len_bytes = cursor_len(&data.bytes);
    if (len_bytes > OUTER_PACKET_BYTES) {
        return outer_violation(outer, "the client sent more data in one packet than was announced");
    }
    /* RFC 4254 5.2: the window says how many bytes the other party can send before it must wait. */
    if (len_bytes > at->receive_window_bytes) {
        return outer_violation(outer, "the client sent more data than its window allows");
    }
    at->receive_window_bytes -= (uint32_t)len_bytes;
    if (at->state == OUTER_CLOSING || len_bytes == 0) {
        return ERR_NONE; /* on its way before the client saw our CLOSE */
    }
    at->unconsumed_bytes += (uint32_t)len_bytes;
    return outer->calls->data(outer->owner, (unsigned)data.recipient, data.bytes);
}

static MUST_CHECK enum err outer_window_adjust(struct outer *outer, struct cursor payload)
{
    uint32_t number = 0;
    uint32_t more_bytes = 0;
    TRY_READ(outer, relay_read_window_adjust(payload, &number, &more_bytes));
    struct outer_channel *at = outer_find(outer, number);
    if (at == NULL) {
        return outer_violation(outer, OUTER_NO_CHANNEL);
    }
    /* RFC 4254 5.2: the window MUST NOT be increased above 2^32 - 1 bytes. */
    if (more_bytes > UINT32_MAX - at->send_window_bytes) {
        return outer_violation(outer, "the client made a window larger than 2^32 - 1 bytes");
    }
    at->send_window_bytes += more_bytes;
    if (at->state != OUTER_OPEN || at->has_sent_eof) {
        return ERR_NONE;
    }
    return outer->calls->window(outer->owner, (unsigned)number);
}

static MUST_CHECK enum err outer_client_eof(struct outer *outer, struct cursor payload)
{
    uint32_t number = 0;
    TRY_READ(outer, relay_read_channel(payload, &number));
    struct outer_channel *at = outer_find(outer, number);
    if (at == NULL) {
        return outer_violation(outer, OUTER_NO_CHANNEL);
    }
    if (at->has_received_eof) {
        return outer_violation(outer, "the client sent end of file twice");
    }
    at->has_received_eof = true;
    return at->state == OUTER_CLOSING ? ERR_NONE : outer->calls->eof(outer->owner, (unsigned)number);
}

static MUST_CHECK enum err outer_client_close(struct outer *outer, struct cursor payload)
{
    uint32_t number = 0;
    TRY_READ(outer, relay_read_channel(payload, &number));
    struct outer_channel *at = outer_find(outer, number);
    if (at == NULL) {
        return outer_violation(outer, OUTER_NO_CHANNEL);
    }
    bool is_answer = at->state == OUTER_CLOSING;
    uint32_t client_number = at->client_number;
    *at = (struct outer_channel){0};
    if (!is_answer) {
        /* RFC 4254 5.3: upon receiving this message, a party MUST send back an SSH_MSG_CHANNEL_CLOSE. */
        TRY(outer_give_number(outer, RELAY_CLOSE, client_number));
    }
    return outer->calls->closed(outer->owner, (unsigned)number);
}

/* Nothing can be asked of a direct-tcpip channel; OpenSSH tells "eow@openssh.com", without wanting a reply.
 */
static MUST_CHECK enum err outer_request(struct outer *outer, struct cursor payload)
{
    struct relay_request request;
    TRY_READ(outer, relay_read_request(payload, &request));
    struct outer_channel *at = outer_find(outer, request.recipient);
    if (at == NULL) {
        return outer_violation(outer, OUTER_NO_CHANNEL);
    }
    /* RFC 4254 5.3: nothing may follow our CLOSE, so a request that crossed it stays without answer. */
    if (at->state == OUTER_CLOSING) {
        return ERR_NONE;
    }
    if (at->is_session) {
        return outer_session_request(outer, at, &request);
    }
    if (!request.wants_reply) {
        return ERR_NONE;
    }
    return outer_give_number(outer, RELAY_FAILURE, at->client_number);
}

/* Requests about the whole connection */

static MUST_CHECK enum err outer_global_request(struct outer *outer, struct cursor payload)
{
    struct relay_request request;
    TRY_READ(outer, relay_read_global_request(payload, &request));
    bool is_granted = cursor_equal_text(request.name, "no-more-sessions@openssh.com");
    outer->has_no_more_sessions = outer->has_no_more_sessions || is_granted;
    if (!request.wants_reply) {
        return ERR_NONE;
    }
    /* Everything else is refused; for keepalive@openssh.com a refusal is the usual sign of life. */
    uint8_t memory[1];
    struct writer empty = writer_of(memory, sizeof memory);
    return outer_give_written(outer, is_granted ? RELAY_REQUEST_SUCCESS : RELAY_REQUEST_FAILURE, &empty);
}

static MUST_CHECK enum err outer_global_reply(struct outer *outer)
{
    if (outer->keepalives == 0) {
        return outer_violation(outer, "the client answered a request that was not made");
    }
    outer->keepalives--;
    return ERR_NONE;
}

MUST_CHECK enum err outer_packet(struct outer *outer, uint8_t type, struct cursor payload)
{
    if (outer->violation != NULL) {
        return ERR_MALFORMED;
    }
    switch (type) {
    case RELAY_GLOBAL_REQUEST:
        return outer_global_request(outer, payload);
    case RELAY_REQUEST_SUCCESS:
    case RELAY_REQUEST_FAILURE:
        return outer_global_reply(outer);
    case RELAY_OPEN:
        return outer_open(outer, payload);
    case RELAY_WINDOW_ADJUST:
        return outer_window_adjust(outer, payload);
    case RELAY_DATA:
        return outer_data(outer, payload);
    case RELAY_EOF:
        return outer_client_eof(outer, payload);
    case RELAY_CLOSE:
        return outer_client_close(outer, payload);
    case RELAY_REQUEST:
        return outer_request(outer, payload);
    case RELAY_EXTENDED_DATA:
        return outer_violation(outer, "the client sent extended data on a channel that has none");
    case RELAY_OPEN_CONFIRMATION:
    case RELAY_OPEN_FAILURE:
    case RELAY_SUCCESS:
    case RELAY_FAILURE:
        return outer_violation(outer, "the client answered a request that was not made");
    default:
        return outer_violation(outer, "the client sent a packet type that RFC 4254 does not define");
    }
}
