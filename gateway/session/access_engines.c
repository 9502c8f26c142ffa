/* The two SSH connections of an access: the inner one, in which the bastion stands for the target, and the
 * one to the target itself. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/writer.h"
#include "record/stream.h"
#include "state.h"

enum { FIRST_CONNECTION_TYPE = 80 };

/* ---- the gate between them ---- */

static enum err gate_send(void *owner, enum gate_side to, uint8_t type, struct cursor head,
                          struct cursor body)
{
    struct access *access = owner;
    return engine_send_parts(to == GATE_CLIENT ? access->inner : access->target, type, head, body);
}

/* What kind of thing was refused, and why. Which one (the command, the path) may hold secrets, and is in the
 * recording. */
static void note_refused(struct access *access, struct cursor body)
{
    struct cursor what;
    struct cursor reason;
    char text[LIMIT_SENTENCE_BYTES];
    if (cursor_string(&body, LIMIT_RECORD_BODY_BYTES, &what) != ERR_NONE ||
        cursor_string(&body, LIMIT_RECORD_BODY_BYTES, &reason) != ERR_NONE) {
        return;
    }
    const uint8_t *colon = cursor_len(&what) == 0 ? NULL : memchr(what.at, ':', cursor_len(&what));
    int kind_bytes = (int)((colon == NULL ? what.end : colon) - what.at);
    (void)snprintf(text, sizeof text, "%.*s: %.*s", kind_bytes, (const char *)what.at,
                   (int)cursor_len(&reason), (const char *)reason.at);
    session_note(access->session, access->ref, "refused", text);
}

static enum err gate_record(void *owner, uint8_t kind, uint32_t channel, struct cursor head,
                            struct cursor body)
{
    struct access *access = owner;
    if (kind == RECORD_REFUSED) {
        note_refused(access, head);
    }
    return recorder_add(&access->recorder, kind, channel, head, body);
}

static const struct gate_calls GATE_CALLS = {.send = gate_send, .record = gate_record};

static void pass_gate(struct access *access, enum gate_side from, uint8_t type, struct cursor payload)
{
    if (access->gate == NULL) {
        access->failure = ERR_STATE;
        return;
    }
    enum gate_verdict verdict = gate_packet(access->gate, from, type, payload);
    if (verdict == GATE_VIOLATION) {
        access->failure = ERR_MALFORMED;
    } else if (verdict == GATE_FAILED) {
        access->failure = gate_error(access->gate);
    }
}

/* ---- the inner connection ---- */

static enum err inner_sign(void *owner, struct cursor hash, struct writer *ret_signature)
{
    enum { INNER_KEY = 1 };
    struct access *access = owner;
    return link_sign(access->session, INNER_KEY, hash, ret_signature);
}

static void inner_packet(void *owner, uint8_t type, struct cursor payload)
{
    struct access *access = owner;
    if (access->state >= ACCESS_CLOSING || access->failure != ERR_NONE) {
        return;
    }
    if (type >= FIRST_CONNECTION_TYPE) {
        pass_gate(access, GATE_CLIENT, type, payload);
    } else {
        access->failure = userauth_packet(&access->auth, type, payload);
    }
}

static const struct engine_events INNER_EVENTS = {.sign = inner_sign, .packet = inner_packet};

static enum err inner_auth_send(void *owner, uint8_t type, struct cursor payload)
{
    struct access *access = owner;
    return engine_send(access->inner, type, payload);
}

/* The engineer's client named the account: that is all it has to do here. */
static enum err inner_auth_ask(void *owner, const struct userauth_request *request)
{
    (void)request;
    struct access *access = owner;
    access->has_user_asked = true;
    return access_ask_login(access);
}

static enum err inner_auth_ask_factor(void *owner)
{
    struct access *access = owner;
    return link_send(access->session, IPC_FACTOR_BEGIN, access->ref, cursor_of(NULL, 0));
}

