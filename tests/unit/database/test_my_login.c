/* Logins of MySQL: who is asked for the password, what reaches the target, what is refused. */
#include "database/my_talk.h"

#include "../../../gateway/database/my_password.h"

#define ERR_STATE openssl_err_state
#include <openssl/pem.h>
#include <openssl/rsa.h>
#undef ERR_STATE

static struct talk talk;
static const char *const SHA2 = "caching_sha2_password";
static const char *const NATIVE = "mysql_native_password";
static const char *const PROOF = "01234567890123456789012345678901";
static const size_t CHUNKS[] = {0, 1, 3};

static const char *const OK = "\x00\x00\x00\x02\x00\x00\x00";
static void target_says_ok(uint8_t sequence)
{
    packet(&talk, DB_TARGET, sequence, cursor_of(OK, 7));
}
static void expect_ok(uint8_t sequence)
{
    expect_packet(&talk, DB_CLIENT, sequence, cursor_of(OK, 7));
    assert_int_equal(queue_len(&talk.got[DB_CLIENT]), 0);
    assert_int_equal(db_relay_need(talk.relay), DB_NEED_NOTHING);
}

/* Greeting to the client, request for TLS to the target. */
static void expect_beginning(const char *plugin, bool offers_ssl)
{
    struct my_greeting greeting;
    assert_int_equal(my_read_greeting(take_packet_of(&talk, DB_CLIENT), &greeting), ERR_NONE);
    assert_true(cursor_equal_text(greeting.plugin, plugin));
    assert_int_equal((greeting.capabilities & MY_SSL) != 0, offers_ssl);
    assert_int_equal(greeting.capabilities & ~(uint32_t)MY_PASSED, 0);
}
static struct my_login expect_login(void)
{
    struct my_login login;
    assert_int_equal(my_read_login(take_packet_of(&talk, DB_TARGET), &login), ERR_NONE);
    assert_true(login.is_ssl_request);
    assert_int_equal(my_read_login(take_packet_of(&talk, DB_TARGET), &login), ERR_NONE);
    assert_true((login.capabilities & MY_SSL) != 0);
    assert_int_equal(login.capabilities & ~(uint32_t)MY_PASSED, 0);
    return login;
}

/* What a client sends that got a key: the password, mixed and encrypted. */
static void send_sealed(uint8_t sequence, struct cursor pem, const char *password, const char *nonce)
{
    uint8_t mixed[64];
    size_t len = strlen(password) + 1;
    memcpy(mixed, password, len);
    for (size_t i = 0; i < len; i++) {
        mixed[i] ^= (uint8_t)nonce[i % MY_NONCE_BYTES];
    }
    BIO *bio = BIO_new_mem_buf(pem.at, (int)cursor_len(&pem));
    EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    assert_non_null(key);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    uint8_t sealed[256];
    size_t sealed_len = sizeof sealed;
    assert_int_equal(EVP_PKEY_encrypt_init(context), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING), 1);
    assert_int_equal(EVP_PKEY_encrypt(context, sealed, &sealed_len, mixed, len), 1);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
    BIO_free(bio);
    packet(&talk, DB_CLIENT, sequence, cursor_of(sealed, sealed_len));
}

static struct cursor take_key(void)
{
    struct cursor payload = take_packet_of(&talk, DB_CLIENT);
    uint8_t more = 0;
    assert_int_equal(cursor_u8(&payload, &more), ERR_NONE);
    assert_int_equal(more, MY_AUTH_MORE);
    return payload;
}

/* caching_sha2_password of a MySQL 8, the client without TLS: our key stands for the target's. */
static void full_authentication_reaches_the_target_as_the_password(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CHUNKS); i++) {
        my_begin(&talk, (struct db_config){.login = DB_LOGIN_CLIENT}, CHUNKS[i]);
        greet(&talk, SHA2, (uint32_t)MY_PASSED);
        expect_beginning(SHA2, false);
        log_in(&talk, 1, MY_TALK_CAPABILITIES, SHA2, cursor_of_text(PROOF));
        assert_true(cursor_equal_text(expect_login().proof, PROOF));
        PACKET(&talk, DB_TARGET, 3, "\x01\x04");
        EXPECT_PACKET(&talk, DB_CLIENT, 2, "\x01\x04");
        PACKET(&talk, DB_CLIENT, 3, "\x02");
        assert_int_equal(queue_len(&talk.got[DB_TARGET]), 0);
        send_sealed(5, take_key(), "secret", MY_NONCE);
        EXPECT_PACKET(&talk, DB_TARGET, 4, "secret\0");
        target_says_ok(5);
        expect_ok(6);
        talk_log_is(&talk,
                    "startup orders_rw/orders  version=8.0.36 tls=yes login=client caching_sha2_password\n");
        talk_end(&talk);
    }
}

