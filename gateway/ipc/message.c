#include "ipc/message.h"

#include <unistd.h>

#include "base/fd.h"

static const struct ipc_row ROWS[IPC_TYPE_COUNT] = {
#define MSG(name, from, to, phases, times, max, fds)                                                         \
    [IPC_##name] = {#name, PEER_##from, PEER_##to, (phases), (times), (fds), (max)},
#include "ipc/messages.def"
#undef MSG
};

#define MSG(name, from, to, phases, times, max, fds)                                                         \
    _Static_assert((max) <= IPC_BODY_MAX && (fds) <= IPC_FDS_MAX && (times) <= UINT16_MAX, #name);
#include "ipc/messages.def"
#undef MSG

const struct ipc_row *ipc_row(unsigned type)
{
    return type > IPC_NONE && type < IPC_TYPE_COUNT ? &ROWS[type] : NULL;
}

const char *ipc_name(unsigned type)
{
    const struct ipc_row *row = ipc_row(type);
    return row == NULL ? "unknown" : row->name;
}

void ipc_message_done(struct ipc_message *message)
{
    for (unsigned i = 0; i < message->fd_count; i++) {
        fd_close(&message->fds[i]);
    }
    message->fd_count = 0;
}

int ipc_message_take_fd(struct ipc_message *message, unsigned index)
{
    return index < message->fd_count ? fd_take(&message->fds[index]) : -1;
}

enum err ipc_check(struct ipc_ledger *ledger, const struct ipc_message *message, enum ipc_peer from,
                   enum ipc_peer to, enum ipc_phase phase)
{
    const struct ipc_row *row = ipc_row(message->type);
    if (row == NULL || message->fd_count != row->fds) {
        return ERR_MALFORMED;
    }
    if (cursor_len(&message->body) > row->max_bytes) {
        return ERR_TOO_LARGE;
    }
    if (row->from != from || row->to != to || (row->phases & (unsigned)phase) == 0) {
        return ERR_STATE;
    }
    uint16_t *count = &ledger->counts[message->type];
    if (row->times == 0) {
        return ERR_NONE;
    }
    if (*count >= row->times) {
        return ERR_STATE;
    }
    ++*count;
    return ERR_NONE;
}
