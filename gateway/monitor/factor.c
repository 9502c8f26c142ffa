/* The second factor: one bastion-pam per conversation, and what becomes of it. Whose turn it is:
 * factor_wait.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/writer.h"
#include "state.h"

enum { US_PER_S = 1000000 };
static const char LOCKOUTS_FILE[] = "lockouts";

bool factor_lock_sentence(struct monitor *monitor, const char *person, char *ret_sentence, size_t size_bytes)
{
    int64_t until_s = lockout_until_s(&monitor->lockouts, person, clock_wall_s());
    if (until_s == 0) {
        return false;
    }
    time_t until = (time_t)until_s;
    struct tm utc = {0};
    char when[32] = "later";
    if (gmtime_r(&until, &utc) != NULL) {
        (void)strftime(when, sizeof when, "%H:%M UTC on %Y-%m-%d", &utc);
    }
    (void)snprintf(ret_sentence, size_bytes,
                   "%s is locked until %s after too many wrong codes; wait, or ask your operators [D-LOCKED]",
                   person, when);
    return true;
}

static void save_lockouts(struct monitor *monitor)
{
    char *text = NULL;
    size_t len = 0;
    enum err err = lockout_write(&monitor->lockouts, &text, &len);
    if (err == ERR_NONE) {
        err = fd_replace_file(monitor->state_dir, LOCKOUTS_FILE, 0600, cursor_of(text, len));
    }
    if (err != ERR_NONE) {
        REPORT(monitor, "lockouts.lost", EVENT_FAILURE, {.key = "error", .text = err_text(err)},
               {.key = "how", .text = strerror(errno)});
    }
    free(text);
}

void factor_unlock(struct monitor *monitor, const char *person)
{
    lockout_clear(&monitor->lockouts, person);
    save_lockouts(monitor);
}

void factor_tell(struct connection *connection, uint32_t ref, bool is_ok, bool may_retry,
                 const char *sentence)
{
    if (command_factor_result(connection, ref, is_ok, sentence)) {
        return;
    }
    uint8_t body[LIMIT_SENTENCE_BYTES + 16];
    struct writer out = writer_of(body, sizeof body);
    writer_bool(&out, is_ok);
    writer_bool(&out, may_retry);
    writer_text(&out, sentence);
    struct cursor bytes;
    if (writer_done(&out, &bytes) == ERR_NONE) {
        connection_send(connection, IPC_FACTOR_RESULT, ref, bytes, NULL);
    }
}

void factor_done(struct connection *connection)
{
    struct factor *factor = &connection->factor;
    child_done(&factor->pam);
    factor->state = FACTOR_NONE;
    factor->since_us = clock_monotonic_us();
    while (connection->phase == PHASE_OPEN && factor->state == FACTOR_NONE && factor->queued > 0) {
        struct factor_question next = factor->queue[0];
        factor->queued--;
        memmove(factor->queue, factor->queue + 1, factor->queued * sizeof factor->queue[0]);
        if (target_find(connection, next.ref) != NULL) {
            factor_ask_or_wait(connection, next);
        }
    }
    factor_serve_waiting(connection->monitor, connection->person);
}

void factor_give_up(struct connection *connection, const char *sentence)
{
    if (connection->phase == PHASE_OPEN) {
        factor_tell(connection, connection->factor.ref, false, false, sentence);
        factor_done(connection);
    } else {
        connection_end(connection, sentence);
    }
}

/* @param by  a word for events, a constant */
static void passed(struct connection *connection, const char *by)
{
    struct monitor *monitor = connection->monitor;
    uint64_t now_us = clock_monotonic_us();
    connection->passed_factor = (struct policy_factor){.has = true};
    connection->factor_seen_us = now_us;
    connection->factor_by = by;
    err_ignore(lease_pass(&monitor->leases, connection->person, connection->key_sha256, connection->from,
                          now_us, "")); /* without memory for a lease the next login asks again */
    lockout_clear(&monitor->lockouts, connection->person);
    save_lockouts(monitor);
    REPORT(monitor, "factor.passed", EVENT_SUCCESS, EVENT_NUMBER("connection", connection->number),
           {.key = "from", .text = connection->from}, {.key = "person", .text = connection->person},
           {.key = "key", .text = connection->key_fingerprint}, {.key = "factor", .text = by});
    if (connection->phase == PHASE_FACTOR) {
        connection_identified(connection);
    }
    factor_tell(connection, connection->factor.ref, true, false, "");
    factor_done(connection);
}

