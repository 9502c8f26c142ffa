#include "pg_talk.h"

/* The same conversation with bytes that come in other pieces: the same records, the same bytes on. */
typedef void conversation(struct talk *talk);

static void in_every_cut(conversation *run, const char *log)
{
    static const size_t CHUNKS[] = {0, 1, 2, 3, 5, 7, 11, 64};
    static struct talk whole;
    static struct talk talk;
    for (size_t i = 0; i < COUNT_OF(CHUNKS); i++) {
        struct talk *one = i == 0 ? &whole : &talk;
        talk_begin(one, (struct db_config){0});
        one->chunk_bytes = CHUNKS[i];
        talk_login(one);
        talk_log_is(one, LOGIN_LOG);
        run(one);
        talk_log_is(one, log);
        for (unsigned side = 0; side < 2; side++) {
            assert_true(cursor_equal(queue_peek(&one->got[side]), queue_peek(&whole.got[side])));
        }
        if (one != &whole) {
            talk_end(one);
        }
    }
    talk_end(&whole);
}

static void say_row(struct talk *talk)
{
    TARGET(talk, 'D', "hn", 1, "7");
}

static void simple_query(struct talk *talk)
{
    CLIENT(talk, 'Q', "s", "select 7; select 8");
    TARGET(talk, 'T', "hsihihih", 1, "?column?", 0U, 0, 23U, 4, 0xffffffffU, 0);
    say_row(talk);
    say_row(talk);
    TARGET(talk, 'C', "s", "SELECT 2");
    TARGET(talk, 'T', "hsihihih", 1, "?column?", 0U, 0, 23U, 4, 0xffffffffU, 0);
    say_row(talk);
    TARGET(talk, 'C', "s", "SELECT 1");
    TARGET(talk, 'Z', "b", 'I');
    CLIENT(talk, 'Q', "s", "");
    TARGET(talk, 'I', "");
    TARGET(talk, 'Z', "b", 'I');
}

static void query_of_two_statements_has_two_results(void **state)
{
    (void)state;
    in_every_cut(simple_query, "1 query of=0 bytes=18 name= text=select 7; select 8\n"
                               "1 done tx=- rows=2 bytes=24 us=40 code= SELECT 2\n"
                               "1 done tx=I rows=1 bytes=12 us=70 code= SELECT 1\n"
                               "2 query of=0 bytes=0 name= text=\n"
                               "2 done tx=I rows=0 bytes=0 us=10 code= \n");
}

static void failing_query(struct talk *talk)
{
    CLIENT(talk, 'Q', "s", "update t set a = 1");
    TARGET(talk, 'N', "bsbsbsb", 'S', "NOTICE", 'C', "00000", 'M', "careful", 0);
    TARGET(talk, 'E', "bsbsbsbsb", 'S', "FEHLER", 'V', "ERROR", 'C', "42P01", 'M', "no such table", 0);
    TARGET(talk, 'Z', "b", 'E');
    CLIENT(talk, 'X', "");
}

static void error_of_a_query_is_recorded(void **state)
{
    (void)state;
    in_every_cut(failing_query, "1 query of=0 bytes=18 name= text=update t set a = 1\n"
                                "notice NOTICE 00000 careful\n"
                                "1 error tx=E rows=0 bytes=0 us=20 code=42P01 no such table\n");
}

static void prepared(struct talk *talk)
{
    CLIENT(talk, 'P', "ssh", "s1", "select $1, $2, $3", 0);
    CLIENT(talk, 'D', "bs", 'S', "s1");
    CLIENT(talk, 'S', "");
    TARGET(talk, '1', "");
    TARGET(talk, 't', "hiii", 3, 25U, 23U, 17U);
    TARGET(talk, 'n', "");
    TARGET(talk, 'Z', "b", 'I');
    CLIENT(talk, 'B', "sshhhhhnnih", "", "s1", 3, 0, 1, 0, 3, "text", "\1\1\1\1", 0xffffffffU, 0);
    CLIENT(talk, 'E', "si", "", 0U);
    CLIENT(talk, 'S', "");
    TARGET(talk, '2', "");
    say_row(talk);
    TARGET(talk, 'C', "s", "SELECT 1");
    TARGET(talk, 'Z', "b", 'T');
    CLIENT(talk, 'C', "bs", 'S', "s1");
    CLIENT(talk, 'S', "");
    TARGET(talk, '3', "");
    TARGET(talk, 'Z', "b", 'T');
}

