/* A peer that has keys but breaks the rules: packets out of turn, of the wrong kind, too many. The hostile
 * side is an engine whose inner function sends any type. */
#include "engine_pair.h"

#include "state.h"

enum {
    SSH_SERVICE_ACCEPT = 6,
    SSH_USERAUTH_SUCCESS = 52,
    SSH_PING = 192,
};

static void attack(struct engine *from, uint8_t type, struct cursor payload)
{
    assert_int_equal(engine_send_raw(from, type, payload, cursor_of(NULL, 0)), ERR_NONE);
}

static void attack_with_text(struct engine *from, uint8_t type, const char *text)
{
    uint8_t memory[128];
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor payload;
    writer_text(&out, text);
    assert_int_equal(writer_done(&out, &payload), ERR_NONE);
    attack(from, type, payload);
}

/* "string user, string service, string method" */
static void request_login(struct engine *from, const char *method)
{
    uint8_t memory[256];
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor payload;
    writer_text(&out, "anna");
    writer_text(&out, "ssh-connection");
    writer_text(&out, method);
    assert_int_equal(writer_done(&out, &payload), ERR_NONE);
    attack(from, PAIR_USERAUTH_REQUEST, payload);
}

static void open_with_keys(struct pair *pair)
{
    pair_init(pair);
    pair_open(pair);
    assert_int_equal(pair_exchange(pair), ERR_NONE);
}

static void count_only(struct pair *pair, uint8_t type, struct cursor payload)
{
    (void)pair;
    (void)type;
    (void)payload;
}

static void packets_before_login_are_refused(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        struct pair pair;
        if (type == PACKET_NEWKEYS) {
            continue; /* the sending libssh would change its own keys */
        }
        open_with_keys(&pair);
        pair.server_packet = count_only;
        attack_with_text(pair.client, PAIR_SERVICE_REQUEST, "ssh-userauth");
        assert_int_equal(pair_move(pair.client, pair.server), ERR_NONE);
        assert_int_equal(pair.server_ready_count, 1);
        attack_with_text(pair.client, (uint8_t)type, "anything");
        enum err err = pair_move(pair.client, pair.server);
        /* Of the connection protocol nothing may pass, whatever happens to the connection. */
        if (type >= 80 && type <= 100 && pair.server_packet_count > 0) {
            fail_msg("type %u reached the owner", type);
        }
        if (type == 90 || type == 94 || type == 98 || type == SSH_USERAUTH_SUCCESS ||
            type == PAIR_INFO_RESPONSE) {
            assert_int_equal(err, ERR_MALFORMED);
        }
        assert_int_equal(pair_send(pair.server, PAIR_CHANNEL_DATA, 0, 4, pair.server_hash),
                         err == ERR_NONE ? ERR_STATE : err);
        pair_done(&pair);
    }
}

static void login_without_service_request_ends(void **state)
{
    (void)state;
    struct pair pair;
    open_with_keys(&pair);
    request_login(pair.client, "none");
    assert_int_equal(pair_move(pair.client, pair.server), ERR_MALFORMED);
    assert_int_equal(pair.server_packet_count, 0);
    pair_done(&pair);
}

/* dbclient does so. */
static void service_request_and_login_in_one_piece_are_answered(void **state)
{
    (void)state;
    struct pair pair;
    open_with_keys(&pair);
    attack_with_text(pair.client, PAIR_SERVICE_REQUEST, "ssh-userauth");
    request_login(pair.client, "none");
    assert_int_equal(pair_move(pair.client, pair.server), ERR_NONE);
    assert_int_equal(pair.server_ready_count, 1);
    assert_int_equal(pair.server_packet_count, 1);
    assert_true(queue_len(engine_output(pair.server)) > 0);
    assert_int_equal(pair_send(pair.server, PAIR_CHANNEL_DATA, 0, 4, pair.server_hash), ERR_NONE);
    pair_done(&pair);
}

static void other_services_end(void **state)
{
    (void)state;
    struct pair pair;
    open_with_keys(&pair);
    attack_with_text(pair.client, PAIR_SERVICE_REQUEST, "ssh-connection");
    assert_int_equal(pair_move(pair.client, pair.server), ERR_MALFORMED);
    assert_int_equal(pair.server_ready_count, 0);
    pair_done(&pair);
}

