/* The gate: data, windows, ends of channels, wrong packets. */
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

static void gate_whole_terminal_session_is_forwarded_and_recorded(void **state)
{
    (void)state;
    FROM_CLIENT(OPEN, pk_open("session", 3, 5000, 1000), FORWARDED, "pass");
    FROM_TARGET(OPEN_CONFIRMATION, pk_confirm(3, 9, 0, 1000), FORWARDED, "channel_open 3 session; pass");
    FROM_CLIENT(REQUEST, pk_pty(9, true, "xterm"), FORWARDED, "pty 3 xterm80x24; pass");
    FROM_CLIENT(REQUEST, pk_env(9, false, "LANG", "C"), FORWARDED, "env 3 LANG=C; pass");
    FROM_CLIENT(REQUEST, pk_request(9, "shell", true), FORWARDED, "shell 3; pass");
    FROM_TARGET(SUCCESS, pk_number(3), FORWARDED, "pass");
    FROM_TARGET(WINDOW_ADJUST, pk_adjust(3, 100), FORWARDED, "pass");
    FROM_TARGET(SUCCESS, pk_number(3), FORWARDED, "pass");
    FROM_TARGET(DATA, pk_data(3, "$ "), FORWARDED, "terminal_out 3 '$ '; pass");
    FROM_CLIENT(DATA, pk_data(9, "secret"), FORWARDED, "pass"); /* typed: not recorded */
    FROM_CLIENT(REQUEST, pk_window_change(9, 100, 30), FORWARDED, "resize 3 100x30; pass");
    FROM_CLIENT(REQUEST, pk_request_text(9, "signal", false, "INT"), FORWARDED, "signal 3 INT; pass");
    FROM_TARGET(EXTENDED_DATA, pk_extended(3, 1, "oops"), FORWARDED, "terminal_out 3 'oops'; pass");
    FROM_TARGET(REQUEST, pk_request_number(3, "exit-status", false, 7), FORWARDED, "exit_status 3 7; pass");
    FROM_TARGET(EOF, pk_number(3), FORWARDED, "pass");
    FROM_TARGET(CLOSE, pk_number(3), FORWARDED, "pass");
    FROM_CLIENT(CLOSE, pk_number(9), FORWARDED, "channel_close 3 to 6 from 6; pass");
    assert_int_equal(gate_channel_count(talk.gate), 0);
    struct gate_counters counters;
    gate_counters(talk.gate, &counters);
    assert_int_equal(counters.exit_status, 7);
    assert_int_equal(counters.to_target_bytes, 6);
    assert_int_equal(counters.from_target_bytes, 6);
    assert_int_equal(counters.channels_opened, 1);
    assert_int_equal(counters.refused_count, 0);
}

static void gate_typed_input_is_recorded_where_the_grant_asks(void **state)
{
    (void)state;
    talk.grant.record_input = true;
    talk_open(&talk, 1, 2);
    FROM_CLIENT(REQUEST, pk_pty(2, false, "vt100"), FORWARDED, "pty 1 vt10080x24; pass");
    FROM_CLIENT(DATA, pk_data(2, "id\n"), FORWARDED, "stdin 1 'id\n'; pass");
}

static void gate_command_streams_are_kept_and_summed_up(void **state)
{
    (void)state;
    talk.grant.exec_record_cap_bytes = 4;
    talk_open(&talk, 1, 2);
    FROM_CLIENT(REQUEST, pk_request_text(2, "exec", true, "cat"), FORWARDED, "exec 1 cat; pass");
    FROM_TARGET(SUCCESS, pk_number(1), FORWARDED, "pass");
    FROM_CLIENT(DATA, pk_data(2, "abc"), FORWARDED, "stdin 1 'abc'; pass");
    FROM_TARGET(DATA, pk_data(1, "abc"), FORWARDED, "stdout 1 'abc'; pass");
    FROM_TARGET(DATA, pk_data(1, "def"), FORWARDED, "stdout 1 'd'; pass");
    FROM_TARGET(DATA, pk_data(1, "ghi"), FORWARDED, "pass");
    FROM_TARGET(EXTENDED_DATA, pk_extended(1, 1, "err"), FORWARDED, "stderr 1 'err'; pass");
    FROM_CLIENT(EOF, pk_number(2), FORWARDED, "pass");
    FROM_CLIENT(CLOSE, pk_number(2), FORWARDED, "pass");
    FROM_TARGET(DATA, pk_data(1, "late"), FORWARDED, "pass"); /* sent before it saw the CLOSE */
    FROM_TARGET(CLOSE, pk_number(1), FORWARDED,
                "stream_total 1 stdin 3/3; stream_total 1 stdout 4/13; stream_total 1 stderr 3/3; "
                "channel_close 1 to 3 from 16; pass");
}