/* Over a Unix socket or TLS such a client sends the password itself. */
static void clear_password_of_the_client_passes(void **state)
{
    (void)state;
    my_begin(&talk, (struct db_config){.client_tls = DB_CLIENT_TLS_TERMINATE}, 0);
    greet(&talk, SHA2, (uint32_t)MY_PASSED);
    expect_beginning(SHA2, true);
    uint8_t memory[64];
    struct writer out = writer_of(memory, sizeof memory);
    const struct my_login request = {.capabilities = (uint32_t)MY_TALK_CAPABILITIES | MY_SSL};
    my_write_ssl_request(&out, &request);
    packet(&talk, DB_CLIENT, 1, written(&out));
    log_in(&talk, 2, (uint32_t)MY_TALK_CAPABILITIES | MY_SSL, SHA2, cursor_of_text(PROOF));
    (void)expect_login();
    PACKET(&talk, DB_TARGET, 3, "\x01\x04");
    EXPECT_PACKET(&talk, DB_CLIENT, 3, "\x01\x04");
    PACKET(&talk, DB_CLIENT, 4, "secret\0");
    EXPECT_PACKET(&talk, DB_TARGET, 4, "secret\0");
    target_says_ok(5);
    expect_ok(5);
    talk_end(&talk);
}

static void fast_authentication_and_switch_pass(void **state)
{
    (void)state;
    my_begin(&talk, (struct db_config){0}, 1);
    greet(&talk, SHA2, (uint32_t)MY_PASSED);
    expect_beginning(SHA2, false);
    log_in(&talk, 1, MY_TALK_CAPABILITIES, SHA2, cursor_of_text(PROOF));
    (void)expect_login();
    PACKET(&talk, DB_TARGET, 3,
           "\xfe"
           "client_ed25519\0"
           "0123456789abcdef0123456789abcdef");
    EXPECT_PACKET(&talk, DB_CLIENT, 2,
                  "\xfe"
                  "client_ed25519\0"
                  "0123456789abcdef0123456789abcdef");
    PACKET(&talk, DB_CLIENT, 3, "\x02"); /* no request for a key here: it passes */
    EXPECT_PACKET(&talk, DB_TARGET, 4, "\x02");
    PACKET(&talk, DB_TARGET, 5, "\x01\x03");
    EXPECT_PACKET(&talk, DB_CLIENT, 4, "\x01\x03");
    target_says_ok(6);
    expect_ok(5);
    talk_end(&talk);
}

static void expect_native_proof(const struct my_login *login, const char *password)
{
    OWNED_SECRET want = {0};
    assert_true(cursor_equal_text(login->plugin, NATIVE));
    assert_int_equal(my_prove(MY_PLUGIN_NATIVE, cursor_of_text(MY_NONCE), cursor_of_text(password), &want),
                     ERR_NONE);
    assert_true(cursor_equal(login->proof, secret_peek(&want)));
}

static void asked_client_seals_its_password_and_the_relay_logs_in(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CHUNKS); i++) {
        my_begin(&talk, (struct db_config){.login = DB_LOGIN_ASK}, CHUNKS[i]);
        greet(&talk, NATIVE, (uint32_t)MY_PASSED);
        expect_beginning(SHA2, false);
        log_in(&talk, 1, MY_TALK_CAPABILITIES, SHA2, cursor_of_text(PROOF));
        EXPECT_PACKET(&talk, DB_CLIENT, 2, "\x01\x04");
        PACKET(&talk, DB_CLIENT, 3, "\x02");
        send_sealed(5, take_key(), "secret", MY_NONCE);
        struct my_login login = expect_login();
        expect_native_proof(&login, "secret");
        /* The account has another plugin: the relay answers by itself. */
        PACKET(&talk, DB_TARGET, 3,
               "\xfe"
               "mysql_clear_password\0");
        EXPECT_PACKET(&talk, DB_TARGET, 4, "secret\0");
        target_says_ok(5);
        expect_ok(6);
        talk_log_is(&talk,
                    "startup orders_rw/orders  version=8.0.36 tls=yes login=ask mysql_clear_password\n");
        talk_end(&talk);
    }
}

