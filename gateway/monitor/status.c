/* state_dir/status.json, what `bastion status` reads. A file and no socket: whoever may look at the bastion
 * cannot ask it anything, and a look costs it nothing. docs/operations.md describes the members. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "state.h"

enum { EVERY_S = 5, LISTED_MAX = 256, LOCKED_MAX = 64, US_PER_S = 1000000 };
static const char STATUS_FILE[] = "status.json";

/* Times in the tables are monotonic; people read the wall's. */
static json_t *wall(uint64_t monotonic_us)
{
    uint64_t now_us = clock_monotonic_us();
    uint64_t ago_s = monotonic_us < now_us ? (now_us - monotonic_us) / US_PER_S : 0;
    return json_integer((json_int_t)clock_wall_s() - (json_int_t)ago_s);
}

static const char *service_text(enum service_state state)
{
    return state == SERVICE_READY ? "ready" : state == SERVICE_STARTING ? "starting" : "down";
}

static json_t *service_json(const struct service *service)
{
    return json_pack("{s:s, s:i}", "state", service_text(service->state), "restarts", (int)service->restarts);
}

static json_t *policy_json(const struct monitor *monitor)
{
    json_t *refused = monitor->policy_refused_s == 0
                          ? json_null()
                          : json_pack("{s:I, s:s}", "at", (json_int_t)monitor->policy_refused_s, "sentence",
                                      monitor->policy_refusal);
    return json_pack("{s:s, s:s, s:I, s:o}", "file", monitor->config.policy, "sha256", monitor->policy_hash,
                     "loaded", (json_int_t)monitor->policy_loaded_s, "refused", refused);
}

static const char *phase_text(enum ipc_phase phase)
{
    switch (phase) {
    case PHASE_KEX:
        return "unproven";
    case PHASE_FACTOR:
        return "second factor";
    case PHASE_OPEN:
        return "identified";
    case PHASE_ENDED:
        break;
    }
    return "ending";
}

static json_t *connection_json(const struct connection *connection)
{
    return json_pack("{s:I, s:s, s:s, s:s, s:o}", "connection", (json_int_t)connection->number, "person",
                     connection->person, "from", connection->from, "state", phase_text(connection->phase),
                     "since", wall(connection->opened_us));
}

static json_t *session_json(const struct access *access)
{
    return json_pack("{s:s, s:I, s:s, s:s, s:s, s:i, s:s, s:s, s:o}", "session", access->sid_text,
                     "connection", (json_int_t)access->connection->number, "person",
                     access->connection->person, "account", access->account, "host", access->host, "port",
                     (int)access->port, "target", access->target_name, "rule", access->rule, "since",
                     wall(access->granted_us));
}

struct counted {
    json_t *list; /* OWNED, of at most LISTED_MAX */
    size_t count;
};

static void count(struct counted *counted, json_t *one)
{
    if (counted->count++ < LISTED_MAX) {
        (void)json_array_append_new(counted->list, one);
    } else {
        json_decref(one);
    }
}

static void count_sessions(const struct connection *connection, struct counted *sessions)
{
    for (unsigned i = 0; i < LIMIT_ACCESSES_PER_CONNECTION; i++) {
        const struct access *access = connection->accesses[i];
        if (access != NULL && access->state == ACCESS_GRANTED) {
            count(sessions, session_json(access));
        }
    }
}

static json_t *counted_json(struct counted *counted)
{
    return json_pack("{s:I, s:o}", "open", (json_int_t)counted->count, "list", counted->list);
}

static json_t *locked_json(const struct monitor *monitor)
{
    json_t *list = json_array();
    int64_t now_s = clock_wall_s();
    for (size_t i = 0; i < monitor->lockouts.count && json_array_size(list) < LOCKED_MAX; i++) {
        const struct lockout *entry = &monitor->lockouts.entries[i];
        if (entry->until_s > now_s) {
            (void)json_array_append_new(
                list, json_pack("{s:s, s:I}", "person", entry->person, "until", (json_int_t)entry->until_s));
        }
    }
    return list;
}

static json_t *status_json(const struct monitor *monitor, const char *state)
{
    struct counted connections = {.list = json_array()};
    struct counted sessions = {.list = json_array()};
    for (size_t i = 0; monitor->connections != NULL && i < monitor->connection_capacity; i++) {
        if (monitor->connections[i] != NULL) {
            count(&connections, connection_json(monitor->connections[i]));
            count_sessions(monitor->connections[i], &sessions);
        }
    }
    return json_pack("{s:i, s:s, s:s, s:I, s:I, s:I, s:i, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "v", 1,
                     "bastion", monitor->host_id, "state", state, "pid", (json_int_t)getpid(), "started",
                     (json_int_t)monitor->started_s, "written", (json_int_t)clock_wall_s(), "every_s",
                     EVERY_S, "events_written", !monitor->is_evidence_lost, "policy", policy_json(monitor),
                     "signer", service_json(&monitor->signer.service), "recorder",
                     service_json(&monitor->recordings.service), "connections", counted_json(&connections),
                     "sessions", counted_json(&sessions), "locked", locked_json(monitor));
}

static void write_status(struct monitor *monitor, const char *state)
{
    json_t *json = status_json(monitor, state);
    char *text = json == NULL ? NULL : json_dumps(json, JSON_INDENT(1));
    enum err err =
        text == NULL ? ERR_MEMORY : fd_swap_file(monitor->state_dir, STATUS_FILE, 0600, cursor_of_text(text));
    if (err != ERR_NONE && !monitor->is_status_lost) {
        monitor->is_status_lost = true; /* said once: the events must not fill with it */
        REPORT(monitor, "status.lost", EVENT_FAILURE, {.key = "error", .text = err_text(err)},
               {.key = "how", .text = strerror(errno)});
    }
    monitor->is_status_lost = err != ERR_NONE;
    free(text);
    json_decref(json);
}

void status_tick(struct monitor *monitor, uint64_t now_us)
{
    /* Events are what changes; the tick bounds how often it is written. */
    bool has_changed = monitor->status_events != monitor->events.count;
    bool is_due = now_us - monitor->status_us >= (uint64_t)EVERY_S * US_PER_S;
    if (!has_changed && !is_due) {
        return;
    }
    write_status(monitor, monitor->is_stopping ? "stopping" : "running");
    monitor->status_events = monitor->events.count;
    monitor->status_us = now_us;
}

void status_stopped(struct monitor *monitor)
{
    if (monitor->started_s != 0) {
        write_status(monitor, "stopped");
    }
}
