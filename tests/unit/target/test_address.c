#include "target/address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "unit_test.h"

enum { GRANTS_MAX = 4 };

struct grants {
    struct network networks[GRANTS_MAX];
    size_t count;
};

static struct grants grants_of(const char *const *texts)
{
    struct grants grants = {.count = 0};
    for (; *texts != NULL; texts++) {
        assert_int_equal(network_parse(cursor_of_text(*texts), &grants.networks[grants.count++]), ERR_NONE);
    }
    return grants;
}

/* As bastion-dial does: through getaddrinfo(), which knows more spellings than inet_pton(). */
static bool look_up(const char *name, struct network *ret)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    if (getaddrinfo(name, NULL, &hints, &found) != 0) {
        return false;
    }
    struct cursor bytes = found->ai_family == AF_INET
                              ? cursor_of(&((struct sockaddr_in *)(void *)found->ai_addr)->sin_addr, 4)
                              : cursor_of(&((struct sockaddr_in6 *)(void *)found->ai_addr)->sin6_addr, 16);
    enum err err = network_of_bytes(bytes, ret);
    freeaddrinfo(found);
    return err == ERR_NONE;
}

/* Each leads to the bastion itself, to its link, to cloud metadata, or to nobody in particular. */
static const char *const HOSTILE[] = {
    "127.0.0.1",
    "127.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.01",
    "017700000001",
    "0",
    "0.0.0.0",
    "0x0",
    "::",
    "::1",
    "0:0:0:0:0:0:0:1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2002:7f00:0001::1",
    "2001:0:7f00:1::1",
    "2001:0:808:808::80ff:fffe",
    "fd00::5efe:127.0.0.1",
    "fd00::200:5efe:7f00:1",
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "169.254.43518",
    "169.16689662",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::169.254.169.254",
    "64:ff9b:1:a9fe:a9:fe00::",
    "2002:a9fe:a9fe::",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%lo",
    "ff02::1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "0.1.2.3",
};

static void address_that_no_target_may_have_is_denied_in_every_spelling(void **state)
{
    (void)state;
    static const char *const EVERYTHING[] = {"0.0.0.0/0", "::/0", NULL};
    struct grants all = grants_of(EVERYTHING);
    for (size_t i = 0; i < COUNT_OF(HOSTILE); i++) {
        struct network address;
        const char *why = NULL;
        if (!look_up(HOSTILE[i], &address)) {
            fail_msg("%s: not a spelling that the C library knows", HOSTILE[i]);
        }
        if (address_check(&address, all.networks, all.count, &why) != ERR_DENIED || why == NULL) {
            fail_msg("%s passed", HOSTILE[i]);
        }
    }
}

struct row {
    const char *name;
    bool is_granted;
};

static void address_is_granted_only_inside_the_networks(void **state)
{
    (void)state;
    static const char *const NETWORKS[] = {"10.20.0.0/16", "100.64.0.0/10", "fd12:3456::/32", "64:ff9b::/96",
                                           NULL};
    static const struct row ROWS[] = {
        {"10.20.0.1", true},
        {"10.20.255.255", true},
        {"10.21.0.0", false},
        {"10.19.255.255", false},
        {"100.64.0.1", true}, /* pods of EKS */
        {"100.128.0.0", false},
        {"::ffff:10.20.0.1", true},
        {"::ffff:10.21.0.1", false},
        {"0xa140001", true},
        {"fd12:3456::1", true},
        {"fd12:3457::1", false},
        {"64:ff9b::10.20.0.1", true},
        {"64:ff9b::10.21.0.1", false},
        {"64:ff9b::8.8.8.8", false},
        {"2002:a14:1::", false}, /* 10.20.0.1, but 6to4 is not granted */
        {"fd12:3456::5efe:10.20.0.1", true},
        {"fd12:3456::5efe:10.21.0.1", false}, /* a granted prefix around another IPv4 address */
        {"::10.20.0.1", false},
        {"8.8.8.8", false},
    };
    struct grants grants = grants_of(NETWORKS);
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct network address;
        const char *why = NULL;
        assert_true(look_up(ROWS[i].name, &address));
        enum err err = address_check(&address, grants.networks, grants.count, &why);
        if ((err == ERR_NONE) != ROWS[i].is_granted) {
            fail_msg("%s: %s", ROWS[i].name, err == ERR_NONE ? "passed" : why);
        }
    }
}

static void address_without_any_grant_is_denied(void **state)
{
    (void)state;
    struct network address;
    const char *why = NULL;
    assert_true(look_up("10.20.0.1", &address));
    assert_int_equal(address_check(&address, NULL, 0, &why), ERR_DENIED);
    assert_string_equal(why, "outside the networks of the target");
}

static void address_is_named_only_by_itself(void **state)
{
    (void)state;
    static const char *const NETWORKS[] = {"10.20.0.0/16", "10.30.0.1", "10.40.0.0/31", NULL};
    struct grants grants = grants_of(NETWORKS);
    struct network address;
    assert_true(look_up("10.30.0.1", &address));
    assert_true(address_is_named(&address, grants.networks, grants.count));
    assert_true(look_up("10.20.0.1", &address));
    assert_false(address_is_named(&address, grants.networks, grants.count));
    assert_true(look_up("10.40.0.0", &address));
    assert_false(address_is_named(&address, grants.networks, grants.count));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_that_no_target_may_have_is_denied_in_every_spelling),
        cmocka_unit_test(address_is_granted_only_inside_the_networks),
        cmocka_unit_test(address_without_any_grant_is_denied),
        cmocka_unit_test(address_is_named_only_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
