/* A recording, written and read back: what the reader gives, in every state of the file. */
#include "crypto/random.h"
#include "record/host.h"

static int setup(void **state)
{
    struct host *host = calloc(1, sizeof *host);
    assert_non_null(host);
    host_init(host);
    *state = host;
    return 0;
}
static int teardown(void **state)
{
    host_done(*state);
    free(*state);
    return 0;
}
static struct record_reader open_tape(const struct host *host, const struct tape *tape,
                                      const struct record_key *key)
{
    char path[HOST_PATH_BYTES];
    struct record_reader reader = {0};
    tape_path(host, tape, ".rec", path);
    assert_int_equal(record_reader_open(&reader, path, host->key.vkey.public_key, key), ERR_NONE);
    return reader;
}
static struct record_step next(struct record_reader *reader)
{
    struct record_step step = {0};
    enum err err = record_reader_next(reader, &step);
    if (err != ERR_NONE) {
        print_message("%s\n", record_reader_why(reader));
    }
    assert_int_equal(err, ERR_NONE);
    return step;
}

static void reader_gives_back_what_was_written(void **state)
{
    struct host *host = *state;
    struct tape *tape = tape_new(host, 0x21);
    static char large[200001];
    memset(large, 'a', sizeof large - 1);
    tape_text(host, tape, "small");
    tape_checkpoint(host, tape, false);
    tape_text(host, tape, large); /* four records, compressed */
    assert_true(tape->len < 8192);
    tape_close(host, tape);
    tape_save(host, tape, tape->bytes, tape->len);
    struct record_reader reader = open_tape(host, tape, &tape->key);
    const struct record_head *head = record_reader_head(&reader);
    assert_memory_equal(head->sid, tape->container.sid, sizeof head->sid);
    assert_int_equal(head->wall_us, HOST_WALL_US);
    assert_true(cursor_equal_text(head->meta, "{\"user\":\"mira\"}"));
    assert_true(cursor_equal_text(head->host_id, "bastion-test"));
    struct record_step step = next(&reader);
    assert_int_equal(step.type, RECORD_STEP_RECORD);
    assert_int_equal(step.t_us, 1000);
    assert_true(cursor_equal_text(step.record.body, "small"));
    step = next(&reader);
    assert_int_equal(step.type, RECORD_STEP_CHECKPOINT);
    assert_int_equal(step.checkpoint.stream_bytes, RECORD_HEADER_BYTES + 5);
    size_t seen = 0;
    for (step = next(&reader); step.type == RECORD_STEP_RECORD; step = next(&reader)) {
        assert_int_equal(step.record.kind, RECORD_TERMINAL_OUT);
        seen += cursor_len(&step.record.body);
    }
    assert_int_equal(seen, sizeof large - 1);
    assert_int_equal(step.type, RECORD_STEP_CLOSE);
    assert_true(cursor_equal_text(step.closing.how, "ended"));
    assert_true(cursor_equal_text(step.closing.reason, "exit"));
    assert_int_equal(step.closing.records, 5);
    assert_int_equal(step.closing.kept_bytes, sizeof large - 1 + 5);
    assert_int_equal(step.closing.at.file_bytes, tape->len);
    step = next(&reader);
    assert_int_equal(step.type, RECORD_STEP_END);
    assert_int_equal(step.tail_bytes, 0);
    record_reader_done(&reader);
    free(tape);
}

/* Archives do not shrink: after one frame of such the next are not tried, and then it is tried again. */
static void frames_after_one_that_did_not_shrink_are_kept_as_they_are(void **state)
{
    enum { PIECE_BYTES = 250, BODY_BYTES = 68 * PIECE_BYTES, UNTRIED = 15 };
    struct host *host = *state;
    struct tape *tape = tape_new(host, 0x22);
    static uint8_t body[BODY_BYTES];
    static uint8_t memory[BODY_BYTES + RECORD_HEADER_BYTES];
    for (size_t at = 0; at < sizeof body; at += PIECE_BYTES) {
        crypto_random(body + at, PIECE_BYTES);
    }
    for (unsigned i = 0; i <= UNTRIED + 1; i++) {
        struct writer out = writer_of(memory, sizeof memory);
        struct cursor records;
        record_write_bytes(&out, RECORD_STDOUT, 0, cursor_of(body, sizeof body));
        assert_int_equal(writer_done(&out, &records), ERR_NONE);
        size_t before = tape->len;
        tape_records(host, tape, records);
        assert_true((tape->len - before > BODY_BYTES) == (i <= UNTRIED));
        memset(body, 'a', sizeof body);
    }
    tape_close(host, tape);
    tape_save(host, tape, tape->bytes, tape->len);
    struct record_reader reader = open_tape(host, tape, &tape->key);
    struct record_step step = next(&reader);
    for (unsigned i = 0; i <= UNTRIED + 1; i++, step = next(&reader)) {
        assert_int_equal(cursor_len(&step.record.body), BODY_BYTES);
    }
    assert_int_equal(step.type, RECORD_STEP_CLOSE);
    record_reader_done(&reader);
    free(tape);
}

