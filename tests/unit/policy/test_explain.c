#include "policy/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/line.h"
#include "unit_test.h"

/* xorshift64*: the same policies on every machine. */
static uint64_t seed = 0x9e3779b97f4a7c15U;
static unsigned pick(unsigned count)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (unsigned)((seed * 0x2545f4914f6cdd1dU) >> 33) % count;
}

enum { TEXT_BYTES = 1 << 15, GROUPS = 5, PEOPLE = 8, TARGETS = 6 };

static void add(char *text, const char *part)
{
    assert_true(strlen(text) + strlen(part) < TEXT_BYTES);
    strcat(text, part);
}

/* A list of some of `count` names, at least one: "[g0, g3]". */
static void add_some(char *text, const char *name, unsigned count)
{
    char item[32];
    unsigned sure = pick(count);
    const char *before = "[";
    for (unsigned i = 0; i < count; i++) {
        if (i == sure || pick(3) == 0) {
            (void)snprintf(item, sizeof item, "%s%s%u", before, name, i);
            add(text, item);
            before = ", ";
        }
    }
    add(text, "]");
}

static void add_people(char *text)
{
    add(text, "people:\n");
    for (unsigned i = 0; i < GROUPS; i++) {
        char line[64];
        (void)snprintf(line, sizeof line, "  g%u: { users: ", i);
        add(text, line);
        add_some(text, "p", PEOPLE);
        add(text, " }\n");
    }
}

static void add_targets(char *text)
{
    add(text, "targets:\n");
    for (unsigned i = 0; i < TARGETS; i++) {
        char line[256];
        (void)snprintf(
            line, sizeof line,
            "  t%u: { kind: ssh, hosts: [h%u, \"*.t%u.x\"], addresses: [10.%u.0.0/16], host_keys: { "
            "known_hosts: k }, labels: { env: e%u }, login_as: ",
            i, i, i, i, i % 2);
        add(text, line);
        add(text, i % 2 == 0 ? "[u0, u1, u2] }\n" : "[u1] }\n");
    }
}

static void add_can(char *text)
{
    static const char *const CAN[] = {
        "{ shell: true }",
        "{ exec: true, agent: true }",
        "{ exec: [[/bin/a, \"*\"]], sftp: read }",
        "{ exec: [[/bin/b]], x11: true }",
        "{ sftp: write, forward: true }",
        "{ forward: [\"localhost:1\"], remote_forward: [\"*:2\"] }",
        "{ remote_forward: true, shell: true, exec: [[/bin/a, x]] }",
    };
    add(text, ", can: ");
    add(text, CAN[pick(COUNT_OF(CAN))]);
}

static void add_when(char *text)
{
    static const char *const WHEN[] = {
        "",
        ", when: { mfa: 1h }",
        ", when: { mfa: 5m }",
        ", when: { from: [192.0.2.0/24] }",
        ", when: { mfa: 1h, from: [192.0.2.0/25, \"2001:db8::/32\"] }",
        ", when: { mfa: 1h, hours: \"Mon-Fri 08:00-20:00 Europe/Berlin\" }",
        ", when: { hours: [\"Sat 22:00-06:00 Asia/Tokyo\", \"daily 12:00-13:00 UTC\"], reason: required }",
        ", when: { until: 2026-06-30, mfa: 5m, reason: \"INC-*\" }",
        ", when: { reason: required }",
        ", when: { key: touched, mfa: 5m, mfa_by_key: true }",
    };
    add(text, WHEN[pick(COUNT_OF(WHEN))]);
    add(text, " }\n");
}

