/* The messages of a login between the client's first and the target's last: who is asked for the password,
 * and how it reaches the target. Nothing of it is recorded but the plugin's name. */
#include "my_state.h"

#include <string.h>

#include "crypto/random.h"
#include "crypto/rsa_key.h"

enum {
    SHA2_KEY_PLEASE = 2, /* client: send me your RSA key */
    SHA2_FAST_DONE = 3,  /* server: the proof is right */
    SHA2_CLEARTEXT = 4,  /* server: I need the password itself */
    MORE_BYTES = 2,      /* MY_AUTH_MORE and one of those */
};

static enum err break_off(struct my_relay *my, enum db_side side, const char *sentence)
{
    return my_end(my, side == DB_CLIENT ? DB_END_CLIENT : DB_END_TARGET, &MY_BAD_HANDSHAKE, sentence);
}

static bool is_byte(struct cursor payload, uint8_t byte)
{
    return cursor_len(&payload) == 1 && *payload.at == byte;
}

static enum my_plugin plugin_at_hand(const struct my_relay *my)
{
    return my_plugin_of(cursor_of_text(my->plugin));
}

static enum err send_more(struct my_relay *my, uint8_t byte)
{
    const uint8_t payload[MORE_BYTES] = {MY_AUTH_MORE, byte};
    return my_send(my, DB_CLIENT, cursor_of(payload, sizeof payload));
}

/* Our RSA key: it stands where the target's own would stand, because the target is reached over TLS and takes
 * the password as it is. */
static enum err send_key(struct my_relay *my)
{
    uint8_t payload[1 + CRYPTO_RSA_PEM_BYTES];
    char pem[CRYPTO_RSA_PEM_BYTES];
    struct writer out = writer_of(payload, sizeof payload);
    TRY(crypto_rsa_pem(pem));
    writer_u8(&out, MY_AUTH_MORE);
    writer_bytes(&out, cursor_of_text(pem));
    struct cursor message;
    TRY(writer_done(&out, &message));
    my->phase = MY_PHASE_ASK_SEALED;
    return my_send(my, DB_CLIENT, message);
}

/* The login to the target */

/* The whole of it is written where it waits: it may be long, and hold a password. */
static enum err send_login(struct my_relay *my, const struct my_login *login)
{
    enum { NUMBERS_BYTES = 128 };
    struct cursor client = secret_peek(&my->login_bytes);
    size_t room_bytes = MY_HEADER_BYTES + cursor_len(&client) + cursor_len(&login->proof) +
                        (size_t)3 * MY_NAME_BYTES + NUMBERS_BYTES;
    struct queue *out = &my->common.out[DB_TARGET];
    uint8_t *room = NULL;
    TRY(queue_reserve(out, room_bytes, &room));
    struct writer payload = writer_of(room + MY_HEADER_BYTES, room_bytes - MY_HEADER_BYTES);
    if (my->is_change) {
        my_write_change_user(&payload, login);
    } else {
        my_write_login(&payload, login);
    }
    struct cursor written;
    TRY(writer_done(&payload, &written));
    struct writer header = writer_of(room, MY_HEADER_BYTES);
    writer_uint_le(&header, 3, cursor_len(&written));
    writer_u8(&header, my->legs[DB_TARGET].sequence++);
    queue_added(out, MY_HEADER_BYTES + cursor_len(&written));
    my->phase = MY_PHASE_PROOF;
    return ERR_NONE;
}

enum err my_prove_to_target(struct my_relay *my)
{
    if (my->common.config.login == DB_LOGIN_CLIENT) {
        return send_login(my, &my->login);
    }
    /* A guess from the greeting; when the account wants another plugin, the target says so. */
    enum my_plugin plugin = my_plugin_of(cursor_of_text(my->greeting_plugin));
    plugin = plugin == MY_PLUGIN_SHA2 ? MY_PLUGIN_SHA2 : MY_PLUGIN_NATIVE;
    my_copy_text(my->plugin, cursor_of_text(my_plugin_name(plugin)));
    OWNED_SECRET proof = {0};
    if (my_prove(plugin, cursor_of(my->nonce, my->nonce_bytes), secret_peek(&my->password), &proof) !=
        ERR_NONE) {
        return break_off(my, DB_TARGET, "the target's nonce has a wrong length");
    }
    struct my_login login = my->login;
    login.plugin = cursor_of_text(my->plugin);
    login.proof = secret_peek(&proof);
    return send_login(my, &login);
}

static enum err send_password(struct my_relay *my)
{
    OWNED_SECRET proof = {0};
    TRY(my_clear_proof(secret_peek(&my->password), &proof));
    my->phase = MY_PHASE_PROOF;
    return my_send(my, DB_TARGET, secret_peek(&proof));
}

/* The client's password */