static enum err inner_auth_answer_factor(void *owner, struct cursor text)
{
    struct access *access = owner;
    if (access->refusal[0] != 0) {
        return userauth_answer(&access->auth, USERAUTH_FAILED, access->refusal);
    }
    uint8_t memory[LIMIT_SENTENCE_BYTES + 8];
    struct writer out = writer_of(memory, sizeof memory);
    writer_string(&out, text);
    struct cursor body;
    TRY(writer_done(&out, &body));
    return link_send(access->session, IPC_FACTOR_ANSWER, access->ref, body);
}

static enum err inner_auth_prompt(void *owner, const char *instruction, const char *prompt, bool is_echoed)
{
    struct access *access = owner;
    const char *prompts[] = {prompt};
    const bool echo[] = {is_echoed};
    return engine_prompt_user(access->inner, instruction, prompt == NULL ? 0 : 1, prompts, echo);
}

static enum err inner_auth_accept(void *owner)
{
    struct access *access = owner;
    return engine_accept_user(access->inner);
}

static const struct userauth_events INNER_AUTH_EVENTS = {.send = inner_auth_send,
                                                         .ask = inner_auth_ask,
                                                         .ask_factor = inner_auth_ask_factor,
                                                         .answer_factor = inner_auth_answer_factor,
                                                         .prompt = inner_auth_prompt,
                                                         .accept = inner_auth_accept};

enum err access_start_inner(struct access *access)
{
    struct engine_config config = {.role = ENGINE_SERVER,
                                   .host_public_blob = keys_blob_peek(&access->session->inner_blob),
                                   .host_certificate = access->inner_certificate,
                                   .prefers_fast_cipher = __builtin_cpu_supports("aes") != 0,
                                   .rekey_bytes = SESSION_REKEY_BYTES,
                                   .rekey_seconds = SESSION_REKEY_S,
                                   .output_limit_bytes = SESSION_OUTPUT_LIMIT_BYTES};
    userauth_init(&access->auth, USERAUTH_INNER, &INNER_AUTH_EVENTS, access);
    TRY(engine_new(&config, &INNER_EVENTS, access, &access->inner));
    return engine_start(access->inner);
}

void access_refuse_login(struct access *access, const char *sentence)
{
    if (access->refusal[0] == 0) {
        (void)snprintf(access->refusal, sizeof access->refusal, "%s", sentence);
    }
    if (access->has_user_asked && access->auth.state == USERAUTH_ASKING) {
        access->has_user_asked = false;
        if (userauth_answer(&access->auth, USERAUTH_FAILED, sentence) != ERR_NONE) {
            access_end(access, sentence, sentence);
        }
    }
}

/* Clients that wait for the keyboard read nothing: who is told before they have answered sees a broken
 * connection. */
enum err access_factor_ended(struct access *access, const char *sentence)
{
    if (access->refusal[0] == 0) {
        (void)snprintf(access->refusal, sizeof access->refusal, "%s", sentence);
    }
    return access->auth.state == USERAUTH_FACTOR_ASKED
               ? userauth_answer(&access->auth, USERAUTH_FAILED, access->refusal)
               : ERR_NONE;
}

/* ---- the target ---- */

static enum err target_host_key(void *owner, struct cursor key_blob)
{
    return access_judge_host_key(owner, key_blob);
}

static void target_packet(void *owner, uint8_t type, struct cursor payload)
{
    struct access *access = owner;
    if (access->state < ACCESS_CLOSING && access->failure == ERR_NONE) {
        pass_gate(access, GATE_TARGET, type, payload);
    }
}

static enum err record_login(struct access *access)
{
    uint8_t memory[256];
    struct writer out = writer_of(memory, sizeof memory);
    writer_text(&out, access->auth.user);
    writer_text(&out, access->host_key_text);
    struct cursor body;
    TRY(writer_done(&out, &body));
    return recorder_add(&access->recorder, RECORD_TARGET_LOGIN, RECORD_WHOLE_ACCESS, body,
                        cursor_of(NULL, 0));
}

