#include "relay/outer.h"

#include "unit_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packets.h"

/* Everything that leaves the table, as text: events by name, packets as "send ...". */
struct room {
    struct outer *outer;
    enum err error; /* what every call returns */
    size_t sent_bytes;
    size_t largest_packet_bytes;
    size_t text_len;
    char text[4096];
};

__attribute__((format(printf, 2, 3))) static enum err room_write(struct room *room, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    if (room->text_len > 0) {
        room->text_len +=
            (size_t)snprintf(room->text + room->text_len, sizeof room->text - room->text_len, "; ");
    }
    int len = vsnprintf(room->text + room->text_len, sizeof room->text - room->text_len, format, values);
    va_end(values);
    assert_true(len >= 0 && room->text_len + (size_t)len < sizeof room->text);
    room->text_len += (size_t)len;
    return room->error;
}

static enum err room_send(void *owner, uint8_t type, struct cursor head, struct cursor body)
{
    struct room *room = owner;
    struct relay_confirmation confirmation;
    struct relay_open_failure failure;
    uint32_t number = 0;
    uint32_t bytes = 0;
    if (type == RELAY_EXTENDED_DATA) {
        uint32_t code = 0;
        assert_int_equal(cursor_u32be(&head, &number), ERR_NONE);
        assert_int_equal(cursor_u32be(&head, &code), ERR_NONE);
        assert_int_equal(cursor_u32be(&head, &bytes), ERR_NONE);
        assert_int_equal(cursor_end(&head), ERR_NONE);
        assert_int_equal(code, RELAY_EXTENDED_STDERR);
        assert_int_equal(bytes, cursor_len(&body));
        return room_write(room, "send error %u %u", number, bytes);
    }
    if (type == RELAY_REQUEST) {
        struct relay_request request;
        assert_int_equal(relay_read_request(head, &request), ERR_NONE);
        assert_true(cursor_equal_text(request.name, "exit-status") && !request.wants_reply);
        assert_int_equal(cursor_u32be(&request.rest, &number), ERR_NONE);
        assert_int_equal(cursor_end(&request.rest), ERR_NONE);
        return room_write(room, "send exit %u %u", request.recipient, number);
    }
    if (type == RELAY_DATA) {
        assert_int_equal(relay_read_window_adjust(head, &number, &bytes), ERR_NONE); /* the same two fields */
        assert_int_equal(bytes, cursor_len(&body));
        room->sent_bytes += bytes;
        room->largest_packet_bytes = bytes > room->largest_packet_bytes ? bytes : room->largest_packet_bytes;
        return room_write(room, "send data %u %u", number, bytes);
    }
    assert_int_equal(cursor_len(&body), 0);
    if (type == RELAY_OPEN_CONFIRMATION) {
        assert_int_equal(relay_read_confirmation(head, &confirmation), ERR_NONE);
        return room_write(room, "send confirmation %u %u %u %u", confirmation.recipient, confirmation.sender,
                          confirmation.window_bytes, confirmation.max_packet_bytes);
    }
    if (type == RELAY_OPEN_FAILURE) {
        assert_int_equal(relay_read_open_failure(head, &failure), ERR_NONE);
        return room_write(room, "send open failure %u %u", failure.recipient, failure.reason);
    }
    if (type == RELAY_WINDOW_ADJUST) {
        assert_int_equal(relay_read_window_adjust(head, &number, &bytes), ERR_NONE);
        return room_write(room, "send window %u %u", number, bytes);
    }
    if (type == RELAY_REQUEST_SUCCESS || type == RELAY_REQUEST_FAILURE || type == RELAY_GLOBAL_REQUEST) {
        return room_write(room, "send %s", relay_type_name(type));
    }
    assert_int_equal(relay_read_channel(head, &number), ERR_NONE);
    return room_write(room, "send %s %u", relay_type_name(type), number);
}

