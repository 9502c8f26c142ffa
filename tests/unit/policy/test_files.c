#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "policy/explain.h"
#include "policy/policy.h"
#include "unit_test.h"

static const char MAIN[] = "version: 1\n"
                           "people: { dba: { users: [alice] } }\n"
                           "targets: { web: { kind: ssh, hosts: [web], addresses: [10.0.0.1], login_as: [u], "
                           "host_keys: { known_hosts: k } } }\n";
static const char RULES[] =
    "rules:\n"
    "- { id: first, who: [dba], to: [web], as: [u], can: { shell: true }, when: { mfa: 1h } }\n";
static const char MORE[] =
    "people: { dev: { users: [erin] } }\n"
    "rules:\n"
    "- { id: second, who: [dev], to: [web], as: [u], can: { exec: true }, when: { mfa: 1h } }\n"
    "tests:\n"
    "- { name: t, as: { user: erin, mfa_age: 1m }, allow: [\"exec web as u: id\"], deny: [shell "
    "web as u] }\n";

static enum err load(const char *const *texts, size_t count, struct policy_report *report,
                     struct policy **ret)
{
    static const char *const NAMES[] = {"/etc/b/policy.yaml", "/etc/b/policy.d/10.yaml",
                                        "/etc/b/policy.d/20.yaml"};
    struct policy_source sources[COUNT_OF(NAMES)];
    assert_true(count <= COUNT_OF(NAMES));
    for (size_t i = 0; i < count; i++) {
        sources[i] = (struct policy_source){NAMES[i], cursor_of_text(texts[i])};
    }
    return policy_load_files(sources, count, report, ret);
}

static void see_second(void *context, const struct policy_finding *finding)
{
    if (strcmp(finding->rule, "second") == 0) {
        assert_string_equal(finding->file, "/etc/b/policy.d/20.yaml");
        assert_int_equal(finding->line, 3);
        *(bool *)context = true;
    }
}

static void files_are_judged_as_one(void **state)
{
    (void)state;
    const char *const texts[] = {MAIN, RULES, MORE};
    struct policy_report report;
    struct policy *policy = NULL;
    assert_int_equal(load(texts, 3, &report, &policy), ERR_NONE);
    assert_int_equal(report.findings.count, 0);
    assert_int_equal(report.people_count, 2);
    assert_int_equal(report.rule_count, 2);
    assert_int_equal(report.test_count, 1);
    static const struct policy_factor FRESH = {true, 0};
    struct policy_request request = {.person = "erin",
                                     .from = "",
                                     .host = "web",
                                     .port = 22,
                                     .account = "u",
                                     .factor = &FRESH,
                                     .action = POLICY_ANY};
    bool has_second = false;
    struct policy_explanation explanation;
    policy_explain(policy, &request, see_second, &has_second, &explanation);
    assert_true(has_second);
    assert_int_equal(explanation.verdict, POLICY_ALLOWED);
    policy_free(policy);
}