static void add_rules(char *text)
{
    add(text, "rules:\n");
    unsigned count = 1 + pick(12);
    for (unsigned i = 0; i < count; i++) {
        char line[64];
        (void)snprintf(line, sizeof line, "- { id: r%u, who: ", i);
        add(text, line);
        add_some(text, "g", GROUPS);
        /* An account must be known to one target at least: u0 is to those with an even number. */
        switch (pick(4)) {
        case 0:
            add(text, ", to: [\"env=e0\"], as: [u0, u1]");
            break;
        case 1:
            add(text, ", to: [\"env=e1\", t0], as: [u2]");
            break;
        default:
            add(text, ", to: ");
            add_some(text, "t", TARGETS);
            add(text, ", as: [u1]");
            break;
        }
        add_can(text);
        add_when(text);
    }
}

static void add_nevers(char *text)
{
    static const char *const DENY[] = {"[shell]", "[exec, sftp]", "[agent, x11]", "[all]",
                                       "[forward, remote_forward]"};
    unsigned count = pick(4);
    add(text, count == 0 ? "" : "never:\n");
    for (unsigned i = 0; i < count; i++) {
        char line[64];
        (void)snprintf(line, sizeof line, "- { id: n%u", i);
        add(text, line);
        if (pick(2) == 0) {
            add(text, ", who: ");
            add_some(text, "g", GROUPS);
        }
        if (pick(2) == 0) {
            add(text, ", to: ");
            add_some(text, "t", TARGETS);
        }
        add(text, ", deny: ");
        add(text, DENY[pick(COUNT_OF(DENY))]);
        add(text, " }\n");
    }
}

static struct policy *random_policy(char *text)
{
    (void)strcpy(text, "version: 1\n");
    add_people(text);
    add_targets(text);
    add_rules(text);
    add_nevers(text);
    struct policy_report report;
    struct policy *policy = NULL;
    if (policy_load(cursor_of_text(text), "p.yaml", &report, &policy) != ERR_NONE) {
        for (size_t i = 0; i < report.findings.count; i++) {
            char line[YAML_LINE_BYTES];
            print_message("%s\n", yaml_report_line(&report.findings, i, line));
        }
        fail_msg("%s", text);
    }
    return policy;
}

/* What explaining found, to hold against the decision. */
struct seen {
    unsigned allowing, nevers;
    char nearest[POLICY_ID_BYTES], first_allowing[POLICY_ID_BYTES];
};

static void see(void *context, const struct policy_finding *finding)
{
    struct seen *seen = context;
    assert_true(finding->line > 0);
    assert_true(finding->sentence[0] != 0);
    if (finding->is_never) {
        seen->nevers++;
        return;
    }
    if (finding->failed == POLICY_CLAUSE_NONE && seen->allowing++ == 0) {
        (void)snprintf(seen->first_allowing, sizeof seen->first_allowing, "%s", finding->rule);
    }
    if (finding->is_nearest) {
        assert_true(finding->failed != POLICY_CLAUSE_NONE);
        (void)snprintf(seen->nearest, sizeof seen->nearest, "%s", finding->rule);
    }
}

static bool names_rule(const char *rules, const char *id)
{
    struct cursor list = cursor_of_text(rules);
    struct cursor name;
    while (cursor_name(&list, &name)) {
        if (cursor_equal_text(name, id)) {
            return true;
        }
    }
    return false;
}

static void check_agreement(const struct policy *policy, const struct policy_request *request,
                            unsigned *verdicts)
{
    struct policy_decision decision;
    struct policy_explanation explanation;
    struct seen seen = {0};
    policy_decide(policy, request, &decision);
    policy_explain(policy, request, see, &seen, &explanation);
    assert_int_equal(decision.verdict, explanation.verdict);
    assert_int_equal(decision.verdict == POLICY_ALLOWED, seen.allowing > 0);
    assert_int_equal(decision.verdict == POLICY_ALLOWED, !grant_is_empty(&decision.grant));
    if (decision.verdict == POLICY_ALLOWED) {
        assert_true(names_rule(decision.rule, seen.first_allowing));
    }
    if (strncmp(decision.code, "D-NEVER", 7) == 0) {
        assert_true(seen.nevers > 0);
    }
    static const char *const BY_RULE[] = {"D-AS-",    "D-CAN-", "D-FROM-", "D-HOURS-",
                                          "D-UNTIL-", "D-KEY-", "D-MFA-",  "D-REASON-"};
    for (size_t i = 0; i < COUNT_OF(BY_RULE); i++) {
        if (strncmp(decision.code, BY_RULE[i], strlen(BY_RULE[i])) == 0) {
            assert_string_equal(decision.rule, seen.nearest);
        }
    }
    verdicts[decision.verdict]++;
}