static void gate_terminal_that_the_target_refused_is_recorded_as_streams(void **state)
{
    (void)state;
    talk_open(&talk, 1, 2);
    FROM_CLIENT(REQUEST, pk_pty(2, true, "xterm"), FORWARDED, "pty 1 xterm80x24; pass");
    FROM_CLIENT(REQUEST, pk_request(2, "shell", true), FORWARDED, "shell 1; pass");
    FROM_TARGET(FAILURE, pk_number(1), FORWARDED, "note 1 the target gave no terminal; pass");
    FROM_TARGET(SUCCESS, pk_number(1), FORWARDED, "pass");
    FROM_TARGET(DATA, pk_data(1, "x"), FORWARDED, "stdout 1 'x'; pass");
}

static void gate_target_that_refuses_a_command_may_be_asked_again(void **state)
{
    (void)state;
    talk_open(&talk, 1, 2);
    FROM_CLIENT(REQUEST, pk_request_text(2, "exec", true, "a"), FORWARDED, "exec 1 a; pass");
    FROM_CLIENT(REQUEST, pk_request_text(2, "exec", true, "b"), DROPPED, "refused 1 request: exec");
    FROM_TARGET(FAILURE, pk_number(1), FORWARDED,
                "note 1 the target refused to start it; pass; client: channel failure 1");
    FROM_CLIENT(REQUEST, pk_request_text(2, "exec", true, "c"), FORWARDED, "exec 1 c; pass");
}

static void gate_record_that_fails_stops_the_packet(void **state)
{
    (void)state;
    talk_open(&talk, 1, 2);
    talk.record_error = ERR_CLOSED;
    FROM_TARGET(DATA, pk_data(1, "x"), FAILED, "stdout 1 'x'"); /* and no pass */
    assert_int_equal(gate_error(talk.gate), ERR_CLOSED);
    assert_null(gate_explain(talk.gate));
    FROM_TARGET(DATA, pk_data(1, "x"), DROPPED, "");
}

static void gate_send_that_fails_is_told(void **state)
{
    (void)state;
    talk_open(&talk, 1, 2);
    talk.send_error = ERR_MEMORY;
    talk_expect(&talk, GATE_CLIENT, RELAY_EOF, pk_number(2), GATE_FAILED);
    assert_int_equal(gate_error(talk.gate), ERR_MEMORY);
}

/* Windows, RFC 4254 section 5.2 */

static void gate_window_and_packet_limits_hold_both_ways(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum gate_side from;
        uint32_t packets, bytes; /* so many packets of so many bytes pass, the next byte does not */
        uint32_t last_bytes;
        const char *why;
    } ROWS[] = {
        {"client fills the window", GATE_CLIENT, 10, 100, 1, "window"},
        {"target fills the window", GATE_TARGET, 20, 100, 1, "window"},
        {"client sends too large a packet", GATE_CLIENT, 1, 100, 201, "one packet"},
        {"target sends too large a packet", GATE_TARGET, 1, 100, 101, "one packet"},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        talk_end(&talk);
        talk_begin(&talk);
        FROM_CLIENT(OPEN, pk_open("session", 1, 2000, 100), FORWARDED, "pass");
        FROM_TARGET(OPEN_CONFIRMATION, pk_confirm(1, 2, 1000, 200), FORWARDED,
                    "channel_open 1 session; pass");
        uint32_t recipient = ROWS[i].from == GATE_CLIENT ? 2 : 1;
        for (uint32_t n = 0; n < ROWS[i].packets; n++) {
            talk_expect(&talk, ROWS[i].from, RELAY_DATA, pk_bulk(recipient, ROWS[i].bytes), GATE_FORWARDED);
        }
        talk_violate(&talk, ROWS[i].from, RELAY_DATA, pk_bulk(recipient, ROWS[i].last_bytes), ROWS[i].why);
    }
}

