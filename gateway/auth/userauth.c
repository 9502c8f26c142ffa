#include "auth/userauth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "base/writer.h"

enum {
    SSH_USERAUTH_REQUEST = 50,
    SSH_USERAUTH_FAILURE = 51,
    SSH_USERAUTH_BANNER = 53,
    SSH_USERAUTH_PK_OK = 60,
    SSH_USERAUTH_INFO_RESPONSE = 61,
    METHOD_BYTES = 64,
};

static const char HOSTBOUND[] = "publickey-hostbound-v00@openssh.com";

void userauth_init(struct userauth *auth, enum userauth_kind kind, const struct userauth_events *events,
                   void *owner)
{
    *auth = (struct userauth){.events = events, .owner = owner, .kind = kind, .state = USERAUTH_IDLE};
}

static void forget_asked(struct userauth *auth)
{
    free(auth->asked_blob);
    auth->asked_blob = NULL;
    auth->asked_blob_bytes = 0;
}

static void forget_pending(struct userauth *auth)
{
    secret_wipe(auth->pending, auth->pending_bytes);
    free(auth->pending);
    auth->pending = NULL;
    auth->pending_bytes = 0;
}

void userauth_done(struct userauth *auth)
{
    forget_asked(auth);
    forget_pending(auth);
    auth->state = USERAUTH_FORBIDDEN;
}

static enum err copy_bytes(struct cursor bytes, uint8_t **ret_copy, size_t *ret_len)
{
    size_t len = cursor_len(&bytes);
    uint8_t *copy = malloc(len + 1);
    if (copy == NULL) {
        return ERR_MEMORY;
    }
    if (len > 0) {
        memcpy(copy, bytes.at, len);
    }
    *ret_copy = copy;
    *ret_len = len;
    return ERR_NONE;
}

/* RFC 4252 5.4 */
static enum err send_banner(struct userauth *auth, const char *sentence)
{
    if (sentence[0] == 0) {
        return ERR_NONE;
    }
    char line[LIMIT_SENTENCE_BYTES + 16];
    (void)snprintf(line, sizeof line, "bastion: %s\r\n", sentence);
    uint8_t memory[sizeof line + 16];
    struct writer out = writer_of(memory, sizeof memory);
    writer_text(&out, line);
    writer_text(&out, "");
    struct cursor payload;
    TRY(writer_done(&out, &payload));
    return auth->events->send(auth->owner, SSH_USERAUTH_BANNER, payload);
}

/* RFC 4252 5.1 */
static enum err send_failure(struct userauth *auth, const char *methods, bool is_partial)
{
    uint8_t memory[128];
    struct writer out = writer_of(memory, sizeof memory);
    writer_text(&out, methods);
    writer_bool(&out, is_partial);
    struct cursor payload;
    TRY(writer_done(&out, &payload));
    return auth->events->send(auth->owner, SSH_USERAUTH_FAILURE, payload);
}

static enum err fail(struct userauth *auth)
{
    auth->failures++;
    if (auth->kind == USERAUTH_INNER) {
        /* Nothing that the engineer could try next changes the answer. Clients stop at a list with no method
         * that they know; an empty one makes OpenSSH try all that it has. */
        auth->state = USERAUTH_IDLE;
        return auth->failures > USERAUTH_INNER_TRIES ? ERR_DENIED
                                                     : send_failure(auth, "refused@bastion", false);
    }
    bool is_proven = auth->state == USERAUTH_PROVEN;
    auth->state = is_proven ? USERAUTH_PROVEN : USERAUTH_IDLE;
    return send_failure(auth, is_proven ? "keyboard-interactive" : "publickey", false);
}

/* RFC 4252 section 7; the hostbound form is described in OpenSSH's PROTOCOL file, section 1.10. */
static enum err read_publickey(struct cursor rest, bool is_hostbound, struct userauth_request *ret)
{
    bool has_signature = false;
    TRY(cursor_bool(&rest, &has_signature));
    TRY(cursor_string(&rest, METHOD_BYTES - 1, &ret->algorithm));
    TRY(cursor_string(&rest, LIMIT_KEY_BLOB_BYTES, &ret->key_blob));
    if (is_hostbound) {
        struct cursor
            host_key; /* the signer puts its own host key under the signature, so this one is not needed */
        TRY(cursor_string(&rest, LIMIT_KEY_BLOB_BYTES, &host_key));
    }
    ret->signature = cursor_of(NULL, 0);
    if (has_signature) {
        TRY(cursor_string(&rest, LIMIT_SIGNATURE_BYTES, &ret->signature));
        if (cursor_len(&ret->signature) == 0) {
            return ERR_MALFORMED;
        }
    }
    return cursor_end(&rest);
}

