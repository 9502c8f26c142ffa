#include "language.h"
#include "loader.h"

#include <string.h>

#include "base/text.h"

void load_networks(struct loader *loader, const struct yaml_node *section)
{
    struct policy *policy = loader->policy;
    if (section == NULL || !yaml_expect_map(loader->report, section, "networks")) {
        return;
    }
    policy->network_sets = loader_alloc(loader, section->count, sizeof *policy->network_sets);
    for (const struct yaml_node *value = section->first; value != NULL && !loader->is_out_of_memory;
         value = value->next) {
        if (!loader_is_id(loader, value->key, "a network name")) {
            continue;
        }
        /* Not yet in `network_sets`: a set cannot name another set. */
        struct network_set *set = &policy->network_sets[policy->network_set_count];
        *set = (struct network_set){.name = loader_text(loader, value->key),
                                    .key = value->key,
                                    .line = value->key->line,
                                    .column = value->key->column};
        loader_networks(loader, value, POLICY_NETWORKS_MAX, &set->networks, &set->count);
        policy->network_set_count++;
    }
    for (uint32_t i = 0; i < policy->network_set_count; i++) {
        const struct network_set *set = &policy->network_sets[i];
        enum err err = names_add(&loader->network_sets, cursor_of_text(set->name), i);
        uint32_t number = 0;
        if (err == ERR_STATE &&
            names_find(&loader->network_sets, cursor_of_text(set->name), &number) == ERR_NONE) {
            loader_refuse_twice(loader, set->key, policy->network_sets[number].line);
        }
        loader->is_out_of_memory = loader->is_out_of_memory || err == ERR_MEMORY;
    }
}

/* The number of a person, who is added when new. @return false on errors, which are reported. */
static bool person_number(struct loader *loader, const struct yaml_node *item, uint32_t *ret)
{
    struct policy *policy = loader->policy;
    if (!text_is_person(item->text)) {
        LOADER_ERROR(
            loader, item,
            "\"%.64s\" cannot be a person: a small letter, then small letters, digits and ._-, at most 32",
            NODE_TEXT(item));
        return false;
    }
    if (names_find(&policy->people_by_name, item->text, ret) == ERR_NONE) {
        return true;
    }
    if (policy->people_count == POLICY_PEOPLE_MAX) {
        LOADER_ERROR(loader, item, "these are more than %d people", POLICY_PEOPLE_MAX);
        return false;
    }
    struct person *person = &policy->people[policy->people_count];
    person->name = loader_text(loader, item);
    if (names_add(&policy->people_by_name, cursor_of_text(person->name), (uint32_t)policy->people_count) !=
        ERR_NONE) {
        loader->is_out_of_memory = true;
        return false;
    }
    *ret = (uint32_t)policy->people_count++;
    return true;
}

static void read_users(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    struct group *group = into;
    if (!loader_is_text_list(loader, value, SIZE_MAX)) {
        return;
    }
    group->people = loader_alloc(loader, value->count, sizeof *group->people);
    for (const struct yaml_node *item = value->first; item != NULL && !loader->is_out_of_memory;
         item = item->next) {
        if (person_number(loader, item, &group->people[group->people_count])) {
            group->people_count++;
        }
    }
}

/* What a certificate can name; people's own names are among them, and are for `users`. */
static void read_principals(void *context, const struct yaml_node *value, void *into)
{
    enum { PRINCIPAL_BYTES = 255 };
    struct loader *loader = context;
    struct group *group = into;
    if (!loader_is_text_list(loader, value, POLICY_GROUP_PRINCIPALS_MAX)) {
        return;
    }
    group->principals = loader_alloc(loader, value->count, sizeof *group->principals);
    for (const struct yaml_node *item = value->first; item != NULL && group->principals != NULL;
         item = item->next) {
        if (cursor_len(&item->text) > PRINCIPAL_BYTES ||
            memchr(item->text.at, ',', cursor_len(&item->text))) {
            LOADER_ERROR(loader, item, "\"%.64s\" cannot be a principal: at most %d bytes, no comma",
                         NODE_TEXT(item), PRINCIPAL_BYTES);
        }
        group->principals[group->principal_count++] = loader_copy(loader, item);
    }
}

static const struct yaml_field GROUP_FIELDS[] = {
    {.name = "users", .read = read_users, .schema = SCHEMA_TEXTS},
    {.name = "machine", .type = YAML_FIELD_BOOL, .offset = offsetof(struct group, is_machine)},
    {.name = "principals", .read = read_principals, .schema = SCHEMA_TEXTS},
    {.name = "claims", .type = YAML_FIELD_UNSUPPORTED},
    {.name = "schedule", .type = YAML_FIELD_UNSUPPORTED},
};
const struct yaml_map loader_group_map = YAML_MAP("a group of people", GROUP_FIELDS);

static void read_group(struct loader *loader, const struct yaml_node *value, struct group *group)
{
    *group = (struct group){
        .name = loader_text(loader, value->key), .line = value->key->line, .column = value->key->column};
    bool is_good = yaml_map_read(loader->report, value, "a group of people", GROUP_FIELDS,
                                 sizeof GROUP_FIELDS / sizeof GROUP_FIELDS[0], loader, group);
    if (is_good && group->people_count == 0 && group->principal_count == 0) {
        LOADER_ERROR(loader, value, "a group of people needs \"users\" or \"principals\"");
    }
    if (is_good && group->is_machine && group->principal_count > 0) {
        LOADER_ERROR(loader, value, "a group of machines cannot have \"principals\": name its users");
    }
}

