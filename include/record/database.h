/* The records of a connection to a database. Source: docs/formats/record_stream.md, "Databases". */
#ifndef RECORD_DATABASE_H
#define RECORD_DATABASE_H

#include "base/cursor.h"

/** What a DB_STATEMENT asks. Numbers stay. */
enum record_db_operation {
    RECORD_DB_QUERY = 1,           /* a text that runs at once; may hold several statements */
    RECORD_DB_PREPARE = 2,         /* a text that is run later */
    RECORD_DB_EXECUTE = 3,         /* runs a prepared text; its parameters follow */
    RECORD_DB_FUNCTION = 4,        /* a function called by its number, without a text */
    RECORD_DB_CHANGE_DATABASE = 5, /* the text is its name */
    RECORD_DB_CHANGE_USER = 6,     /* the text is "user database" */
    RECORD_DB_COMMAND = 7,         /* another command: the name says which */
    RECORD_DB_CLOSE = 8,           /* a prepared text is dropped */
    RECORD_DB_OPERATIONS
};
/** What the bytes of a DB_MORE, DB_TOTAL or DB_COPY are. */
enum record_db_what {
    RECORD_DB_WHAT_TEXT = 1,
    RECORD_DB_WHAT_PARAMETER = 2,
    RECORD_DB_WHAT_COPY_IN = 3,  /* COPY to the server */
    RECORD_DB_WHAT_COPY_OUT = 4, /* COPY from it */
    RECORD_DB_WHAT_INFILE = 5,   /* LOAD DATA LOCAL INFILE */
    RECORD_DB_WHAT_FUNCTION = 6,
    RECORD_DB_WHATS
};
/** Of a DB_PARAMETER. */
enum record_db_format {
    RECORD_DB_AS_TEXT = 0,
    RECORD_DB_AS_BINARY = 1,
    RECORD_DB_NULL = 2,      /* no bytes: the value is NULL */
    RECORD_DB_HASH_ONLY = 3, /* the policy keeps no values: a DB_TOTAL with the hash follows */
    RECORD_DB_FORMATS
};
enum record_db_outcome {
    RECORD_DB_DONE = 1,
    RECORD_DB_ERROR = 2,
    RECORD_DB_SKIPPED = 3,   /* never ran: something before it in the same pipeline failed */
    RECORD_DB_SUSPENDED = 4, /* as many rows as were asked for; more wait */
    RECORD_DB_LOST = 5,      /* the connection ended before an answer */
    RECORD_DB_OUTCOMES
};

enum {
    RECORD_DB_PIECE_BYTES = 32768,   /* of a text or parameter in one record */
    RECORD_DB_KEPT_BYTES = 65536,    /* of it in all its records; the rest is counted and hashed */
    RECORD_DB_NAME_BYTES = 256,      /* of a statement, portal, user, database, file */
    RECORD_DB_MESSAGE_BYTES = 2048,  /* of a tag or an error */
    RECORD_DB_OPTIONS_BYTES = 16384, /* of the parameters of a startup */
};
#define RECORD_DB_LENGTH_LATER UINT64_MAX /* a DB_TOTAL will say it */

/* Strings longer than their limit are cut when written. Hashes are 32 bytes, or empty. */

/** DB_STARTUP: one per connection, made when the login is over. */
struct record_db_startup {
    struct cursor protocol; /* "postgres", "mysql" */
    struct cursor user, database, application;
    struct cursor parameters;     /* "name=value" lines; never a secret */
    struct cursor server_version; /* empty when the server has not said it */
    struct cursor tls;            /* of the target: "TLSv1.3 TLS_AES_256_GCM_SHA384", or empty */
    struct cursor certificate_sha256;
    struct cursor login; /* how it was made: "client scram-sha-256", "ask scram-sha-256-plus" */
};
/** DB_STATEMENT. `number` counts the statements of one connection from 1. */
struct record_db_statement {
    uint32_t number;
    uint8_t operation;   /* enum record_db_operation */
    uint32_t of;         /* the number of the prepare that this executes or closes; 0: none that was seen */
    uint64_t text_bytes; /* or RECORD_DB_LENGTH_LATER */
    struct cursor name;
    struct cursor text; /* its first bytes */
};
/** DB_MORE: the next bytes of what is kept. */
struct record_db_more {
    uint32_t number;
    uint8_t what;   /* RECORD_DB_WHAT_TEXT, RECORD_DB_WHAT_PARAMETER */
    uint32_t index; /* of the parameter, from 0; else 0 */
    struct cursor bytes;
};
struct record_db_parameter {
    uint32_t number, index, type; /* type: PostgreSQL's OID or MySQL's MYSQL_TYPE_*; 0: not told */
    uint8_t format;               /* enum record_db_format */
    uint64_t value_bytes;
    struct cursor value; /* its first bytes */
};
/** DB_TOTAL: the end of something that was not kept whole. */
struct record_db_total {
    uint32_t number;
    uint8_t what; /* enum record_db_what */
    uint32_t index;
    uint64_t bytes, rows; /* rows: rows or messages; 0 where there are none */
    struct cursor sha256; /* of all of it; empty where it would tell a secret */
};
/** DB_COPY: a transfer begins; a DB_TOTAL of the same number and kind ends it. */
struct record_db_copy {
    uint32_t number;
    uint8_t what; /* RECORD_DB_WHAT_COPY_IN and later */
    struct cursor name;
};
/** DB_RESULT: several per number where one text holds several statements. */
struct record_db_result {
    uint32_t number;
    uint8_t outcome;             /* enum record_db_outcome */
    uint8_t transaction;         /* 'I' idle, 'T' in a transaction, 'E' in a failed one, 0 not told */
    uint64_t rows, bytes;        /* of the result */
    uint64_t duration_us;        /* since the statement */
    struct cursor code, message; /* code: SQLSTATE or errno of an error; message: the tag or the error */
};
struct record_db_notice {
    struct cursor severity, code, message;
};
/** DB_CANCEL: somebody asked the server to end a statement of another connection. */
struct record_db_cancel {
    struct cursor sid; /* of the connection that is meant */
    struct cursor how;
};

/** "query", "prepare" ...; "unknown" for other numbers. */
const char *record_db_operation_name(unsigned operation);
/** "text", "copy to the server" ...; "unknown" for other numbers. */
const char *record_db_what_name(unsigned what);
/** "done", "error" ...; "unknown" for other numbers. */
const char *record_db_outcome_name(unsigned outcome);

#endif