static void gate_window_adjust_gives_the_other_side_more(void **state)
{
    (void)state;
    talk_open(&talk, 1, 2);
    talk_expect(&talk, GATE_CLIENT, RELAY_DATA, pk_bulk(2, 1000), GATE_FORWARDED);
    FROM_TARGET(WINDOW_ADJUST, pk_adjust(1, 5), FORWARDED, "pass");
    talk_expect(&talk, GATE_CLIENT, RELAY_DATA, pk_bulk(2, 5), GATE_FORWARDED);
    talk_violate(&talk, GATE_CLIENT, RELAY_DATA, pk_bulk(2, 1), "the client sent more data than its window");
}

static void gate_window_may_reach_2_32_minus_1_and_no_more(void **state)
{
    (void)state;
    talk_open(&talk, 1, 2);
    FROM_TARGET(WINDOW_ADJUST, pk_adjust(1, UINT32_MAX - 1000), FORWARDED, "pass");
    talk_violate(&talk, GATE_TARGET, RELAY_WINDOW_ADJUST, pk_adjust(1, 1), "the target made a window larger");
}

static void gate_extended_data_counts_against_the_window(void **state)
{
    (void)state;
    talk_open(&talk, 1, 2);
    talk_expect(&talk, GATE_TARGET, RELAY_DATA, pk_bulk(1, 997), GATE_FORWARDED);
    talk_expect(&talk, GATE_TARGET, RELAY_EXTENDED_DATA, pk_extended(1, 1, "abc"), GATE_FORWARDED);
    talk_violate(&talk, GATE_TARGET, RELAY_EXTENDED_DATA, pk_extended(1, 1, "d"), "window");
}

static void gate_packet_over_one_record_is_recorded_in_pieces(void **state)
{
    (void)state;
    FROM_CLIENT(OPEN, pk_open("session", 1, 100000, 100000), FORWARDED, "pass");
    FROM_TARGET(OPEN_CONFIRMATION, pk_confirm(1, 2, 0, 0), FORWARDED, "channel_open 1 session; pass");
    talk_expect(&talk, GATE_TARGET, RELAY_DATA, pk_bulk(1, LIMIT_RECORD_BODY_BYTES + 1), GATE_FORWARDED);
    assert_non_null(strstr(talk.text, "; stdout 1 'x'; pass"));
}

/* Ends */

static void gate_wrong_packets_on_a_channel_end_the_access(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint8_t before; /* sent first by the same side; 0: none */
        uint8_t type;
        const char *why;
    } ROWS[] = {
        {"data after end of file", RELAY_EOF, RELAY_DATA, "data after end of file"},
        {"end of file twice", RELAY_EOF, RELAY_EOF, "end of file twice"},
        {"data after close", RELAY_CLOSE, RELAY_DATA, "not open"},
        {"end of file after close", RELAY_CLOSE, RELAY_EOF, "not open"},
        {"close twice", RELAY_CLOSE, RELAY_CLOSE, "not open"},
        {"window after close", RELAY_CLOSE, RELAY_WINDOW_ADJUST, "not open"},
        {"request after close", RELAY_CLOSE, RELAY_REQUEST, "not open"},
        {"success without request", 0, RELAY_SUCCESS, "not made"},
        {"failure without request", 0, RELAY_FAILURE, "not made"},
        {"global success without request", 0, RELAY_REQUEST_SUCCESS, "not made"},
        {"global failure without request", 0, RELAY_REQUEST_FAILURE, "not made"},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        for (unsigned side = 0; side < GATE_SIDES; side++) {
            talk_end(&talk);
            talk_begin(&talk);
            talk_open(&talk, 1, 2);
            uint32_t to = side == GATE_CLIENT ? 2 : 1;
            if (ROWS[i].before != 0) {
                talk_expect(&talk, (enum gate_side)side, ROWS[i].before, pk_number(to), GATE_FORWARDED);
            }
            struct cursor payload = ROWS[i].type == RELAY_DATA            ? pk_data(to, "x")
                                    : ROWS[i].type == RELAY_WINDOW_ADJUST ? pk_adjust(to, 1)
                                    : ROWS[i].type == RELAY_REQUEST ? pk_request(to, "eow@openssh.com", false)
                                                                    : pk_number(to);
            talk_violate(&talk, (enum gate_side)side, ROWS[i].type, payload, ROWS[i].why);
        }
    }
}

