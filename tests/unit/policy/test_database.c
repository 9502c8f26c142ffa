#include "policy/policy.h"

#include <stdio.h>
#include <string.h>

#include "unit_test.h"

#define DATABASES                                                                                            \
    "  orders: { kind: postgres, hosts: [orders.abc.eu-central-1.rds.amazonaws.com, orders-db], addresses: " \
    "[10.0.0.0/8], upstream_tls: { verify: full, ca: rds.pem } }\n"                                          \
    "  shop: { kind: mysql, hosts: [shop], addresses: [10.0.0.0/8], upstream_tls: { verify: ca, ca: m.pem, " \
    "server_name: shop.internal }, client_tls: terminate, login: ask }\n"                                    \
    "  legacy: { kind: postgres, hosts: [legacy], addresses: [10.0.0.0/8], client_tls: opaque }\n"           \
    "  iam: { kind: postgres, hosts: [iam.abc.us-east-1.rds.amazonaws.com], addresses: [10.0.0.0/8], "       \
    "upstream_tls: { verify: full, ca: rds.pem }, login: rds-iam }\n"                                        \
    "  audit: { kind: internal, service: audit }\n"

static const char POLICY[] =
    "version: 1\n"
    "people:\n"
    "  dba: { users: [alice] }\n"
    "  dev: { users: [erin, alice] }\n"
    "  repl: { users: [rita] }\n"
    "  idle: { users: [dave] }\n"
    "targets:\n" DATABASES "rules:\n"
    "- { id: dba, who: [dba], to: [orders], can: { db: { users: [orders_rw], databases: [orders, \"log_*\"] "
    "} }, "
    "when: { mfa: 1h } }\n"
    "- { id: dev, who: [dev], to: [orders], can: { db: { users: [orders_ro], databases: [orders], refuse: "
    "[copy, "
    "function_call] } }, record: { params: hash }, limits: { idle: 5m } }\n"
    "- { id: dev-log, who: [dev], to: [orders], can: { db: { users: [orders_ro], databases: [log_app] } } }\n"
    "- { id: repl, who: [repl], to: [orders], can: { db: { users: [walreader], databases: [\"*\"], "
    "replication: "
    "true, refuse: [copy] } } }\n"
    "- { id: shop, who: [dev], to: [shop], can: { db: { users: [\"*\"], databases: [shop], local_infile: "
    "true } "
    "}, record: { db: { params: none } } }\n"
    "- { id: legacy, who: [dba], to: [legacy], can: { db: { opaque: true } } }\n"
    "- { id: iam, who: [dba], to: [iam], can: { db: { users: [a], databases: [b] } } }\n"
    "- { id: audit, who: [dba], to: [audit] }\n"
    "never:\n"
    "- { id: no-repl-for-dev, who: [dev], deny: [replication] }\n";

static struct policy *policy;

static void print_findings(const struct policy_report *report)
{
    for (size_t i = 0; i < report->findings.count; i++) {
        char line[YAML_LINE_BYTES];
        print_message("%s\n", yaml_report_line(&report->findings, i, line));
    }
}

static int load_policy(void **state)
{
    (void)state;
    struct policy_report report;
    enum err err = policy_load(cursor_of_text(POLICY), "p.yaml", &report, &policy);
    print_findings(&report);
    return err == ERR_NONE ? 0 : -1;
}

static int free_policy(void **state)
{
    (void)state;
    policy_free(policy);
    return 0;
}

static void ask(const char *person, const char *host, uint16_t port, const char *user, const char *database,
                enum policy_action action, struct policy_decision *ret)
{
    static const struct policy_factor FRESH = {true, 60};
    struct policy_request request = {.person = person,
                                     .from = "10.1.1.1",
                                     .host = host,
                                     .port = port,
                                     .account = user,
                                     .database = cursor_of_text(database),
                                     .factor = &FRESH,
                                     .action = action};
    policy_decide(policy, &request, ret);
}

enum { PG = 5432, MY = 3306 };

