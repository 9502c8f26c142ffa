/* The second step of an access: the account is known, the policy decides, then the certificate and the
 * recording are made, and the session gets both. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "base/writer.h"
#include "state.h"

void target_forget_grant(struct access *access)
{
    free(access->grant);
    access->grant = NULL;
    secret_done(&access->credential);
    fd_close(&access->recorder_fd);
    access->is_recording_open = false;
}

static const char *certificate_source(const struct access *access, char text[static NETWORK_TEXT_BYTES])
{
    const struct gateway_config *config = &access->connection->monitor->config;
    if (config->source == CONFIG_SOURCE_NONE) {
        return "";
    }
    return config->source == CONFIG_SOURCE_FIXED ? network_text(&config->source_address, text)
                                                 : access->local_address;
}

/* permit-pty even where only commands are allowed: `ssh -t host command` is a command. A forward that the
 * grant does not know is refused by the target as well as by the gate. */
static void write_extensions(struct writer *out, const struct policy_grant *grant, bool has_terminal)
{
    bool has_forward = grant->forward != GRANT_FORWARD_NONE || grant->remote_forward != GRANT_FORWARD_NONE;
    writer_u8(out, (uint8_t)((has_terminal ? 1 : 0) + (has_forward ? 1 : 0) + (grant->agent ? 1 : 0) +
                             (grant->x11 ? 1 : 0)));
    if (has_terminal) {
        writer_text(out, "permit-pty");
    }
    if (has_forward) {
        writer_text(out, "permit-port-forwarding");
    }
    if (grant->agent) {
        writer_text(out, "permit-agent-forwarding");
    }
    if (grant->x11) {
        writer_text(out, "permit-X11-forwarding");
    }
}

static enum err ask_certificate(struct access *access, struct cursor public_key)
{
    struct connection *connection = access->connection;
    struct monitor *monitor = connection->monitor;
    char key_id[256];
    char source[NETWORK_TEXT_BYTES];
    (void)snprintf(key_id, sizeof key_id, "sid=%s;user=%s;src=%s", access->sid_text, connection->person,
                   connection->from);
    uint64_t now_s = (uint64_t)clock_wall_s();
    uint8_t body[LIMIT_KEY_BLOB_BYTES];
    struct writer out = writer_of(body, sizeof body);
    writer_string(&out, public_key);
    writer_u64be(&out, ++monitor->next_serial);
    writer_text(&out, key_id);
    writer_text(&out, access->account);
    writer_u64be(&out, now_s - MONITOR_CERTIFICATE_BEFORE_S);
    writer_u64be(&out, now_s + MONITOR_CERTIFICATE_AFTER_S);
    writer_text(&out, certificate_source(access, source));
    writer_text(&out, "");
    write_extensions(&out, access->grant, target_has_terminal(access));
    struct cursor bytes;
    TRY(writer_done(&out, &bytes));
    return signer_ask(monitor, connection, SIGNER_ASKED_MINT, access->ref, bytes);
}

static enum err open_recording(struct access *access)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
        return ERR_SYSTEM;
    }
    access->recorder_fd = ends[0];
    enum err err = recording_open(access, ends[1]);
    fd_close(&ends[1]);
    return err;
}

/* The engineer may try again as another account; of anything but SSH nothing is left. */
static void login_failed(struct access *access, const char *sentence)
{
    recording_end(access->connection->monitor, access->recording, "login failed");
    bool is_over = access->kind != POLICY_TARGET_SSH;
    target_deny(access, is_over ? "target.not_reached" : "target.login_failed", "D-LOGIN", sentence);
    if (is_over) {
        target_done(access);
        return;
    }
    target_forget_grant(access);
    access->state = ACCESS_READY;
}

/* There may be a password in it. */
static void free_body(uint8_t *body, const struct cursor *written)
{
    if (body != NULL) {
        secret_wipe(body, cursor_len(written));
        free(body);
    }
}

static void grant_if_complete(struct access *access)
{
    if (access->needs_credential || !access->is_recording_open) {
        return;
    }
    if (access->decided_by != access->connection->monitor->policy_number) {
        login_failed(access, "the policy was changed meanwhile; please try again");
        return;
    }
    uint8_t *body = malloc(IPC_BODY_MAX);
    struct cursor bytes = {NULL, NULL};
    enum err err = body == NULL ? ERR_MEMORY : ERR_NONE;
    if (err == ERR_NONE) {
        struct writer out = writer_of(body, IPC_BODY_MAX);
        writer_string(&out, access->cancels[0] != 0 ? cursor_of_text(access->cancels)
                                                    : secret_peek(&access->credential));
        grant_write(&out, access->grant);
        err = writer_done(&out, &bytes);
    }
    if (err != ERR_NONE) {
        login_failed(access, "the bastion could not hand over the grant; tell your operators");
        free_body(body, &bytes);
        return;
    }
    access->state = ACCESS_GRANTED;
    access->granted_us = clock_monotonic_us();
    access->session_limit_s = access->grant->session_limit_s;
    connection_send(access->connection, IPC_TARGET_GRANTED, access->ref, bytes, &access->recorder_fd);
    report_access(access, "session.started", EVENT_SUCCESS, NULL, NULL);
    past_opened(access);
    target_forget_grant(access);
    free_body(body, &bytes);
}

