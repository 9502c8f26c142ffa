/* Recordings that the recorder writes for us. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/writer.h"
#include "state.h"

enum { META_BYTES = 6144, RECORDINGS_GROWTH = 64, RECORDINGS_MAX = 65536 };

static struct recording *find(struct recordings *recordings, uint32_t number)
{
    for (size_t i = 0; i < recordings->capacity; i++) {
        if (recordings->table[i].state != RECORDING_NONE && recordings->table[i].number == number) {
            return &recordings->table[i];
        }
    }
    return NULL;
}

static enum err make_room(struct recordings *recordings, struct recording **ret_place)
{
    for (size_t i = 0; i < recordings->capacity; i++) {
        if (recordings->table[i].state == RECORDING_NONE) {
            *ret_place = &recordings->table[i];
            return ERR_NONE;
        }
    }
    if (recordings->capacity >= RECORDINGS_MAX) {
        return ERR_TOO_LARGE;
    }
    size_t capacity = recordings->capacity + RECORDINGS_GROWTH;
    struct recording *table = realloc(recordings->table, capacity * sizeof *table);
    if (table == NULL) {
        return ERR_MEMORY;
    }
    memset(table + recordings->capacity, 0, RECORDINGS_GROWTH * sizeof *table);
    recordings->table = table;
    *ret_place = &table[recordings->capacity];
    recordings->capacity = capacity;
    return ERR_NONE;
}

static void free_json(json_t **json)
{
    json_decref(*json);
}

/* What `bastion sessions` shows without any key. Nothing here comes from inside the session. */
static const char *const KINDS[] = {[POLICY_TARGET_SSH] = "ssh",
                                    [POLICY_TARGET_TCP] = "tcp",
                                    [POLICY_TARGET_POSTGRES] = "postgres",
                                    [POLICY_TARGET_MYSQL] = "mysql",
                                    [POLICY_TARGET_INTERNAL] = "internal"};

/* What only databases have. */
static void add_database(json_t *json, const struct access *access)
{
    bool is_database = access->kind == POLICY_TARGET_POSTGRES || access->kind == POLICY_TARGET_MYSQL;
    if (is_database) {
        (void)json_object_set_new(json, "decoded", json_boolean(access->is_database));
    }
    if (access->database[0] != 0) {
        (void)json_object_set_new(json, "database", json_string(access->database));
    }
    if (access->cancels[0] != 0) {
        (void)json_object_set_new(json, "cancels", json_string(access->cancels));
    }
}

static enum err write_meta(const struct access *access, char *ret_text, size_t size_bytes)
{
    const struct connection *connection = access->connection;
    const struct monitor *monitor = connection->monitor;
    struct policy_factor factor = identity_factor(connection, clock_monotonic_us());
    __attribute__((cleanup(free_json))) json_t *json = json_pack(
        "{s:i, s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s}", "v", 1, "session",
        access->sid_text, "connection", (json_int_t)connection->number, "bastion", monitor->host_id, "person",
        connection->person, "key", connection->key_fingerprint, "from", connection->from, "kind",
        KINDS[access->kind], "host", access->host, "port", (int)access->port, "target", access->target_name,
        "address", access->peer_address, "account", access->account, "rule", access->rule, "policy",
        monitor->policy_hash, "factor", connection->factor_by);
    if (json == NULL) {
        return ERR_MEMORY;
    }
    if (access->reason[0] != 0) {
        (void)json_object_set_new(json, "access_reason", json_string(access->reason));
    }
    json_t *age = factor.has ? json_integer((json_int_t)factor.age_s) : json_null();
    (void)json_object_set_new(json, "mfa_age_s", connection->is_machine ? json_string("machine") : age);
    if (connection->is_machine) {
        json_decref(age);
    }
    add_database(json, access);
    size_t len = json_dumpb(json, ret_text, size_bytes - 1, JSON_COMPACT);
    if (len == 0 || len > size_bytes - 1) {
        return ERR_TOO_LARGE;
    }
    ret_text[len] = 0;
    return ERR_NONE;
}