static void database_each_row_is_decided_as_written(void **state)
{
    (void)state;
    static const struct {
        const char *name, *person, *host;
        uint16_t port;
        const char *user, *database;
        enum policy_action action;
        enum policy_verdict verdict;
        const char *code;
    } ROWS[] = {
        {"any login", "alice", "orders-db", PG, "", "", POLICY_ANY, POLICY_ALLOWED, ""},
        {"nobody's", "dave", "orders-db", PG, "", "", POLICY_ANY, POLICY_DENIED, "D-NO-RULE"},
        {"user and database", "alice", "orders-db", PG, "orders_rw", "orders", POLICY_DB, POLICY_ALLOWED, ""},
        {"any action too", "alice", "orders-db", PG, "orders_rw", "orders", POLICY_ANY, POLICY_ALLOWED, ""},
        {"other database", "alice", "orders-db", PG, "orders_rw", "postgres", POLICY_DB, POLICY_DENIED,
         "D-CAN-"},
        {"other database, any", "alice", "orders-db", PG, "orders_rw", "x", POLICY_ANY, POLICY_DENIED,
         "D-CAN-"},
        {"other user", "erin", "orders-db", PG, "orders_rw", "orders", POLICY_DB, POLICY_DENIED, "D-CAN-"},
        {"user is a prefix", "alice", "orders-db", PG, "orders_r", "orders", POLICY_DB, POLICY_DENIED,
         "D-CAN-"},
        {"user in capitals", "alice", "orders-db", PG, "ORDERS_RW", "orders", POLICY_DB, POLICY_DENIED,
         "D-CAN-"},
        {"database by prefix", "alice", "orders-db", PG, "orders_rw", "log_x", POLICY_DB, POLICY_ALLOWED, ""},
        {"prefix alone", "alice", "orders-db", PG, "orders_rw", "log", POLICY_DB, POLICY_DENIED, "D-CAN-"},
        {"user of one rule, database of another", "erin", "orders-db", PG, "orders_ro", "log_x", POLICY_DB,
         POLICY_DENIED, "D-CAN-"},
        {"other port", "alice", "orders-db", 22, "orders_rw", "orders", POLICY_DB, POLICY_DENIED,
         "D-UNKNOWN-TARGET"},
        {"copy by default", "alice", "orders-db", PG, "orders_rw", "orders", POLICY_DB_COPY, POLICY_ALLOWED,
         ""},
        {"copy refused", "erin", "orders-db", PG, "orders_ro", "orders", POLICY_DB_COPY, POLICY_DENIED,
         "D-CAN-"},
        {"copy of another user's rule", "alice", "orders-db", PG, "orders_ro", "orders", POLICY_DB_COPY,
         POLICY_DENIED, "D-CAN-"},
        {"copy in the other database", "erin", "orders-db", PG, "orders_ro", "log_app", POLICY_DB_COPY,
         POLICY_ALLOWED, ""},
        {"function call refused", "erin", "orders-db", PG, "orders_ro", "orders", POLICY_DB_FUNCTION_CALL,
         POLICY_DENIED, "D-CAN-"},
        {"function call", "alice", "orders-db", PG, "orders_rw", "orders", POLICY_DB_FUNCTION_CALL,
         POLICY_ALLOWED, ""},
        {"no replication by default", "alice", "orders-db", PG, "orders_rw", "orders", POLICY_DB_REPLICATION,
         POLICY_DENIED, "D-NEVER-"},
        {"replication", "rita", "orders-db", PG, "walreader", "", POLICY_DB_REPLICATION, POLICY_ALLOWED, ""},
        {"replication as another", "rita", "orders-db", PG, "orders_rw", "", POLICY_DB_REPLICATION,
         POLICY_DENIED, "D-CAN-"},
        {"no shell", "alice", "orders-db", PG, "", "", POLICY_SHELL, POLICY_DENIED, "D-CAN-"},
        {"any user", "erin", "shop", MY, "x", "shop", POLICY_DB, POLICY_ALLOWED, ""},
        {"infile", "erin", "shop", MY, "x", "shop", POLICY_DB_LOCAL_INFILE, POLICY_ALLOWED, ""},
        {"mysql has no copy", "erin", "shop", MY, "x", "shop", POLICY_DB_COPY, POLICY_DENIED, "D-CAN-"},
        {"postgres has no infile", "alice", "orders-db", PG, "orders_rw", "orders", POLICY_DB_LOCAL_INFILE,
         POLICY_DENIED, "D-CAN-"},
        {"bytes unread", "alice", "legacy", PG, "", "", POLICY_DB, POLICY_ALLOWED, ""},
        {"bytes unread may be anything", "alice", "legacy", PG, "x", "y", POLICY_DB_COPY, POLICY_ALLOWED, ""},
        {"bytes unread of others", "erin", "legacy", PG, "", "", POLICY_DB, POLICY_DENIED, "D-NO-RULE"},
        {"service", "alice", "audit", 443, "", "", POLICY_ANY, POLICY_ALLOWED, ""},
        {"service of others", "erin", "audit", 443, "", "", POLICY_ANY, POLICY_DENIED, "D-NO-RULE"},
        {"service has no accounts", "alice", "audit", 443, "root", "", POLICY_ANY, POLICY_DENIED, "D-AS-"},
    };
    size_t wrong = 0;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct policy_decision decision;
        ask(ROWS[i].person, ROWS[i].host, ROWS[i].port, ROWS[i].user, ROWS[i].database, ROWS[i].action,
            &decision);
        bool is_right = decision.verdict == ROWS[i].verdict &&
                        strncmp(decision.code, ROWS[i].code, strlen(ROWS[i].code)) == 0 &&
                        (decision.verdict == POLICY_ALLOWED) == !grant_is_empty(&decision.grant);
        if (!is_right) {
            print_message("%s: %u %s %s\n", ROWS[i].name, decision.verdict, decision.code, decision.sentence);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

static bool choose(struct policy_grant *grant, const char *user, const char *database)
{
    const char *reason = NULL;
    bool is_allowed = grant_allows_database(grant, cursor_of_text(user), cursor_of_text(database), &reason);
    assert_int_equal(is_allowed,
                     grant_choose_database(grant, cursor_of_text(user), cursor_of_text(database), &reason));
    assert_true(is_allowed || reason != NULL);
    return is_allowed;
}

static void database_grant_checks_a_change_of_user_by_itself(void **state)
{
    (void)state;
    struct policy_decision decision;
    ask("alice", "orders-db", PG, "orders_rw", "orders", POLICY_DB, &decision);
    struct policy_grant *grant = &decision.grant;
    assert_true(grant->db_copy && grant->db_function_call);
    assert_false(grant->db_replication || grant->db_local_infile || grant->db_opaque);
    assert_int_equal(grant->db_params, GRANT_PARAMS_FULL);
    assert_string_equal(decision.rule, "dba");
    assert_int_equal(grant->idle_limit_s, 300); /* of all rules that a change of user can lead to */
    assert_true(choose(grant, "orders_ro", "orders"));
    assert_false(grant->db_copy || grant->db_function_call);
    assert_int_equal(grant->db_params, GRANT_PARAMS_HASH);
    assert_true(choose(grant, "orders_ro", "log_app"));
    assert_true(grant->db_copy);
    assert_false(choose(grant, "orders_ro", "log_x"));
    assert_false(choose(grant, "walreader", "orders"));
    assert_false(choose(grant, "", "orders"));
    assert_true(grant->db_copy); /* as it was */
    ask("erin", "shop", MY, "x", "", POLICY_DB, &decision);
    assert_true(choose(&decision.grant, "y", "shop"));
    assert_false(choose(&decision.grant, "y", "mysql"));
    assert_true(decision.grant.db_local_infile);
    assert_int_equal(decision.grant.db_params, GRANT_PARAMS_NONE);
    ask("alice", "legacy", PG, "", "", POLICY_ANY, &decision);
    assert_true(decision.grant.db_opaque);
    assert_false(choose(&decision.grant, "x", "y"));
}

static void database_targets_say_how_to_connect(void **state)
{
    (void)state;
    struct policy_target target;
    assert_int_equal(policy_target(policy, "orders-db", PG, &target), ERR_NONE);
    assert_int_equal(target.kind, POLICY_TARGET_POSTGRES);
    assert_int_equal(target.database.verify, POLICY_TLS_FULL);
    assert_int_equal(target.database.client_tls, POLICY_CLIENT_TLS_REFUSE);
    assert_int_equal(target.database.login, POLICY_LOGIN_CLIENT);
    assert_string_equal(target.database.ca, "rds.pem");
    assert_null(target.database.server_name);
    assert_null(target.database.region);
    assert_int_equal(policy_target(policy, "shop", MY, &target), ERR_NONE);
    assert_int_equal(target.kind, POLICY_TARGET_MYSQL);
    assert_int_equal(target.database.verify, POLICY_TLS_CA);
    assert_int_equal(target.database.client_tls, POLICY_CLIENT_TLS_TERMINATE);
    assert_int_equal(target.database.login, POLICY_LOGIN_ASK);
    assert_string_equal(target.database.server_name, "shop.internal");
    assert_int_equal(policy_target(policy, "iam.abc.us-east-1.rds.amazonaws.com", PG, &target), ERR_NONE);
    assert_string_equal(target.database.region, "us-east-1");
    assert_int_equal(policy_target(policy, "audit", 443, &target), ERR_NONE);
    assert_int_equal(target.kind, POLICY_TARGET_INTERNAL);
    assert_string_equal(target.service, "audit");
    assert_int_equal(target.network_count, 0);
}

#define TLS ", upstream_tls: { verify: full, ca: c }"
#define TARGET(keys) "{ t: { hosts: [h], addresses: [10.0.0.1], " keys " } }"
#define DB(keys) "{ db: { " keys " } }"

static void database_each_mistake_is_told(void **state)
{
    (void)state;
    static const char GOOD[] = TARGET("kind: postgres" TLS);
    static const struct {
        const char *targets, *can, *finding;
    } ROWS[] = {
        {GOOD, DB("users: [u], databases: [d]"), NULL},
        {GOOD, DB("users: [u]"), "\"db\" needs \"users\" and \"databases\""},
        {GOOD, DB("databases: [d]"), "\"db\" needs \"users\" and \"databases\""},
        {GOOD, DB("refuse: [copy]"), "or \"opaque: true\" where bytes pass unread"},
        {GOOD, DB("users: [], databases: [d]"), "\"users\" must be a list that is not empty"},
        {GOOD, DB("users: [\"a*b\"], databases: [d]"),
         "\"a*b\" cannot be in \"users\": \"*\" can only be at its end"},
        {GOOD, DB("users: [u], databases: [d], refuse: [copyy]"), "\"copyy\" cannot be refused"},
        {GOOD, DB("users: [u], databases: [d], refuse: [replication], replication: true"),
         "\"db\" allows and refuses the same"},
        {GOOD, DB("users: [u], databases: [d], opaque: true"),
         "allows \"opaque\", which no target of it knows"},
        {GOOD, DB("users: [u], databases: [d], local_infile: true"),
         "\"local_infile\", which no target of it knows"},
        {GOOD, DB("opaque: true, replication: true"), "\"replication\" and \"local_infile\" need \"users\""},
        {GOOD, "{ shell: true }", "allows \"shell\", which no target of it knows"},
        {GOOD, "{ connect: true }", "has \"connect\", but no target of kind tcp"},
        {TARGET("kind: mysql" TLS ", client_tls: no"), DB("users: [u], databases: [d]"),
         "\"client_tls\" must be refuse, terminate or opaque"},
        {TARGET("kind: mysql" TLS ", login: password"), DB("users: [u], databases: [d]"),
         "\"login\" must be client, ask or rds-iam"},
        {TARGET("kind: mysql"), DB("users: [u], databases: [d]"), "needs the key \"upstream_tls\""},
        {TARGET("kind: mysql, upstream_tls: { verify: full }"), DB("users: [u], databases: [d]"),
         "\"upstream_tls\" needs \"ca\""},
        {TARGET("kind: mysql, upstream_tls: { verify: none, ca: c }"), DB("users: [u], databases: [d]"),
         "\"verify\" must be full, ca or off"},
        {TARGET("kind: mysql, upstream_tls: { verify: off }"), DB("users: [u], databases: [d]"),
         "warning: \"verify: off\" sends passwords"},
        {TARGET("kind: mysql, upstream_tls: { verify: off, ca: c }"), DB("users: [u], databases: [d]"),
         "\"verify: off\" uses no TLS"},
        {TARGET("kind: mysql, upstream_tls: { verify: full, ca: ../c }"), DB("users: [u], databases: [d]"),
         "\"ca\" must be the name of a file beside the policy"},
        {TARGET("kind: mysql, client_tls: opaque" TLS), DB("opaque: true"), "remove \"upstream_tls\""},
        {TARGET("kind: mysql, client_tls: opaque, login: ask"), DB("opaque: true"),
         "\"login\" must be client"},
        {TARGET("kind: mysql, client_tls: opaque"), DB("users: [u], databases: [d]"),
         "allows \"db\", which no target of it knows"},
        {TARGET("kind: mysql, client_tls: opaque"), DB("opaque: true"), NULL},
        {TARGET("kind: mysql, login: rds-iam" TLS), DB("users: [u], databases: [d]"),
         "\"login: rds-iam\" needs \"region\""},
        {TARGET("kind: mysql, login: rds-iam, region: eu-west-1" TLS), DB("users: [u], databases: [d]"),
         NULL},
        {TARGET("kind: mysql, region: eu-west-1" TLS), DB("users: [u], databases: [d]"),
         "\"region\" is for \"login: rds-iam\" alone"},
        {TARGET("kind: mysql, login: rds-iam, region: r, upstream_tls: { verify: ca, ca: c }"),
         DB("users: [u], databases: [d]"), "\"login: rds-iam\" needs \"verify: full\""},
        {"{ t: { kind: mysql, hosts: [h]" TLS " } }", DB("users: [u], databases: [d]"),
         "warning: target \"t\" has no \"addresses\""},
        {"{ t: { kind: internal, service: page } }", "{ connect: true }", "\"service\" must be audit"},
        {"{ t: { kind: internal } }", "{ connect: true }", "needs the key \"service\""},
    };
    size_t wrong = 0;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        char text[1024];
        (void)snprintf(
            text, sizeof text,
            "version: 1\npeople: { g: { users: [p] } }\ntargets: %s\nrules: [{ id: r, who: [g], to: [t], "
            "can: %s, when: { mfa: 1h } }]\n",
            ROWS[i].targets, ROWS[i].can);
        struct policy_report report;
        struct policy *loaded = NULL;
        enum err err = policy_load(cursor_of_text(text), "p.yaml", &report, &loaded);
        policy_free(loaded);
        bool is_told = ROWS[i].finding == NULL && err == ERR_NONE && report.findings.count == 0;
        for (size_t j = 0; ROWS[i].finding != NULL && j < report.findings.count; j++) {
            char line[YAML_LINE_BYTES];
            is_told = is_told || strstr(yaml_report_line(&report.findings, j, line), ROWS[i].finding) != NULL;
        }
        if (!is_told) {
            print_message("row %zu: %s", i, text);
            print_findings(&report);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

static void database_lines_of_tests_are_run(void **state)
{
    (void)state;
    static const char TESTS[] =
        "tests:\n"
        "- name: t\n"
        "  as: { user: erin }\n"
        "  allow: [db orders-db/orders as orders_ro, db orders as orders_ro, "
        "\"copy orders/log_app as orders_ro\", local-infile shop/shop as x]\n"
        "  deny: [db orders-db/postgres as orders_ro, db orders-db/orders as orders_rw, "
        "replication orders-db, copy orders-db/orders as orders_ro]\n";
    char text[sizeof POLICY + sizeof TESTS];
    (void)snprintf(text, sizeof text, "%s%s", POLICY, TESTS);
    struct policy_report report;
    struct policy *loaded = NULL;
    enum err err = policy_load(cursor_of_text(text), "p.yaml", &report, &loaded);
    policy_free(loaded);
    print_findings(&report);
    assert_int_equal(err, ERR_NONE);
}

/* What loads can be granted: the longest lists of one rule fit. */
static void database_lists_that_load_fit_a_grant(void **state)
{
    (void)state;
    enum { NAME = 60 };
    for (unsigned count = 20; count < 40; count++) {
        char names[40 * (NAME + 4)] = "";
        char text[3 * sizeof names];
        for (unsigned i = 0; i < count; i++) {
            size_t used = strlen(names);
            (void)snprintf(names + used, sizeof names - used, "%sn%0*u", i == 0 ? "" : ", ", NAME, i);
        }
        (void)snprintf(text, sizeof text,
                       "version: 1\npeople: { g: { users: [p] } }\ntargets: %s\nrules: [{ id: r, who: [g], "
                       "to: [t], can: { "
                       "db: { users: [%s], databases: [%s] } } }]\n",
                       TARGET("kind: postgres" TLS), names, names);
        struct policy_report report;
        struct policy *loaded = NULL;
        if (policy_load(cursor_of_text(text), "p.yaml", &report, &loaded) != ERR_NONE) {
            assert_true(count > 25);
            continue;
        }
        struct policy_request request = {.person = "p", .from = "", .host = "h", .port = PG, .account = ""};
        struct policy_decision decision;
        policy_decide(loaded, &request, &decision);
        assert_int_equal(decision.verdict, POLICY_ALLOWED);
        assert_false(grant_is_empty(&decision.grant));
        policy_free(loaded);
    }
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(database_each_row_is_decided_as_written),
        cmocka_unit_test(database_grant_checks_a_change_of_user_by_itself),
        cmocka_unit_test(database_targets_say_how_to_connect),
        cmocka_unit_test(database_each_mistake_is_told),
        cmocka_unit_test(database_lines_of_tests_are_run),
        cmocka_unit_test(database_lists_that_load_fit_a_grant),
    };
    return cmocka_run_group_tests(TESTS, load_policy, free_policy);
}
