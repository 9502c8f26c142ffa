/* The operator's program: one name, one command each. */
#include <locale.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "command.h"
#include "enroll/enroll.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} COMMANDS[] = {
    {"policy", policy_main, "check a policy file, explain a decision"},
    {"targets", targets_command, "see which host keys the targets show"},
    {"status", status_command, "what the running gateway is doing"},
    {"sessions", sessions_command, "list recorded sessions"},
    {"replay", replay_command, "show a recording in this terminal"},
    {"files", files_command, "list the files that a session moved, with hashes"},
    {"queries", queries_command, "list the statements that a session sent to a database"},
    {"search", search_command, "find a text in what sessions showed, ran and asked"},
    {"export", export_command, "write a recording as an asciicast"},
    {"verify", verify_command, "prove that recordings are whole, with a public key only"},
    {"people", people_command, "add, disable, expire, unlock and list people"},
    {"mfa", enroll_command, "make, list and revoke one-time code secrets and recovery codes"},
    {"init", init_command, "make the keys of a new gateway"},
};

static int print_usage(FILE *file)
{
    (void)fputs("usage: bastion COMMAND [OPTIONS]\n\n", file);
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
        (void)fprintf(file, "  %-10s %s\n", COMMANDS[i].name, COMMANDS[i].summary);
    }
    (void)fputs("\n  bastion COMMAND --help   its options, exit codes and examples\n"
                "  bastion --version\n",
                file);
    return 0;
}

/* Private keys and what they open are in our memory: no core file, no debugger of the same user, and nothing
 * that this process might be talked into may gain rights. */
static bool guard_memory(void)
{
    const struct rlimit none = {0, 0};
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && setrlimit(RLIMIT_CORE, &none) == 0 &&
           prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

int main(int argc, char **argv)
{
    if (!guard_memory()) {
        return complain(COMMAND_TROUBLE, "start", "the memory of this process could not be guarded");
    }
    (void)setlocale(LC_CTYPE, "");
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        (void)print_usage(stdout);
        return finish_output(COMMAND_OK, "help");
    }
    if (strcmp(name, "--version") == 0) {
        (void)printf("bastion %s\n", BASTION_VERSION);
        return finish_output(COMMAND_OK, "version");
    }
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
        if (strcmp(name, COMMANDS[i].name) == 0) {
            return COMMANDS[i].run(argc - 1, argv + 1);
        }
    }
    (void)print_usage(stderr);
    return *name == 0 ? COMMAND_USAGE : complain(COMMAND_USAGE, name, "there is no such command");
}
