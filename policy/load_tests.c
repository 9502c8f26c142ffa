#include "language.h"
#include "loader.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "policy/calendar.h"
#include "host_pattern.h"
#include "policy/line.h"

enum { TESTS_MAX = 10000, NAME_BYTES = 128 };

/* One test while it is read. */
struct test {
    char name[NAME_BYTES];
    char user[LIMIT_PERSON_BYTES];
    char from[LIMIT_ADDRESS_BYTES];
    struct policy_factor factor;
    int64_t at_s;
    struct cursor reason;
    enum policy_key key;
    size_t principals_len;
    uint8_t principals[LIMIT_PRINCIPALS_BYTES];
    const struct yaml_node *allow, *deny;
};

static void read_name(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    if (yaml_expect_text(loader->report, value, "name")) {
        text_printable(value->text, into, NAME_BYTES);
    }
}

static void read_user(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    struct test *test = into;
    uint32_t person = 0;
    if (value->kind != YAML_TEXT || !text_is_person(value->text)) {
        LOADER_ERROR(loader, value, "\"user\" must be the name of a person");
        return;
    }
    memcpy(test->user, value->text.at, cursor_len(&value->text) + 1);
    if (!policy_has_principals(loader->policy) &&
        names_find(&loader->policy->people_by_name, value->text, &person) != ERR_NONE) {
        yaml_report_warning(loader->report, value->line, value->column, "no group names \"%s\"", test->user);
    }
}

static void read_from(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    struct test *test = into;
    struct network address;
    if (value->kind != YAML_TEXT || network_address(value->text, &address) != ERR_NONE) {
        LOADER_ERROR(loader, value, "\"from\" of a test must be one numeric address");
        return;
    }
    memcpy(test->from, value->text.at, cursor_len(&value->text) + 1);
}

static void read_mfa_age(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    struct test *test = into;
    uint64_t seconds = 0;
    if (value->kind != YAML_TEXT || text_duration_s(value->text, &seconds) != ERR_NONE) {
        LOADER_ERROR(loader, value, "\"mfa_age\" must be a time such as 0s or 5m");
        return;
    }
    test->factor = (struct policy_factor){true, seconds};
}

static void read_at(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    if (value->kind != YAML_TEXT || !calendar_read_time(value->text, into)) {
        LOADER_ERROR(loader, value, "\"at\" must be a time such as 2026-11-23T10:00:00+01:00");
    }
}

static void read_reason(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    if (yaml_expect_text(loader->report, value, "reason")) {
        *(struct cursor *)into = value->text;
    }
}

static void read_principals(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    struct test *test = into;
    struct writer out = writer_of(test->principals, sizeof test->principals);
    struct cursor written = {NULL, NULL};
    if (!loader_is_text_list(loader, value, SIZE_MAX)) {
        return;
    }
    for (const struct yaml_node *item = value->first; item != NULL; item = item->next) {
        writer_string(&out, item->text);
    }
    if (writer_done(&out, &written) != ERR_NONE) {
        LOADER_ERROR(loader, value, "\"principals\" can have %d bytes in all", LIMIT_PRINCIPALS_BYTES);
    }
    test->principals_len = cursor_len(&written);
}

static const struct yaml_field TEST_AS_FIELDS[] = {
    {.name = "user", .is_required = true, .read = read_user, .schema = SCHEMA_TEXT},
    {.name = "from", .read = read_from, .schema = SCHEMA_TEXT},
    {.name = "mfa_age",
     .read = read_mfa_age,
     .schema = "{\"type\":\"string\",\"pattern\":\"^[0-9]+[smhd]$\"}"},
    {.name = "at", .offset = offsetof(struct test, at_s), .read = read_at, .schema = SCHEMA_TEXT},
    {.name = "reason", .offset = offsetof(struct test, reason), .read = read_reason, .schema = SCHEMA_TEXT},
    {.name = "key",
     .offset = offsetof(struct test, key),
     .read = loader_key,
     .schema = SCHEMA_WORDS("\"touched\",\"verified\"")},
    {.name = "principals", .read = read_principals, .schema = SCHEMA_TEXTS},
    {.name = "claims", .type = YAML_FIELD_UNSUPPORTED},
};
const struct yaml_map loader_test_as_map = YAML_MAP("\"as\" of a test", TEST_AS_FIELDS);

static void read_as(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    (void)yaml_map_read(loader->report, value, "\"as\" of a test", TEST_AS_FIELDS,
                        sizeof TEST_AS_FIELDS / sizeof TEST_AS_FIELDS[0], loader, into);
}

static void keep_lines(void *context, const struct yaml_node *value, void *into)
{
    enum { LINES_MAX = 1000 };
    if (loader_is_text_list(context, value, LINES_MAX)) {
        *(const struct yaml_node **)into = value;
    }
}

