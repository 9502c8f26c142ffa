/* What the fuzzers of the database relays share: an owner that meets every need and checks every record. */
#ifndef TESTS_DATABASE_FUZZ_H
#define TESTS_DATABASE_FUZZ_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/writer.h"
#include "database/relay.h"
#include "record/stream.h"

/** How a connection begins: bits of the first byte of an input. */
enum {
    DATABASE_FUZZ_TERMINATE = 1,
    DATABASE_FUZZ_ASK = 2,
    DATABASE_FUZZ_TOKEN = 4,
    DATABASE_FUZZ_NO_COPY = 8,
    DATABASE_FUZZ_NO_FUNCTION = 16,
    DATABASE_FUZZ_HASHES = 32,
    DATABASE_FUZZ_NO_PARAMS = 64,
    DATABASE_FUZZ_NO_REPLICATION = 128, /* in MySQL: no LOCAL INFILE */
};

struct database_fuzz {
    struct db_relay *relay;
    struct db_rights rights;
    uint64_t now_us;
};

static inline enum err database_fuzz_record(void *owner, uint8_t kind, struct cursor head, struct cursor body)
{
    static uint8_t whole[LIMIT_RECORD_BODY_BYTES];
    struct writer out = writer_of(whole, sizeof whole);
    struct record record = {.kind = kind};
    struct record_body read;
    (void)owner;
    writer_bytes(&out, head);
    writer_bytes(&out, body);
    enum err err = writer_done(&out, &record.body);
    err = err == ERR_NONE ? record_body_read(&record, &read) : err;
    assert(err == ERR_NONE);
    return err;
}

static inline enum err database_fuzz_key(void *owner, struct cursor key)
{
    (void)owner;
    assert(cursor_len(&key) >= 8 && cursor_len(&key) <= DB_CANCEL_KEY_BYTES);
    return ERR_NONE;
}

static inline bool database_fuzz_allows(void *owner, struct cursor user, struct cursor database,
                                        const char **ret_reason)
{
    (void)owner;
    *ret_reason = "no";
    return cursor_len(&user) % 2 == 0 && cursor_len(&database) % 2 == 0;
}

static inline void database_fuzz_begin(struct database_fuzz *fuzz, enum db_protocol protocol, uint8_t bits)
{
    const struct db_config config = {
        .protocol = protocol,
        .client_tls = (bits & DATABASE_FUZZ_TERMINATE) != 0 ? DB_CLIENT_TLS_TERMINATE : DB_CLIENT_TLS_REFUSE,
        .login = (bits & DATABASE_FUZZ_TOKEN) != 0 ? DB_LOGIN_TOKEN
                 : (bits & DATABASE_FUZZ_ASK) != 0 ? DB_LOGIN_ASK
                                                   : DB_LOGIN_CLIENT};
    const struct db_owner owner = {.record = database_fuzz_record, .cancel_key = database_fuzz_key};
    *fuzz =
        (struct database_fuzz){.rights = {.copy = (bits & DATABASE_FUZZ_NO_COPY) == 0,
                                          .function_call = (bits & DATABASE_FUZZ_NO_FUNCTION) == 0,
                                          .replication = (bits & DATABASE_FUZZ_NO_REPLICATION) == 0,
                                          .local_infile = (bits & DATABASE_FUZZ_NO_REPLICATION) == 0,
                                          .allows = database_fuzz_allows,
                                          .params = (bits & DATABASE_FUZZ_NO_PARAMS) != 0 ? DB_PARAMS_NONE
                                                    : (bits & DATABASE_FUZZ_HASHES) != 0  ? DB_PARAMS_HASH
                                                                                          : DB_PARAMS_FULL}};
    enum err err = db_relay_new(&config, &owner, &fuzz->relay);
    assert(err == ERR_NONE);
}

static inline bool database_fuzz_meet(struct database_fuzz *fuzz)
{
    static const uint8_t HASH[32] = {1};
    const struct db_tls tls = {.description = cursor_of_text("TLSv1.3"),
                               .certificate_sha256 = cursor_of(HASH, sizeof HASH),
                               .server_end_point = cursor_of(HASH, sizeof HASH)};
    enum err err = ERR_NONE;
    enum db_need need = db_relay_need(fuzz->relay);
    if (need == DB_NEED_NOTHING || need == DB_NEED_END) {
        return false;
    }
    if (need == DB_NEED_TARGET_TLS || need == DB_NEED_CLIENT_TLS) {
        err = db_relay_tls_ready(fuzz->relay, need == DB_NEED_TARGET_TLS ? DB_TARGET : DB_CLIENT, &tls,
                                 fuzz->now_us);
    } else {
        assert(db_relay_asked(fuzz->relay)->user.at != NULL || need == DB_NEED_CANCEL);
        err = db_relay_granted(fuzz->relay, &fuzz->rights, cursor_of_text("token"), fuzz->now_us);
    }
    assert(err == ERR_NONE);
    return true;
}

/** Bytes of one side, and whatever follows from them; what the relay does not take is lost. */
static inline void database_fuzz_feed(struct database_fuzz *fuzz, enum db_side side, struct cursor bytes)
{
    bool has_moved = true;
    while (has_moved) {
        struct cursor before = bytes;
        fuzz->now_us++;
        enum err err = db_relay_feed(fuzz->relay, side, &bytes, fuzz->now_us);
        assert(err == ERR_NONE);
        has_moved = database_fuzz_meet(fuzz) || before.at != bytes.at;
        for (unsigned to = DB_CLIENT; to <= DB_TARGET; to++) {
            struct queue *out = db_relay_out(fuzz->relay, (enum db_side)to);
            assert(queue_len(out) <= DB_OUT_LIMIT_BYTES);
            queue_consume(out, queue_len(out));
        }
    }
}

static inline void database_fuzz_end(struct database_fuzz *fuzz, enum db_side side)
{
    const char *sentence = NULL;
    enum err err = db_relay_eof(fuzz->relay, side, fuzz->now_us);
    assert(err == ERR_NONE && db_relay_need(fuzz->relay) == DB_NEED_END);
    assert(db_relay_end(fuzz->relay, &sentence) != DB_END_NONE && sentence[0] != 0);
    db_relay_free(fuzz->relay);
}

/** Input: { u8 side, u16 length, bytes } repeated. */
static inline void database_fuzz_both(struct database_fuzz *fuzz, struct cursor in)
{
    uint8_t side = 0;
    uint16_t len = 0;
    while (cursor_u8(&in, &side) == ERR_NONE && cursor_u16be(&in, &len) == ERR_NONE) {
        struct cursor part;
        size_t left = cursor_len(&in);
        enum err err = cursor_bytes(&in, len < left ? len : left, &part);
        assert(err == ERR_NONE);
        database_fuzz_feed(fuzz, (enum db_side)(side & 1), part);
    }
}

#endif
