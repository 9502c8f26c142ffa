/* Peers that break the protocol end their own connection, with one sentence, and what was asked is recorded
 * as lost. */
#include "pg_operations.h"
#include "pg_talk.h"

static struct talk talk;

static void begin(void)
{
    talk_begin(&talk, (struct db_config){0});
    talk_login(&talk);
    talk_log_is(&talk, LOGIN_LOG);
}

static void expect_end(enum db_end end, const char *sentence)
{
    const char *said = NULL;
    if (db_relay_end(talk.relay, &said) != end || strcmp(said, sentence) != 0) {
        (void)fprintf(stderr, "expected %s\ngot      %s\n", sentence, said);
        fail();
    }
    assert_int_equal(db_relay_need(talk.relay), DB_NEED_END);
    /* What comes afterwards changes nothing. */
    size_t records = talk.records;
    talk_drain(&talk);
    talk_forget(&talk);
    struct cursor more = cursor_of_text("more");
    assert_int_equal(db_relay_feed(talk.relay, DB_CLIENT, &more, 1), ERR_NONE);
    assert_int_equal(db_relay_eof(talk.relay, DB_TARGET, 1), ERR_NONE);
    assert_int_equal(db_relay_refuse(talk.relay, DB_REFUSED_ENDED, "again", 1), ERR_NONE);
    talk_drain(&talk);
    assert_int_equal(queue_len(&talk.got[DB_CLIENT]) + queue_len(&talk.got[DB_TARGET]), 0);
    assert_int_equal(talk.records, records);
    talk_end(&talk);
}

static void expect_fatal(const char *code, const char *sentence)
{
    talk_expect(&talk, DB_CLIENT, 'E', "bsbsbsbsb", 'S', "FATAL", 'V', "FATAL", 'C', code, 'M', sentence, 0);
}

#define CLIENT_WRONG "the client sent a malformed message, or one that may not come now"

static void clients_that_break_the_protocol_are_ended(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } CASES[] = {
        {"Q\0\0\0\3", 5},         /* shorter than its own length */
        {"Q\xff\xff\xff\xff", 5}, /* longer than the server takes */
        {"Q\0\0\0\4", 5},         /* no text */
        {"Q\0\0\0\7ab\0", 8},     /* good until here ... */
        {"Q\0\0\0\x08"
         "a\0b\0",
         9},                  /* two texts */
        {"Q\0\0\0\6ab", 7},   /* no end */
        {"P\0\0\0\7a\0b", 8}, /* no types */
        {"P\0\0\0\x0a"
         "a\0b\0\0\1",
         11}, /* one type is missing */
        {"P\0\0\0\x0b"
         "a\0b\0\0\0x",
         12},                                    /* something behind the types */
        {"B\0\0\0\x0c\0\0\0\2\0\0\0\0", 13},     /* two formats, no values */
        {"B\0\0\0\x0e\0\0\0\0\0\1\0\0\0\5", 15}, /* a value that goes on behind the end */
        {"B\0\0\0\x0c\0\0\0\0\0\0\0\1", 13},     /* a format of a result is missing */
        {"D\0\0\0\6Xa", 7},                      /* neither a statement nor a portal */
        {"D\0\0\0\x07Xa\0", 8},
        {"E\0\0\0\5\0", 6}, /* no count */
        {"C\0\0\0\6Ss", 7}, /* no end */
        {"S\0\0\0\5x", 6},  /* something in a Sync */
        {"X\0\0\0\5x", 6},
        {"p\0\0\0\5x", 6}, /* a password after the login */
        {"Z\0\0\0\5I", 6}, /* the server's */
        {"\0\0\0\0\4", 5},
        {"H\0\0\xff\xff", 5},
        {"E\0\0\x30\0", 5}, /* longer than a short one may be */
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        for (size_t chunk = 0; chunk < 3; chunk++) {
            begin();
            talk.chunk_bytes = chunk;
            talk_bytes(&talk, DB_CLIENT, cursor_of(CASES[i].bytes, CASES[i].len));
            if (i == 3) {
                assert_int_equal(db_relay_end(talk.relay, NULL), DB_END_NONE);
                talk_end(&talk);
                continue;
            }
            expect_fatal("08P01", CLIENT_WRONG);
            assert_int_equal(queue_len(&talk.got[DB_TARGET]), 0);
            expect_end(DB_END_CLIENT, CLIENT_WRONG);
        }
    }
}

#define NOTHING_ASKED "the target sent an answer to nothing that was asked"
#define TARGET_WRONG "the target sent a malformed message"

