#include "keys/known_hosts.h"

#include "openssh.h"

static char key_a[KEYS_LINE_BYTES];
static char key_b[KEYS_LINE_BYTES];
static struct keys_blob blob_a;
static struct keys_blob blob_b;

static int make_keys(void **state)
{
    (void)state;
    openssh_start();
    openssh_keygen("a", "-t ed25519");
    openssh_keygen("b", "-t ecdsa -b 256");
    openssh_blob("a", &blob_a);
    openssh_blob("b", &blob_b);
    assert_int_equal(keys_line_write(keys_blob_peek(&blob_a), key_a, sizeof key_a), ERR_NONE);
    assert_int_equal(keys_line_write(keys_blob_peek(&blob_b), key_b, sizeof key_b), ERR_NONE);
    return 0;
}

static int remove_keys(void **state)
{
    (void)state;
    openssh_stop();
    return 0;
}

static struct keys_host_keys keys;
static struct keys_complaints complaints;

static enum err find_in(const char *text, const char *host, uint16_t port)
{
    complaints = (struct keys_complaints){0};
    return keys_known_hosts_find(cursor_of_text(text), host, port, &keys, &complaints);
}

static void host_lists_match_as_in_ssh(void **state)
{
    (void)state;
    static const struct {
        const char *hosts, *host;
        uint16_t port;
        bool matches;
    } ROWS[] = {
        {"node1", "node1", 22, true},
        {"node1", "NODE1", 22, true},
        {"NODE1", "node1", 22, true},
        {"node1", "node2", 22, false},
        {"node1", "node11", 22, false},
        {"node11", "node1", 22, false},
        {"node0,node1,10.0.0.1", "10.0.0.1", 22, true},
        {"node1", "node1", 2222, false},
        {"[node1]:2222", "node1", 2222, true},
        {"[node1]:2222", "node1", 22, false},
        {"[node1]:22", "node1", 22, false}, /* ssh-keyscan and ssh never write that form */
        {"[node1]:222", "node1", 2222, false},
        {"*", "node1", 22, true},
        {"*", "node1", 2222, true},
        {"*.internal", "ip-10-0-1-2.internal", 22, true},
        {"*.internal", "internal", 22, false},
        {"ip-*-2.internal", "ip-10-0-1-2.internal", 22, true},
        {"ip-*-?.*", "ip-10-0-1-2.internal", 22, true},
        {"ip-*-?", "ip-10-0-1-2.internal", 22, false},
        {"node?", "node1", 22, true},
        {"node?", "node", 22, false},
        {"*,!node1", "node1", 22, false},
        {"!node1,*", "node1", 22, false},
        {"!node1,*", "node2", 22, true},
        {"!node1", "node2", 22, false},
        {"[10.0.0.*]:2222", "10.0.0.7", 2222, true},
        {"fd00::1", "fd00::1", 22, true},
        {"**a*b**", "xxaxxbxx", 22, true},
        {"**a*b**c", "xxaxxbxx", 22, false},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        static char text[8192];
        (void)snprintf(text, sizeof text, "%s %s comment\n", ROWS[i].hosts, key_a);
        enum err err = find_in(text, ROWS[i].host, ROWS[i].port);
        if (err != (ROWS[i].matches ? ERR_NONE : ERR_NOT_FOUND) || complaints.count != 0) {
            fail_msg("%s for %s:%u: %s", ROWS[i].hosts, ROWS[i].host, ROWS[i].port, err_text(err));
        }
    }
}

static void names_hashed_by_ssh_keygen_match(void **state)
{
    (void)state;
    static char text[OUTPUT_BYTES];
    (void)snprintf(text, sizeof text, "node1 %s\n[node2]:2222 %s\n", key_a, key_b);
    openssh_write_file("hashed", 0600, cursor_of_text(text));
    static char output[OUTPUT_BYTES];
    assert_int_equal(run(output, "ssh-keygen -H -f hashed"), 0);
    (void)openssh_read_file("hashed", text);
    assert_null(strstr(text, "node"));
    assert_int_equal(find_in(text, "Node1", 22), ERR_NONE);
    assert_int_equal(keys.count, 1);
    assert_true(cursor_equal(keys_blob_peek(&keys.blobs[0]), keys_blob_peek(&blob_a)));
    assert_int_equal(find_in(text, "node2", 2222), ERR_NONE);
    assert_true(cursor_equal(keys_blob_peek(&keys.blobs[0]), keys_blob_peek(&blob_b)));
    assert_int_equal(find_in(text, "node2", 22), ERR_NOT_FOUND);
    assert_int_equal(find_in(text, "node3", 22), ERR_NOT_FOUND);
    assert_int_equal(complaints.count, 0);
}

