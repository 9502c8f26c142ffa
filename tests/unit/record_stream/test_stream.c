#include "record/stream.h"

#include <string.h>

#include "unit_test.h"

static struct writer writer_all(uint8_t *memory, size_t size)
{
    static const uint8_t HASH[32] = {1, 2, 3};
    struct writer out = writer_of(memory, size);
    struct cursor text = cursor_of_text("text");
    record_write_bytes(&out, RECORD_TERMINAL_OUT, 0, text);
    record_write_bytes(&out, RECORD_STDOUT, 1, text);
    record_write_bytes(&out, RECORD_STDERR, 1, text);
    record_write_bytes(&out, RECORD_STDIN, 1, text);
    record_write_pty(&out, 2, cursor_of_text("xterm"), 80, 24);
    record_write_resize(&out, 2, 120, 50);
    record_write_shell(&out, 2);
    record_write_exec(&out, 2, cursor_of_text("id\0x"));
    record_write_subsystem(&out, 2, cursor_of_text("sftp"));
    record_write_env(&out, 2, cursor_of_text("LANG"), cursor_of_text("C"));
    record_write_signal(&out, 2, cursor_of_text("INT"));
    record_write_exit_status(&out, 2, 3);
    record_write_exit_signal(&out, 2, cursor_of_text("KILL"), true, cursor_of_text("bye"));
    record_write_channel_open(&out, 2, cursor_of_text("session"));
    record_write_channel_close(&out, 2, 10, 20);
    record_write_stream_total(&out, 2, RECORD_STDOUT, 100, 50, HASH);
    record_write_refused(&out, 2, cursor_of_text("x11"), cursor_of_text("not allowed"));
    record_write_target_login(&out, cursor_of_text("ec2-user"), cursor_of_text("SHA256:abc"));
    record_write_note(&out, RECORD_WHOLE_ACCESS, text);
    record_write_end(&out, 0, text);
    record_write_forward_open(&out, 3, cursor_of_text("direct-tcpip"), cursor_of_text("::1"),
                              cursor_of_text("h:1"));
    record_write_forward_close(&out, 3, 30, 40);
    const struct record_file_request request = {.number = 7,
                                                .op = RECORD_FILE_RENAME,
                                                .flags = 1,
                                                .mode = RECORD_FILE_NO_MODE,
                                                .size = 9,
                                                .of = 3,
                                                .of_second = 4,
                                                .path = text,
                                                .second = cursor_of_text("new")};
    record_write_file_request(&out, 2, &request);
    record_write_file_result(&out, 2, 7, 4);
    const struct record_file_total total = {.number = 7,
                                            .read_bytes = 1,
                                            .written_bytes = 2,
                                            .written_order = RECORD_FILE_SEQUENTIAL,
                                            .written_sha256 = cursor_of(HASH, sizeof HASH)};
    record_write_file_total(&out, 2, &total);
    return out;
}

