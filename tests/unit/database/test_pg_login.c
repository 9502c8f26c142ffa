#include "crypto/base64.h"
#include "crypto/hash.h"
#include "pg_talk.h"

#define STARTUP "issssssb", 196608U, "user", "orders_rw", "database", "orders", "application_name", "test", 0
enum { SSL_REQUEST = 80877103, GSS_REQUEST = 80877104, CANCEL_REQUEST = 80877102 };

static struct talk talk;

static void begin(struct db_config config)
{
    talk_begin(&talk, config);
    talk_go_on(&talk);
    talk_expect(&talk, DB_TARGET, 0, "i", (uint32_t)SSL_REQUEST);
}

static void target_has_tls(void)
{
    talk_bytes(&talk, DB_TARGET, cursor_of_text("S"));
}

static void expect_end(enum db_end end, const char *sentence)
{
    const char *said = NULL;
    assert_int_equal(db_relay_end(talk.relay, &said), end);
    assert_string_equal(said, sentence);
    assert_int_equal(db_relay_need(talk.relay), DB_NEED_END);
    talk_end(&talk);
}

static void expect_error(const char *severity, const char *code, const char *sentence)
{
    talk_expect(&talk, DB_CLIENT, 'E', "bsbsbsbsb", 'S', severity, 'V', severity, 'C', code, 'M', sentence,
                0);
}

static void expect_letter(char letter)
{
    struct cursor got = queue_peek(&talk.got[DB_CLIENT]);
    assert_int_equal(cursor_len(&got), 1);
    assert_int_equal(got.at[0], letter);
    talk_forget(&talk);
}

/* ---- the opening ---- */

static void requests_for_encryption_are_answered_no_once(void **state)
{
    (void)state;
    begin((struct db_config){0});
    CLIENT(&talk, 0, "i", (uint32_t)GSS_REQUEST);
    expect_letter('N');
    CLIENT(&talk, 0, "i", (uint32_t)SSL_REQUEST);
    expect_letter('N');
    CLIENT(&talk, 0, "i", (uint32_t)SSL_REQUEST);
    expect_end(DB_END_CLIENT, "the client asked for TLS twice");
    begin((struct db_config){0});
    CLIENT(&talk, 0, "i", (uint32_t)GSS_REQUEST);
    CLIENT(&talk, 0, "i", (uint32_t)GSS_REQUEST);
    expect_end(DB_END_CLIENT, "the client asked for GSSAPI encryption twice");
}

static void request_for_tls_is_met_where_it_ends_here(void **state)
{
    (void)state;
    begin((struct db_config){.client_tls = DB_CLIENT_TLS_TERMINATE});
    CLIENT(&talk, 0, "i", (uint32_t)SSL_REQUEST);
    expect_letter('S');
    CLIENT(&talk, 0, "i", (uint32_t)SSL_REQUEST); /* inside TLS */
    expect_end(DB_END_CLIENT, "the client asked for TLS twice");
}

static void tls_without_a_request_is_left_to_the_owner_or_refused(void **state)
{
    (void)state;
    static const uint8_t HELLO[] = {0x16, 3, 1, 0, 5, 1, 2, 3};
    struct cursor hello = cursor_of(HELLO, sizeof HELLO);
    begin((struct db_config){.client_tls = DB_CLIENT_TLS_TERMINATE});
    assert_int_equal(db_relay_feed(talk.relay, DB_CLIENT, &hello, 1), ERR_NONE);
    assert_int_equal(db_relay_need(talk.relay), DB_NEED_CLIENT_TLS);
    assert_int_equal(cursor_len(&hello), sizeof HELLO);
    talk_end(&talk);
    begin((struct db_config){0});
    talk_bytes(&talk, DB_CLIENT, hello);
    expect_end(DB_END_CLIENT,
               "the client began TLS, which this target does not offer (sslnegotiation=direct)");
}

static void other_protocols_are_closed(void **state)
{
    (void)state;
    begin((struct db_config){0});
    talk_bytes(&talk, DB_CLIENT, cursor_of_text("GET / HTTP/1.1\r\n\r\n"));
    assert_int_equal(queue_len(&talk.got[DB_CLIENT]), 0);
    expect_end(DB_END_CLIENT, "the client does not speak PostgreSQL's protocol");
    begin((struct db_config){0});
    CLIENT(&talk, 0, "isssb", 131072U, "user", "x", "", 0);
    expect_end(DB_END_CLIENT, "the client speaks another version of the protocol than 3");
}

