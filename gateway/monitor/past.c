/* What `ssh bastion why` and `ssh bastion sessions` remember of a person. Only who has proven a key leaves
 * anything here, so strangers cannot fill it. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "state.h"

/* A sentence that the session made ends with its code in brackets; the code of the note itself is a class. */
static void read_code(const char *code, const char *sentence, char ret_code[static HISTORY_CODE_BYTES])
{
    const char *begin = strrchr(sentence, '[');
    size_t len = begin == NULL ? 0 : strcspn(begin + 1, "]");
    bool has_own =
        len > 2 && len < HISTORY_CODE_BYTES && strncmp(begin, "[D-", 3) == 0 && begin[len + 1] == ']';
    if (has_own) {
        (void)snprintf(ret_code, HISTORY_CODE_BYTES, "%.*s", (int)len, begin + 1);
    } else {
        (void)snprintf(ret_code, HISTORY_CODE_BYTES, "%s", code);
    }
}

void past_denied(const struct connection *connection, const struct access *access, const char *code,
                 const char *sentence)
{
    if (connection->person[0] == 0 || code == NULL || sentence == NULL) {
        return;
    }
    struct policy_factor factor = identity_factor(connection, clock_monotonic_us());
    struct history_denial denial = {
        .at_s = clock_wall_s(), .has_factor = factor.has, .factor_age_s = factor.age_s};
    read_code(code, sentence, denial.code);
    (void)snprintf(denial.from, sizeof denial.from, "%s", connection->from);
    (void)snprintf(denial.sentence, sizeof denial.sentence, "%s", sentence);
    (void)snprintf(denial.policy, sizeof denial.policy, "%.*s", HISTORY_POLICY_BYTES - 1,
                   connection->monitor->policy_hash);
    if (access != NULL) {
        denial.port = access->port;
        (void)snprintf(denial.host, sizeof denial.host, "%s", access->host);
        (void)snprintf(denial.account, sizeof denial.account, "%s", access->account);
    }
    enum err ignored = history_denied(&connection->monitor->history, connection->person, &denial);
    (void)ignored; /* without memory `why` knows less; the events have it */
}

void past_opened(const struct access *access)
{
    const struct connection *connection = access->connection;
    struct history_access opened = {.at_s = clock_wall_s(), .port = access->port};
    (void)snprintf(opened.sid, sizeof opened.sid, "%s", access->sid_text);
    (void)snprintf(opened.host, sizeof opened.host, "%s", access->host);
    (void)snprintf(opened.account, sizeof opened.account, "%s", access->account);
    (void)snprintf(opened.from, sizeof opened.from, "%s", connection->from);
    enum err ignored = history_opened(&connection->monitor->history, connection->person, &opened);
    (void)ignored; /* the same for `sessions` */
}

void past_ended(struct monitor *monitor, const struct recording *recording, const char *how)
{
    history_ended(&monitor->history, recording->person, recording->sid, clock_wall_s(), how);
}
