/* The gate: forwards through an access, both ways. */
#include "unit_test.h"

#include "talk.h"

static struct talk talk;

static int gate_setup(void **state)
{
    (void)state;
    talk_begin(&talk);
    return 0;
}

static int gate_teardown(void **state)
{
    (void)state;
    talk_end(&talk);
    return 0;
}

static void grant_place(enum place_use use, const char *place)
{
    *(use == PLACE_FORWARD ? &talk.grant.forward : &talk.grant.remote_forward) = GRANT_FORWARD_LISTED;
    assert_int_equal(grant_add_place(&talk.grant, use, cursor_of_text(place)), ERR_NONE);
}

static const char DIRECT_SOCKET[] = "direct-streamlocal@openssh.com";
static const char REMOTE_SOCKET[] = "forwarded-streamlocal@openssh.com";
static const char LISTEN_SOCKET[] = "streamlocal-forward@openssh.com";
static const char CANCEL_SOCKET[] = "cancel-streamlocal-forward@openssh.com";

static void forward_without_a_grant_is_refused(void **state)
{
    (void)state;
    FROM_CLIENT(OPEN, pk_direct(7, 100, 100, "db", 5432), DROPPED,
                "refused 7 channel: direct-tcpip db:5432; client: open failure 7 reason 1");
    FROM_CLIENT(OPEN, pk_socket(DIRECT_SOCKET, 7, 100, 100, "/run/a", true), DROPPED,
                "refused 7 channel: direct-streamlocal@openssh.com /run/a; client: open failure 7 reason 1");
    FROM_TARGET(OPEN, pk_forwarded(7, 100, 100, "localhost", 80), DROPPED,
                "refused -1 channel from the target: forwarded-tcpip localhost:80; "
                "target: open failure 7 reason 1");
    FROM_TARGET(OPEN, pk_socket(REMOTE_SOCKET, 7, 100, 100, "/run/a", false), DROPPED,
                "refused -1 channel from the target: forwarded-streamlocal@openssh.com /run/a; "
                "target: open failure 7 reason 1");
    FROM_CLIENT(GLOBAL_REQUEST, pk_listen("tcpip-forward", true, "localhost", 80), DROPPED,
                "refused -1 request: tcpip-forward localhost:80; client: request failure");
    FROM_CLIENT(GLOBAL_REQUEST, pk_listen_socket(LISTEN_SOCKET, true, "/run/a"), DROPPED,
                "refused -1 request: streamlocal-forward@openssh.com /run/a; client: request failure");
    assert_int_equal(gate_channel_count(talk.gate), 0);
}

static void forward_to_a_granted_place_passes_and_is_counted(void **state)
{
    (void)state;
    grant_place(PLACE_FORWARD, "localhost:9090");
    FROM_CLIENT(OPEN, pk_direct(7, 1000, 1000, "localhost", 9091), DROPPED,
                "refused 7 channel: direct-tcpip localhost:9091; client: open failure 7 reason 1");
    FROM_CLIENT(OPEN, pk_direct(7, 1000, 1000, "localhost", 9090), FORWARDED, "pass");
    FROM_TARGET(OPEN_CONFIRMATION, pk_confirm(7, 9, 1000, 1000), FORWARDED,
                "forward_open 7 direct-tcpip '127.0.0.1:65535' to localhost:9090; pass");
    FROM_CLIENT(DATA, pk_data(9, "question"), FORWARDED, "pass"); /* counted, not recorded */
    FROM_CLIENT(EOF, pk_number(9), FORWARDED, "pass");
    FROM_TARGET(DATA, pk_data(7, "answer"), FORWARDED, "pass"); /* the other half stays open */
    FROM_TARGET(EOF, pk_number(7), FORWARDED, "pass");
    FROM_TARGET(CLOSE, pk_number(7), FORWARDED, "pass");
    FROM_CLIENT(CLOSE, pk_number(9), FORWARDED, "forward_close 7 to 8 from 6; pass");
    FROM_CLIENT(OPEN, pk_direct(7, 1000, 1000, "::1", 9090), FORWARDED, "pass");
    FROM_TARGET(OPEN_FAILURE, pk_open_failure(7, "Connection refused"), FORWARDED,
                "note 7 the target refused the channel: Connection refused; pass");
}

