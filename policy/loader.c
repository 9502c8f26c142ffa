#include "language.h"
#include "loader.h"

#include <string.h>

#include "base/text.h"

void *loader_alloc(struct loader *loader, size_t count, size_t size_bytes)
{
    void *memory = arena_array(&loader->policy->arena, count, size_bytes);
    loader->is_out_of_memory = loader->is_out_of_memory || memory == NULL;
    return memory;
}

const char *loader_text(struct loader *loader, const struct yaml_node *node)
{
    const char *text = arena_text(&loader->policy->arena, node->text);
    loader->is_out_of_memory = loader->is_out_of_memory || text == NULL;
    return text == NULL ? "" : text;
}

struct cursor loader_copy(struct loader *loader, const struct yaml_node *node)
{
    return cursor_of_text(loader_text(loader, node));
}

void loader_refuse_twice(struct loader *loader, const struct yaml_node *key, unsigned first)
{
    unsigned line = 0;
    const char *file_name = policy_place(loader->policy, first, &line);
    LOADER_ERROR(loader, key, "the name \"%.64s\" is used already, in %s:%u", NODE_TEXT(key), file_name,
                 line);
}

bool loader_is_id(struct loader *loader, const struct yaml_node *node, const char *what)
{
    if (!yaml_expect_text(loader->report, node, what)) {
        return false;
    }
    size_t len = cursor_len(&node->text);
    bool is_good = len < POLICY_ID_BYTES && node->text.at[0] >= 'a' && node->text.at[0] <= 'z';
    is_good = is_good && strspn(NODE_TEXT(node), "abcdefghijklmnopqrstuvwxyz0123456789._-") == len;
    if (!is_good) {
        LOADER_ERROR(
            loader, node,
            "\"%.64s\" cannot be %s: a small letter, then small letters, digits and ._-, at most %d in all",
            NODE_TEXT(node), what, POLICY_ID_BYTES - 1);
    }
    return is_good;
}

static void refuse_repeated(struct loader *loader, const struct yaml_node *item, struct names *seen)
{
    enum err err = names_add(seen, item->text, 0);
    if (err == ERR_STATE) {
        LOADER_ERROR(loader, item, "\"%.64s\" is in this list twice", NODE_TEXT(item));
    }
    loader->is_out_of_memory = loader->is_out_of_memory || err == ERR_MEMORY;
}

bool loader_is_text_list(struct loader *loader, const struct yaml_node *list, size_t max)
{
    size_t errors_before = loader->report->error_count;
    if (!yaml_expect_list(loader->report, list, "this")) {
        return false;
    }
    if (list->count > max) {
        LOADER_ERROR(loader, list, "this list has %zu items; at most %zu are allowed", list->count, max);
        return false;
    }
    struct names seen = {0};
    for (const struct yaml_node *item = list->first; item != NULL; item = item->next) {
        if (yaml_expect_text(loader->report, item, "an item of this list")) {
            refuse_repeated(loader, item, &seen);
        }
    }
    names_done(&seen);
    return loader->report->error_count == errors_before && !loader->is_out_of_memory;
}

/* A search over all names for each of many errors would take long: only for errors that are shown. */
static const char *suggest(struct loader *loader, const struct names *names, const struct yaml_node *node,
                           struct yaml_suggestion *suggestion)
{
    yaml_suggestion_init(suggestion, node->text);
    if (loader->report->error_count < YAML_FINDINGS_MAX) {
        yaml_suggestion_offer_names(suggestion, names);
    }
    return yaml_suggestion_text(suggestion);
}

static void report_unknown(struct loader *loader, const struct yaml_node *item, const struct names *names,
                           const char *kind)
{
    struct yaml_suggestion suggestion;
    const char *near = suggest(loader, names, item, &suggestion);
    uint32_t person = 0;
    bool is_person = names == &loader->groups &&
                     names_find(&loader->policy->people_by_name, item->text, &person) == ERR_NONE;
    LOADER_ERROR(loader, item, "no %s is called \"%.64s\"%s%s", kind, NODE_TEXT(item), near,
                 is_person ? "; it is a person, and rules name groups" : "");
}

void loader_refs(struct loader *loader, const struct yaml_node *list, const struct names *names,
                 const char *kind, uint32_t **ret, size_t *ret_count)
{
    if (!loader_is_text_list(loader, list, SIZE_MAX)) {
        return;
    }
    uint32_t *numbers = loader_alloc(loader, list->count, sizeof *numbers);
    size_t count = 0;
    for (const struct yaml_node *item = list->first; numbers != NULL && item != NULL; item = item->next) {
        if (names_find(names, item->text, &numbers[count]) == ERR_NONE) {
            count++;
        } else {
            report_unknown(loader, item, names, kind);
        }
    }
    if (numbers != NULL && count == list->count) {
        *ret = numbers;
        *ret_count = count;
    }
}

