#include "loader.h"

#include "host_pattern.h"

static void check_hosts(struct loader *loader)
{
    const struct policy *policy = loader->policy;
    size_t wildcards = 0;
    for (size_t i = 0; i < policy->hosts.count; i++) {
        wildcards += host_pattern_has_wildcard(policy->hosts.entries[i].pattern) ? 1 : 0;
    }
    if (wildcards > POLICY_WILDCARDS_MAX) {
        yaml_report_error(loader->report, 0, 0,
                          "the targets have %zu hosts with \"*\"; at most %d are allowed", wildcards,
                          POLICY_WILDCARDS_MAX);
        return;
    }
    for (size_t i = 0; i < policy->hosts.count; i++) {
        const struct host_entry *entry = &policy->hosts.entries[i];
        const struct host_entry *other = host_index_overlap(policy, i);
        if (other != NULL) {
            const struct target *target = &policy->targets[entry->target];
            LOADER_ERROR(loader, target,
                         "host \"%.64s\" of target \"%s\" overlaps \"%.64s\" of target \"%s\" on port %u",
                         (const char *)entry->pattern.at, target->name, (const char *)other->pattern.at,
                         policy->targets[other->target].name, target->port);
        }
    }
}

static void warn(struct loader *loader, unsigned line, unsigned column, const char *what, const char *name)
{
    yaml_report_warning(loader->report, line, column, "%s \"%s\" is in no rule", what, name);
}

static bool has_bits(const uint64_t *row, size_t word_count)
{
    for (size_t i = 0; i < word_count; i++) {
        if (row[i] != 0) {
            return true;
        }
    }
    return false;
}

static void warn_of_unused(struct loader *loader)
{
    const struct policy *policy = loader->policy;
    const struct bit_table *table = &policy->rule_bits;
    for (size_t i = 0; i < policy->network_set_count; i++) {
        const struct network_set *set = &policy->network_sets[i];
        if (!set->is_used) {
            yaml_report_warning(loader->report, set->line, set->column, "network \"%s\" is not used",
                                set->name);
        }
    }
    for (uint32_t i = 0; i < policy->group_count; i++) {
        if (!has_bits(bit_table_row(table->by_group, table, i), table->word_count)) {
            warn(loader, policy->groups[i].line, policy->groups[i].column, "group", policy->groups[i].name);
        }
    }
    for (uint32_t i = 0; i < policy->target_count; i++) {
        if (!has_bits(bit_table_row(table->by_target, table, i), table->word_count)) {
            warn(loader, policy->targets[i].line, policy->targets[i].column, "target",
                 policy->targets[i].name);
        }
    }
}

/* What `never` takes from every group of the rule, wherever it applies. */
static unsigned always_denied(const struct policy *policy, const struct rule *rule)
{
    unsigned denied = 0;
    for (size_t i = 0; i < policy->never_count; i++) {
        const struct never *never = &policy->nevers[i];
        bool covers = never->target_count == 0;
        for (size_t j = 0; covers && never->group_count > 0 && j < rule->group_count; j++) {
            const uint64_t *row =
                bit_table_row(policy->never_bits.by_group, &policy->never_bits, rule->groups[j]);
            covers = (row[i / 64] >> i % 64 & 1) != 0;
        }
        denied |= covers ? never->deny : 0;
    }
    return denied;
}

static void warn_of_dead_rules(struct loader *loader)
{
    const struct policy *policy = loader->policy;
    for (size_t i = 0; policy->never_count > 0 && i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if ((can_bits(&rule->can) & ~always_denied(policy, rule)) == 0) {
            yaml_report_warning(loader->report, rule->line, rule->column,
                                "rule \"%s\" has no effect: \"never\" takes all of it away", rule->id);
        }
    }
}

/* What the rules for one target list, in bytes of a grant. */
enum listed { LISTED_COMMANDS, LISTED_PLACES, LISTED_PATHS, LISTED_DATABASES, LISTED_KINDS };

static void add_listed(const struct can *can, size_t totals[static LISTED_KINDS])
{
    enum { ENTRY_BYTES = 10 }; /* of a struct grant_database, besides its names */
    size_t names = cursor_len(&can->db_users) + cursor_len(&can->db_databases);
    totals[LISTED_COMMANDS] += cursor_len(&can->patterns);
    totals[LISTED_PLACES] += cursor_len(&can->places);
    totals[LISTED_PATHS] += cursor_len(&can->paths);
    totals[LISTED_DATABASES] += names == 0 ? 0 : names + ENTRY_BYTES;
}

/* A grant holds so many bytes of each; what is more would be denied without a word. */
static void warn_of_many(struct loader *loader)
{
    static const struct {
        const char *what;
        size_t max_bytes;
    } KINDS[LISTED_KINDS] = {
        [LISTED_COMMANDS] = {"commands", GRANT_PATTERNS_BYTES},
        [LISTED_PLACES] = {"places for forwards", GRANT_PLACES_BYTES},
        [LISTED_PATHS] = {"paths for sftp", GRANT_PATHS_BYTES},
        [LISTED_DATABASES] = {"users and databases", GRANT_DATABASES_BYTES},
    };
    const struct policy *policy = loader->policy;
    const struct bit_table *table = &policy->rule_bits;
    for (uint32_t target = 0; target < policy->target_count; target++) {
        const uint64_t *row = bit_table_row(table->by_target, table, target);
        const struct target *found = &policy->targets[target];
        size_t totals[LISTED_KINDS] = {0};
        for (size_t i = 0; i < policy->rule_count; i++) {
            if ((row[i / 64] >> i % 64 & 1) != 0) {
                add_listed(&policy->rules[i].can, totals);
            }
        }
        for (size_t i = 0; i < LISTED_KINDS; i++) {
            if (totals[i] > KINDS[i].max_bytes) {
                yaml_report_warning(
                    loader->report, found->line, found->column,
                    "the rules for target \"%s\" list %zu bytes of %s; a person to whom more than %zu "
                    "bytes apply gets only the first ones",
                    found->name, totals[i], KINDS[i].what, KINDS[i].max_bytes);
            }
        }
    }
}

void check_policy(struct loader *loader)
{
    check_hosts(loader);
    warn_of_unused(loader);
    warn_of_dead_rules(loader);
    lint_rules(loader);
    warn_of_many(loader);
}
