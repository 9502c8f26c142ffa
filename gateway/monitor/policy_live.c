/* What is open when the policy changes. Each session is held against the new policy as it was asked for: with
 * the factor and the time of its login, since neither growing old in a session nor the end of office hours
 * ends one; only what operators changed does. A session that may do less than before is ended as a whole: its
 * process holds the old grant. */
#include <stdio.h>
#include <stdlib.h>

#include "state.h"

struct both {
    struct policy_decision before, now;
};

static bool is_withdrawn(struct access *access, const struct policy *before, struct both *decisions)
{
    struct policy_request request = target_request(access);
    policy_decide(access->connection->monitor->policy, &request, &decisions->now);
    char sentence[LIMIT_SENTENCE_BYTES];
    if (decisions->now.verdict != POLICY_ALLOWED) {
        (void)snprintf(sentence, sizeof sentence, "the policy was changed: %.400s", decisions->now.sentence);
        target_withdraw(access, decisions->now.code, sentence);
        return true;
    }
    policy_decide(before, &request, &decisions->before);
    const char *missing = grant_check_covers(&decisions->now.grant, &decisions->before.grant);
    if (missing != NULL) {
        (void)snprintf(sentence, sizeof sentence,
                       "the policy was changed and no longer gives %s here; please connect again", missing);
        target_withdraw(access, "D-CHANGED", sentence);
        return true;
    }
    return false;
}

static unsigned check_accesses(struct connection *connection, const struct policy *before,
                               struct both *decisions)
{
    unsigned ended = 0;
    for (unsigned i = 0; i < LIMIT_ACCESSES_PER_CONNECTION; i++) {
        struct access *access = connection->accesses[i];
        /* One that is not granted yet is decided anew on its way. */
        if (access != NULL && access->state == ACCESS_GRANTED && is_withdrawn(access, before, decisions)) {
            ended++;
        }
    }
    return ended;
}

static unsigned check_connection(struct connection *connection, const struct policy *before,
                                 struct both *decisions)
{
    struct policy_person person;
    if (connection->phase != PHASE_OPEN) {
        return 0;
    }
    if (identity_person(connection, &person) != ERR_NONE) {
        report_connection(connection, "connection.withdrawn", EVENT_DENIED, "D-CHANGED",
                          "the policy no longer names this person");
        connection_end(connection, "the policy was changed and no longer names you [D-CHANGED]");
        return 1;
    }
    return check_accesses(connection, before, decisions);
}

unsigned policy_live_check(struct monitor *monitor, const struct policy *before)
{
    unsigned ended = 0;
    struct both *decisions = malloc(sizeof *decisions); /* two grants: too large for a stack */
    for (size_t i = 0; i < monitor->connection_capacity; i++) {
        struct connection *connection = monitor->connections[i];
        if (connection == NULL || connection->phase == PHASE_ENDED) {
            continue;
        }
        if (decisions == NULL) {
            connection_end(connection,
                           "the bastion has no memory to hold this session against its new policy");
            ended++;
        } else {
            ended += check_connection(connection, before, decisions);
        }
    }
    free(decisions);
    return ended;
}
