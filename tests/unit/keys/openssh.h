/* OpenSSH's own programs as the other side of a test: ssh-keygen makes keys, ssh-agent signs with them. */
#ifndef TESTS_KEYS_OPENSSH_H
#define TESTS_KEYS_OPENSSH_H

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/writer.h"
#include "crypto/base64.h"
#include "keys/blob.h"
#include "unit_test.h"

enum { WORD_BYTES = 512, OUTPUT_BYTES = 65536 };

struct openssh {
    char folder[64];
    pid_t agent;
    char socket[96];
};

__attribute__((unused)) static struct openssh openssh; /* one per test program */

/* Run `command` by a shell inside the test's folder; what it prints on both channels lands in `output`.
 * @return its exit status. */
__attribute__((unused, format(printf, 2, 3))) static int run(char output[static OUTPUT_BYTES],
                                                             const char *format, ...)
{
    char command[4 * WORD_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    char whole[5 * WORD_BYTES];
    (void)snprintf(whole, sizeof whole, "cd %s && { %s\n} 2>&1 </dev/null", openssh.folder, command);
    FILE *pipe = popen(whole, "r");
    assert_non_null(pipe);
    size_t len = fread(output, 1, OUTPUT_BYTES - 1, pipe);
    output[len] = 0;
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

__attribute__((unused)) static void openssh_start(void)
{
    (void)snprintf(openssh.folder, sizeof openssh.folder, "/tmp/keys-test-XXXXXX");
    assert_non_null(mkdtemp(openssh.folder));
    openssh.agent = -1;
}

__attribute__((unused)) static void openssh_stop(void)
{
    if (openssh.agent > 0) {
        (void)kill(openssh.agent, SIGTERM);
        (void)waitpid(openssh.agent, NULL, 0);
    }
    static char output[OUTPUT_BYTES];
    (void)run(output, "rm -rf -- %s", openssh.folder);
}

/* Make the key files NAME and NAME.pub. */
__attribute__((unused)) static void openssh_keygen(const char *name, const char *options)
{
    static char output[OUTPUT_BYTES];
    int status = run(output, "ssh-keygen -q -N '' -C '%s comment' -f %s %s", name, name, options);
    if (status != 0) {
        fail_msg("ssh-keygen %s: %s", options, output);
    }
}

__attribute__((unused)) static size_t openssh_read_file(const char *name, char text[static OUTPUT_BYTES])
{
    char path[2 * WORD_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", openssh.folder, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(text, 1, OUTPUT_BYTES - 1, file);
    text[len] = 0;
    (void)fclose(file);
    return len;
}

__attribute__((unused)) static void openssh_write_file(const char *name, mode_t mode, struct cursor bytes)
{
    char path[2 * WORD_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", openssh.folder, name);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, bytes), ERR_NONE);
    fd_close(&fd);
}

/* The blob in NAME.pub, read by the code under test's own reader of lines. */
__attribute__((unused)) static void openssh_blob(const char *name, struct keys_blob *ret_blob)
{
    static char text[OUTPUT_BYTES];
    char file[WORD_BYTES];
    (void)snprintf(file, sizeof file, "%s.pub", name);
    struct cursor line = cursor_of(text, openssh_read_file(file, text));
    struct cursor type = {NULL, NULL};
    struct cursor base64 = {NULL, NULL};
    assert_true(cursor_word(&line, &type) && cursor_word(&line, &base64));
    assert_int_equal(keys_line_read(type, base64, ret_blob), ERR_NONE);
}

enum { CERTIFICATE_BYTES = LIMIT_KEY_BLOB_BYTES };

/* What `ssh-keygen -s CA -I some-id OPTIONS KEY.pub` makes. */
__attribute__((unused)) static struct cursor openssh_certify(const char *ca, const char *key,
                                                             const char *options,
                                                             uint8_t memory[static CERTIFICATE_BYTES])
{
    static char text[OUTPUT_BYTES];
    char file[WORD_BYTES];
    if (run(text, "ssh-keygen -q -s %s -I some-id -z 77 %s %s.pub", ca, options, key) != 0) {
        fail_msg("ssh-keygen -s: %s", text);
    }
    (void)snprintf(file, sizeof file, "%s-cert.pub", key);
    struct cursor line = cursor_of(text, openssh_read_file(file, text));
    struct cursor word = {NULL, NULL};
    assert_true(cursor_word(&line, &word) && cursor_word(&line, &word));
    size_t len = 0;
    assert_int_equal(crypto_base64_decode(word, CRYPTO_BASE64_PADDED, memory, CERTIFICATE_BYTES, &len),
                     ERR_NONE);
    return cursor_of(memory, len);
}

__attribute__((unused)) static void openssh_agent_start(void)
{
    (void)snprintf(openssh.socket, sizeof openssh.socket, "%s/agent", openssh.folder);
    openssh.agent = fork();
    assert_true(openssh.agent >= 0);
    if (openssh.agent == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        (void)dup2(null, 0);
        (void)dup2(null, 1);
        (void)execlp("ssh-agent", "ssh-agent", "-D", "-a", openssh.socket, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 500 && access(openssh.socket, F_OK) != 0; i++) {
        (void)usleep(10000);
    }
    assert_int_equal(access(openssh.socket, F_OK), 0);
}

__attribute__((unused)) static void openssh_agent_add(const char *name)
{
    static char output[OUTPUT_BYTES];
    if (run(output, "SSH_AUTH_SOCK=%s ssh-add -q %s", openssh.socket, name) != 0) {
        fail_msg("ssh-add %s: %s", name, output);
    }
}

enum { AGENT_SHA1 = 0, AGENT_SHA256 = 2, AGENT_SHA512 = 4 }; /* draft-miller-ssh-agent 4.5.1, for RSA keys */

/* A signature blob made by OpenSSH. @return its length in `ret_signature`. */
__attribute__((unused)) static size_t openssh_sign(struct cursor blob, struct cursor data, uint32_t flags,
                                                   uint8_t ret_signature[static LIMIT_SIGNATURE_BYTES])
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", openssh.socket);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    uint8_t memory[16384];
    struct writer out = writer_of(memory, sizeof memory);
    uint8_t *packet = writer_string_begin(&out);
    writer_u8(&out, 13); /* SSH_AGENTC_SIGN_REQUEST */
    writer_string(&out, blob);
    writer_string(&out, data);
    writer_u32be(&out, flags);
    writer_string_end(&out, packet);
    struct cursor request;
    assert_int_equal(writer_done(&out, &request), ERR_NONE);
    assert_int_equal(fd_write_all(fd, request), ERR_NONE);
    size_t len = 0;
    struct cursor answer;
    for (;;) {
        ssize_t got = read(fd, memory + len, sizeof memory - len);
        assert_true(got > 0);
        len += (size_t)got;
        struct cursor in = cursor_of(memory, len);
        if (cursor_string(&in, sizeof memory, &answer) == ERR_NONE) {
            break;
        }
    }
    fd_close(&fd);
    uint8_t type = 0;
    struct cursor signature;
    assert_int_equal(cursor_u8(&answer, &type), ERR_NONE);
    assert_int_equal(type, 14); /* SSH_AGENT_SIGN_RESPONSE */
    assert_int_equal(cursor_string(&answer, LIMIT_SIGNATURE_BYTES, &signature), ERR_NONE);
    memcpy(ret_signature, signature.at, cursor_len(&signature));
    return cursor_len(&signature);
}

#endif
