#include "base/network.h"

#include "unit_test.h"

static void network_texts_are_read_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
        const char *shown;
    } ROWS[] = {
        {"10.20.0.0/16", ERR_NONE, "10.20.0.0/16"},
        {"10.20.0.1", ERR_NONE, "10.20.0.1"},
        {"10.20.0.1/32", ERR_NONE, "10.20.0.1"},
        {"0.0.0.0/0", ERR_NONE, "0.0.0.0/0"},
        {"fd00::/8", ERR_NONE, "fd00::/8"},
        {"2001:db8::1", ERR_NONE, "2001:db8::1"},
        {"::ffff:10.0.0.1", ERR_NONE, "10.0.0.1"},
        {"::ffff:10.0.0.0/104", ERR_NONE, "10.0.0.0/8"},
        {"::/0", ERR_NONE, "::/0"},
        {"10.20.0.1/16", ERR_MISMATCH, NULL},
        {"fd00::1/64", ERR_MISMATCH, NULL},
        {"10.20.0.0/33", ERR_MALFORMED, NULL},
        {"10.20.0.0/016", ERR_MALFORMED, NULL},
        {"10.20.0.0/", ERR_MALFORMED, NULL},
        {"10.20.0.0/+8", ERR_MALFORMED, NULL},
        {"fd00::/129", ERR_MALFORMED, NULL},
        {"10.20.0", ERR_MALFORMED, NULL},
        {"010.20.0.1", ERR_MALFORMED, NULL},
        {"0x0a.0.0.1", ERR_MALFORMED, NULL},
        {"169872645", ERR_MALFORMED, NULL},
        {"fe80::1%eth0", ERR_MALFORMED, NULL},
        {"", ERR_MALFORMED, NULL},
        {"/8", ERR_MALFORMED, NULL},
        {"node1", ERR_MALFORMED, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct network network;
        char text[NETWORK_TEXT_BYTES];
        assert_int_equal(network_parse(cursor_of_text(ROWS[i].text), &network), ROWS[i].err);
        if (ROWS[i].err == ERR_NONE) {
            assert_string_equal(network_text(&network, text), ROWS[i].shown);
        }
    }
}

static struct network parsed(const char *text)
{
    struct network network;
    assert_int_equal(network_parse(cursor_of_text(text), &network), ERR_NONE);
    return network;
}

static void network_contains_only_what_lies_inside(void **state)
{
    (void)state;
    static const struct {
        const char *outer, *inner;
        bool contains, overlaps;
    } ROWS[] = {
        {"10.20.0.0/16", "10.20.255.255", true, true},
        {"10.20.0.0/16", "10.21.0.0", false, false},
        {"10.20.0.0/15", "10.21.0.0/16", true, true},
        {"10.21.0.0/16", "10.20.0.0/15", false, true},
        {"0.0.0.0/0", "255.255.255.255", true, true},
        {"0.0.0.0/0", "::1", false, false},
        {"::/0", "10.0.0.1", false, false},
        {"fd00::/9", "fd80::", false, false},
        {"fd00::/9", "fd7f:ffff::", true, true},
        {"10.0.0.1", "::ffff:10.0.0.1", true, true},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct network outer = parsed(ROWS[i].outer);
        struct network inner = parsed(ROWS[i].inner);
        assert_int_equal(network_contains(&outer, &inner), ROWS[i].contains);
        assert_int_equal(network_overlaps(&outer, &inner), ROWS[i].overlaps);
        assert_int_equal(network_overlaps(&inner, &outer), ROWS[i].overlaps);
    }
}

static void network_forbidden_ones_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_forbidden;
    } ROWS[] = {
        {"127.0.0.1", true},
        {"169.254.169.254", true},
        {"168.0.0.0/5", true},
        {"0.0.0.0/0", true},
        {"0.0.0.0", true},
        {"255.255.255.255", true},
        {"239.1.1.1", true},
        {"::1", true},
        {"::", true},
        {"fe80::1", true},
        {"fd00:ec2::254", true},
        {"fd00::/8", true},
        {"ff02::1", true},
        {"::/0", true},
        {"::ffff:169.254.169.254", true},
        {"64:ff9b::a9fe:a9fe", true},
        {"::fffe:0:0/95", true},
        {"10.0.0.0/8", false},
        {"172.16.0.0/12", false},
        {"192.168.0.0/16", false},
        {"fd00:1::/32", false},
        {"2001:db8::/32", false},
        {"100.64.0.0/10", false},
        {"64:ff9b::a00:1", false},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct network network = parsed(ROWS[i].text);
        assert_int_equal(network_is_forbidden(&network) != NULL, ROWS[i].is_forbidden);
    }
}

static void network_of_bytes_takes_4_or_16(void **state)
{
    (void)state;
    static const uint8_t BYTES[17] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1};
    for (size_t len = 0; len <= sizeof BYTES; len++) {
        struct network network;
        enum err expected = len == 4 || len == 16 ? ERR_NONE : ERR_MALFORMED;
        assert_int_equal(network_of_bytes(cursor_of(BYTES, len), &network), expected);
    }
    struct network mapped;
    struct network plain = parsed("10.0.0.1");
    assert_int_equal(network_of_bytes(cursor_of(BYTES, 16), &mapped), ERR_NONE);
    assert_true(network_contains(&plain, &mapped));
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(network_texts_are_read_or_refused),
        cmocka_unit_test(network_contains_only_what_lies_inside),
        cmocka_unit_test(network_forbidden_ones_are_named),
        cmocka_unit_test(network_of_bytes_takes_4_or_16),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