static void failed(struct connection *connection, const char *why)
{
    struct monitor *monitor = connection->monitor;
    char sentence[LIMIT_SENTENCE_BYTES];
    connection->failures++;
    /* A table that is full locks too: who cannot be counted cannot be let guess. */
    bool is_full = lockout_failed(&monitor->lockouts, connection->person, clock_wall_s()) != ERR_NONE;
    save_lockouts(monitor);
    report_connection(connection, "factor.failed", EVENT_DENIED, "D-FACTOR", why);
    bool is_locked = factor_lock_sentence(monitor, connection->person, sentence, sizeof sentence);
    if (is_locked) {
        report_connection(connection, "person.locked", EVENT_DENIED, "D-LOCKED", sentence);
    }
    unsigned left = connection->failures < LIMIT_AUTH_TRIES ? LIMIT_AUTH_TRIES - connection->failures : 0;
    if (is_locked || is_full) {
        connection_end(connection, is_locked ? sentence : "no factor can be checked right now [D-LOCKED]");
        return;
    }
    if (left == 0) {
        connection_end(connection,
                       "that code was not accepted, and it was the last try; wait for a new code and connect "
                       "again [D-FACTOR]");
        return;
    }
    (void)snprintf(sentence, sizeof sentence, "that code was not accepted; %u %s left [D-FACTOR]", left,
                   left == 1 ? "try" : "tries");
    factor_tell(connection, connection->factor.ref, false, true, sentence);
    factor_done(connection);
}

static enum err read_prompt(struct connection *connection, struct cursor body)
{
    struct cursor in = body;
    uint8_t style = 0;
    char text[2048];
    TRY(cursor_u8(&in, &style));
    TRY(cursor_text(&in, text, sizeof text));
    TRY(cursor_end(&in));
    enum { STYLE_ECHOED = 1 };
    if (style <= STYLE_ECHOED) {
        connection->factor.state = FACTOR_PROMPTED;
    }
    connection_send(connection, IPC_FACTOR_PROMPT, connection->factor.ref, body, NULL);
    return ERR_NONE;
}

static enum err read_result(struct connection *connection, struct cursor body)
{
    bool is_ok = false;
    uint8_t pam_code = 0;
    char text[LIMIT_SENTENCE_BYTES];
    TRY(cursor_bool(&body, &is_ok));
    TRY(cursor_u8(&body, &pam_code));
    TRY(cursor_text(&body, text, sizeof text));
    TRY(cursor_end(&body));
    if (is_ok && replay_guard_accepted(connection)) {
        passed(connection, "pam");
    } else {
        failed(connection, text);
    }
    return ERR_NONE;
}

static void pam_ready(void *owner, struct child *child)
{
    struct connection *connection = owner;
    while (child->owner != NULL) {
        enum err err = child_receive(child, PEER_PAM, PHASE_OPEN);
        if (err == ERR_AGAIN || err == ERR_CLOSED) {
            return;
        }
        struct ipc_message *message = &connection->monitor->message;
        if (err == ERR_NONE) {
            err = message->type == IPC_PAM_PROMPT ? read_prompt(connection, message->body)
                                                  : read_result(connection, message->body);
            ipc_message_done(message);
        }
        if (err != ERR_NONE) {
            child_kill(child);
            return;
        }
    }
}

static void pam_exited(void *owner, struct child *child, bool is_clean, const char *how)
{
    (void)child;
    (void)is_clean;
    struct connection *connection = owner;
    /* A result would have detached it: this one ended without. That is no wrong code, so it counts for no
     * lock. */
    report_connection(connection, "factor.lost", EVENT_FAILURE, NULL, how);
    factor_give_up(connection, "the second factor could not be checked; tell your operators [D-PAM]");
}

