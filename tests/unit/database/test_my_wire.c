/* MySQL's numbers, strings, OK and ERR; greeting and login. */
#include "../../../gateway/database/my_handshake.h"

#include "unit_test.h"

#include <string.h>

static void lengths_are_written_and_read_at_every_edge(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        size_t len;
    } ROWS[] = {{0, 1},     {250, 1},      {251, 3},       {65535, 3},
                {65536, 4}, {0xffffff, 4}, {0x1000000, 9}, {UINT64_MAX, 9}};
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        uint8_t memory[16];
        struct writer out = writer_of(memory, sizeof memory);
        my_write_length(&out, ROWS[i].value);
        assert_int_equal(out.at - out.start, ROWS[i].len);
        uint64_t value = 0;
        for (size_t len = 0; len < ROWS[i].len; len++) {
            struct cursor cut = cursor_of(memory, len);
            assert_int_equal(my_read_length(&cut, &value), ERR_TRUNCATED);
            assert_int_equal(cursor_len(&cut), len);
        }
        struct cursor in = cursor_of(memory, ROWS[i].len);
        assert_int_equal(my_read_length(&in, &value), ERR_NONE);
        assert_true(value == ROWS[i].value);
    }
    for (unsigned first = 0xfb; first <= 0xff; first += 4) {
        uint8_t byte = (uint8_t)first;
        struct cursor in = cursor_of(&byte, 1);
        uint64_t value = 0;
        assert_int_equal(my_read_length(&in, &value), ERR_MALFORMED);
    }
}

static void string_over_its_limit_is_too_large(void **state)
{
    (void)state;
    static const uint8_t WIRE[] = {3, 'a', 'b', 'c'};
    struct cursor in = cursor_of(WIRE, sizeof WIRE);
    struct cursor bytes;
    assert_int_equal(my_read_string(&in, 2, &bytes), ERR_TOO_LARGE);
    assert_int_equal(my_read_string(&in, 3, &bytes), ERR_NONE);
    assert_true(cursor_equal_text(bytes, "abc"));
    in = cursor_of(WIRE, sizeof WIRE - 1);
    assert_int_equal(my_read_string(&in, 3, &bytes), ERR_TRUNCATED);
    assert_int_equal(cursor_len(&in), sizeof WIRE - 1);
}

static void ok_and_eof_are_read_by_the_capabilities(void **state)
{
    (void)state;
    static const uint8_t OK[] = {0, 0xfc, 1, 1, 7, 3, 0, 2, 0, 4, 'i', 'n', 'f', 'o'};
    static const uint8_t EOF_OLD[] = {0xfe, 2, 0, 0x0a, 0};
    static const uint8_t EOF_NEW[] = {0xfe, 5, 0, 8, 0, 0, 0};
    struct my_ok ok;
    assert_int_equal(my_read_ok(cursor_of(OK, sizeof OK), 0, &ok), ERR_NONE);
    assert_int_equal(ok.affected_rows, 257);
    assert_int_equal(ok.status, MY_IN_TRANSACTION | 2);
    assert_int_equal(ok.warnings, 2);
    assert_true(cursor_equal_text(ok.info, "info"));
    for (size_t len = 0; len < 9; len++) {
        assert_int_equal(my_read_ok(cursor_of(OK, len), 0, &ok), ERR_TRUNCATED);
    }
    assert_int_equal(my_read_ok(cursor_of(EOF_OLD, sizeof EOF_OLD), 0, &ok), ERR_NONE);
    assert_int_equal(ok.status, MY_MORE_RESULTS | 2);
    assert_int_equal(my_read_ok(cursor_of(EOF_OLD, sizeof EOF_OLD), MY_NO_EOF, &ok), ERR_NONE);
    assert_int_equal(my_read_ok(cursor_of(EOF_NEW, sizeof EOF_NEW), MY_NO_EOF, &ok), ERR_NONE);
    assert_int_equal(ok.affected_rows, 5);
    assert_int_equal(my_read_ok(cursor_of(EOF_NEW, sizeof EOF_NEW), 0, &ok), ERR_MALFORMED);
    assert_int_equal(my_read_ok(cursor_of("\x01", 1), 0, &ok), ERR_MALFORMED);
}

static void errors_have_a_state_or_none(void **state)
{
    (void)state;
    uint8_t memory[64];
    uint16_t number = 0;
    struct cursor code;
    struct cursor message;
    for (unsigned has_state = 0; has_state < 2; has_state++) {
        struct writer out = writer_of(memory, sizeof memory);
        struct cursor payload;
        my_write_error(&out, &MY_ACCESS_DENIED, has_state == 1, "no");
        assert_int_equal(writer_done(&out, &payload), ERR_NONE);
        assert_int_equal(my_read_error(payload, &number, &code, &message), ERR_NONE);
        assert_int_equal(number, 1045);
        assert_true(cursor_equal_text(code, has_state == 1 ? "28000" : ""));
        assert_true(cursor_equal_text(message, "no"));
    }
    /* MariaDB's progress report was not asked for. */
    assert_int_equal(my_read_error(cursor_of("\xff\xff\xff\x01", 4), &number, &code, &message),
                     ERR_MALFORMED);
}

static struct my_greeting greeting(void)
{
    struct my_greeting value = {.version = cursor_of_text("8.0.36"),
                                .plugin = cursor_of_text("caching_sha2_password"),
                                .thread_id = 0x01020304,
                                .capabilities = MY_PASSED,
                                .charset = 33,
                                .status = 2};
    memcpy(value.nonce, "abcdefghijklmnopqrst", MY_NONCE_BYTES);
    return value;
}

