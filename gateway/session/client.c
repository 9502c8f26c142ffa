/* The outer connection: the engineer's client and us. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/writer.h"
#include "state.h"

enum { MS_PER_S = 1000 };

/* ---- what the engine tells ---- */

static enum err sign(void *owner, struct cursor hash, struct writer *ret_signature)
{
    enum { HOST_KEY = 0 };
    return link_sign(owner, HOST_KEY, hash, ret_signature);
}

static void ready(void *owner)
{
    struct session *session = owner;
    session->is_ready = true;
    loop_cancel(session->loop, &session->deadline_op); /* from here on the monitor keeps the time */
}

static void packet(void *owner, uint8_t type, struct cursor payload)
{
    enum { FIRST_CONNECTION_TYPE = 80 };
    struct session *session = owner;
    if (session->is_ending || session->failure != ERR_NONE) {
        return;
    }
    session->failure = type < FIRST_CONNECTION_TYPE ? userauth_packet(&session->auth, type, payload)
                                                    : outer_packet(session->outer, type, payload);
}

static const struct engine_events ENGINE_EVENTS = {.sign = sign, .packet = packet, .ready = ready};

/* ---- authentication ---- */

static enum err auth_send(void *owner, uint8_t type, struct cursor payload)
{
    struct session *session = owner;
    return engine_send(session->engine, type, payload);
}

static enum err auth_ask(void *owner, const struct userauth_request *request)
{
    struct session *session = owner;
    uint8_t memory[LIMIT_KEY_BLOB_BYTES + LIMIT_SIGNATURE_BYTES + 512];
    struct writer out = writer_of(memory, sizeof memory);
    bool is_probe = cursor_len(&request->signature) == 0;
    if (is_probe && ++session->probe_count > LIMIT_AUTH_PROBES) {
        /* An agent with many keys is no attack, but each offer is a look-up for the monitor. */
        return userauth_answer(&session->auth, USERAUTH_FAILED,
                               "too many keys were offered; use IdentitiesOnly=yes");
    }
    writer_text(&out, request->user);
    if (!is_probe) {
        writer_string(&out, request->method);
    }
    writer_string(&out, request->algorithm);
    writer_string(&out, request->key_blob);
    if (!is_probe) {
        writer_string(&out, request->signature);
    }
    struct cursor body;
    TRY(writer_done(&out, &body));
    return link_send(session, is_probe ? IPC_AUTH_PROBE : IPC_AUTH_PUBLICKEY, 0, body);
}

static enum err auth_ask_factor(void *owner)
{
    return link_send(owner, IPC_FACTOR_BEGIN, 0, cursor_of(NULL, 0));
}

static enum err auth_answer_factor(void *owner, struct cursor text)
{
    uint8_t memory[LIMIT_SENTENCE_BYTES + 8];
    struct writer out = writer_of(memory, sizeof memory);
    writer_string(&out, text);
    struct cursor body;
    TRY(writer_done(&out, &body));
    return link_send(owner, IPC_FACTOR_ANSWER, 0, body);
}

static enum err auth_prompt(void *owner, const char *instruction, const char *prompt, bool is_echoed)
{
    struct session *session = owner;
    const char *prompts[] = {prompt};
    const bool echo[] = {is_echoed};
    return engine_prompt_user(session->engine, instruction, prompt == NULL ? 0 : 1, prompts, echo);
}

static enum err auth_accept(void *owner)
{
    struct session *session = owner;
    session->is_identified = true;
    TRY(engine_accept_user(session->engine));
    alive_start(session);
    return ERR_NONE;
}

static const struct userauth_events AUTH_EVENTS = {.send = auth_send,
                                                   .ask = auth_ask,
                                                   .ask_factor = auth_ask_factor,
                                                   .answer_factor = auth_answer_factor,
                                                   .prompt = auth_prompt,
                                                   .accept = auth_accept};

