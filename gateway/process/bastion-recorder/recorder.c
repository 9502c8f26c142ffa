/* The channel to the monitor, the turn and the tick. */
#include "recorder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"

enum { OUTBOX_HEADER_BYTES = 10, SENTENCE_MAX = 1000 };

void recorder_fatal(struct recorder *recorder, const char *sentence)
{
    if (!recorder->has_failed) {
        (void)fprintf(stderr, "bastion-recorder: %s; it stops, and bastiond ends the sessions\n", sentence);
    }
    recorder->has_failed = true;
    loop_stop(recorder->loop);
}

static void outbox_writable(struct loop_op *op, int result);

/* Sends from the front until the channel is full. */
static void flush_outbox(struct recorder *recorder)
{
    while (queue_len(&recorder->outbox) > 0 && !recorder->channel_out.in_flight) {
        struct cursor in = queue_peek(&recorder->outbox);
        uint16_t type = 0;
        uint32_t ref = 0;
        struct cursor body;
        if (cursor_u16be(&in, &type) != ERR_NONE || cursor_u32be(&in, &ref) != ERR_NONE ||
            cursor_string(&in, IPC_BODY_MAX, &body) != ERR_NONE) {
            recorder_fatal(recorder, "its outbox is broken");
            return;
        }
        enum err err = ipc_send(IPC_CHANNEL_FD, (enum ipc_type)type, ref, body, NULL, 0);
        if (err == ERR_AGAIN) {
            if (loop_poll_out(recorder->loop, &recorder->channel_out, IPC_CHANNEL_FD, outbox_writable) !=
                ERR_NONE) {
                recorder_fatal(recorder, "it cannot wait for bastiond");
            }
            return;
        }
        /* After an end of the monitor the answers have no reader; what is open is sealed all the same. */
        queue_consume(&recorder->outbox, OUTBOX_HEADER_BYTES + cursor_len(&body));
    }
}

static void outbox_writable(struct loop_op *op, int result)
{
    (void)result;
    flush_outbox(OWNER_OF(op, struct recorder, channel_out));
}

void recorder_send(struct recorder *recorder, enum ipc_type type, uint32_t ref, struct cursor body)
{
    uint8_t memory[OUTBOX_HEADER_BYTES + 2048];
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor bytes;
    writer_u16be(&out, (uint16_t)type);
    writer_u32be(&out, ref);
    writer_string(&out, body);
    if (writer_done(&out, &bytes) != ERR_NONE || queue_append(&recorder->outbox, bytes) != ERR_NONE) {
        recorder_fatal(recorder, "bastiond does not take its answers");
        return;
    }
    flush_outbox(recorder);
}

void recorder_send_text(struct recorder *recorder, enum ipc_type type, uint32_t ref, const char *text)
{
    uint8_t memory[SENTENCE_MAX];
    struct writer out = writer_of(memory, sizeof memory);
    size_t len = strlen(text);
    writer_string(&out, cursor_of(text, len < sizeof memory - 4 ? len : sizeof memory - 4));
    recorder_send(recorder, type, ref, cursor_of(memory, (size_t)(out.at - out.start)));
}

static void take_end(struct recorder *recorder, const struct ipc_message *message)
{
    struct cursor body = message->body;
    char reason[RECORD_REASON_BYTES];
    if (cursor_text(&body, reason, sizeof reason) != ERR_NONE || cursor_end(&body) != ERR_NONE) {
        recorder_fatal(recorder, "the monitor sent a malformed RECORD_END");
        return;
    }
    struct recording *recording = recording_find(recorder, message->ref);
    if (recording != NULL) { /* else it ended by itself meanwhile */
        recording_order_end(recording, "ended by the monitor", reason);
    }
}

static void take_leaf(struct recorder *recorder, const struct ipc_message *message)
{
    struct cursor body = message->body;
    struct cursor line;
    if (cursor_string(&body, RECORD_LEAF_BYTES, &line) != ERR_NONE || cursor_end(&body) != ERR_NONE ||
        !record_leaf_may_add(line)) {
        recorder_fatal(recorder, "the monitor sent a malformed EVIDENCE_ADD");
        return;
    }
    evidence_add(recorder, line);
}

static void take_message(struct recorder *recorder, struct ipc_message *message)
{
    if (ipc_check(&recorder->ledger, message, PEER_MONITOR, PEER_RECORDER, PHASE_KEX) != ERR_NONE) {
        recorder_fatal(recorder, "the monitor broke the protocol");
        return;
    }
    if (message->type == IPC_RECORD_OPEN) {
        recording_open(recorder, message, ipc_message_take_fd(message, 0));
    } else if (message->type == IPC_RECORD_END) {
        take_end(recorder, message);
    } else {
        take_leaf(recorder, message);
    }
}