static void forward_to_a_granted_socket_passes(void **state)
{
    (void)state;
    grant_place(PLACE_FORWARD, "unix:/run/app.sock");
    FROM_CLIENT(OPEN, pk_socket(DIRECT_SOCKET, 7, 100, 100, "/run/app.sock", true), FORWARDED, "pass");
    FROM_TARGET(OPEN_CONFIRMATION, pk_confirm(7, 9, 100, 100), FORWARDED,
                "forward_open 7 direct-streamlocal@openssh.com '' to /run/app.sock; pass");
    FROM_CLIENT(OPEN, pk_socket(DIRECT_SOCKET, 8, 100, 100, "/run/docker.sock", true), DROPPED,
                "refused 8 channel: direct-streamlocal@openssh.com /run/docker.sock; "
                "client: open failure 8 reason 1");
}

static void forward_opens_that_are_damaged_end_the_access(void **state)
{
    (void)state;
    const struct kept direct = pk_keep(pk_direct(7, 100, 100, "localhost", 9090));
    const struct kept path = pk_keep(pk_socket(DIRECT_SOCKET, 7, 100, 100, "/run/a", true));
    const struct kept *const WHOLE[] = {&direct, &path};
    for (size_t row = 0; row < COUNT_OF(WHOLE); row++) {
        for (size_t len = 0; len < WHOLE[row]->len; len++) {
            talk_end(&talk);
            talk_begin(&talk);
            talk.grant.forward = GRANT_FORWARD_ANY;
            talk_violate(&talk, GATE_CLIENT, RELAY_OPEN, cursor_of(WHOLE[row]->bytes, len), "laid out");
        }
        uint8_t longer[300] = {0};
        memcpy(longer, WHOLE[row]->bytes, WHOLE[row]->len);
        talk_end(&talk);
        talk_begin(&talk);
        talk_violate(&talk, GATE_CLIENT, RELAY_OPEN, cursor_of(longer, WHOLE[row]->len + 1), "laid out");
    }
}

static void forward_any_refuses_what_is_no_place(void **state)
{
    (void)state;
    talk.grant.forward = GRANT_FORWARD_ANY;
    static const struct {
        const char *host;
        uint32_t port;
        bool passes;
    } ROWS[] = {
        {"db.internal", 5432, true},
        {"fd00::1", 1, true},
        {"", 80, false},
        {"*", 80, false},
        {"db", 0, false},
        {"db", 65536, false},
        {"a b", 80, false},
        {"-x", 80, false},
        {"d\nb", 80, false},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        talk_expect(&talk, GATE_CLIENT, RELAY_OPEN,
                    pk_direct(100 + (uint32_t)i, 100, 100, ROWS[i].host, ROWS[i].port),
                    ROWS[i].passes ? GATE_FORWARDED : GATE_DROPPED);
    }
}

