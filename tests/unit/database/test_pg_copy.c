#include "pg_talk.h"

static struct talk talk;

static void begin(bool may_copy)
{
    talk_begin(&talk, (struct db_config){0});
    talk.rights.copy = may_copy;
    talk.rights.function_call = may_copy;
    talk_login(&talk);
    talk_log_is(&talk, LOGIN_LOG);
}

static void expect_end(enum db_end end, const char *sentence)
{
    const char *said = NULL;
    assert_int_equal(db_relay_end(talk.relay, &said), end);
    assert_string_equal(said, sentence);
    talk_end(&talk);
}

static void expect_refusal(const char *severity, const char *sentence)
{
    talk_expect(&talk, DB_CLIENT, 'E', "bsbsbsbsb", 'S', severity, 'V', severity, 'C', "42501", 'M', sentence,
                0);
}

static void copy_to_the_server_is_counted_and_hashed(void **state)
{
    (void)state;
    static const size_t CHUNKS[] = {0, 1, 3};
    for (size_t i = 0; i < COUNT_OF(CHUNKS); i++) {
        begin(true);
        talk.chunk_bytes = CHUNKS[i];
        CLIENT(&talk, 'Q', "s", "copy t from stdin");
        CLIENT(&talk, 'd', "t", "1\t2\n"); /* sent ahead: it waits for the server's answer */
        talk_expect(&talk, DB_TARGET, 'Q', "s", "copy t from stdin");
        assert_int_equal(queue_len(&talk.got[DB_TARGET]), 0);
        TARGET(&talk, 'G', "bh", 0, 0);
        CLIENT(&talk, 'd', "t", "3\t4\n");
        CLIENT(&talk, 'S', ""); /* the server would ignore it, too */
        talk_expect(&talk, DB_TARGET, 'd', "t", "1\t2\n");
        talk_expect(&talk, DB_TARGET, 'd', "t", "3\t4\n");
        assert_int_equal(queue_len(&talk.got[DB_TARGET]), 0);
        CLIENT(&talk, 'c', "");
        TARGET(&talk, 'C', "s", "COPY 2");
        TARGET(&talk, 'Z', "b", 'I');
        talk_log_is(&talk, "1 query of=0 bytes=17 name= text=copy t from stdin\n"
                           "1 copy copy to the server\n"
                           "1 total copy to the server 0 bytes=8 rows=2 sha=59e75fb0\n"
                           "1 done tx=I rows=2 bytes=0 us=60 code= COPY 2\n");
        talk_end(&talk);
    }
}

static void copy_from_the_server_is_counted_and_hashed(void **state)
{
    (void)state;
    static const size_t CHUNKS[] = {0, 1, 3};
    for (size_t i = 0; i < COUNT_OF(CHUNKS); i++) {
        begin(true);
        talk.chunk_bytes = CHUNKS[i];
        CLIENT(&talk, 'Q', "s", "copy t to stdout");
        TARGET(&talk, 'H', "bh", 0, 0);
        TARGET(&talk, 'd', "t", "1\t2\n");
        TARGET(&talk, 'd', "t", "3\t4\n");
        TARGET(&talk, 'c', "");
        TARGET(&talk, 'C', "s", "COPY 2");
        TARGET(&talk, 'Z', "b", 'I');
        talk_log_is(&talk, "1 query of=0 bytes=16 name= text=copy t to stdout\n"
                           "1 copy copy from the server\n"
                           "1 total copy from the server 0 bytes=8 rows=2 sha=59e75fb0\n"
                           "1 done tx=I rows=2 bytes=18 us=50 code= COPY 2\n");
        talk_end(&talk);
    }
}

static void copy_that_fails_lets_late_data_pass(void **state)
{
    (void)state;
    begin(true);
    CLIENT(&talk, 'Q', "s", "copy t from stdin");
    TARGET(&talk, 'G', "bh", 0, 0);
    CLIENT(&talk, 'd', "t", "bad");
    TARGET(&talk, 'E', "bsbsb", 'C', "22P04", 'M', "bad data", 0);
    TARGET(&talk, 'Z', "b", 'I');
    CLIENT(&talk, 'd', "t", "late");
    CLIENT(&talk, 'f', "s", "stopped");
    CLIENT(&talk, 'Q', "s", "select 1");
    TARGET(&talk, 'C', "s", "SELECT 1");
    TARGET(&talk, 'Z', "b", 'I');
    talk_log_is(&talk, "1 query of=0 bytes=17 name= text=copy t from stdin\n"
                       "1 copy copy to the server\n"
                       "1 total copy to the server 0 bytes=3 rows=1 sha=2f05d4b6\n"
                       "1 error tx=I rows=0 bytes=0 us=30 code=22P04 bad data\n"
                       "2 query of=0 bytes=8 name= text=select 1\n"
                       "2 done tx=I rows=1 bytes=0 us=10 code= SELECT 1\n");
    talk_end(&talk);
}