static enum err ask(struct userauth *auth, const struct userauth_request *request)
{
    forget_asked(auth);
    TRY(copy_bytes(request->key_blob, &auth->asked_blob, &auth->asked_blob_bytes));
    size_t len = cursor_len(&request->algorithm);
    memcpy(auth->asked_algorithm, len == 0 ? (const uint8_t *)"" : request->algorithm.at, len);
    auth->asked_algorithm[len] = 0;
    auth->state = USERAUTH_ASKING;
    return auth->events->ask(auth->owner, request);
}

/* keyboard-interactive: string language tag, string submethods (RFC 4256 3.1). Both may be ignored. */
static enum err begin_factor(struct userauth *auth)
{
    if (auth->state != USERAUTH_PROVEN) {
        return fail(auth);
    }
    auth->state = USERAUTH_FACTOR_ASKED;
    return auth->events->ask_factor(auth->owner);
}

static enum err outer_request(struct userauth *auth, struct cursor method, struct cursor rest)
{
    if (cursor_equal_text(method, "keyboard-interactive")) {
        return begin_factor(auth);
    }
    bool is_hostbound = cursor_equal_text(method, HOSTBOUND);
    if (auth->state != USERAUTH_IDLE || (!is_hostbound && !cursor_equal_text(method, "publickey"))) {
        bool is_question = cursor_equal_text(method, "none");
        if (!is_question) {
            return fail(auth);
        }
        return send_failure(auth, auth->state == USERAUTH_PROVEN ? "keyboard-interactive" : "publickey",
                            false);
    }
    struct userauth_request request = {.user = auth->user, .method = method};
    TRY(read_publickey(rest, is_hostbound, &request));
    return ask(auth, &request);
}

static enum err inner_request(struct userauth *auth, struct cursor method)
{
    if (auth->state == USERAUTH_PROVEN) {
        return cursor_equal_text(method, "keyboard-interactive")
                   ? begin_factor(auth)
                   : send_failure(auth, "keyboard-interactive", false);
    }
    struct userauth_request request = {.user = auth->user, .method = method};
    return ask(auth, &request);
}

/* RFC 4252 section 5: a change of user or service must end what was proven so far; we end the connection. */
static enum err check_user(struct userauth *auth, struct cursor user)
{
    if (auth->user[0] != 0) {
        return cursor_equal_text(user, auth->user) ? ERR_NONE : ERR_STATE;
    }
    size_t len = cursor_len(&user);
    if (len == 0 || len >= sizeof auth->user || memchr(user.at, 0, len) != NULL) {
        return ERR_NOT_FOUND;
    }
    memcpy(auth->user, user.at, len);
    auth->user[len] = 0;
    return ERR_NONE;
}

static enum err request_packet(struct userauth *auth, struct cursor payload)
{
    struct cursor user;
    struct cursor service;
    struct cursor method;
    TRY(cursor_string(&payload, LIMIT_PACKET_PAYLOAD_BYTES, &user));
    TRY(cursor_string(&payload, METHOD_BYTES, &service));
    TRY(cursor_string(&payload, METHOD_BYTES, &method));
    if (!cursor_equal_text(service, "ssh-connection")) {
        return ERR_MALFORMED;
    }
    enum err err = check_user(auth, user);
    if (err == ERR_NOT_FOUND) {
        return fail(auth); /* a name that can be nobody's gets the answer that every unknown name gets */
    }
    TRY(err);
    return auth->kind == USERAUTH_INNER ? inner_request(auth, method) : outer_request(auth, method, payload);
}

/* RFC 4256 3.4 */
static enum err response_packet(struct userauth *auth, struct cursor payload)
{
    uint32_t count = 0;
    TRY(cursor_u32be(&payload, &count));
    uint32_t wanted = auth->has_empty_prompt ? 0 : 1;
    if (count != wanted) {
        return ERR_MALFORMED;
    }
    struct cursor text = cursor_of(NULL, 0);
    if (count == 1) {
        TRY(cursor_string(&payload, LIMIT_SENTENCE_BYTES, &text));
    }
    TRY(cursor_end(&payload));
    auth->state = USERAUTH_FACTOR_ASKED;
    return auth->events->answer_factor(auth->owner, text);
}

static enum err keep_pending(struct userauth *auth, uint8_t type, struct cursor payload)
{
    size_t len = cursor_len(&payload);
    if (auth->pending != NULL || len >= USERAUTH_PENDING_BYTES) {
        return ERR_TOO_LARGE;
    }
    auth->pending = malloc(len + 1);
    if (auth->pending == NULL) {
        return ERR_MEMORY;
    }
    auth->pending[0] = type;
    memcpy(auth->pending + 1, payload.at, len);
    auth->pending_bytes = len + 1;
    return ERR_NONE;
}