static void close_tells_what_was_moved(void **state)
{
    struct host *host = *state;
    struct tape *tape = tape_new(host, 0x21);
    uint8_t memory[1024];
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor records;
    const struct record_file_total read = {.number = 1, .read_bytes = 7};
    const struct record_file_total written = {.number = 2, .written_bytes = UINT64_MAX};
    record_write_file_total(&out, 0, &read);
    record_write_file_total(&out, 0, &written);
    record_write_file_total(&out, 0, &written); /* a session may say what it likes: sums do not turn over */
    record_write_channel_close(&out, 0, 100, 2000);
    record_write_forward_close(&out, 1, 10, 30);
    assert_int_equal(writer_done(&out, &records), ERR_NONE);
    tape_records(host, tape, records);
    tape_close(host, tape);
    tape_save(host, tape, tape->bytes, tape->len);
    struct record_reader reader = open_tape(host, tape, NULL);
    struct record_step step = next(&reader);
    while (step.type != RECORD_STEP_CLOSE) {
        step = next(&reader);
    }
    assert_true(step.closing.has_moved);
    assert_int_equal(step.closing.moved.files, 3);
    assert_int_equal(step.closing.moved.file_from_target_bytes, 7);
    assert_true(step.closing.moved.file_to_target_bytes == UINT64_MAX);
    assert_int_equal(step.closing.moved.to_target_bytes, 110);
    assert_int_equal(step.closing.moved.from_target_bytes, 2030);
    record_reader_done(&reader);
    free(tape);
}

static void reader_without_key_checks_but_does_not_decrypt(void **state)
{
    struct host *host = *state;
    struct tape *tape = tape_new(host, 0x21);
    tape_text(host, tape, "secret words");
    tape_close(host, tape);
    tape_save(host, tape, tape->bytes, tape->len);
    assert_null(memmem(tape->bytes, tape->len, "secret", 6));
    struct record_reader reader = open_tape(host, tape, NULL);
    struct record_step step = next(&reader);
    assert_int_equal(step.type, RECORD_STEP_SEALED);
    assert_int_equal(step.sealed_bytes, 12 + 12 + 16);
    assert_int_equal(next(&reader).type, RECORD_STEP_CLOSE);
    assert_int_equal(next(&reader).type, RECORD_STEP_END);
    record_reader_done(&reader);
    struct record_key wrong = tape->key;
    wrong.bytes[0] ^= 1;
    reader = open_tape(host, tape, &wrong);
    assert_int_equal(record_reader_next(&reader, &step), ERR_MISMATCH);
    assert_non_null(strstr(record_reader_why(&reader), "offset"));
    record_reader_done(&reader);
    free(tape);
}

static void ratchet_a_later_key_does_not_open_earlier_frames(void **state)
{
    struct host *host = *state;
    struct tape *tape = tape_new(host, 0x21);
    tape_text(host, tape, "before");
    uint8_t first[CRYPTO_AEAD_KEY_BYTES];
    memcpy(first, tape->container.key, sizeof first);
    tape_checkpoint(host, tape, false);
    assert_memory_not_equal(first, tape->container.key, sizeof first);
    uint8_t wanted[CRYPTO_AEAD_KEY_BYTES];
    crypto_hkdf_sha256(cursor_of(first, sizeof first), cursor_of(NULL, 0), cursor_of_text("BREC1 ratchet"),
                       wanted, sizeof wanted);
    assert_memory_equal(wanted, tape->container.key, sizeof wanted);
    tape_save(host, tape, tape->bytes, tape->len);
    struct record_key later;
    memcpy(later.bytes, tape->container.key, sizeof later.bytes);
    struct record_reader reader = open_tape(host, tape, &later);
    struct record_step step;
    assert_int_equal(record_reader_next(&reader, &step), ERR_MISMATCH);
    record_reader_done(&reader);
    free(tape);
}

static void reader_follows_a_file_that_grows(void **state)
{
    struct host *host = *state;
    struct tape *tape = tape_new(host, 0x21);
    tape_text(host, tape, "one");
    size_t first = tape->len;
    tape_text(host, tape, "two");
    tape_close(host, tape);
    tape_save(host, tape, tape->bytes, first + 7);
    struct record_reader reader = open_tape(host, tape, &tape->key);
    assert_int_equal(next(&reader).type, RECORD_STEP_RECORD);
    struct record_step step = next(&reader);
    assert_int_equal(step.type, RECORD_STEP_END);
    assert_int_equal(step.tail_bytes, 7);
    assert_int_equal(step.file_bytes, first);
    char path[HOST_PATH_BYTES];
    tape_path(host, tape, ".rec", path);
    OWNED_FD fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(fd_write_all(fd, cursor_of(tape->bytes + first + 7, tape->len - first - 7)), ERR_NONE);
    step = next(&reader);
    assert_int_equal(step.type, RECORD_STEP_RECORD);
    assert_true(cursor_equal_text(step.record.body, "two"));
    assert_int_equal(next(&reader).type, RECORD_STEP_CLOSE);
    record_reader_done(&reader);
    free(tape);
}

