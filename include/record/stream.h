/* The records of one access: what the session tells the recorder, what a recording holds, what a player
 * reads.
 *
 * One record is { u32 body length | u8 kind | u8 zero | u16 zero | u32 channel | body }, big endian. The
 * session writes records one after another into its pipe, the recorder copies whole records into frames, and
 * the reader gives them back with the time at which they arrived. Source: docs/formats/record_stream.md. */
#ifndef RECORD_STREAM_H
#define RECORD_STREAM_H

#include "base/cursor.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/writer.h"
#include "record/database.h"

enum record_kind {
    RECORD_NONE = 0,
    RECORD_TERMINAL_OUT = 1,  /* bytes that the target's terminal showed */
    RECORD_STDOUT = 2,        /* bytes of an exec */
    RECORD_STDERR = 3,        /* bytes of an exec or terminal */
    RECORD_STDIN = 4,         /* bytes that the engineer sent; only where the policy asks for them */
    RECORD_PTY = 5,           /* a terminal was asked for */
    RECORD_RESIZE = 6,        /* its size changed */
    RECORD_SHELL = 7,         /* a login shell was asked for; no body */
    RECORD_EXEC = 8,          /* a command was asked for */
    RECORD_SUBSYSTEM = 9,     /* such as "sftp" */
    RECORD_ENV = 10,          /* an environment variable */
    RECORD_SIGNAL = 11,       /* the engineer sent a signal */
    RECORD_EXIT_STATUS = 12,  /* the target's process ended by itself */
    RECORD_EXIT_SIGNAL = 13,  /* or by a signal */
    RECORD_CHANNEL_OPEN = 14, /* a channel was confirmed by the target */
    RECORD_CHANNEL_CLOSE = 15,
    RECORD_STREAM_TOTAL =
        16,              /* the end of one stream: how much of it there was, how much was kept, its SHA-256 */
    RECORD_REFUSED = 17, /* the gate said no */
    RECORD_TARGET_LOGIN = 18, /* the bastion is logged in at the target */
    RECORD_NOTE = 19,         /* a sentence for who reads the recording */
    RECORD_END = 20,          /* the last record of a clean session; without it the session was lost */
    RECORD_FORWARD_OPEN = 21, /* a forward was opened; what passes is never recorded, only counted */
    RECORD_FORWARD_CLOSE = 22,
    RECORD_FILE_REQUEST = 30, /* something that names a file was asked for, before it reaches the target */
    RECORD_FILE_RESULT = 31,  /* what the target answered */
    RECORD_FILE_TOTAL = 32,   /* the contents of a file that passed */
    RECORD_DB_STARTUP = 40,   /* a login at a database */
    RECORD_DB_STATEMENT = 41, /* before its first byte reaches the target */
    RECORD_DB_MORE = 42,      /* of a text or parameter */
    RECORD_DB_PARAMETER = 43,
    RECORD_DB_TOTAL = 44, /* the end of a text, parameter or transfer that was not kept whole */
    RECORD_DB_COPY = 45,  /* a transfer begins */
    RECORD_DB_RESULT = 46,
    RECORD_DB_NOTICE = 47,
    RECORD_DB_CANCEL = 48,
    RECORD_KIND_COUNT
};

/** What a FILE_REQUEST asks. Numbers stay. */
enum record_file_op {
    RECORD_FILE_NONE = 0,
    RECORD_FILE_OPEN = 1,
    RECORD_FILE_OPENDIR = 2,
    RECORD_FILE_REMOVE = 3,
    RECORD_FILE_RENAME = 4, /* fails when the new name exists */
    RECORD_FILE_POSIX_RENAME = 5,
    RECORD_FILE_MKDIR = 6,
    RECORD_FILE_RMDIR = 7,
    RECORD_FILE_SETSTAT = 8,
    RECORD_FILE_FSETSTAT = 9, /* of an open file */
    RECORD_FILE_LSETSTAT = 10,
    RECORD_FILE_SYMLINK = 11, /* path: the link; second: what it says */
    RECORD_FILE_HARDLINK = 12,
    RECORD_FILE_COPY_DATA = 13, /* path: the file read; second: the file written; both open */
    RECORD_FILE_FSYNC = 14,
    RECORD_FILE_LIMITS = 15,
    RECORD_FILE_READLINK = 16,
    RECORD_FILE_EXPAND_PATH = 17,
    RECORD_FILE_STATVFS = 18,
    RECORD_FILE_USERS_GROUPS = 19,
    RECORD_FILE_SCP_PUT = 20, /* one file of `scp -O`, to the target */
    RECORD_FILE_SCP_GET = 21,
    RECORD_FILE_SCP_MKDIR = 22,
    RECORD_FILE_RSYNC_PUT = 23, /* a whole transfer; its contents are not decoded */
    RECORD_FILE_RSYNC_GET = 24,
    RECORD_FILE_GIT_PUSH = 25,
    RECORD_FILE_GIT_FETCH = 26,
    RECORD_FILE_OPS
};

