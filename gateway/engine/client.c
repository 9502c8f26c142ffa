/* The client side: towards a target, logging in with a key that lives as long as the login, and its
 * certificate. */
#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

enum { ED25519_BLOB_BYTES = 51 };

/* Kinds of host key and signature that we accept from targets. No SHA-1. */
static const char HOST_KEYS[] =
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256";
static const char LOGIN_KEYS[] = "ssh-ed25519-cert-v01@openssh.com,ssh-ed25519";

enum err engine_client_open(struct engine *engine, const struct engine_config *config)
{
    /* The same words as libssh will have: the wrap of ssh_find_all_matching() knows the list by them. */
    char *known =
        __real_ssh_find_all_matching(HOST_KEYS, config->host_keys == NULL ? HOST_KEYS : config->host_keys);
    int len = known == NULL ? -1 : snprintf(engine->host_keys, sizeof engine->host_keys, "%s", known);
    free(known);
    if (len < 0 || (size_t)len >= sizeof engine->host_keys) {
        return ERR_MALFORMED;
    }
    engine->wants_host_certificate = config->wants_host_certificate;
    const struct {
        enum ssh_options_e option;
        const char *value;
    } OPTIONS[] = {
        /* Never resolved or connected to: libssh only wants to have one. */
        {SSH_OPTIONS_HOST, "target"},
        {SSH_OPTIONS_USER, config->client_user == NULL ? "unknown" : config->client_user},
        {SSH_OPTIONS_HOSTKEYS, engine->host_keys},
        {SSH_OPTIONS_PUBLICKEY_ACCEPTED_TYPES, LOGIN_KEYS},
    };
    if (config->client_user != NULL && config->client_user[0] == 0) {
        return ERR_MALFORMED;
    }
    engine->has_user = config->client_user != NULL;
    for (size_t i = 0; i < sizeof OPTIONS / sizeof OPTIONS[0]; i++) {
        if (ssh_options_set(engine->session, OPTIONS[i].option, OPTIONS[i].value) != 0) {
            return ERR_LIBRARY;
        }
    }
    return ERR_NONE;
}

enum err engine_client_start(struct engine *engine)
{
    if (ssh_connect(engine->session) != SSH_AGAIN || engine->socket_callbacks == NULL) {
        return ERR_LIBRARY;
    }
    /* libssh sends its banner when it hears that the connection stands. */
    ssh_socket_callbacks callbacks = engine->socket_callbacks;
    callbacks->connected(SSH_SOCKET_CONNECTED_OK, 0, callbacks->userdata);
    return queue_len(&engine->output) > 0 ? ERR_NONE : ERR_LIBRARY;
}

static void finish_login(struct engine *engine, enum err result)
{
    engine->login = LOGIN_OVER;
    engine->is_authenticated = result == ERR_NONE;
    ssh_key_free(engine->login_key);
    engine->login_key = NULL;
    if (engine->events.login_done != NULL) {
        engine->events.login_done(engine->owner, result);
    }
}

static void step_login(struct engine *engine)
{
    engine->login = LOGIN_RUNNING;
    switch (ssh_userauth_publickey(engine->session, NULL, engine->login_key)) {
    case SSH_AUTH_AGAIN:
        break;
    case SSH_AUTH_SUCCESS:
        finish_login(engine, ERR_NONE);
        break;
    case SSH_AUTH_DENIED:
    case SSH_AUTH_PARTIAL:
        finish_login(engine, ERR_DENIED);
        break;
    default:
        finish_login(engine, ERR_LIBRARY);
        break;
    }
}

void engine_client_step(struct engine *engine)
{
    if (!engine->is_ready && engine->has_keys && engine->failure == ERR_NONE) {
        int result = ssh_connect(engine->session);
        if (result == SSH_ERROR) {
            engine_fail(engine, ERR_MALFORMED);
        } else if (result == SSH_OK) {
            engine->is_ready = true;
            if (engine->events.ready != NULL) {
                engine->events.ready(engine->owner);
            }
        }
    }
    bool has_login = engine->login == LOGIN_WANTED || engine->login == LOGIN_RUNNING;
    if (engine->is_ready && has_login && engine->failure == ERR_NONE) {
        step_login(engine);
    }
}