static void gate_extended_data_out_of_place_ends_the_access(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum gate_side from;
        uint32_t code;
    } ROWS[] = {
        {"from the client", GATE_CLIENT, 1},
        {"code 0", GATE_TARGET, 0},
        {"code 2", GATE_TARGET, 2},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        talk_end(&talk);
        talk_begin(&talk);
        talk_open(&talk, 1, 2);
        talk_violate(&talk, ROWS[i].from, RELAY_EXTENDED_DATA,
                     pk_extended(ROWS[i].from == GATE_CLIENT ? 2 : 1, ROWS[i].code, "x"), "extended data");
    }
}

static void gate_packets_for_unknown_channels_end_the_access(void **state)
{
    (void)state;
    static const uint8_t TYPES[] = {RELAY_DATA,  RELAY_EXTENDED_DATA, RELAY_WINDOW_ADJUST, RELAY_EOF,
                                    RELAY_CLOSE, RELAY_REQUEST,       RELAY_SUCCESS,       RELAY_FAILURE};
    for (size_t i = 0; i < COUNT_OF(TYPES); i++) {
        for (unsigned side = 0; side < GATE_SIDES; side++) {
            talk_end(&talk);
            talk_begin(&talk);
            talk_open(&talk, 1, 2);
            uint32_t to = side == GATE_CLIENT ? 1 : 2; /* the sender's own number */
            struct cursor payload = TYPES[i] == RELAY_DATA            ? pk_data(to, "x")
                                    : TYPES[i] == RELAY_EXTENDED_DATA ? pk_extended(to, 1, "x")
                                    : TYPES[i] == RELAY_WINDOW_ADJUST ? pk_adjust(to, 1)
                                    : TYPES[i] == RELAY_REQUEST       ? pk_request(to, "shell", true)
                                                                      : pk_number(to);
            talk_violate(&talk, (enum gate_side)side, TYPES[i], payload, "not open");
        }
    }
}

static void gate_unknown_packet_types_end_the_access(void **state)
{
    (void)state;
    static const uint8_t TYPES[] = {0, 50, 79, 83, 84, 85, 86, 87, 88, 89, 101, 127, 192, 255};
    for (size_t i = 0; i < COUNT_OF(TYPES); i++) {
        for (unsigned side = 0; side < GATE_SIDES; side++) {
            talk_end(&talk);
            talk_begin(&talk);
            talk_violate(&talk, (enum gate_side)side, TYPES[i], pk_none(), "does not define");
        }
    }
}

