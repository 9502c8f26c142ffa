/* Commands and answers of MySQL where captured conversations do not reach: bounds, waiting, refusals, and
 * peers that break the protocol. */
#include "database/my_talk.h"

#include "crypto/hash.h"

static struct talk talk;
static const char *const OK = "\x00\x00\x00\x02\x00\x00\x00";

static void begin_with(struct db_rights rights, uint32_t more_capabilities)
{
    my_begin(&talk, (struct db_config){0}, 0);
    talk.rights = rights;
    my_ready(&talk, more_capabilities);
}
static void begin(void)
{
    begin_with((struct db_rights){0}, 0);
}
static void target_says_ok(uint8_t sequence)
{
    packet(&talk, DB_TARGET, sequence, cursor_of(OK, 7));
}
static void expect_ended(enum db_end end)
{
    expect_end(&talk, end);
    talk_end(&talk);
}

/* A statement of 64 bytes of parameters is prepared under the number 1. */
static void prepare(uint8_t parameters)
{
    PACKET(&talk, DB_CLIENT, 0,
           "\x16"
           "select ?");
    uint8_t ok[12] = {0, 1, 0, 0, 0, 0, 0, parameters};
    packet(&talk, DB_TARGET, 1, cursor_of(ok, sizeof ok));
    for (uint8_t i = 0; i < parameters; i++) {
        PACKET(&talk, DB_TARGET, (uint8_t)(2 + i),
               "\x03"
               "def");
    }
    if (parameters > 0) {
        PACKET(&talk, DB_TARGET, (uint8_t)(2 + parameters), "\xfe\x00\x00\x02\x00");
    }
    talk_forget(&talk);
    talk.log_bytes = 0;
    talk.log[0] = 0;
}

/* Bounds */

static void feed_filler(enum db_side side, size_t len, size_t *ret_most_waiting)
{
    static uint8_t filler[65536];
    memset(filler, 'x', sizeof filler);
    for (size_t left = len; left > 0;) {
        struct cursor part = cursor_of(filler, left < sizeof filler ? left : sizeof filler);
        left -= cursor_len(&part);
        assert_int_equal(db_relay_feed(talk.relay, side, &part, talk.now_us), ERR_NONE);
        assert_int_equal(cursor_len(&part), 0);
        for (unsigned to = 0; to < 2; to++) {
            struct queue *out = db_relay_out(talk.relay, (enum db_side)to);
            *ret_most_waiting = queue_len(out) > *ret_most_waiting ? queue_len(out) : *ret_most_waiting;
            queue_consume(out, queue_len(out));
        }
    }
}

static void statement_of_many_packets_streams_and_is_hashed(void **state)
{
    (void)state;
    enum { LAST_BYTES = 1000 };
    begin();
    size_t most = 0;
    talk_bytes(&talk, DB_CLIENT, cursor_of("\xff\xff\xff\x00\x03", 5));
    feed_filler(DB_CLIENT, MY_PAYLOAD_BYTES - 1, &most);
    talk_bytes(&talk, DB_CLIENT, cursor_of("\xff\xff\xff\x01", 4));
    feed_filler(DB_CLIENT, MY_PAYLOAD_BYTES, &most);
    talk_bytes(&talk, DB_CLIENT, cursor_of("\xe8\x03\x00\x02", 4));
    feed_filler(DB_CLIENT, LAST_BYTES, &most);
    target_says_ok(3);
    assert_true(most <= 3 * 65536);
    OWNED_SHA256 hash = {0};
    uint8_t digest[CRYPTO_SHA256_BYTES];
    char hex[9];
    crypto_sha256_init(&hash);
    for (size_t i = 0; i < (size_t)2 * MY_PAYLOAD_BYTES - 1 + LAST_BYTES; i++) {
        crypto_sha256_add(&hash, cursor_of("x", 1));
    }
    crypto_sha256_end(&hash, digest);
    char want[512];
    (void)snprintf(want, sizeof want,
                   "1 query of=0 bytes=-1 name= text=<32768 bytes>\n1 more text 0 <32768 bytes>\n"
                   "1 total text 0 bytes=33555429 rows=0 sha=%s\n1 done tx=I rows=0 bytes=11 us=40 code= \n",
                   text_hex(cursor_of(digest, 4), hex, sizeof hex));
    talk_log_is(&talk, want);
    talk_end(&talk);
}

