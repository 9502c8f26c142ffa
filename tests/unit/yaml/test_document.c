#include "yaml/document.h"

#include <stdlib.h>
#include <string.h>

#include "unit_test.h"

static enum err read_text(const char *text, struct yaml_report *report, struct yaml_document **ret)
{
    yaml_report_init(report, "f.yaml");
    return yaml_document_read(cursor_of_text(text), report, ret);
}

static void document_nodes_have_kind_text_and_place(void **state)
{
    (void)state;
    struct yaml_report report;
    struct yaml_document *document = NULL;
    assert_int_equal(read_text("# comment\na: 1\nb:\n  - 'x'\n  - {c: \"d\"}\n", &report, &document),
                     ERR_NONE);
    const struct yaml_node *root = yaml_document_root(document);
    assert_int_equal(root->kind, YAML_MAP);
    assert_int_equal(root->count, 2);
    const struct yaml_node *a = root->first;
    assert_true(cursor_equal_text(a->key->text, "a") && cursor_equal_text(a->text, "1"));
    assert_int_equal(a->line, 2);
    assert_int_equal(a->column, 4);
    assert_int_equal(a->key->column, 1);
    assert_false(a->is_quoted);
    const struct yaml_node *b = a->next;
    assert_int_equal(b->kind, YAML_LIST);
    assert_int_equal(b->count, 2);
    assert_null(b->next);
    assert_true(b->first->is_quoted && cursor_equal_text(b->first->text, "x"));
    assert_null(b->first->key);
    const struct yaml_node *map = b->first->next;
    assert_int_equal(map->kind, YAML_MAP);
    assert_int_equal(map->line, 5);
    assert_int_equal(map->column, 5);
    assert_true(cursor_equal_text(map->first->text, "d"));
    yaml_document_free(document);
    yaml_document_free(NULL);
}

static void document_scalars_stay_texts(void **state)
{
    (void)state;
    struct yaml_report report;
    struct yaml_document *document = NULL;
    assert_int_equal(read_text("a: no\nb: 0o22\nc: ~\nd:\ne: 1e3\nf: caf\xc3\xa9\n", &report, &document),
                     ERR_NONE);
    static const char *const TEXTS[] = {"no", "0o22", "~", "", "1e3", "caf\xc3\xa9"};
    const struct yaml_node *node = yaml_document_root(document)->first;
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++, node = node->next) {
        assert_true(cursor_equal_text(node->text, TEXTS[i]));
        assert_int_equal(node->text.at[cursor_len(&node->text)], 0);
    }
    yaml_document_free(document);
}

static void document_bad_texts_are_refused_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
        const char *line;
    } ROWS[] = {
        {"", ERR_MALFORMED, "f.yaml: the file is empty"},
        {"# only\n", ERR_MALFORMED, "f.yaml: the file must be a map: lines of \"key: value\""},
        {"text\n", ERR_MALFORMED, "f.yaml:1:1: the file must be a map"},
        {"- a\n", ERR_MALFORMED, "f.yaml:1:1: the file must be a map"},
        {"a: 1\na: 2\n", ERR_MALFORMED, "f.yaml:2:1: the key \"a\" is here already, in line 1"},
        {"a: {b: 1, 'b': 2}\n", ERR_MALFORMED, "f.yaml:1:11: the key \"b\" is here already, in line 1"},
        {"a: &x 1\n", ERR_MALFORMED, "f.yaml:1:4: anchors (&name) are not allowed"},
        {"a: &x [1]\n", ERR_MALFORMED, "f.yaml:1:4: anchors (&name) are not allowed"},
        {"a: &x {b: 1}\n", ERR_MALFORMED, "f.yaml:1:4: anchors (&name) are not allowed"},
        {"&x a: 1\n", ERR_MALFORMED, "f.yaml:1:1: anchors (&name) are not allowed"},
        {"a: *x\n", ERR_MALFORMED, "f.yaml:1:4: aliases (*name) are not allowed"},
        {"*x : 1\n", ERR_MALFORMED, "f.yaml:1:1: aliases (*name) are not allowed"},
        {"a: !!str 1\n", ERR_MALFORMED, "f.yaml:1:4: tags (!name) are not allowed"},
        {"a: !x [1]\n", ERR_MALFORMED, "f.yaml:1:4: tags (!name) are not allowed"},
        {"a: ! 1\n", ERR_MALFORMED, "f.yaml:1:4: tags (!name) are not allowed"},
        {"{a: 1}: b\n", ERR_MALFORMED, "f.yaml:1:1: a key must be a text"},
        {"? \n: b\n", ERR_MALFORMED, "a key must be a text"},
        {"'': b\n", ERR_MALFORMED, "f.yaml:1:1: a key must be a text"},
        {"%YAML 1.1\n---\na: b\n", ERR_MALFORMED, "f.yaml:1:1: directives (%) are not allowed"},
        {"a: b\n---\nc: d\n", ERR_MALFORMED,
         "f.yaml:2:1: a second document (---) in one file is not allowed"},
        {"a: b\n...\n---\nc: d\n", ERR_MALFORMED,
         "f.yaml:3:1: a second document (---) in one file is not allowed"},
        {"a: [\n", ERR_MALFORMED, "f.yaml:2:1: "},
        {"a: \"x\n", ERR_MALFORMED, "f.yaml:2:1: "},
        {"a: 1\n\tb: 2\n", ERR_MALFORMED, "f.yaml:2:"},
        {"a: |\n  x\n  y\n", ERR_MALFORMED, "f.yaml:1:4: a text must be on one line and without tabs"},
        {"a: \"x\\ny\"\n", ERR_MALFORMED, "f.yaml:1:4: a text must be on one line and without tabs"},
        {"a: \"\\u202e\"\n", ERR_MALFORMED, "f.yaml:1:4: an invisible character"},
        {"a: \"\\x1b\"\n", ERR_MALFORMED, "f.yaml:1:4: a control character is not allowed"},
        {"a: \xe2\x80\x8b\n", ERR_MALFORMED, "f.yaml:1:4: an invisible character"},
        {"\xef\xbb\xbf"
         "a: b\n",
         ERR_MALFORMED, "f.yaml:1:1: an invisible character"},
        {"\xff\xfe"
         "a\n",
         ERR_MALFORMED, "f.yaml:1:1: this is not valid UTF-8"},
        {"a: b\n# \xed\xa0\x80\n", ERR_MALFORMED, "f.yaml:2:3: this is not valid UTF-8"},
        {"a: \xf4\x90\x80\x80\n", ERR_MALFORMED, "f.yaml:1:4: this is not valid UTF-8"},
        {"a: \xc3", ERR_MALFORMED, "f.yaml:1:4: this is not valid UTF-8"},
        {"a: \xc2\x85\n", ERR_MALFORMED, "f.yaml:1:4: a control character is not allowed"},
        {"a: \x07\n", ERR_MALFORMED, "f.yaml:1:4: a control character is not allowed"},
        {"a: [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]\n", ERR_TOO_LARGE,
         "f.yaml:1:19: lists and maps are nested too deeply"},
    };
    unsigned failed = 0;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct yaml_report report;
        struct yaml_document *document = NULL;
        enum err err = read_text(ROWS[i].text, &report, &document);
        char line[YAML_LINE_BYTES] = "";
        bool is_right = err == ROWS[i].err && report.count > 0 &&
                        strstr(yaml_report_line(&report, 0, line), ROWS[i].line) != NULL;
        if (!is_right) {
            print_message("row %zu: %s: %s, wanted %s\n", i, err_text(err), line, ROWS[i].line);
            failed++;
        }
        if (err == ERR_NONE) {
            yaml_document_free(document);
        }
    }
    assert_int_equal(failed, 0);
}

