#include "policy/diff.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit_test.h"

enum { TEXT_BYTES = 16384, CHANGES_MAX = 4096 };

static struct policy *load(const char *text)
{
    struct policy_report *report = calloc(1, sizeof *report);
    assert_non_null(report);
    struct policy *policy = NULL;
    enum err err = policy_load(cursor_of_text(text), "test.yaml", report, &policy);
    if (err != ERR_NONE) {
        char line[YAML_LINE_BYTES];
        fail_msg("%s\n%s", yaml_report_line(&report->findings, 0, line), text);
    }
    free(report);
    return policy;
}

/* What was told, one line for each change. */
struct told {
    char lines[CHANGES_MAX][256];
    size_t count;
};

static bool keep(void *context, const struct policy_change *change)
{
    struct told *told = context;
    assert_true(told->count < CHANGES_MAX);
    char people[128] = "";
    for (size_t i = 0; i < change->people_count; i++) {
        (void)snprintf(people + strlen(people), sizeof people - strlen(people), "%s%s", i == 0 ? "" : ",",
                       change->people[i]);
    }
    (void)snprintf(told->lines[told->count++], sizeof told->lines[0], "%c %s: %s on %.*s:%u as %s [%s] by %s",
                   change->kind == POLICY_GAIN ? '+' : '-', people, change->what,
                   (int)cursor_len(&change->hosts[0]), (const char *)change->hosts[0].at, change->port,
                   change->account, change->when, change->rule);
    return true;
}

static struct told *diff(const char *before, const char *after)
{
    struct told *told = calloc(1, sizeof *told);
    assert_non_null(told);
    struct policy *one = before == NULL ? NULL : load(before);
    struct policy *other = load(after);
    assert_int_equal(policy_diff(one, other, NULL, 0, keep, told), ERR_NONE);
    policy_free(one);
    policy_free(other);
    return told;
}

static void assert_told(const char *before, const char *after, size_t count, const char *const *lines)
{
    struct told *told = diff(before, after);
    for (size_t i = 0; i < told->count && i < count; i++) {
        assert_string_equal(told->lines[i], lines[i]);
    }
    assert_int_equal(told->count, count);
    free(told);
}
#define ASSERT_TOLD(before, after, ...)                                                                      \
    assert_told((before), (after), sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *),             \
                (const char *[]){__VA_ARGS__})

#define HEAD                                                                                                 \
    "version: 1\nnetworks:\n  vpn: [100.64.0.0/10]\n  nodes: [10.0.0.0/8]\n"                                 \
    "people:\n  dba: { users: [alice, bob] }\n  backend: { users: [erin] }\n"                                \
    "targets:\n  web: { kind: ssh, hosts: [web1, web2], addresses: [nodes], login_as: [root, deploy], "      \
    "host_keys: { known_hosts: k } }\n"                                                                      \
    "  cache: { kind: tcp, hosts: [redis], port: 6379, addresses: [nodes] }\nrules:\n"
#define RULE "  - { id: a, who: [dba], to: [web], as: [root], can: { shell: true, exec: true } }\n"

static void policy_against_itself_changes_nothing(void **state)
{
    (void)state;
    struct told *told = diff(HEAD RULE, HEAD RULE);
    assert_int_equal(told->count, 0);
    free(told);
}

static void rule_in_other_words_changes_nothing(void **state)
{
    (void)state;
    struct told *told =
        diff(HEAD RULE,
             HEAD "  - { id: x, who: [dba], to: [web], as: [root], can: { exec: [[uptime]], shell: true } }\n"
                  "  - { id: y, who: [dba], to: [web], as: [root], can: { exec: true } } # in two\n");
    assert_int_equal(told->count, 0);
    free(told);
}

static void new_person_gains_and_old_one_loses(void **state)
{
    (void)state;
    ASSERT_TOLD(
        HEAD RULE,
        HEAD "  - { id: b, who: [backend], to: [web], as: [root], can: { shell: true, exec: true } }\n",
        "- alice,bob: shell on web1:22 as root [] by a", "- alice,bob: exec on web1:22 as root [] by a",
        "+ erin: shell on web1:22 as root [] by b", "+ erin: exec on web1:22 as root [] by b");
}

