#include "accept/admission.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "unit_test.h"

#define SECONDS(s) ((uint64_t)(s)*1000000)
static const struct admission_limits LIMITS = {
    .connections = 100, .per_source = 3, .startups_begin = 10, .startups_percent = 30, .startups_full = 20};

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage storage = {0};
    struct sockaddr_in *in = (void *)&storage;
    struct sockaddr_in6 *in6 = (void *)&storage;
    if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
        in6->sin6_family = AF_INET6;
    }
    return storage;
}

static enum admission_verdict enter(struct admission *admission, const char *from, uint64_t now_us,
                                    uint32_t random)
{
    struct sockaddr_storage peer = address(from);
    return admission_enter(admission, &peer, now_us, random);
}

static void source_limit_counts_one_source_only(void **state)
{
    (void)state;
    struct admission admission;
    assert_int_equal(admission_init(&admission, &LIMITS), ERR_NONE);
    for (unsigned i = 0; i < LIMITS.per_source; i++) {
        assert_int_equal(enter(&admission, "10.0.0.1", 0, 99), ADMISSION_WELCOME);
    }
    assert_int_equal(enter(&admission, "10.0.0.1", 0, 99), ADMISSION_SOURCE_FULL);
    assert_int_equal(enter(&admission, "::ffff:10.0.0.1", 0, 99), ADMISSION_SOURCE_FULL);
    assert_int_equal(enter(&admission, "10.0.0.2", 0, 99), ADMISSION_WELCOME);
    struct sockaddr_storage peer = address("10.0.0.1");
    admission_leave(&admission, &peer, false);
    assert_int_equal(enter(&admission, "10.0.0.1", 0, 99), ADMISSION_WELCOME);
    admission_done(&admission);
}

static void ipv6_source_is_one_slash_64(void **state)
{
    (void)state;
    struct admission admission;
    assert_int_equal(admission_init(&admission, &LIMITS), ERR_NONE);
    assert_int_equal(enter(&admission, "2001:db8::1", 0, 99), ADMISSION_WELCOME);
    assert_int_equal(enter(&admission, "2001:db8::2", 0, 99), ADMISSION_WELCOME);
    assert_int_equal(enter(&admission, "2001:db8::ffff", 0, 99), ADMISSION_WELCOME);
    assert_int_equal(enter(&admission, "2001:db8::3", 0, 99), ADMISSION_SOURCE_FULL);
    assert_int_equal(enter(&admission, "2001:db8:0:1::3", 0, 99), ADMISSION_WELCOME);
    admission_done(&admission);
}

static void startups_are_dropped_by_chance_then_all(void **state)
{
    (void)state;
    struct admission admission;
    assert_int_equal(admission_init(&admission, &LIMITS), ERR_NONE);
    for (unsigned i = 0; i < LIMITS.startups_full; i++) {
        char from[32];
        (void)snprintf(from, sizeof from, "10.1.0.%u", i);
        assert_int_equal(enter(&admission, from, 0, 99), ADMISSION_WELCOME);
        if (i + 1 == LIMITS.startups_begin) {
            assert_int_equal(enter(&admission, "10.2.0.1", 0, 29), ADMISSION_STARTUPS);
        }
    }
    assert_int_equal(enter(&admission, "10.2.0.2", 0, 99), ADMISSION_STARTUPS);
    admission_proven(&admission);
    assert_int_equal(enter(&admission, "10.2.0.2", 0, 99), ADMISSION_WELCOME);
    admission_done(&admission);
}

static void all_connections_are_bounded(void **state)
{
    (void)state;
    struct admission admission;
    assert_int_equal(admission_init(&admission, &LIMITS), ERR_NONE);
    for (unsigned i = 0; i < LIMITS.connections; i++) {
        char from[32];
        (void)snprintf(from, sizeof from, "10.1.0.%u", i);
        assert_int_equal(enter(&admission, from, 0, 99), ADMISSION_WELCOME);
        admission_proven(&admission);
    }
    assert_int_equal(enter(&admission, "10.2.0.2", 0, 99), ADMISSION_FULL);
    admission_done(&admission);
}

static void offences_add_up_to_a_penalty_that_ends(void **state)
{
    (void)state;
    struct admission admission;
    assert_int_equal(admission_init(&admission, &LIMITS), ERR_NONE);
    struct sockaddr_storage peer = address("10.0.0.1");
    admission_offend(&admission, &peer, ADMISSION_AUTH_FAIL, SECONDS(10));
    assert_int_equal(enter(&admission, "10.0.0.1", SECONDS(10), 99), ADMISSION_WELCOME);
    admission_leave(&admission, &peer, false);
    for (int i = 0; i < 3; i++) {
        admission_offend(&admission, &peer, ADMISSION_AUTH_FAIL, SECONDS(10));
    }
    assert_int_equal(enter(&admission, "10.0.0.1", SECONDS(10), 99), ADMISSION_PENALTY);
    assert_int_equal(enter(&admission, "10.0.0.2", SECONDS(10), 99), ADMISSION_WELCOME);
    assert_int_equal(enter(&admission, "10.0.0.1", SECONDS(31), 99), ADMISSION_WELCOME);
    for (int i = 0; i < 1000; i++) {
        admission_offend(&admission, &peer, ADMISSION_CRASH, SECONDS(100));
    }
    assert_int_equal(enter(&admission, "10.0.0.1", SECONDS(100 + 584), 99), ADMISSION_PENALTY);
    assert_int_equal(enter(&admission, "10.0.0.1", SECONDS(100 + 601), 99), ADMISSION_WELCOME);
    admission_done(&admission);
}

static void flood_of_sources_is_bounded_and_does_not_lose_open_ones(void **state)
{
    (void)state;
    struct admission_limits limits = LIMITS;
    limits.connections = 100000;
    limits.startups_begin = limits.startups_full = 100000;
    struct admission admission;
    assert_int_equal(admission_init(&admission, &limits), ERR_NONE);
    for (unsigned i = 0; i < limits.per_source; i++) {
        assert_int_equal(enter(&admission, "192.0.2.1", 1, 99), ADMISSION_WELCOME);
    }
    for (unsigned i = 0; i < 3 * ADMISSION_SOURCES_MAX; i++) {
        char from[32];
        (void)snprintf(from, sizeof from, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        if (enter(&admission, from, i + 2, 99) == ADMISSION_WELCOME) {
            struct sockaddr_storage peer = address(from);
            admission_leave(&admission, &peer, false);
        }
    }
    assert_int_equal(enter(&admission, "192.0.2.1", SECONDS(60), 99), ADMISSION_SOURCE_FULL);
    admission_done(&admission);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(source_limit_counts_one_source_only),
        cmocka_unit_test(ipv6_source_is_one_slash_64),
        cmocka_unit_test(startups_are_dropped_by_chance_then_all),
        cmocka_unit_test(all_connections_are_bounded),
        cmocka_unit_test(offences_add_up_to_a_penalty_that_ends),
        cmocka_unit_test(flood_of_sources_is_bounded_and_does_not_lose_open_ones),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
