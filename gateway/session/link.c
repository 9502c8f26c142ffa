/* The channel to the monitor. Everything but a signature is asynchronous. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/writer.h"
#include "state.h"

enum { START_WAIT_MS = 10000 };

enum err link_send(struct session *session, enum ipc_type type, uint32_t ref, struct cursor body)
{
    return ipc_send(session->channel_fd, type, ref, body, NULL, 0);
}

static enum err receive(struct session *session, struct ipc_message *message)
{
    TRY(ipc_receive(session->channel_fd, message));
    enum ipc_phase phase = session->is_identified ? PHASE_OPEN : session->is_ready ? PHASE_FACTOR : PHASE_KEX;
    /* The monitor's phase may be one step ahead of what we have heard, never behind: any phase of the row
     * will do. */
    const struct ipc_row *row = ipc_row(message->type);
    if ((row->phases & (unsigned)phase) == 0) {
        phase = (row->phases & PHASE_KEX) != 0 ? PHASE_KEX : PHASE_OPEN;
    }
    enum err err = ipc_check(&session->ledger, message, PEER_MONITOR, PEER_SESSION, phase);
    if (err != ERR_NONE) {
        ipc_message_done(message);
    }
    return err;
}

static enum err read_start(struct session *session, struct cursor body)
{
    struct cursor host;
    struct cursor host_certificate;
    struct cursor inner;
    TRY(cursor_u32be(&body, &session->connection));
    TRY(cursor_text(&body, session->source, sizeof session->source));
    TRY(cursor_string(&body, LIMIT_KEY_BLOB_BYTES, &host));
    TRY(cursor_string(&body, LIMIT_KEY_BLOB_BYTES, &host_certificate));
    TRY(cursor_string(&body, LIMIT_KEY_BLOB_BYTES, &inner));
    TRY(cursor_u32be(&body, &session->banner_s));
    TRY(cursor_u32be(&body, &session->kex_s));
    TRY(cursor_u32be(&body, &session->alive_s));
    TRY(cursor_end(&body));
    TRY(keys_blob_copy(host, &session->host_blob));
    TRY(keys_blob_copy(host_certificate, &session->host_certificate));
    return keys_blob_copy(inner, &session->inner_blob);
}

enum err link_start(struct session *session)
{
    TRY(ipc_wait(session->channel_fd, START_WAIT_MS));
    TRY(receive(session, &session->message));
    enum err err =
        session->message.type == IPC_SESSION_START ? read_start(session, session->message.body) : ERR_STATE;
    ipc_message_done(&session->message);
    return err;
}

static enum err keep(struct session *session, const struct ipc_message *message)
{
    if (session->stash_count == SESSION_STASH_MAX) {
        return ERR_TOO_LARGE;
    }
    struct ipc_message *kept = malloc(sizeof *kept);
    if (kept == NULL) {
        return ERR_MEMORY;
    }
    *kept = *message;
    size_t len = cursor_len(&message->body);
    kept->body = cursor_of(kept->bytes + IPC_HEADER_BYTES, len);
    session->stash[session->stash_count++] = kept;
    return ERR_NONE;
}

static enum err read_signature(struct cursor body, struct writer *ret_signature)
{
    bool is_ok = false;
    struct cursor signature;
    TRY(cursor_bool(&body, &is_ok));
    TRY(cursor_string(&body, LIMIT_SIGNATURE_BYTES, &signature));
    TRY(cursor_end(&body));
    writer_bytes(ret_signature, signature);
    return is_ok ? ERR_NONE : ERR_DENIED;
}

enum err link_sign(struct session *session, uint8_t which, struct cursor hash, struct writer *ret_signature)
{
    uint8_t memory[128];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u8(&out, which);
    writer_string(&out, hash);
    struct cursor body;
    TRY(writer_done(&out, &body));
    TRY(link_send(session, IPC_KEX_SIGN, 0, body));
    /* A message of its own: this may be called from inside the handling of session->message. */
    struct ipc_message *message = malloc(sizeof *message);
    if (message == NULL) {
        return ERR_MEMORY;
    }
    enum err err = ERR_NONE;
    bool is_answered = false;
    while (err == ERR_NONE && !is_answered) {
        err = ipc_wait(session->channel_fd, SESSION_SIGN_WAIT_MS);
        if (err == ERR_NONE) {
            err = receive(session, message);
        }
        if (err == ERR_NONE && message->type == IPC_KEX_SIGNED) {
            is_answered = true;
            err = read_signature(message->body, ret_signature);
        } else if (err == ERR_NONE) {
            err = keep(session, message);
        }
    }
    free(message);
    return err;
}

