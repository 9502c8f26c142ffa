/* Our packet callbacks: they see a packet after libssh's filter allowed its type, and before libssh does. */
#include "state.h"

#include "base/limits.h"
#include "base/secret.h"

enum { SERVICE_REQUESTS_MOST = 32 }; /* some clients ask again before every login method */

static int hand_over(struct engine *engine, uint8_t type, ssh_buffer packet)
{
    size_t len = ssh_buffer_get_len(packet);
    size_t most = engine->is_authenticated ? LIMIT_PACKET_PAYLOAD_BYTES : LIMIT_LOGIN_PAYLOAD_BYTES;
    if (len > most) {
        engine_fail(engine, ERR_TOO_LARGE);
    }
    if (engine->failure == ERR_NONE && engine->events.packet != NULL) {
        engine->events.packet(engine->owner, type, cursor_of(ssh_buffer_get(packet), len));
    }
    if (type < PACKET_FIRST_CONNECTION) {
        /* It may have held a password or a code, and libssh keeps its buffer. */
        secret_wipe(ssh_buffer_get(packet), len);
    }
    return SSH_PACKET_USED;
}

static int on_disconnect(ssh_session session, uint8_t type, ssh_buffer packet, void *user)
{
    (void)session;
    (void)type;
    (void)packet;
    engine_fail(user, ERR_CLOSED);
    return SSH_PACKET_NOT_USED;
}

static int on_service_request(ssh_session session, uint8_t type, ssh_buffer packet, void *user)
{
    (void)session;
    (void)type;
    (void)packet;
    struct engine *engine = user;
    engine->service_request_count++;
    if (engine->is_authenticated || engine->service_request_count > SERVICE_REQUESTS_MOST) {
        engine_fail(engine, ERR_MALFORMED);
        return SSH_PACKET_USED;
    }
    /* libssh's own callback makes a message of it; engine_server_step() answers that. */
    engine->has_service_request = true;
    return SSH_PACKET_NOT_USED;
}

static int on_key_exchange(ssh_session session, uint8_t type, ssh_buffer packet, void *user)
{
    (void)session;
    struct engine *engine = user;
    if (type == PACKET_KEXINIT) {
        if (engine->role == ENGINE_SERVER) {
            struct cursor kexinit = cursor_of(ssh_buffer_get(packet), ssh_buffer_get_len(packet));
            engine_choose_host_key(engine, kexinit);
            engine_steer_learn(engine, kexinit);
        }
        engine->type_at = engine->byte_at; /* the last byte that libssh read is this packet's type */
        engine->has_peer_kexinit = engine->is_authenticated;
        engine->is_rekeying = engine->is_authenticated;
        engine->host_key_accepted = false;
        return SSH_PACKET_NOT_USED;
    }
    if (engine->role == ENGINE_CLIENT && !engine->host_key_accepted) {
        /* Nobody looked at the host key of these keys: they must not come into use. */
        engine_fail(engine, ERR_MISMATCH);
        return SSH_PACKET_USED;
    }
    engine->is_rekeying = false;
    engine->has_peer_kexinit = false;
    engine->held_bytes = 0;
    engine->has_keys = true;
    return SSH_PACKET_NOT_USED;
}

static int on_userauth(ssh_session session, uint8_t type, ssh_buffer packet, void *user)
{
    (void)session;
    struct engine *engine = user;
    if (engine->role == ENGINE_CLIENT) {
        return SSH_PACKET_NOT_USED;
    }
    /* A client may send its service request and its first login request in one piece. */
    engine_server_step(engine);
    if (!engine->is_ready || engine->is_authenticated) {
        engine_fail(engine, ERR_MALFORMED);
        return SSH_PACKET_USED;
    }
    return hand_over(engine, type, packet);
}

static int on_connection(ssh_session session, uint8_t type, ssh_buffer packet, void *user)
{
    (void)session;
    struct engine *engine = user;
    if (engine->role == ENGINE_CLIENT) {
        /* A target may send requests together with its USERAUTH_SUCCESS: the owner hears of the login first.
         */
        engine_client_step(engine);
    }
    if (!engine->is_authenticated) {
        engine_fail(engine, ERR_MALFORMED);
        return SSH_PACKET_USED;
    }
    return hand_over(engine, type, packet);
}

/* RFC 4253 7.1: after its KEXINIT a party sends nothing but the key exchange until its NEWKEYS. asyncssh goes
 * on with channel data all the same. OpenSSH's sshd takes such packets, libssh's filter ends the connection.
 * They are protected by the keys that still hold, in their order, so on an authenticated connection nothing
 * is lost by taking them; and they are few, since the windows that the client needs for more wait in the
 * engine until its NEWKEYS. In the first key exchange, where strict KEX matters, nothing is taken. So the
 * owner gets the packet here, and libssh one to ignore. */
void engine_byte_read(struct engine *engine, ssh_buffer buffer, uint8_t *byte)
{
    engine->byte_at = byte;
    bool is_connection = *byte >= PACKET_FIRST_CONNECTION && *byte <= PACKET_LAST_CONNECTION;
    if (engine->role == ENGINE_SERVER && engine->has_peer_kexinit && byte == engine->type_at &&
        is_connection) {
        (void)hand_over(engine, *byte, buffer);
        *byte = PACKET_IGNORE;
    }
}

#define TIMES_10(hook) hook, hook, hook, hook, hook, hook, hook, hook, hook, hook

static ssh_packet_callback const DISCONNECT[] = {on_disconnect};
static ssh_packet_callback const SERVICE_REQUEST[] = {on_service_request};
static ssh_packet_callback const KEY_EXCHANGE[] = {on_key_exchange, on_key_exchange};
static ssh_packet_callback const USERAUTH[] = {TIMES_10(on_userauth), TIMES_10(on_userauth),
                                               TIMES_10(on_userauth)};
static ssh_packet_callback const CONNECTION[] = {TIMES_10(on_connection), TIMES_10(on_connection),
                                                 on_connection};

/* libssh only reads the table, but its field is not const. */
#define HOOKS_FROM(first, table)                                                                             \
    {                                                                                                        \
        .start = (first), .n_callbacks = sizeof(table) / sizeof((table)[0]),                                 \
        .callbacks = (ssh_packet_callback *)(table), .user = engine                                          \
    }

void engine_hooks_init(struct engine *engine)
{
    const struct ssh_packet_callbacks_struct hooks[ENGINE_HOOK_COUNT] = {
        HOOKS_FROM(PACKET_DISCONNECT, DISCONNECT),       HOOKS_FROM(PACKET_SERVICE_REQUEST, SERVICE_REQUEST),
        HOOKS_FROM(PACKET_KEXINIT, KEY_EXCHANGE),        HOOKS_FROM(PACKET_USERAUTH_REQUEST, USERAUTH),
        HOOKS_FROM(PACKET_FIRST_CONNECTION, CONNECTION),
    };
    for (size_t i = 0; i < ENGINE_HOOK_COUNT; i++) {
        engine->hooks[i] = hooks[i];
    }
}
