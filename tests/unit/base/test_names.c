#include "base/names.h"

#include <stdio.h>

#include "unit_test.h"

static void names_many_are_all_found(void **state)
{
    (void)state;
    static char texts[5000][8];
    struct names names = {0};
    uint32_t number = 0;
    assert_int_equal(names_find(&names, cursor_of_text("n1"), &number), ERR_NOT_FOUND);
    for (uint32_t i = 0; i < COUNT_OF(texts); i++) {
        (void)snprintf(texts[i], sizeof texts[i], "n%u", i);
        assert_int_equal(names_add(&names, cursor_of_text(texts[i]), i), ERR_NONE);
    }
    for (uint32_t i = 0; i < COUNT_OF(texts); i++) {
        assert_int_equal(names_find(&names, cursor_of_text(texts[i]), &number), ERR_NONE);
        assert_int_equal(number, i);
    }
    assert_int_equal(names_find(&names, cursor_of_text("n5000"), &number), ERR_NOT_FOUND);
    assert_int_equal(names_find(&names, cursor_of_text(""), &number), ERR_NOT_FOUND);
    names_done(&names);
}

static void names_repeated_keeps_the_first(void **state)
{
    (void)state;
    struct names names = {0};
    assert_int_equal(names_add(&names, cursor_of_text("a"), 1), ERR_NONE);
    assert_int_equal(names_add(&names, cursor_of_text("a"), 2), ERR_STATE);
    uint32_t number = 0;
    assert_int_equal(names_find(&names, cursor_of_text("a"), &number), ERR_NONE);
    assert_int_equal(number, 1);
    names_done(&names);
}

static void names_distance_counts_changes(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        size_t distance;
    } ROWS[] = {
        {"", "", 0},          {"", "abc", 3},        {"shell", "shell", 0},
        {"shel", "shell", 1}, {"sehll", "shell", 1}, {"networks", "people", 6},
        {"abcd", "dcba", 3},  {"rulse", "rules", 1},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct cursor a = cursor_of_text(ROWS[i].a);
        struct cursor b = cursor_of_text(ROWS[i].b);
        assert_int_equal(names_distance(a, b), ROWS[i].distance);
        assert_int_equal(names_distance(b, a), ROWS[i].distance);
    }
    uint8_t large[64] = {0};
    assert_int_equal(names_distance(cursor_of(large, sizeof large), cursor_of(large, sizeof large)), 63);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(names_many_are_all_found),
        cmocka_unit_test(names_repeated_keeps_the_first),
        cmocka_unit_test(names_distance_counts_changes),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