static void remote_forward_passes_back_only_what_was_confirmed(void **state)
{
    (void)state;
    grant_place(PLACE_REMOTE_FORWARD, "localhost:8080");
    FROM_TARGET(OPEN, pk_forwarded(3, 100, 100, "localhost", 8080), DROPPED,
                "refused -1 channel from the target: forwarded-tcpip localhost:8080; "
                "target: open failure 3 reason 1");
    FROM_CLIENT(GLOBAL_REQUEST, pk_listen("tcpip-forward", true, "localhost", 8080), FORWARDED,
                "note -1 the client asks the target to listen on localhost:8080; pass");
    FROM_TARGET(OPEN, pk_forwarded(3, 100, 100, "localhost", 8080), DROPPED, /* not confirmed yet */
                "refused -1 channel from the target: forwarded-tcpip localhost:8080; "
                "target: open failure 3 reason 1");
    FROM_TARGET(REQUEST_SUCCESS, pk_none(), FORWARDED, "note -1 the target listens on localhost:8080; pass");
    FROM_TARGET(OPEN, pk_forwarded(3, 100, 100, "127.0.0.1", 8080), FORWARDED, "pass");
    FROM_CLIENT(OPEN_CONFIRMATION, pk_confirm(3, 5, 100, 100), FORWARDED,
                "forward_open 5 forwarded-tcpip '[::1]:5000' to 127.0.0.1:8080; pass");
    FROM_TARGET(DATA, pk_data(5, "in"), FORWARDED, "pass");
    FROM_CLIENT(DATA, pk_data(3, "out"), FORWARDED, "pass");
    FROM_TARGET(OPEN, pk_forwarded(4, 100, 100, "localhost", 8081), DROPPED,
                "refused -1 channel from the target: forwarded-tcpip localhost:8081; "
                "target: open failure 4 reason 1");
    FROM_CLIENT(GLOBAL_REQUEST, pk_listen("cancel-tcpip-forward", false, "localhost", 8080), FORWARDED,
                "note -1 the client ends the forward of localhost:8080; pass");
    FROM_TARGET(OPEN, pk_forwarded(4, 100, 100, "localhost", 8080), DROPPED,
                "refused -1 channel from the target: forwarded-tcpip localhost:8080; "
                "target: open failure 4 reason 1");
    FROM_CLIENT(GLOBAL_REQUEST, pk_listen("cancel-tcpip-forward", true, "localhost", 8080), DROPPED,
                "refused -1 request: cancel-tcpip-forward localhost:8080; client: request failure");
    FROM_CLIENT(CLOSE, pk_number(3), FORWARDED, "pass"); /* what was open stays until it ends */
    FROM_TARGET(CLOSE, pk_number(5), FORWARDED, "forward_close 5 to 3 from 2; pass");
}

static void remote_forward_to_other_addresses_is_refused(void **state)
{
    (void)state;
    grant_place(PLACE_REMOTE_FORWARD, "localhost:8080");
    static const struct {
        const char *host;
        uint32_t port;
    } ROWS[] = {{"", 8080}, {"*", 8080}, {"0.0.0.0", 8080}, {"localhost", 8081}, {"localhost", 0}};
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        talk_expect(&talk, GATE_CLIENT, RELAY_GLOBAL_REQUEST,
                    pk_listen("tcpip-forward", true, ROWS[i].host, ROWS[i].port), GATE_DROPPED);
        assert_non_null(strstr(talk.text, "client: request failure"));
    }
}

static void remote_forward_that_the_target_refuses_is_not_open(void **state)
{
    (void)state;
    talk.grant.remote_forward = GRANT_FORWARD_ANY;
    talk_expect(&talk, GATE_CLIENT, RELAY_GLOBAL_REQUEST, pk_listen("tcpip-forward", true, "", 80),
                GATE_FORWARDED);
    FROM_TARGET(REQUEST_FAILURE, pk_none(), FORWARDED, "note -1 the target does not listen on :80; pass");
    talk_expect(&talk, GATE_TARGET, RELAY_OPEN, pk_forwarded(3, 100, 100, "", 80), GATE_DROPPED);
}

static void remote_forward_of_a_chosen_port_is_known_by_the_answer(void **state)
{
    (void)state;
    talk.grant.remote_forward = GRANT_FORWARD_ANY;
    FROM_CLIENT(GLOBAL_REQUEST, pk_listen("tcpip-forward", false, "localhost", 0), DROPPED,
                "refused -1 request: tcpip-forward localhost:0");
    talk_expect(&talk, GATE_CLIENT, RELAY_GLOBAL_REQUEST, pk_listen("tcpip-forward", true, "localhost", 0),
                GATE_FORWARDED);
    FROM_TARGET(REQUEST_SUCCESS, pk_number(40001), FORWARDED,
                "note -1 the target listens on localhost:40001; pass");
    talk_expect(&talk, GATE_TARGET, RELAY_OPEN, pk_forwarded(3, 100, 100, "localhost", 40001),
                GATE_FORWARDED);
    talk_expect(&talk, GATE_CLIENT, RELAY_GLOBAL_REQUEST,
                pk_listen("cancel-tcpip-forward", false, "localhost", 40001), GATE_FORWARDED);
    talk_expect(&talk, GATE_CLIENT, RELAY_GLOBAL_REQUEST, pk_listen("tcpip-forward", true, "localhost", 0),
                GATE_FORWARDED);
    talk_violate(&talk, GATE_TARGET, RELAY_REQUEST_SUCCESS, pk_none(), "laid out");
}