/** In which order the bytes of a file passed. */
enum record_file_order {
    RECORD_FILE_NO_BYTES = 0,
    RECORD_FILE_SEQUENTIAL = 1,   /* from the first byte on, each once: the hash is the hash of the file */
    RECORD_FILE_FROM_OFFSET = 2,  /* in order, but not from the first byte: resumed or appended */
    RECORD_FILE_SPARSE = 3,       /* in order, with gaps */
    RECORD_FILE_OUT_OF_ORDER = 4, /* some bytes before others, or twice */
    RECORD_FILE_NOT_DECODED = 5,  /* the bytes of a protocol that is not taken apart: rsync, git */
    RECORD_FILE_ORDERS
};

/** Of a FILE_TOTAL. */
enum {
    RECORD_FILE_END_READ = 1,     /* the reader saw the end of the file */
    RECORD_FILE_WRITE_FAILED = 2, /* the target refused some of the bytes */
    RECORD_FILE_LEFT_OPEN = 4,    /* never closed: the channel ended first */
    RECORD_FILE_COPIED_INTO = 8,  /* the target copied data into it (copy-data), which did not pass here */
};
#define RECORD_FILE_NO_MODE UINT32_MAX
#define RECORD_FILE_NO_SIZE UINT64_MAX
enum { RECORD_FILE_PATH_BYTES = 16384 }; /* two of them and the other fields fit a body */

/** FILE_REQUEST. `number` counts the requests of one channel. */
struct record_file_request {
    uint32_t number;
    uint8_t op;             /* enum record_file_op, or one that this version does not know */
    uint32_t flags;         /* OPEN: SSH_FXF_*; the SETSTATs: SSH_FILEXFER_ATTR_* */
    uint32_t mode;          /* or RECORD_FILE_NO_MODE */
    uint64_t size;          /* or RECORD_FILE_NO_SIZE */
    uint32_t of, of_second; /* the numbers of the opens whose files are meant; 0: paths say it */
    struct cursor path, second;
};
/** FILE_TOTAL, of the request with the same number. Hashes are 32 bytes, or empty. */
struct record_file_total {
    uint32_t number;
    uint64_t read_bytes, written_bytes;
    uint8_t read_order, written_order, flags;
    struct cursor read_sha256, written_sha256;
};

enum {
    RECORD_HEADER_BYTES = 12,
    RECORD_LARGEST_BYTES = RECORD_HEADER_BYTES + LIMIT_RECORD_BODY_BYTES,
    /* Longer strings are cut by the writing functions, so that no input of an engineer can make a malformed
     * stream. A session that must not lose a byte of a command refuses longer ones before. */
    RECORD_STRING_BYTES = 65000,
    RECORD_NAME_BYTES = 256, /* the same for strings that another string follows */
};
#define RECORD_WHOLE_ACCESS UINT32_MAX /* the channel of records that belong to no channel */
#define RECORD_NO_STATUS UINT32_MAX    /* RECORD_END: no exit status is known */

/** "terminal_out" and so on, as text and JSON name the kinds; "unknown" for other numbers. */
const char *record_kind_name(unsigned kind);

/** "open", "posix-rename" ...; "unknown" for other numbers. */
const char *record_file_op_name(unsigned op);
/** "sequential" ...; "unknown" for other numbers. */
const char *record_file_order_name(unsigned order);

/* Writing. Each call appends whole records; ask the writer once, at the end, whether all of them fitted. */

/** Bytes of kind TERMINAL_OUT, STDOUT, STDERR or STDIN; over 64 KiB they become several records. */
void record_write_bytes(struct writer *out, enum record_kind kind, uint32_t channel, struct cursor bytes);
/** A NUL in a text becomes "?". */
void record_write_pty(struct writer *out, uint32_t channel, struct cursor term, uint32_t cols, uint32_t rows);
void record_write_resize(struct writer *out, uint32_t channel, uint32_t cols, uint32_t rows);
void record_write_shell(struct writer *out, uint32_t channel);
void record_write_exec(struct writer *out, uint32_t channel, struct cursor command);
void record_write_subsystem(struct writer *out, uint32_t channel, struct cursor name);
void record_write_env(struct writer *out, uint32_t channel, struct cursor name, struct cursor value);
void record_write_signal(struct writer *out, uint32_t channel, struct cursor name);
void record_write_exit_status(struct writer *out, uint32_t channel, uint32_t status);
void record_write_exit_signal(struct writer *out, uint32_t channel, struct cursor name, bool has_core,
                              struct cursor message);
void record_write_channel_open(struct writer *out, uint32_t channel, struct cursor type);
void record_write_channel_close(struct writer *out, uint32_t channel, uint64_t to_target_bytes,
                                uint64_t from_target_bytes);
/** @param kind  the SSH channel type, or "tcp"; from, to  addresses or paths as text */
void record_write_forward_open(struct writer *out, uint32_t channel, struct cursor kind, struct cursor from,
                               struct cursor to);
