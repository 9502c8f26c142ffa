/* For the tests with real OpenSSH programs: an engine on a socket, folders and children with an end. */
#ifndef TESTS_ENGINE_WIRE_H
#define TESTS_ENGINE_WIRE_H

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "crypto/base64.h"
#include "engine_pair.h"

enum { WIRE_READ_BYTES = 256 * 1024, WIRE_TEXT_BYTES = 512 };

/* One wait, one read, one write. ERR_CLOSED when the peer closed the socket. */
static inline enum err wire_step(int fd, struct engine *engine)
{
    static uint8_t bytes[WIRE_READ_BYTES];
    struct queue *output = engine_output(engine);
    struct pollfd ready = {.fd = fd, .events = (short)(POLLIN | (queue_len(output) > 0 ? POLLOUT : 0))};
    if (poll(&ready, 1, 10000) <= 0) {
        return ERR_AGAIN;
    }
    enum err err = ERR_NONE;
    if ((ready.revents & (POLLIN | POLLHUP)) != 0) {
        ssize_t len = read(fd, bytes, sizeof bytes);
        if (len <= 0) {
            return ERR_CLOSED;
        }
        err = engine_feed(engine, cursor_of(bytes, (size_t)len));
    }
    if (queue_len(output) > 0) {
        ssize_t len = send(fd, queue_bytes(output), queue_len(output), MSG_DONTWAIT | MSG_NOSIGNAL);
        queue_consume(output, len > 0 ? (size_t)len : 0);
    }
    return err;
}

/* Bound to loopback; the kernel picks the port. */
static inline int wire_listen(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static inline int wire_connect(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    /* A server that was just started needs some time until it listens. */
    for (int try = 0; try < 200; try++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
            return fd;
        }
        fd_close(&fd);
        (void)usleep(25 * 1000);
    }
    return -1;
}

static inline void wire_write_file(const char *folder, const char *name, unsigned mode, struct cursor bytes)
{
    char path[WIRE_TEXT_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, bytes), ERR_NONE);
    fd_close(&fd);
}

/* "ssh-ed25519 AAAA..." */
static inline void wire_public_line(const struct crypto_ed25519 *key, char text[static WIRE_TEXT_BYTES])
{
    uint8_t blob[PAIR_BLOB_BYTES];
    char encoded[128];
    size_t len = pair_key_blob(key, blob);
    assert_int_equal(
        crypto_base64_encode(cursor_of(blob, len), CRYPTO_BASE64_PADDED, encoded, sizeof encoded), ERR_NONE);
    (void)snprintf(text, WIRE_TEXT_BYTES, "ssh-ed25519 %s", encoded);
}

static inline pid_t wire_run(const char *const arguments[], int in, int out, const char *log_path)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int log = open(log_path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
        if (log >= 0 && dup2(in, 0) >= 0 && dup2(out, 1) >= 0 && dup2(log, 2) >= 0) {
            (void)execv(arguments[0], (char *const *)arguments);
        }
        _exit(127);
    }
    return child;
}

static inline void wire_remove_folder(const char *folder)
{
    const char *const ARGUMENTS[] = {"/bin/rm", "-rf", folder, NULL};
    int status = 0;
    pid_t child = wire_run(ARGUMENTS, 0, 1, "/dev/null");
    (void)waitpid(child, &status, 0);
}

#endif
