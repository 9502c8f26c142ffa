/* MySQL's side of database/talk.h: packets, a greeting, a login. */
#ifndef TESTS_DATABASE_MY_TALK_H
#define TESTS_DATABASE_MY_TALK_H

#include "../../../gateway/database/my_handshake.h"
#include "database/talk.h"

#define MY_NONCE "abcdefghijklmnopqrst"
enum { MY_TALK_CAPABILITIES = MY_PASSED & ~MY_SSL & ~MY_NO_EOF & ~MY_SESSION_TRACK & ~MY_LONG_AUTH };

static inline void packet(struct talk *talk, enum db_side side, uint8_t sequence, struct cursor payload)
{
    uint8_t header[MY_HEADER_BYTES];
    struct writer out = writer_of(header, sizeof header);
    writer_uint_le(&out, 3, cursor_len(&payload));
    writer_u8(&out, sequence);
    talk_bytes(talk, side, cursor_of(header, sizeof header));
    talk_bytes(talk, side, payload);
}
/** A packet whose payload is a string literal, NULs included. */
#define PACKET(talk, side, sequence, literal)                                                                \
    packet(talk, side, sequence, cursor_of(literal, sizeof(literal) - 1))

/** What that side got begins with this packet, which is taken. */
static inline void expect_packet(struct talk *talk, enum db_side side, uint8_t sequence,
                                 struct cursor payload)
{
    struct cursor got = queue_peek(&talk->got[side]);
    uint64_t len_bytes = 0;
    uint8_t got_sequence = 0;
    struct cursor got_payload;
    assert_int_equal(cursor_uint_le(&got, 3, &len_bytes), ERR_NONE);
    assert_int_equal(cursor_u8(&got, &got_sequence), ERR_NONE);
    assert_int_equal(got_sequence, sequence);
    assert_int_equal(len_bytes, cursor_len(&payload));
    assert_int_equal(cursor_bytes(&got, (size_t)len_bytes, &got_payload), ERR_NONE);
    assert_memory_equal(got_payload.at, payload.at, cursor_len(&payload));
    queue_consume(&talk->got[side], MY_HEADER_BYTES + (size_t)len_bytes);
}
#define EXPECT_PACKET(talk, side, sequence, literal)                                                         \
    expect_packet(talk, side, sequence, cursor_of(literal, sizeof(literal) - 1))

/** The next packet that side got, which is taken: valid until more is fed. */
static inline struct cursor take_packet_of(struct talk *talk, enum db_side side)
{
    struct cursor got = queue_peek(&talk->got[side]);
    uint64_t len_bytes = 0;
    struct cursor header;
    struct cursor payload;
    assert_int_equal(cursor_uint_le(&got, 3, &len_bytes), ERR_NONE);
    assert_int_equal(cursor_bytes(&got, 1, &header), ERR_NONE);
    assert_int_equal(cursor_bytes(&got, (size_t)len_bytes, &payload), ERR_NONE);
    queue_consume(&talk->got[side], MY_HEADER_BYTES + (size_t)len_bytes);
    return payload;
}

/** The client got an error with this number; nothing follows it. */
static inline void expect_error(struct talk *talk, unsigned number)
{
    struct cursor payload = take_packet_of(talk, DB_CLIENT);
    uint16_t got_number = 0;
    struct cursor code;
    struct cursor message;
    assert_int_equal(my_read_error(payload, &got_number, &code, &message), ERR_NONE);
    assert_int_equal(got_number, number);
    assert_int_equal(queue_len(&talk->got[DB_CLIENT]), 0);
}

static inline void expect_end(struct talk *talk, enum db_end end)
{
    const char *sentence = NULL;
    assert_int_equal(db_relay_need(talk->relay), DB_NEED_END);
    assert_int_equal(db_relay_end(talk->relay, &sentence), end);
    assert_true(strlen(sentence) > 0);
}

static inline struct cursor written(struct writer *out)
{
    struct cursor bytes;
    assert_int_equal(writer_done(out, &bytes), ERR_NONE);
    return bytes;
}

static inline void my_begin(struct talk *talk, struct db_config config, size_t chunk_bytes)
{
    config.protocol = DB_MYSQL;
    talk_open(talk, config);
    talk->chunk_bytes = chunk_bytes;
}

static inline void greet(struct talk *talk, const char *plugin, uint32_t capabilities)
{
    uint8_t memory[256];
    struct writer out = writer_of(memory, sizeof memory);
    struct my_greeting greeting = {.version = cursor_of_text("8.0.36"),
                                   .plugin = cursor_of_text(plugin),
                                   .thread_id = 7,
                                   .capabilities = capabilities};
    memcpy(greeting.nonce, MY_NONCE, MY_NONCE_BYTES);
    my_write_greeting(&out, &greeting);
    packet(talk, DB_TARGET, 0, written(&out));
}

static inline void log_in(struct talk *talk, uint8_t sequence, uint32_t capabilities, const char *plugin,
                          struct cursor proof)
{
    uint8_t memory[256];
    struct writer out = writer_of(memory, sizeof memory);
    const struct my_login login = {.capabilities = capabilities,
                                   .packet_bytes = 1 << 24,
                                   .user = cursor_of_text("orders_rw"),
                                   .database = cursor_of_text("orders"),
                                   .plugin = cursor_of_text(plugin),
                                   .proof = proof};
    my_write_login(&out, &login);
    packet(talk, DB_CLIENT, sequence, written(&out));
}

/** Both sides are ready for commands. */
static inline void my_ready(struct talk *talk, uint32_t more_capabilities)
{
    uint32_t capabilities = (uint32_t)MY_TALK_CAPABILITIES | more_capabilities;
    greet(talk, "mysql_native_password", (uint32_t)MY_PASSED);
    log_in(talk, 1, capabilities, "mysql_native_password", cursor_of_text("01234567890123456789"));
    PACKET(talk, DB_TARGET, 3, "\x00\x00\x00\x02\x00\x00\x00");
    assert_int_equal(db_relay_need(talk->relay), DB_NEED_NOTHING);
    talk_forget(talk);
    talk->log_bytes = 0;
    talk->log[0] = 0;
}

#endif
