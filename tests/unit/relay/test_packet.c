#include "relay/packet.h"

#include "unit_test.h"

#include <stdlib.h>
#include <string.h>

#include "packets.h"

/* One reader each, so that a table can name them. */
static enum err read_open(struct cursor payload)
{
    struct relay_open open;
    enum err err = relay_read_open(payload, &open);
    return err == ERR_NONE ? cursor_end(&open.rest) : err;
}
static enum err read_direct(struct cursor payload)
{
    struct relay_open open;
    struct relay_direct_tcpip direct;
    enum err err = relay_read_open(payload, &open);
    return err == ERR_NONE ? relay_read_direct_tcpip(open.rest, &direct) : err;
}
static enum err read_confirmation(struct cursor payload)
{
    struct relay_confirmation confirmation;
    return relay_read_confirmation(payload, &confirmation);
}
static enum err read_open_failure(struct cursor payload)
{
    struct relay_open_failure failure;
    return relay_read_open_failure(payload, &failure);
}
static enum err read_adjust(struct cursor payload)
{
    uint32_t number = 0;
    uint32_t bytes = 0;
    return relay_read_window_adjust(payload, &number, &bytes);
}
static enum err read_data(struct cursor payload)
{
    struct relay_data data;
    return relay_read_data(payload, false, &data);
}
static enum err read_extended(struct cursor payload)
{
    struct relay_data data;
    return relay_read_data(payload, true, &data);
}
static enum err read_channel(struct cursor payload)
{
    uint32_t number = 0;
    return relay_read_channel(payload, &number);
}
static enum err read_request(struct cursor payload)
{
    struct relay_request request;
    enum err err = relay_read_request(payload, &request);
    return err == ERR_NONE ? cursor_end(&request.rest) : err;
}
static enum err read_global(struct cursor payload)
{
    struct relay_request request;
    enum err err = relay_read_global_request(payload, &request);
    return err == ERR_NONE ? cursor_end(&request.rest) : err;
}

static void relay_packets_are_read_whole_and_in_no_other_length(void **state)
{
    (void)state;
    const struct {
        const char *name;
        enum err (*read)(struct cursor payload);
        struct kept payload;
    } rows[] = {
        {"open", read_open, pk_keep(pk_open("session", 1, 2, 3))},
        {"direct-tcpip", read_direct, pk_keep(pk_direct(1, 2, 3, "db", 5432))},
        {"confirmation", read_confirmation, pk_keep(pk_confirm(1, 2, 3, 4))},
        {"open failure", read_open_failure, pk_keep(pk_open_failure(1, "no"))},
        {"window adjust", read_adjust, pk_keep(pk_adjust(1, 2))},
        {"data", read_data, pk_keep(pk_data(1, "abc"))},
        {"empty data", read_data, pk_keep(pk_data(1, ""))},
        {"extended data", read_extended, pk_keep(pk_extended(1, 1, "abc"))},
        {"close", read_channel, pk_keep(pk_number(1))},
        {"request", read_request, pk_keep(pk_request(1, "shell", true))},
        {"global request", read_global, pk_keep(pk_global("keepalive@openssh.com", true))},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t whole = rows[i].payload.len;
        for (size_t len = 0; len <= whole + 1; len++) {
            uint8_t *copy = calloc(1, len + 1);
            assert_non_null(copy);
            memcpy(copy, rows[i].payload.bytes, len < whole ? len : whole);
            enum err err = rows[i].read(cursor_of(copy, len));
            free(copy);
            if (len == whole) {
                assert_int_equal(err, ERR_NONE);
            } else if (len > whole) {
                assert_int_equal(err, ERR_MALFORMED);
            } else {
                assert_true(err == ERR_TRUNCATED || err == ERR_TOO_LARGE); /* a length over what is there */
            }
        }
    }
}

static void relay_fields_are_read_in_order(void **state)
{
    (void)state;
    struct relay_open open;
    struct relay_direct_tcpip direct;
    assert_int_equal(relay_read_open(pk_direct(0xfffffffe, 2, 3, "db", 5432), &open), ERR_NONE);
    assert_true(cursor_equal_text(open.kind, "direct-tcpip"));
    assert_int_equal(open.sender, 0xfffffffe);
    assert_int_equal(open.window_bytes, 2);
    assert_int_equal(open.max_packet_bytes, 3);
    assert_int_equal(relay_read_direct_tcpip(open.rest, &direct), ERR_NONE);
    assert_true(cursor_equal_text(direct.host, "db"));
    assert_int_equal(direct.port, 5432);
    assert_true(cursor_equal_text(direct.originator, "127.0.0.1"));
    assert_int_equal(direct.originator_port, 65535);
    struct relay_request request;
    assert_int_equal(relay_read_request(pk_request(9, "shell", true), &request), ERR_NONE);
    assert_int_equal(request.recipient, 9);
    assert_true(request.wants_reply && cursor_equal_text(request.name, "shell"));
    struct relay_data data;
    assert_int_equal(relay_read_data(pk_extended(9, 1, "abc"), true, &data), ERR_NONE);
    assert_int_equal(data.code, 1);
    assert_true(cursor_equal_text(data.bytes, "abc"));
}

static void relay_written_packets_are_read_back(void **state)
{
    (void)state;
    struct writer out = packet_begin();
    struct relay_open_failure failure;
    relay_write_open_failure(&out, 7, RELAY_RESOURCE_SHORTAGE, "no room");
    assert_int_equal(relay_read_open_failure(packet_end(&out), &failure), ERR_NONE);
    assert_int_equal(failure.recipient, 7);
    assert_int_equal(failure.reason, 4);
    assert_true(cursor_equal_text(failure.sentence, "no room"));
    out = packet_begin();
    struct relay_confirmation confirmation;
    relay_write_confirmation(&out, 1, 2, 3, 4);
    assert_int_equal(relay_read_confirmation(packet_end(&out), &confirmation), ERR_NONE);
    assert_int_equal(confirmation.max_packet_bytes, 4);
    out = packet_begin();
    struct relay_request request;
    relay_write_exit_status(&out, 7, 126);
    assert_int_equal(relay_read_request(packet_end(&out), &request), ERR_NONE);
    assert_false(request.wants_reply);
    assert_true(cursor_equal(request.rest, cursor_of("\0\0\0\x7e", 4)));
}

static void relay_type_names_are_known_for_assigned_numbers_only(void **state)
{
    (void)state;
    unsigned known = 0;
    for (unsigned type = 0; type < 256; type++) {
        known += strcmp(relay_type_name((uint8_t)type), "unknown") != 0;
    }
    assert_int_equal(known, 14);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(relay_packets_are_read_whole_and_in_no_other_length),
        cmocka_unit_test(relay_fields_are_read_in_order),
        cmocka_unit_test(relay_written_packets_are_read_back),
        cmocka_unit_test(relay_type_names_are_known_for_assigned_numbers_only),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
