/* In which groups somebody is: by name, and by the principals of a certificate. */
#include "base/names.h"
#include "model.h"

static bool add_group(struct membership *membership, uint32_t group)
{
    for (size_t i = 0; i < membership->count; i++) {
        if (membership->groups[i] == group) {
            return true;
        }
    }
    if (membership->count == MEMBERSHIP_GROUPS_MAX) {
        return false;
    }
    membership->groups[membership->count++] = group;
    return true;
}

static bool add_groups(struct membership *membership, const uint32_t *groups, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!add_group(membership, groups[i])) {
            return false;
        }
    }
    return true;
}

enum err membership_of(const struct policy *policy, const char *person, struct cursor principals,
                       struct membership *ret)
{
    uint32_t number = 0;
    ret->count = 0;
    ret->person = NULL;
    if (names_find(&policy->people_by_name, cursor_of_text(person), &number) == ERR_NONE) {
        ret->person = &policy->people[number];
        if (!add_groups(ret, ret->person->groups, ret->person->group_count)) {
            return ERR_TOO_LARGE;
        }
    }
    while (policy->principal_count > 0 && cursor_len(&principals) > 0) {
        struct cursor name;
        TRY(cursor_string(&principals, LIMIT_PRINCIPALS_BYTES, &name));
        if (names_find(&policy->principals_by_name, name, &number) == ERR_NONE &&
            !add_groups(ret, policy->principals[number].groups, policy->principals[number].group_count)) {
            return ERR_TOO_LARGE;
        }
    }
    return ret->count == 0 ? ERR_NOT_FOUND : ERR_NONE;
}