enum err recording_open(struct access *access, int recorder_end)
{
    struct monitor *monitor = access->connection->monitor;
    struct recordings *recordings = &monitor->recordings;
    if (recordings->service.state != SERVICE_READY) {
        return ERR_CLOSED;
    }
    char meta[META_BYTES];
    uint8_t body[META_BYTES + 64];
    TRY(write_meta(access, meta, sizeof meta));
    struct writer out = writer_of(body, sizeof body);
    writer_string(&out, cursor_of(access->sid, sizeof access->sid));
    writer_text(&out, meta);
    struct cursor bytes;
    TRY(writer_done(&out, &bytes));
    struct recording *recording = NULL;
    TRY(make_room(recordings, &recording));
    uint32_t number = ++recordings->next_number;
    TRY(ipc_send(recordings->service.child->channel, IPC_RECORD_OPEN, number, bytes, &recorder_end, 1));
    *recording = (struct recording){.state = RECORDING_OPENING,
                                    .number = number,
                                    .connection = access->connection->number,
                                    .access = access->ref,
                                    .started_us = clock_monotonic_us()};
    (void)snprintf(recording->sid, sizeof recording->sid, "%s", access->sid_text);
    (void)snprintf(recording->person, sizeof recording->person, "%s", access->connection->person);
    (void)snprintf(recording->from, sizeof recording->from, "%s", access->connection->from);
    (void)snprintf(recording->account, sizeof recording->account, "%s", access->account);
    (void)snprintf(recording->host, sizeof recording->host, "%s", access->host);
    access->recording = number;
    return ERR_NONE;
}

void recording_end(struct monitor *monitor, uint32_t number, const char *reason)
{
    const struct service *recorder = &monitor->recordings.service;
    uint8_t body[LIMIT_SENTENCE_BYTES + 8];
    struct writer out = writer_of(body, sizeof body);
    writer_text(&out, reason);
    struct cursor bytes;
    if (number == 0 || recorder->state != SERVICE_READY || writer_done(&out, &bytes) != ERR_NONE) {
        return;
    }
    err_ignore(ipc_send(recorder->child->channel, IPC_RECORD_END, number, bytes, NULL,
                        0)); /* the recorder sees the end of the stream as well */
}

static struct access *access_of(struct monitor *monitor, const struct recording *recording)
{
    struct connection *connection = connection_find(monitor, recording->connection);
    struct access *access = connection == NULL ? NULL : target_find(connection, recording->access);
    return access != NULL && access->recording == recording->number ? access : NULL;
}

static void report_recording(struct monitor *monitor, const struct recording *recording, const char *event,
                             enum event_outcome outcome, const char *how, uint64_t bytes)
{
    REPORT(monitor, event, outcome, EVENT_NUMBER("connection", recording->connection),
           {.key = "session", .text = recording->sid}, {.key = "person", .text = recording->person},
           {.key = "from", .text = recording->from}, {.key = "host", .text = recording->host},
           {.key = "account", .text = recording->account}, {.key = "how", .text = how},
           EVENT_NUMBER("recorded_bytes", bytes),
           EVENT_NUMBER("seconds", (clock_monotonic_us() - recording->started_us) / 1000000));
}

static enum err read_ready(struct monitor *monitor, struct cursor body)
{
    bool is_ok = false;
    char sentence[LIMIT_SENTENCE_BYTES];
    uint64_t leaves = 0;
    TRY(cursor_bool(&body, &is_ok));
    TRY(cursor_text(&body, sentence, sizeof sentence));
    TRY(cursor_u64be(&body, &leaves));
    TRY(cursor_end(&body));
    monitor->recordings.service.state = is_ok ? SERVICE_READY : SERVICE_STARTING;
    REPORT(monitor, "recorder.ready", is_ok ? EVENT_SUCCESS : EVENT_FAILURE,
           {.key = "sentence", .text = sentence}, EVENT_NUMBER("leaves", leaves));
    return ERR_NONE;
}