/* One item of a list of networks, into `networks` behind `*count`. */
static void add_network(struct loader *loader, const struct yaml_node *item, size_t max,
                        struct network *networks, size_t *count)
{
    uint32_t number = 0;
    struct network network;
    const struct network *added = &network;
    size_t added_count = 1;
    if (names_find(&loader->network_sets, item->text, &number) == ERR_NONE) {
        struct network_set *set = &loader->policy->network_sets[number];
        set->is_used = true;
        added = set->networks;
        added_count = set->count;
    } else {
        enum err err = network_parse(item->text, &network);
        if (err == ERR_MISMATCH) {
            LOADER_ERROR(loader, item,
                         "\"%.64s\" has bits set behind its prefix; write the network's first address",
                         NODE_TEXT(item));
            return;
        }
        if (err != ERR_NONE) {
            struct yaml_suggestion suggestion;
            LOADER_ERROR(loader, item,
                         "\"%.64s\" is no name of \"networks\" and no network such as 10.20.0.0/16%s",
                         NODE_TEXT(item), suggest(loader, &loader->network_sets, item, &suggestion));
            return;
        }
    }
    if (added_count > max - *count) {
        LOADER_ERROR(loader, item, "these are more than %zu networks", max);
        return;
    }
    if (added_count > 0) {
        memcpy(networks + *count, added, added_count * sizeof *added);
        *count += added_count;
    }
}

void loader_networks(struct loader *loader, const struct yaml_node *list, size_t max, struct network **ret,
                     size_t *ret_count)
{
    if (!loader_is_text_list(loader, list, max)) {
        return;
    }
    struct network networks[POLICY_RULE_NETWORKS_MAX];
    size_t count = 0;
    size_t errors_before = loader->report->error_count;
    max = max < POLICY_RULE_NETWORKS_MAX ? max : POLICY_RULE_NETWORKS_MAX;
    for (const struct yaml_node *item = list->first; item != NULL; item = item->next) {
        add_network(loader, item, max, networks, &count);
    }
    struct network *copy = loader_alloc(loader, count, sizeof *copy);
    if (copy == NULL || count == 0 || loader->report->error_count != errors_before) {
        return;
    }
    memcpy(copy, networks, count * sizeof *copy);
    *ret = copy;
    *ret_count = count;
}

void loader_accounts(struct loader *loader, const struct yaml_node *list, struct cursor **ret,
                     size_t *ret_count)
{
    enum { ACCOUNTS_MAX = 256 };
    if (!loader_is_text_list(loader, list, ACCOUNTS_MAX)) {
        return;
    }
    struct cursor *accounts = loader_alloc(loader, list->count, sizeof *accounts);
    size_t count = 0;
    for (const struct yaml_node *item = list->first; accounts != NULL && item != NULL; item = item->next) {
        if (!text_is_account(item->text)) {
            LOADER_ERROR(loader, item,
                         "\"%.64s\" cannot be an account: a letter or _, then letters, digits and ._-",
                         NODE_TEXT(item));
            return;
        }
        accounts[count++] = loader_copy(loader, item);
    }
    *ret = accounts;
    *ret_count = accounts == NULL ? 0 : count;
}

static void read_terminal(void *context, const struct yaml_node *value, void *into)
{
    (void)into; /* terminals are always recorded */
    struct loader *loader = context;
    if (value->kind != YAML_TEXT || !cursor_equal_text(value->text, "output")) {
        LOADER_ERROR(loader, value, "\"terminal\" must be output; this version supports nothing else");
    }
}

static void read_input(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    enum record_input *input = into;
    if (value->kind == YAML_TEXT && cursor_equal_text(value->text, "none")) {
        *input = RECORD_INPUT_NONE;
    } else if (value->kind == YAML_TEXT && cursor_equal_text(value->text, "all")) {
        *input = RECORD_INPUT_ALL;
    } else {
        LOADER_ERROR(loader, value, "\"input\" must be none or all");
    }
}

static void read_exec_record(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    struct record_rules *rules = into;
    uint64_t cap_bytes = 0;
    bool is_counted = value->kind == YAML_TEXT && cursor_equal_text(value->text, "counts");
    bool is_size = !is_counted && value->kind == YAML_TEXT &&
                   text_size_bytes(value->text, &cap_bytes) == ERR_NONE && cap_bytes <= RECORD_CAP_MAX;
    if (!is_counted && !is_size) {
        LOADER_ERROR(loader, value, "\"exec\" must be counts, or a size up to 1GiB such as 64KiB or 8MiB");
        return;
    }
    rules->exec_cap_bytes = cap_bytes;
    rules->exec_is_counted = is_counted;
}

