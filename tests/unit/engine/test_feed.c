/* What strangers send: cut, changed, too long, or no SSH at all. */
#include "engine_pair.h"

#include <stdlib.h>

static struct engine *new_server(struct pair *pair)
{
    struct engine *engine = NULL;
    assert_int_equal(engine_new(&pair->server_config, &PAIR_SERVER_EVENTS, pair, &engine), ERR_NONE);
    assert_int_equal(engine_start(engine), ERR_NONE);
    return engine;
}

/* What a good client sends up to its NEWKEYS. It does not depend on the server's answers, so it can be
 * replayed. */
struct clear_stream {
    uint8_t bytes[4096];
    size_t len;
};

static void take(struct engine *engine, struct clear_stream *ret_stream)
{
    struct cursor output = queue_peek(engine_output(engine));
    assert_true(ret_stream->len + cursor_len(&output) <= sizeof ret_stream->bytes);
    if (cursor_len(&output) > 0) {
        memcpy(ret_stream->bytes + ret_stream->len, output.at, cursor_len(&output));
        ret_stream->len += cursor_len(&output);
    }
}

static void record_clear_stream(struct clear_stream *ret_stream)
{
    struct pair pair;
    pair_init(&pair);
    pair_open(&pair);
    ret_stream->len = 0;
    for (int round = 0; round < 4; round++) {
        take(pair.client, ret_stream);
        assert_int_equal(pair_move(pair.client, pair.server), ERR_NONE);
        assert_int_equal(pair_move(pair.server, pair.client), ERR_NONE);
    }
    pair_done(&pair);
}

static void clear_stream_cut_anywhere_waits(void **state)
{
    (void)state;
    struct clear_stream stream;
    record_clear_stream(&stream);
    struct pair pair;
    pair_init(&pair);
    for (size_t len = 0; len <= stream.len; len++) {
        struct engine *engine = new_server(&pair);
        assert_int_equal(engine_feed(engine, cursor_of(stream.bytes, len)), ERR_NONE);
        assert_int_equal(engine_feed(engine, cursor_of(NULL, 0)), ERR_NONE);
        engine_free(engine);
    }
    assert_true(pair.sign_count > 0 &&
                pair.sign_count < 64); /* only the longest prefixes have a key exchange */
    assert_int_equal(pair.server_packet_count + pair.server_ready_count, 0);
    pair_done(&pair);
}

static void clear_stream_with_any_byte_changed_passes_nothing(void **state)
{
    (void)state;
    struct clear_stream stream;
    record_clear_stream(&stream);
    struct pair pair;
    pair_init(&pair);
    for (size_t at = 0; at < stream.len; at++) {
        for (unsigned change = 1; change < 256; change *= 4) {
            struct engine *engine = new_server(&pair);
            stream.bytes[at] ^= (uint8_t)change;
            (void)!engine_feed(engine, cursor_of(stream.bytes, stream.len));
            stream.bytes[at] ^= (uint8_t)change;
            engine_free(engine);
        }
    }
    assert_int_equal(pair.server_packet_count + pair.server_ready_count, 0);
    pair_done(&pair);
}

static enum err move_bytewise(struct engine *from, struct engine *to)
{
    struct queue taken = {0};
    queue_init(&taken, engine_output(from)->limit_bytes);
    queue_swap(engine_output(from), &taken);
    enum err err = ERR_NONE;
    for (; queue_len(&taken) > 0 && err == ERR_NONE; queue_consume(&taken, 1)) {
        /* A copy of exactly one byte, so that a reader past it is found. */
        uint8_t *byte = malloc(1);
        assert_non_null(byte);
        *byte = *queue_bytes(&taken);
        err = engine_feed(to, cursor_of(byte, 1));
        free(byte);
    }
    queue_done(&taken);
    return err;
}

