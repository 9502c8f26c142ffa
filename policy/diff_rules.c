/* The rules that concern a person and a target, and whether both sides have the same ones. */
#include <string.h>

#include "diff_parts.h"

enum { WORD_BITS = 64 };

static uint64_t bits_at(const struct bit_table *table, const struct diff_member *member, uint32_t target,
                        size_t word)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < member->group_count; i++) {
        bits |= bit_table_row(table->by_group, table, member->groups[i])[word];
    }
    return bits & bit_table_row(table->by_target, table, target)[word];
}

enum err diff_rules_find(struct arena *arena, const struct policy *policy, const struct diff_member *member,
                         uint32_t target, struct diff_rules *ret)
{
    *ret = (struct diff_rules){0};
    if (policy == NULL || member->groups == NULL || target == DIFF_NONE) {
        return ERR_NONE;
    }
    const struct bit_table *table = &policy->rule_bits;
    for (size_t word = 0; word < table->word_count; word++) {
        ret->count += (size_t)__builtin_popcountll(bits_at(table, member, target, word));
    }
    ret->rules = arena_array(arena, ret->count, sizeof(void *));
    if (ret->rules == NULL) {
        return ERR_MEMORY;
    }
    size_t found = 0;
    for (size_t word = 0; word < table->word_count; word++) {
        for (uint64_t bits = bits_at(table, member, target, word); bits != 0; bits &= bits - 1) {
            ret->rules[found++] = &policy->rules[word * WORD_BITS + (size_t)__builtin_ctzll(bits)];
        }
    }
    return ERR_NONE;
}

static bool prints_equal(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, POLICY_HASH_BYTES) == 0;
}

/* The texts of a rule name networks; what they mean may have changed. */
static bool sources_equal(const struct rule *a, const struct rule *b)
{
    size_t size_bytes = a->from_count * sizeof a->from[0];
    return a->from_count == b->from_count && (size_bytes == 0 || memcmp(a->from, b->from, size_bytes) == 0);
}

static bool nevers_equal(const struct policy *const sides[DIFF_SIDES],
                         const struct diff_member members[DIFF_SIDES], const uint32_t targets[DIFF_SIDES])
{
    unsigned denied[DIFF_SIDES] = {0};
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        const struct policy *policy = sides[side];
        const struct bit_table *table = &policy->never_bits;
        for (size_t word = 0; word < table->word_count; word++) {
            uint64_t bits = bits_at(table, &members[side], targets[side], word);
            for (; bits != 0; bits &= bits - 1) {
                denied[side] |= policy->nevers[word * WORD_BITS + (size_t)__builtin_ctzll(bits)].deny;
            }
        }
    }
    return denied[0] == denied[1];
}

bool diff_rules_equal(const struct policy *const sides[DIFF_SIDES],
                      const struct diff_member members[DIFF_SIDES], const uint32_t targets[DIFF_SIDES],
                      const struct diff_rules rules[DIFF_SIDES])
{
    if (rules[0].count == 0 && rules[1].count == 0) {
        return true;
    }
    bool has_both = sides[0] != NULL && sides[1] != NULL && members[0].groups != NULL &&
                    members[1].groups != NULL && targets[0] != DIFF_NONE && targets[1] != DIFF_NONE;
    if (!has_both || rules[0].count != rules[1].count) {
        return false;
    }
    if (members[0].is_machine != members[1].is_machine ||
        !prints_equal(sides[0]->targets[targets[0]].fingerprint, sides[1]->targets[targets[1]].fingerprint)) {
        return false;
    }
    for (size_t i = 0; i < rules[0].count; i++) {
        const struct rule *one = rules[0].rules[i];
        const struct rule *other = rules[1].rules[i];
        if (!prints_equal(one->fingerprint, other->fingerprint) || !sources_equal(one, other)) {
            return false;
        }
    }
    return nevers_equal(sides, members, targets);
}
