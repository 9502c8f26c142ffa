/* The inside of a gate, shared by the gate's files only. */
#ifndef RELAY_GATE_STATE_H
#define RELAY_GATE_STATE_H

#include "policy/grant.h"
#include "relay/gate.h"
#include "relay/sftp.h"
#include "relay/transfer.h"

/* Requests of one side that want a reply, oldest first. RFC 4254 section 4 and 5.4: replies carry no number,
 * their order says what they answer, so an answer of ours waits until the replies before it have passed. */
enum gate_awaited {
    GATE_AWAITS_REPLY = 0, /* passed on; the other side answers */
    GATE_AWAITS_PTY,       /* the same, for "pty-req" */
    GATE_AWAITS_MAIN,      /* the same, for "shell", "exec" or "subsystem" */
    GATE_ANSWERS_FAILURE,  /* refused; we answer */
    GATE_ENDS_CHANNEL, /* a refused "shell", "exec" or "subsystem": the sentence, then the end of the channel
                        */
    GATE_AWAITS_REMOTE = 32, /* passed on; and up: the answer is about this remote forward */
};
struct gate_pending {
    uint8_t items[GATE_PENDING_MAX]; /* a ring of enum gate_awaited */
    uint8_t start, count;
};

enum gate_kind {
    GATE_SESSION = 0,
    GATE_AGENT,
    GATE_X11,
    GATE_DIRECT_TCP,    /* the client connects to somewhere from the target: -L, -D, -W */
    GATE_DIRECT_SOCKET, /* the same to a Unix socket */
    GATE_REMOTE_TCP,    /* somebody connected where the target listens for the client: -R */
    GATE_REMOTE_SOCKET,
    GATE_KINDS
};

enum {
    GATE_FROM_BYTES = LIMIT_ADDRESS_BYTES + 16, /* an address in brackets, and a port */
    GATE_PLACE_BYTES = LIMIT_HOST_BYTES + 16,   /* a host in brackets, and a port */
};
/* Where a channel of a forward comes from and leads to, for people. */
struct gate_path {
    char from[GATE_FROM_BYTES], to[GATE_PLACE_BYTES];
    bool is_allowed;
};

/* An address on which the target listens for the client. */
struct gate_remote {
    enum {
        GATE_REMOTE_FREE = 0,
        GATE_REMOTE_ASKED,
        GATE_REMOTE_CANCELLED, /* before the target has answered */
        GATE_REMOTE_OPEN
    } state;
    bool is_socket, chooses_port;
    uint32_t port;
    char host[LIMIT_HOST_BYTES]; /* or the path */
};
enum gate_channel_state { GATE_FREE = 0, GATE_ASKED, GATE_OPEN };
/* "shell", "exec" or "subsystem" of a session: RFC 4254 6.5 allows one per channel. */
enum gate_main { GATE_MAIN_NONE = 0, GATE_MAIN_ASKED, GATE_MAIN_RUNNING };
enum gate_refusal {
    GATE_ACCEPTED = 0,
    GATE_REFUSAL_QUEUED, /* the sentence waits for replies before it */
    GATE_REFUSAL_TOLD,   /* the client got sentence and CLOSE; neither side hears of the other any more */
};

/* What one side sends on a channel. */
struct gate_flow {
    uint32_t window_bytes;     /* what it may still send */
    uint32_t max_packet_bytes; /* ... in one packet */
    bool has_sent_eof, has_sent_close;
    bool is_eof_passed; /* the other side got the EOF */
};

/* A channel that is taken apart. Lanes by the side that they lead to. */
struct gate_files {
    struct sftp *sftp; /* OWNED */
    struct lane lanes[GATE_SIDES];
    bool has_told;
    bool is_eof_waiting[GATE_SIDES]; /* of this side, behind data that has no room yet */
    bool is_close_waiting;           /* of the target */
};

