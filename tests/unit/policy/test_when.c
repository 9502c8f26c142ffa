#include <stdio.h>
#include <string.h>

#include "policy/calendar.h"
#include "policy/explain.h"
#include "policy/policy.h"
#include "unit_test.h"

#define RULE(id, who, to, when)                                                                              \
    "- { id: " id ", who: [" who "], to: [" to "], as: [u], can: { shell: true }, when: { " when " } }\n"
static const char POLICY[] =
    "version: 1\n"
    "people: { a: { users: [alice] }, b: { users: [bob] } }\n"
    "targets:\n"
    "  hours: { kind: ssh, hosts: [hours], addresses: [10.0.0.1], login_as: [u], host_keys: { known_hosts: k "
    "} }\n"
    "  until: { kind: ssh, hosts: [until], addresses: [10.0.0.1], login_as: [u], host_keys: { known_hosts: k "
    "} }\n"
    "  reason: { kind: ssh, hosts: [reason], addresses: [10.0.0.1], login_as: [u], host_keys: { known_hosts: "
    "k } }\n"
    "  both: { kind: ssh, hosts: [both], addresses: [10.0.0.1], login_as: [u], host_keys: { known_hosts: k } "
    "}\n"
    "  key: { kind: ssh, hosts: [key], addresses: [10.0.0.1], login_as: [u], host_keys: { known_hosts: k } "
    "}\n"
    "rules:\n" RULE("hours", "a", "hours",
                    "hours: [\"Mon-Fri 08:00-20:00 Europe/Berlin\", \"Sat 22:00-02:00 UTC\"]")
        RULE("until", "a", "until", "until: 2026-12-31")
            RULE("until-time", "b", "until", "until: \"2026-12-31T18:00:00+01:00\"")
                RULE("any-reason", "a", "reason", "reason: required")
                    RULE("ticket", "b", "reason", "reason: \"INC-*\"")
                        RULE("both", "a", "both", "mfa: 1h, reason: \"*-*\"")
                            RULE("touched", "a", "key", "key: touched, mfa: 1h")
                                RULE("by-key", "b", "key", "key: verified, mfa: 1h, mfa_by_key: true");

static struct policy *policy;

static int load_policy(void **state)
{
    (void)state;
    struct policy_report report;
    enum err err = policy_load(cursor_of_text(POLICY), "p.yaml", &report, &policy);
    for (size_t i = 0; i < report.findings.count; i++) {
        char line[YAML_LINE_BYTES];
        print_message("%s\n", yaml_report_line(&report.findings, i, line));
    }
    return err == ERR_NONE ? 0 : -1;
}

static int free_policy(void **state)
{
    (void)state;
    policy_free(policy);
    return 0;
}

static void ignore(void *context, const struct policy_finding *finding)
{
    (void)context;
    assert_true(finding->sentence[0] != 0);
}

