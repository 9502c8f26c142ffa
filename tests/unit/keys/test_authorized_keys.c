#include "keys/authorized_keys.h"

#include <time.h>

#include "openssh.h"

/* 2026-11-23 12:00:00 UTC */
enum { NOW_S = 1795435200 };

static char ed25519[KEYS_LINE_BYTES];
static char rsa[KEYS_LINE_BYTES];
static char sk[KEYS_LINE_BYTES];
static struct keys_blob ed25519_blob;
static struct keys_blob rsa_blob;
static struct keys_blob sk_blob;

static int make_keys(void **state)
{
    (void)state;
    (void)setenv("TZ", "Asia/Tokyo", 1); /* nine hours ahead, without summer time */
    openssh_start();
    openssh_keygen("ed25519", "-t ed25519");
    openssh_keygen("rsa", "-t rsa -b 2048");
    openssh_blob("ed25519", &ed25519_blob);
    openssh_blob("rsa", &rsa_blob);
    struct writer out = writer_of(sk_blob.bytes, sizeof sk_blob.bytes);
    static const uint8_t POINT[32] = {9};
    writer_text(&out, "sk-ssh-ed25519@openssh.com");
    writer_string(&out, cursor_of(POINT, sizeof POINT));
    writer_text(&out, "ssh:");
    sk_blob.len_bytes = (size_t)(out.at - out.start);
    assert_int_equal(keys_line_write(keys_blob_peek(&ed25519_blob), ed25519, sizeof ed25519), ERR_NONE);
    assert_int_equal(keys_line_write(keys_blob_peek(&rsa_blob), rsa, sizeof rsa), ERR_NONE);
    assert_int_equal(keys_line_write(keys_blob_peek(&sk_blob), sk, sizeof sk), ERR_NONE);
    return 0;
}

static int remove_keys(void **state)
{
    (void)state;
    openssh_stop();
    return 0;
}

static struct keys_complaints complaints;
static struct keys_authorization found;

static enum err find_in(const char *text, const struct keys_blob *blob, const char *from)
{
    complaints = (struct keys_complaints){0};
    return keys_authorized_find(cursor_of_text(text), keys_blob_peek(blob), from, NOW_S, &found, &complaints);
}

/* One line of options in front of the Ed25519 key, used from 10.1.2.3. */
static enum err try_options(const char *options)
{
    static char text[32768];
    (void)snprintf(text, sizeof text, "%s%s%s a comment\n", options, options[0] == 0 ? "" : " ", ed25519);
    return find_in(text, &ed25519_blob, "10.1.2.3");
}

static void key_in_file_is_found_with_its_line(void **state)
{
    (void)state;
    static char text[32768];
    (void)snprintf(text, sizeof text, "# people\r\n\r\n  \t%s alice@laptop \r\n%s", rsa, ed25519);
    assert_int_equal(find_in(text, &rsa_blob, "10.1.2.3"), ERR_NONE);
    assert_int_equal(found.line, 3);
    assert_int_equal(found.type, KEYS_RSA);
    assert_string_equal(found.comment, "alice@laptop");
    assert_int_equal(find_in(text, &ed25519_blob, "10.1.2.3"), ERR_NONE);
    assert_int_equal(found.line, 4);
    assert_string_equal(found.comment, "");
    assert_int_equal(complaints.count, 0);
    assert_int_equal(find_in(text, &sk_blob, "10.1.2.3"), ERR_NOT_FOUND);
    assert_int_equal(find_in("", &sk_blob, "10.1.2.3"), ERR_NOT_FOUND);
}

static void file_cut_anywhere_admits_no_other_key(void **state)
{
    (void)state;
    static char text[32768];
    (void)snprintf(text, sizeof text, "from=\"10.0.0.0/8\",expiry-time=\"20270101\" %s c\n", ed25519);
    size_t key_end = strlen(text) - 3;
    for (size_t len = 0; len < strlen(text); len++) {
        complaints = (struct keys_complaints){0};
        enum err err = keys_authorized_find(cursor_of(text, len), keys_blob_peek(&ed25519_blob), "10.1.2.3",
                                            NOW_S, &found, &complaints);
        assert_int_equal(err, len < key_end ? ERR_NOT_FOUND : ERR_NONE);
    }
}

