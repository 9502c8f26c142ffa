/* One PAM conversation: the real binary and real modules, configured in a folder of the test's own. */
#include <sys/stat.h>
#include <time.h>

#include "base/limits.h"
#include "child.h"

enum { PAM_PERM_DENIED_CODE = 6, PAM_AUTH_ERR_CODE = 7, PAM_USER_UNKNOWN_CODE = 10 };
enum { OATH_UID = 64003 };

static char folder[] = "/tmp/pam-test-XXXXXX";
static const char SECRET[] = "3132333435363738393031323334353637383930"; /* RFC 6238 appendix B */
static struct child child;

static void write_file(const char *name, mode_t mode, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, cursor_of_text(text)), ERR_NONE);
    fd_close(&fd);
}

static void run(const char *format, ...)
{
    char command[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    assert_int_equal(system(command), 0);
}

static void write_users(void)
{
    char text[256];
    (void)snprintf(text, sizeof text, "HOTP/T30/6 alice - %s\n", SECRET);
    write_file("oath/users", 0600, text);
    run("chown -R %d:%d %s/oath", OATH_UID, OATH_UID, folder);
}

static int make_services(void **state)
{
    (void)state;
    char text[512];
    assert_non_null(mkdtemp(folder));
    run("chmod 755 %s; mkdir -m 700 %s/oath", folder, folder);
    (void)snprintf(text, sizeof text,
                   "auth requisite pam_oath.so usersfile=%s/oath/users window=1 digits=6\n"
                   "account required pam_permit.so\n",
                   folder);
    write_file("oathtest", 0644, text);
    write_file("deny", 0644, "auth required pam_deny.so\naccount required pam_permit.so\n");
    write_file("noaccount", 0644, "auth required pam_permit.so\naccount required pam_deny.so\n");
    write_file("hang", 0644, "auth required pam_exec.so /bin/sleep 60\naccount required pam_permit.so\n");
    write_file("echo", 0644,
               "auth optional pam_echo.so hello %u from %H\nauth required pam_permit.so\n"
               "account required pam_permit.so\n");
    size_t len = 0;
    for (int i = 0; i < 17; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "auth optional pam_echo.so %d\n", i);
    }
    (void)snprintf(text + len, sizeof text - len, "auth required pam_permit.so\n");
    write_file("chatty", 0644, text);
    return 0;
}

static int remove_services(void **state)
{
    (void)state;
    run("rm -rf -- %s", folder);
    return 0;
}

static void send_start(const char *person, const char *service)
{
    uint8_t memory[1024];
    struct writer body = writer_of(memory, sizeof memory);
    writer_text(&body, person);
    writer_text(&body, "10.1.2.3");
    writer_text(&body, service);
    writer_text(&body, folder);
    child_send(&child, IPC_PAM_START, 0, &body);
}

static void start_as(const char *person, const char *service)
{
    char uid[16];
    (void)snprintf(uid, sizeof uid, "%d", OATH_UID);
    char oath[64];
    (void)snprintf(oath, sizeof oath, "%s/oath", folder);
    const char *const arguments[] = {BASTION_PAM, "--uid", uid, "--gid", uid, "--writable", oath, NULL};
    child_start(&child, arguments);
    send_start(person, service);
}
static void expect_prompt(uint8_t style, const char *part)
{
    child_expect(&child, IPC_PAM_PROMPT, 0);
    struct cursor body = child.message.body;
    uint8_t got_style = 9;
    char text[2048];
    assert_int_equal(cursor_u8(&body, &got_style), ERR_NONE);
    assert_int_equal(cursor_text(&body, text, sizeof text), ERR_NONE);
    assert_int_equal(cursor_end(&body), ERR_NONE);
    assert_int_equal(got_style, style);
    if (strstr(text, part) == NULL) {
        fail_msg("no \"%s\" in \"%s\"", part, text);
    }
}

static void answer(const char *text)
{
    uint8_t memory[1024];
    struct writer body = writer_of(memory, sizeof memory);
    writer_text(&body, text);
    child_send(&child, IPC_PAM_ANSWER, 0, &body);
}

