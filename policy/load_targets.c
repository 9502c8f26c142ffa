#include "language.h"
#include "loader.h"

#include <string.h>

#include "host_pattern.h"

enum { HOSTS_MAX = 10000, LABELS_MAX = 32, PORT_MAX = 65535, LABEL_BYTES = 2 * POLICY_ID_BYTES };

/* One kind of target: its word, the keys that it has, and its port when none is given (0: one must be). */
struct kind_row {
    const char *word;
    const struct yaml_map *map;
    enum policy_target_kind kind;
    uint16_t port;
};

static void ignore_kind(void *context, const struct yaml_node *value, void *into)
{
    (void)context; /* it chose the table */
    (void)value;
    (void)into;
}

static void read_hosts(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    struct target *target = into;
    if (!loader_is_text_list(loader, value, HOSTS_MAX)) {
        return;
    }
    target->hosts = loader_alloc(loader, value->count, sizeof *target->hosts);
    for (const struct yaml_node *item = value->first; item != NULL && !loader->is_out_of_memory;
         item = item->next) {
        const char *problem = host_pattern_check(item->text);
        if (problem != NULL) {
            LOADER_ERROR(loader, item, "\"%.64s\" cannot be a host: %s", NODE_TEXT(item), problem);
            continue;
        }
        char *text = arena_text(&loader->policy->arena, item->text);
        loader->is_out_of_memory = text == NULL;
        for (char *at = text; at != NULL && *at != 0; at++) {
            *at = (char)(*at >= 'A' && *at <= 'Z' ? *at - 'A' + 'a' : *at);
        }
        if (text != NULL) {
            target->hosts[target->host_count++] = cursor_of_text(text);
        }
    }
}

static void read_addresses(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    struct target *target = into;
    loader_networks(loader, value, POLICY_NETWORKS_MAX, &target->networks, &target->network_count);
    for (size_t i = 0; i < target->network_count; i++) {
        char text[NETWORK_TEXT_BYTES];
        const char *what = network_is_forbidden(&target->networks[i]);
        if (what != NULL) {
            LOADER_ERROR(loader, value, "%s can be no address of a target: it overlaps %s",
                         network_text(&target->networks[i], text), what);
        }
    }
}

static void read_login_as(void *context, const struct yaml_node *value, void *into)
{
    struct target *target = into;
    loader_accounts(context, value, &target->accounts, &target->account_count);
}

const char *loader_file_beside(struct loader *loader, const struct yaml_node *value, const char *key)
{
    if (!yaml_expect_text(loader->report, value, key)) {
        return NULL;
    }
    bool is_name = strchr(NODE_TEXT(value), '/') == NULL && value->text.at[0] != '.' &&
                   cursor_len(&value->text) <= LIMIT_HOST_BYTES;
    if (!is_name) {
        LOADER_ERROR(loader, value,
                     "\"%s\" must be the name of a file beside the policy, without \"/\" and leading \".\"",
                     key);
        return NULL;
    }
    return loader_text(loader, value);
}

static void read_known_hosts(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    struct target *target = into;
    target->known_hosts = loader_file_beside(loader, value, "known_hosts");
}

static void read_host_cas(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    struct target *target = into;
    if (!loader_is_text_list(loader, value, POLICY_HOST_CAS_MAX)) {
        return;
    }
    target->host_cas = loader_alloc(loader, value->count, sizeof *target->host_cas);
    for (const struct yaml_node *item = value->first; item != NULL && !loader->is_out_of_memory;
         item = item->next) {
        const char *name = loader_file_beside(loader, item, "ca");
        if (name != NULL) {
            target->host_cas[target->host_ca_count++] = name;
        }
    }
}

static const struct yaml_field HOST_KEYS_FIELDS[] = {
    {.name = "known_hosts", .read = read_known_hosts, .schema = SCHEMA_TEXT},
    {.name = "ca", .read = read_host_cas, .schema = SCHEMA_TEXTS},
};
const struct yaml_map loader_host_keys_map = YAML_MAP("\"host_keys\"", HOST_KEYS_FIELDS);

