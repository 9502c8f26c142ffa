#include "relay/packet.h"

MUST_CHECK enum err relay_read_open(struct cursor payload, struct relay_open *ret_open)
{
    struct relay_open open = {0};
    TRY(cursor_string(&payload, cursor_len(&payload), &open.kind));
    TRY(cursor_u32be(&payload, &open.sender));
    TRY(cursor_u32be(&payload, &open.window_bytes));
    TRY(cursor_u32be(&payload, &open.max_packet_bytes));
    open.rest = payload;
    *ret_open = open;
    return ERR_NONE;
}

MUST_CHECK enum err relay_read_confirmation(struct cursor payload,
                                            struct relay_confirmation *ret_confirmation)
{
    struct relay_confirmation confirmation = {0};
    TRY(cursor_u32be(&payload, &confirmation.recipient));
    TRY(cursor_u32be(&payload, &confirmation.sender));
    TRY(cursor_u32be(&payload, &confirmation.window_bytes));
    TRY(cursor_u32be(&payload, &confirmation.max_packet_bytes));
    /* RFC 4254 5.1 lets a channel type add data here; none of the types that we let pass does (6.1, 6.3.2).
     */
    TRY(cursor_end(&payload));
    *ret_confirmation = confirmation;
    return ERR_NONE;
}

MUST_CHECK enum err relay_read_open_failure(struct cursor payload, struct relay_open_failure *ret_failure)
{
    struct relay_open_failure failure = {0};
    struct cursor language;
    TRY(cursor_u32be(&payload, &failure.recipient));
    TRY(cursor_u32be(&payload, &failure.reason));
    TRY(cursor_string(&payload, cursor_len(&payload), &failure.sentence));
    TRY(cursor_string(&payload, cursor_len(&payload), &language));
    TRY(cursor_end(&payload));
    *ret_failure = failure;
    return ERR_NONE;
}

MUST_CHECK enum err relay_read_window_adjust(struct cursor payload, uint32_t *ret_recipient,
                                             uint32_t *ret_bytes)
{
    uint32_t recipient = 0;
    uint32_t bytes = 0;
    TRY(cursor_u32be(&payload, &recipient));
    TRY(cursor_u32be(&payload, &bytes));
    TRY(cursor_end(&payload));
    *ret_recipient = recipient;
    *ret_bytes = bytes;
    return ERR_NONE;
}

MUST_CHECK enum err relay_read_data(struct cursor payload, bool is_extended, struct relay_data *ret_data)
{
    struct relay_data data = {0};
    TRY(cursor_u32be(&payload, &data.recipient));
    if (is_extended) {
        TRY(cursor_u32be(&payload, &data.code));
    }
    TRY(cursor_string(&payload, cursor_len(&payload), &data.bytes));
    TRY(cursor_end(&payload));
    *ret_data = data;
    return ERR_NONE;
}

MUST_CHECK enum err relay_read_channel(struct cursor payload, uint32_t *ret_recipient)
{
    uint32_t recipient = 0;
    TRY(cursor_u32be(&payload, &recipient));
    TRY(cursor_end(&payload));
    *ret_recipient = recipient;
    return ERR_NONE;
}

MUST_CHECK enum err relay_read_global_request(struct cursor payload, struct relay_request *ret_request)
{
    struct relay_request request = {0};
    TRY(cursor_string(&payload, cursor_len(&payload), &request.name));
    TRY(cursor_bool(&payload, &request.wants_reply));
    request.rest = payload;
    *ret_request = request;
    return ERR_NONE;
}

MUST_CHECK enum err relay_read_request(struct cursor payload, struct relay_request *ret_request)
{
    uint32_t recipient = 0;
    TRY(cursor_u32be(&payload, &recipient));
    TRY(relay_read_global_request(payload, ret_request));
    ret_request->recipient = recipient;
    return ERR_NONE;
}

MUST_CHECK enum err relay_read_direct_tcpip(struct cursor rest, struct relay_direct_tcpip *ret_direct)
{
    struct relay_direct_tcpip direct = {0};
    TRY(cursor_string(&rest, cursor_len(&rest), &direct.host));
    TRY(cursor_u32be(&rest, &direct.port));
    TRY(cursor_string(&rest, cursor_len(&rest), &direct.originator));
    TRY(cursor_u32be(&rest, &direct.originator_port));
    TRY(cursor_end(&rest));
    *ret_direct = direct;
    return ERR_NONE;
}

void relay_write_open_failure(struct writer *out, uint32_t recipient, enum relay_open_reason reason,
                              const char *sentence)
{
    writer_u32be(out, recipient);
    writer_u32be(out, (uint32_t)reason);
    writer_text(out, sentence);
    writer_text(out, ""); /* language tag */
}

void relay_write_confirmation(struct writer *out, uint32_t recipient, uint32_t sender, uint32_t window_bytes,
                              uint32_t max_packet_bytes)
{
    writer_u32be(out, recipient);
    writer_u32be(out, sender);
    writer_u32be(out, window_bytes);
    writer_u32be(out, max_packet_bytes);
}

void relay_write_exit_status(struct writer *out, uint32_t recipient, uint32_t status)
{
    writer_u32be(out, recipient);
    writer_text(out, "exit-status");
    writer_bool(out, false);
    writer_u32be(out, status);
}

const char *relay_type_name(uint8_t type)
{
    static const char *const NAMES[RELAY_FAILURE + 1] = {
        [RELAY_GLOBAL_REQUEST] = "global request",
        [RELAY_REQUEST_SUCCESS] = "request success",
        [RELAY_REQUEST_FAILURE] = "request failure",
        [RELAY_OPEN] = "channel open",
        [RELAY_OPEN_CONFIRMATION] = "channel open confirmation",
        [RELAY_OPEN_FAILURE] = "channel open failure",
        [RELAY_WINDOW_ADJUST] = "window adjust",
        [RELAY_DATA] = "data",
        [RELAY_EXTENDED_DATA] = "extended data",
        [RELAY_EOF] = "end of file",
        [RELAY_CLOSE] = "channel close",
        [RELAY_REQUEST] = "channel request",
        [RELAY_SUCCESS] = "channel success",
        [RELAY_FAILURE] = "channel failure",
    };
    return type > RELAY_FAILURE || NAMES[type] == NULL ? "unknown" : NAMES[type];
}
