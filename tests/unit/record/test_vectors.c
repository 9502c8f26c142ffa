/* The vectors of docs/formats: a small host with one recording, made once with known keys, read and verified
 * with what is in tests/vectors. RECORD_MAKE_VECTORS=1 makes them anew. */
#include "record/host.h"

#define VECTORS "tests/vectors"
#define SID "41414141414141414141414141414141"

static void make_records(uint8_t *memory, size_t size, struct cursor *ret)
{
    struct writer out = writer_of(memory, size);
    record_write_target_login(&out, cursor_of_text("ec2-user"), cursor_of_text("SHA256:vector"));
    record_write_channel_open(&out, 0, cursor_of_text("session"));
    record_write_exec(&out, 0, cursor_of_text("id"));
    record_write_bytes(&out, RECORD_STDOUT, 0, cursor_of_text("uid=1000(ec2-user)\n"));
    assert_int_equal(writer_done(&out, ret), ERR_NONE);
}

static void load_host(struct host *host)
{
    uint8_t bytes[512];
    char sentence[RECORD_AGE_SENTENCE_BYTES];
    size_t len = host_read(VECTORS "/log.key", bytes, sizeof bytes);
    assert_int_equal(record_log_key_parse(cursor_of(bytes, len), &host->key), ERR_NONE);
    len = host_read(VECTORS "/recipients.txt", bytes, sizeof bytes);
    assert_int_equal(record_recipients_parse(cursor_of(bytes, len), &host->recipients, sentence), ERR_NONE);
    (void)snprintf(host->recordings, sizeof host->recordings, VECTORS "/recordings");
    (void)snprintf(host->evidence, sizeof host->evidence, VECTORS "/evidence");
}

/* One data frame as it is, a checkpoint, one compressed data frame, a close. */
static void make_vectors(struct host *host)
{
    struct record_log_recovery recovery;
    uint8_t memory[512];
    char zeros[301];
    struct cursor records;
    host_run("rm -rf " VECTORS "/recordings " VECTORS "/evidence && mkdir -p " VECTORS "/recordings/" HOST_DAY
             " " VECTORS "/evidence");
    assert_int_equal(record_tools_init(&host->tools), ERR_NONE);
    host->evidence_fd = open(host->evidence, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(record_log_open(&host->log, host->evidence_fd, &host->key, &recovery), ERR_NONE);
    assert_int_equal(
        record_log_add(&host->log, cursor_of_text("boot 2026-11-23T00:00:00.000000Z vector-host")), ERR_NONE);
    struct tape *tape = tape_new(host, 0x41);
    make_records(memory, sizeof memory, &records);
    tape_records(host, tape, records);
    tape_checkpoint(host, tape, true);
    memset(zeros, '0', sizeof zeros - 1);
    zeros[sizeof zeros - 1] = 0;
    tape_text(host, tape, zeros);
    tape_close(host, tape);
    tape_save(host, tape, tape->bytes, tape->len);
    free(tape);
    record_log_done(&host->log);
    record_tools_done(&host->tools);
    fd_close(&host->evidence_fd);
}

static void vectors_verify_with_the_public_key(void **state)
{
    (void)state;
    struct host host = {0};
    struct record_vkey vkey;
    load_host(&host);
    if (getenv("RECORD_MAKE_VECTORS") != NULL) {
        make_vectors(&host);
    }
    assert_int_equal(record_vkey_load(VECTORS "/log.pub", &vkey), ERR_NONE);
    struct verdicts verdicts = host_verify(&host, &vkey, VECTORS "/evidence/checkpoint");
    assert_int_equal(verdicts.log.verdict, RECORD_LOG_OK);
    assert_int_equal(verdicts.log.leaves, 4);
    assert_int_equal(verdicts.of[0x41], RECORD_OK);
    assert_false(verdicts.is_key_missing[0x41]);
    assert_int_equal(verdicts.totals.recordings, 1);
    record_log_key_done(&host.key);
}

static void vectors_open_with_the_identity(void **state)
{
    (void)state;
    static const char PATH[] = VECTORS "/recordings/" HOST_DAY "/" SID ".rec";
    uint8_t bytes[512];
    char sentence[RECORD_AGE_SENTENCE_BYTES];
    struct record_identities identities;
    struct record_key key;
    struct record_reader reader = {0};
    struct record_step step;
    struct cursor wanted;
    uint8_t memory[512];
    size_t len = host_read(VECTORS "/identity.txt", bytes, sizeof bytes);
    assert_int_equal(record_identities_parse(cursor_of(bytes, len), &identities, sentence), ERR_NONE);
    assert_int_equal(record_key_open(PATH, &identities, &key), ERR_NONE);
    for (size_t i = 0; i < sizeof key.bytes; i++) {
        assert_int_equal(key.bytes[i], 0x42);
    }
    assert_int_equal(record_reader_open(&reader, PATH, NULL, &key), ERR_NONE);
    make_records(memory, sizeof memory, &wanted);
    while (cursor_len(&wanted) > 0) {
        struct record record;
        assert_int_equal(record_next(&wanted, &record), ERR_NONE);
        assert_int_equal(record_reader_next(&reader, &step), ERR_NONE);
        assert_int_equal(step.type, RECORD_STEP_RECORD);
        assert_int_equal(step.record.kind, record.kind);
        assert_int_equal(step.record.channel, record.channel);
        assert_true(cursor_equal(step.record.body, record.body));
    }
    static const enum record_step_type REST[] = {RECORD_STEP_CHECKPOINT, RECORD_STEP_RECORD,
                                                 RECORD_STEP_CLOSE, RECORD_STEP_END};
    for (size_t i = 0; i < COUNT_OF(REST); i++) {
        assert_int_equal(record_reader_next(&reader, &step), ERR_NONE);
        assert_int_equal(step.type, REST[i]);
        /* It was made before closes told what was moved. */
        assert_false(step.type == RECORD_STEP_CLOSE && step.closing.has_moved);
    }
    record_reader_done(&reader);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(vectors_verify_with_the_public_key),
        cmocka_unit_test(vectors_open_with_the_identity),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
