/* Who is alike: people of the same groups, on both sides, are decided alike. */
#include <stdlib.h>
#include <string.h>

#include "diff_parts.h"

struct finding {
    struct arena *arena;
    const struct policy *const *sides;
    const char *only;
    struct diff_people *people;
};

static uint32_t find_in(const struct policy *policy, const char *name)
{
    uint32_t number = DIFF_NONE;
    if (policy == NULL || names_find(&policy->people_by_name, cursor_of_text(name), &number) != ERR_NONE) {
        return DIFF_NONE;
    }
    return number;
}

static void add(struct finding *finding, const char *name)
{
    struct diff_person *person = &finding->people->all[finding->people->count++];
    person->name = name;
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        person->number[side] = find_in(finding->sides[side], name);
    }
}

static void add_side(struct finding *finding, unsigned side)
{
    const struct policy *policy = finding->sides[side];
    for (size_t i = 0; policy != NULL && i < policy->people_count; i++) {
        const char *name = policy->people[i].name;
        bool is_wanted = finding->only == NULL || strcmp(finding->only, name) == 0;
        if (is_wanted && (side == 0 || find_in(finding->sides[0], name) == DIFF_NONE)) {
            add(finding, name);
        }
    }
}

static int compare_groups(const struct policy *policy, uint32_t a, uint32_t b)
{
    if (a == DIFF_NONE || b == DIFF_NONE) {
        return (a == DIFF_NONE) - (b == DIFF_NONE);
    }
    const struct person *one = &policy->people[a];
    const struct person *other = &policy->people[b];
    if (one->group_count != other->group_count) {
        return one->group_count < other->group_count ? -1 : 1;
    }
    size_t size_bytes = one->group_count * sizeof one->groups[0];
    return size_bytes == 0 ? 0 : memcmp(one->groups, other->groups, size_bytes);
}

static int compare_classes(const struct diff_person *a, const struct diff_person *b,
                           const struct policy *const sides[DIFF_SIDES])
{
    int order = 0;
    for (unsigned side = 0; order == 0 && side < DIFF_SIDES; side++) {
        order = compare_groups(sides[side], a->number[side], b->number[side]);
    }
    return order;
}

static int compare_people(const void *a, const void *b, void *context)
{
    const struct diff_person *one = a;
    const struct diff_person *other = b;
    const struct finding *finding = context;
    int order = compare_classes(one, other, finding->sides);
    return order != 0 ? order : strcmp(one->name, other->name);
}

enum err diff_people_find(struct arena *arena, const struct policy *const sides[DIFF_SIDES], const char *only,
                          struct diff_people *ret)
{
    size_t most = 0;
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        most += sides[side] == NULL ? 0 : sides[side]->people_count;
    }
    *ret = (struct diff_people){.all = arena_array(arena, most, sizeof *ret->all),
                                .names = arena_array(arena, most, sizeof *ret->names)};
    if (ret->all == NULL || ret->names == NULL) {
        return ERR_MEMORY;
    }
    struct finding finding = {arena, sides, only, ret};
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        add_side(&finding, side);
    }
    if (only != NULL && ret->count == 0) {
        return ERR_NOT_FOUND;
    }
    qsort_r(ret->all, ret->count, sizeof *ret->all, compare_people, &finding);
    for (size_t i = 0; i < ret->count; i++) {
        bool is_same = i > 0 && compare_classes(&ret->all[i - 1], &ret->all[i], sides) == 0;
        ret->all[i].class = i == 0 ? 0 : ret->all[i - 1].class + (is_same ? 0 : 1);
        ret->names[i] = ret->all[i].name;
    }
    return ERR_NONE;
}
