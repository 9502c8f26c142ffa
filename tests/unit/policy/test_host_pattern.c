#include "../../../policy/host_pattern.h"

#include <string.h>

#include "unit_test.h"

static void host_pattern_texts_are_accepted_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_good;
    } ROWS[] = {
        {"node1", true},
        {"*.prod.internal", true},
        {"ip-10-*.eu.internal", true},
        {"*", true},
        {"db-*-1.x", true},
        {"10.0.0.1", true},
        {"fd00::1", true},
        {"", false},
        {"*.*.x", true},
        {"a**", false},
        {"*a*", false},
        {"a..b", false},
        {".a", false},
        {"a.", false},
        {"-a", false},
        {"a b", false},
        {"a/b", false},
        {"fd00::*", false},
        {"a;b", false},
        {"caf\xc3\xa9", false},
        {"**", false},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        if ((host_pattern_check(cursor_of_text(ROWS[i].text)) == NULL) != ROWS[i].is_good) {
            fail_msg("%s", ROWS[i].text);
        }
    }
    char large[255];
    memset(large, 'a', sizeof large);
    assert_null(host_pattern_check(cursor_of(large, 253)));
    assert_non_null(host_pattern_check(cursor_of(large, 254)));
}

static void host_pattern_star_stands_for_a_part_of_one_label(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *host;
        bool matches;
    } ROWS[] = {
        {"*.prod.internal", "a.prod.internal", true},
        {"*.prod.internal", "a.b.prod.internal", false},
        {"*.prod.internal", "prod.internal", false},
        {"*.prod.internal", ".prod.internal", false},
        {"*.prod.internal", "a.prod.internal.evil", false},
        {"*.prod.internal", "a.prod-internal", false},
        {"node1", "node1", true},
        {"node1", "node10", false},
        {"node*", "node1", true},
        {"node*", "node", false},
        {"*", "anything", true},
        {"*", "any.thing", false},
        {"*-db", "orders-db", true},
        {"*-db", "-db", false},
        {"a*a", "aa", false},
        {"a*a", "aba", true},
        {"a*b.c", "axb.c", true},
        {"10.20.*.*", "10.20.1.5", true},
        {"10.20.*.*", "10.20.1", false},
        {"fd00::1", "fd00::1", true},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        bool matches = host_pattern_matches(cursor_of_text(ROWS[i].pattern), cursor_of_text(ROWS[i].host));
        if (matches != ROWS[i].matches) {
            fail_msg("%s %s", ROWS[i].pattern, ROWS[i].host);
        }
    }
}

static void host_pattern_overlap_means_a_common_host(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool overlaps;
    } ROWS[] = {
        {"a", "a", true},         {"a", "b", false},        {"*.x", "a.x", true},     {"*.x", "*.y", false},
        {"a*", "*b", true},       {"a*", "b*", false},      {"a*", "ab*", true},      {"*a", "*ba", true},
        {"*a", "*b", false},      {"*.x", "*.*.x", false},  {"*.b.x", "a.*.x", true}, {"a*c", "ab*c", true},
        {"node*", "node", false}, {"node*", "node1", true}, {"*", "*", true},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct cursor a = cursor_of_text(ROWS[i].a);
        struct cursor b = cursor_of_text(ROWS[i].b);
        if (host_pattern_overlaps(a, b) != ROWS[i].overlaps ||
            host_pattern_overlaps(b, a) != ROWS[i].overlaps) {
            fail_msg("%s %s", ROWS[i].a, ROWS[i].b);
        }
    }
}

static void host_pattern_suffix_is_its_literal_end(void **state)
{
    (void)state;
    static const char *const ROWS[][2] = {
        {"*.prod.internal", "prod.internal"},
        {"a.*.internal", "internal"},
        {"*", ""},
        {"a.*", ""},
        {"a.b", "a.b"},
        {"*.*.x", "x"},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        assert_true(cursor_equal_text(host_pattern_suffix(cursor_of_text(ROWS[i][0])), ROWS[i][1]));
    }
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(host_pattern_texts_are_accepted_or_refused),
        cmocka_unit_test(host_pattern_star_stands_for_a_part_of_one_label),
        cmocka_unit_test(host_pattern_overlap_means_a_common_host),
        cmocka_unit_test(host_pattern_suffix_is_its_literal_end),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