static enum err handle_target(struct session *session, struct ipc_message *message)
{
    struct command *command =
        message->type == IPC_FACTOR_PROMPT ? command_of_ref(session, message->ref) : NULL;
    if (command != NULL) {
        return command_prompt(command, message->body);
    }
    struct access *access = access_of_ref(session, message->ref);
    if (access == NULL) {
        return ERR_NONE; /* it ended here before the monitor heard of it */
    }
    switch ((unsigned)message->type) {
    case IPC_TARGET_DENIED:
        return access_denied(access, message->body);
    case IPC_TARGET_READY:
        return access_ready(access, message);
    case IPC_DATABASE_CERTIFIED:
        return database_certified(access, message->body);
    case IPC_TARGET_GRANTED:
        return access_granted(access, message);
    default:
        return client_factor_prompt(session, &access->auth, message->body);
    }
}

static enum err handle_end(struct session *session, struct cursor body)
{
    char sentence[LIMIT_SENTENCE_BYTES];
    TRY(cursor_text(&body, sentence, sizeof sentence));
    TRY(cursor_end(&body));
    session_end(session, sentence);
    return ERR_NONE;
}

static enum err handle(struct session *session, struct ipc_message *message)
{
    switch ((unsigned)message->type) {
    case IPC_AUTH_RESULT:
        return client_auth_result(session, message->ref, message->body);
    case IPC_FACTOR_PROMPT:
        return message->ref == 0 ? client_factor_prompt(session, &session->auth, message->body)
                                 : handle_target(session, message);
    case IPC_FACTOR_RESULT:
        return client_factor_result(session, message->ref, message->body);
    case IPC_TARGET_TRUST:
        return database_trust(session, message);
    case IPC_DATABASE_CERTIFIED:
    case IPC_TARGET_DENIED:
    case IPC_TARGET_READY:
    case IPC_TARGET_GRANTED:
        return handle_target(session, message);
    case IPC_COMMAND_TEXT:
        return command_text(session, message->ref, message->body);
    case IPC_CONNECTION_END:
        return handle_end(session, message->body);
    default:
        return ERR_STATE;
    }
}

static void handled(struct session *session, enum err err)
{
    if (err != ERR_NONE) {
        session_end(session, "the bastion had to end this connection; please connect again [D-INTERNAL]");
    }
}

void link_handle_stash(struct session *session)
{
    while (session->stash_count > 0) {
        struct ipc_message *message = session->stash[0];
        session->stash_count--;
        memmove(session->stash, session->stash + 1, session->stash_count * sizeof(struct ipc_message *));
        handled(session, handle(session, message));
        ipc_message_done(message);
        free(message);
    }
}

static void channel_ready(struct loop_op *op, int result)
{
    struct session *session = OWNER_OF(op, struct session, channel_op);
    if (result == -ECANCELED) {
        return;
    }
    link_handle_stash(session); /* older than what can be received now */
    enum err err = receive(session, &session->message);
    if (err == ERR_AGAIN) {
        return;
    }
    if (err != ERR_NONE) {
        /* Without the monitor there is no policy and no recorder: nothing may go on. */
        loop_cancel(session->loop, &session->channel_op);
        session_end(session, "the bastion was stopped; please connect again in a moment");
        return;
    }
    handled(session, handle(session, &session->message));
    ipc_message_done(&session->message);
}

enum err link_watch(struct session *session)
{
    return loop_poll(session->loop, &session->channel_op, session->channel_fd, channel_ready);
}

void link_done(struct session *session)
{
    for (unsigned i = 0; i < session->stash_count; i++) {
        ipc_message_done(session->stash[i]);
        free(session->stash[i]);
    }
    session->stash_count = 0;
}
