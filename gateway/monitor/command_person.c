/* What a person may know about the own connection: who, by which key, the second factor, and the lines for
 * the own ssh. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "state.h"

enum {
    MINUTE_S = 60,
    HOUR_S = 3600,
    DAY_S = 24 * HOUR_S,
    SSH_PORT = 22,
    US_PER_S = 1000000,
    RENEWALS_MAX = 8
};

const char *command_age(uint64_t seconds, char text[static COMMAND_AGE_BYTES])
{
    unsigned long long days = seconds / DAY_S;
    unsigned long long hours = seconds % DAY_S / HOUR_S;
    unsigned long long minutes = seconds % HOUR_S / MINUTE_S;
    if (days > 0) {
        (void)snprintf(text, COMMAND_AGE_BYTES, "%llud%lluh", days, hours);
    } else if (hours > 0 && minutes > 0) {
        (void)snprintf(text, COMMAND_AGE_BYTES, "%lluh%02llum", hours, minutes);
    } else if (hours > 0) {
        (void)snprintf(text, COMMAND_AGE_BYTES, "%lluh", hours);
    } else if (minutes > 0) {
        (void)snprintf(text, COMMAND_AGE_BYTES, "%llum", minutes);
    } else {
        (void)snprintf(text, COMMAND_AGE_BYTES, "%llus", (unsigned long long)seconds);
    }
    return text;
}

const char *command_time(int64_t at_s, char text[static COMMAND_AGE_BYTES])
{
    time_t at = (time_t)at_s;
    struct tm utc = {0};
    bool is_today = at_s / DAY_S == clock_wall_s() / DAY_S;
    if (gmtime_r(&at, &utc) == NULL ||
        strftime(text, COMMAND_AGE_BYTES, is_today ? "%H:%M UTC" : "%Y-%m-%d %H:%M UTC", &utc) == 0) {
        (void)snprintf(text, COMMAND_AGE_BYTES, "unknown");
    }
    return text;
}

const char *command_jump(const struct connection *connection, char text[static COMMAND_NAME_BYTES])
{
    bool is_ipv6 = strchr(connection->bastion_name, ':') != NULL;
    char port[16] = "";
    if (connection->bastion_port != SSH_PORT) {
        (void)snprintf(port, sizeof port, ":%u", connection->bastion_port);
    }
    (void)snprintf(text, COMMAND_NAME_BYTES, "%s@%s%s%s%s", connection->person, is_ipv6 ? "[" : "",
                   connection->bastion_name, is_ipv6 ? "]" : "", port);
    return text;
}

/* ---- the second factor ---- */

static void say_lease(struct command *command)
{
    const struct connection *connection = command->connection;
    struct monitor *monitor = connection->monitor;
    uint64_t now_us = clock_monotonic_us();
    struct policy_factor factor = identity_factor(connection, now_us);
    struct policy_person known = {0};
    char age[COMMAND_AGE_BYTES];
    if (connection->is_machine) {
        command_say(command, "Second factor: none; you are a machine, and are never asked for one.\n");
        return;
    }
    if (!factor.has) {
        command_say(command, "Second factor: none on this connection; it will be asked for.\n");
    } else {
        command_say(command, "Second factor: shown %s ago on this connection.\n",
                    command_age(factor.age_s, age));
    }
    uint64_t lease_age_seconds = 0;
    bool has_lease = lease_age_s(&monitor->leases, connection->person, connection->key_sha256,
                                 connection->from, now_us, &lease_age_seconds) &&
                     identity_person(connection, &known) == ERR_NONE &&
                     lease_age_seconds < known.max_mfa_age_s;
    if (!has_lease) {
        command_say(command, "Lease: none; the next connection asks for the factor.\n");
        return;
    }
    char until[COMMAND_AGE_BYTES];
    uint64_t left_s = known.max_mfa_age_s - lease_age_seconds;
    command_say(
        command,
        "Lease: connections with this key from %s are not asked until %s (%s left); single rules may ask "
        "sooner.\n",
        connection->from, command_time(clock_wall_s() + (int64_t)left_s, until), command_age(left_s, age));
}

static void renew(struct command *command)
{
    struct connection *connection = command->connection;
    char sentence[LIMIT_SENTENCE_BYTES] = "";
    if (connection->is_machine) {
        (void)snprintf(sentence, sizeof sentence,
                       "you are a machine: no second factor is ever asked [D-MFA]");
    } else if (connection->renewals >= RENEWALS_MAX) {
        (void)snprintf(sentence, sizeof sentence,
                       "this connection has asked often enough; connect again [D-MFA]");
    } else if (!factor_lock_sentence(connection->monitor, connection->person, sentence, sizeof sentence)) {
        connection->renewals++;
        if (factor_renew(connection, command->ref) != ERR_NONE) {
            (void)snprintf(sentence, sizeof sentence,
                           "another question about your second factor is open on this connection [D-MFA]");
        }
    }
    if (sentence[0] != 0) {
        command_say(command, "bastion: %s\n", sentence);
        command_finish(command, 1);
    }
}