static void service_requests_are_counted(void **state)
{
    (void)state;
    struct pair pair;
    open_with_keys(&pair);
    enum err err = ERR_NONE;
    unsigned count = 0;
    for (; err == ERR_NONE && count < 1000; count++) {
        attack_with_text(pair.client, PAIR_SERVICE_REQUEST, "ssh-userauth");
        err = pair_move(pair.client, pair.server);
    }
    assert_int_equal(err, ERR_MALFORMED);
    assert_int_equal(count, 33);
    assert_int_equal(pair.server_ready_count, 1);
    pair_done(&pair);
}

static void service_request_after_login_ends(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair_connect(&pair);
    attack_with_text(pair.client, PAIR_SERVICE_REQUEST, "ssh-userauth");
    assert_int_equal(pair_move(pair.client, pair.server), ERR_MALFORMED);
    pair_done(&pair);
}

static void login_after_login_passes_nothing(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair_connect(&pair);
    unsigned before = pair.server_packet_count;
    request_login(pair.client, "none");
    (void)!pair_move(pair.client, pair.server);
    assert_int_equal(pair.server_packet_count, before);
    pair_done(&pair);
}

static void answer_without_prompt_ends(void **state)
{
    (void)state;
    static const char *const PROMPTS[] = {"Code: "};
    static const bool ECHO[] = {false};
    for (int is_asked = 0; is_asked <= 1; is_asked++) {
        struct pair pair;
        open_with_keys(&pair);
        pair.server_packet = count_only;
        attack_with_text(pair.client, PAIR_SERVICE_REQUEST, "ssh-userauth");
        request_login(pair.client, "keyboard-interactive");
        assert_int_equal(pair_move(pair.client, pair.server), ERR_NONE);
        if (is_asked) {
            assert_int_equal(engine_prompt_user(pair.server, "", 9, PROMPTS, ECHO), ERR_TOO_LARGE);
            assert_int_equal(engine_prompt_user(pair.server, "", 1, PROMPTS, ECHO), ERR_NONE);
        }
        attack(pair.client, PAIR_INFO_RESPONSE, cursor_of("\0\0\0\1\0\0\0\1x", 9));
        assert_int_equal(pair_move(pair.client, pair.server), is_asked ? ERR_NONE : ERR_MALFORMED);
        assert_int_equal(pair.server_packet_count, is_asked ? 2 : 1);
        pair_done(&pair);
    }
}

static void payload_over_the_limit_ends(void **state)
{
    (void)state;
    static const uint8_t LONG[LIMIT_PACKET_PAYLOAD_BYTES + 1];
    for (int is_over = 0; is_over <= 1; is_over++) {
        struct pair pair;
        pair_init(&pair);
        pair_connect(&pair);
        attack(pair.client, PAIR_CHANNEL_DATA, cursor_of(LONG, LIMIT_PACKET_PAYLOAD_BYTES + (size_t)is_over));
        assert_int_equal(pair_move(pair.client, pair.server), is_over ? ERR_TOO_LARGE : ERR_NONE);
        assert_int_equal(pair.server_packet_count, is_over ? 1 : 2);
        pair_done(&pair);

        open_with_keys(&pair);
        pair.server_packet = count_only;
        attack_with_text(pair.client, PAIR_SERVICE_REQUEST, "ssh-userauth");
        attack(pair.client, PAIR_USERAUTH_REQUEST,
               cursor_of(LONG, LIMIT_LOGIN_PAYLOAD_BYTES + (size_t)is_over));
        assert_int_equal(pair_move(pair.client, pair.server), is_over ? ERR_TOO_LARGE : ERR_NONE);
        assert_int_equal(pair.server_packet_count, is_over ? 0 : 1);
        pair_done(&pair);
    }
}

/* RFC 4253 section 11.4: answered by libssh with SSH_MSG_UNIMPLEMENTED; the connection goes on. */
static void unknown_types_do_not_end(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair_connect(&pair);
    attack_with_text(pair.client, SSH_PING, "hello?");
    assert_int_equal(pair_exchange(&pair), ERR_NONE);
    uint8_t hash[32] = {0};
    assert_int_equal(pair_send(pair.client, PAIR_CHANNEL_DATA, 1, 4, hash), ERR_NONE);
    assert_int_equal(pair_exchange(&pair), ERR_NONE);
    assert_memory_equal(pair.server_hash, hash, 32);
    pair_done(&pair);
}

