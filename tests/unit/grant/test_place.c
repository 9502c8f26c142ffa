#include "policy/place.h"

#include <stdio.h>
#include <string.h>

#include "policy/grant.h"
#include "unit_test.h"

static void place_texts_are_places_or_say_why_not(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *problem; /* NULL: it is one */
    } ROWS[] = {
        {"localhost:9090", NULL},
        {"db.internal:*", NULL},
        {"*:443", NULL},
        {"*:*", NULL},
        {"10.0.0.0/8:5432", NULL},
        {"10.0.0.1:5432", NULL},
        {"[fd00::1]:80", NULL},
        {"[fd00::/8]:80", NULL},
        {"unix:/run/app.sock", NULL},
        {"unix:/run/app/*", NULL},
        {"", "it must be host:port"},
        {"localhost", "it must be host:port"},
        {"fd00::1:80", "it must be host:port"},
        {"localhost:", "its port"},
        {"localhost:0", "its port"},
        {"localhost:65536", "its port"},
        {"localhost:+1", "its port"},
        {":80", "its host"},
        {"*.internal:80", "its host"},
        {"a b:80", "its host"},
        {"-x:80", "its host"},
        {"10.1.2.3/8:80", "bits are set"},
        {"unix:", "a path"},
        {"unix:/", "a path"},
        {"unix:run/x", "a path"},
        {"unix:*", "\"*\" can only be"},
        {"unix:/run/*/x", "\"*\" can only be"},
        {"unix:/run/a\nb", "a path"},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        const char *problem = place_check(cursor_of_text(ROWS[i].text));
        bool is_expected = ROWS[i].problem == NULL ? problem == NULL
                                                   : problem != NULL && strncmp(problem, ROWS[i].problem,
                                                                                strlen(ROWS[i].problem)) == 0;
        if (!is_expected) {
            fail_msg("%s: %s", ROWS[i].text, problem == NULL ? "is a place" : problem);
        }
    }
    char path[200] = "unix:/";
    memset(path + strlen(path), 'a', PLACE_SOCKET_BYTES - 1);
    assert_null(place_check(cursor_of_text(path)));
    strcat(path, "a");
    assert_non_null(place_check(cursor_of_text(path)));
}

static void place_covers_what_it_says_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *place, *host;
        uint32_t port;
        bool covers;
    } ROWS[] = {
        {"localhost:9090", "localhost", 9090, true},
        {"localhost:9090", "LocalHost", 9090, true},
        {"localhost:9090", "127.0.0.1", 9090, true},
        {"localhost:9090", "::1", 9090, true},
        {"localhost:9090", "127.0.0.2", 9090, false},
        {"localhost:9090", "localhost.", 9090, false},
        {"localhost:9090", "localhost", 9091, false},
        {"localhost:*", "localhost", 1, true},
        {"db.internal:5432", "DB.internal", 5432, true},
        {"db.internal:5432", "xdb.internal", 5432, false},
        {"db.internal:5432", "127.0.0.1", 5432, false},
        {"10.0.0.0/8:5432", "10.9.8.7", 5432, true},
        {"10.0.0.0/8:5432", "::ffff:10.9.8.7", 5432, true},
        {"10.0.0.0/8:5432", "11.0.0.1", 5432, false},
        {"10.0.0.0/8:5432", "10.1", 5432, false},
        {"10.0.0.0/8:5432", "0x0a000001", 5432, false},
        {"10.0.0.0/8:5432", "ten.internal", 5432, false},
        {"[fd00::/8]:80", "fd12::1", 80, true},
        {"[fd00::/8]:80", "fe80::1", 80, false},
        {"*:443", "anything", 443, true},
        {"*:443", "anything", 444, false},
        {"unix:/run/a", "/run/a", 1, false},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        if (place_covers_address(cursor_of_text(ROWS[i].place), cursor_of_text(ROWS[i].host), ROWS[i].port) !=
            ROWS[i].covers) {
            fail_msg("%s and %s:%u", ROWS[i].place, ROWS[i].host, ROWS[i].port);
        }
    }
}

static void place_of_a_socket_covers_its_path_or_its_folder(void **state)
{
    (void)state;
    static const struct {
        const char *place, *path;
        bool covers;
    } ROWS[] = {
        {"unix:/run/app.sock", "/run/app.sock", true},  {"unix:/run/app.sock", "/run/app.sock2", false},
        {"unix:/run/app.sock", "/run/../run/a", false}, {"unix:/run/app/*", "/run/app/x", true},
        {"unix:/run/app/*", "/run/app/", false},        {"unix:/run/app/*", "/run/app/x/y", false},
        {"unix:/run/app/*", "/run/app/..", false},      {"unix:/tmp/code-*", "/tmp/code-1.sock", true},
        {"unix:/tmp/code-*", "/tmp/code-/../x", false}, {"localhost:9", "/run/x", false},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        if (place_covers_socket(cursor_of_text(ROWS[i].place), cursor_of_text(ROWS[i].path)) !=
            ROWS[i].covers) {
            fail_msg("%s and %s", ROWS[i].place, ROWS[i].path);
        }
    }
}

