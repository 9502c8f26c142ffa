/* Databases: the keys of a target of kind postgres or mysql, and `db` in `can` of a rule. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "language.h"
#include "loader.h"

/* Users and databases of one rule fit into a grant together, with the ten bytes around them. */
enum { DB_NAMES_MAX = 256, REFUSE_MAX = 16, DB_BLOCK_BYTES = GRANT_DATABASES_BYTES / 2 - 8 };

bool loader_choice(struct loader *loader, const struct yaml_node *node, const char *const *words,
                   unsigned *ret_number)
{
    char all[128] = "";
    size_t used = 0;
    for (unsigned i = 0; words[i] != NULL; i++) {
        if (node->kind == YAML_TEXT && cursor_equal_text(node->text, words[i])) {
            *ret_number = i;
            return true;
        }
        const char *before = i == 0 ? "" : words[i + 1] == NULL ? " or " : ", ";
        if (used < sizeof all) {
            used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", before, words[i]);
        }
    }
    LOADER_ERROR(loader, node, "\"%.64s\" must be %s", NODE_TEXT(node->key), all);
    return false;
}

/* ---- targets ---- */

static void read_verify(void *context, const struct yaml_node *value, void *into)
{
    static const char *const WORDS[] = {"full", "ca", "off", NULL};
    unsigned number = 0;
    if (loader_choice(context, value, WORDS, &number)) {
        *(enum policy_tls_verify *)into = (enum policy_tls_verify)(POLICY_TLS_FULL + number);
    }
}

static void read_ca(void *context, const struct yaml_node *value, void *into)
{
    *(const char **)into = loader_file_beside(context, value, "ca");
}

static void read_server_name(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    if (value->kind != YAML_TEXT || !text_is_host(value->text)) {
        LOADER_ERROR(loader, value, "\"server_name\" must be the name of a host");
        return;
    }
    *(const char **)into = loader_text(loader, value);
}

static const struct yaml_field TLS_FIELDS[] = {
    {.name = "verify",
     .is_required = true,
     .offset = offsetof(struct policy_database, verify),
     .read = read_verify,
     .schema = SCHEMA_WORDS("\"full\",\"ca\",\"off\"")},
    {.name = "ca", .offset = offsetof(struct policy_database, ca), .read = read_ca, .schema = SCHEMA_TEXT},
    {.name = "server_name",
     .offset = offsetof(struct policy_database, server_name),
     .read = read_server_name,
     .schema = SCHEMA_TEXT},
};
const struct yaml_map loader_upstream_tls_map = YAML_MAP("\"upstream_tls\"", TLS_FIELDS);

void loader_upstream_tls(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    struct policy_database *database = into;
    bool is_good = yaml_map_read(loader->report, value, "\"upstream_tls\"", TLS_FIELDS,
                                 sizeof TLS_FIELDS / sizeof TLS_FIELDS[0], loader, database);
    if (!is_good) {
        return;
    }
    bool is_off = database->verify == POLICY_TLS_OFF;
    if (!is_off && database->ca == NULL) {
        LOADER_ERROR(loader, value, "\"upstream_tls\" needs \"ca\": the file of certificates to trust");
    }
    if (is_off && (database->ca != NULL || database->server_name != NULL)) {
        LOADER_ERROR(loader, value, "\"verify: off\" uses no TLS: remove \"ca\" and \"server_name\"");
    }
    if (is_off) {
        yaml_report_warning(loader->report, value->line, value->column,
                            "\"verify: off\" sends passwords and data to the database without TLS");
    }
}

void loader_client_tls(void *context, const struct yaml_node *value, void *into)
{
    static const char *const WORDS[] = {"refuse", "terminate", "opaque", NULL};
    unsigned number = 0;
    if (loader_choice(context, value, WORDS, &number)) {
        *(enum policy_client_tls *)into = (enum policy_client_tls)(POLICY_CLIENT_TLS_REFUSE + number);
    }
}

void loader_login(void *context, const struct yaml_node *value, void *into)
{
    static const char *const WORDS[] = {"client", "ask", "rds-iam", NULL};
    unsigned number = 0;
    if (loader_choice(context, value, WORDS, &number)) {
        *(enum policy_login *)into = (enum policy_login)(POLICY_LOGIN_CLIENT + number);
    }
}

