/* Databases of RDS that know no password: one bastion-token per login makes what stands for it. */
#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/writer.h"
#include "state.h"

enum { TOKEN_BYTES = 16384, US_PER_S = 1000000 };

static enum err read_token(struct access *access, struct cursor body)
{
    bool is_ok = false;
    struct cursor text;
    TRY(cursor_bool(&body, &is_ok));
    TRY(cursor_string(&body, TOKEN_BYTES, &text));
    TRY(cursor_end(&body));
    child_done(&access->token);
    if (is_ok) {
        target_certified(access, true, text);
        return ERR_NONE;
    }
    char sentence[LIMIT_SENTENCE_BYTES];
    text_printable(text, sentence, sizeof sentence);
    target_no_credential(access, sentence);
    return ERR_NONE;
}

static void token_ready(void *owner, struct child *child)
{
    struct access *access = owner;
    struct ipc_message *message = &access->connection->monitor->message;
    enum err err = child_receive(child, PEER_TOKEN, PHASE_OPEN);
    if (err == ERR_AGAIN || err == ERR_CLOSED) {
        return;
    }
    if (err == ERR_NONE) {
        err = read_token(access, message->body);
        secret_wipe(message->bytes, sizeof message->bytes);
        ipc_message_done(message);
    }
    if (err != ERR_NONE) {
        child_kill(child);
    }
}

static void token_exited(void *owner, struct child *child, bool is_clean, const char *how)
{
    (void)child;
    (void)is_clean;
    struct access *access = owner;
    char sentence[LIMIT_SENTENCE_BYTES];
    (void)snprintf(sentence, sizeof sentence, "the bastion got no token of AWS: bastion-token %s", how);
    child_done(&access->token);
    target_no_credential(access, sentence);
}

enum err token_ask(struct access *access, const struct policy_database *database)
{
    static const char *const ENVIRONMENT[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
                                              "AWS_SESSION_TOKEN", NULL};
    struct monitor *monitor = access->connection->monitor;
    const struct gateway_config *config = &monitor->config;
    bool is_file = config->aws.source == CONFIG_AWS_FILE;
    bool is_environment = config->aws.source == CONFIG_AWS_ENVIRONMENT;
    char uid[24];
    char file[CONFIG_PATH_BYTES];
    char profile[CONFIG_NAME_BYTES];
    char file_option[] = "--file";
    char profile_option[] = "--profile";
    char source_option[] = "--environment";
    (void)snprintf(uid, sizeof uid, "%u", config->uids.token);
    (void)snprintf(file, sizeof file, "%s", config->aws.file);
    (void)snprintf(profile, sizeof profile, "%s",
                   config->aws.profile[0] == 0 ? "default" : config->aws.profile);
    (void)snprintf(source_option, sizeof source_option, "%s",
                   is_environment ? "--environment" : "--instance");
    char *argv[] = {"bastion-token",
                    "--uid",
                    uid,
                    "--gid",
                    uid,
                    is_file ? file_option : source_option,
                    is_file ? file : NULL,
                    is_file ? profile_option : NULL,
                    is_file ? profile : NULL,
                    NULL};
    struct child_start start = {.program = "bastion-token",
                                .argv = argv,
                                .environment = is_environment ? ENVIRONMENT : NULL,
                                .owner = access,
                                .on_message = token_ready,
                                .on_exit = token_exited};
    uint8_t body[1024];
    struct writer out = writer_of(body, sizeof body);
    struct cursor bytes;
    writer_text(&out, database->region == NULL ? "" : database->region);
    writer_text(&out, database->server_name == NULL ? access->host : database->server_name);
    writer_u16be(&out, access->port);
    writer_text(&out, access->account);
    TRY(writer_done(&out, &bytes));
    TRY(child_start(monitor, &start, &access->token));
    access->token_deadline_us = clock_monotonic_us() + (uint64_t)MONITOR_TOKEN_TIMEOUT_S * US_PER_S;
    return ipc_send(access->token->channel, IPC_TOKEN_ASK, 0, bytes, NULL, 0);
}
