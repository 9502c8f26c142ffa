#include "policy/policy.h"

#include <stdio.h>
#include <string.h>

#include "unit_test.h"

static const char POLICY[] =
    "version: 1\n"
    "networks: { vpn: [100.64.0.0/10, \"2001:db8::/32\"], nodes: [10.20.0.0/16, \"fd01::/16\"] }\n"
    "people:\n"
    "  dba: { users: [alice, bob] }\n"
    "  oncall: { users: [bob] }\n"
    "  ops: { users: [carol] }\n"
    "  ci: { users: [bot], machine: true }\n"
    "  idle: { users: [dave] }\n"
    "targets:\n"
    "  web: { kind: ssh, hosts: [\"*.prod.internal\", Node1], addresses: [nodes], login_as: [ec2-user, "
    "deploy], host_keys: { known_hosts: web.hosts }, labels: { env: prod, tier: web } }\n"
    "  db: { kind: ssh, hosts: [db1], port: 2222, addresses: [10.30.0.1], login_as: [postgres], host_keys: { "
    "known_hosts: db.hosts }, labels: { env: prod } }\n"
    "  db-22: { kind: ssh, hosts: [db1], addresses: [10.30.0.1], login_as: [root], host_keys: { ca: "
    "[db_ca.pub, old_ca.pub] } }\n"
    "  cache: { kind: tcp, hosts: [cache1, db1], port: 6379, addresses: [10.30.0.0/16], labels: { env: prod "
    "} }\n"
    "rules:\n"
    "- { id: cache-dba, who: [dba], to: [cache], can: { connect: true }, when: { mfa: 1h } }\n"
    "- { id: places, who: [ops], to: [web], as: [deploy], can: { forward: [\"localhost:9090\", "
    "\"unix:/run/a\"], remote_forward: [\"localhost:8080\"], sftp: { read: [/var/log/**], write: [/srv/**] } "
    "}, when: { mfa: 1h }, record: { exec: counts } }\n"
    "- { id: web-shell, who: [dba], to: [web], as: [ec2-user], can: { shell: true }, when: { mfa: 8h, from: "
    "[vpn] }, limits: { session: 2h, idle: 10m } }\n"
    "- { id: web-all, who: [oncall], to: [\"env=prod,tier=web\"], as: [ec2-user, deploy], can: { shell: "
    "true, exec: true, sftp: write, agent: true }, when: { mfa: 15m }, record: { input: all, exec: 1GiB }, "
    "limits: { session: 4h } }\n"
    "- { id: prod-sftp, who: [ops], to: [\"env=prod\"], as: [ec2-user, postgres], can: { sftp: read, x11: "
    "true, forward: true }, when: { mfa: 1h } }\n"
    "- { id: deploy, who: [ci], to: [web], as: [deploy], can: { exec: [[/bin/deploy, \"*\"]], shell: true }, "
    "when: { from: [10.9.0.0/24] } }\n"
    "- { id: deploy2, who: [ci], to: [web], as: [deploy], can: { exec: [[/bin/status]] }, when: { from: "
    "[10.9.0.0/24] } }\n"
    "- { id: db22, who: [dba], to: [db-22], as: [root], can: { exec: true } }\n"
    "never:\n"
    "- { id: no-agent, deny: [agent] }\n"
    "- { id: no-machine-shell, who: [ci], deny: [shell] }\n"
    "- { id: db22-closed, to: [db-22], deny: [all] }\n"
    "- { id: no-ops-streams, who: [ops], deny: [connect] }\n"
    "defaults: { limits: { session: 6h, idle: 20m, connections_per_person: 3, channels_per_connection: 5 }, "
    "record: { exec: 1KiB } }\n";

static struct policy *policy;

static int load_policy(void **state)
{
    (void)state;
    struct policy_report report;
    if (policy_load(cursor_of_text(POLICY), "p.yaml", &report, &policy) != ERR_NONE) {
        for (size_t i = 0; i < report.findings.count; i++) {
            char line[YAML_LINE_BYTES];
            (void)fprintf(stderr, "%s\n", yaml_report_line(&report.findings, i, line));
        }
        return -1;
    }
    return 0;
}

