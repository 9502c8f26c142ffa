/* A small host for tests: a folder with an evidence log and recordings, written with the room's own
 * functions. */
#ifndef TESTS_RECORD_HOST_H
#define TESTS_RECORD_HOST_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "crypto/x25519.h"
#include "record/container.h"
#include "record/log.h"
#include "record/reader.h"
#include "record/verify.h"
#include "unit_test.h"

#define HOST_DAY "2026/11/23"
#define HOST_WALL_US 1795392000000000ULL /* 2026-11-23T00:00:00Z */

enum { HOST_PATH_BYTES = 512, HOST_FILE_BYTES = 1 << 20 };

struct host {
    char root[64], recordings[128], evidence[128], key_path[128];
    struct record_log_key key;
    struct record_log log;
    struct record_tools tools;
    int evidence_fd;
    uint8_t identity[32];
    struct record_recipients recipients;
};

/* One recording, as bytes and as what is needed to write more of it. */
struct tape {
    struct record_container container;
    struct record_key key;
    uint64_t t_us, stream_bytes;
    uint8_t bytes[HOST_FILE_BYTES];
    size_t len;
    uint8_t key_file[RECORD_AGE_FILE_BYTES];
    size_t key_file_len;
    char hex[2 * LIMIT_SID_BYTES + 1];
};

static inline void host_write(const char *path, const uint8_t *bytes, size_t len)
{
    (void)unlink(path);
    OWNED_FD fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, cursor_of(bytes, len)), ERR_NONE);
}
static inline size_t host_read(const char *path, uint8_t *bytes, size_t size)
{
    FILE *file = fopen(path, "rbe");
    assert_non_null(file);
    size_t got = fread(bytes, 1, size, file);
    (void)fclose(file);
    return got;
}
static inline void host_run(const char *command)
{
    assert_int_equal(system(command), 0);
}