static void asked_client_of_another_plugin_switches(void **state)
{
    (void)state;
    my_begin(&talk, (struct db_config){.login = DB_LOGIN_ASK}, 0);
    greet(&talk, SHA2, (uint32_t)MY_PASSED);
    expect_beginning(SHA2, false);
    log_in(&talk, 1, MY_TALK_CAPABILITIES, NATIVE, cursor_of_text("01234567890123456789"));
    struct cursor request = take_packet_of(&talk, DB_CLIENT);
    struct cursor name;
    struct cursor nonce;
    request.at++;
    assert_int_equal(my_read_switch(request, &name, &nonce), ERR_NONE);
    assert_true(cursor_equal_text(name, SHA2));
    char nonce_text[MY_NONCE_BYTES + 1];
    assert_int_equal(cursor_len(&nonce), sizeof nonce_text);
    memcpy(nonce_text, nonce.at, sizeof nonce_text);
    assert_int_equal(strlen(nonce_text), MY_NONCE_BYTES);
    packet(&talk, DB_CLIENT, 3, cursor_of_text(PROOF));
    EXPECT_PACKET(&talk, DB_CLIENT, 4, "\x01\x04");
    PACKET(&talk, DB_CLIENT, 5, "\x02");
    send_sealed(7, take_key(), "secret", nonce_text);
    assert_true(cursor_equal_text(expect_login().plugin, SHA2));
    PACKET(&talk, DB_TARGET, 3, "\x01\x04");
    EXPECT_PACKET(&talk, DB_TARGET, 4, "secret\0");
    target_says_ok(5);
    expect_ok(8);
    talk_end(&talk);
}

static void asked_client_without_password_or_with_a_clear_one_is_not_asked_twice(void **state)
{
    (void)state;
    my_begin(&talk, (struct db_config){.login = DB_LOGIN_ASK}, 0);
    greet(&talk, NATIVE, (uint32_t)MY_PASSED);
    log_in(&talk, 1, MY_TALK_CAPABILITIES, SHA2, cursor_of("\0", 1));
    assert_int_equal(cursor_len(&(struct cursor[1]){expect_login().proof}[0]), 0);
    talk_end(&talk);
    my_begin(&talk, (struct db_config){.login = DB_LOGIN_ASK}, 0);
    greet(&talk, NATIVE, (uint32_t)MY_PASSED);
    log_in(&talk, 1, MY_TALK_CAPABILITIES, "mysql_clear_password", cursor_of("secret", 7));
    struct my_login login = expect_login();
    expect_native_proof(&login, "secret");
    talk_end(&talk);
}

static void password_sealed_to_another_key_ends_the_client(void **state)
{
    (void)state;
    my_begin(&talk, (struct db_config){.login = DB_LOGIN_ASK}, 0);
    greet(&talk, NATIVE, (uint32_t)MY_PASSED);
    log_in(&talk, 1, MY_TALK_CAPABILITIES, SHA2, cursor_of_text(PROOF));
    PACKET(&talk, DB_CLIENT, 3, "\x02");
    talk_forget(&talk);
    PACKET(&talk, DB_CLIENT, 5, "these are no 256 bytes of RSA");
    expect_error(&talk, 1043);
    expect_end(&talk, DB_END_CLIENT);
    assert_int_equal(talk.records, 0);
    talk_end(&talk);
}