struct gate_channel {
    enum gate_channel_state state;
    enum gate_kind kind;
    enum gate_side opener;
    uint32_t number[GATE_SIDES]; /* each side's own; the answerer's is known from GATE_OPEN on */
    struct gate_flow flow[GATE_SIDES];
    struct gate_pending pending[GATE_SIDES]; /* of the requests that this side made */
    enum gate_main main;
    unsigned env_count;
    bool has_asked_pty;
    enum gate_refusal refusal;
    bool wants_refusal_reply;
    /* The client may open its number again as soon as it saw our CLOSE and sent its own. The target does not
     * know yet, so its late packets would be taken for the new channel: the new one waits for the target's
     * CLOSE. */
    bool is_reopen_held;
    struct gate_flow held; /* of the target, in the held channel */
    struct tap tap;
    struct gate_path path;               /* of a forward */
    struct gate_files *files;            /* OWNED; NULL: its bytes pass as they come */
    struct transfer *transfer;           /* OWNED; NULL: it runs no command that moves files */
    char sentence[LIMIT_SENTENCE_BYTES]; /* while the refusal is queued */
};

struct gate {
    const struct policy_grant *grant;
    const struct gate_calls *calls;
    void *owner;
    bool is_over;      /* nothing passes any more */
    bool is_forwarded; /* the packet at hand was passed on */
    bool is_violated;
    enum err error;
    uint64_t now_us, active_us;
    struct gate_counters counters;
    bool is_asked[GATE_KINDS];               /* the client asked for agent or X11 forwarding, and it passed */
    struct gate_pending pending[GATE_SIDES]; /* global requests that this side made */
    uint8_t last[GATE_SIDES]; /* the channel that this side spoke on last: most packets are for it again */
    struct gate_remote remotes[GATE_REMOTES_MAX];
    struct gate_channel channels[LIMIT_CHANNELS_PER_ACCESS];
    char untold[LIMIT_SENTENCE_BYTES]; /* why a global request was refused: for the next session's error
                                          stream */
    const char *file_reason;           /* why a request for a file was refused, in the packet at hand */
    char explain[LIMIT_SENTENCE_BYTES];
};

/* Who may ask: bits for the tables of requests. */
enum {
    GATE_FROM_CLIENT = 1 << GATE_CLIENT,
    GATE_FROM_TARGET = 1 << GATE_TARGET,
    GATE_FROM_BOTH = GATE_FROM_CLIENT | GATE_FROM_TARGET,
};

/* The packet at hand. */
struct gate_packet {
    enum gate_side from;
    uint8_t type;
    struct cursor payload;
};

static inline enum gate_side gate_other(enum gate_side side)
{
    return side == GATE_CLIENT ? GATE_TARGET : GATE_CLIENT;
}

/* gate.c */

/** Say why the access is over: "the client <what>". */
void gate_set_violation(struct gate *gate, enum gate_side from, const char *what);
/** The same, as the error to return. */
static inline MUST_CHECK enum err gate_violation(struct gate *gate, enum gate_side from, const char *what)
{
    gate_set_violation(gate, from, what);
    return ERR_MALFORMED;
}
MUST_CHECK enum err gate_forward(struct gate *gate, const struct gate_packet *packet);
MUST_CHECK enum err gate_send(struct gate *gate, enum gate_side to, enum relay_type type,
                              const struct writer *out);
/** EOF, CLOSE, SUCCESS or FAILURE to `to` on a channel. */
MUST_CHECK enum err gate_send_number(struct gate *gate, enum gate_side to, enum relay_type type,
                                     const struct gate_channel *at);
/** The open channel that `from` may speak on and names by `recipient`.
 *  @return ERR_MALFORMED with a violation when there is none. */
MUST_CHECK enum err gate_find(struct gate *gate, enum gate_side from, uint32_t recipient,
                              struct gate_channel **ret_channel);
MUST_CHECK enum err gate_refused(struct gate *gate, uint32_t channel, const char *what, struct cursor detail,
                                 const char *reason);
MUST_CHECK enum err gate_note(struct gate *gate, const struct gate_channel *at, const char *text,
                              struct cursor detail);

/** Errors of the readers: the packet is complete, so all of them mean the same. */
#define GATE_READ(gate, packet, call)                                                                        \
    do {                                                                                                     \
        if ((call) != ERR_NONE) {                                                                            \
            return gate_violation((gate), (packet)->from,                                                    \
                                  "sent a packet that is not laid out as it must be");                       \
        }                                                                                                    \
    } while (0)

