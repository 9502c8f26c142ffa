/* The gate: requests, the order of their answers, and what an engineer sees of a refusal. */
#include "unit_test.h"

#include "talk.h"

static struct talk talk;

static int gate_setup(void **state)
{
    (void)state;
    talk_begin(&talk);
    talk_open(&talk, 1, 2);
    return 0;
}

static int gate_teardown(void **state)
{
    (void)state;
    talk_end(&talk);
    return 0;
}

/* Every request that has a row, and some that have none, from both sides. */
static void gate_requests_pass_or_are_refused_by_their_row(void **state)
{
    (void)state;
    const struct {
        const char *name;
        enum gate_side from;
        enum gate_verdict verdict;
        struct kept payload;
        const char *expected;
    } rows[] = {
        {"pty", GATE_CLIENT, GATE_FORWARDED, pk_keep(pk_pty(2, true, "xterm")), "pty 1 xterm80x24; pass"},
        {"env", GATE_CLIENT, GATE_FORWARDED, pk_keep(pk_env(2, true, "A", "b")), "env 1 A=b; pass"},
        {"shell", GATE_CLIENT, GATE_FORWARDED, pk_keep(pk_request(2, "shell", true)), "shell 1; pass"},
        {"exec", GATE_CLIENT, GATE_FORWARDED, pk_keep(pk_request_text(2, "exec", true, "id")),
         "exec 1 id; pass"},
        {"window-change", GATE_CLIENT, GATE_FORWARDED, pk_keep(pk_window_change(2, 5, 6)),
         "resize 1 5x6; pass"},
        {"signal", GATE_CLIENT, GATE_FORWARDED, pk_keep(pk_request_text(2, "signal", false, "HUP")),
         "signal 1 HUP; pass"},
        {"break", GATE_CLIENT, GATE_FORWARDED, pk_keep(pk_request_number(2, "break", true, 500)),
         "note 1 the client sent a break; pass"},
        {"eow", GATE_CLIENT, GATE_FORWARDED, pk_keep(pk_request(2, "eow@openssh.com", false)), "pass"},
        {"eow of target", GATE_TARGET, GATE_FORWARDED, pk_keep(pk_request(1, "eow@openssh.com", false)),
         "pass"},
        {"keepalive", GATE_CLIENT, GATE_FORWARDED, pk_keep(pk_request(2, "keepalive@openssh.com", true)),
         "pass"},
        {"keepalive of target", GATE_TARGET, GATE_FORWARDED,
         pk_keep(pk_request(1, "keepalive@openssh.com", true)), "pass"},
        {"xon-xoff", GATE_TARGET, GATE_FORWARDED, pk_keep(pk_request(1, "xon-xoff", false)), "pass"},
        {"window probe of PuTTY", GATE_CLIENT, GATE_FORWARDED,
         pk_keep(pk_request(2, "winadj@putty.projects.tartarus.org", true)), "pass"},
        {"exit-status", GATE_TARGET, GATE_FORWARDED, pk_keep(pk_request_number(1, "exit-status", false, 3)),
         "exit_status 1 3; pass"},
        {"exit-signal", GATE_TARGET, GATE_FORWARDED, pk_keep(pk_exit_signal(1, "KILL")),
         "exit_signal 1 KILL; pass"},
        {"x11", GATE_CLIENT, GATE_DROPPED, pk_keep(pk_x11_req(2, true)),
         "client: stderr 1 'bastion: X11 forwarding is not granted here [D-X11]\r\n'; "
         "refused 1 request: x11-req; client: channel failure 1"},
        {"agent", GATE_CLIENT, GATE_DROPPED, pk_keep(pk_request(2, "auth-agent-req@openssh.com", true)),
         "client: stderr 1 'bastion: agent forwarding is not granted here [D-AGENT]\r\n'; "
         "refused 1 request: auth-agent-req@openssh.com; client: channel failure 1"},
        {"agent without reply", GATE_CLIENT, GATE_DROPPED,
         pk_keep(pk_request(2, "auth-agent-req@openssh.com", false)),
         "client: stderr 1 'bastion: agent forwarding is not granted here [D-AGENT]\r\n'; "
         "refused 1 request: auth-agent-req@openssh.com"},
        {"unknown", GATE_CLIENT, GATE_DROPPED, pk_keep(pk_request(2, "magic", true)),
         "refused 1 request: magic; client: channel failure 1"},
        {"unknown with control bytes", GATE_CLIENT, GATE_DROPPED, pk_keep(pk_request(2, "a\033[2J", true)),
         "refused 1 request: a?[2J; client: channel failure 1"},
        {"empty name", GATE_CLIENT, GATE_DROPPED, pk_keep(pk_request(2, "", true)),
         "refused 1 request; client: channel failure 1"},
        {"unknown of target", GATE_TARGET, GATE_DROPPED, pk_keep(pk_request(1, "magic", true)),
         "refused 1 request of the target: magic; target: channel failure 2"},
        {"shell asked by the target", GATE_TARGET, GATE_DROPPED, pk_keep(pk_request(1, "shell", true)),
         "refused 1 request of the target: shell; target: channel failure 2"},
        {"exit-status of the client", GATE_CLIENT, GATE_DROPPED,
         pk_keep(pk_request_number(2, "exit-status", false, 3)), "refused 1 request: exit-status"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        (void)gate_teardown(NULL);
        (void)gate_setup(NULL);
        talk_step(&talk, rows[i].from, RELAY_REQUEST, cursor_of(rows[i].payload.bytes, rows[i].payload.len),
                  rows[i].verdict, rows[i].expected);
    }
}

static void gate_granted_agent_and_x11_requests_pass(void **state)
{
    (void)state;
    talk.grant.agent = true;
    talk.grant.x11 = true;
    FROM_CLIENT(REQUEST, pk_request(2, "auth-agent-req@openssh.com", true), FORWARDED,
                "note 1 agent forwarding was asked for; pass");
    FROM_CLIENT(REQUEST, pk_x11_req(2, true), FORWARDED, "note 1 X11 forwarding was asked for; pass");
}

static void gate_variables_are_bounded(void **state)
{
    (void)state;
    static char long_name[GATE_ENV_NAME_BYTES + 2];
    static char long_value[GATE_ENV_VALUE_BYTES + 2];
    memset(long_name, 'N', sizeof long_name - 1);
    memset(long_value, 'v', sizeof long_value - 1);
    talk_expect(&talk, GATE_CLIENT, RELAY_REQUEST, pk_env(2, false, long_name, "v"), GATE_DROPPED);
    talk_expect(&talk, GATE_CLIENT, RELAY_REQUEST, pk_env(2, false, "N", long_value), GATE_DROPPED);
    long_name[GATE_ENV_NAME_BYTES] = 0;
    long_value[GATE_ENV_VALUE_BYTES] = 0;
    talk_expect(&talk, GATE_CLIENT, RELAY_REQUEST, pk_env(2, false, long_name, long_value), GATE_FORWARDED);
    for (unsigned i = 1; i < GATE_ENV_COUNT_MAX; i++) {
        talk_expect(&talk, GATE_CLIENT, RELAY_REQUEST, pk_env(2, false, "A", "b"), GATE_FORWARDED);
    }
    FROM_CLIENT(REQUEST, pk_env(2, true, "A", "b"), DROPPED,
                "refused 1 request: env; client: channel failure 1");
}

static void gate_terminal_is_asked_for_once_and_first(void **state)
{
    (void)state;
    static char long_term[GATE_TERM_BYTES + 2];
    memset(long_term, 't', sizeof long_term - 1);
    FROM_CLIENT(REQUEST, pk_pty(2, true, long_term), DROPPED,
                "refused 1 request: pty-req; client: channel failure 1");
    FROM_CLIENT(REQUEST, pk_pty(2, false, "xterm"), FORWARDED, "pty 1 xterm80x24; pass");
    FROM_CLIENT(REQUEST, pk_pty(2, false, "xterm"), DROPPED, "refused 1 request: pty-req");
    talk_open(&talk, 3, 4);
    FROM_CLIENT(REQUEST, pk_request(4, "shell", false), FORWARDED, "shell 3; pass");
    FROM_CLIENT(REQUEST, pk_pty(4, false, "xterm"), DROPPED, "refused 3 request: pty-req");
}

static void gate_second_main_request_is_refused_and_the_first_lives(void **state)
{
    (void)state;
    FROM_CLIENT(REQUEST, pk_request(2, "shell", true), FORWARDED, "shell 1; pass");
    FROM_TARGET(SUCCESS, pk_number(1), FORWARDED, "pass");
    FROM_CLIENT(REQUEST, pk_request_text(2, "exec", true, "id"), DROPPED,
                "refused 1 request: exec; client: channel failure 1");
    FROM_CLIENT(REQUEST, pk_request_text(2, "subsystem", true, "sftp"), DROPPED,
                "refused 1 request: subsystem; client: channel failure 1");
    FROM_CLIENT(REQUEST, pk_request(2, "shell", true), DROPPED,
                "refused 1 request: shell; client: channel failure 1");
    FROM_CLIENT(DATA, pk_data(2, "id\n"), FORWARDED, "stdin 1 'id\n'; pass");
}

/* RFC 4254 section 5.4: replies carry no number, so ours must come in their turn. */
static void gate_answers_of_ours_wait_for_the_replies_before_them(void **state)
{
    (void)state;
    FROM_CLIENT(REQUEST, pk_request(2, "keepalive@openssh.com", true), FORWARDED, "pass"); /* 1, passes */
    FROM_CLIENT(REQUEST, pk_request(2, "magic-2", true), DROPPED, "refused 1 request: magic-2");
    FROM_CLIENT(REQUEST, pk_request(2, "magic-no-reply", false), DROPPED,
                "refused 1 request: magic-no-reply");
    FROM_CLIENT(REQUEST, pk_request(2, "magic-3", true), DROPPED, "refused 1 request: magic-3");
    FROM_CLIENT(REQUEST, pk_request(2, "keepalive@openssh.com", true), FORWARDED, "pass"); /* 4 */
    FROM_CLIENT(REQUEST, pk_request(2, "magic-5", true), DROPPED, "refused 1 request: magic-5");
    FROM_TARGET(SUCCESS, pk_number(1), FORWARDED,
                "pass; client: channel failure 1; client: channel failure 1");
    FROM_TARGET(FAILURE, pk_number(1), FORWARDED, "pass; client: channel failure 1");
    talk_violate(&talk, GATE_TARGET, RELAY_SUCCESS, pk_number(1), "not made");
}

static void gate_answers_to_the_target_keep_their_order_too(void **state)
{
    (void)state;
    FROM_TARGET(REQUEST, pk_request(1, "keepalive@openssh.com", true), FORWARDED, "pass");
    FROM_TARGET(REQUEST, pk_request(1, "magic", true), DROPPED, "refused 1 request of the target: magic");
    FROM_CLIENT(FAILURE, pk_number(2), FORWARDED, "pass; target: channel failure 2");
    talk_violate(&talk, GATE_CLIENT, RELAY_FAILURE, pk_number(2), "not made");
}

static void gate_channels_have_their_own_order(void **state)
{
    (void)state;
    talk_open(&talk, 3, 4);
    FROM_CLIENT(REQUEST, pk_request(2, "keepalive@openssh.com", true), FORWARDED, "pass");
    FROM_CLIENT(REQUEST, pk_request(4, "magic", true), DROPPED,
                "refused 3 request: magic; client: channel failure 3");
}

static void gate_answer_is_not_sent_after_a_close(void **state)
{
    (void)state;
    FROM_CLIENT(REQUEST, pk_request(2, "keepalive@openssh.com", true), FORWARDED, "pass");
    FROM_CLIENT(REQUEST, pk_request(2, "magic", true), DROPPED, "refused 1 request: magic");
    FROM_TARGET(CLOSE, pk_number(1), FORWARDED, "pass");
    FROM_CLIENT(REQUEST, pk_request(2, "magic", true), DROPPED, "refused 1 request: magic");
    FROM_CLIENT(REQUEST, pk_request(2, "keepalive@openssh.com", true), FORWARDED, "pass");
    FROM_CLIENT(CLOSE, pk_number(2), FORWARDED, "channel_close 1 to 0 from 0; pass");
}

static void gate_too_many_open_requests_end_the_access(void **state)
{
    (void)state;
    for (unsigned i = 0; i < GATE_PENDING_MAX; i++) {
        talk_expect(&talk, GATE_CLIENT, RELAY_REQUEST, pk_request(2, "keepalive@openssh.com", true),
                    GATE_FORWARDED);
    }
    talk_violate(&talk, GATE_CLIENT, RELAY_REQUEST, pk_request(2, "keepalive@openssh.com", true), "too many");
}

static void gate_requests_without_end_are_fine_when_answered(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3 * GATE_PENDING_MAX; i++) {
        FROM_CLIENT(REQUEST, pk_request(2, "keepalive@openssh.com", true), FORWARDED, "pass");
        FROM_TARGET(FAILURE, pk_number(1), FORWARDED, "pass");
    }
}

