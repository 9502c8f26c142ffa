/* The messages between the processes as values: their types, their table rows and the check against it. */
#ifndef IPC_MESSAGE_H
#define IPC_MESSAGE_H

#include "base/cursor.h"
#include "base/err.h"

enum ipc_peer { PEER_MONITOR, PEER_SESSION, PEER_SIGNER, PEER_RECORDER, PEER_PAM, PEER_DIAL, PEER_TOKEN };

/** Phases of one engineer connection; only the monitor moves them forward. */
enum ipc_phase {
    PHASE_KEX = 1,    /* nothing is proven */
    PHASE_FACTOR = 2, /* the key is proven, the second factor is not */
    PHASE_OPEN = 4,   /* identified: targets may be asked for */
    PHASE_ENDED = 8,  /* the monitor has said CONNECTION_END */
};
enum { ANY_PHASE = PHASE_KEX | PHASE_FACTOR | PHASE_OPEN };

enum ipc_type {
    IPC_NONE = 0,
#define MSG(name, from, to, phases, times, max, fds) IPC_##name,
#include "ipc/messages.def"
#undef MSG
    IPC_TYPE_COUNT
};

enum {
    IPC_HEADER_BYTES = 8, /* u16 type, u16 zero, u32 ref; big endian */
    IPC_BODY_MAX = 32768,
    IPC_FDS_MAX = 2,
};

/** Numbers in TARGET_READY: what the session does with the target's bytes. */
enum ipc_target { IPC_TARGET_SSH = 0, IPC_TARGET_STREAM = 1, IPC_TARGET_DATABASE = 2 };
enum ipc_database { IPC_DATABASE_POSTGRES = 1, IPC_DATABASE_MYSQL = 2 };
enum ipc_database_login { IPC_DATABASE_CLIENT = 0, IPC_DATABASE_ASK = 1, IPC_DATABASE_TOKEN = 2 };
/** The largest cancel key (PostgreSQL's protocol 3.2: a process number and a key of at most 256 bytes). */
enum { IPC_DATABASE_KEY_BYTES = 260 };

struct ipc_row {
    const char *name;
    enum ipc_peer from, to;
    unsigned phases, times, fds;
    size_t max_bytes;
};

/** @return NULL for a number that is no message. */
const struct ipc_row *ipc_row(unsigned type);
const char *ipc_name(unsigned type);

/** One received message. Free the descriptors that nobody took with ipc_message_done(). */
struct ipc_message {
    enum ipc_type type;
    uint32_t ref;
    struct cursor body; /* borrowed from `bytes` */
    int fds[IPC_FDS_MAX];
    unsigned fd_count;
    uint8_t bytes[IPC_HEADER_BYTES + IPC_BODY_MAX];
};
void ipc_message_done(struct ipc_message *message);
/** Take descriptor `index`; the message no longer owns it. */
int ipc_message_take_fd(struct ipc_message *message, unsigned index);

/** How often each message was received on one channel. */
struct ipc_ledger {
    uint16_t counts[IPC_TYPE_COUNT];
};
/** Hold one received message against its row and count it.
 *  @return ERR_MALFORMED for an unknown type or wrong number of descriptors; ERR_TOO_LARGE; ERR_STATE for a
 * wrong sender, receiver, phase or count. Any error means: end the sender. */
MUST_CHECK enum err ipc_check(struct ipc_ledger *ledger, const struct ipc_message *message,
                              enum ipc_peer from, enum ipc_peer to, enum ipc_phase phase);

#endif
