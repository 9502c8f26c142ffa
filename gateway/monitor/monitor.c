#include "monitor/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "sandbox/sandbox.h"
#include "state.h"

enum {
    LOWEST_OWN_FD = 32,     /* children get 3..8 by number: ours must not lie there (child.c) */
    FDS_PER_CONNECTION = 4, /* channel and pidfd of the session, and what is under way */
    FDS_OTHER = 256,
    LEASE_SWEEP_S = 30 * 24 * 3600, /* no rule may ask for older factors (policy) */
    STOP_WAIT_US = 5000000,
    LOCKOUTS_FILE_BYTES = 1 << 20,
};

static enum err refuse(struct monitor_refusal *ret_why, enum err err, const char *what, const char *path)
{
    const char *reason = err == ERR_SYSTEM ? strerror(errno) : err_text(err);
    (void)snprintf(ret_why->sentence, sizeof ret_why->sentence, "%s%s%s: %s", what, path[0] != 0 ? " " : "",
                   path, reason);
    return err;
}

static enum err open_folder(const char *path, unsigned mode, int *ret_fd)
{
    if (mode != 0 && mkdir(path, mode) != 0 && errno != EEXIST) {
        return ERR_SYSTEM;
    }
    *ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *ret_fd >= 0 ? ERR_NONE : ERR_SYSTEM;
}

static enum err open_folders(struct monitor *monitor, struct monitor_refusal *ret_why)
{
    const struct gateway_config *config = &monitor->config;
    enum err err = open_folder(config->state_dir, 0711, &monitor->state_dir);
    if (err != ERR_NONE) {
        return refuse(ret_why, err, "cannot open state_dir", config->state_dir);
    }
    char policies[CONFIG_PATH_BYTES + 16];
    (void)snprintf(policies, sizeof policies, "%s/policies", config->state_dir);
    err = open_folder(policies, 0700, &monitor->policies_dir);
    if (err != ERR_NONE) {
        return refuse(ret_why, err, "cannot open the folder for policies that were in force", policies);
    }
    err = open_folder(config->keys_dir, 0, &monitor->keys_dir);
    if (err != ERR_NONE) {
        return refuse(ret_why, err, "cannot open keys_dir", config->keys_dir);
    }
    err = open_folder(config->known_hosts_dir, 0, &monitor->known_hosts_dir);
    if (err != ERR_NONE) {
        return refuse(ret_why, err, "cannot open known_hosts_dir", config->known_hosts_dir);
    }
    return ERR_NONE;
}

static enum err read_lockouts(struct monitor *monitor, struct monitor_refusal *ret_why)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    enum err err = fd_read_trusted_file(monitor->state_dir, "lockouts", LOCKOUTS_FILE_BYTES, &bytes, &len);
    if (err == ERR_NOT_FOUND) {
        return ERR_NONE;
    }
    if (err == ERR_NONE) {
        err = lockout_read(&monitor->lockouts, cursor_of(bytes, len));
        free(bytes);
    }
    return err == ERR_NONE
               ? ERR_NONE
               : refuse(ret_why, err, "cannot read the lock-outs (mend or remove the file): lockouts in",
                        monitor->config.state_dir);
}

static enum err raise_limits(const struct monitor *monitor, struct monitor_refusal *ret_why)
{
    rlim_t needed = (rlim_t)monitor->config.limits.max_connections * FDS_PER_CONNECTION + FDS_OTHER;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return refuse(ret_why, ERR_SYSTEM, "cannot read the limit of open files", "");
    }
    if (limit.rlim_cur < needed) {
        limit.rlim_cur = needed;
        limit.rlim_max = limit.rlim_max < needed ? needed : limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            return refuse(ret_why, ERR_SYSTEM,
                          "cannot raise the limit of open files (LimitNOFILE= in the unit, or ulimit -n) for "
                          "limits.max_connections",
                          "");
        }
    }
    return ERR_NONE;
}

