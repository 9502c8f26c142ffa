/* The server side: a session without descriptor and without private key; service requests; the end of
 * userauth. */
#include "state.h"

#include <stdio.h>
#include <string.h>

enum { PROMPTS_MOST = 8, BANNER_BYTES = 96 };

/* Told to clients (RFC 8308 server-sig-algs): what signatures they may log in with. No SHA-1. */
static const char SIGNATURES[] =
    "ssh-ed25519,sk-ssh-ed25519@openssh.com,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,"
    "sk-ecdsa-sha2-nistp256@openssh.com,rsa-sha2-512,rsa-sha2-256";

static enum err check_host_blob(struct cursor blob)
{
    struct cursor type;
    struct cursor public_key;
    TRY(cursor_string(&blob, 32, &type));
    TRY(cursor_string(&blob, ENGINE_ED25519_BYTES, &public_key));
    TRY(cursor_end(&blob));
    bool is_ed25519 =
        cursor_equal_text(type, "ssh-ed25519") && cursor_len(&public_key) == ENGINE_ED25519_BYTES;
    return is_ed25519 ? ERR_NONE : ERR_MALFORMED;
}

/* libssh wants a private key before it acts as a server. It gets one of zeros, the same for everybody:
 * nothing is ever signed with it and its public half is never shown, for the wraps of pki_sign_data() and
 * ssh_get_key_params() answer instead. */
static enum err make_hollow_key(ssh_key *ret_key)
{
    static const uint8_t ZEROS[2 * ENGINE_ED25519_BYTES];
    uint8_t memory[2 * sizeof ZEROS];
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor section;
    writer_string(&out, cursor_of(ZEROS, ENGINE_ED25519_BYTES));
    writer_string(&out, cursor_of(ZEROS, sizeof ZEROS));
    TRY(writer_done(&out, &section));
    ssh_buffer buffer = ssh_buffer_new();
    enum err err = ERR_NONE;
    if (buffer == NULL || ssh_buffer_add_data(buffer, section.at, (uint32_t)cursor_len(&section)) != 0) {
        err = ERR_MEMORY;
    } else if (pki_import_privkey_buffer(SSH_KEYTYPE_ED25519, buffer, ret_key) != SSH_OK) {
        err = ERR_LIBRARY;
    }
    ssh_buffer_free(buffer);
    return err;
}

static enum err set_host_key(struct engine *engine, ssh_bind bind, struct cursor blob)
{
    TRY(check_host_blob(blob));
    engine->host_blob = ssh_string_new(cursor_len(&blob));
    if (engine->host_blob == NULL || ssh_string_fill(engine->host_blob, blob.at, cursor_len(&blob)) != 0) {
        return ERR_MEMORY;
    }
    TRY(make_hollow_key(&engine->host_key));
    ssh_key key = NULL;
    TRY(make_hollow_key(&key));
    if (ssh_bind_options_set(bind, SSH_BIND_OPTIONS_IMPORT_KEY, key) != 0) {
        ssh_key_free(key);
        return ERR_LIBRARY;
    }
    return ERR_NONE; /* the bind owns `key` */
}

static enum err set_bind_options(ssh_bind bind, const struct engine_config *config)
{
    char banner[BANNER_BYTES];
    const char *comment = config->banner_comment;
    int len = snprintf(banner, sizeof banner, "bastion%s%s", comment == NULL ? "" : " ",
                       comment == NULL ? "" : comment);
    if (len < 0 || (size_t)len >= sizeof banner || strpbrk(banner, "\r\n") != NULL) {
        return ERR_MALFORMED;
    }
    if (ssh_bind_options_set(bind, SSH_BIND_OPTIONS_PROCESS_CONFIG, &(bool){false}) != 0 ||
        ssh_bind_options_set(bind, SSH_BIND_OPTIONS_BANNER, banner) != 0 ||
        ssh_bind_options_set(bind, SSH_BIND_OPTIONS_PUBKEY_ACCEPTED_KEY_TYPES, SIGNATURES) != 0) {
        return ERR_LIBRARY;
    }
    return ERR_NONE;
}