static void greeting_is_read_as_written_and_cut_is_an_error(void **state)
{
    (void)state;
    uint8_t memory[256];
    struct writer out = writer_of(memory, sizeof memory);
    const struct my_greeting value = greeting();
    my_write_greeting(&out, &value);
    struct cursor payload;
    struct my_greeting read;
    assert_int_equal(writer_done(&out, &payload), ERR_NONE);
    assert_int_equal(my_read_greeting(payload, &read), ERR_NONE);
    assert_true(cursor_equal(read.version, value.version) && cursor_equal(read.plugin, value.plugin));
    assert_int_equal(read.thread_id, value.thread_id);
    assert_int_equal(read.capabilities, value.capabilities);
    assert_memory_equal(read.nonce, value.nonce, MY_NONCE_BYTES);
    size_t plugin_bytes = cursor_len(&value.plugin) + 1;
    for (size_t len = 0; len < cursor_len(&payload) - plugin_bytes; len++) {
        assert_int_not_equal(my_read_greeting(cursor_of(payload.at, len), &read), ERR_NONE);
    }
    memory[0] = 9;
    assert_int_equal(my_read_greeting(payload, &read), ERR_MALFORMED);
}

static void login_is_read_as_written_and_cut_is_an_error(void **state)
{
    (void)state;
    static const uint8_t ATTRIBUTES[] = {1, 'a', 2, 'b', 'c'};
    for (unsigned is_long = 0; is_long < 2; is_long++) {
        uint8_t memory[256];
        struct writer out = writer_of(memory, sizeof memory);
        const struct my_login value = {.capabilities = MY_PROTOCOL_41 | MY_SECURE_CONNECTION |
                                                       MY_PLUGIN_AUTH | MY_ATTRIBUTES | MY_WITH_DATABASE |
                                                       (is_long == 1 ? MY_LONG_AUTH : 0),
                                       .packet_bytes = 1 << 24,
                                       .charset = 45,
                                       .user = cursor_of_text("u"),
                                       .proof = cursor_of_text("proof"),
                                       .database = cursor_of_text("d"),
                                       .plugin = cursor_of_text("p"),
                                       .attributes = cursor_of(ATTRIBUTES, sizeof ATTRIBUTES)};
        my_write_login(&out, &value);
        struct cursor payload;
        struct my_login read;
        assert_int_equal(writer_done(&out, &payload), ERR_NONE);
        assert_int_equal(my_read_login(payload, &read), ERR_NONE);
        assert_true(cursor_equal_text(read.user, "u") && cursor_equal_text(read.proof, "proof"));
        assert_true(cursor_equal_text(read.database, "d") && cursor_equal_text(read.plugin, "p"));
        assert_true(cursor_equal(read.attributes, value.attributes));
        assert_int_equal(read.packet_bytes, 1 << 24);
        for (size_t len = 0; len < 32 + 2 + 6; len++) {
            assert_int_equal(my_read_login(cursor_of(payload.at, len), &read), ERR_TRUNCATED);
        }
        memory[cursor_len(&payload) - 3] = 200; /* an attribute longer than all of them */
        assert_int_equal(my_read_login(payload, &read), ERR_MALFORMED);
    }
}

static void ssl_request_is_a_login_without_a_user(void **state)
{
    (void)state;
    uint8_t memory[64];
    struct writer out = writer_of(memory, sizeof memory);
    const struct my_login value = {.capabilities = MY_PROTOCOL_41 | MY_SECURE_CONNECTION | MY_SSL};
    my_write_ssl_request(&out, &value);
    struct cursor payload;
    struct my_login read;
    assert_int_equal(writer_done(&out, &payload), ERR_NONE);
    assert_int_equal(cursor_len(&payload), 32);
    assert_int_equal(my_read_login(payload, &read), ERR_NONE);
    assert_true(read.is_ssl_request);
    memory[1] &= 0xf7; /* without the flag it is a login that is cut short */
    assert_int_equal(my_read_login(payload, &read), ERR_TRUNCATED);
}

static void change_of_user_is_read_as_written(void **state)
{
    (void)state;
    uint8_t memory[256];
    struct writer out = writer_of(memory, sizeof memory);
    const uint32_t capabilities = MY_PROTOCOL_41 | MY_PLUGIN_AUTH | MY_LONG_AUTH;
    const struct my_login value = {.capabilities = capabilities,
                                   .charset = 0x1234,
                                   .user = cursor_of_text("u"),
                                   .proof = cursor_of_text("proof"),
                                   .database = cursor_of_text("d"),
                                   .plugin = cursor_of_text("p")};
    my_write_change_user(&out, &value);
    struct cursor payload;
    struct my_login read;
    assert_int_equal(writer_done(&out, &payload), ERR_NONE);
    assert_int_equal(my_read_change_user(payload, capabilities, &read), ERR_NONE);
    assert_true(cursor_equal_text(read.user, "u") && cursor_equal_text(read.proof, "proof"));
    assert_true(cursor_equal_text(read.database, "d") && cursor_equal_text(read.plugin, "p"));
    assert_int_equal(read.charset, 0x1234);
    for (size_t len = 0; len < 9; len++) {
        assert_int_equal(my_read_change_user(cursor_of(payload.at, len), capabilities, &read), ERR_TRUNCATED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_are_written_and_read_at_every_edge),
        cmocka_unit_test(string_over_its_limit_is_too_large),
        cmocka_unit_test(ok_and_eof_are_read_by_the_capabilities),
        cmocka_unit_test(errors_have_a_state_or_none),
        cmocka_unit_test(greeting_is_read_as_written_and_cut_is_an_error),
        cmocka_unit_test(login_is_read_as_written_and_cut_is_an_error),
        cmocka_unit_test(ssl_request_is_a_login_without_a_user),
        cmocka_unit_test(change_of_user_is_read_as_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
