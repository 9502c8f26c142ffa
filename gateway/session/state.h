/* The session's state, private to its room. */
#ifndef SESSION_STATE_H
#define SESSION_STATE_H

#include "auth/userauth.h"
#include "base/limits.h"
#include "base/queue.h"
#include "engine/engine.h"
#include "ipc/channel.h"
#include "keys/host_trust.h"
#include "loop/loop.h"
#include "policy/grant.h"
#include "relay/gate.h"
#include "relay/outer.h"
#include "session/session.h"

enum {
    SESSION_SIGN_WAIT_MS = 10000,          /* the signer answers in a millisecond; after this it is lost */
    SESSION_LINGER_MS = 3000,              /* to write what waits when the connection ends */
    SESSION_STASH_MAX = 16,                /* messages that came while a signature was awaited */
    SESSION_HIGH_WATER_BYTES = 512 * 1024, /* stop reading the other side above this ... */
    SESSION_OUTPUT_LIMIT_BYTES =
        8 * 1024 * 1024, /* ... which keeps every output below this, whatever is under way */
    SESSION_RECORDS_LIMIT_BYTES = 8 * 1024 * 1024,
    SESSION_REKEY_S = 3600,                             /* RFC 4253 section 9 */
    SESSION_ORIGINATOR_BYTES = LIMIT_ADDRESS_BYTES + 8, /* an address, and ":65535" */
    SESSION_CLIENT_SOURCE_BYTES = LIMIT_ADDRESS_BYTES,
    ACCESS_HOST_KINDS_BYTES = 160,    /* names of all kinds of host keys, and a NUL */
    ACCESS_HOST_KEY_TEXT_BYTES = 128, /* two fingerprints and some words */
};
#define SESSION_REKEY_BYTES (UINT64_C(1) << 30) /* RFC 4253 section 9 */

struct session;

/* sender.c: writes what an engine made to one socket, one write in flight. */
struct sender {
    struct session *session;
    int fd; /* borrowed */
    struct loop_op op;
    struct queue writing;
    bool has_failed;
};
void sender_init(struct sender *sender, struct session *session, int fd);
void sender_done(struct sender *sender);
/** Start a write when none is in flight and `from` or an unfinished write has bytes. */
void sender_pump(struct sender *sender, struct queue *from);
bool sender_is_idle(const struct sender *sender, const struct queue *from);

/* recorder.c: the stream to the recorder of one access. */
struct recorder_stream {
    struct session *session;
    int fd; /* OWNED, -1: none */
    struct queue records;
    struct loop_op room_op;
    struct loop_receive acks;
    uint8_t partial[8];
    size_t partial_bytes;
    uint64_t sent_bytes, durable_bytes;
    bool has_failed;
};
void recorder_init(struct recorder_stream *stream, struct session *session, int fd);
void recorder_done(struct recorder_stream *stream);
MUST_CHECK enum err recorder_add(struct recorder_stream *stream, uint8_t kind, uint32_t channel,
                                 struct cursor head, struct cursor body);
/** Hand over what waits. @return true when nothing waits any more: what was recorded may go on. */
bool recorder_flush(struct recorder_stream *stream);
/** The recorder is too far behind: stop reading. */
bool recorder_is_behind(const struct recorder_stream *stream);
/** Say that nothing follows. The recorder closes its end when all is sealed: the stream is quiet then. */
void recorder_finish(struct recorder_stream *stream);
bool recorder_is_quiet(const struct recorder_stream *stream);

struct database; /* database.h */

/* access_tcp.c: the bytes between a channel of the outer connection and a target of kind tcp. */
struct stream {
    struct queue to_target, to_client;
    uint64_t to_target_bytes, from_target_bytes;
    uint64_t active_us; /* when bytes came last */
    bool has_client_eof, has_target_eof;
    bool is_eof_at_target, is_eof_at_client; /* it was passed on */
};

enum access_state {
    ACCESS_FORBIDDEN = 0,
    ACCESS_ASKED,     /* TARGET_OPEN was sent */
    ACCESS_HANDSHAKE, /* both SSH connections exchange keys; the engineer logs in */
    ACCESS_OPEN,      /* the gate is open */
    ACCESS_CLOSING,   /* what waits is written, then it is gone */
    ACCESS_CLOSED,    /* waits until nothing is in flight */
};

