/* Greeting, the client's login, the login that goes to the target. Each step is one packet of the side whose
 * turn it is; what the other side sends meanwhile waits. The two connections count their packets apart: the
 * request for TLS exists only towards the target, our questions only towards the client. */
#include "my_state.h"

#include <stdlib.h>
#include <string.h>

enum { ASKED_BYTES = 8 * 1024 }; /* of parameters for the policy and the recording */

static bool is_turn(const struct my_relay *my, enum db_side side)
{
    switch (my->phase) {
    case MY_PHASE_GREETING:
        return side == DB_TARGET;
    case MY_PHASE_LOGIN:
    case MY_PHASE_ASK_SWITCH:
    case MY_PHASE_ASK_PASSWORD:
    case MY_PHASE_ASK_SEALED:
        return side == DB_CLIENT;
    case MY_PHASE_PROOF:
        /* Only the client's own login needs more of the client now. */
        return side == DB_TARGET || my->common.config.login == DB_LOGIN_CLIENT;
    case MY_PHASE_CLIENT_TLS:
    case MY_PHASE_GRANT:
    case MY_PHASE_TARGET_TLS:
    case MY_PHASE_COMMANDS:
        break;
    }
    return false;
}

static enum err end_by(struct my_relay *my, enum db_side side, const char *sentence)
{
    return my_end(my, side == DB_CLIENT ? DB_END_CLIENT : DB_END_TARGET, &MY_BAD_HANDSHAKE, sentence);
}

/* Greeting */

static enum err send_greeting(struct my_relay *my, struct my_greeting greeting)
{
    uint8_t memory[MY_VERSION_BYTES + MY_NAME_BYTES + 128];
    struct writer out = writer_of(memory, sizeof memory);
    greeting.capabilities = (greeting.capabilities & MY_PASSED) | MY_MYSQL;
    if (my->common.config.client_tls == DB_CLIENT_TLS_REFUSE) {
        greeting.capabilities &= ~(uint32_t)MY_SSL;
    }
    if (my->common.config.login != DB_LOGIN_CLIENT) {
        /* The one plugin by which every client of today hands over a password where it is asked to. */
        greeting.plugin = cursor_of_text(my_plugin_name(MY_PLUGIN_SHA2));
    }
    my_write_greeting(&out, &greeting);
    struct cursor payload;
    TRY(writer_done(&out, &payload));
    my->phase = MY_PHASE_LOGIN;
    return my_send(my, DB_CLIENT, payload);
}

/* "Too many connections", "Host is blocked": an error in place of a greeting. */
static enum err pass_early_error(struct my_relay *my, struct cursor payload)
{
    TRY(my_send(my, DB_CLIENT, payload));
    return my_end(my, DB_END_LOGIN, NULL, "the target refuses connections");
}

static enum err take_greeting(struct my_relay *my, struct cursor payload)
{
    struct my_greeting greeting;
    if (cursor_len(&payload) > 0 && *payload.at == MY_ERROR) {
        return pass_early_error(my, payload);
    }
    if (my_read_greeting(payload, &greeting) != ERR_NONE) {
        return end_by(my, DB_TARGET, "the target does not greet as a MySQL server");
    }
    if ((greeting.capabilities & MY_SSL) == 0) {
        return my_end(my, DB_END_REFUSED, &MY_BAD_HANDSHAKE, "the target does not offer TLS");
    }
    if ((greeting.capabilities & MY_PLUGIN_AUTH) == 0) {
        return end_by(my, DB_TARGET, "the target is older than MySQL 5.5");
    }
    my_copy_text(my->version, greeting.version);
    my_copy_text(my->greeting_plugin, greeting.plugin);
    my->offered = greeting.capabilities;
    memcpy(my->nonce, greeting.nonce, sizeof greeting.nonce);
    my->nonce_bytes = sizeof greeting.nonce;
    memcpy(my->client_nonce, greeting.nonce, sizeof greeting.nonce);
    return send_greeting(my, greeting);
}

/* The client's login */

/* "name=value" lines of the attributes that a client tells about itself. */
static void write_attributes(struct writer *out, struct cursor attributes, struct cursor *ret_application)
{
    struct cursor name;
    struct cursor value;
    while (my_next_attribute(&attributes, &name, &value)) {
        size_t line_bytes = cursor_len(&name) + cursor_len(&value) + 2;
        if ((size_t)(out->end - out->at) < line_bytes) {
            return; /* cut: they are the client's own words, nothing depends on them */
        }
        writer_bytes(out, name);
        writer_u8(out, '=');
        const uint8_t *at = out->at;
        writer_bytes(out, value);
        if (cursor_equal_text(name, "program_name")) {
            *ret_application = cursor_of(at, cursor_len(&value));
        }
        writer_u8(out, '\n');
    }
}

static struct cursor copy_into(struct writer *out, struct cursor bytes)
{
    const uint8_t *at = out->at;
    writer_bytes(out, bytes);
    return cursor_of(at, cursor_len(&bytes));
}