static void parameters_carry_types_formats_and_null(void **state)
{
    (void)state;
    in_every_cut(prepared, "1 prepare of=0 bytes=17 name=s1 text=select $1, $2, $3\n"
                           "2 execute of=1 bytes=0 name=s1 text=\n"
                           "2 parameter 0 type=25 format=0 bytes=4 text\n"
                           "2 parameter 1 type=23 format=1 bytes=4 ????\n"
                           "2 parameter 2 type=17 format=2 bytes=0 \n"
                           "2 done tx=T rows=1 bytes=12 us=40 code= SELECT 1\n"
                           "3 close of=1 bytes=0 name=s1 text=\n");
}

static void bind_and_execute(struct talk *talk, const char *statement, const char *value)
{
    CLIENT(talk, 'B', "sshhnh", "", statement, 0, 1, value, 0);
    CLIENT(talk, 'E', "si", "", 0U);
}

static void pipeline(struct talk *talk)
{
    CLIENT(talk, 'P', "ssh", "", "insert into t values ($1)", 0);
    for (unsigned i = 0; i < 5; i++) {
        bind_and_execute(talk, "", i == 3 ? "bad" : "good");
    }
    CLIENT(talk, 'P', "ssh", "late", "select 1", 0);
    CLIENT(talk, 'S', "");
    TARGET(talk, '1', "");
    for (unsigned i = 0; i < 3; i++) {
        TARGET(talk, '2', "");
        TARGET(talk, 'C', "s", "INSERT 0 1");
    }
    TARGET(talk, '2', "");
    TARGET(talk, 'E', "bsbsb", 'C', "23505", 'M', "duplicate", 0);
    TARGET(talk, 'Z', "b", 'I');
    /* "late" was never made. */
    bind_and_execute(talk, "late", "x");
    TARGET(talk, 'E', "bsbsb", 'C', "26000", 'M', "unknown", 0);
    bind_and_execute(talk, "late", "ignored");
    CLIENT(talk, 'S', "");
    TARGET(talk, 'Z', "b", 'I');
}

static void pipeline_after_an_error_is_skipped_to_its_sync(void **state)
{
    (void)state;
    in_every_cut(pipeline, "1 prepare of=0 bytes=25 name= text=insert into t values ($1)\n"
                           "2 execute of=1 bytes=0 name= text=\n"
                           "2 parameter 0 type=0 format=0 bytes=4 good\n"
                           "3 execute of=1 bytes=0 name= text=\n"
                           "3 parameter 0 type=0 format=0 bytes=4 good\n"
                           "4 execute of=1 bytes=0 name= text=\n"
                           "4 parameter 0 type=0 format=0 bytes=4 good\n"
                           "5 execute of=1 bytes=0 name= text=\n"
                           "5 parameter 0 type=0 format=0 bytes=3 bad\n"
                           "6 execute of=1 bytes=0 name= text=\n"
                           "6 parameter 0 type=0 format=0 bytes=4 good\n"
                           "7 prepare of=0 bytes=8 name=late text=select 1\n"
                           "2 done tx=- rows=1 bytes=0 us=130 code= INSERT 0 1\n"
                           "3 done tx=- rows=1 bytes=0 us=130 code= INSERT 0 1\n"
                           "4 done tx=- rows=1 bytes=0 us=130 code= INSERT 0 1\n"
                           "5 error tx=- rows=0 bytes=0 us=130 code=23505 duplicate\n"
                           "6 skipped tx=- rows=0 bytes=0 us=120 code= \n"
                           "7 skipped tx=- rows=0 bytes=0 us=100 code= \n"
                           "8 execute of=0 bytes=0 name=late text=\n"
                           "8 parameter 0 type=0 format=0 bytes=1 x\n"
                           "9 execute of=0 bytes=0 name=late text=\n"
                           "8 error tx=- rows=0 bytes=0 us=20 code=26000 unknown\n"
                           "9 skipped tx=- rows=0 bytes=0 us=0 code= \n"
                           "9 parameter 0 type=0 format=0 bytes=7 ignored\n");
}

