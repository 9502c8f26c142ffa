#include <stdio.h>
#include <string.h>

#include "base/writer.h"
#include "policy/explain.h"
#include "policy/policy.h"
#include "unit_test.h"

#define REST                                                                                                 \
    "people:\n"                                                                                              \
    "  dba: { users: [alice] }\n"                                                                            \
    "  eng: { principals: [eng-backend, eng-data], users: [bob] }\n"                                         \
    "  out: { principals: [contractor] }\n"                                                                  \
    "targets:\n"                                                                                             \
    "  web: { kind: ssh, hosts: [web], addresses: [10.0.0.1], login_as: [u, v], host_keys: { known_hosts: "  \
    "k }, labels: "                                                                                          \
    "{ env: prod, tier: web } }\n"                                                                           \
    "  db: { kind: postgres, hosts: [db], addresses: [10.0.0.1], upstream_tls: { verify: full, ca: c }, "    \
    "labels: { env: "                                                                                        \
    "prod } }\n"                                                                                             \
    "rules:\n"                                                                                               \
    "- { id: dba, who: [dba], to: [{ env: prod, tier: web }], as: [u], can: { shell: true, agent: true }, "  \
    "when: { mfa: "                                                                                          \
    "1h }, limits: { channels_per_connection: 3, connections_per_person: 2 } }\n"                            \
    "- { id: eng, who: [eng], to: [{ env: prod, tier: web }], as: [u], can: { exec: true }, limits: { "      \
    "connections_per_person: 5 } }\n"                                                                        \
    "never:\n"                                                                                               \
    "- { id: no-agent, deny: [agent] }\n"                                                                    \
    "- { id: out, who: [out], deny: [all] }\n"

static const char ENFORCED[] = "version: 1\n" REST;
static const char OBSERVED[] = "version: 1\nmode: observe\n" REST;

static struct policy *load(const char *text)
{
    struct policy_report report;
    struct policy *policy = NULL;
    enum err err = policy_load(cursor_of_text(text), "p.yaml", &report, &policy);
    for (size_t i = 0; err != ERR_NONE && i < report.findings.count; i++) {
        char line[YAML_LINE_BYTES];
        print_message("%s\n", yaml_report_line(&report.findings, i, line));
    }
    assert_int_equal(err, ERR_NONE);
    return policy;
}

static void ignore(void *context, const struct policy_finding *finding)
{
    (void)context;
    (void)finding;
}

/* The principals are words between blanks. */
static void ask(const struct policy *policy, const char *person, const char *principals, const char *host,
                const char *account, enum policy_action action, struct policy_decision *ret)
{
    static const struct policy_factor FRESH = {true, 60};
    uint8_t memory[LIMIT_PRINCIPALS_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor words = cursor_of_text(principals);
    struct cursor word;
    while (cursor_word(&words, &word)) {
        writer_string(&out, word);
    }
    struct policy_request request = {.person = person,
                                     .from = "",
                                     .host = host,
                                     .port = strcmp(host, "db") == 0 ? 5432 : 22,
                                     .account = account,
                                     .factor = &FRESH,
                                     .action = action,
                                     .command = cursor_of_text(action == POLICY_EXEC ? "id" : "")};
    assert_int_equal(writer_done(&out, &request.principals), ERR_NONE);
    policy_decide(policy, &request, ret);
    if (!policy_is_observing(policy)) {
        struct policy_explanation explanation;
        policy_explain(policy, &request, ignore, NULL, &explanation);
        assert_int_equal(explanation.verdict, ret->verdict);
    }
}

static void principals_put_a_person_into_groups(void **state)
{
    (void)state;
    static const struct {
        const char *person, *principals;
        enum policy_action action;
        const char *code;
    } ROWS[] = {
        {"bob", "", POLICY_EXEC, ""},
        {"erin", "erin eng-backend", POLICY_EXEC, ""},
        {"erin", "erin eng-data eng-backend", POLICY_EXEC, ""},
        {"erin", "erin", POLICY_EXEC, "D-UNKNOWN-PERSON"},
        {"erin", "", POLICY_EXEC, "D-UNKNOWN-PERSON"},
        {"erin", "eng-backen", POLICY_EXEC, "D-UNKNOWN-PERSON"},
        {"alice", "alice", POLICY_EXEC, "D-CAN-"},
        {"alice", "alice eng-data", POLICY_EXEC, ""},
        {"alice", "alice eng-data", POLICY_SHELL, ""},
        {"bob", "contractor", POLICY_EXEC, "D-NEVER-"},
        {"erin", "eng-backend contractor", POLICY_EXEC, "D-NEVER-"},
    };
    struct policy *policy = load(ENFORCED);
    assert_true(policy_has_principals(policy));
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct policy_decision decision;
        ask(policy, ROWS[i].person, ROWS[i].principals, "web", "u", ROWS[i].action, &decision);
        if (strncmp(decision.code, ROWS[i].code, strlen(ROWS[i].code)) != 0 ||
            (ROWS[i].code[0] == 0) != (decision.verdict == POLICY_ALLOWED)) {
            fail_msg("%s with %s: %s %s", ROWS[i].person, ROWS[i].principals, decision.code,
                     decision.sentence);
        }
    }
    static const uint8_t NAMED[] = {0, 0, 0, 8, 'e', 'n', 'g', '-', 'd', 'a', 't', 'a'};
    static const uint8_t BROKEN[] = {0, 0, 0, 9, 'x'};
    struct policy_person person;
    assert_int_equal(policy_person_certified(policy, "zoe", cursor_of(NAMED, sizeof NAMED), &person),
                     ERR_NONE);
    assert_false(person.is_machine);
    assert_int_equal(policy_person(policy, "zoe", &person), ERR_NOT_FOUND);
    assert_true(policy_person_certified(policy, "alice", cursor_of(BROKEN, sizeof BROKEN), &person) !=
                ERR_NONE);
    struct policy_request request = {.person = "bob", .from = "", .host = "web", .port = 22, .account = "u"};
    struct policy_decision decision;
    request.principals = cursor_of(BROKEN, sizeof BROKEN); /* a never could hide in what cannot be read */
    policy_decide(policy, &request, &decision);
    assert_int_equal(decision.verdict, POLICY_DENIED);
    policy_free(policy);
}

