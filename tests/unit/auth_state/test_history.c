#include "auth/history.h"

#include <stdio.h>

#include "unit_test.h"

static struct history history;

static int forget(void **state)
{
    (void)state;
    history_done(&history);
    return 0;
}

static void deny(const char *person, unsigned number)
{
    struct history_denial denial = {.at_s = (int64_t)number};
    (void)snprintf(denial.code, sizeof denial.code, "D-%u", number);
    assert_int_equal(history_denied(&history, person, &denial), ERR_NONE);
}

static void denials_are_newest_first_and_of_one_person(void **state)
{
    (void)state;
    deny("alice", 1);
    deny("bob", 7);
    deny("alice", 2);
    assert_string_equal(history_denial(&history, "alice", 0)->code, "D-2");
    assert_string_equal(history_denial(&history, "alice", 1)->code, "D-1");
    assert_null(history_denial(&history, "alice", 2));
    assert_null(history_denial(&history, "carol", 0));
    assert_null(history_access(&history, "alice", 0));
}

static void denials_over_the_bound_push_out_the_oldest(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HISTORY_DENIALS + 3; i++) {
        deny("alice", i);
    }
    assert_int_equal(history_denial(&history, "alice", 0)->at_s, HISTORY_DENIALS + 2);
    assert_int_equal(history_denial(&history, "alice", HISTORY_DENIALS - 1)->at_s, 3);
    assert_null(history_denial(&history, "alice", HISTORY_DENIALS));
}

static void accesses_tell_how_they_ended(void **state)
{
    (void)state;
    const struct history_access one = {.at_s = 10, .sid = "aa", .host = "node1"};
    const struct history_access two = {.at_s = 11, .sid = "bb", .host = "node2"};
    assert_int_equal(history_opened(&history, "alice", &one), ERR_NONE);
    assert_int_equal(history_opened(&history, "alice", &two), ERR_NONE);
    history_ended(&history, "alice", "aa", 12, "ended");
    history_ended(&history, "alice", "aa", 13, "a second end changes nothing");
    history_ended(&history, "alice", "cc", 13, "unknown");
    history_ended(&history, "bob", "bb", 13, "not of this person");
    assert_string_equal(history_access(&history, "alice", 0)->sid, "bb");
    assert_int_equal(history_access(&history, "alice", 0)->ended_s, 0);
    assert_string_equal(history_access(&history, "alice", 1)->how, "ended");
    assert_int_equal(history_access(&history, "alice", 1)->ended_s, 12);
    assert_null(history_access(&history, "alice", 2));
}

static void people_over_the_bound_push_out_who_was_longest_quiet(void **state)
{
    (void)state;
    char name[LIMIT_PERSON_BYTES];
    for (unsigned i = 0; i < HISTORY_PEOPLE_MAX; i++) {
        (void)snprintf(name, sizeof name, "p%u", i);
        deny(name, i);
    }
    deny("p0", 1);
    deny("newcomer", 1);
    assert_int_equal(history.count, HISTORY_PEOPLE_MAX);
    assert_non_null(history_denial(&history, "p0", 1));
    assert_null(history_denial(&history, "p1", 0));
    assert_non_null(history_denial(&history, "newcomer", 0));
    assert_null(history_denial(&history, "newcomer", 1));
}

int main(void)
{
#define HISTORY_TEST(test) cmocka_unit_test_teardown(test, forget)
    static const struct CMUnitTest TESTS[] = {
        HISTORY_TEST(denials_are_newest_first_and_of_one_person),
        HISTORY_TEST(denials_over_the_bound_push_out_the_oldest),
        HISTORY_TEST(accesses_tell_how_they_ended),
        HISTORY_TEST(people_over_the_bound_push_out_who_was_longest_quiet),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
