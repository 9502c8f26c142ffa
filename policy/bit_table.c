#include "model.h"

enum { WORD_BITS = 64 };

static void set_bit(uint64_t *rows, const struct bit_table *table, uint32_t number, size_t entry)
{
    rows[(size_t)number * table->word_count + entry / WORD_BITS] |= UINT64_C(1) << entry % WORD_BITS;
}

static MUST_CHECK enum err table_init(struct policy *policy, struct bit_table *table, size_t entry_count)
{
    table->entry_count = entry_count;
    table->word_count = (entry_count + WORD_BITS - 1) / WORD_BITS;
    size_t row_bytes = table->word_count * sizeof(uint64_t);
    table->by_group = arena_array(&policy->arena, policy->group_count, row_bytes);
    table->by_target = arena_array(&policy->arena, policy->target_count, row_bytes);
    return table->by_group == NULL || table->by_target == NULL ? ERR_MEMORY : ERR_NONE;
}

static bool any_covers(const struct policy *policy, const struct selector *selectors, size_t count,
                       uint32_t target)
{
    for (size_t i = 0; i < count; i++) {
        if (selector_covers(&selectors[i], policy, target)) {
            return true;
        }
    }
    return false;
}

/* Most rules name targets, which takes no search; only labels need a look at every target. */
static void add_targets(const struct policy *policy, struct bit_table *table,
                        const struct selector *selectors, size_t count, size_t entry)
{
    bool has_labels = count == 0;
    for (size_t i = 0; i < count; i++) {
        has_labels = has_labels || !selectors[i].is_target;
        if (selectors[i].is_target) {
            set_bit(table->by_target, table, selectors[i].target, entry);
        }
    }
    for (uint32_t target = 0; has_labels && target < policy->target_count; target++) {
        if (count == 0 || any_covers(policy, selectors, count, target)) {
            set_bit(table->by_target, table, target, entry);
        }
    }
}

static void add_groups(const struct policy *policy, struct bit_table *table, const uint32_t *groups,
                       size_t count, size_t entry)
{
    for (size_t i = 0; i < count; i++) {
        set_bit(table->by_group, table, groups[i], entry);
    }
    for (uint32_t group = 0; count == 0 && group < policy->group_count; group++) {
        set_bit(table->by_group, table, group, entry);
    }
}

enum err bit_table_of_rules(struct policy *policy)
{
    TRY(table_init(policy, &policy->rule_bits, policy->rule_count));
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        add_groups(policy, &policy->rule_bits, rule->groups, rule->group_count, i);
        add_targets(policy, &policy->rule_bits, rule->targets, rule->target_count, i);
    }
    return ERR_NONE;
}

enum err bit_table_of_nevers(struct policy *policy)
{
    TRY(table_init(policy, &policy->never_bits, policy->never_count));
    for (size_t i = 0; i < policy->never_count; i++) {
        const struct never *never = &policy->nevers[i];
        add_groups(policy, &policy->never_bits, never->groups, never->group_count, i);
        add_targets(policy, &policy->never_bits, never->targets, never->target_count, i);
    }
    return ERR_NONE;
}