/* Descriptors 3..31 stay occupied, so that whatever we open lies above what children are given by number. */
static enum err occupy_low_fds(void)
{
    int fd = 0;
    do {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (fd >= 0 && fd < LOWEST_OWN_FD);
    if (fd < 0) {
        return ERR_SYSTEM;
    }
    fd_close(&fd);
    return ERR_NONE;
}

static void reload_person_cas(struct monitor *monitor)
{
    char sentence[LIMIT_SENTENCE_BYTES];
    if (person_ca_load(monitor, sentence, sizeof sentence) != ERR_NONE) {
        REPORT(monitor, "user_ca.refused", EVENT_FAILURE, {.key = "sentence", .text = sentence});
    }
}

void monitor_stop_if_empty(struct monitor *monitor)
{
    bool is_empty = true;
    for (size_t i = 0; i < monitor->connection_capacity; i++) {
        is_empty = is_empty && monitor->connections[i] == NULL;
    }
    if (monitor->is_stopping && is_empty) {
        loop_stop(monitor->loop);
    }
}

/* Everybody is told, and has a moment to read it. */
static void begin_stop(struct monitor *monitor)
{
    if (monitor->is_stopping) {
        return;
    }
    monitor->is_stopping = true;
    monitor->stop_at_us = clock_monotonic_us() + STOP_WAIT_US;
    listener_stop(monitor);
    for (size_t i = 0; i < monitor->connection_capacity; i++) {
        if (monitor->connections[i] != NULL) {
            connection_end(monitor->connections[i],
                           "the bastion is being stopped; please connect again in a moment");
        }
    }
    monitor_stop_if_empty(monitor);
}

static void signal_ready(struct loop_op *op, int result)
{
    struct monitor *monitor = OWNER_OF(op, struct monitor, signal_op);
    struct signalfd_siginfo info;
    if (result < 0 || read(monitor->signal_fd, &info, sizeof info) != (ssize_t)sizeof info) {
        return;
    }
    if (info.ssi_signo == SIGHUP) {
        if (event_reopen(&monitor->events, monitor->config.events) != ERR_NONE) {
            REPORT(monitor, "events.not_reopened", EVENT_FAILURE, {.key = "how", .text = strerror(errno)});
        }
        policy_reload(monitor);
        reload_person_cas(monitor);
    } else {
        begin_stop(monitor);
    }
}

static void tick(struct loop_op *op, int result)
{
    struct monitor *monitor = OWNER_OF(op, struct monitor, tick_op);
    if (result == -ECANCELED) {
        return;
    }
    uint64_t now_us = clock_monotonic_us();
    for (size_t i = 0; i < monitor->connection_capacity; i++) {
        if (monitor->connections[i] != NULL) {
            connection_tick(monitor->connections[i], now_us);
        }
    }
    people_tick(monitor);
    service_tick(monitor, now_us);
    host_certificate_tick(monitor);
    status_tick(monitor, now_us);
    lease_drop(&monitor->leases, NULL, now_us, LEASE_SWEEP_S);
    lease_drop(&monitor->reasons, NULL, now_us, LEASE_SWEEP_S);
    child_sweep(monitor);
    if (monitor->is_stopping && now_us >= monitor->stop_at_us) {
        loop_stop(monitor->loop);
    }
    if (monitor->is_evidence_lost) {
        REPORT(monitor, "events.retried", EVENT_SUCCESS,
               {.key = "sentence", .text = "the events file can be written again"});
    }
    if (loop_timer(monitor->loop, &monitor->tick_op, MONITOR_TICK_MS, tick) != ERR_NONE) {
        begin_stop(monitor); /* without its clock the monitor would enforce no deadline */
    }
}

static enum err watch_signals(struct monitor *monitor)
{
    sigset_t wanted;
    (void)sigemptyset(&wanted);
    (void)sigaddset(&wanted, SIGHUP);
    (void)sigaddset(&wanted, SIGINT);
    (void)sigaddset(&wanted, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &wanted, NULL) != 0) {
        return ERR_SYSTEM;
    }
    monitor->signal_fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    return monitor->signal_fd < 0
               ? ERR_SYSTEM
               : loop_poll(monitor->loop, &monitor->signal_op, monitor->signal_fd, signal_ready);
}

