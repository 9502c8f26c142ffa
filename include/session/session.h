/* One engineer connection, from the client's first byte to the end: the outer SSH connection, and behind each
 * of its channels an access: the inner connection, the target's, and what is recorded of them. It decides
 * nothing that the monitor must decide, and holds no long-term secret. */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include "base/err.h"
#include "loop/loop.h"

/** Serve the client on `client_fd`, with the monitor on `channel_fd`; returns when the connection is over.
 * The sandbox is closed before the call.
 *  @param loop  borrowed; LOOP_SESSION
 *  @return ERR_NONE after an orderly end, whoever wanted it; any error when the monitor or the loop failed.
 */
MUST_CHECK enum err session_run(struct loop *loop, int channel_fd, int client_fd);

#endif
