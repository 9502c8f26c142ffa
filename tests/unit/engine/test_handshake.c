/* Key exchange, host key, login: who is told what, and that a "no" ends the connection. */
#include "engine_pair.h"

static void handshake_of_two_engines_reaches_login(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair_open(&pair);
    assert_int_equal(pair_exchange(&pair), ERR_NONE);
    assert_int_equal(pair.sign_count, 1);
    assert_int_equal(pair.host_key_count, 1);
    assert_int_equal(pair.client_ready_count, 1);
    assert_int_equal(pair.server_ready_count, 0); /* no service request yet */
    assert_in_range(pair.session_id_bytes, 32, ENGINE_HASH_BYTES);

    pair_request_login(&pair);
    assert_int_equal(pair_exchange(&pair), ERR_NONE);
    assert_int_equal(pair.server_ready_count, 1);
    assert_int_equal(pair.server_packet_count, 1);
    assert_int_equal(pair.last_server_type, PAIR_USERAUTH_REQUEST);
    assert_int_equal(pair.login_result, ERR_NONE);
    assert_false(engine_is_rekeying(pair.server));

    char text[ENGINE_ALGORITHMS_BYTES];
    /* The name of the key exchange depends on the version of libssh. */
    assert_non_null(strstr(engine_algorithms(pair.server, text, sizeof text), "25519-sha"));
    assert_non_null(strstr(text, " aes128-gcm@openssh.com"));
    assert_string_equal(engine_algorithms(pair.client, text, 5), "");
    pair_done(&pair);
}

/* RFC 4252 section 7: what the client signed is checked with the certificate's key over the session id. */
static void login_request_is_signed_over_the_session_id(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair_connect(&pair);
    struct cursor in = cursor_of(pair.last_login, pair.last_login_bytes);
    struct cursor user, service, method, algorithm, blob, signature, type, bytes, nonce, subject;
    bool has_signature = false;
    assert_int_equal(cursor_string(&in, 64, &user), ERR_NONE);
    assert_int_equal(cursor_string(&in, 64, &service), ERR_NONE);
    assert_int_equal(cursor_string(&in, 64, &method), ERR_NONE);
    assert_int_equal(cursor_bool(&in, &has_signature), ERR_NONE);
    assert_int_equal(cursor_string(&in, 64, &algorithm), ERR_NONE);
    assert_int_equal(cursor_string(&in, 1024, &blob), ERR_NONE);
    if (cursor_equal_text(method, "publickey-hostbound-v00@openssh.com")) {
        struct cursor host_blob; /* libssh 0.12 */
        assert_int_equal(cursor_string(&in, 1024, &host_blob), ERR_NONE);
        assert_true(cursor_equal(host_blob, cursor_of(pair.host_blob, pair.host_blob_bytes)));
    } else {
        assert_true(cursor_equal_text(method, "publickey"));
    }
    size_t signed_bytes = (size_t)(in.at - pair.last_login);
    assert_int_equal(cursor_string(&in, 1024, &signature), ERR_NONE);
    assert_int_equal(cursor_end(&in), ERR_NONE);
    assert_true(cursor_equal_text(user, "root"));
    assert_true(cursor_equal_text(service, "ssh-connection"));
    assert_true(has_signature);
    assert_true(cursor_equal_text(algorithm, "ssh-ed25519-cert-v01@openssh.com"));
    assert_int_equal(cursor_string(&signature, 64, &type), ERR_NONE);
    assert_int_equal(cursor_string(&signature, 64, &bytes), ERR_NONE);
    assert_int_equal(cursor_string(&blob, 64, &type), ERR_NONE);
    assert_int_equal(cursor_string(&blob, 64, &nonce), ERR_NONE);
    assert_int_equal(cursor_string(&blob, 32, &subject), ERR_NONE);

    uint8_t message[4096];
    struct writer out = writer_of(message, sizeof message);
    struct cursor whole;
    writer_string(&out, cursor_of(pair.session_id, pair.session_id_bytes));
    writer_u8(&out, PAIR_USERAUTH_REQUEST);
    writer_bytes(&out, cursor_of(pair.last_login, signed_bytes));
    assert_int_equal(writer_done(&out, &whole), ERR_NONE);
    assert_int_equal(crypto_ed25519_verify(subject.at, whole, bytes.at), ERR_NONE);
    message[0] ^= 1;
    assert_int_equal(crypto_ed25519_verify(subject.at, whole, bytes.at), ERR_MISMATCH);
    pair_done(&pair);
}