static void reader_cut_anywhere_never_ends_with_a_close(void **state)
{
    struct host *host = *state;
    struct tape *tape = tape_new(host, 0x21);
    tape_text(host, tape, "one");
    tape_checkpoint(host, tape, false);
    tape_text(host, tape, "two");
    tape_close(host, tape);
    char path[HOST_PATH_BYTES];
    tape_path(host, tape, ".rec", path);
    for (size_t len = 0; len < tape->len; len++) {
        struct record_reader reader = {0};
        host_write(path, tape->bytes, len);
        enum err err = record_reader_open(&reader, path, host->key.vkey.public_key, &tape->key);
        if (err != ERR_NONE) {
            assert_int_equal(err, ERR_TRUNCATED);
            continue;
        }
        struct record_step step = {0};
        while (step.type != RECORD_STEP_END) {
            step = next(&reader);
            assert_int_not_equal(step.type, RECORD_STEP_CLOSE);
        }
        assert_int_equal(step.file_bytes + step.tail_bytes, len);
        record_reader_done(&reader);
    }
    free(tape);
}

static void summary_shows_head_and_close(void **state)
{
    struct host *host = *state;
    static uint8_t memory[RECORD_SUMMARY_BYTES];
    struct record_head head;
    struct record_closing closing;
    bool is_closed = true;
    char path[HOST_PATH_BYTES];
    struct tape *tape = tape_new(host, 0x21);
    tape_text(host, tape, "one");
    tape_path(host, tape, ".rec", path);
    assert_int_equal(record_summary_read(path, memory, &head, &is_closed, &closing), ERR_NOT_FOUND);
    host_write(path, tape->bytes, tape->len);
    assert_int_equal(record_summary_read(path, memory, &head, &is_closed, &closing), ERR_NONE);
    assert_false(is_closed);
    tape_close(host, tape);
    host_write(path, tape->bytes, tape->len);
    assert_int_equal(record_summary_read(path, memory, &head, &is_closed, &closing), ERR_NONE);
    assert_true(is_closed);
    assert_true(cursor_equal_text(closing.how, "ended"));
    assert_true(cursor_equal_text(head.meta, "{\"user\":\"mira\"}"));
    for (size_t len = 0; len < tape->len; len++) {
        host_write(path, tape->bytes, len);
        if (record_summary_read(path, memory, &head, &is_closed, &closing) == ERR_NONE) {
            assert_false(is_closed);
        }
    }
    host_write(path, (const uint8_t *)"no recording at all", 19);
    assert_int_equal(record_summary_read(path, memory, &head, &is_closed, &closing), ERR_MALFORMED);
    free(tape);
}

static void key_file_opens_for_its_recipient_only(void **state)
{
    struct host *host = *state;
    struct tape *tape = tape_new(host, 0x21);
    struct record_identities identities = {.count = 1};
    struct record_key key;
    char path[HOST_PATH_BYTES];
    tape_path(host, tape, ".rec", path);
    assert_int_equal(record_key_open(path, &identities, &key), ERR_NOT_FOUND);
    tape_save(host, tape, tape->bytes, tape->len);
    assert_int_equal(record_key_open(path, &identities, &key), ERR_DENIED);
    memcpy(identities.keys[0], host->identity, sizeof host->identity);
    assert_int_equal(record_key_open(path, &identities, &key), ERR_NONE);
    assert_memory_equal(key.bytes, tape->key.bytes, sizeof key.bytes);
    tape_path(host, tape, ".key.age", path);
    assert_int_equal(record_key_open(path, &identities, &key), ERR_NONE);
    free(tape);
}

static void frames_without_room_are_refused(void **state)
{
    struct host *host = *state;
    struct tape *tape = tape_new(host, 0x21);
    uint8_t records[64];
    struct writer out = writer_of(records, sizeof records);
    struct cursor bytes;
    record_write_bytes(&out, RECORD_STDOUT, 0, cursor_of_text("0123456789"));
    assert_int_equal(writer_done(&out, &bytes), ERR_NONE);
    size_t needed = 24 + cursor_len(&bytes) + 16;
    for (size_t size = 0; size <= needed; size++) {
        struct record_container container = tape->container;
        struct writer small = writer_of(tape->bytes + tape->len, size);
        assert_int_equal(record_container_data(&container, &host->tools, 1, bytes, &small),
                         size < needed ? ERR_TOO_LARGE : ERR_NONE);
    }
    free(tape);
}

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        ON_HOST(reader_gives_back_what_was_written),
        ON_HOST(frames_after_one_that_did_not_shrink_are_kept_as_they_are),
        ON_HOST(close_tells_what_was_moved),
        ON_HOST(reader_without_key_checks_but_does_not_decrypt),
        ON_HOST(ratchet_a_later_key_does_not_open_earlier_frames),
        ON_HOST(reader_follows_a_file_that_grows),
        ON_HOST(reader_cut_anywhere_never_ends_with_a_close),
        ON_HOST(summary_shows_head_and_close),
        ON_HOST(key_file_opens_for_its_recipient_only),
        ON_HOST(frames_without_room_are_refused),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