static void row_of_many_packets_streams(void **state)
{
    (void)state;
    begin();
    size_t most = 0;
    PACKET(&talk, DB_CLIENT, 0,
           "\x03"
           "select");
    PACKET(&talk, DB_TARGET, 1, "\x01");
    PACKET(&talk, DB_TARGET, 2,
           "\x03"
           "def");
    PACKET(&talk, DB_TARGET, 3, "\xfe\x00\x00\x02\x00");
    /* A value over 16 MiB begins with 0xfe, as the end of the rows does. */
    talk_bytes(&talk, DB_TARGET, cursor_of("\xff\xff\xff\x04\xfe", 5));
    feed_filler(DB_TARGET, MY_PAYLOAD_BYTES - 1, &most);
    talk_bytes(&talk, DB_TARGET, cursor_of("\xff\xff\xff\x05", 4));
    feed_filler(DB_TARGET, MY_PAYLOAD_BYTES, &most);
    PACKET(&talk, DB_TARGET, 6, ""); /* exactly full: an empty packet ends it */
    PACKET(&talk, DB_TARGET, 7,
           "\x01"
           "y");
    PACKET(&talk, DB_TARGET, 8, "\xfe\x00\x00\x02\x00");
    assert_true(most <= 3 * 65536);
    talk_log_is(&talk, "1 query of=0 bytes=6 name= text=select\n"
                       "1 done tx=I rows=2 bytes=33554479 us=140 code= \n");
    talk_end(&talk);
}

static void parameters_over_64_kib_are_hashed(void **state)
{
    (void)state;
    begin();
    prepare(2);
    size_t most = 0;
    /* execute 1: no NULLs, types BLOB and LONG; 70,000 bytes and a number */
    enum { VALUE_BYTES = 70000, HEAD_BYTES = 1 + 4 + 5 + 1 + 1 + 4 + 4 };
    uint8_t head[64];
    struct writer out = writer_of(head, sizeof head);
    writer_uint_le(&out, 3, HEAD_BYTES + VALUE_BYTES + 4);
    writer_u8(&out, 0);
    writer_bytes(
        &out,
        cursor_of("\x17\x01\x00\x00\x00\x00\x01\x00\x00\x00\x00\x01\xfc\x00\x03\x00\xfd\x70\x11\x01", 20));
    talk_bytes(&talk, DB_CLIENT, written(&out));
    feed_filler(DB_CLIENT, VALUE_BYTES, &most);
    talk_bytes(&talk, DB_CLIENT, cursor_of("\x2a\x00\x00\x00", 4));
    target_says_ok(1);
    assert_non_null(strstr(talk.log, "2 parameter 0 type=252 format=1 bytes=70000 <"));
    assert_non_null(strstr(talk.log, "2 total parameter 0 bytes=70000 rows=0 sha="));
    assert_non_null(strstr(talk.log, "2 parameter 1 type=3 format=1 bytes=4 *"));
    talk_end(&talk);
}

static void parameters_are_kept_as_the_policy_says(void **state)
{
    (void)state;
    static const char EXECUTE[] = "\x17\x01\x00\x00\x00\x00\x01\x00\x00\x00\x00\x01\xfd\x00\x03"
                                  "abc";
    static const char *const WANT[] = {
        [DB_PARAMS_FULL] =
            "2 execute of=1 bytes=0 name=1 text=\n2 parameter 0 type=253 format=0 bytes=3 abc\n",
        [DB_PARAMS_HASH] = "2 execute of=1 bytes=0 name=1 text=\n2 parameter 0 type=253 format=3 bytes=3 \n"
                           "2 total parameter 0 bytes=3 rows=0 sha=ba7816bf\n",
        [DB_PARAMS_NONE] = "2 execute of=1 bytes=0 name=1 text=\n"};
    for (enum db_params params = DB_PARAMS_FULL; params <= DB_PARAMS_NONE; params++) {
        begin_with((struct db_rights){.params = params}, 0);
        prepare(1);
        packet(&talk, DB_CLIENT, 0, cursor_of(EXECUTE, sizeof EXECUTE - 1));
        talk_log_is(&talk, WANT[params]);
        talk_end(&talk);
    }
}