static void stream_of_every_kind_is_read_back(void **state)
{
    (void)state;
    uint8_t memory[2048];
    struct writer out = writer_all(memory, sizeof memory);
    struct cursor in;
    assert_int_equal(writer_done(&out, &in), ERR_NONE);
    struct record_body bodies[RECORD_KIND_COUNT];
    for (unsigned kind = 1; kind <= RECORD_FILE_TOTAL; kind++) {
        if (kind == RECORD_FORWARD_CLOSE + 1) {
            kind = RECORD_FILE_REQUEST; /* the numbers between are not in use */
        }
        struct record record;
        assert_int_equal(record_next(&in, &record), ERR_NONE);
        assert_int_equal(record.kind, kind);
        assert_int_equal(record_body_read(&record, &bodies[kind]), ERR_NONE);
        assert_int_equal(bodies[kind].kind, kind);
        assert_string_not_equal(record_kind_name(kind), "unknown");
    }
    assert_int_equal(cursor_len(&in), 0);
    assert_true(cursor_equal_text(bodies[RECORD_STDIN].bytes, "text"));
    assert_true(cursor_equal_text(bodies[RECORD_PTY].pty.term, "xterm"));
    assert_int_equal(bodies[RECORD_PTY].pty.rows, 24);
    assert_int_equal(bodies[RECORD_RESIZE].pty.cols, 120);
    assert_true(cursor_equal_text(bodies[RECORD_EXEC].text, "id"));
    assert_true(cursor_equal_text(bodies[RECORD_ENV].env.value, "C"));
    assert_int_equal(bodies[RECORD_EXIT_STATUS].exit_status, 3);
    assert_true(bodies[RECORD_EXIT_SIGNAL].exit_signal.has_core);
    assert_true(cursor_equal_text(bodies[RECORD_EXIT_SIGNAL].exit_signal.message, "bye"));
    assert_int_equal(bodies[RECORD_CHANNEL_CLOSE].channel_close.from_target_bytes, 20);
    assert_int_equal(bodies[RECORD_STREAM_TOTAL].stream_total.kept_bytes, 50);
    assert_int_equal(bodies[RECORD_STREAM_TOTAL].stream_total.sha256.at[2], 3);
    assert_true(cursor_equal_text(bodies[RECORD_REFUSED].refused.reason, "not allowed"));
    assert_true(cursor_equal_text(bodies[RECORD_TARGET_LOGIN].target_login.account, "ec2-user"));
    assert_true(cursor_equal_text(bodies[RECORD_END].end.reason, "text"));
    assert_true(cursor_equal_text(bodies[RECORD_FORWARD_OPEN].forward_open.from, "::1"));
    assert_true(cursor_equal_text(bodies[RECORD_FORWARD_OPEN].forward_open.to, "h:1"));
    assert_int_equal(bodies[RECORD_FORWARD_CLOSE].channel_close.from_target_bytes, 40);
    assert_int_equal(bodies[RECORD_FILE_REQUEST].file_request.of_second, 4);
    assert_true(cursor_equal_text(bodies[RECORD_FILE_REQUEST].file_request.second, "new"));
    assert_int_equal(bodies[RECORD_FILE_RESULT].file_result.status, 4);
    assert_int_equal(bodies[RECORD_FILE_TOTAL].file_total.written_bytes, 2);
    assert_int_equal(cursor_len(&bodies[RECORD_FILE_TOTAL].file_total.read_sha256), 0);
    assert_int_equal(cursor_len(&bodies[RECORD_FILE_TOTAL].file_total.written_sha256), 32);
}

static void record_cut_anywhere_is_truncated(void **state)
{
    (void)state;
    uint8_t memory[2048];
    struct writer out = writer_all(memory, sizeof memory);
    struct cursor whole;
    assert_int_equal(writer_done(&out, &whole), ERR_NONE);
    while (cursor_len(&whole) > 0) {
        const uint8_t *start = whole.at;
        struct record record;
        assert_int_equal(record_next(&whole, &record), ERR_NONE);
        for (size_t len = 0; len < (size_t)(whole.at - start); len++) {
            struct cursor in = cursor_of(start, len);
            struct record none;
            assert_int_equal(record_next(&in, &none), ERR_TRUNCATED);
            assert_ptr_equal(in.at, start);
        }
    }
}

static void body_cut_or_with_trailing_byte_is_refused(void **state)
{
    (void)state;
    uint8_t memory[2048];
    struct writer out = writer_all(memory, sizeof memory);
    struct cursor in;
    assert_int_equal(writer_done(&out, &in), ERR_NONE);
    while (cursor_len(&in) > 0) {
        struct record record;
        struct record_body body;
        assert_int_equal(record_next(&in, &record), ERR_NONE);
        if (record.kind <= RECORD_STDIN) {
            continue; /* bytes of any length */
        }
        struct record changed = record;
        for (size_t len = 0; len < cursor_len(&record.body); len++) {
            changed.body = cursor_of(record.body.at, len);
            assert_int_not_equal(record_body_read(&changed, &body), ERR_NONE);
        }
        uint8_t longer[512];
        memcpy(longer, record.body.at, cursor_len(&record.body));
        longer[cursor_len(&record.body)] = 0;
        changed.body = cursor_of(longer, cursor_len(&record.body) + 1);
        assert_int_equal(record_body_read(&changed, &body), ERR_MALFORMED);
    }
}

static void record_over_limit_is_too_large(void **state)
{
    (void)state;
    uint8_t header[] = {0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0};
    struct cursor in = cursor_of(header, sizeof header);
    struct record record;
    assert_int_equal(record_next(&in, &record), ERR_TOO_LARGE);
    header[3] = 0;
    assert_int_equal(record_next(&in, &record), ERR_TRUNCATED);
}