static void target_without_tls_is_refused(void **state)
{
    (void)state;
    begin((struct db_config){0});
    CLIENT(&talk, 0, STARTUP);
    talk_bytes(&talk, DB_TARGET, cursor_of_text("N"));
    expect_error("FATAL", "08P01", "the target offers no TLS");
    expect_end(DB_END_TARGET, "the target offers no TLS");
}

static void startup_asks_for_the_grant_with_its_fields(void **state)
{
    (void)state;
    begin((struct db_config){0});
    static uint8_t startup[256];
    struct writer out = writer_of(startup, sizeof startup);
    static const char FIELDS[] = "\0\0\0\0\0\3\0\0user\0bob\0options\0-c\na=b\0replication\0database\0";
    writer_bytes(&out, cursor_of(FIELDS, sizeof FIELDS));
    startup[3] = (uint8_t)sizeof FIELDS;
    struct cursor in = cursor_of(startup, sizeof FIELDS);
    struct cursor tls = cursor_of_text("S");
    const struct db_tls none = {0};
    assert_int_equal(db_relay_feed(talk.relay, DB_CLIENT, &in, 1), ERR_NONE);
    assert_int_equal(db_relay_need(talk.relay), DB_NEED_NOTHING);
    assert_int_equal(db_relay_feed(talk.relay, DB_TARGET, &tls, 1), ERR_NONE);
    assert_int_equal(db_relay_need(talk.relay), DB_NEED_TARGET_TLS);
    assert_int_equal(db_relay_tls_ready(talk.relay, DB_TARGET, &none, 1), ERR_NONE);
    assert_int_equal(db_relay_need(talk.relay), DB_NEED_GRANT);
    const struct db_asked *asked = db_relay_asked(talk.relay);
    assert_true(cursor_equal_text(asked->user, "bob"));
    assert_true(cursor_equal_text(asked->database, "bob"));
    assert_true(cursor_equal_text(asked->parameters, "options=-c a=b\nreplication=database\n"));
    assert_true(asked->is_replication);
    const struct db_rights rights = {0};
    assert_int_equal(db_relay_granted(talk.relay, &rights, cursor_of(NULL, 0), 1), ERR_NONE);
    talk_drain(&talk);
    assert_int_equal(queue_len(&talk.got[DB_TARGET]), 0);
    expect_error("FATAL", "42501", "the policy of the bastion allows no replication here");
    expect_end(DB_END_REFUSED, "the policy of the bastion allows no replication here");
}

static void startup_that_can_be_read_in_two_ways_is_refused(void **state)
{
    (void)state;
    static const char *const TWICE[] = {"user", "database"};
    for (size_t i = 0; i < COUNT_OF(TWICE); i++) {
        begin((struct db_config){0});
        CLIENT(&talk, 0, "issssssb", 196608U, "user", "a", "database", "b", TWICE[i], "c", 0);
        expect_end(DB_END_CLIENT, "the client's startup message has wrong fields");
    }
    /* The server would cut it to 63 bytes. */
    begin((struct db_config){0});
    CLIENT(&talk, 0, "issb", 196608U, "user",
           "x234567890123456789012345678901234567890123456789012345678901234", 0);
    expect_end(DB_END_CLIENT, "the client's startup message has wrong fields");
    begin((struct db_config){0});
    CLIENT(&talk, 0, "issb", 196608U, "database", "x", 0);
    expect_end(DB_END_CLIENT, "the client's startup message has wrong fields");
}

static void refusal_of_the_policy_is_an_error_of_the_protocol(void **state)
{
    (void)state;
    begin((struct db_config){0});
    CLIENT(&talk, 0, STARTUP);
    assert_int_equal(db_relay_refuse(talk.relay, DB_REFUSED_POLICY, "no (code 7F3A)", 1), ERR_NONE);
    talk_drain(&talk);
    expect_error("FATAL", "28000", "no (code 7F3A)");
    expect_end(DB_END_REFUSED, "no (code 7F3A)");
}

