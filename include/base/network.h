/* Numeric addresses and networks (CIDR) as values. An IPv4 address inside IPv6 (::ffff:a.b.c.d, RFC 4291
 * section 2.5.5.2) is read as the IPv4 address, so that no rule can be passed by in the other spelling. */
#ifndef BASE_NETWORK_H
#define BASE_NETWORK_H

#include <stdint.h>

#include "base/cursor.h"
#include "base/err.h"

/** One address is a network with all bits set. */
struct network {
    uint8_t family;      /* 4 or 6 */
    uint8_t prefix_bits; /* 0..32 or 0..128 */
    uint8_t bytes[16];   /* the first 4 or 16; the bits behind the prefix are zero */
};

/** A numeric IPv4 (four decimal parts) or IPv6 address, no zone. @return ERR_MALFORMED. */
MUST_CHECK enum err network_address(struct cursor text, struct network *ret);
/** "10.20.0.0/16", "fd00::/8", or one address. @return ERR_MALFORMED; ERR_MISMATCH when bits behind the
 * prefix are set. */
MUST_CHECK enum err network_parse(struct cursor text, struct network *ret);
/** @param bytes 4 or 16 bytes. @return ERR_MALFORMED for any other length. */
MUST_CHECK enum err network_of_bytes(struct cursor bytes, struct network *ret);
/** `inner` lies wholly in `outer`. */
bool network_contains(const struct network *outer, const struct network *inner);
bool network_overlaps(const struct network *a, const struct network *b);
/** Why no target may have an address in `network` (loopback, link-local, cloud metadata, multicast, ...), as
 * the name of what it overlaps; NULL when it overlaps nothing of that kind. */
const char *network_is_forbidden(const struct network *network);

enum { NETWORK_TEXT_BYTES = 64 };
/** "10.20.0.0/16"; without "/" for one address. Returns `text`. */
const char *network_text(const struct network *network, char text[static NETWORK_TEXT_BYTES]);

#endif
