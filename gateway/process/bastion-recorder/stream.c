/* What a session sends: records, checked one by one, framed and written as they come. */
#include <stdio.h>
#include <string.h>

#include "recorder.h"

static void take_end(struct recording *recording, const struct record_body *body)
{
    recording->has_end = true;
    recording->exit_status = body->end.exit_status;
    if (recording->ordered[0] != 0) {
        return; /* the monitor's reason stays */
    }
    size_t len = cursor_len(&body->end.reason);
    len = len < sizeof recording->reason ? len : sizeof recording->reason - 1;
    if (len > 0) {
        memcpy(recording->reason, body->end.reason.at, len);
    }
    recording->reason[len] = 0;
}

/* The whole records at the front of `in`, which moves behind them.
 * @return ERR_MALFORMED when the stream can never go on after them; ERR_NONE also when nothing is whole yet.
 */
static enum err take_records(struct recording *recording, struct cursor *in, struct cursor *ret_records)
{
    *ret_records = (struct cursor){in->at, in->at};
    for (;;) {
        struct record record;
        struct record_body body;
        enum err err = record_next(in, &record);
        if (err == ERR_TRUNCATED) {
            return ERR_NONE;
        }
        if (err != ERR_NONE || recording->has_end || record_body_read(&record, &body) != ERR_NONE) {
            return ERR_MALFORMED;
        }
        ret_records->end = in->at;
        if (body.kind == RECORD_END) {
            take_end(recording, &body);
        }
    }
}

/* @return false when the recording is ending. */
static bool take_bytes(struct recording *recording, struct cursor in)
{
    struct cursor records = {NULL, NULL};
    bool is_carried = queue_len(&recording->carry) > 0;
    if (is_carried) {
        if (queue_append(&recording->carry, in) != ERR_NONE) {
            recording_finish(recording, "stream malformed", "no memory for a record");
            return false;
        }
        in = queue_peek(&recording->carry);
    }
    enum err err = take_records(recording, &in, &records);
    if (cursor_len(&records) > 0 && !recording_write(recording, records, cursor_len(&records))) {
        return false;
    }
    if (err != ERR_NONE) {
        recording_finish(recording, "stream malformed", "the session broke the format of its records");
        recorder_send_text(
            recording->recorder, IPC_RECORD_FAILED, recording->ref,
            "the session broke the format of its records; this is a fault of the bastion or an attack");
        return false;
    }
    if (is_carried) {
        queue_consume(&recording->carry, cursor_len(&records));
    } else if (cursor_len(&in) > 0 && queue_append(&recording->carry, in) != ERR_NONE) {
        recording_finish(recording, "stream malformed", "no memory for a record");
        return false;
    }
    return true;
}

static void take_eof(struct recording *recording)
{
    if (recording->has_end && queue_len(&recording->carry) == 0) {
        recording_finish(recording, recording->ordered[0] == 0 ? "ended" : recording->ordered,
                         recording->reason);
        return;
    }
    char reason[RECORD_REASON_BYTES];
    (void)snprintf(reason, sizeof reason, "%s", recording->reason);
    if (queue_len(&recording->carry) > 0) {
        (void)snprintf(reason, sizeof reason, "the session ended inside a record: %zu bytes of it are lost",
                       queue_len(&recording->carry));
    }
    recording_finish(recording, recording->ordered[0] == 0 ? "session lost" : recording->ordered, reason);
}

void recording_received(struct loop_receive *receive, uint8_t *bytes, int result)
{
    struct recording *recording = OWNER_OF(receive, struct recording, receive);
    if (recording->state != RECORDING_LIVE) {
        return; /* it is ending; this was on the way */
    }
    if (result <= 0) {
        take_eof(recording);
        return;
    }
    if (!take_bytes(recording, cursor_of(bytes, (size_t)result))) {
        return;
    }
    collect_received(recording, (size_t)result);
    if (recording->stream_bytes - recording->durable_bytes > LIMIT_UNDURABLE_BYTES) {
        collect_hold(recording);
    }
}