static void conditions_are_told_exactly(void **state)
{
    (void)state;
    ASSERT_TOLD(
        HEAD "  - { id: a, who: [dba], to: [web], as: [root], can: { shell: true }, when: { mfa: 8h } }\n",
        HEAD "  - { id: a, who: [dba], to: [web], as: [root], can: { shell: true }, when: { mfa: 15m, from: "
             "[vpn] } }\n",
        "- alice,bob: shell on web1:22 as root [from vpn; factor over 15m and up to 8h; or from elsewhere; "
        "factor up to 8h] by a");
}

static void lists_are_told_by_entry(void **state)
{
    (void)state;
    ASSERT_TOLD(
        HEAD "  - { id: a, who: [dba], to: [web], as: [root], can: { exec: [[uptime], [df, \"*\"]], sftp: "
             "read } }\n",
        HEAD "  - { id: a, who: [dba], to: [web], as: [root], can: { exec: [[uptime], [ls]], sftp: { read: "
             "[/srv/**] } } }\n",
        "- alice,bob: exec: df * on web1:22 as root [] by a",
        "+ alice,bob: exec: ls on web1:22 as root [] by a",
        "- alice,bob: sftp read on web1:22 as root [] by a");
}

static void holders_of_a_principal_are_told_as_such(void **state)
{
    (void)state;
#define GROUPS(principals)                                                                                   \
    "version: 1\npeople:\n  web: { principals: [" principals                                                 \
    "] }\ntargets:\n  web: { kind: ssh, hosts: [web1], "                                                     \
    "addresses: [10.0.0.0/8], login_as: [root], host_keys: { known_hosts: k } }\nrules:\n"                   \
    "  - { id: a, who: [web], to: [web], as: [root], can: { shell: true } }\n"
    ASSERT_TOLD(GROUPS("eng-web, ops"), GROUPS("eng-web, sre"),
                "- principal ops: shell on web1:22 as root [] by a",
                "+ principal sre: shell on web1:22 as root [] by a");
}

static void policy_that_observes_is_compared_by_what_its_rules_say(void **state)
{
    (void)state;
    struct told *told = diff(HEAD RULE, "mode: observe\n" HEAD RULE);
    assert_int_equal(told->count, 0);
    free(told);
}

static void never_takes_away(void **state)
{
    (void)state;
    ASSERT_TOLD(HEAD RULE, HEAD RULE "never:\n  - { id: n, who: [dba], deny: [shell] }\n",
                "- alice,bob: shell on web1:22 as root [] by a");
}

static void nothing_before_is_the_access_matrix(void **state)
{
    (void)state;
    ASSERT_TOLD(NULL,
                HEAD RULE
                "  - { id: c, who: [backend], to: [cache], can: { connect: true }, when: { from: [vpn] } }\n",
                "+ alice,bob: shell on web1:22 as root [] by a",
                "+ alice,bob: exec on web1:22 as root [] by a",
                "+ erin: connect on redis:6379 as  [from vpn] by c");
}

static void scope_that_is_nowhere_is_not_found(void **state)
{
    (void)state;
    struct told *told = calloc(1, sizeof *told);
    assert_non_null(told);
    struct policy *policy = load(HEAD RULE);
    struct policy_diff_scope scope = {.person = "nobody"};
    assert_int_equal(policy_diff(NULL, policy, &scope, 0, keep, told), ERR_NOT_FOUND);
    scope = (struct policy_diff_scope){.host = "web3"};
    assert_int_equal(policy_diff(NULL, policy, &scope, 0, keep, told), ERR_NOT_FOUND);
    scope = (struct policy_diff_scope){.person = "erin", .host = "web2"};
    assert_int_equal(policy_diff(NULL, policy, &scope, 0, keep, told), ERR_NONE);
    assert_int_equal(told->count, 0);
    scope = (struct policy_diff_scope){.person = "bob", .host = "web"};
    assert_int_equal(policy_diff(NULL, policy, &scope, 0, keep, told), ERR_NONE);
    assert_int_equal(told->count, 2);
    assert_string_equal(told->lines[0], "+ bob: shell on web1:22 as root [] by a");
    policy_free(policy);
    free(told);
}

/* ---- every request of a small world, asked of both ---- */

static const char *const PEOPLE[] = {"alice", "bob", "erin", "robot"};
static const char *const HOSTS[] = {"web1",          "web2",         "db.a.internal",
                                    "db.b.internal", "x.a.internal", "redis"};