void policy_line_resolve(const struct policy *policy, struct policy_line *line)
{
    static const uint16_t USUAL_PORTS[] = {22, 5432, 3306, 443};
    uint32_t number = host_index_find(policy, cursor_of_text(line->host), line->port);
    for (size_t i = 0;
         number == HOST_NONE && !line->has_port && i < sizeof USUAL_PORTS / sizeof USUAL_PORTS[0]; i++) {
        number = host_index_find(policy, cursor_of_text(line->host), USUAL_PORTS[i]);
        line->port = number == HOST_NONE ? line->port : USUAL_PORTS[i];
    }
    for (size_t i = 0; number == HOST_NONE && i < policy->target_count; i++) {
        const struct target *target = &policy->targets[i];
        if (strcmp(target->name, line->host) == 0 && target->host_count > 0) {
            (void)snprintf(line->host, sizeof line->host, "%s", (const char *)target->hosts[0].at);
            for (char *star = strchr(line->host, '*'); star != NULL; star = strchr(star, '*')) {
                *star = 'x';
            }
            line->port = target->port;
            return;
        }
    }
}

static void run_line(struct loader *loader, const struct test *test, const struct yaml_node *item,
                     struct policy_line line, bool is_allowed)
{
    policy_line_resolve(loader->policy, &line);
    if (host_index_find(loader->policy, cursor_of_text(line.host), line.port) == HOST_NONE) {
        yaml_report_warning(loader->report, item->line, item->column, "no target lists %s:%u", line.host,
                            line.port);
    }
    struct policy_request request = {
        .person = test->user,
        .principals = cursor_of(test->principals, test->principals_len),
        .from = test->from,
        .host = line.host,
        .port = line.port,
        .account = line.account,
        .database = line.database,
        .factor = &test->factor,
        .action = line.action,
        .at_s = test->at_s,
        .reason = test->reason,
        .key = test->key,
        .command = line.command,
    };
    struct policy_decision decision;
    policy_decide(loader->policy, &request, &decision);
    if ((decision.verdict == POLICY_ALLOWED && !decision.is_observed) == is_allowed) {
        return;
    }
    if (is_allowed) {
        LOADER_ERROR(loader, item, "test \"%s\" failed: \"%.100s\" should be allowed, but %s", test->name,
                     NODE_TEXT(item), decision.sentence);
    } else {
        LOADER_ERROR(loader, item, "test \"%s\" failed: \"%.100s\" should be denied, but %s allows it",
                     test->name, NODE_TEXT(item), decision.rule);
    }
}

static void read_lines(struct loader *loader, const struct test *test, const struct yaml_node *lines,
                       bool is_allowed, bool is_complete)
{
    for (const struct yaml_node *item = lines == NULL ? NULL : lines->first; item != NULL;
         item = item->next) {
        struct policy_line line;
        const char *problem = "";
        if (policy_line_read(item->text, &line, &problem) != ERR_NONE) {
            LOADER_ERROR(loader, item, "this is no line of a test: %s", problem);
        } else if (is_complete) {
            run_line(loader, test, item, line, is_allowed);
        }
    }
}

static const struct yaml_field TEST_FIELDS[] = {
    {.name = "name",
     .is_required = true,
     .offset = offsetof(struct test, name),
     .read = read_name,
     .schema = SCHEMA_TEXT},
    {.name = "as", .is_required = true, .read = read_as, .maps = MAPS(&loader_test_as_map)},
    {.name = "allow", .offset = offsetof(struct test, allow), .read = keep_lines, .schema = SCHEMA_TEXTS},
    {.name = "deny", .offset = offsetof(struct test, deny), .read = keep_lines, .schema = SCHEMA_TEXTS},
};
const struct yaml_map loader_test_map = YAML_MAP("a test", TEST_FIELDS);

size_t load_tests(struct loader *loader, const struct yaml_node *section, bool is_complete)
{
    if (section == NULL || !yaml_expect_list(loader->report, section, "tests")) {
        return 0;
    }
    if (section->count > TESTS_MAX) {
        LOADER_ERROR(loader, section, "these are more than %d tests", TESTS_MAX);
        return 0;
    }
    for (const struct yaml_node *node = section->first; node != NULL; node = node->next) {
        struct test test = {.at_s = POLICY_TIME_UNKNOWN};
        bool is_good = yaml_map_read(loader->report, node, "a test", TEST_FIELDS,
                                     sizeof TEST_FIELDS / sizeof TEST_FIELDS[0], loader, &test);
        if (is_good && test.allow == NULL && test.deny == NULL) {
            LOADER_ERROR(loader, node, "a test needs \"allow\" or \"deny\"");
        }
        read_lines(loader, &test, test.allow, true, is_complete && is_good);
        read_lines(loader, &test, test.deny, false, is_complete && is_good);
    }
    return section->count;
}