static enum err open_gate(struct access *access)
{
    access->gate = gate_new(&access->grant, &GATE_CALLS, access);
    if (access->gate == NULL) {
        return ERR_MEMORY;
    }
    TRY(record_login(access));
    access->has_user_asked = false;
    gate_set_time(access->gate, clock_monotonic_us());
    access_opened(access);
    return userauth_answer(&access->auth, USERAUTH_ACCEPTED, "");
}

static void target_login_done(void *owner, enum err result)
{
    struct access *access = owner;
    if (access->state != ACCESS_HANDSHAKE) {
        return;
    }
    if (result == ERR_NONE) {
        access->failure = open_gate(access);
        return;
    }
    char sentence[LIMIT_SENTENCE_BYTES];
    (void)snprintf(
        sentence, sizeof sentence,
        "%s does not let %s in: its sshd refused the bastion's certificate (no such account, or its "
        "TrustedUserCAKeys lacks the bastion's user CA) [D-LOGIN]",
        access->host, access->auth.user);
    session_note(access->session, access->ref, "login_refused", sentence);
    access_refuse_login(access, sentence);
}

static const struct engine_events TARGET_EVENTS = {
    .host_key = target_host_key, .packet = target_packet, .login_done = target_login_done};

static void target_gone(struct access *access, enum err err)
{
    if (access->state == ACCESS_OPEN) {
        access_end(access, "the target closed the connection",
                   err == ERR_CLOSED ? "target closed" : "target lost");
        return;
    }
    char sentence[LIMIT_SENTENCE_BYTES];
    (void)snprintf(sentence, sizeof sentence, "the SSH connection to %s failed: %s [D-TARGET]", access->host,
                   err_text(err));
    access_refuse_login(access, sentence);
}

static void target_received(struct loop_receive *receive, uint8_t *bytes, int result)
{
    struct access *access = OWNER_OF(receive, struct access, target_in);
    if (result == -ECANCELED || access->state >= ACCESS_CLOSING) {
        return;
    }
    if (result <= 0) {
        target_gone(access, ERR_CLOSED);
        return;
    }
    if (access->gate != NULL) {
        gate_set_time(access->gate, clock_monotonic_us());
    }
    enum err err = engine_feed(access->target, cursor_of(bytes, (size_t)result));
    if (err != ERR_NONE && access->failure == ERR_NONE) {
        target_gone(access, err);
        return;
    }
    access_check_failure(access);
}

enum err access_start_target(struct access *access)
{
    char kinds[ACCESS_HOST_KINDS_BYTES];
    struct engine_config config = {.role = ENGINE_CLIENT,
                                   .host_keys = access_host_kinds(access, kinds),
                                   .wants_host_certificate = keys_host_trust_has_ca(&access->trust),
                                   .rekey_bytes = SESSION_REKEY_BYTES,
                                   .rekey_seconds = SESSION_REKEY_S,
                                   .output_limit_bytes = SESSION_OUTPUT_LIMIT_BYTES};
    TRY(engine_new(&config, &TARGET_EVENTS, access, &access->target));
    TRY(engine_start(access->target));
    struct cursor key;
    TRY(engine_login_key(access->target, access->login_key, sizeof access->login_key, &key));
    access->login_key_bytes = cursor_len(&key);
    memmove(access->login_key, key.at, access->login_key_bytes);
    return loop_receive_start(access->session->loop, &access->target_in, access->target_fd, target_received);
}

/* A failure inside a call of an engine is handled here, when the engine has returned. */
void access_check_failure(struct access *access)
{
    if (access->failure == ERR_NONE || access->state >= ACCESS_CLOSING) {
        return;
    }
    const char *violation = access->gate == NULL ? NULL : gate_explain(access->gate);
    char text[LIMIT_SENTENCE_BYTES];
    (void)snprintf(text, sizeof text, "%s: %s", violation == NULL ? "inner connection" : violation,
                   err_text(access->failure));
    session_note(access->session, access->ref, "protocol", text);
    access_end(access, "protocol error; the bastion ended the session [D-PROTOCOL]", text);
}
