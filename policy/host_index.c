#include "model.h"

#include "host_pattern.h"

enum { HOST_BYTES = LIMIT_HOST_BYTES };

/* Put an entry in front of the chain of `key`. */
static MUST_CHECK enum err add_entry(struct names *names, struct host_index *index, struct cursor key,
                                     uint32_t number)
{
    struct host_entry *entry = &index->entries[number];
    entry->next = HOST_END;
    uint32_t first = 0;
    if (names_find(names, key, &first) != ERR_NONE) {
        return names_add(names, key, number);
    }
    /* names_add() keeps a number for good: the first entry stays, the new one comes second. */
    entry->next = index->entries[first].next;
    index->entries[first].next = number;
    return ERR_NONE;
}

enum err host_index_build(struct policy *policy)
{
    struct host_index *index = &policy->hosts;
    size_t total = 0;
    for (size_t i = 0; i < policy->target_count; i++) {
        total += policy->targets[i].host_count;
    }
    index->entries = arena_array(&policy->arena, total, sizeof *index->entries);
    if (index->entries == NULL) {
        return ERR_MEMORY;
    }
    for (uint32_t target = 0; target < policy->target_count; target++) {
        for (size_t i = 0; i < policy->targets[target].host_count; i++) {
            struct cursor pattern = policy->targets[target].hosts[i];
            uint32_t number = (uint32_t)index->count++;
            index->entries[number] = (struct host_entry){.pattern = pattern, .target = target};
            bool is_literal = !host_pattern_has_wildcard(pattern);
            TRY(add_entry(is_literal ? &index->literals : &index->suffixes, index,
                          is_literal ? pattern : host_pattern_suffix(pattern), number));
        }
    }
    return ERR_NONE;
}

void host_index_done(struct host_index *index)
{
    names_done(&index->literals);
    names_done(&index->suffixes);
}

static uint32_t first_of(const struct names *names, struct cursor key)
{
    uint32_t first = HOST_END;
    return names_find(names, key, &first) == ERR_NONE ? first : HOST_END;
}

static uint32_t find_in_chain(const struct policy *policy, uint32_t number, struct cursor host, uint16_t port)
{
    for (; number != HOST_END; number = policy->hosts.entries[number].next) {
        const struct host_entry *entry = &policy->hosts.entries[number];
        if (policy->targets[entry->target].port == port && host_pattern_matches(entry->pattern, host)) {
            return entry->target;
        }
    }
    return HOST_NONE;
}

static bool to_lower(struct cursor text, char *ret_lower, struct cursor *ret)
{
    size_t len = cursor_len(&text);
    if (len == 0 || len >= HOST_BYTES) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        bool is_upper = text.at[i] >= 'A' && text.at[i] <= 'Z';
        ret_lower[i] = (char)(text.at[i] + (is_upper ? 'a' - 'A' : 0));
    }
    *ret = cursor_of(ret_lower, len);
    return true;
}

uint32_t host_index_find(const struct policy *policy, struct cursor host, uint16_t port)
{
    char lower[HOST_BYTES];
    struct cursor name;
    /* A host that is no valid pattern without "*" (an empty label, say) is in no policy. */
    if (!to_lower(host, lower, &name) || host_pattern_has_wildcard(name) ||
        host_pattern_check(name) != NULL) {
        return HOST_NONE;
    }
    uint32_t target = find_in_chain(policy, first_of(&policy->hosts.literals, name), name, port);
    struct cursor suffix = name;
    while (target == HOST_NONE && cursor_len(&suffix) > 0) {
        (void)host_pattern_drop_label(&suffix);
        target = find_in_chain(policy, first_of(&policy->hosts.suffixes, suffix), name, port);
    }
    return target;
}

/* @param is_twin  the chain is the one that the entry itself is in: each pair is told once, by the later one
 */
static const struct host_entry *overlap_in_chain(const struct policy *policy, uint32_t number, size_t entry,
                                                 bool is_twin)
{
    const struct host_entry *mine = &policy->hosts.entries[entry];
    for (; number != HOST_END; number = policy->hosts.entries[number].next) {
        const struct host_entry *other = &policy->hosts.entries[number];
        bool is_told_before = is_twin && number >= entry;
        bool has_same_port = policy->targets[other->target].port == policy->targets[mine->target].port;
        if (!is_told_before && has_same_port && host_pattern_overlaps(mine->pattern, other->pattern)) {
            return other;
        }
    }
    return NULL;
}

const struct host_entry *host_index_overlap(const struct policy *policy, size_t entry)
{
    const struct host_index *index = &policy->hosts;
    struct cursor pattern = index->entries[entry].pattern;
    bool is_literal = !host_pattern_has_wildcard(pattern);
    struct cursor suffix = host_pattern_suffix(pattern);
    const struct host_entry *other =
        is_literal ? overlap_in_chain(policy, first_of(&index->literals, pattern), entry, true)
                   : overlap_in_chain(policy, first_of(&index->suffixes, suffix), entry, true);
    /* Patterns with a longer literal end find this one when it is their turn. */
    while (other == NULL && cursor_len(&suffix) > 0) {
        (void)host_pattern_drop_label(&suffix);
        other = overlap_in_chain(policy, first_of(&index->suffixes, suffix), entry, false);
    }
    return other;
}
