/* A server's change of cipher once much data passes. OpenSSH's clients prefer chacha20-poly1305, which costs
 * both ends two to three times as much as AES-GCM where the processor has instructions for AES; PuTTY's
 * prefer aes256-ctr, which costs more than either. The cipher is the client's choice from what the server
 * offers, and what the client can is known only after its KEXINIT: so the first keys are as the client
 * prefers, and bulk data gets new keys for which the server offers the fastest alone that the client can. */
#include "state.h"

#include <string.h>

enum {
    STEER_AFTER_BYTES = 4 * 1024 * 1024, /* a key exchange costs about as much as 1 MiB */
    COOKIE_BYTES = 16,
    NAME_LIST_BYTES = 8192,
};
/* The fastest first. */
static const char *const BY_SPEED[] = {"aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com",
                                       "aes256-ctr"};
enum { SPEED_COUNT = sizeof BY_SPEED / sizeof BY_SPEED[0] };

static bool has_name(struct cursor list, const char *name)
{
    while (cursor_len(&list) > 0) {
        const uint8_t *comma = memchr(list.at, ',', cursor_len(&list));
        struct cursor one = {list.at, comma == NULL ? list.end : comma};
        if (cursor_equal_text(one, name)) {
            return true;
        }
        list.at = comma == NULL ? list.end : comma + 1;
    }
    return false;
}

/* RFC 4253 7.1: cookie, key exchange methods, host key types, ciphers to and from the server, ... */
static MUST_CHECK enum err read_ciphers(struct cursor kexinit, struct cursor *ret_to_server,
                                        struct cursor *ret_to_client)
{
    struct cursor skipped;
    TRY(cursor_bytes(&kexinit, COOKIE_BYTES, &skipped));
    TRY(cursor_string(&kexinit, NAME_LIST_BYTES, &skipped));
    TRY(cursor_string(&kexinit, NAME_LIST_BYTES, &skipped));
    TRY(cursor_string(&kexinit, NAME_LIST_BYTES, ret_to_server));
    return cursor_string(&kexinit, NAME_LIST_BYTES, ret_to_client);
}

/* Only those of whom it is tested that they take new keys from the server in the middle of an upload. */
static bool is_known(const char *banner)
{
    static const char *const KNOWN[] = {"SSH-2.0-OpenSSH_", "SSH-2.0-PuTTY_", "SSH-2.0-libssh_",
                                        "SSH-2.0-AsyncSSH_"};
    for (size_t i = 0; banner != NULL && i < sizeof KNOWN / sizeof KNOWN[0]; i++) {
        if (strncmp(banner, KNOWN[i], strlen(KNOWN[i])) == 0) {
            return true;
        }
    }
    return false;
}

void engine_steer_learn(struct engine *engine, struct cursor kexinit)
{
    struct cursor to_server;
    struct cursor to_client;
    engine->fast_cipher = NULL;
    if (!is_known(ssh_get_clientbanner(engine->session)) ||
        read_ciphers(kexinit, &to_server, &to_client) != ERR_NONE) {
        return;
    }
    for (size_t i = 0; i < SPEED_COUNT && engine->fast_cipher == NULL; i++) {
        bool has_both = has_name(to_server, BY_SPEED[i]) && has_name(to_client, BY_SPEED[i]);
        engine->fast_cipher = has_both ? BY_SPEED[i] : NULL;
    }
}

/* What is not in the list (aes256-gcm) is as fast as it need be. */
static bool is_slower(const char *cipher, const char *fast_cipher)
{
    bool is_after = false;
    for (size_t i = 0; i < SPEED_COUNT; i++) {
        if (is_after && cipher != NULL && strcmp(cipher, BY_SPEED[i]) == 0) {
            return true;
        }
        is_after = is_after || BY_SPEED[i] == fast_cipher;
    }
    return false;
}

static bool may_steer(const struct engine *engine)
{
    return engine->prefers_fast_cipher && engine->fast_cipher != NULL && !engine->has_steered &&
           engine->is_authenticated && !engine->is_rekeying && !engine->is_feeding &&
           engine->failure == ERR_NONE && engine->moved_bytes >= STEER_AFTER_BYTES;
}

void engine_steer(struct engine *engine, size_t moved_bytes)
{
    engine->moved_bytes += moved_bytes;
    if (!may_steer(engine)) {
        return;
    }
    engine->has_steered = true;
    ssh_session session = engine->session;
    const char *fast = engine->fast_cipher;
    if (!is_slower(ssh_get_cipher_in(session), fast) && !is_slower(ssh_get_cipher_out(session), fast)) {
        return;
    }
    struct engine *previous = engine_enter(engine);
    if (ssh_options_set(session, SSH_OPTIONS_CIPHERS_C_S, fast) != 0 ||
        ssh_options_set(session, SSH_OPTIONS_CIPHERS_S_C, fast) != 0 || ssh_send_rekex(session) != SSH_OK) {
        engine_fail(engine, ERR_LIBRARY);
    }
    engine_leave(previous);
}
