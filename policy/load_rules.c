#include "loader.h"

#include <string.h>

#include "policy/grant.h"

enum { MFA_SHORTEST_S = 60, MFA_LONGEST_S = 30 * 86400 };

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

/* [/usr/local/bin/deploy, "*", "*"] */
static void read_command(struct loader *loader, const struct yaml_node *item, struct policy_grant *patterns)
{
    struct cursor words[GRANT_PATTERN_WORDS];
    size_t count = 0;
    if (item->kind != YAML_LIST || item->count == 0) {
        LOADER_ERROR(loader, item,
                     "a command is a list of words, such as [/usr/bin/systemctl, status, \"*\"]");
        return;
    }
    if (item->count > GRANT_PATTERN_WORDS) {
        LOADER_ERROR(loader, item, "a command can have %d words", GRANT_PATTERN_WORDS);
        return;
    }
    for (const struct yaml_node *word = item->first; word != NULL; word = word->next) {
        if (!yaml_expect_text(loader->report, word, "a word of a command")) {
            return;
        }
        const char *problem = grant_check_word(word->text, count == 0);
        if (problem != NULL) {
            LOADER_ERROR(loader, word, "\"%.64s\" cannot be a word of a command: %s", NODE_TEXT(word),
                         problem);
            return;
        }
        words[count++] = word->text;
    }
    if (grant_add_pattern(patterns, words, count) != ERR_NONE) {
        LOADER_ERROR(loader, item, "the commands of a rule can have %d bytes in all", GRANT_PATTERNS_BYTES);
    }
}

static void read_commands(struct loader *loader, const struct yaml_node *value, struct can *can)
{
    struct policy_grant patterns = {0};
    for (const struct yaml_node *item = value->first; item != NULL; item = item->next) {
        read_command(loader, item, &patterns);
    }
    uint8_t *copy = loader_alloc(loader, patterns.patterns_len_bytes, 1);
    if (copy != NULL && patterns.patterns_len_bytes > 0) {
        memcpy(copy, patterns.patterns, patterns.patterns_len_bytes);
        can->exec = GRANT_EXEC_LISTED;
        can->patterns = cursor_of(copy, patterns.patterns_len_bytes);
    }
}

static void read_exec(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    struct can *can = into;
    bool flag = false;
    if (yaml_is_bool(value, &flag)) {
        can->exec = flag ? GRANT_EXEC_ANY : GRANT_EXEC_NONE;
    } else if (value->kind == YAML_LIST && value->count > 0) {
        read_commands(loader, value, can);
    } else {
        LOADER_ERROR(loader, value, "\"exec\" must be true, false or a list of commands");
    }
}

/* { read: [paths], write: [paths] }: behind what is there, as for places. */
static void read_paths(struct loader *loader, const struct yaml_node *value, enum grant_sftp level,
                       struct can *can)
{
    enum { PATHS_MAX = 256 };
    struct policy_grant paths = {0};
    if (!loader_is_text_list(loader, value, PATHS_MAX) ||
        (cursor_len(&can->paths) > 0 && grant_add_paths(&paths, can->paths) != ERR_NONE)) {
        return;
    }
    for (const struct yaml_node *item = value->first; item != NULL; item = item->next) {
        const char *problem = path_check(item->text);
        if (problem != NULL) {
            LOADER_ERROR(loader, item, "\"%.64s\" cannot be a path: %s", NODE_TEXT(item), problem);
        } else if (grant_add_path(&paths, level, item->text) != ERR_NONE) {
            LOADER_ERROR(loader, item, "the paths of a rule can have %d bytes in all", GRANT_PATHS_BYTES);
        }
    }
    uint8_t *copy = loader_alloc(loader, paths.paths_len_bytes, 1);
    if (copy != NULL && paths.paths_len_bytes > 0) {
        memcpy(copy, paths.paths, paths.paths_len_bytes);
        can->paths = cursor_of(copy, paths.paths_len_bytes);
    }
}

