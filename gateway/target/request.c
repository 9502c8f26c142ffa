#include "target/request.h"

#include "base/text.h"

/* ::ffff:a.b.c.d/96+n is a.b.c.d/n, as everywhere in the house. */
static enum err read_grant(struct cursor *in, struct network *ret)
{
    enum { MAPPED_BITS = 96 };
    uint8_t family = 0;
    uint8_t bits = 0;
    struct cursor bytes;
    TRY(cursor_u8(in, &family));
    TRY(cursor_string(in, 16, &bytes));
    TRY(cursor_u8(in, &bits));
    if ((family != 4 && family != 6) || cursor_len(&bytes) != (family == 4 ? 4U : 16U) ||
        bits > (family == 4 ? 32U : 128U)) {
        return ERR_MALFORMED;
    }
    struct network network;
    TRY(network_of_bytes(bytes, &network));
    if (network.family != family) {
        if (bits < MAPPED_BITS) {
            return ERR_MALFORMED; /* would stand for more than IPv4 */
        }
        bits = (uint8_t)(bits - MAPPED_BITS);
    }
    network.prefix_bits = bits;
    *ret = network;
    return ERR_NONE;
}

enum err request_read(struct cursor body, struct request *ret_request)
{
    struct request *request = ret_request;
    request->grant_count = 0;
    uint16_t count = 0;
    TRY(cursor_text(&body, request->host, sizeof request->host));
    TRY(cursor_u16be(&body, &request->port));
    TRY(cursor_u32be(&body, &request->timeout_ms));
    TRY(cursor_u16be(&body, &count));
    bool is_host = text_is_host(cursor_of_text(request->host));
    if (!is_host || request->port == 0 || request->timeout_ms == 0) {
        return ERR_MALFORMED;
    }
    if (count > REQUEST_GRANTS_MAX || request->timeout_ms > REQUEST_TIMEOUT_MAX_MS) {
        return ERR_TOO_LARGE;
    }
    for (; request->grant_count < count; request->grant_count++) {
        TRY(read_grant(&body, &request->grants[request->grant_count]));
    }
    return cursor_end(&body);
}