static const char *const ACCOUNTS[] = {"", "root", "deploy"};
static const char *const SOURCES[] = {"100.64.0.1", "100.127.0.9", "10.9.0.7", "192.0.2.1"};
static const struct policy_factor FACTORS[] = {{.has = false},
                                               {.has = true, .age_s = 0},
                                               {.has = true, .age_s = 900},
                                               {.has = true, .age_s = 901},
                                               {.has = true, .age_s = 28800}};
/* Monday noon, Monday night, Saturday noon, and a moment after the last day of some rules; with a reason or
 * without, with a key that was touched or one that was not: not every combination, each costs time. */
static const struct {
    int64_t at_s;
    const char *reason;
    enum policy_key key;
} MOMENTS[] = {{1795435200, "", POLICY_KEY_PLAIN},
               {1795435200, "INC-42", POLICY_KEY_VERIFIED},
               {1795474800, "curious", POLICY_KEY_TOUCHED},
               {1795867200, "INC-7", POLICY_KEY_PLAIN},
               {1798804800, "INC-42", POLICY_KEY_TOUCHED}};
static const struct {
    enum policy_action action;
    const char *command, *what;
} ASKED[] = {{POLICY_SHELL, "", "shell"},
             {POLICY_EXEC, "make all", "exec"},
             {POLICY_EXEC, "uptime", "exec: uptime"},
             {POLICY_SFTP_READ, "/etc/passwd", "sftp read"},
             {POLICY_SFTP_WRITE, "/srv/app/x", "sftp write /srv/**"},
             {POLICY_FORWARD, "localhost:9090", "forward localhost:9090"},
             {POLICY_AGENT, "", "agent"},
             {POLICY_ANY, "", "connect"}};
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static uint32_t seed;

static uint32_t roll(uint32_t below)
{
    seed = seed * 1664525U + 1013904223U; /* Numerical Recipes: repeatable everywhere */
    return (seed >> 8) % below;
}

__attribute__((format(printf, 2, 3))) static void add(char *text, const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text + used, TEXT_BYTES - used, format, arguments);
    va_end(arguments);
}

static const char *one_of(const char *const *texts, uint32_t count)
{
    return texts[roll(count)];
}

static void make_rule(char *text, unsigned number)
{
    static const char *const WHO[] = {"dba", "backend", "dba, backend", "ops"};
    static const char *const TO[] = {"web", "db", "web, db", "wide"};
    static const char *const AS[] = {"root", "deploy", "root, deploy"};
    static const char *const CAN[] = {"shell: true",
                                      "exec: true",
                                      "exec: [[uptime]]",
                                      "exec: [[uptime], [ls]], shell: true",
                                      "sftp: read",
                                      "sftp: write",
                                      "sftp: { write: [\"/srv/**\"] }",
                                      "forward: true",
                                      "forward: [\"localhost:9090\"]",
                                      "agent: true, shell: true"};
    static const char *const WHEN[] = {"",
                                       ", when: { mfa: 15m }",
                                       ", when: { mfa: 8h }",
                                       ", when: { from: [vpn] }",
                                       ", when: { mfa: 8h, from: [part] }",
                                       ", when: { from: [vpn, ci] }",
                                       ", when: { hours: \"Mon-Fri 08:00-20:00 Europe/Berlin\" }",
                                       ", when: { hours: \"Mon 22:00-06:00 UTC\", mfa: 8h }",
                                       ", when: { reason: required }",
                                       ", when: { reason: \"INC-*\", from: [vpn] }",
                                       ", when: { until: 2026-12-31 }",
                                       ", when: { until: 2026-12-31, hours: \"Sat,Sun 00:00-24:00 UTC\" }",
                                       ", when: { key: verified }"};
    if (roll(5) == 0) {
        add(text, "  - { id: r%u, who: [%s], to: [cache], can: { connect: true }%s }\n", number,
            one_of(WHO, COUNT(WHO)), one_of(WHEN, COUNT(WHEN)));
        return;
    }
    add(text, "  - { id: r%u, who: [%s], to: [%s], as: [%s], can: { %s }%s }\n", number,
        one_of(WHO, COUNT(WHO)), one_of(TO, COUNT(TO)), one_of(AS, COUNT(AS)), one_of(CAN, COUNT(CAN)),
        one_of(WHEN, COUNT(WHEN)));
}

