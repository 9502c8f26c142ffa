/* The gate: who may open which channel, how many, and under which number. */
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

static void gate_opens_are_refused_but_sessions_of_the_client(void **state)
{
    (void)state;
    static const struct {
        const char *kind;
        enum gate_side from;
        enum gate_verdict verdict;
        const char *expected;
    } ROWS[] = {
        {"session", GATE_CLIENT, GATE_FORWARDED, "pass"},
        {"tun@openssh.com", GATE_CLIENT, GATE_DROPPED,
         "refused 7 channel: tun@openssh.com; client: open failure 7 reason 1"},
        {"x11", GATE_CLIENT, GATE_DROPPED, "refused 7 channel: x11; client: open failure 7 reason 1"},
        {"", GATE_CLIENT, GATE_DROPPED, "refused 7 channel; client: open failure 7 reason 1"},
        {"session", GATE_TARGET, GATE_DROPPED,
         "refused -1 channel from the target: session; target: open failure 7 reason 1"},
        {"direct-tcpip", GATE_TARGET, GATE_DROPPED,
         "refused -1 channel from the target: direct-tcpip; target: open failure 7 reason 1"},
        {"forwarded-tcpip", GATE_CLIENT, GATE_DROPPED,
         "refused 7 channel: forwarded-tcpip; client: open failure 7 reason 1"},
        {"x11", GATE_TARGET, GATE_DROPPED,
         "refused -1 channel from the target: x11; target: open failure 7 reason 1"},
        {"auth-agent@openssh.com", GATE_TARGET, GATE_DROPPED,
         "refused -1 channel from the target: auth-agent@openssh.com; target: open failure 7 reason 1"},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        talk_end(&talk);
        talk_begin(&talk);
        talk_step(&talk, ROWS[i].from, RELAY_OPEN, pk_open(ROWS[i].kind, 7, 100, 100), ROWS[i].verdict,
                  ROWS[i].expected);
    }
}

static void gate_refused_channel_of_the_target_does_not_exist(void **state)
{
    (void)state;
    FROM_TARGET(OPEN, pk_open("x11", 7, 100, 100), DROPPED,
                "refused -1 channel from the target: x11; target: open failure 7 reason 1");
    talk_violate(&talk, GATE_TARGET, RELAY_DATA, pk_data(0, "x"), "not open");
}

static void gate_channel_that_the_target_refuses_is_gone(void **state)
{
    (void)state;
    FROM_CLIENT(OPEN, pk_open("session", 1, 100, 100), FORWARDED, "pass");
    FROM_TARGET(OPEN_FAILURE, pk_open_failure(1, "no\nroom"), FORWARDED,
                "note 1 the target refused the channel: no?room; pass");
    assert_int_equal(gate_channel_count(talk.gate), 0);
    FROM_CLIENT(OPEN, pk_open("session", 1, 100, 100), FORWARDED, "pass");
}

static void gate_17th_channel_is_refused_and_a_closed_one_makes_room(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < LIMIT_CHANNELS_PER_ACCESS; i++) {
        talk_open(&talk, 100 + i, 200 + i);
    }
    FROM_CLIENT(OPEN, pk_open("session", 1, 100, 100), DROPPED,
                "refused 1 channel: session; client: open failure 1 reason 4");
    for (uint32_t i = 0; i < LIMIT_CHANNELS_PER_ACCESS; i++) { /* all of them live */
        talk_expect(&talk, GATE_CLIENT, RELAY_DATA, pk_data(200 + i, "x"), GATE_FORWARDED);
        talk_expect(&talk, GATE_TARGET, RELAY_DATA, pk_data(100 + i, "x"), GATE_FORWARDED);
    }
    talk_expect(&talk, GATE_TARGET, RELAY_CLOSE, pk_number(105), GATE_FORWARDED);
    FROM_CLIENT(OPEN, pk_open("session", 1, 100, 100), DROPPED, /* half closed is not closed */
                "refused 1 channel: session; client: open failure 1 reason 4");
    talk_expect(&talk, GATE_CLIENT, RELAY_CLOSE, pk_number(205), GATE_FORWARDED);
    talk_open(&talk, 105, 205);
}

static void gate_grant_may_allow_fewer_channels(void **state)
{
    (void)state;
    talk.grant.channels = 1;
    talk_open(&talk, 1, 2);
    FROM_CLIENT(OPEN, pk_open("session", 3, 100, 100), DROPPED,
                "refused 3 channel: session; client: open failure 3 reason 4");
}

static void gate_number_is_used_once_at_a_time(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool is_confirmed, has_client_closed, has_target_closed;
        bool is_legal;
    } ROWS[] = {
        {"asked", false, false, false, false},
        {"open", true, false, false, false},
        {"closed by the client", true, true, false, false},
        {"closed by the target", true, false, true, false},
        {"closed by both", true, true, true, true},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        talk_end(&talk);
        talk_begin(&talk);
        talk_expect(&talk, GATE_CLIENT, RELAY_OPEN, pk_open("session", 1, 100, 100), GATE_FORWARDED);
        if (ROWS[i].is_confirmed) {
            talk_expect(&talk, GATE_TARGET, RELAY_OPEN_CONFIRMATION, pk_confirm(1, 2, 9, 9), GATE_FORWARDED);
        }
        if (ROWS[i].has_client_closed) {
            talk_expect(&talk, GATE_CLIENT, RELAY_CLOSE, pk_number(2), GATE_FORWARDED);
        }
        if (ROWS[i].has_target_closed) {
            talk_expect(&talk, GATE_TARGET, RELAY_CLOSE, pk_number(1), GATE_FORWARDED);
        }
        if (ROWS[i].is_legal) {
            talk_open(&talk, 1, 2);
        } else {
            talk_violate(&talk, GATE_CLIENT, RELAY_OPEN, pk_open("session", 1, 100, 100), "in use");
        }
    }
}