enum err userauth_packet(struct userauth *auth, uint8_t type, struct cursor payload)
{
    if (auth->state == USERAUTH_DONE) {
        /* RFC 4252 5.3: requests after success are ignored. */
        return type == SSH_USERAUTH_REQUEST ? ERR_NONE : ERR_STATE;
    }
    if (type == SSH_USERAUTH_INFO_RESPONSE) {
        /* Without a prompt that is out, an answer is an attack, not a mistake (CVE-2018-10933 and its kin).
         */
        return auth->state == USERAUTH_FACTOR_PROMPTED ? response_packet(auth, payload) : ERR_STATE;
    }
    if (type != SSH_USERAUTH_REQUEST) {
        return ERR_STATE;
    }
    bool is_busy = auth->state == USERAUTH_ASKING || auth->state == USERAUTH_FACTOR_ASKED;
    if (is_busy) {
        return keep_pending(auth, type, payload);
    }
    if (auth->state == USERAUTH_FACTOR_PROMPTED) {
        return ERR_STATE; /* abandoning a prompt would leave the factor's process waiting */
    }
    return request_packet(auth, payload);
}

static enum err send_key_usable(struct userauth *auth)
{
    uint8_t memory[LIMIT_KEY_BLOB_BYTES + METHOD_BYTES + 16];
    struct writer out = writer_of(memory, sizeof memory);
    writer_text(&out, auth->asked_algorithm);
    writer_string(&out, cursor_of(auth->asked_blob, auth->asked_blob_bytes));
    struct cursor payload;
    TRY(writer_done(&out, &payload));
    return auth->events->send(auth->owner, SSH_USERAUTH_PK_OK, payload);
}

static enum err apply_verdict(struct userauth *auth, enum userauth_verdict verdict)
{
    switch (verdict) {
    case USERAUTH_KEY_USABLE:
        auth->state = USERAUTH_IDLE;
        return send_key_usable(auth);
    case USERAUTH_FACTOR_NEEDED:
        auth->state = USERAUTH_PROVEN;
        return send_failure(auth, "keyboard-interactive", true);
    case USERAUTH_ACCEPTED:
        auth->state = USERAUTH_DONE;
        return auth->events->accept(auth->owner);
    case USERAUTH_FAILED:
    case USERAUTH_HELD: /* handled by the caller */
        break;
    }
    auth->state = USERAUTH_IDLE;
    return fail(auth);
}

static enum err resume_pending(struct userauth *auth)
{
    if (auth->pending == NULL) {
        return ERR_NONE;
    }
    uint8_t *pending = auth->pending;
    size_t len = auth->pending_bytes;
    auth->pending = NULL;
    auth->pending_bytes = 0;
    enum err err = userauth_packet(auth, pending[0], cursor_of(pending + 1, len - 1));
    secret_wipe(pending, len);
    free(pending);
    return err;
}

enum err userauth_answer(struct userauth *auth, enum userauth_verdict verdict, const char *sentence)
{
    if (auth->state != USERAUTH_ASKING && auth->state != USERAUTH_FACTOR_ASKED) {
        return ERR_STATE;
    }
    if (verdict == USERAUTH_HELD) {
        return send_banner(auth, sentence);
    }
    /* Some clients go on with every method that they have, whatever the list says: they are told once. */
    bool is_refusal = auth->kind == USERAUTH_INNER && verdict == USERAUTH_FAILED && sentence[0] != 0;
    if (!is_refusal || !auth->is_refusal_told) {
        TRY(send_banner(auth, sentence));
    }
    auth->is_refusal_told = auth->is_refusal_told || is_refusal;
    TRY(apply_verdict(auth, verdict));
    forget_asked(auth);
    return resume_pending(auth);
}

enum err userauth_factor_prompt(struct userauth *auth, uint8_t style, const char *text)
{
    enum { STYLE_HIDDEN = 0, STYLE_ECHOED = 1 };
    if (auth->state != USERAUTH_FACTOR_ASKED) {
        return ERR_STATE;
    }
    if (style != STYLE_HIDDEN && style != STYLE_ECHOED) {
        /* At once: a module that waits for a phone says so and then asks nothing. */
        return send_banner(auth, text);
    }
    auth->state = USERAUTH_FACTOR_PROMPTED;
    auth->has_empty_prompt = false;
    return auth->events->prompt(auth->owner, "", text, style == STYLE_ECHOED);
}

enum err userauth_factor_passed(struct userauth *auth)
{
    if (auth->state != USERAUTH_FACTOR_ASKED) {
        return ERR_STATE;
    }
    auth->state = USERAUTH_ASKING;
    return ERR_NONE;
}

enum err userauth_factor_failed(struct userauth *auth, const char *sentence)
{
    if (auth->state != USERAUTH_FACTOR_ASKED) {
        return ERR_STATE;
    }
    TRY(send_banner(auth, sentence));
    auth->state = USERAUTH_PROVEN;
    auth->failures++;
    TRY(send_failure(auth, "keyboard-interactive", false));
    return resume_pending(auth);
}
