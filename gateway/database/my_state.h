/* One MySQL connection, and what its files share.
 *
 *   my_relay.c     the interface: needs, refusals, the end
 *   my_packet.c    packets out of bytes, packets into bytes, while logging in
 *   my_login.c     greeting, the client's login, the login that goes to the target
 *   my_proof.c     the messages of a login in between: plugins, nonces, passwords
 *   my_message.c   the client's messages after the login: held back, recorded, passed on
 *   my_command.c   what each of them means
 *   my_values.c    the parameters of prepared statements
 *   my_long.c      those that come before, piece by piece
 *   my_reply.c     the target's messages: results, rows, errors
 *   my_record.c    records
 */
#ifndef DATABASE_MY_STATE_H
#define DATABASE_MY_STATE_H

#include "my_handshake.h"
#include "my_keep.h"
#include "my_password.h"
#include "my_statements.h"
#include "relay_state.h"

enum {
    MY_LOGIN_PACKET_BYTES = 128 * 1024,        /* attributes take 64 KiB, a Kerberos ticket may follow */
    MY_HEAD_BYTES = RECORD_DB_KEPT_BYTES + 16, /* of a message, held until it is decided */
    MY_REPLY_HEAD_BYTES = 4096,                /* of a target's message that is no row */
    MY_WAITING_MAX = 64,                       /* messages without an answer: clients send one or two */
    MY_LONG_MAX = 64,                          /* parameters that come piece by piece, at once */
    MY_TURNS_MAX = 64,                         /* messages of one login */
    MY_NULLS_BYTES = (UINT16_MAX + 7) / 8,     /* one bit for each parameter */
};

enum my_phase {
    MY_PHASE_GREETING = 0, /* the target speaks first */
    MY_PHASE_LOGIN,        /* the client answers */
    MY_PHASE_CLIENT_TLS,   /* a need */
    MY_PHASE_GRANT,        /* a need */
    MY_PHASE_TARGET_TLS,   /* a need */
    MY_PHASE_ASK_SWITCH,   /* the client begins again with the plugin that it was asked for */
    MY_PHASE_ASK_PASSWORD, /* it sends its password, or asks for a key */
    MY_PHASE_ASK_SEALED,   /* it sends the password encrypted to our key */
    MY_PHASE_PROOF,        /* the target decides */
    MY_PHASE_COMMANDS,
};

/** One of the two connections. */
struct my_leg {
    struct queue partial; /* bytes of a message that cannot be decided yet */
    uint8_t sequence;     /* while logging in: of the next packet, whoever sends it */
};

/** How the answer to a message is read. */
enum my_reply_kind {
    MY_REPLY_NONE = 0, /* there is none */
    MY_REPLY_RESULT,   /* OK, or columns and rows; perhaps several of them */
    MY_REPLY_PREPARED,
    MY_REPLY_ROWS,    /* the next rows of an open cursor */
    MY_REPLY_FIELDS,  /* columns alone */
    MY_REPLY_TEXT,    /* one message without a form */
    MY_REPLY_OK,      /* OK or EOF */
    MY_REPLY_CLEARED, /* OK; the prepared statements are gone */
    MY_REPLY_LOGIN,   /* of a change of user */
};
/** A message of the client that has no answer yet. */
struct my_waiting {
    enum my_reply_kind kind;
    bool is_recorded; /* false: pings, which say nothing */
    bool is_sent;     /* its last byte passed: an answer may come */
    bool is_secret;   /* its text was redacted: an error might repeat it */
    uint8_t sequence; /* of the next packet of the answer */
    uint32_t number;  /* of its record */
    uint64_t since_us;
};

/** Where the target's bytes are. */
enum my_reply_state {
    MY_AT_FIRST = 0, /* the first message of an answer, or of its next result */
    MY_AT_COLUMNS,
    MY_AT_COLUMNS_END, /* an EOF, unless both sides do without */
    MY_AT_ROWS,
    MY_AT_PARAMETERS, /* of a prepared statement: the same for its parameters */
    MY_AT_PARAMETERS_END,
};
struct my_reply {
    bool is_started; /* the answer at hand */
    enum my_reply_state state;
    uint32_t left_bytes;  /* of the packet at hand, passing unseen */
    bool is_continued;    /* the next packet belongs to the same message */
    uint64_t definitions; /* still to come */
    uint16_t columns;     /* of a prepared statement, after its parameters */
    uint64_t rows, bytes; /* of the result at hand */
};

