#include "language.h"
#include "loader.h"

static void read_never_who(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    struct never *never = into;
    loader_refs(loader, value, &loader->groups, "group", &never->groups, &never->group_count);
}

static void read_never_to(void *context, const struct yaml_node *value, void *into)
{
    struct never *never = into;
    loader_selectors(context, value, &never->targets, &never->target_count);
}

static void read_denied(struct loader *loader, const struct yaml_node *item, unsigned *deny)
{
    struct yaml_suggestion suggestion;
    yaml_suggestion_init(&suggestion, item->text);
    unsigned bit = 0;
    const char *name = NULL;
    for (size_t i = 0; (name = can_name(i, &bit)) != NULL; i++) {
        if (cursor_equal_text(item->text, name)) {
            *deny |= bit;
            return;
        }
        yaml_suggestion_offer(&suggestion, cursor_of_text(name));
    }
    const char *near = yaml_suggestion_text(&suggestion);
    LOADER_ERROR(loader, item, "\"%.64s\" is nothing that can be denied%s", NODE_TEXT(item),
                 *near != 0 ? near
                            : "; shell, exec, sftp, forward, remote_forward, agent, x11, connect, db, copy, "
                              "function_call, replication, local_infile, opaque or all can");
}

static void read_deny(void *context, const struct yaml_node *value, void *into)
{
    enum { DENY_MAX = 16 };
    struct loader *loader = context;
    if (!loader_is_text_list(loader, value, DENY_MAX)) {
        return;
    }
    for (const struct yaml_node *item = value->first; item != NULL; item = item->next) {
        read_denied(loader, item, into);
    }
}

static const struct yaml_field NEVER_FIELDS[] = {
    {.name = "id",
     .is_required = true,
     .offset = offsetof(struct never, id),
     .read = loader_entry_id,
     .schema = SCHEMA_ID},
    {.name = "who", .read = read_never_who, .schema = SCHEMA_TEXTS},
    {.name = "to", .read = read_never_to, .schema = SCHEMA_TO},
    {.name = "deny",
     .is_required = true,
     .offset = offsetof(struct never, deny),
     .read = read_deny,
     .schema = "{\"type\":\"array\",\"minItems\":1,\"uniqueItems\":true,\"items\":" SCHEMA_WORDS(
         "\"shell\",\"exec\",\"sftp\",\"forward\",\"remote_forward\",\"agent\",\"x11\",\"connect\",\"db\","
         "\"copy\",\"function_call\",\"replication\",\"local_infile\",\"opaque\",\"all\"") "}"},
};
const struct yaml_map loader_never_map = YAML_MAP("an entry of \"never\"", NEVER_FIELDS);

void load_nevers(struct loader *loader, const struct yaml_node *section)
{
    struct policy *policy = loader->policy;
    if (!loader_is_section(loader, section, "never", POLICY_NEVERS_MAX)) {
        return;
    }
    policy->nevers = loader_alloc(loader, section->count, sizeof *policy->nevers);
    for (const struct yaml_node *node = section->first; node != NULL && !loader->is_out_of_memory;
         node = node->next) {
        struct never *never = &policy->nevers[policy->never_count++];
        *never = (struct never){.id = "", .line = node->line, .column = node->column};
        (void)yaml_map_read(loader->report, node, "an entry of \"never\"", NEVER_FIELDS,
                            sizeof NEVER_FIELDS / sizeof NEVER_FIELDS[0], loader, never);
        loader_add_id(loader, node, never->id);
    }
}
