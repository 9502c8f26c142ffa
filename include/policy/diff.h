/* What changes for whom when one policy takes the place of another; and, held against no policy at all, who
 * may do what: the access matrix.
 *
 * Every person, host, account, action and condition that either file can tell apart is asked of both policies
 * by policy_decide(), so the answer is about decisions and not about texts: a rule that is split, renamed or
 * moved changes nothing. Addresses, commands, paths and places have no end; of each set that the files can
 * tell apart, one example stands for all. A command, path or place is a set of its own for every pattern that
 * either file lists, and one for all others. */
#ifndef POLICY_DIFF_H
#define POLICY_DIFF_H

#include "policy/policy.h"

enum policy_change_kind { POLICY_GAIN, POLICY_LOSS };

/** One right of some people on some hosts. Everything is borrowed for the call. */
struct policy_change {
    enum policy_change_kind kind;
    const char *const *people; /* who are in the same groups, in both policies */
    size_t people_count;
    const struct cursor *hosts; /* that lie in the same target, in both policies; patterns may hold a "*" */
    size_t host_count;
    uint16_t port;
    const char *target;  /* its name in the policy that allows it */
    const char *account; /* "" where there is none */
    const char *what;    /* "shell", "exec: /usr/bin/systemctl status *" */
    const char *when;    /* "from vpn; factor up to 15m"; "" for always */
    const char *rule;    /* a rule that gives it, of the policy that allows it */
    const struct policy_request *example;
    const void *pair; /* for policy_change_concerns() */
};
/** @return false to stop. */
typedef bool policy_change_each(void *context, const struct policy_change *change);

/** Does the change speak of this request? Who, where, as whom, which action, and the conditions are compared;
 * what is asked of the action (a command, a path) is not. During the call of `each` only. */
bool policy_change_concerns(const struct policy_change *change, const struct policy_request *request);

/** What is looked at. NULL: everybody, every host. */
struct policy_diff_scope {
    const char *person;
    const char *host; /* the name of a host or of a target of either policy */
};

/**
 * Tell `each` about every right that is gained or lost, people by people, target by target.
 * @param before  NULL: a policy that allows nothing
 * @param at_s    the moment that conditions of time are asked for
 * @return ERR_NOT_FOUND when the scope names somebody or something that neither policy knows;
 *         ERR_TOO_LARGE when the conditions of one access have too many combinations; ERR_MEMORY.
 */
MUST_CHECK enum err policy_diff(const struct policy *before, const struct policy *after,
                                const struct policy_diff_scope *scope, int64_t at_s, policy_change_each *each,
                                void *context);

#endif
