#include "auth/lockout.h"

#include <stdlib.h>
#include <string.h>

#include "unit_test.h"

enum { NOW_S = 1000000 };

static void fail_times(struct lockout_table *table, const char *person, int times, int64_t now_s)
{
    for (int i = 0; i < times; i++) {
        assert_int_equal(lockout_failed(table, person, now_s), ERR_NONE);
    }
}

static void fifth_failure_locks_and_time_unlocks(void **state)
{
    (void)state;
    struct lockout_table table = {0};
    fail_times(&table, "alice", LOCKOUT_FAILURES - 1, NOW_S);
    assert_int_equal(lockout_until_s(&table, "alice", NOW_S), 0);
    fail_times(&table, "alice", 1, NOW_S);
    assert_int_equal(lockout_until_s(&table, "alice", NOW_S), NOW_S + LOCKOUT_FIRST_S);
    assert_int_equal(lockout_until_s(&table, "bob", NOW_S), 0);
    assert_int_equal(lockout_until_s(&table, "alice", NOW_S + LOCKOUT_FIRST_S), 0);
    lockout_done(&table);
}

static void later_locks_are_longer_up_to_a_day(void **state)
{
    (void)state;
    static const int64_t LENGTHS_S[] = {900, 1800, 3600, 7200, 14400, 28800, 57600, 86400, 86400};
    struct lockout_table table = {0};
    for (size_t i = 0; i < COUNT_OF(LENGTHS_S); i++) {
        fail_times(&table, "alice", LOCKOUT_FAILURES, NOW_S);
        assert_int_equal(lockout_until_s(&table, "alice", NOW_S), NOW_S + LENGTHS_S[i]);
    }
    lockout_done(&table);
}

static void right_factor_clears_the_count(void **state)
{
    (void)state;
    struct lockout_table table = {0};
    fail_times(&table, "alice", LOCKOUT_FAILURES - 1, NOW_S);
    lockout_clear(&table, "alice");
    fail_times(&table, "alice", LOCKOUT_FAILURES - 1, NOW_S);
    assert_int_equal(lockout_until_s(&table, "alice", NOW_S), 0);
    lockout_done(&table);
}

static void written_table_is_read_back(void **state)
{
    (void)state;
    struct lockout_table table = {0};
    fail_times(&table, "alice", LOCKOUT_FAILURES, NOW_S);
    fail_times(&table, "bob", 1, NOW_S);
    char *text = NULL;
    size_t len = 0;
    assert_int_equal(lockout_write(&table, &text, &len), ERR_NONE);
    assert_string_equal(text, "alice 5 1000900\nbob 1 0\n");
    struct lockout_table back = {0};
    assert_int_equal(lockout_read(&back, cursor_of(text, len)), ERR_NONE);
    assert_int_equal(lockout_until_s(&back, "alice", NOW_S), NOW_S + LOCKOUT_FIRST_S);
    free(text);
    lockout_done(&back);
    lockout_done(&table);
}

static void file_that_is_not_ours_is_refused(void **state)
{
    (void)state;
    static const char *const FILES[] = {
        "alice",
        "alice 1",
        "alice 1 2 3\n",
        "alice x 2\n",
        "Alice 1 2\n",
        "alice 4294967296 0\n",
        "alice 1 0\nalice 1 0\n",
        "\n",
    };
    for (size_t i = 0; i < COUNT_OF(FILES); i++) {
        struct lockout_table table = {0};
        assert_int_not_equal(lockout_read(&table, cursor_of_text(FILES[i])), ERR_NONE);
        lockout_done(&table);
    }
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(fifth_failure_locks_and_time_unlocks),
        cmocka_unit_test(later_locks_are_longer_up_to_a_day),
        cmocka_unit_test(right_factor_clears_the_count),
        cmocka_unit_test(written_table_is_read_back),
        cmocka_unit_test(file_that_is_not_ours_is_refused),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
