/* One connection to a database: the relay, and TLS on both sides of it. Private to the room. */
#ifndef SESSION_DATABASE_H
#define SESSION_DATABASE_H

#include "crypto/tls.h"
#include "database/relay.h"
#include "state.h"

/* One side of it: bytes arrive, perhaps inside TLS, and go into the relay. */
struct database_side {
    struct queue arrived;   /* not looked at yet */
    struct crypto_tls *tls; /* OWNED; NULL: none yet */
    bool is_tls_begun;      /* all that arrives is TLS */
    bool is_tls_told;       /* the relay knows that it is ready */
    bool has_ended;         /* it sends no more ... */
    bool is_end_told;       /* ... and the relay knows */
};

struct database {
    struct access *access;
    struct db_relay *relay; /* OWNED */
    struct db_config config;
    struct database_side sides[2]; /* by enum db_side */
    char name[LIMIT_HOST_BYTES];   /* that the target's certificate must be for */
    bool is_name_checked;          /* else its chain alone */
    struct crypto_x509_key *key;   /* OWNED, of TLS with the client, until its certificate is there */
    bool is_over;                  /* the relay has said so */
};

/* database_tls.c */
/** PostgreSQL: the client has not said yet what it wants. Until then the target is left alone, so that
 * whatever is wrong with it can be told to a client that takes an answer. */
bool database_is_early(const struct database *database);
/** The needs DB_NEED_TARGET_TLS and DB_NEED_CLIENT_TLS. What the relay made for that side has been sent
 * before. */
MUST_CHECK enum err database_begin_tls(struct database *database, enum db_side side);
/** Bytes of that side: into TLS, or kept until the relay wants them. */
MUST_CHECK enum err database_arrived(struct database *database, enum db_side side, struct cursor bytes);
/** Decrypt what was kept, and tell the relay once the handshake is done. */
MUST_CHECK enum err database_open_tls(struct database *database, enum db_side side);
/** What can be fed to the relay: plain bytes of that side. */
struct queue *database_plain(struct database *database, enum db_side side);
/** Move what the relay made for that side towards its socket or channel, at most until `wire_bytes` wait
 * there. */
MUST_CHECK enum err database_send(struct database *database, enum db_side side, size_t wire_bytes);
/** Say that nothing follows, where TLS is used. */
void database_close_tls(struct database *database);

#endif
