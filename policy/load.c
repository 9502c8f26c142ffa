#include "language.h"
#include "policy/language.h"
#include "loader.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "crypto/hash.h"
#include "yaml/document.h"

enum {
    DEFAULT_SESSION_S = 8 * 3600,
    DEFAULT_IDLE_S = 30 * 60,
    DEFAULT_CONNECTIONS = 10,
    DEFAULT_CAP_BYTES = 64 << 20
};

struct sections {
    const struct yaml_node *networks, *people, *targets, *rules, *never, *defaults, *tests;
};

static void read_version(void *context, const struct yaml_node *value, void *into)
{
    (void)into;
    struct loader *loader = context;
    if (value->kind != YAML_TEXT || value->is_quoted || !cursor_equal_text(value->text, "1")) {
        LOADER_ERROR(loader, value, "\"version\" must be 1");
    }
}

static void read_mode(void *context, const struct yaml_node *value, void *into)
{
    static const char *const WORDS[] = {"enforce", "observe", NULL};
    (void)into;
    struct loader *loader = context;
    unsigned number = 0;
    if (!loader_choice(loader, value, WORDS, &number)) {
        return;
    }
    loader->policy->is_observing = number == 1;
    if (loader->policy->is_observing) {
        yaml_report_warning(
            loader->report, value->line, value->column,
            "\"mode: observe\" denies nothing but what \"never\" lists: it is for trying a policy");
    }
}

static void keep_section(void *context, const struct yaml_node *value, void *into)
{
    (void)context;
    *(const struct yaml_node **)into = value;
}

static const struct yaml_field POLICY_FIELDS[] = {
    {.name = "version", .is_required = true, .read = read_version, .schema = "{\"const\":1}"},
    {.name = "mode", .read = read_mode, .schema = SCHEMA_WORDS("\"enforce\",\"observe\"")},
    {.name = "networks",
     .offset = offsetof(struct sections, networks),
     .read = keep_section,
     .schema = SCHEMA_NAMED(SCHEMA_TEXTS)},
    {.name = "people",
     .offset = offsetof(struct sections, people),
     .read = keep_section,
     .shape = YAML_SHAPE_NAMED,
     .maps = MAPS(&loader_group_map)},
    {.name = "targets",
     .offset = offsetof(struct sections, targets),
     .read = keep_section,
     .shape = YAML_SHAPE_NAMED,
     .maps = MAPS(&loader_ssh_map, &loader_tcp_map, &loader_postgres_map, &loader_mysql_map,
                  &loader_internal_map)},
    {.name = "rules",
     .offset = offsetof(struct sections, rules),
     .read = keep_section,
     .shape = YAML_SHAPE_LIST,
     .maps = MAPS(&loader_rule_map)},
    {.name = "never",
     .offset = offsetof(struct sections, never),
     .read = keep_section,
     .shape = YAML_SHAPE_LIST,
     .maps = MAPS(&loader_never_map)},
    {.name = "defaults",
     .offset = offsetof(struct sections, defaults),
     .read = keep_section,
     .maps = MAPS(&loader_defaults_map)},
    {.name = "tests",
     .offset = offsetof(struct sections, tests),
     .read = keep_section,
     .shape = YAML_SHAPE_LIST,
     .maps = MAPS(&loader_test_map)},
};
const struct yaml_map loader_policy_map = YAML_MAP("the policy", POLICY_FIELDS);

static void read_sections(struct loader *loader, const struct yaml_node *root, struct sections *ret)
{
    (void)yaml_map_read(loader->report, root, "the policy", POLICY_FIELDS,
                        sizeof POLICY_FIELDS / sizeof POLICY_FIELDS[0], loader, ret);
}

static void read_record(void *context, const struct yaml_node *value, void *into)
{
    loader_record(context, value, into);
}

static void read_limits(void *context, const struct yaml_node *value, void *into)
{
    loader_limits(context, value, true, into);
}

