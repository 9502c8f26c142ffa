/* Recordings for tests, with meta data and times of their own, on the small host of the room record. */
#ifndef TESTS_REPLAY_STUDIO_H
#define TESTS_REPLAY_STUDIO_H

#include "record/host.h"

#define STUDIO_META                                                                                          \
    "{\"v\":1,\"person\":\"mira\",\"account\":\"ec2-user\",\"host\":\"web-1.internal\",\"target\":\"web\","  \
    "\"from\":\"198.51.100.7\",\"kind\":\"ssh\",\"rule\":\"web-shell\",\"bastion\":\"b1\"}"

/* As tape_new(), but with the given meta data and time. */
static inline struct tape *studio_tape(struct host *host, const uint8_t sid[static LIMIT_SID_BYTES],
                                       const char *meta, uint64_t wall_us)
{
    struct tape *tape = calloc(1, sizeof *tape);
    assert_non_null(tape);
    struct record_opening opening = {.wall_us = wall_us,
                                     .log_size = host->log.tree.size,
                                     .host_id = cursor_of_text("bastion-test"),
                                     .meta = cursor_of_text(meta)};
    memcpy(opening.sid, sid, sizeof opening.sid);
    memset(opening.key, sid[0] + 1, sizeof opening.key);
    memcpy(tape->key.bytes, opening.key, sizeof opening.key);
    memcpy(opening.log_public_key, host->key.vkey.public_key, sizeof opening.log_public_key);
    struct writer key_out = writer_of(tape->key_file, sizeof tape->key_file);
    struct cursor key_file;
    assert_int_equal(record_age_seal(&host->recipients, cursor_of(opening.key, sizeof opening.key), &key_out),
                     ERR_NONE);
    assert_int_equal(writer_done(&key_out, &key_file), ERR_NONE);
    tape->key_file_len = cursor_len(&key_file);
    crypto_sha256(key_file, opening.key_file_sha256);
    (void)text_hex(cursor_of(opening.sid, sizeof opening.sid), tape->hex, sizeof tape->hex);
    struct writer out = tape_room(tape);
    assert_int_equal(record_container_begin(&tape->container, &host->tools, &opening, &out), ERR_NONE);
    tape_wrote(tape, &out);
    tape_leaf(host, tape, RECORD_LEAF_OPEN);
    return tape;
}
static inline struct tape *studio_tape_of(struct host *host, uint8_t number, const char *meta)
{
    uint8_t sid[LIMIT_SID_BYTES];
    memset(sid, number, sizeof sid);
    return studio_tape(host, sid, meta, HOST_WALL_US);
}

/* Records of one moment. */
struct take {
    uint8_t memory[1 << 18];
    struct writer out;
};
static inline void take_begin(struct take *take)
{
    take->out = writer_of(take->memory, sizeof take->memory);
}
static inline void take_end(struct host *host, struct tape *tape, struct take *take, uint64_t t_us)
{
    struct cursor bytes;
    assert_int_equal(writer_done(&take->out, &bytes), ERR_NONE);
    tape->t_us = t_us - 1000; /* tape_records() adds it */
    tape_records(host, tape, bytes);
}
static inline void studio_bytes(struct host *host, struct tape *tape, uint64_t t_us, enum record_kind kind,
                                uint32_t channel, const char *text)
{
    static struct take take;
    take_begin(&take);
    record_write_bytes(&take.out, kind, channel, cursor_of_text(text));
    take_end(host, tape, &take, t_us);
}

/* A terminal with all kinds of escape sequences on channel 0, then, on the same number, a command, then a
 * refused request. Closed and logged. */
static inline void studio_perform(struct host *host, struct tape *tape)
{
    static struct take take;
    take_begin(&take);
    record_write_target_login(&take.out, cursor_of_text("ec2-user"), cursor_of_text("SHA256:abc"));
    record_write_channel_open(&take.out, 0, cursor_of_text("session"));
    record_write_env(&take.out, 0, cursor_of_text("LANG"), cursor_of_text("C.UTF-8"));
    record_write_pty(&take.out, 0, cursor_of_text("xterm-256color"), 40, 10);
    record_write_shell(&take.out, 0);
    take_end(host, tape, &take, 100000);
    studio_bytes(host, tape, 1000000, RECORD_TERMINAL_OUT, 0,
                 "\x1b]0;evil\a\x1b[32m$ \x1b[0mpsql prdo\b\bod-db\r\n");
    studio_bytes(host, tape, 1500000, RECORD_TERMINAL_OUT, 0, "\x1b]52;c;cm0gLXJmIC8K\acaf\xc3");
    studio_bytes(host, tape, 2000000, RECORD_TERMINAL_OUT, 0, "\xa9\x1b[6n\r\n");
    take_begin(&take);
    record_write_resize(&take.out, 0, 60, 20);
    take_end(host, tape, &take, 2500000);
    tape_checkpoint(host, tape, true);
    take_begin(&take);
    record_write_exit_status(&take.out, 0, 0);
    record_write_channel_close(&take.out, 0, 10, 100);
    record_write_channel_open(&take.out, 0, cursor_of_text("session"));
    record_write_exec(&take.out, 0, cursor_of_text("make \x1b[31mall"));
    take_end(host, tape, &take, 3000000);
    studio_bytes(host, tape, 3100000, RECORD_STDOUT, 0, "out \x1bP$qm\x1b\\one\ntwo\n");
    studio_bytes(host, tape, 3200000, RECORD_STDERR, 0, "warning\n");
    take_begin(&take);
    static const uint8_t SHA256[32] = {0xab};
    record_write_stream_total(&take.out, 0, RECORD_STDOUT, 5000, 22, SHA256);
    record_write_exit_status(&take.out, 0, 3);
    record_write_refused(&take.out, 1, cursor_of_text("x11-req"),
                         cursor_of_text("X11 forwarding is not allowed"));
    record_write_end(&take.out, 3, cursor_of_text("exit"));
    take_end(host, tape, &take, 4000000);
    tape_close(host, tape);
    tape_save(host, tape, tape->bytes, tape->len);
}

#endif
