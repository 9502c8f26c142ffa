/* MySQL's client/server protocol: its numbers, its integers and strings.
 * Source: dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html,
 * mariadb.com/kb/en/clientserver-protocol.
 */
#ifndef DATABASE_MY_WIRE_H
#define DATABASE_MY_WIRE_H

#include "base/cursor.h"
#include "base/writer.h"

enum {
    MY_HEADER_BYTES = 4,         /* length (3, little endian) and sequence number of a packet */
    MY_PAYLOAD_BYTES = 0xffffff, /* a payload as long as this goes on in the next packet */
    MY_NONCE_BYTES = 20,         /* what the server sends for a password to be mixed with */
    MY_NAME_BYTES = 320,         /* a user (80 characters of 4 bytes), a database (64), a plugin */
};

/** Capability flags of greeting and login (CLIENT_*). */
enum my_capability {
    MY_MYSQL = 1U << 0, /* unset: a MariaDB, which uses reserved bytes for 32 flags more */
    MY_FOUND_ROWS = 1U << 1,
    MY_LONG_FLAG = 1U << 2,
    MY_WITH_DATABASE = 1U << 3,
    MY_NO_SCHEMA = 1U << 4,
    MY_ODBC = 1U << 6,
    MY_LOCAL_FILES = 1U << 7,
    MY_IGNORE_SPACE = 1U << 8,
    MY_PROTOCOL_41 = 1U << 9,
    MY_INTERACTIVE = 1U << 10,
    MY_SSL = 1U << 11,
    MY_IGNORE_SIGPIPE = 1U << 12,
    MY_TRANSACTIONS = 1U << 13,
    MY_RESERVED = 1U << 14,
    MY_SECURE_CONNECTION = 1U << 15, /* a nonce, not the 8 letters of MySQL 3 */
    MY_MULTI_STATEMENTS = 1U << 16,
    MY_MULTI_RESULTS = 1U << 17,
    MY_PS_MULTI_RESULTS = 1U << 18,
    MY_PLUGIN_AUTH = 1U << 19,
    MY_ATTRIBUTES = 1U << 20,
    MY_LONG_AUTH = 1U << 21, /* the proof of a login has a length-encoded length */
    MY_EXPIRED_PASSWORDS = 1U << 22,
    MY_SESSION_TRACK = 1U << 23,
    MY_NO_EOF = 1U << 24, /* CLIENT_DEPRECATE_EOF */
};
/** What passes. Not among them, so neither side may use it: compression (bits 5 and 26), query attributes
 *  (27), results without metadata (25), several factors (28), and whatever may be invented: each would change
 *  how the rest is read. */
#define MY_PASSED                                                                                            \
    (MY_MYSQL | MY_FOUND_ROWS | MY_LONG_FLAG | MY_WITH_DATABASE | MY_NO_SCHEMA | MY_ODBC | MY_LOCAL_FILES |  \
     MY_IGNORE_SPACE | MY_PROTOCOL_41 | MY_INTERACTIVE | MY_SSL | MY_IGNORE_SIGPIPE | MY_TRANSACTIONS |      \
     MY_RESERVED | MY_SECURE_CONNECTION | MY_MULTI_STATEMENTS | MY_MULTI_RESULTS | MY_PS_MULTI_RESULTS |     \
     MY_PLUGIN_AUTH | MY_ATTRIBUTES | MY_LONG_AUTH | MY_EXPIRED_PASSWORDS | MY_SESSION_TRACK | MY_NO_EOF)

/** The first byte of a client's message (COM_*). */
enum my_command {
    MY_QUIT = 0x01,
    MY_INIT_DB = 0x02,
    MY_QUERY = 0x03,
    MY_FIELD_LIST = 0x04,
    MY_REFRESH = 0x07,
    MY_SHUTDOWN = 0x08,
    MY_STATISTICS = 0x09,
    MY_PROCESS_INFO = 0x0a,
    MY_PROCESS_KILL = 0x0c,
    MY_DEBUG = 0x0d,
    MY_PING = 0x0e,
    MY_CHANGE_USER = 0x11,
    MY_PREPARE = 0x16,
    MY_EXECUTE = 0x17,
    MY_LONG_DATA = 0x18,
    MY_CLOSE = 0x19,
    MY_RESET = 0x1a,
    MY_SET_OPTION = 0x1b,
    MY_FETCH = 0x1c,
    MY_RESET_CONNECTION = 0x1f,
    MY_COMMANDS
};

/** The first byte of a server's message, where it is no row. */
enum my_reply_byte {
    MY_OK = 0x00,
    MY_AUTH_MORE = 0x01,
    MY_LOCAL_INFILE = 0xfb,
    MY_EOF = 0xfe, /* also: use another authentication plugin */
    MY_ERROR = 0xff,
};

/** Status flags (SERVER_*). */
enum my_status {
    MY_IN_TRANSACTION = 1U << 0,
    MY_MORE_RESULTS = 1U << 3,
    MY_CURSOR_EXISTS = 1U << 6,
    MY_LAST_ROW_SENT = 1U << 7,
};

/** Numbers of errors that the relay itself sends (mysqld_error.h), with their SQLSTATE. */
struct my_error {
    uint16_t number;
    const char *state; /* 5 letters */
};
extern const struct my_error MY_BAD_HANDSHAKE, MY_ACCESS_DENIED, MY_DATABASE_DENIED, MY_DENIED, MY_LOST,
    MY_ENDED, MY_UNKNOWN_COMMAND, MY_OUT_OF_ORDER;

/** A length-encoded number: 1, 3, 4 or 9 bytes. @return ERR_TRUNCATED; ERR_MALFORMED for 0xfb and 0xff. */
MUST_CHECK enum err my_read_length(struct cursor *in, uint64_t *ret_value);
/** A string with a length-encoded length. @return also ERR_TOO_LARGE over `max_bytes`. */
MUST_CHECK enum err my_read_string(struct cursor *in, size_t max_bytes, struct cursor *ret_bytes);
void my_write_length(struct writer *out, uint64_t value);
void my_write_string(struct writer *out, struct cursor bytes);
/** The bytes, then a NUL. */
void my_write_name(struct writer *out, struct cursor name);

/** The end of a statement: OK, and EOF in both of its forms. */
struct my_ok {
    uint64_t affected_rows;
    uint16_t status, warnings;
    struct cursor info; /* for people; empty in an EOF */
};
/** A whole OK or EOF payload. `capabilities` are those in force. @return ERR_TRUNCATED, ERR_MALFORMED. */
MUST_CHECK enum err my_read_ok(struct cursor payload, uint32_t capabilities, struct my_ok *ret_ok);
/** The payload of an error. `ret_state` is empty when it has none. */
MUST_CHECK enum err my_read_error(struct cursor payload, uint16_t *ret_number, struct cursor *ret_state,
                                  struct cursor *ret_message);
/** @param has_state  false before the login, when clients read none */
void my_write_error(struct writer *out, const struct my_error *error, bool has_state, const char *sentence);

#endif
