/* bastion-dial as bastiond starts it, in a network of its own: one device, a name server that answers what
 * the name asks for, and listeners. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/network.h"
#include "base/writer.h"
#include "ipc/channel.h"
#include "unit_test.h"

enum { OPEN_PORT = 2222, CLOSED_PORT = 2223, DIAL_FD_SPARE = 50, TIMEOUT_MS = 1500 };

static int listener = -1;
static pid_t name_server = -1;

static void add_address(const char *device, const char *address)
{
    OWNED_FD fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {0};
    (void)snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device);
    struct sockaddr_in *in = (void *)&request.ifr_addr;
    in->sin_family = AF_INET;
    assert_int_equal(inet_pton(AF_INET, address, &in->sin_addr), 1);
    assert_int_equal(ioctl(fd, SIOCSIFADDR, &request), 0);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
}

static size_t read_numbers(const char *name, uint8_t *numbers, size_t max)
{
    size_t count = 0;
    while (*name != 0 && count < max) {
        char *end = NULL;
        unsigned long number = strtoul(name, &end, 10);
        if (*name >= '0' && *name <= '9') {
            numbers[count++] = (uint8_t)number;
            name = end;
        } else {
            name++;
        }
    }
    return count;
}

/* The name says what is answered: "a-10-1-2-3-and-10-1-2-4.test". AAAA questions get no answer but a good
 * header. */
static size_t answer_question(uint8_t *packet, size_t len)
{
    if (len < 17 || len > 256) {
        return 0;
    }
    char name[64] = "";
    size_t label = packet[12];
    if (label >= sizeof name || 13 + label >= len) {
        return 0;
    }
    memcpy(name, packet + 13, label);
    size_t end = 12;
    while (end < len && packet[end] != 0) {
        end += packet[end] + 1U;
    }
    end += 5; /* the root label, type, class */
    bool is_ipv4 = packet[end - 3] == 1;
    uint8_t part[8] = {0};
    size_t count = read_numbers(name, part, sizeof part);
    size_t answers = is_ipv4 ? count / 4 : 0;
    packet[2] = 0x81;
    packet[3] = count < 4 ? 0x83 : 0x80; /* no such name, or fine */
    packet[7] = (uint8_t)answers;
    memset(packet + 8, 0, 4);
    for (size_t i = 0; i < answers; i++) {
        static const uint8_t HEAD[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4};
        memcpy(packet + end, HEAD, sizeof HEAD);
        end += sizeof HEAD;
        for (size_t byte = 0; byte < 4; byte++) {
            packet[end++] = part[i * 4 + byte];
        }
    }
    return end;
}

static void serve_names(void)
{
    OWNED_FD fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(53)};
    if (inet_pton(AF_INET, "10.1.0.53", &here.sin_addr) != 1 ||
        bind(fd, (struct sockaddr *)&here, sizeof here) != 0) {
        _exit(1);
    }
    for (;;) {
        uint8_t packet[512];
        struct sockaddr_in from;
        socklen_t size = sizeof from;
        ssize_t len = recvfrom(fd, packet, sizeof packet, 0, (struct sockaddr *)&from, &size);
        size_t answer = len > 0 ? answer_question(packet, (size_t)len) : 0;
        if (answer > 0) {
            (void)sendto(fd, packet, answer, 0, (struct sockaddr *)&from, size);
        }
    }
}

static void bind_file_over(const char *path, const char *content)
{
    char name[] = "/tmp/dial-test-XXXXXX";
    OWNED_FD fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, 0644), 0);
    assert_int_equal(fd_write_all(fd, cursor_of_text(content)), ERR_NONE);
    assert_int_equal(mount(name, path, NULL, MS_BIND, NULL), 0);
    assert_int_equal(unlink(name), 0);
}

