/* Packets of an authenticated connection: unchanged, bounded, through new keys, and one connection inside
 * another. */
#include "engine_pair.h"

#include <unistd.h>

enum { MIB = 1024 * 1024, CHUNK_BYTES = 32768 };

static void assert_same_hashes(const struct pair *pair, const uint8_t sent_by_client[32],
                               const uint8_t sent_by_server[32])
{
    assert_memory_equal(pair->server_hash, sent_by_client, 32);
    assert_memory_equal(pair->client_hash, sent_by_server, 32);
}

/* `total` bytes each way in packets of CHUNK_BYTES, while neither side is rekeying. */
static void send_both_ways(struct pair *pair, size_t total)
{
    uint8_t by_client[32] = {0}, by_server[32] = {0};
    unsigned number = 0;
    for (size_t sent = 0; sent < total; sent += CHUNK_BYTES, number++) {
        assert_int_equal(pair_send(pair->client, PAIR_CHANNEL_DATA, number, CHUNK_BYTES, by_client),
                         ERR_NONE);
        assert_int_equal(pair_send(pair->server, PAIR_CHANNEL_DATA, ~number, CHUNK_BYTES, by_server),
                         ERR_NONE);
        if (number % 4 == 3) {
            assert_int_equal(pair_exchange(pair), ERR_NONE);
        }
    }
    assert_int_equal(pair_exchange(pair), ERR_NONE);
    assert_int_equal(pair->server_bytes, total);
    assert_int_equal(pair->client_bytes, total);
    assert_same_hashes(pair, by_client, by_server);
}

static void data_of_8_mib_both_ways_is_unchanged(void **state)
{
    (void)state;
    static const char *const CIPHERS[] = {"aes128-gcm@openssh.com", "aes256-gcm@openssh.com",
                                          "chacha20-poly1305@openssh.com", "aes256-ctr"};
    for (size_t i = 0; i < COUNT_OF(CIPHERS); i++) {
        struct pair pair;
        pair_init(&pair);
        pair.server_config.ciphers = CIPHERS[i];
        pair.client_config.ciphers = CIPHERS[i];
        pair_connect(&pair);
        send_both_ways(&pair, (size_t)8 * MIB);
        assert_int_equal(pair.sign_count, 1);
        pair_done(&pair);
    }
}

static void data_past_the_limit_makes_new_keys(void **state)
{
    (void)state;
    for (int is_client = 0; is_client <= 1; is_client++) {
        struct pair pair;
        pair_init(&pair);
        *(is_client ? &pair.client_config.rekey_bytes : &pair.server_config.rekey_bytes) = MIB;
        pair_connect(&pair);
        send_both_ways(&pair, (size_t)8 * MIB);
        assert_true(pair.sign_count >= 7);
        assert_int_equal(pair.host_key_count, pair.sign_count);
        assert_false(engine_is_rekeying(pair.server) || engine_is_rekeying(pair.client));
        pair_done(&pair);
    }
}

static void time_past_the_limit_makes_new_keys(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair.server_config.rekey_seconds = 1;
    pair_connect(&pair);
    uint8_t hash[32] = {0};
    assert_int_equal(pair_send(pair.server, PAIR_CHANNEL_DATA, 0, 10, hash), ERR_NONE);
    assert_int_equal(pair_exchange(&pair), ERR_NONE);
    assert_int_equal(pair.sign_count, 1);
    (void)usleep(1200 * 1000);
    assert_int_equal(pair_send(pair.server, PAIR_CHANNEL_DATA, 1, 10, hash), ERR_NONE);
    assert_true(engine_is_rekeying(pair.server));
    assert_int_equal(pair_exchange(&pair), ERR_NONE);
    assert_int_equal(pair.sign_count, 2);
    assert_false(engine_is_rekeying(pair.server));
    assert_memory_equal(pair.client_hash, hash, 32);
    pair_done(&pair);
}

static void rekey_with_refused_host_key_ends(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair.server_config.rekey_bytes = MIB;
    pair_connect(&pair);
    pair.host_key_answer = ERR_MISMATCH;
    uint8_t hash[32] = {0};
    enum err err = ERR_NONE;
    for (unsigned i = 0; err == ERR_NONE && i < 64; i++) {
        assert_int_equal(pair_send(pair.server, PAIR_CHANNEL_DATA, i, CHUNK_BYTES, hash), ERR_NONE);
        err = pair_exchange(&pair);
    }
    assert_int_equal(err, ERR_MISMATCH);
    pair_done(&pair);
}

