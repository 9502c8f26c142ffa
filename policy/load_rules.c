#include "language.h"
#include "loader.h"

static void read_rule_who(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    struct rule *rule = into;
    loader_refs(loader, value, &loader->groups, "group", &rule->groups, &rule->group_count);
}

static void read_rule_to(void *context, const struct yaml_node *value, void *into)
{
    struct rule *rule = into;
    loader_selectors(context, value, &rule->targets, &rule->target_count);
}

static void read_rule_as(void *context, const struct yaml_node *value, void *into)
{
    struct rule *rule = into;
    loader_accounts(context, value, &rule->accounts, &rule->account_count);
}

static void read_can(void *context, const struct yaml_node *value, void *into)
{
    struct rule *rule = into;
    loader_can(context, value, &rule->can);
}

static void read_record(void *context, const struct yaml_node *value, void *into)
{
    loader_record(context, value, into);
}

static void read_limits(void *context, const struct yaml_node *value, void *into)
{
    loader_limits(context, value, false, into);
}

/* Machines prove no second factor: where they come from must stand in for it. */
static void check_machines(struct loader *loader, const struct yaml_node *node, const struct rule *rule)
{
    const struct group *machine = NULL;
    const struct group *human = NULL;
    for (size_t i = 0; i < rule->group_count; i++) {
        const struct group *group = &loader->policy->groups[rule->groups[i]];
        machine = group->is_machine ? group : machine;
        human = group->is_machine ? human : group;
    }
    if (machine != NULL && human != NULL) {
        LOADER_ERROR(loader, node,
                     "rule \"%s\" is for machines (\"%s\") and for people (\"%s\"); write two rules",
                     rule->id, machine->name, human->name);
    } else if (machine != NULL && rule->from_count == 0) {
        LOADER_ERROR(loader, node, "rule \"%s\" is for machines (\"%s\"): it needs \"from\" in \"when\"",
                     rule->id, machine->name);
    } else if (machine != NULL && rule->mfa_age_s != 0) {
        LOADER_ERROR(loader, node,
                     "rule \"%s\" is for machines (\"%s\"), which have no second factor: remove \"mfa\"",
                     rule->id, machine->name);
    } else if (machine != NULL && rule->reason != NULL) {
        LOADER_ERROR(loader, node,
                     "rule \"%s\" is for machines (\"%s\"), which give no reason: remove \"reason\"",
                     rule->id, machine->name);
    } else if (human != NULL && rule->mfa_age_s == 0) {
        yaml_report_warning(loader->report, node->line, node->column,
                            "rule \"%s\" asks people for no second factor", rule->id);
    }
}

static bool is_login_of_some_target(const struct policy *policy, const struct rule *rule,
                                    struct cursor account)
{
    struct rule one = {.accounts = &account, .account_count = 1};
    for (size_t i = 0; i < rule->target_count; i++) {
        const struct selector *selector = &rule->targets[i];
        uint32_t first = selector->is_target ? selector->target : 0;
        uint32_t end = selector->is_target ? selector->target + 1 : (uint32_t)policy->target_count;
        for (uint32_t target = first; target < end; target++) {
            if (selector_covers(selector, policy, target) &&
                rule_allows_account(&one, &policy->targets[target], account)) {
                return true;
            }
        }
    }
    return false;
}

/* What the targets of a rule are, together. */
struct reach {
    unsigned kinds; /* bits 1 << kind */
    unsigned can;   /* enum can_bit: what at least one of them knows */
};

static struct reach reach_of(const struct policy *policy, const struct rule *rule)
{
    struct reach reach = {0};
    for (uint32_t target = 0; target < policy->target_count; target++) {
        for (size_t i = 0; i < rule->target_count; i++) {
            if (selector_covers(&rule->targets[i], policy, target)) {
                reach.kinds |= 1U << policy->targets[target].kind;
                reach.can |= can_bits_of_target(&policy->targets[target]);
            }
        }
    }
    return reach;
}

/* A right that means nothing on any target of the rule is a mistake, not a wish. COPY and function calls are
 * given with `db`, also where the kind of database does not know them. */
static void check_rights(struct loader *loader, const struct yaml_node *node, const struct rule *rule,
                         struct reach reach)
{
    unsigned given = can_bits(&rule->can) & ~(unsigned)(CAN_DB_COPY | CAN_DB_FUNCTION_CALL);
    if (reach.kinds == 1U << POLICY_TARGET_TCP && (given & ~(unsigned)CAN_CONNECT) != 0) {
        LOADER_ERROR(loader, node, "rule \"%s\" is for targets of kind tcp: only \"connect\" can be allowed",
                     rule->id);
        return;
    }
    if ((given & CAN_CONNECT & ~reach.can) != 0) {
        LOADER_ERROR(loader, node, "rule \"%s\" has \"connect\", but no target of kind tcp", rule->id);
        given &= ~(unsigned)CAN_CONNECT;
    }
    unsigned bit = 0;
    const char *name = NULL;
    for (size_t i = 0; (name = can_name(i, &bit)) != NULL; i++) {
        bit = bit == CAN_DB_ANY ? CAN_DB : bit;
        if (bit != CAN_ALL && (given & bit & ~reach.can) != 0) {
            LOADER_ERROR(loader, node, "rule \"%s\" allows \"%s\", which no target of it knows", rule->id,
                         name);
        }
    }
}

/* A rule for services of the bastion alone has one thing to allow: so it need not say it. */
static void check_can(struct loader *loader, const struct yaml_node *node, struct rule *rule,
                      struct reach reach)
{
    if (yaml_map_find(node, "can") != NULL) {
        return;
    }
    if (reach.kinds == 1U << POLICY_TARGET_INTERNAL) {
        rule->can.connect = true;
    } else {
        LOADER_ERROR(loader, node, "a rule needs the key \"can\"");
    }
}

