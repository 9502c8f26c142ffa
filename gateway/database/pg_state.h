/* The relay of PostgreSQL, as its files share it.
 *
 * pg_wire.c       bytes: what was held back, what passes, messages that the relay makes
 * pg_startup.c    the client's opening: TLS or not, startup, cancel
 * pg_login.c      after the grant: authentication, passed on or done here
 * pg_client.c     messages of the client once it is in; pg_statement.c and pg_arguments.c what they ask
 * pg_target.c     messages of the target; pg_answer.c and pg_error.c what they mean for what was asked
 * pg_pipeline.c   what gets no answer of its own, and names that are given back or forgotten
 * pg_copy.c       COPY and replication
 *
 * Source: PostgreSQL documentation, "Frontend/Backend Protocol"; the server's postgres.c and copyfromparse.c.
 */
#ifndef DATABASE_PG_STATE_H
#define DATABASE_PG_STATE_H

#include "base/secret.h"
#include "crypto/hash.h"
#include "pg_names.h"
#include "pg_operations.h"
#include "pg_scram.h"
#include "relay_state.h"

enum {
    PG_HEADER_BYTES = 5,           /* type, length */
    PG_STARTUP_BYTES = 10000,      /* the server's MAX_STARTUP_PACKET_LENGTH; catches other protocols, too */
    PG_SHORT_BYTES = 10000,        /* the server's limit for messages of clients that carry no data */
    PG_TARGET_SHORT_BYTES = 30000, /* libpq's limit for those of servers */
    PG_AUTH_BYTES = 65535,         /* the server's PG_MAX_AUTH_TOKEN_LENGTH */
    PG_LONGEST_BYTES = 0x3ffffffe, /* the server's MaxAllocSize */
    /* A message up to this length is seen whole: the longest list of formats or types that there can be
     * (65,535), and all that is kept of a text. Longer ones are read piece by piece. */
    PG_WHOLE_BYTES = 384 * 1024,
    PG_CAPTURE_BYTES = 4096, /* of an answer that is looked into */
};

enum pg_client_state {
    PG_CLIENT_OPENING,   /* TLS requests, startup or cancel */
    PG_CLIENT_WANTS_TLS, /* a need */
    PG_CLIENT_ASKS,      /* for the grant: a need once the target is ready */
    PG_CLIENT_LOGIN,     /* authentication, until the target is ready for queries */
    PG_CLIENT_OPEN,
    PG_CLIENT_CANCELS, /* was granted; waits for the end */
};
enum pg_target_state {
    PG_TARGET_ASKED, /* whether it takes TLS */
    PG_TARGET_WANTS_TLS,
    PG_TARGET_READY, /* for a startup */
    PG_TARGET_LOGIN,
    PG_TARGET_OPEN,
};

/** A message of the client that is longer than PG_WHOLE_BYTES, after its first record. */
struct pg_long {
    uint8_t type;        /* 0: none is under way */
    bool is_text;        /* the rest is text of a statement, to be hashed; else values */
    bool has_ended_text; /* its NUL was seen */
    bool is_hidden;      /* no hash: it would help to guess a secret */
    uint32_t left_bytes; /* of the message */
    uint32_t value_left_bytes;
    uint64_t value_bytes;
    uint32_t index, count; /* of the values */
    uint32_t format_count; /* as sent: 0 (all are text), 1 (of all) or one each */
    uint32_t number;
    uint32_t slot; /* of the prepared statement, which may know types; or PG_NO_SLOT */
};
/** One direction of a transfer. */
struct pg_copy_way {
    uint64_t bytes, messages;
    struct crypto_sha256 hash;
};
/** A transfer. */
struct pg_copy {
    bool is_in, is_out;
    bool is_client_done;
    uint32_t number;
    struct pg_copy_way ways[2]; /* by the side that sends */
};
/** A result waits for what follows it: ready-for-query tells the state of the transaction. */
struct pg_result {
    bool is_waiting;
    uint8_t outcome;
    uint32_t number;
    uint64_t rows, bytes, duration_us;
    uint8_t code[8];
    uint8_t code_bytes;
    uint16_t message_bytes;
    uint8_t message[RECORD_DB_MESSAGE_BYTES];
};

struct pg_relay {
    struct db_relay base;
    enum pg_client_state client;
    enum pg_target_state target;
    struct queue held; /* of the client: the beginning of a message that is not whole yet */
    struct cursor run; /* bytes of the call that is under way that pass unchanged, not yet copied */
    enum db_side run_to;

    /* Opening and login */
    bool was_ssl_asked, was_gss_asked, has_client_tls;
    struct queue startup; /* the client's packet; `asked` points into it */
    struct queue parameters;
    struct db_tls target_tls; /* points into tls_memory */
    uint8_t tls_memory[3 * 128];
    struct secret password; /* of the login that the relay makes */
    struct pg_scram scram;
    bool is_client_asked;  /* for a password, which has not come */
    bool is_authenticated; /* the target said so */
    bool is_login_recorded;
    uint32_t client_answers; /* authentication messages that the target waits for */
    char login[64];
    char server_version[64];

