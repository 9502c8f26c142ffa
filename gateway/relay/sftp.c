#include "relay/sftp.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sftp_state.h"

static bool stream_init(struct sftp_stream *stream, size_t size_bytes)
{
    *stream = (struct sftp_stream){.kept = malloc(size_bytes), .kept_size_bytes = size_bytes};
    return stream->kept != NULL;
}

struct sftp *sftp_new(const struct policy_grant *grant, const struct sftp_calls *calls, void *owner,
                      uint32_t channel, struct lane *to_target, struct lane *to_client)
{
    struct sftp *sftp = calloc(1, sizeof *sftp);
    if (sftp == NULL) {
        return NULL;
    }
    sftp->grant = grant;
    sftp->calls = calls;
    sftp->owner = owner;
    sftp->channel = channel;
    sftp->to_target = to_target;
    sftp->to_client = to_client;
    queue_init(&sftp->held, SFTP_HELD_MAX_BYTES);
    if (!stream_init(&sftp->client, SFTP_KEPT_BYTES) || !stream_init(&sftp->target, SFTP_ANSWER_KEPT_BYTES)) {
        sftp_free(sftp);
        return NULL;
    }
    return sftp;
}

void sftp_free(struct sftp *sftp)
{
    if (sftp == NULL) {
        return;
    }
    for (unsigned i = 0; i < SFTP_HANDLES_MAX; i++) {
        sftp_handle_free(sftp, i);
    }
    queue_done(&sftp->held);
    free(sftp->client.kept);
    free(sftp->target.kept);
    free(sftp);
}

MUST_CHECK enum err sftp_violation(struct sftp *sftp, const char *what)
{
    (void)snprintf(sftp->explain, sizeof sftp->explain, "%s", what);
    return ERR_MALFORMED;
}

const char *sftp_explain(const struct sftp *sftp)
{
    return sftp->explain[0] == 0 ? NULL : sftp->explain;
}

bool sftp_is_unused(const struct sftp *sftp)
{
    return !sftp->has_init && sftp->client.kept_bytes == 0 && sftp->target.kept_bytes == 0;
}

void sftp_hash(struct sftp_way *way, struct cursor bytes)
{
    if (way != NULL && way->order == RECORD_FILE_SEQUENTIAL && way->hash.context != NULL) {
        crypto_sha256_add(&way->hash, bytes);
    }
}

/* Bytes of the packet at hand are moved from `in` into what is kept, up to what is wanted.
 * @return whether all that is wanted is there */
static bool keep(struct sftp_stream *stream, struct cursor *in)
{
    assert(stream->want_bytes <= stream->kept_size_bytes && stream->kept_bytes <= stream->want_bytes);
    size_t len_bytes = stream->want_bytes - stream->kept_bytes;
    if (len_bytes > cursor_len(in)) {
        len_bytes = cursor_len(in);
    }
    memcpy(stream->kept + stream->kept_bytes, in->at, len_bytes);
    stream->kept_bytes += len_bytes;
    in->at += len_bytes;
    return stream->kept_bytes == stream->want_bytes;
}

/* The part of `in` that belongs to the body of the packet at hand. */
static struct cursor take_body(struct sftp_stream *stream, struct cursor *in)
{
    size_t len_bytes = stream->body_bytes < cursor_len(in) ? stream->body_bytes : cursor_len(in);
    struct cursor part = cursor_of(in->at, len_bytes);
    in->at = part.end;
    stream->body_bytes -= (uint32_t)len_bytes;
    return part;
}

/* The length of the packet whose first bytes are kept, without the length itself. */
static uint32_t packet_len(const struct sftp_stream *stream)
{
    struct cursor head = cursor_of(stream->kept, SFTP_LENGTH_BYTES);
    uint32_t len_bytes = 0;
    enum err err = cursor_u32be(&head, &len_bytes);
    assert(err == ERR_NONE);
    return len_bytes;
}

static void begin_packet(struct sftp_stream *stream)
{
    stream->kept_bytes = 0;
    stream->want_bytes = SFTP_LENGTH_BYTES + 1; /* and the type */
}

