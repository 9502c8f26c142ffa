/* What a person may reach, as text and as a section of ssh_config. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "policy/reach.h"
#include "state.h"

enum { HOSTS_PER_LINE = 12, SSH_PORT = 22, WORDS_BYTES = 256 };

/* One listing. `target` is the one whose head was said last: names are the policy's own, so pointers do. */
struct listing {
    const struct connection *connection;
    struct command *command; /* NULL: only counted */
    const char *word;        /* "": all */
    const char *target;
    unsigned count;
    char jump[COMMAND_NAME_BYTES];
};

static void walk(struct listing *listing, policy_reach_each *each)
{
    const struct connection *connection = listing->connection;
    struct policy_factor factor = identity_factor(connection, clock_monotonic_us());
    policy_reach(connection->monitor->policy, connection->person, connection->from,
                 factor.has ? &factor : NULL, connection->key_proof, clock_wall_s(), each, listing);
}

static bool is_pattern(struct cursor host)
{
    return memchr(host.at, '*', cursor_len(&host)) != NULL;
}

struct cursor command_example_host(const struct policy_reach *reach)
{
    for (size_t i = 0; i < reach->host_count; i++) {
        if (!is_pattern(reach->hosts[i])) {
            return reach->hosts[i];
        }
    }
    return cursor_of_text("HOST");
}

static bool has_word(const struct policy_reach *reach, const char *word)
{
    size_t len = strlen(word);
    if (len == 0 || strstr(reach->target, word) != NULL) {
        return true;
    }
    for (size_t i = 0; i < reach->host_count; i++) {
        if (memmem(reach->hosts[i].at, cursor_len(&reach->hosts[i]), word, len) != NULL) {
            return true;
        }
    }
    return false;
}

/* ---- targets ---- */

static void say_head(struct command *command, const struct policy_reach *reach)
{
    command_say(command, "%s:", reach->target);
    for (size_t i = 0; i < reach->host_count && i < HOSTS_PER_LINE; i++) {
        command_say(command, " %.*s", (int)cursor_len(&reach->hosts[i]), (const char *)reach->hosts[i].at);
    }
    if (reach->host_count > HOSTS_PER_LINE) {
        command_say(command, " and %zu more", reach->host_count - HOSTS_PER_LINE);
    }
    if (reach->port != SSH_PORT) {
        command_say(command, ", port %u", reach->port);
    }
    command_say(command, "\n");
}

static const char *grant_words(const struct policy_grant *grant, char text[static WORDS_BYTES])
{
    const char *exec = grant->exec == GRANT_EXEC_ANY ? "commands" : "some commands";
    const char *sftp = grant->sftp == GRANT_SFTP_WRITE  ? "sftp"
                       : grant->sftp == GRANT_SFTP_READ ? "sftp (reading)"
                                                        : "sftp (some files)";
    bool is_any = grant->forward == GRANT_FORWARD_ANY;
    const char *forward = is_any ? "forwarding" : "forwarding to some places";
    is_any = grant->remote_forward == GRANT_FORWARD_ANY;
    const char *remote = is_any ? "remote forwarding" : "remote forwarding from some places";
    const struct {
        bool has;
        const char *word;
    } rows[] = {{grant->shell, "shell"},
                {grant->exec != GRANT_EXEC_NONE, exec},
                {grant_has_sftp(grant), sftp},
                {grant->connect, "byte stream"},
                {grant->forward != GRANT_FORWARD_NONE, forward},
                {grant->remote_forward != GRANT_FORWARD_NONE, remote},
                {grant->agent, "agent"},
                {grant->x11, "x11"},
                {grant->databases_len_bytes > 0, "database"},
                {grant->db_opaque, "database (bytes unread)"}};
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].has && used < WORDS_BYTES) {
            used += (size_t)snprintf(text + used, WORDS_BYTES - used, "%s%s", used == 0 ? "" : ", ",
                                     rows[i].word);
        }
    }
    return text;
}

