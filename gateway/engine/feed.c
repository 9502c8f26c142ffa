/* Bytes from the peer into libssh's packet parser. */
#include "state.h"

#include "base/limits.h"

enum {
    /* libssh calls itself once per packet of a piece, so a piece bounds the stack; and one data packet of 32
     * KiB, the size that OpenSSH sends, should fit. */
    PIECE_BYTES = 33 * 1024,
    TOP_UP_BYTES = 34 * 1024,
    BANNER_MOST_BYTES = 16 * 1024, /* a server may send lines before its banner (RFC 4253 section 4.2) */
    PACKET_OVERHEAD_BYTES = 512,   /* header, padding and tag around a payload */
};

static void check_status(struct engine *engine)
{
    if ((ssh_get_status(engine->session) & (SSH_CLOSED | SSH_CLOSED_ERROR)) != 0) {
        engine_fail(engine, ERR_MALFORMED);
    }
}

/* Present bytes until libssh wants no more of them. Returns how many it consumed. */
static size_t present(struct engine *engine, uint8_t *bytes, size_t len)
{
    size_t done = 0;
    size_t piece = PIECE_BYTES;
    while (done < len && engine->failure == ERR_NONE) {
        size_t part = len - done < piece ? len - done : piece;
        /* Read anew each time: the banner parser hands over to the packet parser by changing it. */
        ssh_socket_callbacks callbacks = engine->socket_callbacks;
        size_t used = callbacks->data(bytes + done, part, callbacks->userdata);
        check_status(engine);
        if (used > part) {
            /* libssh returns its error code -1 as a count when new keys cannot be started. */
            engine_fail(engine, ERR_LIBRARY);
            break;
        }
        if (used == 0 && part == len - done) {
            break;
        }
        /* A packet larger than the piece: more of it is there. */
        piece = used == 0 ? piece * 2 : PIECE_BYTES;
        done += used;
    }
    return done;
}

/* A packet that is not complete yet. libssh would wait for 256 KiB of it, on a connection of whoever comes.
 */
static enum err keep(struct engine *engine, struct cursor bytes)
{
    size_t most = (engine->is_authenticated ? LIMIT_PACKET_PAYLOAD_BYTES : LIMIT_LOGIN_PAYLOAD_BYTES) +
                  PACKET_OVERHEAD_BYTES;
    if (queue_len(&engine->input) + cursor_len(&bytes) > most) {
        return ERR_TOO_LARGE;
    }
    return queue_append(&engine->input, bytes);
}

/* libssh writes into a banner while it reads it, so these bytes are copied. */
static enum err feed_banner(struct engine *engine, struct cursor bytes)
{
    engine->banner_bytes += cursor_len(&bytes);
    TRY(queue_append(&engine->input, bytes));
    queue_consume(&engine->input, present(engine, queue_bytes(&engine->input), queue_len(&engine->input)));
    return !engine->has_hooks && engine->banner_bytes > BANNER_MOST_BYTES ? ERR_MALFORMED : ERR_NONE;
}

/* The kept part of a packet, completed with as little of `bytes` as may do. */
static enum err feed_kept(struct engine *engine, struct cursor *bytes)
{
    size_t kept = queue_len(&engine->input);
    size_t added = cursor_len(bytes) < TOP_UP_BYTES ? cursor_len(bytes) : TOP_UP_BYTES;
    TRY(queue_append(&engine->input, cursor_of(bytes->at, added)));
    bytes->at += added;
    size_t used = present(engine, queue_bytes(&engine->input), kept + added);
    if (used >= kept && engine->failure == ERR_NONE) {
        /* All that is left lies in `bytes` too: go on there without a copy. */
        bytes->at -= kept + added - used;
        queue_consume(&engine->input, kept + added);
    } else {
        queue_consume(&engine->input, used);
    }
    return keep(engine, cursor_of(NULL, 0));
}

static enum err feed_packets(struct engine *engine, struct cursor bytes)
{
    while (cursor_len(&bytes) > 0 && engine->failure == ERR_NONE) {
        if (queue_len(&engine->input) > 0) {
            TRY(feed_kept(engine, &bytes));
            continue;
        }
        /* The packet parser does not write into its input, its type is only not const. */
        bytes.at += present(engine, (uint8_t *)bytes.at, cursor_len(&bytes));
        return engine->failure != ERR_NONE ? ERR_NONE : keep(engine, bytes);
    }
    return ERR_NONE;
}

enum err engine_feed(struct engine *engine, struct cursor bytes)
{
    if (engine->failure != ERR_NONE) {
        return engine->failure;
    }
    if (!engine->is_started || engine->is_feeding) {
        return ERR_STATE;
    }
    engine->is_feeding = true;
    struct engine *previous = engine_enter(engine);
    enum err err = engine->has_hooks ? feed_packets(engine, bytes) : feed_banner(engine, bytes);
    if (err != ERR_NONE) {
        engine_fail(engine, err);
    }
    if (engine->role == ENGINE_SERVER) {
        engine_server_step(engine);
    } else {
        engine_client_step(engine);
    }
    engine_leave(previous);
    engine->is_feeding = false;
    engine_steer(engine, cursor_len(&bytes));
    return engine->failure;
}
