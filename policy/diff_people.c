/* Who is alike: people of the same groups, on both sides, are decided alike. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/writer.h"
#include "diff_parts.h"

struct finding {
    struct arena *arena;
    const struct policy *const *sides;
    const char *only;
    struct diff_people *people;
};

static struct diff_member member_named(const struct policy *policy, const char *name)
{
    uint32_t number = 0;
    if (policy == NULL || names_find(&policy->people_by_name, cursor_of_text(name), &number) != ERR_NONE) {
        return (struct diff_member){.groups = NULL};
    }
    const struct person *person = &policy->people[number];
    return (struct diff_member){person->groups, person->group_count, person->is_machine};
}

static struct diff_member member_holding(const struct policy *policy, struct cursor principal)
{
    uint32_t number = 0;
    if (policy == NULL || names_find(&policy->principals_by_name, principal, &number) != ERR_NONE) {
        return (struct diff_member){.groups = NULL};
    }
    const struct principal *found = &policy->principals[number];
    return (struct diff_member){found->groups, found->group_count, false};
}

static bool is_wanted(const struct finding *finding, const char *name)
{
    return finding->only == NULL || strcmp(finding->only, name) == 0;
}

static void add_people_of(struct finding *finding, unsigned side)
{
    const struct policy *policy = finding->sides[side];
    for (size_t i = 0; policy != NULL && i < policy->people_count; i++) {
        const char *name = policy->people[i].name;
        struct diff_person person = {.name = name};
        for (unsigned other = 0; other < DIFF_SIDES; other++) {
            person.sides[other] = member_named(finding->sides[other], name);
        }
        if (is_wanted(finding, name) && (side == 0 || person.sides[0].groups == NULL)) {
            finding->people->all[finding->people->count++] = person;
        }
    }
}

/* Who is known by a certificate alone; who holds several principals, or has a name as well, has what each
 * gives. */
static enum err add_principals_of(struct finding *finding, unsigned side)
{
    const struct policy *policy = finding->sides[side];
    for (size_t i = 0; policy != NULL && i < policy->principal_count; i++) {
        struct cursor principal = policy->principals[i].name;
        struct diff_person person = {.name = NULL};
        for (unsigned other = 0; other < DIFF_SIDES; other++) {
            person.sides[other] = member_holding(finding->sides[other], principal);
        }
        char name[LIMIT_PRINCIPALS_BYTES + 16];
        size_t len = cursor_len(&principal);
        (void)snprintf(name, sizeof name, "principal %.*s", (int)len, (const char *)principal.at);
        uint8_t *wire = arena_array(finding->arena, len + 4, 1);
        person.name = arena_text(finding->arena, cursor_of_text(name));
        if (wire == NULL || person.name == NULL) {
            return ERR_MEMORY;
        }
        struct writer out = writer_of(wire, len + 4);
        writer_string(&out, principal);
        TRY(writer_done(&out, &person.principals));
        bool is_new = side == 0 || person.sides[0].groups == NULL;
        if (is_new &&
            (is_wanted(finding, person.name) || is_wanted(finding, person.name + strlen("principal ")))) {
            finding->people->all[finding->people->count++] = person;
        }
    }
    return ERR_NONE;
}

static int compare_members(const struct diff_member *a, const struct diff_member *b)
{
    if (a->groups == NULL || b->groups == NULL) {
        return (a->groups == NULL) - (b->groups == NULL);
    }
    if (a->group_count != b->group_count) {
        return a->group_count < b->group_count ? -1 : 1;
    }
    size_t size_bytes = a->group_count * sizeof a->groups[0];
    int order = size_bytes == 0 ? 0 : memcmp(a->groups, b->groups, size_bytes);
    return order != 0 ? order : a->is_machine - b->is_machine;
}

/* People and holders of principals are told apart, although they may be alike. */
static int compare_classes(const struct diff_person *a, const struct diff_person *b)
{
    int order = (cursor_len(&a->principals) > 0) - (cursor_len(&b->principals) > 0);
    for (unsigned side = 0; order == 0 && side < DIFF_SIDES; side++) {
        order = compare_members(&a->sides[side], &b->sides[side]);
    }
    return order;
}

static int compare_people(const void *a, const void *b)
{
    const struct diff_person *one = a;
    const struct diff_person *other = b;
    int order = compare_classes(one, other);
    return order != 0 ? order : strcmp(one->name, other->name);
}

enum err diff_people_find(struct arena *arena, const struct policy *const sides[DIFF_SIDES], const char *only,
                          struct diff_people *ret)
{
    size_t most = 0;
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        most += sides[side] == NULL ? 0 : sides[side]->people_count + sides[side]->principal_count;
    }
    *ret = (struct diff_people){.all = arena_array(arena, most, sizeof *ret->all),
                                .names = arena_array(arena, most, sizeof *ret->names)};
    if (ret->all == NULL || ret->names == NULL) {
        return ERR_MEMORY;
    }
    struct finding finding = {arena, sides, only, ret};
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        add_people_of(&finding, side);
        TRY(add_principals_of(&finding, side));
    }
    if (only != NULL && ret->count == 0) {
        return ERR_NOT_FOUND;
    }
    qsort(ret->all, ret->count, sizeof *ret->all, compare_people);
    for (size_t i = 0; i < ret->count; i++) {
        bool is_same = i > 0 && compare_classes(&ret->all[i - 1], &ret->all[i]) == 0;
        ret->all[i].class = i == 0 ? 0 : ret->all[i - 1].class + (is_same ? 0 : 1);
        ret->names[i] = ret->all[i].name;
    }
    return ERR_NONE;
}
