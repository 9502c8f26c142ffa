#include "replay/queries.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit_test.h"

enum { LINES_MAX = 64 };

/* What was told, one line each. */
struct told {
    char lines[LINES_MAX][512];
    size_t count;
    struct replay_queries *queries;
};

static enum err keep(void *context, const struct replay_query *query)
{
    struct told *told = context;
    assert_true(told->count < LINES_MAX);
    char *line = told->lines[told->count++];
    int used = snprintf(line, sizeof told->lines[0], "%u/%u %s '%.*s'", query->number, query->part,
                        record_db_operation_name(query->operation), (int)cursor_len(&query->text),
                        (const char *)query->text.at);
    for (size_t i = 0; i < query->parameter_count; i++) {
        char text[REPLAY_VALUE_BYTES];
        used +=
            snprintf(line + used, sizeof told->lines[0] - (size_t)used, " $%zu=%s", i + 1,
                     replay_value_text(replay_queries_protocol(told->queries), &query->parameters[i], text));
    }
    for (size_t i = 0; i < query->transfer_count; i++) {
        used += snprintf(line + used, sizeof told->lines[0] - (size_t)used, " %s:%llu",
                         record_db_what_name(query->transfers[i].what),
                         (unsigned long long)query->transfers[i].bytes);
    }
    if (query->part > 0) {
        (void)snprintf(line + used, sizeof told->lines[0] - (size_t)used, " %s %llu",
                       record_db_outcome_name(query->result.outcome), (unsigned long long)query->result.rows);
    }
    return ERR_NONE;
}

static void take(struct told *told, struct record_body body)
{
    assert_int_equal(replay_queries_take(told->queries, 7, &body), ERR_NONE);
}

static void login(struct told *told, const char *protocol)
{
    take(told, (struct record_body){.kind = RECORD_DB_STARTUP,
                                    .db_startup = {.protocol = cursor_of_text(protocol)}});
}

static void statement(struct told *told, uint32_t number, uint8_t operation, uint32_t of, const char *text)
{
    take(told, (struct record_body){.kind = RECORD_DB_STATEMENT,
                                    .db_statement = {.number = number,
                                                     .operation = operation,
                                                     .of = of,
                                                     .text_bytes = strlen(text),
                                                     .text = cursor_of_text(text)}});
}

static void result(struct told *told, uint32_t number, uint8_t outcome, uint64_t rows)
{
    take(told, (struct record_body){.kind = RECORD_DB_RESULT,
                                    .db_result = {.number = number, .outcome = outcome, .rows = rows}});
}

static void parameter(struct told *told, uint32_t number, uint32_t index, uint32_t type, uint8_t format,
                      struct cursor value)
{
    take(told, (struct record_body){.kind = RECORD_DB_PARAMETER,
                                    .db_parameter = {.number = number,
                                                     .index = index,
                                                     .type = type,
                                                     .format = format,
                                                     .value_bytes = cursor_len(&value),
                                                     .value = value}});
}

static struct told *begin(bool includes_all)
{
    struct told *told = calloc(1, sizeof *told);
    assert_non_null(told);
    assert_int_equal(replay_queries_new(includes_all, keep, told, &told->queries), ERR_NONE);
    return told;
}

static void assert_ended(struct told *told, size_t count, const char *const *lines)
{
    assert_int_equal(replay_queries_finish(told->queries), ERR_NONE);
    for (size_t i = 0; i < told->count && i < count; i++) {
        assert_string_equal(told->lines[i], lines[i]);
    }
    assert_int_equal(told->count, count);
    replay_queries_free(&told->queries);
    free(told);
}
#define ASSERT_ENDED(told, ...)                                                                              \
    assert_ended((told), sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *),                       \
                 (const char *[]){__VA_ARGS__})