static void parameters_that_are_not_understood_are_kept_as_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *message, *want;
        size_t len;
    } ROWS[] = {
        /* a type that does not exist */
        {"\x17\x01\x00\x00\x00\x00\x01\x00\x00\x00\x00\x01\x77\x00zz", "2 parameter 4294967295 type=0", 16},
        /* types that were never told */
        {"\x17\x01\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00zzzz", "2 parameter 4294967295 type=0", 16},
        /* a length that is none */
        {"\x17\x01\x00\x00\x00\x00\x01\x00\x00\x00\x00\x01\xfd\x00\xff"
         "z",
         "2 parameter 4294967295 type=0", 16},
        /* bytes after the last parameter */
        {"\x17\x01\x00\x00\x00\x00\x01\x00\x00\x00\x00\x01\x01\x00*z", "2 parameter 4294967295 type=0", 16},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        for (size_t chunk = 0; chunk < 2; chunk++) {
            begin();
            prepare(1);
            talk.chunk_bytes = chunk;
            packet(&talk, DB_CLIENT, 0, cursor_of(ROWS[i].message, ROWS[i].len));
            assert_non_null(strstr(talk.log, ROWS[i].want));
            assert_non_null(strstr(talk.log, "2 total parameter 4294967295"));
            target_says_ok(1);
            assert_int_equal(db_relay_need(talk.relay), DB_NEED_NOTHING);
            talk_end(&talk);
        }
    }
}

static void secrets_are_not_recorded(void **state)
{
    (void)state;
    begin();
    PACKET(&talk, DB_CLIENT, 0,
           "\x03"
           "create user bob identified by 'hunter2'");
    EXPECT_PACKET(&talk, DB_TARGET, 0,
                  "\x03"
                  "create user bob identified by 'hunter2'");
    PACKET(&talk, DB_TARGET, 1, "\xff\x28\x04#42000syntax error near 'hunter2'");
    /* Nor what is bound to such a statement later, in one piece or in many. */
    PACKET(&talk, DB_CLIENT, 0,
           "\x16"
           "alter user bob identified by 'x', eve identified by ?");
    PACKET(&talk, DB_TARGET, 1, "\x00\x01\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00");
    PACKET(&talk, DB_TARGET, 2,
           "\x03"
           "def");
    PACKET(&talk, DB_TARGET, 3, "\xfe\x00\x00\x02\x00");
    PACKET(&talk, DB_CLIENT, 0,
           "\x17\x01\x00\x00\x00\x00\x01\x00\x00\x00\x00\x01\xfd\x00\x07"
           "hunter2");
    target_says_ok(1);
    PACKET(&talk, DB_CLIENT, 0, "\x18\x01\x00\x00\x00\x00\x00hunter2");
    PACKET(&talk, DB_CLIENT, 0, "\x17\x01\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00");
    target_says_ok(1);
    assert_null(strstr(talk.log, "hunter2"));
    assert_null(strstr(talk.log, "parameter"));
    assert_non_null(strstr(
        talk.log, "text=create user bob identified by '***'\n1 total text 0 bytes=39 rows=0 sha=none\n"));
    talk_end(&talk);
}

static void too_many_parameters_piece_by_piece_end_the_client(void **state)
{
    (void)state;
    begin();
    for (uint8_t i = 0; i < 65; i++) {
        uint8_t message[] = {0x18, 1, 0, 0, 0, i, 0, 'x'};
        packet(&talk, DB_CLIENT, 0, cursor_of(message, sizeof message));
    }
    expect_ended(DB_END_CLIENT);
}

/* Waiting */

