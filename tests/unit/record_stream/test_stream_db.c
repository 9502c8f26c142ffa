#include "record/stream.h"

#include <string.h>

#include "unit_test.h"

static const uint8_t HASH[32] = {1, 2, 3};

static struct cursor text(const char *bytes)
{
    return cursor_of_text(bytes);
}

/* One of each kind, in the order of their numbers. */
static size_t bodies_of_every_kind(struct record_body bodies[static 9])
{
    memset(bodies, 0, 9 * sizeof *bodies);
    for (unsigned i = 0; i < 9; i++) {
        bodies[i].kind = (enum record_kind)(RECORD_DB_STARTUP + i);
    }
    bodies[0].db_startup = (struct record_db_startup){.protocol = text("postgres"),
                                                      .user = text("orders_rw"),
                                                      .database = text("orders"),
                                                      .application = text("psql"),
                                                      .parameters = text("client_encoding=UTF8\n"),
                                                      .server_version = text("15.8"),
                                                      .tls = text("TLSv1.3"),
                                                      .certificate_sha256 = cursor_of(HASH, sizeof HASH),
                                                      .login = text("client scram-sha-256")};
    bodies[1].db_statement = (struct record_db_statement){.number = 7,
                                                          .operation = RECORD_DB_EXECUTE,
                                                          .of = 3,
                                                          .text_bytes = 100,
                                                          .name = text("s1"),
                                                          .text = text("select 1")};
    bodies[2].db_more = (struct record_db_more){7, RECORD_DB_WHAT_PARAMETER, 2, text("more")};
    bodies[3].db_parameter = (struct record_db_parameter){7, 1, 23, RECORD_DB_AS_BINARY, 4, text("\1\2\3\4")};
    bodies[4].db_total =
        (struct record_db_total){7, RECORD_DB_WHAT_COPY_OUT, 0, 10, 20, cursor_of(HASH, sizeof HASH)};
    bodies[5].db_copy = (struct record_db_copy){7, RECORD_DB_WHAT_INFILE, text("/etc/passwd")};
    bodies[6].db_result =
        (struct record_db_result){7, RECORD_DB_ERROR, 'E', 1, 2, 3, text("42601"), text("syntax error")};
    bodies[7].db_notice = (struct record_db_notice){text("WARNING"), text("01000"), text("beware")};
    bodies[8].db_cancel = (struct record_db_cancel){cursor_of(HASH, 16), text("allowed")};
    return 9;
}

static struct writer write_all(uint8_t *memory, size_t size)
{
    struct record_body bodies[9];
    size_t count = bodies_of_every_kind(bodies);
    struct writer out = writer_of(memory, size);
    for (size_t i = 0; i < count; i++) {
        record_write_db(&out, 5, &bodies[i]);
    }
    return out;
}

static void every_kind_is_read_back(void **state)
{
    (void)state;
    uint8_t memory[2048];
    struct writer out = write_all(memory, sizeof memory);
    struct cursor in;
    assert_int_equal(writer_done(&out, &in), ERR_NONE);
    struct record_body read[9];
    for (unsigned i = 0; i < 9; i++) {
        struct record record;
        assert_int_equal(record_next(&in, &record), ERR_NONE);
        assert_int_equal(record.kind, RECORD_DB_STARTUP + i);
        assert_int_equal(record.channel, 5);
        assert_int_equal(record_body_read(&record, &read[i]), ERR_NONE);
        assert_string_not_equal(record_kind_name(record.kind), "unknown");
    }
    assert_int_equal(cursor_len(&in), 0);
    assert_true(cursor_equal_text(read[0].db_startup.user, "orders_rw"));
    assert_true(cursor_equal_text(read[0].db_startup.parameters, "client_encoding=UTF8\n"));
    assert_true(cursor_equal_text(read[0].db_startup.login, "client scram-sha-256"));
    assert_int_equal(read[1].db_statement.of, 3);
    assert_int_equal(read[1].db_statement.text_bytes, 100);
    assert_true(cursor_equal_text(read[1].db_statement.text, "select 1"));
    assert_true(cursor_equal_text(read[2].db_more.bytes, "more"));
    assert_int_equal(read[3].db_parameter.type, 23);
    assert_int_equal(cursor_len(&read[3].db_parameter.value), 4);
    assert_int_equal(read[4].db_total.rows, 20);
    assert_int_equal(cursor_len(&read[4].db_total.sha256), 32);
    assert_true(cursor_equal_text(read[5].db_copy.name, "/etc/passwd"));
    assert_int_equal(read[6].db_result.transaction, 'E');
    assert_int_equal(read[6].db_result.duration_us, 3);
    assert_true(cursor_equal_text(read[6].db_result.code, "42601"));
    assert_true(cursor_equal_text(read[7].db_notice.message, "beware"));
    assert_int_equal(cursor_len(&read[8].db_cancel.sid), 16);
    assert_true(cursor_equal_text(read[8].db_cancel.how, "allowed"));
}