/* Everywhere at once: who asks for it thinks of a lost key or an unattended desk. */
static void drop(struct command *command)
{
    struct connection *connection = command->connection;
    struct monitor *monitor = connection->monitor;
    lease_drop(&monitor->leases, connection->person, clock_monotonic_us(), 0);
    for (size_t i = 0; i < monitor->connection_capacity; i++) {
        struct connection *other = monitor->connections[i];
        if (other != NULL && strcmp(other->person, connection->person) == 0) {
            other->passed_factor = (struct policy_factor){0};
        }
    }
    report_connection(connection, "factor.dropped", EVENT_SUCCESS, NULL, NULL);
    command_say(command,
                "Your second factor is forgotten, for all your keys and connections: whatever is opened "
                "from now on asks for it. Sessions that are open go on.\n");
    command_finish(command, 0);
}

void command_mfa(struct command *command, const char *argument)
{
    if (argument[0] == 0) {
        say_lease(command);
        command_finish(command, 0);
    } else if (strcmp(argument, "renew") == 0) {
        renew(command);
    } else if (strcmp(argument, "drop") == 0) {
        drop(command);
    } else {
        command_say(command, "bastion: mfa takes \"renew\", \"drop\" or nothing\n");
        command_finish(command, 2);
    }
}

/* ---- help ---- */

/* What the line of the key takes away. */
static void say_lacks(struct command *command)
{
    static const struct {
        unsigned bit;
        const char *text;
    } LACKS[] = {{KEYS_LACKS_PTY, "terminals"},
                 {KEYS_LACKS_AGENT, "agent forwarding"},
                 {KEYS_LACKS_X11, "X11"},
                 {KEYS_LACKS_FORWARD, "forwards, and targets that are reached by one"}};
    unsigned lacks = command->connection->authorization.lacks;
    const char *before = "This key is not for";
    for (size_t i = 0; i < sizeof LACKS / sizeof LACKS[0]; i++) {
        if ((lacks & LACKS[i].bit) != 0) {
            command_say(command, "%s %s", before, LACKS[i].text);
            before = ",";
        }
    }
    if (lacks != 0) {
        command_say(command, ".\n");
    }
}

void command_help(struct command *command, const char *argument)
{
    (void)argument;
    const struct connection *connection = command->connection;
    char jump[COMMAND_NAME_BYTES];
    unsigned count = command_count_targets(connection);
    command_say(command, "This is a bastion: a way to other hosts, without a shell of its own.\n\n");
    command_say(command, "You are %s, by key %s, from %s.\n", connection->person, connection->key_fingerprint,
                connection->from);
    say_lacks(command);
    say_lease(command);
    command_say(command, "You may reach %u target%s.\n\n", count, count == 1 ? "" : "s");
    command_say(command, "  ssh -J %s ACCOUNT@HOST   go there\n\n", command_jump(connection, jump));
    command_say(command,
                "Commands of the bastion, as in \"ssh %s targets\":\n"
                "  targets [WORD]      the hosts that you may reach, as whom, to do what\n"
                "  mfa [renew|drop]    your second factor: show it, ask for it now, forget it\n"
                "  reason [TEXT|drop]  what your next accesses are for, where a rule asks\n"
                "  why [CODE]          why something was refused\n"
                "  sessions            your recent sessions\n"
                "  known-hosts         lines for your known_hosts file\n"
                "  db-ca               the CA that answers for databases where clients use TLS\n"
                "  ssh-config          a section for your ssh_config\n",
                command_jump(connection, jump));
    command_finish(command, 0);
}

/* ---- known_hosts ---- */

static void say_key(struct command *command, const char *hosts, const struct keys_blob *blob)
{
    char line[KEYS_LINE_BYTES];
    if (keys_line_write(keys_blob_peek(blob), line, sizeof line) == ERR_NONE) {
        command_say(command, "%s %s\n", hosts, line);
    }
}

void command_known_hosts(struct command *command, const char *argument)
{
    (void)argument;
    const struct connection *connection = command->connection;
    const struct signer_calls *signer = &connection->monitor->signer;
    char name[LIMIT_HOST_BYTES + 16];
    char others[sizeof name + 8];
    if (connection->bastion_port == SSH_PORT) {
        (void)snprintf(name, sizeof name, "%s", connection->bastion_name);
    } else {
        (void)snprintf(name, sizeof name, "[%s]:%u", connection->bastion_name, connection->bastion_port);
    }
    (void)snprintf(others, sizeof others, "*,!%s", name);
    command_say(command, "# The bastion itself.\n");
    say_key(command, name, &signer->host_blob);
    command_say(command,
                "# The bastion in the place of the hosts behind it. Narrow the \"*\" to their names.\n");
    say_key(command, others, &signer->inner_blob);
    command_say(command, "# The same by certificates: with OpenSSH and PuTTY this line alone would do.\n");
    say_key(command, "@cert-authority *", &signer->host_ca_blob);
    command_finish(command, 0);
}