/* A target says that we are logged in before we tried: its packets must not reach the owner. */
static void target_that_accepts_unasked_ends(void **state)
{
    (void)state;
    struct pair pair;
    open_with_keys(&pair);
    attack(pair.server, SSH_USERAUTH_SUCCESS, cursor_of(NULL, 0));
    assert_int_equal(pair_move(pair.server, pair.client), ERR_MALFORMED);
    assert_int_equal(pair.login_count, 0);
    pair_done(&pair);
    open_with_keys(&pair);
    attack_with_text(pair.server, SSH_SERVICE_ACCEPT, "ssh-userauth");
    attack_with_text(pair.server, 80, "hostkeys-00@openssh.com");
    assert_int_equal(pair_move(pair.server, pair.client), ERR_MALFORMED);
    assert_int_equal(pair.client_packet_count + pair.login_count, 0);
    pair_done(&pair);
}

/* A target may send requests in one piece with USERAUTH_SUCCESS: the owner hears of the login first. */
static void note_login_order(struct pair *pair, uint8_t type, struct cursor payload)
{
    (void)type;
    (void)payload;
    assert_int_equal(pair->login_count, 1);
}

static void accept_and_talk(struct pair *pair, uint8_t type, struct cursor payload)
{
    (void)type;
    (void)payload;
    assert_int_equal(engine_accept_user(pair->server), ERR_NONE);
    assert_int_equal(engine_send(pair->server, PAIR_GLOBAL_REQUEST, cursor_of_text("x")), ERR_NONE);
}

static void target_that_talks_at_once_is_heard_after_login_done(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair.client_packet = note_login_order;
    pair.server_packet = accept_and_talk;
    pair_connect(&pair);
    assert_int_equal(pair.client_packet_count, 1);
    pair_done(&pair);
}

/* New keys that nobody looked at must not come into use, even if libssh would accept them. */
static void keys_without_host_key_check_end(void **state)
{
    (void)state;
    enum { NEWKEYS_BYTES = 16 };
    for (int is_checked = 0; is_checked <= 1; is_checked++) {
        struct pair pair;
        pair_init(&pair);
        pair_open(&pair);
        for (int round = 0; round < 2; round++) { /* banners, then KEXINIT both ways and the client's half */
            assert_int_equal(pair_move(pair.server, pair.client), ERR_NONE);
            assert_int_equal(pair_move(pair.client, pair.server), ERR_NONE);
        }
        struct cursor reply = queue_peek(engine_output(pair.server));
        struct cursor head = cursor_of(reply.at, cursor_len(&reply) - NEWKEYS_BYTES);
        assert_int_equal(engine_feed(pair.client, head), ERR_NONE);
        assert_true(pair.client->host_key_accepted);
        pair.client->host_key_accepted = is_checked != 0;
        assert_int_equal(engine_feed(pair.client, cursor_of(head.end, NEWKEYS_BYTES)),
                         is_checked ? ERR_NONE : ERR_MISMATCH);
        assert_int_equal(pair.client_ready_count, is_checked);
        pair_done(&pair);
    }
}

/* A KEXINIT that the sending libssh knows nothing of, so that it goes on sending. */
static void attack_with_kexinit(struct engine *from)
{
    static const char *const LISTS[] = {"curve25519-sha256",
                                        "ssh-ed25519",
                                        "aes128-gcm@openssh.com",
                                        "aes128-gcm@openssh.com",
                                        "hmac-sha2-256-etm@openssh.com",
                                        "hmac-sha2-256-etm@openssh.com",
                                        "none",
                                        "none",
                                        "",
                                        ""};
    enum { COOKIE_BYTES = 16 };
    uint8_t memory[512];
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor payload;
    for (unsigned i = 0; i < COOKIE_BYTES; i++) {
        writer_u8(&out, (uint8_t)i);
    }
    for (size_t i = 0; i < COUNT_OF(LISTS); i++) {
        writer_text(&out, LISTS[i]);
    }
    writer_bool(&out, false); /* no guess follows */
    writer_u32be(&out, 0);
    assert_int_equal(writer_done(&out, &payload), ERR_NONE);
    attack(from, PACKET_KEXINIT, payload);
}