static enum err room_opened(void *owner, const struct outer_open *open)
{
    return room_write(owner, "opened %u %s %u from %s %u", open->channel, open->host, open->port,
                      open->originator, open->originator_port);
}
static enum err room_command(void *owner, const struct outer_command *command)
{
    return room_write(owner, "command %u '%.*s'%s", command->channel, (int)cursor_len(&command->words),
                      cursor_len(&command->words) == 0 ? "" : (const char *)command->words.at,
                      command->has_terminal ? " on a terminal" : "");
}
static enum err room_data(void *owner, unsigned channel, struct cursor bytes)
{
    return room_write(owner, "data %u %zu", channel, cursor_len(&bytes));
}
static enum err room_eof(void *owner, unsigned channel)
{
    return room_write(owner, "eof %u", channel);
}
static enum err room_closed(void *owner, unsigned channel)
{
    return room_write(owner, "closed %u", channel);
}
static enum err room_window(void *owner, unsigned channel)
{
    return room_write(owner, "window %u", channel);
}

static const struct outer_calls CALLS = {.send = room_send,
                                         .opened = room_opened,
                                         .command = room_command,
                                         .data = room_data,
                                         .eof = room_eof,
                                         .closed = room_closed,
                                         .window = room_window};

static struct room room;

static int outer_setup(void **state)
{
    (void)state;
    room = (struct room){0};
    room.outer = outer_new(&CALLS, &room);
    return room.outer == NULL;
}

static int outer_teardown(void **state)
{
    (void)state;
    outer_free(room.outer);
    return 0;
}

static void room_expect(const char *expected)
{
    assert_string_equal(room.text, expected);
    room.text_len = 0;
    room.text[0] = 0;
}

