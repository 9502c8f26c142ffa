#include "dial.h"

#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "target/address.h"

enum err dial_network(const struct sockaddr_storage *socket, struct network *ret_network)
{
    if (socket->ss_family == AF_INET) {
        const struct sockaddr_in *ipv4 = (const void *)socket;
        return network_of_bytes(cursor_of(&ipv4->sin_addr, 4), ret_network);
    }
    if (socket->ss_family == AF_INET6) {
        const struct sockaddr_in6 *ipv6 = (const void *)socket;
        return network_of_bytes(cursor_of(&ipv6->sin6_addr, 16), ret_network);
    }
    return ERR_MALFORMED;
}

static enum err fail(struct dial_failure *failure, enum dial_reason reason)
{
    failure->reason = reason;
    return ERR_DENIED;
}

static void free_interfaces(struct ifaddrs **interfaces)
{
    if (*interfaces != NULL) {
        freeifaddrs(*interfaces);
    }
}

/* Asked of the interfaces: the source address that the kernel would choose may be another one of this
 * machine. */
static enum err is_own(const struct network *address, bool *ret_is_own)
{
    __attribute__((cleanup(free_interfaces))) struct ifaddrs *interfaces = NULL;
    if (getifaddrs(&interfaces) != 0) {
        return ERR_SYSTEM;
    }
    *ret_is_own = false;
    for (const struct ifaddrs *at = interfaces; at != NULL && !*ret_is_own; at = at->ifa_next) {
        struct network own;
        bool is_address = at->ifa_addr != NULL &&
                          (at->ifa_addr->sa_family == AF_INET || at->ifa_addr->sa_family == AF_INET6);
        if (is_address && dial_network((const void *)at->ifa_addr, &own) == ERR_NONE) {
            *ret_is_own = network_contains(&own, address);
        }
    }
    return ERR_NONE;
}

static enum err check_own(const struct request *request, const struct network *address, const char **ret_why)
{
    bool is_this_machine = false;
    if (is_own(address, &is_this_machine) != ERR_NONE) {
        *ret_why = "perhaps the bastion itself, whose addresses cannot be listed";
        return ERR_DENIED;
    }
    if (is_this_machine && !address_is_named(address, request->grants, request->grant_count)) {
        *ret_why = "the bastion itself";
        return ERR_DENIED;
    }
    return ERR_NONE;
}

static enum err check(const struct request *request, const struct dial_address *address,
                      struct dial_failure *ret_failure)
{
    const char *why = NULL;
    enum err err = address_check(&address->network, request->grants, request->grant_count, &why);
    err = err == ERR_NONE ? check_own(request, &address->network, &why) : err;
    if (err != ERR_NONE) {
        char text[NETWORK_TEXT_BYTES];
        (void)snprintf(
            ret_failure->sentence, sizeof ret_failure->sentence,
            "%s leads to %s, which is %s; the bastion connects nowhere near it, whatever else the name "
            "leads to",
            request->host, network_text(&address->network, text), why);
        return fail(ret_failure, DIAL_OUTSIDE);
    }
    return ERR_NONE;
}

static enum err take(const struct addrinfo *answer, struct dial_addresses *addresses)
{
    struct dial_address *address = &addresses->list[addresses->count];
    *address = (struct dial_address){.size_bytes = answer->ai_addrlen};
    if (answer->ai_addrlen > sizeof address->socket) {
        return ERR_MALFORMED;
    }
    memcpy(&address->socket, answer->ai_addr, answer->ai_addrlen);
    TRY(dial_network(&address->socket, &address->network));
    addresses->count++;
    return ERR_NONE;
}

static enum err check_all(const struct request *request, const struct addrinfo *answers,
                          struct dial_addresses *addresses, struct dial_failure *ret_failure)
{
    for (const struct addrinfo *answer = answers; answer != NULL; answer = answer->ai_next) {
        if (addresses->count == DIAL_ADDRESSES_MAX || take(answer, addresses) != ERR_NONE) {
            (void)snprintf(ret_failure->sentence, sizeof ret_failure->sentence,
                           "%s leads to more than %d addresses, or to one that is neither IPv4 nor IPv6",
                           request->host, (int)DIAL_ADDRESSES_MAX);
            return fail(ret_failure, DIAL_OUTSIDE);
        }
        TRY(check(request, &addresses->list[addresses->count - 1], ret_failure));
    }
    return ERR_NONE;
}

enum err dial_look_up(const struct request *request, struct dial_addresses *ret_addresses,
                      struct dial_failure *ret_failure)
{
    struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP, .ai_flags = AI_NUMERICSERV};
    char port[8];
    (void)snprintf(port, sizeof port, "%u", request->port);
    struct addrinfo *answers = NULL;
    int result = getaddrinfo(request->host, port, &hints, &answers);
    if (result != 0) {
        (void)snprintf(ret_failure->sentence, sizeof ret_failure->sentence,
                       "the name %s cannot be looked up: %s", request->host, gai_strerror(result));
        return fail(ret_failure, DIAL_NOT_FOUND);
    }
    ret_addresses->count = 0;
    enum err err = check_all(request, answers, ret_addresses, ret_failure);
    freeaddrinfo(answers);
    return err;
}