static void read_host_keys(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    /* A map is never empty, so there is one of both at least. */
    (void)yaml_map_read(loader->report, value, "\"host_keys\"", HOST_KEYS_FIELDS,
                        sizeof HOST_KEYS_FIELDS / sizeof HOST_KEYS_FIELDS[0], loader, into);
}

/* The number of "key=value". */
static bool label_number(struct loader *loader, const struct yaml_node *value, uint32_t *ret)
{
    char text[LABEL_BYTES];
    size_t key_len = cursor_len(&value->key->text);
    memcpy(text, value->key->text.at, key_len);
    text[key_len] = '=';
    memcpy(text + key_len + 1, value->text.at, cursor_len(&value->text) + 1);
    if (names_find(&loader->labels, cursor_of_text(text), ret) == ERR_NONE) {
        return true;
    }
    *ret = (uint32_t)loader->labels.count;
    const char *copy = arena_text(&loader->policy->arena, cursor_of_text(text));
    if (copy == NULL || names_add(&loader->labels, cursor_of_text(copy), *ret) != ERR_NONE) {
        loader->is_out_of_memory = true;
        return false;
    }
    return true;
}

static void read_labels(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    struct target *target = into;
    if (!yaml_expect_map(loader->report, value, "labels")) {
        return;
    }
    if (value->count > LABELS_MAX) {
        LOADER_ERROR(loader, value, "these are more than %d labels", LABELS_MAX);
        return;
    }
    target->labels = loader_alloc(loader, value->count, sizeof *target->labels);
    for (const struct yaml_node *item = value->first; item != NULL && !loader->is_out_of_memory;
         item = item->next) {
        bool is_good =
            loader_is_id(loader, item->key, "a label") && loader_is_id(loader, item, "the value of a label");
        if (is_good && label_number(loader, item, &target->labels[target->label_count])) {
            target->label_count++;
        }
    }
}

static void read_service(void *context, const struct yaml_node *value, void *into)
{
    static const char *const WORDS[] = {"audit", NULL};
    struct loader *loader = context;
    unsigned number = 0;
    if (loader_choice(loader, value, WORDS, &number)) {
        *(const char **)into = WORDS[number];
    }
}

#define KIND_FIELD(word)                                                                                     \
    {                                                                                                        \
        .name = "kind", .is_required = true, .read = ignore_kind, .schema = SCHEMA_WORDS("\"" word "\"")     \
    }
#define PORT_FIELD(must)                                                                                     \
    {                                                                                                        \
        .name = "port", .type = YAML_FIELD_U16, .is_required = (must),                                       \
        .offset = offsetof(struct target, port), .min = 1, .max = PORT_MAX                                   \
    }