static void ask_something(const struct policy *policy, unsigned *verdicts)
{
    static const char *const FROM[] = {"192.0.2.1", "192.0.2.200", "203.0.113.1", "2001:db8::1", "", "x"};
    static const char *const COMMANDS[] = {"/bin/a x", "/bin/a y", "/bin/b", "/bin/b; id", ""};
    static const char *const REASONS[] = {"", "INC-1", "because"};
    enum { FIRST_S = 1767225600, DAYS = 365 }; /* 2026 */
    char person[8];
    char host[16];
    char account[8];
    (void)snprintf(person, sizeof person, "p%u", pick(PEOPLE + 1));
    (void)snprintf(host, sizeof host, pick(2) == 0 ? "h%u" : "A.t%u.X", pick(TARGETS + 1));
    (void)snprintf(account, sizeof account, "u%u", pick(4));
    const struct policy_factor factor = {pick(4) != 0, pick(2) == 0 ? 60 : 1800};
    struct policy_request request = {
        .person = person,
        .from = FROM[pick(COUNT_OF(FROM))],
        .host = host,
        .port = pick(20) == 0 ? 23 : 22,
        .account = pick(3) == 0 ? "" : account,
        .factor = pick(5) == 0 ? NULL : &factor,
        .action = (enum policy_action)pick(POLICY_ACTION_COUNT),
        .command = cursor_of_text(COMMANDS[pick(COUNT_OF(COMMANDS))]),
        .at_s = pick(10) == 0 ? POLICY_TIME_UNKNOWN : FIRST_S + (int64_t)pick(DAYS) * 86400 + pick(86400),
        .reason = cursor_of_text(REASONS[pick(COUNT_OF(REASONS))]),
        .key = (enum policy_key)pick(POLICY_KEY_VERIFIED + 1),
    };
    check_agreement(policy, &request, verdicts);
}

static void explain_agrees_with_decide_on_random_policies(void **state)
{
    (void)state;
    enum { POLICIES = 300, REQUESTS = 400 };
    unsigned verdicts[POLICY_ALLOWED + 1] = {0};
    char *text = calloc(1, TEXT_BYTES);
    assert_non_null(text);
    for (unsigned i = 0; i < POLICIES; i++) {
        struct policy *policy = random_policy(text);
        for (unsigned j = 0; j < REQUESTS; j++) {
            ask_something(policy, verdicts);
        }
        policy_free(policy);
    }
    free(text);
    /* The property says nothing when one answer never comes. */
    for (unsigned i = 0; i <= POLICY_ALLOWED; i++) {
        assert_true(verdicts[i] > POLICIES);
    }
}