static void when_each_row_is_decided_as_written(void **state)
{
    (void)state;
    static const struct {
        const char *person, *host, *at, *reason;
        enum policy_key key;
        int age_s;
        enum policy_verdict verdict;
        const char *code;
        bool needs_reason;
        const char *pattern;
    } ROWS[] = {
        {"alice", "hours", "2026-11-23T10:00:00+01:00", "", 0, -1, POLICY_ALLOWED, "", false, ""},
        {"alice", "hours", "2026-11-23T20:00:00+01:00", "", 0, -1, POLICY_DENIED, "D-HOURS-", false, ""},
        {"alice", "hours", "2026-11-29T01:59:59Z", "", 0, -1, POLICY_ALLOWED, "", false, ""},
        {"alice", "hours", NULL, "", 0, -1, POLICY_DENIED, "D-HOURS-", false, ""},
        {"alice", "until", "2026-12-31T23:59:59Z", "", 0, -1, POLICY_ALLOWED, "", false, ""},
        {"alice", "until", "2027-01-01T00:00:00Z", "", 0, -1, POLICY_DENIED, "D-UNTIL-", false, ""},
        {"alice", "until", NULL, "", 0, -1, POLICY_DENIED, "D-UNTIL-", false, ""},
        {"bob", "until", "2026-12-31T16:59:59Z", "", 0, -1, POLICY_ALLOWED, "", false, ""},
        {"bob", "until", "2026-12-31T17:00:00Z", "", 0, -1, POLICY_DENIED, "D-UNTIL-", false, ""},
        {"alice", "reason", NULL, "it is broken", 0, -1, POLICY_ALLOWED, "", false, ""},
        {"alice", "reason", NULL, "", 0, -1, POLICY_NEEDS_REASON, "D-REASON-", true, ""},
        {"alice", "reason", NULL, " \t ", 0, -1, POLICY_NEEDS_REASON, "D-REASON-", true, ""},
        {"bob", "reason", NULL, "INC-42", 0, -1, POLICY_ALLOWED, "", false, ""},
        {"bob", "reason", NULL, "inc-42", 0, -1, POLICY_NEEDS_REASON, "D-REASON-", true, "INC-*"},
        {"bob", "reason", NULL, "see INC-42", 0, -1, POLICY_NEEDS_REASON, "D-REASON-", true, "INC-*"},
        {"alice", "both", NULL, "a-b", 0, 60, POLICY_ALLOWED, "", false, ""},
        {"alice", "both", NULL, "", 0, 60, POLICY_NEEDS_REASON, "D-REASON-", true, "*-*"},
        {"alice", "both", NULL, "a-b", 0, -1, POLICY_NEEDS_FACTOR, "D-MFA-", true, "*-*"},
        {"alice", "key", NULL, "", POLICY_KEY_TOUCHED, 60, POLICY_ALLOWED, "", false, ""},
        {"alice", "key", NULL, "", POLICY_KEY_VERIFIED, 60, POLICY_ALLOWED, "", false, ""},
        {"alice", "key", NULL, "", POLICY_KEY_PLAIN, 60, POLICY_DENIED, "D-KEY-", false, ""},
        {"alice", "key", NULL, "", POLICY_KEY_VERIFIED, -1, POLICY_NEEDS_FACTOR, "D-MFA-", false, ""},
        {"bob", "key", NULL, "", POLICY_KEY_VERIFIED, -1, POLICY_ALLOWED, "", false, ""},
        {"bob", "key", NULL, "", POLICY_KEY_TOUCHED, 60, POLICY_DENIED, "D-KEY-", false, ""},
    };
    size_t wrong = 0;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        const struct policy_factor factor = {ROWS[i].age_s >= 0,
                                             (uint64_t)(ROWS[i].age_s < 0 ? 0 : ROWS[i].age_s)};
        struct policy_request request = {.person = ROWS[i].person,
                                         .from = "",
                                         .host = ROWS[i].host,
                                         .port = 22,
                                         .account = "u",
                                         .action = POLICY_SHELL,
                                         .factor = &factor,
                                         .at_s = POLICY_TIME_UNKNOWN,
                                         .reason = cursor_of_text(ROWS[i].reason),
                                         .key = ROWS[i].key};
        assert_true(ROWS[i].at == NULL || calendar_read_time(cursor_of_text(ROWS[i].at), &request.at_s));
        struct policy_decision decision;
        struct policy_explanation explanation;
        policy_decide(policy, &request, &decision);
        policy_explain(policy, &request, ignore, NULL, &explanation);
        bool is_right = decision.verdict == ROWS[i].verdict && explanation.verdict == decision.verdict &&
                        strncmp(decision.code, ROWS[i].code, strlen(ROWS[i].code)) == 0 &&
                        decision.needs_reason == ROWS[i].needs_reason &&
                        strcmp(decision.reason_pattern, ROWS[i].pattern) == 0;
        if (!is_right) {
            print_message("row %zu: %u %u %s %s\n", i, decision.verdict, explanation.verdict, decision.code,
                          decision.sentence);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

static void when_a_reason_of_any_length_costs_little(void **state)
{
    (void)state;
    char reason[4 * POLICY_REASON_BYTES];
    memset(reason, 'a', sizeof reason);
    struct policy_request request = {
        .person = "alice", .from = "", .host = "reason", .port = 22, .account = "u"};
    struct policy_decision decision;
    request.reason = cursor_of(reason, POLICY_REASON_BYTES - 1);
    policy_decide(policy, &request, &decision);
    assert_int_equal(decision.verdict, POLICY_ALLOWED);
    request.reason = cursor_of(reason, POLICY_REASON_BYTES);
    policy_decide(policy, &request, &decision);
    assert_int_equal(decision.verdict, POLICY_NEEDS_REASON);
}

static void when_a_person_is_told_by_which_factor(void **state)
{
    (void)state;
    struct policy_person person;
    assert_int_equal(policy_person(policy, "alice", &person), ERR_NONE);
    assert_false(person.is_key_factor);
    assert_int_equal(policy_person(policy, "bob", &person), ERR_NONE);
    assert_true(person.is_key_factor);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(when_each_row_is_decided_as_written),
        cmocka_unit_test(when_a_reason_of_any_length_costs_little),
        cmocka_unit_test(when_a_person_is_told_by_which_factor),
    };
    return cmocka_run_group_tests(TESTS, load_policy, free_policy);
}