static void make_policy(char *text)
{
    static const char *const USERS[] = {"alice, bob", "alice", "bob, erin", "alice, bob, robot"};
    static const char *const DBS[] = {"\"*.a.internal\"", "db.a.internal", "\"db.*.internal\""};
    static const char *const WIDES[] = {"web9", "\"x.*.internal\""};
    static const char *const NEVERS[] = {"deny: [agent]", "who: [dba], deny: [shell]",
                                         "to: [web], deny: [exec, sftp]"};
    text[0] = 0;
    const char *db = one_of(DBS, COUNT(DBS));
    bool is_crossing = strstr(db, "*.a") != NULL; /* two targets of one file must not overlap */
    add(text,
        "version: 1\nnetworks:\n  vpn: [100.64.0.0/10]\n  part: [100.64.0.0/16]\n  ci: [10.9.0.0/24]\n");
    add(text, "people:\n  dba: { users: [%s] }\n  backend: { users: [erin] }\n  ops: { users: [%s] }\n",
        one_of(USERS, COUNT(USERS)), one_of(USERS, COUNT(USERS)));
    add(text, "targets:\n");
    static const char SSH[] = "kind: ssh, addresses: [10.0.0.0/8], host_keys: { known_hosts: k }, login_as: ";
    add(text, "  web: { %s[root, deploy], hosts: [web1, %s] }\n", SSH, roll(2) == 0 ? "web2" : "web3");
    add(text, "  db: { %s[%s], hosts: [%s] }\n", SSH, roll(2) == 0 ? "root" : "root, deploy", db);
    add(text, "  wide: { %s[root], hosts: [%s] }\n", SSH, is_crossing ? "web9" : one_of(WIDES, COUNT(WIDES)));
    add(text, "  cache: { kind: tcp, hosts: [redis], port: 6379, addresses: [10.0.0.0/8] }\nrules:\n");
    uint32_t count = 1 + roll(5);
    for (unsigned i = 0; i < count; i++) {
        make_rule(text, i);
    }
    if (roll(3) == 0) {
        add(text, "never:\n  - { id: n, %s }\n", one_of(NEVERS, COUNT(NEVERS)));
    }
}

/* One request of the world, by numbers. */
struct asked {
    size_t person, host, account, what, source, factor, moment;
};

static bool next_asked(struct asked *asked)
{
    size_t *const digits[] = {&asked->moment,  &asked->factor, &asked->source, &asked->what,
                              &asked->account, &asked->host,   &asked->person};
    const size_t bases[] = {COUNT(MOMENTS),  COUNT(FACTORS), COUNT(SOURCES), COUNT(ASKED),
                            COUNT(ACCOUNTS), COUNT(HOSTS),   COUNT(PEOPLE)};
    for (size_t i = 0; i < COUNT(bases); i++) {
        if (++*digits[i] < bases[i]) {
            return true;
        }
        *digits[i] = 0;
    }
    return false;
}

static struct policy_request request_of(const struct asked *asked)
{
    const char *host = HOSTS[asked->host];
    return (struct policy_request){.person = PEOPLE[asked->person],
                                   .from = SOURCES[asked->source],
                                   .host = host,
                                   .port = strcmp(host, "redis") == 0 ? 6379 : 22,
                                   .account = ACCOUNTS[asked->account],
                                   .factor = &FACTORS[asked->factor],
                                   .action = ASKED[asked->what].action,
                                   .command = cursor_of_text(ASKED[asked->what].command),
                                   .at_s = MOMENTS[asked->moment].at_s,
                                   .reason = cursor_of_text(MOMENTS[asked->moment].reason),
                                   .key = MOMENTS[asked->moment].key};
}

/* What the world was told: of each request whether a change names it by what it asks, and whether one names
 * the rest of its action. */
enum { TOLD_ITSELF = 1, TOLD_REST = 2 };
struct world {
    uint8_t told[2][COUNT(PEOPLE)][COUNT(HOSTS)][COUNT(ACCOUNTS)][COUNT(ASKED)][COUNT(SOURCES)]
                [COUNT(FACTORS)][COUNT(MOMENTS)];
};

