/* The statements of a database connection, put together from its records: text, parameters, transfers and
 * results of one statement as one value. What is held is bounded whatever the recording says. */
#ifndef REPLAY_QUERIES_H
#define REPLAY_QUERIES_H

#include <stdbool.h>

#include "record/stream.h"

enum {
    REPLAY_QUERIES_MAX =
        12000, /* statements held at once: as many as a relay remembers, and some that wait */
    REPLAY_QUERY_PARAMETERS_MAX = 256, /* of one statement that are held; later ones are counted */
    REPLAY_QUERIES_BYTES = 1 << 27,    /* of all texts and parameters that are held; later ones are cut */
    REPLAY_VALUE_BYTES = 4096,         /* of a value as text, with a NUL */
};

struct replay_value {
    uint32_t type;  /* PostgreSQL's OID, MySQL's MYSQL_TYPE_*, 0: not told */
    uint8_t format; /* enum record_db_format */
    uint64_t value_bytes;
    struct cursor value; /* what of it is held */
};
struct replay_transfer {
    uint8_t what; /* enum record_db_what */
    struct cursor name;
    bool has_ended;
    uint64_t bytes, rows;
    struct cursor sha256; /* 32 bytes, or empty */
};
enum { REPLAY_QUERY_TRANSFERS_MAX = 16 };

/** One statement with one of its results. Everything is borrowed for the call. */
struct replay_query {
    uint64_t t_us; /* since the beginning of the recording */
    uint32_t number;
    uint8_t operation;   /* enum record_db_operation */
    uint32_t of;         /* the prepare that it runs, or 0 */
    struct cursor name;  /* of a prepared statement or portal, or of a command */
    struct cursor text;  /* of the prepare, where it runs one; empty when nobody knows it any more */
    uint64_t text_bytes; /* all of it, or RECORD_DB_LENGTH_LATER */
    const struct replay_value *parameters;
    size_t parameter_count;  /* those held */
    uint64_t parameters_cut; /* those beyond */
    const struct replay_transfer *transfers;
    size_t transfer_count;
    unsigned part; /* 1: the first result; 0: there was none */
    struct record_db_result result;
};
typedef enum err replay_query_sink(void *context, const struct replay_query *query);

struct replay_queries; /* OWNED, replay_queries_free() */

/** @param includes_all  also texts that were prepared or closed and had no result of their own
 *  @return ERR_MEMORY. */
MUST_CHECK enum err replay_queries_new(bool includes_all, replay_query_sink *sink, void *context,
                                       struct replay_queries **ret);
void replay_queries_free(struct replay_queries **queries);
#define OWNED_QUERIES __attribute__((cleanup(replay_queries_free))) struct replay_queries
/** One record of the connection, in order; others than those of databases are skipped.
 *  @return what the sink returns; ERR_MEMORY. */
MUST_CHECK enum err replay_queries_take(struct replay_queries *queries, uint64_t t_us,
                                        const struct record_body *body);
/** The recording is over: statements without a result are told. */
MUST_CHECK enum err replay_queries_finish(struct replay_queries *queries);
/** "postgres", "mysql", or "" before a login was recorded. */
const char *replay_queries_protocol(const struct replay_queries *queries);

/** A value as a person reads it: texts as they are, numbers and times of the usual binary forms decoded, all
 * else as hex; printable. Returns `text`. @param protocol  as above */
const char *replay_value_text(const char *protocol, const struct replay_value *value,
                              char text[static REPLAY_VALUE_BYTES]);

#endif
