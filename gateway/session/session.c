#include "session/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/writer.h"
#include "crypto/tls.h"
#include "state.h"

enum { DISCONNECT_BY_APPLICATION = 11 }; /* RFC 4253 11.1 */

static void end_accesses(struct session *session, const char *sentence)
{
    for (struct access *access = session->accesses; access != NULL; access = access->next) {
        access_end(access, session->is_client_gone ? NULL : sentence,
                   sentence != NULL ? sentence : "the client closed the connection");
    }
}

/* The engineer has not been identified by SSH's own means yet: a banner is the only thing that clients show.
 */
static void say_before_login(struct session *session, const char *sentence)
{
    enum { SSH_USERAUTH_BANNER = 53 };
    char line[LIMIT_SENTENCE_BYTES + 16];
    (void)snprintf(line, sizeof line, "bastion: %s\r\n", sentence);
    uint8_t memory[sizeof line + 16];
    struct writer out = writer_of(memory, sizeof memory);
    writer_text(&out, line);
    writer_text(&out, "");
    struct cursor payload;
    if (writer_done(&out, &payload) == ERR_NONE) {
        err_ignore(engine_send(session->engine, SSH_USERAUTH_BANNER,
                               payload)); /* the disconnect message that follows says it again */
    }
}

void session_end(struct session *session, const char *sentence)
{
    if (session->is_ending) {
        return;
    }
    session->is_ending = true;
    loop_cancel(session->loop, &session->deadline_op);
    loop_cancel(session->loop, &session->alive_op);
    end_accesses(session, sentence);
    if (sentence != NULL && !session->is_client_gone) {
        if (session->is_ready && !session->is_identified) {
            say_before_login(session, sentence);
        }
        (void)snprintf(session->end_reason, sizeof session->end_reason, "bastion: %s", sentence);
    }
}

static void linger_over(struct loop_op *op, int result)
{
    struct session *session = OWNER_OF(op, struct session, linger_op);
    if (result == 0) {
        loop_stop(session->loop);
    }
}

/* After the accesses have said what they had to say, the outer connection says good-bye. */
static void finish(struct session *session)
{
    if (!session->linger_op.in_flight && !session->has_lingered) {
        session->has_lingered = true;
        if (loop_timer(session->loop, &session->linger_op, SESSION_LINGER_MS, linger_over) != ERR_NONE) {
            loop_stop(session->loop);
            return;
        }
    }
    if (session->accesses != NULL) {
        return;
    }
    if (session->end_reason[0] != 0) {
        err_ignore(engine_disconnect(session->engine, DISCONNECT_BY_APPLICATION,
                                     session->end_reason)); /* the connection ends either way */
        session->end_reason[0] = 0;
        sender_pump(&session->client_out, engine_output(session->engine));
    }
    if (session->is_client_gone || sender_is_idle(&session->client_out, engine_output(session->engine))) {
        loop_stop(session->loop);
    }
}

static void turn(void *owner)
{
    struct session *session = owner;
    link_handle_stash(session);
    access_turn(session);
    command_turn(session);
    client_turn(session);
    if (session->is_ending) {
        finish(session);
    }
}

static void free_all(struct session *session)
{
    loop_free(session->loop);
    link_done(session);
    command_free_all(session);
    sender_done(&session->client_out);
    userauth_done(&session->auth);
    outer_free(session->outer);
    crypto_trust_free(session->database_trust);
    engine_free(session->engine);
}

static enum err start(struct session *session)
{
    TRY(link_start(session));
    TRY(client_start(session));
    loop_on_turn(session->loop, turn, session);
    return link_watch(session);
}

enum err session_run(struct loop *loop, int channel_fd, int client_fd)
{
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        return ERR_MEMORY;
    }
    session->loop = loop;
    session->notes.refilled_us = clock_monotonic_us();
    session->channel_fd = channel_fd;
    session->client_fd = client_fd;
    enum err err = start(session);
    if (err == ERR_NONE) {
        err = loop_run(loop);
        session_note_rest(session);
    }
    free_all(session);
    free(session);
    return err;
}