static const struct yaml_field SSH_FIELDS[] = {
    KIND_FIELD("ssh"),
    {.name = "hosts", .is_required = true, .read = read_hosts, .schema = SCHEMA_TEXTS},
    {.name = "addresses", .is_required = true, .read = read_addresses, .schema = SCHEMA_TEXTS},
    PORT_FIELD(false),
    {.name = "login_as", .is_required = true, .read = read_login_as, .schema = SCHEMA_TEXTS},
    {.name = "host_keys", .is_required = true, .read = read_host_keys, .maps = MAPS(&loader_host_keys_map)},
    {.name = "labels", .read = read_labels, .schema = SCHEMA_NAMED(SCHEMA_ID)},
};
const struct yaml_map loader_ssh_map = YAML_MAP("a target", SSH_FIELDS);
/* A byte stream: nobody logs in, so there are no accounts and no keys of hosts. */
static const struct yaml_field TCP_FIELDS[] = {
    KIND_FIELD("tcp"),
    {.name = "hosts", .is_required = true, .read = read_hosts, .schema = SCHEMA_TEXTS},
    {.name = "addresses", .read = read_addresses, .schema = SCHEMA_TEXTS},
    PORT_FIELD(true),
    {.name = "labels", .read = read_labels, .schema = SCHEMA_NAMED(SCHEMA_ID)},
};
const struct yaml_map loader_tcp_map = YAML_MAP("a target of kind tcp", TCP_FIELDS);
#define DATABASE_KEYS                                                                                        \
    {.name = "hosts", .is_required = true, .read = read_hosts, .schema = SCHEMA_TEXTS},                      \
        {.name = "addresses", .read = read_addresses, .schema = SCHEMA_TEXTS}, PORT_FIELD(false),            \
        {.name = "upstream_tls",                                                                             \
         .offset = offsetof(struct target, database),                                                        \
         .read = loader_upstream_tls,                                                                        \
         .maps = MAPS(&loader_upstream_tls_map)},                                                            \
        {.name = "client_tls",                                                                               \
         .offset = offsetof(struct target, database.client_tls),                                             \
         .read = loader_client_tls,                                                                          \
         .schema = SCHEMA_WORDS("\"refuse\",\"terminate\",\"opaque\"")},                                     \
        {.name = "login",                                                                                    \
         .offset = offsetof(struct target, database.login),                                                  \
         .read = loader_login,                                                                               \
         .schema = SCHEMA_WORDS("\"client\",\"ask\",\"rds-iam\"")},                                          \
        {.name = "region",                                                                                   \
         .offset = offsetof(struct target, database.region),                                                 \
         .read = loader_region,                                                                              \
         .schema = SCHEMA_ID},                                                                               \
    {                                                                                                        \
        .name = "labels", .read = read_labels, .schema = SCHEMA_NAMED(SCHEMA_ID)                             \
    }

static const struct yaml_field POSTGRES_FIELDS[] = {KIND_FIELD("postgres"), DATABASE_KEYS};
static const struct yaml_field MYSQL_FIELDS[] = {KIND_FIELD("mysql"), DATABASE_KEYS};
const struct yaml_map loader_postgres_map = YAML_MAP("a target of kind postgres", POSTGRES_FIELDS);
const struct yaml_map loader_mysql_map = YAML_MAP("a target of kind mysql", MYSQL_FIELDS);
static const struct yaml_field INTERNAL_FIELDS[] = {
    KIND_FIELD("internal"),
    {.name = "service",
     .is_required = true,
     .offset = offsetof(struct target, service),
     .read = read_service,
     .schema = SCHEMA_WORDS("\"audit\"")},
    {.name = "hosts", .read = read_hosts, .schema = SCHEMA_TEXTS},
    PORT_FIELD(false),
    {.name = "labels", .read = read_labels, .schema = SCHEMA_NAMED(SCHEMA_ID)},
};
const struct yaml_map loader_internal_map = YAML_MAP("a target of kind internal", INTERNAL_FIELDS);

static const struct kind_row KINDS[] = {
    {"ssh", &loader_ssh_map, POLICY_TARGET_SSH, 22},
    {"tcp", &loader_tcp_map, POLICY_TARGET_TCP, 0},
    {"postgres", &loader_postgres_map, POLICY_TARGET_POSTGRES, 5432},
    {"mysql", &loader_mysql_map, POLICY_TARGET_MYSQL, 3306},
    {"internal", &loader_internal_map, POLICY_TARGET_INTERNAL, 443},
};

/* A target without `kind` is read as one of kind ssh: then the missing key is told with the others. */
static const struct kind_row *find_kind(struct loader *loader, const struct yaml_node *target)
{
    const struct yaml_node *kind = target->kind == YAML_MAP ? yaml_map_find(target, "kind") : NULL;
    if (kind == NULL) {
        return &KINDS[0];
    }
    for (size_t i = 0; kind->kind == YAML_TEXT && i < sizeof KINDS / sizeof KINDS[0]; i++) {
        if (cursor_equal_text(kind->text, KINDS[i].word)) {
            return &KINDS[i];
        }
    }
    LOADER_ERROR(loader, kind, "\"kind\" must be ssh, postgres, mysql, tcp or internal");
    return NULL;
}