/* Packets sent during a key exchange wait in the engine, within the output bound, and keep their order. */
static void sending_while_rekeying_is_held_and_bounded(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair.server_config.rekey_bytes = MIB;
    pair.server_config.output_limit_bytes = (size_t)2 * MIB;
    pair_connect(&pair);
    uint8_t hash[32] = {0};
    unsigned number = 0;
    while (!engine_is_rekeying(pair.server)) {
        assert_int_equal(pair_send(pair.server, PAIR_CHANNEL_DATA, number++, CHUNK_BYTES, hash), ERR_NONE);
        assert_true(number < 100);
    }
    size_t waiting = queue_len(engine_output(pair.server));
    enum err err = ERR_NONE;
    while (err == ERR_NONE && number < 1000) {
        err = pair_send(pair.server, PAIR_CHANNEL_DATA, number, CHUNK_BYTES, hash);
        number += err == ERR_NONE;
    }
    assert_int_equal(err, ERR_TOO_LARGE);
    assert_int_equal(queue_len(engine_output(pair.server)), waiting);
    assert_int_equal(pair_exchange(&pair), ERR_NONE);
    assert_false(engine_is_rekeying(pair.server));
    assert_int_equal(pair.client_packet_count, number);
    assert_memory_equal(pair.client_hash, hash, 32);
    assert_int_equal(pair_send(pair.server, PAIR_CHANNEL_DATA, number, CHUNK_BYTES, hash), ERR_NONE);
    pair_done(&pair);
}

static void output_at_its_bound_is_too_large_and_recovers(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair.server_config.output_limit_bytes = (size_t)128 * 1024;
    pair_connect(&pair);
    uint8_t hash[32] = {0};
    unsigned sent = 0;
    while (pair_send(pair.server, PAIR_CHANNEL_DATA, sent, CHUNK_BYTES, hash) == ERR_NONE) {
        sent++;
        assert_true(queue_len(engine_output(pair.server)) <= (size_t)128 * 1024);
    }
    assert_int_equal(sent, 3);
    assert_int_equal(pair_send(pair.server, PAIR_CHANNEL_DATA, sent, CHUNK_BYTES, hash), ERR_TOO_LARGE);
    assert_int_equal(pair_exchange(&pair), ERR_NONE);
    assert_int_equal(pair_send(pair.server, PAIR_CHANNEL_DATA, sent, CHUNK_BYTES, hash), ERR_NONE);
    assert_int_equal(pair_exchange(&pair), ERR_NONE);
    assert_memory_equal(pair.client_hash, hash, 32);
    pair_done(&pair);
}

static void payload_sizes_up_to_the_limit_pass(void **state)
{
    (void)state;
    static const size_t SIZES[] = {0, 1, 15, 16, 17, 32768, 65535, 65536, LIMIT_PACKET_PAYLOAD_BYTES};
    struct pair pair;
    pair_init(&pair);
    pair_connect(&pair);
    uint8_t by_client[32] = {0}, by_server[32] = {0};
    for (unsigned i = 0; i < COUNT_OF(SIZES); i++) {
        assert_int_equal(pair_send(pair.client, PAIR_CHANNEL_DATA, i, SIZES[i], by_client), ERR_NONE);
        assert_int_equal(pair_send(pair.server, PAIR_CHANNEL_DATA, i, SIZES[i], by_server), ERR_NONE);
    }
    assert_int_equal(pair_exchange(&pair), ERR_NONE);
    assert_same_hashes(&pair, by_client, by_server);
    static const uint8_t LONG[LIMIT_PACKET_PAYLOAD_BYTES + 1];
    assert_int_equal(engine_send(pair.client, PAIR_CHANNEL_DATA, cursor_of(LONG, sizeof LONG)),
                     ERR_TOO_LARGE);
    pair_done(&pair);
}

static void parts_arrive_as_one_payload(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair_connect(&pair);
    uint8_t hash[32] = {0};
    assert_int_equal(
        engine_send_parts(pair.client, PAIR_CHANNEL_DATA, cursor_of_text("abc"), cursor_of_text("defg")),
        ERR_NONE);
    pair_add_hash(hash, PAIR_CHANNEL_DATA, cursor_of_text("abcdefg"));
    assert_int_equal(pair_exchange(&pair), ERR_NONE);
    assert_memory_equal(pair.server_hash, hash, 32);
    pair_done(&pair);
}

static void every_connection_type_passes_and_no_other(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair_connect(&pair);
    uint8_t by_client[32] = {0}, by_server[32] = {0};
    /* RFC 4250 4.1.2 assigns 80..82 and 90..100; libssh answers the gap with UNIMPLEMENTED. */
    for (unsigned type = 0; type < 256; type++) {
        enum err expected = type >= 80 && type <= 100 ? ERR_NONE : ERR_STATE;
        if (type > 82 && type < 90) {
            continue;
        }
        assert_int_equal(pair_send(pair.client, (uint8_t)type, type, 8, by_client), expected);
        assert_int_equal(pair_send(pair.server, (uint8_t)type, type, 8, by_server), expected);
    }
    assert_int_equal(pair_exchange(&pair), ERR_NONE);
    assert_same_hashes(&pair, by_client, by_server);
    pair_done(&pair);
}