/* What the policy is asked with outlives the login. */
static enum err keep_asked(struct my_relay *my)
{
    my->asked_memory = malloc(ASKED_BYTES);
    if (my->asked_memory == NULL) {
        return ERR_MEMORY;
    }
    struct writer out = writer_of(my->asked_memory, ASKED_BYTES);
    struct db_asked *asked = &my->common.asked;
    asked->user = copy_into(&out, my->login.user);
    asked->database = copy_into(&out, my->login.database);
    const uint8_t *at = out.at;
    write_attributes(&out, my->login.attributes, &asked->application);
    asked->parameters = cursor_of(at, (size_t)(out.at - at));
    return ERR_NONE;
}

static enum err take_ssl_request(struct my_relay *my)
{
    if (my->common.config.client_tls == DB_CLIENT_TLS_REFUSE) {
        return end_by(my, DB_CLIENT,
                      "this target takes no TLS from clients: the tunnel encrypts, and the target is "
                      "reached with verified TLS");
    }
    if (my->is_client_tls) {
        return end_by(my, DB_CLIENT, "the client asked for TLS twice");
    }
    my->phase = MY_PHASE_CLIENT_TLS;
    return ERR_NONE;
}

static enum err take_login(struct my_relay *my, struct cursor payload)
{
    TRY(secret_set(&my->login_bytes, payload));
    if (my_read_login(secret_peek(&my->login_bytes), &my->login) != ERR_NONE) {
        return end_by(my, DB_CLIENT, "the client's login is not what MySQL 4.1 and later send");
    }
    if (my->login.is_ssl_request) {
        return take_ssl_request(my);
    }
    if ((my->login.capabilities & MY_PLUGIN_AUTH) == 0 && my->common.config.login != DB_LOGIN_CLIENT) {
        return end_by(my, DB_CLIENT, "the client is too old to be asked for a password");
    }
    TRY(keep_asked(my));
    my->phase = MY_PHASE_GRANT;
    return ERR_NONE;
}

/* After the policy's answer */

enum err my_login_granted(struct my_relay *my, struct cursor token)
{
    uint8_t memory[64];
    struct writer out = writer_of(memory, sizeof memory);
    if (cursor_len(&token) >= DB_PASSWORD_BYTES) {
        return ERR_TOO_LARGE;
    }
    TRY(secret_set(&my->token, token));
    uint32_t both = my->login.capabilities & my->offered & MY_PASSED;
    both &= my->common.rights.local_infile ? UINT32_MAX : ~(uint32_t)MY_LOCAL_FILES;
    if (my->common.config.login != DB_LOGIN_CLIENT) {
        both |= my->offered & MY_LONG_AUTH; /* our proof may be a token */
    }
    my->capabilities = both;
    my->login.capabilities = both | MY_SSL | MY_MYSQL;
    my_write_ssl_request(&out, &my->login);
    struct cursor payload;
    TRY(writer_done(&out, &payload));
    my->phase = MY_PHASE_TARGET_TLS;
    return my_send(my, DB_TARGET, payload);
}

static enum err begin_proof(struct my_relay *my)
{
    my->turns = 0;
    my_copy_text(my->plugin, my->login.plugin);
    if (my->common.config.login != DB_LOGIN_CLIENT) {
        return my_ask(my);
    }
    return my_prove_to_target(my);
}

enum err my_login_encrypted(struct my_relay *my)
{
    return begin_proof(my);
}

enum err my_login_again(struct my_relay *my)
{
    my->is_change = true;
    return begin_proof(my);
}

/* Packets */

static enum err take_payload(struct my_relay *my, enum db_side side, struct cursor payload)
{
    switch ((int)my->phase) {
    case MY_PHASE_GREETING:
        return take_greeting(my, payload);
    case MY_PHASE_LOGIN:
        return take_login(my, payload);
    default:
        return my_proof_take(my, side, payload);
    }
}

/* One packet, when it is there. */
static enum err take_packet(struct my_relay *my, enum db_side side, struct cursor *bytes, bool *ret_is_there)
{
    struct my_leg *leg = &my->legs[side];
    struct cursor packet;
    uint64_t payload_bytes = 0;
    uint8_t sequence = 0;
    TRY(my_gather(leg, bytes, MY_HEADER_BYTES, &packet, ret_is_there));
    if (!*ret_is_there) {
        return ERR_NONE;
    }
    TRY(cursor_uint_le(&packet, 3, &payload_bytes));
    TRY(cursor_u8(&packet, &sequence));
    if (sequence != leg->sequence) {
        return end_by(my, side, "a packet of the login came out of order");
    }
    if (payload_bytes > MY_LOGIN_PACKET_BYTES) {
        return end_by(my, side, "a packet of the login is too large");
    }
    size_t packet_bytes = MY_HEADER_BYTES + (size_t)payload_bytes;
    TRY(my_gather(leg, bytes, packet_bytes, &packet, ret_is_there));
    if (!*ret_is_there) {
        return ERR_NONE;
    }
    leg->sequence++;
    packet.at += MY_HEADER_BYTES;
    enum err err = take_payload(my, side, packet);
    my_gathered(leg, bytes, packet_bytes);
    return err;
}

enum err my_login_feed(struct my_relay *my, enum db_side side, struct cursor *bytes)
{
    bool is_there = true;
    while (is_there && my->common.end == DB_END_NONE && is_turn(my, side) &&
           (cursor_len(bytes) > 0 || queue_len(&my->legs[side].partial) >= MY_HEADER_BYTES)) {
        TRY(take_packet(my, side, bytes, &is_there));
    }
    return ERR_NONE;
}
