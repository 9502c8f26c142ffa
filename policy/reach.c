#include "policy/reach.h"

#include <stdio.h>
#include <string.h>

#include "model.h"

/* One walk over all targets of one person. */
struct reaching {
    const struct policy *policy;
    struct policy_request request;
    const struct policy_factor *factor;
    char host[LIMIT_HOST_BYTES];
    char account[LIMIT_ACCOUNT_BYTES];
    struct policy_decision now, fresh;
};

/* Some host that the target lists: deciding wants one, and all of a target are decided alike. */
static void name_host(struct reaching *reaching, const struct target *target)
{
    struct cursor pattern = target->hosts[0];
    size_t len = cursor_len(&pattern);
    (void)snprintf(reaching->host, sizeof reaching->host, "%.*s", (int)len, (const char *)pattern.at);
    for (char *at = reaching->host; *at != 0; at++) {
        if (*at == '*') {
            *at = 'x';
        }
    }
    reaching->request.host = reaching->host;
    reaching->request.port = target->port;
}

/* @return whether the account may be used, now or with a fresh factor. */
static bool decide_both(struct reaching *reaching, const char *account)
{
    static const struct policy_factor FRESH = {.has = true};
    reaching->request.account = account;
    reaching->request.factor = reaching->factor;
    reaching->request.assume_reason = false;
    policy_decide(reaching->policy, &reaching->request, &reaching->now);
    if (reaching->now.verdict == POLICY_DENIED) {
        return false;
    }
    reaching->request.factor = &FRESH;
    reaching->request.assume_reason = true;
    policy_decide(reaching->policy, &reaching->request, &reaching->fresh);
    return reaching->fresh.verdict == POLICY_ALLOWED;
}

static bool tell(struct reaching *reaching, const struct target *target, const char *account,
                 policy_reach_each *each, void *context)
{
    if (!decide_both(reaching, account)) {
        return true;
    }
    const struct policy_reach reach = {
        .target = target->name,
        .hosts = target->hosts,
        .host_count = target->host_count,
        .port = target->port,
        .kind = target->kind,
        .client_tls = target->database.client_tls,
        .account = account,
        .grant = &reaching->fresh.grant,
        .needs_factor = reaching->now.verdict == POLICY_NEEDS_FACTOR,
        .factor_max_age_s = reaching->now.factor_max_age_s,
        .factor_adds = reaching->now.factor_adds,
        .needs_reason = reaching->now.needs_reason,
    };
    return each(context, &reach);
}

static bool tell_accounts(struct reaching *reaching, const struct target *target, policy_reach_each *each,
                          void *context)
{
    if (target->account_count == 0) {
        return tell(reaching, target, "", each, context);
    }
    for (size_t i = 0; i < target->account_count; i++) {
        (void)snprintf(reaching->account, sizeof reaching->account, "%.*s",
                       (int)cursor_len(&target->accounts[i]), (const char *)target->accounts[i].at);
        if (!tell(reaching, target, reaching->account, each, context)) {
            return false;
        }
    }
    return true;
}

void policy_reach(const struct policy *policy, const char *person, const char *from,
                  const struct policy_factor *factor, enum policy_key key, int64_t at_s,
                  policy_reach_each *each, void *context)
{
    struct reaching reaching = {
        .policy = policy,
        .request = {.person = person, .from = from, .action = POLICY_ANY, .at_s = at_s, .key = key},
        .factor = factor,
    };
    bool goes_on = true;
    for (size_t i = 0; goes_on && i < policy->target_count; i++) {
        const struct target *target = &policy->targets[i];
        name_host(&reaching, target);
        /* A target that no rule gives on any account costs one decision, not one for each account. */
        if (decide_both(&reaching, "")) {
            goes_on = tell_accounts(&reaching, target, each, context);
        }
    }
}