static void limits_of_rules_are_the_strictest(void **state)
{
    (void)state;
    struct policy *policy = load(ENFORCED);
    struct policy_decision decision;
    ask(policy, "alice", "", "web", "u", POLICY_SHELL, &decision);
    assert_int_equal(decision.grant.channels, 3);
    assert_int_equal(decision.grant.connections, 2);
    ask(policy, "bob", "", "web", "u", POLICY_EXEC, &decision);
    assert_int_equal(decision.grant.channels, LIMIT_CHANNELS_PER_ACCESS);
    assert_int_equal(decision.grant.connections, 5);
    ask(policy, "alice", "eng-data", "web", "u", POLICY_EXEC, &decision);
    assert_int_equal(decision.grant.connections, 2);
    policy_free(policy);
}

static void observing_gives_what_rules_deny_and_says_so(void **state)
{
    (void)state;
    static const struct {
        const char *person, *host, *account;
        enum policy_action action;
        enum policy_verdict verdict;
        bool is_observed;
        const char *code;
    } ROWS[] = {
        {"alice", "web", "u", POLICY_SHELL, POLICY_ALLOWED, false, ""},
        {"alice", "web", "u", POLICY_EXEC, POLICY_ALLOWED, true, "D-CAN-"},
        {"alice", "web", "v", POLICY_SHELL, POLICY_ALLOWED, true, "D-AS-"},
        {"alice", "db", "x", POLICY_DB, POLICY_ALLOWED, true, "D-NO-RULE"},
        {"bob", "web", "u", POLICY_ANY, POLICY_ALLOWED, false, ""},
        /* What observing does not lift. */
        {"alice", "web", "root", POLICY_SHELL, POLICY_DENIED, false, "D-AS-"},
        {"alice", "web", "u", POLICY_AGENT, POLICY_DENIED, false, "D-NEVER-"},
        {"alice", "nowhere", "u", POLICY_SHELL, POLICY_DENIED, false, "D-UNKNOWN-TARGET"},
        {"mallory", "web", "u", POLICY_SHELL, POLICY_DENIED, false, "D-UNKNOWN-PERSON"},
        {"alice", "db", "", POLICY_SHELL, POLICY_DENIED, false, "D-NO-RULE"},
    };
    struct policy *policy = load(OBSERVED);
    struct policy *enforced = load(ENFORCED);
    assert_true(policy_is_observing(policy));
    assert_false(policy_is_observing(enforced));
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct policy_decision decision;
        ask(policy, ROWS[i].person, "", ROWS[i].host, ROWS[i].account, ROWS[i].action, &decision);
        bool is_right = decision.verdict == ROWS[i].verdict && decision.is_observed == ROWS[i].is_observed &&
                        strncmp(decision.code, ROWS[i].code, strlen(ROWS[i].code)) == 0 &&
                        (decision.verdict == POLICY_ALLOWED) == !grant_is_empty(&decision.grant) &&
                        !decision.grant.agent;
        if (!is_right) {
            fail_msg("row %zu: %u %d %s %s", i, decision.verdict, decision.is_observed, decision.code,
                     decision.sentence);
        }
        struct policy_decision strict;
        ask(enforced, ROWS[i].person, "", ROWS[i].host, ROWS[i].account, ROWS[i].action, &strict);
        assert_false(strict.is_observed);
        assert_int_equal(strict.verdict == POLICY_DENIED,
                         ROWS[i].is_observed || ROWS[i].verdict == POLICY_DENIED);
    }
    policy_free(enforced);
    policy_free(policy);
}

static void observing_still_asks_for_a_factor(void **state)
{
    (void)state;
    struct policy *policy = load(OBSERVED);
    struct policy_request request = {
        .person = "alice", .from = "", .host = "web", .port = 22, .account = "u"};
    struct policy_decision decision;
    policy_decide(policy, &request, &decision);
    assert_int_equal(decision.verdict, POLICY_NEEDS_FACTOR);
    policy_free(policy);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(principals_put_a_person_into_groups),
        cmocka_unit_test(limits_of_rules_are_the_strictest),
        cmocka_unit_test(observing_gives_what_rules_deny_and_says_so),
        cmocka_unit_test(observing_still_asks_for_a_factor),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
