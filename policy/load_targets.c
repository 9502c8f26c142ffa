#include "loader.h"

#include <string.h>

#include "host_pattern.h"

enum {
    HOSTS_MAX = 10000,
    LABELS_MAX = 32,
    DEFAULT_SSH_PORT = 22,
    PORT_MAX = 65535,
    LABEL_BYTES = 2 * POLICY_ID_BYTES
};

static void read_kind(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    static const char *const LATER[] = {"postgres", "mysql", "internal"};
    if (value->kind == YAML_TEXT && cursor_equal_text(value->text, "tcp")) {
        *(enum policy_target_kind *)into = POLICY_TARGET_TCP;
        return;
    }
    if (value->kind == YAML_TEXT && cursor_equal_text(value->text, "ssh")) {
        *(enum policy_target_kind *)into = POLICY_TARGET_SSH;
        return;
    }
    for (size_t i = 0; value->kind == YAML_TEXT && i < sizeof LATER / sizeof LATER[0]; i++) {
        if (cursor_equal_text(value->text, LATER[i])) {
            LOADER_ERROR(loader, value, "targets of kind %s are not supported by this version", LATER[i]);
            return;
        }
    }
    LOADER_ERROR(loader, value, "\"kind\" must be ssh or tcp");
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

/* Operators' files lie beside the policy: a name can be judged by anybody who reads it. */
static const char *file_beside(struct loader *loader, const struct yaml_node *value, const char *key)
{
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
    if (yaml_expect_text(loader->report, value, "known_hosts")) {
        target->known_hosts = file_beside(loader, value, "known_hosts");
    }
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
        const char *name = file_beside(loader, item, "ca");
        if (name != NULL) {
            target->host_cas[target->host_ca_count++] = name;
        }
    }
}

static void read_host_keys(void *context, const struct yaml_node *value, void *into)
{
    static const struct yaml_field FIELDS[] = {
        {.name = "known_hosts", .read = read_known_hosts},
        {.name = "ca", .read = read_host_cas},
    };
    struct loader *loader = context;
    /* A map is never empty, so there is one of both at least. */
    (void)yaml_map_read(loader->report, value, "\"host_keys\"", FIELDS, sizeof FIELDS / sizeof FIELDS[0],
                        loader, into);
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

static void read_target(struct loader *loader, const struct yaml_node *value, struct target *target)
{
    static const struct yaml_field FIELDS[] = {
        {.name = "kind", .is_required = true, .offset = offsetof(struct target, kind), .read = read_kind},
        {.name = "hosts", .is_required = true, .read = read_hosts},
        {.name = "addresses", .is_required = true, .read = read_addresses},
        {.name = "port",
         .type = YAML_FIELD_U16,
         .offset = offsetof(struct target, port),
         .min = 1,
         .max = PORT_MAX},
        {.name = "login_as", .is_required = true, .read = read_login_as},
        {.name = "host_keys", .is_required = true, .read = read_host_keys},
        {.name = "labels", .read = read_labels},
        {.name = "upstream_tls", .type = YAML_FIELD_UNSUPPORTED},
        {.name = "client_tls", .type = YAML_FIELD_UNSUPPORTED},
        {.name = "login", .type = YAML_FIELD_UNSUPPORTED},
        {.name = "service", .type = YAML_FIELD_UNSUPPORTED},
    };
    /* A byte stream: nobody logs in, so there are no accounts and no keys of hosts. */
    static const struct yaml_field TCP_FIELDS[] = {
        {.name = "kind", .is_required = true, .offset = offsetof(struct target, kind), .read = read_kind},
        {.name = "hosts", .is_required = true, .read = read_hosts},
        {.name = "addresses", .is_required = true, .read = read_addresses},
        {.name = "port",
         .is_required = true,
         .type = YAML_FIELD_U16,
         .offset = offsetof(struct target, port),
         .min = 1,
         .max = PORT_MAX},
        {.name = "labels", .read = read_labels},
        {.name = "upstream_tls", .type = YAML_FIELD_UNSUPPORTED},
        {.name = "client_tls", .type = YAML_FIELD_UNSUPPORTED},
    };
    *target = (struct target){.name = loader_text(loader, value->key),
                              .line = value->key->line,
                              .column = value->key->column,
                              .kind = POLICY_TARGET_SSH,
                              .port = DEFAULT_SSH_PORT};
    const struct yaml_node *kind = value->kind == YAML_MAP ? yaml_map_find(value, "kind") : NULL;
    bool is_ssh = kind == NULL || (kind->kind == YAML_TEXT && cursor_equal_text(kind->text, "ssh"));
    bool is_tcp = kind != NULL && kind->kind == YAML_TEXT && cursor_equal_text(kind->text, "tcp");
    if (is_tcp) {
        (void)yaml_map_read(loader->report, value, "a target of kind tcp", TCP_FIELDS,
                            sizeof TCP_FIELDS / sizeof TCP_FIELDS[0], loader, target);
    } else if (is_ssh) {
        (void)yaml_map_read(loader->report, value, "a target", FIELDS, sizeof FIELDS / sizeof FIELDS[0],
                            loader, target);
    } else {
        /* Other kinds have other keys: one error says it all. */
        read_kind(loader, kind, &target->kind);
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
        enum err err =
            names_add(&loader->targets, cursor_of_text(target->name), (uint32_t)policy->target_count);
        loader->is_out_of_memory = loader->is_out_of_memory || err == ERR_MEMORY;
        policy->target_count++;
    }
}