static void several_keys_of_a_host_are_collected_once(void **state)
{
    (void)state;
    static char text[OUTPUT_BYTES];
    (void)snprintf(text, sizeof text, "# hosts\n\nnode1 %s\r\nnode1 %s\n* %s\nnode2 %s", key_a, key_b, key_a,
                   key_a);
    assert_int_equal(find_in(text, "node1", 22), ERR_NONE);
    assert_int_equal(keys.count, 2);
    assert_int_equal(keys.dropped_count, 0);
}

static void revoked_key_is_never_accepted(void **state)
{
    (void)state;
    static char text[OUTPUT_BYTES];
    (void)snprintf(text, sizeof text, "node1 %s\n@revoked * %s\nnode1 %s\n", key_a, key_a, key_b);
    assert_int_equal(find_in(text, "node1", 22), ERR_NONE);
    assert_int_equal(keys.count, 1);
    assert_int_equal(keys.revoked_count, 1);
    assert_true(cursor_equal(keys_blob_peek(&keys.blobs[0]), keys_blob_peek(&blob_b)));
    (void)snprintf(text, sizeof text, "@revoked other %s\nnode1 %s\nnode1 %s\n", key_a, key_a, key_a);
    assert_int_equal(find_in(text, "node1", 22), ERR_NOT_FOUND);
    assert_int_equal(keys.revoked_count, 1);
}

static void cert_authority_of_a_host_is_collected(void **state)
{
    (void)state;
    static char text[OUTPUT_BYTES];
    (void)snprintf(text, sizeof text,
                   "@cert-authority *.internal %s\n@cert-authority *.internal %s\n@cert-authority other %s\n",
                   key_a, key_a, key_b);
    assert_int_equal(find_in(text, "node1.internal", 22), ERR_NONE);
    assert_int_equal(keys.count, 0);
    assert_int_equal(keys.ca_count, 1);
    assert_true(cursor_equal(keys_blob_peek(&keys.cas[0]), keys_blob_peek(&blob_a)));
    assert_int_equal(find_in(text, "node1", 22), ERR_NOT_FOUND);
    assert_int_equal(keys.ca_count, 0);
    assert_int_equal(complaints.count, 0);
}

static void revoked_ca_is_never_accepted(void **state)
{
    (void)state;
    static char text[OUTPUT_BYTES];
    static char file[OUTPUT_BYTES];
    (void)snprintf(text, sizeof text, "@cert-authority * %s\n@revoked other %s\n", key_a, key_a);
    (void)snprintf(file, sizeof file, "# CAs\n%s old\n%s new\nnonsense\n", key_a, key_b);
    assert_int_equal(find_in(text, "node1", 22), ERR_NOT_FOUND);
    assert_int_equal(keys.revoked_count, 1);
    assert_int_equal(keys_host_cas_add(cursor_of_text(file), &keys, &complaints), ERR_NONE);
    assert_int_equal(keys.ca_count, 1);
    assert_true(cursor_equal(keys_blob_peek(&keys.cas[0]), keys_blob_peek(&blob_b)));
    assert_int_equal(complaints.count, 1);
    assert_int_equal(complaints.rows[0].line, 4);
}

static void seventeenth_ca_is_dropped_and_counted(void **state)
{
    (void)state;
    static char file[OUTPUT_BYTES];
    size_t len = 0;
    for (uint8_t i = 0; i <= KEYS_HOST_CAS_MAX; i++) {
        struct keys_blob blob;
        char line[KEYS_LINE_BYTES];
        keys_blob_of_ed25519((const uint8_t[32]){i}, &blob);
        assert_int_equal(keys_line_write(keys_blob_peek(&blob), line, sizeof line), ERR_NONE);
        len += (size_t)snprintf(file + len, sizeof file - len, "%s\n", line);
    }
    memset(&keys, 0, sizeof keys);
    assert_int_equal(keys_host_cas_add(cursor_of(file, len), &keys, &complaints), ERR_NONE);
    assert_int_equal(keys.ca_count, KEYS_HOST_CAS_MAX);
    assert_int_equal(keys.dropped_ca_count, 1);
    static char large[KEYS_HOST_CA_FILE_BYTES + 1];
    assert_int_equal(keys_host_cas_add(cursor_of(large, sizeof large), &keys, &complaints), ERR_TOO_LARGE);
}