enum err client_auth_result(struct session *session, uint32_t ref, struct cursor body)
{
    uint8_t verdict = 0;
    char sentence[LIMIT_SENTENCE_BYTES];
    TRY(cursor_u8(&body, &verdict));
    TRY(cursor_text(&body, sentence, sizeof sentence));
    TRY(cursor_end(&body));
    /* An access is only ever told to wait: what it may do is said by other messages. */
    if (verdict > USERAUTH_HELD || (ref != 0 && verdict != USERAUTH_HELD)) {
        return ERR_MALFORMED;
    }
    struct access *access = ref == 0 ? NULL : access_of_ref(session, ref);
    if (ref != 0 && access == NULL) {
        return ERR_NONE; /* it ended meanwhile */
    }
    return userauth_answer(access == NULL ? &session->auth : &access->auth, (enum userauth_verdict)verdict,
                           sentence);
}

enum err client_factor_prompt(struct session *session, struct userauth *auth, struct cursor body)
{
    (void)session;
    uint8_t style = 0;
    char text[2048]; /* as much as the message table lets a prompt have */
    TRY(cursor_u8(&body, &style));
    TRY(cursor_text(&body, text, sizeof text));
    TRY(cursor_end(&body));
    return userauth_factor_prompt(auth, style, text);
}

enum err client_factor_result(struct session *session, uint32_t ref, struct cursor body)
{
    bool is_ok = false;
    bool may_retry = false;
    char sentence[LIMIT_SENTENCE_BYTES];
    TRY(cursor_bool(&body, &is_ok));
    TRY(cursor_bool(&body, &may_retry));
    TRY(cursor_text(&body, sentence, sizeof sentence));
    TRY(cursor_end(&body));
    struct access *access = ref == 0 ? NULL : access_of_ref(session, ref);
    if (ref != 0 && access == NULL) {
        return ERR_NONE;
    }
    if (!is_ok && !may_retry && access != NULL) {
        return access_factor_ended(access, sentence);
    }
    if (!is_ok) {
        return userauth_factor_failed(access == NULL ? &session->auth : &access->auth, sentence);
    }
    if (access == NULL) {
        return userauth_answer(&session->auth, USERAUTH_ACCEPTED, "");
    }
    TRY(userauth_factor_passed(&access->auth));
    return access_ask_login(access);
}

/* ---- channels ---- */

static enum err outer_send_packet(void *owner, uint8_t type, struct cursor head, struct cursor body)
{
    struct session *session = owner;
    return engine_send_parts(session->engine, type, head, body);
}

static enum err opened(void *owner, const struct outer_open *open)
{
    return access_open(owner, open);
}

static enum err command(void *owner, const struct outer_command *asked)
{
    return command_open(owner, asked);
}

static enum err data(void *owner, unsigned channel, struct cursor bytes)
{
    struct access *access = access_of_channel(owner, channel);
    if (access == NULL) {
        return command_data(owner, channel, bytes);
    }
    access_data(access, bytes);
    return ERR_NONE;
}

static const char *leave_reason(const struct access *access)
{
    const struct stream *stream = &access->stream;
    bool is_done = access->is_stream ? stream->has_client_eof && stream->has_target_eof
                                     : access->gate != NULL && gate_channel_count(access->gate) == 0;
    return is_done ? "ended" : "the client closed the connection";
}

static enum err eof(void *owner, unsigned channel)
{
    struct access *access = access_of_channel(owner, channel);
    if (access == NULL) {
        return command_eof(owner, channel);
    }
    if (access->database != NULL) {
        database_client_eof(access);
        return ERR_NONE;
    }
    if (access->is_stream) {
        stream_client_eof(access);
        return ERR_NONE;
    }
    access_end(access, NULL, leave_reason(access));
    return ERR_NONE;
}

static enum err closed(void *owner, unsigned channel)
{
    struct access *access = access_of_channel(owner, channel);
    if (access != NULL) {
        if (access->database != NULL) {
            database_turn(access); /* what came before the end was meant to be read */
        }
        access->is_channel_gone = true;
        access_end(access, NULL, leave_reason(access));
    }
    command_closed(owner, channel);
    return ERR_NONE;
}