static const struct yaml_field DEFAULTS_FIELDS[] = {
    {.name = "record",
     .offset = offsetof(struct policy, record),
     .read = read_record,
     .maps = MAPS(&loader_record_map)},
    {.name = "limits",
     .offset = offsetof(struct policy, limits),
     .read = read_limits,
     .maps = MAPS(&loader_limits_map)},
    {.name = "if_recording_fails", .type = YAML_FIELD_UNSUPPORTED},
};
const struct yaml_map loader_defaults_map = YAML_MAP("\"defaults\"", DEFAULTS_FIELDS);

void load_defaults(struct loader *loader, const struct yaml_node *section)
{
    struct policy *policy = loader->policy;
    policy->record = (struct record_rules){.exec_cap_bytes = DEFAULT_CAP_BYTES, .input = RECORD_INPUT_NONE};
    policy->limits = (struct limit_rules){DEFAULT_SESSION_S, DEFAULT_IDLE_S, DEFAULT_CONNECTIONS,
                                          LIMIT_CHANNELS_PER_ACCESS};
    if (section != NULL) {
        (void)yaml_map_read(loader->report, section, "\"defaults\"", DEFAULTS_FIELDS,
                            sizeof DEFAULTS_FIELDS / sizeof DEFAULTS_FIELDS[0], loader, policy);
    }
    if (policy->record.params == RECORD_PARAMS_DEFAULT) {
        policy->record.params = RECORD_PARAMS_FULL;
    }
}

/* The longest age of a factor that any rule for a person accepts: as long as a lease may be of use. */
static void note_factor_ages(struct policy *policy)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        for (size_t j = 0; j < rule->group_count; j++) {
            struct group *group = &policy->groups[rule->groups[j]];
            group->max_mfa_age_s =
                rule->mfa_age_s > group->max_mfa_age_s ? rule->mfa_age_s : group->max_mfa_age_s;
            group->is_key_factor = group->is_key_factor || rule->is_key_factor;
        }
    }
}

static MUST_CHECK enum err compile(struct policy *policy)
{
    TRY(host_index_build(policy));
    TRY(bit_table_of_rules(policy));
    TRY(bit_table_of_nevers(policy));
    note_factor_ages(policy);
    return ERR_NONE;
}

static MUST_CHECK enum err state_of(const struct loader *loader)
{
    if (loader->is_out_of_memory) {
        return ERR_MEMORY;
    }
    return loader->report->error_count == 0 ? ERR_NONE : ERR_MALFORMED;
}

static const struct yaml_field ADDED_FIELDS[] = {
    {.name = "version", .read = read_version, .schema = "{\"const\":1}"},
    {.name = "networks",
     .offset = offsetof(struct sections, networks),
     .read = keep_section,
     .schema = SCHEMA_NAMED(SCHEMA_TEXTS)},
    {.name = "people",
     .offset = offsetof(struct sections, people),
     .read = keep_section,
     .shape = YAML_SHAPE_NAMED,
     .maps = MAPS(&loader_group_map)},
    {.name = "targets",
     .offset = offsetof(struct sections, targets),
     .read = keep_section,
     .shape = YAML_SHAPE_NAMED,
     .maps = MAPS(&loader_ssh_map, &loader_tcp_map, &loader_postgres_map, &loader_mysql_map,
                  &loader_internal_map)},
    {.name = "rules",
     .offset = offsetof(struct sections, rules),
     .read = keep_section,
     .shape = YAML_SHAPE_LIST,
     .maps = MAPS(&loader_rule_map)},
    {.name = "never",
     .offset = offsetof(struct sections, never),
     .read = keep_section,
     .shape = YAML_SHAPE_LIST,
     .maps = MAPS(&loader_never_map)},
    {.name = "tests",
     .offset = offsetof(struct sections, tests),
     .read = keep_section,
     .shape = YAML_SHAPE_LIST,
     .maps = MAPS(&loader_test_map)},
};
const struct yaml_map loader_added_map = YAML_MAP("a file that adds to the policy", ADDED_FIELDS);

/* A file beside the policy adds to sections; the rest is said once. */
static void read_added_sections(struct loader *loader, const struct yaml_node *root, struct sections *ret)
{
    (void)yaml_map_read(loader->report, root, "a file that adds to the policy", ADDED_FIELDS,
                        sizeof ADDED_FIELDS / sizeof ADDED_FIELDS[0], loader, ret);
}

