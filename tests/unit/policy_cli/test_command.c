#include "policy/command.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "unit_test.h"

enum { OUTPUT_BYTES = 1 << 16, WORDS_MAX = 16 };

/* Runs the command with stdout and stderr going to `output`. */
static int run(const char *const *words, char *output)
{
    char *argv[WORDS_MAX + 1] = {0};
    int argc = 0;
    for (; words[argc] != NULL; argc++) {
        argv[argc] = strdup(words[argc]);
        assert_non_null(argv[argc]);
    }
    char name[] = "/tmp/policy-command-XXXXXX";
    int file = mkstemp(name);
    assert_true(file >= 0);
    assert_int_equal(unlink(name), 0);
    (void)fflush(NULL);
    int kept[2] = {dup(1), dup(2)};
    assert_true(dup2(file, 1) == 1 && dup2(file, 2) == 2);
    int status = policy_command(argc, argv);
    (void)fflush(NULL);
    assert_true(dup2(kept[0], 1) == 1 && dup2(kept[1], 2) == 2);
    (void)close(kept[0]);
    (void)close(kept[1]);
    assert_int_equal(lseek(file, 0, SEEK_SET), 0);
    ssize_t len = read(file, output, OUTPUT_BYTES - 1);
    assert_true(len >= 0);
    output[len] = 0;
    (void)close(file);
    for (int i = 0; i < argc; i++) {
        free(argv[i]);
    }
    return status;
}

#define FILE_NAME "config/policy.yaml"
#define ALICE "explain", FILE_NAME, "--user", "alice", "--from", "100.64.1.2", "--mfa-age", "5m"
#define BOT "explain", FILE_NAME, "--user", "deploy-bot", "--from", "10.9.0.7"