static void body_cut_or_with_trailing_byte_is_refused(void **state)
{
    (void)state;
    uint8_t memory[2048];
    struct writer out = write_all(memory, sizeof memory);
    struct cursor in;
    assert_int_equal(writer_done(&out, &in), ERR_NONE);
    while (cursor_len(&in) > 0) {
        struct record record;
        struct record_body body;
        assert_int_equal(record_next(&in, &record), ERR_NONE);
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

/* A value that no version of the format has, at `offset` of the body of a kind. */
static void values_out_of_range_are_malformed(void **state)
{
    (void)state;
    static const struct {
        unsigned kind, offset;
        uint8_t value;
    } CASES[] = {
        {RECORD_DB_STATEMENT, 4, 0},
        {RECORD_DB_STATEMENT, 4, RECORD_DB_OPERATIONS},
        {RECORD_DB_STATEMENT, 16, 7}, /* shorter than what is kept of it */
        {RECORD_DB_MORE, 4, 0},
        {RECORD_DB_MORE, 4, RECORD_DB_WHAT_COPY_IN},
        {RECORD_DB_PARAMETER, 12, RECORD_DB_FORMATS},
        {RECORD_DB_PARAMETER, 20, 3},
        {RECORD_DB_TOTAL, 4, RECORD_DB_WHATS},
        {RECORD_DB_TOTAL, 28, 31},
        {RECORD_DB_COPY, 4, RECORD_DB_WHAT_TEXT},
        {RECORD_DB_RESULT, 4, RECORD_DB_OUTCOMES},
        {RECORD_DB_RESULT, 5, 'x'},
        {RECORD_DB_RESULT, 34, 0}, /* a NUL in a text */
    };
    uint8_t memory[2048];
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct writer out = write_all(memory, sizeof memory);
        struct cursor in;
        assert_int_equal(writer_done(&out, &in), ERR_NONE);
        struct record record;
        struct record_body body;
        do {
            assert_int_equal(record_next(&in, &record), ERR_NONE);
        } while (record.kind != CASES[i].kind);
        assert_int_equal(record_body_read(&record, &body), ERR_NONE);
        memory[record.body.at - memory + CASES[i].offset] = CASES[i].value;
        assert_int_not_equal(record_body_read(&record, &body), ERR_NONE);
    }
}

static void long_input_is_cut_and_stays_readable(void **state)
{
    (void)state;
    static uint8_t bytes[3 * LIMIT_RECORD_BODY_BYTES];
    static uint8_t memory[LIMIT_RECORD_BODY_BYTES];
    struct cursor all = cursor_of(bytes, sizeof bytes); /* NULs */
    struct record_body bodies[9];
    size_t count = bodies_of_every_kind(bodies);
    bodies[0].db_startup = (struct record_db_startup){all, all, all, all, all, all, all, all, all};
    bodies[1].db_statement.name = all;
    bodies[1].db_statement.text = all;
    bodies[1].db_statement.text_bytes = sizeof bytes;
    bodies[2].db_more.bytes = all;
    bodies[3].db_parameter.value = all;
    bodies[3].db_parameter.value_bytes = sizeof bytes;
    bodies[4].db_total.sha256 = all;
    bodies[5].db_copy.name = all;
    bodies[6].db_result.code = all;
    bodies[6].db_result.message = all;
    bodies[7].db_notice = (struct record_db_notice){all, all, all};
    bodies[8].db_cancel = (struct record_db_cancel){all, all};
    for (size_t i = 0; i < count; i++) {
        struct writer out = writer_of(memory, sizeof memory);
        record_write_db(&out, 0, &bodies[i]);
        struct cursor in;
        struct record record;
        struct record_body body;
        assert_int_equal(writer_done(&out, &in), ERR_NONE);
        assert_int_equal(record_next(&in, &record), ERR_NONE);
        assert_int_equal(record_body_read(&record, &body), ERR_NONE);
        struct writer head = writer_of(memory, i == 0 ? RECORD_DB_STARTUP_HEAD_BYTES : RECORD_DB_HEAD_BYTES);
        (void)record_db_head(&head, &bodies[i]);
        assert_int_equal(writer_done(&head, &in), ERR_NONE);
    }
}

static void writer_without_room_says_so(void **state)
{
    (void)state;
    uint8_t memory[2048];
    struct cursor bytes;
    struct writer whole = write_all(memory, sizeof memory);
    assert_int_equal(writer_done(&whole, &bytes), ERR_NONE);
    size_t needed = cursor_len(&bytes);
    for (size_t size = 0; size <= needed; size++) {
        struct writer out = write_all(memory, size);
        assert_int_equal(writer_done(&out, &bytes), size < needed ? ERR_TOO_LARGE : ERR_NONE);
    }
}

static void names_of_numbers_not_in_use_are_unknown(void **state)
{
    (void)state;
    assert_string_equal(record_db_operation_name(RECORD_DB_FUNCTION), "function");
    assert_string_equal(record_db_operation_name(0), "unknown");
    assert_string_equal(record_db_operation_name(RECORD_DB_OPERATIONS), "unknown");
    assert_string_equal(record_db_what_name(RECORD_DB_WHAT_COPY_IN), "copy to the server");
    assert_string_equal(record_db_what_name(99), "unknown");
    assert_string_equal(record_db_outcome_name(RECORD_DB_LOST), "lost");
    assert_string_equal(record_db_outcome_name(RECORD_DB_OUTCOMES), "unknown");
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(every_kind_is_read_back),
        cmocka_unit_test(body_cut_or_with_trailing_byte_is_refused),
        cmocka_unit_test(values_out_of_range_are_malformed),
        cmocka_unit_test(long_input_is_cut_and_stays_readable),
        cmocka_unit_test(writer_without_room_says_so),
        cmocka_unit_test(names_of_numbers_not_in_use_are_unknown),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