static int free_policy(void **state)
{
    (void)state;
    policy_free(policy);
    return 0;
}

enum { NO_FACTOR = -1 };

/* One row: who, from where, how old the factor is, to where, as whom, what; and what is decided. */
struct row {
    const char *name, *person, *from;
    int age_s;
    const char *host;
    uint16_t port;
    const char *account;
    enum policy_action action;
    const char *command;
    enum policy_verdict verdict;
    const char *code, *rule;
};

static void ask(const struct row *row, struct policy_decision *ret)
{
    struct policy_factor factor = {row->age_s != NO_FACTOR,
                                   (uint64_t)(row->age_s == NO_FACTOR ? 0 : row->age_s)};
    struct policy_request request = {
        .person = row->person,
        .from = row->from,
        .host = row->host,
        .port = row->port,
        .account = row->account,
        .factor = &factor,
        .action = row->action,
        .command = cursor_of_text(row->command),
    };
    policy_decide(policy, &request, ret);
}

#define VPN "100.64.1.2"
static const struct row ROWS[] = {
    {"the plain yes", "alice", VPN, 60, "node1", 22, "ec2-user", POLICY_SHELL, "", POLICY_ALLOWED, "",
     "web-shell"},
    {"in IPv6", "alice", "2001:db8::5", 60, "node1", 22, "ec2-user", POLICY_SHELL, "", POLICY_ALLOWED, "",
     "web-shell"},
    {"in IPv4 inside IPv6", "alice", "::ffff:100.64.1.2", 60, "node1", 22, "ec2-user", POLICY_SHELL, "",
     POLICY_ALLOWED, "", "web-shell"},
    {"host in capitals", "alice", VPN, 60, "NODE1", 22, "ec2-user", POLICY_SHELL, "", POLICY_ALLOWED, "",
     "web-shell"},
    {"host by pattern", "alice", VPN, 60, "A.prod.INTERNAL", 22, "", POLICY_ANY, "", POLICY_ALLOWED, "",
     "web-shell"},
    {"first step without account", "alice", VPN, 60, "node1", 22, "", POLICY_ANY, "", POLICY_ALLOWED, "",
     "web-shell"},
    {"factor exactly old enough", "alice", VPN, 8 * 3600, "node1", 22, "", POLICY_ANY, "", POLICY_ALLOWED, "",
     "web-shell"},
    {"factor a second too old", "alice", VPN, 8 * 3600 + 1, "node1", 22, "", POLICY_ANY, "",
     POLICY_NEEDS_FACTOR, "D-MFA-", "web-shell"},
    {"no factor", "alice", VPN, NO_FACTOR, "node1", 22, "", POLICY_ANY, "", POLICY_NEEDS_FACTOR, "D-MFA-",
     "web-shell"},
    {"unknown person", "mallory", VPN, 60, "node1", 22, "", POLICY_ANY, "", POLICY_DENIED, "D-UNKNOWN-PERSON",
     ""},
    {"empty person", "", VPN, 60, "node1", 22, "", POLICY_ANY, "", POLICY_DENIED, "D-UNKNOWN-PERSON", ""},
    {"person in capitals", "Alice", VPN, 60, "node1", 22, "", POLICY_ANY, "", POLICY_DENIED,
     "D-UNKNOWN-PERSON", ""},
    {"unknown host", "alice", VPN, 60, "node2", 22, "", POLICY_ANY, "", POLICY_DENIED, "D-UNKNOWN-TARGET",
     ""},
    {"other port", "alice", VPN, 60, "node1", 23, "", POLICY_ANY, "", POLICY_DENIED, "D-UNKNOWN-TARGET", ""},
    {"host with a final dot", "alice", VPN, 60, "node1.", 22, "", POLICY_ANY, "", POLICY_DENIED,
     "D-UNKNOWN-TARGET", ""},
    {"the pattern itself as host", "alice", VPN, 60, "*.prod.internal", 22, "", POLICY_ANY, "", POLICY_DENIED,
     "D-UNKNOWN-TARGET", ""},
    {"more labels than the pattern", "alice", VPN, 60, "a.b.prod.internal", 22, "", POLICY_ANY, "",
     POLICY_DENIED, "D-UNKNOWN-TARGET", ""},
    {"empty host", "alice", VPN, 60, "", 22, "", POLICY_ANY, "", POLICY_DENIED, "D-UNKNOWN-TARGET", ""},
    {"host with bytes", "alice", VPN, 60, "no\nde1", 22, "", POLICY_ANY, "", POLICY_DENIED,
     "D-UNKNOWN-TARGET", ""},
    {"no rule for the person", "dave", VPN, 60, "node1", 22, "", POLICY_ANY, "", POLICY_DENIED, "D-NO-RULE",
     ""},
    {"no rule for the target", "alice", VPN, 60, "db1", 2222, "", POLICY_ANY, "", POLICY_DENIED, "D-NO-RULE",
     ""},
    {"wrong account", "alice", VPN, 60, "node1", 22, "deploy", POLICY_ANY, "", POLICY_DENIED, "D-AS-",
     "web-shell"},
    {"account of the rule but not of this target", "carol", VPN, 60, "db1", 2222, "ec2-user", POLICY_ANY, "",
     POLICY_DENIED, "D-AS-", "prod-sftp"},
    {"account of both", "carol", VPN, 60, "db1", 2222, "postgres", POLICY_ANY, "", POLICY_ALLOWED, "",
     "prod-sftp"},
    {"wrong action", "alice", VPN, 60, "node1", 22, "ec2-user", POLICY_EXEC, "id", POLICY_DENIED, "D-CAN-",
     "web-shell"},
    {"from elsewhere", "alice", "203.0.113.1", 60, "node1", 22, "", POLICY_ANY, "", POLICY_DENIED, "D-FROM-",
     "web-shell"},
    {"from nowhere", "alice", "", 60, "node1", 22, "", POLICY_ANY, "", POLICY_DENIED, "D-FROM-", "web-shell"},
    {"from something that is no address", "alice", "vpn", 60, "node1", 22, "", POLICY_ANY, "", POLICY_DENIED,
     "D-FROM-", "web-shell"},
    {"two rules add up", "bob", VPN, 60, "node1", 22, "ec2-user", POLICY_ANY, "", POLICY_ALLOWED, "",
     "web-shell,web-all"},
    {"only one of two rules", "bob", VPN, 3600, "node1", 22, "ec2-user", POLICY_SHELL, "", POLICY_ALLOWED, "",
     "web-shell"},
    {"the other would with a fresh factor", "bob", VPN, 3600, "node1", 22, "ec2-user", POLICY_EXEC, "id",
     POLICY_NEEDS_FACTOR, "D-MFA-", "web-all"},
    {"from elsewhere only the other", "bob", "203.0.113.1", 60, "node1", 22, "ec2-user", POLICY_SHELL, "",
     POLICY_ALLOWED, "", "web-all"},
    {"never agent", "bob", VPN, 60, "node1", 22, "ec2-user", POLICY_AGENT, "", POLICY_DENIED, "D-NEVER-",
     "no-agent"},
    {"agent where no rule has it", "alice", VPN, 60, "node1", 22, "ec2-user", POLICY_AGENT, "", POLICY_DENIED,
     "D-NEVER-", "no-agent"},
    {"never all", "alice", VPN, 60, "db1", 22, "root", POLICY_ANY, "", POLICY_DENIED, "D-NEVER-",
     "db22-closed"},
    {"never a shell for machines", "bot", "10.9.0.7", NO_FACTOR, "node1", 22, "deploy", POLICY_SHELL, "",
     POLICY_DENIED, "D-NEVER-", "no-machine-shell"},
    {"machine deploys", "bot", "10.9.0.7", NO_FACTOR, "node1", 22, "deploy", POLICY_EXEC, "/bin/deploy api",
     POLICY_ALLOWED, "", "deploy,deploy2"},
    {"machine deploys with more", "bot", "10.9.0.7", NO_FACTOR, "node1", 22, "deploy", POLICY_EXEC,
     "/bin/deploy api;sh", POLICY_DENIED, "D-CAN-", "deploy"},
    {"machine by the second list", "bot", "10.9.0.7", NO_FACTOR, "node1", 22, "deploy", POLICY_EXEC,
     "/bin/status", POLICY_ALLOWED, "", "deploy,deploy2"},
    {"machine from elsewhere", "bot", "10.9.1.7", NO_FACTOR, "node1", 22, "deploy", POLICY_EXEC,
     "/bin/status", POLICY_DENIED, "D-FROM-", "deploy2"},
    {"sftp path to write", "carol", VPN, 60, "node1", 22, "deploy", POLICY_SFTP_WRITE, "/srv/a",
     POLICY_ALLOWED, "", "places"},
    {"sftp path to read", "carol", VPN, 60, "node1", 22, "deploy", POLICY_SFTP_READ, "/var/log/a/b",
     POLICY_ALLOWED, "", "places"},
    {"sftp path of reading to write", "carol", VPN, 60, "node1", 22, "deploy", POLICY_SFTP_WRITE,
     "/var/log/a", POLICY_DENIED, "D-CAN-", "places"},
    {"sftp path elsewhere", "carol", VPN, 60, "node1", 22, "deploy", POLICY_SFTP_READ, "/etc/shadow",
     POLICY_DENIED, "D-CAN-", "places"},
    {"sftp path with dots", "carol", VPN, 60, "node1", 22, "deploy", POLICY_SFTP_WRITE, "/srv/../etc/x",
     POLICY_DENIED, "D-CAN-", "places"},
    {"sftp some path", "carol", VPN, 60, "node1", 22, "deploy", POLICY_SFTP_WRITE, "", POLICY_ALLOWED, "",
     "places"},
    {"sftp read", "carol", VPN, 60, "node1", 22, "ec2-user", POLICY_SFTP_READ, "", POLICY_ALLOWED, "",
     "prod-sftp"},
    {"sftp write", "carol", VPN, 60, "node1", 22, "ec2-user", POLICY_SFTP_WRITE, "", POLICY_DENIED, "D-CAN-",
     "prod-sftp"},
    {"forward", "carol", VPN, 60, "node1", 22, "ec2-user", POLICY_FORWARD, "", POLICY_ALLOWED, "",
     "prod-sftp"},
    {"remote forward", "carol", VPN, 60, "node1", 22, "ec2-user", POLICY_REMOTE_FORWARD, "", POLICY_DENIED,
     "D-CAN-", "prod-sftp"},
    {"listed place", "carol", VPN, 60, "node1", 22, "deploy", POLICY_FORWARD, "localhost:9090",
     POLICY_ALLOWED, "", "places"},
    {"unlisted place", "carol", VPN, 60, "node1", 22, "deploy", POLICY_FORWARD, "localhost:8080",
     POLICY_DENIED, "D-CAN-", "places"},
    {"listed socket", "carol", VPN, 60, "node1", 22, "deploy", POLICY_FORWARD, "unix:/run/a", POLICY_ALLOWED,
     "", "places"},
    {"listed remote place", "carol", VPN, 60, "node1", 22, "deploy", POLICY_REMOTE_FORWARD, "localhost:8080",
     POLICY_ALLOWED, "", "places"},
    {"place of the other use", "carol", VPN, 60, "node1", 22, "deploy", POLICY_REMOTE_FORWARD,
     "localhost:9090", POLICY_DENIED, "D-CAN-", "places"},
    {"any place", "carol", VPN, 60, "node1", 22, "ec2-user", POLICY_FORWARD, "localhost:1", POLICY_ALLOWED,
     "", "prod-sftp"},
    {"stream", "alice", VPN, 60, "cache1", 6379, "", POLICY_ANY, "", POLICY_ALLOWED, "", "cache-dba"},
    {"stream with an old factor", "alice", VPN, 7200, "cache1", 6379, "", POLICY_ANY, "", POLICY_NEEDS_FACTOR,
     "D-MFA-", "cache-dba"},
    {"stream has no accounts", "alice", VPN, 60, "cache1", 6379, "root", POLICY_ANY, "", POLICY_DENIED,
     "D-AS-", "cache-dba"},
    {"stream has no shell", "alice", VPN, 60, "cache1", 6379, "", POLICY_SHELL, "", POLICY_DENIED, "D-CAN-",
     "cache-dba"},
    {"stream on another port", "alice", VPN, 60, "cache1", 6380, "", POLICY_ANY, "", POLICY_DENIED,
     "D-UNKNOWN-TARGET", ""},
    {"labels give ssh rights to no stream", "carol", VPN, 60, "cache1", 6379, "", POLICY_ANY, "",
     POLICY_DENIED, "D-CAN-", "prod-sftp"},
    {"x11", "carol", VPN, 60, "node1", 22, "ec2-user", POLICY_X11, "", POLICY_ALLOWED, "", "prod-sftp"},
};

