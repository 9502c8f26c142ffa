/* The tamper set: each way to change what was recorded, and the verdict it must get. */
#include "record/verify.h"

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

/* Two data frames, a checkpoint, one more data frame, a close. */
static struct tape *closed_tape(struct host *host, uint8_t number)
{
    struct tape *tape = tape_new(host, number);
    tape_text(host, tape, "$ id\r\nuid=0(root)\r\n");
    tape_text(host, tape, "$ ls\r\n");
    tape_checkpoint(host, tape, true);
    tape_text(host, tape, "$ exit\r\n");
    tape_close(host, tape);
    return tape;
}
static enum record_verdict verdict_of(const struct host *host, const struct tape *tape)
{
    struct verdicts verdicts = host_verify(host, &host->key.vkey, NULL);
    assert_int_equal(verdicts.log.verdict, RECORD_LOG_OK);
    uint8_t number = tape->container.sid[0];
    assert_true(verdicts.is_seen[number]);
    return verdicts.of[number];
}
/* Where the frames of a file begin; the last entry is its length. */
struct frames {
    size_t at[16];
    size_t count;
};
static struct frames frames_of(const struct tape *tape)
{
    struct frames frames = {0};
    size_t at =
        12 + (size_t)(tape->bytes[8] << 24 | tape->bytes[9] << 16 | tape->bytes[10] << 8 | tape->bytes[11]);
    while (at < tape->len) {
        frames.at[frames.count++] = at;
        at += 24 + (size_t)(tape->bytes[at] << 24 | tape->bytes[at + 1] << 16 | tape->bytes[at + 2] << 8 |
                            tape->bytes[at + 3]);
    }
    assert_int_equal(at, tape->len);
    frames.at[frames.count] = at;
    return frames;
}

static void verify_untouched_is_ok(void **state)
{
    struct host *host = *state;
    struct tape *tape = closed_tape(host, 0x11);
    tape_save(host, tape, tape->bytes, tape->len);
    struct verdicts verdicts = host_verify(host, &host->key.vkey, NULL);
    assert_int_equal(verdicts.of[0x11], RECORD_OK);
    assert_int_equal(verdicts.log.verdict, RECORD_LOG_OK);
    assert_int_equal(verdicts.totals.recordings, 1);
    assert_int_equal(verdicts.totals.faults, 0);
    assert_false(verdicts.is_key_missing[0x11]);
    free(tape);
}

static void verify_after_any_flipped_byte_is_fault(void **state)
{
    struct host *host = *state;
    struct tape *tape = closed_tape(host, 0x11);
    for (size_t i = 0; i < tape->len; i++) {
        tape->bytes[i] ^= 0x20;
        tape_save(host, tape, tape->bytes, tape->len);
        tape->bytes[i] ^= 0x20;
        struct verdicts verdicts = host_verify(host, &host->key.vkey, NULL);
        assert_true(verdicts.totals.faults > 0);
    }
    free(tape);
}

static void verify_closed_file_cut_anywhere_is_truncated(void **state)
{
    struct host *host = *state;
    struct tape *tape = closed_tape(host, 0x11);
    struct frames frames = frames_of(tape);
    for (size_t len = 0; len < tape->len; len++) {
        tape_save(host, tape, tape->bytes, len);
        struct verdicts verdicts = host_verify(host, &host->key.vkey, NULL);
        assert_true(verdicts.totals.faults > 0);
        if (len >= frames.at[0]) {
            assert_int_equal(verdicts.of[0x11], RECORD_TRUNCATED);
        }
    }
    free(tape);
}

static void verify_frame_removed_swapped_or_repeated_is_tampered(void **state)
{
    struct host *host = *state;
    struct tape *tape = closed_tape(host, 0x11);
    struct frames frames = frames_of(tape);
    static uint8_t changed[HOST_FILE_BYTES];
    for (size_t i = 0; i + 1 < frames.count; i++) {
        size_t len = frames.at[i + 1] - frames.at[i];
        /* without frame i */
        memcpy(changed, tape->bytes, frames.at[i]);
        memcpy(changed + frames.at[i], tape->bytes + frames.at[i + 1], tape->len - frames.at[i + 1]);
        tape_save(host, tape, changed, tape->len - len);
        assert_int_equal(verdict_of(host, tape), RECORD_TAMPERED);
        /* frame i twice */
        memcpy(changed + frames.at[i], tape->bytes + frames.at[i], len);
        memcpy(changed + frames.at[i + 1], tape->bytes + frames.at[i], tape->len - frames.at[i]);
        tape_save(host, tape, changed, tape->len + len);
        assert_int_equal(verdict_of(host, tape), RECORD_TAMPERED);
        /* frames i and i + 1 swapped */
        size_t next_len = frames.at[i + 2] - frames.at[i + 1];
        memcpy(changed, tape->bytes, tape->len);
        memcpy(changed + frames.at[i], tape->bytes + frames.at[i + 1], next_len);
        memcpy(changed + frames.at[i] + next_len, tape->bytes + frames.at[i], len);
        tape_save(host, tape, changed, tape->len);
        assert_int_equal(verdict_of(host, tape), RECORD_TAMPERED);
    }
    free(tape);
}

