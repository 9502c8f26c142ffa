/* Questions to the signer. It answers in order, so the oldest open question is the one that an answer is for;
 * the connection's number in the answer must agree. */
#include <stdlib.h>
#include <string.h>

#include "base/writer.h"
#include "state.h"

enum err signer_ask(struct monitor *monitor, struct connection *connection, enum signer_question question,
                    uint32_t access, struct cursor body)
{
    static const enum ipc_type TYPES[] = {[SIGNER_ASKED_KEX] = IPC_SIGN_KEX,
                                          [SIGNER_ASKED_VERIFY] = IPC_VERIFY_USER,
                                          [SIGNER_ASKED_VERIFY_CERTIFIED] = IPC_VERIFY_CERTIFIED,
                                          [SIGNER_ASKED_MINT] = IPC_MINT_USER,
                                          [SIGNER_ASKED_MINT_HOST] = IPC_MINT_HOST,
                                          [SIGNER_ASKED_MINT_OWN] = IPC_MINT_HOST,
                                          [SIGNER_ASKED_MINT_SERVER] = IPC_MINT_SERVER};
    struct signer_calls *signer = &monitor->signer;
    if (signer->service.state != SERVICE_READY) {
        return ERR_CLOSED;
    }
    if (signer->calls == NULL) {
        signer->calls = calloc(MONITOR_SIGNER_CALLS_MAX, sizeof *signer->calls);
    }
    if (signer->calls == NULL) {
        return ERR_MEMORY;
    }
    if (signer->count == MONITOR_SIGNER_CALLS_MAX) {
        return ERR_TOO_LARGE;
    }
    uint32_t number = connection == NULL ? 0 : connection->number;
    TRY(ipc_send(signer->service.child->channel, TYPES[question], number, body, NULL, 0));
    size_t place = (signer->first + signer->count) % MONITOR_SIGNER_CALLS_MAX;
    signer->calls[place] = (struct signer_call){number, question, access};
    signer->count++;
    return ERR_NONE;
}

void signer_forget(struct monitor *monitor, uint32_t connection)
{
    const struct service *service = &monitor->signer.service;
    if (service->state == SERVICE_READY) {
        err_ignore(ipc_send(service->child->channel, IPC_SIGNER_FORGET, connection, cursor_of(NULL, 0), NULL,
                            0)); /* its table is bounded; a signer that does not read is lost anyway */
    }
}

static enum err read_ready(struct monitor *monitor, struct cursor body)
{
    struct signer_calls *signer = &monitor->signer;
    struct keys_blob *blobs[] = {&signer->host_blob, &signer->inner_blob, &signer->user_ca_blob,
                                 &signer->host_ca_blob};
    for (size_t i = 0; i < sizeof blobs / sizeof blobs[0]; i++) {
        struct cursor blob;
        TRY(cursor_string(&body, LIMIT_KEY_BLOB_BYTES, &blob));
        TRY(keys_blob_copy(blob, blobs[i]));
    }
    struct cursor database_ca;
    TRY(cursor_string(&body, sizeof signer->database_ca, &database_ca));
    TRY(cursor_end(&body));
    signer->database_ca_bytes = cursor_len(&database_ca);
    memcpy(signer->database_ca, database_ca.at, signer->database_ca_bytes);
    signer->service.state = SERVICE_READY;
    host_certificate_restart(monitor);
    return ERR_NONE;
}

static enum err answer_verify(struct connection *connection, struct cursor body)
{
    bool is_valid = false;
    uint8_t flags = 0;
    uint32_t counter = 0;
    TRY(cursor_bool(&body, &is_valid));
    TRY(cursor_u8(&body, &flags));
    TRY(cursor_u32be(&body, &counter));
    TRY(cursor_end(&body));
    identity_verified(connection, is_valid, flags);
    return ERR_NONE;
}

static enum err answer_certified(struct connection *connection, struct cursor body)
{
    struct identity_certificate certificate;
    TRY(cursor_bool(&body, &certificate.is_valid));
    TRY(cursor_text(&body, certificate.why_not, sizeof certificate.why_not));
    TRY(cursor_u64be(&body, &certificate.serial));
    TRY(cursor_text(&body, certificate.key_id, sizeof certificate.key_id));
    TRY(cursor_text(&body, certificate.fingerprint, sizeof certificate.fingerprint));
    TRY(cursor_string(&body, LIMIT_PRINCIPALS_BYTES, &certificate.principals));
    TRY(cursor_u8(&body, &certificate.sk_flags));
    TRY(cursor_end(&body));
    identity_certified(connection, &certificate);
    return ERR_NONE;
}

static enum err answer_mint(struct connection *connection, uint32_t ref, struct cursor body)
{
    bool is_ok = false;
    struct cursor certificate;
    TRY(cursor_bool(&body, &is_ok));
    TRY(cursor_string(&body, LIMIT_KEY_BLOB_BYTES, &certificate));
    TRY(cursor_end(&body));
    struct access *access = target_find(connection, ref);
    if (access != NULL) {
        target_certified(access, is_ok, certificate);
    }
    return ERR_NONE;
}