/* access.c and its neighbours: one target behind one channel of the outer connection. */
struct access {
    struct session *session;
    struct access *next;
    uint32_t ref; /* towards the monitor */
    unsigned channel;
    enum access_state state;
    bool is_stream;       /* the target's bytes pass unread: access_tcp.c */
    bool is_channel_open; /* the outer channel is confirmed and not closed */
    bool is_channel_gone; /* the client has closed it: its number may belong to another access */
    bool is_login_asked;  /* TARGET_LOGIN is under way */
    bool has_user_asked;  /* the engineer's client waits for the answer to its first request */
    bool is_late;         /* it has been closing for long enough */
    char host[LIMIT_HOST_BYTES];
    uint16_t port;
    char originator[SESSION_ORIGINATOR_BYTES]; /* what the client says of its side; proves nothing */
    struct stream stream;                      /* also what databases use on both sides */
    struct database *database;                 /* OWNED; NULL: it is none. access_database.c */
    struct engine *inner, *target;             /* OWNED */
    struct userauth auth;
    struct gate *gate; /* OWNED */
    struct policy_grant grant;
    uint8_t *trust_bytes;            /* OWNED, what the next two borrow */
    struct cursor inner_certificate; /* of the inner key for this host; empty: none */
    struct keys_host_trust trust;
    bool is_host_trusted; /* it showed the key or certificate with this hash */
    uint8_t host_key_hash[32];
    char host_key_text[ACCESS_HOST_KEY_TEXT_BYTES]; /* for the recording */
    char refusal[LIMIT_SENTENCE_BYTES]; /* why it cannot go on, before the engineer could be told */
    uint8_t login_key[256];
    size_t login_key_bytes;
    int target_fd; /* OWNED */
    struct loop_receive target_in;
    struct sender target_out;
    struct recorder_stream recorder;
    struct loop_op limit_op;
    struct loop_op late_op; /* while it closes: when what waits is given up */
    uint64_t opened_us;
    size_t unconsumed_bytes; /* of the outer channel's data, not yet given back as window */
    enum err failure;        /* set in a call of an engine, handled when the engine has returned */
    char end_reason[LIMIT_SENTENCE_BYTES];
};

struct command; /* command.c */

/* How many notes this connection may still make, see note.c. */
struct note_ration {
    unsigned spent;
    uint64_t refilled_us;
    uint64_t unsaid; /* since the last that was said */
};

struct session {
    struct loop *loop;
    int channel_fd, client_fd;
    struct loop_op channel_op, deadline_op, linger_op, alive_op;
    struct ipc_ledger ledger;
    struct note_ration notes;
    struct ipc_message *stash[SESSION_STASH_MAX]; /* OWNED */
    unsigned stash_count;
    uint32_t connection;
    char source[SESSION_CLIENT_SOURCE_BYTES];
    struct keys_blob host_blob, inner_blob;
    struct keys_blob host_certificate; /* of the host key; empty: none */
    uint32_t banner_s, kex_s, alive_s;
    struct engine *engine; /* OWNED, the outer one */
    struct userauth auth;
    struct outer *outer; /* OWNED */
    struct loop_receive client_in;
    struct sender client_out;
    struct access *accesses;                      /* OWNED list */
    struct crypto_trust *database_trust;          /* OWNED; NULL: none was sent that can be read */
    struct command *commands[OUTER_CHANNELS_MAX]; /* OWNED, by channel; NULL: none */
    unsigned command_count;                       /* that the monitor was asked */
    uint32_t next_ref;
    unsigned probe_count;
    bool has_spoken; /* since alive.c looked last */
    bool has_input, is_ready, is_identified;
    bool is_ending, has_lingered, is_client_gone;
    enum err failure; /* set in a call of the outer engine */
    char end_reason[LIMIT_SENTENCE_BYTES];
    struct ipc_message message;
};

/* session.c */
/** End the connection: the engineer sees the sentence, if there is one. */
void session_end(struct session *session, const char *sentence);

/* note.c */
/** Tell the monitor about something that an operator should see. Rationed. */
void session_note(struct session *session, uint32_t ref, const char *code, const char *text);
/** How many notes were not told, at the end of the connection. */
void session_note_rest(struct session *session);

/* link.c: the channel to the monitor. */
MUST_CHECK enum err link_start(struct session *session);
MUST_CHECK enum err link_send(struct session *session, enum ipc_type type, uint32_t ref, struct cursor body);
/** Have a hash signed and wait for it. @param which  0: the bastion's host key; 1: the inner key */
MUST_CHECK enum err link_sign(struct session *session, uint8_t which, struct cursor hash,
                              struct writer *ret_signature);
MUST_CHECK enum err link_watch(struct session *session);
void link_handle_stash(struct session *session);
void link_done(struct session *session);

/* client.c: the outer connection. */
MUST_CHECK enum err client_start(struct session *session);
MUST_CHECK enum err client_auth_result(struct session *session, uint32_t ref, struct cursor body);
MUST_CHECK enum err client_factor_prompt(struct session *session, struct userauth *auth, struct cursor body);
MUST_CHECK enum err client_factor_result(struct session *session, uint32_t ref, struct cursor body);
void client_turn(struct session *session);
extern const struct outer_calls CLIENT_OUTER_CALLS;

