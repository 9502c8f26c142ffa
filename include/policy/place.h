/* Places that a forward may lead to, or listen on: "localhost:9090", "10.0.0.0/8:5432", "[fd00::/8]:443",
 * "*:443", "db.internal:*", "unix:/run/app.sock", and "unix:/run/code-*" for files of one folder. Names are
 * compared as they are asked for and never resolved: what a name means is the target's business, so a network
 * holds for numeric addresses only. */
#ifndef POLICY_PLACE_H
#define POLICY_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cursor.h"

/** What a listed place is for. */
enum place_use {
    PLACE_FORWARD = 1,        /* where the client may connect to, from the target */
    PLACE_REMOTE_FORWARD = 2, /* where the target may listen for the client */
    PLACE_USES
};

enum {
    PLACE_BYTES = 268,        /* a host in brackets, a colon, a port, and a NUL */
    PLACE_SOCKET_BYTES = 107, /* unix(7): sun_path without its NUL */
};

/** @return NULL when `text` is a place of a policy, or why it is none (a sentence fragment). */
const char *place_check(struct cursor text);

/** May the address be asked for at all? A host is a name or a numeric address; where a target may listen it
 * may also be "" or "*" for every address, and port 0 for any free port. */
bool place_is_address(enum place_use use, struct cursor host, uint32_t port);
/** An absolute path that fits a socket address, without control bytes. */
bool place_is_socket(struct cursor path);

/** Does the place of a policy cover this address, for which place_is_address() holds? "localhost" is the
 * name, 127.0.0.1 and ::1. */
bool place_covers_address(struct cursor place, struct cursor host, uint32_t port);
/** The same for a path, for which place_is_socket() holds. */
bool place_covers_socket(struct cursor place, struct cursor path);

/** Split what a person writes ("localhost:9090", "[::1]:80"), without its brackets. @return false when it is
 * no such text. */
bool place_split(struct cursor text, struct cursor *ret_host, uint16_t *ret_port);

#endif
