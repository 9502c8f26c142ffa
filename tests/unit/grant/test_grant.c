#include "policy/grant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit_test.h"

static void add(struct policy_grant *grant, const char *pattern)
{
    struct cursor words[GRANT_PATTERN_WORDS];
    size_t count = 0;
    struct cursor in = cursor_of_text(pattern);
    while (cursor_word(&in, &words[count])) {
        assert_null(grant_check_word(words[count], count == 0));
        count++;
    }
    assert_int_equal(grant_add_pattern(grant, words, count), ERR_NONE);
}

static struct policy_grant sample(void)
{
    struct policy_grant grant = {.shell = true,
                                 .exec = GRANT_EXEC_LISTED,
                                 .sftp = GRANT_SFTP_READ,
                                 .sftp_hashes = true,
                                 .connect = true,
                                 .forward = GRANT_FORWARD_LISTED,
                                 .remote_forward = GRANT_FORWARD_ANY,
                                 .db_copy = true,
                                 .db_local_infile = true,
                                 .db_params = GRANT_PARAMS_HASH,
                                 .record_input = true,
                                 .exec_hashes = true,
                                 .exec_record_cap_bytes = 1ULL << 40,
                                 .session_limit_s = 3600,
                                 .idle_limit_s = 60,
                                 .channels = 16,
                                 .connections = 2,
                                 .rule = "dba-nodes,ci-deploy"};
    add(&grant, "/usr/local/bin/deploy * 1.*");
    add(&grant, "uptime");
    assert_int_equal(grant_add_place(&grant, PLACE_FORWARD, cursor_of_text("localhost:9090")), ERR_NONE);
    assert_int_equal(grant_add_place(&grant, PLACE_REMOTE_FORWARD, cursor_of_text("unix:/run/a")), ERR_NONE);
    static const uint8_t NAMES[] = {0, 0, 0, 1, 'u', 0, 0, 0, 2, 'v', '*'};
    const struct grant_database database = {.rights = GRANT_DB_COPY,
                                            .params = GRANT_PARAMS_FULL,
                                            .users = {NAMES, NAMES + 5},
                                            .databases = {NAMES, NAMES + sizeof NAMES}};
    assert_int_equal(grant_add_database(&grant, &database), ERR_NONE);
    return grant;
}

static void grant_written_reads_back_the_same(void **state)
{
    (void)state;
    struct policy_grant grant = sample();
    uint8_t wire[GRANT_WIRE_BYTES];
    struct writer out = writer_of(wire, sizeof wire);
    grant_write(&out, &grant);
    struct cursor in;
    assert_int_equal(writer_done(&out, &in), ERR_NONE);
    struct policy_grant back;
    assert_int_equal(grant_read(&in, &back), ERR_NONE);
    assert_int_equal(cursor_end(&in), ERR_NONE);
    assert_memory_equal(&grant, &back, sizeof grant);
}

static void grant_cut_anywhere_is_truncated_and_allows_nothing(void **state)
{
    (void)state;
    struct policy_grant grant = sample();
    uint8_t wire[GRANT_WIRE_BYTES];
    struct writer out = writer_of(wire, sizeof wire);
    grant_write(&out, &grant);
    struct cursor whole;
    assert_int_equal(writer_done(&out, &whole), ERR_NONE);
    for (size_t len = 0; len < cursor_len(&whole); len++) {
        struct cursor in = cursor_of(wire, len);
        struct policy_grant back;
        assert_int_equal(grant_read(&in, &back), ERR_TRUNCATED);
        assert_true(grant_is_empty(&back));
    }
}