static void options_decide(void **state)
{
    (void)state;
    static const struct {
        const char *options;
        enum err expected;
        const char *sentence; /* part of the first complaint; NULL: none */
    } ROWS[] = {
        {"", ERR_NONE, NULL},
        {"from=\"10.1.2.3\"", ERR_NONE, NULL},
        {"FROM=\"10.0.0.0/8\"", ERR_NONE, NULL},
        {"from=\"192.168.0.0/16,10.0.0.0/8,fd00::/8\"", ERR_NONE, NULL},
        {"from=\"::ffff:10.1.2.3\"", ERR_NONE, NULL},
        {"from=\"::/0\"", ERR_DENIED, "may not be used from 10.1.2.3"},
        {"from=\"10.1.2.4\"", ERR_DENIED, "may not be used from 10.1.2.3"},
        {"from=\"10.0.0.0/8,!10.1.2.3\"", ERR_DENIED, "may not be used"},
        {"from=\"!10.1.2.3,10.0.0.0/8\"", ERR_DENIED, "may not be used"},
        {"from=\"!10.1.2.4\"", ERR_DENIED,
         "may not be used"}, /* as in sshd: an exclusion alone admits nobody */
        {"from=\"10.0.0.1/8\"", ERR_NOT_FOUND, "10.0.0.1/8"},
        {"from=\"10.0.0.0/33\"", ERR_NOT_FOUND, "10.0.0.0/33"},
        {"from=\"*.example.com\"", ERR_NOT_FOUND, "*.example.com"},
        {"from=\"10.*\"", ERR_NOT_FOUND, "10.*"},
        {"from=\"\"", ERR_NOT_FOUND, "no address"},
        {"from=\"10.1.2.3\",from=\"10.1.2.3\"", ERR_NOT_FOUND, "two \"from\""},
        {"from=10.1.2.3", ERR_NOT_FOUND, "double quotes"},
        {"from", ERR_NOT_FOUND, "option \"from\""},
        {"from=\"10.1.2.3", ERR_NOT_FOUND, "cannot be read"},
        {"expiry-time=\"20261124\"", ERR_NONE, NULL},
        {"expiry-time=\"20261123\"", ERR_DENIED, "expired"},
        {"expiry-time=\"202611231200Z\"", ERR_DENIED, "expired"},
        {"expiry-time=\"202611231201Z\"", ERR_NONE, NULL},
        {"expiry-time=\"20261123120001UTC\"", ERR_NONE, NULL},
        {"expiry-time=\"202611232101\"", ERR_NONE, NULL}, /* local time: Tokyo */
        {"expiry-time=\"202611232100\"", ERR_DENIED, "expired"},
        {"expiry-time=\"20300101\",expiry-time=\"20200101\"", ERR_DENIED, "expired"},
        {"expiry-time=\"20260230\"", ERR_NOT_FOUND, "is no time"},
        {"expiry-time=\"20261301\"", ERR_NOT_FOUND, "is no time"},
        {"expiry-time=\"2026112\"", ERR_NOT_FOUND, "is no time"},
        {"expiry-time=\"tomorrow\"", ERR_NOT_FOUND, "is no time"},
        {"expiry-time=\"202611242500\"", ERR_NOT_FOUND, "is no time"},
        {"expiry-time=\"+2612312359\"", ERR_NOT_FOUND, "is no time"},
        {"no-touch-required", ERR_NONE, NULL},
        {"verify-required", ERR_NOT_FOUND, "hardware keys only"},
        {"restrict", ERR_NONE, NULL},
        {"RESTRICT,Pty", ERR_NONE, NULL},
        {"no-user-rc,no-pty,from=\"10.1.2.3\"", ERR_NONE, NULL},
        {"restrict=\"yes\"", ERR_NOT_FOUND, "\"restrict\" would not be enforced"},
        {"no-pty,command=\"id\"", ERR_NOT_FOUND,
         "\"command\" is not honoured: name the commands in the policy"},
        {"permitopen=\"db:5432\"", ERR_NOT_FOUND, "name the places in the policy"},
        {"permitlisten=\"8080\"", ERR_NOT_FOUND, "name the places in the policy"},
        {"restrict,user-rc", ERR_NOT_FOUND, "~/.ssh/rc"},
        {"tunnel=\"1\"", ERR_NOT_FOUND, "tun devices"},
        {"environment=\"A=1\"", ERR_NOT_FOUND, "\"environment\" would not be enforced"},
        {"no-ptyx", ERR_NOT_FOUND, "\"no-ptyx\" would not be enforced"},
        {"command=\"echo \\\"a, b\\\"\"", ERR_NOT_FOUND, "\"command\" is not honoured"},
        {"command=\"/bin/true\",from=\"10.1.2.3\"", ERR_NOT_FOUND, "\"command\""},
        {"from=\"10.1.2.3\",permitopen=\"db:5432\"", ERR_NOT_FOUND, "\"permitopen\" is not honoured"},
        {"environment=\"A=B\"", ERR_NOT_FOUND, "\"environment\""},
        {"principals=\"root\"", ERR_NOT_FOUND, "\"principals\""},
        {"cert-authority", ERR_NOT_FOUND, "cert-authority lines are not honoured"},
        {"cert-authority,principals=\"a\"", ERR_NOT_FOUND, "cert-authority lines are not honoured"},
        {"verify-required=\"yes\"", ERR_NOT_FOUND, "would not be enforced"},
        {"no-touch-required,", ERR_NOT_FOUND, "cannot be read"},
        {",no-touch-required", ERR_NOT_FOUND, "cannot be read"},
        {"from=\"10.1.2.3\"x", ERR_NOT_FOUND, "cannot be read"},
        {"ssh-dss", ERR_NOT_FOUND, "key type \"ssh-dss\" is not accepted"},
        {"ssh-ed25519-cert-v01@openssh.com", ERR_NOT_FOUND, "is not accepted"},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        enum err err = try_options(ROWS[i].options);
        bool is_said = ROWS[i].sentence == NULL ? complaints.count == 0
                                                : complaints.count == 1 && strstr(complaints.rows[0].sentence,
                                                                                  ROWS[i].sentence) != NULL;
        if (err != ROWS[i].expected || !is_said) {
            fail_msg("%s: %s; %u complaints, first: %s", ROWS[i].options, err_text(err), complaints.count,
                     complaints.rows[0].sentence);
        }
    }
}

