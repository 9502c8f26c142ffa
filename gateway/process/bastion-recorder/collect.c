/* When the stream of a session is read.
 *
 * A session hands a record over before it sends on what the record is about. If that woke the recorder each
 * time, the echo of a keystroke would wait for the wake-up, and for its turn on a processor that the recorder
 * uses. So a stream that brings little is not watched: what lies in its socket is fetched by a timer. A
 * stream that brings much is watched, for its socket would fill up meanwhile; so is one that is silent, for
 * then nothing need be fetched at all. */
#include "base/clock.h"
#include "recorder.h"

enum {
    MUCH_BYTES = 4096,          /* at once, of a stream that is watched */
    MUCH_FETCHED_BYTES = 12288, /* since the last fetch: 170 records of a database; its socket takes 270 */
    MUCH_US = 100000,           /* much data ends with a little */
    SILENT_US = 2000000,        /* a person types or reads */
};

static void fetch(struct loop_op *op, int result);

static bool start_timer(struct recorder *recorder)
{
    return recorder->collect.in_flight ||
           loop_timer(recorder->loop, &recorder->collect, RECORDER_COLLECT_MS, fetch) == ERR_NONE;
}

static void watch(struct recording *recording)
{
    recording->is_collected = false;
    loop_receive_resume(recording->recorder->loop, &recording->receive);
}

/* Submitted together: what is there is received, then the receive ends. */
static void fetch_one(struct recording *recording)
{
    loop_receive_resume(recording->recorder->loop, &recording->receive);
    loop_receive_pause(recording->recorder->loop, &recording->receive);
}

static void fetch(struct loop_op *op, int result)
{
    struct recorder *recorder = OWNER_OF(op, struct recorder, collect);
    uint64_t now_us = clock_monotonic_us();
    bool has_more = false;
    for (struct recording *at = recorder->first; at != NULL; at = at->next) {
        if (!at->is_collected || at->state != RECORDING_LIVE) {
            continue;
        }
        if (result < 0 || now_us - at->received_us >= SILENT_US) {
            watch(at);
        } else {
            fetch_one(at);
            has_more = true;
        }
    }
    if (has_more && !start_timer(recorder)) {
        recorder_fatal(recorder, "it cannot keep time");
    }
}

void collect_received(struct recording *recording, size_t len_bytes)
{
    uint64_t now_us = clock_monotonic_us();
    recording->received_us = now_us;
    if (len_bytes >= (recording->is_collected ? MUCH_FETCHED_BYTES : MUCH_BYTES)) {
        recording->much_us = now_us;
        if (recording->is_collected) {
            watch(recording);
        }
    } else if (!recording->is_collected && now_us - recording->much_us >= MUCH_US &&
               start_timer(recording->recorder)) {
        recording->is_collected = true;
        loop_receive_pause(recording->recorder->loop, &recording->receive);
    }
}

void collect_hold(struct recording *recording)
{
    recording->is_collected = false;
    loop_receive_pause(recording->recorder->loop, &recording->receive);
}

void collect_go_on(struct recording *recording)
{
    if (!recording->is_collected) {
        loop_receive_resume(recording->recorder->loop, &recording->receive);
    }
}
