#include "unit_test.h"

#include <stdio.h>

#include "tls_pair.h"

enum { WHOLE = 65536, VALID_FROM = -1, VALID_UNTIL = 1 };

static void assert_says(const char *said, const char *wanted)
{
    if (strstr(said, wanted) == NULL) {
        fail_msg("\"%s\" does not contain \"%s\"", said, wanted);
    }
}

static void assert_plain(struct crypto_tls *tls, const char *wanted)
{
    struct cursor got = queue_peek(crypto_tls_plain(tls));
    assert_true(cursor_equal_text(got, wanted));
    queue_consume(crypto_tls_plain(tls), cursor_len(&got));
}

static void handshake_with_the_right_server_carries_bytes(void **state)
{
    (void)state;
    static const size_t CHUNKS[] = {1, 7, WHOLE};
    struct pair_server made = {0};
    pair_server_init(&made, "orders-db", VALID_FROM, VALID_UNTIL);
    for (size_t i = 0; i < COUNT_OF(CHUNKS); i++) {
        struct crypto_tls *server = pair_server_tls(&made, NULL);
        struct crypto_tls *client = pair_client_tls(made.trust, "orders-db", NULL);
        assert_int_equal(crypto_tls_write(client, cursor_of_text("early")), ERR_STATE);
        assert_int_equal(pair_shake(client, server, CHUNKS[i]), ERR_NONE);
        assert_true(crypto_tls_is_ready(client) && crypto_tls_is_ready(server));
        assert_string_equal(crypto_tls_text(client), "TLSv1.3 TLS_AES_256_GCM_SHA384");
        assert_int_equal(crypto_tls_write(client, cursor_of_text("select 1")), ERR_NONE);
        assert_int_equal(pair_pass(client, server, CHUNKS[i]), ERR_NONE);
        assert_plain(server, "select 1");
        assert_int_equal(crypto_tls_write(server, cursor_of_text("one row")), ERR_NONE);
        assert_false(crypto_tls_has_ended(client));
        assert_int_equal(crypto_tls_close(server), ERR_NONE);
        assert_int_equal(pair_pass(server, client, CHUNKS[i]), ERR_NONE);
        assert_plain(client, "one row");
        assert_true(crypto_tls_has_ended(client));
        assert_string_equal(crypto_tls_failure(client), "");
        crypto_tls_free(client);
        crypto_tls_free(server);
    }
    pair_server_done(&made);
}

static void handshake_with_the_wrong_server_names_the_check(void **state)
{
    (void)state;
    static const struct {
        const char *certified, *asked;
        int from_days, until_days;
        bool is_trusted;
        enum err wanted;
        const char *says;
    } ROWS[] = {
        {"orders-db", "orders-db", -1, 1, true, ERR_NONE, ""},
        {"orders-db", "ORDERS-DB", -1, 1, true, ERR_NONE, ""},
        {"10.1.2.3", "10.1.2.3", -1, 1, true, ERR_NONE, ""},
        {"*.db.internal", "orders.db.internal", -1, 1, true, ERR_NONE, ""},
        {"orders-db", "shop-db", -1, 1, true, ERR_MISMATCH, "is for orders-db, not for shop-db"},
        {"10.1.2.3", "10.1.2.4", -1, 1, true, ERR_MISMATCH, "not for 10.1.2.4"},
        {"*.db.internal", "a.b.db.internal", -1, 1, true, ERR_MISMATCH, "not for a.b.db.internal"},
        {"orders-db", "orders-db", -9, -1, true, ERR_MISMATCH, "has expired"},
        {"orders-db", "orders-db", 1, 9, true, ERR_MISMATCH, "is not valid before"},
        {"orders-db", "orders-db", -1, 1, false, ERR_MISMATCH,
         "its certificate was issued by a CA that is not among the trusted ones (issuer: Test CA)"},
    };
    struct pair_server stranger = {0};
    pair_server_init(&stranger, "stranger", VALID_FROM, VALID_UNTIL);
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct pair_server made = {0};
        pair_server_init(&made, ROWS[i].certified, ROWS[i].from_days, ROWS[i].until_days);
        struct crypto_tls *server = pair_server_tls(&made, NULL);
        struct crypto_tls *client =
            pair_client_tls(ROWS[i].is_trusted ? made.trust : stranger.trust, ROWS[i].asked, NULL);
        assert_int_equal(pair_shake(client, server, WHOLE), ROWS[i].wanted);
        assert_says(crypto_tls_failure(client), ROWS[i].says);
        assert_int_equal(crypto_tls_is_ready(client), ROWS[i].wanted == ERR_NONE);
        assert_int_equal(crypto_tls_feed(client, cursor_of_text("x")),
                         ROWS[i].wanted == ERR_NONE ? ERR_NONE : ERR_STATE);
        crypto_tls_free(client);
        crypto_tls_free(server);
        pair_server_done(&made);
    }
    pair_server_done(&stranger);
}

