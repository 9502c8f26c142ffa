#include "unit_test.h"

#include <string.h>

#include "replay/database_words.h"

static const uint8_t HASH[32] = {0xab};
static const uint8_t SID[16] = {0x12};

static void every_record_is_one_line_of_words(void **state)
{
    (void)state;
    const struct {
        struct record_body body;
        const char *words;
    } rows[] = {
        {{.kind = RECORD_DB_STARTUP,
          .db_startup = {.protocol = cursor_of_text("postgres"),
                         .user = cursor_of_text("alice"),
                         .database = cursor_of_text("orders"),
                         .application = cursor_of_text("psql\n"),
                         .tls = cursor_of_text("TLSv1.3 X"),
                         .login = cursor_of_text("client scram-sha-256")}},
         "postgres: alice in orders, application \"psql?\", TLSv1.3 X to the target, login: client "
         "scram-sha-256"},
        {{.kind = RECORD_DB_STATEMENT,
          .db_statement = {.number = 3,
                           .operation = RECORD_DB_EXECUTE,
                           .of = 2,
                           .name = cursor_of_text("s1"),
                           .text = cursor_of_text("")}},
         "3 execute of 2 s1: "},
        {{.kind = RECORD_DB_PARAMETER,
          .db_parameter = {.number = 3, .type = 23, .value = cursor_of_text("42")}},
         "3 $1 (type 23) 42"},
        {{.kind = RECORD_DB_PARAMETER,
          .db_parameter =
              {.number = 3, .index = 1, .format = RECORD_DB_AS_BINARY, .value = cursor_of_text("\1\xff")}},
         "3 $2 (type 0, binary) 01ff"},
        {{.kind = RECORD_DB_PARAMETER, .db_parameter = {.number = 3, .format = RECORD_DB_NULL}},
         "3 $1 (type 0) NULL"},
        {{.kind = RECORD_DB_PARAMETER,
          .db_parameter = {.number = 3, .format = RECORD_DB_HASH_ONLY, .value_bytes = 7}},
         "3 $1 (type 0) (7 bytes, not kept)"},
        {{.kind = RECORD_DB_TOTAL,
          .db_total = {.number = 4, .what = RECORD_DB_WHAT_COPY_OUT, .bytes = 9, .rows = 2}},
         ": 9 bytes, 2 rows, SHA-256 not kept"},
        {{.kind = RECORD_DB_TOTAL,
          .db_total = {.number = 4, .what = RECORD_DB_WHAT_TEXT, .sha256 = cursor_of(HASH, sizeof HASH)}},
         "SHA-256 ab0000"},
        {{.kind = RECORD_DB_RESULT,
          .db_result = {.number = 5,
                        .outcome = RECORD_DB_ERROR,
                        .duration_us = 1234,
                        .code = cursor_of_text("42P01"),
                        .message = cursor_of_text("no \x1b[31mtable")}},
         "5 error 42P01, 0 rows, 1.234 ms: no ?[31mtable"},
        {{.kind = RECORD_DB_CANCEL,
          .db_cancel = {.sid = cursor_of(SID, sizeof SID), .how = cursor_of_text("cancel request")}},
         "session 12000000000000000000000000000000: cancel request"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char words[REPLAY_FILE_WORDS_BYTES] = "";
        assert_true(replay_database_words(&rows[i].body, words));
        if (strstr(words, rows[i].words) == NULL || strchr(words, '\n') != NULL) {
            fail_msg("\"%s\" does not contain \"%s\"", words, rows[i].words);
        }
    }
}

static void other_records_have_no_words_here(void **state)
{
    (void)state;
    char words[REPLAY_FILE_WORDS_BYTES];
    const struct record_body more = {.kind = RECORD_DB_MORE};
    const struct record_body shell = {.kind = RECORD_SHELL};
    assert_false(replay_database_words(&more, words));
    assert_false(replay_database_words(&shell, words));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_record_is_one_line_of_words),
        cmocka_unit_test(other_records_have_no_words_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
