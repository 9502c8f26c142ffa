#include "auth/lease.h"

#include <stdio.h>
#include <string.h>

#include "unit_test.h"

#define SECONDS(s) ((uint64_t)(s)*1000000)
static const uint8_t KEY[LEASE_KEY_BYTES] = {1};
static const uint8_t OTHER_KEY[LEASE_KEY_BYTES] = {2};

static void lease_is_for_person_key_and_source(void **state)
{
    (void)state;
    struct lease_table table = {0};
    uint64_t age_s = 0;
    assert_int_equal(lease_pass(&table, "alice", KEY, "10.0.0.1", SECONDS(100), ""), ERR_NONE);
    assert_true(lease_age_s(&table, "alice", KEY, "10.0.0.1", SECONDS(160), &age_s));
    assert_int_equal(age_s, 60);
    assert_false(lease_age_s(&table, "bob", KEY, "10.0.0.1", SECONDS(160), &age_s));
    assert_false(lease_age_s(&table, "alice", OTHER_KEY, "10.0.0.1", SECONDS(160), &age_s));
    assert_false(lease_age_s(&table, "alice", KEY, "10.0.0.2", SECONDS(160), &age_s));
    lease_done(&table);
}

static void lease_passed_again_is_renewed(void **state)
{
    (void)state;
    struct lease_table table = {0};
    uint64_t age_s = 0;
    assert_int_equal(lease_pass(&table, "alice", KEY, "10.0.0.1", SECONDS(100), ""), ERR_NONE);
    assert_int_equal(lease_pass(&table, "alice", KEY, "10.0.0.1", SECONDS(200), ""), ERR_NONE);
    assert_int_equal(table.count, 1);
    assert_true(lease_age_s(&table, "alice", KEY, "10.0.0.1", SECONDS(201), &age_s));
    assert_int_equal(age_s, 1);
    lease_done(&table);
}

static void full_table_forgets_the_oldest(void **state)
{
    (void)state;
    struct lease_table table = {0};
    uint64_t age_s = 0;
    for (unsigned i = 0; i <= LEASE_COUNT_MAX; i++) {
        char source[32];
        (void)snprintf(source, sizeof source, "10.0.%u.%u", i / 256, i % 256);
        assert_int_equal(lease_pass(&table, "alice", KEY, source, SECONDS(i), ""), ERR_NONE);
    }
    assert_int_equal(table.count, LEASE_COUNT_MAX);
    assert_false(lease_age_s(&table, "alice", KEY, "10.0.0.0", SECONDS(5000), &age_s));
    assert_true(lease_age_s(&table, "alice", KEY, "10.0.0.1", SECONDS(5000), &age_s));
    lease_done(&table);
}

static void dropped_leases_are_gone_and_others_stay(void **state)
{
    (void)state;
    struct lease_table table = {0};
    uint64_t age_s = 0;
    assert_int_equal(lease_pass(&table, "alice", KEY, "10.0.0.1", SECONDS(100), ""), ERR_NONE);
    assert_int_equal(lease_pass(&table, "bob", KEY, "10.0.0.1", SECONDS(150), ""), ERR_NONE);
    lease_drop(&table, NULL, SECONDS(160), 30);
    assert_false(lease_age_s(&table, "alice", KEY, "10.0.0.1", SECONDS(160), &age_s));
    assert_true(lease_age_s(&table, "bob", KEY, "10.0.0.1", SECONDS(160), &age_s));
    lease_drop(&table, "bob", SECONDS(160), 0);
    assert_int_equal(table.count, 0);
    lease_done(&table);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(lease_is_for_person_key_and_source),
        cmocka_unit_test(lease_passed_again_is_renewed),
        cmocka_unit_test(full_table_forgets_the_oldest),
        cmocka_unit_test(dropped_leases_are_gone_and_others_stay),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