static void verify_bytes_after_close_is_tampered(void **state)
{
    struct host *host = *state;
    struct tape *tape = closed_tape(host, 0x11);
    tape->bytes[tape->len] = 0;
    tape_save(host, tape, tape->bytes, tape->len + 1);
    assert_int_equal(verdict_of(host, tape), RECORD_TAMPERED);
    free(tape);
}

static void verify_unfinished_is_unfinished_and_names_its_tear(void **state)
{
    struct host *host = *state;
    struct tape *tape = tape_new(host, 0x22);
    tape_text(host, tape, "one");
    tape_checkpoint(host, tape, true);
    size_t logged = tape->len;
    tape_text(host, tape, "two");
    for (size_t len = logged; len <= tape->len; len++) {
        tape_save(host, tape, tape->bytes, len);
        struct verdicts verdicts = host_verify(host, &host->key.vkey, NULL);
        assert_int_equal(verdicts.of[0x22], RECORD_UNFINISHED);
        assert_int_equal(verdicts.tail[0x22], len == tape->len ? 0 : len - logged);
        assert_int_equal(verdicts.totals.faults, 0);
    }
    for (size_t len = frames_of(tape).at[0]; len < logged; len++) { /* shorter than what the log saw */
        tape_save(host, tape, tape->bytes, len);
        assert_int_equal(verdict_of(host, tape), RECORD_TRUNCATED);
    }
    free(tape);
}

static void verify_zeros_after_a_crash_are_a_tear(void **state)
{
    struct host *host = *state;
    struct tape *tape = tape_new(host, 0x22);
    tape_text(host, tape, "one");
    memset(tape->bytes + tape->len, 0, 4096);
    tape_save(host, tape, tape->bytes, tape->len + 4096);
    struct verdicts verdicts = host_verify(host, &host->key.vkey, NULL);
    assert_int_equal(verdicts.of[0x22], RECORD_UNFINISHED);
    assert_int_equal(verdicts.tail[0x22], 4096);
    free(tape);
}

static void verify_recovered_must_stay_as_it_was_noted(void **state)
{
    struct host *host = *state;
    struct tape *tape = tape_new(host, 0x33);
    tape_text(host, tape, "one");
    struct record_leaf leaf = {.kind = RECORD_LEAF_RECOVER, .bytes = tape->len, .torn_bytes = 3};
    memcpy(leaf.sid, tape->container.sid, sizeof leaf.sid);
    memcpy(leaf.hash, tape->container.chain, sizeof leaf.hash);
    assert_int_equal(record_log_add_leaf(&host->log, &leaf, HOST_WALL_US), ERR_NONE);
    assert_int_equal(record_log_commit(&host->log), ERR_NONE);
    memcpy(tape->bytes + tape->len, "abcdef", 6);
    tape_save(host, tape, tape->bytes, tape->len + 3);
    assert_int_equal(verdict_of(host, tape), RECORD_RECOVERED);
    tape_save(host, tape, tape->bytes, tape->len + 2);
    assert_int_equal(verdict_of(host, tape), RECORD_TAMPERED);
    tape_save(host, tape, tape->bytes, tape->len - 2);
    assert_int_equal(verdict_of(host, tape), RECORD_TRUNCATED);
    tape_text(host, tape, "two");
    tape_save(host, tape, tape->bytes, tape->len);
    assert_int_equal(verdict_of(host, tape), RECORD_TAMPERED);
    free(tape);
}