/* The monitor is gone, and with it the sessions: what they sent is still in the streams. */
static void seal_all(struct recorder *recorder)
{
    recorder->is_stopping = true;
    for (struct recording *at = recorder->first; at != NULL; at = at->next) {
        recording_order_end(at, "daemon stopped", "bastiond ended");
    }
}

static void channel_readable(struct loop_op *op, int result)
{
    struct recorder *recorder = OWNER_OF(op, struct recorder, channel);
    enum { AT_ONCE = 64 }; /* then the streams get their turn */
    if (result < 0) {
        return;
    }
    for (int i = 0; i < AT_ONCE && !recorder->has_failed; i++) {
        enum err err = ipc_receive(IPC_CHANNEL_FD, &recorder->message);
        if (err == ERR_AGAIN) {
            return;
        }
        if (err != ERR_NONE) {
            loop_cancel(recorder->loop, op);
            seal_all(recorder);
            return;
        }
        take_message(recorder, &recorder->message);
        ipc_message_done(&recorder->message);
    }
}

/* A wall clock that moves makes times in evidence doubtful: say when, and by how much. */
static void watch_clock(struct recorder *recorder)
{
    int64_t offset = (int64_t)(clock_wall_us() - clock_monotonic_us());
    int64_t drift = offset - recorder->clock_offset_us;
    if (drift < RECORDER_DRIFT_US && drift > -RECORDER_DRIFT_US) {
        return;
    }
    recorder->clock_offset_us = offset;
    char time[CLOCK_TEXT_BYTES];
    char line[160];
    int len = snprintf(line, sizeof line, "event %s wall clock moved by %" PRId64 " s",
                       clock_text(clock_wall_us(), time), drift / 1000000);
    evidence_add(recorder, cursor_of(line, (size_t)len));
    struct recording *next = NULL;
    for (struct recording *at = recorder->first; at != NULL; at = next) {
        next = at->next;
        uint8_t memory[256];
        struct writer out = writer_of(memory, sizeof memory);
        struct cursor record;
        record_write_note(&out, RECORD_WHOLE_ACCESS, cursor_of(line, (size_t)len));
        if (at->state == RECORDING_LIVE && !at->has_end && writer_done(&out, &record) == ERR_NONE) {
            (void)recording_write(at, record, 0);
        }
    }
}

static void tick(struct loop_op *op, int result)
{
    struct recorder *recorder = OWNER_OF(op, struct recorder, tick);
    if (result < 0) {
        return;
    }
    uint64_t now_us = clock_monotonic_us();
    watch_clock(recorder);
    for (struct recording *at = recorder->first; at != NULL; at = at->next) {
        recording_tick(at, now_us);
    }
    if (loop_timer(recorder->loop, &recorder->tick, RECORDER_TICK_MS, tick) != ERR_NONE) {
        recorder_fatal(recorder, "it cannot keep time");
    }
}

static void end_all(struct recorder *recorder)
{
    recorder->is_disk_full = false;
    for (struct recording *at = recorder->first; at != NULL; at = at->next) {
        recording_fail(at, ENOSPC);
    }
}

static void reap(struct recorder *recorder)
{
    struct recording *next = NULL;
    recorder->wants_reap = false;
    for (struct recording *at = recorder->first; at != NULL; at = next) {
        next = at->next;
        recording_reap(at);
    }
}

static void turn(void *owner)
{
    struct recorder *recorder = owner;
    if (recorder->is_disk_full) {
        end_all(recorder);
    }
    if (recorder->wants_reap) {
        reap(recorder);
    }
    evidence_turn(recorder, clock_monotonic_us());
    if (recorder->is_stopping && recorder->first == NULL && evidence_is_idle(recorder)) {
        loop_stop(recorder->loop);
    }
}

enum err recorder_start(struct recorder *recorder)
{
    recorder->clock_offset_us = (int64_t)(clock_wall_us() - clock_monotonic_us());
    recorder->channel.name = "monitor";
    recorder->tick.name = "tick";
    loop_on_turn(recorder->loop, turn, recorder);
    TRY(loop_poll(recorder->loop, &recorder->channel, IPC_CHANNEL_FD, channel_readable));
    return loop_timer(recorder->loop, &recorder->tick, RECORDER_TICK_MS, tick);
}
