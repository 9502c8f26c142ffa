/* How a person reaches a database: lines to type as they stand. The socket comes first: it lies in a folder
 * that only this person can enter, while every program of the engineer's machine can use a port. */
#include <stdio.h>
#include <string.h>

#include "policy/reach.h"
#include "state.h"

enum { NAME_BYTES = LIMIT_DB_NAME_BYTES + 1, LIST_BYTES = 256 };

/* The first name of a block of the grant that is no pattern, else a place for one. */
static const char *first_name(struct cursor block, const char *place, char name[static NAME_BYTES])
{
    struct cursor one;
    (void)snprintf(name, NAME_BYTES, "%s", place);
    while (cursor_len(&block) > 0 && cursor_string(&block, LIMIT_DB_NAME_BYTES, &one) == ERR_NONE) {
        if (cursor_len(&one) > 0 && one.end[-1] != '*') {
            (void)snprintf(name, NAME_BYTES, "%.*s", (int)cursor_len(&one), (const char *)one.at);
            break;
        }
    }
    return name;
}

static const char *all_names(struct cursor block, char list[static LIST_BYTES])
{
    size_t used = 0;
    struct cursor one;
    list[0] = 0;
    while (cursor_len(&block) > 0 && cursor_string(&block, LIMIT_DB_NAME_BYTES, &one) == ERR_NONE &&
           used < LIST_BYTES) {
        bool is_any = cursor_equal_text(one, "*");
        used += (size_t)snprintf(list + used, LIST_BYTES - used, "%s%.*s", used == 0 ? "" : ", ",
                                 is_any ? 3 : (int)cursor_len(&one), is_any ? "any" : (const char *)one.at);
    }
    return list;
}

static void say_rights(struct command *command, const struct policy_grant *grant)
{
    struct cursor rest = cursor_of(grant->databases, grant->databases_len_bytes);
    struct grant_database entry;
    while (cursor_len(&rest) > 0 && grant_read_database(&rest, &entry) == ERR_NONE) {
        char users[LIST_BYTES];
        char databases[LIST_BYTES];
        command_say(command, "    users: %s; databases: %s\n", all_names(entry.users, users),
                    all_names(entry.databases, databases));
    }
}

struct words {
    const char *jump, *user, *database;
    int host_len;
    const char *host;
    unsigned port;
    enum policy_client_tls client_tls;
};

/* What a client says about TLS at a port; on a socket it says nothing. */
static const char *const TLS_WORDS[] = {[POLICY_CLIENT_TLS_REFUSE] = "",
                                        [POLICY_CLIENT_TLS_TERMINATE] =
                                            " sslmode=verify-full sslrootcert=$HOME/.bastion-db-ca.pem",
                                        [POLICY_CLIENT_TLS_OPAQUE] = " sslmode=require"};

static void say_postgres(struct command *command, const struct words *is)
{
    command_say(command,
                "    mkdir -p -m 700 ~/.pg/%.*s && ssh -N -L ~/.pg/%.*s/.s.PGSQL.5432:%.*s:%u %s\n"
                "    psql -h ~/.pg/%.*s -U %s %s\n",
                is->host_len, is->host, is->host_len, is->host, is->host_len, is->host, is->port, is->jump,
                is->host_len, is->host, is->user, is->database);
    command_say(command,
                "  or, for clients that know no sockets:\n"
                "    ssh -N -L 5432:%.*s:%u %s\n"
                "    psql \"host=%.*s hostaddr=127.0.0.1 user=%s dbname=%s%s\"\n",
                is->host_len, is->host, is->port, is->jump, is->host_len, is->host, is->user, is->database,
                TLS_WORDS[is->client_tls]);
    if (is->client_tls == POLICY_CLIENT_TLS_TERMINATE) {
        command_say(command, "    (once: ssh %s db-ca > ~/.bastion-db-ca.pem)\n", is->jump);
    }
}

static void say_mysql(struct command *command, const struct words *is)
{
    command_say(command,
                "    mkdir -p -m 700 ~/.mysql && ssh -N -L ~/.mysql/%.*s:%.*s:%u %s\n"
                "    mysql -S ~/.mysql/%.*s -u %s -p %s\n",
                is->host_len, is->host, is->host_len, is->host, is->port, is->jump, is->host_len, is->host,
                is->user, is->database);
    command_say(command,
                "  or, for clients that know no sockets:\n"
                "    ssh -N -L 3306:%.*s:%u %s\n"
                "    mysql -h 127.0.0.1 -u %s -p %s\n",
                is->host_len, is->host, is->port, is->jump, is->user, is->database);
}

void command_database(struct command *command, const struct policy_reach *reach, const char *jump)
{
    char user[NAME_BYTES];
    char database[NAME_BYTES];
    struct cursor host = command_example_host(reach);
    struct cursor list = cursor_of(reach->grant->databases, reach->grant->databases_len_bytes);
    struct grant_database entry = {0};
    if (cursor_len(&list) > 0 && grant_read_database(&list, &entry) != ERR_NONE) {
        entry = (struct grant_database){0};
    }
    const struct words is = {.jump = jump,
                             .user = first_name(entry.users, "USER", user),
                             .database = first_name(entry.databases, "DATABASE", database),
                             .host_len = (int)cursor_len(&host),
                             .host = (const char *)host.at,
                             .port = reach->port,
                             .client_tls = reach->client_tls};
    say_rights(command, reach->grant);
    if (reach->kind == POLICY_TARGET_POSTGRES) {
        say_postgres(command, &is);
    } else {
        say_mysql(command, &is);
    }
}

void command_database_ca(struct command *command, const char *argument)
{
    (void)argument;
    const struct signer_calls *signer = &command->connection->monitor->signer;
    uint8_t text[2 * CRYPTO_X509_DER_BYTES];
    struct writer out = writer_of(text, sizeof text);
    struct cursor pem;
    bool has_ca =
        signer->database_ca_bytes > 0 &&
        crypto_x509_pem(cursor_of(signer->database_ca, signer->database_ca_bytes), &out) == ERR_NONE &&
        writer_done(&out, &pem) == ERR_NONE;
    if (!has_ca) {
        command_say(command,
                    "This bastion has no CA for databases; your operators make one with \"bastion init\".\n");
        command_finish(command, 1);
        return;
    }
    command_say(command, "%.*s", (int)cursor_len(&pem), (const char *)pem.at);
    command_finish(command, 0);
}