/* RFC 4253 7.1 forbids it, asyncssh does it. */
static void data_after_the_clients_kexinit_is_heard_in_order(void **state)
{
    (void)state;
    enum { COUNT = 5, LEN = 1000 };
    struct pair pair;
    pair_init(&pair);
    pair_connect(&pair);
    pair.server_packet_count = 0;
    attack_with_kexinit(pair.client);
    uint8_t hash[32] = {0};
    for (unsigned i = 0; i < COUNT; i++) {
        static const uint8_t TYPES[COUNT] = {94, 93, 80, 98, 100};
        uint8_t payload[LEN];
        memset(payload, (int)i, sizeof payload);
        attack(pair.client, TYPES[i], cursor_of(payload, sizeof payload));
        pair_add_hash(hash, TYPES[i], cursor_of(payload, sizeof payload));
    }
    assert_int_equal(pair_move(pair.client, pair.server), ERR_NONE);
    assert_int_equal(pair.server_packet_count, COUNT);
    assert_memory_equal(pair.server_hash, hash, sizeof hash);
    assert_true(engine_is_rekeying(pair.server));
    pair_done(&pair);
}

static void other_packets_after_the_clients_kexinit_end(void **state)
{
    (void)state;
    static const uint8_t TYPES[] = {PAIR_SERVICE_REQUEST, PACKET_KEXINIT, PAIR_USERAUTH_REQUEST,
                                    SSH_USERAUTH_SUCCESS, PAIR_INFO_RESPONSE};
    for (size_t i = 0; i < COUNT_OF(TYPES); i++) {
        struct pair pair;
        pair_init(&pair);
        pair_connect(&pair);
        pair.server_packet_count = 0;
        attack_with_kexinit(pair.client);
        attack_with_text(pair.client, TYPES[i], "anything");
        assert_int_equal(pair_move(pair.client, pair.server), ERR_MALFORMED);
        assert_int_equal(pair.server_packet_count, 0);
        pair_done(&pair);
    }
}

static void data_after_a_kexinit_before_the_login_ends(void **state)
{
    (void)state;
    struct pair pair;
    open_with_keys(&pair);
    pair.server_packet = count_only;
    attack_with_kexinit(pair.client);
    attack_with_text(pair.client, PAIR_CHANNEL_DATA, "anything");
    assert_int_equal(pair_move(pair.client, pair.server), ERR_MALFORMED);
    assert_int_equal(pair.server_packet_count, 0);
    pair_done(&pair);
}

/* sshd keeps to the rule, so nothing is tolerated of targets. */
static void data_after_the_targets_kexinit_ends(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair);
    pair_connect(&pair);
    pair.client_packet_count = 0;
    attack_with_kexinit(pair.server);
    attack_with_text(pair.server, PAIR_CHANNEL_DATA, "anything");
    assert_int_not_equal(pair_move(pair.server, pair.client), ERR_NONE);
    assert_int_equal(pair.client_packet_count, 0);
    pair_done(&pair);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(packets_before_login_are_refused),
        cmocka_unit_test(login_without_service_request_ends),
        cmocka_unit_test(service_request_and_login_in_one_piece_are_answered),
        cmocka_unit_test(other_services_end),
        cmocka_unit_test(service_requests_are_counted),
        cmocka_unit_test(service_request_after_login_ends),
        cmocka_unit_test(login_after_login_passes_nothing),
        cmocka_unit_test(answer_without_prompt_ends),
        cmocka_unit_test(payload_over_the_limit_ends),
        cmocka_unit_test(unknown_types_do_not_end),
        cmocka_unit_test(target_that_accepts_unasked_ends),
        cmocka_unit_test(target_that_talks_at_once_is_heard_after_login_done),
        cmocka_unit_test(keys_without_host_key_check_end),
        cmocka_unit_test(data_after_the_clients_kexinit_is_heard_in_order),
        cmocka_unit_test(other_packets_after_the_clients_kexinit_end),
        cmocka_unit_test(data_after_a_kexinit_before_the_login_ends),
        cmocka_unit_test(data_after_the_targets_kexinit_ends),
    };
    return engine_library_init() == ERR_NONE ? cmocka_run_group_tests(TESTS, NULL, NULL) : 1;
}