static enum err send_start(struct connection *connection)
{
    const struct gateway_config *config = &connection->monitor->config;
    uint8_t body[1024];
    struct writer out = writer_of(body, sizeof body);
    writer_text(&out, connection->person);
    writer_text(&out, connection->from);
    writer_text(&out, config->pam.service);
    writer_text(&out, config->pam.confdir);
    struct cursor bytes;
    TRY(writer_done(&out, &bytes));
    return ipc_send(connection->factor.pam->channel, IPC_PAM_START, 0, bytes, NULL, 0);
}

void factor_start(struct connection *connection)
{
    struct monitor *monitor = connection->monitor;
    char uid[24];
    (void)snprintf(uid, sizeof uid, "%u", monitor->config.uids.pam);
    char *argv[5 + 2 * CONFIG_WRITABLE_MAX + 1] = {"bastion-pam", "--uid", uid, "--gid", uid};
    for (size_t i = 0; i < monitor->config.pam.writable_count; i++) {
        argv[5 + 2 * i] = "--writable";
        argv[6 + 2 * i] = monitor->config.pam.writable[i];
    }
    struct child_start child = {.program = "bastion-pam",
                                .argv = argv,
                                .owner = connection,
                                .on_message = pam_ready,
                                .on_exit = pam_exited};
    connection->factor.state = FACTOR_RUNNING;
    connection->factor.deadline_us =
        clock_monotonic_us() + (uint64_t)monitor->config.times.factor_s * US_PER_S;
    if (child_start(monitor, &child, &connection->factor.pam) != ERR_NONE ||
        send_start(connection) != ERR_NONE) {
        report_connection(connection, "factor.lost", EVENT_FAILURE, NULL, "bastion-pam cannot be started");
        factor_give_up(connection,
                       "the second factor cannot be checked right now; tell your operators [D-PAM]");
    }
}

void factor_abandon(struct connection *connection, uint32_t ref)
{
    /* An answer that is being judged is judged to its end: nobody can try codes without being counted. */
    bool is_open = connection->factor.state == FACTOR_WAITING || connection->factor.state == FACTOR_PROMPTED;
    if (is_open && connection->factor.ref == ref) {
        factor_done(connection);
    }
}

enum err factor_answer(struct connection *connection, uint32_t ref, struct cursor body)
{
    struct cursor in = body;
    struct cursor text;
    TRY(cursor_string(&in, LIMIT_SENTENCE_BYTES, &text));
    TRY(cursor_end(&in));
    struct access *access = target_find(connection, ref);
    if (access != NULL && access->reason_state == REASON_ASKED) {
        reason_answer(access, text);
        return ERR_NONE;
    }
    if (connection->factor.state != FACTOR_PROMPTED || connection->factor.ref != ref) {
        return ERR_STATE;
    }
    if (recovery_answers(connection, text)) {
        report_connection(connection, "factor.recovery", EVENT_SUCCESS, NULL, NULL);
        passed(connection, "recovery code");
        return ERR_NONE;
    }
    if (replay_guard_refuses(connection, text)) {
        failed(connection, "this one-time code was used already");
        return ERR_NONE;
    }
    connection->factor.state = FACTOR_RUNNING;
    enum err err = ipc_send(connection->factor.pam->channel, IPC_PAM_ANSWER, 0, body, NULL, 0);
    return err == ERR_CLOSED ? ERR_NONE : err; /* its end is reported by itself */
}

void factor_tick(struct connection *connection, uint64_t now_us)
{
    enum factor_state state = connection->factor.state;
    if (state == FACTOR_NONE) {
        return;
    }
    if (now_us >= connection->factor.deadline_us) {
        report_connection(connection, "factor.deadline", EVENT_DENIED, "D-DEADLINE", "no answer in time");
        factor_give_up(connection,
                       "the second factor was not answered in time; please try again [D-DEADLINE]");
    } else {
        factor_serve_one(connection);
    }
}
