/* Which addresses a name may lead to. A name is looked up once, every answer is checked, and one answer
 * outside of the grant refuses the name: a name server could choose which one is used next. */
#ifndef TARGET_ADDRESS_H
#define TARGET_ADDRESS_H

#include <stddef.h>

#include "base/network.h"

/** The IPv4 addresses that an IPv6 address stands for, where it is of a form that a router translates or
 * unpacks: NAT64 (RFC 6052), 6to4 (RFC 3056), Teredo (RFC 4380, two addresses), ISATAP (RFC 5214), SIIT (RFC
 * 2765). */
enum { ADDRESS_EMBEDDED_MAX = 2 };

/** @return how many were written; 0 for IPv4 and for ordinary IPv6. */
size_t address_embedded(const struct network *address, struct network ret_ipv4[static ADDRESS_EMBEDDED_MAX]);

/**
 * Hold one address against the networks of the grant. Loopback, link-local, cloud metadata, multicast and
 * their like are refused whatever the grant says; an address that embeds an IPv4 address must pass in both
 * forms.
 * @param address    one address (network_of_bytes(), which reads ::ffff:a.b.c.d as IPv4)
 * @param ret_why    on ERR_DENIED: a constant, what the address is ("127.0.0.0/8 (loopback)", ...)
 * @return ERR_DENIED
 */
MUST_CHECK enum err address_check(const struct network *address, const struct network *grants,
                                  size_t grant_count, const char **ret_why);
/** The grant names exactly this address and nothing around it: asked for addresses of the bastion itself. */
bool address_is_named(const struct network *address, const struct network *grants, size_t grant_count);

#endif