static void handshake_with_refused_host_key_ends(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair.host_key_answer = ERR_DENIED;
    pair_open(&pair);
    pair_request_login(&pair);
    assert_int_equal(pair_exchange(&pair), ERR_DENIED);
    assert_int_equal(pair.host_key_count, 1);
    assert_int_equal(pair.client_ready_count, 0);
    assert_int_equal(pair.login_count, 0);
    assert_int_equal(engine_feed(pair.client, cursor_of_text("x")), ERR_DENIED);
    assert_int_equal(pair_send(pair.client, PAIR_CHANNEL_DATA, 0, 1, pair.client_hash), ERR_DENIED);
    pair_done(&pair);
}

static void handshake_without_signature_ends(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair.sign_answer = ERR_CLOSED;
    pair_open(&pair);
    assert_int_equal(pair_exchange(&pair), ERR_CLOSED);
    assert_int_equal(pair.client_ready_count, 0);
    pair_done(&pair);
}

static enum err sign_with_another_key(void *owner, struct cursor hash, struct writer *ret_blob)
{
    struct pair *pair = owner;
    pair_sign(&pair->user_ca, hash, ret_blob);
    return ERR_NONE;
}

static void handshake_with_wrong_signature_ends(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    static const struct engine_events EVENTS = {.sign = sign_with_another_key};
    assert_int_equal(engine_new(&pair.server_config, &EVENTS, &pair, &pair.server), ERR_NONE);
    assert_int_equal(engine_new(&pair.client_config, &PAIR_CLIENT_EVENTS, &pair, &pair.client), ERR_NONE);
    assert_int_equal(engine_start(pair.server), ERR_NONE);
    assert_int_equal(engine_start(pair.client), ERR_NONE);
    assert_int_equal(pair_exchange(&pair), ERR_MALFORMED);
    assert_int_equal(pair.client_ready_count, 0);
    pair_done(&pair);
}

static void login_refused_is_denied(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair.refusals = 1;
    pair_open(&pair);
    pair_request_login(&pair);
    assert_int_equal(pair_exchange(&pair), ERR_NONE);
    assert_int_equal(pair.login_count, 1);
    assert_int_equal(pair.login_result, ERR_DENIED);
    assert_int_equal(pair_send(pair.client, PAIR_CHANNEL_DATA, 0, 1, pair.client_hash), ERR_STATE);
    assert_int_equal(pair_send(pair.server, PAIR_CHANNEL_DATA, 0, 1, pair.server_hash), ERR_STATE);
    pair_done(&pair);
}

static void login_with_foreign_certificate_is_malformed(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair_open(&pair);
    uint8_t memory[64], certificate[PAIR_CERTIFICATE_BYTES];
    struct cursor blob;
    assert_int_equal(engine_login(pair.client, cursor_of_text("x")), ERR_STATE);
    assert_int_equal(engine_login_key(pair.client, memory, 50, &blob), ERR_TOO_LARGE);
    assert_int_equal(engine_login_key(pair.client, memory, sizeof memory, &blob), ERR_NONE);
    assert_int_equal(engine_login_key(pair.client, memory, sizeof memory, &blob), ERR_STATE);
    struct cursor foreign =
        pair_certificate(&pair.user_ca, cursor_of(pair.host_blob, pair.host_blob_bytes), "root", certificate);
    assert_int_equal(engine_login(pair.client, foreign), ERR_MALFORMED);
    struct cursor whole = pair_certificate(&pair.user_ca, blob, "root", certificate);
    for (size_t len = 0; len < cursor_len(&whole); len++) {
        /* libssh does not read the whole of a certificate; the target does. */
        if (engine_login(pair.client, cursor_of(certificate, len)) == ERR_NONE) {
            break;
        }
    }
    pair_done(&pair);
}

static void login_repeated_is_refused(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair_connect(&pair);
    uint8_t memory[64];
    struct cursor blob;
    assert_int_equal(engine_login_key(pair.client, memory, sizeof memory, &blob), ERR_STATE);
    assert_int_equal(engine_login(pair.client, cursor_of_text("x")), ERR_STATE);
    assert_int_equal(engine_accept_user(pair.server), ERR_STATE);
    assert_int_equal(engine_prompt_user(pair.server, "", 0, NULL, NULL), ERR_STATE);
    pair_done(&pair);
}

