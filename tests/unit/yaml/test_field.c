#include "yaml/field.h"

#include <string.h>

#include "unit_test.h"

struct sample {
    bool flag;
    uint16_t port;
    uint32_t count, seconds;
    uint64_t bytes;
    char text[8], path[16];
    unsigned custom;
};

static void read_custom(void *context, const struct yaml_node *value, void *into)
{
    assert_string_equal(context, "context");
    assert_true(cursor_equal_text(value->text, "x"));
    *(unsigned *)into = 7;
}

static const struct yaml_field FIELDS[] = {
    {.name = "flag", .type = YAML_FIELD_BOOL, .offset = offsetof(struct sample, flag)},
    {.name = "port", .type = YAML_FIELD_U16, .offset = offsetof(struct sample, port), .min = 1, .max = 65535},
    {.name = "count",
     .type = YAML_FIELD_U32,
     .offset = offsetof(struct sample, count),
     .min = 2,
     .max = 4294967295},
    {.name = "time",
     .type = YAML_FIELD_DURATION,
     .offset = offsetof(struct sample, seconds),
     .min = 10,
     .max = 60},
    {.name = "size",
     .type = YAML_FIELD_SIZE,
     .offset = offsetof(struct sample, bytes),
     .min = 1024,
     .max = 1 << 20},
    {.name = "text", .type = YAML_FIELD_TEXT, .offset = offsetof(struct sample, text), .max = 8},
    {.name = "path", .type = YAML_FIELD_PATH, .offset = offsetof(struct sample, path), .max = 16},
    {.name = "custom", .offset = offsetof(struct sample, custom), .read = read_custom},
    {.name = "later", .type = YAML_FIELD_UNSUPPORTED},
    {.name = "must", .type = YAML_FIELD_BOOL, .is_required = true, .offset = offsetof(struct sample, flag)},
};

static bool read_sample(const char *text, struct yaml_report *report, struct sample *ret)
{
    char context[] = "context";
    struct yaml_document *document = NULL;
    yaml_report_init(report, "f");
    assert_int_equal(yaml_document_read(cursor_of_text(text), report, &document), ERR_NONE);
    bool is_good = yaml_map_read(report, yaml_document_root(document), "a sample", FIELDS, COUNT_OF(FIELDS),
                                 context, ret);
    yaml_document_free(document);
    return is_good;
}

static void field_good_values_land_in_the_struct(void **state)
{
    (void)state;
    struct yaml_report report;
    struct sample sample = {0};
    assert_true(
        read_sample("flag: true\nport: 65535\ncount: 4294967295\ntime: 1m\nsize: 1MiB\ntext: 1234567\n"
                    "path: /a/.b/..c\ncustom: x\nmust: true\n",
                    &report, &sample));
    assert_int_equal(report.count, 0);
    assert_true(sample.flag);
    assert_int_equal(sample.port, 65535);
    assert_true(sample.count == UINT32_MAX);
    assert_int_equal(sample.seconds, 60);
    assert_int_equal(sample.bytes, 1 << 20);
    assert_string_equal(sample.text, "1234567");
    assert_string_equal(sample.path, "/a/.b/..c");
    assert_int_equal(sample.custom, 7);
}

static void field_bad_values_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *text, *line;
    } ROWS[] = {
        {"flag: yes\nmust: true\n", "f:1:7: \"flag\" must be true or false"},
        {"flag: 'true'\nmust: true\n", "f:1:7: \"flag\" must be true or false"},
        {"flag: [true]\nmust: true\n", "f:1:7: \"flag\" must be true or false"},
        {"port: 0\nmust: true\n", "f:1:7: \"port\" must be a number from 1 to 65535"},
        {"port: 65536\nmust: true\n", "f:1:7: \"port\" must be a number from 1 to 65535"},
        {"port: -1\nmust: true\n", "f:1:7: \"port\" must be a number from 1 to 65535"},
        {"port: 1.0\nmust: true\n", "f:1:7: \"port\" must be a number from 1 to 65535"},
        {"count: 4294967296\nmust: true\n", "f:1:8: \"count\" must be a number from 2 to 4294967295"},
        {"count: 1\nmust: true\n", "f:1:8: \"count\" must be a number from 2 to 4294967295"},
        {"time: 10\nmust: true\n", "f:1:7: \"time\" must be a time such as 90s, 15m, 8h or 30d"},
        {"time: 9s\nmust: true\n", "f:1:7: \"time\" must be a time from 10s to 60s"},
        {"time: 2m\nmust: true\n", "f:1:7: \"time\" must be a time from 10s to 60s"},
        {"size: 1MB\nmust: true\n", "f:1:7: \"size\" must be a size such as 64KiB, 8MiB or 2GiB"},
        {"size: 2MiB\nmust: true\n", "f:1:7: \"size\" must be a size from 1024 to 1048576 bytes"},
        {"text: 12345678\nmust: true\n", "f:1:7: \"text\" must be at most 7 bytes long"},
        {"text:\nmust: true\n", "\"text\" must be a text that is not empty"},
        {"text: [a]\nmust: true\n", "f:1:7: \"text\" must be one text, no list and no map"},
        {"path: a/b\nmust: true\n",
         "f:1:7: \"path\" must be an absolute path without \".\" and \"..\" steps"},
        {"path: /a/../b\nmust: true\n", "f:1:7: \"path\" must be an absolute path"},
        {"path: /a/..\nmust: true\n", "f:1:7: \"path\" must be an absolute path"},
        {"path: /a/.\nmust: true\n", "f:1:7: \"path\" must be an absolute path"},
        {"path: //a\nmust: true\n", "f:1:7: \"path\" must be an absolute path"},
        {"path: /aaaaaaaaaaaaaaa\nmust: true\n", "f:1:7: \"path\" must be at most 15 bytes long"},
        {"later: 1\nmust: true\n", "f:1:1: \"later\" is not supported by this version"},
        {"falg: true\nmust: true\n", "f:1:1: a sample has no key \"falg\"; did you mean \"flag\"?"},
        {"Flag: true\nmust: true\n", "f:1:1: a sample has no key \"Flag\"; did you mean \"flag\"?"},
        {"unlike: true\nmust: true\n", "f:1:1: a sample has no key \"unlike\"; its keys are flag, port, "
                                       "count, time, size, text, path, custom, must"},
        {"flag: true\n", "f:1:1: a sample needs the key \"must\""},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct yaml_report report;
        struct sample sample = {0};
        char line[YAML_LINE_BYTES] = "";
        bool is_good = read_sample(ROWS[i].text, &report, &sample);
        if (is_good || report.count != 1 ||
            strstr(yaml_report_line(&report, 0, line), ROWS[i].line) == NULL) {
            fail_msg("row %zu: %s", i, report.count == 0 ? "nothing" : yaml_report_line(&report, 0, line));
        }
    }
}

static void field_several_errors_are_all_told(void **state)
{
    (void)state;
    struct yaml_report report;
    struct sample sample = {0};
    assert_false(read_sample("flag: 1\nport: x\nzzz: 1\n", &report, &sample));
    assert_int_equal(report.error_count, 4);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(field_good_values_land_in_the_struct),
        cmocka_unit_test(field_bad_values_are_told),
        cmocka_unit_test(field_several_errors_are_all_told),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