static void statement_with_several_results_is_told_with_each(void **state)
{
    (void)state;
    struct told *told = begin(false);
    statement(told, 1, RECORD_DB_QUERY, 0, "select 1; select 2");
    result(told, 1, RECORD_DB_DONE, 1);
    result(told, 1, RECORD_DB_ERROR, 0);
    ASSERT_ENDED(told, "1/1 query 'select 1; select 2' done 1", "1/2 query 'select 1; select 2' error 0");
}

static void execution_has_the_text_of_its_prepare_and_values(void **state)
{
    (void)state;
    static const uint8_t SEVEN[] = {0, 0, 0, 7};
    static const uint8_t MINUS[] = {0xff, 0xff};
    struct told *told = begin(false);
    login(told, "postgres");
    statement(told, 1, RECORD_DB_PREPARE, 0, "update t set a = $1");
    statement(told, 2, RECORD_DB_EXECUTE, 1, "");
    parameter(told, 2, 0, 23, RECORD_DB_AS_BINARY, cursor_of(SEVEN, sizeof SEVEN));
    parameter(told, 2, 1, 21, RECORD_DB_AS_BINARY, cursor_of(MINUS, sizeof MINUS));
    parameter(told, 2, 2, 0, RECORD_DB_AS_TEXT, cursor_of_text("a\nb"));
    parameter(told, 2, 3, 0, RECORD_DB_NULL, cursor_of(NULL, 0));
    parameter(told, 2, 4, 17, RECORD_DB_AS_BINARY, cursor_of(MINUS, sizeof MINUS));
    result(told, 2, RECORD_DB_DONE, 3);
    statement(told, 3, RECORD_DB_EXECUTE, 1, "");
    result(told, 3, RECORD_DB_SKIPPED, 0);
    ASSERT_ENDED(told, "2/1 execute 'update t set a = $1' $1=7 $2=-1 $3=a?b $4=NULL $5=\\xffff done 3",
                 "3/1 execute 'update t set a = $1' skipped 0");
}

static void mysql_numbers_are_little_endian(void **state)
{
    (void)state;
    static const uint8_t BYTES[] = {0xfe, 0xff, 0xff, 0xff};
    struct told *told = begin(false);
    login(told, "mysql");
    statement(told, 1, RECORD_DB_EXECUTE, 0, "");
    parameter(told, 1, 0, 3, RECORD_DB_AS_BINARY, cursor_of(BYTES, sizeof BYTES));
    parameter(told, 1, 1, 253, RECORD_DB_AS_BINARY, cursor_of_text("blue"));
    ASSERT_ENDED(told, "1/0 execute '' $1=-2 $2=blue");
}