static void calls_of_the_other_role_are_refused(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    assert_int_equal(engine_new(&pair.server_config, &PAIR_SERVER_EVENTS, &pair, &pair.server), ERR_NONE);
    assert_int_equal(engine_new(&pair.client_config, &PAIR_CLIENT_EVENTS, &pair, &pair.client), ERR_NONE);
    uint8_t memory[64];
    struct cursor blob;
    assert_int_equal(engine_feed(pair.server, cursor_of_text("SSH-2.0-x\r\n")), ERR_STATE);
    assert_int_equal(engine_disconnect(pair.server, 11, "bye"), ERR_STATE);
    assert_int_equal(engine_start(pair.server), ERR_NONE);
    assert_int_equal(engine_start(pair.server), ERR_STATE);
    assert_int_equal(engine_accept_user(pair.server), ERR_STATE);
    assert_int_equal(engine_accept_user(pair.client), ERR_STATE);
    assert_int_equal(engine_prompt_user(pair.client, "", 0, NULL, NULL), ERR_STATE);
    assert_int_equal(engine_login_key(pair.server, memory, sizeof memory, &blob), ERR_STATE);
    pair_done(&pair);
}

static void unusable_configurations_are_malformed(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    struct engine *engine = NULL;
    for (size_t len = 0; len < pair.host_blob_bytes; len++) {
        pair.server_config.host_public_blob = cursor_of(pair.host_blob, len);
        assert_int_not_equal(engine_new(&pair.server_config, &PAIR_SERVER_EVENTS, &pair, &engine), ERR_NONE);
    }
    pair.server_config.host_public_blob = cursor_of(pair.host_blob, pair.host_blob_bytes);
    pair.server_config.ciphers = "des";
    assert_int_equal(engine_new(&pair.server_config, &PAIR_SERVER_EVENTS, &pair, &engine), ERR_MALFORMED);
    pair.server_config.ciphers = NULL;
    pair.server_config.banner_comment = "two\r\nlines";
    assert_int_equal(engine_new(&pair.server_config, &PAIR_SERVER_EVENTS, &pair, &engine), ERR_MALFORMED);
    pair.client_config.client_user = "";
    assert_int_equal(engine_new(&pair.client_config, &PAIR_CLIENT_EVENTS, &pair, &engine), ERR_MALFORMED);
    assert_null(engine);
    pair_done(&pair);
}

static void banner_names_the_bastion(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair.server_config.banner_comment = "hello";
    pair_open(&pair);
    assert_true(cursor_equal_text(queue_peek(engine_output(pair.server)), "SSH-2.0-bastion hello\r\n"));
    assert_int_equal(pair_exchange(&pair), ERR_NONE);
    pair_done(&pair);
}