/* What a client sends for an empty password: nothing, or its NUL. */
static bool is_no_password(struct cursor proof)
{
    return cursor_len(&proof) == 0 || is_byte(proof, 0);
}

/* Begin again with the plugin whose messages we can answer, and a nonce of our own. */
static enum err ask_to_switch(struct my_relay *my)
{
    uint8_t memory[1 + MY_NAME_BYTES + MY_NONCE_BYTES + 1];
    struct writer out = writer_of(memory, sizeof memory);
    crypto_random(my->client_nonce, sizeof my->client_nonce);
    for (size_t i = 0; i < sizeof my->client_nonce; i++) {
        /* Some clients take the nonce for a text: no NUL, seven bits, as servers make them. */
        my->client_nonce[i] = (uint8_t)(my->client_nonce[i] % 94 + 33);
    }
    writer_u8(&out, MY_EOF);
    my_write_name(&out, cursor_of_text(my_plugin_name(MY_PLUGIN_SHA2)));
    my_write_name(&out, cursor_of(my->client_nonce, sizeof my->client_nonce));
    struct cursor payload;
    TRY(writer_done(&out, &payload));
    my->phase = MY_PHASE_ASK_SWITCH;
    return my_send(my, DB_CLIENT, payload);
}

/* The client speaks caching_sha2_password, and this is its proof of a password that nobody here knows. */
static enum err take_sha2_proof(struct my_relay *my, struct cursor proof)
{
    bool has_password = !is_no_password(proof);
    if (my->common.config.login == DB_LOGIN_TOKEN) {
        my->is_fast_due = has_password;
        return my_prove_to_target(my);
    }
    if (!has_password) {
        TRY(secret_set(&my->password, cursor_of(NULL, 0)));
        return my_prove_to_target(my);
    }
    my->phase = MY_PHASE_ASK_PASSWORD;
    return send_more(my, SHA2_CLEARTEXT);
}

static enum err take_clear_password(struct my_relay *my, struct cursor proof)
{
    if (cursor_len(&proof) == 0 || proof.end[-1] != 0) {
        return break_off(my, DB_CLIENT, "the client encrypted its password with a key that is not ours");
    }
    proof.end--;
    if (cursor_len(&proof) >= DB_PASSWORD_BYTES) {
        return break_off(my, DB_CLIENT, "the client's password is too long");
    }
    TRY(secret_set(&my->password, proof));
    return my_prove_to_target(my);
}

enum err my_ask(struct my_relay *my)
{
    enum my_plugin plugin = plugin_at_hand(my);
    if (my->common.config.login == DB_LOGIN_TOKEN) {
        TRY(secret_set(&my->password, secret_peek(&my->token)));
        if (plugin == MY_PLUGIN_NATIVE || plugin == MY_PLUGIN_CLEAR) {
            return my_prove_to_target(my); /* such a client takes OK at once */
        }
    } else if (plugin == MY_PLUGIN_CLEAR) {
        return take_clear_password(my, my->login.proof);
    }
    /* In a change of user it is open which nonce the client took. */
    return plugin == MY_PLUGIN_SHA2 && !my->is_change ? take_sha2_proof(my, my->login.proof)
                                                      : ask_to_switch(my);
}

static enum err take_sealed(struct my_relay *my, struct cursor sealed)
{
    uint8_t plain[CRYPTO_RSA_PLAIN_BYTES];
    size_t len_bytes = 0;
    enum err err = crypto_rsa_open(sealed, plain, &len_bytes);
    if (err == ERR_NONE) {
        err = my_unmix(cursor_of(plain, len_bytes), my->client_nonce, &my->password);
    }
    secret_wipe(plain, sizeof plain);
    if (err == ERR_MISMATCH || err == ERR_MALFORMED) {
        return break_off(my, DB_CLIENT, "the client's password is not encrypted as it should be");
    }
    TRY(err);
    return my->common.config.login == DB_LOGIN_CLIENT ? send_password(my) : my_prove_to_target(my);
}

static enum err take_from_client(struct my_relay *my, struct cursor payload)
{
    bool wants_key = is_byte(payload, SHA2_KEY_PLEASE);
    switch ((int)my->phase) {
    case MY_PHASE_ASK_SWITCH:
        return take_sha2_proof(my, payload);
    case MY_PHASE_ASK_PASSWORD:
        return wants_key ? send_key(my) : take_clear_password(my, payload);
    case MY_PHASE_ASK_SEALED:
        return take_sealed(my, payload);
    default:
        return wants_key && my->is_cleartext_asked ? send_key(my) : my_send(my, DB_TARGET, payload);
    }
}

/* The target's answers */

static void forget_secrets(struct my_relay *my)
{
    secret_done(&my->login_bytes);
    secret_done(&my->password);
    secret_done(&my->token);
    my->login = (struct my_login){0};
}