/* Every packet type with all its fields, for the channel 1 (client) and 2 (target). */
static void gate_every_packet_cut_anywhere_ends_the_access(void **state)
{
    (void)state;
    const struct {
        const char *name;
        enum gate_side from;
        uint8_t type;
        struct kept payload;
    } rows[] = {
        {"open", GATE_CLIENT, RELAY_OPEN, pk_keep(pk_open("session", 7, 1, 1))},
        {"open from target", GATE_TARGET, RELAY_OPEN, pk_keep(pk_open("x11", 7, 1, 1))},
        {"confirmation", GATE_TARGET, RELAY_OPEN_CONFIRMATION, pk_keep(pk_confirm(5, 6, 1, 1))},
        {"open failure", GATE_TARGET, RELAY_OPEN_FAILURE, pk_keep(pk_open_failure(5, "no"))},
        {"data", GATE_CLIENT, RELAY_DATA, pk_keep(pk_data(2, "x"))},
        {"data from target", GATE_TARGET, RELAY_DATA, pk_keep(pk_data(1, "x"))},
        {"extended data", GATE_TARGET, RELAY_EXTENDED_DATA, pk_keep(pk_extended(1, 1, "x"))},
        {"window adjust", GATE_CLIENT, RELAY_WINDOW_ADJUST, pk_keep(pk_adjust(2, 5))},
        {"eof", GATE_CLIENT, RELAY_EOF, pk_keep(pk_number(2))},
        {"close", GATE_TARGET, RELAY_CLOSE, pk_keep(pk_number(1))},
        {"pty-req", GATE_CLIENT, RELAY_REQUEST, pk_keep(pk_pty(2, true, "xterm"))},
        {"window-change", GATE_CLIENT, RELAY_REQUEST, pk_keep(pk_window_change(2, 1, 1))},
        {"env", GATE_CLIENT, RELAY_REQUEST, pk_keep(pk_env(2, true, "A", "b"))},
        {"shell", GATE_CLIENT, RELAY_REQUEST, pk_keep(pk_request(2, "shell", true))},
        {"exec", GATE_CLIENT, RELAY_REQUEST, pk_keep(pk_request_text(2, "exec", true, "id"))},
        {"subsystem", GATE_CLIENT, RELAY_REQUEST, pk_keep(pk_request_text(2, "subsystem", true, "sftp"))},
        {"signal", GATE_CLIENT, RELAY_REQUEST, pk_keep(pk_request_text(2, "signal", false, "INT"))},
        {"break", GATE_CLIENT, RELAY_REQUEST, pk_keep(pk_request_number(2, "break", true, 500))},
        {"x11-req", GATE_CLIENT, RELAY_REQUEST, pk_keep(pk_x11_req(2, true))},
        {"agent", GATE_CLIENT, RELAY_REQUEST, pk_keep(pk_request(2, "auth-agent-req@openssh.com", true))},
        {"exit-status", GATE_TARGET, RELAY_REQUEST, pk_keep(pk_request_number(1, "exit-status", false, 1))},
        {"exit-signal", GATE_TARGET, RELAY_REQUEST, pk_keep(pk_exit_signal(1, "KILL"))},
        {"global request", GATE_CLIENT, RELAY_GLOBAL_REQUEST,
         pk_keep(pk_global("keepalive@openssh.com", true))},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t whole = rows[i].payload.len;
        for (size_t len = 0; len <= whole; len++) {
            talk_end(&talk);
            talk_begin(&talk);
            talk_open(&talk, 1, 2);
            talk_expect(&talk, GATE_CLIENT, RELAY_OPEN, pk_open("session", 5, 1000, 1000), GATE_FORWARDED);
            /* memory of exactly that size, so that a sanitizer sees any read past it */
            uint8_t *copy = malloc(len + 1);
            assert_non_null(copy);
            memcpy(copy, rows[i].payload.bytes, len);
            if (len < whole) {
                talk_violate(&talk, rows[i].from, rows[i].type, cursor_of(copy, len), "laid out");
            } else {
                talk.from = rows[i].from;
                talk.type = rows[i].type;
                talk.payload = cursor_of(copy, len);
                enum gate_verdict verdict = gate_packet(talk.gate, talk.from, talk.type, talk.payload);
                assert_true(verdict == GATE_FORWARDED || verdict == GATE_DROPPED);
            }
            free(copy);
        }
    }
}

