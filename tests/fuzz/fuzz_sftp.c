/* Bytes of both sides of an SFTP session, in any order and cut anywhere.
 * Input: one byte of grants, then { u8 side, u16 length, bytes } repeated. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/grant.h"
#include "record/stream.h"
#include "relay/sftp.h"

struct owner {
    uint64_t sent_bytes[2];
    unsigned refused;
};

static enum err owner_send(void *context, unsigned to, struct cursor head, struct cursor body)
{
    struct owner *owner = context;
    assert(cursor_len(&head) >= RELAY_DATA_HEAD_BYTES);
    owner->sent_bytes[to] += cursor_len(&head) - RELAY_DATA_HEAD_BYTES + cursor_len(&body);
    return ERR_NONE;
}

static enum err owner_record(void *context, uint8_t kind, uint32_t channel, struct cursor head,
                             struct cursor body)
{
    (void)context;
    assert(cursor_len(&body) == 0);
    const struct record record = {.channel = channel, .kind = kind, .body = head};
    struct record_body read;
    enum err err = record_body_read(&record, &read);
    assert(err == ERR_NONE);
    return err;
}

static enum err owner_refused(void *context, uint32_t channel, const char *what, struct cursor path,
                              const char *reason)
{
    struct owner *owner = context;
    assert(channel == 1 && what != NULL && reason != NULL && cursor_len(&path) <= SFTP_PATH_BYTES);
    owner->refused++;
    return ERR_NONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct sftp_calls CALLS = {.record = owner_record, .refused = owner_refused};
    struct cursor in = cursor_of(data, size);
    uint8_t grants = 0;
    if (cursor_u8(&in, &grants) != ERR_NONE) {
        return 0;
    }
    const struct policy_grant grant = {.sftp = (grants & 1) != 0 ? GRANT_SFTP_WRITE : GRANT_SFTP_READ,
                                       .sftp_hashes = (grants & 2) != 0};
    struct owner owner = {0};
    struct lane lanes[2];
    for (unsigned to = 0; to < 2; to++) {
        lane_init(&lanes[to], owner_send, &owner, to, to);
        lanes[to].max_packet_bytes = 32768;
        lanes[to].room_bytes = 1U << 30;
    }
    struct sftp *sftp = sftp_new(&grant, &CALLS, &owner, 1, &lanes[1], &lanes[0]);
    assert(sftp != NULL);
    uint64_t fed_bytes[2] = {0};
    uint8_t side = 0;
    uint16_t len_bytes = 0;
    enum err err = ERR_NONE;
    while (err == ERR_NONE && cursor_u8(&in, &side) == ERR_NONE &&
           cursor_u16be(&in, &len_bytes) == ERR_NONE) {
        struct cursor part;
        size_t left_bytes = cursor_len(&in);
        err = cursor_bytes(&in, len_bytes < left_bytes ? len_bytes : left_bytes, &part);
        assert(err == ERR_NONE);
        fed_bytes[side & 1] += cursor_len(&part);
        err = (side & 1) == 0 ? sftp_from_client(sftp, part) : sftp_from_target(sftp, part);
        assert(err == ERR_NONE || (err == ERR_MALFORMED && sftp_explain(sftp) != NULL));
        /* Nothing is invented towards the target; towards the client only answers are. */
        assert(owner.sent_bytes[1] <= fed_bytes[0]);
        assert(owner.sent_bytes[0] <= fed_bytes[1] + (uint64_t)owner.refused * LIMIT_SENTENCE_BYTES);
        assert(lanes[1].kept_bytes <= SFTP_KEPT_BYTES + (sftp_is_holding(sftp) ? SFTP_HELD_MAX_BYTES : 0));
        assert(lanes[0].kept_bytes <= SFTP_ANSWER_KEPT_BYTES);
    }
    err = sftp_end(sftp);
    assert(err == ERR_NONE);
    sftp_free(sftp);
    lane_done(&lanes[0]);
    lane_done(&lanes[1]);
    return 0;
}