static void token_options_decide_about_its_flags(void **state)
{
    (void)state;
    static const struct {
        const char *options;
        bool admits[4]; /* flags 0, touched, verified, both */
    } ROWS[] = {
        {"", {false, true, false, true}},
        {"no-touch-required ", {true, true, true, true}},
        {"verify-required ", {false, false, false, true}},
        {"no-touch-required,verify-required ", {false, false, true, true}},
    };
    static const uint8_t FLAGS[] = {0, 1, 4, 5};
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        static char text[32768];
        (void)snprintf(text, sizeof text, "%s%s", ROWS[i].options, sk);
        assert_int_equal(find_in(text, &sk_blob, "10.1.2.3"), ERR_NONE);
        for (size_t j = 0; j < COUNT_OF(FLAGS); j++) {
            assert_int_equal(keys_authorization_admits(&found, FLAGS[j]), ROWS[i].admits[j]);
        }
    }
    assert_int_equal(try_options(""), ERR_NONE);
    assert_true(keys_authorization_admits(&found, 0));
}

static void options_take_away_and_give_back(void **state)
{
    (void)state;
    static const struct {
        const char *options;
        unsigned lacks;
    } ROWS[] = {
        {"", 0},
        {"pty,agent-forwarding,port-forwarding,x11-forwarding", 0},
        {"restrict", KEYS_LACKS_ALL},
        {"no-pty", KEYS_LACKS_PTY},
        {"no-agent-forwarding", KEYS_LACKS_AGENT},
        {"no-X11-forwarding", KEYS_LACKS_X11},
        {"no-port-forwarding", KEYS_LACKS_FORWARD},
        {"no-user-rc", 0},
        {"restrict,pty", KEYS_LACKS_ALL & ~(unsigned)KEYS_LACKS_PTY},
        {"restrict,port-forwarding,pty", KEYS_LACKS_AGENT | KEYS_LACKS_X11},
        {"pty,restrict", KEYS_LACKS_ALL}, /* the last word counts */
        {"no-pty,pty", 0},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        assert_int_equal(try_options(ROWS[i].options), ERR_NONE);
        assert_int_equal(found.lacks, ROWS[i].lacks);
    }
}

static void later_line_admits_what_an_earlier_did_not(void **state)
{
    (void)state;
    static char text[32768];
    (void)snprintf(text, sizeof text, "expiry-time=\"20200101\" %s\nfrom=\"10.0.0.0/8\" %s\n", ed25519,
                   ed25519);
    assert_int_equal(find_in(text, &ed25519_blob, "10.1.2.3"), ERR_NONE);
    assert_int_equal(found.line, 2);
    assert_int_equal(find_in(text, &ed25519_blob, "11.1.2.3"), ERR_DENIED);
    assert_int_equal(complaints.count, 2);
    assert_int_equal(complaints.rows[1].line, 2);
    assert_int_equal(find_in(text, &ed25519_blob, "not an address"), ERR_DENIED);
}

