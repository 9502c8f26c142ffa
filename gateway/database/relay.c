#include "database/relay.h"

#include <assert.h>
#include <stdlib.h>

#include "base/text.h"
#include "relay_state.h"

static const struct db_ops *const OPS[] = {
    [DB_POSTGRES] = &PG_OPS,
    [DB_MYSQL] = &MY_OPS,
};

enum err db_relay_new(const struct db_config *config, const struct db_owner *owner, struct db_relay **ret)
{
    size_t protocol = (size_t)config->protocol;
    if (protocol >= sizeof OPS / sizeof OPS[0] || OPS[protocol] == NULL) {
        return ERR_NOT_FOUND;
    }
    struct db_relay *relay = NULL;
    TRY(OPS[protocol]->make(&relay));
    relay->ops = OPS[protocol];
    relay->config = *config;
    relay->owner = *owner;
    for (unsigned side = DB_CLIENT; side <= DB_TARGET; side++) {
        queue_init(&relay->out[side], DB_OUT_LIMIT_BYTES);
    }
    enum err err = relay->ops->start(relay);
    if (err != ERR_NONE) {
        db_relay_free(relay);
        return err;
    }
    *ret = relay;
    return ERR_NONE;
}

void db_relay_free(struct db_relay *relay)
{
    if (relay == NULL) {
        return;
    }
    relay->ops->free(relay);
    queue_done(&relay->out[DB_CLIENT]);
    queue_done(&relay->out[DB_TARGET]);
    free(relay);
}

enum err db_relay_feed(struct db_relay *relay, enum db_side side, struct cursor *bytes, uint64_t now_us)
{
    relay->now_us = now_us;
    if (relay->end != DB_END_NONE) {
        return ERR_NONE;
    }
    /* So much more than DB_OUT_HIGH_BYTES fits the other side's queue, whatever the owner feeds at once. */
    size_t len = cursor_len(bytes) < DB_FEED_BYTES ? cursor_len(bytes) : DB_FEED_BYTES;
    struct cursor part = cursor_of(bytes->at, len);
    enum err err = relay->ops->feed(relay, side, &part);
    bytes->at = part.at;
    return err;
}

enum err db_relay_eof(struct db_relay *relay, enum db_side side, uint64_t now_us)
{
    relay->now_us = now_us;
    return relay->end == DB_END_NONE ? relay->ops->eof(relay, side) : ERR_NONE;
}

struct queue *db_relay_out(struct db_relay *relay, enum db_side side)
{
    return &relay->out[side];
}

enum db_need db_relay_need(const struct db_relay *relay)
{
    return relay->end == DB_END_NONE ? relay->ops->need(relay) : DB_NEED_END;
}

enum err db_relay_tls_ready(struct db_relay *relay, enum db_side side, const struct db_tls *tls,
                            uint64_t now_us)
{
    relay->now_us = now_us;
    return relay->end == DB_END_NONE ? relay->ops->tls_ready(relay, side, tls) : ERR_NONE;
}

const struct db_asked *db_relay_asked(const struct db_relay *relay)
{
    return &relay->asked;
}

enum err db_relay_granted(struct db_relay *relay, const struct db_rights *rights, struct cursor token,
                          uint64_t now_us)
{
    relay->now_us = now_us;
    if (relay->end != DB_END_NONE) {
        return ERR_NONE;
    }
    relay->rights = *rights;
    return relay->ops->granted(relay, token);
}

enum err db_relay_refuse(struct db_relay *relay, enum db_refusal refusal, const char *sentence,
                         uint64_t now_us)
{
    relay->now_us = now_us;
    if (relay->end != DB_END_NONE) {
        return ERR_NONE;
    }
    enum err err = relay->ops->refuse(relay, refusal, sentence);
    db_end_with(relay, DB_END_REFUSED, sentence);
    return err;
}

enum db_end db_relay_end(const struct db_relay *relay, const char **ret_sentence)
{
    if (ret_sentence != NULL) {
        *ret_sentence = relay->sentence;
    }
    return relay->end;
}

void db_end_with(struct db_relay *relay, enum db_end end, const char *sentence)
{
    assert(end != DB_END_NONE);
    if (relay->end == DB_END_NONE) {
        relay->end = end;
        text_printable(cursor_of_text(sentence), relay->sentence, sizeof relay->sentence);
    }
}

static enum err record_with(struct db_relay *relay, const struct record_body *body, struct writer *out)
{
    struct cursor last = record_db_head(out, body);
    struct cursor head;
    TRY(writer_done(out, &head));
    return relay->owner.record(relay->owner.owner, (uint8_t)body->kind, head, last);
}

/* By itself, because so much memory costs time where it is cleared, and there is one of these per connection.
 */
static __attribute__((noinline)) enum err record_startup(struct db_relay *relay,
                                                         const struct record_body *body)
{
    uint8_t memory[RECORD_DB_STARTUP_HEAD_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    return record_with(relay, body, &out);
}

enum err db_record(struct db_relay *relay, const struct record_body *body)
{
    if (body->kind == RECORD_DB_STARTUP) {
        return record_startup(relay, body);
    }
    uint8_t memory[RECORD_DB_HEAD_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    return record_with(relay, body, &out);
}

enum err db_record_refused(struct db_relay *relay, const char *what, const char *reason)
{
    uint8_t memory[2 * LIMIT_SENTENCE_BYTES + 8];
    char text[LIMIT_SENTENCE_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    text_printable(cursor_of_text(what), text, sizeof text);
    writer_text(&out, text);
    text_printable(cursor_of_text(reason), text, sizeof text);
    writer_text(&out, text);
    struct cursor head;
    TRY(writer_done(&out, &head));
    return relay->owner.record(relay->owner.owner, RECORD_REFUSED, head, cursor_of(NULL, 0));
}