static void verify_deleted_file_is_deleted(void **state)
{
    struct host *host = *state;
    struct tape *tape = closed_tape(host, 0x11);
    struct tape *other = closed_tape(host, 0x12);
    tape_save(host, other, other->bytes, other->len);
    assert_int_equal(verdict_of(host, tape), RECORD_DELETED);
    assert_int_equal(verdict_of(host, other), RECORD_OK);
    free(tape);
    free(other);
}

static void verify_file_that_was_never_logged_is_not_logged(void **state)
{
    struct host *host = *state;
    struct tape *tape = closed_tape(host, 0x11);
    tape_save(host, tape, tape->bytes, tape->len);
    /* The same key signs a recording in another log. */
    struct host other = *host;
    struct host fabricated;
    host_init(&fabricated);
    other.log = fabricated.log;
    other.log.key = &host->key;
    struct tape *forged = closed_tape(&other, 0x44);
    fabricated.log = other.log;
    tape_save(host, forged, forged->bytes, forged->len);
    assert_int_equal(verdict_of(host, forged), RECORD_NOT_LOGGED);
    assert_int_equal(verdict_of(host, tape), RECORD_OK);
    /* A head alone is what a crash while opening leaves. */
    tape_save(host, forged, forged->bytes, frames_of(forged).at[0]);
    assert_int_equal(verdict_of(host, forged), RECORD_ABANDONED);
    host_done(&fabricated);
    free(tape);
    free(forged);
}