/* @return the PAM code; the process has ended. */
static int expect_result(void)
{
    child_expect(&child, IPC_PAM_RESULT, 0);
    struct cursor body = child.message.body;
    bool is_ok = false;
    uint8_t code = 0;
    char text[LIMIT_SENTENCE_BYTES];
    assert_int_equal(cursor_bool(&body, &is_ok), ERR_NONE);
    assert_int_equal(cursor_u8(&body, &code), ERR_NONE);
    assert_int_equal(cursor_text(&body, text, sizeof text), ERR_NONE);
    assert_int_equal(cursor_end(&body), ERR_NONE);
    assert_int_equal(is_ok, code == 0);
    assert_int_equal(child_wait(&child), 0);
    return code;
}

/* A code of oathtool for the time `offset_s` seconds from now. */
static void code_at(int offset_s, char ret_code[static 16])
{
    char command[256];
    (void)snprintf(command, sizeof command, "oathtool --totp -N @%lld %s", (long long)time(NULL) + offset_s,
                   SECRET);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_non_null(fgets(ret_code, 16, pipe));
    (void)pclose(pipe);
    ret_code[strcspn(ret_code, "\n")] = 0;
    assert_int_equal(strlen(ret_code), 6);
}

static int try_code(const char *code)
{
    start_as("alice", "oathtest");
    expect_prompt(0, "alice");
    answer(code);
    return expect_result();
}

static void right_code_is_accepted_once(void **state)
{
    (void)state;
    char code[16];
    write_users();
    code_at(0, code);
    assert_int_equal(try_code(code), 0);
    assert_int_equal(try_code(code), PAM_AUTH_ERR_CODE);
}

static void older_code_after_a_newer_is_refused(void **state)
{
    (void)state;
    char older[16];
    char newer[16];
    write_users();
    code_at(-30, older);
    code_at(0, newer);
    assert_int_equal(try_code(newer), 0);
    assert_int_equal(try_code(older), PAM_AUTH_ERR_CODE);
}

static void wrong_code_is_refused(void **state)
{
    (void)state;
    char old[16];
    write_users();
    code_at(-3600, old);
    assert_int_equal(try_code(old), PAM_AUTH_ERR_CODE);
    assert_int_not_equal(try_code("12345"), 0);
    assert_int_not_equal(try_code(""), 0);
    char code[16];
    code_at(0, code);
    assert_int_equal(try_code(code), 0); /* none of these was taken for an attempt that uses up a code */
}

static void person_without_a_secret_sees_the_same_prompt(void **state)
{
    (void)state;
    write_users();
    start_as("alice", "oathtest");
    expect_prompt(0, "One-time password (OATH) for `alice': ");
    answer("123456");
    assert_int_not_equal(expect_result(), 0);
    start_as("bob", "oathtest");
    expect_prompt(0, "One-time password (OATH) for `bob': ");
    answer("123456");
    assert_int_equal(expect_result(), PAM_USER_UNKNOWN_CODE);
}

static void module_that_denies_is_obeyed(void **state)
{
    (void)state;
    start_as("alice", "deny");
    assert_int_not_equal(expect_result(), 0);
    start_as("alice", "noaccount");
    assert_int_not_equal(expect_result(), 0);
    start_as("alice", "no-such-service");
    assert_int_not_equal(expect_result(), 0);
}

static void text_of_a_module_is_passed_on(void **state)
{
    (void)state;
    start_as("alice", "echo");
    expect_prompt(2, "hello alice from 10.1.2.3");
    assert_int_equal(expect_result(), 0);
}

static void sixteen_prompts_are_the_most(void **state)
{
    (void)state;
    start_as("alice", "chatty");
    for (int i = 0; i < 16; i++) {
        expect_prompt(2, "");
    }
    child_expect(&child, IPC_PAM_RESULT, 0);
    (void)child_wait(&child);
}

static void hanging_module_dies_at_the_deadline_of_the_monitor(void **state)
{
    (void)state;
    start_as("alice", "hang");
    assert_int_equal(ipc_wait(child.channel, 500), ERR_AGAIN);
    assert_int_equal(kill(child.pid, SIGKILL), 0);
    assert_int_equal(child_wait(&child), CHILD_KILLED + SIGKILL);
}

