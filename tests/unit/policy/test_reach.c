#include "policy/reach.h"

#include <stdio.h>
#include <string.h>

#include "unit_test.h"

static const char POLICY[] =
    "version: 1\n"
    "networks: { vpn: [100.64.0.0/10], nodes: [10.20.0.0/16] }\n"
    "people:\n"
    "  dba: { users: [alice] }\n"
    "  ci: { users: [bot], machine: true }\n"
    "  idle: { users: [dave] }\n"
    "  store: { users: [erin] }\n"
    "  asked: { users: [ann] }\n"
    "targets:\n"
    "  web: { kind: ssh, hosts: [\"*.prod.internal\", node1], addresses: [nodes], login_as: [ec2-user, "
    "deploy], "
    "host_keys: { known_hosts: web.hosts } }\n"
    "  db: { kind: ssh, hosts: [db1], port: 2222, addresses: [nodes], login_as: [postgres], host_keys: { "
    "known_hosts: db.hosts } }\n"
    "  far: { kind: ssh, hosts: [far1], addresses: [nodes], login_as: [root], host_keys: { known_hosts: "
    "db.hosts "
    "} }\n"
    "  cache: { kind: tcp, hosts: [cache], port: 6379, addresses: [nodes] }\n"
    "rules:\n"
    "- { id: cache, who: [store], to: [cache], can: { connect: true }, when: { mfa: 1h } }\n"
    "- { id: asked, who: [asked], to: [far], as: [root], can: { shell: true }, when: { reason: \"INC-*\" } "
    "}\n"
    "- { id: web-shell, who: [dba], to: [web], as: [ec2-user], can: { shell: true }, when: { from: [vpn] } "
    "}\n"
    "- { id: web-exec, who: [dba], to: [web], as: [ec2-user], can: { exec: true }, when: { mfa: 15m, from: "
    "[vpn] "
    "} }\n"
    "- { id: db, who: [dba], to: [db], as: [postgres], can: { shell: true, agent: true }, when: { mfa: 1h } "
    "}\n"
    "- { id: bot, who: [ci], to: [web], as: [deploy], can: { exec: [[uptime]] }, when: { from: [10.9.0.0/24] "
    "} }\n"
    "- { id: nothing-left, who: [dba], to: [far], as: [root], can: { x11: true } }\n"
    "never: [{ id: no-x11, deny: [x11, agent] }]\n";

static struct policy *policy;

static int load_policy(void **state)
{
    (void)state;
    struct policy_report report;
    return policy_load(cursor_of_text(POLICY), "p.yaml", &report, &policy) != ERR_NONE;
}

static int free_policy(void **state)
{
    (void)state;
    policy_free(policy);
    return 0;
}

struct told {
    char text[1024];
    unsigned rows, most;
};

static bool tell(void *context, const struct policy_reach *reach)
{
    struct told *told = context;
    size_t used = strlen(told->text);
    (void)snprintf(told->text + used, sizeof told->text - used, "%s/%zu:%u %s%s%s%s%s%s%s%s; ", reach->target,
                   reach->host_count, reach->port, reach->account, reach->grant->shell ? " shell" : "",
                   reach->grant->exec != GRANT_EXEC_NONE ? " exec" : "", reach->grant->agent ? " agent" : "",
                   reach->grant->connect ? " connect" : "", reach->needs_factor ? " needs factor" : "",
                   reach->factor_adds ? " factor adds" : "", reach->needs_reason ? " needs reason" : "");
    told->rows++;
    return told->rows != told->most;
}

static void expect(const char *person, const char *from, const struct policy_factor *factor, unsigned most,
                   const char *expected)
{
    struct told told = {.most = most};
    policy_reach(policy, person, from, factor, POLICY_KEY_PLAIN, 0, tell, &told);
    assert_string_equal(told.text, expected);
}

static void reach_lists_what_the_rules_give_and_no_more(void **state)
{
    (void)state;
    static const struct policy_factor FRESH = {.has = true, .age_s = 60};
    expect("alice", "100.64.1.1", &FRESH, 0, "web/2:22 ec2-user shell exec; db/1:2222 postgres shell; ");
}

static void reach_lists_what_needs_a_reason(void **state)
{
    (void)state;
    expect("ann", "", NULL, 0, "far/1:22 root shell needs reason; ");
}

static void reach_without_factor_says_where_one_is_needed_or_adds(void **state)
{
    (void)state;
    expect("alice", "100.64.1.1", NULL, 0,
           "web/2:22 ec2-user shell exec factor adds; db/1:2222 postgres shell needs factor; ");
}

static void reach_from_elsewhere_leaves_out_what_the_address_forbids(void **state)
{
    (void)state;
    expect("alice", "192.0.2.1", NULL, 0, "db/1:2222 postgres shell needs factor; ");
    expect("alice", "not an address", NULL, 0, "db/1:2222 postgres shell needs factor; ");
    expect("bot", "10.9.0.1", NULL, 0, "web/2:22 deploy exec; ");
    expect("bot", "10.8.0.1", NULL, 0, "");
}

static void reach_of_a_byte_stream_has_no_account(void **state)
{
    (void)state;
    expect("erin", "100.64.1.1", NULL, 0, "cache/1:6379  connect needs factor; ");
}

static void reach_of_nobody_is_empty(void **state)
{
    (void)state;
    expect("dave", "100.64.1.1", NULL, 0, "");
    expect("mallory", "100.64.1.1", NULL, 0, "");
}

static void reach_stops_when_told_so(void **state)
{
    (void)state;
    expect("alice", "100.64.1.1", NULL, 1, "web/2:22 ec2-user shell exec factor adds; ");
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(reach_lists_what_the_rules_give_and_no_more),
        cmocka_unit_test(reach_lists_what_needs_a_reason),
        cmocka_unit_test(reach_without_factor_says_where_one_is_needed_or_adds),
        cmocka_unit_test(reach_from_elsewhere_leaves_out_what_the_address_forbids),
        cmocka_unit_test(reach_of_a_byte_stream_has_no_account),
        cmocka_unit_test(reach_of_nobody_is_empty),
        cmocka_unit_test(reach_stops_when_told_so),
    };
    return cmocka_run_group_tests(TESTS, load_policy, free_policy);
}
