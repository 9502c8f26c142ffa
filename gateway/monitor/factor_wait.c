/* Whose turn it is: one conversation per person at a time, so that a one-time code cannot be raced. Others of
 * the same person wait. What the first earns serves those that have the same key and source, so that a
 * fan-out of logins asks once: they are held before they are even told that a factor is needed, since clients
 * without a terminal would give up there. */
#include <string.h>

#include "auth/userauth.h"
#include "base/clock.h"
#include "base/writer.h"
#include "state.h"

enum { US_PER_S = 1000000 };

static bool is_person_busy(const struct monitor *monitor, const char *person)
{
    for (size_t i = 0; i < monitor->connection_capacity; i++) {
        const struct connection *other = monitor->connections[i];
        if (other != NULL && other->factor.state > FACTOR_WAITING && strcmp(other->person, person) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_locked_out(struct connection *connection)
{
    char sentence[LIMIT_SENTENCE_BYTES];
    if (!factor_lock_sentence(connection->monitor, connection->person, sentence, sizeof sentence)) {
        return false;
    }
    report_connection(connection, "login.failed", EVENT_DENIED, "D-LOCKED", sentence);
    factor_give_up(connection, sentence);
    return true;
}

/* A login takes any lease that is good enough to log in; who wants a fresher one takes what was earned since
 * the wait began. */
static bool take_lease(struct connection *connection)
{
    struct monitor *monitor = connection->monitor;
    struct policy_person known;
    if (connection->phase == PHASE_FACTOR) {
        return identity_person(connection, &known) == ERR_NONE &&
               identity_take_lease(connection, known.max_mfa_age_s);
    }
    const struct lease *lease =
        lease_find(&monitor->leases, connection->person, connection->key_sha256, connection->from);
    return lease != NULL && lease->passed_us >= connection->factor.since_us;
}

/* At its turn: locked meanwhile, served by the lease that another connection just earned, or asked. */
static void take_turn(struct connection *connection)
{
    if (is_locked_out(connection)) {
        return;
    }
    if (!take_lease(connection)) {
        factor_start(connection);
        return;
    }
    if (connection->phase == PHASE_FACTOR) {
        connection_identified(connection);
    }
    factor_tell(connection, connection->factor.ref, true, false, "");
    factor_done(connection);
}

/* ---- those that wait ---- */

/* What `other` earns serves `connection`, and `other` is being asked, or was just told that it will be. */
static bool leads(const struct connection *other, const struct connection *connection, uint64_t now_us)
{
    bool is_same = other != connection && strcmp(other->person, connection->person) == 0 &&
                   strcmp(other->from, connection->from) == 0 &&
                   memcmp(other->key_sha256, connection->key_sha256, LEASE_KEY_BYTES) == 0;
    bool begins = other->phase == PHASE_FACTOR && other->factor.state == FACTOR_NONE &&
                  now_us - other->factor.since_us < MONITOR_FACTOR_BEGIN_US;
    return is_same && other->phase != PHASE_ENDED && (other->factor.state >= FACTOR_WAITING || begins);
}

static bool has_leader(const struct connection *connection)
{
    const struct monitor *monitor = connection->monitor;
    uint64_t now_us = clock_monotonic_us();
    for (size_t i = 0; i < monitor->connection_capacity; i++) {
        if (monitor->connections[i] != NULL && leads(monitor->connections[i], connection, now_us)) {
            return true;
        }
    }
    return false;
}

static void answer_key(struct connection *connection, uint32_t ref, enum userauth_verdict verdict,
                       const char *sentence)
{
    uint8_t body[LIMIT_SENTENCE_BYTES + 16];
    struct writer out = writer_of(body, sizeof body);
    writer_u8(&out, (uint8_t)verdict);
    writer_text(&out, sentence);
    struct cursor bytes;
    if (writer_done(&out, &bytes) == ERR_NONE) {
        connection_send(connection, IPC_AUTH_RESULT, ref, bytes, NULL);
    }
}

/* One that waits says so: a client that hangs without a word looks broken. */
static void tell_waiting(struct connection *connection, uint32_t ref)
{
    static const char SENTENCE[] =
        "another connection of yours is being asked for the second factor; this one waits for it";
    struct command *command = command_find(connection, ref);
    report_connection(connection, "factor.waiting", EVENT_SUCCESS, NULL, NULL);
    if (command != NULL) {
        command_say(command, "bastion: %s\n", SENTENCE);
    } else {
        answer_key(connection, ref, USERAUTH_HELD, SENTENCE);
    }
}

static void begin_wait(struct connection *connection, enum factor_state state)
{
    connection->factor.state = state;
    connection->factor.deadline_us =
        clock_monotonic_us() + (uint64_t)connection->monitor->config.times.factor_s * US_PER_S;
    tell_waiting(connection, connection->factor.ref);
}

static void tell_needed(struct connection *connection)
{
    connection->factor.state = FACTOR_NONE;
    connection->factor.since_us = clock_monotonic_us();
    answer_key(connection, 0, USERAUTH_FACTOR_NEEDED, "");
}

static void serve_held(struct connection *connection)
{
    if (is_locked_out(connection)) {
        return;
    }
    if (take_lease(connection)) {
        connection->factor.state = FACTOR_NONE;
        connection_identified(connection);
        answer_key(connection, 0, USERAUTH_ACCEPTED, "");
    } else if (!has_leader(connection)) {
        tell_needed(connection);
    }
}

void factor_serve_one(struct connection *connection)
{
    if (connection->factor.state == FACTOR_HELD) {
        serve_held(connection);
    } else if (connection->factor.state == FACTOR_WAITING &&
               !is_person_busy(connection->monitor, connection->person)) {
        take_turn(connection);
    }
}

void factor_serve_waiting(struct monitor *monitor, const char *person)
{
    /* Serving one may end it, which asks again; the tick finds who was passed over. */
    if (monitor->is_serving_factors || monitor->is_stopping || monitor->is_shutting_down || *person == 0) {
        return;
    }
    monitor->is_serving_factors = true;
    for (size_t i = 0; i < monitor->connection_capacity; i++) {
        struct connection *other = monitor->connections[i];
        if (other != NULL && strcmp(other->person, person) == 0) {
            factor_serve_one(other);
        }
    }
    monitor->is_serving_factors = false;
}

void factor_need(struct connection *connection)
{
    connection->factor.ref = 0;
    connection->factor.since_us = clock_monotonic_us();
    if (has_leader(connection)) {
        begin_wait(connection, FACTOR_HELD);
    } else {
        tell_needed(connection);
    }
}

void factor_ask_or_wait(struct connection *connection, struct factor_question question)
{
    connection->factor.ref = question.ref;
    connection->factor.since_us = question.since_us;
    if (is_person_busy(connection->monitor, connection->person)) {
        begin_wait(connection, FACTOR_WAITING);
    } else {
        connection->factor.state = FACTOR_WAITING;
        take_turn(connection);
    }
}

/* Several accesses of one connection may want a fresher factor at once; each waits for the one before. */
static enum err queue_question(struct connection *connection, struct factor_question question)
{
    struct factor *factor = &connection->factor;
    bool is_asked_already = factor->ref == question.ref;
    for (unsigned i = 0; i < factor->queued; i++) {
        is_asked_already = is_asked_already || factor->queue[i].ref == question.ref;
    }
    if (is_asked_already || factor->queued == LIMIT_ACCESSES_PER_CONNECTION) {
        return ERR_STATE;
    }
    factor->queue[factor->queued++] = question;
    tell_waiting(connection, question.ref);
    return ERR_NONE;
}

enum err factor_begin(struct connection *connection, uint32_t ref)
{
    struct access *access = target_find(connection, ref);
    if (access != NULL && access->reason_state == REASON_WANTED) {
        return reason_begin(access);
    }
    bool is_step_up = access != NULL && access->reason_state == REASON_NONE;
    bool is_expected = connection->phase == PHASE_FACTOR ? ref == 0 : is_step_up && !connection->is_machine;
    struct factor_question question = {.ref = ref, .since_us = clock_monotonic_us()};
    if (!is_expected || (connection->phase == PHASE_FACTOR && connection->factor.state != FACTOR_NONE)) {
        return ERR_STATE;
    }
    if (connection->factor.state != FACTOR_NONE) {
        return queue_question(connection, question);
    }
    factor_ask_or_wait(connection, question);
    return ERR_NONE;
}

enum err factor_renew(struct connection *connection, uint32_t ref)
{
    if (connection->phase != PHASE_OPEN || connection->factor.state != FACTOR_NONE) {
        return ERR_STATE;
    }
    factor_ask_or_wait(connection, (struct factor_question){.ref = ref, .since_us = clock_monotonic_us()});
    return ERR_NONE;
}
