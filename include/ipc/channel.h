/* One end of a SOCK_SEQPACKET pair between two processes: whole messages, with descriptors. */
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include "ipc/message.h"

/** The descriptors that every program of the house finds at start (0, 1 and 2 are /dev/null or a log pipe).
 */
enum { IPC_CHANNEL_FD = 3 };

/** A connected pair, both ends close-on-exec and non-blocking. @return ERR_SYSTEM. */
MUST_CHECK enum err ipc_pair(int *ret_mine, int *ret_theirs);
/** Send one message; the descriptors are duplicated to the other side, ours stay open.
 *  @return ERR_TOO_LARGE over the row's limit; ERR_AGAIN when the other side does not read; ERR_CLOSED;
 * ERR_SYSTEM. */
MUST_CHECK enum err ipc_send(int fd, enum ipc_type type, uint32_t ref, struct cursor body, const int *fds,
                             unsigned fd_count);
/** Receive one message, whatever its type; what it means must pass ipc_check().
 *  @return ERR_AGAIN; ERR_CLOSED; ERR_MALFORMED (then nothing is left open); ERR_SYSTEM. */
MUST_CHECK enum err ipc_receive(int fd, struct ipc_message *ret_message);
/** Wait until something can be received. @return ERR_AGAIN after `timeout_ms`. */
MUST_CHECK enum err ipc_wait(int fd, int timeout_ms);

#endif