static void connection_fed_byte_by_byte_works(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair.server_config.rekey_bytes = 65536;
    pair_open(&pair);
    pair_request_login(&pair);
    uint8_t by_client[32] = {0}, by_server[32] = {0};
    for (unsigned round = 0; round < 40; round++) {
        assert_int_equal(move_bytewise(pair.server, pair.client), ERR_NONE);
        assert_int_equal(move_bytewise(pair.client, pair.server), ERR_NONE);
        if (pair.login_count > 0 && round < 30) {
            assert_int_equal(pair_send(pair.client, PAIR_CHANNEL_DATA, round, 5000, by_client), ERR_NONE);
            assert_int_equal(pair_send(pair.server, PAIR_CHANNEL_DATA, round, 5001, by_server), ERR_NONE);
        }
    }
    assert_int_equal(pair.login_result, ERR_NONE);
    assert_true(pair.sign_count > 1);
    assert_memory_equal(pair.server_hash, by_client, 32);
    assert_memory_equal(pair.client_hash, by_server, 32);
    pair_done(&pair);
}

/* Pieces of every size from one byte to past two packets: kept bytes and direct bytes meet at every offset.
 */
static void stream_cut_into_pieces_of_any_size_is_unchanged(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair_connect(&pair);
    uint8_t by_client[32] = {0};
    unsigned number = 0;
    for (size_t piece = 1; piece < 90000; piece += 1 + piece / 3) {
        struct queue taken = {0};
        for (size_t size = 100; size <= 51200; size *= 8) {
            assert_int_equal(pair_send(pair.client, PAIR_CHANNEL_DATA, number++, size, by_client), ERR_NONE);
        }
        assert_int_equal(pair_send(pair.client, PAIR_CHANNEL_DATA, number++, 0, by_client), ERR_NONE);
        queue_init(&taken, engine_output(pair.client)->limit_bytes);
        queue_swap(engine_output(pair.client), &taken);
        while (queue_len(&taken) > 0) {
            size_t part = queue_len(&taken) < piece ? queue_len(&taken) : piece;
            assert_int_equal(engine_feed(pair.server, cursor_of(queue_bytes(&taken), part)), ERR_NONE);
            queue_consume(&taken, part);
        }
        queue_done(&taken);
        assert_memory_equal(pair.server_hash, by_client, 32);
    }
    pair_done(&pair);
}

static void encrypted_stream_with_any_bit_changed_ends(void **state)
{
    (void)state;
    enum { PACKET_BYTES = 4 + 16 + 16 + 16 };
    for (size_t at = 0; at < PACKET_BYTES; at++) {
        struct pair pair;
        pair_init(&pair);
        pair_connect(&pair);
        uint8_t hash[32] = {0};
        unsigned before = pair.server_packet_count;
        assert_int_equal(pair_send(pair.client, PAIR_CHANNEL_DATA, 1, 22, hash), ERR_NONE);
        struct queue *output = engine_output(pair.client);
        assert_int_equal(queue_len(output), PACKET_BYTES);
        queue_bytes(output)[at] ^= 0x10;
        /* A changed length may leave the engine waiting for more; then more comes. */
        enum err err = pair_move(pair.client, pair.server);
        static const uint8_t MORE[300 * 1024];
        if (err == ERR_NONE) {
            err = engine_feed(pair.server, cursor_of(MORE, sizeof MORE));
        }
        assert_true(err == ERR_MALFORMED || err == ERR_TOO_LARGE);
        assert_int_equal(pair.server_packet_count, before);
        pair_done(&pair);
    }
}

static void input_that_is_not_ssh_ends(void **state)
{
    (void)state;
    static const struct {
        const char *input;
        enum err expected;
    } CASES[] = {
        {"GET / HTTP/1.1\r\nHost: bastion\r\n\r\n", ERR_MALFORMED},
        {"\n", ERR_MALFORMED},
        {"SSH-1.5-old\r\n", ERR_MALFORMED},
        {"SSH-\r\n", ERR_MALFORMED},
        {"SSH-2.0-x\r\nthis is no packet: \x7f\xff\xff\xff", ERR_MALFORMED},
        {"SSH-2.0-x\r\n\xff\xff\xff\xff", ERR_NONE}, /* less than one block: waits */
        {"SSH-2.0-x\r\n\xff\xff\xff\xff"
         "abcd",
         ERR_MALFORMED},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct pair pair;
        pair_init(&pair);
        struct engine *engine = new_server(&pair);
        assert_int_equal(engine_feed(engine, cursor_of_text(CASES[i].input)), CASES[i].expected);
        assert_int_equal(pair.sign_count + pair.server_packet_count, 0);
        engine_free(engine);
        pair_done(&pair);
    }
}