static void cancel_asks_with_its_key_and_passes(void **state)
{
    (void)state;
    for (unsigned is_long = 0; is_long < 2; is_long++) {
        begin((struct db_config){0});
        char secret[257] = "key.";
        memset(secret, 'k', is_long != 0 ? 256 : 4);
        CLIENT(&talk, 0, "iit", (uint32_t)CANCEL_REQUEST, 77U, secret);
        target_has_tls();
        assert_int_equal(cursor_len(&db_relay_asked(talk.relay)->cancel_key), is_long != 0 ? 260 : 8);
        talk_expect(&talk, DB_TARGET, 0, "iit", (uint32_t)CANCEL_REQUEST, 77U, secret);
        assert_int_equal(db_relay_eof(talk.relay, DB_TARGET, 1), ERR_NONE);
        assert_int_equal(queue_len(&talk.got[DB_CLIENT]), 0);
        expect_end(DB_END_CLOSED, "the target took the cancel request");
    }
}

/* ---- the client's own login ---- */

static void login_of_the_client_passes_without_binding_to_tls(void **state)
{
    (void)state;
    begin((struct db_config){0});
    target_has_tls();
    CLIENT(&talk, 0, STARTUP);
    talk_expect(&talk, DB_TARGET, 0, STARTUP);
    TARGET(&talk, 'R', "isssb", 10U, "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "OTHER", 0);
    talk_expect(&talk, DB_CLIENT, 'R', "issb", 10U, "SCRAM-SHA-256", "OTHER", 0);
    CLIENT(&talk, 'p', "st", "SCRAM-SHA-256", "first");
    talk_expect(&talk, DB_TARGET, 'p', "st", "SCRAM-SHA-256", "first");
    TARGET(&talk, 'R', "it", 11U, "r=1");
    CLIENT(&talk, 'p', "t", "final");
    TARGET(&talk, 'R', "it", 12U, "v=1");
    TARGET(&talk, 'R', "i", 0U);
    TARGET(&talk, 'N', "bsbsb", 'S', "NOTICE", 'M', "welcome", 0);
    TARGET(&talk, 'S', "ss", "server_version", "15.8");
    TARGET(&talk, 'Z', "b", 'I');
    talk_log_is(&talk, "notice NOTICE  welcome\n"
                       "startup orders_rw/orders  version=15.8 tls=yes login=client scram-sha-256\n");
    talk_end(&talk);
}

/* libpq 18 asks for 3.2 and may get less; keys are longer there. */
static void newer_protocols_are_negotiated_by_the_target(void **state)
{
    (void)state;
    char key[257] = {0};
    memset(key, 'k', 256);
    begin((struct db_config){0});
    target_has_tls();
    CLIENT(&talk, 0, "issssb", 196610U, "user", "bob", "_pq_.new", "1", 0);
    talk_expect(&talk, DB_TARGET, 0, "issssb", 196610U, "user", "bob", "_pq_.new", "1", 0);
    TARGET(&talk, 'v', "iis", 2U, 1U, "_pq_.new");
    talk_expect(&talk, DB_CLIENT, 'v', "iis", 2U, 1U, "_pq_.new");
    TARGET(&talk, 'R', "i", 0U);
    TARGET(&talk, 'K', "it", 1U, key);
    TARGET(&talk, 'Z', "b", 'I');
    talk_log_is(&talk, "key of 260 bytes\n"
                       "startup bob/bob _pq_.new=1? version= tls=yes login=client trust\n");
    talk_end(&talk);
}

static void target_that_offers_only_binding_is_refused(void **state)
{
    (void)state;
    begin((struct db_config){0});
    target_has_tls();
    CLIENT(&talk, 0, STARTUP);
    TARGET(&talk, 'R', "isb", 10U, "SCRAM-SHA-256-PLUS", 0);
    expect_end(DB_END_TARGET, "the target offers only logins that are bound to its own TLS");
}

static void password_that_nobody_asked_for_is_refused(void **state)
{
    (void)state;
    begin((struct db_config){0});
    target_has_tls();
    CLIENT(&talk, 0, STARTUP);
    CLIENT(&talk, 'p', "s", "secret");
    expect_end(DB_END_CLIENT, "the client sent a password that nobody asked for");
}

static void query_sent_ahead_waits_for_the_login(void **state)
{
    (void)state;
    begin((struct db_config){0});
    target_has_tls();
    CLIENT(&talk, 0, STARTUP);
    CLIENT(&talk, 'Q', "s", "select 1");
    talk_forget(&talk);
    TARGET(&talk, 'R', "i", 0U);
    assert_int_equal(queue_len(&talk.got[DB_TARGET]), 0);
    TARGET(&talk, 'Z', "b", 'I');
    talk_expect(&talk, DB_TARGET, 'Q', "s", "select 1");
    talk_log_is(&talk, "startup orders_rw/orders  version= tls=yes login=client trust\n"
                       "1 query of=0 bytes=8 name= text=select 1\n");
    talk_end(&talk);
}

static void login_that_fails_is_recorded_and_ends(void **state)
{
    (void)state;
    begin((struct db_config){0});
    target_has_tls();
    CLIENT(&talk, 0, STARTUP);
    TARGET(&talk, 'R', "it", 5U, "salt");
    CLIENT(&talk, 'p', "s", "md5...");
    TARGET(&talk, 'E', "bsbsbsb", 'S', "FATAL", 'C', "28P01", 'M', "password wrong", 0);
    talk_log_is(&talk, "startup orders_rw/orders  version= tls=yes login=client md5\n"
                       "notice FATAL 28P01 password wrong\n");
    expect_end(DB_END_LOGIN, "the target refused the login: password wrong");
}

/* ---- the relay's login ---- */

static void password_that_was_asked_for_answers_md5(void **state)
{
    (void)state;
    begin((struct db_config){.login = DB_LOGIN_ASK});
    target_has_tls();
    CLIENT(&talk, 0, STARTUP);
    talk_expect(&talk, DB_CLIENT, 'R', "i", 3U);
    assert_int_equal(queue_len(&talk.got[DB_TARGET]), 0);
    CLIENT(&talk, 'p', "s", "secret");
    talk_expect(&talk, DB_TARGET, 0, STARTUP);
    TARGET(&talk, 'R', "it", 5U, "salt");
    /* printf %s $(printf secretorders_rw | md5sum | cut -c-32)salt | md5sum */
    talk_expect(&talk, DB_TARGET, 'p', "s", "md57a19de20deb95876d2941ab10ddb557c");
    TARGET(&talk, 'R', "i", 0U);
    talk_expect(&talk, DB_CLIENT, 'R', "i", 0U);
    TARGET(&talk, 'Z', "b", 'I');
    talk_log_is(&talk, "startup orders_rw/orders  version= tls=yes login=ask md5\n");
    talk_end(&talk);
}

static void token_answers_a_password_request(void **state)
{
    (void)state;
    begin((struct db_config){.login = DB_LOGIN_TOKEN});
    talk.token = "host:5432/?Action=connect";
    target_has_tls();
    CLIENT(&talk, 0, STARTUP);
    talk_expect(&talk, DB_TARGET, 0, STARTUP);
    TARGET(&talk, 'R', "i", 3U);
    talk_expect(&talk, DB_TARGET, 'p', "s", "host:5432/?Action=connect");
    assert_int_equal(queue_len(&talk.got[DB_CLIENT]), 0);
    TARGET(&talk, 'R', "i", 0U);
    talk_expect(&talk, DB_CLIENT, 'R', "i", 0U);
    TARGET(&talk, 'R', "i", 3U); /* a second request would get the password again */
    expect_end(DB_END_TARGET, "the target's login request is malformed, or comes after the login");
}

/** The server's side of RFC 5802, by its own words. */
struct scram_server {
    char first_bare[128], server_first[256];
    uint8_t salted[32];
};

static void hmac(const uint8_t *key, size_t key_bytes, const char *text, size_t text_bytes,
                 uint8_t mac[static 32])
{
    crypto_hmac_sha256(cursor_of(key, key_bytes), cursor_of(text, text_bytes), mac);
}

static void server_salts(struct scram_server *server, const char *password, unsigned iterations)
{
    uint8_t block[32];
    crypto_hmac_sha256(cursor_of_text(password), cursor_of("salt\0\0\0\1", 8), block);
    memcpy(server->salted, block, 32);
    for (unsigned i = 1; i < iterations; i++) {
        crypto_hmac_sha256(cursor_of_text(password), cursor_of(block, 32), block);
        for (unsigned at = 0; at < 32; at++) {
            server->salted[at] ^= block[at];
        }
    }
}

/* The client's first message came: "p=...,,n=,r=NONCE"; the answer is in server_first. */
static void server_answers(struct scram_server *server, const char *mechanism, const char *header)
{
    struct cursor got = queue_peek(&talk.got[DB_TARGET]);
    const char *body = (const char *)got.at + 5;
    assert_string_equal(body, mechanism);
    const char *first = body + strlen(mechanism) + 1 + 4;
    assert_memory_equal(first, header, strlen(header));
    (void)snprintf(server->first_bare, sizeof server->first_bare, "%.*s",
                   (int)((const char *)got.end - first - (ptrdiff_t)strlen(header)), first + strlen(header));
    (void)snprintf(server->server_first, sizeof server->server_first, "%sSERVER,s=c2FsdA==,i=64",
                   strchr(server->first_bare, 'r'));
    talk_forget(&talk);
}

/* The proof is the one that the password gives; the server's signature is in `text`. */
static void server_checks(const struct scram_server *server, char text[static 64])
{
    char final[1024];
    char message[2048];
    uint8_t client_key[32];
    uint8_t stored_key[32];
    uint8_t signature[32];
    uint8_t proof[32];
    size_t proof_bytes = 0;
    struct cursor got = queue_peek(&talk.got[DB_TARGET]);
    (void)snprintf(final, sizeof final, "%.*s", (int)cursor_len(&got) - 5, (const char *)got.at + 5);
    char *p = strstr(final, ",p=");
    assert_non_null(p);
    *p = 0;
    int len = snprintf(message, sizeof message, "%s,%s,%s", server->first_bare, server->server_first, final);
    assert_int_equal(
        crypto_base64_decode(cursor_of_text(p + 3), CRYPTO_BASE64_PADDED, proof, sizeof proof, &proof_bytes),
        ERR_NONE);
    hmac(server->salted, 32, "Client Key", 10, client_key);
    crypto_sha256(cursor_of(client_key, 32), stored_key);
    hmac(stored_key, 32, message, (size_t)len, signature);
    for (unsigned at = 0; at < 32; at++) {
        assert_int_equal(proof[at], client_key[at] ^ signature[at]);
    }
    uint8_t server_key[32];
    hmac(server->salted, 32, "Server Key", 10, server_key);
    hmac(server_key, 32, message, (size_t)len, signature);
    assert_int_equal(crypto_base64_encode(cursor_of(signature, 32), CRYPTO_BASE64_PADDED, text, 64),
                     ERR_NONE);
    talk_forget(&talk);
}

static void begin_scram(struct scram_server *server, bool offers_plus)
{
    begin((struct db_config){.login = DB_LOGIN_ASK});
    target_has_tls();
    CLIENT(&talk, 0, STARTUP);
    CLIENT(&talk, 'p', "s", "secret");
    talk_forget(&talk);
    server_salts(server, "secret", 64);
    if (offers_plus) {
        TARGET(&talk, 'R', "issb", 10U, "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", 0);
        server_answers(server, "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,");
    } else {
        TARGET(&talk, 'R', "isb", 10U, "SCRAM-SHA-256", 0);
        server_answers(server, "SCRAM-SHA-256", "y,,");
    }
    TARGET(&talk, 'R', "it", 11U, server->server_first);
}

static void password_that_was_asked_for_does_scram(void **state)
{
    (void)state;
    for (unsigned offers_plus = 0; offers_plus < 2; offers_plus++) {
        struct scram_server server;
        char signature[64];
        char final[80];
        begin_scram(&server, offers_plus != 0);
        server_checks(&server, signature);
        (void)snprintf(final, sizeof final, "v=%s", signature);
        TARGET(&talk, 'R', "it", 12U, final);
        TARGET(&talk, 'R', "i", 0U);
        talk_expect(&talk, DB_CLIENT, 'R', "i", 0U);
        TARGET(&talk, 'Z', "b", 'I');
        talk_log_is(&talk, offers_plus != 0
                               ? "startup orders_rw/orders  version= tls=yes login=ask scram-sha-256-plus\n"
                               : "startup orders_rw/orders  version= tls=yes login=ask scram-sha-256\n");
        talk_end(&talk);
    }
}

static void server_that_does_not_know_the_password_is_refused(void **state)
{
    (void)state;
    struct scram_server server;
    begin_scram(&server, true);
    TARGET(&talk, 'R', "it", 12U, "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    expect_end(DB_END_TARGET, "the target does not know the password: its SCRAM proof is wrong");
    begin_scram(&server, true);
    TARGET(&talk, 'R', "i", 0U);
    expect_end(DB_END_TARGET, "the target ended the SCRAM login without its proof");
}

static void scram_messages_of_a_bad_server_are_refused(void **state)
{
    (void)state;
    static const char *const FIRSTS[] = {
        "",
        "r=short,s=c2FsdA==,i=64",
        "m=x,r=%sX,s=c2FsdA==,i=64",
        "r=%s,s=c2FsdA==,i=64", /* not longer than ours */
        "r=%sX,s=!,i=64",
        "r=%sX,s=c2FsdA==,i=0",
        "r=%sX,s=c2FsdA==,i=4000000000",
        "r=%sX,s=c2FsdA==,i=64,x=1",
        "r=%sX,s=c2FsdA==",
    };
    for (size_t i = 0; i < COUNT_OF(FIRSTS); i++) {
        begin((struct db_config){.login = DB_LOGIN_ASK});
        struct scram_server server;
        char text[256];
        target_has_tls();
        CLIENT(&talk, 0, STARTUP);
        CLIENT(&talk, 'p', "s", "secret");
        talk_forget(&talk);
        TARGET(&talk, 'R', "isb", 10U, "SCRAM-SHA-256", 0);
        server_answers(&server, "SCRAM-SHA-256", "y,,");
        const char *place = strstr(FIRSTS[i], "%s");
        int before = place == NULL ? (int)strlen(FIRSTS[i]) : (int)(place - FIRSTS[i]);
        (void)snprintf(text, sizeof text, "%.*s%s%s", before, FIRSTS[i],
                       place == NULL ? "" : strchr(server.first_bare, 'r') + 2,
                       place == NULL ? "" : place + 2);
        TARGET(&talk, 'R', "it", 11U, text);
        expect_end(DB_END_TARGET, "the target's part of the SCRAM login is wrong");
    }
}

static void long_empty_or_missing_password_is_refused(void **state)
{
    (void)state;
    static char password[DB_PASSWORD_BYTES + 1];
    for (unsigned i = 0; i < 2; i++) {
        memset(password, i == 0 ? 0 : 'p', DB_PASSWORD_BYTES);
        begin((struct db_config){.login = DB_LOGIN_ASK});
        target_has_tls();
        CLIENT(&talk, 0, STARTUP);
        CLIENT(&talk, 'p', "s", password);
        expect_end(DB_END_CLIENT, "the client's password is empty or too long");
    }
    begin((struct db_config){.login = DB_LOGIN_ASK});
    target_has_tls();
    CLIENT(&talk, 0, STARTUP);
    assert_int_equal(db_relay_eof(talk.relay, DB_CLIENT, 1), ERR_NONE);
    expect_end(DB_END_LOST, "the client was lost");
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(requests_for_encryption_are_answered_no_once),
        cmocka_unit_test(request_for_tls_is_met_where_it_ends_here),
        cmocka_unit_test(tls_without_a_request_is_left_to_the_owner_or_refused),
        cmocka_unit_test(other_protocols_are_closed),
        cmocka_unit_test(target_without_tls_is_refused),
        cmocka_unit_test(startup_asks_for_the_grant_with_its_fields),
        cmocka_unit_test(startup_that_can_be_read_in_two_ways_is_refused),
        cmocka_unit_test(refusal_of_the_policy_is_an_error_of_the_protocol),
        cmocka_unit_test(cancel_asks_with_its_key_and_passes),
        cmocka_unit_test(login_of_the_client_passes_without_binding_to_tls),
        cmocka_unit_test(newer_protocols_are_negotiated_by_the_target),
        cmocka_unit_test(target_that_offers_only_binding_is_refused),
        cmocka_unit_test(password_that_nobody_asked_for_is_refused),
        cmocka_unit_test(query_sent_ahead_waits_for_the_login),
        cmocka_unit_test(login_that_fails_is_recorded_and_ends),
        cmocka_unit_test(password_that_was_asked_for_answers_md5),
        cmocka_unit_test(token_answers_a_password_request),
        cmocka_unit_test(password_that_was_asked_for_does_scram),
        cmocka_unit_test(server_that_does_not_know_the_password_is_refused),
        cmocka_unit_test(scram_messages_of_a_bad_server_are_refused),
        cmocka_unit_test(long_empty_or_missing_password_is_refused),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