static void remote_forward_cancelled_before_the_answer_never_opens(void **state)
{
    (void)state;
    talk.grant.remote_forward = GRANT_FORWARD_ANY;
    talk_expect(&talk, GATE_CLIENT, RELAY_GLOBAL_REQUEST, pk_listen("tcpip-forward", true, "h", 80),
                GATE_FORWARDED);
    talk_expect(&talk, GATE_CLIENT, RELAY_GLOBAL_REQUEST, pk_listen("cancel-tcpip-forward", true, "h", 80),
                GATE_FORWARDED);
    talk_expect(&talk, GATE_TARGET, RELAY_REQUEST_SUCCESS, pk_none(), GATE_FORWARDED);
    talk_expect(&talk, GATE_TARGET, RELAY_REQUEST_SUCCESS, pk_none(), GATE_FORWARDED);
    talk_expect(&talk, GATE_TARGET, RELAY_OPEN, pk_forwarded(3, 100, 100, "h", 80), GATE_DROPPED);
}

static void remote_forward_of_a_socket_passes_back(void **state)
{
    (void)state;
    grant_place(PLACE_REMOTE_FORWARD, "unix:/run/a");
    FROM_CLIENT(GLOBAL_REQUEST, pk_listen_socket(LISTEN_SOCKET, true, "/run/b"), DROPPED,
                "refused -1 request: streamlocal-forward@openssh.com /run/b; client: request failure");
    talk_expect(&talk, GATE_CLIENT, RELAY_GLOBAL_REQUEST, pk_listen_socket(LISTEN_SOCKET, true, "/run/a"),
                GATE_FORWARDED);
    FROM_TARGET(REQUEST_SUCCESS, pk_none(), FORWARDED, "note -1 the target listens on /run/a; pass");
    FROM_TARGET(OPEN, pk_socket(REMOTE_SOCKET, 3, 100, 100, "/run/a", false), FORWARDED, "pass");
    FROM_CLIENT(OPEN_CONFIRMATION, pk_confirm(3, 5, 100, 100), FORWARDED,
                "forward_open 5 forwarded-streamlocal@openssh.com '' to /run/a; pass");
    FROM_CLIENT(GLOBAL_REQUEST, pk_listen_socket(CANCEL_SOCKET, false, "/run/a"), FORWARDED,
                "note -1 the client ends the forward of /run/a; pass");
    talk_expect(&talk, GATE_TARGET, RELAY_OPEN, pk_socket(REMOTE_SOCKET, 4, 100, 100, "/run/a", false),
                GATE_DROPPED);
}

static void remote_forwards_are_bounded(void **state)
{
    (void)state;
    talk.grant.remote_forward = GRANT_FORWARD_ANY;
    for (uint32_t i = 0; i < GATE_REMOTES_MAX; i++) {
        talk_expect(&talk, GATE_CLIENT, RELAY_GLOBAL_REQUEST, pk_listen("tcpip-forward", true, "h", 80 + i),
                    GATE_FORWARDED);
    }
    talk_expect(&talk, GATE_CLIENT, RELAY_GLOBAL_REQUEST, pk_listen("tcpip-forward", true, "h", 9999),
                GATE_DROPPED);
    assert_null(strstr(talk.text, "client:")); /* its answer waits for the sixteen before it */
    for (uint32_t i = 0; i + 1 < GATE_REMOTES_MAX; i++) {
        talk_expect(&talk, GATE_TARGET, RELAY_REQUEST_SUCCESS, pk_none(), GATE_FORWARDED);
    }
    FROM_TARGET(REQUEST_SUCCESS, pk_none(), FORWARDED,
                "note -1 the target listens on h:95; pass; client: request failure");
    FROM_CLIENT(GLOBAL_REQUEST, pk_listen("cancel-tcpip-forward", false, "h", 80), FORWARDED,
                "note -1 the client ends the forward of h:80; pass");
    talk_expect(&talk, GATE_CLIENT, RELAY_GLOBAL_REQUEST, pk_listen("tcpip-forward", true, "h", 9999),
                GATE_FORWARDED);
}