static void gate_every_packet_with_a_byte_more_ends_the_access(void **state)
{
    (void)state;
    const struct {
        enum gate_side from;
        uint8_t type;
        struct kept payload;
    } rows[] = {
        {GATE_CLIENT, RELAY_OPEN, pk_keep(pk_open("session", 7, 1, 1))},
        {GATE_TARGET, RELAY_OPEN_CONFIRMATION, pk_keep(pk_confirm(5, 6, 1, 1))},
        {GATE_TARGET, RELAY_OPEN_FAILURE, pk_keep(pk_open_failure(5, "no"))},
        {GATE_CLIENT, RELAY_DATA, pk_keep(pk_data(2, "x"))},
        {GATE_TARGET, RELAY_EXTENDED_DATA, pk_keep(pk_extended(1, 1, "x"))},
        {GATE_CLIENT, RELAY_WINDOW_ADJUST, pk_keep(pk_adjust(2, 5))},
        {GATE_CLIENT, RELAY_EOF, pk_keep(pk_number(2))},
        {GATE_TARGET, RELAY_CLOSE, pk_keep(pk_number(1))},
        {GATE_CLIENT, RELAY_REQUEST, pk_keep(pk_pty(2, true, "xterm"))},
        {GATE_CLIENT, RELAY_REQUEST, pk_keep(pk_window_change(2, 1, 1))},
        {GATE_CLIENT, RELAY_REQUEST, pk_keep(pk_env(2, true, "A", "b"))},
        {GATE_CLIENT, RELAY_REQUEST, pk_keep(pk_request(2, "shell", true))},
        {GATE_CLIENT, RELAY_REQUEST, pk_keep(pk_request_text(2, "exec", true, "id"))},
        {GATE_CLIENT, RELAY_REQUEST, pk_keep(pk_request_text(2, "subsystem", true, "sftp"))},
        {GATE_CLIENT, RELAY_REQUEST, pk_keep(pk_request_text(2, "signal", false, "INT"))},
        {GATE_CLIENT, RELAY_REQUEST, pk_keep(pk_request_number(2, "break", true, 500))},
        {GATE_CLIENT, RELAY_REQUEST, pk_keep(pk_x11_req(2, true))},
        {GATE_CLIENT, RELAY_REQUEST, pk_keep(pk_request(2, "auth-agent-req@openssh.com", true))},
        {GATE_TARGET, RELAY_REQUEST, pk_keep(pk_request_number(1, "exit-status", false, 1))},
        {GATE_TARGET, RELAY_REQUEST, pk_keep(pk_exit_signal(1, "KILL"))},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        talk_end(&talk);
        talk_begin(&talk);
        talk_open(&talk, 1, 2);
        talk_expect(&talk, GATE_CLIENT, RELAY_OPEN, pk_open("session", 5, 1000, 1000), GATE_FORWARDED);
        struct writer out = packet_begin();
        writer_bytes(&out, cursor_of(rows[i].payload.bytes, rows[i].payload.len));
        writer_u8(&out, 0);
        talk_violate(&talk, rows[i].from, rows[i].type, packet_end(&out), "laid out");
    }
}

static void gate_data_with_a_wrong_length_ends_the_access(void **state)
{
    (void)state;
    static const uint32_t LENGTHS[] = {0, 3, 5, 0x7fffffff, 0xffffffff};
    for (size_t i = 0; i < COUNT_OF(LENGTHS); i++) {
        talk_end(&talk);
        talk_begin(&talk);
        talk_open(&talk, 1, 2);
        struct writer out = packet_begin();
        writer_u32be(&out, 2);
        writer_u32be(&out, LENGTHS[i]);
        writer_bytes(&out, cursor_of_text("four"));
        talk_violate(&talk, GATE_CLIENT, RELAY_DATA, packet_end(&out), "laid out");
    }
}

/* The end of the access */

static void gate_end_tells_open_sessions_and_sums_up(void **state)
{
    (void)state;
    talk_open(&talk, 1, 2);
    talk_open(&talk, 3, 4);
    talk_expect(&talk, GATE_CLIENT, RELAY_OPEN, pk_open("session", 5, 1000, 1000), GATE_FORWARDED);
    FROM_TARGET(DATA, pk_data(1, "x"), FORWARDED, "stdout 1 'x'; pass");
    FROM_TARGET(EOF, pk_number(3), FORWARDED, "pass");
    talk.text_len = 0;
    assert_int_equal(gate_end(talk.gate, "your time is over"), ERR_NONE);
    assert_string_equal(talk.text,
                        "client: stderr 1 'bastion: your time is over\r\n'; client: end of file 1; "
                        "client: channel close 1; stream_total 1 stdout 1/1; "
                        "channel_close 1 to 0 from 1; "
                        "client: channel close 3; channel_close 3 to 0 from 0; "
                        "client: open failure 5 reason 1");
    assert_int_equal(gate_channel_count(talk.gate), 0);
    FROM_CLIENT(CLOSE, pk_number(2), DROPPED, "");
    talk.text_len = 0;
    talk.text[0] = 0;
    assert_int_equal(gate_end(talk.gate, "again"), ERR_NONE);
    assert_string_equal(talk.text, "");
}