static void unknown_kind_is_not_found(void **state)
{
    (void)state;
    static const uint8_t WIRE[] = {0, 0, 0, 1, 99, 0, 0, 0, 0, 0, 0, 0, 'x'};
    struct cursor in = cursor_of(WIRE, sizeof WIRE);
    struct record record;
    struct record_body body;
    assert_int_equal(record_next(&in, &record), ERR_NONE);
    assert_int_equal(record_body_read(&record, &body), ERR_NOT_FOUND);
    assert_string_equal(record_kind_name(99), "unknown");
}

static void text_with_nul_is_malformed_and_never_written(void **state)
{
    (void)state;
    static const uint8_t WIRE[] = {0, 0, 0, 6, RECORD_NOTE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 'a', 0};
    struct cursor in = cursor_of(WIRE, sizeof WIRE);
    struct record record;
    struct record_body body;
    assert_int_equal(record_next(&in, &record), ERR_NONE);
    assert_int_equal(record_body_read(&record, &body), ERR_MALFORMED);
    uint8_t memory[64];
    struct writer out = writer_of(memory, sizeof memory);
    record_write_note(&out, 0, cursor_of("a\0b", 3));
    assert_int_equal(writer_done(&out, &in), ERR_NONE);
    assert_int_equal(record_next(&in, &record), ERR_NONE);
    assert_int_equal(record_body_read(&record, &body), ERR_NONE);
    assert_true(cursor_equal_text(body.text, "a?b"));
}

static void long_input_is_split_or_cut(void **state)
{
    (void)state;
    static uint8_t bytes[3 * LIMIT_RECORD_BODY_BYTES];
    static uint8_t memory[4 * LIMIT_RECORD_BODY_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor in;
    struct record record;
    struct record_body body;
    memset(bytes, 'a', sizeof bytes);
    record_write_bytes(&out, RECORD_STDOUT, 0, cursor_of(bytes, LIMIT_RECORD_BODY_BYTES + 1));
    record_write_exec(&out, 0, cursor_of(bytes, sizeof bytes));
    record_write_pty(&out, 0, cursor_of(bytes, sizeof bytes), 1, 1);
    assert_int_equal(writer_done(&out, &in), ERR_NONE);
    assert_int_equal(record_next(&in, &record), ERR_NONE);
    assert_int_equal(cursor_len(&record.body), LIMIT_RECORD_BODY_BYTES);
    assert_int_equal(record_next(&in, &record), ERR_NONE);
    assert_int_equal(cursor_len(&record.body), 1);
    assert_int_equal(record_next(&in, &record), ERR_NONE);
    assert_int_equal(record_body_read(&record, &body), ERR_NONE);
    assert_int_equal(cursor_len(&body.text), RECORD_STRING_BYTES);
    assert_int_equal(record_next(&in, &record), ERR_NONE);
    assert_int_equal(record_body_read(&record, &body), ERR_NONE);
    assert_int_equal(cursor_len(&body.pty.term), RECORD_NAME_BYTES);
}

static void writer_without_room_says_so(void **state)
{
    (void)state;
    uint8_t memory[2048];
    struct cursor bytes;
    struct writer whole = writer_all(memory, sizeof memory);
    assert_int_equal(writer_done(&whole, &bytes), ERR_NONE);
    size_t needed = cursor_len(&bytes);
    for (size_t size = 0; size <= needed; size++) {
        struct writer out = writer_all(memory, size);
        assert_int_equal(writer_done(&out, &bytes), size < needed ? ERR_TOO_LARGE : ERR_NONE);
    }
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(stream_of_every_kind_is_read_back),
        cmocka_unit_test(record_cut_anywhere_is_truncated),
        cmocka_unit_test(body_cut_or_with_trailing_byte_is_refused),
        cmocka_unit_test(record_over_limit_is_too_large),
        cmocka_unit_test(unknown_kind_is_not_found),
        cmocka_unit_test(text_with_nul_is_malformed_and_never_written),
        cmocka_unit_test(long_input_is_split_or_cut),
        cmocka_unit_test(writer_without_room_says_so),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