/* The bastion's own certificate is the monitor's question: of no connection. */
static enum err answer_mint_host(struct monitor *monitor, struct connection *connection, uint32_t ref,
                                 struct cursor body)
{
    bool is_ok = false;
    struct cursor certificate;
    TRY(cursor_bool(&body, &is_ok));
    TRY(cursor_string(&body, LIMIT_KEY_BLOB_BYTES, &certificate));
    TRY(cursor_end(&body));
    if (connection == NULL) {
        host_certificate_own_answer(monitor, is_ok, certificate);
        return ERR_NONE;
    }
    struct access *access = target_find(connection, ref);
    if (access != NULL) {
        host_certificate_answer(access, is_ok, certificate);
        target_host_certified(access);
    }
    return ERR_NONE;
}

static enum err answer_mint_server(struct connection *connection, uint32_t ref, struct cursor body)
{
    bool is_ok = false;
    struct cursor certificate;
    TRY(cursor_bool(&body, &is_ok));
    TRY(cursor_string(&body, CRYPTO_X509_DER_BYTES, &certificate));
    TRY(cursor_end(&body));
    const struct access *access = target_find(connection, ref);
    if (access != NULL) {
        database_certified(access, certificate);
    }
    return ERR_NONE;
}

static enum err answer(struct monitor *monitor, const struct ipc_message *message)
{
    static const enum ipc_type ANSWERS[] = {[SIGNER_ASKED_KEX] = IPC_SIGN_KEX_DONE,
                                            [SIGNER_ASKED_VERIFY] = IPC_VERIFY_USER_DONE,
                                            [SIGNER_ASKED_VERIFY_CERTIFIED] = IPC_VERIFY_CERTIFIED_DONE,
                                            [SIGNER_ASKED_MINT] = IPC_MINT_USER_DONE,
                                            [SIGNER_ASKED_MINT_HOST] = IPC_MINT_HOST_DONE,
                                            [SIGNER_ASKED_MINT_OWN] = IPC_MINT_HOST_DONE,
                                            [SIGNER_ASKED_MINT_SERVER] = IPC_MINT_SERVER_DONE};
    struct signer_calls *signer = &monitor->signer;
    if (signer->count == 0) {
        return ERR_STATE;
    }
    struct signer_call call = signer->calls[signer->first];
    if (call.connection != message->ref || message->type != ANSWERS[call.question]) {
        return ERR_STATE;
    }
    signer->first = (signer->first + 1) % MONITOR_SIGNER_CALLS_MAX;
    signer->count--;
    struct connection *connection = connection_find(monitor, call.connection);
    if (connection == NULL && call.question != SIGNER_ASKED_MINT_OWN) {
        return ERR_NONE; /* it ended while the signer worked */
    }
    switch (call.question) {
    case SIGNER_ASKED_KEX:
        connection_send(connection, IPC_KEX_SIGNED, 0, message->body, NULL);
        return ERR_NONE;
    case SIGNER_ASKED_VERIFY:
        return answer_verify(connection, message->body);
    case SIGNER_ASKED_VERIFY_CERTIFIED:
        return answer_certified(connection, message->body);
    case SIGNER_ASKED_MINT:
        return answer_mint(connection, call.access, message->body);
    case SIGNER_ASKED_MINT_SERVER:
        return answer_mint_server(connection, call.access, message->body);
    case SIGNER_ASKED_MINT_HOST:
    case SIGNER_ASKED_MINT_OWN:
        return answer_mint_host(monitor, connection, call.access, message->body);
    }
    return ERR_STATE;
}

void signer_message(struct monitor *monitor, const struct ipc_message *message)
{
    struct signer_calls *signer = &monitor->signer;
    enum err err =
        message->type == IPC_SIGNER_READY ? read_ready(monitor, message->body) : answer(monitor, message);
    if (err != ERR_NONE) {
        REPORT(monitor, "ipc.violation", EVENT_FAILURE, {.key = "process", .text = "bastion-signer"},
               {.key = "message", .text = ipc_name(message->type)}, {.key = "error", .text = err_text(err)});
        child_kill(signer->service.child);
    }
}

void signer_lost(struct monitor *monitor)
{
    static const char SENTENCE[] = "the bastion's signer was restarted; please connect again";
    struct signer_calls *signer = &monitor->signer;
    /* Whoever waits for an answer would wait for ever ... */
    for (; signer->count > 0; signer->count--) {
        struct connection *connection = connection_find(monitor, signer->calls[signer->first].connection);
        signer->first = (signer->first + 1) % MONITOR_SIGNER_CALLS_MAX;
        if (connection != NULL) {
            connection_end(connection, SENTENCE);
        }
    }
    /* ... and without its memory of session ids nobody can prove a key on a connection that it knew. */
    for (size_t i = 0; i < monitor->connection_capacity; i++) {
        struct connection *connection = monitor->connections[i];
        if (connection != NULL && connection->phase == PHASE_KEX) {
            connection_end(connection, SENTENCE);
        }
    }
}