static void mysql_values_are_told_by_their_type(void **state)
{
    (void)state;
    static const struct {
        uint32_t type;
        uint8_t bytes[12];
        size_t len;
        const char *want;
    } ROWS[] = {
        {1, {0xff}, 1, "-1"},
        {0x8001, {0xff}, 1, "255"},
        {2, {0, 0x80}, 2, "-32768"},
        {0x8008, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 8, "18446744073709551615"},
        {4, {0, 0, 0x20, 0x40}, 4, "2.5"},
        {5, {0, 0, 0, 0, 0, 0, 4, 0x40}, 8, "2.5"},
        {9, {0xfe, 0xff, 0xff, 0xff}, 4, "-2"},
        {13, {0xea, 7}, 2, "2026"},
        {10, {0xea, 7, 2, 3}, 4, "2026-02-03"},
        {12, {0xea, 7, 2, 3, 4, 5, 6}, 7, "2026-02-03 04:05:06"},
        {7, {0xea, 7, 2, 3, 4, 5, 6, 7, 0, 0, 0}, 11, "2026-02-03 04:05:06.000007"},
        {12, {0}, 0, "0000-00-00"},
        {11, {1, 2, 0, 0, 0, 3, 4, 5}, 8, "-51:04:05"},
        {11, {0, 0, 0, 0, 0, 3, 4, 5, 7, 0, 0, 0}, 12, "03:04:05.000007"},
        {11, {0}, 0, "00:00:00"},
        {3, {1, 0xff}, 2, "\\x01ff"},       /* not as long as its type */
        {12, {0xea, 7, 2}, 3, "\\xea0702"}, /* the same */
        {11, {0xff}, 1, "\\xff"},
        {252, {0, 1}, 2, "\\x0001"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        char text[REPLAY_VALUE_BYTES];
        const struct replay_value value = {.value = cursor_of(ROWS[i].bytes, ROWS[i].len),
                                           .type = ROWS[i].type,
                                           .format = RECORD_DB_AS_BINARY,
                                           .value_bytes = ROWS[i].len};
        assert_string_equal(replay_value_text("mysql", &value, text), ROWS[i].want);
    }
}

static void statement_without_a_result_is_told_when_a_later_one_has_one(void **state)
{
    (void)state;
    struct told *told = begin(false);
    statement(told, 1, RECORD_DB_QUERY, 0, "a");
    statement(told, 2, RECORD_DB_QUERY, 0, "b");
    result(told, 2, RECORD_DB_DONE, 0);
    statement(told, 3, RECORD_DB_QUERY, 0, "c");
    ASSERT_ENDED(told, "1/0 query 'a'", "2/1 query 'b' done 0", "3/0 query 'c'");
}

static void prepared_texts_are_told_alone_only_when_asked(void **state)
{
    (void)state;
    struct told *told = begin(true);
    statement(told, 1, RECORD_DB_PREPARE, 0, "select 1");
    statement(told, 2, RECORD_DB_CLOSE, 1, "");
    statement(told, 3, RECORD_DB_QUERY, 0, "select 2");
    ASSERT_ENDED(told, "1/0 prepare 'select 1'", "2/0 close 'select 1'", "3/0 query 'select 2'");
    told = begin(false);
    statement(told, 1, RECORD_DB_PREPARE, 0, "selekt");
    result(told, 1, RECORD_DB_ERROR, 0);
    ASSERT_ENDED(told, "1/1 prepare 'selekt' error 0");
}

static void pieces_of_a_text_are_joined_and_bounded(void **state)
{
    (void)state;
    struct told *told = begin(false);
    static uint8_t piece[RECORD_DB_PIECE_BYTES];
    memset(piece, 'x', sizeof piece);
    statement(told, 1, RECORD_DB_QUERY, 0, "ab");
    struct record_body more = {
        .kind = RECORD_DB_MORE,
        .db_more = {.number = 1, .what = RECORD_DB_WHAT_TEXT, .bytes = cursor_of_text("cd")}};
    take(told, more);
    more.db_more.number = 9; /* of none */
    take(told, more);
    ASSERT_ENDED(told, "1/0 query 'abcd'");
    told = begin(false);
    statement(told, 1, RECORD_DB_EXECUTE, 0, "");
    parameter(told, 1, 7, 0, RECORD_DB_AS_TEXT, cursor_of_text("lo"));
    more.db_more = (struct record_db_more){
        .number = 1, .what = RECORD_DB_WHAT_PARAMETER, .index = 7, .bytes = cursor_of_text("ng")};
    take(told, more);
    ASSERT_ENDED(told, "1/0 execute '' $1=long");
    told = begin(false);
    statement(told, 1, RECORD_DB_QUERY, 0, "");
    for (size_t i = 0; i < 4; i++) {
        more.db_more = (struct record_db_more){
            .number = 1, .what = RECORD_DB_WHAT_TEXT, .bytes = cursor_of(piece, sizeof piece)};
        take(told, more);
    }
    assert_int_equal(replay_queries_finish(told->queries), ERR_NONE);
    assert_int_equal(told->count, 1);
    replay_queries_free(&told->queries);
    free(told);
}

static void transfer_has_its_totals(void **state)
{
    (void)state;
    struct told *told = begin(false);
    statement(told, 1, RECORD_DB_QUERY, 0, "copy t from stdin");
    take(told, (struct record_body){.kind = RECORD_DB_COPY,
                                    .db_copy = {.number = 1, .what = RECORD_DB_WHAT_COPY_IN}});
    take(told,
         (struct record_body){.kind = RECORD_DB_TOTAL,
                              .db_total = {.number = 1, .what = RECORD_DB_WHAT_COPY_IN, .bytes = 1 << 20}});
    result(told, 1, RECORD_DB_DONE, 10);
    ASSERT_ENDED(told, "1/1 query 'copy t from stdin' copy to the server:1048576 done 10");
}

static void more_statements_than_are_held_are_all_told(void **state)
{
    (void)state;
    struct told *told = begin(false);
    for (uint32_t i = 1; i <= REPLAY_QUERIES_MAX + 3; i++) {
        statement(told, i, RECORD_DB_PREPARE, 0, "x");
    }
    statement(told, REPLAY_QUERIES_MAX + 4, RECORD_DB_EXECUTE, 1,
              ""); /* nobody knows the first text any more */
    statement(told, REPLAY_QUERIES_MAX + 4, RECORD_DB_QUERY, 0, "a number that was there");
    result(told, REPLAY_QUERIES_MAX + 4, RECORD_DB_DONE, 1);
    ASSERT_ENDED(told, "12004/1 execute '' done 1");
}

static void values_of_all_kinds_are_shown(void **state)
{
    (void)state;
    static const struct {
        uint32_t type;
        uint8_t bytes[16];
        size_t len;
        const char *text;
    } ROWS[] = {
        {16, {1}, 1, "true"},
        {20, {0x80, 0, 0, 0, 0, 0, 0, 0}, 8, "-9223372036854775808"},
        {26, {0xff, 0xff, 0xff, 0xff}, 4, "4294967295"},
        {701, {0x3f, 0xf8, 0, 0, 0, 0, 0, 0}, 8, "1.5"},
        {700, {0xc0, 0, 0, 0}, 4, "-2"},
        {1184, {0, 0, 0, 0, 0, 0x0f, 0x42, 0x41}, 8, "2000-01-01 00:00:01.000001"},
        {1114, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 8, "1999-12-31 23:59:59.999999"},
        {2950,
         {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
         16,
         "01020304-0506-0708-090a-0b0c0d0e0f10"},
        {23, {0, 1}, 2, "\\x0001"}, /* not as long as its type */
        {25, {'h', 'i'}, 2, "hi"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        char text[REPLAY_VALUE_BYTES];
        struct replay_value value = {.type = ROWS[i].type,
                                     .format = RECORD_DB_AS_BINARY,
                                     .value_bytes = ROWS[i].len,
                                     .value = cursor_of(ROWS[i].bytes, ROWS[i].len)};
        assert_string_equal(replay_value_text("postgres", &value, text), ROWS[i].text);
    }
    char text[REPLAY_VALUE_BYTES];
    struct replay_value hidden = {.format = RECORD_DB_HASH_ONLY, .value_bytes = 9};
    assert_string_equal(replay_value_text("postgres", &hidden, text), "(9 bytes, not kept)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statement_with_several_results_is_told_with_each),
        cmocka_unit_test(execution_has_the_text_of_its_prepare_and_values),
        cmocka_unit_test(mysql_numbers_are_little_endian),
        cmocka_unit_test(mysql_values_are_told_by_their_type),
        cmocka_unit_test(statement_without_a_result_is_told_when_a_later_one_has_one),
        cmocka_unit_test(prepared_texts_are_told_alone_only_when_asked),
        cmocka_unit_test(pieces_of_a_text_are_joined_and_bounded),
        cmocka_unit_test(transfer_has_its_totals),
        cmocka_unit_test(more_statements_than_are_held_are_all_told),
        cmocka_unit_test(values_of_all_kinds_are_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