static enum err start_values(struct monitor *monitor, struct monitor_refusal *ret_why)
{
    const struct gateway_config *config = &monitor->config;
    struct admission_limits limits = {.connections = config->limits.max_connections,
                                      .per_source = config->limits.per_source,
                                      .startups_begin = config->limits.startups,
                                      .startups_percent = 30,
                                      .startups_full = 2 * config->limits.startups};
    monitor->connection_capacity = config->limits.max_connections;
    monitor->connections = calloc(monitor->connection_capacity, sizeof(struct connection *));
    if (monitor->connections == NULL || admission_init(&monitor->admission, &limits) != ERR_NONE) {
        return refuse(ret_why, ERR_MEMORY, "cannot make the tables", "");
    }
    /* Serials only go up, also over restarts: seconds leave room for 2^20 certificates a second. */
    monitor->next_serial = (uint64_t)clock_wall_s() << 20;
    char sentence[LIMIT_SENTENCE_BYTES];
    enum err err = policy_file_load(monitor, sentence, sizeof sentence);
    if (err != ERR_NONE) {
        (void)snprintf(ret_why->sentence, sizeof ret_why->sentence, "the policy cannot be used: %s",
                       sentence);
        return err;
    }
    err = person_ca_load(monitor, ret_why->sentence, sizeof ret_why->sentence);
    if (err != ERR_NONE) {
        return err;
    }
    err = people_load(monitor, ret_why->sentence, sizeof ret_why->sentence);
    if (err != ERR_NONE) {
        return err;
    }
    return read_lockouts(monitor, ret_why);
}

static enum err start_sandboxes(struct monitor *monitor, struct monitor_refusal *ret_why)
{
    struct loop_refusal loop_why = {{0}};
    struct sandbox_refusal sandbox_why = {{0}};
    enum err err = loop_probe(&loop_why);
    if (err == ERR_NONE) {
        err = loop_new(LOOP_MONITOR, &monitor->loop, &loop_why);
    }
    if (err != ERR_NONE) {
        (void)snprintf(ret_why->sentence, sizeof ret_why->sentence, "%s", loop_why.sentence);
        return err;
    }
    err = sandbox_probe(&sandbox_why);
    if (err == ERR_NONE) {
        err = sandbox_make_empty_room(monitor->empty_room, &sandbox_why);
    }
    if (err != ERR_NONE) {
        (void)snprintf(ret_why->sentence, sizeof ret_why->sentence, "%s", sandbox_why.sentence);
    }
    return err;
}

static enum err start_services(struct monitor *monitor, struct monitor_refusal *ret_why)
{
    enum err err = service_start_recorder(monitor);
    if (err == ERR_NONE) {
        err = service_start_signer(monitor);
    }
    if (err != ERR_NONE) {
        return refuse(ret_why, err, "cannot start the signer or the recorder from", monitor->libexec_dir);
    }
    const char *program = "";
    err = service_wait_ready(monitor, &program);
    if (err != ERR_NONE) {
        return refuse(ret_why, err, "this program did not get ready, its own words are above:", program);
    }
    err = policy_file_make_decoy(monitor);
    return err == ERR_NONE ? ERR_NONE
                           : refuse(ret_why, err, "cannot write into state_dir", monitor->config.state_dir);
}

static enum err close_own_room(struct monitor_refusal *ret_why)
{
    struct sandbox_place place = {.uid = 0, .gid = 0};
    struct sandbox_refusal why = {{0}};
    enum err err = sandbox_close_room(&SANDBOX_MONITOR, &place, &why);
    if (err == ERR_NONE) {
        err = sandbox_close_calls(&SANDBOX_MONITOR, &why);
    }
    if (err != ERR_NONE) {
        (void)snprintf(ret_why->sentence, sizeof ret_why->sentence, "%s", why.sentence);
    }
    return err;
}

static enum err start(struct monitor *monitor, struct monitor_refusal *ret_why)
{
    if (gethostname(monitor->host_id, sizeof monitor->host_id - 1) != 0) {
        (void)snprintf(monitor->host_id, sizeof monitor->host_id, "bastion");
    }
    enum err err = occupy_low_fds();
    if (err != ERR_NONE) {
        return refuse(ret_why, err, "cannot open /dev/null", "");
    }
    TRY(raise_limits(monitor, ret_why));
    err = event_open(&monitor->events, monitor->config.events, monitor->host_id);
    if (err != ERR_NONE) {
        return refuse(ret_why, err, "cannot open the events file", monitor->config.events);
    }
    TRY(open_folders(monitor, ret_why));
    TRY(start_values(monitor, ret_why));
    TRY(start_sandboxes(monitor, ret_why));
    err = self_test_session(monitor);
    if (err != ERR_NONE) {
        return refuse(ret_why, err, "the self-test of bastion-session failed in", monitor->libexec_dir);
    }
    TRY(start_services(monitor, ret_why));
    err = watch_signals(monitor);
    if (err == ERR_NONE) {
        err = loop_timer(monitor->loop, &monitor->tick_op, MONITOR_TICK_MS, tick);
    }
    if (err != ERR_NONE) {
        return refuse(ret_why, err, "cannot watch signals and time", "");
    }
    TRY(listener_start(monitor, ret_why));
    return close_own_room(ret_why);
}

