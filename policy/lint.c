/* Rules that add nothing: another one gives all of it, to all of the same people, under no harder conditions.
 */
#include <string.h>

#include "loader.h"

enum { WORD_BITS = 64 };

static bool has_bit(const uint64_t *row, size_t entry)
{
    return (row[entry / WORD_BITS] >> entry % WORD_BITS & 1) != 0;
}

static bool lists_cover(const struct can *wide, const struct can *narrow)
{
    bool has_exec = wide->exec == GRANT_EXEC_ANY || narrow->exec == GRANT_EXEC_NONE ||
                    (wide->exec == narrow->exec && cursor_equal(wide->patterns, narrow->patterns));
    bool has_files = wide->sftp >= narrow->sftp &&
                     (wide->sftp == GRANT_SFTP_WRITE || cursor_equal(wide->paths, narrow->paths));
    bool has_forward = wide->forward >= narrow->forward && wide->remote_forward >= narrow->remote_forward;
    bool has_places = cursor_len(&narrow->places) == 0 || cursor_equal(wide->places, narrow->places);
    bool has_names = cursor_equal(wide->db_users, narrow->db_users) &&
                     cursor_equal(wide->db_databases, narrow->db_databases);
    return has_exec && has_files && has_forward && has_places && has_names;
}

static bool hours_are_same(const struct rule *a, const struct rule *b)
{
    for (size_t i = 0; a->hours_count == b->hours_count && i < a->hours_count; i++) {
        if (!cursor_equal(a->hours[i].text, b->hours[i].text)) {
            return false;
        }
    }
    return a->hours_count == b->hours_count;
}

static bool networks_are_same(const struct rule *a, const struct rule *b)
{
    for (size_t i = 0; a->from_count == b->from_count && i < a->from_count; i++) {
        if (!network_contains(&a->from[i], &b->from[i]) || !network_contains(&b->from[i], &a->from[i])) {
            return false;
        }
    }
    return a->from_count == b->from_count;
}

static bool is_no_harder(const struct rule *wide, const struct rule *narrow)
{
    bool has_factor =
        wide->mfa_age_s == 0 || (narrow->mfa_age_s != 0 && wide->mfa_age_s >= narrow->mfa_age_s &&
                                 (wide->is_key_factor || !narrow->is_key_factor));
    bool has_until = wide->until_s == 0 || (narrow->until_s != 0 && wide->until_s >= narrow->until_s);
    bool has_reason =
        wide->reason == NULL || (narrow->reason != NULL && strcmp(wide->reason, narrow->reason) == 0);
    return has_factor && has_until && has_reason && wide->key <= narrow->key &&
           (wide->hours_count == 0 || hours_are_same(wide, narrow)) &&
           (wide->from_count == 0 || networks_are_same(wide, narrow));
}

/* Limits and recording of a rule have an effect of their own, whatever else it gives. */
static bool treats_alike(const struct rule *a, const struct rule *b)
{
    return a->record.exec_cap_bytes == b->record.exec_cap_bytes &&
           a->record.exec_is_counted == b->record.exec_is_counted && a->record.input == b->record.input &&
           a->record.sftp == b->record.sftp && a->record.params == b->record.params &&
           a->limits.session_s == b->limits.session_s && a->limits.idle_s == b->limits.idle_s &&
           a->limits.connections == b->limits.connections && a->limits.channels == b->limits.channels;
}

static bool accounts_cover(const struct rule *wide, const struct rule *narrow)
{
    for (size_t i = 0; i < narrow->account_count; i++) {
        size_t j = 0;
        while (j < wide->account_count && !cursor_equal(wide->accounts[j], narrow->accounts[i])) {
            j++;
        }
        if (j == wide->account_count) {
            return false;
        }
    }
    return true;
}

static bool reach_covers(const struct policy *policy, size_t wide, size_t narrow)
{
    const struct bit_table *table = &policy->rule_bits;
    for (size_t i = 0; i < policy->rules[narrow].group_count; i++) {
        if (!has_bit(bit_table_row(table->by_group, table, policy->rules[narrow].groups[i]), wide)) {
            return false;
        }
    }
    for (uint32_t target = 0; target < policy->target_count; target++) {
        const uint64_t *row = bit_table_row(table->by_target, table, target);
        if (has_bit(row, narrow) && !has_bit(row, wide)) {
            return false;
        }
    }
    return true;
}

static bool covers(const struct policy *policy, size_t wide, size_t narrow)
{
    const struct rule *a = &policy->rules[wide];
    const struct rule *b = &policy->rules[narrow];
    return (can_bits(&b->can) & ~can_bits(&a->can)) == 0 && is_no_harder(a, b) &&
           lists_cover(&a->can, &b->can) && treats_alike(a, b) && accounts_cover(a, b) &&
           reach_covers(policy, wide, narrow);
}

static bool are_same(const struct policy *policy, size_t one, size_t other)
{
    return covers(policy, one, other) && covers(policy, other, one);
}

/* @return the first rule that makes the rule needless; of two that are the same the later one is. */
static size_t find_wider(const struct policy *policy, size_t narrow)
{
    const struct bit_table *table = &policy->rule_bits;
    const uint64_t *row = bit_table_row(table->by_group, table, policy->rules[narrow].groups[0]);
    for (size_t word = 0; word < table->word_count; word++) {
        for (uint64_t bits = row[word]; bits != 0; bits &= bits - 1) {
            size_t wide = word * WORD_BITS + (size_t)__builtin_ctzll(bits);
            if (wide != narrow && covers(policy, wide, narrow) &&
                (wide < narrow || !are_same(policy, wide, narrow))) {
                return wide;
            }
        }
    }
    return narrow;
}

void lint_rules(struct loader *loader)
{
    const struct policy *policy = loader->policy;
    for (size_t i = 0; i < policy->rule_count; i++) {
        size_t wider = find_wider(policy, i);
        if (wider != i) {
            unsigned line = 0;
            const char *file_name = policy_place(policy, policy->rules[wider].line, &line);
            yaml_report_warning(loader->report, policy->rules[i].line, policy->rules[i].column,
                                "rule \"%s\" adds nothing: rule \"%s\" (%s:%u) gives all of it",
                                policy->rules[i].id, policy->rules[wider].id, file_name, line);
        }
    }
}