/** How far the parameters of an execution are read. */
enum my_values_state {
    MY_VALUES_NULLS = 0,
    MY_VALUES_BOUND,
    MY_VALUES_TYPES,
    MY_VALUES_LENGTH,
    MY_VALUES_BYTES,
    MY_VALUES_REST, /* nothing that is understood */
};
struct my_values {
    enum my_values_state state;
    struct my_statement *statement; /* borrowed; NULL when it is not known */
    uint32_t number;
    uint32_t index;      /* of the parameter at hand */
    uint64_t left_bytes; /* of it, or of the bitmap or types before it */
    uint8_t length[9];   /* of a length that came in pieces */
    size_t length_bytes;
    bool is_told; /* the value has its record */
    enum db_params params;
    uint8_t nulls[MY_NULLS_BYTES];
    struct my_keep keep;
};

/** A parameter that came before its execution, piece by piece. */
struct my_long {
    uint32_t statement_id;
    uint16_t index;
    uint64_t pieces;
    enum db_params params;
    struct my_keep keep;
};

/** What is done with the rest of the client's message. */
enum my_rest {
    MY_REST_PASS = 0, /* nothing is recorded of it */
    MY_REST_TEXT,
    MY_REST_VALUES,
    MY_REST_LONG,
    MY_REST_FILE,    /* of LOCAL INFILE */
    MY_REST_LOGIN,   /* a change of user, which takes its own way */
    MY_REST_CLOSE,   /* nothing, and no answer comes */
    MY_REST_GOODBYE, /* nothing, and nothing after it */
    MY_REST_DROP,    /* refused */
};
struct my_message {
    bool is_open; /* the first packet was decided, more of the message comes */
    uint8_t command;
    uint32_t left_bytes; /* of the packet at hand */
    bool is_continued;   /* the next packet belongs to the same message */
    uint8_t sequence;    /* of the next packet */
    enum my_rest rest;
    struct my_long *piece_of;          /* MY_REST_LONG */
    const struct my_error *error;      /* MY_REST_DROP */
    char reason[LIMIT_SENTENCE_BYTES]; /* the same */
};

struct my_relay {
    struct db_relay common; /* first: the interface casts */
    enum my_phase phase;
    struct my_leg legs[2]; /* by side */
    bool is_client_tls;
    /* The target: what it greeted with. */
    char version[MY_VERSION_BYTES + 1];
    uint32_t offered;
    char greeting_plugin[MY_NAME_BYTES + 1];
    char tls[RECORD_DB_NAME_BYTES + 1];
    uint8_t certificate_sha256[CRYPTO_SHA256_BYTES];
    bool has_certificate;
    /* The login, or change of user, under way. */
    uint32_t capabilities;     /* in force on both legs */
    struct secret login_bytes; /* the client's message */
    struct my_login login;     /* borrows from it */
    struct secret password, token;
    char plugin[MY_NAME_BYTES + 1];
    uint8_t nonce[64];
    size_t nonce_bytes;
    uint8_t client_nonce[MY_NONCE_BYTES]; /* the same, or the last one where we ask the client ourselves */
    char user[MY_NAME_BYTES + 1];         /* who is logged in */
    bool is_change, is_cleartext_asked, is_fast_due;
    unsigned turns;
    uint8_t *asked_memory; /* OWNED; what db_relay_asked() lends */
    /* After it. */
    struct my_statements statements;
    bool has_last_prepared;
    uint32_t last_prepared_id;
    struct my_waiting waiting[MY_WAITING_MAX]; /* a ring */
    size_t first_waiting, waiting_count;
    struct my_message message;
    struct my_reply reply;
    struct my_values values;
    struct my_keep text;
    struct queue scratch;  /* of a text without its secrets */
    struct my_long *longs; /* OWNED; MY_LONG_MAX of them, made when the first is needed */
    size_t long_count;
    bool is_sending_file; /* LOCAL INFILE */
    uint64_t file_packets;
};

struct my_relay *my_of(struct db_relay *relay);

/* my_relay.c */

/** The end: the client is told, unless it is in the middle of something. Only the first call counts.
 *  @param error  NULL: nothing is told */
MUST_CHECK enum err my_end(struct my_relay *my, enum db_end end, const struct my_error *error,
                           const char *sentence);

/* my_packet.c */

/** A name that its reader bounded, and a NUL. */
void my_copy_text(char *ret_text, struct cursor bytes);

/** One packet to that side, in the order of its login. */
MUST_CHECK enum err my_send(struct my_relay *my, enum db_side side, struct cursor payload);
/** An error message to the client, with this sequence number. */
MUST_CHECK enum err my_send_error(struct my_relay *my, uint8_t sequence, const struct my_error *error,
                                  const char *sentence);