static void more_messages_than_can_wait_are_left_with_the_owner(void **state)
{
    (void)state;
    enum { WAITING = 64 };
    begin();
    for (unsigned i = 0; i < WAITING + 10; i++) {
        PACKET(&talk, DB_CLIENT, 0, "\x0e");
    }
    assert_int_equal(queue_len(&talk.got[DB_TARGET]), WAITING * 5);
    for (unsigned i = 0; i < WAITING + 10; i++) {
        target_says_ok(1);
    }
    assert_int_equal(queue_len(&talk.got[DB_TARGET]), (WAITING + 10) * 5);
    assert_int_equal(queue_len(&talk.got[DB_CLIENT]), (WAITING + 10) * 11);
    assert_int_equal(talk.log_bytes, 0); /* a ping says nothing */
    talk_end(&talk);
}

static bool allows_orders(void *owner, struct cursor user, struct cursor database, const char **ret_reason)
{
    (void)owner;
    *ret_reason = "only orders";
    return cursor_equal_text(user, "orders_rw") && cursor_equal_text(database, "orders");
}

static void refusal_comes_in_its_turn(void **state)
{
    (void)state;
    for (size_t chunk = 0; chunk < 2; chunk++) {
        begin_with((struct db_rights){.allows = allows_orders}, 0);
        talk.chunk_bytes = chunk;
        PACKET(&talk, DB_CLIENT, 0,
               "\x03"
               "select");
        PACKET(&talk, DB_CLIENT, 0,
               "\x02"
               "mysql");
        assert_int_equal(queue_len(&talk.got[DB_CLIENT]), 0);
        target_says_ok(1);
        expect_packet(&talk, DB_CLIENT, 1, cursor_of(OK, 7));
        EXPECT_PACKET(&talk, DB_CLIENT, 1, "\xff\x14\x04#42000only orders");
        PACKET(&talk, DB_CLIENT, 0,
               "\x02"
               "orders");
        EXPECT_PACKET(&talk, DB_TARGET, 0,
                      "\x03"
                      "select");
        EXPECT_PACKET(&talk, DB_TARGET, 0,
                      "\x02"
                      "orders");
        talk_log_is(&talk, "1 query of=0 bytes=6 name= text=select\n"
                           "1 done tx=I rows=0 bytes=11 us=40 code= \n"
                           "refused database mysql as orders_rw: only orders\n"
                           "2 change database of=0 bytes=6 name= text=orders\n");
        talk_end(&talk);
    }
}

static void commands_that_do_not_pass_are_answered(void **state)
{
    (void)state;
    static const uint8_t COMMANDS[] = {0x00, 0x05, 0x06, 0x0b, 0x0f, 0x10, 0x12, 0x13,
                                       0x14, 0x15, 0x1d, 0x1e, 0x20, 0xfa, 0xff};
    begin();
    for (size_t i = 0; i < sizeof COMMANDS; i++) {
        const uint8_t message[] = {COMMANDS[i], 1, 2, 3};
        packet(&talk, DB_CLIENT, 0, cursor_of(message, sizeof message));
        expect_error(&talk, 1047);
        assert_int_equal(queue_len(&talk.got[DB_TARGET]), 0);
    }
    PACKET(&talk, DB_CLIENT, 0,
           "\x03"
           "select");
    EXPECT_PACKET(&talk, DB_TARGET, 0,
                  "\x03"
                  "select");
    talk_end(&talk);
}

static void file_is_refused_without_the_right(void **state)
{
    (void)state;
    begin();
    PACKET(&talk, DB_CLIENT, 0,
           "\x03"
           "load data");
    PACKET(&talk, DB_TARGET, 1, "\xfb/etc/passwd");
    expect_error(&talk, 1227);
    talk_log_is(&talk, "1 query of=0 bytes=9 name= text=load data\n"
                       "refused local infile /etc/passwd: the grant does not allow LOCAL INFILE\n"
                       "1 lost tx=- rows=0 bytes=0 us=20 code= \n");
    expect_ended(DB_END_REFUSED);
}