static const struct {
    const char *words[WORDS_MAX];
    int status;
    const char *says;
} ROWS[] = {
    {{"policy"}, 2, "a command is missing"},
    {{"policy", "--help"}, 0, "Usage: bastion policy check FILE"},
    {{"policy", "chekc"}, 2, "there is no command chekc"},
    {{"policy", "explain", FILE_NAME, "D-NO-RULE"},
     0,
     "D-NO-RULE: no rule is for this person and this target"},
    {{"policy", "explain", FILE_NAME, "[D-MFA-6ec7c0b5]"}, 0, "nothing in this policy has the code"},
    {{"policy", "explain", FILE_NAME, "D-WHAT-6ec7c0b5"}, 2, "that is no code of a policy's decision"},
    {{"policy", "explain", FILE_NAME, "D-MFA-6ec7c0b"}, 2, "that is no code of a policy's decision"},
    {{"policy", "explain", FILE_NAME, "D-MFA-2d049d1e"}, 0, ": rule dba-nodes"},
    {{"policy", "explain", FILE_NAME, "D-NEVER-feab121d", "--json"}, 0, "\"id\": \"no-agent-no-x11\""},
    {{"policy", "explain", FILE_NAME, "--user", "zoe", "--mfa-age", "1m", "--reason", "INC-1", "--principal",
      "eng-backend", "db orders-db/orders as orders_ro"},
     0,
     "by backend-orders"},
    {{"policy", "explain", FILE_NAME, "--user", "zoe", "--mfa-age", "1m", "--reason", "INC-1",
      "db orders-db/orders as orders_ro"},
     1,
     "D-UNKNOWN-PERSON"},
    {{"policy", "schema"}, 0, "http://json-schema.org/draft-07/schema#"},
    {{"policy", "schema", "x"}, 2, "schema needs nothing behind it"},
    {{"policy", "check"}, 2, "check needs one file"},
    {{"policy", "check", "a", "b"}, 2, "check needs one file"},
    {{"policy", "check", "--xyz", FILE_NAME}, 2, "unrecognized option"},
    {{"policy", "check", FILE_NAME}, 0, "valid; 6 people, 5 targets, 9 rules, 2 never, 11 tests passed"},
    {{"policy", "check", "/nonexistent"}, 3, "/nonexistent: cannot be read: No such file"},
    {{"policy", "check", "/"}, 3, "/: cannot be read"},
    {{"policy", "check", "README-none.md", "--json"}, 3, "\"valid\": false"},
    {{"policy", "check", "config/bastiond.yaml"},
     3,
     "config/bastiond.yaml:5:1: the policy has no key \"listen\""},
    {{"policy", "explain", FILE_NAME, "shell", "node1"}, 2, "--user is missing"},
    {{"policy", "explain", FILE_NAME, "--user", "alice"}, 2, "a file and a line are needed"},
    {{"policy", "explain", FILE_NAME, "--user", "alice", "--from", "vpn", "shell", "node1"},
     2,
     "--from needs one numeric address, not vpn"},
    {{"policy", "explain", FILE_NAME, "--user", "alice", "--mfa-age", "5", "shell", "node1"},
     2,
     "--mfa-age needs a time such as 5m, not 5"},
    {{"policy", "explain", FILE_NAME, "--user", "alice", "shel", "node1"},
     2,
     "the line cannot be read: the first word must be"},
    {{"policy", "explain", "config/bastiond.yaml", "--user", "alice", "shell", "node1"},
     3,
     "config/bastiond.yaml:5:1: "},
    {{"policy", ALICE, "shell", "node1", "as", "ec2-user"},
     0,
     "allowed: alice 100.64.1.2: shell node1 as ec2-user\n  by dba-nodes\n  grant: shell exec sftp(read)"},
    {{"policy", ALICE, "shell node1 as ec2-user"}, 0, "allowed"},
    {{"policy", ALICE, "shell", "nodes-prod", "as", "ec2-user"}, 0, "allowed"},
    {{"policy", ALICE, "shell", "node1", "as", "deploy"},
     1,
     "denied: alice 100.64.1.2: shell node1 as deploy"},
    {{"policy", ALICE, "shell", "node2"}, 1, "no target of the policy lists node2:22 (D-UNKNOWN-TARGET)"},
    {{"policy", ALICE, "exec", "uptime", "node1", "as", "ec2-user"}, 0, "allowed"},
    {{"policy", ALICE, "exec", "ls -l; id", "node1"}, 0, "allowed"},
    {{"policy", "explain", FILE_NAME, "--user", "alice", "--from", "100.64.1.2", "shell", "node1"},
     1,
     "needs a second factor: alice"},
    {{"policy", "explain", FILE_NAME, "--user", "alice", "shell", "node1"},
     1,
     "when.from: it does not allow connections from an unknown address  <- nearest"},
    {{"policy", BOT, "exec", "/usr/local/bin/deploy", "api", "1.2", "node1", "as", "deploy"}, 0, "allowed"},
    {{"policy", BOT, "exec", "node1", "as", "deploy:", "/usr/local/bin/deploy", "api", "1.2"}, 0, "allowed"},
    {{"policy", BOT, "exec node1 as deploy: /usr/local/bin/deploy api 1.2"}, 0, "allowed"},
    {{"policy", BOT, "exec node1 as deploy: /usr/local/bin/deploy x y; sh"},
     1,
     "it does not allow this command: it holds a character that a shell could act on"},
    {{"policy", BOT, "shell", "node1", "as", "deploy"},
     1,
     "never no-machine-shell: it takes away what was asked"},
    {{"policy", "diff", FILE_NAME}, 2, "diff needs two files"},
    {{"policy", "diff", FILE_NAME, FILE_NAME, "--fail-on", "all"}, 2, "--fail-on is gains or any, not all"},
    {{"policy", "diff", FILE_NAME, FILE_NAME}, 0, ": 0 gained, 0 lost"},
    {{"policy", "diff", FILE_NAME, FILE_NAME, "--person", "nobody"}, 2, "no file knows nobody"},
    {{"policy", "diff", FILE_NAME, "config/bastiond.yaml"}, 3, "config/bastiond.yaml:"},
    {{"policy", "who-can", FILE_NAME}, 2, "who-can needs a file and"},
    {{"policy", "who-can", FILE_NAME, "nowhere"}, 2, "no file knows nowhere"},
    {{"policy", "who-can", FILE_NAME, "node1"}, 0, "alice, bob as ec2-user: shell, exec"},
    {{"policy", "who-can", FILE_NAME, "cache", "--csv"}, 0, "\"alice\",\"redis.prod.internal\",6379,"},
    {{"policy", "what-can", FILE_NAME, "sam"}, 0, "node1:22 as ec2-user: shell"},
    {{"policy", "what-can", FILE_NAME, "nobody"}, 2, "no file knows nobody"},
};

