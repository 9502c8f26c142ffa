/* The commands as an operator gives them; liboath and OpenSSH read what they wrote. */
#include "enroll/enroll.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <liboath/oath.h>

#include "unit_test.h"

enum { OUTPUT_BYTES = 65536, PAM_UID = 64003 };

static char folder[] = "/tmp/enroll-test-XXXXXX";
static char users[64];
static char output[OUTPUT_BYTES];

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...)
{
    char command[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    assert_int_equal(system(command), 0);
}

/* What a command prints on both channels lands in `output`. @return its exit status. */
static int run_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int run_shell(const char *format, ...)
{
    char command[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t len = fread(output, 1, sizeof output - 1, pipe);
    output[len] = 0;
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

typedef int command_function(int argc, char **argv);

/* Run a command in a child, so that its static state is fresh each time. */
static int run(command_function *command, char **argv)
{
    int argc = 0;
    while (argv[argc] != NULL) {
        argc++;
    }
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    (void)fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(ends[1], 1);
        (void)dup2(ends[1], 2);
        int status = command(argc, argv);
        (void)fflush(NULL);
        _exit(status);
    }
    (void)close(ends[1]);
    size_t len = 0;
    ssize_t got = 0;
    while ((got = read(ends[0], output + len, sizeof output - 1 - len)) > 0) {
        len += (size_t)got;
    }
    output[len] = 0;
    (void)close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

#define RUN(command, ...) run(command, (char *[]){__VA_ARGS__, NULL})
#define MFA(...) RUN(enroll_command, "mfa", __VA_ARGS__, "--users-file", users)

static int begin(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(users, sizeof users, "%s/oath/users", folder);
    (void)oath_init();
    return 0;
}

static int end(void **state)
{
    (void)state;
    (void)oath_done();
    shell("rm -rf -- %s", folder);
    return 0;
}

static void fresh_folder(void)
{
    shell("chmod 755 %s; rm -rf %s/oath; mkdir -m 700 %s/oath; chown %d:%d %s/oath", folder, folder, folder,
          PAM_UID, PAM_UID, folder);
}

static void expect_output(const char *part)
{
    if (strstr(output, part) == NULL) {
        fail_msg("no \"%s\" in: %s", part, output);
    }
}

/* The word behind `label` in the output. */
static const char *word_after(const char *label, char ret_word[static 512])
{
    const char *at = strstr(output, label);
    assert_non_null(at);
    assert_int_equal(sscanf(at + strlen(label), "%511s", ret_word), 1);
    return ret_word;
}

/* As pam_oath does it: @return OATH_OK once for each code. */
static int try_code(const char *person, const char *code)
{
    return oath_authenticate_usersfile(users, person, code, 1, NULL, NULL);
}

static void code_of(const char *base32, char ret_code[static 16])
{
    char *secret = NULL;
    size_t len = 0;
    assert_int_equal(oath_base32_decode(base32, strlen(base32), &secret, &len), OATH_OK);
    assert_int_equal(len, 20);
    assert_int_equal(oath_totp_generate(secret, len, time(NULL), 30, 0, 6, ret_code), OATH_OK);
    free(secret);
}

static void enrolled_secret_is_taken_by_liboath_once(void **state)
{
    (void)state;
    fresh_folder();
    assert_int_equal(MFA("enroll", "alice"), 0);
    char secret[512];
    char code[16];
    code_of(word_after("secret  ", secret), code);
    assert_int_equal(try_code("alice", code), OATH_OK);
    assert_int_not_equal(try_code("alice", code), OATH_OK);
    assert_int_not_equal(try_code("bob", code), OATH_OK);
    expect_output("otpauth://totp/bastion:alice?secret=");
    assert_null(strstr(output, "\033")); /* no picture where stdout is no terminal */
}

static void users_file_belongs_to_the_owner_of_its_folder(void **state)
{
    (void)state;
    fresh_folder();
    assert_int_equal(MFA("enroll", "alice"), 0);
    struct stat status;
    assert_int_equal(stat(users, &status), 0);
    assert_int_equal(status.st_uid, PAM_UID);
    assert_int_equal(status.st_gid, PAM_UID);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(run_shell("ls -A %s/oath", folder), 0);
    assert_string_equal(output, "users\n"); /* neither lock nor temporary file stays */
}

static void second_enrolment_needs_force(void **state)
{
    (void)state;
    fresh_folder();
    char first[512];
    char second[512];
    char code[16];
    assert_int_equal(MFA("enroll", "alice"), 0);
    (void)word_after("secret  ", first);
    assert_int_equal(MFA("enroll", "bob"), 0);
    assert_int_equal(MFA("enroll", "alice"), 1);
    expect_output("--force");
    assert_int_equal(MFA("enroll", "alice", "--force"), 0);
    assert_string_not_equal(word_after("secret  ", second), first);
    code_of(first, code);
    assert_int_not_equal(try_code("alice", code), OATH_OK);
    code_of(second, code);
    assert_int_equal(try_code("alice", code), OATH_OK);
}

static void list_names_people_and_revoke_removes_them(void **state)
{
    (void)state;
    fresh_folder();
    assert_int_equal(MFA("list"), 0);
    assert_string_equal(output, "");
    char secret[512];
    char code[16];
    assert_int_equal(MFA("enroll", "alice"), 0);
    code_of(word_after("secret  ", secret), code);
    assert_int_equal(MFA("enroll", "bob"), 0);
    assert_int_equal(try_code("alice", code), OATH_OK);
    shell("chown %d:%d %s", PAM_UID, PAM_UID, users); /* liboath ran as root here */
    assert_int_equal(MFA("list"), 0);
    expect_output("bob                               never used\n");
    assert_null(strstr(output, secret));
    assert_int_equal(MFA("list", "--json"), 0);
    expect_output("{\"person\":\"bob\",\"last_used\":\"\"}\n");
    expect_output("{\"person\":\"alice\",\"last_used\":\"20");
    assert_int_equal(MFA("revoke", "alice"), 0);
    assert_int_equal(MFA("revoke", "alice"), 1);
    expect_output("has no secret");
    assert_int_equal(MFA("list"), 0);
    assert_null(strstr(output, "alice"));
    expect_output("bob");
}

static void json_and_issuer_are_printed(void **state)
{
    (void)state;
    fresh_folder();
    assert_int_equal(MFA("enroll", "alice", "--json", "--issuer", "Example \"Inc\""), 0);
    expect_output("{\"person\":\"alice\",\"secret\":\"");
    expect_output("\"uri\":\"otpauth://totp/Example%20%22Inc%22:alice?secret=");
    assert_int_equal(MFA("enroll", "bob", "--qr"), 0);
    expect_output("\033[30;47m");
}

static void name_that_is_no_person_is_wrong_usage(void **state)
{
    (void)state;
    fresh_folder();
    static char *const NAMES[] = {"", "Alice", "a b", "../x", "alice\nHOTP", "-alice"};
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        assert_int_equal(MFA("enroll", NAMES[i]), 2);
    }
    assert_int_equal(MFA("enroll"), 2);
    assert_int_equal(MFA("enrol", "alice"), 2);
    assert_int_equal(MFA("list", "alice"), 2);
    assert_int_equal(MFA("enroll", "alice", "--nonsense"), 2);
    assert_int_equal(RUN(enroll_command, "mfa"), 2);
    assert_int_equal(RUN(enroll_command, "mfa", "--help"), 0);
    assert_int_not_equal(access(users, F_OK), 0);
}

static void folder_open_to_others_is_refused(void **state)
{
    (void)state;
    fresh_folder();
    shell("chmod 750 %s/oath", folder);
    assert_int_equal(MFA("enroll", "alice"), 1);
    expect_output("0700");
    shell("rm -rf %s/oath", folder);
    assert_int_equal(MFA("enroll", "alice"), 1);
    expect_output("does not exist");
    fresh_folder();
    shell("touch %s/elsewhere; chown %d %s/elsewhere; chmod 600 %s/elsewhere; ln -s ../elsewhere %s", folder,
          PAM_UID, folder, folder, users);
    assert_int_equal(MFA("enroll", "alice"), 1);
    assert_int_equal(run_shell("stat -c %%s %s/elsewhere", folder), 0);
    assert_string_equal(output, "0\n");
    fresh_folder();
    shell("touch %s; chmod 644 %s; chown %d %s", users, users, PAM_UID, users);
    assert_int_equal(MFA("enroll", "alice"), 1);
}

/* A configuration names the PAM service, the service names the file, and the folder is made for uids.pam. */
static void users_file_is_found_by_the_pam_service(void **state)
{
    (void)state;
    shell("rm -rf %s/oath; mkdir -p %s/pam.d", folder, folder);
    shell("printf 'auth requisite pam_oath.so usersfile=%s window=1 digits=6\\n' >%s/pam.d/bastion", users,
          folder);
    shell("printf 'state_dir: %s/state\\npam:\\n  confdir: %s/pam.d\\nuids:\\n  pam: 64003\\n' "
          ">%s/bastiond.yaml",
          folder, folder, folder);
    char config[64];
    (void)snprintf(config, sizeof config, "%s/bastiond.yaml", folder);
    if (RUN(enroll_command, "mfa", "enroll", "alice", "--config", config) != 0) {
        fail_msg("%s", output);
    }
    struct stat status;
    assert_int_equal(stat(users, &status), 0);
    assert_int_equal(status.st_uid, PAM_UID);
    expect_output("Recovery codes, each good once");
    assert_int_equal(RUN(enroll_command, "mfa", "list", "--config", config, "--json"), 0);
    expect_output("{\"person\":\"alice\",\"last_used\":\"\",\"recovery_codes\":10}\n");
    assert_int_equal(run_shell("stat -c '%%a %%u' %s/state/recovery %s/state/recovery/alice", folder, folder),
                     0);
    assert_string_equal(output, "700 0\n600 0\n");
    shell("printf '# auth pam_oath.so usersfile=/x\\nauth required pam_deny.so\\n' >%s/pam.d/bastion",
          folder);
    assert_int_equal(RUN(enroll_command, "mfa", "list", "--config", config), 1);
    expect_output("names no usersfile=");
    shell("printf 'auth required pam_oath.so usersfile=${HOME}/x\\n' >%s/pam.d/bastion", folder);
    assert_int_equal(RUN(enroll_command, "mfa", "list", "--config", config), 1);
    assert_int_equal(RUN(enroll_command, "mfa", "list", "--config", "/nonexistent"), 1);
    expect_output("/nonexistent: does not exist");
}

static void init_makes_the_folders_for_their_users(void **state)
{
    (void)state;
    shell("rm -rf %s/var; mkdir -m 755 %s/var", folder, folder);
    /* "@" is the folder. */
    shell("printf 'keys: { host: @/k/host, inner: @/k/inner, user_ca: @/k/user_ca, host_ca: @/k/host_ca, "
          "db_ca: @/k/db_ca, log: @/k/log }\\nstate_dir: @/var/state\\nevents: @/var/log/events\\n"
          "keys_dir: @/var/keys\\nrecordings_dir: @/var/state/r\\nevidence_dir: @/var/state/e\\n"
          "pam: { writable: [@/var/state/oath, /dev/null] }\\n' | sed 's,@,%s,g' >%s/bastiond.yaml",
          folder, folder);
    char config[64];
    (void)snprintf(config, sizeof config, "%s/bastiond.yaml", folder);
    for (int round = 0; round < 2; round++) {
        if (RUN(init_command, "init", "--config", config, "--name", "bastion") != 0) {
            fail_msg("%s", output);
        }
        expect_output(round == 0 ? "folder     made " : "folder     kept ");
    }
    assert_int_equal(
        run_shell("cd %s/var && stat -c '%%a %%u %%n' state log keys state/r state/e state/oath", folder), 0);
    assert_string_equal(output, "711 0 state\n755 0 log\n755 0 keys\n750 64002 state/r\n750 64002 state/e\n"
                                "700 64003 state/oath\n");
}

static void init_makes_keys_that_openssh_reads_and_keeps_them(void **state)
{
    (void)state;
    char dir[64];
    (void)snprintf(dir, sizeof dir, "%s/private", folder);
    if (RUN(init_command, "init", "--dir", dir, "--name", "bastion.example.com", "--port", "2222",
            "--targets", "*.internal") != 0) {
        fail_msg("%s", output);
    }
    static char first[OUTPUT_BYTES];
    memcpy(first, output, sizeof first);
    expect_output("host key   made  SHA256:");
    expect_output("\n  [bastion.example.com]:2222 ssh-ed25519 AAAA");
    expect_output("\n  *.internal ssh-ed25519 AAAA");
    expect_output("\n  @cert-authority [bastion.example.com]:2222,*.internal ssh-ed25519 AAAA");
    expect_output("TrustedUserCAKeys");
    expect_output("log key    made  bastion.example.com+");
    assert_int_equal(run_shell("cd %s && stat -c '%%a %%n' . *", dir), 0);
    assert_string_equal(output,
                        "700 .\n600 db_ca\n600 host_ca\n644 host_ca.pub\n600 host_key\n644 host_key.pub\n600 "
                        "inner_key\n644 inner_key.pub\n600 log_key\n"
                        "644 log_key.pub\n600 user_ca\n644 user_ca.pub\n");
    static const char *const NAMES[] = {"host_key", "inner_key", "user_ca", "host_ca"};
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        char fingerprint[512];
        assert_int_equal(run_shell("ssh-keygen -y -f %s/%s >%s/derived && ssh-keygen -l -f %s/derived && "
                                   "ssh-keygen -l -f %s/%s.pub",
                                   dir, NAMES[i], folder, folder, dir, NAMES[i]),
                         0);
        assert_non_null(strstr(first, word_after("256 ", fingerprint)));
    }
    if (RUN(init_command, "init", "--dir", dir, "--name", "bastion.example.com") != 0) {
        fail_msg("%s", output);
    }
    assert_null(strstr(output, "made"));
    expect_output("\n  bastion.example.com ssh-ed25519 AAAA");
    expect_output("\n  * ssh-ed25519 AAAA");
    expect_output("\n  @cert-authority * ssh-ed25519 AAAA");
    char fingerprint[512];
    assert_non_null(strstr(first, word_after("kept  ", fingerprint)));
}

static void init_never_touches_what_it_cannot_read(void **state)
{
    (void)state;
    char dir[64];
    (void)snprintf(dir, sizeof dir, "%s/damaged", folder);
    shell("mkdir -m 700 %s; echo precious >%s/inner_key; chmod 600 %s/inner_key", dir, dir, dir);
    assert_int_equal(RUN(init_command, "init", "--dir", dir, "--name", "b"), 1);
    expect_output("inner_key: is no private key file");
    assert_int_equal(run_shell("cat %s/inner_key", dir), 0);
    assert_string_equal(output, "precious\n");
    shell("rm %s/inner_key; ln -s /nonexistent %s/inner_key", dir, dir);
    assert_int_equal(RUN(init_command, "init", "--dir", dir, "--name", "b"), 1);
    shell("rm %s/inner_key; chmod 640 %s/host_key", dir, dir);
    assert_int_equal(RUN(init_command, "init", "--dir", dir, "--name", "b"), 1);
    expect_output("0600");
    assert_int_equal(RUN(init_command, "init", "--dir", "/nonexistent/deep"), 1);
    assert_int_equal(RUN(init_command, "init", "--dir", dir, "--config", dir), 2);
    assert_int_equal(RUN(init_command, "init", "--name", "a b"), 2);
    assert_int_equal(RUN(init_command, "init", "--port", "0"), 2);
    assert_int_equal(RUN(init_command, "init", "--targets", "a b"), 2);
    assert_int_equal(RUN(init_command, "init", "extra"), 2);
    assert_int_equal(RUN(init_command, "init", "--help"), 0);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(enrolled_secret_is_taken_by_liboath_once),
        cmocka_unit_test(users_file_belongs_to_the_owner_of_its_folder),
        cmocka_unit_test(second_enrolment_needs_force),
        cmocka_unit_test(list_names_people_and_revoke_removes_them),
        cmocka_unit_test(json_and_issuer_are_printed),
        cmocka_unit_test(name_that_is_no_person_is_wrong_usage),
        cmocka_unit_test(folder_open_to_others_is_refused),
        cmocka_unit_test(users_file_is_found_by_the_pam_service),
        cmocka_unit_test(init_makes_the_folders_for_their_users),
        cmocka_unit_test(init_makes_keys_that_openssh_reads_and_keeps_them),
        cmocka_unit_test(init_never_touches_what_it_cannot_read),
    };
    if (geteuid() != 0) {
        print_message("skipped: this test needs root to give files to the user of bastion-pam\n");
        return 0;
    }
    return cmocka_run_group_tests(TESTS, begin, end);
}