static void folder_that_is_not_writable_is_not_written(void **state)
{
    (void)state;
    char code[16];
    write_users();
    code_at(0, code);
    const char *const arguments[] = {BASTION_PAM, "--uid",      "64003",     "--gid",
                                     "64003",     "--writable", "/dev/zero", NULL};
    child_start(&child, arguments);
    send_start("alice", "oathtest");
    expect_prompt(0, "alice");
    answer(code);
    assert_int_not_equal(expect_result(), 0); /* a code that cannot be marked as used is no proof */
    const char *const nothing[] = {BASTION_PAM, "--uid", "64003", "--gid", "64003", NULL};
    child_start(&child, nothing);
    send_start("alice", "oathtest");
    expect_prompt(0, "alice");
    answer(code);
    assert_int_not_equal(expect_result(), 0);
    char oath[64];
    (void)snprintf(oath, sizeof oath, "%s/oath", folder);
    const char *const missing_too[] = {BASTION_PAM,  "--uid",        "64003",      "--gid", "64003",
                                       "--writable", "/nonexistent", "--writable", oath,    NULL};
    child_start(&child, missing_too);
    send_start("alice", "oathtest");
    expect_prompt(0, "alice");
    answer(code);
    assert_int_equal(expect_result(), 0);
}

static void monitor_that_leaves_ends_the_conversation(void **state)
{
    (void)state;
    write_users();
    start_as("alice", "oathtest");
    expect_prompt(0, "alice");
    assert_int_equal(child_leave(&child), 0);
    char uid[16];
    (void)snprintf(uid, sizeof uid, "%d", OATH_UID);
    const char *const arguments[] = {BASTION_PAM, "--uid", uid, "--gid", uid, NULL};
    child_start(&child, arguments);
    assert_int_equal(child_leave(&child), 0);
}

static void start_that_is_none_ends_the_process(void **state)
{
    (void)state;
    static const char *const PERSONS[] = {"", "../x", "Alice", "a b", "-a"};
    for (size_t i = 0; i < COUNT_OF(PERSONS); i++) {
        start_as(PERSONS[i], "oathtest");
        assert_int_equal(child_wait(&child), 5);
    }
    start_as("alice", "../deny");
    assert_int_equal(child_wait(&child), 5);
    start_as("alice", "");
    assert_int_equal(child_wait(&child), 5);
}

static void second_start_or_unasked_answer_ends_the_process(void **state)
{
    (void)state;
    write_users();
    start_as("alice", "oathtest");
    expect_prompt(0, "alice");
    child_send(&child, IPC_PAM_START, 0, NULL);
    child_expect(&child, IPC_PAM_RESULT, 0);
    struct cursor body = child.message.body;
    bool is_ok = true;
    assert_int_equal(cursor_bool(&body, &is_ok), ERR_NONE);
    assert_false(is_ok);
    (void)child_wait(&child);
    const char *const arguments[] = {BASTION_PAM, "--uid", "64003", "--gid", "64003", NULL};
    child_start(&child, arguments);
    answer("123456");
    assert_int_equal(child_wait(&child), 5);
}

static void help_and_wrong_arguments(void **state)
{
    (void)state;
    static const char *const HELP[] = {BASTION_PAM, "--help", NULL};
    static const char *const HALF[] = {BASTION_PAM, "--uid", "12", NULL};
    static const char *const ROOT[] = {BASTION_PAM, "--uid", "0", "--gid", "0", NULL};
    child_start(&child, HELP);
    assert_int_equal(child_wait(&child), 0);
    child_start(&child, HALF);
    assert_int_equal(child_wait(&child), 2);
    child_start(&child, ROOT);
    assert_int_equal(child_wait(&child), 2);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(right_code_is_accepted_once),
        cmocka_unit_test(older_code_after_a_newer_is_refused),
        cmocka_unit_test(wrong_code_is_refused),
        cmocka_unit_test(person_without_a_secret_sees_the_same_prompt),
        cmocka_unit_test(module_that_denies_is_obeyed),
        cmocka_unit_test(text_of_a_module_is_passed_on),
        cmocka_unit_test(sixteen_prompts_are_the_most),
        cmocka_unit_test(hanging_module_dies_at_the_deadline_of_the_monitor),
        cmocka_unit_test(folder_that_is_not_writable_is_not_written),
        cmocka_unit_test(monitor_that_leaves_ends_the_conversation),
        cmocka_unit_test(start_that_is_none_ends_the_process),
        cmocka_unit_test(second_start_or_unasked_answer_ends_the_process),
        cmocka_unit_test(help_and_wrong_arguments),
    };
    if (geteuid() != 0) {
        print_message("skipped: this test needs root to change to the user that owns the secrets\n");
        return 0;
    }
    return cmocka_run_group_tests(TESTS, make_services, remove_services);
}
