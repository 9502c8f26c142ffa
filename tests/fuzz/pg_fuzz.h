/* What the fuzzers of PostgreSQL's relay share: an owner that meets every need and checks every record. */
#ifndef TESTS_PG_FUZZ_H
#define TESTS_PG_FUZZ_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/writer.h"
#include "database/relay.h"
#include "record/stream.h"

/** How a connection begins: bits of the first byte of an input. */
enum {
    PG_FUZZ_TERMINATE = 1,
    PG_FUZZ_ASK = 2,
    PG_FUZZ_TOKEN = 4,
    PG_FUZZ_NO_COPY = 8,
    PG_FUZZ_NO_FUNCTION = 16,
    PG_FUZZ_HASHES = 32,
    PG_FUZZ_NO_PARAMS = 64,
    PG_FUZZ_NO_REPLICATION = 128,
};

struct pg_fuzz {
    struct db_relay *relay;
    struct db_rights rights;
    uint64_t now_us;
};

static inline enum err pg_fuzz_record(void *owner, uint8_t kind, struct cursor head, struct cursor body)
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

static inline enum err pg_fuzz_key(void *owner, struct cursor key)
{
    (void)owner;
    assert(cursor_len(&key) >= 8 && cursor_len(&key) <= DB_CANCEL_KEY_BYTES);
    return ERR_NONE;
}

static inline void pg_fuzz_begin(struct pg_fuzz *fuzz, uint8_t bits)
{
    const struct db_config config = {.protocol = DB_POSTGRES,
                                     .client_tls = (bits & PG_FUZZ_TERMINATE) != 0 ? DB_CLIENT_TLS_TERMINATE
                                                                                   : DB_CLIENT_TLS_REFUSE,
                                     .login = (bits & PG_FUZZ_TOKEN) != 0 ? DB_LOGIN_TOKEN
                                              : (bits & PG_FUZZ_ASK) != 0 ? DB_LOGIN_ASK
                                                                          : DB_LOGIN_CLIENT};
    const struct db_owner owner = {.record = pg_fuzz_record, .cancel_key = pg_fuzz_key};
    *fuzz = (struct pg_fuzz){.rights = {.copy = (bits & PG_FUZZ_NO_COPY) == 0,
                                        .function_call = (bits & PG_FUZZ_NO_FUNCTION) == 0,
                                        .replication = (bits & PG_FUZZ_NO_REPLICATION) == 0,
                                        .params = (bits & PG_FUZZ_NO_PARAMS) != 0 ? DB_PARAMS_NONE
                                                  : (bits & PG_FUZZ_HASHES) != 0  ? DB_PARAMS_HASH
                                                                                  : DB_PARAMS_FULL}};
    enum err err = db_relay_new(&config, &owner, &fuzz->relay);
    assert(err == ERR_NONE);
}

static inline bool pg_fuzz_meet(struct pg_fuzz *fuzz)
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
static inline void pg_fuzz_feed(struct pg_fuzz *fuzz, enum db_side side, struct cursor bytes)
{
    bool has_moved = true;
    while (has_moved) {
        struct cursor before = bytes;
        fuzz->now_us++;
        enum err err = db_relay_feed(fuzz->relay, side, &bytes, fuzz->now_us);
        assert(err == ERR_NONE);
        has_moved = pg_fuzz_meet(fuzz) || before.at != bytes.at;
        for (unsigned to = DB_CLIENT; to <= DB_TARGET; to++) {
            struct queue *out = db_relay_out(fuzz->relay, (enum db_side)to);
            assert(queue_len(out) <= DB_OUT_LIMIT_BYTES);
            queue_consume(out, queue_len(out));
        }
    }
}

static inline void pg_fuzz_end(struct pg_fuzz *fuzz, enum db_side side)
{
    const char *sentence = NULL;
    enum err err = db_relay_eof(fuzz->relay, side, fuzz->now_us);
    assert(err == ERR_NONE && db_relay_need(fuzz->relay) == DB_NEED_END);
    assert(db_relay_end(fuzz->relay, &sentence) != DB_END_NONE && sentence[0] != 0);
    db_relay_free(fuzz->relay);
}

/** A login without a password. */
static inline void pg_fuzz_login(struct pg_fuzz *fuzz)
{
    static const uint8_t STARTUP[] = "\0\0\0\x10\0\3\0\0user\0u\0";
    static const uint8_t READY[] = "R\0\0\0\x08\0\0\0\0Z\0\0\0\5I";
    pg_fuzz_feed(fuzz, DB_TARGET, cursor_of_text("S"));
    pg_fuzz_feed(fuzz, DB_CLIENT, cursor_of(STARTUP, sizeof STARTUP));
    pg_fuzz_feed(fuzz, DB_TARGET, cursor_of(READY, sizeof READY - 1));
}

#endif