void record_write_forward_close(struct writer *out, uint32_t channel, uint64_t to_target_bytes,
                                uint64_t from_target_bytes);
/** @param kind  the kind of the stream that ended: STDOUT, STDERR or STDIN */
void record_write_stream_total(struct writer *out, uint32_t channel, enum record_kind kind,
                               uint64_t seen_bytes, uint64_t kept_bytes, const uint8_t sha256[static 32]);
void record_write_refused(struct writer *out, uint32_t channel, struct cursor what, struct cursor reason);
void record_write_target_login(struct writer *out, struct cursor account, struct cursor fingerprint);
void record_write_note(struct writer *out, uint32_t channel, struct cursor sentence);
void record_write_file_request(struct writer *out, uint32_t channel,
                               const struct record_file_request *request);
/** @param status  SSH_FX_*: 0 is success */
void record_write_file_result(struct writer *out, uint32_t channel, uint32_t number, uint32_t status);
void record_write_file_total(struct writer *out, uint32_t channel, const struct record_file_total *total);
void record_write_end(struct writer *out, uint32_t exit_status, struct cursor reason);

struct record_body;
enum {
    RECORD_DB_HEAD_BYTES = 1024,                                   /* what record_db_head() needs at most */
    RECORD_DB_STARTUP_HEAD_BYTES = RECORD_DB_OPTIONS_BYTES + 4096, /* the same for DB_STARTUP */
};
/** The body of a DB_* record but for the bytes of its last string, which are returned: a long text is not
 *  copied. What is too long is cut; a NUL in a text becomes "?".
 *  @return borrowed from `body`; empty where the last field is no string */
struct cursor record_db_head(struct writer *out, const struct record_body *body);
/** The whole record. */
void record_write_db(struct writer *out, uint32_t channel, const struct record_body *body);

/* Reading. */

/** One record, its body not yet read. Borrowed. */
/** What a session moved, as its records say: files whose contents passed, and all bytes of its channels. */
struct record_moved {
    uint64_t files;
    uint64_t file_to_target_bytes, file_from_target_bytes;
    uint64_t to_target_bytes, from_target_bytes;
};

struct record {
    uint32_t channel;
    uint8_t kind; /* enum record_kind, or a number that this version does not know */
    struct cursor body;
};
/** Take the next record.
 *  @return ERR_TRUNCATED until all of it is there (then `in` has not moved); ERR_TOO_LARGE, ERR_MALFORMED as
 *          soon as the header shows it. A kind that is not known is no error here. */
MUST_CHECK enum err record_next(struct cursor *in, struct record *ret_record);

/** The body of one record, by kind. Texts have no NUL; strings are bytes. All borrowed from the body. */
struct record_body {
    enum record_kind kind;
    union {
        struct cursor bytes; /* TERMINAL_OUT, STDOUT, STDERR, STDIN */
        struct {
            struct cursor term; /* empty for RESIZE */
            uint32_t cols, rows;
        } pty;              /* PTY, RESIZE */
        struct cursor text; /* EXEC, SUBSYSTEM, SIGNAL, CHANNEL_OPEN, NOTE */
        struct {
            struct cursor name, value;
        } env;
        uint32_t exit_status;
        struct {
            struct cursor name, message;
            bool has_core;
        } exit_signal;
        struct {
            uint64_t to_target_bytes, from_target_bytes;
        } channel_close; /* CHANNEL_CLOSE, FORWARD_CLOSE */
        struct {
            struct cursor kind, from, to;
        } forward_open;
        struct {
            enum record_kind kind;
            uint64_t seen_bytes, kept_bytes;
            struct cursor sha256; /* 32 bytes, or none: it was not hashed */
        } stream_total;
        struct {
            struct cursor what, reason;
        } refused;
        struct {
            struct cursor account, fingerprint;
        } target_login;
        struct {
            uint32_t exit_status; /* or RECORD_NO_STATUS */
            struct cursor reason;
        } end;
        struct record_file_request file_request;
        struct {
            uint32_t number, status;
        } file_result;
        struct record_file_total file_total;
        struct record_db_startup db_startup;
        struct record_db_statement db_statement;
        struct record_db_more db_more;
        struct record_db_parameter db_parameter;
        struct record_db_total db_total;
        struct record_db_copy db_copy;
        struct record_db_result db_result;
        struct record_db_notice db_notice;
        struct record_db_cancel db_cancel;
    };
};
/** @return ERR_NOT_FOUND for a kind that is not known: skip it; ERR_MALFORMED, ERR_TRUNCATED, ERR_TOO_LARGE
 * when the body is not what its kind says. */
MUST_CHECK enum err record_body_read(const struct record *record, struct record_body *ret_body);

/* Recorder -> session: u64 each time more of the stream is durable. */
enum { RECORD_DURABLE_BYTES = 8 };

#endif
