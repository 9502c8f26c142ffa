/* Property: a legal conversation passes the gate byte for byte, whatever its order; and whatever is refused
 * on the way, each side gets exactly one reply to each request that wants one, in the order of the requests.
 */
#include "unit_test.h"

#include <stdlib.h>
#include <string.h>

#include "packets.h"
#include "policy/grant.h"
#include "relay/gate.h"

enum {
    PEERS_CHANNELS = LIMIT_CHANNELS_PER_ACCESS,
    PEERS_REQUESTS = 32,
    PEERS_STEPS = 40000,
    PEERS_SEEDS = 10
};

/* What both peers know of one channel. Side 0 is the client, as in enum gate_side. */
struct peers_channel {
    enum { PEERS_FREE, PEERS_ASKED, PEERS_OPEN } state;
    uint32_t number[2];
    uint32_t window[2], max[2];
    bool eof[2], closed[2];
    bool expects_pass[2][PEERS_REQUESTS]; /* replies that this side waits for: passed, or the gate's own */
    unsigned expected[2];
    bool has_main;
};

struct peers {
    struct gate *gate;
    struct policy_grant grant;
    struct peers_channel channels[PEERS_CHANNELS];
    struct cursor payload;
    unsigned passed;
    uint64_t bytes[2];
    uint64_t random;
};

static uint32_t peers_random(struct peers *peers, uint32_t below)
{
    peers->random = peers->random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(peers->random >> 33) % below;
}

static void peers_got_reply(struct peers *peers, unsigned to, struct cursor payload, bool is_pass)
{
    uint32_t number = 0;
    assert_int_equal(relay_read_channel(payload, &number), ERR_NONE);
    for (unsigned i = 0; i < PEERS_CHANNELS; i++) {
        struct peers_channel *at = &peers->channels[i];
        if (at->state == PEERS_OPEN && at->number[to] == number) {
            assert_true(at->expected[to] > 0);
            assert_int_equal(at->expects_pass[to][0], is_pass);
            at->expected[to]--;
            memmove(at->expects_pass[to], at->expects_pass[to] + 1, at->expected[to] * sizeof(bool));
            return;
        }
    }
    fail_msg("a reply for no channel");
}

static enum err peers_send(void *owner, enum gate_side to, uint8_t type, struct cursor head,
                           struct cursor body)
{
    struct peers *peers = owner;
    assert_int_equal(cursor_len(&body), 0);
    bool is_pass = head.at == peers->payload.at;
    if (is_pass) {
        assert_ptr_equal(head.end, peers->payload.end);
        peers->passed++;
    }
    if (type == RELAY_SUCCESS || type == RELAY_FAILURE) {
        peers_got_reply(peers, (unsigned)to, head, is_pass);
    } else {
        assert_true(is_pass); /* the gate has nothing else to say here */
    }
    return ERR_NONE;
}

static enum err peers_record(void *owner, uint8_t kind, uint32_t channel, struct cursor head,
                             struct cursor body)
{
    (void)owner;
    (void)kind;
    (void)channel;
    assert_true(cursor_len(&head) + cursor_len(&body) <= LIMIT_RECORD_BODY_BYTES);
    return ERR_NONE;
}

static void peers_say(struct peers *peers, unsigned from, uint8_t type, struct cursor payload,
                      enum gate_verdict verdict)
{
    peers->payload = payload;
    peers->passed = 0;
    assert_int_equal(gate_packet(peers->gate, (enum gate_side)from, type, payload), verdict);
    assert_int_equal(peers->passed, verdict == GATE_FORWARDED);
}

static void peers_open(struct peers *peers, unsigned index)
{
    struct peers_channel *at = &peers->channels[index];
    if (at->state == PEERS_FREE) {
        *at = (struct peers_channel){.state = PEERS_ASKED};
        at->number[0] = 1000 + index;
        at->window[1] = peers_random(peers, 100000);
        at->max[1] = peers_random(peers, 3000);
        peers_say(peers, GATE_CLIENT, RELAY_OPEN,
                  pk_open("session", at->number[0], at->window[1], at->max[1]), GATE_FORWARDED);
    } else if (peers_random(peers, 10) == 0) {
        at->state = PEERS_FREE;
        peers_say(peers, GATE_TARGET, RELAY_OPEN_FAILURE, pk_open_failure(at->number[0], "no"),
                  GATE_FORWARDED);
    } else {
        at->state = PEERS_OPEN;
        at->number[1] = index * 7;
        at->window[0] = peers_random(peers, 100000);
        at->max[0] = peers_random(peers, 3000);
        peers_say(peers, GATE_TARGET, RELAY_OPEN_CONFIRMATION,
                  pk_confirm(at->number[0], at->number[1], at->window[0], at->max[0]), GATE_FORWARDED);
    }
}

