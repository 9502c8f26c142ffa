#include "policy/line.h"

#include "unit_test.h"

static void line_good_texts_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum policy_action action;
        const char *host;
        uint16_t port;
        const char *account, *command;
    } ROWS[] = {
        {"shell node1 as ec2-user", POLICY_SHELL, "node1", 22, "ec2-user", ""},
        {"shell node1", POLICY_SHELL, "node1", 22, "", ""},
        {"connect node1:2222", POLICY_ANY, "node1", 2222, "", ""},
        {"connect [fd00::1]:2222", POLICY_ANY, "fd00::1", 2222, "", ""},
        {"connect [fd00::1]", POLICY_ANY, "fd00::1", 22, "", ""},
        {"connect fd00::1", POLICY_ANY, "fd00::1", 22, "", ""},
        {"  sftp-read   node1  as  _x ", POLICY_SFTP_READ, "node1", 22, "_x", ""},
        {"sftp-write node1 as a: /srv/x", POLICY_SFTP_WRITE, "node1", 22, "a", "/srv/x"},
        {"db orders/pii as orders-rw@x", POLICY_DB, "orders", 22, "orders-rw@x", ""},
        {"db orders:5432 as x", POLICY_DB, "orders", 5432, "x", ""},
        {"replication orders", POLICY_DB_REPLICATION, "orders", 22, "", ""},
        {"copy [fd00::1]:5432/a/b as x", POLICY_DB_COPY, "fd00::1", 5432, "x", ""},
        {"exec node1 as deploy: /bin/x a: b", POLICY_EXEC, "node1", 22, "deploy", "/bin/x a: b"},
        {"forward node1 as a: localhost:9090", POLICY_FORWARD, "node1", 22, "a", "localhost:9090"},
        {"remote-forward node1: unix:/run/x", POLICY_REMOTE_FORWARD, "node1", 22, "", "unix:/run/x"},
        {"forward node1", POLICY_FORWARD, "node1", 22, "", ""},
        {"exec node1: id", POLICY_EXEC, "node1", 22, "", "id"},
        {"exec node1:2222 as a: id; sh", POLICY_EXEC, "node1", 2222, "a", "id; sh"},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct policy_line line;
        const char *reason = "";
        if (policy_line_read(cursor_of_text(ROWS[i].text), &line, &reason) != ERR_NONE) {
            fail_msg("%s: %s", ROWS[i].text, reason);
        }
        assert_int_equal(line.action, ROWS[i].action);
        assert_string_equal(line.host, ROWS[i].host);
        assert_int_equal(line.port, ROWS[i].port);
        assert_string_equal(line.account, ROWS[i].account);
        assert_true(cursor_equal_text(line.command, ROWS[i].command));
    }
}

static void line_bad_texts_are_malformed(void **state)
{
    (void)state;
    static const char *const ROWS[] = {
        "sftp-read node1 as a: srv",
        "shell node1 as a: /srv",
        "",
        "shell",
        "shel node1",
        "shell node1 as",
        "shell node1 as a b",
        "shell node1 to a",
        "shell node1 as a: id",
        "exec node1 as a",
        "exec node1 as a: ",
        "exec node1 as a:id",
        "connect node1:",
        "connect node1:0",
        "connect node1:65536",
        "connect node1:22x",
        "connect [fd00::1",
        "connect [fd00::1]x",
        "connect [fd00::1]:",
        "connect []:22",
        "connect :22",
        "connect -x",
        "connect no*de",
        "shell node1 as -x",
        "db orders/ as x",
        "db /orders as x",
        "db orders/o\x01 as x",
        "shell node1/x as y",
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct policy_line line;
        const char *reason = NULL;
        if (policy_line_read(cursor_of_text(ROWS[i]), &line, &reason) != ERR_MALFORMED || reason == NULL) {
            fail_msg("%s", ROWS[i]);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(line_good_texts_are_read),
        cmocka_unit_test(line_bad_texts_are_malformed),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
