/* Channels whose bytes are taken apart: SFTP. Windows, ends and answers of ours meet here. */
#include "gate_state.h"

#include <stdlib.h>

#include "record/stream.h"

static enum err send_data(void *owner, unsigned to, struct cursor head, struct cursor body)
{
    struct gate *gate = owner;
    return gate->calls->send(gate->owner, (enum gate_side)to, RELAY_DATA, head, body);
}

static enum err record_file(void *owner, uint8_t kind, uint32_t channel, struct cursor head,
                            struct cursor body)
{
    struct gate *gate = owner;
    return gate->calls->record(gate->owner, kind, channel, head, body);
}

static enum err refused_file(void *owner, uint32_t channel, const char *what, struct cursor path,
                             const char *reason)
{
    struct gate *gate = owner;
    gate->file_reason = reason;
    return gate_refused(gate, channel, what, path, reason);
}

static const struct sftp_calls GATE_SFTP_CALLS = {.record = record_file, .refused = refused_file};

void gate_files_free(struct gate_channel *at)
{
    transfer_free(at->transfer);
    at->transfer = NULL;
    if (at->files == NULL) {
        return;
    }
    sftp_free(at->files->sftp);
    lane_done(&at->files->lanes[GATE_CLIENT]);
    lane_done(&at->files->lanes[GATE_TARGET]);
    free(at->files);
    at->files = NULL;
}

static void begin_lane(struct gate *gate, struct gate_channel *at, enum gate_side to)
{
    const struct gate_flow *flow = &at->flow[gate_other(to)];
    struct lane *lane = &at->files->lanes[to];
    lane_init(lane, send_data, gate, to, at->number[to]);
    lane->room_bytes = flow->window_bytes;
    lane->max_packet_bytes = flow->max_packet_bytes;
}

MUST_CHECK enum err gate_files_begin(struct gate *gate, struct gate_channel *at)
{
    at->files = calloc(1, sizeof *at->files);
    if (at->files == NULL) {
        return ERR_MEMORY;
    }
    begin_lane(gate, at, GATE_CLIENT);
    begin_lane(gate, at, GATE_TARGET);
    at->files->sftp = sftp_new(gate->grant, &GATE_SFTP_CALLS, gate, at->tap.channel,
                               &at->files->lanes[GATE_TARGET], &at->files->lanes[GATE_CLIENT]);
    return at->files->sftp == NULL ? ERR_MEMORY : ERR_NONE;
}