static void decide_each_row_is_as_written(void **state)
{
    (void)state;
    unsigned failed = 0;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct policy_decision decision;
        ask(&ROWS[i], &decision);
        bool is_right = decision.verdict == ROWS[i].verdict && strcmp(decision.rule, ROWS[i].rule) == 0 &&
                        strncmp(decision.code, ROWS[i].code, strlen(ROWS[i].code)) == 0;
        is_right = is_right && (decision.verdict == POLICY_ALLOWED) == (decision.sentence[0] == 0);
        is_right = is_right && (decision.verdict == POLICY_ALLOWED) == !grant_is_empty(&decision.grant);
        if (!is_right) {
            print_message("%s: verdict %d rule %s code %s: %s\n", ROWS[i].name, (int)decision.verdict,
                          decision.rule, decision.code, decision.sentence);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

static void decide_union_takes_most_rights_and_strictest_limits(void **state)
{
    (void)state;
    struct row row = {"", "bob", VPN, 60, "node1", 22, "ec2-user", POLICY_ANY, "", POLICY_ALLOWED, "", ""};
    struct policy_decision decision;
    ask(&row, &decision);
    const struct policy_grant *grant = &decision.grant;
    assert_true(grant->shell);
    assert_int_equal(grant->exec, GRANT_EXEC_ANY);
    assert_int_equal(grant->sftp, GRANT_SFTP_WRITE);
    assert_false(grant->agent); /* never */
    assert_true(grant->record_input);
    assert_true(grant->exec_record_cap_bytes == 1ULL << 30);
    assert_true(grant->exec_hashes);
    assert_int_equal(grant->session_limit_s, 2 * 3600);
    assert_int_equal(grant->idle_limit_s, 600);
    assert_int_equal(grant->channels, 5);
    assert_false(decision.factor_adds);
    row.age_s = 3600;
    ask(&row, &decision);
    assert_int_equal(grant->exec, GRANT_EXEC_NONE);
    assert_false(grant->record_input);
    assert_true(grant->exec_record_cap_bytes == 1024);
    assert_true(decision.factor_adds);
    row.person = "alice";
    ask(&row, &decision);
    assert_false(decision.factor_adds);
}

static void decide_counted_streams_are_neither_kept_nor_hashed(void **state)
{
    (void)state;
    struct row row = {"", "carol", VPN, 60, "node1", 22, "deploy", POLICY_ANY, "", POLICY_ALLOWED, "", ""};
    struct policy_decision decision;
    ask(&row, &decision);
    assert_string_equal(decision.grant.rule, "places");
    assert_false(decision.grant.exec_hashes);
    assert_true(decision.grant.exec_record_cap_bytes == 0);
}

static void decide_needs_factor_names_the_age(void **state)
{
    (void)state;
    struct row row = {"",         "bob",      VPN, NO_FACTOR,      "node1", 22,
                      "ec2-user", POLICY_ANY, "",  POLICY_ALLOWED, "",      ""};
    struct policy_decision decision;
    ask(&row, &decision);
    assert_int_equal(decision.verdict, POLICY_NEEDS_FACTOR);
    assert_int_equal(decision.factor_max_age_s, 8 * 3600);
    row.from = "203.0.113.1";
    ask(&row, &decision);
    assert_int_equal(decision.factor_max_age_s, 900);
    row.from = VPN;
    row.age_s = 0;
    ask(&row, &decision);
    assert_int_equal(decision.verdict, POLICY_ALLOWED);
    assert_int_equal(decision.factor_max_age_s, 0);
}

static void decide_lists_of_two_rules_are_one_grant(void **state)
{
    (void)state;
    struct row row = {"",       "bot",      "10.9.0.7", NO_FACTOR,      "node1", 22,
                      "deploy", POLICY_ANY, "",         POLICY_ALLOWED, "",      ""};
    struct policy_decision decision;
    ask(&row, &decision);
    const char *reason = NULL;
    assert_true(grant_allows_exec(&decision.grant, cursor_of_text("/bin/deploy x"), &reason));
    assert_true(grant_allows_exec(&decision.grant, cursor_of_text("/bin/status"), &reason));
    assert_false(grant_allows_exec(&decision.grant, cursor_of_text("/bin/status x"), &reason));
    assert_false(decision.grant.shell);
}

static void decide_sentence_shows_no_control_bytes(void **state)
{
    (void)state;
    struct row row = {"", "alice", VPN, 60, "a\x1b]0;x\x07", 22, "", POLICY_ANY, "", POLICY_DENIED, "", ""};
    struct policy_decision decision;
    ask(&row, &decision);
    assert_string_equal(decision.sentence, "no target of the policy lists a?]0;x?:22");
}

static void person_is_found_with_what_rules_say(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum err err;
        bool is_machine;
        unsigned age_s;
    } PEOPLE[] = {
        {"alice", ERR_NONE, false, 8 * 3600}, {"bob", ERR_NONE, false, 8 * 3600},
        {"carol", ERR_NONE, false, 3600},     {"bot", ERR_NONE, true, 8 * 3600},
        {"dave", ERR_NONE, false, 8 * 3600},  {"mallory", ERR_NOT_FOUND, false, 0},
        {"", ERR_NOT_FOUND, false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(PEOPLE); i++) {
        struct policy_person person;
        assert_int_equal(policy_person(policy, PEOPLE[i].name, &person), PEOPLE[i].err);
        if (PEOPLE[i].err == ERR_NONE) {
            assert_int_equal(person.is_machine, PEOPLE[i].is_machine);
            assert_int_equal(person.max_mfa_age_s, PEOPLE[i].age_s);
            assert_int_equal(person.connections, 3);
            assert_int_equal(person.channels, 5);
        }
    }
}

static void target_is_found_by_host_and_port(void **state)
{
    (void)state;
    struct policy_target target;
    assert_int_equal(policy_target(policy, "db1", 2222, &target), ERR_NONE);
    assert_string_equal(target.name, "db");
    assert_string_equal(target.known_hosts, "db.hosts");
    assert_int_equal(target.host_ca_count, 0);
    assert_int_equal(target.network_count, 1);
    assert_int_equal(target.kind, POLICY_TARGET_SSH);
    assert_int_equal(policy_target(policy, "DB1", 22, &target), ERR_NONE);
    assert_string_equal(target.name, "db-22");
    assert_null(target.known_hosts);
    assert_int_equal(target.host_ca_count, 2);
    assert_string_equal(target.host_cas[1], "old_ca.pub");
    assert_int_equal(policy_target(policy, "x.prod.internal", 22, &target), ERR_NONE);
    assert_int_equal(target.network_count, 2);
    assert_int_equal(policy_target(policy, "db1", 23, &target), ERR_NOT_FOUND);
    assert_int_equal(policy_target(policy, "db2", 22, &target), ERR_NOT_FOUND);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(decide_each_row_is_as_written),
        cmocka_unit_test(decide_union_takes_most_rights_and_strictest_limits),
        cmocka_unit_test(decide_counted_streams_are_neither_kept_nor_hashed),
        cmocka_unit_test(decide_needs_factor_names_the_age),
        cmocka_unit_test(decide_lists_of_two_rules_are_one_grant),
        cmocka_unit_test(decide_sentence_shows_no_control_bytes),
        cmocka_unit_test(person_is_found_with_what_rules_say),
        cmocka_unit_test(target_is_found_by_host_and_port),
    };
    return cmocka_run_group_tests(TESTS, load_policy, free_policy);
}
