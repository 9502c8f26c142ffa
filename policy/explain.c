#include "policy/explain.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "host_pattern.h"
#include "model.h"

/* One request while it is explained. `target` is NULL when no target lists the host. */
struct case_file {
    const struct policy *policy;
    const struct policy_request *request;
    const struct target *target;
    uint32_t target_number;
    struct network from;
    unsigned denied;
};

const char *policy_clause_text(enum policy_clause clause)
{
    static const char *const TEXTS[] = {
        [POLICY_CLAUSE_NONE] = "none",
        [POLICY_CLAUSE_WHO] = "who",
        [POLICY_CLAUSE_TO] = "to",
        [POLICY_CLAUSE_AS] = "as",
        [POLICY_CLAUSE_CAN] = "can",
        [POLICY_CLAUSE_FROM] = "when.from",
        [POLICY_CLAUSE_HOURS] = "when.hours",
        [POLICY_CLAUSE_UNTIL] = "when.until",
        [POLICY_CLAUSE_KEY] = "when.key",
        [POLICY_CLAUSE_MFA] = "when.mfa",
        [POLICY_CLAUSE_REASON] = "when.reason",
    };
    return TEXTS[clause];
}

static bool names_principal(const struct group *group, struct cursor principals)
{
    struct cursor name;
    while (cursor_len(&principals) > 0 &&
           cursor_string(&principals, LIMIT_PRINCIPALS_BYTES, &name) == ERR_NONE) {
        for (size_t i = 0; i < group->principal_count; i++) {
            if (cursor_equal(group->principals[i], name)) {
                return true;
            }
        }
    }
    return false;
}