/* Global requests */

static void gate_global_requests_pass_or_are_refused_by_their_row(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum gate_side from;
        bool wants_reply;
        enum gate_verdict verdict;
        const char *expected;
    } ROWS[] = {
        {"keepalive@openssh.com", GATE_CLIENT, true, GATE_FORWARDED, "pass"},
        {"keepalive@openssh.com", GATE_TARGET, true, GATE_FORWARDED, "pass"},
        {"no-more-sessions@openssh.com", GATE_CLIENT, false, GATE_FORWARDED, "pass"},
        {"magic", GATE_CLIENT, true, GATE_DROPPED, "refused -1 request: magic; client: request failure"},
        {"hostkeys-prove-00@openssh.com", GATE_CLIENT, true, GATE_DROPPED,
         "refused -1 request: hostkeys-prove-00@openssh.com; client: request failure"},
        {"magic", GATE_CLIENT, false, GATE_DROPPED, "refused -1 request: magic"},
        {"hostkeys-00@openssh.com", GATE_TARGET, false, GATE_DROPPED, ""},
        {"hostkeys-00@openssh.com", GATE_TARGET, true, GATE_DROPPED, "target: request failure"},
        {"hostkeys-00@openssh.com", GATE_CLIENT, true, GATE_DROPPED,
         "refused -1 request: hostkeys-00@openssh.com; client: request failure"},
        {"tcpip-forward", GATE_TARGET, true, GATE_DROPPED,
         "refused -1 request of the target: tcpip-forward; target: request failure"},
        {"no-more-sessions@openssh.com", GATE_TARGET, true, GATE_DROPPED,
         "refused -1 request of the target: no-more-sessions@openssh.com; target: request failure"},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        (void)gate_teardown(NULL);
        (void)gate_setup(NULL);
        talk_step(&talk, ROWS[i].from, RELAY_GLOBAL_REQUEST, pk_global(ROWS[i].name, ROWS[i].wants_reply),
                  ROWS[i].verdict, ROWS[i].expected);
    }
}

