/* What a person was refused, and why, as the policy stands now; and the person's recent sessions. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "policy/explain.h"
#include "state.h"

enum { SHOWN_MAX = 5 };

/* What a code without a rule means, and what helps. A code of the policy ends with a number instead. */
static const struct {
    const char *code, *help;
} MEANINGS[] = {
    {"D-AGENT", "Your access does not include agent forwarding; without -A the session is the same."},
    {"D-ACCOUNT", "The name before the @ can be no account."},
    {"D-COMMAND", "The bastion has a few commands of its own and no shell; \"help\" lists them."},
    {"D-CONNECTIONS", "Close one of your connections; ssh's ControlMaster lets many sessions share one."},
    {"D-DEADLINE", "Something was not answered in time; try again."},
    {"D-DIAL-ADDRESS",
     "The host's name leads to an address that the policy does not give to its target; your "
     "operators can add it to \"addresses\"."},
    {"D-DIAL-NAME", "The bastion's resolver does not know that name; check its spelling."},
    {"D-DIAL-REFUSED", "The host is there, but its sshd does not listen."},
    {"D-DIAL-TIMEOUT", "The host did not answer; it may be down, or a firewall may be in between."},
    {"D-DIAL", "The bastion could not connect; your operators find the reason in the events."},
    {"D-EXEC", "Your access is for certain commands, or for none; \"targets\" shows what you may do."},
    {"D-FACTOR", "The code was wrong or used already; wait for the next one."},
    {"D-FORWARD", "Your access does not include a forward to that place; \"targets\" shows what you may do."},
    {"D-HOST-KEY", "The host could not prove who it is: the bastion knows no key, or another key, of it, or "
                   "its certificate is "
                   "not good; only your operators can check it."},
    {"D-IDLE", "Nothing passed for longer than the policy allows; ServerAliveInterval does not count."},
    {"D-ACCESSES", "The policy bounds how many sessions a person has on one target; end one of them."},
    {"D-KEY-OPTION", "Your operators restricted the key that you logged in with; another key may do."},
    {"D-INTERNAL", "The bastion met something that it did not expect; tell your operators the time."},
    {"D-LIMIT", "The policy bounds the length of a session; connect again."},
    {"D-LOCKED", "Too many wrong codes; wait, or ask your operators."},
    {"D-LOGIN", "The host's sshd refused the bastion's certificate; your operators look at that host."},
    {"D-MFA", "See \"mfa\"."},
    {"D-PROTOCOL",
     "Your client sent what the SSH protocol does not allow; your operators find it in the events."},
    {"D-RECORDER", "Without a recording there is no session; your operators know already."},
    {"D-REMOTE-FORWARD", "Your access does not let the host listen there for you (ssh -R)."},
    {"D-SFTP-HANDLE", "Your client named a file that it had not opened."},
    {"D-SFTP-MALFORMED", "Your client's request has no sense, or a path of it is over 4096 bytes."},
    {"D-SFTP-PATH", "Your access is for certain files; \"targets\" shows which."},
    {"D-SFTP-UNKNOWN", "The bastion cannot record this kind of request, so it does not let it through."},
    {"D-SFTP",
     "Your access does not include these files or this use of sftp; \"targets\" shows what you may do."},
    {"D-SHELL", "Your access is for commands only; \"targets\" shows what you may do."},
    {"D-SIGNER", "Keys could not be verified for a moment; try again."},
    {"D-SILENT", "Your client did not answer for a quarter of an hour or more, so its connection was ended; "
                 "ServerAliveInterval tells you earlier."},
    {"D-SUBSYSTEM", "Only sftp passes."},
    {"D-TARGETS", "One connection opens a limited number of targets; connect again."},
    {"D-TRIES", "Your client offered too many keys or wrong codes; see IdentitiesOnly in ssh_config(5)."},
    {"D-TUN", "Tunnels of network packets (ssh -w) never pass; -L and -D may."},
    {"D-X11", "Your access does not include X11 forwarding; without -X and -Y the session is the same."},
    {"D-TARGET", "The host's sshd ended the connection early; your operators look at that host."},
};