static void document_deepest_allowed_is_read(void **state)
{
    (void)state;
    struct yaml_report report;
    struct yaml_document *document = NULL;
    assert_int_equal(read_text("a: [[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]\n", &report, &document), ERR_NONE);
    yaml_document_free(document);
}

static void document_largest_text_is_read_and_one_more_is_not(void **state)
{
    (void)state;
    char text[YAML_TEXT_BYTES + 8] = "a: ";
    struct yaml_report report;
    struct yaml_document *document = NULL;
    memset(text + 3, 'x', YAML_TEXT_BYTES);
    text[3 + YAML_TEXT_BYTES] = 0;
    assert_int_equal(read_text(text, &report, &document), ERR_NONE);
    yaml_document_free(document);
    text[3 + YAML_TEXT_BYTES] = 'x';
    text[4 + YAML_TEXT_BYTES] = 0;
    assert_int_equal(read_text(text, &report, &document), ERR_TOO_LARGE);
}

static void document_cut_anywhere_is_read_or_refused(void **state)
{
    (void)state;
    static const char TEXT[] = "a: 1\nb:\n  - 'x'\n  - {c: \"d\", e: [f, g]}\n";
    for (size_t len = 0; len < sizeof TEXT - 1; len++) {
        struct yaml_report report;
        struct yaml_document *document = NULL;
        yaml_report_init(&report, "f.yaml");
        enum err err = yaml_document_read(cursor_of(TEXT, len), &report, &document);
        assert_int_equal(err == ERR_NONE, report.error_count == 0);
        if (err == ERR_NONE) {
            yaml_document_free(document);
        }
    }
}

static void report_keeps_twenty_of_each_kind_and_counts_all(void **state)
{
    (void)state;
    struct yaml_report report;
    yaml_report_init(&report, "a\nb.yaml");
    for (unsigned i = 0; i < 50; i++) {
        yaml_report_error(&report, 100 - i, 1, "error %u\x1b", i);
        yaml_report_warning(&report, 100 - i, 2, "warning %u", i);
    }
    assert_int_equal(report.count, 2 * YAML_FINDINGS_MAX);
    assert_int_equal(report.error_count, 50);
    assert_int_equal(report.warning_count, 50);
    yaml_report_sort(&report);
    char line[YAML_LINE_BYTES];
    assert_string_equal(yaml_report_line(&report, 0, line), "a?b.yaml:81:1: error 19?");
    assert_string_equal(yaml_report_line(&report, 1, line), "a?b.yaml:81:2: warning: warning 19");
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(document_nodes_have_kind_text_and_place),
        cmocka_unit_test(document_scalars_stay_texts),
        cmocka_unit_test(document_bad_texts_are_refused_with_their_place),
        cmocka_unit_test(document_deepest_allowed_is_read),
        cmocka_unit_test(document_largest_text_is_read_and_one_more_is_not),
        cmocka_unit_test(document_cut_anywhere_is_read_or_refused),
        cmocka_unit_test(report_keeps_twenty_of_each_kind_and_counts_all),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
