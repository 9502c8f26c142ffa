/* One host, in a process of its own that can open nothing more once it listens to it. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "engine/engine.h"
#include "scan.h"
#include "target/address.h"

enum { US_PER_MS = 1000, US_PER_S = 1000000, READ_BYTES = 16384 };
static const char *const KINDS[SCAN_KINDS] = {"ssh-ed25519",
                                              "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521",
                                              "rsa-sha2-512,rsa-sha2-256"};

struct visit {
    struct engine *engine; /* OWNED */
    struct keys_blob shown;
    bool is_proven;
};

/* ---- the report: a sentence, then the keys, all SSH strings ---- */

static _Noreturn void finish(int out_fd, const char *problem, const struct visit *visits)
{
    static uint8_t memory[SCAN_KINDS * (LIMIT_KEY_BLOB_BYTES + 4) + SCAN_SENTENCE_BYTES + 4];
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor bytes;
    writer_text(&out, problem);
    for (size_t i = 0; visits != NULL && i < SCAN_KINDS; i++) {
        if (visits[i].is_proven) {
            writer_string(&out, keys_blob_peek(&visits[i].shown));
        }
    }
    bool is_told = writer_done(&out, &bytes) == ERR_NONE && fd_write_all(out_fd, bytes) == ERR_NONE;
    _exit(is_told ? EXIT_SUCCESS : EXIT_FAILURE);
}

void scan_host_read(struct cursor report, struct scan_result *ret_result)
{
    struct cursor blob;
    ret_result->shown_count = 0;
    if (cursor_text(&report, ret_result->problem, sizeof ret_result->problem) != ERR_NONE) {
        (void)snprintf(ret_result->problem, sizeof ret_result->problem, "no answer in time");
        return;
    }
    while (ret_result->shown_count < SCAN_KINDS &&
           cursor_string(&report, LIMIT_KEY_BLOB_BYTES, &blob) == ERR_NONE &&
           keys_blob_copy(blob, &ret_result->shown[ret_result->shown_count]) == ERR_NONE) {
        ret_result->shown_count++;
    }
}

/* ---- the connection ---- */

static enum err network_of(const struct addrinfo *answer, struct network *ret)
{
    if (answer->ai_family == AF_INET) {
        return network_of_bytes(
            cursor_of(&((const struct sockaddr_in *)(const void *)answer->ai_addr)->sin_addr, 4), ret);
    }
    return network_of_bytes(
        cursor_of(&((const struct sockaddr_in6 *)(const void *)answer->ai_addr)->sin6_addr, 16), ret);
}

/* As the gateway does: one answer outside of the target's addresses refuses the name. */
static const char *refuse_addresses(const struct scan_job *job, const struct addrinfo *answers,
                                    char text[static SCAN_SENTENCE_BYTES])
{
    for (const struct addrinfo *at = answers; at != NULL; at = at->ai_next) {
        struct network address;
        const char *why = "no address";
        char shown[NETWORK_TEXT_BYTES] = "?";
        bool is_good =
            network_of(at, &address) == ERR_NONE &&
            address_check(&address, job->target.networks, job->target.network_count, &why) == ERR_NONE;
        if (!is_good) {
            (void)snprintf(text, SCAN_SENTENCE_BYTES, "its name leads to %s, which is %.120s",
                           network_text(&address, shown), why);
            return text;
        }
    }
    return NULL;
}

static bool wait_for(int fd, short events, uint64_t deadline_us)
{
    for (;;) {
        uint64_t now_us = clock_monotonic_us();
        if (now_us >= deadline_us) {
            errno = ETIMEDOUT;
            return false;
        }
        struct pollfd wanted = {.fd = fd, .events = events};
        int ready = poll(&wanted, 1, (int)((deadline_us - now_us) / US_PER_MS) + 1);
        if (ready > 0 || (ready < 0 && errno != EINTR)) {
            return ready > 0;
        }
    }
}

static int connect_to(const struct addrinfo *address, uint64_t deadline_us)
{
    OWNED_FD fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0 || (connect(fd, address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS) ||
        !wait_for(fd, POLLOUT, deadline_us)) {
        return -1;
    }
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        errno = error;
        return -1;
    }
    return fd_take(&fd);
}

/* All connections at once: afterwards nothing can be opened any more. */
static void connect_all(const struct scan_job *job, uint64_t deadline_us, int out_fd,
                        int fds[static SCAN_KINDS])
{
    char service[8];
    char problem[SCAN_SENTENCE_BYTES];
    struct addrinfo *answers = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    (void)snprintf(service, sizeof service, "%u", job->port);
    int error = getaddrinfo(job->host, service, &hints, &answers);
    if (error != 0) {
        (void)snprintf(problem, sizeof problem, "its name leads nowhere: %.120s", gai_strerror(error));
        finish(out_fd, problem, NULL);
    }
    if (refuse_addresses(job, answers, problem) != NULL) {
        finish(out_fd, problem, NULL);
    }
    const struct addrinfo *at = answers;
    while ((fds[0] = connect_to(at, deadline_us)) < 0 && at->ai_next != NULL) {
        at = at->ai_next;
    }
    for (size_t i = 1; i < SCAN_KINDS && fds[0] >= 0; i++) {
        fds[i] = connect_to(at, deadline_us);
    }
    if (fds[0] < 0) {
        (void)snprintf(problem, sizeof problem, "no connection: %.120s", strerror(errno));
        finish(out_fd, problem, NULL);
    }
    freeaddrinfo(answers);
}

