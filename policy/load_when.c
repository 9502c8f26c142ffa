/* `when` of a rule: what must hold besides who, where and what. */
#include <string.h>

#include "policy/calendar.h"
#include "language.h"
#include "loader.h"

enum { MFA_SHORTEST_S = 60, MFA_LONGEST_S = 30 * 86400, DAY_S = 86400, HOURS_MAX = 16, ZONES_MAX = 64 };

static void read_from(void *context, const struct yaml_node *value, void *into)
{
    struct rule *rule = into;
    loader_networks(context, value, POLICY_RULE_NETWORKS_MAX, &rule->from, &rule->from_count);
}

/* ---- hours ---- */

static void report_zone(struct loader *loader, const struct yaml_node *node, struct cursor name, enum err err)
{
    int len = (int)cursor_len(&name);
    if (err == ERR_MEMORY) {
        loader->is_out_of_memory = true;
    } else if (err == ERR_NOT_FOUND) {
        LOADER_ERROR(
            loader, node,
            "this system knows no time zone \"%.*s\" (names are such as Europe/Berlin or UTC; they come "
            "with the package tzdata)",
            len, (const char *)name.at);
    } else {
        LOADER_ERROR(loader, node, "the file of time zone \"%.*s\" cannot be used: %s", len,
                     (const char *)name.at, err_text(err));
    }
}

/* Each zone is read once. @return false after an error. */
static bool zone_number(struct loader *loader, const struct yaml_node *node, struct cursor name,
                        uint32_t *ret)
{
    struct policy *policy = loader->policy;
    for (uint32_t i = 0; i < policy->zone_count; i++) {
        if (cursor_equal_text(name, policy->zones[i].name)) {
            *ret = i;
            return true;
        }
    }
    if (policy->zones == NULL) {
        policy->zones = loader_alloc(loader, ZONES_MAX, sizeof *policy->zones);
    }
    if (policy->zone_count == ZONES_MAX) {
        LOADER_ERROR(loader, node, "these are more than %d time zones", ZONES_MAX);
        return false;
    }
    if (policy->zones == NULL) {
        return false;
    }
    enum err err = zone_find(&policy->arena, name, &policy->zones[policy->zone_count]);
    if (err != ERR_NONE) {
        report_zone(loader, node, name, err);
        return false;
    }
    *ret = policy->zone_count++;
    return true;
}

static void add_hours(struct loader *loader, const struct yaml_node *item, struct rule *rule)
{
    struct hours hours = {0};
    struct cursor zone;
    if (!yaml_expect_text(loader->report, item, "hours")) {
        return;
    }
    const char *problem = hours_read(item->text, &hours, &zone);
    if (problem != NULL) {
        LOADER_ERROR(loader, item, "\"%.64s\" cannot be hours: %s", NODE_TEXT(item), problem);
    } else if (zone_number(loader, item, zone, &hours.zone)) {
        hours.text = loader_copy(loader, item);
        rule->hours[rule->hours_count++] = hours;
    }
}

static void read_hours(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    struct rule *rule = into;
    bool is_list = value->kind == YAML_LIST;
    if (is_list && !loader_is_text_list(loader, value, HOURS_MAX)) {
        return;
    }
    rule->hours = loader_alloc(loader, is_list ? value->count : 1, sizeof *rule->hours);
    if (!is_list && rule->hours != NULL) {
        add_hours(loader, value, rule);
    }
    for (const struct yaml_node *item = is_list ? value->first : NULL; item != NULL && rule->hours != NULL;
         item = item->next) {
        add_hours(loader, item, rule);
    }
}

/* ---- the others ---- */

/* A day is over at midnight UTC: a rule that counts on another clock can say the time. */
static void read_until(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    struct rule *rule = into;
    int64_t day = 0;
    if (value->kind == YAML_TEXT && calendar_read_day(value->text, &day)) {
        rule->until_s = (day + 1) * DAY_S;
    } else if (value->kind != YAML_TEXT || !calendar_read_time(value->text, &rule->until_s)) {
        LOADER_ERROR(
            loader, value,
            "\"until\" must be a day such as 2026-12-31 or a time such as 2026-12-31T18:00:00+01:00");
    }
}

static void read_reason(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    struct rule *rule = into;
    if (!yaml_expect_text(loader->report, value, "reason")) {
        return;
    }
    bool is_any = cursor_equal_text(value->text, "required");
    size_t stars = 0;
    for (const uint8_t *at = value->text.at; at != value->text.end; at++) {
        stars += *at == '*' ? 1 : 0;
    }
    if (cursor_len(&value->text) >= POLICY_REASON_PATTERN_BYTES || stars == cursor_len(&value->text)) {
        LOADER_ERROR(loader, value,
                     "\"reason\" must be required, or a pattern of at most %d characters such as \"INC-*\"",
                     POLICY_REASON_PATTERN_BYTES - 1);
        return;
    }
    rule->reason = is_any ? "*" : loader_text(loader, value);
}

void loader_key(void *context, const struct yaml_node *value, void *into)
{
    static const char *const WORDS[] = {"touched", "verified", NULL};
    unsigned number = 0;
    if (loader_choice(context, value, WORDS, &number)) {
        *(enum policy_key *)into = (enum policy_key)(POLICY_KEY_TOUCHED + number);
    }
}

static const struct yaml_field WHEN_FIELDS[] = {
    {.name = "mfa",
     .type = YAML_FIELD_DURATION,
     .offset = offsetof(struct rule, mfa_age_s),
     .min = MFA_SHORTEST_S,
     .max = MFA_LONGEST_S},
    {.name = "mfa_by_key", .type = YAML_FIELD_BOOL, .offset = offsetof(struct rule, is_key_factor)},
    {.name = "key",
     .offset = offsetof(struct rule, key),
     .read = loader_key,
     .schema = SCHEMA_WORDS("\"touched\",\"verified\"")},
    {.name = "from", .read = read_from, .schema = SCHEMA_TEXTS},
    {.name = "hours", .read = read_hours, .schema = SCHEMA_ANY(SCHEMA_TEXT "," SCHEMA_TEXTS)},
    {.name = "until", .read = read_until, .schema = SCHEMA_TEXT},
    {.name = "reason", .read = read_reason, .schema = SCHEMA_TEXT},
    {.name = "approval", .type = YAML_FIELD_UNSUPPORTED},
};
const struct yaml_map loader_when_map = YAML_MAP("\"when\"", WHEN_FIELDS);

void loader_when(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    struct rule *rule = into;
    bool is_good = yaml_map_read(loader->report, value, "\"when\"", WHEN_FIELDS,
                                 sizeof WHEN_FIELDS / sizeof WHEN_FIELDS[0], loader, rule);
    if (is_good && rule->is_key_factor && rule->mfa_age_s == 0) {
        LOADER_ERROR(loader, value, "\"mfa_by_key\" says how \"mfa\" can be met: there is none");
    }
}