/* The head is decided upon: what of the packet was not kept is its body. */
static void begin_body(struct sftp_stream *stream, bool is_dropped)
{
    stream->body_bytes = (uint32_t)(SFTP_LENGTH_BYTES + packet_len(stream) - stream->kept_bytes);
    stream->is_body_dropped = is_dropped;
    begin_packet(stream);
}

/* The client */

/* @param start  where the packet begins in the bytes at hand; NULL: a part of it came before them */
static MUST_CHECK enum err request_complete(struct sftp *sftp, const uint8_t *start, const uint8_t *end)
{
    struct sftp_stream *stream = &sftp->client;
    bool passes = false;
    TRY(sftp_request_decide(sftp, &passes));
    if (passes) {
        /* Kept bytes may differ from what came: the version in INIT. */
        struct cursor kept = cursor_of(stream->kept, stream->kept_bytes);
        struct cursor came = start == NULL ? kept : cursor_of(start, (size_t)(end - start));
        if (start != NULL && cursor_equal(kept, came)) {
            TRY(lane_pass(sftp->to_target, came));
        } else {
            TRY(lane_pass_copy(sftp->to_target, kept));
        }
    }
    begin_body(stream, !passes);
    return ERR_NONE;
}

/* The next packet must wait for answers. */
static bool is_full(const struct sftp *sftp)
{
    return sftp->outstanding_count == SFTP_OUTSTANDING_MAX && sftp->client.kept_bytes == 0 &&
           sftp->client.body_bytes == 0;
}

/* As far as there is room for requests; the rest stays in `in`. */
static MUST_CHECK enum err read_requests(struct sftp *sftp, struct cursor *in)
{
    struct sftp_stream *stream = &sftp->client;
    const uint8_t *start = NULL;
    while (cursor_len(in) > 0 && !is_full(sftp)) {
        if (stream->body_bytes > 0) {
            struct cursor part = take_body(stream, in);
            if (!stream->is_body_dropped) {
                sftp_hash(sftp->hashed, part);
                TRY(lane_pass(sftp->to_target, part));
            }
            continue;
        }
        if (stream->kept_bytes == 0) {
            begin_packet(stream);
            start = in->at;
        }
        if (!keep(stream, in)) {
            return ERR_NONE;
        }
        uint32_t len_bytes = packet_len(stream);
        if (len_bytes == 0 || len_bytes > SFTP_PACKET_MAX_BYTES) {
            return sftp_violation(sftp, "sent an SFTP packet with an impossible length");
        }
        size_t wants = sftp_request_wants(stream);
        if (wants > stream->kept_bytes) {
            stream->want_bytes = wants;
            continue;
        }
        TRY(request_complete(sftp, start, in->at));
        start = NULL;
    }
    return ERR_NONE;
}

static MUST_CHECK enum err answer_between(struct sftp *sftp)
{
    bool is_between = sftp->target.kept_bytes == 0 && sftp->target.body_bytes == 0;
    return is_between ? sftp_answer_own(sftp) : ERR_NONE;
}

/* Requests that waited, now that there may be room for them: answers of ours make room too. */
static MUST_CHECK enum err read_held(struct sftp *sftp)
{
    while (queue_len(&sftp->held) > 0 && !is_full(sftp)) {
        struct cursor in = queue_peek(&sftp->held);
        size_t len_bytes = cursor_len(&in);
        TRY(read_requests(sftp, &in));
        TRY(lane_flush(sftp->to_target)); /* it has borrowed what is consumed now */
        queue_consume(&sftp->held, len_bytes - cursor_len(&in));
        TRY(answer_between(sftp));
    }
    sftp->to_target->kept_bytes = sftp->client.kept_bytes + queue_len(&sftp->held);
    return ERR_NONE;
}

MUST_CHECK enum err sftp_from_client(struct sftp *sftp, struct cursor bytes)
{
    if (queue_len(&sftp->held) == 0) {
        TRY(read_requests(sftp, &bytes));
        TRY(lane_flush(sftp->to_target));
        TRY(answer_between(sftp));
    }
    /* The client has no more window than the target gave it: what it sends beyond the requests that may be
     * open waits here, and gives it none. */
    enum err err = queue_append(&sftp->held, bytes);
    if (err == ERR_TOO_LARGE) {
        return sftp_violation(sftp, "made more SFTP requests at once than the bastion keeps");
    }
    TRY(err);
    TRY(read_held(sftp));
    return lane_flush(sftp->to_client);
}