static void targets_that_break_the_protocol_are_ended(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *sentence;
        size_t len;
    } CASES[] = {
        {"D\0\0\0\6\0\0", NOTHING_ASKED, 7},
        {"1\0\0\0\4", NOTHING_ASKED, 5},
        {"Z\0\0\0\5I", NOTHING_ASKED, 6},
        {"C\0\0\0\6x\0", NOTHING_ASKED, 7},
        {"d\0\0\0\5x", NOTHING_ASKED, 6},
        {"G\0\0\0\7\0\0\0", NOTHING_ASKED, 8},
        {"V\0\0\0\4", NOTHING_ASKED, 5},
        {"R\0\0\0\x08\0\0\0\3", NOTHING_ASKED, 9}, /* asks for a password again */
        {"K\0\0\0\x0c\0\0\0\1\0\0\0\2", NOTHING_ASKED, 13},
        {"Q\0\0\0\4", NOTHING_ASKED, 5}, /* the client's */
        {"\0\0\0\0\4", TARGET_WRONG, 5},
        {"N\0\0\0\3", TARGET_WRONG, 5},
        {"S\0\1\0\0", TARGET_WRONG, 5},
        {"N\x7f\0\0\0", TARGET_WRONG, 5},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        for (size_t chunk = 0; chunk < 3; chunk++) {
            begin();
            talk.chunk_bytes = chunk;
            talk_bytes(&talk, DB_TARGET, cursor_of(CASES[i].bytes, CASES[i].len));
            expect_fatal("08P01", CASES[i].sentence);
            assert_int_equal(queue_len(&talk.got[DB_CLIENT]), 0);
            expect_end(DB_END_TARGET, CASES[i].sentence);
        }
    }
}

static void answers_in_the_wrong_order_are_ended(void **state)
{
    (void)state;
    static const char ANSWERS[] = "23CDITVZsn"; /* to a Parse: only ParseComplete or an error */
    for (const char *answer = ANSWERS; *answer != 0; answer++) {
        begin();
        CLIENT(&talk, 'P', "ssh", "", "select 1", 0);
        TARGET(&talk, *answer, "");
        talk_log_is(&talk, "1 prepare of=0 bytes=8 name= text=select 1\n"
                           "1 lost tx=- rows=0 bytes=0 us=10 code= \n");
        expect_end(DB_END_TARGET, NOTHING_ASKED);
    }
    begin();
    CLIENT(&talk, 'Q', "s", "select 1");
    TARGET(&talk, 'Z', "b", 'X');
    expect_end(DB_END_TARGET, "the target's state of the transaction is unknown");
    begin();
    CLIENT(&talk, 'Q', "s", "copy t to stdout");
    TARGET(&talk, 'H', "bh", 0, 0);
    TARGET(&talk, 'H', "bh", 0, 0);
    expect_end(DB_END_TARGET, "the target began a COPY in another one");
}

static void messages_without_a_place_in_the_login_are_ended(void **state)
{
    (void)state;
    static const char TYPES[] = "DTCZKSA1Gd";
    for (const char *type = TYPES; *type != 0; type++) {
        talk_begin(&talk, (struct db_config){0});
        talk_bytes(&talk, DB_TARGET, cursor_of_text("S"));
        CLIENT(&talk, 0, "issb", 196608U, "user", "bob", 0);
        TARGET(&talk, *type, "");
        expect_end(DB_END_TARGET, "the target sent a message that has no place in a login");
    }
    talk_begin(&talk, (struct db_config){0});
    talk_bytes(&talk, DB_TARGET, cursor_of_text("S"));
    TARGET(&talk, 'R', "i", 0U);
    expect_end(DB_END_TARGET, "the target spoke before it was asked");
}

/* The client is in the middle of a row: an error there would be taken for data. */
static void violation_inside_a_message_closes_without_an_error(void **state)
{
    (void)state;
    begin();
    CLIENT(&talk, 'Q', "s", "select 1");
    talk_bytes(&talk, DB_TARGET, cursor_of("D\0\0\1\0\0\1", 7));
    talk_forget(&talk);
    assert_int_equal(db_relay_refuse(talk.relay, DB_REFUSED_ENDED, "the bastion stops", 1), ERR_NONE);
    talk_drain(&talk);
    assert_int_equal(queue_len(&talk.got[DB_CLIENT]), 0);
    expect_end(DB_END_REFUSED, "the bastion stops");
}

static void end_from_outside_is_an_error_between_messages(void **state)
{
    (void)state;
    begin();
    CLIENT(&talk, 'Q', "s", "select pg_sleep(60)");
    assert_int_equal(db_relay_refuse(talk.relay, DB_REFUSED_ENDED, "the bastion stops", 2000), ERR_NONE);
    talk_drain(&talk);
    expect_fatal("57P01", "the bastion stops");
    talk_log_is(&talk, "1 query of=0 bytes=19 name= text=select pg_sleep(60)\n"
                       "1 lost tx=- rows=0 bytes=0 us=910 code= \n");
    expect_end(DB_END_REFUSED, "the bastion stops");
}