static inline void host_init(struct host *host)
{
    memset(host, 0, sizeof *host);
    (void)snprintf(host->root, sizeof host->root, "/tmp/record-test-XXXXXX");
    assert_non_null(mkdtemp(host->root));
    (void)snprintf(host->recordings, sizeof host->recordings, "%s/recordings", host->root);
    (void)snprintf(host->evidence, sizeof host->evidence, "%s/evidence", host->root);
    (void)snprintf(host->key_path, sizeof host->key_path, "%s/log.key", host->root);
    char command[HOST_PATH_BYTES];
    (void)snprintf(command, sizeof command, "mkdir -p %s/" HOST_DAY " %s", host->recordings, host->evidence);
    host_run(command);
    assert_int_equal(record_log_key_create(host->key_path, "bastion-test"), ERR_NONE);
    assert_int_equal(record_log_key_load(host->key_path, &host->key), ERR_NONE);
    assert_int_equal(record_tools_init(&host->tools), ERR_NONE);
    host->evidence_fd = open(host->evidence, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct record_log_recovery recovery;
    assert_int_equal(record_log_open(&host->log, host->evidence_fd, &host->key, &recovery), ERR_NONE);
    free(recovery.unclosed);
    memset(host->identity, 7, sizeof host->identity);
    host->recipients.count = 1;
    assert_int_equal(crypto_x25519_public(host->identity, host->recipients.keys[0]), ERR_NONE);
}
static inline void host_done(struct host *host)
{
    record_log_done(&host->log);
    record_log_key_done(&host->key);
    record_tools_done(&host->tools);
    fd_close(&host->evidence_fd);
    char command[HOST_PATH_BYTES];
    (void)snprintf(command, sizeof command, "rm -rf %s", host->root);
    host_run(command);
}

static inline struct writer tape_room(struct tape *tape)
{
    return writer_of(tape->bytes + tape->len, sizeof tape->bytes - tape->len);
}
static inline void tape_wrote(struct tape *tape, const struct writer *out)
{
    struct cursor bytes;
    assert_int_equal(writer_done(out, &bytes), ERR_NONE);
    tape->len += cursor_len(&bytes);
    assert_int_equal(tape->container.file_bytes, tape->len);
}
static inline void tape_leaf(struct host *host, const struct tape *tape, enum record_leaf_kind kind)
{
    struct record_leaf leaf = {.kind = kind, .bytes = tape->len, .how = cursor_of_text("ended")};
    memcpy(leaf.sid, tape->container.sid, sizeof leaf.sid);
    memcpy(leaf.hash, tape->container.chain, sizeof leaf.hash);
    assert_int_equal(record_log_add_leaf(&host->log, &leaf, HOST_WALL_US), ERR_NONE);
    assert_int_equal(record_log_commit(&host->log), ERR_NONE);
}

/* A new recording: head and `open` leaf. Its session id and key are made of `number`. */
static inline struct tape *tape_new(struct host *host, uint8_t number)
{
    struct tape *tape = calloc(1, sizeof *tape);
    assert_non_null(tape);
    struct record_opening opening = {.wall_us = HOST_WALL_US,
                                     .log_size = host->log.tree.size,
                                     .host_id = cursor_of_text("bastion-test"),
                                     .meta = cursor_of_text("{\"user\":\"mira\"}")};
    memset(opening.sid, number, sizeof opening.sid);
    memset(opening.key, number + 1, sizeof opening.key);
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
static inline void tape_records(struct host *host, struct tape *tape, struct cursor records)
{
    struct writer out = tape_room(tape);
    tape->t_us += 1000;
    tape->stream_bytes += cursor_len(&records);
    assert_int_equal(record_container_data(&tape->container, &host->tools, tape->t_us, records, &out),
                     ERR_NONE);
    tape_wrote(tape, &out);
}
static inline void tape_text(struct host *host, struct tape *tape, const char *text)
{
    static uint8_t memory[1 << 18];
    struct writer records = writer_of(memory, sizeof memory);
    struct cursor bytes;
    record_write_bytes(&records, RECORD_TERMINAL_OUT, 0, cursor_of_text(text));
    assert_int_equal(writer_done(&records, &bytes), ERR_NONE);
    tape_records(host, tape, bytes);
}
static inline struct record_stamp tape_stamp(const struct tape *tape)
{
    return (struct record_stamp){tape->t_us, HOST_WALL_US + tape->t_us, tape->stream_bytes};
}
/* A checkpoint in the file; in the evidence log only where `is_logged`. */
static inline void tape_checkpoint(struct host *host, struct tape *tape, bool is_logged)
{
    struct writer out = tape_room(tape);
    struct record_stamp stamp = tape_stamp(tape);
    assert_int_equal(
        record_container_checkpoint(&tape->container, &host->tools, &host->key.key, &stamp, &out), ERR_NONE);
    tape_wrote(tape, &out);
    if (is_logged) {
        tape_leaf(host, tape, RECORD_LEAF_CHECKPOINT);
    }
}
static inline void tape_close(struct host *host, struct tape *tape)
{
    struct writer out = tape_room(tape);
    struct record_stamp stamp = tape_stamp(tape);
    struct record_ending ending = {0, cursor_of_text("ended"), cursor_of_text("exit")};
    assert_int_equal(
        record_container_close(&tape->container, &host->tools, &host->key.key, &stamp, &ending, &out),
        ERR_NONE);
    tape_wrote(tape, &out);
    tape_leaf(host, tape, RECORD_LEAF_CLOSE);
}
static inline void tape_path(const struct host *host, const struct tape *tape, const char *suffix,
                             char path[static HOST_PATH_BYTES])
{
    (void)snprintf(path, HOST_PATH_BYTES, "%s/" HOST_DAY "/%s%s", host->recordings, tape->hex, suffix);
}
static inline void tape_save(const struct host *host, const struct tape *tape, const uint8_t *bytes,
                             size_t len)
{
    char path[HOST_PATH_BYTES];
    tape_path(host, tape, ".rec", path);
    host_write(path, bytes, len);
    tape_path(host, tape, ".key.age", path);
    host_write(path, tape->key_file, tape->key_file_len);
}

/* The verdicts of one verification, by the first byte of the session id. */
struct verdicts {
    bool is_seen[256], is_key_missing[256];
    enum record_verdict of[256];
    uint64_t tail[256];
    struct record_log_result log;
    struct record_verify_totals totals;
};
static inline void take_log(void *context, const struct record_log_result *result)
{
    struct verdicts *verdicts = context;
    assert_true(strlen(result->sentence) > 0);
    verdicts->log = *result;
}
static inline void take_recording(void *context, const struct record_result *result)
{
    struct verdicts *verdicts = context;
    assert_true(strlen(result->sentence) > 0);
    if (getenv("RECORD_TEST_TALK") != NULL) {
        print_message("%s %02x %s\n", record_verdict_name(result->verdict), result->sid[0], result->sentence);
    }
    verdicts->is_seen[result->sid[0]] = true;
    verdicts->is_key_missing[result->sid[0]] = result->is_key_missing;
    verdicts->of[result->sid[0]] = result->verdict;
    verdicts->tail[result->sid[0]] = result->tail_bytes;
}
static inline struct verdicts host_verify(const struct host *host, const struct record_vkey *vkey,
                                          const char *held_note)
{
    struct verdicts verdicts = {0};
    struct record_verify_input input = {.recordings_dir = host->recordings,
                                        .evidence_dir = host->evidence,
                                        .vkey = vkey,
                                        .held_note = held_note};
    struct record_verify_report report = {&verdicts, take_log, take_recording};
    assert_int_equal(record_verify(&input, &report, &verdicts.totals), ERR_NONE);
    return verdicts;
}

#endif
