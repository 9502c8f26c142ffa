/* Takes the place of bastion-session and does to the monitor what a taken-over session could: the first line
 * that the client sends names the attack. The monitor must end this process, tell its operator, and serve on.
 *
 *   early TYPE     message TYPE with an empty body before anything is proven
 *   large TYPE     one byte more than the table allows
 *   fd TYPE        one descriptor more than the table allows
 *   flood TYPE     the same message until the monitor ends us
 *   other TYPE     garbage as a body, of a size that the table allows
 *   type NUMBER    a number that is no message
 *   short LENGTH   a message shorter than its header
 *   huge           a message longer than any may be
 *   hangup         closes the channel and stays
 *   script COUNT   COUNT messages that follow, each as u16 type, u32 length, body (big endian)
 *   leave          ends at once, without a word
 *   mute           never reads what the monitor sends, and makes it send */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/text.h"
#include "base/writer.h"
#include "ipc/channel.h"

enum { CLIENT_FD = IPC_CHANNEL_FD + 1, LINE_BYTES = 64, FLOOD_COUNT = 100000, WAIT_MS = 30000 };

static uint8_t body_bytes[2 * IPC_BODY_MAX];

static void send_raw(unsigned type, size_t body_len, unsigned fd_count)
{
    uint8_t header[IPC_HEADER_BYTES];
    struct writer out = writer_of(header, sizeof header);
    writer_u16be(&out, (uint16_t)type);
    writer_u16be(&out, 0);
    writer_u32be(&out, 1);
    struct iovec parts[] = {{header, sizeof header}, {body_bytes, body_len}};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * 3)];
    } control = {0};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    if (fd_count > 0) {
        int fds[] = {STDIN_FILENO, STDIN_FILENO, STDIN_FILENO};
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(rights), fds, sizeof(int) * fd_count);
    }
    struct pollfd room = {.fd = IPC_CHANNEL_FD, .events = POLLOUT};
    (void)poll(&room, 1, WAIT_MS);
    (void)sendmsg(IPC_CHANNEL_FD, &message, MSG_NOSIGNAL);
}

static void send_bytes(size_t len)
{
    (void)send(IPC_CHANNEL_FD, body_bytes, len, MSG_NOSIGNAL);
}

static bool read_exactly(uint8_t *bytes, size_t len)
{
    for (size_t done = 0; done < len;) {
        struct pollfd wanted = {.fd = CLIENT_FD, .events = POLLIN};
        ssize_t got = poll(&wanted, 1, WAIT_MS) <= 0 ? -1 : read(CLIENT_FD, bytes + done, len - done);
        if (got <= 0) {
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

/* All are read before the first is sent, so that the monitor finds them together. */
static void send_script(unsigned count)
{
    enum { SCRIPT_MAX = 8, SCRIPT_HEAD_BYTES = 6, SCRIPT_BODY_BYTES = 1024 };
    static uint8_t bodies[SCRIPT_MAX][SCRIPT_BODY_BYTES];
    uint16_t types[SCRIPT_MAX];
    uint32_t lens[SCRIPT_MAX];
    for (unsigned i = 0; i < count; i++) {
        uint8_t head[SCRIPT_HEAD_BYTES];
        if (i >= SCRIPT_MAX || !read_exactly(head, sizeof head)) {
            return;
        }
        struct cursor in = cursor_of(head, sizeof head);
        if (cursor_u16be(&in, &types[i]) != ERR_NONE || cursor_u32be(&in, &lens[i]) != ERR_NONE ||
            lens[i] > SCRIPT_BODY_BYTES || !read_exactly(bodies[i], lens[i])) {
            return;
        }
    }
    for (unsigned i = 0; i < count; i++) {
        memcpy(body_bytes, bodies[i], lens[i]);
        send_raw(types[i], lens[i], 0);
    }
}

static void attack(const char *name, unsigned number)
{
    const struct ipc_row *row = ipc_row(number);
    size_t max = row == NULL ? 0 : row->max_bytes;
    unsigned fds = row == NULL ? 0 : row->fds;
    if (strcmp(name, "early") == 0) {
        send_raw(number, 0, fds);
    } else if (strcmp(name, "large") == 0) {
        send_raw(number, max + 1, fds);
    } else if (strcmp(name, "fd") == 0) {
        send_raw(number, 0, fds + 1);
    } else if (strcmp(name, "flood") == 0) {
        for (int i = 0; i < FLOOD_COUNT; i++) {
            send_raw(number, 0, fds);
        }
    } else if (strcmp(name, "other") == 0) {
        memset(body_bytes, 0xff, sizeof body_bytes);
        send_raw(number, max < 100 ? max : 100, fds);
    } else if (strcmp(name, "type") == 0) {
        send_raw(number, 0, 0);
    } else if (strcmp(name, "short") == 0) {
        send_bytes(number);
    } else if (strcmp(name, "huge") == 0) {
        send_bytes(IPC_HEADER_BYTES + IPC_BODY_MAX + 1);
    } else if (strcmp(name, "script") == 0) {
        send_script(number);
    } else if (strcmp(name, "hangup") == 0) {
        (void)close(IPC_CHANNEL_FD);
    } else if (strcmp(name, "mute") == 0) {
        /* Each hash is answered; nobody takes the answers. */
        struct writer out = writer_of(body_bytes, sizeof body_bytes);
        writer_u8(&out, 0);
        writer_string(&out, cursor_of(body_bytes + IPC_BODY_MAX, 32));
        for (int i = 0; i < FLOOD_COUNT; i++) {
            send_raw(IPC_KEX_SIGN, (size_t)(out.at - out.start), 0);
        }
    }
}

/* The attack and its number, from the client. */
static bool read_line(char line[static LINE_BYTES])
{
    size_t len = 0;
    while (len + 1 < LINE_BYTES) {
        struct pollfd wanted = {.fd = CLIENT_FD, .events = POLLIN};
        if (poll(&wanted, 1, WAIT_MS) <= 0 || read(CLIENT_FD, line + len, 1) != 1) {
            return false;
        }
        if (line[len] == '\n') {
            line[len] = 0;
            return true;
        }
        len++;
    }
    return false;
}

int main(void)
{
    char line[LINE_BYTES];
    (void)signal(SIGPIPE, SIG_IGN);
    if (!read_line(line)) {
        _exit(EXIT_SUCCESS);
    }
    struct cursor in = cursor_of_text(line);
    struct cursor name;
    struct cursor digits;
    uint64_t number = 0;
    if (!cursor_word(&in, &name) ||
        (cursor_word(&in, &digits) && text_u64(digits, UINT16_MAX, &number) != ERR_NONE)) {
        return EXIT_SUCCESS;
    }
    char text[LINE_BYTES];
    (void)snprintf(text, sizeof text, "%.*s", (int)cursor_len(&name), (const char *)name.at);
    if (strcmp(text, "leave") == 0) {
        _exit(EXIT_FAILURE);
    }
    attack(text, (unsigned)number);
    /* The monitor must end us; leaving by ourselves would hide that it did not. */
    struct pollfd never = {.fd = -1};
    (void)poll(&never, 1, 2 * WAIT_MS);
    ssize_t ignored = write(CLIENT_FD, "alive\n", 6);
    (void)ignored;
    return EXIT_SUCCESS;
}