static void lost_target_is_an_error_for_the_client(void **state)
{
    (void)state;
    begin();
    CLIENT(&talk, 'Q', "s", "select 1");
    TARGET(&talk, 'E', "bsbsbsb", 'S', "FATAL", 'C', "57P01", 'M', "shut down", 0);
    talk_forget(&talk);
    assert_int_equal(db_relay_eof(talk.relay, DB_TARGET, talk.now_us), ERR_NONE);
    talk_drain(&talk);
    expect_fatal("08006", "the target closed the connection");
    talk_log_is(&talk, "1 query of=0 bytes=8 name= text=select 1\n"
                       "1 error tx=- rows=0 bytes=0 us=10 code=57P01 shut down\n");
    expect_end(DB_END_LOST, "the target closed the connection");
    begin();
    TARGET(&talk, 'E', "bsbsbsb", 'S', "FATAL", 'C', "57P01", 'M', "shut down", 0); /* answers nothing */
    talk_log_is(&talk, "notice FATAL 57P01 shut down\n");
    assert_int_equal(db_relay_eof(talk.relay, DB_TARGET, 1), ERR_NONE);
    expect_end(DB_END_CLOSED, "the target closed the connection");
}

/* Flushes of the server make room long before: who waits here waits for a server that does not answer. */
static void operations_without_an_answer_are_bounded(void **state)
{
    (void)state;
    begin();
    talk.is_quiet = true;
    for (unsigned i = 0; i < PG_OPERATIONS_MAX + 10; i++) {
        CLIENT(&talk, 'D', "bs", 'S', "");
        talk_forget(&talk);
    }
    assert_int_equal(queue_len(&talk.left[DB_CLIENT]), 70);
    TARGET(&talk, 'n', "");
    assert_int_equal(queue_len(&talk.left[DB_CLIENT]), 63);
    talk_end(&talk);
}

/* An owner that cannot record: nothing of the statement is queued. */
static enum err no_record(void *owner, uint8_t kind, struct cursor head, struct cursor body)
{
    (void)head;
    (void)body;
    unsigned *left = owner;
    return kind == RECORD_DB_STATEMENT && (*left)-- == 0 ? ERR_CLOSED : ERR_NONE;
}

static enum err no_key(void *owner, struct cursor key)
{
    (void)owner;
    (void)key;
    return ERR_NONE;
}

static void statement_without_a_record_does_not_pass(void **state)
{
    (void)state;
    static const uint8_t STARTUP[] = "\0\0\0\x10\0\3\0\0user\0u\0";
    unsigned left = 0;
    const struct db_config config = {.protocol = DB_POSTGRES};
    const struct db_owner owner = {.record = no_record, .cancel_key = no_key, .owner = &left};
    const struct db_rights rights = {0};
    const struct db_tls tls = {0};
    struct db_relay *relay = NULL;
    assert_int_equal(db_relay_new(&config, &owner, &relay), ERR_NONE);
    struct queue *out = db_relay_out(relay, DB_TARGET);
    struct cursor bytes = cursor_of_text("S");
    assert_int_equal(db_relay_feed(relay, DB_TARGET, &bytes, 1), ERR_NONE);
    assert_int_equal(db_relay_tls_ready(relay, DB_TARGET, &tls, 1), ERR_NONE);
    bytes = cursor_of(STARTUP, sizeof STARTUP);
    assert_int_equal(db_relay_feed(relay, DB_CLIENT, &bytes, 1), ERR_NONE);
    assert_int_equal(db_relay_granted(relay, &rights, cursor_of(NULL, 0), 1), ERR_NONE);
    bytes = cursor_of("R\0\0\0\x08\0\0\0\0Z\0\0\0\5I", 15);
    assert_int_equal(db_relay_feed(relay, DB_TARGET, &bytes, 1), ERR_NONE);
    queue_consume(out, queue_len(out));
    bytes = cursor_of("Q\0\0\0\6x", 7);
    assert_int_equal(db_relay_feed(relay, DB_CLIENT, &bytes, 1), ERR_CLOSED);
    assert_int_equal(queue_len(out), 0);
    db_relay_free(relay);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(clients_that_break_the_protocol_are_ended),
        cmocka_unit_test(targets_that_break_the_protocol_are_ended),
        cmocka_unit_test(answers_in_the_wrong_order_are_ended),
        cmocka_unit_test(messages_without_a_place_in_the_login_are_ended),
        cmocka_unit_test(violation_inside_a_message_closes_without_an_error),
        cmocka_unit_test(end_from_outside_is_an_error_between_messages),
        cmocka_unit_test(lost_target_is_an_error_for_the_client),
        cmocka_unit_test(operations_without_an_answer_are_bounded),
        cmocka_unit_test(statement_without_a_record_does_not_pass),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