static void ciphers_are_the_configured_ones(void **state)
{
    (void)state;
    static const struct {
        const char *server, *client, *agreed; /* NULL: no common cipher */
    } CASES[] = {
        {NULL, NULL, " aes128-gcm@openssh.com"},
        {NULL, "chacha20-poly1305@openssh.com", " chacha20-poly1305@openssh.com"},
        {"aes256-gcm@openssh.com", NULL, " aes256-gcm@openssh.com"},
        {NULL, "aes256-ctr", " aes256-ctr"},
        {NULL, "aes256-ctr,chacha20-poly1305@openssh.com", " aes256-ctr"}, /* the client's order decides */
        {"aes256-ctr", NULL, NULL},                                        /* never towards a target */
        {NULL, "aes128-ctr", NULL},
        {NULL, "aes128-cbc", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct pair pair;
        pair_init(&pair);
        pair.server_config.ciphers = CASES[i].server;
        pair.client_config.ciphers = CASES[i].client;
        pair_open(&pair);
        char text[ENGINE_ALGORITHMS_BYTES];
        if (CASES[i].agreed == NULL) {
            assert_int_equal(pair_exchange(&pair), ERR_MALFORMED);
            assert_string_equal(engine_algorithms(pair.server, text, sizeof text), "");
        } else {
            assert_int_equal(pair_exchange(&pair), ERR_NONE);
            assert_non_null(strstr(engine_algorithms(pair.client, text, sizeof text), CASES[i].agreed));
        }
        pair_done(&pair);
    }
}

/* Each client sees what it asks for first, and the exchange goes on as ever. */
static void server_shows_its_certificate_to_who_asks_for_it(void **state)
{
    (void)state;
    for (unsigned wants = 0; wants < 2; wants++) {
        struct pair pair;
        uint8_t memory[PAIR_CERTIFICATE_BYTES];
        pair_init(&pair);
        struct cursor certificate =
            pair_certify(&pair.user_ca, 2, cursor_of(pair.host_blob, pair.host_blob_bytes), "node1", memory);
        pair.server_config.host_certificate = certificate;
        pair.client_config.wants_host_certificate = wants == 1;
        pair.shown = wants == 1 ? certificate : cursor_of(NULL, 0);
        pair_connect(&pair);
        assert_int_equal(pair.host_key_count, 1);
        pair_done(&pair);
    }
}

static void client_that_wants_a_certificate_gets_a_plain_key_where_there_is_none(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair.client_config.wants_host_certificate = true;
    pair_connect(&pair);
    assert_int_equal(pair.host_key_count, 1);
    pair_done(&pair);
}

static void certificate_that_the_owner_refuses_ends_the_connection(void **state)
{
    (void)state;
    struct pair pair;
    uint8_t memory[PAIR_CERTIFICATE_BYTES];
    pair_init(&pair);
    pair.shown = pair.server_config.host_certificate =
        pair_certify(&pair.user_ca, 2, cursor_of(pair.host_blob, pair.host_blob_bytes), "node1", memory);
    pair.client_config.wants_host_certificate = true;
    pair.host_key_answer = ERR_DENIED;
    pair_open(&pair);
    assert_int_equal(pair_exchange(&pair), ERR_DENIED);
    assert_int_equal(pair.client_ready_count, 0);
    pair_done(&pair);
}

static void certificate_for_another_key_or_kind_of_key_is_malformed(void **state)
{
    (void)state;
    struct pair pair;
    struct engine *engine = NULL;
    uint8_t memory[PAIR_CERTIFICATE_BYTES];
    uint8_t other[PAIR_BLOB_BYTES];
    pair_init(&pair);
    struct cursor other_blob = cursor_of(other, pair_key_blob(&pair.user_ca, other));
    pair.server_config.host_certificate = pair_certify(&pair.user_ca, 2, other_blob, "node1", memory);
    assert_int_equal(engine_new(&pair.server_config, &PAIR_SERVER_EVENTS, &pair, &engine), ERR_MALFORMED);
    pair.server_config.host_certificate = cursor_of(pair.host_blob, pair.host_blob_bytes);
    assert_int_equal(engine_new(&pair.server_config, &PAIR_SERVER_EVENTS, &pair, &engine), ERR_MALFORMED);
    pair.client_config.host_keys = "ssh-dss,nonsense";
    assert_int_equal(engine_new(&pair.client_config, &PAIR_CLIENT_EVENTS, &pair, &engine), ERR_MALFORMED);
    pair_done(&pair);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(server_shows_its_certificate_to_who_asks_for_it),
        cmocka_unit_test(client_that_wants_a_certificate_gets_a_plain_key_where_there_is_none),
        cmocka_unit_test(certificate_that_the_owner_refuses_ends_the_connection),
        cmocka_unit_test(certificate_for_another_key_or_kind_of_key_is_malformed),
        cmocka_unit_test(handshake_of_two_engines_reaches_login),
        cmocka_unit_test(login_request_is_signed_over_the_session_id),
        cmocka_unit_test(handshake_with_refused_host_key_ends),
        cmocka_unit_test(handshake_without_signature_ends),
        cmocka_unit_test(handshake_with_wrong_signature_ends),
        cmocka_unit_test(login_refused_is_denied),
        cmocka_unit_test(login_with_foreign_certificate_is_malformed),
        cmocka_unit_test(login_repeated_is_refused),
        cmocka_unit_test(calls_of_the_other_role_are_refused),
        cmocka_unit_test(unusable_configurations_are_malformed),
        cmocka_unit_test(banner_names_the_bastion),
        cmocka_unit_test(ciphers_are_the_configured_ones),
    };
    return engine_library_init() == ERR_NONE ? cmocka_run_group_tests(TESTS, NULL, NULL) : 1;
}