void engine_client_login(struct engine *engine)
{
    engine->login = LOGIN_WANTED;
    /* Inside a call of this engine the feed goes on to the login by itself. */
    if (!engine->is_feeding) {
        struct engine *previous = engine_enter(engine);
        engine_client_step(engine);
        engine_leave(previous);
    }
}

static enum err make_login_key(struct engine *engine, ssh_string *ret_blob)
{
    if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &engine->login_key) != SSH_OK ||
        ssh_pki_export_pubkey_blob(engine->login_key, ret_blob) != SSH_OK ||
        ssh_string_len(*ret_blob) != ED25519_BLOB_BYTES) {
        ssh_key_free(engine->login_key);
        engine->login_key = NULL;
        return ERR_LIBRARY;
    }
    return ERR_NONE;
}

enum err engine_login_key(struct engine *engine, uint8_t *memory, size_t size_bytes,
                          struct cursor *ret_public_blob)
{
    if (engine->role != ENGINE_CLIENT || engine->login_key != NULL || engine->login != LOGIN_NONE) {
        return ERR_STATE;
    }
    if (size_bytes < ED25519_BLOB_BYTES) {
        return ERR_TOO_LARGE;
    }
    ssh_string blob = NULL;
    enum err err = make_login_key(engine, &blob);
    if (err == ERR_NONE) {
        const uint8_t *bytes = ssh_string_data(blob);
        memcpy(memory, bytes, ED25519_BLOB_BYTES);
        /* The key itself is the last field of its blob. */
        memcpy(engine->login_public, bytes + ED25519_BLOB_BYTES - ENGINE_ED25519_BYTES, ENGINE_ED25519_BYTES);
        *ret_public_blob = cursor_of(memory, ED25519_BLOB_BYTES);
    }
    ssh_string_free(blob);
    return err;
}

static enum err attach_certificate(struct engine *engine, struct cursor certificate_blob)
{
    size_t len = cursor_len(&certificate_blob);
    ssh_key certificate = NULL;
    ssh_string blob = ssh_string_new(len);
    if (blob == NULL) {
        return ERR_MEMORY;
    }
    bool is_attached = ssh_string_fill(blob, certificate_blob.at, len) == 0 &&
                       ssh_pki_import_cert_blob(blob, &certificate) == SSH_OK &&
                       ssh_pki_copy_cert_to_privkey(certificate, engine->login_key) == SSH_OK;
    ssh_key_free(certificate);
    ssh_string_free(blob);
    return is_attached ? ERR_NONE : ERR_MALFORMED;
}

enum err engine_set_user(struct engine *engine, const char *user)
{
    if (engine->role != ENGINE_CLIENT || engine->login != LOGIN_NONE || user[0] == 0) {
        return ERR_STATE;
    }
    if (ssh_options_set(engine->session, SSH_OPTIONS_USER, user) != 0) {
        return ERR_LIBRARY;
    }
    engine->has_user = true;
    return ERR_NONE;
}

enum err engine_login(struct engine *engine, struct cursor certificate_blob)
{
    if (engine->failure != ERR_NONE) {
        return engine->failure;
    }
    if (!engine->has_user || engine->role != ENGINE_CLIENT || engine->login_key == NULL ||
        engine->login != LOGIN_NONE) {
        return ERR_STATE;
    }
    /* libssh would take any certificate, and the target's answer to another key's would tell nothing. */
    if (!engine_certificate_is_for(certificate_blob, cursor_of(engine->login_public, ENGINE_ED25519_BYTES))) {
        return ERR_MALFORMED;
    }
    TRY(attach_certificate(engine, certificate_blob));
    engine_client_login(engine);
    return ERR_NONE;
}