/* libpq sends Sync with the statement, and another one behind the data. The server ignores the first. */
static void copy_by_the_extended_protocol_ends_at_the_second_sync(void **state)
{
    (void)state;
    begin(true);
    CLIENT(&talk, 'P', "ssh", "", "copy t from stdin", 0);
    CLIENT(&talk, 'B', "sshhh", "", "", 0, 0, 0);
    CLIENT(&talk, 'E', "si", "", 0U);
    CLIENT(&talk, 'S', "");
    TARGET(&talk, '1', "");
    TARGET(&talk, '2', "");
    TARGET(&talk, 'G', "bh", 0, 0);
    CLIENT(&talk, 'd', "t", "1\n");
    CLIENT(&talk, 'c', "");
    CLIENT(&talk, 'S', "");
    TARGET(&talk, 'C', "s", "COPY 1");
    TARGET(&talk, 'Z', "b", 'T');
    talk_log_is(&talk, "1 prepare of=0 bytes=17 name= text=copy t from stdin\n"
                       "2 execute of=1 bytes=0 name= text=\n"
                       "2 copy copy to the server\n"
                       "2 total copy to the server 0 bytes=2 rows=1 sha=4355a46b\n"
                       "2 done tx=T rows=1 bytes=0 us=80 code= COPY 1\n");
    assert_int_equal(db_relay_end(talk.relay, NULL), DB_END_NONE);
    talk_end(&talk);
}

static void refused_copy_to_the_server_fails_and_the_connection_goes_on(void **state)
{
    (void)state;
    begin(false);
    CLIENT(&talk, 'Q', "s", "copy t from stdin");
    talk_forget(&talk);
    TARGET(&talk, 'G', "bh", 0, 0);
    talk_expect(&talk, DB_TARGET, 'f', "s", "refused by the bastion");
    assert_int_equal(queue_len(&talk.got[DB_CLIENT]), 0);
    TARGET(&talk, 'E', "bsbsb", 'C', "57014", 'M', "COPY from stdin failed", 0);
    expect_refusal("ERROR", "the policy of the bastion allows no COPY here");
    TARGET(&talk, 'Z', "b", 'E');
    talk_expect(&talk, DB_CLIENT, 'Z', "b", 'E');
    talk_log_is(
        &talk,
        "1 query of=0 bytes=17 name= text=copy t from stdin\n"
        "refused COPY: the policy of the bastion allows no COPY here\n"
        "1 error tx=E rows=0 bytes=0 us=20 code=42501 the policy of the bastion allows no COPY here\n");
    assert_int_equal(db_relay_end(talk.relay, NULL), DB_END_NONE);
    talk_end(&talk);
}

static void refused_copy_in_a_pipeline_gets_its_sync_again(void **state)
{
    (void)state;
    begin(false);
    CLIENT(&talk, 'P', "ssh", "", "copy t from stdin", 0);
    CLIENT(&talk, 'B', "sshhh", "", "", 0, 0, 0);
    CLIENT(&talk, 'E', "si", "", 0U);
    CLIENT(&talk, 'S', "");
    talk_forget(&talk);
    TARGET(&talk, '1', "");
    TARGET(&talk, '2', "");
    TARGET(&talk, 'G', "bh", 0, 0);
    talk_expect(&talk, DB_TARGET, 'f', "s", "refused by the bastion");
    talk_expect(&talk, DB_TARGET, 'S', "");
    TARGET(&talk, 'E', "bsbsb", 'C', "57014", 'M', "COPY from stdin failed", 0);
    TARGET(&talk, 'Z', "b", 'I');
    assert_int_equal(db_relay_end(talk.relay, NULL), DB_END_NONE);
    talk_end(&talk);
}

static void refused_copy_from_the_server_ends_the_connection(void **state)
{
    (void)state;
    begin(false);
    CLIENT(&talk, 'Q', "s", "copy t to stdout");
    TARGET(&talk, 'H', "bh", 0, 0);
    TARGET(&talk, 'd', "t", "1\t2\n");
    expect_refusal("FATAL", "the policy of the bastion allows no COPY here");
    assert_int_equal(queue_len(&talk.got[DB_CLIENT]), 0);
    talk_log_is(&talk, "1 query of=0 bytes=16 name= text=copy t to stdout\n"
                       "refused COPY: the policy of the bastion allows no COPY here\n"
                       "1 lost tx=- rows=0 bytes=0 us=10 code= \n");
    expect_end(DB_END_REFUSED, "the policy of the bastion allows no COPY here");
}

#define NO_FUNCTION "the policy of the bastion allows no function calls by number here (fastpath)"