static void token_is_the_password_whatever_the_client_proves(void **state)
{
    (void)state;
    static const struct {
        const char *plugin, *proof;
        bool wants_fast;
    } ROWS[] = {{"caching_sha2_password", "01234567890123456789012345678901", true},
                {"caching_sha2_password", "", false},
                {"mysql_native_password", "01234567890123456789", false},
                {"mysql_clear_password", "anything", false}};
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        my_begin(&talk, (struct db_config){.login = DB_LOGIN_TOKEN}, i);
        talk.token = "host:3306/?Action=connect&token";
        greet(&talk, NATIVE, (uint32_t)MY_PASSED);
        expect_beginning(SHA2, false);
        log_in(&talk, 1, MY_TALK_CAPABILITIES, ROWS[i].plugin, cursor_of_text(ROWS[i].proof));
        struct my_login login = expect_login();
        expect_native_proof(&login, talk.token);
        PACKET(&talk, DB_TARGET, 3,
               "\xfe"
               "mysql_clear_password\0");
        EXPECT_PACKET(&talk, DB_TARGET, 4, "host:3306/?Action=connect&token\0");
        target_says_ok(5);
        if (ROWS[i].wants_fast) {
            EXPECT_PACKET(&talk, DB_CLIENT, 2, "\x01\x03");
        }
        expect_ok(ROWS[i].wants_fast ? 3 : 2);
        talk_end(&talk);
    }
}

/* Endings before the first command, each with what the client is told. */

static void early_error_of_the_target_passes(void **state)
{
    (void)state;
    my_begin(&talk, (struct db_config){0}, 0);
    PACKET(&talk, DB_TARGET, 0,
           "\xff\x10\x04"
           "Too many connections");
    EXPECT_PACKET(&talk, DB_CLIENT, 0,
                  "\xff\x10\x04"
                  "Too many connections");
    expect_end(&talk, DB_END_LOGIN);
    talk_end(&talk);
}

static void targets_that_cannot_be_used_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint32_t missing;
        enum db_end end;
    } ROWS[] = {{MY_SSL, DB_END_REFUSED}, {MY_PLUGIN_AUTH, DB_END_TARGET}, {MY_PROTOCOL_41, DB_END_TARGET}};
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        my_begin(&talk, (struct db_config){0}, 1);
        greet(&talk, NATIVE, (uint32_t)MY_PASSED & ~ROWS[i].missing);
        expect_error(&talk, 1043);
        expect_end(&talk, ROWS[i].end);
        talk_end(&talk);
    }
    my_begin(&talk, (struct db_config){0}, 0);
    talk_bytes(&talk, DB_TARGET, cursor_of_text("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"));
    expect_end(&talk, DB_END_TARGET);
    talk_end(&talk);
}

static void clients_that_cannot_be_served_are_told(void **state)
{
    (void)state;
    uint8_t memory[64];
    struct writer out = writer_of(memory, sizeof memory);
    const struct my_login request = {.capabilities = (uint32_t)MY_TALK_CAPABILITIES | MY_SSL};
    my_write_ssl_request(&out, &request);
    const struct {
        uint8_t sequence;
        struct cursor payload;
    } rows[] = {{1, written(&out)},              /* TLS where there is none */
                {0, cursor_of_text("x")},        /* out of order */
                {1, cursor_of_text("no login")}, /* cut short */
                {1, cursor_of("\x05\0\0\0\0"
                              "zz",
                              7)}, /* MySQL 3 */
                {1, cursor_of(NULL, 0)}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        my_begin(&talk, (struct db_config){0}, 0);
        greet(&talk, NATIVE, (uint32_t)MY_PASSED);
        talk_forget(&talk);
        packet(&talk, DB_CLIENT, rows[i].sequence, rows[i].payload);
        expect_error(&talk, 1043);
        expect_end(&talk, DB_END_CLIENT);
        assert_int_equal(queue_len(&talk.got[DB_TARGET]), 0);
        talk_end(&talk);
    }
    my_begin(&talk, (struct db_config){0}, 0);
    greet(&talk, NATIVE, (uint32_t)MY_PASSED);
    talk_forget(&talk);
    talk_bytes(&talk, DB_CLIENT, cursor_of("\xff\xff\xff\x01", 4)); /* the header of an endless login */
    expect_error(&talk, 1043);
    expect_end(&talk, DB_END_CLIENT);
    talk_end(&talk);
}

static void refused_login_never_reaches_the_target(void **state)
{
    (void)state;
    my_begin(&talk, (struct db_config){0}, 1);
    talk.refusal = "you may not reach orders";
    greet(&talk, NATIVE, (uint32_t)MY_PASSED);
    talk_forget(&talk);
    log_in(&talk, 1, MY_TALK_CAPABILITIES, NATIVE, cursor_of_text("01234567890123456789"));
    EXPECT_PACKET(&talk, DB_CLIENT, 2, "\xff\x15\x04#28000you may not reach orders");
    expect_end(&talk, DB_END_REFUSED);
    assert_int_equal(queue_len(&talk.got[DB_TARGET]), 0);
    assert_int_equal(talk.records, 0);
    talk_end(&talk);
}