void loader_region(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    if (loader_is_id(loader, value, "a region")) {
        *(const char **)into = loader_text(loader, value);
    }
}

/* "eu-central-1" of "orders.abc123.eu-central-1.rds.amazonaws.com" (and ".com.cn"). */
static struct cursor region_of_host(struct cursor host)
{
    static const char *const ENDS[] = {".rds.amazonaws.com", ".rds.amazonaws.com.cn"};
    for (size_t i = 0; i < sizeof ENDS / sizeof ENDS[0]; i++) {
        size_t len = strlen(ENDS[i]);
        if (cursor_len(&host) > len && memcmp(host.end - len, ENDS[i], len) == 0) {
            struct cursor front = {host.at, host.end - len};
            const uint8_t *dot = memrchr(front.at, '.', cursor_len(&front));
            return dot == NULL ? (struct cursor){NULL, NULL} : (struct cursor){dot + 1, front.end};
        }
    }
    return (struct cursor){NULL, NULL};
}

static void find_region(struct loader *loader, const struct yaml_node *node, struct target *target)
{
    for (size_t i = 0; target->database.region == NULL && i < target->host_count; i++) {
        struct cursor region = region_of_host(target->hosts[i]);
        if (region.at != NULL && memchr(region.at, '*', cursor_len(&region)) == NULL) {
            target->database.region = arena_text(&loader->policy->arena, region);
            loader->is_out_of_memory = loader->is_out_of_memory || target->database.region == NULL;
        }
    }
    if (target->database.region == NULL && !loader->is_out_of_memory) {
        LOADER_ERROR(loader, node, "\"login: rds-iam\" needs \"region\": no host of \"%s\" names one",
                     target->name);
    }
}

void loader_finish_database(struct loader *loader, const struct yaml_node *node, struct target *target)
{
    const struct policy_database *database = &target->database;
    bool is_opaque = database->client_tls == POLICY_CLIENT_TLS_OPAQUE;
    if (is_opaque && database->login != POLICY_LOGIN_CLIENT) {
        LOADER_ERROR(loader, node, "\"client_tls: opaque\" passes bytes unread: \"login\" must be client");
    }
    if (is_opaque && yaml_map_find(node, "upstream_tls") != NULL) {
        LOADER_ERROR(loader, node,
                     "\"client_tls: opaque\" passes the client's own TLS: remove \"upstream_tls\"");
    }
    if (!is_opaque && yaml_map_find(node, "upstream_tls") == NULL) {
        LOADER_ERROR(loader, node, "a database target needs the key \"upstream_tls\"");
    }
    if (database->login == POLICY_LOGIN_RDS_IAM) {
        if (database->verify != POLICY_TLS_FULL) {
            LOADER_ERROR(loader, node, "\"login: rds-iam\" needs \"verify: full\" in \"upstream_tls\"");
        }
        find_region(loader, node, target);
    } else if (database->region != NULL) {
        LOADER_ERROR(loader, node, "\"region\" is for \"login: rds-iam\" alone");
    }
}

/* ---- rules ---- */

/* `db` of `can` while it is read. */
struct db_form {
    struct can *can;
    bool replication, local_infile;
    unsigned refused; /* enum grant_db_right */
};

static void read_names(struct loader *loader, const struct yaml_node *value, struct cursor *ret)
{
    uint8_t block[DB_BLOCK_BYTES];
    struct writer out = writer_of(block, sizeof block);
    if (!loader_is_text_list(loader, value, DB_NAMES_MAX)) {
        return;
    }
    for (const struct yaml_node *item = value->first; item != NULL; item = item->next) {
        const char *problem = grant_check_database_name(item->text);
        if (problem != NULL) {
            LOADER_ERROR(loader, item, "\"%.64s\" cannot be in \"%.64s\": %s", NODE_TEXT(item),
                         NODE_TEXT(value->key), problem);
        }
        writer_string(&out, item->text);
    }
    struct cursor written = {NULL, NULL};
    if (writer_done(&out, &written) != ERR_NONE) {
        LOADER_ERROR(loader, value, "the names of \"%.64s\" can have %zu bytes in all", NODE_TEXT(value->key),
                     sizeof block);
        return;
    }
    uint8_t *copy = loader_alloc(loader, cursor_len(&written), 1);
    if (copy != NULL) {
        memcpy(copy, written.at, cursor_len(&written));
        *ret = cursor_of(copy, cursor_len(&written));
    }
}