/* What cannot be remembered could be what a CA certified: no certificate is accepted then. */
static void more_revocations_than_fit_leave_no_ca(void **state)
{
    (void)state;
    enum { LINE = 128 };
    static char text[(KEYS_REVOKED_MAX + 2) * LINE];
    for (unsigned extra = 0; extra < 2; extra++) {
        size_t len = (size_t)snprintf(text, sizeof text, "@cert-authority * %s\nnode1 %s\n", key_a, key_a);
        for (unsigned i = 0; i < KEYS_REVOKED_MAX + extra; i++) {
            struct keys_blob blob;
            char line[KEYS_LINE_BYTES];
            keys_blob_of_ed25519((const uint8_t[32]){(uint8_t)i, (uint8_t)(i >> 8), 1}, &blob);
            assert_int_equal(keys_line_write(keys_blob_peek(&blob), line, sizeof line), ERR_NONE);
            len += (size_t)snprintf(text + len, sizeof text - len, "@revoked * %s\n", line);
        }
        assert_int_equal(find_in(text, "node1", 22), ERR_NONE);
        assert_int_equal(keys.count, 1);
        assert_int_equal(keys.ca_count, 1 - extra);
        assert_int_equal(complaints.count, extra);
        assert_int_equal(keys_host_cas_add(cursor_of_text(key_b), &keys, &complaints), ERR_NONE);
        assert_int_equal(keys.ca_count, extra == 0 ? 2 : 0);
    }
}

static void unusable_lines_are_named(void **state)
{
    (void)state;
    static char text[OUTPUT_BYTES];
    (void)snprintf(
        text, sizeof text,
        "@trusted node1 %s\nnode1\nnode1 ssh-ed25519\nnode1 ssh-dss AAAA\n|1|AAAA|BBBB %s\n|2|AAAA %s\n"
        "@revoked node1 ssh-ed25519 AAAA\nnode1 %s\n",
        key_a, key_a, key_a, key_a);
    assert_int_equal(find_in(text, "node1", 22), ERR_NONE);
    assert_int_equal(keys.count, 1);
    assert_int_equal(complaints.count, 7);
    assert_int_equal(complaints.rows[0].line, 1);
    assert_int_equal(complaints.rows[6].line, 7);
}

static void file_cut_anywhere_accepts_no_other_key(void **state)
{
    (void)state;
    static char text[OUTPUT_BYTES];
    (void)snprintf(text, sizeof text, "node1,*.internal %s\n", key_a);
    for (size_t len = 0; len < strlen(text) - 1; len++) {
        complaints = (struct keys_complaints){0};
        assert_int_equal(keys_known_hosts_find(cursor_of(text, len), "node1", 22, &keys, &complaints),
                         ERR_NOT_FOUND);
    }
}

static void seventeenth_key_is_dropped_and_counted(void **state)
{
    (void)state;
    static char text[OUTPUT_BYTES];
    size_t len = 0;
    for (uint8_t i = 0; i < KEYS_HOST_KEYS_MAX + 1; i++) {
        uint8_t point[32] = {i};
        struct keys_blob blob;
        char line[KEYS_LINE_BYTES];
        keys_blob_of_ed25519(point, &blob);
        assert_int_equal(keys_line_write(keys_blob_peek(&blob), line, sizeof line), ERR_NONE);
        len += (size_t)snprintf(text + len, sizeof text - len, "node1 %s\n", line);
    }
    assert_int_equal(find_in(text, "node1", 22), ERR_NONE);
    assert_int_equal(keys.count, KEYS_HOST_KEYS_MAX);
    assert_int_equal(keys.dropped_count, 1);
}

static void host_that_is_none_is_malformed(void **state)
{
    (void)state;
    assert_int_equal(find_in("", "", 22), ERR_MALFORMED);
    assert_int_equal(find_in("", "a b", 22), ERR_MALFORMED);
    assert_int_equal(find_in("", "*", 22), ERR_MALFORMED);
    assert_int_equal(find_in("", "node1", 0), ERR_MALFORMED);
    static char large[KEYS_KNOWN_HOSTS_FILE_BYTES + 1];
    memset(large, '\n', sizeof large);
    complaints = (struct keys_complaints){0};
    assert_int_equal(keys_known_hosts_find(cursor_of(large, sizeof large), "a", 22, &keys, &complaints),
                     ERR_TOO_LARGE);
    assert_int_equal(keys_known_hosts_find(cursor_of(large, sizeof large - 1), "a", 22, &keys, &complaints),
                     ERR_NOT_FOUND);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(host_lists_match_as_in_ssh),
        cmocka_unit_test(names_hashed_by_ssh_keygen_match),
        cmocka_unit_test(several_keys_of_a_host_are_collected_once),
        cmocka_unit_test(revoked_key_is_never_accepted),
        cmocka_unit_test(cert_authority_of_a_host_is_collected),
        cmocka_unit_test(revoked_ca_is_never_accepted),
        cmocka_unit_test(seventeenth_ca_is_dropped_and_counted),
        cmocka_unit_test(more_revocations_than_fit_leave_no_ca),
        cmocka_unit_test(unusable_lines_are_named),
        cmocka_unit_test(file_cut_anywhere_accepts_no_other_key),
        cmocka_unit_test(seventeenth_key_is_dropped_and_counted),
        cmocka_unit_test(host_that_is_none_is_malformed),
    };
    return cmocka_run_group_tests(TESTS, make_keys, remove_keys);
}