static void read_paths_read(void *context, const struct yaml_node *value, void *into)
{
    read_paths(context, value, GRANT_SFTP_READ, into);
}

static void read_paths_write(void *context, const struct yaml_node *value, void *into)
{
    read_paths(context, value, GRANT_SFTP_WRITE, into);
}

static void read_sftp(void *context, const struct yaml_node *value, void *into)
{
    static const struct yaml_field FIELDS[] = {
        {.name = "read", .read = read_paths_read},
        {.name = "write", .read = read_paths_write},
    };
    struct loader *loader = context;
    struct can *can = into;
    enum grant_sftp *sftp = &can->sftp;
    bool flag = false;
    if (yaml_is_bool(value, &flag)) {
        *sftp = flag ? GRANT_SFTP_WRITE : GRANT_SFTP_NONE;
    } else if (value->kind == YAML_TEXT && cursor_equal_text(value->text, "read")) {
        *sftp = GRANT_SFTP_READ;
    } else if (value->kind == YAML_TEXT && cursor_equal_text(value->text, "write")) {
        *sftp = GRANT_SFTP_WRITE;
    } else if (value->kind == YAML_MAP) {
        (void)yaml_map_read(loader->report, value, "\"sftp\"", FIELDS, sizeof FIELDS / sizeof FIELDS[0],
                            loader, can);
    } else {
        LOADER_ERROR(loader, value, "\"sftp\" must be read, write, true (as write), false or lists of paths");
    }
}

/* Both uses share the bytes of one rule: what is there is copied, and the new places come behind it. */
static void read_places(struct loader *loader, const struct yaml_node *value, enum place_use use,
                        struct can *can, enum grant_forward *forward)
{
    struct policy_grant places = {0};
    size_t old_len = cursor_len(&can->places);
    if (old_len > 0) {
        memcpy(places.places, can->places.at, old_len);
        places.places_len_bytes = (uint16_t)old_len;
    }
    for (const struct yaml_node *item = value->first; item != NULL; item = item->next) {
        const char *problem = place_check(item->text);
        if (problem != NULL) {
            LOADER_ERROR(loader, item, "\"%.64s\" cannot be a place of \"%.64s\": %s", NODE_TEXT(item),
                         NODE_TEXT(value->key), problem);
        } else if (grant_add_place(&places, use, item->text) != ERR_NONE) {
            LOADER_ERROR(loader, item, "the places of a rule can have %d bytes in all", GRANT_PLACES_BYTES);
        }
    }
    uint8_t *copy = loader_alloc(loader, places.places_len_bytes, 1);
    if (copy != NULL && places.places_len_bytes > 0) {
        memcpy(copy, places.places, places.places_len_bytes);
        can->places = cursor_of(copy, places.places_len_bytes);
        *forward = GRANT_FORWARD_LISTED;
    }
}

static void read_any_forward(struct loader *loader, const struct yaml_node *value, enum place_use use,
                             struct can *can)
{
    enum { PLACES_MAX = 256 };
    enum grant_forward *forward = use == PLACE_FORWARD ? &can->forward : &can->remote_forward;
    bool flag = false;
    if (yaml_is_bool(value, &flag)) {
        *forward = flag ? GRANT_FORWARD_ANY : GRANT_FORWARD_NONE;
    } else if (value->kind != YAML_LIST) {
        LOADER_ERROR(loader, value,
                     "\"%.64s\" must be true, false or a list of places such as \"localhost:9090\"",
                     NODE_TEXT(value->key));
    } else if (loader_is_text_list(loader, value, PLACES_MAX)) {
        read_places(loader, value, use, can, forward);
    }
}

static void read_forward(void *context, const struct yaml_node *value, void *into)
{
    read_any_forward(context, value, PLACE_FORWARD, into);
}

static void read_remote_forward(void *context, const struct yaml_node *value, void *into)
{
    read_any_forward(context, value, PLACE_REMOTE_FORWARD, into);
}