enum err monitor_start(const struct gateway_config *config, const char *libexec_dir, struct monitor **ret,
                       struct monitor_refusal *ret_why)
{
    struct monitor *monitor = calloc(1, sizeof *monitor);
    if (monitor == NULL) {
        return refuse(ret_why, ERR_MEMORY, "cannot start", "");
    }
    monitor->config = *config;
    monitor->events.fd = -1;
    monitor->keys_dir = monitor->known_hosts_dir = monitor->state_dir = monitor->policies_dir = -1;
    monitor->signal_fd = monitor->reload.told_fd = -1;
    monitor->reload.pidfd = -1;
    for (size_t i = 0; i < sizeof monitor->empty_room / sizeof monitor->empty_room[0]; i++) {
        monitor->empty_room[i] = -1;
    }
    for (size_t i = 0; i < CONFIG_LISTEN_MAX; i++) {
        monitor->listeners[i].fd = -1;
    }
    (void)snprintf(monitor->libexec_dir, sizeof monitor->libexec_dir, "%s", libexec_dir);
    crypto_start();
    enum err err = start(monitor, ret_why);
    if (err != ERR_NONE) {
        monitor_stop(monitor);
        return err;
    }
    monitor->started_s = clock_wall_s();
    REPORT(monitor, "daemon.started", EVENT_SUCCESS, {.key = "policy", .text = monitor->policy_hash},
           EVENT_NUMBER("pid", (uint64_t)getpid()));
    report_evidence(monitor, "policy", monitor->policy_hash);
    status_tick(monitor, clock_monotonic_us());
    *ret = monitor;
    return ERR_NONE;
}

enum err monitor_run(struct monitor *monitor)
{
    return loop_run(monitor->loop);
}

/* The recorder seals what is open when our end of its channel closes; give it the time. */
static void wait_for_recorder(struct monitor *monitor)
{
    struct child *recorder = monitor->recordings.service.child;
    if (recorder == NULL) {
        return;
    }
    /* Closing would not do: the ring's poll holds the socket open. */
    if (shutdown(recorder->channel, SHUT_WR) != 0) {
        return;
    }
    /* A pidfd is readable once its process has ended. */
    err_ignore(ipc_wait(recorder->pidfd, STOP_WAIT_US / 1000));
    child_done(&monitor->recordings.service.child);
}

void monitor_stop(struct monitor *monitor)
{
    monitor->is_shutting_down = true;
    if (monitor->loop != NULL) {
        listener_stop(monitor);
        for (size_t i = 0; monitor->connections != NULL && i < monitor->connection_capacity; i++) {
            if (monitor->connections[i] != NULL) {
                connection_free(monitor->connections[i]);
            }
        }
        wait_for_recorder(monitor);
        policy_reload_done(&monitor->reload);
        child_done(&monitor->signer.service.child);
        status_stopped(monitor);
        REPORT(monitor, "daemon.stopped", EVENT_SUCCESS, EVENT_NUMBER("pid", (uint64_t)getpid()));
        loop_free(monitor->loop); /* nothing is in flight after it */
        child_sweep(monitor);
    }
    event_close(&monitor->events);
    policy_free(monitor->policy);
    admission_done(&monitor->admission);
    lease_done(&monitor->leases);
    lease_done(&monitor->reasons);
    lease_done(&monitor->used_codes);
    lockout_done(&monitor->lockouts);
    people_done(&monitor->people);
    history_done(&monitor->history);
    host_certificate_done(monitor);
    person_ca_done(&monitor->person_cas);
    free(monitor->signer.calls);
    free(monitor->recordings.table);
    free(monitor->connections);
    for (size_t i = 0; i < sizeof monitor->empty_room / sizeof monitor->empty_room[0]; i++) {
        fd_close(&monitor->empty_room[i]);
    }
    fd_close(&monitor->keys_dir);
    fd_close(&monitor->known_hosts_dir);
    fd_close(&monitor->state_dir);
    fd_close(&monitor->policies_dir);
    fd_close(&monitor->signal_fd);
    free(monitor);
}
