/* What the relays of both protocols share: their common beginning, and the table of what each can do. */
#ifndef DATABASE_RELAY_STATE_H
#define DATABASE_RELAY_STATE_H

#include "base/limits.h"
#include "database/relay.h"
#include "record/stream.h"

/** A protocol: the functions behind those of database/relay.h. None is called after the end, but `free`. */
struct db_ops {
    enum err (*make)(struct db_relay **ret);   /* OWNED, zeroed; the common part is filled in after it */
    enum err (*start)(struct db_relay *relay); /* once, with the common part filled in */
    void (*free)(struct db_relay *relay);      /* all but the common part, and the relay itself */
    enum err (*feed)(struct db_relay *relay, enum db_side side, struct cursor *bytes);
    enum err (*eof)(struct db_relay *relay, enum db_side side);
    enum db_need (*need)(const struct db_relay *relay);
    enum err (*tls_ready)(struct db_relay *relay, enum db_side side, const struct db_tls *tls);
    enum err (*granted)(struct db_relay *relay, struct cursor token); /* the rights are in the common part */
    enum err (*refuse)(struct db_relay *relay, enum db_refusal refusal, const char *sentence);
};
extern const struct db_ops PG_OPS; /* PostgreSQL */
extern const struct db_ops MY_OPS; /* MySQL */

/** The common part: the first member of each protocol's relay. */
struct db_relay {
    const struct db_ops *ops;
    struct db_config config;
    struct db_owner owner;
    struct db_rights rights;
    struct db_asked asked;
    struct queue out[2];  /* by side */
    uint64_t now_us;      /* of the call that is under way */
    uint32_t last_number; /* of a statement */
    enum db_end end;
    char sentence[LIMIT_SENTENCE_BYTES]; /* why it ended */
};

/** The connection is over; the first call counts. `sentence` is copied and made printable. */
void db_end_with(struct db_relay *relay, enum db_end end, const char *sentence);
/** One of the DB_* records. */
MUST_CHECK enum err db_record(struct db_relay *relay, const struct record_body *body);
/** A refusal by message. */
MUST_CHECK enum err db_record_refused(struct db_relay *relay, const char *what, const char *reason);

#endif