static void gate_global_answers_of_ours_wait_for_the_replies_before_them(void **state)
{
    (void)state;
    FROM_CLIENT(GLOBAL_REQUEST, pk_global("keepalive@openssh.com", true), FORWARDED, "pass");
    FROM_CLIENT(GLOBAL_REQUEST, pk_global("magic", true), DROPPED, "refused -1 request: magic");
    FROM_CLIENT(GLOBAL_REQUEST, pk_global("keepalive@openssh.com", true), FORWARDED, "pass");
    FROM_TARGET(REQUEST_FAILURE, pk_none(), FORWARDED, "pass; client: request failure");
    FROM_TARGET(REQUEST_SUCCESS, cursor_of("\0\0\0\1", 4), FORWARDED, "pass");
    talk_violate(&talk, GATE_TARGET, RELAY_REQUEST_FAILURE, pk_none(), "not made");
}

/* Refusals that an engineer sees */

#define TOLD_SHELL                                                                                           \
    "client: stderr 1 'bastion: you may not open a shell here (your access is by rule r1) [D-SHELL]\r\n'; "  \
    "client: exit-status 1 = 126; client: end of file 1; client: channel close 1"

static void gate_refused_shell_says_why_and_ends_the_channel(void **state)
{
    (void)state;
    talk.grant.shell = false;
    FROM_CLIENT(REQUEST, pk_request(2, "shell", true), DROPPED,
                "refused 1 shell; client: channel success 1; " TOLD_SHELL);
    /* on their way before either side saw the end */
    FROM_CLIENT(DATA, pk_data(2, "id\n"), DROPPED, "");
    FROM_CLIENT(REQUEST, pk_window_change(2, 1, 1), DROPPED, "");
    FROM_CLIENT(REQUEST, pk_request(2, "shell", true), DROPPED, "");
    FROM_TARGET(WINDOW_ADJUST, pk_adjust(1, 10), DROPPED, "");
    FROM_TARGET(DATA, pk_data(1, "motd"), DROPPED, "");
    FROM_TARGET(REQUEST, pk_request(1, "keepalive@openssh.com", true), DROPPED, "target: channel failure 2");
    /* the client's CLOSE ends it for the target too */
    FROM_CLIENT(CLOSE, pk_number(2), FORWARDED, "pass");
    FROM_TARGET(DATA, pk_data(1, "late"), DROPPED, "");
    FROM_TARGET(CLOSE, pk_number(1), DROPPED, "channel_close 1 to 0 from 0");
    assert_int_equal(gate_channel_count(talk.gate), 0);
    talk_open(&talk, 1, 2); /* and both numbers are free again */
}