/* What `sender` may send more. Nobody is told anything after the CLOSE that it got. */
static MUST_CHECK enum err give_window(struct gate *gate, struct gate_channel *at, enum gate_side sender)
{
    struct gate_flow *flow = &at->flow[sender];
    uint32_t due_bytes = lane_due(&at->files->lanes[gate_other(sender)], flow->window_bytes);
    if (due_bytes == 0 || flow->has_sent_eof || flow->has_sent_close ||
        at->flow[gate_other(sender)].has_sent_close) {
        return ERR_NONE;
    }
    flow->window_bytes += due_bytes;
    uint8_t memory[RELAY_OWN_PACKET_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u32be(&out, at->number[sender]);
    writer_u32be(&out, due_bytes);
    return gate_send(gate, sender, RELAY_WINDOW_ADJUST, &out);
}

MUST_CHECK enum err gate_files_started(struct gate *gate, struct gate_channel *at, bool is_success)
{
    if (!is_success) {
        if (sftp_is_unused(at->files->sftp)) {
            gate_files_free(at); /* nothing was kept or inserted: the windows are the peers' own */
        } else {
            at->main = GATE_MAIN_RUNNING; /* its bytes are SFTP for good */
        }
        return ERR_NONE;
    }
    at->files->lanes[GATE_CLIENT].advance_bytes = SFTP_ADVANCE_BYTES;
    at->files->lanes[GATE_TARGET].advance_bytes = SFTP_ADVANCE_BYTES;
    TRY(give_window(gate, at, GATE_CLIENT));
    return give_window(gate, at, GATE_TARGET);
}

/* The first refusal of a channel is told where an engineer sees it: clients print their own words for a
 * status. */
static MUST_CHECK enum err tell_refusal(struct gate *gate, struct gate_channel *at)
{
    if (gate->file_reason == NULL || at->files->has_told) {
        return ERR_NONE;
    }
    at->files->has_told = true;
    return gate_tell(gate, at, gate->file_reason);
}

/* Something that `from` has sent is still here. */
static bool is_behind(const struct gate_files *files, enum gate_side from)
{
    return lane_is_waiting(&files->lanes[gate_other(from)]) ||
           (from == GATE_CLIENT && sftp_is_holding(files->sftp));
}

/* What waited behind data. */
static MUST_CHECK enum err pass_ends(struct gate *gate, struct gate_channel *at, enum gate_side from)
{
    struct gate_files *files = at->files;
    if (is_behind(files, from)) {
        return ERR_NONE;
    }
    if (files->is_eof_waiting[from]) {
        files->is_eof_waiting[from] = false;
        at->flow[from].is_eof_passed = true;
        TRY(gate_send_number(gate, gate_other(from), RELAY_EOF, at));
    }
    return from == GATE_TARGET ? gate_files_pass_close(gate, at) : ERR_NONE;
}

MUST_CHECK enum err gate_files_data(struct gate *gate, struct gate_channel *at, enum gate_side from,
                                    struct cursor bytes)
{
    struct gate_files *files = at->files;
    const struct gate_flow *target = &at->flow[GATE_TARGET];
    if (from == GATE_CLIENT && (target->has_sent_eof || target->has_sent_close)) {
        return ERR_NONE; /* nobody is left who could answer */
    }
    gate->file_reason = NULL;
    enum err err =
        from == GATE_CLIENT ? sftp_from_client(files->sftp, bytes) : sftp_from_target(files->sftp, bytes);
    const char *explain = sftp_explain(files->sftp);
    if (explain != NULL) {
        return gate_violation(gate, from, explain);
    }
    if (err == ERR_TOO_LARGE ||
        lane_debt(&files->lanes[GATE_CLIENT], target->window_bytes) > LANE_DEBT_MAX_BYTES) {
        return gate_violation(gate, GATE_CLIENT,
                              "made refused requests without giving window for the answers");
    }
    TRY(err);
    TRY(tell_refusal(gate, at));
    TRY(pass_ends(gate, at, GATE_CLIENT));
    TRY(give_window(gate, at, GATE_CLIENT));
    return give_window(gate, at, GATE_TARGET);
}

MUST_CHECK enum err gate_files_errors(struct gate *gate, struct gate_channel *at, struct cursor bytes)
{
    struct lane *lane = &at->files->lanes[GATE_CLIENT];
    size_t len_bytes = cursor_len(&bytes) < lane->room_bytes ? cursor_len(&bytes) : lane->room_bytes;
    if (len_bytes > 0) {
        uint8_t memory[RELAY_OWN_PACKET_BYTES];
        struct writer out = writer_of(memory, sizeof memory);
        writer_u32be(&out, at->number[GATE_CLIENT]);
        writer_u32be(&out, RELAY_EXTENDED_STDERR);
        writer_u32be(&out, (uint32_t)len_bytes);
        struct cursor head;
        TRY(writer_done(&out, &head));
        lane->room_bytes -= (uint32_t)len_bytes;
        TRY(gate->calls->send(gate->owner, GATE_CLIENT, RELAY_EXTENDED_DATA, head,
                              cursor_of(bytes.at, len_bytes)));
    }
    return give_window(gate, at, GATE_TARGET);
}

MUST_CHECK enum err gate_files_pass_close(struct gate *gate, struct gate_channel *at)
{
    if (!at->files->is_close_waiting) {
        return ERR_NONE;
    }
    at->files->is_close_waiting = false;
    return gate_send_number(gate, GATE_CLIENT, RELAY_CLOSE, at);
}

MUST_CHECK enum err gate_files_window(struct gate *gate, struct gate_channel *at, enum gate_side from,
                                      uint32_t more_bytes)
{
    enum err err = lane_more_room(&at->files->lanes[from], more_bytes);
    if (err == ERR_MALFORMED) {
        return gate_violation(gate, from, "made a window larger than 2^32 - 1 bytes");
    }
    TRY(err);
    TRY(pass_ends(gate, at, gate_other(from)));
    return give_window(gate, at, gate_other(from));
}

bool gate_files_hold_eof(struct gate_channel *at, enum gate_side from)
{
    bool is_waiting = at->files != NULL && is_behind(at->files, from);
    if (is_waiting) {
        at->files->is_eof_waiting[from] = true;
    }
    return is_waiting;
}

bool gate_files_hold_close(struct gate_channel *at)
{
    bool is_waiting = at->files != NULL && !at->flow[GATE_CLIENT].has_sent_close &&
                      lane_is_waiting(&at->files->lanes[GATE_CLIENT]);
    if (is_waiting) {
        at->files->is_close_waiting = true;
    }
    return is_waiting;
}

MUST_CHECK enum err gate_files_watch(struct gate *gate, struct gate_channel *at, struct cursor command)
{
    struct transfer_command found = transfer_recognise(command);
    if (found.op == RECORD_FILE_NONE || at->has_asked_pty) {
        return ERR_NONE; /* a terminal changes bytes: nobody moves files through one */
    }
    transfer_free(at->transfer);
    at->transfer = transfer_new(record_file, gate, at->tap.channel, &found, gate->grant->sftp_hashes);
    return at->transfer == NULL ? ERR_MEMORY : transfer_begin(at->transfer);
}

MUST_CHECK enum err gate_files_end(struct gate_channel *at)
{
    if (at->transfer != NULL) {
        TRY(transfer_end(at->transfer));
    }
    return at->files == NULL ? ERR_NONE : sftp_end(at->files->sftp);
}