static enum err window(void *owner, unsigned channel)
{
    (void)owner;
    (void)channel; /* the turn that follows sends what waits */
    return ERR_NONE;
}

const struct outer_calls CLIENT_OUTER_CALLS = {.send = outer_send_packet,
                                               .opened = opened,
                                               .command = command,
                                               .data = data,
                                               .eof = eof,
                                               .closed = closed,
                                               .window = window};

/* ---- bytes ---- */

static void explain_end(struct session *session, enum err err)
{
    const char *violation = outer_explain(session->outer);
    char text[LIMIT_SENTENCE_BYTES];
    if (err == ERR_CLOSED) {
        session_end(session, NULL);
        return;
    }
    (void)snprintf(text, sizeof text, "%s: %s", violation == NULL ? "outer connection" : violation,
                   err_text(err));
    session_note(session, 0, "protocol", text);
    session_end(session, "protocol error; the bastion ended the connection [D-PROTOCOL]");
}

static void received(struct loop_receive *receive, uint8_t *bytes, int result)
{
    struct session *session = OWNER_OF(receive, struct session, client_in);
    if (result <= 0) {
        if (result != -ECANCELED) {
            session->is_client_gone = true;
            session_end(session, NULL);
        }
        return;
    }
    session->has_input = true;
    session->has_spoken = true;
    if (session->is_ending) {
        return;
    }
    enum err err = engine_feed(session->engine, cursor_of(bytes, (size_t)result));
    if (err == ERR_NONE) {
        err = session->failure;
    }
    if (err != ERR_NONE) {
        explain_end(session, err);
    }
}

/* First the banner, then the keys: a client that says nothing holds no process for long. */
static void deadline(struct loop_op *op, int result)
{
    struct session *session = OWNER_OF(op, struct session, deadline_op);
    if (result == -ECANCELED || session->is_ready) {
        return;
    }
    uint32_t rest_s = session->kex_s > session->banner_s ? session->kex_s - session->banner_s : 1;
    bool had_first_chance = session->banner_s == 0;
    session->banner_s = 0;
    if (session->has_input && !had_first_chance &&
        loop_timer(session->loop, op, (uint64_t)rest_s * MS_PER_S, deadline) == ERR_NONE) {
        return;
    }
    session_end(session, "the key exchange took too long [D-DEADLINE]");
}

enum err client_start(struct session *session)
{
    struct engine_config config = {.role = ENGINE_SERVER,
                                   .host_public_blob = keys_blob_peek(&session->host_blob),
                                   .host_certificate = keys_blob_peek(&session->host_certificate),
                                   .prefers_fast_cipher = __builtin_cpu_supports("aes") != 0,
                                   .rekey_bytes = SESSION_REKEY_BYTES,
                                   .rekey_seconds = SESSION_REKEY_S,
                                   .output_limit_bytes = SESSION_OUTPUT_LIMIT_BYTES};
    userauth_init(&session->auth, USERAUTH_OUTER, &AUTH_EVENTS, session);
    session->outer = outer_new(&CLIENT_OUTER_CALLS, session);
    if (session->outer == NULL) {
        return ERR_MEMORY;
    }
    TRY(engine_new(&config, &ENGINE_EVENTS, session, &session->engine));
    TRY(engine_start(session->engine));
    sender_init(&session->client_out, session, session->client_fd);
    TRY(loop_timer(session->loop, &session->deadline_op, (uint64_t)session->banner_s * MS_PER_S, deadline));
    return loop_receive_start(session->loop, &session->client_in, session->client_fd, received);
}

void client_turn(struct session *session)
{
    sender_pump(&session->client_out, engine_output(session->engine));
    if (session->client_out.has_failed && !session->is_client_gone) {
        session->is_client_gone = true;
        session_end(session, NULL);
    }
}
