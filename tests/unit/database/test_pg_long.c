/* Messages that are longer than what the relay looks at as a whole: they pass piece by piece in bounded
 * memory. */
#include "crypto/hash.h"
#include "pg_talk.h"

enum { LARGE = 1 << 20, KEPT = 65536 };

static struct talk talk;
static uint8_t large[LARGE];

static void begin(size_t chunk_bytes)
{
    talk_begin(&talk, (struct db_config){0});
    talk_login(&talk);
    talk_log_is(&talk, LOGIN_LOG);
    talk.chunk_bytes = chunk_bytes;
    memset(large, 'x', sizeof large);
}

/* Header, then parts; what the target got is the same. */
static void say(char type, struct cursor head, struct cursor body, struct cursor tail)
{
    uint8_t header[5];
    struct writer out = writer_of(header, sizeof header);
    const struct cursor parts[] = {cursor_of(header, sizeof header), head, body, tail};
    writer_u8(&out, (uint8_t)type);
    writer_u32be(&out, (uint32_t)(4 + cursor_len(&head) + cursor_len(&body) + cursor_len(&tail)));
    talk_forget(&talk);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        talk_bytes(&talk, DB_CLIENT, parts[i]);
    }
    struct cursor got = queue_peek(&talk.got[DB_TARGET]);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        struct cursor part;
        assert_int_equal(cursor_bytes(&got, cursor_len(&parts[i]), &part), ERR_NONE);
        assert_true(cursor_equal(part, parts[i]));
    }
    assert_int_equal(cursor_len(&got), 0);
}

static const char *hash_of(struct cursor bytes)
{
    static char hex[9];
    uint8_t digest[32];
    crypto_sha256(bytes, digest);
    return text_hex(cursor_of(digest, 4), hex, sizeof hex);
}

static struct cursor none(void)
{
    return cursor_of("", 0);
}

static const size_t CHUNKS[] = {0, 1000, 65536};

static void long_query_is_kept_in_part_and_hashed(void **state)
{
    (void)state;
    static const size_t SIZES[] = {KEPT, KEPT + 1, 384 * 1024 - 6, 384 * 1024 - 5, LARGE - 16};
    for (size_t i = 0; i < COUNT_OF(SIZES) * COUNT_OF(CHUNKS); i++) {
        size_t size = SIZES[i % COUNT_OF(SIZES)];
        char log[512];
        int len = 0;
        begin(CHUNKS[i / COUNT_OF(SIZES)]);
        say('Q', none(), cursor_of(large, size), cursor_of("", 1));
        len =
            snprintf(log, sizeof log,
                     "1 query of=0 bytes=%zu name= text=<32768 bytes>\n1 more text 0 <32768 bytes>\n", size);
        if (size > KEPT) {
            (void)snprintf(log + len, sizeof log - (size_t)len, "1 total text 0 bytes=%zu rows=0 sha=%s\n",
                           size, hash_of(cursor_of(large, size)));
        }
        talk_log_is(&talk, log);
        talk_end(&talk);
    }
}

static void long_prepare_tells_its_length_at_the_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CHUNKS); i++) {
        char log[512];
        begin(CHUNKS[i]);
        say('P', cursor_of("name", 5), cursor_of(large, LARGE - 64), cursor_of("\0\0\1\0\0\0\27", 7));
        (void)snprintf(log, sizeof log,
                       "1 prepare of=0 bytes=-1 name=name text=<32768 bytes>\n1 more text 0 <32768 bytes>\n"
                       "1 total text 0 bytes=%d rows=0 sha=%s\n",
                       LARGE - 64, hash_of(cursor_of(large, LARGE - 64)));
        talk_log_is(&talk, log);
        talk_end(&talk);
    }
}

static void long_parameters_are_kept_in_part_and_hashed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CHUNKS); i++) {
        char log[1024];
        uint8_t head[64];
        struct writer out = writer_of(head, sizeof head);
        begin(CHUNKS[i]);
        writer_bytes(&out, cursor_of("\0s1\0\0\3\0\0\0\1\0\0\0\3\xff\xff\xff\xff", 18));
        writer_u32be(&out, LARGE - 64);
        struct cursor head_bytes;
        assert_int_equal(writer_done(&out, &head_bytes), ERR_NONE);
        say('B', head_bytes, cursor_of(large, LARGE - 64), cursor_of("\0\0\0\1z\0\0", 7));
        (void)snprintf(log, sizeof log,
                       "1 execute of=0 bytes=0 name=s1 text=\n"
                       "1 parameter 0 type=0 format=2 bytes=0 \n"
                       "1 parameter 1 type=0 format=1 bytes=%d <32768 bytes>\n"
                       "1 more parameter 1 <32768 bytes>\n"
                       "1 total parameter 1 bytes=%d rows=0 sha=%s\n"
                       "1 parameter 2 type=0 format=0 bytes=1 z\n",
                       LARGE - 64, LARGE - 64, hash_of(cursor_of(large, LARGE - 64)));
        talk_log_is(&talk, log);
        talk_end(&talk);
    }
}

