/* The signer and the recorder: started first, started again when they are lost. */
#include <errno.h>
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

/* @return false when the service broke the protocol or is gone. */
static bool receive_all(struct service *service, enum ipc_peer peer,
                        void (*handle)(struct monitor *, const struct ipc_message *))
{
    struct child *child = service->child;
    while (child->owner != NULL) {
        enum err err = child_receive(child, peer, PHASE_OPEN);
        if (err == ERR_AGAIN) {
            return true;
        }
        if (err != ERR_NONE) {
            return false;
        }
        handle(service->monitor, &service->monitor->message);
        ipc_message_done(&service->monitor->message);
    }
    return true;
}

static void signer_ready(void *owner, struct child *child)
{
    struct service *service = owner;
    if (!receive_all(service, PEER_SIGNER, signer_message)) {
        child_kill(child);
    }
}

static void signer_exited(void *owner, struct child *child, bool is_clean, const char *how)
{
    (void)child;
    (void)is_clean;
    struct service *service = owner;
    child_done(&service->child);
    plan_restart(service);
    if (!service->monitor->is_shutting_down) {
        say_lost(service->monitor, "bastion-signer", how);
        signer_lost(service->monitor);
    }
}

enum err service_start_signer(struct monitor *monitor)
{
    struct service *service = &monitor->signer.service;
    char uid[24];
    number_text(uid, monitor->config.uids.signer);
    char *argv[] = {"bastion-signer",
                    "--host-key",
                    monitor->config.keys.host,
                    "--inner-key",
                    monitor->config.keys.inner,
                    "--user-ca",
                    monitor->config.keys.user_ca,
                    "--uid",
                    uid,
                    "--gid",
                    uid,
                    "--empty-room",
                    NULL};
    struct child_start start = {.program = "bastion-signer",
                                .argv = argv,
                                .fds = monitor->empty_room,
                                .fd_count = sizeof monitor->empty_room / sizeof monitor->empty_room[0],
                                .owner = service,
                                .on_message = signer_ready,
                                .on_exit = signer_exited};
    service->monitor = monitor;
    service->restart_at_us = 0;
    TRY(child_start(monitor, &start, &service->child));
    service->state = SERVICE_STARTING;
    return ERR_NONE;
}

static void recorder_ready(void *owner, struct child *child)
{
    struct service *service = owner;
    if (!receive_all(service, PEER_RECORDER, recorder_message)) {
        child_kill(child);
    }
}

static void recorder_exited(void *owner, struct child *child, bool is_clean, const char *how)
{
    (void)child;
    (void)is_clean;
    struct service *service = owner;
    child_done(&service->child);
    plan_restart(service);
    if (!service->monitor->is_shutting_down) {
        say_lost(service->monitor, "bastion-recorder", how);
        recorder_lost(service->monitor);
    }
}

enum err service_start_recorder(struct monitor *monitor)
{
    struct service *service = &monitor->recordings.service;
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
    struct child_start start = {.program = "bastion-recorder",
                                .argv = argv,
                                .owner = service,
                                .on_message = recorder_ready,
                                .on_exit = recorder_exited};
    service->monitor = monitor;
    service->restart_at_us = 0;
    TRY(child_start(monitor, &start, &service->child));
    service->state = SERVICE_STARTING;
    return ERR_NONE;
}

static void restart_if_due(struct monitor *monitor, struct service *service,
                           enum err (*start)(struct monitor *), uint64_t now_us)
{
    if (service->state != SERVICE_DOWN || service->restart_at_us == 0 || now_us < service->restart_at_us) {
        return;
    }
    if (start(monitor) != ERR_NONE) {
        plan_restart(service);
        say_lost(monitor, "service", strerror(errno));
    }
}

void service_tick(struct monitor *monitor, uint64_t now_us)
{
    restart_if_due(monitor, &monitor->signer.service, service_start_signer, now_us);
    restart_if_due(monitor, &monitor->recordings.service, service_start_recorder, now_us);
}