bool sftp_is_holding(const struct sftp *sftp)
{
    return queue_len(&sftp->held) > 0;
}

/* The target */

static MUST_CHECK enum err pass_version(struct sftp *sftp)
{
    uint8_t memory[SFTP_ANSWER_KEPT_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    TRY(sftp_version_write(sftp, cursor_of(sftp->target.kept, sftp->target.kept_bytes), &out));
    struct cursor version;
    TRY(writer_done(&out, &version));
    sftp->has_version = true;
    return lane_pass_copy(sftp->to_client, version);
}

static MUST_CHECK enum err answer_complete(struct sftp *sftp)
{
    if (!sftp->has_version) {
        TRY(pass_version(sftp));
    } else {
        TRY(sftp_answer_read(sftp));
    }
    begin_body(&sftp->target, false);
    if (sftp->target.body_bytes > 0) {
        return ERR_NONE;
    }
    sftp->hashed_answer = NULL;
    return sftp_answer_own(sftp);
}

static MUST_CHECK enum err check_answer_len(struct sftp *sftp)
{
    bool is_known = sftp->target.kept_bytes > SFTP_LENGTH_BYTES;
    uint32_t len_bytes = is_known ? packet_len(&sftp->target) : 1;
    if (len_bytes == 0 || len_bytes > SFTP_PACKET_MAX_BYTES) {
        return sftp_violation(sftp,
                              "sent an SFTP packet with an impossible length: does a start-up file of the "
                              "account print something?");
    }
    return ERR_NONE;
}

/* What the target says passes at once; its heads are copied only to be read. The first packet alone, its
 * VERSION, is kept back. Records are made before the last byte of a head leaves with the flush. */
static MUST_CHECK enum err read_answer_head(struct sftp *sftp, struct cursor *in)
{
    struct sftp_stream *stream = &sftp->target;
    if (stream->kept_bytes == 0) {
        begin_packet(stream);
    }
    const uint8_t *start = in->at;
    bool is_there = keep(stream, in);
    TRY(check_answer_len(sftp));
    if (sftp->has_version) {
        TRY(lane_pass(sftp->to_client, cursor_of(start, (size_t)(in->at - start))));
    }
    if (!is_there) {
        return ERR_NONE;
    }
    size_t wants = sftp_answer_wants(sftp);
    if (wants <= stream->kept_bytes) {
        return answer_complete(sftp);
    }
    if (wants > stream->kept_size_bytes) {
        return sftp_violation(sftp, "sent an SFTP version packet that is too large");
    }
    stream->want_bytes = wants;
    return ERR_NONE;
}

static MUST_CHECK enum err read_answer_body(struct sftp *sftp, struct cursor *in)
{
    struct cursor part = take_body(&sftp->target, in);
    sftp_hash(sftp->hashed_answer, part);
    TRY(lane_pass(sftp->to_client, part));
    if (sftp->target.body_bytes > 0) {
        return ERR_NONE;
    }
    sftp->hashed_answer = NULL;
    return sftp_answer_own(sftp);
}

MUST_CHECK enum err sftp_from_target(struct sftp *sftp, struct cursor bytes)
{
    while (cursor_len(&bytes) > 0) {
        TRY(sftp->target.body_bytes > 0 ? read_answer_body(sftp, &bytes) : read_answer_head(sftp, &bytes));
    }
    sftp->to_client->kept_bytes = sftp->has_version ? 0 : sftp->target.kept_bytes;
    TRY(read_held(sftp));
    return lane_flush(sftp->to_client);
}

MUST_CHECK enum err sftp_end(struct sftp *sftp)
{
    for (unsigned i = 0; i < SFTP_HANDLES_MAX; i++) {
        if (sftp->handles[i] != NULL) {
            TRY(sftp_handle_end(sftp, i, RECORD_FILE_LEFT_OPEN));
        }
    }
    return ERR_NONE;
}