/* ---- closing the door ---- */

static bool give_up_rights(uint32_t uid)
{
    static const struct {
        __rlimit_resource_t resource;
        rlim_t value;
    } LIMITS[] = {{RLIMIT_NOFILE, 1}, {RLIMIT_NPROC, 0}, {RLIMIT_FSIZE, 0}, {RLIMIT_CORE, 0}};
    /* poll(2) wants one; number 0 is taken, so that nothing can be opened. */
    bool is_done = fcntl(STDIN_FILENO, F_GETFD) >= 0;
    if (geteuid() == 0) {
        is_done = is_done && setgroups(0, NULL) == 0 && setresgid(uid, uid, uid) == 0 &&
                  setresuid(uid, uid, uid) == 0;
    }
    for (size_t i = 0; is_done && i < sizeof LIMITS / sizeof LIMITS[0]; i++) {
        const struct rlimit limit = {LIMITS[i].value, LIMITS[i].value};
        is_done = setrlimit(LIMITS[i].resource, &limit) == 0;
    }
    return is_done && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

/* ---- the key exchange ---- */

static enum err take_key(void *owner, struct cursor key_blob)
{
    struct visit *visit = owner;
    return keys_blob_copy(key_blob, &visit->shown);
}

/* The signature over the exchange was good: the host holds the key. */
static void ready(void *owner)
{
    struct visit *visit = owner;
    visit->is_proven = true;
}

static const struct engine_events EVENTS = {.host_key = take_key, .ready = ready};

static enum err exchange(struct visit *visit, int fd, uint64_t deadline_us)
{
    uint8_t bytes[READ_BYTES];
    while (!visit->is_proven) {
        struct queue *output = engine_output(visit->engine);
        while (queue_len(output) > 0) {
            ssize_t sent = write(fd, queue_bytes(output), queue_len(output));
            if (sent > 0) {
                queue_consume(output, (size_t)sent);
            } else if (sent < 0 && errno == EAGAIN && wait_for(fd, POLLOUT, deadline_us)) {
                continue;
            } else {
                return ERR_SYSTEM;
            }
        }
        ssize_t got = wait_for(fd, POLLIN, deadline_us) ? read(fd, bytes, sizeof bytes) : -1;
        if (got <= 0) {
            return got == 0 ? ERR_CLOSED : ERR_SYSTEM;
        }
        TRY(engine_feed(visit->engine, cursor_of(bytes, (size_t)got)));
    }
    return ERR_NONE;
}

static enum err see(struct visit *visit, const char *kinds, int fd, uint64_t deadline_us)
{
    const struct engine_config config = {
        .role = ENGINE_CLIENT, .host_keys = kinds, .wants_host_certificate = true};
    TRY(engine_new(&config, &EVENTS, visit, &visit->engine));
    enum err err = engine_start(visit->engine);
    if (err == ERR_NONE) {
        err = exchange(visit, fd, deadline_us);
    }
    engine_free(visit->engine);
    visit->engine = NULL;
    return err;
}

void scan_host(const struct scan_job *job, uint32_t uid, uint32_t timeout_s, int out_fd)
{
    static struct visit visits[SCAN_KINDS];
    int fds[SCAN_KINDS] = {-1, -1, -1};
    uint64_t deadline_us = clock_monotonic_us() + (uint64_t)timeout_s * US_PER_S;
    (void)signal(SIGPIPE, SIG_IGN);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || engine_library_init() != ERR_NONE) {
        finish(out_fd, "the SSH library of this program does not pass its own test", NULL);
    }
    connect_all(job, deadline_us, out_fd, fds);
    if (!give_up_rights(uid)) {
        finish(out_fd, "the rights of this process could not be given up", NULL);
    }
    enum err first = ERR_NONE;
    bool has_key = false;
    for (size_t i = 0; i < SCAN_KINDS; i++) {
        enum err err = fds[i] < 0 ? ERR_CLOSED : see(&visits[i], KINDS[i], fds[i], deadline_us);
        first = i == 0 ? err : first;
        has_key = has_key || visits[i].is_proven;
        fd_close(&fds[i]);
    }
    char problem[SCAN_SENTENCE_BYTES];
    (void)snprintf(problem, sizeof problem, "no SSH server that proves a key: %s",
                   first == ERR_SYSTEM ? strerror(errno) : err_text(first));
    finish(out_fd, has_key ? "" : problem, visits);
}