static int prepare(void **state)
{
    (void)state;
    assert_int_equal(unshare(CLONE_NEWNET | CLONE_NEWNS), 0);
    assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    bind_file_over("/etc/resolv.conf", "nameserver 10.1.0.53\n");
    bind_file_over("/etc/nsswitch.conf", "hosts: files nosuchmodule dns\n");
    bind_file_over("/etc/hosts", "127.0.0.1 localhost\n10.1.0.1 in-hosts.test\n");
    add_address("lo", "127.0.0.1");
    add_address("lo:1", "10.1.0.53");
    add_address("lo:2", "10.1.0.1");
    add_address("lo:3", "10.1.0.2");
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(OPEN_PORT)};
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&here, sizeof here), 0);
    assert_int_equal(listen(listener, 16), 0);
    name_server = fork();
    assert_true(name_server >= 0);
    if (name_server == 0) {
        serve_names();
    }
    return 0;
}

static int finish(void **state)
{
    (void)state;
    (void)kill(name_server, SIGKILL);
    (void)waitpid(name_server, NULL, 0);
    (void)close(listener);
    return 0;
}

static pid_t start(int *ret_channel)
{
    int theirs = -1;
    assert_int_equal(ipc_pair(ret_channel, &theirs), ERR_NONE);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int high = fcntl(theirs, F_DUPFD, DIAL_FD_SPARE);
        if (dup2(high, IPC_CHANNEL_FD) != IPC_CHANNEL_FD) {
            _exit(99);
        }
        (void)execl(BASTION_DIAL, "bastion-dial", "--uid", "64998", "--gid", "64998", (char *)NULL);
        _exit(98);
    }
    (void)close(theirs);
    return child;
}

struct answer {
    enum ipc_type type;
    uint8_t reason;
    char sentence[LIMIT_SENTENCE_BYTES], peer[64], local[64];
    int fd; /* OWNED */
    int status;
};

/** Grants are IPv4 with a prefix: "10.1.0.0/24". */
static void send_request(int channel, const char *host, uint16_t port, const char *const *grants)
{
    uint8_t bytes[4096];
    struct writer out = writer_of(bytes, sizeof bytes);
    size_t count = 0;
    while (grants[count] != NULL) {
        count++;
    }
    writer_text(&out, host);
    writer_u16be(&out, port);
    writer_u32be(&out, TIMEOUT_MS);
    writer_u16be(&out, (uint16_t)count);
    for (size_t i = 0; i < count; i++) {
        struct network network;
        assert_int_equal(network_parse(cursor_of_text(grants[i]), &network), ERR_NONE);
        writer_u8(&out, network.family);
        writer_string(&out, cursor_of(network.bytes, 4));
        writer_u8(&out, network.prefix_bits);
    }
    struct cursor body;
    assert_int_equal(writer_done(&out, &body), ERR_NONE);
    assert_int_equal(ipc_send(channel, IPC_DIAL, 7, body, NULL, 0), ERR_NONE);
}

static void read_answer(struct ipc_message *message, struct answer *answer)
{
    struct cursor body = message->body;
    answer->type = message->type;
    assert_int_equal(message->ref, 7);
    if (message->type == IPC_DIAL_FAILED) {
        assert_int_equal(message->fd_count, 0);
        assert_int_equal(cursor_u8(&body, &answer->reason), ERR_NONE);
        assert_int_equal(cursor_text(&body, answer->sentence, sizeof answer->sentence), ERR_NONE);
    } else {
        assert_int_equal(message->type, IPC_DIAL_DONE);
        assert_int_equal(message->fd_count, 1);
        answer->fd = ipc_message_take_fd(message, 0);
        assert_int_equal(cursor_text(&body, answer->peer, sizeof answer->peer), ERR_NONE);
        assert_int_equal(cursor_text(&body, answer->local, sizeof answer->local), ERR_NONE);
    }
    assert_int_equal(cursor_end(&body), ERR_NONE);
    ipc_message_done(message);
}