static void remote_forward_asked_twice_is_refused(void **state)
{
    (void)state;
    talk.grant.remote_forward = GRANT_FORWARD_ANY;
    talk_expect(&talk, GATE_CLIENT, RELAY_GLOBAL_REQUEST, pk_listen("tcpip-forward", false, "h", 80),
                GATE_FORWARDED);
    FROM_CLIENT(GLOBAL_REQUEST, pk_listen("tcpip-forward", true, "h", 80), DROPPED,
                "refused -1 request: tcpip-forward h:80; client: request failure");
    talk_violate(&talk, GATE_CLIENT, RELAY_GLOBAL_REQUEST, pk_global("tcpip-forward", true), "laid out");
}

/* A refused global request has no text: OpenSSH asks before it opens its session, others later. */
static void remote_forward_refusal_is_told_on_a_session(void **state)
{
    (void)state;
    FROM_CLIENT(GLOBAL_REQUEST, pk_listen("tcpip-forward", true, "h", 80), DROPPED,
                "refused -1 request: tcpip-forward h:80; client: request failure");
    FROM_CLIENT(GLOBAL_REQUEST, pk_listen("tcpip-forward", true, "h", 81), DROPPED,
                "refused -1 request: tcpip-forward h:81; client: request failure");
    talk_expect(&talk, GATE_CLIENT, RELAY_OPEN, pk_open("session", 1, 1000, 1000), GATE_FORWARDED);
    FROM_TARGET(OPEN_CONFIRMATION, pk_confirm(1, 2, 1000, 1000), FORWARDED,
                "channel_open 1 session; pass; client: stderr 1 'bastion: h:80: the target may not listen "
                "there for you "
                "[D-REMOTE-FORWARD]\r\n'");
    FROM_CLIENT(
        GLOBAL_REQUEST, pk_listen("tcpip-forward", false, "h", 82), DROPPED,
        "refused -1 request: tcpip-forward h:82; client: stderr 1 'bastion: h:82: the target may not listen "
        "there for you [D-REMOTE-FORWARD]\r\n'");
}

static void forward_behind_a_refused_command_waits_for_its_close(void **state)
{
    (void)state;
    talk.grant.shell = false;
    talk.grant.forward = GRANT_FORWARD_ANY;
    talk_open(&talk, 1, 2);
    talk_expect(&talk, GATE_CLIENT, RELAY_REQUEST, pk_request(2, "shell", true), GATE_DROPPED);
    talk_expect(&talk, GATE_CLIENT, RELAY_CLOSE, pk_number(2), GATE_FORWARDED);
    FROM_CLIENT(OPEN, pk_direct(1, 100, 100, "h", 80), DROPPED,
                "refused 1 channel: direct-tcpip; client: open failure 1 reason 4");
    talk_expect(&talk, GATE_TARGET, RELAY_CLOSE, pk_number(1), GATE_DROPPED);
    FROM_CLIENT(OPEN, pk_direct(1, 100, 100, "h", 80), FORWARDED, "pass");
}

int main(void)
{
#define GATE_TEST(test) cmocka_unit_test_setup_teardown(test, gate_setup, gate_teardown)
    static const struct CMUnitTest TESTS[] = {
        GATE_TEST(forward_without_a_grant_is_refused),
        GATE_TEST(forward_to_a_granted_place_passes_and_is_counted),
        GATE_TEST(forward_to_a_granted_socket_passes),
        GATE_TEST(forward_opens_that_are_damaged_end_the_access),
        GATE_TEST(forward_any_refuses_what_is_no_place),
        GATE_TEST(remote_forward_passes_back_only_what_was_confirmed),
        GATE_TEST(remote_forward_to_other_addresses_is_refused),
        GATE_TEST(remote_forward_that_the_target_refuses_is_not_open),
        GATE_TEST(remote_forward_of_a_chosen_port_is_known_by_the_answer),
        GATE_TEST(remote_forward_cancelled_before_the_answer_never_opens),
        GATE_TEST(remote_forward_of_a_socket_passes_back),
        GATE_TEST(remote_forwards_are_bounded),
        GATE_TEST(remote_forward_asked_twice_is_refused),
        GATE_TEST(remote_forward_refusal_is_told_on_a_session),
        GATE_TEST(forward_behind_a_refused_command_waits_for_its_close),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