static const char *meaning_of(const char *code)
{
    for (size_t i = 0; i < sizeof MEANINGS / sizeof MEANINGS[0]; i++) {
        if (strcasecmp(MEANINGS[i].code, code) == 0) {
            return MEANINGS[i].help;
        }
    }
    return NULL;
}

/* ---- explaining by the policy ---- */

struct telling {
    struct command *command;
    enum policy_clause nearest;
};

/* Only what concerns the person: the nearest rule, and what `never` takes away. A rule that is for others is
 * none of the person's business. */
static void tell_finding(void *context, const struct policy_finding *finding)
{
    struct telling *telling = context;
    bool is_own = finding->failed > POLICY_CLAUSE_TO;
    if (finding->is_never) {
        command_say(telling->command, "    \"never\" entry %s (line %u of the policy): %s\n", finding->rule,
                    finding->line, finding->sentence);
    } else if (finding->is_nearest && is_own) {
        telling->nearest = finding->failed;
        command_say(telling->command, "    rule %s (line %u of the policy), clause \"%s\": %s\n",
                    finding->rule, finding->line, policy_clause_text(finding->failed), finding->sentence);
    }
}

static const char *clause_help(enum policy_clause clause, bool has_target)
{
    switch (clause) {
    case POLICY_CLAUSE_AS:
        return "another account (\"targets\" lists yours), or your operators, who can add it to \"as\" of "
               "the rule";
    case POLICY_CLAUSE_CAN:
        return "your operators, who can add it to \"can\" of the rule";
    case POLICY_CLAUSE_FROM:
        return "to connect from an address that the rule allows, for example over the VPN";
    case POLICY_CLAUSE_HOURS:
        return "to come back at the time that the rule names";
    case POLICY_CLAUSE_UNTIL:
        return "your operators, who can renew the rule";
    case POLICY_CLAUSE_KEY:
        return "to log in with a hardware key as the rule asks for (ssh -i)";
    case POLICY_CLAUSE_REASON:
        return "to give the reason that the rule asks for: at the prompt of the login, or before with "
               "\"reason "
               "TEXT\"";
    case POLICY_CLAUSE_MFA:
        return "\"mfa renew\", or answering the prompt when you log in";
    case POLICY_CLAUSE_NONE:
    case POLICY_CLAUSE_WHO:
    case POLICY_CLAUSE_TO:
        break;
    }
    return has_target ? "your operators, who can add you to a group that a rule for this target names"
                      : "to check the name and port; no target of the policy lists them";
}

static void explain(struct command *command, const struct history_denial *denial)
{
    const struct connection *connection = command->connection;
    const struct monitor *monitor = connection->monitor;
    const struct policy_factor factor = {.has = denial->has_factor, .age_s = denial->factor_age_s};
    const struct policy_request request = {.person = connection->person,
                                           .principals = identity_principals(connection),
                                           .from = denial->from,
                                           .host = denial->host,
                                           .port = denial->port,
                                           .account = denial->account,
                                           .factor = &factor,
                                           .key = connection->key_proof,
                                           .action = POLICY_ANY,
                                           .at_s = denial->at_s};
    struct telling telling = {.command = command};
    struct policy_explanation explanation;
    policy_explain(monitor->policy, &request, tell_finding, &telling, &explanation);
    if (strncmp(denial->policy, monitor->policy_hash, strlen(denial->policy)) != 0) {
        command_say(command, "    The policy has changed since; this is what it says now.\n");
    }
    if (explanation.verdict == POLICY_ALLOWED) {
        command_say(command, "    What helps: try again; the policy allows it now.\n");
        return;
    }
    command_say(command, "    What helps: %s.\n", clause_help(telling.nearest, explanation.target[0] != 0));
}

