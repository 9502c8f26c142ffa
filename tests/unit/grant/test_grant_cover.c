#include <string.h>

#include "policy/grant.h"
#include "unit_test.h"

static struct policy_grant wide(void)
{
    struct policy_grant grant = {.shell = true,
                                 .exec = GRANT_EXEC_LISTED,
                                 .sftp = GRANT_SFTP_READ,
                                 .agent = true,
                                 .x11 = true,
                                 .connect = true,
                                 .forward = GRANT_FORWARD_LISTED,
                                 .remote_forward = GRANT_FORWARD_LISTED};
    struct cursor uptime = cursor_of_text("uptime");
    struct cursor deploy[] = {cursor_of_text("deploy"), cursor_of_text("*")};
    assert_int_equal(grant_add_pattern(&grant, &uptime, 1), ERR_NONE);
    assert_int_equal(grant_add_pattern(&grant, deploy, 2), ERR_NONE);
    assert_int_equal(grant_add_place(&grant, PLACE_FORWARD, cursor_of_text("localhost:9090")), ERR_NONE);
    assert_int_equal(grant_add_place(&grant, PLACE_REMOTE_FORWARD, cursor_of_text("localhost:80")), ERR_NONE);
    assert_int_equal(grant_add_path(&grant, GRANT_SFTP_WRITE, cursor_of_text("/srv/**")), ERR_NONE);
    static const uint8_t NAME[] = {0, 0, 0, 1, 'u'};
    const struct grant_database database = {.rights = GRANT_DB_COPY,
                                            .params = GRANT_PARAMS_HASH,
                                            .users = {NAME, NAME + sizeof NAME},
                                            .databases = {NAME, NAME + sizeof NAME}};
    assert_int_equal(grant_add_database(&grant, &database), ERR_NONE);
    grant.db_opaque = true;
    return grant;
}

static void grant_covers_itself_and_nothing(void **state)
{
    (void)state;
    struct policy_grant grant = wide();
    struct policy_grant nothing = {0};
    assert_null(grant_check_covers(&grant, &grant));
    assert_null(grant_check_covers(&grant, &nothing));
    assert_null(grant_check_covers(&nothing, &nothing));
}

static void grant_without_a_right_is_named(void **state)
{
    (void)state;
    const struct policy_grant grant = wide();
    struct policy_grant less = grant;
    less.db_opaque = false;
    assert_string_equal(grant_check_covers(&less, &grant), "a database");
    less = grant;
    less.databases[0] = 0; /* COPY is refused */
    assert_non_null(grant_check_covers(&less, &grant));
    less = grant;
    less.databases[less.databases_len_bytes - 1] = 'v'; /* another database */
    assert_non_null(grant_check_covers(&less, &grant));
    less = grant;
    less.databases_len_bytes = 0;
    assert_non_null(grant_check_covers(&less, &grant));
    less = grant;
    less.databases[0] |= GRANT_DB_REPLICATION; /* more, and recorded otherwise */
    less.databases[1] = GRANT_PARAMS_FULL;
    assert_null(grant_check_covers(&less, &grant));
    less = grant;
    less.shell = false;
    assert_string_equal(grant_check_covers(&less, &grant), "a shell");
    less = grant;
    less.exec = GRANT_EXEC_NONE;
    assert_string_equal(grant_check_covers(&less, &grant), "commands");
    less = grant;
    less.sftp = GRANT_SFTP_NONE;
    assert_string_equal(grant_check_covers(&less, &grant), "files");
    less = grant;
    less.agent = false;
    assert_string_equal(grant_check_covers(&less, &grant), "an agent");
    less = grant;
    less.x11 = false;
    assert_string_equal(grant_check_covers(&less, &grant), "X11");
    less = grant;
    less.connect = false;
    assert_string_equal(grant_check_covers(&less, &grant), "a connection");
    less = grant;
    less.forward = GRANT_FORWARD_NONE;
    assert_string_equal(grant_check_covers(&less, &grant), "forwards");
    less = grant;
    less.remote_forward = GRANT_FORWARD_NONE;
    assert_string_equal(grant_check_covers(&less, &grant), "remote forwards");
}

static void grant_without_an_entry_of_a_list_is_named(void **state)
{
    (void)state;
    const char *what = "one of the listed commands, places, paths or databases";
    const struct policy_grant grant = wide();
    struct policy_grant less = grant;
    less.patterns_len_bytes = 0;
    assert_string_equal(grant_check_covers(&less, &grant), what);
    less = grant;
    less.places_len_bytes = 0;
    assert_string_equal(grant_check_covers(&less, &grant), what);
    less = grant;
    less.paths_len_bytes = 0;
    assert_string_equal(grant_check_covers(&less, &grant), what);
    struct policy_grant other = wide();
    assert_int_equal(grant_add_path(&other, GRANT_SFTP_READ, cursor_of_text("/etc/*")), ERR_NONE);
    assert_null(grant_check_covers(&grant, &other)); /* sftp: read covers every path that is read */
    assert_int_equal(grant_add_path(&other, GRANT_SFTP_WRITE, cursor_of_text("/etc/*")), ERR_NONE);
    assert_string_equal(grant_check_covers(&grant, &other), what);
}

static void grant_of_everything_covers_every_list(void **state)
{
    (void)state;
    struct policy_grant grant = wide();
    struct policy_grant everything = {.shell = true,
                                      .exec = GRANT_EXEC_ANY,
                                      .sftp = GRANT_SFTP_WRITE,
                                      .agent = true,
                                      .x11 = true,
                                      .connect = true,
                                      .forward = GRANT_FORWARD_ANY,
                                      .remote_forward = GRANT_FORWARD_ANY};
    /* No right stands for all databases: they are named, or their bytes pass unread. */
    everything.db_opaque = true;
    everything.databases_len_bytes = grant.databases_len_bytes;
    memcpy(everything.databases, grant.databases, sizeof grant.databases);
    assert_null(grant_check_covers(&everything, &grant));
    assert_string_equal(grant_check_covers(&grant, &everything), "commands");
    everything.remote_forward = GRANT_FORWARD_NONE;
    assert_string_equal(grant_check_covers(&everything, &grant), "remote forwards");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grant_covers_itself_and_nothing),
        cmocka_unit_test(grant_without_a_right_is_named),
        cmocka_unit_test(grant_without_an_entry_of_a_list_is_named),
        cmocka_unit_test(grant_of_everything_covers_every_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