static void gate_refused_kind_with_a_used_number_ends_the_access(void **state)
{
    (void)state;
    talk_open(&talk, 1, 2);
    talk_violate(&talk, GATE_CLIENT, RELAY_OPEN, pk_open("tun@openssh.com", 1, 100, 100), "in use");
}

static void gate_confirmation_with_a_used_number_ends_the_access(void **state)
{
    (void)state;
    talk_open(&talk, 1, 2);
    FROM_CLIENT(OPEN, pk_open("session", 3, 100, 100), FORWARDED, "pass");
    talk_violate(&talk, GATE_TARGET, RELAY_OPEN_CONFIRMATION, pk_confirm(3, 2, 9, 9), "in use");
}

static void gate_answers_to_opens_that_were_not_asked_end_the_access(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum gate_side from;
        uint32_t number; /* 1 is open, 3 is asked by the client */
    } ROWS[] = {
        {"unknown to the target", GATE_TARGET, 7},
        {"answered before", GATE_TARGET, 1},
        {"by the client itself", GATE_CLIENT, 3},
        {"by the client, unknown", GATE_CLIENT, 7},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        for (unsigned kind = 0; kind < 2; kind++) {
            talk_end(&talk);
            talk_begin(&talk);
            talk_open(&talk, 1, 2);
            FROM_CLIENT(OPEN, pk_open("session", 3, 100, 100), FORWARDED, "pass");
            talk_violate(&talk, ROWS[i].from, kind == 0 ? RELAY_OPEN_CONFIRMATION : RELAY_OPEN_FAILURE,
                         kind == 0 ? pk_confirm(ROWS[i].number, 9, 9, 9)
                                   : pk_open_failure(ROWS[i].number, ""),
                         "not asked");
        }
    }
}

static void gate_channel_is_deaf_until_it_is_confirmed(void **state)
{
    (void)state;
    FROM_CLIENT(OPEN, pk_open("session", 1, 100, 100), FORWARDED, "pass");
    talk_violate(&talk, GATE_TARGET, RELAY_DATA, pk_data(1, "x"), "not open");
}

/* Channels of the target, where they are granted and the client asked for them */

static void gate_agent_channel_needs_grant_and_request(void **state)
{
    (void)state;
    talk.grant.agent = true;
    talk_open(&talk, 1, 2);
    FROM_TARGET(
        OPEN, pk_open("auth-agent@openssh.com", 8, 100, 100), DROPPED,
        "refused -1 channel from the target: auth-agent@openssh.com; target: open failure 8 reason 1");
    FROM_CLIENT(REQUEST, pk_request(2, "auth-agent-req@openssh.com", false), FORWARDED,
                "note 1 agent forwarding was asked for; pass");
    FROM_TARGET(OPEN, pk_open("auth-agent@openssh.com", 8, 100, 100), FORWARDED, "pass");
    FROM_CLIENT(OPEN_CONFIRMATION, pk_confirm(8, 5, 100, 100), FORWARDED,
                "channel_open 5 auth-agent@openssh.com; pass");
    FROM_TARGET(DATA, pk_data(5, "question"), FORWARDED, "pass"); /* counted, not recorded */
    FROM_CLIENT(DATA, pk_data(8, "answer"), FORWARDED, "pass");
    FROM_CLIENT(REQUEST, pk_request(8, "shell", true), DROPPED,
                "refused 5 request: shell; client: channel failure 5");
    FROM_CLIENT(CLOSE, pk_number(8), FORWARDED, "pass");
    FROM_TARGET(CLOSE, pk_number(5), FORWARDED, "channel_close 5 to 6 from 8; pass");
}

static void gate_x11_channel_that_the_client_refuses_is_gone(void **state)
{
    (void)state;
    talk.grant.x11 = true;
    talk_open(&talk, 1, 2);
    talk_expect(&talk, GATE_CLIENT, RELAY_REQUEST, pk_x11_req(2, false), GATE_FORWARDED);
    FROM_TARGET(OPEN, pk_open("x11", 8, 100, 100), FORWARDED, "pass");
    FROM_CLIENT(OPEN_FAILURE, pk_open_failure(8, "no"), FORWARDED,
                "note -1 the client refused the target's channel: no; pass");
    assert_int_equal(gate_channel_count(talk.gate), 1);
}

int main(void)
{
#define GATE_TEST(test) cmocka_unit_test_setup_teardown(test, gate_setup, gate_teardown)
    static const struct CMUnitTest TESTS[] = {
        GATE_TEST(gate_opens_are_refused_but_sessions_of_the_client),
        GATE_TEST(gate_refused_channel_of_the_target_does_not_exist),
        GATE_TEST(gate_channel_that_the_target_refuses_is_gone),
        GATE_TEST(gate_17th_channel_is_refused_and_a_closed_one_makes_room),
        GATE_TEST(gate_grant_may_allow_fewer_channels),
        GATE_TEST(gate_number_is_used_once_at_a_time),
        GATE_TEST(gate_refused_kind_with_a_used_number_ends_the_access),
        GATE_TEST(gate_confirmation_with_a_used_number_ends_the_access),
        GATE_TEST(gate_answers_to_opens_that_were_not_asked_end_the_access),
        GATE_TEST(gate_channel_is_deaf_until_it_is_confirmed),
        GATE_TEST(gate_agent_channel_needs_grant_and_request),
        GATE_TEST(gate_x11_channel_that_the_client_refuses_is_gone),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