static void join(struct loader *loader, const struct yaml_node **section, const struct yaml_node *more,
                 bool is_list)
{
    if (more == NULL) {
        return;
    }
    bool is_right = is_list ? yaml_expect_list(loader->report, more, NODE_TEXT(more->key))
                            : yaml_expect_map(loader->report, more, NODE_TEXT(more->key));
    if (is_right && *section == NULL) {
        *section = more;
    } else if (is_right) {
        (void)yaml_node_append(*section, more); /* else the first one is told to be of the wrong kind */
    }
}

static void add_sections(struct loader *loader, const struct yaml_node *root, struct sections *sections)
{
    struct sections more = {0};
    read_added_sections(loader, root, &more);
    join(loader, &sections->networks, more.networks, false);
    join(loader, &sections->people, more.people, false);
    join(loader, &sections->targets, more.targets, false);
    join(loader, &sections->rules, more.rules, true);
    join(loader, &sections->never, more.never, true);
    join(loader, &sections->tests, more.tests, true);
}

static void require_sections(struct loader *loader, const struct yaml_node *root,
                             const struct sections *sections)
{
    const struct {
        const char *name;
        const struct yaml_node *section;
    } rows[] = {{"people", sections->people}, {"targets", sections->targets}, {"rules", sections->rules}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].section == NULL) {
            LOADER_ERROR(loader, root, "the policy needs the key \"%s\"", rows[i].name);
        }
    }
}

static MUST_CHECK enum err load_sections(struct loader *loader, struct yaml_document *const *documents,
                                         size_t count, size_t *ret_tests)
{
    struct sections sections = {0};
    const struct yaml_node *root = yaml_document_root(documents[0]);
    read_sections(loader, root, &sections);
    for (size_t i = 1; i < count; i++) {
        add_sections(loader, yaml_document_root(documents[i]), &sections);
    }
    require_sections(loader, root, &sections);
    load_networks(loader, sections.networks);
    load_people(loader, sections.people);
    load_targets(loader, sections.targets);
    load_defaults(loader, sections.defaults);
    load_rules(loader, sections.rules);
    load_nevers(loader, sections.never);
    bool is_complete = state_of(loader) == ERR_NONE;
    if (is_complete) {
        TRY(compile(loader->policy));
        check_policy(loader);
    }
    is_complete = state_of(loader) == ERR_NONE;
    *ret_tests = load_tests(loader, sections.tests, is_complete);
    return state_of(loader);
}

static void loader_done(struct loader *loader)
{
    names_done(&loader->groups);
    names_done(&loader->targets);
    names_done(&loader->network_sets);
    names_done(&loader->labels);
    names_done(&loader->ids);
}

/* One file: its own hash. Several: that of the lines that sha256sum(1) prints for them, in their order. */
static void hash_files(const struct policy_source *sources, size_t count, uint8_t *ret_sha256)
{
    OWNED_SHA256 hash = {0};
    if (count == 1) {
        crypto_sha256(sources[0].bytes, ret_sha256);
        return;
    }
    crypto_sha256_init(&hash);
    for (size_t i = 0; i < count; i++) {
        char hex[2 * POLICY_HASH_BYTES + 1];
        uint8_t one[POLICY_HASH_BYTES];
        crypto_sha256(sources[i].bytes, one);
        crypto_sha256_add(&hash, cursor_of_text(text_hex(cursor_of(one, sizeof one), hex, sizeof hex)));
        crypto_sha256_add(&hash, cursor_of_text("  "));
        crypto_sha256_add(&hash, cursor_of_text(policy_source_place(&sources[0], &sources[i])));
        crypto_sha256_add(&hash, cursor_of_text("\n"));
    }
    crypto_sha256_end(&hash, ret_sha256);
}

const char *policy_source_place(const struct policy_source *main, const struct policy_source *source)
{
    const char *slash = strrchr(main->name, '/');
    size_t folder = slash == NULL ? 0 : (size_t)(slash + 1 - main->name);
    return strncmp(source->name, main->name, folder) == 0 ? source->name + folder : source->name;
}

