#include "../../../gateway/database/my_statements.h"

#include "unit_test.h"

static void statements_are_found_until_dropped(void **state)
{
    (void)state;
    struct my_statements statements = {0};
    assert_null(my_statements_find(&statements, 1));
    my_statements_drop(&statements, 1);
    assert_int_equal(my_statements_add(&statements, 1, 10, 2), ERR_NONE);
    assert_int_equal(my_statements_add(&statements, 1025, 11, 0), ERR_NONE); /* the same bucket */
    assert_int_equal(my_statements_find(&statements, 1)->number, 10);
    assert_int_equal(my_statements_find(&statements, 1025)->number, 11);
    assert_int_equal(my_statements_add(&statements, 1, 12, 3), ERR_NONE); /* the server used the id again */
    assert_int_equal(my_statements_find(&statements, 1)->number, 12);
    assert_int_equal(statements.count, 2);
    my_statements_drop(&statements, 1);
    assert_null(my_statements_find(&statements, 1));
    assert_non_null(my_statements_find(&statements, 1025));
    my_statements_done(&statements);
    assert_null(my_statements_find(&statements, 1025));
    my_statements_done(&statements);
}

static void too_many_statements_forget_the_one_used_longest_ago(void **state)
{
    (void)state;
    struct my_statements statements = {0};
    for (uint32_t id = 0; id < MY_STATEMENTS_MAX; id++) {
        assert_int_equal(my_statements_add(&statements, id, id + 1, 1), ERR_NONE);
    }
    assert_non_null(my_statements_find(&statements, 0)); /* used again: now 1 is the oldest */
    assert_int_equal(my_statements_add(&statements, MY_STATEMENTS_MAX, 1, 1), ERR_NONE);
    assert_int_equal(statements.count, MY_STATEMENTS_MAX);
    assert_null(my_statements_find(&statements, 1));
    assert_non_null(my_statements_find(&statements, 0));
    assert_non_null(my_statements_find(&statements, 2));
    my_statements_done(&statements);
}

static void types_have_a_bound_of_their_own(void **state)
{
    (void)state;
    enum { ENOUGH = MY_STATEMENTS_TYPES_BYTES / (2 * UINT16_MAX) }; /* so many of the largest fit */
    struct my_statements statements = {0};
    for (uint32_t id = 0; id <= ENOUGH; id++) {
        assert_int_equal(my_statements_add(&statements, id, 1, UINT16_MAX), ERR_NONE);
        struct my_statement *statement = my_statements_find(&statements, id);
        assert_int_equal(my_statements_types(&statements, statement), ERR_NONE);
        assert_int_equal(my_statements_types(&statements, statement), ERR_NONE);
        assert_non_null(statement->types);
        assert_true(statements.types_bytes <= MY_STATEMENTS_TYPES_BYTES);
    }
    assert_null(my_statements_find(&statements, 0));
    assert_non_null(my_statements_find(&statements, 1));
    my_statements_done(&statements);
    assert_int_equal(statements.types_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_are_found_until_dropped),
        cmocka_unit_test(too_many_statements_forget_the_one_used_longest_ago),
        cmocka_unit_test(types_have_a_bound_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