static void check_kinds(struct loader *loader, const struct yaml_node *node, struct rule *rule)
{
    struct reach reach = reach_of(loader->policy, rule);
    bool has_ssh = (reach.kinds & 1U << POLICY_TARGET_SSH) != 0;
    bool is_tcp = reach.kinds == 1U << POLICY_TARGET_TCP;
    if (reach.kinds == 0) {
        return; /* told already */
    }
    check_can(loader, node, rule, reach);
    if (has_ssh && rule->account_count == 0 && yaml_map_find(node, "as") == NULL) {
        LOADER_ERROR(loader, node, "a rule needs the key \"as\"");
    }
    check_rights(loader, node, rule, reach);
    if (!has_ssh && rule->account_count > 0) {
        LOADER_ERROR(loader, node, "rule \"%s\" is for targets%s, which know no accounts: remove \"as\"",
                     rule->id, is_tcp ? " of kind tcp" : " that are not of kind ssh");
    }
}

static void check_accounts(struct loader *loader, const struct yaml_node *node, const struct rule *rule)
{
    if ((reach_of(loader->policy, rule).kinds & 1U << POLICY_TARGET_SSH) == 0) {
        return;
    }
    const struct yaml_node *list = yaml_map_find(node, "as");
    for (size_t i = 0; rule->target_count > 0 && i < rule->account_count; i++) {
        if (!is_login_of_some_target(loader->policy, rule, rule->accounts[i])) {
            LOADER_ERROR(loader, list, "no target of rule \"%s\" has \"%.64s\" in its \"login_as\"", rule->id,
                         (const char *)rule->accounts[i].at);
        }
    }
}

void loader_entry_id(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    if (loader_is_id(loader, value, "a rule id")) {
        *(const char **)into = loader_text(loader, value);
    }
}

static const struct yaml_field RULE_FIELDS[] = {
    {.name = "id",
     .is_required = true,
     .offset = offsetof(struct rule, id),
     .read = loader_entry_id,
     .schema = SCHEMA_ID},
    {.name = "who", .is_required = true, .read = read_rule_who, .schema = SCHEMA_TEXTS},
    {.name = "to", .is_required = true, .read = read_rule_to, .schema = SCHEMA_TO},
    {.name = "as", .read = read_rule_as, .schema = SCHEMA_TEXTS},
    {.name = "can", .read = read_can, .maps = MAPS(&loader_can_map)},
    {.name = "when", .read = loader_when, .maps = MAPS(&loader_when_map)},
    {.name = "record",
     .offset = offsetof(struct rule, record),
     .read = read_record,
     .maps = MAPS(&loader_record_map)},
    {.name = "limits",
     .offset = offsetof(struct rule, limits),
     .read = read_limits,
     .maps = MAPS(&loader_limits_map)},
};
const struct yaml_map loader_rule_map = YAML_MAP("a rule", RULE_FIELDS);

static void read_rule(struct loader *loader, const struct yaml_node *node, struct rule *rule)
{
    *rule = (struct rule){.id = "", .line = node->line, .column = node->column};
    rule->record.exec_cap_bytes = UINT64_MAX;
    bool is_good = yaml_map_read(loader->report, node, "a rule", RULE_FIELDS,
                                 sizeof RULE_FIELDS / sizeof RULE_FIELDS[0], loader, rule);
    if (is_good) {
        check_kinds(loader, node, rule);
        check_accounts(loader, node, rule);
        check_machines(loader, node, rule);
    }
}

/* Rules and nevers share one space of ids: a code must name one entry. */
void loader_add_id(struct loader *loader, const struct yaml_node *node, const char *id)
{
    struct names *ids = &loader->ids;
    enum err err = *id == 0 ? ERR_NONE : names_add(ids, cursor_of_text(id), node->line);
    uint32_t line = 0;
    if (err == ERR_STATE && names_find(ids, cursor_of_text(id), &line) == ERR_NONE) {
        unsigned first = 0;
        const char *file_name = policy_place(loader->policy, line, &first);
        if (yaml_place_file(line) == yaml_place_file(node->line)) {
            LOADER_ERROR(loader, node, "the id \"%s\" is used already, in line %u", id, first);
        } else {
            LOADER_ERROR(loader, node, "the id \"%s\" is used already, in %s:%u", id, file_name, first);
        }
    }
    loader->is_out_of_memory = loader->is_out_of_memory || err == ERR_MEMORY;
}

bool loader_is_section(struct loader *loader, const struct yaml_node *section, const char *what, size_t max)
{
    if (section == NULL || !yaml_expect_list(loader->report, section, what)) {
        return false;
    }
    if (section->count > max) {
        LOADER_ERROR(loader, section, "these are more than %zu %s", max, what);
        return false;
    }
    return true;
}

void load_rules(struct loader *loader, const struct yaml_node *section)
{
    struct policy *policy = loader->policy;
    if (!loader_is_section(loader, section, "rules", POLICY_RULES_MAX)) {
        return;
    }
    policy->rules = loader_alloc(loader, section->count, sizeof *policy->rules);
    for (const struct yaml_node *node = section->first; node != NULL && !loader->is_out_of_memory;
         node = node->next) {
        struct rule *rule = &policy->rules[policy->rule_count++];
        read_rule(loader, node, rule);
        loader_fingerprint(node, rule->fingerprint);
        loader_add_id(loader, node, rule->id);
    }
}