static void login_of_a_hostile_target_ends(void **state)
{
    (void)state;
    static const struct {
        const char *payload;
        size_t len;
        uint8_t sequence;
    } ROWS[] = {{"\x02", 1, 3},                         /* nothing that exists */
                {"", 0, 3},                             /* nothing at all */
                {"\xfe", 1, 3},                         /* the login of MySQL 3 */
                {"\x00\x00", 2, 3},                     /* an OK cut short */
                {"\x00\x00\x00\x02\x00\x00\x00", 7, 4}, /* out of order */
                {"\xfe"
                 "caching_sha2_password",
                 22, 3}}; /* a name without an end */
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        my_begin(&talk, (struct db_config){0}, 0);
        greet(&talk, NATIVE, (uint32_t)MY_PASSED);
        log_in(&talk, 1, MY_TALK_CAPABILITIES, NATIVE, cursor_of_text("01234567890123456789"));
        talk_forget(&talk);
        packet(&talk, DB_TARGET, ROWS[i].sequence, cursor_of(ROWS[i].payload, ROWS[i].len));
        expect_error(&talk, 1043);
        expect_end(&talk, DB_END_TARGET);
        talk_end(&talk);
    }
}

static void login_without_end_ends(void **state)
{
    (void)state;
    my_begin(&talk, (struct db_config){0}, 0);
    greet(&talk, NATIVE, (uint32_t)MY_PASSED);
    log_in(&talk, 1, MY_TALK_CAPABILITIES, NATIVE, cursor_of_text("01234567890123456789"));
    for (unsigned i = 0; i < 300 && db_relay_need(talk.relay) != DB_NEED_END; i++) {
        PACKET(&talk, DB_TARGET, (uint8_t)(3 + i),
               "\x01"
               "again");
    }
    expect_end(&talk, DB_END_TARGET);
    talk_end(&talk);
}

static void target_that_asks_what_the_relay_cannot_answer_ends(void **state)
{
    (void)state;
    static const struct cursor NOTHING = {NULL, NULL};
    const struct cursor payloads[] = {cursor_of("\xfe"
                                                "auth_gssapi_client\0",
                                                20),
                                      cursor_of("\xfe"
                                                "client_ed25519\0"
                                                "short",
                                                21),
                                      cursor_of("\x01"
                                                "question",
                                                9)};
    for (size_t i = 0; i < COUNT_OF(payloads); i++) {
        my_begin(&talk, (struct db_config){.login = DB_LOGIN_TOKEN}, 0);
        talk.token = "token";
        greet(&talk, NATIVE, (uint32_t)MY_PASSED);
        log_in(&talk, 1, MY_TALK_CAPABILITIES, NATIVE, NOTHING);
        talk_forget(&talk);
        packet(&talk, DB_TARGET, 3, payloads[i]);
        expect_error(&talk, 1043);
        expect_end(&talk, DB_END_TARGET);
        talk_end(&talk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_authentication_reaches_the_target_as_the_password),
        cmocka_unit_test(clear_password_of_the_client_passes),
        cmocka_unit_test(fast_authentication_and_switch_pass),
        cmocka_unit_test(asked_client_seals_its_password_and_the_relay_logs_in),
        cmocka_unit_test(asked_client_of_another_plugin_switches),
        cmocka_unit_test(asked_client_without_password_or_with_a_clear_one_is_not_asked_twice),
        cmocka_unit_test(password_sealed_to_another_key_ends_the_client),
        cmocka_unit_test(token_is_the_password_whatever_the_client_proves),
        cmocka_unit_test(early_error_of_the_target_passes),
        cmocka_unit_test(targets_that_cannot_be_used_are_refused),
        cmocka_unit_test(clients_that_cannot_be_served_are_told),
        cmocka_unit_test(refused_login_never_reaches_the_target),
        cmocka_unit_test(login_of_a_hostile_target_ends),
        cmocka_unit_test(login_without_end_ends),
        cmocka_unit_test(target_that_asks_what_the_relay_cannot_answer_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
