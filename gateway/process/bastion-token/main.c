/* bastion-token: one token for a login at a database of RDS, then it ends. The only process that sees the AWS
 * credentials of the bastion, and the only one that may ask the instance's metadata service for them. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/credentials.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "base/writer.h"
#include "ipc/channel.h"
#include "sandbox/sandbox.h"

enum { EXIT_USAGE = 2, EXIT_SANDBOX = 78 };

static const char HELP[] =
    "Usage: bastion-token --uid N --gid N (--environment | --file FILE [--profile NAME] | --instance)\n"
    "Makes a token for a login at a database of AWS RDS, for bastiond, which starts it and talks to it on\n"
    "descriptor 3. Of no use by hand.\n"
    "\n"
    "      --environment    credentials from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN\n"
    "      --file FILE      ... from a shared credentials file; only root may be able to read it\n"
    "      --profile NAME   its profile (default: default)\n"
    "      --instance       ... of the instance's role, from its metadata service (IMDSv2)\n"
    "      --uid N --gid N  the user and group to become; not 0\n"
    "      --help           this text\n"
    "      --version        the version\n"
    "\n"
    "Exit status: 0 the question was answered; 1 the monitor is gone or asked wrongly; 2 wrong usage;\n"
    "78 a part of the sandbox is missing.\n";

struct options {
    struct sandbox_place place;
    bool is_environment, is_instance;
    const char *file, *profile;
};

/* @return -1 to go on, else the exit status. */
static int read_options(int argc, char **argv, struct options *options)
{
    enum { UID = 256, GID, ENVIRONMENT, CREDENTIALS_FILE, PROFILE, INSTANCE, OPTION_HELP, OPTION_VERSION };
    static const struct option OPTIONS[] = {{"uid", required_argument, NULL, UID},
                                            {"gid", required_argument, NULL, GID},
                                            {"environment", no_argument, NULL, ENVIRONMENT},
                                            {"file", required_argument, NULL, CREDENTIALS_FILE},
                                            {"profile", required_argument, NULL, PROFILE},
                                            {"instance", no_argument, NULL, INSTANCE},
                                            {"help", no_argument, NULL, OPTION_HELP},
                                            {"version", no_argument, NULL, OPTION_VERSION},
                                            {NULL, 0, NULL, 0}};
    for (int option = 0; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        uint64_t number = 0;
        switch (option) {
        case UID:
        case GID:
            if (text_u64(cursor_of_text(optarg), UINT32_MAX - 1, &number) != ERR_NONE) {
                return EXIT_USAGE;
            }
            *(option == UID ? &options->place.uid : &options->place.gid) = (uint32_t)number;
            break;
        case ENVIRONMENT:
            options->is_environment = true;
            break;
        case CREDENTIALS_FILE:
            options->file = optarg;
            break;
        case PROFILE:
            options->profile = optarg;
            break;
        case INSTANCE:
            options->is_instance = true;
            break;
        case OPTION_HELP:
            (void)fputs(HELP, stdout);
            return EXIT_SUCCESS;
        case OPTION_VERSION:
            (void)puts("bastion-token " BASTION_VERSION);
            return EXIT_SUCCESS;
        default:
            return EXIT_USAGE;
        }
    }
    int sources =
        (options->is_environment ? 1 : 0) + (options->is_instance ? 1 : 0) + (options->file != NULL ? 1 : 0);
    return optind == argc && options->place.uid != 0 && options->place.gid != 0 && sources == 1 ? -1
                                                                                                : EXIT_USAGE;
}

static bool close_sandbox(const struct sandbox_place *place)
{
    struct sandbox_refusal why;
    if (sandbox_close_room(&SANDBOX_TOKEN, place, &why) != ERR_NONE ||
        sandbox_close_calls(&SANDBOX_TOKEN, &why) != ERR_NONE) {
        (void)fprintf(stderr, "bastion-token: %s\n", why.sentence);
        return false;
    }
    return true;
}

/* What the monitor asks: text region, text host, u16 port, text user. */
struct request {
    char region[AWS_REGION_BYTES], host[LIMIT_HOST_BYTES], user[LIMIT_DB_NAME_BYTES];
    uint16_t port;
};

