/* What the line of the person's key takes away from what the policy gives (authorized_keys: restrict, no-pty,
 * ...). It never adds anything. */
#include <stdio.h>

#include "state.h"

/* A target without SSH inside is nothing but a forward of the outer connection. */
static bool is_forward(const struct access *access)
{
    return access->kind != POLICY_TARGET_SSH;
}

void target_narrow(const struct access *access, struct policy_decision *decision)
{
    const struct keys_authorization *line = &access->connection->authorization;
    struct policy_grant *grant = &decision->grant;
    grant->agent = grant->agent && (line->lacks & KEYS_LACKS_AGENT) == 0;
    grant->x11 = grant->x11 && (line->lacks & KEYS_LACKS_X11) == 0;
    if ((line->lacks & KEYS_LACKS_FORWARD) == 0) {
        return;
    }
    grant->forward = grant->remote_forward = GRANT_FORWARD_NONE;
    grant->places_len_bytes = 0;
    if (is_forward(access) && decision->verdict != POLICY_DENIED) {
        decision->verdict = POLICY_DENIED;
        (void)snprintf(decision->code, sizeof decision->code, "D-KEY-OPTION");
        (void)snprintf(
            decision->sentence, sizeof decision->sentence,
            "line %u of your keys says no-port-forwarding (or restrict), and %.100s is reached by a "
            "forward only",
            line->line, access->host);
    }
}

bool target_has_terminal(const struct access *access)
{
    return (access->connection->authorization.lacks & KEYS_LACKS_PTY) == 0;
}