static void grant_damaged_bytes_are_malformed(void **state)
{
    (void)state;
    struct policy_grant grant = sample();
    uint8_t wire[GRANT_WIRE_BYTES];
    struct writer out = writer_of(wire, sizeof wire);
    grant_write(&out, &grant);
    struct cursor whole;
    assert_int_equal(writer_done(&out, &whole), ERR_NONE);
    size_t len = cursor_len(&whole);
    size_t paths_at = len - 4 - grant.databases_len_bytes - grant.paths_len_bytes;
    size_t places_at = paths_at - 4 - grant.places_len_bytes;
    size_t patterns_at = places_at - 4 - grant.patterns_len_bytes;
    static const struct {
        const char *name;
        size_t part, at; /* part 0: the whole, 1: its patterns, 2: its places, 3: its databases */
        uint8_t value;
    } ROWS[] = {
        {"flag 2", 0, 0, 2},          {"exec 3", 0, 1, 3},
        {"sftp 3", 0, 2, 3},          {"no words", 1, 0, 0},
        {"too many words", 1, 0, 33}, {"word runs out of the block", 1, 4, 200},
        {"star in front", 1, 5, '*'}, {"metacharacter", 1, 6, ';'},
        {"forward 3", 0, 7, 3},       {"remote forward 3", 0, 8, 3},
        {"hashes 2", 0, 3, 2},        {"no use", 2, 0, 0},
        {"unknown use", 2, 0, 3},     {"place runs out", 2, 4, 99},
        {"no port", 2, 14, 'x'},      {"unknown right", 3, 0, 16},
        {"params 3", 3, 1, 3},        {"no users", 3, 5, 0},
        {"name runs out", 3, 9, 9},   {"control character", 3, 10, 7},
        {"empty name", 3, 18, 0},     {"star inside", 3, 23, '*'},
        {"copy 2", 0, 9, 2},          {"opaque 2", 0, 13, 2},
        {"params flag 3", 0, 14, 3},
    };
    const size_t starts[] = {0, patterns_at, places_at, len - grant.databases_len_bytes};
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        uint8_t damaged[GRANT_WIRE_BYTES];
        memcpy(damaged, wire, len);
        damaged[starts[ROWS[i].part] + ROWS[i].at] = ROWS[i].value;
        struct cursor in = cursor_of(damaged, len);
        struct policy_grant back;
        if (grant_read(&in, &back) != ERR_MALFORMED || !grant_is_empty(&back)) {
            fail_msg("%s", ROWS[i].name);
        }
    }
}

static void grant_listed_commands_match_word_by_word(void **state)
{
    (void)state;
    struct policy_grant grant = {.exec = GRANT_EXEC_LISTED};
    add(&grant, "/usr/local/bin/deploy * *");
    add(&grant, "/bin/cat /var/log/*");
    add(&grant, "git-upload-pack repo");
    add(&grant, "tar -* x=*");
    static const struct {
        const char *command;
        bool is_allowed;
    } ROWS[] = {
        {"/usr/local/bin/deploy api 1.2", true},
        {"  /usr/local/bin/deploy   api  1.2 ", true},
        {"/usr/local/bin/deploy api", false},
        {"/usr/local/bin/deploy api 1.2 now", false},
        {"/usr/local/bin/deploy x y; sh", false},
        {"/usr/local/bin/deploy x y;sh", false},
        {"/usr/local/bin/deploy x `id`", false},
        {"/usr/local/bin/deploy x $(id)", false},
        {"/usr/local/bin/deploy x $HOME", false},
        {"/usr/local/bin/deploy x 'y'", false},
        {"/usr/local/bin/deploy x \"y\"", false},
        {"/usr/local/bin/deploy x y\\", false},
        {"/usr/local/bin/deploy x y\nsh", false},
        {"/usr/local/bin/deploy x\ty", false},
        {"/usr/local/bin/deploy x &", false},
        {"/usr/local/bin/deploy x|sh y", false},
        {"/usr/local/bin/deploy x >y", false},
        {"/usr/local/bin/deploy x <y", false},
        {"/usr/local/bin/deploy x *", false},
        {"/usr/local/bin/deploy x ?", false},
        {"/usr/local/bin/deploy x [a]", false},
        {"/usr/local/bin/deploy x {a,b}", false},
        {"/usr/local/bin/deploy x ~root", false},
        {"/usr/local/bin/deploy x #y", false},
        {"/usr/local/bin/deploy x !!", false},
        {"/usr/local/bin/deploy x ^y", false},
        {"/usr/local/bin/deploy x %1", false},
        {"/usr/local/bin/deploy x =ls", false},
        {"/usr/local/bin/deploy x k=v", true},
        {"/usr/local/bin/deploy x caf\xc3\xa9", false},
        {"/usr/local/bin/deploy x --config=/etc/shadow", false},
        {"/usr/local/bin/deploy x ../y", false},
        {"A=1 /usr/local/bin/deploy x y", false},
        {"A=1 x y", false},
        {"/bin/cat /var/log/syslog", true},
        {"/bin/cat /var/log/", true},
        {"/bin/cat /var/log", false},
        {"/bin/cat /var/log/../../etc/shadow", false},
        {"/bin/cat /var/log/..", false},
        {"/bin/cat /var/log/..x", true},
        {"/bin/cat /etc/shadow", false},
        {"git-upload-pack repo", true},
        {"git-upload-pack repo2", false},
        {"git-upload-pack", false},
        {"tar -xf x=1", true},
        {"tar xf x=1", false},
        {"", false},
        {"   ", false},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        const char *reason = NULL;
        bool is_allowed = grant_allows_exec(&grant, cursor_of_text(ROWS[i].command), &reason);
        if (is_allowed != ROWS[i].is_allowed || is_allowed == (reason != NULL)) {
            fail_msg("%s: %s", ROWS[i].command, reason == NULL ? "allowed" : reason);
        }
    }
    const char *reason = NULL;
    assert_false(grant_allows_exec(&grant, cursor_of("git-upload-pack repo\0", 21), &reason));
}

