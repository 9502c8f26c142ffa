/* A conversation through a relay, in memory: what each side says, what each side gets, and the records
 * as lines of text. */
#ifndef TESTS_DATABASE_TALK_H
#define TESTS_DATABASE_TALK_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/writer.h"
#include "database/relay.h"
#include "record/stream.h"
#include "unit_test.h"

enum { TALK_BYTES = 1 << 21, TALK_LOG_BYTES = 1 << 18 };

struct talk {
    struct db_relay *relay;
    struct db_config config;
    struct db_rights rights;
    const char *token;
    size_t chunk_bytes;   /* how much is fed at once; 0: all */
    struct queue left[2]; /* what the relay did not take yet */
    struct queue got[2];  /* by each side */
    char log[TALK_LOG_BYTES];
    size_t log_bytes;
    uint64_t now_us;
    unsigned records;
    bool is_quiet;       /* no log */
    const char *refusal; /* NULL: every grant is given */
};

static inline void talk_say(struct talk *talk, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void talk_say(struct talk *talk, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(talk->log + talk->log_bytes, sizeof talk->log - talk->log_bytes, format, arguments);
    va_end(arguments);
    talk->log_bytes += (size_t)len;
    assert_true(talk->log_bytes < sizeof talk->log);
}

/* A string for a line; long ones by their length. */
static inline const char *talk_text(struct cursor bytes, char text[static 200])
{
    if (cursor_len(&bytes) > 150) {
        (void)snprintf(text, 200, "<%zu bytes>", cursor_len(&bytes));
    } else {
        text_printable(bytes, text, 200);
    }
    return text;
}

static inline const char *talk_hash(struct cursor hash, char text[static 200])
{
    return cursor_len(&hash) == 0 ? "none" : text_hex(cursor_of(hash.at, 4), text, 200);
}

static inline void talk_record(struct talk *talk, const struct record_body *body)
{
    char a[200];
    char b[200];
    char c[200];
    char d[200];
    char e[200];
    switch ((int)body->kind) {
    case RECORD_DB_STARTUP:
        talk_say(talk, "startup %s/%s %s version=%s tls=%s login=%s\n", talk_text(body->db_startup.user, a),
                 talk_text(body->db_startup.database, b), talk_text(body->db_startup.parameters, c),
                 talk_text(body->db_startup.server_version, d),
                 cursor_len(&body->db_startup.tls) > 0 ? "yes" : "no", talk_text(body->db_startup.login, e));
        break;
    case RECORD_DB_STATEMENT:
        talk_say(talk, "%u %s of=%u bytes=%lld name=%s text=%s\n", body->db_statement.number,
                 record_db_operation_name(body->db_statement.operation), body->db_statement.of,
                 (long long)body->db_statement.text_bytes, talk_text(body->db_statement.name, a),
                 talk_text(body->db_statement.text, b));
        break;
    case RECORD_DB_MORE:
        talk_say(talk, "%u more %s %u %s\n", body->db_more.number, record_db_what_name(body->db_more.what),
                 body->db_more.index, talk_text(body->db_more.bytes, a));
        break;
    case RECORD_DB_PARAMETER:
        talk_say(talk, "%u parameter %u type=%u format=%u bytes=%llu %s\n", body->db_parameter.number,
                 body->db_parameter.index, body->db_parameter.type, body->db_parameter.format,
                 (unsigned long long)body->db_parameter.value_bytes, talk_text(body->db_parameter.value, a));
        break;
    case RECORD_DB_TOTAL:
        talk_say(talk, "%u total %s %u bytes=%llu rows=%llu sha=%s\n", body->db_total.number,
                 record_db_what_name(body->db_total.what), body->db_total.index,
                 (unsigned long long)body->db_total.bytes, (unsigned long long)body->db_total.rows,
                 talk_hash(body->db_total.sha256, a));
        break;
    case RECORD_DB_COPY:
        talk_say(talk, "%u copy %s\n", body->db_copy.number, record_db_what_name(body->db_copy.what));
        break;
    case RECORD_DB_RESULT:
        talk_say(talk, "%u %s tx=%c rows=%llu bytes=%llu us=%llu code=%s %s\n", body->db_result.number,
                 record_db_outcome_name(body->db_result.outcome),
                 body->db_result.transaction == 0 ? '-' : body->db_result.transaction,
                 (unsigned long long)body->db_result.rows, (unsigned long long)body->db_result.bytes,
                 (unsigned long long)body->db_result.duration_us, talk_text(body->db_result.code, a),
                 talk_text(body->db_result.message, b));
        break;
    case RECORD_DB_NOTICE:
        talk_say(talk, "notice %s %s %s\n", talk_text(body->db_notice.severity, a),
                 talk_text(body->db_notice.code, b), talk_text(body->db_notice.message, c));
        break;
    case RECORD_REFUSED:
        talk_say(talk, "refused %s: %s\n", talk_text(body->refused.what, a),
                 talk_text(body->refused.reason, b));
        break;
    default:
        fail_msg("unexpected record %u", body->kind);
    }
}

static inline enum err talk_owner_record(void *owner, uint8_t kind, struct cursor head, struct cursor body)
{
    struct talk *talk = owner;
    static uint8_t whole[LIMIT_RECORD_BODY_BYTES];
    struct writer out = writer_of(whole, sizeof whole);
    writer_bytes(&out, head);
    writer_bytes(&out, body);
    struct record record = {.kind = kind};
    struct record_body read;
    assert_int_equal(writer_done(&out, &record.body), ERR_NONE);
    assert_int_equal(record_body_read(&record, &read), ERR_NONE);
    talk->records++;
    if (!talk->is_quiet) {
        talk_record(talk, &read);
    }
    return ERR_NONE;
}

static inline enum err talk_owner_key(void *owner, struct cursor key)
{
    talk_say(owner, "key of %zu bytes\n", cursor_len(&key));
    return ERR_NONE;
}

static inline void talk_open(struct talk *talk, struct db_config config)
{
    memset(talk, 0, sizeof *talk);
    const struct db_owner owner = {.record = talk_owner_record, .cancel_key = talk_owner_key, .owner = talk};
    talk->config = config;
    talk->rights = (struct db_rights){.copy = true, .function_call = true, .replication = true};
    talk->now_us = 1000;
    for (unsigned side = 0; side < 2; side++) {
        queue_init(&talk->left[side], TALK_BYTES);
        queue_init(&talk->got[side], (size_t)4 * TALK_BYTES);
    }
    assert_int_equal(db_relay_new(&config, &owner, &talk->relay), ERR_NONE);
}

static inline void talk_end(struct talk *talk)
{
    db_relay_free(talk->relay);
    for (unsigned side = 0; side < 2; side++) {
        queue_done(&talk->left[side]);
        queue_done(&talk->got[side]);
    }
}

static inline void talk_drain(struct talk *talk)
{
    for (unsigned side = 0; side < 2; side++) {
        struct queue *out = db_relay_out(talk->relay, (enum db_side)side);
        assert_int_equal(queue_append(&talk->got[side], queue_peek(out)), ERR_NONE);
        queue_consume(out, queue_len(out));
    }
}

static inline void talk_grant(struct talk *talk)
{
    const char *token = talk->token == NULL ? "" : talk->token;
    enum err err = talk->refusal == NULL
                       ? db_relay_granted(talk->relay, &talk->rights, cursor_of_text(token), talk->now_us)
                       : db_relay_refuse(talk->relay, DB_REFUSED_POLICY, talk->refusal, talk->now_us);
    assert_int_equal(err, ERR_NONE);
}

/* TLS is there at once. */
static inline bool talk_meet_needs(struct talk *talk)
{
    const uint8_t hash[32] = {7};
    const struct db_tls tls = {.description = cursor_of_text("TLSv1.3 TLS_AES_256_GCM_SHA384"),
                               .certificate_sha256 = cursor_of(hash, sizeof hash),
                               .server_end_point = cursor_of(hash, sizeof hash)};
    const struct db_tls none = {0};
    switch (db_relay_need(talk->relay)) {
    case DB_NEED_TARGET_TLS:
        assert_int_equal(db_relay_tls_ready(talk->relay, DB_TARGET, &tls, talk->now_us), ERR_NONE);
        return true;
    case DB_NEED_CLIENT_TLS:
        assert_int_equal(db_relay_tls_ready(talk->relay, DB_CLIENT, &none, talk->now_us), ERR_NONE);
        return true;
    case DB_NEED_GRANT:
    case DB_NEED_CANCEL:
        talk_grant(talk);
        return true;
    case DB_NEED_NOTHING:
    case DB_NEED_END:
        break;
    }
    return false;
}

/* What was left is fed as long as that changes something. */
static inline void talk_go_on(struct talk *talk)
{
    bool has_moved = true;
    while (has_moved) {
        has_moved = talk_meet_needs(talk);
        for (unsigned side = 0; side < 2; side++) {
            struct cursor left = queue_peek(&talk->left[side]);
            size_t before = cursor_len(&left);
            if (before > 0) {
                assert_int_equal(db_relay_feed(talk->relay, (enum db_side)side, &left, talk->now_us),
                                 ERR_NONE);
                queue_consume(&talk->left[side], before - cursor_len(&left));
                has_moved = has_moved || before != cursor_len(&left);
            }
        }
        talk_drain(talk);
    }
}

static inline void talk_bytes(struct talk *talk, enum db_side side, struct cursor bytes)
{
    talk->now_us += 10;
    while (cursor_len(&bytes) > 0) {
        size_t len = talk->chunk_bytes > 0 && talk->chunk_bytes < cursor_len(&bytes) ? talk->chunk_bytes
                                                                                     : cursor_len(&bytes);
        assert_int_equal(queue_append(&talk->left[side], cursor_of(bytes.at, len)), ERR_NONE);
        bytes.at += len;
        talk_go_on(talk);
    }
    talk_go_on(talk);
}

static inline void talk_forget(struct talk *talk)
{
    for (unsigned side = 0; side < 2; side++) {
        queue_consume(&talk->got[side], queue_len(&talk->got[side]));
    }
}
static inline void talk_log_is(struct talk *talk, const char *log)
{
    if (strcmp(talk->log, log) != 0) {
        (void)fprintf(stderr, "expected:\n%sgot:\n%s", log,
                      talk->log); /* cmocka's message is too short for it */
        fail();
    }
    talk->log_bytes = 0;
    talk->log[0] = 0;
}

#endif