static void gate_end_without_sentence_only_records(void **state)
{
    (void)state;
    talk_open(&talk, 1, 2);
    talk.text_len = 0;
    assert_int_equal(gate_end(talk.gate, NULL), ERR_NONE);
    assert_string_equal(talk.text, "channel_close 1 to 0 from 0");
}

static void gate_end_goes_on_when_the_recorder_is_gone(void **state)
{
    (void)state;
    talk_open(&talk, 1, 2);
    talk_open(&talk, 3, 4);
    talk.record_error = ERR_CLOSED;
    talk.text_len = 0;
    assert_int_equal(gate_end(talk.gate, "the disk is full"), ERR_CLOSED);
    assert_non_null(strstr(talk.text, "client: channel close 1"));
    assert_non_null(strstr(talk.text, "client: channel close 3"));
}

static void gate_idle_time_ignores_keepalives(void **state)
{
    (void)state;
    gate_set_time(talk.gate, 1000);
    assert_int_equal(gate_idle_us(talk.gate, 1500), 500);
    talk_open(&talk, 1, 2);
    gate_set_time(talk.gate, 2000);
    FROM_CLIENT(GLOBAL_REQUEST, pk_global("keepalive@openssh.com", true), FORWARDED, "pass");
    FROM_CLIENT(WINDOW_ADJUST, pk_adjust(2, 1), FORWARDED, "pass");
    FROM_TARGET(REQUEST, pk_request(1, "keepalive@openssh.com", true), FORWARDED, "pass");
    assert_int_equal(gate_idle_us(talk.gate, 2000), 1000);
    FROM_CLIENT(DATA, pk_data(2, "x"), FORWARDED, "stdin 1 'x'; pass");
    assert_int_equal(gate_idle_us(talk.gate, 2000), 0);
    assert_int_equal(gate_idle_us(talk.gate, 1), 0); /* a clock that goes back is no idle time */
}

int main(void)
{
#define GATE_TEST(test) cmocka_unit_test_setup_teardown(test, gate_setup, gate_teardown)
    static const struct CMUnitTest TESTS[] = {
        GATE_TEST(gate_whole_terminal_session_is_forwarded_and_recorded),
        GATE_TEST(gate_typed_input_is_recorded_where_the_grant_asks),
        GATE_TEST(gate_command_streams_are_kept_and_summed_up),
        GATE_TEST(gate_terminal_that_the_target_refused_is_recorded_as_streams),
        GATE_TEST(gate_target_that_refuses_a_command_may_be_asked_again),
        GATE_TEST(gate_record_that_fails_stops_the_packet),
        GATE_TEST(gate_send_that_fails_is_told),
        GATE_TEST(gate_window_and_packet_limits_hold_both_ways),
        GATE_TEST(gate_window_adjust_gives_the_other_side_more),
        GATE_TEST(gate_window_may_reach_2_32_minus_1_and_no_more),
        GATE_TEST(gate_extended_data_counts_against_the_window),
        GATE_TEST(gate_packet_over_one_record_is_recorded_in_pieces),
        GATE_TEST(gate_wrong_packets_on_a_channel_end_the_access),
        GATE_TEST(gate_extended_data_out_of_place_ends_the_access),
        GATE_TEST(gate_packets_for_unknown_channels_end_the_access),
        GATE_TEST(gate_unknown_packet_types_end_the_access),
        GATE_TEST(gate_every_packet_cut_anywhere_ends_the_access),
        GATE_TEST(gate_every_packet_with_a_byte_more_ends_the_access),
        GATE_TEST(gate_data_with_a_wrong_length_ends_the_access),
        GATE_TEST(gate_end_tells_open_sessions_and_sums_up),
        GATE_TEST(gate_end_without_sentence_only_records),
        GATE_TEST(gate_end_goes_on_when_the_recorder_is_gone),
        GATE_TEST(gate_idle_time_ignores_keepalives),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