void target_certified(struct access *access, bool is_ok, struct cursor certificate)
{
    if (access->state != ACCESS_GRANTING || !access->needs_credential) {
        return;
    }
    if (!is_ok || cursor_len(&certificate) == 0 || secret_set(&access->credential, certificate) != ERR_NONE) {
        login_failed(
            access,
            "the bastion's signer gave no certificate, perhaps because it was restarted since you logged in; "
            "please connect again");
        return;
    }
    access->needs_credential = false;
    grant_if_complete(access);
}

void target_no_credential(struct access *access, const char *sentence)
{
    if (access->state == ACCESS_GRANTING && access->needs_credential) {
        login_failed(access, sentence);
    }
}

void target_recorded(struct access *access, bool is_ok, const char *sentence)
{
    if (access->state != ACCESS_GRANTING) {
        return;
    }
    if (!is_ok) {
        char text[LIMIT_SENTENCE_BYTES];
        (void)snprintf(text, sizeof text, "no record, no session: %.400s", sentence);
        access->recording = 0;
        login_failed(access, text);
        return;
    }
    access->is_recording_open = true;
    grant_if_complete(access);
}

/* A certificate for a host, a token for a database of RDS; all else needs none, or is the engineer's. */
static enum err ask_credential(struct access *access, struct cursor public_key)
{
    struct policy_target target;
    if (access->kind == POLICY_TARGET_SSH) {
        access->needs_credential = true;
        return ask_certificate(access, public_key);
    }
    TRY(policy_target(access->connection->monitor->policy, access->host, access->port, &target));
    access->needs_credential =
        access->is_database && access->cancels[0] == 0 && target.database.login == POLICY_LOGIN_RDS_IAM;
    return access->needs_credential ? token_ask(access, &target.database) : ERR_NONE;
}

void target_grant(struct access *access, const struct policy_decision *decision, struct cursor public_key)
{
    access->grant = malloc(sizeof *access->grant);
    if (access->grant == NULL) {
        login_failed(access, "the bastion has no memory left; tell your operators");
        return;
    }
    *access->grant = decision->grant;
    access->state = ACCESS_GRANTING;
    report_decision(access, true, "");
    if (open_recording(access) != ERR_NONE || ask_credential(access, public_key) != ERR_NONE) {
        login_failed(access, "the bastion cannot record or sign right now; please try again in a moment");
    }
}

/* Decided again, now that it is reached: what the policy said before the dialling may be old. */
void target_grant_stream(struct access *access)
{
    struct policy_decision decision;
    target_decide(access, &decision);
    if (decision.verdict != POLICY_ALLOWED) {
        target_deny_unasked(access, &decision);
        return;
    }
    target_grant(access, &decision, cursor_of_text(""));
}

/* The inner login asks; a client that cannot be asked reads what to do instead. */
static void ask_factor(struct access *access, const struct policy_decision *decision)
{
    char sentence[LIMIT_SENTENCE_BYTES];
    (void)snprintf(
        sentence, sizeof sentence,
        "%.300s; it is asked for now, and clients that cannot ask need \"ssh -t BASTION mfa renew\" "
        "before [%s]",
        decision->sentence, decision->code);
    report_access(access, "target.step_up", EVENT_DENIED, decision->code, decision->sentence);
    target_send_denied(access, TARGET_DENIED_FACTOR, sentence);
}

enum err target_login(struct connection *connection, uint32_t ref, struct cursor body)
{
    struct cursor account;
    struct cursor public_key;
    TRY(cursor_string(&body, LIMIT_SENTENCE_BYTES, &account));
    TRY(cursor_string(&body, LIMIT_KEY_BLOB_BYTES, &public_key));
    TRY(cursor_end(&body));
    struct access *access = target_find(connection, ref);
    if (access == NULL || access->state != ACCESS_READY || access->kind != POLICY_TARGET_SSH) {
        return ERR_STATE;
    }
    access->account[0] = 0;
    if (!text_is_account(account)) {
        target_deny(access, "target.denied", "D-ACCOUNT", "that is no name of an account");
        return ERR_NONE;
    }
    (void)snprintf(access->account, sizeof access->account, "%.*s", (int)cursor_len(&account),
                   (const char *)account.at);
    struct policy_decision decision;
    target_decide(access, &decision);
    if (decision.verdict == POLICY_NEEDS_FACTOR && !connection->is_machine) {
        ask_factor(access, &decision);
    } else if (decision.verdict == POLICY_NEEDS_REASON && !connection->is_machine) {
        reason_need(access, &decision);
    } else if (decision.verdict != POLICY_ALLOWED) {
        target_deny(access, "target.denied", decision.code, decision.sentence);
    } else {
        target_grant(access, &decision, public_key);
    }
    return ERR_NONE;
}
