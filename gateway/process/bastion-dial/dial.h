/* The steps of bastion-dial. */
#ifndef PROCESS_BASTION_DIAL_DIAL_H
#define PROCESS_BASTION_DIAL_DIAL_H

#include <sys/socket.h>

#include "target/request.h"

/** The numbers of DIAL_FAILED. */
enum dial_reason {
    DIAL_NOT_FOUND = 1,
    DIAL_OUTSIDE = 2,
    DIAL_REFUSED = 3,
    DIAL_TIMED_OUT = 4,
    DIAL_OTHER = 5,
};

struct dial_failure {
    enum dial_reason reason;
    char sentence[LIMIT_SENTENCE_BYTES]; /* for the engineer */
};

enum { DIAL_ADDRESSES_MAX = 32 }; /* a name with more is not one target */

struct dial_address {
    struct sockaddr_storage socket; /* with the port */
    socklen_t size_bytes;
    struct network network;
};

struct dial_addresses {
    struct dial_address list[DIAL_ADDRESSES_MAX];
    size_t count;
};

/** Look the host up, once, and check every answer. @return ERR_DENIED with the failure. */
MUST_CHECK enum err dial_look_up(const struct request *request, struct dial_addresses *ret_addresses,
                                 struct dial_failure *ret_failure);

struct dial_connection {
    int fd; /* OWNED: ESTABLISHED, TCP_NODELAY, keepalive, non-blocking */
    char peer[NETWORK_TEXT_BYTES], local[NETWORK_TEXT_BYTES];
};

/** Connect to the first address that answers, within the request's time.
 *  @param deadline_us  clock_monotonic_us()
 *  @return ERR_DENIED with the failure */
MUST_CHECK enum err dial_connect(const struct request *request, const struct dial_addresses *addresses,
                                 uint64_t deadline_us, struct dial_connection *ret_connection,
                                 struct dial_failure *ret_failure);

/** The address of a socket address. @return ERR_MALFORMED for another family. */
MUST_CHECK enum err dial_network(const struct sockaddr_storage *socket, struct network *ret_network);

#endif
