/* docs/sandbox.md shows the tables of the code between two marks. This test writes them anew and compares, so
 * the document cannot go stale. BASTION_WRITE_DOCS=1 writes the file instead (run from the root of the tree).
 */
#include "../../gateway/loop/profile.h"
#include "../../gateway/sandbox/page.h"

#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit_test.h"

static const char PATH[] = "docs/sandbox.md";
static const char BEGIN[] = "<!-- generated: begin -->\n";
static const char END[] = "<!-- generated: end -->\n";

static void write_call(FILE *out, const struct sandbox_call *call)
{
    static const char *const ANSWERS[] = {
        [ANSWER_ALLOW] = "allowed", [ANSWER_ERROR] = "", [ANSWER_KILL] = "killed"};
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call->number);
    const char *error = call->answer == ANSWER_ERROR ? strerrorname_np(call->error) : "";
    (void)fprintf(out, "| %s | %s | %s%s | %s |\n", name, call->only == NULL ? "" : call->only->text,
                  ANSWERS[call->answer], error, call->reason);
    free(name);
}

static void write_table(FILE *out, const struct sandbox_table *table)
{
    (void)fprintf(out, "\n%s:\n\n| call | only | answer | why |\n|---|---|---|---|\n", table->title);
    for (size_t i = 0; i < table->count; i++) {
        write_call(out, &table->calls[i]);
    }
}

static void write_namespaces(FILE *out, const struct sandbox_page *page)
{
    static const char *const NAMES[] = {"mount (empty root)", "network", "IPC", "host name"};
    (void)fprintf(out, "- **Namespaces:** ");
    const char *between = "";
    for (int i = 0; i < SANDBOX_NAMESPACE_COUNT; i++) {
        if ((page->namespaces & 1U << i) != 0) {
            (void)fprintf(out, "%s%s", between, NAMES[i]);
            between = ", ";
        }
    }
    (void)fprintf(out, "%s\n", page->namespaces == 0 ? "those of the machine" : "");
}

static void write_capabilities(FILE *out, const struct sandbox_page *page)
{
    /* linux/capability.h */
    static const struct {
        unsigned bit;
        const char *name;
    } NAMES[] = {
        {0, "CHOWN"},   {2, "DAC_READ_SEARCH"},   {5, "KILL"},        {6, "SETGID"},    {7, "SETUID"},
        {8, "SETPCAP"}, {10, "NET_BIND_SERVICE"}, {18, "SYS_CHROOT"}, {21, "SYS_ADMIN"}};
    uint64_t left = page->capabilities;
    (void)fprintf(out, "- **User:** %s",
                  page->keeps_user ? "root, with the capabilities" : "its own, no capability");
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        if ((left & 1ULL << NAMES[i].bit) != 0) {
            (void)fprintf(out, " %s", NAMES[i].name);
            left &= ~(1ULL << NAMES[i].bit);
        }
    }
    assert_int_equal(left, 0);
    (void)fprintf(out, "; no new privileges, no writable and executable memory, not dumpable%s\n",
                  page->dies_with_parent ? ", killed when the monitor goes" : "");
}

static void write_page(FILE *out, const struct sandbox_page *page)
{
    (void)fprintf(out, "\n### %s\n\n", page->name);
    write_capabilities(out, page);
    write_namespaces(out, page);
    (void)fprintf(out, "- **Paths:** %s%s\n", page->paths, page->uses_landlock ? " (Landlock)" : "");
    (void)fprintf(out, "- **Descriptors:** %s\n", page->descriptors);
    (void)fprintf(out, "- **Ring:** %s\n", page->ring);
    (void)fprintf(out, "- **Calls:** %s\n",
                  page->is_deny_list ? "all but those listed"
                                     : "those listed; any other kills the process (SIGSYS)");
    (void)fprintf(out, "\n| limit | value | why |\n|---|---|---|\n");
    for (size_t i = 0; i < PAGE_LIMITS_MAX && page->limits[i].name != NULL; i++) {
        (void)fprintf(out, "| %s | %llu | %s |\n", page->limits[i].name,
                      (unsigned long long)page->limits[i].value, page->limits[i].reason);
    }
    for (size_t i = 0; i < PAGE_TABLES_MAX && page->tables[i].calls != NULL; i++) {
        if (page->tables[i].calls != SANDBOX_CORE_CALLS) {
            write_table(out, &page->tables[i]);
        } else {
            (void)fprintf(out, "\nThe common calls (above), and:\n");
        }
    }
}

static void write_ring(FILE *out)
{
    (void)fprintf(out, "\n### Ring operations\n\n| ring | submissions | receive buffers | operation | why "
                       "|\n|---|---|---|---|---|\n");
    for (int i = 0; i < LOOP_PROFILE_COUNT; i++) {
        const struct profile *profile = profile_of((enum loop_profile)i);
        for (size_t row = 0; row < profile->row_count; row++) {
            (void)fprintf(out, "| %s | %u | %u | %s | %s |\n", profile->name, profile->entries,
                          profile->buffer_count, profile->rows[row].name, profile->rows[row].reason);
        }
        (void)fprintf(out, "| %s | | | submission flags | %s |\n", profile->name,
                      profile->sqe_flags == IOSQE_BUFFER_SELECT ? "IOSQE_BUFFER_SELECT" : "none");
    }
}

static char *generate(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    struct sandbox_table core = CORE_TABLE;
    (void)fprintf(out, "\n### Common calls\n");
    write_table(out, &core);
    for (size_t i = 0; SANDBOX_PAGES[i] != NULL; i++) {
        write_page(out, SANDBOX_PAGES[i]);
    }
    write_ring(out);
    (void)fprintf(out, "\n");
    assert_int_equal(fclose(out), 0);
    return text;
}

static char *read_document(void)
{
    enum { DOCUMENT_MAX = 1 << 18 };
    FILE *file = fopen(PATH, "re");
    assert_non_null(file);
    char *text = calloc(1, DOCUMENT_MAX);
    assert_non_null(text);
    size_t len = fread(text, 1, DOCUMENT_MAX - 1, file);
    assert_true(len > 0 && len < DOCUMENT_MAX - 1);
    (void)fclose(file);
    return text;
}

static void document_shows_the_tables_of_the_code(void **state)
{
    (void)state;
    char *text = read_document();
    char *wanted = generate();
    char *begin = strstr(text, BEGIN);
    char *end = strstr(text, END);
    if (begin == NULL || end == NULL || begin > end) {
        fail_msg("%s has no place for the tables", PATH);
        return;
    }
    begin += sizeof BEGIN - 1;
    size_t len = (size_t)(end - begin);
    bool is_same = len == strlen(wanted) && memcmp(begin, wanted, len) == 0;
    if (getenv("BASTION_WRITE_DOCS") != NULL && !is_same) {
        FILE *file = fopen(PATH, "we");
        assert_non_null(file);
        (void)fprintf(file, "%.*s%s%s", (int)(begin - text), text, wanted, end);
        assert_int_equal(fclose(file), 0);
        is_same = true;
    }
    free(text);
    free(wanted);
    if (!is_same) {
        fail_msg("%s is stale: run this test with BASTION_WRITE_DOCS=1 and commit the file", PATH);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(document_shows_the_tables_of_the_code)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