static void hashes_alone_are_kept_where_the_policy_says_so(void **state)
{
    (void)state;
    static const enum db_params PARAMS[] = {DB_PARAMS_HASH, DB_PARAMS_NONE};
    for (size_t i = 0; i < COUNT_OF(PARAMS); i++) {
        talk_begin(&talk, (struct db_config){0});
        talk.rights.params = PARAMS[i];
        talk_login(&talk);
        talk_log_is(&talk, LOGIN_LOG);
        CLIENT(&talk, 'B', "sshhnih", "", "", 0, 2, "abc", 0xffffffffU, 0);
        talk_log_is(&talk, i == 1 ? "1 execute of=0 bytes=0 name= text=\n"
                                  : "1 execute of=0 bytes=0 name= text=\n"
                                    "1 parameter 0 type=0 format=3 bytes=3 \n"
                                    "1 total parameter 0 bytes=3 rows=0 sha=ba7816bf\n"
                                    "1 parameter 1 type=0 format=2 bytes=0 \n");
        talk_end(&talk);
    }
}

static void lengths_that_contradict_each_other_end_the_connection(void **state)
{
    (void)state;
    uint8_t head[64];
    struct writer out = writer_of(head, sizeof head);
    const char *sentence = NULL;
    begin(0);
    writer_u8(&out, 'B');
    writer_u32be(&out, 500000);
    writer_bytes(&out, cursor_of("\0\0\0\0\0\1", 6));
    writer_u32be(&out, 499996);
    talk_bytes(&talk, DB_CLIENT, cursor_of(head, 15));
    talk_bytes(&talk, DB_CLIENT, cursor_of(large, 499985));
    assert_int_equal(db_relay_end(talk.relay, &sentence), DB_END_CLIENT);
    assert_string_equal(sentence, "the client sent a malformed message, or one that may not come now");
    talk_end(&talk);
}

static void secrets_have_no_hash_and_hide_parameters_and_errors(void **state)
{
    (void)state;
    begin(0);
    CLIENT(&talk, 'P', "ssh", "s", "select dblink('password=x', $1)", 0);
    CLIENT(&talk, 'B', "sshhnh", "", "s", 0, 1, "password=y", 0);
    CLIENT(&talk, 'E', "si", "", 0U);
    CLIENT(&talk, 'S', "");
    TARGET(&talk, '1', "");
    TARGET(&talk, '2', "");
    TARGET(&talk, 'E', "bsbsb", 'C', "42601", 'M', "syntax error at or near x", 0);
    TARGET(&talk, 'Z', "b", 'I');
    talk_log_is(&talk, "1 prepare of=0 bytes=31 name=s text=select dblink('***', $1)\n"
                       "2 execute of=1 bytes=0 name=s text=\n"
                       "2 parameter 0 type=0 format=3 bytes=10 \n"
                       "2 error tx=I rows=0 bytes=0 us=40 code=42601 ***\n");
    memcpy(large, "alter role r password '", 23);
    say('Q', none(), cursor_of(large, LARGE - 16), cursor_of("", 1));
    talk_log_is(&talk, "3 query of=0 bytes=1048560 name= text=alter role r password '***'\n"
                       "3 total text 0 bytes=1048560 rows=0 sha=none\n");
    talk_end(&talk);
}

/* A row of nearly 1 GiB by its header; a mebibyte at a time, nothing is kept. */
static void long_rows_stream(void **state)
{
    (void)state;
    uint8_t header[5];
    struct writer out = writer_of(header, sizeof header);
    begin(0);
    talk.is_quiet = true;
    CLIENT(&talk, 'Q', "s", "select 1");
    writer_u8(&out, 'D');
    writer_u32be(&out, 64 * LARGE + 4);
    talk_bytes(&talk, DB_TARGET, cursor_of(header, sizeof header));
    for (unsigned i = 0; i < 64; i++) {
        talk_forget(&talk);
        talk_bytes(&talk, DB_TARGET, cursor_of(large, LARGE));
        assert_int_equal(queue_len(&talk.got[DB_CLIENT]), LARGE);
    }
    talk.is_quiet = false;
    TARGET(&talk, 'C', "s", "SELECT 1");
    TARGET(&talk, 'Z', "b", 'I');
    talk_log_is(&talk, "1 done tx=I rows=1 bytes=67108869 us=660 code= SELECT 1\n");
    talk_end(&talk);
}

/* Nobody takes what waits for the target: the relay takes no more from the client. */
static void full_queue_stops_the_other_side(void **state)
{
    (void)state;
    begin(0);
    size_t taken = 0;
    for (unsigned i = 0; i < 64; i++) {
        struct cursor in = cursor_of(large, LARGE);
        uint8_t header[] = {'Q', 0, 0x10, 0, 4};
        struct cursor head = cursor_of(header, sizeof header);
        if (taken == 0) {
            assert_int_equal(db_relay_feed(talk.relay, DB_CLIENT, &head, 1), ERR_NONE);
        }
        assert_int_equal(db_relay_feed(talk.relay, DB_CLIENT, &in, 1), ERR_NONE);
        taken += LARGE - cursor_len(&in);
        assert_true(queue_len(db_relay_out(talk.relay, DB_TARGET)) <= DB_OUT_LIMIT_BYTES);
    }
    assert_true(taken < 2 * LARGE);
    assert_int_equal(db_relay_end(talk.relay, NULL), DB_END_NONE);
    talk_end(&talk);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(long_query_is_kept_in_part_and_hashed),
        cmocka_unit_test(long_prepare_tells_its_length_at_the_end),
        cmocka_unit_test(long_parameters_are_kept_in_part_and_hashed),
        cmocka_unit_test(hashes_alone_are_kept_where_the_policy_says_so),
        cmocka_unit_test(lengths_that_contradict_each_other_end_the_connection),
        cmocka_unit_test(secrets_have_no_hash_and_hide_parameters_and_errors),
        cmocka_unit_test(long_rows_stream),
        cmocka_unit_test(full_queue_stops_the_other_side),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