static void server_that_does_not_speak_tls_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *says;
    } ROWS[] = {
        {"HTTP/1.1 400 Bad Request\r\n\r\n", 28, "does not speak TLS"},
        {"\x4a\0\0\0\x0a"
         "5.7.30 and more of a greeting",
         34, "does not speak TLS"},
        /* alerts: protocol version, handshake failure */
        {"\x15\x03\x01\0\x02\x02\x46", 7, "TLS 1.2 or newer"},
        {"\x15\x03\x03\0\x02\x02\x28", 7, "safe enough"},
    };
    struct pair_server made = {0};
    pair_server_init(&made, "orders-db", VALID_FROM, VALID_UNTIL);
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct crypto_tls *client = pair_client_tls(made.trust, "orders-db", NULL);
        assert_int_equal(crypto_tls_start(client), ERR_NONE);
        assert_int_equal(crypto_tls_feed(client, cursor_of(ROWS[i].bytes, ROWS[i].len)), ERR_MALFORMED);
        assert_says(crypto_tls_failure(client), ROWS[i].says);
        crypto_tls_free(client);
    }
    pair_server_done(&made);
}

static void bytes_changed_on_the_way_end_it(void **state)
{
    (void)state;
    struct pair_server made = {0};
    pair_server_init(&made, "orders-db", VALID_FROM, VALID_UNTIL);
    struct crypto_tls *server = pair_server_tls(&made, NULL);
    struct crypto_tls *client = pair_client_tls(made.trust, "orders-db", NULL);
    assert_int_equal(pair_shake(client, server, WHOLE), ERR_NONE);
    assert_int_equal(crypto_tls_write(client, cursor_of_text("select 1")), ERR_NONE);
    queue_bytes(crypto_tls_out(client))[9] ^= 1;
    assert_int_equal(pair_pass(client, server, WHOLE), ERR_MALFORMED);
    assert_says(crypto_tls_failure(server), "changed on the way");
    assert_int_equal(crypto_tls_write(server, cursor_of_text("x")), ERR_STATE);
    crypto_tls_free(client);
    crypto_tls_free(server);
    pair_server_done(&made);
}

static void handshake_without_end_is_bounded(void **state)
{
    (void)state;
    /* A handshake record that announces a message of 64 KiB less than the bound, then the same again. */
    static uint8_t record[5 + 16384] = {0x16, 0x03, 0x03, 0x40, 0x00, 0x01, 0x00, 0xff, 0xff};
    struct pair_server made = {0};
    pair_server_init(&made, "orders-db", VALID_FROM, VALID_UNTIL);
    struct crypto_tls *server = pair_server_tls(&made, NULL);
    enum err err = ERR_NONE;
    size_t fed = 0;
    while (err == ERR_NONE) {
        err = crypto_tls_feed(server, cursor_of(record, sizeof record));
        fed += sizeof record;
        assert_true(fed <= CRYPTO_TLS_HANDSHAKE_BYTES + 2 * sizeof record);
    }
    assert_int_not_equal(crypto_tls_failure(server)[0], 0);
    crypto_tls_free(server);
    pair_server_done(&made);
}

static void queue_over_its_limit_ends_it(void **state)
{
    (void)state;
    struct pair_server made = {0};
    pair_server_init(&made, "orders-db", VALID_FROM, VALID_UNTIL);
    struct crypto_tls *server = pair_server_tls(&made, NULL);
    struct crypto_tls *client = pair_client_tls(made.trust, "orders-db", NULL);
    assert_int_equal(pair_shake(client, server, WHOLE), ERR_NONE);
    static uint8_t block[WHOLE];
    enum err err = ERR_NONE;
    for (size_t sent = 0; err == ERR_NONE; sent += sizeof block) {
        assert_true(sent <= PAIR_LIMIT_BYTES);
        err = crypto_tls_write(client, cursor_of(block, sizeof block));
        if (err == ERR_NONE) {
            err = pair_pass(client, server, WHOLE);
        }
    }
    assert_int_equal(err, ERR_TOO_LARGE);
    crypto_tls_free(client);
    crypto_tls_free(server);
    pair_server_done(&made);
}

