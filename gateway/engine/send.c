/* Packets for the peer: built in libssh's own buffer, encrypted by it, caught by the wrap of its socket. */
#include "state.h"

#include <string.h>

#include "base/limits.h"

enum {
    HEADER_BYTES = 5,     /* packet length and padding length (RFC 4253 section 6) */
    OVERHEAD_BYTES = 128, /* header, type, padding and tag of the largest kind */
    DISCONNECT_TEXT_BYTES = 255,
};

enum err engine_send_raw(struct engine *engine, uint8_t type, struct cursor head, struct cursor body)
{
    static const uint8_t EMPTY[HEADER_BYTES];
    uint32_t head_len = (uint32_t)cursor_len(&head);
    uint32_t body_len = (uint32_t)cursor_len(&body);
    struct engine *previous = engine_enter(engine);
    ssh_buffer out = engine_find_out_buffer(engine->session);
    /* libssh puts the header before the payload: with room for it there the payload need not move. */
    bool is_sent = ssh_buffer_get_len(out) == 0 &&
                   ssh_buffer_allocate_size(out, head_len + body_len + OVERHEAD_BYTES) == 0 &&
                   ssh_buffer_add_data(out, EMPTY, sizeof EMPTY) == 0 &&
                   ssh_buffer_pass_bytes(out, sizeof EMPTY) == sizeof EMPTY &&
                   ssh_buffer_add_data(out, &type, sizeof type) == 0 &&
                   (head_len == 0 || ssh_buffer_add_data(out, head.at, head_len) == 0) &&
                   (body_len == 0 || ssh_buffer_add_data(out, body.at, body_len) == 0) &&
                   ssh_packet_send(engine->session) == SSH_OK;
    engine_leave(previous);
    if (!is_sent) {
        engine_fail(engine, ERR_LIBRARY);
        return engine->failure;
    }
    return ERR_NONE;
}

static bool may_send(const struct engine *engine, uint8_t type)
{
    if (engine->is_authenticated) {
        return type >= PACKET_FIRST_CONNECTION && type <= PACKET_LAST_CONNECTION;
    }
    /* USERAUTH_SUCCESS is not among them: only engine_accept_user() may send it. */
    return engine->role == ENGINE_SERVER && engine->is_ready &&
           (type == PACKET_USERAUTH_FAILURE || type == PACKET_USERAUTH_BANNER ||
            type == PACKET_USERAUTH_PK_OK);
}

enum err engine_send_parts(struct engine *engine, uint8_t type, struct cursor head, struct cursor body)
{
    if (engine->failure != ERR_NONE) {
        return engine->failure;
    }
    if (!may_send(engine, type)) {
        return ERR_STATE;
    }
    size_t len = cursor_len(&head) + cursor_len(&body);
    size_t waiting = queue_len(&engine->output) + engine->held_bytes;
    if (len > LIMIT_PACKET_PAYLOAD_BYTES || waiting + len + OVERHEAD_BYTES > engine->output_limit_bytes) {
        return ERR_TOO_LARGE;
    }
    TRY(engine_send_raw(engine, type, head, body));
    if (engine->is_rekeying) {
        engine->held_bytes += len + OVERHEAD_BYTES;
    }
    engine_steer(engine, len);
    return engine->failure;
}

enum err engine_send(struct engine *engine, uint8_t type, struct cursor payload)
{
    return engine_send_parts(engine, type, payload, cursor_of(NULL, 0));
}

enum err engine_disconnect(struct engine *engine, uint32_t reason, const char *text)
{
    if (!engine->is_started) {
        return ERR_STATE;
    }
    uint8_t memory[DISCONNECT_TEXT_BYTES + 16];
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor payload;
    writer_u32be(&out, reason);
    writer_string(&out, cursor_of(text, strnlen(text, DISCONNECT_TEXT_BYTES)));
    writer_text(&out, "");
    TRY(writer_done(&out, &payload));
    TRY(engine_send_raw(engine, PACKET_DISCONNECT, payload, cursor_of(NULL, 0)));
    engine_fail(engine, ERR_CLOSED);
    return ERR_NONE;
}
