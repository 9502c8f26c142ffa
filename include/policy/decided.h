/* A decision as one line of the evidence log: what was asked, by which policy, and what came of it. It holds
 * all that policy_decide() reads, so that the past can be asked again of another policy.
 *
 *     TIME allowed session=8c3f... person=alice from=100.64.1.2 host=node1 port=22
 *     account=ec2-user factor=300 rule=dba-nodes policy=1f2e...
 *
 * One line; words are separated by one blank, and bytes of a value that are blank, "%" or no printable ASCII
 * are written as "%20". What is empty is left out. Source: docs/formats/evidence.md. */
#ifndef POLICY_DECIDED_H
#define POLICY_DECIDED_H

#include "base/writer.h"
#include "policy/policy.h"

enum {
    DECIDED_LINE_BYTES = 3072, /* the longest line and a NUL: fits a leaf */
    DECIDED_SESSION_BYTES = 2 * LIMIT_SID_BYTES + 1,
};

struct policy_decided {
    int64_t at_s;
    bool is_allowed;
    char session[DECIDED_SESSION_BYTES];
    char person[LIMIT_PERSON_BYTES], from[LIMIT_ADDRESS_BYTES], host[LIMIT_HOST_BYTES];
    uint16_t port;
    char account[LIMIT_DB_NAME_BYTES], database[LIMIT_DB_NAME_BYTES], reason[POLICY_REASON_BYTES];
    uint8_t principals[LIMIT_PRINCIPALS_BYTES]; /* as in struct policy_request */
    size_t principals_bytes;
    struct policy_factor factor;
    enum policy_key key;
    char rule[GRANT_RULE_BYTES],
        code[POLICY_CODE_BYTES]; /* the rule of an allowed one, the code of a denied one */
    char policy[2 * POLICY_HASH_BYTES + 1];
};

/** What was asked; the rest of `ret` is for the caller. */
void policy_decided_of(const struct policy_request *request, struct policy_decided *ret);
/** Without the time, which who keeps the line puts before it. Returns `line`. What does not fit is left out
 * from its end, so every line can be read. */
const char *policy_decided_write(const struct policy_decided *decided, char line[static DECIDED_LINE_BYTES]);
/** With the time. Words that are not known are skipped. @return ERR_MALFORMED; then nothing of `ret` counts.
 */
MUST_CHECK enum err policy_decided_read(struct cursor line, struct policy_decided *ret);
/** The same question again. Borrows from `decided`. */
struct policy_request policy_decided_request(const struct policy_decided *decided);

#endif
