#include "target/request.h"

#include <string.h>

#include "base/writer.h"
#include "unit_test.h"

struct wire {
    uint8_t bytes[16384];
    struct cursor body;
};

struct grant {
    const char *bytes;
    size_t len_bytes;
    uint8_t family;
    uint8_t prefix_bits;
};

static void write_wire(struct wire *wire, const char *host, uint16_t port, uint32_t timeout_ms,
                       const struct grant *grants, uint16_t count)
{
    struct writer out = writer_of(wire->bytes, sizeof wire->bytes);
    writer_text(&out, host);
    writer_u16be(&out, port);
    writer_u32be(&out, timeout_ms);
    writer_u16be(&out, count);
    for (uint16_t i = 0; i < count; i++) {
        writer_u8(&out, grants[i].family);
        writer_string(&out, cursor_of(grants[i].bytes, grants[i].len_bytes));
        writer_u8(&out, grants[i].prefix_bits);
    }
    assert_int_equal(writer_done(&out, &wire->body), ERR_NONE);
}

static const struct grant GOOD[] = {
    {"\x0a\x14\x00\x00", 4, 4, 16},
    {"\xfd\x12\x34\x56\0\0\0\0\0\0\0\0\0\0\0\0", 16, 6, 32},
    {"\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x1e\x00\x00", 16, 6, 112},
};

static void request_whole_is_read(void **state)
{
    (void)state;
    static struct wire wire;
    static struct request request;
    write_wire(&wire, "db.internal", 22, 10000, GOOD, COUNT_OF(GOOD));
    assert_int_equal(request_read(wire.body, &request), ERR_NONE);
    assert_string_equal(request.host, "db.internal");
    assert_int_equal(request.port, 22);
    assert_int_equal(request.timeout_ms, 10000);
    assert_int_equal(request.grant_count, 3);
    assert_int_equal(request.grants[0].prefix_bits, 16);
    assert_int_equal(request.grants[1].family, 6);
    /* IPv4 in the other spelling */
    assert_int_equal(request.grants[2].family, 4);
    assert_int_equal(request.grants[2].prefix_bits, 16);
}

static void request_cut_anywhere_is_truncated(void **state)
{
    (void)state;
    static struct wire wire;
    static struct request request;
    write_wire(&wire, "db.internal", 22, 10000, GOOD, COUNT_OF(GOOD));
    for (size_t len = 0; len < cursor_len(&wire.body); len++) {
        assert_int_equal(request_read(cursor_of(wire.bytes, len), &request), ERR_TRUNCATED);
    }
}

static void request_with_trailing_byte_is_malformed(void **state)
{
    (void)state;
    static struct wire wire;
    static struct request request;
    write_wire(&wire, "db.internal", 22, 10000, GOOD, COUNT_OF(GOOD));
    wire.body.end++;
    assert_int_equal(request_read(wire.body, &request), ERR_MALFORMED);
}

struct bad_row {
    const char *name, *host;
    uint16_t port;
    uint32_t timeout_ms;
    struct grant grant;
    enum err expected;
};

static const char SIXTEEN[16] = {[10] = (char)0xff, [11] = (char)0xff};

static void request_with_bad_field_is_refused(void **state)
{
    (void)state;
    static const struct bad_row ROWS[] = {
        {"empty host", "", 22, 1, {SIXTEEN, 4, 4, 32}, ERR_MALFORMED},
        {"host is an option", "-h", 22, 1, {SIXTEEN, 4, 4, 32}, ERR_MALFORMED},
        {"host with a blank", "a b", 22, 1, {SIXTEEN, 4, 4, 32}, ERR_MALFORMED},
        {"host with a zone", "fe80::1%eth0", 22, 1, {SIXTEEN, 4, 4, 32}, ERR_MALFORMED},
        {"port 0", "a", 0, 1, {SIXTEEN, 4, 4, 32}, ERR_MALFORMED},
        {"no time", "a", 22, 0, {SIXTEEN, 4, 4, 32}, ERR_MALFORMED},
        {"too much time", "a", 22, REQUEST_TIMEOUT_MAX_MS + 1, {SIXTEEN, 4, 4, 32}, ERR_TOO_LARGE},
        {"family 5", "a", 22, 1, {SIXTEEN, 4, 5, 32}, ERR_MALFORMED},
        {"IPv4 of 16 bytes", "a", 22, 1, {SIXTEEN, 16, 4, 32}, ERR_MALFORMED},
        {"IPv6 of 4 bytes", "a", 22, 1, {SIXTEEN, 4, 6, 32}, ERR_MALFORMED},
        {"17 bytes", "a", 22, 1, {"12345678901234567", 17, 6, 32}, ERR_TOO_LARGE},
        {"IPv4 with 33 bits", "a", 22, 1, {SIXTEEN, 4, 4, 33}, ERR_MALFORMED},
        {"IPv6 with 129 bits", "a", 22, 1, {"1234567890123456", 16, 6, 129}, ERR_MALFORMED},
        {"more than IPv4 in IPv6", "a", 22, 1, {SIXTEEN, 16, 6, 95}, ERR_MALFORMED},
    };
    static struct wire wire;
    static struct request request;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        write_wire(&wire, ROWS[i].host, ROWS[i].port, ROWS[i].timeout_ms, &ROWS[i].grant, 1);
        if (request_read(wire.body, &request) != ROWS[i].expected) {
            fail_msg("%s", ROWS[i].name);
        }
    }
}

static void request_with_one_grant_too_many_is_too_large(void **state)
{
    (void)state;
    static struct wire wire;
    static struct request request;
    static struct grant many[REQUEST_GRANTS_MAX + 1];
    for (size_t i = 0; i < COUNT_OF(many); i++) {
        many[i] = GOOD[0];
    }
    write_wire(&wire, "a", 22, 1, many, REQUEST_GRANTS_MAX);
    assert_int_equal(request_read(wire.body, &request), ERR_NONE);
    write_wire(&wire, "a", 22, 1, many, REQUEST_GRANTS_MAX + 1);
    assert_int_equal(request_read(wire.body, &request), ERR_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_whole_is_read),
        cmocka_unit_test(request_cut_anywhere_is_truncated),
        cmocka_unit_test(request_with_trailing_byte_is_malformed),
        cmocka_unit_test(request_with_bad_field_is_refused),
        cmocka_unit_test(request_with_one_grant_too_many_is_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