/* What to type. Nobody logs in at a byte stream (kind tcp): a forward of the client's own leads there. */
static void say_line(struct command *command, const struct policy_reach *reach, const char *jump)
{
    struct cursor host = command_example_host(reach);
    int len = (int)cursor_len(&host);
    char port[16] = "";
    if (reach->kind == POLICY_TARGET_POSTGRES || reach->kind == POLICY_TARGET_MYSQL) {
        command_database(command, reach, jump);
        return;
    }
    if (reach->account[0] == 0) {
        command_say(command, "    ssh -N -L %u:%.*s:%u %s\n", reach->port, len, (const char *)host.at,
                    reach->port, jump);
        return;
    }
    if (reach->port != SSH_PORT) {
        (void)snprintf(port, sizeof port, " -p %u", reach->port);
    }
    command_say(command, "    ssh -J %s%s %s@%.*s\n", jump, port, reach->account, len, (const char *)host.at);
}

static bool say_account(void *context, const struct policy_reach *reach)
{
    struct listing *listing = context;
    struct command *command = listing->command;
    if (!has_word(reach, listing->word)) {
        return true;
    }
    if (reach->target != listing->target) {
        listing->target = reach->target;
        listing->count++;
        say_head(command, reach);
    }
    char words[WORDS_BYTES];
    char age[COMMAND_AGE_BYTES];
    bool has_account = reach->account[0] != 0;
    command_say(command, "  %s%s%s%s", has_account ? "as " : "", reach->account, has_account ? ": " : "",
                grant_words(reach->grant, words));
    if (reach->needs_factor) {
        command_say(command, " (asks for a second factor at most %s old)",
                    command_age(reach->factor_max_age_s, age));
    } else if (reach->factor_adds) {
        command_say(command, " (a part of it only after \"mfa renew\")");
    }
    if (reach->needs_reason) {
        command_say(command, " (asks for a reason)");
    }
    command_say(command, "\n");
    say_line(command, reach, listing->jump);
    return !command->is_cut;
}

void command_targets(struct command *command, const char *argument)
{
    struct listing listing = {.connection = command->connection, .command = command, .word = argument};
    (void)command_jump(command->connection, listing.jump);
    walk(&listing, say_account);
    if (listing.count == 0) {
        command_say(command, argument[0] == 0
                                 ? "There is nothing that you may reach from here; ask your operators.\n"
                                 : "There is nothing of that name that you may reach from here.\n");
    }
    command_finish(command, listing.count == 0 ? 1 : 0);
}

static bool count_target(void *context, const struct policy_reach *reach)
{
    struct listing *listing = context;
    listing->count += reach->target != listing->target ? 1 : 0;
    listing->target = reach->target;
    return true;
}

unsigned command_count_targets(const struct connection *connection)
{
    struct listing listing = {.connection = connection, .word = ""};
    walk(&listing, count_target);
    return listing.count;
}

/* ---- ssh_config ---- */

static void say_way(struct command *command, const struct policy_reach *reach, const char *jump)
{
    command_say(command, "\n    User %s\n    ProxyJump %s\n", reach->account, jump);
    if (reach->port != SSH_PORT) {
        command_say(command, "    Port %u\n", reach->port);
    }
}

static bool say_section(void *context, const struct policy_reach *reach)
{
    struct listing *listing = context;
    struct command *command = listing->command;
    if (reach->target == listing->target || reach->account[0] == 0) {
        return true; /* the first account that may be used is the default; nobody logs in at a byte stream */
    }
    listing->target = reach->target;
    listing->count++;
    for (size_t i = 0; i < reach->host_count; i++) {
        command_say(command, "%s %.*s", i % HOSTS_PER_LINE == 0 ? "\nHost" : "",
                    (int)cursor_len(&reach->hosts[i]), (const char *)reach->hosts[i].at);
        if ((i + 1) % HOSTS_PER_LINE == 0 || i + 1 == reach->host_count) {
            say_way(command, reach, listing->jump);
        }
    }
    return !command->is_cut;
}

void command_ssh_config(struct command *command, const char *argument)
{
    (void)argument;
    const struct connection *connection = command->connection;
    struct listing listing = {.connection = connection, .command = command, .word = ""};
    (void)command_jump(connection, listing.jump);
    command_say(command,
                "# For ~/.ssh/config: \"ssh HOST\" then goes through the bastion by itself.\n"
                "Host %s\n    User %s\n",
                connection->bastion_name, connection->person);
    if (connection->bastion_port != SSH_PORT) {
        command_say(command, "    Port %u\n", connection->bastion_port);
    }
    command_say(command, "    # One login for all that follows within ten minutes:\n"
                         "    ControlMaster auto\n    ControlPath ~/.ssh/%%C\n    ControlPersist 10m\n");
    walk(&listing, say_section);
    command_finish(command, 0);
}
