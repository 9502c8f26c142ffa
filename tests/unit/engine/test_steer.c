/* A client that prefers chacha20-poly1305 gets AES-GCM for bulk data, if it can; and nothing else changes. */
#include "engine_pair.h"

enum { MIB = 1024 * 1024, CHUNK_BYTES = 32768 };

static const char CHACHA[] = "chacha20-poly1305@openssh.com";
static const char BOTH_KINDS[] =
    "chacha20-poly1305@openssh.com,aes128-ctr,aes128-gcm@openssh.com,aes256-gcm@openssh.com";

static void assert_cipher(const struct engine *engine, const char *cipher)
{
    char text[ENGINE_ALGORITHMS_BYTES];
    (void)engine_algorithms(engine, text, sizeof text);
    const char *space = strchr(text, ' ');
    assert_non_null(space);
    assert_string_equal(space + 1, cipher);
}

/* `total` bytes to one side. */
static void send_one_way(struct pair *pair, bool is_upload, size_t total, uint8_t hash[static 32])
{
    for (unsigned number = 0; number < total / CHUNK_BYTES; number++) {
        struct engine *from = is_upload ? pair->client : pair->server;
        assert_int_equal(pair_send(from, PAIR_CHANNEL_DATA, number, CHUNK_BYTES, hash), ERR_NONE);
        if (number % 4 == 3) {
            assert_int_equal(pair_exchange(pair), ERR_NONE);
        }
    }
    assert_int_equal(pair_exchange(pair), ERR_NONE);
    assert_memory_equal(is_upload ? pair->server_hash : pair->client_hash, hash, 32);
    assert_false(engine_is_rekeying(pair->server) || engine_is_rekeying(pair->client));
}

static void bulk_goes_on_with(const char *client_ciphers, bool is_preferred, const char *first,
                              const char *then, unsigned key_exchanges)
{
    for (int is_upload = 0; is_upload <= 1; is_upload++) {
        struct pair pair;
        uint8_t hash[32] = {0};
        pair_init(&pair);
        pair.client_config.ciphers = client_ciphers;
        pair.server_config.prefers_fast_cipher = is_preferred;
        pair_connect(&pair);
        assert_cipher(pair.server, first);
        send_one_way(&pair, is_upload != 0, MIB, hash);
        assert_cipher(pair.server, first);
        send_one_way(&pair, is_upload != 0, (size_t)15 * MIB, hash);
        assert_cipher(pair.server, then);
        assert_cipher(pair.client, then);
        assert_int_equal(pair.sign_count, key_exchanges);
        pair_done(&pair);
    }
}

static void bulk_of_a_client_that_can_both_gets_gcm_once(void **state)
{
    (void)state;
    bulk_goes_on_with(BOTH_KINDS, true, CHACHA, "aes128-gcm@openssh.com", 2);
}

static void bulk_of_a_client_without_gcm_stays(void **state)
{
    (void)state;
    bulk_goes_on_with(CHACHA, true, CHACHA, CHACHA, 1);
}

static void bulk_of_a_client_that_prefers_ctr_gets_the_best_it_has(void **state)
{
    (void)state;
    bulk_goes_on_with("aes256-ctr,chacha20-poly1305@openssh.com", true, "aes256-ctr", CHACHA, 2);
    bulk_goes_on_with("aes256-ctr,aes128-gcm@openssh.com", true, "aes256-ctr", "aes128-gcm@openssh.com", 2);
    bulk_goes_on_with("aes256-ctr", true, "aes256-ctr", "aes256-ctr", 1);
}

static void bulk_stays_where_it_is_not_asked_for(void **state)
{
    (void)state;
    bulk_goes_on_with(BOTH_KINDS, false, CHACHA, CHACHA, 1);
}

static void bulk_with_a_longer_key_stays(void **state)
{
    (void)state;
    bulk_goes_on_with("aes256-gcm@openssh.com,aes128-gcm@openssh.com", true, "aes256-gcm@openssh.com",
                      "aes256-gcm@openssh.com", 1);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(bulk_of_a_client_that_can_both_gets_gcm_once),
        cmocka_unit_test(bulk_of_a_client_without_gcm_stays),
        cmocka_unit_test(bulk_of_a_client_that_prefers_ctr_gets_the_best_it_has),
        cmocka_unit_test(bulk_stays_where_it_is_not_asked_for),
        cmocka_unit_test(bulk_with_a_longer_key_stays),
    };
    return engine_library_init() == ERR_NONE ? cmocka_run_group_tests(TESTS, NULL, NULL) : 1;
}