static void refused_function_never_reaches_the_target(void **state)
{
    (void)state;
    static const size_t CHUNKS[] = {0, 1, 3};
    for (size_t i = 0; i < COUNT_OF(CHUNKS); i++) {
        begin(false);
        talk.chunk_bytes = CHUNKS[i];
        CLIENT(&talk, 'Q', "s", "begin");
        CLIENT(&talk, 'F', "ihhh", 953U, 0, 0, 0); /* waits for the answer before it */
        TARGET(&talk, 'C', "s", "BEGIN");
        talk_expect(&talk, DB_CLIENT, 'C', "s", "BEGIN");
        assert_int_equal(queue_len(&talk.got[DB_CLIENT]), 0);
        TARGET(&talk, 'Z', "b", 'T');
        talk_expect(&talk, DB_CLIENT, 'Z', "b", 'T');
        expect_refusal("ERROR", NO_FUNCTION);
        talk_expect(&talk, DB_CLIENT, 'Z', "b", 'T');
        CLIENT(&talk, 'Q', "s", "commit");
        talk_expect(&talk, DB_TARGET, 'Q', "s", "begin");
        talk_expect(&talk, DB_TARGET, 'Q', "s", "commit");
        assert_int_equal(queue_len(&talk.got[DB_TARGET]), 0);
        talk_log_is(&talk, "1 query of=0 bytes=5 name= text=begin\n"
                           "1 done tx=T rows=0 bytes=0 us=20 code= BEGIN\n"
                           "refused function call: " NO_FUNCTION "\n"
                           "2 query of=0 bytes=6 name= text=commit\n");
        talk_end(&talk);
    }
}

static void refused_function_in_an_open_pipeline_ends_the_connection(void **state)
{
    (void)state;
    begin(false);
    CLIENT(&talk, 'P', "ssh", "", "select 1", 0);
    CLIENT(&talk, 'F', "ihhh", 953U, 0, 0, 0);
    expect_end(DB_END_REFUSED, NO_FUNCTION);
}

static void replication_is_counted_both_ways(void **state)
{
    (void)state;
    begin(true);
    CLIENT(&talk, 'Q', "s", "START_REPLICATION 0/0");
    TARGET(&talk, 'W', "bh", 0, 0);
    TARGET(&talk, 'd', "t", "wal");
    CLIENT(&talk, 'd', "t", "status");
    TARGET(&talk, 'd', "t", "wal");
    CLIENT(&talk, 'c', "");
    TARGET(&talk, 'c', "");
    TARGET(&talk, 'C', "s", "COPY 0");
    TARGET(&talk, 'Z', "b", 'I');
    talk_log_is(&talk, "1 query of=0 bytes=21 name= text=START_REPLICATION 0/0\n"
                       "1 copy copy to the server\n"
                       "1 copy copy from the server\n"
                       "1 total copy to the server 0 bytes=6 rows=1 sha=073c1634\n"
                       "1 total copy from the server 0 bytes=6 rows=2 sha=6c9da4ac\n"
                       "1 done tx=I rows=0 bytes=16 us=70 code= COPY 0\n");
    talk_end(&talk);
}

static void statements_behind_a_copy_that_waits_for_data_are_refused(void **state)
{
    (void)state;
    begin(true);
    CLIENT(&talk, 'Q', "s", "copy t from stdin");
    CLIENT(&talk, 'Q', "s", "drop table t");
    TARGET(&talk, 'G', "bh", 0, 0);
    expect_end(DB_END_CLIENT, "the client sent statements behind a COPY that waits for its data");
    begin(true);
    CLIENT(&talk, 'Q', "s", "copy t from stdin");
    TARGET(&talk, 'G', "bh", 0, 0);
    CLIENT(&talk, 'Q', "s", "drop table t");
    expect_end(DB_END_CLIENT, "the client sent something else than data during a COPY");
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(copy_to_the_server_is_counted_and_hashed),
        cmocka_unit_test(copy_from_the_server_is_counted_and_hashed),
        cmocka_unit_test(copy_that_fails_lets_late_data_pass),
        cmocka_unit_test(copy_by_the_extended_protocol_ends_at_the_second_sync),
        cmocka_unit_test(refused_copy_to_the_server_fails_and_the_connection_goes_on),
        cmocka_unit_test(refused_copy_in_a_pipeline_gets_its_sync_again),
        cmocka_unit_test(refused_copy_from_the_server_ends_the_connection),
        cmocka_unit_test(refused_function_never_reaches_the_target),
        cmocka_unit_test(refused_function_in_an_open_pipeline_ends_the_connection),
        cmocka_unit_test(replication_is_counted_both_ways),
        cmocka_unit_test(statements_behind_a_copy_that_waits_for_data_are_refused),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
