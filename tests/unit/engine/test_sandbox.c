/* After engine_library_init() an engine needs no system call but for memory, randomness and time: proven by a
 * filter that kills on every other. It is stricter than the session's own: no read, write, poll, close or
 * open. */
#include "engine_pair.h"

#include <signal.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ENGINES_OF_A_SESSION = 33, CHUNK_BYTES = 32768 };

#define ALLOW(name)                                                                                          \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
/* Allowed unless the third argument asks for executable memory. */
#define ALLOW_NOT_EXECUTABLE(name)                                                                           \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 4),                                                   \
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),                          \
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW), \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)

static void close_sandbox(void)
{
    static const struct sock_filter RULES[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(brk),
        ALLOW(munmap),
        ALLOW(mremap),
        ALLOW(madvise),
        ALLOW(futex),
        ALLOW(getrandom),
        ALLOW(getpid),
        ALLOW(gettimeofday),
        ALLOW(clock_gettime),
        ALLOW(rt_sigreturn),
        ALLOW(exit_group),
        ALLOW_NOT_EXECUTABLE(mmap),
        ALLOW_NOT_EXECUTABLE(mprotect),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {.len = COUNT_OF(RULES), .filter = (struct sock_filter *)RULES};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        _exit(3);
    }
}

static void use_everything(const char *cipher)
{
    struct pair pair;
    pair_init(&pair);
    pair.server_config.ciphers = cipher;
    pair.client_config.ciphers = cipher;
    pair.server_config.rekey_bytes = (uint64_t)1 << 20;
    pair.client_config.rekey_seconds = 3600;
    pair_connect(&pair);
    uint8_t hash[32] = {0};
    for (unsigned number = 0; number < 128; number++) {
        assert_int_equal(pair_send(pair.client, PAIR_CHANNEL_DATA, number, CHUNK_BYTES, hash), ERR_NONE);
        assert_int_equal(pair_send(pair.server, PAIR_CHANNEL_DATA, number, CHUNK_BYTES, hash), ERR_NONE);
        assert_int_equal(pair_exchange(&pair), ERR_NONE);
    }
    assert_true(pair.sign_count > 3);
    assert_int_equal(engine_disconnect(pair.server, 11, "end"), ERR_NONE);
    assert_int_equal(pair_move(pair.server, pair.client), ERR_CLOSED);
    pair_done(&pair);
}

static void use_as_many_as_a_session_may(void)
{
    static struct pair pairs[ENGINES_OF_A_SESSION / 2 + 1];
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        pair_init(&pairs[i]);
        pairs[i].refusals = i == 0 ? 1 : 0;
        pair_open(&pairs[i]);
        pair_request_login(&pairs[i]);
        assert_int_equal(pair_exchange(&pairs[i]), ERR_NONE);
        assert_int_equal(pairs[i].login_result, i == 0 ? ERR_DENIED : ERR_NONE);
    }
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        pair_done(&pairs[i]);
    }
}

static void use_wrongly(void)
{
    struct pair pair;
    pair_init(&pair);
    pair.host_key_answer = ERR_DENIED;
    pair_open(&pair);
    assert_int_equal(pair_exchange(&pair), ERR_DENIED);
    pair_done(&pair);
    pair_init(&pair);
    pair_open(&pair);
    assert_int_equal(engine_feed(pair.server, cursor_of_text("no SSH\r\n")), ERR_MALFORMED);
    pair_done(&pair);
}

/* A failed assertion in here ends the child too: cmocka then writes, which is not allowed. */
static void engines_work_behind_a_closed_sandbox(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        /* The tests' own signing key asks OpenSSL for what the session's signer does in another process. */
        struct pair pair;
        pair_init(&pair);
        pair_done(&pair);
        close_sandbox();
        use_everything("aes128-gcm@openssh.com");
        use_everything("aes256-gcm@openssh.com");
        use_everything("chacha20-poly1305@openssh.com");
        use_everything("aes256-ctr");
        use_as_many_as_a_session_may();
        use_wrongly();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void sandbox_of_this_test_kills_a_read(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char byte = 0;
        close_sandbox();
        _exit(read(-1, &byte, 1) == 0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(engines_work_behind_a_closed_sandbox),
        cmocka_unit_test(sandbox_of_this_test_kills_a_read),
    };
    return engine_library_init() == ERR_NONE ? cmocka_run_group_tests(TESTS, NULL, NULL) : 1;
}