static void read_db_users(void *context, const struct yaml_node *value, void *into)
{
    struct db_form *form = into;
    read_names(context, value, &form->can->db_users);
}

static void read_db_databases(void *context, const struct yaml_node *value, void *into)
{
    struct db_form *form = into;
    read_names(context, value, &form->can->db_databases);
}

static void read_refuse(void *context, const struct yaml_node *value, void *into)
{
    static const struct {
        const char *word;
        enum grant_db_right right;
    } ROWS[] = {{"copy", GRANT_DB_COPY},
                {"function_call", GRANT_DB_FUNCTION_CALL},
                {"replication", GRANT_DB_REPLICATION},
                {"local_infile", GRANT_DB_LOCAL_INFILE}};
    struct loader *loader = context;
    struct db_form *form = into;
    if (!loader_is_text_list(loader, value, REFUSE_MAX)) {
        return;
    }
    for (const struct yaml_node *item = value->first; item != NULL; item = item->next) {
        size_t i = 0;
        while (i < sizeof ROWS / sizeof ROWS[0] && !cursor_equal_text(item->text, ROWS[i].word)) {
            i++;
        }
        if (i == sizeof ROWS / sizeof ROWS[0]) {
            LOADER_ERROR(loader, item,
                         "\"%.64s\" cannot be refused; copy, function_call, replication and local_infile can",
                         NODE_TEXT(item));
        } else {
            form->refused |= ROWS[i].right;
        }
    }
}

static void read_opaque(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    struct db_form *form = into;
    if (!yaml_is_bool(value, &form->can->db_opaque)) {
        LOADER_ERROR(loader, value, "\"opaque\" must be true or false");
    }
}

static const struct yaml_field DB_FIELDS[] = {
    {.name = "users", .read = read_db_users, .schema = SCHEMA_TEXTS},
    {.name = "databases", .read = read_db_databases, .schema = SCHEMA_TEXTS},
    {.name = "refuse",
     .read = read_refuse,
     .schema = "{\"type\":\"array\",\"minItems\":1,\"uniqueItems\":true,\"items\":" SCHEMA_WORDS(
         "\"copy\",\"function_call\",\"replication\",\"local_infile\"") "}"},
    {.name = "replication", .type = YAML_FIELD_BOOL, .offset = offsetof(struct db_form, replication)},
    {.name = "local_infile", .type = YAML_FIELD_BOOL, .offset = offsetof(struct db_form, local_infile)},
    {.name = "opaque", .read = read_opaque, .schema = SCHEMA_BOOL},
};
const struct yaml_map loader_db_map = YAML_MAP("\"db\"", DB_FIELDS);

void loader_can_db(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    struct db_form form = {.can = into};
    bool is_good = yaml_map_read(loader->report, value, "\"db\"", DB_FIELDS,
                                 sizeof DB_FIELDS / sizeof DB_FIELDS[0], loader, &form);
    bool has_users = cursor_len(&form.can->db_users) > 0;
    bool has_databases = cursor_len(&form.can->db_databases) > 0;
    if (!is_good) {
        return;
    }
    if (has_users != has_databases || (!has_users && !form.can->db_opaque)) {
        LOADER_ERROR(loader, value, "\"db\" needs \"users\" and \"databases\"%s",
                     has_users || has_databases ? "" : ", or \"opaque: true\" where bytes pass unread");
    }
    unsigned asked =
        (form.replication ? GRANT_DB_REPLICATION : 0U) | (form.local_infile ? GRANT_DB_LOCAL_INFILE : 0U);
    if ((asked & form.refused) != 0 || (asked != 0 && !has_users)) {
        LOADER_ERROR(loader, value,
                     (asked & form.refused) != 0 ? "\"db\" allows and refuses the same"
                                                 : "\"replication\" and \"local_infile\" need \"users\"");
    }
    form.can->db_rights = (GRANT_DB_COPY | GRANT_DB_FUNCTION_CALL | asked) & ~form.refused;
}