static void verify_copy_in_another_place_is_fault(void **state)
{
    struct host *host = *state;
    struct tape *tape = closed_tape(host, 0x11);
    tape_save(host, tape, tape->bytes, tape->len);
    char path[HOST_PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s.rec", host->recordings, tape->hex);
    host_write(path, tape->bytes, tape->len);
    struct verdicts verdicts = host_verify(host, &host->key.vkey, NULL);
    assert_int_equal(verdicts.totals.recordings, 2);
    assert_int_equal(verdicts.totals.faults, 1);
    free(tape);
}

static void verify_resigned_by_another_key_is_wrong_key(void **state)
{
    struct host *host = *state;
    struct tape *tape = closed_tape(host, 0x11);
    struct host stranger;
    host_init(&stranger);
    struct tape *forged = closed_tape(&stranger, 0x11);
    tape_save(host, forged, forged->bytes, forged->len);
    assert_int_equal(verdict_of(host, tape), RECORD_WRONG_KEY);
    struct verdicts verdicts = host_verify(&stranger, &host->key.vkey, NULL);
    assert_int_equal(verdicts.log.verdict, RECORD_LOG_BAD_SIGNATURE);
    /* The head names the right key, the checkpoints are signed by another one. */
    struct record_log_key own = stranger.key;
    memcpy(stranger.key.vkey.public_key, host->key.vkey.public_key, sizeof own.vkey.public_key);
    struct tape *subtle = closed_tape(&stranger, 0x13);
    stranger.key = own;
    tape_save(host, subtle, subtle->bytes, subtle->len);
    struct verdicts second = host_verify(host, &host->key.vkey, NULL);
    assert_int_equal(second.of[0x13], RECORD_TAMPERED);
    host_done(&stranger);
    free(tape);
    free(forged);
    free(subtle);
}

static void verify_missing_or_replaced_key_file_is_named(void **state)
{
    struct host *host = *state;
    struct tape *tape = closed_tape(host, 0x11);
    tape->key_file[tape->key_file_len - 1] ^= 1;
    tape_save(host, tape, tape->bytes, tape->len);
    struct verdicts verdicts = host_verify(host, &host->key.vkey, NULL);
    assert_int_equal(verdicts.of[0x11], RECORD_OK);
    assert_true(verdicts.is_key_missing[0x11]);
    char path[HOST_PATH_BYTES];
    tape_path(host, tape, ".key.age", path);
    assert_int_equal(unlink(path), 0);
    verdicts = host_verify(host, &host->key.vkey, NULL);
    assert_int_equal(verdicts.of[0x11], RECORD_OK);
    assert_true(verdicts.is_key_missing[0x11]);
    assert_int_equal(verdicts.totals.keys_missing, 1);
    free(tape);
}

static void evidence_path(const struct host *host, const char *name, char path[static HOST_PATH_BYTES])
{
    (void)snprintf(path, HOST_PATH_BYTES, "%s/%s", host->evidence, name);
}

static void verify_changed_leaves_are_edited_or_truncated(void **state)
{
    struct host *host = *state;
    struct tape *tape = closed_tape(host, 0x11);
    tape_save(host, tape, tape->bytes, tape->len);
    char path[HOST_PATH_BYTES];
    evidence_path(host, "leaves", path);
    static uint8_t leaves[65536];
    size_t len = host_read(path, leaves, sizeof leaves);
    for (size_t i = 0; i < len; i += 7) {
        leaves[i] ^= 1;
        host_write(path, leaves, len);
        leaves[i] ^= 1;
        struct verdicts verdicts = host_verify(host, &host->key.vkey, NULL);
        assert_true(verdicts.log.verdict == RECORD_LOG_EDITED ||
                    verdicts.log.verdict == RECORD_LOG_TRUNCATED);
    }
    for (size_t cut = 0; cut < len; cut += 5) {
        host_write(path, leaves, cut);
        assert_int_equal(host_verify(host, &host->key.vkey, NULL).log.verdict, RECORD_LOG_TRUNCATED);
    }
    /* More than was signed: an incomplete line is a tear, a whole one proves nothing. */
    memcpy(leaves + len, "open x", 6);
    host_write(path, leaves, len + 6);
    assert_int_equal(host_verify(host, &host->key.vkey, NULL).log.verdict, RECORD_LOG_TORN);
    host_write(path, leaves, len);
    assert_int_equal(host_verify(host, &host->key.vkey, NULL).log.verdict, RECORD_LOG_OK);
    free(tape);
}

static void verify_unsigned_leaves_do_not_make_a_file_logged(void **state)
{
    struct host *host = *state;
    struct tape *tape = closed_tape(host, 0x11);
    tape_save(host, tape, tape->bytes, tape->len);
    char path[HOST_PATH_BYTES];
    static uint8_t note[RECORD_NOTE_BYTES];
    evidence_path(host, "checkpoint", path);
    size_t len = host_read(path, note, sizeof note);
    struct tape *forged = closed_tape(host, 0x44);
    tape_save(host, forged, forged->bytes, forged->len);
    host_write(path, note, len); /* the checkpoint from before the forged leaves */
    struct verdicts verdicts = host_verify(host, &host->key.vkey, NULL);
    assert_int_equal(verdicts.of[0x44], RECORD_NOT_LOGGED);
    assert_int_equal(verdicts.of[0x11], RECORD_OK);
    free(tape);
    free(forged);
}

static void verify_missing_log_is_missing(void **state)
{
    struct host *host = *state;
    char path[HOST_PATH_BYTES];
    struct tape *tape = closed_tape(host, 0x11);
    tape_save(host, tape, tape->bytes, tape->len);
    evidence_path(host, "checkpoint", path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(host_verify(host, &host->key.vkey, NULL).log.verdict, RECORD_LOG_MISSING);
    evidence_path(host, "leaves", path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(host_verify(host, &host->key.vkey, NULL).log.verdict, RECORD_LOG_MISSING);
    free(tape);
}

static void verify_against_held_note_finds_rollback_and_fork(void **state)
{
    struct host *host = *state;
    char command[2 * HOST_PATH_BYTES];
    char held[HOST_PATH_BYTES];
    (void)snprintf(held, sizeof held, "%s/held", host->root);
    struct tape *first = closed_tape(host, 0x11);
    tape_save(host, first, first->bytes, first->len);
    (void)snprintf(command, sizeof command, "cp -a %s %s/old", host->evidence, host->root);
    host_run(command);
    struct tape *second = closed_tape(host, 0x12);
    tape_save(host, second, second->bytes, second->len);
    (void)snprintf(command, sizeof command, "cp %s/checkpoint %s", host->evidence, held);
    host_run(command);
    assert_int_equal(host_verify(host, &host->key.vkey, held).log.verdict, RECORD_LOG_OK);
    struct tape *third = closed_tape(host, 0x13); /* the log went on: still consistent */
    tape_save(host, third, third->bytes, third->len);
    assert_int_equal(host_verify(host, &host->key.vkey, held).log.verdict, RECORD_LOG_OK);
    /* The whole host is set back: alone it looks fine. */
    (void)snprintf(command, sizeof command, "rm -rf %s && cp -a %s/old %s && rm %s/" HOST_DAY "/1[23]*",
                   host->evidence, host->root, host->evidence, host->recordings);
    host_run(command);
    assert_int_equal(host_verify(host, &host->key.vkey, NULL).log.verdict, RECORD_LOG_OK);
    assert_int_equal(host_verify(host, &host->key.vkey, held).log.verdict, RECORD_LOG_ROLLBACK);
    /* An insider with the key writes another history from there. */
    record_log_done(&host->log);
    fd_close(&host->evidence_fd);
    host->evidence_fd = open(host->evidence, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct record_log_recovery recovery;
    assert_int_equal(record_log_open(&host->log, host->evidence_fd, &host->key, &recovery), ERR_NONE);
    struct tape *forged = closed_tape(host, 0x14);
    struct tape *more = closed_tape(host, 0x15);
    tape_save(host, forged, forged->bytes, forged->len);
    tape_save(host, more, more->bytes, more->len);
    assert_int_equal(host_verify(host, &host->key.vkey, NULL).totals.faults, 0);
    assert_int_equal(host_verify(host, &host->key.vkey, held).log.verdict, RECORD_LOG_FORK);
    free(first);
    free(second);
    free(third);
    free(forged);
    free(more);
}

static void verify_one_sid_checks_only_that(void **state)
{
    struct host *host = *state;
    struct tape *tape = closed_tape(host, 0x11);
    struct tape *other = closed_tape(host, 0x12);
    tape_save(host, tape, tape->bytes, tape->len);
    struct verdicts verdicts = {0};
    struct record_verify_input input = {.recordings_dir = host->recordings,
                                        .evidence_dir = host->evidence,
                                        .vkey = &host->key.vkey,
                                        .only_sid = tape->container.sid};
    struct record_verify_report report = {&verdicts, take_log, take_recording};
    assert_int_equal(record_verify(&input, &report, &verdicts.totals), ERR_NONE);
    assert_int_equal(verdicts.totals.recordings, 1);
    assert_int_equal(verdicts.totals.faults, 0);
    uint8_t unknown[LIMIT_SID_BYTES] = {0x99};
    input.only_sid = unknown;
    assert_int_equal(record_verify(&input, &report, &verdicts.totals), ERR_NOT_FOUND);
    input.only_sid = other->container.sid;
    assert_int_equal(record_verify(&input, &report, &verdicts.totals), ERR_NONE);
    assert_int_equal(verdicts.of[0x12], RECORD_DELETED);
    free(tape);
    free(other);
}

static void verify_file_alone_checks_chain_and_signatures(void **state)
{
    struct host *host = *state;
    struct tape *tape = closed_tape(host, 0x11);
    tape_save(host, tape, tape->bytes, tape->len);
    struct verdicts verdicts = {0};
    struct record_verify_report report = {&verdicts, take_log, take_recording};
    char path[HOST_PATH_BYTES];
    tape_path(host, tape, ".rec", path);
    assert_int_equal(record_verify_file(path, &host->key.vkey, &report), ERR_NONE);
    assert_int_equal(verdicts.of[0x11], RECORD_OK);
    tape->bytes[frames_of(tape).at[1] + 30] ^= 1;
    tape_save(host, tape, tape->bytes, tape->len);
    assert_int_equal(record_verify_file(path, &host->key.vkey, &report), ERR_NONE);
    assert_int_equal(verdicts.of[0x11], RECORD_TAMPERED);
    free(tape);
}

#define TAMPER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        TAMPER(verify_untouched_is_ok),
        TAMPER(verify_after_any_flipped_byte_is_fault),
        TAMPER(verify_closed_file_cut_anywhere_is_truncated),
        TAMPER(verify_frame_removed_swapped_or_repeated_is_tampered),
        TAMPER(verify_bytes_after_close_is_tampered),
        TAMPER(verify_unfinished_is_unfinished_and_names_its_tear),
        TAMPER(verify_zeros_after_a_crash_are_a_tear),
        TAMPER(verify_recovered_must_stay_as_it_was_noted),
        TAMPER(verify_deleted_file_is_deleted),
        TAMPER(verify_file_that_was_never_logged_is_not_logged),
        TAMPER(verify_copy_in_another_place_is_fault),
        TAMPER(verify_resigned_by_another_key_is_wrong_key),
        TAMPER(verify_missing_or_replaced_key_file_is_named),
        TAMPER(verify_changed_leaves_are_edited_or_truncated),
        TAMPER(verify_unsigned_leaves_do_not_make_a_file_logged),
        TAMPER(verify_missing_log_is_missing),
        TAMPER(verify_against_held_note_finds_rollback_and_fork),
        TAMPER(verify_one_sid_checks_only_that),
        TAMPER(verify_file_alone_checks_chain_and_signatures),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
