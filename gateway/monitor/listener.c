/* The listening sockets. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "crypto/random.h"
#include "state.h"

enum { BACKLOG = 512, ACCEPTS_PER_TURN = 32, RECEIVE_BUFFER_MAX = 4 * 1024 * 1024 };

static socklen_t address_of(const struct config_listen *listen_on, struct sockaddr_storage *ret)
{
    *ret = (struct sockaddr_storage){0};
    if (listen_on->address.family == 4) {
        struct sockaddr_in *in = (void *)ret;
        in->sin_family = AF_INET;
        in->sin_port = htons(listen_on->port);
        memcpy(&in->sin_addr, listen_on->address.bytes, sizeof in->sin_addr);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (void *)ret;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(listen_on->port);
    memcpy(&in6->sin6_addr, listen_on->address.bytes, sizeof in6->sin6_addr);
    return sizeof *in6;
}

void listener_address_text(const struct sockaddr_storage *address, char text[static LIMIT_ADDRESS_BYTES],
                           uint16_t *ret_port)
{
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
    memcpy(&in4, address, sizeof in4);
    memcpy(&in6, address, sizeof in6);
    int family = address->ss_family;
    const void *bytes = family == AF_INET ? (const void *)&in4.sin_addr : &in6.sin6_addr;
    *ret_port = ntohs(family == AF_INET ? in4.sin_port : in6.sin6_port);
    if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)bytes)) {
        family = AF_INET;
        bytes = (const uint8_t *)bytes + 12;
    }
    if (inet_ntop(family, bytes, text, LIMIT_ADDRESS_BYTES) == NULL) {
        text[0] = 0;
    }
}

static void set_options(int fd)
{
    int on = 1;
    /* Each is a comfort: without it the connection is slower or lingers, but not less safe. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

static void admit(struct monitor *monitor, int fd, const struct sockaddr_storage *peer)
{
    char from[LIMIT_ADDRESS_BYTES];
    uint16_t port = 0;
    listener_address_text(peer, from, &port);
    uint32_t random = 0;
    crypto_random(&random, sizeof random);
    enum admission_verdict verdict =
        admission_enter(&monitor->admission, peer, clock_monotonic_us(), random % 100);
    bool can_serve = monitor->signer.service.state == SERVICE_READY && !monitor->is_evidence_lost;
    if (verdict == ADMISSION_WELCOME && !can_serve) {
        admission_leave(&monitor->admission, peer, false);
    }
    if (verdict != ADMISSION_WELCOME || !can_serve) {
        /* RFC 4253 4.2: lines before the version are shown by clients. */
        static const char SORRY[] =
            "The bastion cannot take this connection now. Please try again later.\r\n";
        (void)send(fd, SORRY, sizeof SORRY - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        REPORT(monitor, "connection.refused", EVENT_DENIED, {.key = "from", .text = from},
               {.key = "sentence", .text = can_serve ? admission_text(verdict) : "the bastion is not ready"});
        return;
    }
    set_options(fd);
    connection_open(monitor, fd, peer, from);
}

static void ready(struct loop_op *op, int result)
{
    struct listener *listener = OWNER_OF(op, struct listener, op);
    if (result < 0) {
        return;
    }
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t size = sizeof peer;
        OWNED_FD fd = accept4(listener->fd, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            /* EMFILE and the like: the backlog waits; the next tick of the poll tries again. */
            return;
        }
        admit(listener->monitor, fd, &peer);
    }
}

static enum err open_listener(struct listener *listener, const struct config_listen *listen_on)
{
    struct sockaddr_storage address;
    socklen_t size = address_of(listen_on, &address);
    int on = 1;
    OWNED_FD fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (address.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) ||
        bind(fd, (const struct sockaddr *)&address, size) != 0 || listen(fd, BACKLOG) != 0) {
        return ERR_SYSTEM;
    }
    listener->fd = fd_take(&fd);
    return loop_poll(listener->monitor->loop, &listener->op, listener->fd, ready);
}

enum err listener_start(struct monitor *monitor, struct monitor_refusal *ret_why)
{
    for (size_t i = 0; i < monitor->config.listen_count; i++) {
        monitor->listeners[i].monitor = monitor;
        enum err err = open_listener(&monitor->listeners[i], &monitor->config.listen[i]);
        if (err != ERR_NONE) {
            char text[NETWORK_TEXT_BYTES];
            (void)snprintf(ret_why->sentence, sizeof ret_why->sentence,
                           "cannot listen on %s port %u: %s; is another daemon there? Change `listen` in the "
                           "configuration",
                           network_text(&monitor->config.listen[i].address, text),
                           monitor->config.listen[i].port, strerror(errno));
            return err;
        }
    }
    return ERR_NONE;
}

void listener_stop(struct monitor *monitor)
{
    for (size_t i = 0; i < CONFIG_LISTEN_MAX; i++) {
        loop_cancel(monitor->loop, &monitor->listeners[i].op);
        fd_close(&monitor->listeners[i].fd);
    }
}