static void gate_refused_command_without_reply_says_why_too(void **state)
{
    (void)state;
    talk.grant.exec = GRANT_EXEC_NONE;
    talk.grant.rule[0] = 0;
    talk_expect(&talk, GATE_CLIENT, RELAY_REQUEST, pk_request_text(2, "exec", false, "rm -rf /"),
                GATE_DROPPED);
    assert_non_null(
        strstr(talk.text, "refused 1 exec: rm -rf /; client: stderr 1 'bastion: you may not run this"));
    assert_non_null(strstr(talk.text, " [D-EXEC]\r\n'; client: exit-status 1 = 126"));
}

static void gate_subsystems_are_refused_but_granted_sftp(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *subsystem;
        enum grant_sftp sftp;
        enum gate_verdict verdict;
        const char *part;
    } ROWS[] = {
        {"no sftp", "sftp", GRANT_SFTP_NONE, GATE_DROPPED, "you may not use sftp here"},
        {"granted reading", "sftp", GRANT_SFTP_READ, GATE_FORWARDED, "subsystem 1 sftp; pass"},
        {"granted sftp", "sftp", GRANT_SFTP_WRITE, GATE_FORWARDED, "subsystem 1 sftp; pass"},
        {"netconf", "netconf", GRANT_SFTP_WRITE, GATE_DROPPED, "[D-SUBSYSTEM]"},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        (void)gate_teardown(NULL);
        (void)gate_setup(NULL);
        talk.grant.sftp = ROWS[i].sftp;
        talk_expect(&talk, GATE_CLIENT, RELAY_REQUEST,
                    pk_request_text(2, "subsystem", true, ROWS[i].subsystem), ROWS[i].verdict);
        assert_non_null(strstr(talk.text, ROWS[i].part));
    }
}

