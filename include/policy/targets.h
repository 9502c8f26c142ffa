/* All targets of a policy, for an operator's tool. */
#ifndef POLICY_TARGETS_H
#define POLICY_TARGETS_H

#include "policy/policy.h"

/** All borrowed from the policy. */
struct policy_listed {
    struct policy_target target;
    const struct cursor *hosts; /* names, and patterns with "*" */
    size_t host_count;
    uint16_t port;
};
/** @return false to stop. */
typedef bool policy_listed_each(void *context, const struct policy_listed *listed);

/** Tell `each` about all targets, in the order of the file. */
void policy_targets(const struct policy *policy, policy_listed_each *each, void *context);

#endif