static void unusable_lines_are_all_named(void **state)
{
    (void)state;
    static char text[32768];
    size_t len = 0;
    for (int i = 0; i < 20; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "principals=\"a\" %s\n", ed25519);
    }
    (void)snprintf(text + len, sizeof text - len, "%s\n", ed25519);
    assert_int_equal(find_in(text, &ed25519_blob, "10.1.2.3"), ERR_NONE);
    assert_int_equal(found.line, 21);
    assert_int_equal(complaints.count, 20);
    assert_int_equal(keys_complaints_kept(&complaints), KEYS_COMPLAINTS_MAX);
    assert_int_equal(complaints.rows[7].line, 8);
    unsigned usable = 0;
    complaints = (struct keys_complaints){0};
    assert_int_equal(keys_authorized_check(cursor_of_text(text), NOW_S, &usable, &complaints), ERR_NONE);
    assert_int_equal(usable, 1);
    assert_int_equal(complaints.count, 20);
}

static void damaged_lines_are_not_used(void **state)
{
    (void)state;
    static char text[32768];
    (void)snprintf(text, sizeof text, "%s", ed25519);
    *strchr(text, ' ') = 0; /* a zero byte between type and key */
    complaints = (struct keys_complaints){0};
    assert_int_equal(keys_authorized_find(cursor_of(text, strlen(ed25519)), keys_blob_peek(&ed25519_blob),
                                          "10.1.2.3", NOW_S, &found, &complaints),
                     ERR_NOT_FOUND);
    assert_int_equal(complaints.count, 1);
    assert_int_equal(find_in("ssh-ed25519", &ed25519_blob, "10.1.2.3"), ERR_NOT_FOUND);
    assert_int_equal(complaints.count, 1);
    assert_int_equal(find_in("ssh-ed25519 AAAA!", &ed25519_blob, "10.1.2.3"), ERR_NOT_FOUND);
    assert_int_equal(complaints.count, 1);
    assert_int_equal(find_in("no-touch-required", &ed25519_blob, "10.1.2.3"), ERR_NOT_FOUND);
    assert_int_equal(complaints.count, 1);
}

static void limits_hold(void **state)
{
    (void)state;
    static char text[KEYS_AUTHORIZED_FILE_BYTES + 2];
    (void)snprintf(text, sizeof text, "%s ", ed25519);
    size_t start = strlen(text);
    memset(text + start, 'x', sizeof text - start);
    text[KEYS_AUTHORIZED_LINE_BYTES] = 0;
    assert_int_equal(find_in(text, &ed25519_blob, "10.1.2.3"), ERR_NONE);
    assert_int_equal(strlen(found.comment), KEYS_COMMENT_BYTES - 1);
    text[KEYS_AUTHORIZED_LINE_BYTES] = 'x';
    text[KEYS_AUTHORIZED_LINE_BYTES + 1] = 0;
    assert_int_equal(find_in(text, &ed25519_blob, "10.1.2.3"), ERR_NOT_FOUND);
    assert_int_equal(complaints.count, 1);
    memset(text, '\n', sizeof text);
    text[KEYS_AUTHORIZED_FILE_BYTES] = 0;
    assert_int_equal(find_in(text, &ed25519_blob, "10.1.2.3"), ERR_NOT_FOUND);
    text[KEYS_AUTHORIZED_FILE_BYTES] = '\n';
    text[KEYS_AUTHORIZED_FILE_BYTES + 1] = 0;
    assert_int_equal(find_in(text, &ed25519_blob, "10.1.2.3"), ERR_TOO_LARGE);
    unsigned usable = 0;
    assert_int_equal(keys_authorized_check(cursor_of_text(text), NOW_S, &usable, &complaints), ERR_TOO_LARGE);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(key_in_file_is_found_with_its_line),
        cmocka_unit_test(file_cut_anywhere_admits_no_other_key),
        cmocka_unit_test(options_decide),
        cmocka_unit_test(token_options_decide_about_its_flags),
        cmocka_unit_test(options_take_away_and_give_back),
        cmocka_unit_test(later_line_admits_what_an_earlier_did_not),
        cmocka_unit_test(unusable_lines_are_all_named),
        cmocka_unit_test(damaged_lines_are_not_used),
        cmocka_unit_test(limits_hold),
    };
    return cmocka_run_group_tests(TESTS, make_keys, remove_keys);
}