static void disconnect_is_told_and_ends(void **state)
{
    (void)state;
    for (int from_client = 0; from_client <= 1; from_client++) {
        struct pair pair;
        pair_init(&pair);
        pair_connect(&pair);
        struct engine *from = from_client ? pair.client : pair.server;
        struct engine *to = from_client ? pair.server : pair.client;
        uint8_t hash[32] = {0};
        assert_int_equal(pair_send(from, PAIR_CHANNEL_DATA, 0, 10, hash), ERR_NONE);
        assert_int_equal(engine_disconnect(from, 11, "that was it"), ERR_NONE);
        assert_int_equal(pair_send(from, PAIR_CHANNEL_DATA, 0, 10, hash), ERR_CLOSED);
        assert_int_equal(pair_move(from, to), ERR_CLOSED);
        assert_memory_equal(from_client ? pair.server_hash : pair.client_hash, hash, 32);
        assert_int_equal(engine_feed(to, cursor_of_text("x")), ERR_CLOSED);
        pair_done(&pair);
    }
}

/* A whole connection inside channel data of another, as `ssh -J` does: feeding within a packet callback. */
static void feed_inner(struct engine *inner, struct engine *outer, struct cursor payload)
{
    assert_int_equal(engine_feed(inner, payload), ERR_NONE);
    struct queue *output = engine_output(inner);
    while (queue_len(output) > 0) {
        size_t part = queue_len(output) < CHUNK_BYTES ? queue_len(output) : CHUNK_BYTES;
        assert_int_equal(engine_send(outer, PAIR_CHANNEL_DATA, cursor_of(queue_bytes(output), part)),
                         ERR_NONE);
        queue_consume(output, part);
    }
}

static void outer_server_packet(struct pair *outer, uint8_t type, struct cursor payload)
{
    if (type == PAIR_USERAUTH_REQUEST) {
        assert_int_equal(engine_accept_user(outer->server), ERR_NONE);
    } else {
        feed_inner(((struct pair *)outer->user)->server, outer->server, payload);
    }
}

static void outer_client_packet(struct pair *outer, uint8_t type, struct cursor payload)
{
    (void)type;
    feed_inner(((struct pair *)outer->user)->client, outer->client, payload);
}

static void connection_inside_a_connection_works(void **state)
{
    (void)state;
    struct pair outer, inner;
    pair_init(&outer);
    pair_init(&inner);
    outer.server_packet = outer_server_packet;
    outer.client_packet = outer_client_packet;
    outer.user = &inner;
    outer.server_config.rekey_bytes = MIB;
    inner.server_config.rekey_bytes = MIB / 2;
    pair_connect(&outer);
    pair_open(&inner);
    pair_request_login(&inner);
    feed_inner(inner.client, outer.client, cursor_of(NULL, 0));
    feed_inner(inner.server, outer.server, cursor_of(NULL, 0));
    assert_int_equal(pair_exchange(&outer), ERR_NONE);
    assert_int_equal(inner.login_result, ERR_NONE);

    uint8_t hash[32] = {0};
    for (unsigned number = 0; number < 128; number++) {
        assert_int_equal(pair_send(inner.client, PAIR_CHANNEL_DATA, number, CHUNK_BYTES, hash), ERR_NONE);
        feed_inner(inner.client, outer.client, cursor_of(NULL, 0));
        assert_int_equal(pair_exchange(&outer), ERR_NONE);
    }
    assert_memory_equal(inner.server_hash, hash, 32);
    assert_true(inner.sign_count > 4 && outer.sign_count > 2);
    pair_done(&inner);
    pair_done(&outer);
}

static void feed_from_own_callback_packet(struct pair *pair, uint8_t type, struct cursor payload)
{
    (void)type;
    if (pair->server_packet_count == 1) {
        assert_int_equal(engine_accept_user(pair->server), ERR_NONE);
        return;
    }
    assert_int_equal(engine_feed(pair->server, payload), ERR_STATE);
}

static void feeding_from_own_callback_is_refused(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair.server_packet = feed_from_own_callback_packet;
    pair_connect(&pair);
    uint8_t hash[32] = {0};
    assert_int_equal(pair_send(pair.client, PAIR_CHANNEL_DATA, 1, 100, hash), ERR_NONE);
    assert_int_equal(pair_exchange(&pair), ERR_NONE);
    assert_int_equal(pair.server_packet_count, 2);
    pair_done(&pair);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(data_of_8_mib_both_ways_is_unchanged),
        cmocka_unit_test(data_past_the_limit_makes_new_keys),
        cmocka_unit_test(time_past_the_limit_makes_new_keys),
        cmocka_unit_test(rekey_with_refused_host_key_ends),
        cmocka_unit_test(sending_while_rekeying_is_held_and_bounded),
        cmocka_unit_test(output_at_its_bound_is_too_large_and_recovers),
        cmocka_unit_test(payload_sizes_up_to_the_limit_pass),
        cmocka_unit_test(parts_arrive_as_one_payload),
        cmocka_unit_test(every_connection_type_passes_and_no_other),
        cmocka_unit_test(disconnect_is_told_and_ends),
        cmocka_unit_test(connection_inside_a_connection_works),
        cmocka_unit_test(feeding_from_own_callback_is_refused),
    };
    return engine_library_init() == ERR_NONE ? cmocka_run_group_tests(TESTS, NULL, NULL) : 1;
}