static void packet_over_the_largest_size_ends(void **state)
{
    (void)state;
    /* libssh accepts a packet_length of 256 KiB. */
    static const struct {
        uint32_t packet_length;
        enum err expected;
    } CASES[] = {
        {262144, ERR_NONE}, {262145, ERR_MALFORMED}, {0, ERR_MALFORMED}, {UINT32_MAX, ERR_MALFORMED}};
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct pair pair;
        pair_init(&pair);
        struct engine *engine = new_server(&pair);
        uint8_t header[8] = {0};
        struct writer out = writer_of(header, sizeof header);
        writer_u32be(&out, CASES[i].packet_length);
        assert_int_equal(engine_feed(engine, cursor_of_text("SSH-2.0-x\r\n")), ERR_NONE);
        assert_int_equal(engine_feed(engine, cursor_of(header, sizeof header)), CASES[i].expected);
        engine_free(engine);
        pair_done(&pair);
    }
}

/* Before the login nobody may make us hold more than RFC 4253 section 6.1 asks for, however it comes in. */
static void incomplete_packet_is_bounded(void **state)
{
    (void)state;
    static const uint8_t BYTES[1000] = {0};
    static const uint8_t HEADER[8] = {0, 3, 0xff, 0xfc};
    struct pair pair;
    pair_init(&pair);
    struct engine *engine = new_server(&pair);
    assert_int_equal(engine_feed(engine, cursor_of_text("SSH-2.0-x\r\n")), ERR_NONE);
    enum err err = engine_feed(engine, cursor_of(HEADER, sizeof HEADER));
    unsigned count = 0;
    for (; err == ERR_NONE && count < 1000; count++) {
        err = engine_feed(engine, cursor_of(BYTES, sizeof BYTES));
    }
    assert_int_equal(err, ERR_TOO_LARGE);
    assert_in_range(count, 34, 37);
    engine_free(engine);
    static const uint8_t WHOLE[40000] = {0, 3, 0xff, 0xfc};
    engine = new_server(&pair);
    assert_int_equal(engine_feed(engine, cursor_of_text("SSH-2.0-x\r\n")), ERR_NONE);
    assert_int_equal(engine_feed(engine, cursor_of(WHOLE, sizeof WHOLE)), ERR_TOO_LARGE);
    engine_free(engine);
    pair_done(&pair);
}

static void banner_without_end_is_refused(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    struct engine *engine = new_server(&pair);
    enum err err = ERR_NONE;
    unsigned count = 0;
    for (; err == ERR_NONE && count < 1000; count++) {
        err = engine_feed(engine, cursor_of_text("S"));
    }
    assert_int_equal(err, ERR_MALFORMED);
    assert_in_range(count, 100, 300);
    engine_free(engine);
    pair_done(&pair);
}

static void lines_before_a_server_banner_are_bounded(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    struct engine *engine = NULL;
    assert_int_equal(engine_new(&pair.client_config, &PAIR_CLIENT_EVENTS, &pair, &engine), ERR_NONE);
    assert_int_equal(engine_start(engine), ERR_NONE);
    enum err err = ERR_NONE;
    unsigned count = 0;
    for (; err == ERR_NONE && count < 1000; count++) {
        err = engine_feed(engine,
                          cursor_of_text("another line that comes before the banner of this server\r\n"));
    }
    assert_int_equal(err, ERR_MALFORMED);
    assert_in_range(count, 100, 400);
    engine_free(engine);
    pair_done(&pair);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(clear_stream_cut_anywhere_waits),
        cmocka_unit_test(clear_stream_with_any_byte_changed_passes_nothing),
        cmocka_unit_test(connection_fed_byte_by_byte_works),
        cmocka_unit_test(stream_cut_into_pieces_of_any_size_is_unchanged),
        cmocka_unit_test(encrypted_stream_with_any_bit_changed_ends),
        cmocka_unit_test(input_that_is_not_ssh_ends),
        cmocka_unit_test(packet_over_the_largest_size_ends),
        cmocka_unit_test(incomplete_packet_is_bounded),
        cmocka_unit_test(banner_without_end_is_refused),
        cmocka_unit_test(lines_before_a_server_banner_are_bounded),
    };
    return engine_library_init() == ERR_NONE ? cmocka_run_group_tests(TESTS, NULL, NULL) : 1;
}
