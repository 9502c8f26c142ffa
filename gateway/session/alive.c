/* A client that is gone without a word: a cut line, a machine that was switched off. TCP notices only when
 * something is sent, so a client that has been silent for a while is asked for a sign of life; every SSH
 * client answers. */
#include <errno.h>

#include "state.h"

enum {
    UNANSWERED_MAX = 5, /* a laptop may sleep for a while, and a network be gone */
    MS_PER_S = 1000,
};

static void arm(struct session *session);

static void look(struct loop_op *op, int result)
{
    struct session *session = OWNER_OF(op, struct session, alive_op);
    if (result == -ECANCELED || session->is_ending) {
        return;
    }
    if (!session->has_spoken) {
        if (outer_keepalives_unanswered(session->outer) >= UNANSWERED_MAX) {
            session_end(session, "the client does not answer any more [D-SILENT]");
            return;
        }
        err_ignore(
            outer_keepalive(session->outer)); /* a connection that cannot send is ended where it is fed */
    }
    session->has_spoken = false;
    arm(session);
}

static void arm(struct session *session)
{
    if (loop_timer(session->loop, &session->alive_op, (uint64_t)session->alive_s * MS_PER_S, look) !=
        ERR_NONE) {
        session_end(session, "the bastion cannot keep the time of this connection [D-INTERNAL]");
    }
}

void alive_start(struct session *session)
{
    arm(session);
}
