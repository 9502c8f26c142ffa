#include "policy/targets.h"

#include "model.h"

static struct policy_target view(const struct target *target)
{
    return (struct policy_target){
        .kind = target->kind,
        .name = target->name,
        .networks = target->networks,
        .network_count = target->network_count,
        .known_hosts = target->known_hosts,
        .host_cas = target->host_cas,
        .host_ca_count = target->host_ca_count,
        .database = target->database,
        .service = target->service,
    };
}

enum err policy_target(const struct policy *policy, const char *host, uint16_t port,
                       struct policy_target *ret)
{
    uint32_t number = host_index_find(policy, cursor_of_text(host), port);
    if (number == HOST_NONE) {
        return ERR_NOT_FOUND;
    }
    *ret = view(&policy->targets[number]);
    return ERR_NONE;
}

void policy_targets(const struct policy *policy, policy_listed_each *each, void *context)
{
    for (size_t i = 0; i < policy->target_count; i++) {
        const struct target *target = &policy->targets[i];
        const struct policy_listed listed = {.target = view(target),
                                             .hosts = target->hosts,
                                             .host_count = target->host_count,
                                             .port = target->port};
        if (!each(context, &listed)) {
            return;
        }
    }
}