static void begin_commands(struct my_relay *my)
{
    forget_secrets(my);
    my->is_change = false;
    my->phase = MY_PHASE_COMMANDS;
}

static enum err take_ok(struct my_relay *my, struct cursor payload)
{
    struct my_ok ok;
    if (my_read_ok(payload, my->capabilities, &ok) != ERR_NONE) {
        return break_off(my, DB_TARGET, "the target's answer to the login is malformed");
    }
    if (my->is_change) {
        const struct my_outcome outcome = {.outcome = RECORD_DB_DONE, .ok = &ok};
        TRY(my_record_result(my, my_waiting_first(my), &outcome));
        my_waiting_pop(my);
        my_statements_done(&my->statements);
        my->has_last_prepared = false;
    } else {
        TRY(my_record_startup(my));
    }
    my_copy_text(my->user, my->login.user);
    if (my->is_fast_due) {
        TRY(send_more(my, SHA2_FAST_DONE));
    }
    TRY(my_send(my, DB_CLIENT, payload));
    begin_commands(my);
    return ERR_NONE;
}

static enum err take_error(struct my_relay *my, struct cursor payload)
{
    if (my->is_change) {
        if (my_record_error(my, my_waiting_first(my), payload, 0) == ERR_MALFORMED) {
            return break_off(my, DB_TARGET, "the target's answer to the change of user is malformed");
        }
        my_waiting_pop(my);
        TRY(my_send(my, DB_CLIENT, payload));
        begin_commands(my);
        return ERR_NONE;
    }
    TRY(my_record_startup(my));
    TRY(my_record_notice(my, payload));
    TRY(my_send(my, DB_CLIENT, payload));
    return my_end(my, DB_END_LOGIN, NULL, "the target refused the login");
}

/* AuthSwitchRequest, after its first byte. */
static enum err take_switch(struct my_relay *my, struct cursor payload)
{
    struct cursor name;
    struct cursor data;
    struct cursor rest = payload;
    rest.at++;
    if (my_read_switch(rest, &name, &data) != ERR_NONE) {
        return break_off(my, DB_TARGET, "the target asks for a login that no client of today offers");
    }
    my_copy_text(my->plugin, name);
    my->is_cleartext_asked = false;
    if (my->common.config.login == DB_LOGIN_CLIENT) {
        if (cursor_len(&data) >= MY_NONCE_BYTES) {
            memcpy(my->client_nonce, data.at, MY_NONCE_BYTES);
        }
        return my_send(my, DB_CLIENT, payload);
    }
    OWNED_SECRET proof = {0};
    enum err err = my_prove(plugin_at_hand(my), data, secret_peek(&my->password), &proof);
    if (err == ERR_NOT_FOUND) {
        return break_off(my, DB_TARGET, "the target asks for a login plugin that the bastion does not have");
    }
    if (err == ERR_MALFORMED) {
        return break_off(my, DB_TARGET, "the target's nonce has a wrong length");
    }
    TRY(err);
    return my_send(my, DB_TARGET, secret_peek(&proof));
}

static enum err take_more(struct my_relay *my, struct cursor payload)
{
    enum my_plugin plugin = plugin_at_hand(my);
    bool is_cleartext =
        plugin == MY_PLUGIN_SHA2 && cursor_len(&payload) == MORE_BYTES && payload.at[1] == SHA2_CLEARTEXT;
    bool is_fast =
        plugin == MY_PLUGIN_SHA2 && cursor_len(&payload) == MORE_BYTES && payload.at[1] == SHA2_FAST_DONE;
    if (my->common.config.login == DB_LOGIN_CLIENT) {
        my->is_cleartext_asked = is_cleartext;
        return my_send(my, DB_CLIENT, payload);
    }
    if (is_fast) {
        return ERR_NONE; /* OK follows */
    }
    if (is_cleartext || plugin == MY_PLUGIN_DIALOG) {
        return send_password(my);
    }
    return break_off(my, DB_TARGET, "the target asks something in the login that the bastion cannot answer");
}

static enum err take_from_target(struct my_relay *my, struct cursor payload)
{
    if (cursor_len(&payload) == 0) {
        return break_off(my, DB_TARGET, "the target sent an empty packet in the login");
    }
    switch (*payload.at) {
    case MY_OK:
        return take_ok(my, payload);
    case MY_ERROR:
        return take_error(my, payload);
    case MY_EOF:
        return take_switch(my, payload);
    case MY_AUTH_MORE:
        return take_more(my, payload);
    default:
        return break_off(my, DB_TARGET, "the target's answer to the login is none");
    }
}

enum err my_proof_take(struct my_relay *my, enum db_side side, struct cursor payload)
{
    if (++my->turns > MY_TURNS_MAX) {
        return break_off(my, side, "the login does not come to an end");
    }
    return side == DB_CLIENT ? take_from_client(my, payload) : take_from_target(my, payload);
}
