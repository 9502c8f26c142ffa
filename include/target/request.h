/* What the monitor asks bastion-dial for, as a value. */
#ifndef TARGET_REQUEST_H
#define TARGET_REQUEST_H

#include "base/limits.h"
#include "base/network.h"

enum {
    REQUEST_GRANTS_MAX = 768,           /* more do not fit into the message */
    REQUEST_TIMEOUT_MAX_MS = 60 * 1000, /* the monitor ends a dial that takes longer anyway */
};

struct request {
    char host[LIMIT_HOST_BYTES];
    uint16_t port; /* not 0 */
    uint32_t timeout_ms;
    size_t grant_count;
    struct network grants[REQUEST_GRANTS_MAX];
};

/** The body of DIAL: text host, u16 port, u32 timeout_ms, u16 count, then count times u8 family (4 or 6),
 * string address, u8 prefix bits. IPv4 inside IPv6 is read as IPv4.
 *  @return ERR_MALFORMED; ERR_TRUNCATED; ERR_TOO_LARGE. */
MUST_CHECK enum err request_read(struct cursor body, struct request *ret_request);

#endif