/* Any request against a grant of the same person: what the grant says, asking for each action says too. */
static void decide_grant_agrees_with_each_action(void **state)
{
    (void)state;
    char *text = calloc(1, TEXT_BYTES);
    assert_non_null(text);
    static const struct policy_factor FRESH = {true, 0};
    for (unsigned i = 0; i < 200; i++) {
        struct policy *policy = random_policy(text);
        for (unsigned j = 0; j < 50; j++) {
            char person[8];
            char host[8];
            (void)snprintf(person, sizeof person, "p%u", pick(PEOPLE));
            (void)snprintf(host, sizeof host, "h%u", pick(TARGETS));
            struct policy_request request = {.person = person,
                                             .from = "192.0.2.1",
                                             .host = host,
                                             .port = 22,
                                             .account = "u1",
                                             .factor = &FRESH,
                                             .command = cursor_of_text("/bin/a x"),
                                             .reason = cursor_of_text("INC-1"),
                                             .key = POLICY_KEY_VERIFIED,
                                             .at_s = 1767225600 + (int64_t)pick(365 * 86400)};
            struct policy_decision any;
            policy_decide(policy, &request, &any);
            const char *reason = NULL;
            const bool expected[POLICY_ACTION_COUNT] = {
                [POLICY_ANY] = !grant_is_empty(&any.grant),
                [POLICY_SHELL] = any.grant.shell,
                [POLICY_EXEC] = grant_allows_exec(&any.grant, request.command, &reason),
                [POLICY_SFTP_READ] = any.grant.sftp != GRANT_SFTP_NONE,
                [POLICY_SFTP_WRITE] = any.grant.sftp == GRANT_SFTP_WRITE,
                [POLICY_FORWARD] = any.grant.forward == GRANT_FORWARD_ANY,
                [POLICY_REMOTE_FORWARD] = any.grant.remote_forward == GRANT_FORWARD_ANY,
                [POLICY_AGENT] = any.grant.agent,
                [POLICY_X11] = any.grant.x11,
            };
            for (unsigned action = 0; action < POLICY_ACTION_COUNT; action++) {
                struct policy_decision one;
                request.action = (enum policy_action)action;
                policy_decide(policy, &request, &one);
                assert_int_equal(one.verdict == POLICY_ALLOWED, expected[action]);
            }
        }
        policy_free(policy);
    }
    free(text);
}

static void explain_tells_what_stands_in_the_way(void **state)
{
    (void)state;
    static const char POLICY[] =
        "version: 1\n"
        "people: { a: { users: [alice] }, b: { users: [bob] } }\n"
        "targets: { t: { kind: ssh, hosts: [n], addresses: [10.0.0.1], login_as: [u, v], host_keys: { "
        "known_hosts: k } } }\n"
        "rules:\n"
        "- { id: far, who: [b], to: [t], as: [u], can: { shell: true }, when: { mfa: 1h } }\n"
        "- { id: near, who: [a], to: [t], as: [u], can: { shell: true }, when: { mfa: 1h } }\n"
        "never:\n"
        "- { id: no, who: [a], deny: [exec] }\n";
    struct policy_report report;
    struct policy *policy = NULL;
    assert_int_equal(policy_load(cursor_of_text(POLICY), "p", &report, &policy), ERR_NONE);
    static const struct {
        const char *person, *host, *account;
        enum policy_action action;
        size_t rule_count;
        unsigned nevers;
        const char *nearest;
    } ROWS[] = {
        {"alice", "n", "u", POLICY_SHELL, 2, 0, "near"}, {"alice", "n", "v", POLICY_SHELL, 2, 0, "near"},
        {"alice", "n", "u", POLICY_EXEC, 2, 1, "near"},  {"alice", "x", "u", POLICY_SHELL, 1, 0, "near"},
        {"carol", "n", "u", POLICY_SHELL, 2, 0, "far"},  {"carol", "x", "u", POLICY_SHELL, 0, 0, ""},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct policy_request request = {.person = ROWS[i].person,
                                         .from = "",
                                         .host = ROWS[i].host,
                                         .port = 22,
                                         .account = ROWS[i].account,
                                         .action = ROWS[i].action};
        struct seen seen = {0};
        struct policy_explanation explanation;
        policy_explain(policy, &request, see, &seen, &explanation);
        assert_int_equal(explanation.rule_count, ROWS[i].rule_count);
        assert_int_equal(seen.nevers, ROWS[i].nevers);
        assert_string_equal(seen.nearest, ROWS[i].nearest);
        assert_true(explanation.verdict != POLICY_ALLOWED);
    }
    policy_free(policy);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(explain_agrees_with_decide_on_random_policies),
        cmocka_unit_test(decide_grant_agrees_with_each_action),
        cmocka_unit_test(explain_tells_what_stands_in_the_way),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
