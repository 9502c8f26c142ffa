/* bastion-dial: one name, one connection, then it ends. The only process that opens sockets, so it holds
 * nothing, reads no byte of the target and hands back nothing but an established connection to a checked
 * address. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "base/writer.h"
#include "dial.h"
#include "ipc/channel.h"
#include "sandbox/sandbox.h"

enum { EXIT_USAGE = 2, EXIT_SANDBOX = 78, US_PER_MS = 1000 };

static const char HELP[] =
    "Usage: bastion-dial --uid N --gid N\n"
    "Looks a name up, checks every address against the networks it is given, connects, and hands the "
    "connection\n"
    "to bastiond, which starts it and talks to it on descriptor 3. Of no use by hand.\n"
    "\n"
    "      --uid N --gid N  the user and group to become; not 0\n"
    "      --help           this text\n"
    "      --version        the version\n"
    "\n"
    "Exit status: 0 the question was answered; 1 the monitor is gone or asked wrongly; 2 wrong usage;\n"
    "78 a part of the sandbox is missing.\n";

/* @return -1 to go on, else the exit status. */
static int read_options(int argc, char **argv, struct sandbox_place *ret_place)
{
    enum { OPTION_UID = 256, OPTION_GID, OPTION_HELP, OPTION_VERSION };
    static const struct option OPTIONS[] = {{"uid", required_argument, NULL, OPTION_UID},
                                            {"gid", required_argument, NULL, OPTION_GID},
                                            {"help", no_argument, NULL, OPTION_HELP},
                                            {"version", no_argument, NULL, OPTION_VERSION},
                                            {NULL, 0, NULL, 0}};
    for (int option = 0; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        uint64_t number = 0;
        switch (option) {
        case OPTION_UID:
        case OPTION_GID:
            if (text_u64(cursor_of_text(optarg), UINT32_MAX - 1, &number) != ERR_NONE) {
                return EXIT_USAGE;
            }
            *(option == OPTION_UID ? &ret_place->uid : &ret_place->gid) = (uint32_t)number;
            break;
        case OPTION_HELP:
            (void)fputs(HELP, stdout);
            return EXIT_SUCCESS;
        case OPTION_VERSION:
            (void)puts("bastion-dial " BASTION_VERSION);
            return EXIT_SUCCESS;
        default:
            return EXIT_USAGE;
        }
    }
    return optind == argc && ret_place->uid != 0 && ret_place->gid != 0 ? -1 : EXIT_USAGE;
}

static bool close_sandbox(const struct sandbox_place *place)
{
    struct sandbox_refusal why;
    if (sandbox_close_room(&SANDBOX_DIAL, place, &why) != ERR_NONE ||
        sandbox_close_calls(&SANDBOX_DIAL, &why) != ERR_NONE) {
        (void)fprintf(stderr, "bastion-dial: %s\n", why.sentence);
        return false;
    }
    return true;
}

static enum err receive_request(struct ipc_message *message, struct request *request)
{
    enum err err = ERR_AGAIN;
    while (err == ERR_AGAIN) {
        TRY(ipc_wait(IPC_CHANNEL_FD, -1));
        err = ipc_receive(IPC_CHANNEL_FD, message);
    }
    TRY(err);
    struct ipc_ledger ledger = {{0}};
    err = ipc_check(&ledger, message, PEER_MONITOR, PEER_DIAL, PHASE_OPEN);
    ipc_message_done(message);
    TRY(err);
    return message->type == IPC_DIAL ? request_read(message->body, request) : ERR_STATE;
}

static enum err answer(enum ipc_type type, uint32_t ref, struct writer *out, int fd)
{
    struct cursor body;
    TRY(writer_done(out, &body));
    return ipc_send(IPC_CHANNEL_FD, type, ref, body, &fd, fd >= 0 ? 1 : 0);
}

static enum err answer_failure(uint32_t ref, const struct dial_failure *failure)
{
    uint8_t bytes[1024];
    struct writer out = writer_of(bytes, sizeof bytes);
    writer_u8(&out, (uint8_t)failure->reason);
    writer_text(&out, failure->sentence);
    return answer(IPC_DIAL_FAILED, ref, &out, -1);
}

static enum err serve(const struct request *request, uint32_t ref)
{
    uint64_t deadline_us = clock_monotonic_us() + (uint64_t)request->timeout_ms * US_PER_MS;
    struct dial_addresses addresses;
    struct dial_failure failure = {0};
    struct dial_connection connection = {.fd = -1};
    enum err err = dial_look_up(request, &addresses, &failure);
    err = err == ERR_NONE ? dial_connect(request, &addresses, deadline_us, &connection, &failure) : err;
    if (err != ERR_NONE) {
        return answer_failure(ref, &failure);
    }
    OWNED_FD fd = connection.fd;
    uint8_t bytes[256];
    struct writer out = writer_of(bytes, sizeof bytes);
    writer_text(&out, connection.peer);
    writer_text(&out, connection.local);
    return answer(IPC_DIAL_DONE, ref, &out, fd);
}

int main(int argc, char **argv)
{
    struct sandbox_place place = {.uid = 0};
    int status = read_options(argc, argv, &place);
    if (status != -1) {
        if (status == EXIT_USAGE) {
            (void)fputs(HELP, stderr);
        }
        return status;
    }
    /* The lookup has no deadline of its own: two tries of two seconds for each name server, unless the
     * operator says otherwise; the monitor ends what takes longer. */
    if (setenv("RES_OPTIONS", "timeout:2 attempts:2", 0) != 0 || !close_sandbox(&place)) {
        return EXIT_SANDBOX;
    }
    static struct ipc_message message;
    static struct request request;
    if (receive_request(&message, &request) != ERR_NONE || serve(&request, message.ref) != ERR_NONE) {
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