/* Where the file names no addresses, any private one will do (RFC 1918); never a forbidden one. */
static void use_private_networks(struct loader *loader, const struct yaml_node *node, struct target *target)
{
    static const struct network PRIVATE[] = {
        {.family = 4, .prefix_bits = 8, .bytes = {10}},
        {.family = 4, .prefix_bits = 12, .bytes = {172, 16}},
        {.family = 4, .prefix_bits = 16, .bytes = {192, 168}},
    };
    struct network *copy = loader_alloc(loader, sizeof PRIVATE / sizeof PRIVATE[0], sizeof *copy);
    if (copy != NULL) {
        memcpy(copy, PRIVATE, sizeof PRIVATE);
        target->networks = copy;
        target->network_count = sizeof PRIVATE / sizeof PRIVATE[0];
    }
    yaml_report_warning(loader->report, node->key->line, node->key->column,
                        "target \"%s\" has no \"addresses\": any private IPv4 address will do", target->name);
}

/* A service of the bastion is asked for by the name of its target. */
static void use_own_name(struct loader *loader, struct target *target)
{
    target->hosts = loader_alloc(loader, 1, sizeof *target->hosts);
    if (target->hosts != NULL) {
        target->hosts[0] = cursor_of_text(target->name);
        target->host_count = 1;
    }
}

static void read_target(struct loader *loader, const struct yaml_node *value, struct target *target)
{
    const struct kind_row *row = find_kind(loader, value);
    *target = (struct target){
        .name = loader_text(loader, value->key),
        .line = value->key->line,
        .column = value->key->column,
        .kind = row == NULL ? POLICY_TARGET_SSH : row->kind,
        .port = row == NULL ? 0 : row->port,
        .database = {.client_tls = POLICY_CLIENT_TLS_REFUSE, .login = POLICY_LOGIN_CLIENT},
    };
    /* Other kinds have other keys: for one that is unknown one error says it all. */
    if (row == NULL || !yaml_map_read(loader->report, value, row->map->what, row->map->fields,
                                      row->map->count, loader, target)) {
        return;
    }
    if (target_is_database(target)) {
        loader_finish_database(loader, value, target);
    }
    if (target->kind == POLICY_TARGET_INTERNAL && target->host_count == 0) {
        use_own_name(loader, target);
    } else if (target->kind != POLICY_TARGET_INTERNAL && target->network_count == 0) {
        use_private_networks(loader, value, target);
    }
}

void load_targets(struct loader *loader, const struct yaml_node *section)
{
    struct policy *policy = loader->policy;
    if (section == NULL || !yaml_expect_map(loader->report, section, "targets")) {
        return;
    }
    if (section->count > POLICY_TARGETS_MAX) {
        LOADER_ERROR(loader, section, "these are more than %d targets", POLICY_TARGETS_MAX);
        return;
    }
    policy->targets = loader_alloc(loader, section->count, sizeof *policy->targets);
    for (const struct yaml_node *value = section->first; value != NULL && !loader->is_out_of_memory;
         value = value->next) {
        if (!loader_is_id(loader, value->key, "a target name")) {
            continue;
        }
        struct target *target = &policy->targets[policy->target_count];
        read_target(loader, value, target);
        loader_fingerprint(value, target->fingerprint);
        enum err err =
            names_add(&loader->targets, cursor_of_text(target->name), (uint32_t)policy->target_count);
        loader->is_out_of_memory = loader->is_out_of_memory || err == ERR_MEMORY;
        if (err == ERR_STATE) {
            uint32_t number = 0;
            bool is_found = names_find(&loader->targets, value->key->text, &number) == ERR_NONE;
            loader_refuse_twice(loader, value->key, is_found ? policy->targets[number].line : 0);
        }
        policy->target_count++;
    }
}
