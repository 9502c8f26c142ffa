/* One SFTP session (draft-ietf-secsh-filexfer-02, version 3, and OpenSSH's PROTOCOL) as it passes: requests
 * of the client and answers of the target, taken apart as streams. What may pass goes on byte for byte; what
 * may not never reaches the target and is answered by us, in its turn; what passes is recorded.
 *
 * Nothing is as large as a length on the wire says: a request's head is kept until it is decided upon, at
 * most SFTP_KEPT_BYTES, contents only pass by. The two lanes keep the windows right. A pure value: no I/O. */
#ifndef RELAY_SFTP_H
#define RELAY_SFTP_H

#include "relay/lane.h"
#include "relay/tap.h"

struct policy_grant; /* policy/grant.h */

enum {
    SFTP_PACKET_MAX_BYTES =
        256 * 1024 + 1024,         /* OpenSSH's own limit, and what its limits@ lets clients use */
    SFTP_PATH_BYTES = 4096,        /* PATH_MAX of Linux */
    SFTP_HANDLE_NAME_BYTES = 256,  /* draft-02, section 6.3 */
    SFTP_KEPT_BYTES = 12288,       /* two paths and attributes */
    SFTP_ANSWER_KEPT_BYTES = 8192, /* of the target: VERSION, and the path that REALPATH gives */
    SFTP_HANDLES_MAX = 1024,
    SFTP_OUTSTANDING_MAX = 2048, /* OpenSSH has 64; psftp what the window takes: 2 MiB in writes of 4 KiB.
                                    Requests beyond it wait */
    SFTP_HELD_MAX_BYTES = 4 * 1024 * 1024, /* of requests that wait: twice the window that sshd gives */
    SFTP_ADVANCE_BYTES = 16384,            /* what may be kept back, both ways: more than SFTP_KEPT_BYTES */
};

/** What is told to the owner, beside the records. */
struct sftp_calls {
    tap_record *record;
    /** A request was refused: record it, count it. @param path  may be empty. @param reason  with its code */
    enum err (*refused)(void *owner, uint32_t channel, const char *what, struct cursor path,
                        const char *reason);
};

struct sftp;

/**
 * @param to_target, to_client  lanes that are ready; borrowed, outlive it
 * @return OWNED, or NULL without memory. About 40 KiB, and 500 bytes for each open file.
 */
struct sftp *sftp_new(const struct policy_grant *grant, const struct sftp_calls *calls, void *owner,
                      uint32_t channel, struct lane *to_target, struct lane *to_client);
void sftp_free(struct sftp *sftp); /* NULL is fine; makes no record */

/** Bytes of the client, of the target. Both lanes are flushed on return.
 *  @return ERR_MALFORMED with sftp_explain(): the session must end; errors of calls and lanes. */
MUST_CHECK enum err sftp_from_client(struct sftp *sftp, struct cursor bytes);
MUST_CHECK enum err sftp_from_target(struct sftp *sftp, struct cursor bytes);
/** What a side did that ended it: "sent ..."; NULL when nothing did. */
const char *sftp_explain(const struct sftp *sftp);
/** Requests wait until the target has answered others: an end of file of the client waits behind them. */
bool sftp_is_holding(const struct sftp *sftp);
/** Nothing was read of it so far. */
bool sftp_is_unused(const struct sftp *sftp);
/** Totals of the files that are still open. Once. */
MUST_CHECK enum err sftp_end(struct sftp *sftp);

#endif