static void place_addresses_differ_by_use(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        uint32_t port;
        bool is_forward, is_remote;
    } ROWS[] = {
        {"h", 1, true, true},      {"h", 65535, true, true}, {"h", 65536, false, false},
        {"h", 0, false, true},     {"", 80, false, true},    {"*", 80, false, true},
        {"a b", 80, false, false}, {"::1", 80, true, true},  {"-x", 80, false, false},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct cursor host = cursor_of_text(ROWS[i].host);
        assert_int_equal(place_is_address(PLACE_FORWARD, host, ROWS[i].port), ROWS[i].is_forward);
        assert_int_equal(place_is_address(PLACE_REMOTE_FORWARD, host, ROWS[i].port), ROWS[i].is_remote);
    }
}

static void grant_places_are_held_apart_by_use(void **state)
{
    (void)state;
    struct policy_grant grant = {.forward = GRANT_FORWARD_LISTED, .remote_forward = GRANT_FORWARD_LISTED};
    struct cursor host = cursor_of_text("localhost");
    struct cursor path = cursor_of_text("/run/a");
    assert_int_equal(grant_add_place(&grant, PLACE_FORWARD, cursor_of_text("localhost:1")), ERR_NONE);
    assert_int_equal(grant_add_place(&grant, PLACE_REMOTE_FORWARD, cursor_of_text("localhost:2")), ERR_NONE);
    assert_int_equal(grant_add_place(&grant, PLACE_REMOTE_FORWARD, cursor_of_text("unix:/run/a")), ERR_NONE);
    uint16_t len = grant.places_len_bytes;
    assert_int_equal(grant_add_place(&grant, PLACE_FORWARD, cursor_of_text("localhost:1")), ERR_NONE);
    assert_int_equal(grant.places_len_bytes, len); /* once */
    assert_true(grant_allows_address(&grant, PLACE_FORWARD, host, 1));
    assert_false(grant_allows_address(&grant, PLACE_FORWARD, host, 2));
    assert_true(grant_allows_address(&grant, PLACE_REMOTE_FORWARD, host, 2));
    assert_false(grant_allows_address(&grant, PLACE_REMOTE_FORWARD, cursor_of_text(""), 2));
    assert_true(grant_allows_socket(&grant, PLACE_REMOTE_FORWARD, path));
    assert_false(grant_allows_socket(&grant, PLACE_FORWARD, path));
    struct policy_grant other = {.forward = GRANT_FORWARD_LISTED, .remote_forward = GRANT_FORWARD_LISTED};
    assert_int_equal(grant_add_places(&other, PLACE_REMOTE_FORWARD, cursor_of(grant.places, len)), ERR_NONE);
    assert_false(grant_allows_address(&other, PLACE_FORWARD, host, 1));
    assert_true(grant_allows_socket(&other, PLACE_REMOTE_FORWARD, path));
    assert_true(grant_lists_place(cursor_of(grant.places, len), PLACE_FORWARD, cursor_of_text("[::1]:1")));
    assert_false(grant_lists_place(cursor_of(grant.places, len), PLACE_FORWARD, cursor_of_text("[::1]:2")));
    assert_true(
        grant_lists_place(cursor_of(grant.places, len), PLACE_REMOTE_FORWARD, cursor_of_text("unix:/run/a")));
}

static void grant_any_forward_allows_all_that_can_be_asked_for(void **state)
{
    (void)state;
    struct policy_grant grant = {.forward = GRANT_FORWARD_ANY};
    assert_true(grant_allows_address(&grant, PLACE_FORWARD, cursor_of_text("x"), 1));
    assert_false(grant_allows_address(&grant, PLACE_FORWARD, cursor_of_text("x"), 0));
    assert_false(grant_allows_address(&grant, PLACE_REMOTE_FORWARD, cursor_of_text("x"), 1));
    assert_true(grant_allows_socket(&grant, PLACE_FORWARD, cursor_of_text("/x")));
    assert_false(grant_allows_socket(&grant, PLACE_FORWARD, cursor_of_text("x")));
    assert_false(grant_allows_socket(&(struct policy_grant){0}, PLACE_FORWARD, cursor_of_text("/x")));
}

static void grant_full_of_places_takes_no_more(void **state)
{
    (void)state;
    struct policy_grant grant = {.forward = GRANT_FORWARD_LISTED};
    enum err err = ERR_NONE;
    unsigned count = 0;
    for (; err == ERR_NONE; count++) {
        char text[64];
        (void)snprintf(text, sizeof text, "host-%u.internal:443", count);
        err = grant_add_place(&grant, PLACE_FORWARD, cursor_of_text(text));
    }
    assert_int_equal(err, ERR_TOO_LARGE);
    assert_true(count > 100);
    assert_true(grant_allows_address(&grant, PLACE_FORWARD, cursor_of_text("host-0.internal"), 443));
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(place_texts_are_places_or_say_why_not),
        cmocka_unit_test(place_covers_what_it_says_and_nothing_else),
        cmocka_unit_test(place_of_a_socket_covers_its_path_or_its_folder),
        cmocka_unit_test(place_addresses_differ_by_use),
        cmocka_unit_test(grant_places_are_held_apart_by_use),
        cmocka_unit_test(grant_any_forward_allows_all_that_can_be_asked_for),
        cmocka_unit_test(grant_full_of_places_takes_no_more),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
