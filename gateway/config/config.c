#include "config/config.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "check.h"
#include "yaml/field.h"

enum {
    DAY_S = 86400,
    UID_FIRST = 1, /* root is for the monitor alone */
    UID_LAST = INT32_MAX,
    PORT_MAX = 65535,
    SSH_PORT = 22,
};

/* What the readers of sections share. */
struct loading {
    struct yaml_report *report;
};

static const struct gateway_config DEFAULTS = {
    .listen = {{{6, 128, {0}}, SSH_PORT}, {{4, 32, {0}}, SSH_PORT}},
    .listen_count = 2,
    .policy = "/etc/bastion/policy.yaml",
    .keys_dir = "/etc/bastion/keys",
    .people_file = "/etc/bastion/people",
    .state_dir = "/var/lib/bastion",
    .recordings_dir = "/var/lib/bastion/recordings",
    .evidence_dir = "/var/lib/bastion/evidence",
    .recipients = "/etc/bastion/recipients",
    .events = "/var/log/bastion/events.jsonl",
    .keys = {.host = "/etc/bastion/private/host_key",
             .inner = "/etc/bastion/private/inner_key",
             .user_ca = "/etc/bastion/private/user_ca",
             .host_ca = "/etc/bastion/private/host_ca",
             .db_ca = "/etc/bastion/private/db_ca",
             .log = "/etc/bastion/private/log_key"},
    .pam = {.service = "bastion", .writable = {"/var/lib/bastion/oath"}, .writable_count = 1},
    .source = CONFIG_SOURCE_AUTO,
    .min_free_bytes = 1ULL << 30,
    .uids = {64001, 64002, 64003, 64004, 64005, 64100, 1024},
    .limits = {.max_connections = 512, .per_source = 32, .startups = 64},
    .times = {.banner_s = 10, .kex_s = 30, .auth_s = 120, .factor_s = 90, .alive_s = 180},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define FAIL(loading, node, ...)                                                                             \
    yaml_report_error((loading)->report, (node)->line, (node)->column, __VA_ARGS__)
#define NODE_TEXT(node) ((const char *)(node)->text.at)

/* "0.0.0.0:22", "[::]:22" */
static bool read_endpoint(struct cursor text, struct config_listen *ret)
{
    const uint8_t *colon = NULL;
    for (const uint8_t *at = text.at; at != text.end; at++) {
        colon = *at == ':' ? at : colon;
    }
    if (colon == NULL) {
        return false;
    }
    struct cursor address = {text.at, colon};
    struct cursor port = {colon + 1, text.end};
    bool has_brackets = cursor_len(&address) > 2 && *address.at == '[' && address.end[-1] == ']';
    if (has_brackets) {
        address = (struct cursor){address.at + 1, address.end - 1};
    }
    uint64_t number = 0;
    if (network_address(address, &ret->address) != ERR_NONE ||
        text_u64(port, PORT_MAX, &number) != ERR_NONE) {
        return false;
    }
    ret->port = (uint16_t)number;
    return number > 0 && has_brackets == (ret->address.family == 6);
}

static void read_listen(void *context, const struct yaml_node *value, void *into)
{
    struct loading *loading = context;
    struct gateway_config *config = into;
    if (!yaml_expect_list(loading->report, value, "listen")) {
        return;
    }
    if (value->count > CONFIG_LISTEN_MAX) {
        FAIL(loading, value, "these are more than %d addresses", CONFIG_LISTEN_MAX);
        return;
    }
    config->listen_count = 0;
    for (const struct yaml_node *item = value->first; item != NULL; item = item->next) {
        if (item->kind != YAML_TEXT || !read_endpoint(item->text, &config->listen[config->listen_count])) {
            FAIL(loading, item,
                 "an item of \"listen\" must be an address and a port: \"0.0.0.0:22\" or \"[::]:22\"");
            return;
        }
        config->listen_count++;
    }
}

static void read_no_penalties(void *context, const struct yaml_node *value, void *into)
{
    struct loading *loading = context;
    struct gateway_config *config = into;
    if (!yaml_expect_list(loading->report, value, "no_penalties")) {
        return;
    }
    if (value->count > CONFIG_NETWORKS_MAX) {
        FAIL(loading, value, "these are more than %d networks", CONFIG_NETWORKS_MAX);
        return;
    }
    for (const struct yaml_node *item = value->first; item != NULL; item = item->next) {
        if (item->kind != YAML_TEXT ||
            network_parse(item->text, &config->no_penalties[config->no_penalties_count]) != ERR_NONE) {
            FAIL(loading, item,
                 "an item of \"no_penalties\" must be a network or an address: \"10.0.0.0/8\"");
            return;
        }
        config->no_penalties_count++;
    }
}

static void read_source(void *context, const struct yaml_node *value, void *into)
{
    struct loading *loading = context;
    struct gateway_config *config = into;
    if (!yaml_expect_text(loading->report, value, "source_address")) {
        return;
    }
    if (cursor_equal_text(value->text, "auto")) {
        config->source = CONFIG_SOURCE_AUTO;
    } else if (cursor_equal_text(value->text, "none")) {
        config->source = CONFIG_SOURCE_NONE;
    } else if (network_address(value->text, &config->source_address) == ERR_NONE) {
        config->source = CONFIG_SOURCE_FIXED;
    } else {
        FAIL(loading, value, "\"source_address\" must be auto, none or one numeric address");
    }
}

#define PATH(member)                                                                                         \
    .type = YAML_FIELD_PATH, .max = CONFIG_PATH_BYTES, .offset = offsetof(struct gateway_config, member)
#define U32(member, from, to)                                                                                \
    .type = YAML_FIELD_U32, .min = (from), .max = (to), .offset = offsetof(struct gateway_config, member)
#define SECONDS(member, from, to)                                                                            \
    .type = YAML_FIELD_DURATION, .min = (from), .max = (to), .offset = offsetof(struct gateway_config, member)

static void read_keys(void *context, const struct yaml_node *value, void *into)
{
    static const struct yaml_field FIELDS[] = {
        {.name = "host", PATH(keys.host)},       {.name = "inner", PATH(keys.inner)},
        {.name = "user_ca", PATH(keys.user_ca)}, {.name = "host_ca", PATH(keys.host_ca)},
        {.name = "db_ca", PATH(keys.db_ca)},     {.name = "log", PATH(keys.log)},
    };
    struct loading *loading = context;
    (void)yaml_map_read(loading->report, value, "\"keys\"", FIELDS, COUNT_OF(FIELDS), loading, into);
}

/* A PAM service is a file name in the folder of services. */
static void read_service(void *context, const struct yaml_node *value, void *into)
{
    struct loading *loading = context;
    size_t len = cursor_len(&value->text);
    bool is_name = value->kind == YAML_TEXT && len > 0 && len < CONFIG_NAME_BYTES &&
                   strspn(NODE_TEXT(value), "abcdefghijklmnopqrstuvwxyz0123456789_-") == len;
    if (!is_name) {
        FAIL(loading, value, "\"service\" must be the name of a PAM service: small letters, digits, _ and -");
        return;
    }
    memcpy(into, value->text.at, len + 1);
}

/* A list of absolute paths. @return how many; 0 after an error. */
static size_t read_paths(struct loading *loading, const struct yaml_node *value, const char *name,
                         char paths[][CONFIG_PATH_BYTES], size_t max)
{
    size_t count = 0;
    if (!yaml_expect_list(loading->report, value, name)) {
        return 0;
    }
    if (value->count > max) {
        FAIL(loading, value, "these are more than %zu paths", max);
        return 0;
    }
    for (const struct yaml_node *item = value->first; item != NULL; item = item->next) {
        size_t len = cursor_len(&item->text);
        if (item->kind != YAML_TEXT || len == 0 || len >= CONFIG_PATH_BYTES || *item->text.at != '/') {
            FAIL(loading, item, "an item of \"%s\" must be an absolute path", name);
            return 0;
        }
        memcpy(paths[count++], item->text.at, len + 1);
    }
    return count;
}

static void read_user_ca_keys(void *context, const struct yaml_node *value, void *into)
{
    struct gateway_config *config = into;
    config->user_ca_keys_count =
        read_paths(context, value, "user_ca_keys", config->user_ca_keys, CONFIG_CAS_MAX);
}

static void read_writable(void *context, const struct yaml_node *value, void *into)
{
    struct gateway_config *config = into;
    config->pam.writable_count =
        read_paths(context, value, "writable", config->pam.writable, CONFIG_WRITABLE_MAX);
}

static void read_pam(void *context, const struct yaml_node *value, void *into)
{
    static const struct yaml_field FIELDS[] = {
        {.name = "service", .offset = offsetof(struct gateway_config, pam.service), .read = read_service},
        {.name = "confdir", PATH(pam.confdir)},
        {.name = "writable", .read = read_writable},
    };
    struct loading *loading = context;
    (void)yaml_map_read(loading->report, value, "\"pam\"", FIELDS, COUNT_OF(FIELDS), loading, into);
}

static void read_public_name(void *context, const struct yaml_node *value, void *into)
{
    struct loading *loading = context;
    if (value->kind != YAML_TEXT || !text_is_host(value->text)) {
        FAIL(loading, value, "\"public_name\" must be a host name or an address, without a port");
        return;
    }
    memcpy(into, value->text.at, cursor_len(&value->text) + 1);
}

static void read_other_names(void *context, const struct yaml_node *value, void *into)
{
    struct loading *loading = context;
    struct gateway_config *config = into;
    if (!yaml_expect_list(loading->report, value, "other_names")) {
        return;
    }
    if (value->count > CONFIG_OTHER_NAMES_MAX) {
        FAIL(loading, value, "these are more than %d names", CONFIG_OTHER_NAMES_MAX);
        return;
    }
    for (const struct yaml_node *item = value->first; item != NULL; item = item->next) {
        if (item->kind != YAML_TEXT || !text_is_host(item->text)) {
            FAIL(loading, item, "an item of \"other_names\" must be a host name or an address");
            return;
        }
        memcpy(config->other_names[config->other_names_count++], item->text.at, cursor_len(&item->text) + 1);
    }
}

static void read_uids(void *context, const struct yaml_node *value, void *into)
{
    static const struct yaml_field FIELDS[] = {
        {.name = "signer", U32(uids.signer, UID_FIRST, UID_LAST)},
        {.name = "recorder", U32(uids.recorder, UID_FIRST, UID_LAST)},
        {.name = "pam", U32(uids.pam, UID_FIRST, UID_LAST)},
        {.name = "dial", U32(uids.dial, UID_FIRST, UID_LAST)},
        {.name = "token", U32(uids.token, UID_FIRST, UID_LAST)},
        {.name = "sessions_first", U32(uids.sessions_first, UID_FIRST, UID_LAST)},
        {.name = "sessions_count", U32(uids.sessions_count, 1, 65536)},
    };
    struct loading *loading = context;
    (void)yaml_map_read(loading->report, value, "\"uids\"", FIELDS, COUNT_OF(FIELDS), loading, into);
}

static void read_aws_source(void *context, const struct yaml_node *value, void *into)
{
    static const struct {
        const char *name;
        enum config_aws_source source;
    } SOURCES[] = {{"instance", CONFIG_AWS_INSTANCE},
                   {"environment", CONFIG_AWS_ENVIRONMENT},
                   {"file", CONFIG_AWS_FILE}};
    struct gateway_config *config = into;
    for (size_t i = 0; value->kind == YAML_TEXT && i < COUNT_OF(SOURCES); i++) {
        if (cursor_equal_text(value->text, SOURCES[i].name)) {
            config->aws.source = SOURCES[i].source;
            return;
        }
    }
    struct loading *loading = context;
    FAIL(loading, value, "\"credentials\" must be instance, environment or file");
}

static void read_aws(void *context, const struct yaml_node *value, void *into)
{
    static const struct yaml_field FIELDS[] = {
        {.name = "credentials", .read = read_aws_source},
        {.name = "file", PATH(aws.file)},
        {.name = "profile",
         .type = YAML_FIELD_TEXT,
         .max = CONFIG_NAME_BYTES,
         .offset = offsetof(struct gateway_config, aws.profile)},
    };
    struct loading *loading = context;
    struct gateway_config *config = into;
    if (!yaml_map_read(loading->report, value, "\"aws\"", FIELDS, COUNT_OF(FIELDS), loading, into)) {
        return;
    }
    if ((config->aws.source == CONFIG_AWS_FILE) != (config->aws.file[0] != 0)) {
        FAIL(loading, value, "\"file\" belongs to \"credentials: file\", and is needed there");
    }
}

static void read_limits(void *context, const struct yaml_node *value, void *into)
{
    static const struct yaml_field FIELDS[] = {
        {.name = "max_connections", U32(limits.max_connections, 1, 65536)},
        {.name = "per_source", U32(limits.per_source, 1, 65536)},
        {.name = "startups", U32(limits.startups, 1, 65536)},
    };
    struct loading *loading = context;
    (void)yaml_map_read(loading->report, value, "\"limits\"", FIELDS, COUNT_OF(FIELDS), loading, into);
}

static void read_times(void *context, const struct yaml_node *value, void *into)
{
    static const struct yaml_field FIELDS[] = {
        {.name = "banner", SECONDS(times.banner_s, 1, 600)},
        {.name = "kex", SECONDS(times.kex_s, 1, 600)},
        {.name = "auth", SECONDS(times.auth_s, 10, 3600)},
        {.name = "factor", SECONDS(times.factor_s, 10, 3600)},
        {.name = "alive", SECONDS(times.alive_s, 1, 3600)},
    };
    struct loading *loading = context;
    (void)yaml_map_read(loading->report, value, "\"times\"", FIELDS, COUNT_OF(FIELDS), loading, into);
}

static const struct yaml_field FIELDS[] = {
    {.name = "listen", .read = read_listen},
    {.name = "public_name", .offset = offsetof(struct gateway_config, public_name), .read = read_public_name},
    {.name = "other_names", .read = read_other_names},
    {.name = "policy", PATH(policy)},
    {.name = "keys_dir", PATH(keys_dir)},
    {.name = "people_file", PATH(people_file)},
    {.name = "known_hosts_dir", PATH(known_hosts_dir)},
    {.name = "state_dir", PATH(state_dir)},
    {.name = "recordings_dir", PATH(recordings_dir)},
    {.name = "evidence_dir", PATH(evidence_dir)},
    {.name = "recipients", PATH(recipients)},
    {.name = "events", PATH(events)},
    {.name = "libexec_dir", PATH(libexec_dir)},
    {.name = "keys", .read = read_keys},
    {.name = "user_ca_keys", .read = read_user_ca_keys},
    {.name = "revoked_keys", PATH(revoked_keys)},
    {.name = "pam", .read = read_pam},
    {.name = "source_address", .read = read_source},
    {.name = "min_free",
     .type = YAML_FIELD_SIZE,
     .min = 1 << 20,
     .max = 1ULL << 50,
     .offset = offsetof(struct gateway_config, min_free_bytes)},
    {.name = "aws", .read = read_aws},
    {.name = "uids", .read = read_uids},
    {.name = "limits", .read = read_limits},
    {.name = "no_penalties", .read = read_no_penalties},
    {.name = "times", .read = read_times},
};

/* The folder of the policy file, where its known_hosts files lie. */
static void fill_known_hosts_dir(struct gateway_config *config)
{
    if (config->known_hosts_dir[0] != 0) {
        return;
    }
    const char *slash = strrchr(config->policy, '/');
    size_t len = slash == NULL || slash == config->policy ? 1 : (size_t)(slash - config->policy);
    (void)snprintf(config->known_hosts_dir, sizeof config->known_hosts_dir, "%.*s", (int)len, config->policy);
}

enum err config_load(struct cursor bytes, const char *file_name, struct yaml_report *report,
                     struct gateway_config *ret)
{
    yaml_report_init(report, file_name);
    struct yaml_document *document = NULL;
    TRY(yaml_document_read(bytes, report, &document));
    struct gateway_config config = DEFAULTS;
    struct loading loading = {report};
    const struct yaml_node *root = yaml_document_root(document);
    bool is_good =
        yaml_map_read(report, root, "the configuration", FIELDS, COUNT_OF(FIELDS), &loading, &config);
    if (is_good) {
        fill_known_hosts_dir(&config);
        config_check(&config, root, report);
    }
    yaml_report_sort(report);
    yaml_document_free(document);
    if (report->error_count > 0) {
        return ERR_MALFORMED;
    }
    *ret = config;
    return ERR_NONE;
}
