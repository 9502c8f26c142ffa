/* SFTP through the gate, between a client and a target that hold each other to windows of any size: no byte
 * is lost, none too many is sent, and every request gets its answer in its turn. */
#include "unit_test.h"

#include <stdlib.h>
#include <string.h>

#include "policy/grant.h"
#include "record/stream.h"
#include "relay/gate.h"
#include "relay/sftp.h"
#include "sftp_packets.h"

enum { STREAM_BYTES = 1 << 19, REQUESTS = 60, STEPS_MAX = 4000000, CLIENT_NUMBER = 5, TARGET_NUMBER = 9 };

/* One peer: what it wants to send, what it got, and what it was allowed. */
struct peer {
    uint8_t *out, *in;              /* OWNED */
    size_t out_len, out_at, in_len; /* out_at: sent so far */
    size_t read_at;                 /* of `in`: looked at by the program behind it */
    uint32_t may_send, max_send;    /* by what the other side (or the gate for it) said */
    uint32_t window, max_packet;    /* of ours, left to the other side */
    uint32_t window_size;
    bool has_eof, has_close;
};
struct world {
    struct gate *gate;
    struct policy_grant grant;
    struct peer peers[GATE_SIDES];
    uint32_t seed;
    unsigned refused, totals, told;
};
static struct world world;

static uint32_t dice(uint32_t sides)
{
    world.seed = world.seed * 1664525U + 1013904223U;
    return (world.seed >> 8) % sides;
}

static void peer_data(struct peer *peer, struct cursor data)
{
    uint32_t len = (uint32_t)cursor_len(&data);
    assert_true(len > 0);
    assert_true(len <= peer->window); /* RFC 4254 5.2 */
    assert_true(len <= peer->max_packet);
    assert_false(peer->has_eof);
    assert_true(peer->in_len + len <= STREAM_BYTES);
    peer->window -= len;
    memcpy(peer->in + peer->in_len, data.at, len);
    peer->in_len += len;
}

static enum err on_send(void *owner, enum gate_side to, uint8_t type, struct cursor head, struct cursor body)
{
    (void)owner;
    static uint8_t joined[LIMIT_PACKET_PAYLOAD_BYTES + 64];
    struct writer out = writer_of(joined, sizeof joined);
    writer_bytes(&out, head);
    writer_bytes(&out, body);
    struct cursor payload;
    assert_int_equal(writer_done(&out, &payload), ERR_NONE);
    struct peer *peer = &world.peers[to];
    assert_false(peer->has_close);
    struct relay_data data;
    uint32_t number = 0;
    uint32_t more = 0;
    if (type == RELAY_DATA) {
        assert_int_equal(relay_read_data(payload, false, &data), ERR_NONE);
        assert_int_equal(data.recipient, to == GATE_CLIENT ? CLIENT_NUMBER : TARGET_NUMBER);
        peer_data(peer, data.bytes);
    } else if (type == RELAY_EXTENDED_DATA) {
        assert_int_equal(relay_read_data(payload, true, &data), ERR_NONE);
        assert_true(cursor_len(&data.bytes) <= peer->window);
        peer->window -= (uint32_t)cursor_len(&data.bytes);
        world.told++;
    } else if (type == RELAY_WINDOW_ADJUST) {
        assert_int_equal(relay_read_window_adjust(payload, &number, &more), ERR_NONE);
        assert_true(more <= UINT32_MAX - peer->may_send);
        peer->may_send += more;
    } else if (type == RELAY_EOF) {
        peer->has_eof = true;
    } else if (type == RELAY_CLOSE) {
        peer->has_close = true;
    }
    return ERR_NONE;
}

static enum err on_record(void *owner, uint8_t kind, uint32_t channel, struct cursor head, struct cursor body)
{
    (void)owner;
    (void)channel;
    (void)head;
    (void)body;
    world.refused += kind == RECORD_REFUSED;
    world.totals += kind == RECORD_FILE_TOTAL;
    return ERR_NONE;
}

static const struct gate_calls CALLS = {.send = on_send, .record = on_record};

static void packet(enum gate_side from, uint8_t type, const struct writer *out)
{
    struct cursor payload;
    assert_int_equal(writer_done(out, &payload), ERR_NONE);
    enum gate_verdict verdict = gate_packet(world.gate, from, type, payload);
    if (verdict != GATE_FORWARDED && verdict != GATE_DROPPED) {
        fail_msg("%s", gate_explain(world.gate) == NULL ? "failed" : gate_explain(world.gate));
    }
}

