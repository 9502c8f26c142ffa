#include "loader.h"

#include <stdlib.h>
#include <string.h>

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

static void read_sections(struct loader *loader, const struct yaml_node *root, struct sections *ret)
{
    static const struct yaml_field FIELDS[] = {
        {.name = "version", .is_required = true, .read = read_version},
        {.name = "mode", .read = read_mode},
        {.name = "networks", .offset = offsetof(struct sections, networks), .read = keep_section},
        {.name = "people",
         .is_required = true,
         .offset = offsetof(struct sections, people),
         .read = keep_section},
        {.name = "targets",
         .is_required = true,
         .offset = offsetof(struct sections, targets),
         .read = keep_section},
        {.name = "rules",
         .is_required = true,
         .offset = offsetof(struct sections, rules),
         .read = keep_section},
        {.name = "never", .offset = offsetof(struct sections, never), .read = keep_section},
        {.name = "defaults", .offset = offsetof(struct sections, defaults), .read = keep_section},
        {.name = "tests", .offset = offsetof(struct sections, tests), .read = keep_section},
    };
    (void)yaml_map_read(loader->report, root, "the policy", FIELDS, sizeof FIELDS / sizeof FIELDS[0], loader,
                        ret);
}

static void read_record(void *context, const struct yaml_node *value, void *into)
{
    loader_record(context, value, into);
}

static void read_limits(void *context, const struct yaml_node *value, void *into)
{
    loader_limits(context, value, true, into);
}

void load_defaults(struct loader *loader, const struct yaml_node *section)
{
    static const struct yaml_field FIELDS[] = {
        {.name = "record", .offset = offsetof(struct policy, record), .read = read_record},
        {.name = "limits", .offset = offsetof(struct policy, limits), .read = read_limits},
        {.name = "if_recording_fails", .type = YAML_FIELD_UNSUPPORTED},
    };
    struct policy *policy = loader->policy;
    policy->record = (struct record_rules){.exec_cap_bytes = DEFAULT_CAP_BYTES, .input = RECORD_INPUT_NONE};
    policy->limits = (struct limit_rules){DEFAULT_SESSION_S, DEFAULT_IDLE_S, DEFAULT_CONNECTIONS,
                                          LIMIT_CHANNELS_PER_ACCESS};
    if (section != NULL) {
        (void)yaml_map_read(loader->report, section, "\"defaults\"", FIELDS, sizeof FIELDS / sizeof FIELDS[0],
                            loader, policy);
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

static MUST_CHECK enum err load_sections(struct loader *loader, const struct yaml_node *root,
                                         size_t *ret_tests)
{
    struct sections sections = {0};
    read_sections(loader, root, &sections);
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

enum err policy_load(struct cursor bytes, const char *file_name, struct policy_report *report,
                     struct policy **ret)
{
    *report = (struct policy_report){0};
    yaml_report_init(&report->findings, file_name);
    struct yaml_document *document = NULL;
    TRY(yaml_document_read(bytes, &report->findings, &document));
    struct policy *policy = calloc(1, sizeof *policy);
    enum err err = ERR_MEMORY;
    if (policy != NULL) {
        crypto_sha256(bytes, policy->sha256);
        struct loader loader = {.policy = policy, .report = &report->findings};
        err = load_sections(&loader, yaml_document_root(document), &report->test_count);
        loader_done(&loader);
    }
    yaml_document_free(document);
    yaml_report_sort(&report->findings);
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

const uint8_t *policy_sha256(const struct policy *policy)
{
    return policy->sha256;
}
