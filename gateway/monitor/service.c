/* The signer and the recorder: started first, started again when they are lost. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "state.h"

static void number_text(char text[static 24], uint64_t number)
{
    (void)snprintf(text, 24, "%llu", (unsigned long long)number);
}

static void plan_restart(struct service *service)
{
    service->state = SERVICE_DOWN;
    service->restarts++;
    service->restart_at_us = clock_monotonic_us() + MONITOR_RESTART_PAUSE_US;
}

static void say_lost(struct monitor *monitor, const char *process, const char *how)
{
    REPORT(monitor, "process.lost", EVENT_FAILURE, {.key = "process", .text = process},
           {.key = "how", .text = how});
}

/* What is different between the two. */
struct service_kind {
    const char *program;
    enum ipc_peer peer;
    void (*handle)(struct monitor *monitor, const struct ipc_message *message);
    void (*lost)(struct monitor *monitor);
};
static const struct service_kind SIGNER = {"bastion-signer", PEER_SIGNER, signer_message, signer_lost};
static const struct service_kind RECORDER = {"bastion-recorder", PEER_RECORDER, recorder_message,
                                             recorder_lost};

/* @return false when the service broke the protocol or is gone. */
static bool receive_all(struct service *service, struct child *child)
{
    while (child->owner != NULL) {
        enum err err = child_receive(child, service->kind->peer, PHASE_OPEN);
        if (err == ERR_AGAIN) {
            return true;
        }
        if (err != ERR_NONE) {
            return false;
        }
        service->kind->handle(service->monitor, &service->monitor->message);
        ipc_message_done(&service->monitor->message);
    }
    return true;
}

static void service_ready(void *owner, struct child *child)
{
    if (!receive_all(owner, child)) {
        child_kill(child);
    }
}

static void service_exited(void *owner, struct child *child, bool is_clean, const char *how)
{
    (void)child;
    (void)is_clean;
    struct service *service = owner;
    child_done(&service->child);
    plan_restart(service);
    if (!service->monitor->is_shutting_down) {
        say_lost(service->monitor, service->kind->program, how);
        service->kind->lost(service->monitor);
    }
}

/* @param fd_count  how many namespaces of the empty room it gets */
static enum err start(struct monitor *monitor, struct service *service, const struct service_kind *kind,
                      char *const *argv, unsigned fd_count)
{
    struct child_start wanted = {.program = kind->program,
                                 .argv = argv,
                                 .fds = monitor->empty_room,
                                 .fd_count = fd_count,
                                 .owner = service,
                                 .on_message = service_ready,
                                 .on_exit = service_exited};
    service->monitor = monitor;
    service->kind = kind;
    service->restart_at_us = 0;
    TRY(child_start(monitor, &wanted, &service->child));
    service->state = SERVICE_STARTING;
    return ERR_NONE;
}

enum err service_start_signer(struct monitor *monitor)
{
    struct gateway_config *config = &monitor->config;
    char uid[24];
    number_text(uid, config->uids.signer);
    char *argv[] = {"bastion-signer",
                    "--host-key",
                    config->keys.host,
                    "--inner-key",
                    config->keys.inner,
                    "--user-ca",
                    config->keys.user_ca,
                    "--host-ca",
                    config->keys.host_ca,
                    "--db-ca",
                    config->keys.db_ca,
                    "--uid",
                    uid,
                    "--gid",
                    uid,
                    "--empty-room",
                    NULL};
    enum { ROOM_FDS = sizeof monitor->empty_room / sizeof monitor->empty_room[0] };
    return start(monitor, &monitor->signer.service, &SIGNER, argv, ROOM_FDS);
}

enum err service_start_recorder(struct monitor *monitor)
{
    struct gateway_config *config = &monitor->config;
    char uid[24];
    char min_free[24];
    number_text(uid, config->uids.recorder);
    number_text(min_free, config->min_free_bytes);
    char *argv[] = {"bastion-recorder",
                    "--recordings",
                    config->recordings_dir,
                    "--evidence",
                    config->evidence_dir,
                    "--log-key",
                    config->keys.log,
                    "--recipients",
                    config->recipients,
                    "--min-free",
                    min_free,
                    "--host-id",
                    monitor->host_id,
                    "--uid",
                    uid,
                    "--gid",
                    uid,
                    NULL};
    return start(monitor, &monitor->recordings.service, &RECORDER, argv, 0);
}

/* Before the first engineer: hear both, or one that ends. */
static enum err hear(struct service *service)
{
    struct pollfd wanted[] = {{.fd = service->child->channel, .events = POLLIN},
                              {.fd = service->child->pidfd, .events = POLLIN}};
    if (poll(wanted, sizeof wanted / sizeof wanted[0], MONITOR_TICK_MS) < 0 && errno != EINTR) {
        return ERR_SYSTEM;
    }
    bool has_ended = wanted[1].revents != 0;
    bool is_good = wanted[0].revents == 0 || receive_all(service, service->child);
    return is_good && !has_ended ? ERR_NONE : ERR_CLOSED;
}

enum err service_wait_ready(struct monitor *monitor, const char **ret_program)
{
    struct service *const services[] = {&monitor->signer.service, &monitor->recordings.service};
    uint64_t until_us = clock_monotonic_us() + MONITOR_READY_WAIT_US;
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        *ret_program = services[i]->kind->program;
        while (services[i]->state != SERVICE_READY || (i == 0 && host_certificate_is_pending(monitor))) {
            TRY(hear(services[i]));
            if (clock_monotonic_us() >= until_us) {
                return ERR_AGAIN;
            }
        }
    }
    return ERR_NONE;
}

static void restart_if_due(struct monitor *monitor, struct service *service, const struct service_kind *kind,
                           enum err (*start_again)(struct monitor *), uint64_t now_us)
{
    if (service->state != SERVICE_DOWN || service->restart_at_us == 0 || now_us < service->restart_at_us) {
        return;
    }
    if (start_again(monitor) != ERR_NONE) {
        plan_restart(service);
        say_lost(monitor, kind->program, strerror(errno));
    }
}

void service_tick(struct monitor *monitor, uint64_t now_us)
{
    restart_if_due(monitor, &monitor->signer.service, &SIGNER, service_start_signer, now_us);
    restart_if_due(monitor, &monitor->recordings.service, &RECORDER, service_start_recorder, now_us);
}