    /* Client to target */
    struct pg_names statements, portals;
    struct pg_operations operations;
    struct pg_long long_message;
    uint32_t discard_bytes; /* of a message that was refused */
    uint8_t *formats;       /* OWNED; a bit per value of a long message: binary */
    struct crypto_sha256 hash;
    struct queue redacted; /* a text without its secrets, while it is recorded */
    uint32_t rest_bytes;   /* of a message that passes without a look */
    bool rest_is_copy;

    /* Target to client */
    uint8_t header[PG_HEADER_BYTES];
    uint8_t header_bytes;
    uint8_t type; /* of the message that passes; 0: between two */
    bool is_withheld;
    uint32_t left_bytes, message_bytes;
    uint16_t captured_bytes;
    uint8_t captured[PG_CAPTURE_BYTES];
    bool is_skipping;    /* after an error, until the client's Sync */
    bool replaces_error; /* a refused COPY: the target's error is not the one that is shown */
    uint8_t transaction;
    uint32_t ignored_syncs; /* sent while a COPY was under way: may or may not be answered */
    uint32_t last_failed;   /* number whose failure was recorded last */
    uint32_t last_done;     /* number that was answered last */
    uint64_t changes;       /* of names; each operation has its own count */
    uint32_t unsettling;    /* operations under way whose text may change what names stand for */
    uint64_t rows, result_bytes;
    struct crypto_sha256 function_hash;
    struct pg_copy copy;
    struct pg_result result;
};

static inline struct pg_relay *pg_of(struct db_relay *relay)
{
    return (struct pg_relay *)(void *)relay;
}

/* ---- pg_wire.c ---- */

/** `wanted` bytes of the client in one block, from what was held and `bytes`; takes none of them.
 *  @return ERR_AGAIN when they are not there yet: what there is was taken and is held */
MUST_CHECK enum err pg_see(struct pg_relay *pg, struct cursor *bytes, size_t wanted, struct cursor *ret_view);
/** The first `len_bytes` of what was seen pass to the target, or are dropped. */
MUST_CHECK enum err pg_let_pass(struct pg_relay *pg, struct cursor *bytes, size_t len_bytes);
void pg_drop(struct pg_relay *pg, struct cursor *bytes, size_t len_bytes);
/** Bytes that go on unchanged; they must stay where they are until pg_flush(). */
MUST_CHECK enum err pg_pass(struct pg_relay *pg, enum db_side to, struct cursor bytes);
MUST_CHECK enum err pg_flush(struct pg_relay *pg);
/** The hot path: as many whole messages of that type as are at the front of `bytes` pass to the other side;
 * data of a COPY is hashed. None of them was looked at otherwise. @param ret_count  may be 0 */
MUST_CHECK enum err pg_pass_run(struct pg_relay *pg, enum db_side from, struct cursor *bytes, uint8_t type,
                                uint64_t *ret_count);
/** A message of the relay's own. */
MUST_CHECK enum err pg_send(struct pg_relay *pg, enum db_side to, uint8_t type, struct cursor body);
/** ErrorResponse to the client. @param severity "ERROR" or "FATAL" */
MUST_CHECK enum err pg_send_error(struct pg_relay *pg, const char *severity, const char *sqlstate,
                                  const char *sentence);
bool pg_is_congested(const struct pg_relay *pg, enum db_side to);
/** The peer broke the protocol: a FATAL error for the client, where it can take one, and the end. */
MUST_CHECK enum err pg_violation(struct pg_relay *pg, enum db_side side, const char *sentence);
MUST_CHECK enum err pg_refuse(struct db_relay *relay, enum db_refusal refusal, const char *sentence);
/** The grant does not allow it, and the connection cannot go on. */
MUST_CHECK enum err pg_deny(struct pg_relay *pg, const char *what, const char *sentence);

/* ---- pg_startup.c, pg_login.c ---- */

MUST_CHECK enum err pg_opening(struct pg_relay *pg, struct cursor *bytes);
/** Startup or cancel goes to the target. */
MUST_CHECK enum err pg_granted(struct db_relay *relay, struct cursor token);
MUST_CHECK enum err pg_client_login(struct pg_relay *pg, struct cursor *bytes);
/** An authentication request, whole. */
MUST_CHECK enum err pg_target_login(struct pg_relay *pg, struct cursor body);
/** The login is over: DB_STARTUP. */
MUST_CHECK enum err pg_record_login(struct pg_relay *pg);

/* ---- pg_client.c, pg_statement.c, pg_arguments.c ---- */

