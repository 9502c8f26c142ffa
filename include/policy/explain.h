/* Why the policy says what it says: every rule that concerns the person or the target, and what stood in its
 * way. Written for clarity, not speed, and without the indexes that policy_decide() uses: the tests hold one
 * against the other. */
#ifndef POLICY_EXPLAIN_H
#define POLICY_EXPLAIN_H

#include "policy/policy.h"

/** The clauses of a rule in the order in which they are asked. */
enum policy_clause {
    POLICY_CLAUSE_NONE = 0, /* all hold: the rule allows it */
    POLICY_CLAUSE_WHO,
    POLICY_CLAUSE_TO,
    POLICY_CLAUSE_AS,
    POLICY_CLAUSE_CAN,
    POLICY_CLAUSE_FROM,
    POLICY_CLAUSE_HOURS,
    POLICY_CLAUSE_UNTIL,
    POLICY_CLAUSE_KEY,
    POLICY_CLAUSE_MFA,
    POLICY_CLAUSE_REASON,
};
/** "who", "to", ...: a constant. */
const char *policy_clause_text(enum policy_clause clause);

struct policy_finding {
    const char *rule; /* borrowed for the call */
    const char *file; /* of the policy; borrowed for the call */
    unsigned line;    /* in that file */
    bool is_never;    /* an entry of `never` that takes something away */
    bool is_nearest;  /* of the rules that do not allow it, the one that fails latest */
    enum policy_clause failed;
    char sentence[LIMIT_SENTENCE_BYTES];
};
typedef void policy_explain_each(void *context, const struct policy_finding *finding);

struct policy_explanation {
    enum policy_verdict verdict;
    char target[POLICY_ID_BYTES]; /* "" when no target lists the host */
    unsigned target_line;
    size_t rule_count; /* rules told to `each` */
};

/** Tells `each` about every rule and `never` entry that concerns the person or the target, in file order. */
void policy_explain(const struct policy *policy, const struct policy_request *request,
                    policy_explain_each *each, void *context, struct policy_explanation *ret);

#endif