static void files_tell_mistakes_by_their_own_names(void **state)
{
    (void)state;
    static const struct {
        const char *second, *third, *finding;
    } ROWS[] = {
        {RULES, "rules: []\n", "/etc/b/policy.d/20.yaml:1:8: \"rules\" must be a list that is not empty"},
        {RULES, "mode: enforce\n",
         "/etc/b/policy.d/20.yaml:1:1: a file that adds to the policy has no key \"mode\""},
        {RULES, "people: { dba: { users: [bob] } }\n",
         "/etc/b/policy.d/20.yaml:1:11: the name \"dba\" is used already, in /etc/b/policy.yaml:2"},
        {RULES,
         "targets: { web: { kind: ssh, hosts: [w2], addresses: [10.0.0.1], login_as: [u], host_keys: { "
         "known_hosts: k } } }\n",
         "/etc/b/policy.d/20.yaml:1:12: the name \"web\" is used already, in /etc/b/policy.yaml:3"},
        {"networks: { a: [10.0.0.0/8] }\n", "networks: { a: [10.0.0.0/8] }\n",
         "/etc/b/policy.d/20.yaml:1:13: the name \"a\" is used already, in /etc/b/policy.d/10.yaml:1"},
        {RULES, RULES,
         "/etc/b/policy.d/20.yaml:2:3: the id \"first\" is used already, in /etc/b/policy.d/10.yaml:2"},
        {RULES, "a: [\n", "/etc/b/policy.d/20.yaml:2:"},
        {RULES, "\xff\n", "/etc/b/policy.d/20.yaml:1:1: this is not valid UTF-8"},
        {RULES,
         "targets: { t2: { kind: ssh, hosts: [w*b], addresses: [10.0.0.1], login_as: [u], host_keys: { "
         "known_hosts: k } } }\n",
         "/etc/b/policy.yaml:3:12: host \"web\" of target \"web\" overlaps \"w*b\" of target \"t2\""},
        {RULES, "tests: [{ name: t, as: { user: alice }, allow: [shell web as u] }]\n",
         "/etc/b/policy.d/20.yaml:1:49: test \"t\" failed"},
        {"never: [{ id: n, deny: [agent] }]\n", "never: [{ id: m, deny: [agent] }]\n",
         "/etc/b/policy.yaml:1:1: the policy needs the key \"rules\""},
        {RULES, "people: [a]\n", "/etc/b/policy.d/20.yaml:1:9: \"people\" must be a map"},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        const char *const texts[] = {MAIN, ROWS[i].second, ROWS[i].third};
        struct policy_report report;
        struct policy *policy = NULL;
        enum err err = load(texts, 3, &report, &policy);
        assert_true((err == ERR_NONE) == (strstr(ROWS[i].finding, "warning") != NULL));
        policy_free(policy);
        bool is_told = false;
        char line[YAML_LINE_BYTES] = "";
        for (size_t j = 0; j < report.findings.count; j++) {
            is_told = is_told || strstr(yaml_report_line(&report.findings, j, line), ROWS[i].finding) != NULL;
        }
        if (!is_told) {
            fail_msg("row %zu: %s", i, line);
        }
    }
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* What stock tools make of the same files. */
static void expect_hash(const char *folder, const struct policy *policy)
{
    char command[512];
    char said[128] = "";
    char hex[2 * POLICY_HASH_BYTES + 1];
    (void)snprintf(command, sizeof command,
                   "cd %s && LC_ALL=C && export LC_ALL && sha256sum p.yaml p.d/*.yaml | sha256sum", folder);
    FILE *pipe = popen(command, "re");
    assert_non_null(pipe);
    assert_non_null(fgets(said, sizeof said, pipe));
    assert_int_equal(pclose(pipe), 0);
    (void)text_hex(cursor_of(policy_sha256(policy), POLICY_HASH_BYTES), hex, sizeof hex);
    assert_int_equal(strncmp(said, hex, strlen(hex)), 0);
}

static enum err read_and_load(const char *path, bool is_trusted, struct policy **ret)
{
    uint8_t *bundle = NULL;
    size_t len = 0;
    char failed[512];
    struct policy_report report;
    enum err err = policy_files_read(path, is_trusted, &bundle, &len, failed, sizeof failed);
    if (err == ERR_NONE) {
        for (size_t cut = 0; cut < len && cut < 64; cut++) {
            struct policy *none = NULL;
            assert_true(policy_load_bundle(cursor_of(bundle, cut), &report, &none) != ERR_NONE);
        }
        err = policy_load_bundle(cursor_of(bundle, len), &report, ret);
    }
    free(bundle);
    return err;
}

static void files_of_the_folder_are_read_in_order(void **state)
{
    (void)state;
    char folder[] = "/tmp/policy-files.XXXXXX";
    char path[64];
    char parts[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/p.yaml", folder);
    (void)snprintf(parts, sizeof parts, "%s/p.d", folder);
    write_file(folder, "p.yaml", MAIN);
    struct policy *policy = NULL;
    assert_int_equal(read_and_load(path, true, &policy), ERR_MALFORMED); /* no rules */
    assert_int_equal(mkdir(parts, 0700), 0);
    write_file(parts, "10-rules.yaml", RULES);
    write_file(parts, "9-more.yaml", MORE);
    write_file(parts, ".hidden.yaml", "x");
    write_file(parts, "notes.txt", "x");
    assert_int_equal(read_and_load(path, true, &policy), ERR_NONE);
    expect_hash(folder, policy);
    policy_free(policy);
    char loose[128];
    (void)snprintf(loose, sizeof loose, "%s/9-more.yaml", parts);
    assert_int_equal(chmod(loose, 0666), 0);
    assert_int_equal(read_and_load(path, true, &policy), ERR_DENIED);
    assert_int_equal(read_and_load(path, false, &policy), ERR_NONE);
    policy_free(policy);
    char command[64];
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

/* A file far over the limit costs no more than the limit. */
static void file_that_is_too_large_is_refused_early(void **state)
{
    (void)state;
    char path[] = "/tmp/policy-large.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 100 << 20), 0);
    assert_int_equal(close(fd), 0);
    uint8_t *bundle = NULL;
    size_t len = 0;
    char failed[512];
    struct policy_report report;
    struct policy *policy = NULL;
    assert_int_equal(policy_files_read(path, true, &bundle, &len, failed, sizeof failed), ERR_TOO_LARGE);
    assert_int_equal(policy_files_read(path, false, &bundle, &len, failed, sizeof failed), ERR_NONE);
    assert_true(len < (9 << 20));
    assert_int_equal(policy_load_bundle(cursor_of(bundle, len), &report, &policy), ERR_TOO_LARGE);
    assert_true(report.findings.error_count > 0);
    free(bundle);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(files_are_judged_as_one),
        cmocka_unit_test(files_tell_mistakes_by_their_own_names),
        cmocka_unit_test(files_of_the_folder_are_read_in_order),
        cmocka_unit_test(file_that_is_too_large_is_refused_early),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
