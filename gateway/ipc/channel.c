#include "ipc/channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/writer.h"

enum { CHANNEL_BUFFER_BYTES = 1 << 19 }; /* sixteen of the largest message */

enum err ipc_pair(int *ret_mine, int *ret_theirs)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
        return ERR_SYSTEM;
    }
    for (int i = 0; i < 2; i++) {
        int size = CHANNEL_BUFFER_BYTES;
        /* The kernel may give less than asked for; a full channel is handled where it is met. */
        (void)setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    }
    *ret_mine = ends[0];
    *ret_theirs = ends[1];
    return ERR_NONE;
}

static enum err send_result(ssize_t sent)
{
    if (sent >= 0) {
        return ERR_NONE;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) {
        return ERR_AGAIN;
    }
    return errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN ? ERR_CLOSED : ERR_SYSTEM;
}

enum err ipc_send(int fd, enum ipc_type type, uint32_t ref, struct cursor body, const int *fds,
                  unsigned fd_count)
{
    const struct ipc_row *row = ipc_row(type);
    if (row == NULL || cursor_len(&body) > row->max_bytes) {
        return ERR_TOO_LARGE;
    }
    uint8_t header[IPC_HEADER_BYTES];
    struct writer out = writer_of(header, sizeof header);
    writer_u16be(&out, (uint16_t)type);
    writer_u16be(&out, 0);
    writer_u32be(&out, ref);
    struct iovec parts[] = {{header, sizeof header}, {.iov_len = cursor_len(&body)}};
    memcpy(&parts[1].iov_base, &body.at, sizeof body.at); /* sendmsg(2) does not write to it */
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
    } control = {0};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    if (fd_count > 0 && fd_count <= IPC_FDS_MAX) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(rights), fds, sizeof(int) * fd_count);
    }
    ssize_t sent = 0;
    do {
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return send_result(sent);
}

/* Every received descriptor becomes owned by the message, also those of a message that is refused. */
static void collect_fds(struct msghdr *header, struct ipc_message *message)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part != NULL; part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd = -1;
            memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof fd);
            if (message->fd_count < IPC_FDS_MAX) {
                message->fds[message->fd_count++] = fd;
            } else {
                fd_close(&fd);
            }
        }
    }
}

static enum err parse_header(struct ipc_message *message, size_t len_bytes)
{
    struct cursor in = cursor_of(message->bytes, len_bytes);
    uint16_t type = 0;
    uint16_t zero = 0;
    TRY(cursor_u16be(&in, &type));
    TRY(cursor_u16be(&in, &zero));
    TRY(cursor_u32be(&in, &message->ref));
    if (zero != 0 || ipc_row(type) == NULL) {
        return ERR_MALFORMED;
    }
    message->type = (enum ipc_type)type;
    message->body = in;
    return ERR_NONE;
}

enum err ipc_receive(int fd, struct ipc_message *ret_message)
{
    ret_message->fd_count = 0;
    ret_message->type = IPC_NONE;
    struct iovec part = {ret_message->bytes, sizeof ret_message->bytes};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
    } control;
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof control.bytes};
    ssize_t got = 0;
    do {
        got = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return ERR_AGAIN;
        }
        return errno == ECONNRESET ? ERR_CLOSED : ERR_SYSTEM;
    }
    if (got == 0) {
        return ERR_CLOSED;
    }
    collect_fds(&header, ret_message);
    bool is_cut = (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    if (is_cut || parse_header(ret_message, (size_t)got) != ERR_NONE) {
        ipc_message_done(ret_message);
        return ERR_MALFORMED;
    }
    return ERR_NONE;
}

enum err ipc_wait(int fd, int timeout_ms)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    int ready = 0;
    do {
        ready = poll(&wanted, 1, timeout_ms);
    } while (ready < 0 && errno == EINTR);
    if (ready < 0) {
        return ERR_SYSTEM;
    }
    return ready == 0 ? ERR_AGAIN : ERR_NONE;
}