static MUST_CHECK enum err keep_names(struct policy *policy, const struct policy_source *sources,
                                      size_t count)
{
    const char **names = arena_array(&policy->arena, count, sizeof *names);
    for (size_t i = 0; names != NULL && i < count; i++) {
        names[i] = arena_text(&policy->arena, cursor_of_text(sources[i].name));
        if (names[i] == NULL) {
            return ERR_MEMORY;
        }
    }
    policy->file_names = names;
    return names == NULL ? ERR_MEMORY : ERR_NONE;
}

static MUST_CHECK enum err read_documents(const struct policy_source *sources, size_t count,
                                          struct yaml_report *report, struct yaml_document **ret_documents)
{
    enum err err = ERR_NONE;
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += cursor_len(&sources[i].bytes);
        report->reading = (unsigned)i;
        enum err one = yaml_document_read(sources[i].bytes, report, &ret_documents[i]);
        err = err == ERR_NONE ? one : err; /* all files are read: several mistakes are told at once */
    }
    report->reading = 0;
    if (err == ERR_NONE && total > YAML_FILE_BYTES) {
        yaml_report_error(report, 0, 0,
                          "the files of the policy have %zu bytes in all; at most %d are allowed", total,
                          YAML_FILE_BYTES);
        return ERR_TOO_LARGE;
    }
    return err;
}

static MUST_CHECK enum err load_documents(const struct policy_source *sources, size_t count,
                                          struct yaml_document *const *documents,
                                          struct policy_report *report, struct policy **ret)
{
    struct policy *policy = calloc(1, sizeof *policy);
    if (policy == NULL) {
        return ERR_MEMORY;
    }
    hash_files(sources, count, policy->sha256);
    struct loader loader = {.policy = policy, .report = &report->findings};
    enum err err = keep_names(policy, sources, count);
    if (err == ERR_NONE) {
        err = load_sections(&loader, documents, count, &report->test_count);
    }
    loader_done(&loader);
    if (err != ERR_NONE) {
        policy_free(policy);
        return err;
    }
    report->people_count = policy->people_count;
    report->target_count = policy->target_count;
    report->rule_count = policy->rule_count;
    report->never_count = policy->never_count;
    *ret = policy;
    return ERR_NONE;
}

enum err policy_load_files(const struct policy_source *sources, size_t count, struct policy_report *report,
                           struct policy **ret)
{
    assert(count >= 1 && count <= POLICY_FILES_MAX);
    struct yaml_document *documents[POLICY_FILES_MAX] = {NULL};
    const char *more_names[POLICY_FILES_MAX] = {NULL};
    for (size_t i = 1; i < count; i++) {
        more_names[i - 1] = sources[i].name;
    }
    *report = (struct policy_report){0};
    yaml_report_init(&report->findings, sources[0].name);
    report->findings.more_names = more_names;
    enum err err = read_documents(sources, count, &report->findings, documents);
    if (err == ERR_NONE) {
        err = load_documents(sources, count, documents, report, ret);
    }
    for (size_t i = 0; i < count; i++) {
        yaml_document_free(documents[i]);
    }
    report->findings.more_names = NULL;
    yaml_report_sort(&report->findings);
    return err;
}

enum err policy_load(struct cursor bytes, const char *file_name, struct policy_report *report,
                     struct policy **ret)
{
    const struct policy_source source = {file_name, bytes};
    return policy_load_files(&source, 1, report, ret);
}

void policy_free(struct policy *policy)
{
    if (policy != NULL) {
        names_done(&policy->people_by_name);
        names_done(&policy->principals_by_name);
        host_index_done(&policy->hosts);
        arena_done(&policy->arena);
        free(policy);
    }
}

const struct yaml_map *policy_language(void)
{
    return &loader_policy_map;
}

const char *policy_place(const struct policy *policy, unsigned place, unsigned *ret_line)
{
    *ret_line = yaml_place_line(place);
    return policy->file_names[yaml_place_file(place)];
}

const uint8_t *policy_sha256(const struct policy *policy)
{
    return policy->sha256;
}
