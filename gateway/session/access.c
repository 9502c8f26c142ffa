/* The life of one access: asked, handed a socket, logged in, open, closing, gone. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "base/writer.h"
#include "record/stream.h"
#include "state.h"

enum {
    US_PER_S = 1000000,
    US_PER_MS = 1000,
    CLOSING_MS = 2000, /* how long what waits may take to be written */
    PUMP_BYTES = 65536,
    DISCONNECT_BY_APPLICATION = 11, /* RFC 4253 11.1 */
};

struct access *access_of_ref(struct session *session, uint32_t ref)
{
    struct access *access = session->accesses;
    while (access != NULL && (access->ref != ref || access->state >= ACCESS_CLOSING)) {
        access = access->next;
    }
    return access;
}

struct access *access_of_channel(struct session *session, unsigned channel)
{
    struct access *access = session->accesses;
    while (access != NULL && (access->channel != channel || access->is_channel_gone)) {
        access = access->next;
    }
    return access;
}

/* ---- asked ---- */

enum err access_open(struct session *session, const struct outer_open *open)
{
    /* The table of messages bounds the targets of a connection; one more would only make the monitor end it.
     */
    if (session->next_ref >= ipc_row(IPC_TARGET_OPEN)->times) {
        return outer_refuse(session->outer, open->channel, RELAY_RESOURCE_SHORTAGE,
                            "bastion: this connection has opened as many targets as one may: connect again "
                            "[D-TARGETS]");
    }
    struct access *access = calloc(1, sizeof *access);
    if (access == NULL) {
        return outer_refuse(session->outer, open->channel, RELAY_RESOURCE_SHORTAGE,
                            "the bastion has no memory left");
    }
    access->session = session;
    access->ref = ++session->next_ref;
    access->channel = open->channel;
    access->state = ACCESS_ASKED;
    access->port = open->port;
    access->target_fd = -1;
    recorder_init(&access->recorder, session, -1);
    sender_init(&access->target_out, session, -1);
    (void)snprintf(access->host, sizeof access->host, "%s", open->host);
    (void)snprintf(access->originator, sizeof access->originator, "%s:%u", open->originator,
                   open->originator_port);
    queue_init(&access->stream.to_target, SESSION_OUTPUT_LIMIT_BYTES);
    queue_init(&access->stream.to_client, SESSION_OUTPUT_LIMIT_BYTES);
    access->next = session->accesses;
    session->accesses = access;
    uint8_t memory[LIMIT_HOST_BYTES + 16];
    struct writer out = writer_of(memory, sizeof memory);
    writer_text(&out, open->host);
    writer_u16be(&out, open->port);
    struct cursor body;
    TRY(writer_done(&out, &body));
    return link_send(session, IPC_TARGET_OPEN, access->ref, body);
}

enum err access_denied(struct access *access, struct cursor body)
{
    enum { KIND_DENIED = 0, KIND_FACTOR = 1, KIND_WITHDRAWN = 2 };
    struct session *session = access->session;
    uint8_t kind = 0;
    char sentence[LIMIT_SENTENCE_BYTES];
    TRY(cursor_u8(&body, &kind));
    TRY(cursor_text(&body, sentence, sizeof sentence));
    TRY(cursor_end(&body));
    if (kind == KIND_WITHDRAWN) {
        access_end(access, sentence, "withdrawn");
        return ERR_NONE;
    }
    if (access->state == ACCESS_ASKED || (access->is_stream && access->state == ACCESS_HANDSHAKE)) {
        char line[LIMIT_SENTENCE_BYTES + 16];
        (void)snprintf(line, sizeof line, "bastion: %s", sentence);
        TRY(outer_refuse(session->outer, access->channel, RELAY_ADMINISTRATIVELY_PROHIBITED, line));
        access->is_channel_gone = true;
        access_end(access, NULL, sentence);
        return ERR_NONE;
    }
    if (access->state != ACCESS_HANDSHAKE || !access->is_login_asked) {
        return ERR_STATE;
    }
    access->is_login_asked = access->database != NULL; /* a database asks once */
    if (access->database != NULL) {
        return database_denied(access, sentence);
    }
    if (kind == KIND_FACTOR) {
        return userauth_answer(&access->auth, USERAUTH_FACTOR_NEEDED, sentence);
    }
    access_refuse_login(access, sentence);
    return ERR_NONE;
}