static void read_can(void *context, const struct yaml_node *value, void *into)
{
    static const struct yaml_field FIELDS[] = {
        {.name = "shell", .type = YAML_FIELD_BOOL, .offset = offsetof(struct can, shell)},
        {.name = "exec", .read = read_exec},
        {.name = "sftp", .read = read_sftp},
        {.name = "forward", .read = read_forward},
        {.name = "remote_forward", .read = read_remote_forward},
        {.name = "connect", .type = YAML_FIELD_BOOL, .offset = offsetof(struct can, connect)},
        {.name = "agent", .type = YAML_FIELD_BOOL, .offset = offsetof(struct can, agent)},
        {.name = "x11", .type = YAML_FIELD_BOOL, .offset = offsetof(struct can, x11)},
        {.name = "db", .type = YAML_FIELD_UNSUPPORTED},
    };
    struct loader *loader = context;
    struct rule *rule = into;
    bool is_good = yaml_map_read(loader->report, value, "\"can\"", FIELDS, sizeof FIELDS / sizeof FIELDS[0],
                                 loader, &rule->can);
    if (is_good && can_bits(&rule->can) == 0) {
        LOADER_ERROR(loader, value, "\"can\" allows nothing");
    }
}

static void read_from(void *context, const struct yaml_node *value, void *into)
{
    struct rule *rule = into;
    loader_networks(context, value, POLICY_RULE_NETWORKS_MAX, &rule->from, &rule->from_count);
}