/* ---- why ---- */

/* "D-MFA-1a2b3c4d" names a rule, "D-NO-RULE" and "D-UNKNOWN-..." its absence: those the policy explains. */
static bool is_of_policy(const char *code)
{
    static const char *const KINDS[] = {"D-AS-",     "D-CAN-", "D-FROM-",  "D-HOURS-",  "D-UNTIL-",  "D-KEY-",
                                        "D-REASON-", "D-MFA-", "D-NEVER-", "D-NO-RULE", "D-UNKNOWN-"};
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        if (strncmp(code, KINDS[i], strlen(KINDS[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void say_denial(struct command *command, const struct history_denial *denial)
{
    char when[COMMAND_AGE_BYTES];
    command_say(command, "%s  %s", command_time(denial->at_s, when), denial->code);
    if (denial->host[0] != 0) {
        command_say(command, "  %s:%u", denial->host, denial->port);
    }
    if (denial->account[0] != 0) {
        command_say(command, " as %s", denial->account);
    }
    command_say(command, "  from %s\n    %s\n", denial->from, denial->sentence);
    if (denial->host[0] != 0 && is_of_policy(denial->code)) {
        explain(command, denial);
    } else if (meaning_of(denial->code) != NULL) {
        command_say(command, "    %s\n", meaning_of(denial->code));
    }
}

/* The code as it is copied: with or without its brackets, in any case. */
static void read_wanted(const char *argument, char ret_code[static HISTORY_CODE_BYTES])
{
    const char *begin = argument[0] == '[' ? argument + 1 : argument;
    (void)snprintf(ret_code, HISTORY_CODE_BYTES, "%.*s", (int)strcspn(begin, "]"), begin);
}

void command_why(struct command *command, const char *argument)
{
    const struct connection *connection = command->connection;
    const struct history *history = &connection->monitor->history;
    char wanted[HISTORY_CODE_BYTES];
    read_wanted(argument, wanted);
    unsigned shown = 0;
    const struct history_denial *denial = history_denial(history, connection->person, 0);
    for (unsigned i = 1; denial != NULL && shown < SHOWN_MAX; i++) {
        if (wanted[0] == 0 || strcasecmp(denial->code, wanted) == 0) {
            say_denial(command, denial);
            shown++;
        }
        denial = history_denial(history, connection->person, i);
    }
    if (shown == 0 && wanted[0] != 0 && meaning_of(wanted) != NULL) {
        command_say(command, "%s\n", meaning_of(wanted));
        shown++;
    }
    if (shown == 0) {
        command_say(command, wanted[0] == 0 ? "Nothing was refused to you lately.\n"
                                            : "Nothing was refused to you lately with that code.\n");
    }
    command_finish(command, shown == 0 ? 1 : 0);
}

/* ---- sessions ---- */

void command_sessions(struct command *command, const char *argument)
{
    (void)argument;
    const struct connection *connection = command->connection;
    const struct history *history = &connection->monitor->history;
    const struct history_access *access = history_access(history, connection->person, 0);
    if (access == NULL) {
        command_say(command, "No session of yours since the bastion was started.\n");
    }
    for (unsigned i = 1; access != NULL; i++) {
        char when[COMMAND_AGE_BYTES];
        char lasted[COMMAND_AGE_BYTES];
        command_say(command, "%s  %s@%s", command_time(access->at_s, when), access->account, access->host);
        bool is_open = access->ended_s == 0;
        int64_t end_s = is_open ? clock_wall_s() : access->ended_s;
        uint64_t length_s = end_s > access->at_s ? (uint64_t)(end_s - access->at_s) : 0;
        command_say(command, "  from %s  %s  %s  [%s]\n", access->from, command_age(length_s, lasted),
                    is_open ? "open" : access->how, access->sid);
        access = history_access(history, connection->person, i);
    }
    command_finish(command, 0);
}