static size_t users_of(const struct yaml_node *section)
{
    size_t count = 0;
    for (const struct yaml_node *value = section->first; value != NULL; value = value->next) {
        const struct yaml_node *users = value->kind == YAML_MAP ? yaml_map_find(value, "users") : NULL;
        count += users == NULL ? 0 : users->count;
    }
    return count < POLICY_PEOPLE_MAX ? count : POLICY_PEOPLE_MAX;
}

/* Turn "who is in the group" round into "in which groups is the person". */
static void link_people(struct loader *loader)
{
    struct policy *policy = loader->policy;
    for (size_t i = 0; i < policy->group_count; i++) {
        for (size_t j = 0; j < policy->groups[i].people_count; j++) {
            policy->people[policy->groups[i].people[j]].group_count++;
        }
    }
    for (size_t i = 0; i < policy->people_count && !loader->is_out_of_memory; i++) {
        struct person *person = &policy->people[i];
        person->groups = loader_alloc(loader, person->group_count, sizeof *person->groups);
        person->group_count = 0;
    }
    for (uint32_t i = 0; i < policy->group_count && !loader->is_out_of_memory; i++) {
        const struct group *group = &policy->groups[i];
        for (size_t j = 0; j < group->people_count; j++) {
            struct person *person = &policy->people[group->people[j]];
            if (person->group_count > 0 && person->is_machine != group->is_machine) {
                const char *other = policy->groups[person->groups[0]].name;
                LOADER_ERROR(loader, group,
                             "\"%s\" is in a group of machines and in one of people: \"%s\" and \"%s\"",
                             person->name, other, group->name);
            }
            person->is_machine = person->is_machine || group->is_machine;
            person->groups[person->group_count++] = i;
        }
    }
}

/* The number of a principal, which is added when new. */
static uint32_t principal_number(struct loader *loader, struct cursor name)
{
    struct policy *policy = loader->policy;
    uint32_t number = 0;
    if (names_find(&policy->principals_by_name, name, &number) == ERR_NONE) {
        return number;
    }
    number = (uint32_t)policy->principal_count++;
    policy->principals[number].name = name;
    loader->is_out_of_memory =
        loader->is_out_of_memory || names_add(&policy->principals_by_name, name, number) != ERR_NONE;
    return number;
}

/* As link_people(), for principals. */
static void link_principals(struct loader *loader)
{
    struct policy *policy = loader->policy;
    size_t total = 0;
    for (size_t i = 0; i < policy->group_count; i++) {
        total += policy->groups[i].principal_count;
    }
    policy->principals = loader_alloc(loader, total, sizeof *policy->principals);
    for (size_t i = 0; i < policy->group_count && !loader->is_out_of_memory; i++) {
        for (size_t j = 0; j < policy->groups[i].principal_count; j++) {
            policy->principals[principal_number(loader, policy->groups[i].principals[j])].group_count++;
        }
    }
    for (size_t i = 0; i < policy->principal_count && !loader->is_out_of_memory; i++) {
        struct principal *principal = &policy->principals[i];
        principal->groups = loader_alloc(loader, principal->group_count, sizeof *principal->groups);
        principal->group_count = 0;
    }
    for (uint32_t i = 0; i < policy->group_count && !loader->is_out_of_memory; i++) {
        for (size_t j = 0; j < policy->groups[i].principal_count; j++) {
            struct principal *principal =
                &policy->principals[principal_number(loader, policy->groups[i].principals[j])];
            principal->groups[principal->group_count++] = i;
        }
    }
}

void load_people(struct loader *loader, const struct yaml_node *section)
{
    struct policy *policy = loader->policy;
    if (section == NULL || !yaml_expect_map(loader->report, section, "people")) {
        return;
    }
    if (section->count > POLICY_GROUPS_MAX) {
        LOADER_ERROR(loader, section, "these are more than %d groups", POLICY_GROUPS_MAX);
        return;
    }
    policy->groups = loader_alloc(loader, section->count, sizeof *policy->groups);
    policy->people = loader_alloc(loader, users_of(section), sizeof *policy->people);
    for (const struct yaml_node *value = section->first; value != NULL && !loader->is_out_of_memory;
         value = value->next) {
        if (!loader_is_id(loader, value->key, "a group name")) {
            continue;
        }
        struct group *group = &policy->groups[policy->group_count];
        read_group(loader, value, group);
        enum err err = names_add(&loader->groups, cursor_of_text(group->name), (uint32_t)policy->group_count);
        loader->is_out_of_memory = loader->is_out_of_memory || err == ERR_MEMORY;
        if (err == ERR_STATE) {
            uint32_t number = 0;
            bool is_found = names_find(&loader->groups, value->key->text, &number) == ERR_NONE;
            loader_refuse_twice(loader, value->key, is_found ? policy->groups[number].line : 0);
        }
        policy->group_count++;
    }
    if (!loader->is_out_of_memory) {
        link_people(loader);
        link_principals(loader);
    }
}