#define FROM_CLIENT(type, payload, expected)                                                                 \
    do {                                                                                                     \
        assert_int_equal(outer_packet(room.outer, RELAY_##type, payload), ERR_NONE);                         \
        room_expect(expected);                                                                               \
    } while (0)
#define WE(call, expected)                                                                                   \
    do {                                                                                                     \
        assert_int_equal(call, ERR_NONE);                                                                    \
        room_expect(expected);                                                                               \
    } while (0)

static void room_violate(uint8_t type, struct cursor payload, const char *why)
{
    room.text_len = 0;
    room.text[0] = 0;
    assert_int_equal(outer_packet(room.outer, type, payload), ERR_MALFORMED);
    assert_non_null(outer_explain(room.outer));
    assert_non_null(strstr(outer_explain(room.outer), why));
    room_expect("");
    assert_int_equal(outer_packet(room.outer, RELAY_GLOBAL_REQUEST, pk_global("x", true)), ERR_MALFORMED);
    room_expect("");
}

/* An open channel 0, called 40 by the client, which takes `window` bytes in packets of `max`. */
static void room_open(uint32_t window, uint32_t max)
{
    FROM_CLIENT(OPEN, pk_direct(40, window, max, "node1", 22), "opened 0 node1 22 from 127.0.0.1 65535");
    WE(outer_confirm(room.outer, 0), "send confirmation 40 0 2097152 65536");
}

static void outer_channel_lives_from_open_to_close(void **state)
{
    (void)state;
    size_t taken = 0;
    room_open(1000, 300);
    FROM_CLIENT(DATA, pk_data(0, "hello"), "data 0 5");
    WE(outer_send(room.outer, 0, cursor_of_text("answer"), &taken), "send data 40 6");
    assert_int_equal(taken, 6);
    FROM_CLIENT(EOF, pk_number(0), "eof 0");
    WE(outer_eof(room.outer, 0), "send end of file 40");
    WE(outer_eof(room.outer, 0), "");
    assert_int_equal(outer_send(room.outer, 0, cursor_of_text("x"), &taken), ERR_STATE);
    WE(outer_close(room.outer, 0), "send channel close 40");
    WE(outer_close(room.outer, 0), "");
    assert_int_equal(outer_channel_count(room.outer), 1);
    FROM_CLIENT(CLOSE, pk_number(0), "closed 0");
    assert_int_equal(outer_channel_count(room.outer), 0);
    room_open(1, 300); /* the numbers are free */
}

static void outer_close_of_the_client_is_answered(void **state)
{
    (void)state;
    room_open(1000, 300);
    FROM_CLIENT(CLOSE, pk_number(0), "send channel close 40; closed 0");
    room_violate(RELAY_CLOSE, pk_number(0), "not open");
}

static void outer_packets_that_crossed_our_close_are_dropped(void **state)
{
    (void)state;
    room_open(1000, 300);
    WE(outer_close(room.outer, 0), "send channel close 40");
    FROM_CLIENT(DATA, pk_data(0, "late"), "");
    FROM_CLIENT(WINDOW_ADJUST, pk_adjust(0, 5), "");
    FROM_CLIENT(REQUEST, pk_request(0, "x", true), "");
    FROM_CLIENT(EOF, pk_number(0), "");
    WE(outer_consumed(room.outer, 0, 4), "");
    assert_int_equal(outer_window(room.outer, 0), 0);
    FROM_CLIENT(CLOSE, pk_number(0), "closed 0");
}

static void outer_open_is_refused_by_the_owner(void **state)
{
    (void)state;
    FROM_CLIENT(OPEN, pk_direct(40, 9, 300, "10.0.0.1", 5432), "opened 0 10.0.0.1 5432 from 127.0.0.1 65535");
    room_violate(RELAY_DATA, pk_data(0, "x"), "not open"); /* deaf until it is confirmed */
    (void)outer_teardown(NULL);
    (void)outer_setup(NULL);
    FROM_CLIENT(OPEN, pk_direct(40, 9, 300, "10.0.0.1", 5432), "opened 0 10.0.0.1 5432 from 127.0.0.1 65535");
    WE(outer_refuse(room.outer, 0, RELAY_CONNECT_FAILED, "no\nroute"), "send open failure 40 2");
    assert_int_equal(outer_refuse(room.outer, 0, RELAY_CONNECT_FAILED, ""), ERR_STATE);
    assert_int_equal(outer_confirm(room.outer, 0), ERR_STATE);
    assert_int_equal(outer_eof(room.outer, 0), ERR_STATE);
    assert_int_equal(outer_close(room.outer, 0), ERR_STATE);
}

static void outer_opens_of_other_kinds_and_places_are_refused(void **state)
{
    (void)state;
    char long_host[300];
    char longest_host[LIMIT_HOST_BYTES];
    char opened[400];
    memset(long_host, 'h', sizeof long_host - 1);
    long_host[sizeof long_host - 1] = 0;
    memset(longest_host, 'h', sizeof longest_host - 1);
    longest_host[sizeof longest_host - 1] = 0;
    FROM_CLIENT(OPEN, pk_open("x11", 1, 9, 300), "send open failure 1 3");
    FROM_CLIENT(OPEN, pk_open("", 1, 9, 300), "send open failure 1 3");
    FROM_CLIENT(OPEN, pk_direct(1, 9, 300, "", 22), "send open failure 1 2");
    FROM_CLIENT(OPEN, pk_direct(1, 9, 300, "a b", 22), "send open failure 1 2");
    FROM_CLIENT(OPEN, pk_direct(1, 9, 300, "/run/x.sock", 22), "send open failure 1 2");
    FROM_CLIENT(OPEN, pk_direct(1, 9, 300, long_host, 22), "send open failure 1 2");
    FROM_CLIENT(OPEN, pk_direct(1, 9, 300, "h", 0), "send open failure 1 2");
    FROM_CLIENT(OPEN, pk_direct(1, 9, 300, "h", 65536), "send open failure 1 2");
    assert_int_equal(outer_channel_count(room.outer), 0);
    (void)snprintf(opened, sizeof opened, "opened 0 %s 65535 from 127.0.0.1 65535", longest_host);
    FROM_CLIENT(OPEN, pk_direct(1, 9, 300, longest_host, 65535), opened); /* whole, not cut */
}

static void outer_17th_channel_is_refused_and_a_closed_one_makes_room(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < OUTER_CHANNELS_MAX; i++) {
        assert_int_equal(outer_packet(room.outer, RELAY_OPEN, pk_direct(100 + i, 9, 300, "h", 22)), ERR_NONE);
        assert_int_equal(outer_confirm(room.outer, i), ERR_NONE);
    }
    room.text_len = 0;
    FROM_CLIENT(OPEN, pk_direct(1, 9, 300, "h", 22), "send open failure 1 4");
    FROM_CLIENT(CLOSE, pk_number(5), "send channel close 105; closed 5");
    FROM_CLIENT(OPEN, pk_direct(1, 9, 300, "h", 22), "opened 5 h 22 from 127.0.0.1 65535");
}

static void outer_our_sending_keeps_to_window_and_packet(void **state)
{
    (void)state;
    static uint8_t bytes[100000];
    size_t taken = 0;
    room_open(700, 300);
    WE(outer_send(room.outer, 0, cursor_of(bytes, 1000), &taken),
       "send data 40 300; send data 40 300; send data 40 100");
    assert_int_equal(taken, 700);
    WE(outer_send(room.outer, 0, cursor_of(bytes, 300), &taken), "");
    assert_int_equal(taken, 0);
    assert_int_equal(outer_window(room.outer, 0), 0);
    FROM_CLIENT(WINDOW_ADJUST, pk_adjust(0, 10), "window 0");
    assert_int_equal(outer_window(room.outer, 0), 10);
    WE(outer_send(room.outer, 0, cursor_of(bytes, 300), &taken), "send data 40 10");
    assert_int_equal(taken, 10);
    FROM_CLIENT(WINDOW_ADJUST, pk_adjust(0, UINT32_MAX), "window 0");
    room_violate(RELAY_WINDOW_ADJUST, pk_adjust(0, 1), "2^32");
}

static void outer_our_packets_are_never_larger_than_the_engine_takes(void **state)
{
    (void)state;
    static uint8_t bytes[200000];
    size_t taken = 0;
    room_open(UINT32_MAX, UINT32_MAX);
    assert_int_equal(outer_send(room.outer, 0, cursor_of(bytes, sizeof bytes), &taken), ERR_NONE);
    assert_int_equal(taken, sizeof bytes);
    assert_int_equal(room.sent_bytes, sizeof bytes);
    assert_int_equal(room.largest_packet_bytes, OUTER_PACKET_BYTES);
}

static void outer_window_is_given_back_in_pieces_and_only_when_consumed(void **state)
{
    (void)state;
    room_open(9, 300);
    for (unsigned i = 0; i < OUTER_WINDOW_BYTES / OUTER_PACKET_BYTES; i++) {
        assert_int_equal(outer_packet(room.outer, RELAY_DATA, pk_bulk(0, OUTER_PACKET_BYTES)), ERR_NONE);
    }
    room.text_len = 0;
    room.text[0] = 0;
    WE(outer_consumed(room.outer, 0, OUTER_ADJUST_BYTES - 1), "");
    WE(outer_consumed(room.outer, 0, 1), "send window 40 131072");
    FROM_CLIENT(DATA, pk_bulk(0, 1), "data 0 1");
    WE(outer_consumed(room.outer, 0, 1), "");
    for (unsigned i = 0; i < OUTER_ADJUST_BYTES / OUTER_PACKET_BYTES - 1; i++) {
        assert_int_equal(outer_packet(room.outer, RELAY_DATA, pk_bulk(0, OUTER_PACKET_BYTES)), ERR_NONE);
    }
    room_violate(RELAY_DATA, pk_bulk(0, OUTER_PACKET_BYTES), "window"); /* one byte over */
}

static void outer_wrong_packets_end_the_connection(void **state)
{
    (void)state;
    const struct {
        const char *name;
        uint8_t type;
        struct cursor payload;
        const char *why;
    } rows[] = {
        {"data for no channel", RELAY_DATA, pk_data(1, "x"), "not open"},
        {"data for channel 16", RELAY_DATA, pk_data(OUTER_CHANNELS_MAX, "x"), "not open"},
        {"window for no channel", RELAY_WINDOW_ADJUST, pk_adjust(UINT32_MAX, 1), "not open"},
        {"eof for no channel", RELAY_EOF, pk_number(1), "not open"},
        {"close for no channel", RELAY_CLOSE, pk_number(1), "not open"},
        {"request for no channel", RELAY_REQUEST, pk_request(1, "x", true), "not open"},
        {"data over the packet size", RELAY_DATA, pk_bulk(0, OUTER_PACKET_BYTES + 1), "one packet"},
        {"extended data", RELAY_EXTENDED_DATA, pk_extended(0, 1, "x"), "extended"},
        {"confirmation", RELAY_OPEN_CONFIRMATION, pk_confirm(0, 0, 0, 0), "not made"},
        {"open failure", RELAY_OPEN_FAILURE, pk_open_failure(0, ""), "not made"},
        {"channel success", RELAY_SUCCESS, pk_number(0), "not made"},
        {"channel failure", RELAY_FAILURE, pk_number(0), "not made"},
        {"request success", RELAY_REQUEST_SUCCESS, pk_none(), "not made"},
        {"request failure", RELAY_REQUEST_FAILURE, pk_none(), "not made"},
        {"number in use", RELAY_OPEN, pk_direct(40, 9, 300, "h", 22), "in use"},
        {"number in use by a session", RELAY_OPEN, pk_open("session", 40, 9, 300), "in use"},
        {"tiny packets", RELAY_OPEN, pk_direct(41, 9, OUTER_PEER_PACKET_BYTES_MIN - 1, "h", 22), "less than"},
        {"unknown type", 83, pk_none(), "does not define"},
        {"unknown type", 101, pk_none(), "does not define"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        (void)outer_teardown(NULL);
        (void)outer_setup(NULL);
        room_open(9, 300);
        room_violate(rows[i].type, rows[i].payload, rows[i].why);
    }
}

static void outer_data_and_eof_after_eof_end_the_connection(void **state)
{
    (void)state;
    room_open(9, 300);
    FROM_CLIENT(EOF, pk_number(0), "eof 0");
    room_violate(RELAY_DATA, pk_data(0, "x"), "after end of file");
    (void)outer_teardown(NULL);
    (void)outer_setup(NULL);
    room_open(9, 300);
    FROM_CLIENT(EOF, pk_number(0), "eof 0");
    room_violate(RELAY_EOF, pk_number(0), "twice");
}

static void outer_packets_of_any_other_length_end_the_connection(void **state)
{
    (void)state;
    const struct {
        const char *name;
        uint8_t type;
        struct kept payload;
    } rows[] = {
        {"open", RELAY_OPEN, pk_keep(pk_direct(41, 9, 300, "h", 22))},
        {"session", RELAY_OPEN, pk_keep(pk_open("session", 41, 9, 300))},
        {"data", RELAY_DATA, pk_keep(pk_data(0, "x"))},
        {"window", RELAY_WINDOW_ADJUST, pk_keep(pk_adjust(0, 1))},
        {"eof", RELAY_EOF, pk_keep(pk_number(0))},
        {"close", RELAY_CLOSE, pk_keep(pk_number(0))},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t whole = rows[i].payload.len;
        for (size_t len = 0; len <= whole + 1; len++) {
            (void)outer_teardown(NULL);
            (void)outer_setup(NULL);
            room_open(9, 300);
            uint8_t *copy = calloc(1, len + 1);
            assert_non_null(copy);
            memcpy(copy, rows[i].payload.bytes, len < whole ? len : whole);
            if (len != whole) {
                room_violate(rows[i].type, cursor_of(copy, len), "laid out");
            } else {
                assert_int_equal(outer_packet(room.outer, rows[i].type, cursor_of(copy, len)), ERR_NONE);
                room.text_len = 0;
            }
            free(copy);
        }
    }
}

static void outer_requests_are_refused_where_a_reply_is_wanted(void **state)
{
    (void)state;
    room_open(9, 300);
    FROM_CLIENT(REQUEST, pk_request(0, "eow@openssh.com", false), "");
    FROM_CLIENT(REQUEST, pk_request(0, "shell", true), "send channel failure 40");
    FROM_CLIENT(GLOBAL_REQUEST, pk_global("keepalive@openssh.com", true), "send request failure");
    FROM_CLIENT(GLOBAL_REQUEST, pk_global("tcpip-forward", true), "send request failure");
    FROM_CLIENT(GLOBAL_REQUEST, pk_global("tcpip-forward", false), "");
    FROM_CLIENT(GLOBAL_REQUEST, pk_global("no-more-sessions@openssh.com", false), "");
    FROM_CLIENT(GLOBAL_REQUEST, pk_global("no-more-sessions@openssh.com", true), "send request success");
}

static void room_open_session(void)
{
    FROM_CLIENT(OPEN, pk_open("session", 40, 1000, 300), "send confirmation 40 0 2097152 65536");
}

static void session_command_is_told_and_answered(void **state)
{
    (void)state;
    size_t taken = 0;
    room_open_session();
    FROM_CLIENT(REQUEST, pk_env(0, true, "LANG", "C"), "send channel failure 40");
    FROM_CLIENT(REQUEST, pk_request_text(0, "exec", true, "why D-X"),
                "send channel success 40; command 0 'why D-X'");
    WE(outer_send(room.outer, 0, cursor_of_text("text"), &taken), "send data 40 4");
    WE(outer_send_error(room.outer, 0, cursor_of_text("error"), &taken), "send error 40 5");
    FROM_CLIENT(DATA, pk_data(0, "typed"), "data 0 5");
    WE(outer_exit(room.outer, 0, 127), "send exit 40 127; send end of file 40; send channel close 40");
    WE(outer_exit(room.outer, 0, 1), "");
    FROM_CLIENT(REQUEST, pk_request(0, "shell", true), ""); /* crossed our CLOSE */
    FROM_CLIENT(CLOSE, pk_number(0), "closed 0");
    assert_int_equal(outer_exit(room.outer, 0, 0), ERR_STATE);
}

static void session_shell_with_terminal_is_an_empty_command(void **state)
{
    (void)state;
    room_open_session();
    FROM_CLIENT(REQUEST, pk_pty(0, true, "xterm"), "send channel success 40");
    FROM_CLIENT(REQUEST, pk_window_change(0, 80, 24), "");
    FROM_CLIENT(REQUEST, pk_request(0, "shell", false), "command 0 '' on a terminal");
}

static void session_second_command_and_late_terminal_are_refused(void **state)
{
    (void)state;
    room_open_session();
    assert_int_equal(outer_exit(room.outer, 0, 0), ERR_STATE); /* there is no command yet */
    FROM_CLIENT(REQUEST, pk_request(0, "shell", true), "send channel success 40; command 0 ''");
    FROM_CLIENT(REQUEST, pk_request(0, "shell", true), "send channel failure 40");
    FROM_CLIENT(REQUEST, pk_request_text(0, "exec", true, "x"), "send channel failure 40");
    FROM_CLIENT(REQUEST, pk_pty(0, true, "xterm"), "send channel failure 40");
}

static void session_subsystem_agent_and_long_command_are_refused(void **state)
{
    (void)state;
    char longest[OUTER_COMMAND_BYTES + 2];
    memset(longest, 'x', sizeof longest);
    longest[OUTER_COMMAND_BYTES + 1] = 0;
    room_open_session();
    FROM_CLIENT(REQUEST, pk_request_text(0, "subsystem", true, "sftp"), "send channel failure 40");
    FROM_CLIENT(REQUEST, pk_request(0, "auth-agent-req@openssh.com", true), "send channel failure 40");
    FROM_CLIENT(REQUEST, pk_request_text(0, "exec", true, longest), "send channel failure 40");
    longest[OUTER_COMMAND_BYTES] = 0;
    assert_int_equal(outer_packet(room.outer, RELAY_REQUEST, pk_request_text(0, "exec", false, longest)),
                     ERR_NONE);
    assert_non_null(strstr(room.text, "command 0"));
}

static void session_errors_of_a_tcp_channel_are_not_sent(void **state)
{
    (void)state;
    size_t taken = 0;
    room_open(1000, 300);
    assert_int_equal(outer_send_error(room.outer, 0, cursor_of_text("x"), &taken), ERR_STATE);
    assert_int_equal(outer_exit(room.outer, 0, 0), ERR_STATE);
    FROM_CLIENT(REQUEST, pk_request_text(0, "exec", true, "x"), "send channel failure 40");
}

static void session_after_no_more_sessions_is_refused(void **state)
{
    (void)state;
    room_open_session();
    FROM_CLIENT(GLOBAL_REQUEST, pk_global("no-more-sessions@openssh.com", false), "");
    FROM_CLIENT(OPEN, pk_open("session", 41, 9, 300), "send open failure 41 1");
    FROM_CLIENT(OPEN, pk_direct(42, 9, 300, "h", 22), "opened 1 h 22 from 127.0.0.1 65535");
}

static void session_requests_of_any_other_length_end_the_connection(void **state)
{
    (void)state;
    struct kept rows[] = {pk_keep(pk_pty(0, true, "xterm")), pk_keep(pk_request_text(0, "exec", true, "x")),
                          pk_keep(pk_request(0, "shell", true))};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (size_t len = 0; len <= rows[i].len + 1; len++) {
            (void)outer_teardown(NULL);
            (void)outer_setup(NULL);
            room_open_session();
            uint8_t *copy = calloc(1, len + 1);
            assert_non_null(copy);
            memcpy(copy, rows[i].bytes, len < rows[i].len ? len : rows[i].len);
            if (len == rows[i].len) {
                assert_int_equal(outer_packet(room.outer, RELAY_REQUEST, cursor_of(copy, len)), ERR_NONE);
            } else {
                room_violate(RELAY_REQUEST, cursor_of(copy, len), "laid out");
            }
            free(copy);
        }
    }
}

static void session_17th_channel_is_refused(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < OUTER_CHANNELS_MAX; i++) {
        assert_int_equal(outer_packet(room.outer, RELAY_OPEN, pk_open("session", 100 + i, 9, 300)), ERR_NONE);
        room.text_len = 0;
    }
    FROM_CLIENT(OPEN, pk_open("session", 1, 9, 300), "send open failure 1 4");
}