static void gate_refusal_waits_for_the_replies_before_it(void **state)
{
    (void)state;
    talk.grant.shell = false;
    FROM_CLIENT(REQUEST, pk_pty(2, true, "xterm"), FORWARDED, "pty 1 xterm80x24; pass");
    FROM_CLIENT(REQUEST, pk_request(2, "magic", true), DROPPED, "refused 1 request: magic");
    FROM_CLIENT(REQUEST, pk_request(2, "shell", true), DROPPED, "refused 1 shell");
    FROM_CLIENT(DATA, pk_data(2, "x"), DROPPED, "");
    FROM_TARGET(SUCCESS, pk_number(1), FORWARDED,
                "pass; client: channel failure 1; client: channel success 1; " TOLD_SHELL);
    FROM_CLIENT(EOF, pk_number(2), DROPPED, "");
    FROM_CLIENT(CLOSE, pk_number(2), FORWARDED, "pass");
    FROM_TARGET(CLOSE, pk_number(1), DROPPED, "channel_close 1 to 0 from 0");
}

static void gate_refusal_is_told_when_the_target_closes_instead_of_replying(void **state)
{
    (void)state;
    talk.grant.shell = false;
    FROM_CLIENT(REQUEST, pk_pty(2, true, "xterm"), FORWARDED, "pty 1 xterm80x24; pass");
    FROM_CLIENT(REQUEST, pk_request(2, "shell", false), DROPPED, "refused 1 shell");
    FROM_TARGET(CLOSE, pk_number(1), DROPPED, TOLD_SHELL);
    FROM_CLIENT(CLOSE, pk_number(2), FORWARDED, "channel_close 1 to 0 from 0; pass");
    assert_int_equal(gate_channel_count(talk.gate), 0);
}

