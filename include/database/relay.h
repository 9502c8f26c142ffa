/* One connection to a database, taken apart on its way: a value without descriptors, clock or policy.
 * Plaintext of both sides goes in, plaintext for both sides and records come out; what the relay cannot do
 * itself (TLS, asking the policy) is a need that its owner meets. Source: docs/database.md.
 *
 * Rules for the owner:
 * - records made by a call are handed over before anything that the call queued is sent: no record, no
 *   traffic;
 * - db_relay_feed() may leave bytes: keep them, and feed them again when a need was met, when bytes of the
 *   other side were fed, or when db_relay_out() was drained;
 * - feed neither side while more than DB_OUT_HIGH_BYTES wait for the other;
 * - after DB_NEED_END write what db_relay_out() holds and close both sides. */
#ifndef DATABASE_RELAY_H
#define DATABASE_RELAY_H

#include <stdbool.h>

#include "base/cursor.h"
#include "base/queue.h"

enum db_protocol { DB_POSTGRES = 1, DB_MYSQL = 2 };
enum db_side { DB_CLIENT = 0, DB_TARGET = 1 };
enum db_client_tls { DB_CLIENT_TLS_REFUSE, DB_CLIENT_TLS_TERMINATE };
enum db_login {
    DB_LOGIN_CLIENT, /* the client's own login passes through */
    DB_LOGIN_ASK,    /* the client is asked for a password, the relay logs in with it */
    DB_LOGIN_TOKEN   /* the relay logs in with a password that the grant brings */
};
enum db_params { DB_PARAMS_FULL, DB_PARAMS_HASH, DB_PARAMS_NONE };

enum {
    DB_CANCEL_KEY_BYTES = 260,        /* PostgreSQL protocol 3.2: process id and a key of at most 256 bytes */
    DB_PASSWORD_BYTES = 4096,         /* with a NUL; an RDS token with a session token is below 3 KiB */
    DB_FEED_BYTES = 256 * 1024,       /* most that one feeding takes */
    DB_OUT_HIGH_BYTES = 512 * 1024,   /* enough to keep a socket busy */
    DB_OUT_LIMIT_BYTES = 1536 * 1024, /* that, one feeding and what was held back */
};

struct db_config {
    enum db_protocol protocol;
    enum db_client_tls client_tls;
    enum db_login login;
};

/** What the grant allows. */
struct db_rights {
    bool copy, function_call, replication, local_infile;
    enum db_params params;
    /** A connection that changes its user or database (MySQL) asks again. Called inside db_relay_feed().
     *  @param ret_reason  set when the answer is no: a sentence, borrowed until the next call */
    bool (*allows)(void *owner, struct cursor user, struct cursor database, const char **ret_reason);
    void *owner; /* of `allows` */
};

/** Calls out of the relay. An error ends the access and is returned by the call that was under way. */
struct db_owner {
    /** A record whose body is `head`, then `body`: made before the bytes that it tells of are queued. */
    enum err (*record)(void *owner, uint8_t kind, struct cursor head, struct cursor body);
    /** PostgreSQL's BackendKeyData: with it another connection may cancel a statement of this one. */
    enum err (*cancel_key)(void *owner, struct cursor key);
    void *owner;
};

struct db_relay;
/** @param ret  OWNED
 *  @return ERR_NOT_FOUND for a protocol that is not built in; ERR_MEMORY */
MUST_CHECK enum err db_relay_new(const struct db_config *config, const struct db_owner *owner,
                                 struct db_relay **ret);
void db_relay_free(struct db_relay *relay);

/** Takes plaintext of one side from the front of `bytes`.
 *  What a peer does wrong is no error: the relay then says DB_NEED_END, and db_relay_end() why.
 *  @param now_us  monotonic; used for durations only
 *  @return an error of the owner's calls; ERR_MEMORY */
MUST_CHECK enum err db_relay_feed(struct db_relay *relay, enum db_side side, struct cursor *bytes,
                                  uint64_t now_us);
/** That side will send no more. */
MUST_CHECK enum err db_relay_eof(struct db_relay *relay, enum db_side side, uint64_t now_us);
/** Plaintext that waits for that side; the owner consumes it. */
struct queue *db_relay_out(struct db_relay *relay, enum db_side side);

enum db_need {
    DB_NEED_NOTHING,
    DB_NEED_TARGET_TLS, /* write what waits for the target, then shake hands as its client */
    DB_NEED_CLIENT_TLS, /* write what waits for the client, then shake hands as its server */
    DB_NEED_GRANT,      /* user and database are known: db_relay_granted() or db_relay_refuse() */
    DB_NEED_CANCEL,     /* the same for a connection that only cancels: the key says whose statement */
    DB_NEED_END
};
enum db_need db_relay_need(const struct db_relay *relay);

/** About the TLS of the target; all empty for the client's. Borrowed for the call. */
struct db_tls {
    struct cursor description;        /* "TLSv1.3 TLS_AES_256_GCM_SHA384" */
    struct cursor certificate_sha256; /* 32 bytes */
    struct cursor server_end_point;   /* RFC 5929 section 4.1: the hash that SCRAM binds to */
};
MUST_CHECK enum err db_relay_tls_ready(struct db_relay *relay, enum db_side side, const struct db_tls *tls,
                                       uint64_t now_us);

/** What the client asked for. Borrowed until the relay is freed. */
struct db_asked {
    struct cursor user, database, application;
    struct cursor parameters; /* the others, "name=value" lines */
    struct cursor cancel_key; /* DB_NEED_CANCEL */
    bool is_replication;
};
/** For DB_NEED_GRANT and DB_NEED_CANCEL. */
const struct db_asked *db_relay_asked(const struct db_relay *relay);
/** @param rights  copied; nothing in it matters for DB_NEED_CANCEL
 *  @param token   DB_LOGIN_TOKEN: the password; copied */
MUST_CHECK enum err db_relay_granted(struct db_relay *relay, const struct db_rights *rights,
                                     struct cursor token, uint64_t now_us);

enum db_refusal {
    DB_REFUSED_POLICY,
    DB_REFUSED_TARGET_TLS,  /* the target's certificate, name or version is not what the policy asks */
    DB_REFUSED_TARGET_LOST, /* or cannot be reached */
    DB_REFUSED_ENDED        /* by a limit, a reload, a shutdown */
};
/** End the connection, at any time. The client gets a proper error of its protocol with the sentence, unless
 *  it is in the middle of another message. */
MUST_CHECK enum err db_relay_refuse(struct db_relay *relay, enum db_refusal refusal, const char *sentence,
                                    uint64_t now_us);

/** How the connection ended. */
enum db_end {
    DB_END_NONE,
    DB_END_CLOSED,  /* in order: the client said good-bye, or a side closed between statements */
    DB_END_REFUSED, /* by db_relay_refuse(), or by the relay: the grant does not allow what was asked */
    DB_END_LOGIN,   /* the target did not let the client in */
    DB_END_CLIENT,  /* the client broke the protocol */
    DB_END_TARGET,  /* the target did */
    DB_END_LOST,    /* a side closed in the middle of something */
};
/** @param ret_sentence  may be NULL; one sentence, "" for DB_END_NONE. Borrowed from the relay. */
enum db_end db_relay_end(const struct db_relay *relay, const char **ret_sentence);

#endif