static void grant_every_single_byte_but_plain_ones_is_refused(void **state)
{
    (void)state;
    struct policy_grant grant = {.exec = GRANT_EXEC_LISTED};
    add(&grant, "run *");
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t command[] = {'r', 'u', 'n', ' ', 'x', (uint8_t)byte};
        const char *reason = NULL;
        bool is_plain = byte != 0 && byte < 128 &&
                        strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,+@= ",
                               (int)byte) != NULL;
        assert_int_equal(grant_allows_exec(&grant, cursor_of(command, sizeof command), &reason), is_plain);
    }
}

static void grant_any_and_none_do_not_look_at_the_command(void **state)
{
    (void)state;
    struct policy_grant grant = {.exec = GRANT_EXEC_ANY};
    const char *reason = NULL;
    assert_true(grant_allows_exec(&grant, cursor_of_text("sh -c 'a; b'"), &reason));
    grant.exec = GRANT_EXEC_NONE;
    assert_false(grant_allows_exec(&grant, cursor_of_text("uptime"), &reason));
    assert_string_equal(reason, "commands are not allowed");
}

static void grant_pattern_words_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        bool is_first, is_good;
    } ROWS[] = {
        {"/bin/ls", true, true}, {"ls", true, true},    {"*", true, false},   {"/bin/*", true, false},
        {"A=b", true, false},    {"*", false, true},    {"-*", false, true},  {"a*", false, true},
        {"*a", false, false},    {"a*b", false, false}, {"**", false, false}, {"a;b", false, false},
        {"", false, false},      {"a b", false, false}, {"=x", false, false}, {"k=v", false, true},
        {"$x*", false, false},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        const char *problem = grant_check_word(cursor_of_text(ROWS[i].word), ROWS[i].is_first);
        if ((problem == NULL) != ROWS[i].is_good) {
            fail_msg("%s", ROWS[i].word);
        }
    }
    uint8_t large[GRANT_WORD_BYTES + 1];
    memset(large, 'a', sizeof large);
    assert_null(grant_check_word(cursor_of(large, GRANT_WORD_BYTES), true));
    assert_non_null(grant_check_word(cursor_of(large, sizeof large), true));
}

static void grant_full_of_patterns_takes_no_more_and_keeps_the_old(void **state)
{
    (void)state;
    struct policy_grant grant = {.exec = GRANT_EXEC_LISTED};
    enum err err = ERR_NONE;
    size_t added = 0;
    for (; err == ERR_NONE; added++) {
        char name[32];
        (void)snprintf(name, sizeof name, "program-%zu", added);
        struct cursor word = cursor_of_text(name);
        err = grant_add_pattern(&grant, &word, 1);
    }
    assert_int_equal(err, ERR_TOO_LARGE);
    assert_true(added > 400);
    const char *reason = NULL;
    assert_true(grant_allows_exec(&grant, cursor_of_text("program-0"), &reason));
    assert_false(grant_allows_exec(&grant, cursor_of_text("program-99999"), &reason));
    uint16_t len = grant.patterns_len_bytes;
    struct cursor again = cursor_of_text("program-3");
    assert_int_equal(grant_add_pattern(&grant, &again, 1), ERR_NONE);
    assert_int_equal(grant.patterns_len_bytes, len);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(grant_written_reads_back_the_same),
        cmocka_unit_test(grant_cut_anywhere_is_truncated_and_allows_nothing),
        cmocka_unit_test(grant_damaged_bytes_are_malformed),
        cmocka_unit_test(grant_listed_commands_match_word_by_word),
        cmocka_unit_test(grant_every_single_byte_but_plain_ones_is_refused),
        cmocka_unit_test(grant_any_and_none_do_not_look_at_the_command),
        cmocka_unit_test(grant_pattern_words_are_checked),
        cmocka_unit_test(grant_full_of_patterns_takes_no_more_and_keeps_the_old),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
