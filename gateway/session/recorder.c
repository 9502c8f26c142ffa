/* The stream to the recorder. What an access sends on leaves this process only after its records have left
 * it: the turn flushes the records first, and writes to the peers only when none waits. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/writer.h"
#include "record/stream.h"
#include "state.h"

void recorder_init(struct recorder_stream *stream, struct session *session, int fd)
{
    *stream = (struct recorder_stream){.session = session, .fd = fd};
    queue_init(&stream->records, SESSION_RECORDS_LIMIT_BYTES);
}

static void read_acks(struct recorder_stream *stream, struct cursor bytes)
{
    while (cursor_len(&bytes) > 0) {
        stream->partial[stream->partial_bytes++] = *bytes.at++;
        if (stream->partial_bytes < sizeof stream->partial) {
            continue;
        }
        stream->partial_bytes = 0;
        struct cursor whole = cursor_of(stream->partial, sizeof stream->partial);
        uint64_t durable = 0;
        if (cursor_u64be(&whole, &durable) != ERR_NONE || durable < stream->durable_bytes ||
            durable > stream->sent_bytes) {
            stream->has_failed = true;
            return;
        }
        stream->durable_bytes = durable;
    }
}

static void acks_received(struct loop_receive *receive, uint8_t *bytes, int result)
{
    struct recorder_stream *stream = OWNER_OF(receive, struct recorder_stream, acks);
    if (result > 0) {
        read_acks(stream, cursor_of(bytes, (size_t)result));
    } else if (result != -ECANCELED) {
        stream->has_failed = true;
    }
}

enum err recorder_add(struct recorder_stream *stream, uint8_t kind, uint32_t channel, struct cursor head,
                      struct cursor body)
{
    size_t len = cursor_len(&head) + cursor_len(&body);
    if (stream->fd < 0 || stream->has_failed || len > LIMIT_RECORD_BODY_BYTES) {
        return ERR_CLOSED;
    }
    if (!stream->acks.op.in_flight) {
        TRY(loop_receive_start(stream->session->loop, &stream->acks, stream->fd, acks_received));
    }
    uint8_t *room = NULL;
    TRY(queue_reserve(&stream->records, RECORD_HEADER_BYTES + len, &room));
    struct writer out = writer_of(room, RECORD_HEADER_BYTES + len);
    writer_u32be(&out, (uint32_t)len);
    writer_u8(&out, kind);
    writer_u8(&out, 0);
    writer_u16be(&out, 0);
    writer_u32be(&out, channel);
    writer_bytes(&out, head);
    writer_bytes(&out, body);
    struct cursor written;
    TRY(writer_done(&out, &written));
    queue_added(&stream->records, cursor_len(&written));
    return ERR_NONE;
}

static void room_ready(struct loop_op *op, int result)
{
    (void)op;
    (void)result; /* the turn that follows tries again */
}

bool recorder_flush(struct recorder_stream *stream)
{
    while (queue_len(&stream->records) > 0 && !stream->has_failed) {
        struct cursor bytes = queue_peek(&stream->records);
        ssize_t put = write(stream->fd, bytes.at, cursor_len(&bytes));
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            bool is_full = errno == EAGAIN;
            bool is_waiting = is_full && (stream->room_op.in_flight ||
                                          loop_poll_out(stream->session->loop, &stream->room_op, stream->fd,
                                                        room_ready) == ERR_NONE);
            stream->has_failed = !is_waiting;
            return false;
        }
        queue_consume(&stream->records, (size_t)put);
        stream->sent_bytes += (uint64_t)put;
    }
    return !stream->has_failed;
}

bool recorder_is_behind(const struct recorder_stream *stream)
{
    return stream->sent_bytes + queue_len(&stream->records) - stream->durable_bytes > LIMIT_UNDURABLE_BYTES;
}

bool recorder_is_quiet(const struct recorder_stream *stream)
{
    return !stream->room_op.in_flight && !stream->acks.op.in_flight;
}

void recorder_finish(struct recorder_stream *stream)
{
    loop_cancel(stream->session->loop, &stream->room_op);
    if (stream->fd >= 0 && shutdown(stream->fd, SHUT_WR) != 0) {
        stream->has_failed = true;
    }
    if (stream->has_failed) {
        loop_cancel(stream->session->loop, &stream->acks.op);
    }
}

void recorder_done(struct recorder_stream *stream)
{
    fd_close(&stream->fd);
    queue_done(&stream->records);
}