static enum err read_opened(struct monitor *monitor, struct recording *recording, struct cursor body)
{
    bool is_ok = false;
    char sentence[LIMIT_SENTENCE_BYTES];
    TRY(cursor_bool(&body, &is_ok));
    TRY(cursor_text(&body, sentence, sizeof sentence));
    TRY(cursor_end(&body));
    struct access *access = access_of(monitor, recording);
    recording->state = is_ok ? RECORDING_OPEN : RECORDING_NONE;
    if (access != NULL) {
        target_recorded(access, is_ok, sentence);
    }
    return ERR_NONE;
}

static enum err read_failed(struct monitor *monitor, struct recording *recording, struct cursor body)
{
    char sentence[LIMIT_SENTENCE_BYTES];
    TRY(cursor_text(&body, sentence, sizeof sentence));
    TRY(cursor_end(&body));
    report_recording(monitor, recording, "recording.failed", EVENT_FAILURE, sentence, 0);
    struct connection *connection = connection_find(monitor, recording->connection);
    if (connection != NULL) {
        char text[2 * LIMIT_SENTENCE_BYTES];
        (void)snprintf(text, sizeof text, "this session ended because it can no longer be recorded: %s",
                       sentence);
        connection_end(connection, text);
    }
    return ERR_NONE;
}

static enum err read_closed(struct monitor *monitor, struct recording *recording, struct cursor body)
{
    char how[LIMIT_SENTENCE_BYTES];
    uint64_t frames = 0;
    uint64_t bytes = 0;
    struct cursor head;
    TRY(cursor_text(&body, how, sizeof how));
    TRY(cursor_u64be(&body, &frames));
    TRY(cursor_u64be(&body, &bytes));
    TRY(cursor_string(&body, 32, &head));
    TRY(cursor_end(&body));
    bool is_lost = strstr(how, "lost") != NULL || strstr(how, "malformed") != NULL;
    past_ended(monitor, recording, how);
    report_recording(monitor, recording, is_lost ? "session.lost" : "session.ended",
                     is_lost ? EVENT_FAILURE : EVENT_SUCCESS, how, bytes);
    recording->state = RECORDING_NONE;
    return ERR_NONE;
}

static enum err handle(struct monitor *monitor, const struct ipc_message *message)
{
    if (message->type == IPC_RECORDER_READY) {
        return read_ready(monitor, message->body);
    }
    struct recording *recording = find(&monitor->recordings, message->ref);
    if (recording == NULL) {
        return ERR_STATE;
    }
    if (message->type == IPC_RECORD_OPENED) {
        return recording->state == RECORDING_OPENING ? read_opened(monitor, recording, message->body)
                                                     : ERR_STATE;
    }
    if (message->type == IPC_RECORD_FAILED) {
        return read_failed(monitor, recording, message->body);
    }
    return read_closed(monitor, recording, message->body);
}

void recorder_message(struct monitor *monitor, const struct ipc_message *message)
{
    enum err err = handle(monitor, message);
    if (err != ERR_NONE) {
        REPORT(monitor, "ipc.violation", EVENT_FAILURE, {.key = "process", .text = "bastion-recorder"},
               {.key = "message", .text = ipc_name(message->type)}, {.key = "error", .text = err_text(err)});
        child_kill(monitor->recordings.service.child);
    }
}

void recorder_lost(struct monitor *monitor)
{
    struct recordings *recordings = &monitor->recordings;
    for (size_t i = 0; i < recordings->capacity; i++) {
        struct recording *recording = &recordings->table[i];
        if (recording->state == RECORDING_NONE) {
            continue;
        }
        report_recording(monitor, recording, "session.lost", EVENT_FAILURE, "the recorder was lost", 0);
        past_ended(monitor, recording, "the recorder was lost");
        struct connection *connection = connection_find(monitor, recording->connection);
        recording->state = RECORDING_NONE;
        if (connection != NULL) {
            connection_end(connection,
                           "this session ended because its recorder was lost: no record, no session");
        }
    }
}
