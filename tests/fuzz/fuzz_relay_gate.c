/* Packets from both sides of an access, in any order.
 * Input: one byte of grants (the bit of record_input also grants forwards to "h:1" and listening anywhere),
 * then { u8 side and type, u16 length, payload } repeated. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/grant.h"
#include "record/stream.h"
#include "relay/gate.h"

struct owner {
    struct cursor payload;
    enum gate_side from;
    unsigned passed;
    uint64_t kept_bytes[2]; /* data in records, from the client and from the target */
};

static enum err owner_send(void *context, enum gate_side to, uint8_t type, struct cursor head,
                           struct cursor body)
{
    struct owner *owner = context;
    assert(type >= RELAY_GLOBAL_REQUEST && type <= RELAY_FAILURE);
    assert(cursor_len(&body) == 0 || type == RELAY_DATA || type == RELAY_EXTENDED_DATA); /* SFTP */
    if (head.at == owner->payload.at && head.at != NULL) {
        assert(head.end == owner->payload.end && to != owner->from);
        owner->passed++;
    }
    return ERR_NONE;
}

static enum err owner_record(void *context, uint8_t kind, uint32_t channel, struct cursor head,
                             struct cursor body)
{
    struct owner *owner = context;
    static uint8_t joined[LIMIT_RECORD_BODY_BYTES];
    struct writer out = writer_of(joined, sizeof joined);
    writer_bytes(&out, head);
    writer_bytes(&out, body);
    struct record record = {.channel = channel, .kind = kind};
    enum err err = writer_done(&out, &record.body);
    assert(err == ERR_NONE);
    struct record_body read;
    err = record_body_read(&record, &read);
    assert(err == ERR_NONE);
    if (kind <= RECORD_STDIN) {
        owner->kept_bytes[kind == RECORD_STDIN ? 0 : 1] += cursor_len(&read.bytes);
    }
    return ERR_NONE;
}

static bool next_packet(struct cursor *in, enum gate_side *ret_side, uint8_t *ret_type,
                        struct cursor *ret_payload)
{
    uint8_t what = 0;
    uint16_t len_bytes = 0;
    if (cursor_u8(in, &what) != ERR_NONE || cursor_u16be(in, &len_bytes) != ERR_NONE) {
        return false;
    }
    *ret_side = (what & 0x80) == 0 ? GATE_CLIENT : GATE_TARGET;
    *ret_type = what & 0x7f;
    return cursor_bytes(in, len_bytes < cursor_len(in) ? len_bytes : cursor_len(in), ret_payload) == ERR_NONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gate_calls CALLS = {.send = owner_send, .record = owner_record};
    struct cursor in = cursor_of(data, size);
    uint8_t grants = 0;
    if (cursor_u8(&in, &grants) != ERR_NONE) {
        return 0;
    }
    struct policy_grant grant = {
        .shell = (grants & 1) != 0,
        .exec = (grants & 2) != 0 ? GRANT_EXEC_ANY : GRANT_EXEC_NONE,
        .sftp = (grants & 4) == 0    ? GRANT_SFTP_NONE
                : (grants & 32) != 0 ? GRANT_SFTP_READ
                                     : GRANT_SFTP_WRITE,
        .agent = (grants & 8) != 0,
        .x11 = (grants & 16) != 0,
        .record_input = (grants & 32) != 0,
        .exec_hashes = (grants & 64) != 0,
        .exec_record_cap_bytes = (grants & 64) != 0 ? 16 : 1 << 20,
        .channels = LIMIT_CHANNELS_PER_ACCESS,
    };
    if (grant.record_input) {
        grant.forward = GRANT_FORWARD_LISTED;
        grant.remote_forward = GRANT_FORWARD_ANY;
        enum err added = grant_add_place(&grant, PLACE_FORWARD, cursor_of_text("h:1"));
        assert(added == ERR_NONE);
        added = grant_add_place(&grant, PLACE_FORWARD, cursor_of_text("unix:/a/*"));
        assert(added == ERR_NONE);
    }
    struct owner owner = {0};
    struct gate *gate = gate_new(&grant, &CALLS, &owner);
    assert(gate != NULL);
    enum gate_verdict verdict = GATE_FORWARDED;
    bool is_over = false;
    for (uint8_t type = 0; next_packet(&in, &owner.from, &type, &owner.payload);) {
        owner.passed = 0;
        verdict = gate_packet(gate, owner.from, type, owner.payload);
        assert(verdict != GATE_FAILED);
        assert(!is_over || verdict == GATE_DROPPED);
        assert(owner.passed == (verdict == GATE_FORWARDED && owner.payload.at != NULL));
        assert(gate_channel_count(gate) <= LIMIT_CHANNELS_PER_ACCESS);
        is_over = is_over || verdict == GATE_VIOLATION;
        assert(is_over == (gate_explain(gate) != NULL));
    }
    struct gate_counters counters;
    gate_counters(gate, &counters);
    assert(owner.kept_bytes[0] <= counters.to_target_bytes);
    assert(owner.kept_bytes[1] <= counters.from_target_bytes);
    enum err err = gate_end(gate, (grants & 128) != 0 ? "over" : NULL);
    assert(err == ERR_NONE);
    assert(gate_channel_count(gate) == 0);
    gate_free(gate);
    return 0;
}