/* gate_files.c */
MUST_CHECK enum err gate_files_begin(struct gate *gate, struct gate_channel *at);
void gate_files_free(struct gate_channel *at);
/** The target has answered whether it runs. */
MUST_CHECK enum err gate_files_started(struct gate *gate, struct gate_channel *at, bool is_success);
MUST_CHECK enum err gate_files_data(struct gate *gate, struct gate_channel *at, enum gate_side from,
                                    struct cursor bytes);
/** Error output of the target on such a channel: what the client has no room for is lost, after it was
 * recorded. */
MUST_CHECK enum err gate_files_errors(struct gate *gate, struct gate_channel *at, struct cursor bytes);
/** `from` takes more. */
MUST_CHECK enum err gate_files_window(struct gate *gate, struct gate_channel *at, enum gate_side from,
                                      uint32_t more_bytes);
/** @return whether the EOF, the target's CLOSE, must wait behind data; it is sent later then */
bool gate_files_hold_eof(struct gate_channel *at, enum gate_side from);
bool gate_files_hold_close(struct gate_channel *at);
/** The client gives up what it has not got: send it the CLOSE that waited. */
MUST_CHECK enum err gate_files_pass_close(struct gate *gate, struct gate_channel *at);
/** A command is about to pass: watch it, if it moves files. */
MUST_CHECK enum err gate_files_watch(struct gate *gate, struct gate_channel *at, struct cursor command);
/** Record what is still open. */
MUST_CHECK enum err gate_files_end(struct gate_channel *at);

/* gate_open.c */
MUST_CHECK enum err gate_open(struct gate *gate, const struct gate_packet *packet);
MUST_CHECK enum err gate_open_confirmation(struct gate *gate, const struct gate_packet *packet);
MUST_CHECK enum err gate_open_failure(struct gate *gate, const struct gate_packet *packet);
/** Both sides have closed: record it, free the channel, or give it to the open that was held for its number.
 */
MUST_CHECK enum err gate_channel_over(struct gate *gate, struct gate_channel *at);

/* gate_forward.c */
bool gate_is_forward(enum gate_kind kind);
/** Read where a channel of a forward leads, and whether it may.
 *  @return ERR_MALFORMED with a violation. */
MUST_CHECK enum err gate_forward_path(struct gate *gate, const struct gate_packet *packet,
                                      enum gate_kind kind, struct cursor rest, struct gate_path *ret_path);
/** "tcpip-forward", "cancel-tcpip-forward" and their twins for sockets. */
MUST_CHECK enum err gate_remote_listen(struct gate *gate, const struct gate_packet *packet,
                                       const struct relay_request *request, bool is_socket);
MUST_CHECK enum err gate_remote_cancel(struct gate *gate, const struct gate_packet *packet,
                                       const struct relay_request *request, bool is_socket);
/** The target has answered the request of remote forward `number`. */
MUST_CHECK enum err gate_remote_reply(struct gate *gate, const struct gate_packet *packet, unsigned number);

/* gate_request.c */
MUST_CHECK enum err gate_channel_request(struct gate *gate, const struct gate_packet *packet);

/* gate_global.c */
MUST_CHECK enum err gate_global_request(struct gate *gate, const struct gate_packet *packet);

/* gate_reply.c */

/** `side` waits for an answer. @return ERR_MALFORMED with a violation over GATE_PENDING_MAX. */
MUST_CHECK enum err gate_await(struct gate *gate, struct gate_pending *pending, enum gate_side side,
                               enum gate_awaited what);
/** Send the answers of ours that have nothing before them any more. */
MUST_CHECK enum err gate_answer_channel(struct gate *gate, struct gate_channel *at, enum gate_side asker);
MUST_CHECK enum err gate_answer_global(struct gate *gate, enum gate_side asker);
MUST_CHECK enum err gate_channel_reply(struct gate *gate, const struct gate_packet *packet);
MUST_CHECK enum err gate_global_reply(struct gate *gate, const struct gate_packet *packet);
/** Tell the client why, with an exit status, and close its side of the channel. Once per channel. */
MUST_CHECK enum err gate_tell_refusal(struct gate *gate, struct gate_channel *at);
/** The refusal of a global request has no text of its own: it is told on a session, as soon as there is one.
 */
MUST_CHECK enum err gate_tell_untold(struct gate *gate);
/** As much of "bastion: <sentence>" on the error stream as the client's window takes. */
MUST_CHECK enum err gate_tell(struct gate *gate, struct gate_channel *at, const char *sentence);

#endif
