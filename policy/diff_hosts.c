/* Which hosts are alike: those that lie in the same target, on both sides. A pattern stands for the hosts
 * that it matches and nothing narrower does; where two patterns of the two sides cross, what both match is a
 * host of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host_pattern.h"
#include "base/text.h"
#include "diff_parts.h"

struct finding {
    struct arena *arena;
    const struct policy *const *sides;
    const char *only;
    struct diff_hosts *hosts;
    size_t capacity;
};

static struct cursor name_of_pattern(struct cursor pattern, char name[static LIMIT_HOST_BYTES])
{
    size_t len = cursor_len(&pattern);
    for (size_t i = 0; i < len && i < LIMIT_HOST_BYTES; i++) {
        name[i] = (char)(pattern.at[i] == '*' ? 'x' : pattern.at[i]);
    }
    return cursor_of(name, len < LIMIT_HOST_BYTES ? len : 0);
}

static bool is_wanted(const struct finding *finding, const struct diff_host *host, struct cursor name)
{
    if (finding->only == NULL) {
        return true;
    }
    struct cursor only = cursor_of_text(finding->only);
    bool is_named = cursor_equal(only, host->pattern) || cursor_equal(only, name) ||
                    (host_pattern_has_wildcard(host->pattern) && host_pattern_matches(host->pattern, only));
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        is_named =
            is_named || (host->number[side] != DIFF_NONE &&
                         strcmp(finding->sides[side]->targets[host->number[side]].name, finding->only) == 0);
    }
    return is_named;
}

static enum err add(struct finding *finding, struct cursor pattern, uint16_t port)
{
    struct diff_hosts *hosts = finding->hosts;
    if (hosts->count == finding->capacity) {
        size_t capacity = finding->capacity == 0 ? 64 : 2 * finding->capacity;
        struct diff_host *more = arena_array(finding->arena, capacity, sizeof *more);
        if (more == NULL) {
            return ERR_MEMORY;
        }
        if (hosts->count > 0) {
            memcpy(more, hosts->all, hosts->count * sizeof *more);
        }
        hosts->all = more;
        finding->capacity = capacity;
    }
    char text[LIMIT_HOST_BYTES];
    struct cursor name = name_of_pattern(pattern, text);
    struct diff_host *host = &hosts->all[hosts->count];
    *host = (struct diff_host){.pattern = pattern, .port = port};
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        const struct policy *policy = finding->sides[side];
        host->number[side] = policy == NULL ? DIFF_NONE : host_index_find(policy, name, port);
    }
    hosts->count += is_wanted(finding, host, name) ? 1 : 0;
    return ERR_NONE;
}

static enum err add_side(struct finding *finding, const struct policy *policy)
{
    for (size_t i = 0; policy != NULL && i < policy->target_count; i++) {
        const struct target *target = &policy->targets[i];
        for (size_t j = 0; j < target->host_count; j++) {
            TRY(add(finding, target->hosts[j], target->port));
        }
    }
    return ERR_NONE;
}

/* What two patterns both match, label by label; each has one "*" at most. */
static enum err cross(struct finding *finding, struct cursor a, struct cursor b, uint16_t port)
{
    char both[LIMIT_HOST_BYTES] = "";
    size_t used = 0;
    while (cursor_len(&a) > 0 && cursor_len(&b) > 0) {
        struct cursor one = {a.at, a.end};
        struct cursor other = {b.at, b.end};
        bool has_more = host_pattern_drop_label(&a);
        (void)host_pattern_drop_label(&b);
        one.end = has_more ? a.at - 1 : a.at;
        other.end = cursor_len(&b) > 0 ? b.at - 1 : b.at;
        char label[LIMIT_HOST_BYTES];
        host_pattern_cross_labels(one, other, label);
        int len = snprintf(both + used, sizeof both - used, "%s%s", label, has_more ? "." : "");
        if (len < 0 || (size_t)len >= sizeof both - used) {
            return ERR_NONE; /* no name can be as long */
        }
        used += (size_t)len;
    }
    char *text = arena_text(finding->arena, cursor_of_text(both));
    return text == NULL ? ERR_MEMORY : add(finding, cursor_of_text(text), port);
}

static enum err cross_with(struct finding *finding, struct cursor pattern, uint16_t port)
{
    const struct policy *after = finding->sides[1];
    for (size_t i = 0; i < after->hosts.count; i++) {
        const struct host_entry *entry = &after->hosts.entries[i];
        bool is_other = host_pattern_has_wildcard(entry->pattern) && !cursor_equal(entry->pattern, pattern);
        if (is_other && after->targets[entry->target].port == port &&
            host_pattern_overlaps(entry->pattern, pattern)) {
            TRY(cross(finding, pattern, entry->pattern, port));
        }
    }
    return ERR_NONE;
}

static enum err cross_sides(struct finding *finding)
{
    const struct policy *before = finding->sides[0];
    for (size_t i = 0; before != NULL && finding->sides[1] != NULL && i < before->hosts.count; i++) {
        const struct host_entry *entry = &before->hosts.entries[i];
        if (host_pattern_has_wildcard(entry->pattern)) {
            TRY(cross_with(finding, entry->pattern, before->targets[entry->target].port));
        }
    }
    return ERR_NONE;
}

static int compare_numbers(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

static int compare_classes(const struct diff_host *a, const struct diff_host *b)
{
    int order = 0;
    for (unsigned side = DIFF_SIDES; order == 0 && side-- > 0;) {
        order = compare_numbers(a->number[side], b->number[side]);
    }
    return order;
}

static int compare_hosts(const void *a, const void *b)
{
    const struct diff_host *one = a;
    const struct diff_host *other = b;
    int order = compare_classes(one, other);
    if (order == 0) {
        size_t len = cursor_len(&one->pattern);
        size_t other_len = cursor_len(&other->pattern);
        order = memcmp(one->pattern.at, other->pattern.at, len < other_len ? len : other_len);
        order = order != 0 ? order : (len > other_len) - (len < other_len);
    }
    return order;
}

enum err diff_hosts_find(struct arena *arena, const struct policy *const sides[DIFF_SIDES], const char *only,
                         struct diff_hosts *ret)
{
    *ret = (struct diff_hosts){0};
    struct finding finding = {.arena = arena, .sides = sides, .only = only, .hosts = ret};
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        TRY(add_side(&finding, sides[side]));
    }
    TRY(cross_sides(&finding));
    if (ret->count == 0) {
        return only == NULL ? ERR_NONE : ERR_NOT_FOUND;
    }
    qsort(ret->all, ret->count, sizeof *ret->all, compare_hosts);
    size_t kept = 0;
    for (size_t i = 0; i < ret->count; i++) {
        struct diff_host *host = &ret->all[i];
        bool is_first = kept == 0;
        if (!is_first && compare_hosts(&ret->all[kept - 1], host) == 0) {
            continue; /* both sides list it */
        }
        bool is_same = !is_first && compare_classes(&ret->all[kept - 1], host) == 0;
        host->class = is_first ? 0 : ret->all[kept - 1].class + (is_same ? 0 : 1);
        ret->all[kept++] = *host;
    }
    ret->count = kept;
    ret->patterns = arena_array(arena, kept, sizeof *ret->patterns);
    if (ret->patterns == NULL) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < kept; i++) {
        ret->patterns[i] = ret->all[i].pattern;
    }
    return ERR_NONE;
}