static void read_sftp_record(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    enum record_sftp *sftp = into;
    if (value->kind == YAML_TEXT && cursor_equal_text(value->text, "names")) {
        *sftp = RECORD_SFTP_NAMES;
    } else if (value->kind == YAML_TEXT && cursor_equal_text(value->text, "names+hashes")) {
        *sftp = RECORD_SFTP_HASHES;
    } else {
        LOADER_ERROR(loader, value, "\"sftp\" must be names or names+hashes");
    }
}

static void read_params(void *context, const struct yaml_node *value, void *into)
{
    static const char *const WORDS[] = {"none", "hash", "full", NULL};
    enum record_params *params = into;
    struct loader *loader = context;
    unsigned number = 0;
    if (*params != RECORD_PARAMS_DEFAULT) {
        LOADER_ERROR(loader, value, "\"params\" is given twice, also in \"db\"");
    } else if (loader_choice(loader, value, WORDS, &number)) {
        *params = (enum record_params)(RECORD_PARAMS_NONE + number);
    }
}

static void read_results(void *context, const struct yaml_node *value, void *into)
{
    static const char *const WORDS[] = {"counts", NULL}; /* rows are counted, never kept */
    unsigned number = 0;
    (void)into;
    (void)loader_choice(context, value, WORDS, &number);
}

static const struct yaml_field RECORD_DB_FIELDS[] = {
    {.name = "params", .read = read_params, .schema = SCHEMA_WORDS("\"full\",\"hash\",\"none\"")},
    {.name = "results", .read = read_results, .schema = SCHEMA_WORDS("\"counts\"")},
};
const struct yaml_map loader_record_db_map = YAML_MAP("\"db\" of \"record\"", RECORD_DB_FIELDS);

static void read_record_db(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    (void)yaml_map_read(loader->report, value, "\"db\" of \"record\"", RECORD_DB_FIELDS,
                        sizeof RECORD_DB_FIELDS / sizeof RECORD_DB_FIELDS[0], loader, into);
}

static const struct yaml_field RECORD_FIELDS[] = {
    {.name = "exec",
     .read = read_exec_record,
     .schema = SCHEMA_ANY("{\"type\":\"integer\",\"minimum\":0}," SCHEMA_TEXT)},
    {.name = "terminal", .read = read_terminal, .schema = SCHEMA_WORDS("\"output\"")},
    {.name = "input",
     .offset = offsetof(struct record_rules, input),
     .read = read_input,
     .schema = SCHEMA_WORDS("\"none\",\"all\"")},
    {.name = "sftp",
     .offset = offsetof(struct record_rules, sftp),
     .read = read_sftp_record,
     .schema = SCHEMA_WORDS("\"names\",\"names+hashes\"")},
    {.name = "db",
     .offset = offsetof(struct record_rules, params),
     .read = read_record_db,
     .maps = MAPS(&loader_record_db_map)},
    {.name = "params",
     .offset = offsetof(struct record_rules, params),
     .read = read_params,
     .schema = SCHEMA_WORDS("\"full\",\"hash\",\"none\"")},
};
const struct yaml_map loader_record_map = YAML_MAP("\"record\"", RECORD_FIELDS);

void loader_record(struct loader *loader, const struct yaml_node *node, struct record_rules *ret)
{
    (void)yaml_map_read(loader->report, node, "\"record\"", RECORD_FIELDS,
                        sizeof RECORD_FIELDS / sizeof RECORD_FIELDS[0], loader, ret);
}

enum { SHORTEST_S = 10, LONGEST_S = 30 * 86400, CONNECTIONS_MAX = 1000 };

static const struct yaml_field LIMITS_FIELDS[] = {
    {.name = "session",
     .type = YAML_FIELD_DURATION,
     .offset = offsetof(struct limit_rules, session_s),
     .min = SHORTEST_S,
     .max = LONGEST_S},
    {.name = "idle",
     .type = YAML_FIELD_DURATION,
     .offset = offsetof(struct limit_rules, idle_s),
     .min = SHORTEST_S,
     .max = LONGEST_S},
    {.name = "connections_per_person",
     .type = YAML_FIELD_U16,
     .offset = offsetof(struct limit_rules, connections),
     .min = 1,
     .max = CONNECTIONS_MAX},
    {.name = "channels_per_connection",
     .type = YAML_FIELD_U16,
     .offset = offsetof(struct limit_rules, channels),
     .min = 1,
     .max = LIMIT_CHANNELS_PER_ACCESS},
};
const struct yaml_map loader_limits_map = YAML_MAP("\"limits\"", LIMITS_FIELDS);

void loader_limits(struct loader *loader, const struct yaml_node *node, bool is_default,
                   struct limit_rules *ret)
{
    (void)yaml_map_read(loader->report, node,
                        is_default ? "\"limits\" of \"defaults\"" : "\"limits\" of a rule", LIMITS_FIELDS,
                        sizeof LIMITS_FIELDS / sizeof LIMITS_FIELDS[0], loader, ret);
}