static uint8_t *told_of(struct world *world, enum policy_change_kind kind, const struct asked *asked)
{
    return &world->told[kind][asked->person][asked->host][asked->account][asked->what][asked->source]
                       [asked->factor][asked->moment];
}

static bool mark(void *context, const struct policy_change *change)
{
    struct asked asked = {0};
    do {
        struct policy_request request = request_of(&asked);
        if (policy_change_concerns(change, &request)) {
            bool is_itself = strcmp(change->what, ASKED[asked.what].what) == 0;
            bool is_rest = strpbrk(change->what, ":/") == NULL && strstr(change->what, "local") == NULL;
            *told_of(context, change->kind, &asked) |=
                (is_itself ? TOLD_ITSELF : 0) | (is_rest ? TOLD_REST : 0);
        }
    } while (next_asked(&asked));
    return true;
}

/* An access to a stream has no account and only one action; of hosts, "connect" is no action at all. */
static bool has_meaning(const struct asked *asked)
{
    bool is_stream = strcmp(HOSTS[asked->host], "redis") == 0;
    bool is_connect = ASKED[asked->what].action == POLICY_ANY;
    return is_stream == is_connect && is_stream == (*ACCOUNTS[asked->account] == 0);
}

static bool is_allowed(const struct policy *policy, const struct asked *asked)
{
    static struct policy_decision decision;
    struct policy_request request = request_of(asked);
    policy_decide(policy, &request, &decision);
    return decision.verdict == POLICY_ALLOWED;
}

static void assert_exact(struct world *world, const struct policy *before, const struct policy *after)
{
    struct asked asked = {0};
    do {
        if (!has_meaning(&asked)) {
            continue;
        }
        bool is_before = is_allowed(before, &asked);
        bool is_after = is_allowed(after, &asked);
        for (unsigned kind = 0; kind < 2; kind++) {
            bool is_changed = kind == POLICY_GAIN ? is_after && !is_before : is_before && !is_after;
            uint8_t told = *told_of(world, (enum policy_change_kind)kind, &asked);
            /* What is told of a request is true, and nothing that changed is left out. */
            assert_true(is_changed || (told & TOLD_ITSELF) == 0);
            assert_true(!is_changed || told != 0);
        }
    } while (next_asked(&asked));
}

/* Some of what is made is no policy: a rule for an account that its target does not know, say. */
static struct policy *make_valid_policy(char *text)
{
    struct policy_report *report = calloc(1, sizeof *report);
    struct policy *policy = NULL;
    assert_non_null(report);
    do {
        make_policy(text);
    } while (policy_load(cursor_of_text(text), "test.yaml", report, &policy) != ERR_NONE);
    free(report);
    return policy;
}

static void difference_is_exactly_what_changed(void **state)
{
    (void)state;
    enum { ROUNDS = 20 };
    struct world *world = malloc(sizeof *world);
    char *texts[] = {malloc(TEXT_BYTES), malloc(TEXT_BYTES)};
    assert_non_null(world);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        seed = round;
        struct policy *policies[2];
        for (size_t i = 0; i < 2; i++) {
            assert_non_null(texts[i]);
            policies[i] = make_valid_policy(texts[i]);
        }
        memset(world, 0, sizeof *world);
        assert_int_equal(policy_diff(policies[0], policies[1], NULL, 0, mark, world), ERR_NONE);
        assert_exact(world, policies[0], policies[1]);
        policy_free(policies[0]);
        policy_free(policies[1]);
    }
    free(texts[0]);
    free(texts[1]);
    free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policy_against_itself_changes_nothing),
        cmocka_unit_test(rule_in_other_words_changes_nothing),
        cmocka_unit_test(new_person_gains_and_old_one_loses),
        cmocka_unit_test(conditions_are_told_exactly),
        cmocka_unit_test(lists_are_told_by_entry),
        cmocka_unit_test(holders_of_a_principal_are_told_as_such),
        cmocka_unit_test(policy_that_observes_is_compared_by_what_its_rules_say),
        cmocka_unit_test(never_takes_away),
        cmocka_unit_test(nothing_before_is_the_access_matrix),
        cmocka_unit_test(scope_that_is_nowhere_is_not_found),
        cmocka_unit_test(difference_is_exactly_what_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