enum err engine_server_open(struct engine *engine, const struct engine_config *config)
{
    ssh_bind bind = ssh_bind_new();
    if (bind == NULL) {
        return ERR_MEMORY;
    }
    enum err err = set_bind_options(bind, config);
    if (err == ERR_NONE) {
        err = set_host_key(engine, bind, config->host_public_blob);
    }
    if (err == ERR_NONE && cursor_len(&config->host_certificate) > 0) {
        err = engine_set_host_certificate(engine, config->host_certificate);
    }
    /* No descriptor: libssh would only poll it, and wraps.c answers those calls. */
    if (err == ERR_NONE && ssh_bind_accept_fd(bind, engine->session, SSH_INVALID_SOCKET) != SSH_OK) {
        err = ERR_LIBRARY;
    }
    ssh_bind_free(bind);
    return err;
}

enum err engine_server_start(struct engine *engine)
{
    int result = ssh_handle_key_exchange(engine->session);
    return result == SSH_AGAIN && engine->socket_callbacks != NULL ? ERR_NONE : ERR_LIBRARY;
}

static void answer_service_request(struct engine *engine, ssh_message message)
{
    const char *service =
        ssh_message_type(message) == SSH_REQUEST_SERVICE ? ssh_message_service_service(message) : NULL;
    if (service == NULL || strcmp(service, "ssh-userauth") != 0 || engine->is_authenticated) {
        ssh_message_free(message);
        engine_fail(engine, ERR_MALFORMED);
        return;
    }
    ssh_message_free(engine->service);
    engine->service = message;
    if (ssh_message_service_reply_success(message) != SSH_OK) {
        engine_fail(engine, ERR_LIBRARY);
        return;
    }
    if (!engine->is_ready) {
        engine->is_ready = true;
        if (engine->events.ready != NULL) {
            engine->events.ready(engine->owner);
        }
    }
}

void engine_server_step(struct engine *engine)
{
    while (engine->has_service_request && engine->failure == ERR_NONE) {
        ssh_message message = ssh_message_get(engine->session);
        if (message == NULL) {
            engine->has_service_request = false;
            break;
        }
        answer_service_request(engine, message);
    }
}

enum err engine_accept_user(struct engine *engine)
{
    if (engine->failure != ERR_NONE) {
        return engine->failure;
    }
    if (engine->role != ENGINE_SERVER || !engine->is_ready || engine->is_authenticated) {
        return ERR_STATE;
    }
    struct engine *previous = engine_enter(engine);
    int result = ssh_message_auth_reply_success(engine->service, 0);
    engine_leave(previous);
    if (result != SSH_OK) {
        engine_fail(engine, ERR_LIBRARY);
        return engine->failure;
    }
    engine->is_authenticated = true;
    ssh_message_free(engine->service);
    engine->service = NULL;
    return ERR_NONE;
}

enum err engine_prompt_user(struct engine *engine, const char *instruction, size_t prompt_count,
                            const char *const prompts[], const bool echo[])
{
    if (engine->failure != ERR_NONE) {
        return engine->failure;
    }
    if (engine->role != ENGINE_SERVER || !engine->is_ready || engine->is_authenticated) {
        return ERR_STATE;
    }
    if (prompt_count > PROMPTS_MOST) {
        return ERR_TOO_LARGE;
    }
    const char *texts[PROMPTS_MOST] = {NULL};
    char echoes[PROMPTS_MOST] = {0};
    for (size_t i = 0; i < prompt_count; i++) {
        texts[i] = prompts[i];
        echoes[i] = (char)(echo[i] ? 1 : 0);
    }
    struct engine *previous = engine_enter(engine);
    /* This call and no raw packet 60: it alone makes libssh's filter let the answer, packet 61, pass. */
    int result = ssh_message_auth_interactive_request(engine->service, "", instruction,
                                                      (unsigned)prompt_count, texts, echoes);
    engine_leave(previous);
    if (result != SSH_OK) {
        engine_fail(engine, ERR_LIBRARY);
        return engine->failure;
    }
    return ERR_NONE;
}
