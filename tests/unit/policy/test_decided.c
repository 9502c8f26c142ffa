#include "policy/decided.h"

#include <stdio.h>
#include <string.h>

#include "unit_test.h"

#define TIME "2026-11-23T10:00:00.123456Z "

static struct policy_decided sample(void)
{
    return (struct policy_decided){.at_s = 1795428000,
                                   .is_allowed = true,
                                   .session = "8c3f00",
                                   .person = "alice",
                                   .from = "100.64.1.2",
                                   .host = "orders-db",
                                   .port = 5432,
                                   .account = "orders ro",
                                   .database = "100%",
                                   .reason = "INC-42: \xc3\xa4 slow query",
                                   .factor = {.has = true, .age_s = 300},
                                   .key = POLICY_KEY_TOUCHED,
                                   .rule = "dba-orders",
                                   .policy = "1f2e"};
}

static void decision_written_reads_back_the_same(void **state)
{
    (void)state;
    struct policy_decided decided = sample();
    struct policy_decided back;
    char text[DECIDED_LINE_BYTES];
    char line[DECIDED_LINE_BYTES + sizeof TIME];
    (void)snprintf(line, sizeof line, TIME "%s", policy_decided_write(&decided, text));
    assert_string_equal(line,
                        TIME "allowed session=8c3f00 person=alice from=100.64.1.2 host=orders-db port=5432 "
                             "account=orders%20ro database=100%25 factor=300 key=touched rule=dba-orders "
                             "policy=1f2e reason=INC-42:%20%c3%a4%20slow%20query");
    assert_int_equal(policy_decided_read(cursor_of_text(line), &back), ERR_NONE);
    assert_memory_equal(&back, &decided, sizeof back);
    struct policy_request request = policy_decided_request(&back);
    struct policy_decided again;
    policy_decided_of(&request, &again);
    assert_string_equal(again.reason, decided.reason);
    assert_string_equal(again.database, decided.database);
    assert_int_equal(again.factor.age_s, 300);
    assert_int_equal(request.action, POLICY_DB);
}

static void principals_are_kept(void **state)
{
    (void)state;
    static const uint8_t WIRE[] = "\0\0\0\7eng=web\0\0\0\3a b";
    struct policy_request asked = {.person = "erin",
                                   .from = "",
                                   .host = "node1",
                                   .account = "",
                                   .port = 22,
                                   .principals = cursor_of(WIRE, sizeof WIRE - 1)};
    struct policy_decided decided;
    struct policy_decided back;
    char text[DECIDED_LINE_BYTES];
    char line[DECIDED_LINE_BYTES + sizeof TIME];
    policy_decided_of(&asked, &decided);
    (void)snprintf(line, sizeof line, TIME "%s", policy_decided_write(&decided, text));
    assert_non_null(strstr(line, " principal=eng=web principal=a%20b"));
    assert_int_equal(policy_decided_read(cursor_of_text(line), &back), ERR_NONE);
    assert_true(cursor_equal(policy_decided_request(&back).principals, asked.principals));
}

static void denial_has_a_code_and_no_rule(void **state)
{
    (void)state;
    struct policy_decided decided = {
        .person = "bob", .host = "node1", .port = 22, .rule = "near", .code = "D-NO-RULE"};
    char text[DECIDED_LINE_BYTES];
    assert_string_equal(policy_decided_write(&decided, text),
                        "denied person=bob host=node1 port=22 code=D-NO-RULE");
}

static void line_that_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const LINES[] = {
        "",
        "allowed person=a host=b",
        TIME,
        TIME "perhaps person=a host=b",
        TIME "allowed",
        TIME "allowed person=a",
        TIME "allowed host=b",
        TIME "allowed person=a host=b port=65536",
        TIME "allowed person=a host=b port=x",
        TIME "allowed person=a host=b factor=-1",
        TIME "allowed person=a host=b key=gold",
        TIME "allowed person=%00 host=b",
        TIME "allowed person=%0 host=b",
        TIME "allowed person=%zz host=b",
        TIME "allowed person host=b",
        TIME "allowed person=abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz host=b",
        "2026-13-23T10:00:00.123456Z allowed person=a host=b",
    };
    for (size_t i = 0; i < sizeof LINES / sizeof LINES[0]; i++) {
        struct policy_decided decided;
        if (policy_decided_read(cursor_of_text(LINES[i]), &decided) != ERR_MALFORMED) {
            fail_msg("read: %s", LINES[i]);
        }
    }
}

static void words_of_a_later_version_are_skipped(void **state)
{
    (void)state;
    struct policy_decided decided;
    assert_int_equal(policy_decided_read(cursor_of_text(TIME "denied person=a moon=full host=b"), &decided),
                     ERR_NONE);
    assert_string_equal(decided.person, "a");
    assert_int_equal(decided.at_s, 1795428000);
    assert_false(decided.is_allowed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decision_written_reads_back_the_same),
        cmocka_unit_test(principals_are_kept),
        cmocka_unit_test(denial_has_a_code_and_no_rule),
        cmocka_unit_test(line_that_is_none_is_refused),
        cmocka_unit_test(words_of_a_later_version_are_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
