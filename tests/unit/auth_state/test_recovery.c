#include "auth/recovery.h"

#include <stdio.h>
#include <string.h>

#include "unit_test.h"

enum { COUNT = 3 };
static const uint8_t RANDOM[COUNT][RECOVERY_RANDOM_BYTES] = {
    {0}, {0xff, 0xee, 1}, {7, 6, 5, 4, 3, 2, 1, 0, 9, 0xff}};

static void make(const char *person, char codes[COUNT][RECOVERY_CODE_BYTES], struct secret *ret_file)
{
    for (size_t i = 0; i < COUNT; i++) {
        (void)recovery_text(RANDOM[i], codes[i]);
    }
    assert_int_equal(recovery_write(person, (const char(*)[RECOVERY_CODE_BYTES])codes, COUNT, ret_file),
                     ERR_NONE);
}

static void code_is_good_once_and_the_file_holds_no_code(void **state)
{
    (void)state;
    char codes[COUNT][RECOVERY_CODE_BYTES];
    OWNED_SECRET file = {0};
    make("alice", codes, &file);
    assert_string_equal(codes[0], "aaaa-aaaa-aaaa-aaaa");
    assert_int_equal(recovery_left(secret_peek(&file)), COUNT);
    OWNED_SECRET used = {0};
    assert_int_equal(recovery_use(secret_peek(&file), "alice", cursor_of_text(codes[1]), 1795435200, &used),
                     ERR_NONE);
    assert_int_equal(recovery_left(secret_peek(&used)), COUNT - 1);
    assert_non_null(memmem(used.bytes, used.len_bytes, " used=2026-11-23T12:00:00Z\n", 27));
    assert_null(memmem(file.bytes, file.len_bytes, "aaaa", 4));
    OWNED_SECRET again = {0};
    assert_int_equal(recovery_use(secret_peek(&used), "alice", cursor_of_text(codes[1]), 1795435201, &again),
                     ERR_DENIED);
    assert_int_equal(recovery_use(secret_peek(&used), "alice", cursor_of_text(codes[2]), 1795435201, &again),
                     ERR_NONE);
    assert_int_equal(recovery_left(secret_peek(&again)), COUNT - 2);
}

static void code_of_another_person_is_none(void **state)
{
    (void)state;
    char codes[COUNT][RECOVERY_CODE_BYTES];
    OWNED_SECRET file = {0};
    OWNED_SECRET used = {0};
    make("alice", codes, &file);
    assert_int_equal(recovery_use(secret_peek(&file), "bob", cursor_of_text(codes[0]), 1, &used),
                     ERR_NOT_FOUND);
    assert_int_equal(recovery_use(cursor_of_text(""), "alice", cursor_of_text(codes[0]), 1, &used),
                     ERR_NOT_FOUND);
    assert_null(used.bytes);
}

static void comments_stay_and_typing_is_forgiven(void **state)
{
    (void)state;
    char codes[COUNT][RECOVERY_CODE_BYTES];
    OWNED_SECRET file = {0};
    make("alice", codes, &file);
    char text[RECOVERY_FILE_BYTES];
    (void)snprintf(text, sizeof text, "# made by hand\n\n%.*s", (int)file.len_bytes,
                   (const char *)file.bytes);
    OWNED_SECRET used = {0};
    assert_int_equal(
        recovery_use(cursor_of_text(text), "alice", cursor_of_text(" AAAA aaaaAAAA-aaaa "), 1, &used),
        ERR_NONE);
    assert_memory_equal(used.bytes, "# made by hand\n\n", 16);
    assert_int_equal(recovery_left(secret_peek(&used)), COUNT - 1);
}

static void other_shapes_are_no_codes(void **state)
{
    (void)state;
    static const char *const OTHER[] = {"",
                                        "123456",
                                        "aaaa-aaaa-aaaa-aaa",
                                        "aaaa-aaaa-aaaa-aaaaa",
                                        "aaaa-aaaa-aaaa-aaa1",
                                        "aaaa.aaaa.aaaa.aaaa"};
    for (size_t i = 0; i < sizeof OTHER / sizeof OTHER[0]; i++) {
        assert_false(recovery_is_code(cursor_of_text(OTHER[i])));
    }
    assert_false(recovery_is_code(cursor_of("aaaa-aaaa-aaaa-aa\0a", 19)));
    assert_true(recovery_is_code(cursor_of_text("aaaa-aaaa-aaaa-aaaa")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_is_good_once_and_the_file_holds_no_code),
        cmocka_unit_test(code_of_another_person_is_none),
        cmocka_unit_test(comments_stay_and_typing_is_forgiven),
        cmocka_unit_test(other_shapes_are_no_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
