#include "policy/command.h"

#include <stdio.h>
#include <string.h>

#include "cli.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} COMMANDS[] = {
    {"check", cli_check}, {"schema", cli_schema},   {"explain", cli_explain},
    {"diff", cli_diff},   {"who-can", cli_who_can}, {"what-can", cli_what_can},
};

static const char USAGE[] =
    "Usage: bastion policy check FILE [--json]\n"
    "       bastion policy diff OLD NEW [--person NAME] [--host NAME] [--fail-on gains|any] [--json]\n"
    "       bastion policy who-can FILE HOST|TARGET [--json | --csv]\n"
    "       bastion policy what-can FILE PERSON [--json | --csv]\n"
    "       bastion policy replay NEW [--since TIME] [--evidence DIR | --config FILE] [--json]\n"
    "       bastion policy history | at WHEN [--evidence DIR | --config FILE]\n"
    "       bastion policy explain FILE --user NAME [--from ADDRESS] [--mfa-age TIME] [--at TIME]\n"
    "                             [--reason TEXT] [--key KIND] [--json] LINE\n"
    "       bastion policy explain FILE CODE [--events LOG] [--json]\n"
    "       bastion policy schema\n"
    "\n"
    "check    reads the file as the gateway does, runs its tests, and says what is wrong and where.\n"
    "diff     says who gains and who loses what when NEW takes the place of OLD: decisions, not texts, are "
    "compared.\n"
    "who-can  lists who may do what on a host or target; what-can what a person may do, and where.\n"
    "replay   asks the decisions of the evidence log again of NEW (replay --help).\n"
    "history  lists the policies that were in force; at finds the file of one (history --help).\n"
    "explain  says whether a person may do something, by which rule, or what stands in the way.\n"
    "         With a code (D-MFA-1a2b3c4d): what it means, by which rule, and, from a log of events, what "
    "was asked.\n"
    "schema   prints the shape of the file as JSON Schema, for editors.\n"
    "\n"
    "LINE is what a test in the file has:  shell node1 as ec2-user\n"
    "                                      exec node1 as deploy: /usr/local/bin/deploy api 1.2\n"
    "     or the command before the host:  exec '/usr/local/bin/deploy api 1.2' node1 as deploy\n"
    "     or for databases:                db orders-db/orders as orders_rw\n"
    "Actions: connect, shell, exec, sftp-read, sftp-write, forward, remote-forward, agent, x11, db, copy,\n"
    "         function-call, replication, local-infile.\n"
    "Without \"as ACCOUNT\" any account will do. A host may be host:port, or the name of a target.\n"
    "\n"
    "  --user NAME       the person\n"
    "  --from ADDRESS    where the person comes from; without it no \"from\" of a rule is met\n"
    "  --principal NAME  a principal of the person's certificate; can be given several times\n"
    "  --mfa-age TIME    how old the second factor is (0s, 5m, 1h); without it there is none\n"
    "  --at TIME         when (2026-11-23T10:00:00+01:00); without it now\n"
    "  --reason TEXT     what it is for; without it no reason is given\n"
    "  --key KIND        plain, touched or verified: what the key of the login has proven\n"
    "  --json            for programs\n"
    "\n"
    "Exit status: 0 the file is valid, it is allowed, nobody gains anything; 1 it is denied, somebody gains "
    "something (or,\nwith --fail-on any, loses something), nobody can; 2 wrong usage; 3 a file is invalid.\n";

int cli_usage_error(const char *message, const char *detail)
{
    (void)fprintf(stderr, "bastion policy: %s%s\nTry \"bastion policy --help\".\n", message, detail);
    return CLI_USAGE;
}

int policy_command(int argc, char **argv)
{
    const char *command = argc < 2 ? "" : argv[1];
    if (strcmp(command, "--help") == 0 || strcmp(command, "-h") == 0 || strcmp(command, "help") == 0) {
        (void)fputs(USAGE, stdout);
        return CLI_OK;
    }
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
        if (strcmp(command, COMMANDS[i].name) == 0) {
            return COMMANDS[i].run(argc - 1, argv + 1);
        }
    }
    return cli_usage_error(*command == 0 ? "a command is missing" : "there is no command ", command);
}