static struct answer dial(const char *host, uint16_t port, const char *const *grants)
{
    static struct ipc_message message;
    struct answer answer = {.fd = -1};
    int channel = -1;
    pid_t child = start(&channel);
    send_request(channel, host, port, grants);
    assert_int_equal(ipc_wait(channel, 20000), ERR_NONE);
    enum err err = ipc_receive(channel, &message);
    assert_int_equal(waitpid(child, &answer.status, 0), child);
    if (err != ERR_NONE) {
        fail_msg("%s: no answer (%s), status %x", host, err_text(err), (unsigned)answer.status);
    }
    read_answer(&message, &answer);
    assert_int_equal(answer.status, 0);
    (void)close(channel);
    return answer;
}

static const char *const HERE[] = {"10.1.0.0/24", "10.1.0.1/32", "10.1.0.2/32", NULL};
static const char *const EVERYTHING[] = {"0.0.0.0/0", NULL};

static void expect_connection(const char *host, const char *peer)
{
    struct answer answer = dial(host, OPEN_PORT, HERE);
    if (answer.type != IPC_DIAL_DONE) {
        fail_msg("%s: %s", host, answer.sentence);
    }
    assert_string_equal(answer.peer, peer);
    assert_int_equal(strncmp(answer.local, "10.1.0.", 7), 0);
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    assert_int_equal(getsockopt(answer.fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    assert_int_equal(info.tcpi_state, TCP_ESTABLISHED);
    int on = 0;
    size = sizeof on;
    assert_int_equal(getsockopt(answer.fd, IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
    assert_int_equal(on, 1);
    assert_int_equal(getsockopt(answer.fd, SOL_SOCKET, SO_KEEPALIVE, &on, &size), 0);
    assert_int_equal(on, 1);
    int accepted = accept(listener, NULL, NULL);
    assert_int_equal(write(accepted, "hello", 5), 5);
    struct pollfd wanted = {.fd = answer.fd, .events = POLLIN};
    assert_int_equal(poll(&wanted, 1, 2000), 1);
    char text[8];
    assert_int_equal(read(answer.fd, text, sizeof text), 5);
    (void)close(accepted);
    (void)close(answer.fd);
}

static void dial_of_address_in_grant_connects(void **state)
{
    (void)state;
    expect_connection("10.1.0.1", "10.1.0.1");
}

static void dial_of_name_in_dns_connects(void **state)
{
    (void)state;
    expect_connection("a-10-1-0-2.test", "10.1.0.2");
}

static void dial_of_name_in_hosts_file_connects(void **state)
{
    (void)state;
    expect_connection("in-hosts.test", "10.1.0.1");
}

struct refused_row {
    const char *host;
    const char *const *grants;
    const char *says;
    unsigned reason;
    uint16_t port;
};

static void dial_that_may_not_be_is_refused_with_its_reason(void **state)
{
    (void)state;
    static const char *const NOWHERE[] = {NULL};
    static const char *const WIDE[] = {"10.0.0.0/8", NULL};
    static const struct refused_row ROWS[] = {
        {"nosuchname.test", HERE, "cannot be looked up", 1, OPEN_PORT},
        {"localhost", EVERYTHING, "loopback", 2, OPEN_PORT},
        {"127.1", EVERYTHING, "loopback", 2, OPEN_PORT},
        {"0x7f000001", EVERYTHING, "loopback", 2, OPEN_PORT},
        {"::1", EVERYTHING, "loopback", 2, OPEN_PORT},
        {"a-169-254-169-254.test", EVERYTHING, "cloud metadata", 2, 80},
        {"a-10-2-0-1.test", HERE, "outside the networks", 2, OPEN_PORT},
        /* One good answer does not save the other: it could be the next one that is used. */
        {"a-10-1-0-1-and-10-2-0-1.test", HERE, "10.2.0.1", 2, OPEN_PORT},
        {"a-10-1-0-1-and-127-0-0-1.test", HERE, "127.0.0.1", 2, OPEN_PORT},
        {"a-127-0-0-1-and-10-1-0-1.test", HERE, "127.0.0.1", 2, OPEN_PORT},
        {"10.1.0.1", NOWHERE, "outside the networks", 2, OPEN_PORT},
        /* In the networks of the target, but this machine. */
        {"10.1.0.1", WIDE, "the bastion itself", 2, OPEN_PORT},
        {"10.1.0.1", HERE, "refuses connections", 3, CLOSED_PORT},
        {"8.8.8.8", EVERYTHING, "Network is unreachable", 5, OPEN_PORT},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct answer answer = dial(ROWS[i].host, ROWS[i].port, ROWS[i].grants);
        if (answer.type != IPC_DIAL_FAILED || answer.reason != ROWS[i].reason ||
            strstr(answer.sentence, ROWS[i].says) == NULL) {
            fail_msg("%s: reason %u, %s", ROWS[i].host, answer.reason, answer.sentence);
        }
    }
}

/* A listener whose queue is full does not answer a new connection. */
static void dial_of_silent_address_times_out(void **state)
{
    (void)state;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(CLOSED_PORT)};
    int deaf = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(deaf, (struct sockaddr *)&here, sizeof here), 0);
    assert_int_equal(listen(deaf, 0), 0);
    int fillers[4];
    here.sin_addr.s_addr = htonl(0x0a010001);
    for (size_t i = 0; i < COUNT_OF(fillers); i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (struct sockaddr *)&here, sizeof here);
    }
    struct answer answer = dial("10.1.0.1", CLOSED_PORT, HERE);
    assert_int_equal(answer.type, IPC_DIAL_FAILED);
    assert_int_equal(answer.reason, 4);
    assert_non_null(strstr(answer.sentence, "no answer from"));
    for (size_t i = 0; i < COUNT_OF(fillers); i++) {
        (void)close(fillers[i]);
    }
    (void)close(deaf);
}

static int status_without_answer(enum ipc_type type, struct cursor body, bool is_closing)
{
    int channel = -1;
    int status = -1;
    pid_t child = start(&channel);
    if (is_closing) {
        (void)close(channel);
    } else {
        assert_int_equal(ipc_send(channel, type, 0, body, NULL, 0), ERR_NONE);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!is_closing) {
        (void)close(channel);
    }
    return status;
}

static void dial_with_wrong_message_ends_without_answer(void **state)
{
    (void)state;
    int status = status_without_answer(IPC_DIAL, cursor_of_text("junk"), false);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    status = status_without_answer(IPC_PAM_ANSWER, cursor_of_text("junk"), false);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    status = status_without_answer(IPC_NONE, cursor_of_text(""), true);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

static void dial_without_user_is_wrong_usage(void **state)
{
    (void)state;
    static const struct {
        const char *option;
        int status;
    } ROWS[] = {{"--help", 0}, {"--version", 0}, {"--uid=0", 2}, {"--uid=x", 2}, {"--nonsense", 2}};
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            int nowhere = open("/dev/null", O_WRONLY);
            (void)dup2(nowhere, 1);
            (void)dup2(nowhere, 2);
            (void)execl(BASTION_DIAL, "bastion-dial", ROWS[i].option, (char *)NULL);
            _exit(98);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), ROWS[i].status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dial_of_address_in_grant_connects),
        cmocka_unit_test(dial_of_name_in_dns_connects),
        cmocka_unit_test(dial_of_name_in_hosts_file_connects),
        cmocka_unit_test(dial_that_may_not_be_is_refused_with_its_reason),
        cmocka_unit_test(dial_of_silent_address_times_out),
        cmocka_unit_test(dial_with_wrong_message_ends_without_answer),
        cmocka_unit_test(dial_without_user_is_wrong_usage),
    };
    return cmocka_run_group_tests(tests, prepare, finish);
}
