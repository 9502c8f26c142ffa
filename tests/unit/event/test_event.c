#include "event/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "unit_test.h"

static size_t read_file(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(text, 1, size - 1, file);
    (void)fclose(file);
    text[len] = 0;
    return len;
}

static void hostile_text_stays_one_line_of_json(void **state)
{
    (void)state;
    char path[] = "/tmp/bastion_event_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    struct event_log log;
    assert_int_equal(event_open(&log, path, "host"), ERR_NONE);
    const struct event_field fields[] = {
        {.key = "user", .text = "x\n{\"event\":\"forged\"}\x1b[2J\xe2\x80\xa8\xff\""},
        {.key = "none", .text = NULL},
        EVENT_NUMBER("port", 22),
        {0}};
    assert_int_equal(event_write(&log, "login.accepted", EVENT_SUCCESS, fields), ERR_NONE);
    assert_int_equal(event_write(&log, "login.accepted", EVENT_SUCCESS, fields), ERR_NONE);
    event_close(&log);
    char text[4096];
    size_t len = read_file(path, text, sizeof text);
    (void)unlink(path);
    char *second = strchr(text, '\n');
    assert_non_null(second);
    assert_ptr_equal(strchr(second + 1, '\n'), text + len - 1);
    *second = 0;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "event")), "login.accepted");
    assert_string_equal(json_string_value(json_object_get(json, "user")), "x?{\"event\":\"forged\"}?[2J??\"");
    assert_int_equal(json_integer_value(json_object_get(json, "port")), 22);
    assert_int_equal(json_integer_value(json_object_get(json, "seq")), 0);
    assert_null(json_object_get(json, "none"));
    json_decref(json);
}

static void file_that_cannot_be_opened_is_an_error(void **state)
{
    (void)state;
    struct event_log log;
    assert_int_equal(event_open(&log, "/nonexistent/events", "host"), ERR_SYSTEM);
}

static void full_disk_is_an_error(void **state)
{
    (void)state;
    struct event_log log;
    assert_int_equal(event_open(&log, "/dev/full", "host"), ERR_NONE);
    const struct event_field none = {0};
    assert_int_equal(event_write(&log, "x", EVENT_SUCCESS, &none), ERR_SYSTEM);
    event_close(&log);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(hostile_text_stays_one_line_of_json),
        cmocka_unit_test(file_that_cannot_be_opened_is_an_error),
        cmocka_unit_test(full_disk_is_an_error),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
