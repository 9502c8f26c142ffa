/* An access to a target of kind tcp: bytes both ways between a channel of the outer connection and the
 * target's socket. Nothing is read in them; the recording says who, where, when and how much. Each side's end
 * of file is passed on by itself, so that half-closed streams work. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/writer.h"
#include "record/stream.h"
#include "state.h"

enum { STREAM_CHANNEL = 0 }; /* of its records: an access of kind tcp has one */

static enum err record_open(struct access *access)
{
    char to[LIMIT_HOST_BYTES + 8];
    (void)snprintf(to, sizeof to, "%s:%u", access->host, access->port);
    uint8_t memory[LIMIT_HOST_BYTES + SESSION_ORIGINATOR_BYTES + 64];
    struct writer out = writer_of(memory, sizeof memory);
    writer_text(&out, "tcp");
    writer_text(&out, access->originator);
    writer_text(&out, to);
    struct cursor body;
    TRY(writer_done(&out, &body));
    return recorder_add(&access->recorder, RECORD_FORWARD_OPEN, STREAM_CHANNEL, body, cursor_of(NULL, 0));
}

static void target_received(struct loop_receive *receive, uint8_t *bytes, int result)
{
    struct access *access = OWNER_OF(receive, struct access, target_in);
    struct stream *stream = &access->stream;
    if (result == -ECANCELED || access->state >= ACCESS_CLOSING) {
        return;
    }
    if (result < 0) {
        access_end(access, NULL, "target lost");
        return;
    }
    stream->active_us = clock_monotonic_us();
    if (result == 0) {
        stream->has_target_eof = true;
        return;
    }
    if (queue_append(&stream->to_client, cursor_of(bytes, (size_t)result)) != ERR_NONE) {
        access_end(access, NULL, "no memory");
        return;
    }
    stream->from_target_bytes += (uint64_t)result;
}

enum err stream_start(struct access *access)
{
    /* What was recorded is handed over before the first byte leaves: the turn sees to that. */
    TRY(record_open(access));
    access->stream.active_us = clock_monotonic_us();
    TRY(loop_receive_start(access->session->loop, &access->target_in, access->target_fd, target_received));
    access->is_channel_open = true;
    access_opened(access);
    return outer_confirm(access->session->outer, access->channel);
}

void stream_data(struct access *access, struct cursor bytes)
{
    struct stream *stream = &access->stream;
    /* The client's window bounds it: no more is given back than the target has taken. */
    if (queue_append(&stream->to_target, bytes) != ERR_NONE) {
        access_end(access, NULL, "no memory");
        return;
    }
    stream->to_target_bytes += cursor_len(&bytes);
    stream->active_us = clock_monotonic_us();
}

void stream_client_eof(struct access *access)
{
    access->stream.has_client_eof = true; /* passed on by the turn, behind what still waits */
}

void stream_finish(struct access *access)
{
    uint8_t memory[2 * sizeof(uint64_t)];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u64be(&out, access->stream.to_target_bytes);
    writer_u64be(&out, access->stream.from_target_bytes);
    struct cursor body;
    if (writer_done(&out, &body) != ERR_NONE ||
        recorder_add(&access->recorder, RECORD_FORWARD_CLOSE, STREAM_CHANNEL, body, cursor_of(NULL, 0)) !=
            ERR_NONE) {
        access->recorder.has_failed = true;
    }
}

void stream_turn(struct access *access)
{
    struct stream *stream = &access->stream;
    bool is_written = sender_is_idle(&access->target_out, &stream->to_target);
    if (access->target_out.has_failed) {
        access_end(access, NULL, stream->has_target_eof ? "target closed" : "target lost");
        return;
    }
    if (stream->has_client_eof && is_written && !stream->is_eof_at_target) {
        stream->is_eof_at_target = true;
        if (shutdown(access->target_fd, SHUT_WR) != 0) {
            access_end(access, NULL, "target lost");
            return;
        }
    }
    if (stream->has_target_eof && queue_len(&stream->to_client) == 0 && !stream->is_eof_at_client) {
        stream->is_eof_at_client = true;
        /* An outer connection that cannot send is ended where it is fed. */
        err_ignore(outer_eof(access->session->outer, access->channel));
    }
    if (stream->is_eof_at_target && stream->is_eof_at_client) {
        access_end(access, NULL, "ended");
    }
}