static void command_each_row_says_and_returns_what_is_written(void **state)
{
    (void)state;
    char *output = calloc(1, OUTPUT_BYTES);
    assert_non_null(output);
    unsigned failed = 0;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        int status = run(ROWS[i].words, output);
        if (status != ROWS[i].status || strstr(output, ROWS[i].says) == NULL) {
            print_message("row %zu: status %d, wanted %d and \"%s\":\n%s\n", i, status, ROWS[i].status,
                          ROWS[i].says, output);
            failed++;
        }
    }
    free(output);
    assert_int_equal(failed, 0);
}

static void command_json_is_json(void **state)
{
    (void)state;
    static const char *const COMMANDS[][WORDS_MAX] = {
        {"policy", "check", "--json", FILE_NAME},
        {"policy", "check", "--json", "config/bastiond.yaml"},
        {"policy", ALICE, "--json", "shell", "node1", "as", "ec2-user"},
        {"policy", ALICE, "--json", "agent", "node1"},
    };
    static const char *const VERDICTS[] = {NULL, NULL, "allowed", "denied"};
    char *output = calloc(1, OUTPUT_BYTES);
    assert_non_null(output);
    for (size_t i = 0; i < COUNT_OF(COMMANDS); i++) {
        (void)run(COMMANDS[i], output);
        json_error_t error;
        json_t *json = json_loads(output, 0, &error);
        assert_non_null(json);
        if (VERDICTS[i] != NULL) {
            assert_string_equal(json_string_value(json_object_get(json, "verdict")), VERDICTS[i]);
            assert_true(json_array_size(json_object_get(json, "findings")) > 0);
        } else {
            assert_int_equal(json_is_true(json_object_get(json, "valid")), i == 0);
            assert_int_equal(json_array_size(json_object_get(json, "errors")) > 0, i != 0);
        }
        json_decref(json);
    }
    free(output);
}

static void command_diff_tells_gains_and_losses_apart(void **state)
{
    (void)state;
    char name[] = "/tmp/policy-narrower-XXXXXX";
    char *text = calloc(1, OUTPUT_BYTES);
    char *output = calloc(1, OUTPUT_BYTES);
    assert_true(text != NULL && output != NULL);
    int policy = open(FILE_NAME, O_RDONLY | O_CLOEXEC);
    ssize_t len = read(policy, text, OUTPUT_BYTES - 1);
    assert_true(len > 0);
    (void)close(policy);
    char *users = strstr(text, "users: [alice, bob]");
    assert_non_null(users);
    memcpy(users, "users: [alice     ]", strlen("users: [alice, bob]")); /* bob leaves */
    int narrower = mkstemp(name);
    assert_int_equal(write(narrower, text, (size_t)len), len);
    (void)close(narrower);
    assert_int_equal(run((const char *const[]){"policy", "diff", FILE_NAME, name, NULL}, output), 0);
    assert_non_null(strstr(output, "- bob\n"));
    assert_null(strstr(output, "+ "));
    assert_int_equal(
        run((const char *const[]){"policy", "diff", "--fail-on", "any", FILE_NAME, name, NULL}, output), 1);
    assert_int_equal(run((const char *const[]){"policy", "diff", name, FILE_NAME, NULL}, output), 1);
    assert_non_null(strstr(output, "+ bob\n"));
    assert_int_equal(run((const char *const[]){"policy", "diff", "--json", name, FILE_NAME, NULL}, output),
                     1);
    json_t *json = json_loads(output, 0, NULL);
    json_t *first = json_array_get(json_object_get(json, "changes"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "change")), "gain");
    assert_int_equal(json_integer_value(json_object_get(json, "losses")), 0);
    json_decref(json);
    (void)unlink(name);
    free(text);
    free(output);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(command_each_row_says_and_returns_what_is_written),
        cmocka_unit_test(command_json_is_json),
        cmocka_unit_test(command_diff_tells_gains_and_losses_apart),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