/** The first `needed_bytes` of what one side sent: in `bytes`, or gathered from several feedings.
 *  @return false: they are not there yet, `bytes` is used up */
MUST_CHECK enum err my_gather(struct my_leg *leg, struct cursor *bytes, size_t needed_bytes,
                              struct cursor *ret_view, bool *ret_is_there);
/** Drop what my_gather() showed. */
void my_gathered(struct my_leg *leg, struct cursor *bytes, size_t len_bytes);

/* my_login.c */

MUST_CHECK enum err my_login_feed(struct my_relay *my, enum db_side side, struct cursor *bytes);
MUST_CHECK enum err my_login_granted(struct my_relay *my, struct cursor token);
MUST_CHECK enum err my_login_encrypted(struct my_relay *my); /* the target's TLS is ready */
/** A change of user that is allowed: the same steps over an open connection. */
MUST_CHECK enum err my_login_again(struct my_relay *my);

/* my_proof.c */

/** One payload of either side while the target decides, or while we ask the client. */
MUST_CHECK enum err my_proof_take(struct my_relay *my, enum db_side side, struct cursor payload);
/** Ask the client for its password, or find out how it wants to be told that all is well. */
MUST_CHECK enum err my_ask(struct my_relay *my);
/** Send the login to the target, with the client's own proof or with ours. */
MUST_CHECK enum err my_prove_to_target(struct my_relay *my);

/* my_message.c */

MUST_CHECK enum err my_message_feed(struct my_relay *my, struct cursor *bytes);

/* my_command.c */

/** What is to happen with a message whose head is there. */
struct my_decision {
    bool is_held; /* not now: answers to earlier messages are due first */
    enum my_rest rest;
    const struct my_error *error; /* refused */
    const char *reason;
};
/** @param head        the command and what follows it, at most MY_HEAD_BYTES
 *  @param total_bytes of the whole message, or RECORD_DB_LENGTH_LATER */
MUST_CHECK enum err my_decide(struct my_relay *my, struct cursor head, uint64_t total_bytes,
                              struct my_decision *ret_decision);
/** Bytes of the rest of a message. */
MUST_CHECK enum err my_rest_add(struct my_relay *my, struct cursor bytes);
MUST_CHECK enum err my_rest_end(struct my_relay *my);

/* my_long.c: parameters that come before their execution, piece by piece */

MUST_CHECK enum err my_decide_long(struct my_relay *my, struct cursor in, struct my_decision *decision);
MUST_CHECK enum err my_long_add(struct my_relay *my, struct cursor bytes);
/** @return NULL: none came for it */
struct my_long *my_long_find(struct my_relay *my, uint32_t statement_id, uint32_t index);
/** What came for a statement, or with NULL for any, is over. */
MUST_CHECK enum err my_longs_end(struct my_relay *my, const uint32_t *statement_id);

/* my_values.c */

/** What is recorded of a statement's parameters. @param statement  NULL: not known */
enum db_params my_params_of(const struct my_relay *my, const struct my_statement *statement);

/** Begins after number, flags and iteration count of an execution. */
void my_values_begin(struct my_relay *my, struct my_statement *statement, uint32_t number);
MUST_CHECK enum err my_values_add(struct my_relay *my, struct cursor bytes);
MUST_CHECK enum err my_values_end(struct my_relay *my);

/* my_reply.c */

MUST_CHECK enum err my_reply_feed(struct my_relay *my, struct cursor *bytes);

/* my_record.c */

MUST_CHECK enum err my_record_statement(struct my_relay *my, const struct record_db_statement *statement);
/** The end of one result. `ok` NULL: an outcome without one. */
struct my_outcome {
    uint8_t outcome; /* enum record_db_outcome */
    const struct my_ok *ok;
    uint64_t rows, bytes;
    struct cursor code, message;
};
MUST_CHECK enum err my_record_result(struct my_relay *my, const struct my_waiting *waiting,
                                     const struct my_outcome *outcome);
/** The payload of an error as outcome of a statement. @return ERR_MALFORMED when it is none. */
MUST_CHECK enum err my_record_error(struct my_relay *my, const struct my_waiting *waiting,
                                    struct cursor payload, uint64_t bytes);
MUST_CHECK enum err my_record_startup(struct my_relay *my);
MUST_CHECK enum err my_record_notice(struct my_relay *my, struct cursor payload);

/* The ring of messages without an answer. */
struct my_waiting *my_waiting_push(struct my_relay *my);  /* not when it is full */
struct my_waiting *my_waiting_first(struct my_relay *my); /* NULL: none */
struct my_waiting *my_waiting_last(struct my_relay *my);
void my_waiting_pop(struct my_relay *my);

#endif
