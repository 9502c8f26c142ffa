/* What one person may reach: every target and account that some rule gives, with what it gives. For people to
 * read; each access is decided anew by policy_decide(). */
#ifndef POLICY_REACH_H
#define POLICY_REACH_H

#include "policy/policy.h"

/** A target and an account on it. All borrowed for the call. */
struct policy_reach {
    const char *target;         /* its name in the policy */
    const struct cursor *hosts; /* names, and patterns with "*" */
    size_t host_count;
    uint16_t port;
    enum policy_target_kind kind;
    enum policy_client_tls client_tls; /* kinds postgres and mysql */
    const char *account;               /* "" when the target has none */
    const struct policy_grant *grant;  /* with a factor that is fresh enough */
    bool needs_factor;                 /* now: the factor is missing or too old */
    uint64_t factor_max_age_s;         /* with needs_factor */
    bool factor_adds;                  /* a fresher factor adds to what may be done now */
    bool needs_reason;                 /* each time: rules ask for a reason */
};
/** @return false to stop. */
typedef bool policy_reach_each(void *context, const struct policy_reach *reach);

/** Tell `each` about all targets and accounts, in the order of the file.
 *  @param from, factor, key  as in struct policy_request */
void policy_reach(const struct policy *policy, const char *person, const char *from,
                  const struct policy_factor *factor, enum policy_key key, int64_t at_s,
                  policy_reach_each *each, void *context);

#endif
