#include "policy/path.h"

#include <string.h>

#include "policy/grant.h"
#include "unit_test.h"

static void path_patterns_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *why;
    } ROWS[] = {
        {"/", NULL},         {"/srv", NULL},        {"/srv/**", NULL},      {"/**", NULL},
        {"/srv/*/x", NULL},  {"/srv/*.log", NULL},  {"", "absolute"},       {"srv", "absolute"},
        {"~/x", "absolute"}, {"/srv/**/x", "last"}, {"/srv/a**", "own"},    {"/srv//x", "empty"},
        {"/srv/../x", ".."}, {"/srv/./x", "\".\""}, {"/srv/", "ends with"}, {"/..", ".."},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        const char *why = path_check(cursor_of_text(ROWS[i].pattern));
        if ((why == NULL) != (ROWS[i].why == NULL) || (why != NULL && strstr(why, ROWS[i].why) == NULL)) {
            fail_msg("%s: %s", ROWS[i].pattern, why == NULL ? "good" : why);
        }
    }
    char longest[PATH_PATTERN_BYTES + 2];
    memset(longest, 'a', sizeof longest);
    longest[0] = '/';
    assert_null(path_check(cursor_of(longest, PATH_PATTERN_BYTES)));
    assert_non_null(path_check(cursor_of(longest, PATH_PATTERN_BYTES + 1)));
    assert_non_null(path_check(cursor_of("/a\0b", 4)));
}

static void path_patterns_match_step_by_step(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *path;
        bool matches;
    } ROWS[] = {
        {"/", "/", true},
        {"/", "/a", false},
        {"/srv", "/srv", true},
        {"/srv", "/srv/a", false},
        {"/srv", "/srvx", false},
        {"/srv/app/**", "/srv/app", true},
        {"/srv/app/**", "/srv/app/a/b/c", true},
        {"/srv/app/**", "/srv/apple", false},
        {"/srv/app/**", "/srv", false},
        {"/**", "/", true},
        {"/**", "/etc/shadow", true},
        {"/srv/*/x", "/srv/a/x", true},
        {"/srv/*/x", "/srv/a/b/x", false},
        {"/srv/*/x", "/srv/x", false},
        {"/var/log/*.log", "/var/log/a.log", true},
        {"/var/log/*.log", "/var/log/a.log.1", false},
        {"/var/log/*a*b", "/var/log/xaaxab", true},
        {"/var/log/*a*b", "/var/log/xaaxac", false},
        {"/var/log/*", "/var/log", false},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        if (path_matches(cursor_of_text(ROWS[i].pattern), cursor_of_text(ROWS[i].path)) != ROWS[i].matches) {
            fail_msg("%s and %s", ROWS[i].pattern, ROWS[i].path);
        }
    }
}

static void path_is_made_absolute_and_plain(void **state)
{
    (void)state;
    static const struct {
        const char *base, *path, *plain; /* NULL: refused */
    } ROWS[] = {
        {"/data/x", "/srv//a/./b/", "/srv/a/b"},
        {"/data/x", "a/b", "/data/x/a/b"},
        {"/data/x", "", "/data/x"},
        {"/data/x", ".", "/data/x"},
        {"", "/", "/"},
        {"", "a", NULL},
        {"/data/x", "../y", NULL},
        {"/", "/srv/a/../../etc", NULL},
        {"/", "/..", NULL},
        {"/", "/...", "/..."},
        {"/", "/a..b", "/a..b"},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        char plain[64];
        enum err err =
            path_plain(cursor_of_text(ROWS[i].base), cursor_of_text(ROWS[i].path), plain, sizeof plain);
        assert_int_equal(err, ROWS[i].plain == NULL ? ERR_DENIED : ERR_NONE);
        if (ROWS[i].plain != NULL) {
            assert_string_equal(plain, ROWS[i].plain);
        }
    }
    char small[8];
    assert_int_equal(path_plain(cursor_of_text("/"), cursor_of_text("/1234567"), small, sizeof small),
                     ERR_TOO_LARGE);
    assert_int_equal(path_plain(cursor_of_text("/"), cursor_of_text("/123456"), small, sizeof small),
                     ERR_NONE);
    assert_int_equal(path_plain(cursor_of_text("/"), cursor_of("/a\0b", 4), small, sizeof small), ERR_DENIED);
}

static void grant_allows_paths_by_level(void **state)
{
    (void)state;
    struct policy_grant grant = {0};
    assert_true(grant_is_empty(&grant));
    assert_int_equal(grant_add_path(&grant, GRANT_SFTP_READ, cursor_of_text("/var/log/**")), ERR_NONE);
    assert_int_equal(grant_add_path(&grant, GRANT_SFTP_WRITE, cursor_of_text("/srv/app/**")), ERR_NONE);
    uint16_t len = grant.paths_len_bytes;
    assert_int_equal(grant_add_path(&grant, GRANT_SFTP_WRITE, cursor_of_text("/srv/app/**")), ERR_NONE);
    assert_int_equal(grant.paths_len_bytes, len); /* once is enough */
    assert_true(grant_has_sftp(&grant));
    assert_false(grant_is_empty(&grant));
    assert_true(grant_allows_path(&grant, GRANT_SFTP_READ, cursor_of_text("/var/log/a")));
    assert_false(grant_allows_path(&grant, GRANT_SFTP_WRITE, cursor_of_text("/var/log/a")));
    assert_true(grant_allows_path(&grant, GRANT_SFTP_READ, cursor_of_text("/srv/app/a")));
    assert_true(grant_allows_path(&grant, GRANT_SFTP_WRITE, cursor_of_text("/srv/app/a")));
    assert_false(grant_allows_path(&grant, GRANT_SFTP_READ, cursor_of_text("/etc/shadow")));
    assert_false(grant_allows_path(&grant, GRANT_SFTP_READ, cursor_of_text("")));
    grant.sftp = GRANT_SFTP_READ;
    assert_true(grant_allows_path(&grant, GRANT_SFTP_READ, cursor_of_text("/etc/passwd")));
    assert_false(grant_allows_path(&grant, GRANT_SFTP_WRITE, cursor_of_text("/etc/passwd")));
    struct policy_grant other = {0};
    assert_int_equal(grant_add_paths(&other, cursor_of(grant.paths, grant.paths_len_bytes)), ERR_NONE);
    assert_memory_equal(other.paths, grant.paths, grant.paths_len_bytes);
    char path[1000] = "/";
    memset(path + 1, 'a', sizeof path - 2);
    unsigned added = 0;
    while (grant_add_path(&grant, GRANT_SFTP_READ, cursor_of_text(path)) == ERR_NONE && added < 100) {
        path[5]++;
        added++;
    }
    assert_in_range(added, 3, 5);
    assert_true(grant.paths_len_bytes <= GRANT_PATHS_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_patterns_that_cannot_be_are_refused),
        cmocka_unit_test(path_patterns_match_step_by_step),
        cmocka_unit_test(path_is_made_absolute_and_plain),
        cmocka_unit_test(grant_allows_paths_by_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