MUST_CHECK enum err pg_client_messages(struct pg_relay *pg, struct cursor *bytes);
/* Messages without their header; of Query and Parse perhaps only the first bytes. ERR_MALFORMED is the
 * client's fault. */
MUST_CHECK enum err pg_query(struct pg_relay *pg, struct cursor body, uint32_t body_bytes);
MUST_CHECK enum err pg_parse(struct pg_relay *pg, struct cursor body, uint32_t body_bytes);
MUST_CHECK enum err pg_describe(struct pg_relay *pg, struct cursor body);
MUST_CHECK enum err pg_execute(struct pg_relay *pg, struct cursor body);
MUST_CHECK enum err pg_close(struct pg_relay *pg, struct cursor body);
/** Bytes of a text that is longer than what was seen whole; the last of them when `left_bytes` is 0. */
MUST_CHECK enum err pg_more_text(struct pg_relay *pg, struct cursor bytes);
/** Bind and FunctionCall. */
MUST_CHECK enum err pg_arguments(struct pg_relay *pg, uint8_t type, struct cursor body);
/** The same where only the first bytes were seen. @param ret_taken_bytes  how many of them may pass: the rest
 * is for pg_arguments_more() */
MUST_CHECK enum err pg_arguments_begin(struct pg_relay *pg, uint8_t type, struct cursor view,
                                       size_t *ret_taken_bytes);
MUST_CHECK enum err pg_arguments_more(struct pg_relay *pg, struct cursor *bytes);
/** A statement: its text, or the first bytes of it. @param ret_is_secret  it was redacted */
MUST_CHECK enum err pg_record_statement(struct pg_relay *pg, const struct record_db_statement *statement,
                                        bool *ret_is_secret);
/** What is kept behind a first piece, in as many records as it needs. */
MUST_CHECK enum err pg_record_more(struct pg_relay *pg, struct record_db_more more);
MUST_CHECK enum err pg_record_total(struct pg_relay *pg, const struct record_db_total *total);
/** Remember that it waits for an answer; while answers are skipped, record that it is. Its `change` and
 * `since_us` are filled in. */
MUST_CHECK enum err pg_expect(struct pg_relay *pg, struct pg_operation operation);

/* ---- pg_target.c, pg_answer.c, pg_error.c, pg_pipeline.c ---- */

MUST_CHECK enum err pg_target_messages(struct pg_relay *pg, struct cursor *bytes);
/** A message begins: may it come now? @param ret_passes  set to false where the client does not get it */
MUST_CHECK enum err pg_answer_begins(struct pg_relay *pg, bool *ret_passes);
/** It was seen to its end; `captured` holds its first bytes. */
MUST_CHECK enum err pg_answer_ends(struct pg_relay *pg);
/** The result of an operation; it is recorded with what follows. */
MUST_CHECK enum err pg_set_result(struct pg_relay *pg, const struct pg_operation *operation, uint8_t outcome,
                                  struct cursor code, struct cursor message);
/** ErrorResponse. @param front  what it answers, or NULL */
MUST_CHECK enum err pg_failed(struct pg_relay *pg, struct pg_operation *front);
/** NoticeResponse. */
MUST_CHECK enum err pg_noticed(struct pg_relay *pg);
/** Record the result that waits. @param transaction  0 when it is not known */
MUST_CHECK enum err pg_result_out(struct pg_relay *pg, uint8_t transaction);
/** A result without an answer: skipped or lost. */
MUST_CHECK enum err pg_record_unanswered(struct pg_relay *pg, uint32_t number, uint8_t outcome,
                                         uint64_t since_us);
/** The name in the operation's slot now stands for that statement; what it was before is kept in the
 * operation. */
void pg_set_name(struct pg_relay *pg, struct pg_operation *operation, uint32_t number);
/** An operation failed in a pipeline: what stands behind it, up to a Sync, is skipped. */
MUST_CHECK enum err pg_skip_behind(struct pg_relay *pg);
/** A tag of CommandComplete that changes what names stand for. */
void pg_tag_forgets(struct pg_relay *pg, const struct pg_operation *operation, struct cursor tag);
void pg_drop_operation(struct pg_relay *pg);
/** Everything that still waits was lost. */
MUST_CHECK enum err pg_record_lost(struct pg_relay *pg);

/* ---- pg_copy.c ---- */

#define PG_COPY_REFUSED "the policy of the bastion allows no COPY here"

/** CopyInResponse, CopyOutResponse or CopyBothResponse. */
MUST_CHECK enum err pg_copy_begins(struct pg_relay *pg, const struct pg_operation *operation,
                                   bool *ret_passes);
MUST_CHECK enum err pg_copy_ends(struct pg_relay *pg);
void pg_copy_data(struct pg_relay *pg, enum db_side from, struct cursor bytes);

#endif