/* alive.c */
/** From the login on: end the connection of a client that is gone without a word. */
void alive_start(struct session *session);

/* command.c: commands of the bastion itself */
MUST_CHECK enum err command_open(struct session *session, const struct outer_command *asked);
/** NULL when it is not known, or has ended. */
struct command *command_of_ref(struct session *session, uint32_t ref);
MUST_CHECK enum err command_text(struct session *session, uint32_t ref, struct cursor body);
MUST_CHECK enum err command_prompt(struct command *command, struct cursor body);
/** Bytes on a channel that has no access; they are consumed, whether there is a command or not. */
MUST_CHECK enum err command_data(struct session *session, unsigned channel, struct cursor bytes);
MUST_CHECK enum err command_eof(struct session *session, unsigned channel);
void command_closed(struct session *session, unsigned channel);
/** Show what waits, ask for more, end what is over. */
void command_turn(struct session *session);
void command_free_all(struct session *session);

/* access.c */
MUST_CHECK enum err access_open(struct session *session, const struct outer_open *open);
struct access *access_of_ref(struct session *session, uint32_t ref);
struct access *access_of_channel(struct session *session, unsigned channel);
MUST_CHECK enum err access_denied(struct access *access, struct cursor body);
MUST_CHECK enum err access_ready(struct access *access, struct ipc_message *message);
MUST_CHECK enum err access_granted(struct access *access, struct ipc_message *message);
/** Bytes of the inner connection from the client. */
void access_data(struct access *access, struct cursor bytes);
/** End in good order. @param sentence  for the engineer; NULL: nobody is there to read it. @param reason
 * recorded */
void access_end(struct access *access, const char *sentence, const char *reason);
/** Write, pause and resume; frees what is over. */
void access_turn(struct session *session);
/** The engineer's factor for this access passed: ask again. */
MUST_CHECK enum err access_ask_login(struct access *access);

/** The time without traffic, for the idle limit. */
uint64_t access_idle_us(const struct access *access, uint64_t now_us);
/** The gate, or the stream, is open from now on. */
void access_opened(struct access *access);

/* access_host_key.c */
/** @param body  the inner key's certificate, then as keys_host_trust_write() writes it, and nothing after it
 */
MUST_CHECK enum err access_read_trust(struct access *access, struct cursor body);
/** Kinds of host keys to ask the target for, best first. Returns `text`. */
const char *access_host_kinds(const struct access *access, char text[static ACCESS_HOST_KINDS_BYTES]);
/** What the target shows, at each key exchange. When it is not trusted, the engineer and the operator are
 * told.
 *  @return ERR_MISMATCH. */
MUST_CHECK enum err access_judge_host_key(struct access *access, struct cursor shown);

/* access_tcp.c */
MUST_CHECK enum err stream_start(struct access *access);
void stream_data(struct access *access, struct cursor bytes);
void stream_client_eof(struct access *access);
/** Records the sums. */
void stream_finish(struct access *access);
/** Both ways as far as windows and sockets allow; ends it when both sides are done. */
void stream_turn(struct access *access);

/* access_database.c */
struct ipc_message;
/** Certificates that vouch for databases, for every access that gets its socket from now on. */
MUST_CHECK enum err database_trust(struct session *session, struct ipc_message *message);
/** @param body  the end of TARGET_READY */
MUST_CHECK enum err database_start(struct access *access, struct cursor body);
/** TLS with the client can begin. */
MUST_CHECK enum err database_certified(struct access *access, struct cursor body);
/** @param credential  the password that the relay logs in with; or the session whose statement is cancelled
 */
MUST_CHECK enum err database_granted(struct access *access, struct cursor credential);
MUST_CHECK enum err database_denied(struct access *access, const char *sentence);
void database_data(struct access *access, struct cursor bytes);
void database_client_eof(struct access *access);
/** Read what has come and meet what is needed; ends the access when the relay is done. */
void database_turn(struct access *access);
/** Bytes of one side that are on their way inside: for back-pressure. */
size_t database_waiting(struct access *access, bool is_from_client);
/** The access ends. @param sentence  NULL, or for the client as an error of its protocol */
void database_end(struct access *access, const char *sentence);
void database_free(struct database *database);

/* access_engines.c: the two SSH connections of an access. */
MUST_CHECK enum err access_start_inner(struct access *access);
MUST_CHECK enum err access_start_target(struct access *access);
/** It cannot go on and the engineer has not logged in: tell by the inner login. */
void access_refuse_login(struct access *access, const char *sentence);
/** There will be no factor: tell now, or with the answer to a prompt that is out. */
MUST_CHECK enum err access_factor_ended(struct access *access, const char *sentence);
void access_check_failure(struct access *access);

#endif