static void gate_refusal_is_told_when_the_client_closes_before_the_reply(void **state)
{
    (void)state;
    talk.grant.shell = false;
    FROM_CLIENT(REQUEST, pk_pty(2, true, "xterm"), FORWARDED, "pty 1 xterm80x24; pass");
    FROM_CLIENT(REQUEST, pk_request(2, "shell", false), DROPPED, "refused 1 shell");
    FROM_CLIENT(CLOSE, pk_number(2), FORWARDED, TOLD_SHELL "; pass");
    FROM_TARGET(SUCCESS, pk_number(1), DROPPED, ""); /* the late reply to the terminal request */
    FROM_TARGET(CLOSE, pk_number(1), DROPPED, "channel_close 1 to 0 from 0");
}

static void gate_refusal_after_the_target_closed_is_only_recorded(void **state)
{
    (void)state;
    talk.grant.shell = false;
    FROM_TARGET(CLOSE, pk_number(1), FORWARDED, "pass");
    FROM_CLIENT(REQUEST, pk_request(2, "shell", true), DROPPED, "refused 1 shell");
    FROM_CLIENT(CLOSE, pk_number(2), FORWARDED, "channel_close 1 to 0 from 0; pass");
}

static void gate_refusal_keeps_to_the_clients_window(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t window, max;
        const char *said;
    } ROWS[] = {
        {"no window", 0, 1000, "refused 5 shell; client: exit-status 5 = 126"},
        {"small window", 9, 1000,
         "refused 5 shell; client: stderr 5 'bastion: '; client: exit-status 5 = 126"},
        {"small packets", 1000, 7,
         "refused 5 shell; client: stderr 5 'bastion'; client: exit-status 5 = 126"},
    };
    talk.grant.shell = false;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        (void)gate_teardown(NULL);
        (void)gate_setup(NULL);
        talk.grant.shell = false;
        FROM_CLIENT(OPEN, pk_open("session", 5, ROWS[i].window, ROWS[i].max), FORWARDED, "pass");
        FROM_TARGET(OPEN_CONFIRMATION, pk_confirm(5, 6, 0, 1000), FORWARDED, "channel_open 5 session; pass");
        talk_expect(&talk, GATE_CLIENT, RELAY_REQUEST, pk_request(6, "shell", false), GATE_DROPPED);
        assert_memory_equal(talk.text, ROWS[i].said, strlen(ROWS[i].said));
    }
}

static void gate_refusal_after_the_targets_end_of_file_sends_no_second(void **state)
{
    (void)state;
    talk.grant.shell = false;
    FROM_TARGET(EOF, pk_number(1), FORWARDED, "pass");
    FROM_CLIENT(REQUEST, pk_request(2, "shell", false), DROPPED,
                "refused 1 shell; client: exit-status 1 = 126; client: channel close 1");
}

static void gate_number_opened_again_waits_for_the_targets_close(void **state)
{
    (void)state;
    talk.grant.shell = false;
    talk_expect(&talk, GATE_CLIENT, RELAY_REQUEST, pk_request(2, "shell", true), GATE_DROPPED);
    FROM_CLIENT(CLOSE, pk_number(2), FORWARDED, "pass");
    FROM_CLIENT(OPEN, pk_open("tun@openssh.com", 1, 70, 7), DROPPED,
                "refused 1 channel: tun@openssh.com; client: open failure 1 reason 1");
    FROM_CLIENT(OPEN, pk_open("session", 1, 70, 7), DROPPED, ""); /* legal for the client: it saw our CLOSE */
    FROM_TARGET(DATA, pk_data(1, "old"), DROPPED, "");            /* still of the old channel */
    FROM_TARGET(CLOSE, pk_number(1), DROPPED,
                "channel_close 1 to 0 from 0; target: open session 1 window 70 max 7");
    FROM_TARGET(OPEN_CONFIRMATION, pk_confirm(1, 2, 1000, 1000), FORWARDED, "channel_open 1 session; pass");
    FROM_TARGET(DATA, pk_data(1, "new"), FORWARDED, "stdout 1 'new'; pass");
}

static void gate_number_opened_twice_while_it_waits_ends_the_access(void **state)
{
    (void)state;
    talk.grant.shell = false;
    talk_expect(&talk, GATE_CLIENT, RELAY_REQUEST, pk_request(2, "shell", true), GATE_DROPPED);
    FROM_CLIENT(CLOSE, pk_number(2), FORWARDED, "pass");
    FROM_CLIENT(OPEN, pk_open("session", 1, 70, 7), DROPPED, "");
    talk_violate(&talk, GATE_CLIENT, RELAY_OPEN, pk_open("session", 1, 70, 7), "in use");
}

