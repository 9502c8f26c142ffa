#include "oath_users.h"

#include "unit_test.h"

static const uint8_t SECRET[20] = "12345678901234567890";
#define SECRET_HEX "3132333435363738393031323334353637383930"

static const char FILE_TEXT[] = "# people\n"
                                "HOTP/T30/6\talice\t-\t00ff\t0\t123456\t2026-11-23T12:00:00L\n"
                                "\n"
                                "HOTP bob 1234 aabb\r\n"
                                "HOTP/T30/6 carol - ccdd";

static void user_is_found_by_name(void **state)
{
    (void)state;
    struct cursor file = cursor_of_text(FILE_TEXT);
    assert_true(oath_users_has(file, "alice"));
    assert_true(oath_users_has(file, "bob"));
    assert_true(oath_users_has(file, "carol"));
    assert_false(oath_users_has(file, "dave"));
    assert_false(oath_users_has(file, "people"));
    assert_false(oath_users_has(file, "ali"));
    assert_false(oath_users_has(cursor_of_text(""), "alice"));
    struct oath_user user;
    assert_true(oath_users_next(&file, &user));
    assert_true(cursor_equal_text(user.person, "alice"));
    assert_true(cursor_equal_text(user.last_used, "2026-11-23T12:00:00L"));
    assert_true(oath_users_next(&file, &user));
    assert_true(cursor_equal_text(user.type, "HOTP"));
    assert_int_equal(cursor_len(&user.last_used), 0);
    assert_true(oath_users_next(&file, &user));
    assert_false(oath_users_next(&file, &user));
}

static void new_user_is_appended_and_others_stay(void **state)
{
    (void)state;
    OWNED_SECRET text = {0};
    assert_int_equal(
        oath_users_set(cursor_of_text(FILE_TEXT), "dave", cursor_of(SECRET, sizeof SECRET), &text), ERR_NONE);
    static const char EXPECTED[] = "# people\n"
                                   "HOTP/T30/6\talice\t-\t00ff\t0\t123456\t2026-11-23T12:00:00L\n"
                                   "\n"
                                   "HOTP bob 1234 aabb\r\n"
                                   "HOTP/T30/6 carol - ccdd\n"
                                   "HOTP/T30/6\tdave\t-\t" SECRET_HEX "\n";
    assert_true(cursor_equal_text(secret_peek(&text), EXPECTED));
    assert_true(oath_users_holds(secret_peek(&text), "dave", cursor_of(SECRET, sizeof SECRET)));
    assert_false(oath_users_holds(secret_peek(&text), "alice", cursor_of(SECRET, sizeof SECRET)));
    assert_false(oath_users_holds(secret_peek(&text), "dave", cursor_of(SECRET, sizeof SECRET - 1)));
}

static void user_with_two_lines_gets_one(void **state)
{
    (void)state;
    static const char TWO[] = "HOTP alice - 00\nHOTP bob - 11\nHOTP/T30/6 alice - 22\n";
    OWNED_SECRET text = {0};
    assert_int_equal(oath_users_set(cursor_of_text(TWO), "alice", cursor_of(SECRET, sizeof SECRET), &text),
                     ERR_NONE);
    assert_true(
        cursor_equal_text(secret_peek(&text), "HOTP bob - 11\nHOTP/T30/6\talice\t-\t" SECRET_HEX "\n"));
    OWNED_SECRET without = {0};
    assert_int_equal(oath_users_remove(cursor_of_text(TWO), "alice", &without), ERR_NONE);
    assert_true(cursor_equal_text(secret_peek(&without), "HOTP bob - 11\n"));
}

static void user_that_is_not_there_cannot_be_removed(void **state)
{
    (void)state;
    OWNED_SECRET text = {0};
    assert_int_equal(oath_users_remove(cursor_of_text(FILE_TEXT), "dave", &text), ERR_NOT_FOUND);
    assert_int_equal(oath_users_remove(cursor_of_text(""), "dave", &text), ERR_NOT_FOUND);
    assert_null(text.bytes);
}

static void file_or_secret_over_its_limit_is_too_large(void **state)
{
    (void)state;
    static char large[OATH_FILE_BYTES];
    for (size_t i = 0; i < sizeof large; i++) {
        large[i] = '\n';
    }
    OWNED_SECRET text = {0};
    struct cursor secret = cursor_of(SECRET, sizeof SECRET);
    assert_int_equal(oath_users_set(cursor_of(large, sizeof large), "alice", secret, &text), ERR_TOO_LARGE);
    assert_int_equal(oath_users_set(cursor_of_text(""), "alice", cursor_of(large, 65), &text), ERR_TOO_LARGE);
    assert_int_equal(oath_users_set(cursor_of_text(""), "alice", cursor_of(large, 64), &text), ERR_NONE);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(user_is_found_by_name),
        cmocka_unit_test(new_user_is_appended_and_others_stay),
        cmocka_unit_test(user_with_two_lines_gets_one),
        cmocka_unit_test(user_that_is_not_there_cannot_be_removed),
        cmocka_unit_test(file_or_secret_over_its_limit_is_too_large),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