/* ---- handed a socket ---- */

static enum err start(struct access *access, struct cursor body)
{
    struct cursor sid;
    uint8_t kind = 0;
    TRY(cursor_string(&body, LIMIT_SID_BYTES, &sid));
    TRY(cursor_u8(&body, &kind));
    access->is_stream = kind == IPC_TARGET_STREAM;
    switch (kind) {
    case IPC_TARGET_SSH:
        TRY(access_read_trust(access, body));
        TRY(access_start_target(access));
        TRY(access_start_inner(access));
        access->is_channel_open = true;
        return outer_confirm(access->session->outer, access->channel);
    case IPC_TARGET_STREAM:
        return cursor_end(&body); /* the grant follows by itself: nobody logs in */
    case IPC_TARGET_DATABASE:
        return database_start(access, body);
    default:
        return ERR_MALFORMED;
    }
}

enum err access_ready(struct access *access, struct ipc_message *message)
{
    if (access->state != ACCESS_ASKED) {
        return ERR_STATE;
    }
    access->target_fd = ipc_message_take_fd(message, 0);
    access->target_out.fd = access->target_fd;
    access->state = ACCESS_HANDSHAKE;
    return start(access, message->body);
}

/* ---- logged in ---- */

enum err access_ask_login(struct access *access)
{
    if (access->refusal[0] != 0) {
        access_refuse_login(access, access->refusal);
        return ERR_NONE;
    }
    uint8_t memory[sizeof access->login_key + LIMIT_SENTENCE_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    writer_text(&out, access->auth.user);
    writer_string(&out, cursor_of(access->login_key, access->login_key_bytes));
    struct cursor body;
    TRY(writer_done(&out, &body));
    access->is_login_asked = true;
    return link_send(access->session, IPC_TARGET_LOGIN, access->ref, body);
}

enum err access_granted(struct access *access, struct ipc_message *message)
{
    if (access->state != ACCESS_HANDSHAKE || access->is_login_asked == access->is_stream) {
        return ERR_STATE;
    }
    struct cursor body = message->body;
    struct cursor credential;
    TRY(cursor_string(&body, LIMIT_KEY_BLOB_BYTES, &credential));
    TRY(grant_read(&body, &access->grant));
    TRY(cursor_end(&body));
    access->is_login_asked = false;
    recorder_init(&access->recorder, access->session, ipc_message_take_fd(message, 0));
    if (access->is_stream) {
        return stream_start(access);
    }
    if (access->database != NULL) {
        return database_granted(access, credential);
    }
    if (access->refusal[0] != 0) {
        access_refuse_login(access, access->refusal);
        return ERR_NONE;
    }
    enum err err = engine_set_user(access->target, access->auth.user);
    if (err == ERR_NONE) {
        err = engine_login(access->target, credential);
    }
    if (err != ERR_NONE) {
        access_refuse_login(access,
                            "the bastion could not log in at the target; tell your operators [D-LOGIN]");
    }
    access_check_failure(access);
    return ERR_NONE;
}

/* ---- limits ---- */

static void limit_passed(struct loop_op *op, int result);

uint64_t access_idle_us(const struct access *access, uint64_t now_us)
{
    if (!access->is_stream && access->database == NULL) {
        return gate_idle_us(access->gate, now_us);
    }
    return now_us > access->stream.active_us ? now_us - access->stream.active_us : 0;
}

static void arm_limit(struct access *access, uint64_t now_us)
{
    uint64_t delay_us = UINT64_MAX;
    if (access->grant.session_limit_s > 0) {
        uint64_t end_us = access->opened_us + (uint64_t)access->grant.session_limit_s * US_PER_S;
        delay_us = end_us > now_us ? end_us - now_us : 0;
    }
    if (access->grant.idle_limit_s > 0) {
        uint64_t limit_us = (uint64_t)access->grant.idle_limit_s * US_PER_S;
        uint64_t idle_us = access_idle_us(access, now_us);
        uint64_t left_us = idle_us < limit_us ? limit_us - idle_us : 0;
        delay_us = left_us < delay_us ? left_us : delay_us;
    }
    if (delay_us == UINT64_MAX) {
        return;
    }
    if (loop_timer(access->session->loop, &access->limit_op, delay_us / US_PER_MS + 1, limit_passed) !=
        ERR_NONE) {
        access_end(access, "the bastion cannot keep the time of this session", "no timer");
    }
}

static void limit_passed(struct loop_op *op, int result)
{
    struct access *access = OWNER_OF(op, struct access, limit_op);
    if (result == -ECANCELED || access->state != ACCESS_OPEN) {
        return;
    }
    uint64_t now_us = clock_monotonic_us();
    uint64_t idle_limit_us = (uint64_t)access->grant.idle_limit_s * US_PER_S;
    uint64_t session_limit_us = (uint64_t)access->grant.session_limit_s * US_PER_S;
    if (session_limit_us > 0 && now_us - access->opened_us >= session_limit_us) {
        access_end(access, "this session has reached its longest allowed time [D-LIMIT]", "session limit");
    } else if (idle_limit_us > 0 && access_idle_us(access, now_us) >= idle_limit_us) {
        access_end(access, "this session was idle for longer than allowed [D-IDLE]", "idle limit");
    } else {
        arm_limit(access, now_us);
    }
}

void access_opened(struct access *access)
{
    access->opened_us = clock_monotonic_us();
    access->state = ACCESS_OPEN;
    arm_limit(access, access->opened_us);
}

/* ---- bytes ---- */

void access_data(struct access *access, struct cursor bytes)
{
    access->unconsumed_bytes += cursor_len(&bytes);
    if (access->state != ACCESS_HANDSHAKE && access->state != ACCESS_OPEN) {
        return;
    }
    if (access->is_stream) {
        stream_data(access, bytes);
        return;
    }
    if (access->database != NULL) {
        database_data(access, bytes);
        return;
    }
    if (access->gate != NULL) {
        gate_set_time(access->gate, clock_monotonic_us());
    }
    enum err err = engine_feed(access->inner, bytes);
    if (err == ERR_CLOSED) {
        access_end(access, NULL, "ended");
        return;
    }
    if (err != ERR_NONE && access->failure == ERR_NONE) {
        access->failure = err;
    }
    access_check_failure(access);
}

/* ---- the end ---- */

static void record_end(struct access *access, const char *reason)
{
    struct gate_counters counters = {.exit_status = RECORD_NO_STATUS};
    if (access->gate != NULL) {
        gate_counters(access->gate, &counters);
    }
    uint8_t memory[LIMIT_SENTENCE_BYTES + 64];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u32be(&out, counters.exit_status);
    writer_text(&out, reason);
    struct cursor body;
    if (access->recorder.fd >= 0 && writer_done(&out, &body) == ERR_NONE &&
        recorder_add(&access->recorder, RECORD_END, RECORD_WHOLE_ACCESS, body, cursor_of(NULL, 0)) !=
            ERR_NONE) {
        access->recorder.has_failed = true;
    }
}

static void count_bytes(const struct access *access, uint64_t *ret_to_target, uint64_t *ret_from_target)
{
    struct gate_counters counters = {.to_target_bytes = access->stream.to_target_bytes,
                                     .from_target_bytes = access->stream.from_target_bytes};
    if (access->gate != NULL) {
        gate_counters(access->gate, &counters);
    }
    *ret_to_target = counters.to_target_bytes;
    *ret_from_target = counters.from_target_bytes;
}

static void tell_monitor(struct access *access, const char *reason)
{
    uint64_t to_target_bytes = 0;
    uint64_t from_target_bytes = 0;
    count_bytes(access, &to_target_bytes, &from_target_bytes);
    uint8_t memory[512];
    char text[256];
    text_printable(cursor_of_text(reason), text, sizeof text);
    struct writer out = writer_of(memory, sizeof memory);
    writer_text(&out, text);
    writer_u64be(&out, to_target_bytes);
    writer_u64be(&out, from_target_bytes);
    struct cursor body;
    if (writer_done(&out, &body) == ERR_NONE) {
        err_ignore(link_send(access->session, IPC_TARGET_END, access->ref,
                             body)); /* a lost monitor ends the connection by itself */
    }
}

static void closing_passed(struct loop_op *op, int result)
{
    (void)result; /* a timer that was cancelled belongs to an access that is closed already */
    OWNER_OF(op, struct access, late_op)->is_late = true;
}

/* A peer that takes nothing any more wakes nobody: only the time does. */
static void begin_closing(struct access *access)
{
    access->state = ACCESS_CLOSING;
    if (loop_timer(access->session->loop, &access->late_op, CLOSING_MS, closing_passed) != ERR_NONE) {
        access->is_late = true;
    }
}

void access_end(struct access *access, const char *sentence, const char *reason)
{
    if (access->state >= ACCESS_CLOSING) {
        return;
    }
    bool is_unanswered = !access->is_channel_open;
    begin_closing(access);
    /* All that follows is said as far as somebody still listens. */
    if (access->gate != NULL) {
        err_ignore(gate_end(access->gate, access->is_channel_gone ? NULL : sentence));
    }
    if (access->inner != NULL && sentence != NULL) {
        char text[LIMIT_SENTENCE_BYTES + 16];
        (void)snprintf(text, sizeof text, "bastion: %s", sentence);
        err_ignore(engine_disconnect(access->inner, DISCONNECT_BY_APPLICATION, text));
    }
    if (access->target != NULL) {
        err_ignore(
            engine_disconnect(access->target, DISCONNECT_BY_APPLICATION, "the engineer's connection ended"));
    }
    if (access->database != NULL) {
        database_end(access, access->is_channel_gone ? NULL : sentence);
    }
    if ((access->is_stream || access->database != NULL) && access->recorder.fd >= 0) {
        stream_finish(access);
    }
    record_end(access, reason);
    if (is_unanswered && !access->is_channel_gone) {
        err_ignore(outer_refuse(access->session->outer, access->channel, RELAY_CONNECT_FAILED,
                                sentence == NULL ? "ended" : sentence));
        access->is_channel_gone = true;
    }
    tell_monitor(access, reason);
    loop_cancel(access->session->loop, &access->limit_op);
}

static void close_all(struct access *access)
{
    struct session *session = access->session;
    access->state = ACCESS_CLOSED;
    if (access->is_channel_open && !access->is_channel_gone) {
        /* The outer connection ends by itself when it cannot take them. */
        err_ignore(outer_eof(session->outer, access->channel));
        err_ignore(outer_close(session->outer, access->channel));
    }
    loop_cancel(session->loop, &access->target_in.op);
    loop_cancel(session->loop, &access->target_out.op);
    loop_cancel(session->loop, &access->late_op);
    recorder_finish(&access->recorder);
    fd_close(&access->target_fd);
}

static bool is_quiet(const struct access *access)
{
    return !access->target_in.op.in_flight && !access->target_out.op.in_flight &&
           !access->limit_op.in_flight && !access->late_op.in_flight && recorder_is_quiet(&access->recorder);
}

static void free_access(struct access *access)
{
    gate_free(access->gate);
    engine_free(access->inner);
    engine_free(access->target);
    userauth_done(&access->auth);
    sender_done(&access->target_out);
    database_free(access->database);
    queue_done(&access->stream.to_target);
    queue_done(&access->stream.to_client);
    recorder_done(&access->recorder);
    free(access->trust_bytes);
    free(access);
}

/* ---- the turn ---- */

/* What waits for the client. */
static struct queue *client_queue(struct access *access)
{
    if (access->is_stream || access->database != NULL) {
        return &access->stream.to_client;
    }
    return access->inner == NULL ? NULL : engine_output(access->inner);
}

/* What waits for the target. */
static struct queue *target_queue(struct access *access)
{
    if (access->is_stream || access->database != NULL) {
        return &access->stream.to_target;
    }
    return access->target == NULL ? NULL : engine_output(access->target);
}

/* What the inner connection made goes into the outer channel, as far as its window and our own output allow.
 */
static void pump_to_client(struct access *access)
{
    struct session *session = access->session;
    struct queue *from = client_queue(access);
    bool can_send = from != NULL && access->is_channel_open && !access->is_channel_gone;
    while (can_send && queue_len(from) > 0 && !engine_is_rekeying(session->engine) &&
           queue_len(engine_output(session->engine)) < SESSION_HIGH_WATER_BYTES) {
        struct cursor bytes = queue_peek(from);
        if (cursor_len(&bytes) > PUMP_BYTES) {
            bytes.end = bytes.at + PUMP_BYTES;
        }
        size_t taken = 0;
        if (outer_send(session->outer, access->channel, bytes, &taken) != ERR_NONE || taken == 0) {
            return;
        }
        queue_consume(from, taken);
    }
}

static void give_window(struct access *access)
{
    struct session *session = access->session;
    if (access->unconsumed_bytes == 0 || access->is_channel_gone) {
        return;
    }
    size_t waiting = queue_len(&access->target_out.writing) +
                     (access->database == NULL ? 0 : database_waiting(access, true));
    const struct queue *queue = target_queue(access);
    bool is_target_slow = (access->target != NULL && engine_is_rekeying(access->target)) ||
                          (queue != NULL && waiting + queue_len(queue) > SESSION_HIGH_WATER_BYTES);
    if (is_target_slow || recorder_is_behind(&access->recorder)) {
        return;
    }
    size_t given = access->unconsumed_bytes;
    access->unconsumed_bytes = 0;
    err_ignore(outer_consumed(session->outer, access->channel,
                              given)); /* an outer connection that cannot send is ended where it is fed */
}

static void pause_or_resume(struct access *access)
{
    if (!access->target_in.op.in_flight) {
        return;
    }
    size_t waiting =
        queue_len(client_queue(access)) + (access->database == NULL ? 0 : database_waiting(access, false));
    bool must_wait = waiting > SESSION_HIGH_WATER_BYTES ||
                     (access->inner != NULL && engine_is_rekeying(access->inner)) ||
                     recorder_is_behind(&access->recorder) || queue_len(&access->recorder.records) > 0;
    if (must_wait) {
        loop_receive_pause(access->session->loop, &access->target_in);
    } else {
        loop_receive_resume(access->session->loop, &access->target_in);
    }
}

static void move_bytes(struct access *access)
{
    if (access->database != NULL && access->state < ACCESS_CLOSING) {
        database_turn(access);
    }
    bool is_recorded = recorder_flush(&access->recorder);
    if (access->recorder.has_failed) {
        access_end(
            access,
            "this session ended because it can no longer be recorded: no record, no session [D-RECORDER]",
            "recorder lost");
    }
    /* No record, no traffic: nothing leaves while a record of it waits. A lost recorder lets only the
     * good-byes out, which are all that is made after it. */
    if (is_recorded || access->recorder.fd < 0 || access->recorder.has_failed) {
        pump_to_client(access);
        if (target_queue(access) != NULL) {
            sender_pump(&access->target_out, target_queue(access));
        }
    }
    if (access->is_stream && access->state == ACCESS_OPEN) {
        stream_turn(access);
    }
    if (access->state == ACCESS_HANDSHAKE || access->state == ACCESS_OPEN) {
        give_window(access);
        pause_or_resume(access);
    }
}

static bool is_drained(struct access *access)
{
    struct queue *client = client_queue(access);
    bool has_recorded =
        access->recorder.fd < 0 || access->recorder.has_failed || queue_len(&access->recorder.records) == 0;
    bool has_told = client == NULL || access->is_channel_gone || access->session->is_client_gone ||
                    queue_len(client) == 0;
    bool has_left = target_queue(access) == NULL || sender_is_idle(&access->target_out, target_queue(access));
    return access->is_late || (has_recorded && has_told && has_left);
}

static void turn_one(struct access *access)
{
    if (access->state < ACCESS_CLOSED) {
        move_bytes(access);
    }
    if (access->state == ACCESS_CLOSING && is_drained(access)) {
        close_all(access);
    }
}

void access_turn(struct session *session)
{
    struct access **link = &session->accesses;
    while (*link != NULL) {
        struct access *access = *link;
        turn_one(access);
        if (access->state == ACCESS_CLOSED && is_quiet(access)) {
            *link = access->next;
            free_access(access);
        } else {
            link = &access->next;
        }
    }
}
