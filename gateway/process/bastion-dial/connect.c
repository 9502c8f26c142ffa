#include "dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"

/* A target that is gone is noticed after two minutes. */
enum { KEEPALIVE_IDLE_S = 60, KEEPALIVE_INTERVAL_S = 15, KEEPALIVE_COUNT = 4, US_PER_MS = 1000 };

/* @return 0 or an errno. */
static int wait_for_connection(int fd, uint64_t deadline_us)
{
    for (;;) {
        uint64_t now_us = clock_monotonic_us();
        if (now_us >= deadline_us) {
            return ETIMEDOUT;
        }
        struct pollfd wanted = {.fd = fd, .events = POLLOUT};
        int ready = poll(&wanted, 1, (int)((deadline_us - now_us) / US_PER_MS) + 1);
        if (ready < 0 && errno != EINTR) {
            return errno;
        }
        if (ready > 0) {
            int error = 0;
            socklen_t size = sizeof error;
            return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
        }
    }
}

static int set_options(int fd)
{
    static const struct {
        int level, option, value;
    } OPTIONS[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT},
    };
    for (size_t i = 0; i < sizeof OPTIONS / sizeof OPTIONS[0]; i++) {
        if (setsockopt(fd, OPTIONS[i].level, OPTIONS[i].option, &OPTIONS[i].value, sizeof OPTIONS[i].value) !=
            0) {
            return errno;
        }
    }
    return 0;
}

/* Only an ESTABLISHED socket leaves: one that is not could be pointed elsewhere with MSG_FASTOPEN. And it
 * must lead to the address that was checked. @return 0 or an errno. */
static int verify(int fd, const struct dial_address *address, struct dial_connection *connection)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) {
        return errno;
    }
    if (info.tcpi_state != TCP_ESTABLISHED) {
        return ENOTCONN;
    }
    struct sockaddr_storage peer = {0};
    struct sockaddr_storage local = {0};
    socklen_t peer_size = sizeof peer;
    socklen_t local_size = sizeof local;
    struct network reached;
    struct network source;
    if (getpeername(fd, (struct sockaddr *)&peer, &peer_size) != 0 ||
        getsockname(fd, (struct sockaddr *)&local, &local_size) != 0) {
        return errno;
    }
    if (dial_network(&peer, &reached) != ERR_NONE || dial_network(&local, &source) != ERR_NONE ||
        memcmp(&reached, &address->network, sizeof reached) != 0) {
        return EADDRNOTAVAIL;
    }
    (void)network_text(&reached, connection->peer);
    (void)network_text(&source, connection->local);
    return 0;
}

/* @return 0 or an errno. */
static int try_address(const struct dial_address *address, uint64_t deadline_us,
                       struct dial_connection *connection)
{
    OWNED_FD fd = socket(address->socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0) {
        return errno;
    }
    int error = 0;
    if (connect(fd, (const struct sockaddr *)&address->socket, address->size_bytes) != 0) {
        error = errno == EINPROGRESS ? wait_for_connection(fd, deadline_us) : errno;
    }
    error = error == 0 ? set_options(fd) : error;
    error = error == 0 ? verify(fd, address, connection) : error;
    if (error == 0) {
        connection->fd = fd_take(&fd);
    }
    return error;
}

static void explain(const struct request *request, const struct dial_address *address, int error,
                    struct dial_failure *failure)
{
    char text[NETWORK_TEXT_BYTES];
    (void)network_text(&address->network, text);
    if (error == ECONNREFUSED) {
        failure->reason = DIAL_REFUSED;
        (void)snprintf(failure->sentence, sizeof failure->sentence,
                       "%s (%s) refuses connections to port %u: is its service running?", request->host, text,
                       request->port);
    } else if (error == ETIMEDOUT) {
        failure->reason = DIAL_TIMED_OUT;
        (void)snprintf(
            failure->sentence, sizeof failure->sentence,
            "no answer from %s (%s) port %u within %u ms: look at its security group, firewall and routes",
            request->host, text, request->port, request->timeout_ms);
    } else {
        failure->reason = DIAL_OTHER;
        (void)snprintf(failure->sentence, sizeof failure->sentence, "no connection to %s (%s) port %u: %s",
                       request->host, text, request->port, strerror(error));
    }
}

enum err dial_connect(const struct request *request, const struct dial_addresses *addresses,
                      uint64_t deadline_us, struct dial_connection *ret_connection,
                      struct dial_failure *ret_failure)
{
    *ret_failure =
        (struct dial_failure){.reason = DIAL_NOT_FOUND, .sentence = "the name leads to no address"};
    for (size_t i = 0; i < addresses->count; i++) {
        uint64_t now_us = clock_monotonic_us();
        /* Each address gets its share of what is left, so that one that is silent does not hide the others.
         */
        uint64_t left_us = deadline_us > now_us ? deadline_us - now_us : 0;
        uint64_t share_us = left_us / (addresses->count - i);
        struct dial_connection connection = {.fd = -1};
        int error = try_address(&addresses->list[i], now_us + share_us, &connection);
        if (error == 0) {
            *ret_connection = connection;
            return ERR_NONE;
        }
        explain(request, &addresses->list[i], error, ret_failure);
    }
    return ERR_DENIED;
}