static void suspended(struct talk *talk)
{
    CLIENT(talk, 'P', "ssh", "", "select generate_series(1, 3)", 0);
    CLIENT(talk, 'B', "sshhh", "p", "", 0, 0, 0);
    CLIENT(talk, 'E', "si", "p", 2U);
    CLIENT(talk, 'H', "");
    TARGET(talk, '1', "");
    TARGET(talk, '2', "");
    say_row(talk);
    say_row(talk);
    TARGET(talk, 's', "");
    CLIENT(talk, 'E', "si", "p", 2U);
    CLIENT(talk, 'C', "bs", 'P', "p");
    CLIENT(talk, 'E', "si", "c1", 0U); /* of DECLARE, not of a Bind */
    CLIENT(talk, 'S', "");
    say_row(talk);
    TARGET(talk, 'C', "s", "SELECT 1");
    TARGET(talk, '3', "");
    TARGET(talk, 'C', "s", "FETCH 0");
    TARGET(talk, 'Z', "b", 'T');
}

static void portal_run_in_pieces_has_a_result_for_each(void **state)
{
    (void)state;
    in_every_cut(suspended, "1 prepare of=0 bytes=28 name= text=select generate_series(1, 3)\n"
                            "2 execute of=1 bytes=0 name= text=\n"
                            "3 execute of=0 bytes=0 name=c1 text=\n"
                            "2 suspended tx=- rows=2 bytes=24 us=60 code= \n"
                            "2 done tx=- rows=1 bytes=12 us=50 code= SELECT 1\n"
                            "3 done tx=T rows=0 bytes=0 us=50 code= FETCH 0\n");
}

static void function_call(struct talk *talk)
{
    CLIENT(talk, 'F', "ihhhinh", 952U, 1, 1, 1, 0xffffffffU, "", 1);
    CLIENT(talk, 'X', "");
}

static void function_with_fewer_values_than_it_says_is_malformed(void **state)
{
    (void)state;
    static struct talk talk;
    talk_begin(&talk, (struct db_config){0});
    talk_login(&talk);
    function_call(&talk);
    const char *sentence = NULL;
    assert_int_equal(db_relay_end(talk.relay, &sentence), DB_END_CLIENT);
    talk_end(&talk);
}

static void good_function_call(struct talk *talk)
{
    CLIENT(talk, 'F', "ihhhnih", 952U, 1, 1, 2, "\1\1\1\1", 0xffffffffU, 1);
    TARGET(talk, 'V', "n", "\1\1\1\1");
    TARGET(talk, 'Z', "b", 'T');
    CLIENT(talk, 'F', "ihhh", 953U, 0, 0, 0);
    TARGET(talk, 'E', "bsbsb", 'C', "42883", 'M', "none", 0);
    TARGET(talk, 'Z', "b", 'E');
}

static void function_calls_are_recorded_with_their_values(void **state)
{
    (void)state;
    in_every_cut(good_function_call, "1 function of=0 bytes=0 name=952 text=\n"
                                     "1 parameter 0 type=0 format=1 bytes=4 ????\n"
                                     "1 parameter 1 type=0 format=2 bytes=0 \n"
                                     "1 total function call 0 bytes=8 rows=0 sha=e475f94e\n"
                                     "1 done tx=T rows=0 bytes=13 us=10 code= \n"
                                     "2 function of=0 bytes=0 name=953 text=\n"
                                     "2 error tx=E rows=0 bytes=0 us=10 code=42883 none\n");
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(query_of_two_statements_has_two_results),
        cmocka_unit_test(error_of_a_query_is_recorded),
        cmocka_unit_test(parameters_carry_types_formats_and_null),
        cmocka_unit_test(pipeline_after_an_error_is_skipped_to_its_sync),
        cmocka_unit_test(portal_run_in_pieces_has_a_result_for_each),
        cmocka_unit_test(function_with_fewer_values_than_it_says_is_malformed),
        cmocka_unit_test(function_calls_are_recorded_with_their_values),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