static void gate_end_refuses_the_open_that_waits(void **state)
{
    (void)state;
    talk.grant.shell = false;
    talk_expect(&talk, GATE_CLIENT, RELAY_REQUEST, pk_request(2, "shell", true), GATE_DROPPED);
    FROM_CLIENT(CLOSE, pk_number(2), FORWARDED, "pass");
    FROM_CLIENT(OPEN, pk_open("session", 1, 70, 7), DROPPED, "");
    talk.text_len = 0;
    assert_int_equal(gate_end(talk.gate, "over"), ERR_NONE);
    assert_string_equal(talk.text, "client: open failure 1 reason 1; channel_close 1 to 0 from 0");
}

static void gate_refused_channel_still_holds_both_sides_to_the_protocol(void **state)
{
    (void)state;
    talk.grant.shell = false;
    talk_expect(&talk, GATE_CLIENT, RELAY_REQUEST, pk_request(2, "shell", true), GATE_DROPPED);
    talk_expect(&talk, GATE_TARGET, RELAY_DATA, pk_bulk(1, 800), GATE_DROPPED);
    talk_violate(&talk, GATE_TARGET, RELAY_DATA, pk_bulk(1, 800), "window");
}

static void gate_command_too_long_for_a_record_is_refused(void **state)
{
    (void)state;
    static char command[TAP_EXACT_BYTES + 2];
    memset(command, 'c', sizeof command - 1);
    talk_expect(&talk, GATE_CLIENT, RELAY_REQUEST, pk_request_text(2, "exec", true, command), GATE_DROPPED);
    assert_non_null(strstr(talk.text, "too long to be recorded"));
    talk_open(&talk, 3, 4);
    command[TAP_EXACT_BYTES] = 0;
    talk_expect(&talk, GATE_CLIENT, RELAY_REQUEST, pk_request_text(4, "exec", true, command), GATE_FORWARDED);
}

int main(void)
{
#define GATE_TEST(test) cmocka_unit_test_setup_teardown(test, gate_setup, gate_teardown)
    static const struct CMUnitTest TESTS[] = {
        GATE_TEST(gate_requests_pass_or_are_refused_by_their_row),
        GATE_TEST(gate_granted_agent_and_x11_requests_pass),
        GATE_TEST(gate_variables_are_bounded),
        GATE_TEST(gate_terminal_is_asked_for_once_and_first),
        GATE_TEST(gate_second_main_request_is_refused_and_the_first_lives),
        GATE_TEST(gate_answers_of_ours_wait_for_the_replies_before_them),
        GATE_TEST(gate_answers_to_the_target_keep_their_order_too),
        GATE_TEST(gate_channels_have_their_own_order),
        GATE_TEST(gate_answer_is_not_sent_after_a_close),
        GATE_TEST(gate_too_many_open_requests_end_the_access),
        GATE_TEST(gate_requests_without_end_are_fine_when_answered),
        GATE_TEST(gate_global_requests_pass_or_are_refused_by_their_row),
        GATE_TEST(gate_global_answers_of_ours_wait_for_the_replies_before_them),
        GATE_TEST(gate_refused_shell_says_why_and_ends_the_channel),
        GATE_TEST(gate_refused_command_without_reply_says_why_too),
        GATE_TEST(gate_subsystems_are_refused_but_granted_sftp),
        GATE_TEST(gate_refusal_waits_for_the_replies_before_it),
        GATE_TEST(gate_refusal_is_told_when_the_target_closes_instead_of_replying),
        GATE_TEST(gate_refusal_is_told_when_the_client_closes_before_the_reply),
        GATE_TEST(gate_refusal_after_the_target_closed_is_only_recorded),
        GATE_TEST(gate_refusal_keeps_to_the_clients_window),
        GATE_TEST(gate_refusal_after_the_targets_end_of_file_sends_no_second),
        GATE_TEST(gate_number_opened_again_waits_for_the_targets_close),
        GATE_TEST(gate_number_opened_twice_while_it_waits_ends_the_access),
        GATE_TEST(gate_end_refuses_the_open_that_waits),
        GATE_TEST(gate_refused_channel_still_holds_both_sides_to_the_protocol),
        GATE_TEST(gate_command_too_long_for_a_record_is_refused),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
