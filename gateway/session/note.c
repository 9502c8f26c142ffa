/* Notes to the monitor, each of which becomes an event. A client can have as much refused as it likes, so
 * they are rationed per connection: many at once, then one a minute, and every note that is said tells how
 * many were not. The recording has all of them. */
#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/writer.h"
#include "state.h"

enum {
    NOTE_BURST = 32,
    NOTE_REFILL_US = 60000000, /* one more */
};

static bool has_allowance(struct note_ration *ration)
{
    uint64_t now_us = clock_monotonic_us();
    uint64_t refilled = (now_us - ration->refilled_us) / NOTE_REFILL_US;
    if (refilled >= ration->spent) {
        ration->spent = 0;
        ration->refilled_us = now_us;
    } else {
        ration->spent -= (unsigned)refilled;
        ration->refilled_us += refilled * NOTE_REFILL_US;
    }
    return ration->spent < NOTE_BURST;
}

static void say(struct session *session, uint32_t ref, const char *code, const char *text)
{
    uint8_t memory[1024];
    char printable[LIMIT_SENTENCE_BYTES];
    text_printable(cursor_of_text(text), printable, sizeof printable);
    struct writer out = writer_of(memory, sizeof memory);
    writer_text(&out, code);
    writer_text(&out, printable);
    struct cursor body;
    /* The table bounds the notes of a connection; more of them would only make the monitor end us. */
    bool may_say = session->ledger.counts[IPC_NOTE] < ipc_row(IPC_NOTE)->times;
    if (may_say && writer_done(&out, &body) == ERR_NONE &&
        link_send(session, IPC_NOTE, ref, body) == ERR_NONE) {
        session->ledger.counts[IPC_NOTE]++;
        session->notes.spent++;
        session->notes.unsaid = 0;
    }
}

void session_note(struct session *session, uint32_t ref, const char *code, const char *text)
{
    if (!has_allowance(&session->notes)) {
        session->notes.unsaid++;
        return;
    }
    char joined[LIMIT_SENTENCE_BYTES];
    (void)snprintf(joined, sizeof joined, "%s", text);
    if (session->notes.unsaid > 0) {
        (void)snprintf(joined, sizeof joined, "%.400s (after %llu more that only the recording has)", text,
                       (unsigned long long)session->notes.unsaid);
    }
    say(session, ref, code, joined);
}

void session_note_rest(struct session *session)
{
    if (session->notes.unsaid > 0) {
        char text[LIMIT_SENTENCE_BYTES];
        (void)snprintf(text, sizeof text,
                       "%llu more refusals were not told one by one: they are in the recording",
                       (unsigned long long)session->notes.unsaid);
        say(session, 0, "refused", text);
    }
}
