/* bastion-session: one engineer connection. Nothing is read before the sandbox is closed. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "crypto/hash.h"
#include "engine/engine.h"
#include "ipc/channel.h"
#include "loop/loop.h"
#include "sandbox/sandbox.h"
#include "session/session.h"

enum { CLIENT_FD = IPC_CHANNEL_FD + 1, FIRST_NAMESPACE_FD, EXIT_USAGE = 2, EXIT_SANDBOX = 78 };

static const char HELP[] =
    "Usage: bastion-session --uid N --gid N [--tested]\n"
    "       bastion-session --self-test\n"
    "Serves one engineer connection of the SSH bastion. Started by bastiond, which gives it its "
    "descriptors:\n"
    "3 the monitor, 4 the client, 5 to 8 the namespaces of the empty room. Of no use by hand.\n"
    "\n"
    "      --tested     the self-test of the SSH engine has passed before\n"
    "      --self-test  run it, serve nobody\n"
    "      --help       this text\n"
    "      --version    the version\n"
    "\n"
    "Exit status: 0 the connection is over; 1 it failed; 2 wrong usage; 78 a part of the sandbox is "
    "missing.\n";

static bool passes_self_test(void)
{
    if (engine_library_init() == ERR_NONE) {
        return true;
    }
    (void)fputs("bastion-session: the SSH engine's self-test failed\n", stderr);
    return false;
}

/* @return -1 to go on, else the exit status. */
static int read_options(int argc, char **argv, struct sandbox_place *ret_place, bool *ret_is_tested)
{
    enum { OPTION_UID = 256, OPTION_GID, OPTION_TESTED, OPTION_SELF_TEST, OPTION_HELP, OPTION_VERSION };
    static const struct option OPTIONS[] = {{"uid", required_argument, NULL, OPTION_UID},
                                            {"gid", required_argument, NULL, OPTION_GID},
                                            {"tested", no_argument, NULL, OPTION_TESTED},
                                            {"self-test", no_argument, NULL, OPTION_SELF_TEST},
                                            {"help", no_argument, NULL, OPTION_HELP},
                                            {"version", no_argument, NULL, OPTION_VERSION},
                                            {0}};
    for (int option = 0; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        uint64_t number = 0;
        switch (option) {
        case OPTION_UID:
        case OPTION_GID:
            if (text_u64(cursor_of_text(optarg), UINT32_MAX, &number) != ERR_NONE) {
                return EXIT_USAGE;
            }
            *(option == OPTION_UID ? &ret_place->uid : &ret_place->gid) = (uint32_t)number;
            break;
        case OPTION_TESTED:
            *ret_is_tested = true;
            break;
        case OPTION_SELF_TEST:
            return passes_self_test() ? EXIT_SUCCESS : EXIT_SANDBOX;
        case OPTION_HELP:
            (void)fputs(HELP, stdout);
            return EXIT_SUCCESS;
        case OPTION_VERSION:
            (void)printf("bastion-session %s\n", BASTION_VERSION);
            return EXIT_SUCCESS;
        default:
            return EXIT_USAGE;
        }
    }
    return optind == argc && ret_place->uid != 0 && ret_place->gid != 0 ? -1 : EXIT_USAGE;
}

int main(int argc, char **argv)
{
    static const int NAMESPACES[] = {FIRST_NAMESPACE_FD, FIRST_NAMESPACE_FD + 1, FIRST_NAMESPACE_FD + 2,
                                     FIRST_NAMESPACE_FD + 3};
    struct sandbox_place place = {.namespace_fds = NAMESPACES};
    bool is_tested = false;
    int status = read_options(argc, argv, &place, &is_tested);
    if (status >= 0) {
        return status;
    }
    struct sandbox_refusal why = {{0}};
    struct loop_refusal loop_why = {{0}};
    struct loop *loop = NULL;
    /* The self-test of the engine reads no input; it is done while files of the libraries can still be
     * opened. */
    crypto_start();
    if (is_tested ? engine_library_start() != ERR_NONE : !passes_self_test()) {
        return EXIT_SANDBOX;
    }
    if (sandbox_close_room(&SANDBOX_SESSION, &place, &why) != ERR_NONE ||
        loop_new(LOOP_SESSION, &loop, &loop_why) != ERR_NONE ||
        sandbox_close_calls(&SANDBOX_SESSION, &why) != ERR_NONE) {
        (void)fprintf(stderr, "bastion-session: %s%s\n", why.sentence, loop_why.sentence);
        return EXIT_SANDBOX;
    }
    enum err err = session_run(loop, IPC_CHANNEL_FD, CLIENT_FD);
    _exit(err == ERR_NONE ? EXIT_SUCCESS : EXIT_FAILURE);
}
