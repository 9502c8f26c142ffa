/* The inside of an SFTP session, shared by its files only. */
#ifndef RELAY_SFTP_STATE_H
#define RELAY_SFTP_STATE_H

#include "policy/grant.h"
#include "record/stream.h"
#include "relay/sftp.h"

/* draft-02 section 3 */
enum sftp_type {
    SFTP_INIT = 1,
    SFTP_VERSION = 2,
    SFTP_OPEN = 3,
    SFTP_CLOSE = 4,
    SFTP_READ = 5,
    SFTP_WRITE = 6,
    SFTP_LSTAT = 7,
    SFTP_FSTAT = 8,
    SFTP_SETSTAT = 9,
    SFTP_FSETSTAT = 10,
    SFTP_OPENDIR = 11,
    SFTP_READDIR = 12,
    SFTP_REMOVE = 13,
    SFTP_MKDIR = 14,
    SFTP_RMDIR = 15,
    SFTP_REALPATH = 16,
    SFTP_STAT = 17,
    SFTP_RENAME = 18,
    SFTP_READLINK = 19,
    SFTP_SYMLINK = 20,
    SFTP_STATUS = 101,
    SFTP_HANDLE = 102,
    SFTP_DATA = 103,
    SFTP_NAME = 104,
    SFTP_ATTRS = 105,
    SFTP_EXTENDED = 200,
    SFTP_EXTENDED_REPLY = 201,
};

/* draft-02 section 7 */
enum sftp_status {
    SFTP_FX_OK = 0,
    SFTP_FX_EOF = 1,
    SFTP_FX_PERMISSION_DENIED = 3,
    SFTP_FX_FAILURE = 4,
    SFTP_FX_BAD_MESSAGE = 5,
    SFTP_FX_OP_UNSUPPORTED = 8,
};

enum {
    SFTP_FXF_READ = 1,
    SFTP_FXF_WRITE = 2,
    SFTP_FXF_APPEND = 4,
    SFTP_FXF_CHANGES = 0x3e, /* write, append, create, truncate, exclusively */
    SFTP_VERSION_SPOKEN = 3,
    SFTP_LENGTH_BYTES = 4, /* of a packet's own length */
    SFTP_NO_HANDLE = SFTP_HANDLES_MAX,
};

/* One packet of one side, while it passes. */
struct sftp_stream {
    uint8_t *kept; /* OWNED: length, type and what is needed to decide */
    size_t kept_size_bytes, kept_bytes, want_bytes;
    uint32_t body_bytes; /* left of it */
    bool is_body_dropped;
};

struct sftp_handle {
    uint8_t name[SFTP_HANDLE_NAME_BYTES];
    uint16_t name_bytes;
    uint32_t number; /* of the request that opened it */
    bool is_dir, is_appending, may_write;
    uint8_t flags; /* of the FILE_TOTAL */
    struct sftp_way {
        uint64_t next_offset, bytes;
        uint8_t order; /* enum record_file_order */
        struct crypto_sha256 hash;
    } read, written;
};

/* A request that waits for its answer, oldest first. */
struct sftp_request {
    uint32_t id, number; /* number 0: it has no record */
    uint8_t type;
    bool is_answered, is_ours, wants_home;
    uint8_t status;  /* ours: what we answer */
    uint16_t handle; /* index, or SFTP_NO_HANDLE */
    uint32_t pflags; /* of OPEN */
    uint64_t offset; /* of READ */
    const char *reason;
};

struct sftp {
    const struct policy_grant *grant;
    const struct sftp_calls *calls;
    void *owner;
    uint32_t channel;
    struct lane *to_target, *to_client;
    struct sftp_stream client, target;
    struct queue held; /* of the client, while `outstanding` is full */
    bool has_init, has_version;
    uint32_t request_count;
    struct sftp_request outstanding[SFTP_OUTSTANDING_MAX]; /* a ring */
    unsigned outstanding_start, outstanding_count;
    struct sftp_handle *handles[SFTP_HANDLES_MAX]; /* OWNED, NULL: free */
    unsigned last_handle;
    struct sftp_way *hashed; /* NULL, or where the contents that pass now belong */
    struct sftp_way *hashed_answer;
    char home[SFTP_PATH_BYTES]; /* where relative paths begin; "" until the target said so */
    char explain[128];
};

/* A client's request, its head read. */
struct sftp_head {
    uint8_t type;
    uint32_t id, len_bytes;
    struct cursor rest; /* behind the id, as far as it is kept */
};

/* sftp.c */
MUST_CHECK enum err sftp_violation(struct sftp *sftp, const char *what);
/** Contents that pass: hashed where `way` still wants them. */
void sftp_hash(struct sftp_way *way, struct cursor bytes);

/* sftp_request.c */
/** How much of a request must be kept before it can be decided upon, as far as it can be known now.
 *  @return 0: not more than is there already */
size_t sftp_request_wants(const struct sftp_stream *stream);
/** Decide. @param ret_pass  it goes on */
MUST_CHECK enum err sftp_request_decide(struct sftp *sftp, bool *ret_pass);

/* sftp_decide.c: may it pass, and what is recorded of it */
struct sftp_verdict {
    uint8_t status;     /* SFTP_FX_OK: it passes */
    const char *reason; /* constant, where it does not */
    const char *what;
    struct cursor path; /* of the record of a refusal */
    struct sftp_request request;
};
MUST_CHECK enum err sftp_decide(struct sftp *sftp, const struct sftp_head *head,
                                struct sftp_verdict *verdict);

/* sftp_answer.c */
size_t sftp_answer_wants(const struct sftp *sftp);
/** The head of an answer is there. */
MUST_CHECK enum err sftp_answer_read(struct sftp *sftp);
/** Answers of ours whose turn it is; call it between two answers of the target only. */
MUST_CHECK enum err sftp_answer_own(struct sftp *sftp);
MUST_CHECK enum err sftp_await(struct sftp *sftp, const struct sftp_request *request);

/* sftp_handle.c */
/** @return SFTP_NO_HANDLE when there is none. */
unsigned sftp_handle_find(struct sftp *sftp, struct cursor name);
MUST_CHECK enum err sftp_handle_add(struct sftp *sftp, struct cursor name,
                                    const struct sftp_request *request);
/** Record the totals and forget it. */
MUST_CHECK enum err sftp_handle_end(struct sftp *sftp, unsigned index, uint8_t flags);
void sftp_handle_free(struct sftp *sftp, unsigned index);
/** `len_bytes` at `offset` are about to pass. */
void sftp_way_add(struct sftp_way *way, uint64_t offset, uint32_t len_bytes, bool is_hashed);

/* sftp_record.c */
MUST_CHECK enum err sftp_record_request(struct sftp *sftp, const struct record_file_request *request);
MUST_CHECK enum err sftp_record_result(struct sftp *sftp, uint32_t number, uint32_t status);

/* sftp_version.c */
bool sftp_is_extension_known(struct cursor name);
/** The target's VERSION as the client gets it: only what is audited. `in` is the packet, whole. */
MUST_CHECK enum err sftp_version_write(struct sftp *sftp, struct cursor in, struct writer *out);

#endif
