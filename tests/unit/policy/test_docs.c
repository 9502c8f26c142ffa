#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit_test.h"

/* The whole of a small file of the source tree; the test runs in its root. */
static char *read_file(const char *name)
{
    enum { FILE_BYTES = 1 << 20 };
    char *text = calloc(1, FILE_BYTES);
    FILE *file = fopen(name, "rb");
    assert_non_null(text);
    assert_non_null(file);
    assert_true(fread(text, 1, FILE_BYTES - 1, file) > 0);
    (void)fclose(file);
    return text;
}

static void load_clean(struct cursor bytes, const char *name)
{
    struct policy_report report;
    struct policy *policy = NULL;
    enum err err = policy_load(bytes, name, &report, &policy);
    for (size_t i = 0; i < report.findings.count; i++) {
        char line[YAML_LINE_BYTES];
        print_message("%s\n", yaml_report_line(&report.findings, i, line));
    }
    assert_int_equal(err, ERR_NONE);
    assert_int_equal(report.findings.count, 0);
    assert_true(report.test_count > 0);
    policy_free(policy);
}

static void docs_examples_load_and_pass_their_tests(void **state)
{
    (void)state;
    static const char OPEN[] = "\n```yaml policy\n";
    char *text = read_file("docs/policy.md");
    size_t count = 0;
    for (const char *at = strstr(text, OPEN); at != NULL; at = strstr(at, OPEN)) {
        at += sizeof OPEN - 1;
        const char *end = strstr(at, "\n```\n");
        assert_non_null(end);
        char name[32];
        (void)snprintf(name, sizeof name, "example %zu", ++count);
        load_clean(cursor_of(at, (size_t)(end + 1 - at)), name);
        at = end + 1;
    }
    assert_true(count >= 3);
    free(text);
}

static void example_file_loads_and_passes_its_tests(void **state)
{
    (void)state;
    char *text = read_file("config/policy.yaml");
    load_clean(cursor_of_text(text), "config/policy.yaml");
    free(text);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(docs_examples_load_and_pass_their_tests),
        cmocka_unit_test(example_file_loads_and_passes_its_tests),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