static bool names_person(const struct case_file *file, const uint32_t *groups, size_t count)
{
    const struct policy *policy = file->policy;
    for (size_t i = 0; i < count; i++) {
        const struct group *group = &policy->groups[groups[i]];
        if (names_principal(group, file->request->principals)) {
            return true;
        }
        for (size_t j = 0; j < group->people_count; j++) {
            if (strcmp(policy->people[group->people[j]].name, file->request->person) == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool names_target(const struct case_file *file, const struct selector *selectors, size_t count)
{
    for (size_t i = 0; file->target != NULL && i < count; i++) {
        if (selector_covers(&selectors[i], file->policy, file->target_number)) {
            return true;
        }
    }
    return false;
}

static bool is_known_person(const struct case_file *file)
{
    for (uint32_t i = 0; i < file->policy->group_count; i++) {
        if (names_person(file, &i, 1)) {
            return true;
        }
    }
    return false;
}

static void find_target(struct case_file *file)
{
    char host[LIMIT_HOST_BYTES];
    size_t len = strlen(file->request->host);
    if (len >= sizeof host) {
        return;
    }
    for (size_t i = 0; i <= len; i++) {
        char c = file->request->host[i];
        host[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    if (strchr(host, '*') != NULL || host_pattern_check(cursor_of_text(host)) != NULL) {
        return;
    }
    for (uint32_t i = 0; i < file->policy->target_count; i++) {
        const struct target *target = &file->policy->targets[i];
        for (size_t j = 0; target->port == file->request->port && j < target->host_count; j++) {
            if (host_pattern_matches(target->hosts[j], cursor_of_text(host))) {
                file->target = target;
                file->target_number = i;
                return;
            }
        }
    }
}

static enum policy_clause first_failing(const struct case_file *file, const struct rule *rule)
{
    const struct policy_request *request = file->request;
    if (!names_person(file, rule->groups, rule->group_count)) {
        return POLICY_CLAUSE_WHO;
    }
    if (!names_target(file, rule->targets, rule->target_count)) {
        return POLICY_CLAUSE_TO;
    }
    assert(file->target != NULL);
    return rule_failing_clause(file->policy, rule, file->target, file->denied, &file->from, request);
}

__attribute__((format(printf, 2, 3))) static void say(struct policy_finding *finding, const char *format, ...)
{
    char sentence[2 * LIMIT_SENTENCE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    text_printable(cursor_of_text(sentence), finding->sentence, sizeof finding->sentence);
}

static void say_can(const struct case_file *file, const struct rule *rule, struct policy_finding *finding)
{
    const char *action = policy_action_text(file->request->action);
    unsigned asked = can_bits(&rule->can) & can_bits_of(file->request->action);
    asked &= file->target == NULL ? CAN_ALL : can_bits_of_target(file->target);
    if (asked == 0) {
        say(finding, "it does not allow %s", action);
    } else if ((asked & ~file->denied) == 0) {
        say(finding, "it allows %s, but \"never\" takes it away", action);
    } else if (file->target != NULL && target_is_database(file->target)) {
        say(finding, "it does not name this database user and this database together");
    } else if (file->request->action == POLICY_EXEC) {
        say(finding, "it does not allow this command: %s",
            grant_check_listed(rule->can.patterns, file->request->command));
    } else if (file->request->action == POLICY_SFTP_READ || cursor_len(&rule->can.paths) > 0) {
        say(finding, "it does not allow %s of this path: it is not in its list", action);
    } else if (file->request->action != POLICY_SFTP_WRITE) {
        say(finding, "it does not allow %s to this place: it is not in its list", action);
    } else {
        say(finding, "it allows sftp for reading only");
    }
}

static void say_as(const struct case_file *file, const struct rule *rule, struct policy_finding *finding)
{
    assert(file->target != NULL); /* the clause before it holds */
    char accounts[LIMIT_SENTENCE_BYTES / 2] = "";
    size_t used = 0;
    for (size_t i = 0; i < rule->account_count && used < sizeof accounts; i++) {
        used += (size_t)snprintf(accounts + used, sizeof accounts - used, "%s%s", i == 0 ? "" : ", ",
                                 (const char *)rule->accounts[i].at);
    }
    say(finding, "it allows to log in as %s, not as %s (and target %s must list it in \"login_as\")",
        accounts, *file->request->account == 0 ? "anybody" : file->request->account, file->target->name);
}

static void say_mfa(const struct case_file *file, const struct rule *rule, struct policy_finding *finding)
{
    const struct policy_factor *factor = file->request->factor;
    char wanted[DURATION_BYTES];
    char age[DURATION_BYTES];
    (void)duration_text(rule->mfa_age_s, wanted);
    if (factor == NULL || !factor->has) {
        say(finding, "it asks for a second factor at most %s old; there is none", wanted);
    } else {
        say(finding, "it asks for a second factor at most %s old; this one is %s old", wanted,
            duration_text(factor->age_s, age));
    }
}

static void say_hours(const struct case_file *file, const struct rule *rule, struct policy_finding *finding)
{
    char all[LIMIT_SENTENCE_BYTES / 2] = "";
    size_t used = 0;
    for (size_t i = 0; i < rule->hours_count && used < sizeof all; i++) {
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", i == 0 ? "" : " and ",
                                 (const char *)rule->hours[i].text.at);
    }
    say(finding, "it holds on %s%s", all,
        file->request->at_s == POLICY_TIME_UNKNOWN ? "; no time was named" : "");
}

static void say_reason(const struct case_file *file, const struct rule *rule, struct policy_finding *finding)
{
    bool is_any = strcmp(rule->reason, "*") == 0;
    say(finding, "it asks for a reason%s%s%s; %s", is_any ? "" : " such as \"", is_any ? "" : rule->reason,
        is_any ? "" : "\"",
        cursor_len(&file->request->reason) == 0 ? "there is none" : "this one does not match");
}

static void say_failing(const struct case_file *file, const struct rule *rule, struct policy_finding *finding)
{
    switch (finding->failed) {
    case POLICY_CLAUSE_NONE:
        say(finding, "it allows %s", policy_action_text(file->request->action));
        return;
    case POLICY_CLAUSE_WHO:
        say(finding, "it is not for %s", file->request->person);
        return;
    case POLICY_CLAUSE_TO:
        say(finding, "it is not for %s:%u", file->request->host, file->request->port);
        return;
    case POLICY_CLAUSE_AS:
        say_as(file, rule, finding);
        return;
    case POLICY_CLAUSE_CAN:
        say_can(file, rule, finding);
        return;
    case POLICY_CLAUSE_FROM:
        say(finding, "it does not allow connections from %s",
            *file->request->from == 0 ? "an unknown address" : file->request->from);
        return;
    case POLICY_CLAUSE_HOURS:
        say_hours(file, rule, finding);
        return;
    case POLICY_CLAUSE_UNTIL:
        say(finding, "it held until a time that is over");
        return;
    case POLICY_CLAUSE_KEY:
        say(finding, "it asks for a login with a hardware key that was %s",
            rule->key == POLICY_KEY_VERIFIED ? "unlocked with PIN or fingerprint" : "touched");
        return;
    case POLICY_CLAUSE_MFA:
        say_mfa(file, rule, finding);
        return;
    case POLICY_CLAUSE_REASON:
        say_reason(file, rule, finding);
        return;
    }
}

static bool never_applies(const struct case_file *file, const struct never *never)
{
    bool has_person = never->group_count == 0 || names_person(file, never->groups, never->group_count);
    bool has_target = never->target_count == 0 || names_target(file, never->targets, never->target_count);
    return file->target != NULL && has_person && has_target;
}

static void explain_nevers(struct case_file *file, policy_explain_each *each, void *context)
{
    unsigned asked = can_bits_of(file->request->action);
    for (size_t i = 0; i < file->policy->never_count; i++) {
        const struct never *never = &file->policy->nevers[i];
        if (!never_applies(file, never)) {
            continue;
        }
        file->denied |= never->deny;
        if ((never->deny & asked) != 0) {
            struct policy_finding finding = {
                .rule = never->id, .is_never = true, .failed = POLICY_CLAUSE_CAN};
            finding.file = policy_place(file->policy, never->line, &finding.line);
            say(&finding, file->request->action == POLICY_ANY ? "it takes away a part of what rules allow"
                                                              : "it takes away what was asked");
            each(context, &finding);
        }
    }
}

/* The first rule, in the order of the file, of those that get furthest. */
static const struct rule *find_nearest(const struct case_file *file, enum policy_clause *ret_clause)
{
    const struct rule *nearest = NULL;
    enum policy_clause furthest = POLICY_CLAUSE_NONE;
    for (size_t i = 0; i < file->policy->rule_count; i++) {
        enum policy_clause failed = first_failing(file, &file->policy->rules[i]);
        if (failed > furthest) {
            furthest = failed;
            nearest = &file->policy->rules[i];
        }
    }
    *ret_clause = furthest;
    return nearest;
}

static void explain_rules(const struct case_file *file, policy_explain_each *each, void *context,
                          struct policy_explanation *ret)
{
    enum policy_clause furthest = POLICY_CLAUSE_NONE;
    const struct rule *nearest = find_nearest(file, &furthest);
    ret->verdict = furthest == POLICY_CLAUSE_REASON ? POLICY_NEEDS_REASON
                   : furthest == POLICY_CLAUSE_MFA  ? POLICY_NEEDS_FACTOR
                                                    : POLICY_DENIED;
    for (size_t i = 0; i < file->policy->rule_count; i++) {
        const struct rule *rule = &file->policy->rules[i];
        struct policy_finding finding = {.rule = rule->id};
        finding.file = policy_place(file->policy, rule->line, &finding.line);
        finding.failed = first_failing(file, rule);
        bool concerns =
            finding.failed != POLICY_CLAUSE_WHO || names_target(file, rule->targets, rule->target_count);
        if (finding.failed == POLICY_CLAUSE_NONE) {
            ret->verdict = POLICY_ALLOWED;
        }
        if (concerns) {
            finding.is_nearest = rule == nearest;
            say_failing(file, rule, &finding);
            each(context, &finding);
            ret->rule_count++;
        }
    }
}

void policy_explain(const struct policy *policy, const struct policy_request *request,
                    policy_explain_each *each, void *context, struct policy_explanation *ret)
{
    *ret = (struct policy_explanation){0};
    struct case_file file = {.policy = policy, .request = request};
    if (network_address(cursor_of_text(request->from), &file.from) != ERR_NONE) {
        file.from = (struct network){0};
    }
    find_target(&file);
    if (file.target != NULL) {
        (void)snprintf(ret->target, sizeof ret->target, "%s", file.target->name);
        (void)policy_place(policy, file.target->line, &ret->target_line);
        file.denied = ~can_bits_of_target(file.target);
    }
    if (is_known_person(&file)) {
        explain_nevers(&file, each, context);
    }
    explain_rules(&file, each, context, ret);
}