static void alpn_is_agreed_on_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *server, *client;
        bool is_ready, has_alpn;
    } ROWS[] = {
        {"postgresql", "postgresql", true, true},
        {"postgresql", NULL, true, false},
        {NULL, "postgresql", true, false},
        {"postgresql", "h2", false, false},
    };
    struct pair_server made = {0};
    pair_server_init(&made, "orders-db", VALID_FROM, VALID_UNTIL);
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct crypto_tls *server = pair_server_tls(&made, ROWS[i].server);
        struct crypto_tls *client = pair_client_tls(made.trust, "orders-db", ROWS[i].client);
        enum err err = pair_shake(client, server, WHOLE);
        assert_int_equal(err == ERR_NONE && crypto_tls_is_ready(client), ROWS[i].is_ready);
        assert_int_equal(crypto_tls_has_alpn(server), ROWS[i].has_alpn);
        assert_int_equal(crypto_tls_has_alpn(client), ROWS[i].has_alpn);
        crypto_tls_free(client);
        crypto_tls_free(server);
    }
    pair_server_done(&made);
}

static void end_point_is_the_hash_of_the_certificate(void **state)
{
    (void)state;
    struct pair_server made = {0};
    pair_server_init(&made, "orders-db", VALID_FROM, VALID_UNTIL);
    struct crypto_tls *server = pair_server_tls(&made, NULL);
    struct crypto_tls *client = pair_client_tls(made.trust, "orders-db", NULL);
    uint8_t wanted[CRYPTO_SHA256_BYTES];
    uint8_t sha256[CRYPTO_SHA256_BYTES];
    uint8_t hash[CRYPTO_TLS_END_POINT_BYTES];
    size_t len = 0;
    assert_int_equal(crypto_tls_certificate(client, sha256), ERR_STATE);
    assert_int_equal(crypto_tls_end_point(client, hash, &len), ERR_STATE);
    assert_int_equal(pair_shake(client, server, WHOLE), ERR_NONE);
    crypto_sha256(made.certificate, wanted);
    assert_int_equal(crypto_tls_certificate(client, sha256), ERR_NONE);
    assert_memory_equal(sha256, wanted, sizeof wanted);
    /* It is signed with ECDSA and SHA-256. */
    assert_int_equal(crypto_tls_end_point(client, hash, &len), ERR_NONE);
    assert_int_equal(len, sizeof wanted);
    assert_memory_equal(hash, wanted, sizeof wanted);
    crypto_tls_free(client);
    crypto_tls_free(server);
    pair_server_done(&made);
}

static void trust_takes_certificates_and_nothing_else(void **state)
{
    (void)state;
    struct pair_server made = {0};
    pair_server_init(&made, "orders-db", VALID_FROM, VALID_UNTIL);
    uint8_t text[4096];
    struct writer out = writer_of(text, sizeof text);
    writer_bytes(&out, cursor_of_text("# The CA of the test\n"));
    assert_int_equal(crypto_x509_pem(crypto_ca_certificate(made.ca), &out), ERR_NONE);
    size_t first_len = (size_t)(out.at - out.start);
    assert_int_equal(crypto_x509_pem(made.certificate, &out), ERR_NONE);
    struct cursor both;
    assert_int_equal(writer_done(&out, &both), ERR_NONE);
    struct crypto_trust *trust = NULL;
    assert_int_equal(crypto_trust_load(both, &trust), ERR_NONE);
    crypto_trust_free(trust);
    trust = NULL;
    static const char *const BAD[] = {"", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n"};
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        assert_int_equal(crypto_trust_load(cursor_of_text(BAD[i]), &trust), ERR_MALFORMED);
    }
    /* Cut inside the second one: the first does not make up for it. */
    for (size_t len = first_len + 60; len + 2 < cursor_len(&both); len += 17) {
        assert_int_equal(crypto_trust_load(cursor_of(both.at, len), &trust), ERR_MALFORMED);
    }
    assert_null(trust);
    pair_server_done(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshake_with_the_right_server_carries_bytes),
        cmocka_unit_test(handshake_with_the_wrong_server_names_the_check),
        cmocka_unit_test(server_that_does_not_speak_tls_is_named),
        cmocka_unit_test(bytes_changed_on_the_way_end_it),
        cmocka_unit_test(handshake_without_end_is_bounded),
        cmocka_unit_test(queue_over_its_limit_ends_it),
        cmocka_unit_test(alpn_is_agreed_on_or_refused),
        cmocka_unit_test(end_point_is_the_hash_of_the_certificate),
        cmocka_unit_test(trust_takes_certificates_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