static void outer_keepalives_are_counted_until_answered(void **state)
{
    (void)state;
    for (unsigned i = 0; i < OUTER_KEEPALIVES_MAX; i++) {
        WE(outer_keepalive(room.outer), "send global request");
    }
    WE(outer_keepalive(room.outer), "");
    assert_int_equal(outer_keepalives_unanswered(room.outer), OUTER_KEEPALIVES_MAX);
    for (unsigned i = 0; i < OUTER_KEEPALIVES_MAX; i++) {
        FROM_CLIENT(REQUEST_FAILURE, pk_none(), "");
    }
    room_violate(RELAY_REQUEST_FAILURE, pk_none(), "not made");
}

static void outer_error_of_a_call_is_returned_and_is_no_violation(void **state)
{
    (void)state;
    room_open(9, 300);
    room.error = ERR_MEMORY;
    assert_int_equal(outer_packet(room.outer, RELAY_DATA, pk_data(0, "x")), ERR_MEMORY);
    assert_null(outer_explain(room.outer));
    size_t taken = 77;
    assert_int_equal(outer_send(room.outer, 0, cursor_of_text("x"), &taken), ERR_MEMORY);
    assert_int_equal(taken, 77);
}

int main(void)
{
#define OUTER_TEST(test) cmocka_unit_test_setup_teardown(test, outer_setup, outer_teardown)
    static const struct CMUnitTest TESTS[] = {
        OUTER_TEST(outer_channel_lives_from_open_to_close),
        OUTER_TEST(outer_close_of_the_client_is_answered),
        OUTER_TEST(outer_packets_that_crossed_our_close_are_dropped),
        OUTER_TEST(outer_open_is_refused_by_the_owner),
        OUTER_TEST(outer_opens_of_other_kinds_and_places_are_refused),
        OUTER_TEST(outer_17th_channel_is_refused_and_a_closed_one_makes_room),
        OUTER_TEST(outer_our_sending_keeps_to_window_and_packet),
        OUTER_TEST(outer_our_packets_are_never_larger_than_the_engine_takes),
        OUTER_TEST(outer_window_is_given_back_in_pieces_and_only_when_consumed),
        OUTER_TEST(outer_wrong_packets_end_the_connection),
        OUTER_TEST(outer_data_and_eof_after_eof_end_the_connection),
        OUTER_TEST(outer_packets_of_any_other_length_end_the_connection),
        OUTER_TEST(outer_requests_are_refused_where_a_reply_is_wanted),
        OUTER_TEST(session_command_is_told_and_answered),
        OUTER_TEST(session_shell_with_terminal_is_an_empty_command),
        OUTER_TEST(session_second_command_and_late_terminal_are_refused),
        OUTER_TEST(session_subsystem_agent_and_long_command_are_refused),
        OUTER_TEST(session_errors_of_a_tcp_channel_are_not_sent),
        OUTER_TEST(session_after_no_more_sessions_is_refused),
        OUTER_TEST(session_requests_of_any_other_length_end_the_connection),
        OUTER_TEST(session_17th_channel_is_refused),
        OUTER_TEST(outer_keepalives_are_counted_until_answered),
        OUTER_TEST(outer_error_of_a_call_is_returned_and_is_no_violation),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