static void policy_ends_a_connection_between_messages_only(void **state)
{
    (void)state;
    begin();
    assert_int_equal(db_relay_refuse(talk.relay, DB_REFUSED_ENDED, "the day is over", 1), ERR_NONE);
    talk_drain(&talk);
    EXPECT_PACKET(&talk, DB_CLIENT, 0, "\xff\x1d\x04#08S01the day is over");
    expect_ended(DB_END_REFUSED);
    begin();
    PACKET(&talk, DB_CLIENT, 0,
           "\x03"
           "select");
    PACKET(&talk, DB_TARGET, 1, "\x01");
    talk_bytes(&talk, DB_TARGET,
               cursor_of("\x10\x00\x00\x02\x03"
                         "de",
                         7));
    talk_forget(&talk);
    assert_int_equal(db_relay_refuse(talk.relay, DB_REFUSED_ENDED, "the day is over", 1), ERR_NONE);
    talk_drain(&talk);
    assert_int_equal(queue_len(&talk.got[DB_CLIENT]), 0); /* in the middle of a packet nothing can be told */
    expect_ended(DB_END_REFUSED);
}

/* Peers that break the protocol: each ends its own connection, with one reason. */

static void hostile_client_ends(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } ROWS[] = {
        {"\x01\x00\x00\x01\x0e", 5},         /* a message that does not begin at 0 */
        {"\x00\x00\x00\x00", 4},             /* without a command */
        {"\x03\x00\x00\x00\x18\x01\x00", 7}, /* a piece without a statement */
        {"\x02\x00\x00\x00\x19\x01", 6},     /* the end of no statement */
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        begin();
        talk_bytes(&talk, DB_CLIENT, cursor_of(ROWS[i].bytes, ROWS[i].len));
        assert_int_equal(queue_len(&talk.got[DB_TARGET]), 0);
        expect_ended(DB_END_CLIENT);
    }
}

static void continued_message_out_of_order_ends(void **state)
{
    (void)state;
    begin();
    size_t most = 0;
    talk_bytes(&talk, DB_CLIENT, cursor_of("\xff\xff\xff\x00\x03", 5));
    feed_filler(DB_CLIENT, MY_PAYLOAD_BYTES - 1, &most);
    talk_bytes(&talk, DB_CLIENT, cursor_of("\x01\x00\x00\x02x", 5));
    expect_ended(DB_END_CLIENT);
}

static void endless_small_commands_end(void **state)
{
    (void)state;
    begin();
    static const uint8_t FILLER[70000];
    talk_bytes(&talk, DB_CLIENT, cursor_of("\xff\xff\xff\x00\x02", 5));
    talk_bytes(&talk, DB_CLIENT, cursor_of(FILLER, sizeof FILLER));
    expect_ended(DB_END_CLIENT);
}

static void hostile_target_ends(void **state)
{
    (void)state;
    static const struct {
        const char *payload;
        size_t len;
        uint8_t sequence;
    } ROWS[] = {
        {"\x00\x00\x00\x02\x00\x00\x00", 7, 2}, /* out of order */
        {"", 0, 1},                             /* nothing */
        {"\x00\x00", 2, 1},                     /* an OK cut short */
        {"\x00\xfe", 2, 1},                     /* a number cut short */
        {"\xff\xff\xff\x01\x01\x05"
         "stage",
         11, 1},                    /* a progress report that nobody asked for */
        {"\xff", 1, 1},             /* an error cut short */
        {"\xfc\x00\x00", 3, 1},     /* no columns */
        {"\xfd\x00\x00\x01", 4, 1}, /* 65,536 columns */
        {"\x01"
         "more",
         5, 1},                     /* columns, and something after their number */
        {"\xfb/etc/passwd", 12, 9}, /* a file, out of order */
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        for (size_t chunk = 0; chunk < 2; chunk++) {
            begin();
            talk.chunk_bytes = chunk;
            PACKET(&talk, DB_CLIENT, 0,
                   "\x03"
                   "select");
            packet(&talk, DB_TARGET, ROWS[i].sequence, cursor_of(ROWS[i].payload, ROWS[i].len));
            expect_error(&talk, 1158);
            expect_ended(DB_END_TARGET);
        }
    }
}