static void read_when(void *context, const struct yaml_node *value, void *into)
{
    static const struct yaml_field FIELDS[] = {
        {.name = "mfa",
         .type = YAML_FIELD_DURATION,
         .offset = offsetof(struct rule, mfa_age_s),
         .min = MFA_SHORTEST_S,
         .max = MFA_LONGEST_S},
        {.name = "from", .read = read_from},
        {.name = "hours", .type = YAML_FIELD_UNSUPPORTED},
        {.name = "reason", .type = YAML_FIELD_UNSUPPORTED},
        {.name = "approval", .type = YAML_FIELD_UNSUPPORTED},
    };
    struct loader *loader = context;
    (void)yaml_map_read(loader->report, value, "\"when\"", FIELDS, sizeof FIELDS / sizeof FIELDS[0], loader,
                        into);
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

/* The kinds of the targets of a rule, as bits 1 << kind. */
static unsigned kinds_of(const struct policy *policy, const struct rule *rule)
{
    unsigned kinds = 0;
    for (uint32_t target = 0; target < policy->target_count; target++) {
        for (size_t i = 0; i < rule->target_count; i++) {
            if (selector_covers(&rule->targets[i], policy, target)) {
                kinds |= 1U << policy->targets[target].kind;
            }
        }
    }
    return kinds;
}

/* A right that means nothing on any target of the rule is a mistake, not a wish. */
static void check_kinds(struct loader *loader, const struct yaml_node *node, const struct rule *rule)
{
    unsigned kinds = kinds_of(loader->policy, rule);
    bool has_ssh = (kinds & 1U << POLICY_TARGET_SSH) != 0;
    bool has_tcp = (kinds & 1U << POLICY_TARGET_TCP) != 0;
    unsigned bits = can_bits(&rule->can);
    if (kinds == 0) {
        return; /* told already */
    }
    if (has_ssh && rule->account_count == 0 && yaml_map_find(node, "as") == NULL) {
        LOADER_ERROR(loader, node, "a rule needs the key \"as\"");
    }
    if (!has_tcp && (bits & CAN_CONNECT) != 0) {
        LOADER_ERROR(loader, node, "rule \"%s\" has \"connect\", but no target of kind tcp", rule->id);
    }
    if (!has_ssh && (bits & ~(unsigned)CAN_CONNECT) != 0) {
        LOADER_ERROR(loader, node, "rule \"%s\" is for targets of kind tcp: only \"connect\" can be allowed",
                     rule->id);
    }
    if (has_tcp && !has_ssh && rule->account_count > 0) {
        LOADER_ERROR(loader, node,
                     "rule \"%s\" is for targets of kind tcp, which know no accounts: remove \"as\"",
                     rule->id);
    }
}

static void check_accounts(struct loader *loader, const struct yaml_node *node, const struct rule *rule)
{
    if ((kinds_of(loader->policy, rule) & 1U << POLICY_TARGET_SSH) == 0) {
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

static void read_rule_id(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    if (loader_is_id(loader, value, "a rule id")) {
        *(const char **)into = loader_text(loader, value);
    }
}

static void read_rule(struct loader *loader, const struct yaml_node *node, struct rule *rule)
{
    static const struct yaml_field FIELDS[] = {
        {.name = "id", .is_required = true, .offset = offsetof(struct rule, id), .read = read_rule_id},
        {.name = "who", .is_required = true, .read = read_rule_who},
        {.name = "to", .is_required = true, .read = read_rule_to},
        {.name = "as", .read = read_rule_as},
        {.name = "can", .is_required = true, .read = read_can},
        {.name = "when", .read = read_when},
        {.name = "record", .offset = offsetof(struct rule, record), .read = read_record},
        {.name = "limits", .offset = offsetof(struct rule, limits), .read = read_limits},
    };
    *rule = (struct rule){.id = "", .line = node->line, .column = node->column};
    rule->record.exec_cap_bytes = UINT64_MAX;
    bool is_good =
        yaml_map_read(loader->report, node, "a rule", FIELDS, sizeof FIELDS / sizeof FIELDS[0], loader, rule);
    if (is_good) {
        check_kinds(loader, node, rule);
        check_accounts(loader, node, rule);
        check_machines(loader, node, rule);
    }
}

/* Rules and nevers share one space of ids: a code must name one entry. */
static void add_id(struct loader *loader, struct names *ids, const struct yaml_node *node, const char *id)
{
    enum err err = *id == 0 ? ERR_NONE : names_add(ids, cursor_of_text(id), node->line);
    uint32_t line = 0;
    if (err == ERR_STATE && names_find(ids, cursor_of_text(id), &line) == ERR_NONE) {
        LOADER_ERROR(loader, node, "the id \"%s\" is used already, in line %u", id, line);
    }
    loader->is_out_of_memory = loader->is_out_of_memory || err == ERR_MEMORY;
}

static bool is_section(struct loader *loader, const struct yaml_node *section, const char *what, size_t max)
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
    if (!is_section(loader, section, "rules", POLICY_RULES_MAX)) {
        return;
    }
    policy->rules = loader_alloc(loader, section->count, sizeof *policy->rules);
    for (const struct yaml_node *node = section->first; node != NULL && !loader->is_out_of_memory;
         node = node->next) {
        struct rule *rule = &policy->rules[policy->rule_count++];
        read_rule(loader, node, rule);
        add_id(loader, &loader->ids, node, rule->id);
    }
}

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
                            : "; shell, exec, sftp, forward, remote_forward, agent, x11, connect or all can");
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

void load_nevers(struct loader *loader, const struct yaml_node *section)
{
    static const struct yaml_field FIELDS[] = {
        {.name = "id", .is_required = true, .offset = offsetof(struct never, id), .read = read_rule_id},
        {.name = "who", .read = read_never_who},
        {.name = "to", .read = read_never_to},
        {.name = "deny", .is_required = true, .offset = offsetof(struct never, deny), .read = read_deny},
    };
    struct policy *policy = loader->policy;
    if (!is_section(loader, section, "never", POLICY_NEVERS_MAX)) {
        return;
    }
    policy->nevers = loader_alloc(loader, section->count, sizeof *policy->nevers);
    for (const struct yaml_node *node = section->first; node != NULL && !loader->is_out_of_memory;
         node = node->next) {
        struct never *never = &policy->nevers[policy->never_count++];
        *never = (struct never){.id = "", .line = node->line, .column = node->column};
        (void)yaml_map_read(loader->report, node, "an entry of \"never\"", FIELDS,
                            sizeof FIELDS / sizeof FIELDS[0], loader, never);
        add_id(loader, &loader->ids, node, never->id);
    }
}