static void peers_data(struct peers *peers, struct peers_channel *at, unsigned from)
{
    uint32_t most = at->window[from] < at->max[from] ? at->window[from] : at->max[from];
    uint32_t len = peers_random(peers, most + 1);
    if (at->eof[from]) {
        return;
    }
    at->window[from] -= len;
    peers->bytes[from] += len;
    peers_say(peers, from, RELAY_DATA, pk_bulk(at->number[1 - from], len), GATE_FORWARDED);
}

static void peers_request(struct peers *peers, struct peers_channel *at, unsigned from)
{
    static const struct {
        const char *name;
        bool passes;
    } ROWS[] = {
        {"keepalive@openssh.com", true}, {"eow@openssh.com", true}, {"magic", false}, {"shell", false}};
    if (at->expected[from] == PEERS_REQUESTS) {
        return;
    }
    uint32_t row = peers_random(peers, COUNT_OF(ROWS));
    bool passes = ROWS[row].passes;
    if (row == 3 && from == GATE_CLIENT && !at->has_main) {
        at->has_main = true;
        passes = true;
    }
    bool wants_reply = row != 3 && peers_random(peers, 2) == 0; /* the main request is never refused here */
    if (wants_reply && (passes || !at->closed[1 - from])) {
        at->expects_pass[from][at->expected[from]++] = passes;
    }
    peers_say(peers, from, RELAY_REQUEST, pk_request(at->number[1 - from], ROWS[row].name, wants_reply),
              passes ? GATE_FORWARDED : GATE_DROPPED);
}

static void peers_reply(struct peers *peers, struct peers_channel *at, unsigned from)
{
    if (at->expected[1 - from] > 0) {
        peers_say(peers, from, peers_random(peers, 2) == 0 ? RELAY_SUCCESS : RELAY_FAILURE,
                  pk_number(at->number[1 - from]), GATE_FORWARDED);
    }
}

static void peers_close(struct peers *peers, struct peers_channel *at, unsigned from)
{
    if (peers_random(peers, 4) != 0) {
        return;
    }
    at->closed[from] = true;
    if (at->closed[1 - from]) {
        at->state = PEERS_FREE;
    }
    peers_say(peers, from, RELAY_CLOSE, pk_number(at->number[1 - from]), GATE_FORWARDED);
}

static void peers_step(struct peers *peers)
{
    unsigned index = peers_random(peers, PEERS_CHANNELS);
    unsigned from = peers_random(peers, 2);
    struct peers_channel *at = &peers->channels[index];
    if (at->state != PEERS_OPEN) {
        peers_open(peers, index);
        return;
    }
    if (at->closed[from]) {
        return;
    }
    uint32_t choice = peers_random(peers, 100);
    if (choice < 50) {
        peers_data(peers, at, from);
    } else if (choice < 65) {
        uint32_t more = peers_random(peers, 9000);
        at->window[1 - from] += more;
        peers_say(peers, from, RELAY_WINDOW_ADJUST, pk_adjust(at->number[1 - from], more), GATE_FORWARDED);
    } else if (choice < 80) {
        peers_request(peers, at, from);
    } else if (choice < 96) {
        peers_reply(peers, at, from);
    } else if (choice < 98 && !at->eof[from]) {
        at->eof[from] = true;
        peers_say(peers, from, RELAY_EOF, pk_number(at->number[1 - from]), GATE_FORWARDED);
    } else {
        peers_close(peers, at, from);
    }
}

static void gate_legal_conversation_is_forwarded_byte_exact(void **state)
{
    (void)state;
    static const struct gate_calls CALLS = {.send = peers_send, .record = peers_record};
    for (uint64_t seed = 1; seed <= PEERS_SEEDS; seed++) {
        struct peers peers = {.random = seed,
                              .grant = {.shell = true,
                                        .exec_hashes = true,
                                        .exec_record_cap_bytes = 100000,
                                        .channels = LIMIT_CHANNELS_PER_ACCESS}};
        peers.gate = gate_new(&peers.grant, &CALLS, &peers);
        assert_non_null(peers.gate);
        for (unsigned step = 0; step < PEERS_STEPS; step++) {
            peers_step(&peers);
        }
        struct gate_counters counters;
        gate_counters(peers.gate, &counters);
        assert_true(counters.to_target_bytes == peers.bytes[0] && counters.to_target_bytes > 100000);
        assert_true(counters.from_target_bytes == peers.bytes[1] && counters.from_target_bytes > 100000);
        assert_int_equal(gate_end(peers.gate, NULL), ERR_NONE);
        gate_free(peers.gate);
    }
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(gate_legal_conversation_is_forwarded_byte_exact),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