static void send_numbers(enum gate_side from, uint8_t type, uint32_t more, bool has_more)
{
    uint8_t memory[8];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u32be(&out, from == GATE_CLIENT ? TARGET_NUMBER : CLIENT_NUMBER);
    if (has_more) {
        writer_u32be(&out, more);
    }
    packet(from, type, &out);
}

/* A piece of what the peer has to send, as far as it may. */
static bool peer_send(enum gate_side from)
{
    struct peer *peer = &world.peers[from];
    size_t len = peer->out_len - peer->out_at;
    len = len < peer->may_send ? len : peer->may_send;
    len = len < peer->max_send ? len : peer->max_send;
    if (len == 0) {
        return false;
    }
    len = 1 + dice((uint32_t)len);
    static uint8_t memory[STREAM_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u32be(&out, from == GATE_CLIENT ? TARGET_NUMBER : CLIENT_NUMBER);
    writer_string(&out, cursor_of(peer->out + peer->out_at, len));
    peer->out_at += len;
    peer->may_send -= (uint32_t)len;
    packet(from, RELAY_DATA, &out);
    return true;
}

/* Window for what was read, sometimes late; as late as when none is left. */
static bool peer_adjust(enum gate_side side)
{
    struct peer *peer = &world.peers[side];
    uint32_t more = peer->window_size - peer->window;
    if (more == 0 || (peer->window > 0 && dice(3) != 0)) {
        return false;
    }
    peer->window += more;
    send_numbers(side, RELAY_WINDOW_ADJUST, more, true);
    return true;
}

/* The target's program: answers each whole request. */
static bool target_answer(void)
{
    struct peer *target = &world.peers[GATE_TARGET];
    struct cursor in = cursor_of(target->in + target->read_at, target->in_len - target->read_at);
    struct cursor request;
    uint8_t type = 0;
    uint32_t id = 0;
    if (cursor_string(&in, STREAM_BYTES, &request) != ERR_NONE) {
        return false;
    }
    target->read_at = (size_t)(in.at - target->in);
    assert_int_equal(cursor_u8(&request, &type), ERR_NONE);
    assert_int_equal(cursor_u32be(&request, &id), ERR_NONE);
    struct writer out = writer_of(target->out + target->out_len, STREAM_BYTES - target->out_len);
    if (type == SP_INIT) {
        sp_add(&out, SP_VERSION, "itttt", 3, "limits@openssh.com", "1", "unknown@example.com", "1");
    } else if (type == SP_OPEN) {
        sp_add(&out, SP_HANDLE, "it", id, "h");
    } else if (type == SP_READ) {
        sp_add(&out, SP_DATA, "ib", id, 1 + dice(3000));
    } else {
        sp_add(&out, SP_STATUS, "iitt", id, 0, "fine", "");
    }
    target->out_len += (size_t)(out.at - out.start);
    return true;
}

/* The answers that the client got so far must carry the ids 1, 2, 3 ... */
static unsigned check_answers(void)
{
    const struct peer *client = &world.peers[GATE_CLIENT];
    struct cursor in = cursor_of(client->in, client->in_len);
    struct cursor answer;
    unsigned count = 0;
    while (cursor_string(&in, STREAM_BYTES, &answer) == ERR_NONE) {
        uint8_t type = 0;
        uint32_t id = 0;
        assert_int_equal(cursor_u8(&answer, &type), ERR_NONE);
        assert_int_equal(cursor_u32be(&answer, &id), ERR_NONE);
        if (count == 0) {
            assert_int_equal(type, SP_VERSION);
            assert_int_equal(cursor_len(&answer), 4 + 18 + 4 + 1); /* one extension is left */
        } else {
            assert_int_equal(id, count);
        }
        count++;
    }
    assert_int_equal(cursor_len(&in), 0);
    return count;
}

/* So many whole answers are there. */
static bool has_answers(unsigned count)
{
    const struct peer *client = &world.peers[GATE_CLIENT];
    struct cursor in = cursor_of(client->in, client->in_len);
    struct cursor answer;
    while (count > 0 && cursor_string(&in, STREAM_BYTES, &answer) == ERR_NONE) {
        count--;
    }
    return count == 0;
}

/* INIT and the opening of a file; what follows is written when their answers are there. */
static void client_begin(void)
{
    struct peer *client = &world.peers[GATE_CLIENT];
    struct writer out = writer_of(client->out, STREAM_BYTES);
    sp_add(&out, SP_INIT, "i", 3);
    client->out_len = (size_t)(out.at - out.start);
}

static unsigned client_requests(void)
{
    struct peer *client = &world.peers[GATE_CLIENT];
    struct writer out = writer_of(client->out + client->out_len, STREAM_BYTES - client->out_len);
    unsigned refused = 0;
    for (uint32_t id = 2; id <= REQUESTS; id++) {
        switch (dice(4)) {
        case 0:
            sp_add(&out, SP_WRITE, "itIb", id, "h", (uint64_t)0, dice(4000));
            refused++;
            break;
        case 1:
            sp_add(&out, SP_REMOVE, "it", id, "/some/where/else");
            refused++;
            break;
        case 2:
            sp_add(&out, SP_STAT, "it", id, "/some/where/else");
            break;
        default:
            sp_add(&out, SP_READ, "itIi", id, "h", (uint64_t)0, 3000);
        }
    }
    client->out_len += (size_t)(out.at - out.start);
    return refused;
}

static void begin(uint32_t seed, uint32_t client_window, uint32_t target_window)
{
    world.seed = seed;
    world.refused = world.totals = world.told = 0;
    world.grant = (struct policy_grant){.sftp = GRANT_SFTP_READ,
                                        .sftp_hashes = true,
                                        .channels = 1,
                                        .exec_record_cap_bytes = 1000,
                                        .rule = "r"};
    world.gate = gate_new(&world.grant, &CALLS, NULL);
    const uint32_t windows[GATE_SIDES] = {client_window, target_window};
    for (unsigned side = 0; side < GATE_SIDES; side++) {
        struct peer *peer = &world.peers[side];
        uint8_t *in = peer->in;
        uint8_t *out = peer->out;
        *peer = (struct peer){.in = in, .out = out, .window = windows[side], .window_size = windows[side]};
        peer->max_packet = 1 + dice(40000);
        peer->may_send = windows[1 - side];
    }
    world.peers[GATE_CLIENT].max_send = world.peers[GATE_TARGET].max_packet;
    world.peers[GATE_TARGET].max_send = world.peers[GATE_CLIENT].max_packet;
    uint8_t memory[128];
    struct writer out = writer_of(memory, sizeof memory);
    writer_text(&out, "session");
    writer_u32be(&out, CLIENT_NUMBER);
    writer_u32be(&out, client_window);
    writer_u32be(&out, world.peers[GATE_CLIENT].max_packet);
    packet(GATE_CLIENT, RELAY_OPEN, &out);
    out = writer_of(memory, sizeof memory);
    writer_u32be(&out, CLIENT_NUMBER);
    writer_u32be(&out, TARGET_NUMBER);
    writer_u32be(&out, target_window);
    writer_u32be(&out, world.peers[GATE_TARGET].max_packet);
    packet(GATE_TARGET, RELAY_OPEN_CONFIRMATION, &out);
    out = writer_of(memory, sizeof memory);
    writer_u32be(&out, TARGET_NUMBER);
    writer_text(&out, "subsystem");
    writer_bool(&out, true);
    writer_text(&out, "sftp");
    packet(GATE_CLIENT, RELAY_REQUEST, &out);
    send_numbers(GATE_TARGET, RELAY_SUCCESS, 0, false);
}

/* Everything moves in a random order until nothing can. */
static void run(unsigned *ret_refused)
{
    struct peer *client = &world.peers[GATE_CLIENT];
    unsigned stage = 0;
    client_begin();
    for (unsigned step = 0, idle = 0; idle < 1000; step++) {
        assert_true(step < STEPS_MAX);
        enum gate_side side = dice(2) == 0 ? GATE_CLIENT : GATE_TARGET;
        bool moves = false;
        switch (dice(3)) {
        case 0:
            moves = peer_send(side);
            break;
        case 1:
            moves = peer_adjust(side);
            break;
        default:
            moves = target_answer();
        }
        idle = moves ? 0 : idle + 1;
        if (stage < 2 && client->out_at == client->out_len && has_answers(stage + 1)) {
            struct writer out = writer_of(client->out + client->out_len, STREAM_BYTES - client->out_len);
            if (stage == 0) {
                sp_add(&out, SP_OPEN, "itii", 1, "/x", 1, 0);
                client->out_len += (size_t)(out.at - out.start);
            } else {
                *ret_refused = client_requests();
            }
            stage++;
            idle = 0;
        }
    }
    assert_int_equal(stage, 2);
}

static int setup(void **state)
{
    (void)state;
    for (unsigned side = 0; side < GATE_SIDES; side++) {
        world.peers[side].in = malloc(STREAM_BYTES);
        world.peers[side].out = malloc(STREAM_BYTES);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned side = 0; side < GATE_SIDES; side++) {
        free(world.peers[side].in);
        free(world.peers[side].out);
    }
    return 0;
}

static void gate_sftp_holds_windows_of_any_size(void **state)
{
    (void)state;
    static const uint32_t WINDOWS[] = {1, 2, 7, 100, 1000, 20000, 1 << 21};
    for (uint32_t seed = 1; seed <= 3; seed++) {
        for (size_t i = 0; i < COUNT_OF(WINDOWS) * COUNT_OF(WINDOWS); i++) {
            unsigned refused = 0;
            begin(seed * 1000 + (uint32_t)i, WINDOWS[i % COUNT_OF(WINDOWS)], WINDOWS[i / COUNT_OF(WINDOWS)]);
            run(&refused);
            assert_int_equal(check_answers(), REQUESTS + 1);
            assert_int_equal(world.refused, refused);
            /* All that passed arrived, and nothing else: INIT, OPEN and the rest, each once. */
            struct cursor in = cursor_of(world.peers[GATE_TARGET].in, world.peers[GATE_TARGET].in_len);
            struct cursor request;
            unsigned count = 0;
            while (cursor_string(&in, STREAM_BYTES, &request) == ERR_NONE) {
                uint8_t type = *request.at;
                assert_true(type == SP_INIT || type == SP_OPEN || type == SP_STAT || type == SP_READ);
                count++;
            }
            assert_int_equal(cursor_len(&in), 0);
            assert_int_equal(count + refused, REQUESTS + 1);
            send_numbers(GATE_CLIENT, RELAY_EOF, 0, false);
            send_numbers(GATE_TARGET, RELAY_EOF, 0, false);
            send_numbers(GATE_TARGET, RELAY_CLOSE, 0, false);
            send_numbers(GATE_CLIENT, RELAY_CLOSE, 0, false);
            assert_int_equal(gate_channel_count(world.gate), 0);
            assert_int_equal(world.totals, 1);
            gate_free(world.gate);
        }
    }
}

static unsigned count_packets(const struct peer *peer)
{
    struct cursor in = cursor_of(peer->in, peer->in_len);
    struct cursor packet;
    unsigned count = 0;
    while (cursor_string(&in, STREAM_BYTES, &packet) == ERR_NONE) {
        count++;
    }
    return count;
}

/* More requests than may be open at once, and the client's end right behind them: the target gets the rest as
 * it answers, the end last, and the client window only for what the target got. */
static void gate_sftp_requests_beyond_the_limit_are_held(void **state)
{
    (void)state;
    enum { BEYOND = 500, COUNT = SFTP_OUTSTANDING_MAX + BEYOND, WINDOW = 1 << 20 };
    begin(11, WINDOW, WINDOW);
    struct peer *client = &world.peers[GATE_CLIENT];
    struct peer *target = &world.peers[GATE_TARGET];
    client->max_packet = target->max_packet = client->max_send = target->max_send = 32768;
    client_begin();
    while (peer_send(GATE_CLIENT)) {
    }
    assert_true(target_answer());
    while (peer_send(GATE_TARGET)) {
    }
    struct writer out = writer_of(client->out + client->out_len, STREAM_BYTES - client->out_len);
    for (uint32_t id = 1; id <= COUNT; id++) {
        sp_add(&out, SP_STAT, "it", id, "/some/where/else");
    }
    client->out_len += (size_t)(out.at - out.start);
    while (peer_send(GATE_CLIENT)) {
    }
    assert_int_equal(client->out_at, client->out_len);
    send_numbers(GATE_CLIENT, RELAY_EOF, 0, false);
    assert_int_equal(count_packets(target), 1 + SFTP_OUTSTANDING_MAX);
    /* What waits gave the client no window beyond the advance. */
    assert_int_equal(client->may_send,
                     target->window + SFTP_ADVANCE_BYTES - (client->out_len - target->in_len));
    for (unsigned answered = 0; answered < COUNT; answered++) {
        assert_int_equal(target->has_eof, answered >= BEYOND);
        assert_true(target_answer());
        while (peer_send(GATE_TARGET)) {
        }
    }
    assert_int_equal(count_packets(target), 1 + COUNT);
    assert_int_equal(check_answers(), 1 + COUNT);
    assert_true(target->has_eof);
    gate_free(world.gate);
}

/* The target fills the window that our answers took a part of: its last bytes, EOF and CLOSE wait for room.
 */
static void gate_sftp_end_waits_behind_data(void **state)
{
    (void)state;
    static const uint32_t WINDOW = 2000;
    begin(7, WINDOW, WINDOW);
    struct peer *client = &world.peers[GATE_CLIENT];
    struct peer *target = &world.peers[GATE_TARGET];
    client->max_packet = target->max_packet = client->max_send = target->max_send = 32768;
    client_begin();
    while (peer_send(GATE_CLIENT)) {
    }
    assert_true(target_answer());
    while (peer_send(GATE_TARGET)) {
    }
    struct writer out = writer_of(client->out + client->out_len, STREAM_BYTES - client->out_len);
    sp_add(&out, SP_STAT, "it", 1, "/x");
    client->out_len += (size_t)(out.at - out.start);
    while (peer_send(GATE_CLIENT)) {
    }
    out = writer_of(client->out + client->out_len, STREAM_BYTES - client->out_len);
    sp_add(&out, SP_REMOVE, "it", 2, "/x");
    client->out_len += (size_t)(out.at - out.start);
    while (peer_send(GATE_CLIENT)) {
    }
    out = writer_of(target->out + target->out_len, STREAM_BYTES - target->out_len);
    sp_add(&out, SP_EXTENDED_REPLY, "ib", 1, 3000);
    target->out_len += (size_t)(out.at - out.start);
    while (peer_send(GATE_TARGET)) {
    }
    assert_int_equal(client->window, 0);
    assert_int_equal(target->out_at, target->out_len); /* the advance took what the window did not */
    send_numbers(GATE_TARGET, RELAY_EOF, 0, false);
    send_numbers(GATE_TARGET, RELAY_CLOSE, 0, false);
    assert_false(client->has_eof);
    assert_false(client->has_close);
    while (!client->has_close) {
        assert_true(peer_adjust(GATE_CLIENT) || client->window > 0);
    }
    assert_true(client->has_eof);
    assert_int_equal(check_answers(), 3);
    send_numbers(GATE_CLIENT, RELAY_CLOSE, 0, false);
    assert_true(target->has_close);
    assert_int_equal(gate_channel_count(world.gate), 0);
    gate_free(world.gate);
}

/* A client that gives up while the end waits gets its CLOSE at once. */
static void gate_sftp_client_may_close_first(void **state)
{
    (void)state;
    begin(7, 10, 1000);
    struct peer *client = &world.peers[GATE_CLIENT];
    struct peer *target = &world.peers[GATE_TARGET];
    client->max_packet = target->max_packet = client->max_send = target->max_send = 32768;
    client_begin();
    while (peer_send(GATE_CLIENT)) {
    }
    assert_true(target_answer());
    while (peer_send(GATE_TARGET)) {
    }
    send_numbers(GATE_TARGET, RELAY_EOF, 0, false);
    send_numbers(GATE_TARGET, RELAY_CLOSE, 0, false);
    assert_false(client->has_close);
    send_numbers(GATE_CLIENT, RELAY_CLOSE, 0, false);
    assert_true(client->has_close);
    assert_true(target->has_close);
    assert_int_equal(gate_channel_count(world.gate), 0);
    gate_free(world.gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gate_sftp_holds_windows_of_any_size),
        cmocka_unit_test(gate_sftp_requests_beyond_the_limit_are_held),
        cmocka_unit_test(gate_sftp_end_waits_behind_data),
        cmocka_unit_test(gate_sftp_client_may_close_first),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
