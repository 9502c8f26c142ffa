/* One line of a policy test, also typed at `bastion policy explain`: "shell node1 as ec2-user",
 * "exec node1 as deploy: /usr/local/bin/deploy api 1.2", "connect node1:2222",
 * "forward node1 as ec2-user: localhost:9090", "db orders-db/orders as orders_rw". */
#ifndef POLICY_LINE_H
#define POLICY_LINE_H

#include "policy/policy.h"

struct policy_line {
    enum policy_action action;
    char host[LIMIT_HOST_BYTES];
    uint16_t port;                     /* 22 when the line names none */
    bool has_port;                     /* the line names one */
    char account[LIMIT_DB_NAME_BYTES]; /* "" when the line names none */
    struct cursor database;            /* of "db orders-db/orders"; borrowed from the text */
    struct cursor command;             /* or the place of a forward; borrowed from the text */
};
/** @param ret_reason  on error: a constant sentence fragment. @return ERR_MALFORMED. */
MUST_CHECK enum err policy_line_read(struct cursor text, struct policy_line *ret, const char **ret_reason);

/** A line may name a target instead of a host: then its first host and its port are put in. A "*" in that
 * host becomes "x". A host without port is looked for at the usual ports of all kinds. */
void policy_line_resolve(const struct policy *policy, struct policy_line *line);

#endif