static enum err read_request(struct cursor body, struct request *ret)
{
    TRY(cursor_text(&body, ret->region, sizeof ret->region));
    TRY(cursor_text(&body, ret->host, sizeof ret->host));
    TRY(cursor_u16be(&body, &ret->port));
    TRY(cursor_text(&body, ret->user, sizeof ret->user));
    return cursor_end(&body);
}

static enum err receive_request(struct ipc_message *message, struct request *ret)
{
    enum err err = ERR_AGAIN;
    while (err == ERR_AGAIN) {
        TRY(ipc_wait(IPC_CHANNEL_FD, -1));
        err = ipc_receive(IPC_CHANNEL_FD, message);
    }
    TRY(err);
    struct ipc_ledger ledger = {{0}};
    err = ipc_check(&ledger, message, PEER_MONITOR, PEER_TOKEN, PHASE_OPEN);
    err = err == ERR_NONE ? read_request(message->body, ret) : err;
    ipc_message_done(message);
    return err;
}

static enum err answer(bool is_ok, struct cursor text)
{
    static uint8_t bytes[AWS_TOKEN_BYTES + 64];
    struct writer out = writer_of(bytes, sizeof bytes);
    struct cursor body;
    writer_bool(&out, is_ok);
    writer_string(&out, text);
    TRY(writer_done(&out, &body));
    return ipc_send(IPC_CHANNEL_FD, IPC_TOKEN_DONE, 0, body, NULL, 0);
}

static enum err find_credentials(const struct options *options, struct cursor file,
                                 struct aws_credentials *ret, char ret_why[static LIMIT_SENTENCE_BYTES])
{
    if (options->is_environment) {
        return aws_credentials_from_environment(ret, ret_why);
    }
    if (options->is_instance) {
        return aws_credentials_from_instance(ret, ret_why);
    }
    return aws_credentials_from_file(file, options->profile, ret, ret_why);
}

static enum err serve(const struct options *options, struct cursor file, const struct request *request)
{
    OWNED_CREDENTIALS credentials = {.key_id = ""};
    OWNED_SECRET token = {0};
    char why[LIMIT_SENTENCE_BYTES] = "";
    const struct aws_login login = {
        .host = request->host, .user = request->user, .region = request->region, .port = request->port};
    if (find_credentials(options, file, &credentials, why) != ERR_NONE) {
        return answer(false, cursor_of_text(why));
    }
    enum err err = aws_token(&credentials, &login, clock_wall_s(), &token);
    if (err != ERR_NONE) {
        (void)snprintf(why, sizeof why, "the bastion could not make a token: %s", err_text(err));
        return answer(false, cursor_of_text(why));
    }
    return answer(true, secret_peek(&token));
}

/* Before the sandbox is closed: the file is root's. */
static bool read_file(const char *path, struct secret *ret_text)
{
    if (path == NULL) {
        return true;
    }
    enum err err = fd_read_secret_file(AT_FDCWD, path, AWS_FILE_BYTES, ret_text);
    if (err != ERR_NONE) {
        (void)fprintf(stderr, "bastion-token: %s: %s\n", path,
                      err == ERR_DENIED   ? "must be root's and closed to all others (chmod 600)"
                      : err == ERR_SYSTEM ? strerror(errno)
                                          : err_text(err));
    }
    return err == ERR_NONE;
}

int main(int argc, char **argv)
{
    struct options options = {.profile = "default"};
    int status = read_options(argc, argv, &options);
    if (status != -1) {
        if (status == EXIT_USAGE) {
            (void)fputs(HELP, stderr);
        }
        return status;
    }
    OWNED_SECRET file = {0};
    if (!read_file(options.file, &file)) {
        return EXIT_FAILURE;
    }
    if (aws_start() != ERR_NONE || !close_sandbox(&options.place)) {
        return EXIT_SANDBOX;
    }
    static struct ipc_message message;
    static struct request request;
    bool is_served = receive_request(&message, &request) == ERR_NONE &&
                     serve(&options, secret_peek(&file), &request) == ERR_NONE;
    return is_served ? EXIT_SUCCESS : EXIT_FAILURE;
}