static void answers_that_nobody_asked_for_end(void **state)
{
    (void)state;
    begin();
    target_says_ok(0);
    expect_ended(DB_END_TARGET);
    /* An error may come unasked: the server tells why it closes. */
    begin();
    PACKET(&talk, DB_TARGET, 0, "\xff\xbf\x0f#HY000idle for too long");
    EXPECT_PACKET(&talk, DB_CLIENT, 0, "\xff\xbf\x0f#HY000idle for too long");
    talk_log_is(&talk, "notice ERROR 4031 HY000 idle for too long\n");
    assert_int_equal(db_relay_eof(talk.relay, DB_TARGET, talk.now_us), ERR_NONE);
    expect_ended(DB_END_CLOSED);
    /* Before the question is over. */
    begin();
    talk_bytes(&talk, DB_CLIENT, cursor_of("\xff\xff\xff\x00\x03", 5));
    size_t most = 0;
    feed_filler(DB_CLIENT, 70000, &most);
    target_says_ok(1);
    expect_ended(DB_END_TARGET);
}

static void hostile_answers_inside_a_result_end(void **state)
{
    (void)state;
    static const struct {
        const char *payload;
        size_t len;
    } ROWS[] = {
        {"\xfe\x00\x00", 3},             /* an end cut short */
        {"\xfe\x00\x00\x02\x00\x00", 6}, /* an end that is too long */
        {"\xff\x01", 2},                 /* an error cut short */
        {"", 0},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        begin();
        PACKET(&talk, DB_CLIENT, 0,
               "\x03"
               "select");
        PACKET(&talk, DB_TARGET, 1, "\x01");
        PACKET(&talk, DB_TARGET, 2,
               "\x03"
               "def");
        PACKET(&talk, DB_TARGET, 3, "\xfe\x00\x00\x02\x00");
        packet(&talk, DB_TARGET, 4, cursor_of(ROWS[i].payload, ROWS[i].len));
        expect_ended(DB_END_TARGET);
    }
    /* Columns that do not end with an EOF. */
    begin();
    PACKET(&talk, DB_CLIENT, 0,
           "\x03"
           "select");
    PACKET(&talk, DB_TARGET, 1, "\x01");
    PACKET(&talk, DB_TARGET, 2,
           "\x03"
           "def");
    PACKET(&talk, DB_TARGET, 3,
           "\x03"
           "def");
    expect_ended(DB_END_TARGET);
}

static void lost_connections_say_which_statement_has_no_answer(void **state)
{
    (void)state;
    begin();
    PACKET(&talk, DB_CLIENT, 0,
           "\x03"
           "select");
    assert_int_equal(db_relay_eof(talk.relay, DB_TARGET, talk.now_us), ERR_NONE);
    talk_drain(&talk);
    expect_error(&talk, 1158);
    talk_log_is(&talk, "1 query of=0 bytes=6 name= text=select\n1 lost tx=- rows=0 bytes=0 us=0 code= \n");
    expect_ended(DB_END_LOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statement_of_many_packets_streams_and_is_hashed),
        cmocka_unit_test(row_of_many_packets_streams),
        cmocka_unit_test(parameters_over_64_kib_are_hashed),
        cmocka_unit_test(parameters_are_kept_as_the_policy_says),
        cmocka_unit_test(parameters_that_are_not_understood_are_kept_as_bytes),
        cmocka_unit_test(secrets_are_not_recorded),
        cmocka_unit_test(too_many_parameters_piece_by_piece_end_the_client),
        cmocka_unit_test(more_messages_than_can_wait_are_left_with_the_owner),
        cmocka_unit_test(refusal_comes_in_its_turn),
        cmocka_unit_test(commands_that_do_not_pass_are_answered),
        cmocka_unit_test(file_is_refused_without_the_right),
        cmocka_unit_test(policy_ends_a_connection_between_messages_only),
        cmocka_unit_test(hostile_client_ends),
        cmocka_unit_test(continued_message_out_of_order_ends),
        cmocka_unit_test(endless_small_commands_end),
        cmocka_unit_test(hostile_target_ends),
        cmocka_unit_test(answers_that_nobody_asked_for_end),
        cmocka_unit_test(hostile_answers_inside_a_result_end),
        cmocka_unit_test(lost_connections_say_which_statement_has_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
