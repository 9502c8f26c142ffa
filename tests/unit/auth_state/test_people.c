#include "auth/people.h"

#include <string.h>

#include "unit_test.h"

static enum err read_text(struct people *people, const char *text, unsigned *ret_line)
{
    return people_read(people, cursor_of_text(text), ret_line);
}

static void lines_keep_people_out_and_others_in(void **state)
{
    (void)state;
    struct people people = {0};
    unsigned line = 0;
    assert_int_equal(
        read_text(&people,
                  "# left\n\nbob disabled # until he is back\nanna expires=2026-11-23T12:00:00Z\n"
                  "carl disabled expires=2026-11-23\ndora\n",
                  &line),
        ERR_NONE);
    enum { NOON = 1795435200 }; /* date -d 2026-11-23T12:00:00Z +%s */
    assert_int_equal(people.count, 4);
    assert_true(people_keeps_out(&people, "bob", 0));
    assert_false(people_keeps_out(&people, "anna", NOON - 1));
    assert_true(people_keeps_out(&people, "anna", NOON));
    assert_true(people_keeps_out(&people, "carl", 0));
    assert_int_equal(people_find(&people, "carl")->expires_s, NOON - 12 * 3600);
    assert_false(people_keeps_out(&people, "dora", NOON));
    assert_false(people_keeps_out(&people, "erin", NOON));
    people_done(&people);
}

static void wrong_line_refuses_the_file_and_is_named(void **state)
{
    (void)state;
    static const char *const WRONG[] = {
        "x\nBob disabled\n",
        "x\nbob Disabled\n",
        "x\nbob disabled locked\n",
        "x\nbob expires=\n",
        "x\nbob expires=tomorrow\n",
        "x\nbob expires=2026-02-30\n",
        "x\nbob expires=2026-13-01\n",
        "x\nbob expires=2026-11-23T12:00:00\n",
        "x\nbob expires=2026-11-23T12:00:00Zz\n",
        "x\nbob expires=2026-11-23 expires=2026-11-23\n",
        "x\n../bob disabled\n",
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        struct people people = {0};
        unsigned line = 0;
        assert_int_equal(read_text(&people, WRONG[i], &line), ERR_MALFORMED);
        assert_int_equal(line, 2);
        assert_null(people.entries);
    }
    struct people people = {0};
    unsigned line = 0;
    assert_int_equal(read_text(&people, "bob disabled\nanna\nbob\n", &line), ERR_MALFORMED);
    assert_null(people.entries);
}

static void too_many_people_are_refused(void **state)
{
    (void)state;
    static char text[PEOPLE_FILE_BYTES + 2];
    unsigned line = 0;
    struct people people = {0};
    memset(text, '\n', sizeof text - 1);
    assert_int_equal(people_read(&people, cursor_of(text, PEOPLE_FILE_BYTES), &line), ERR_NONE);
    assert_int_equal(people_read(&people, cursor_of(text, PEOPLE_FILE_BYTES + 1), &line), ERR_TOO_LARGE);
}

static void one_line_is_changed_and_the_rest_stays(void **state)
{
    (void)state;
    static const struct {
        const char *before;
        struct people_entry entry;
        const char *after;
    } ROWS[] = {
        {"", {"bob", true, 0}, "bob disabled\n"},
        {"# who\nanna disabled\nbob disabled\ncarl\n", {"bob", false, 0}, "# who\nanna disabled\ncarl\n"},
        {"bob disabled\nanna disabled",
         {"bob", true, 1795435200},
         "bob disabled expires=2026-11-23T12:00:00Z\nanna disabled\n"},
        {"bobby disabled\n",
         {"bob", false, 1795435200},
         "bobby disabled\nbob expires=2026-11-23T12:00:00Z\n"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        OWNED_SECRET file = {0};
        assert_int_equal(people_set(cursor_of_text(ROWS[i].before), &ROWS[i].entry, &file), ERR_NONE);
        assert_true(cursor_equal_text(secret_peek(&file), ROWS[i].after));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_keep_people_out_and_others_in),
        cmocka_unit_test(wrong_line_refuses_the_file_and_is_named),
        cmocka_unit_test(too_many_people_are_refused),
        cmocka_unit_test(one_line_is_changed_and_the_rest_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
