#include "relay/tap.h"

#include "unit_test.h"

#include <string.h>

#include "base/limits.h"
#include "record/stream.h"

/* What a tap gave: everything per kind, joined. */
struct heard {
    size_t len[RECORD_KIND_COUNT];
    unsigned count[RECORD_KIND_COUNT];
    const uint8_t *body; /* of the last record */
    uint8_t last[LIMIT_RECORD_BODY_BYTES];
    size_t last_len;
    enum err error;
};

static enum err heard_record(void *owner, uint8_t kind, uint32_t channel, struct cursor head,
                             struct cursor body)
{
    struct heard *heard = owner;
    assert_int_equal(channel, 5);
    assert_true(kind > RECORD_NONE && kind < RECORD_KIND_COUNT);
    heard->count[kind]++;
    heard->len[kind] += cursor_len(&head) + cursor_len(&body);
    struct writer out = writer_of(heard->last, sizeof heard->last);
    writer_bytes(&out, head);
    writer_bytes(&out, body);
    assert_false(out.is_full);
    heard->last_len = (size_t)(out.at - out.start);
    heard->body = body.at;
    return heard->error;
}

static void heard_read(const struct heard *heard, enum record_kind kind, struct record_body *ret_body)
{
    const struct record record = {
        .channel = 5, .kind = (uint8_t)kind, .body = cursor_of(heard->last, heard->last_len)};
    assert_int_equal(record_body_read(&record, ret_body), ERR_NONE);
}

static struct heard heard;
static struct tap tap;

static int tap_setup(void **state)
{
    (void)state;
    heard = (struct heard){0};
    tap_init(&tap, heard_record, &heard, 5);
    tap.cap_bytes = 1000;
    tap.hashes_streams = true;
    return 0;
}

static int tap_teardown(void **state)
{
    (void)state;
    tap_done(&tap);
    tap_done(&tap); /* twice is fine */
    return 0;
}

static void tap_streams_are_kept_to_the_cap_and_hashed_whole(void **state)
{
    (void)state;
    static uint8_t bytes[700];
    memset(bytes, 'a', sizeof bytes);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(tap_data(&tap, TAP_STDOUT, cursor_of(bytes, sizeof bytes)), ERR_NONE);
    }
    assert_int_equal(heard.len[RECORD_STDOUT], 1000);
    assert_int_equal(heard.count[RECORD_STDOUT], 2); /* the third was over the cap: no empty record */
    struct crypto_sha256 hash = {0};
    uint8_t digest[CRYPTO_SHA256_BYTES];
    crypto_sha256_init(&hash);
    for (unsigned i = 0; i < 3; i++) {
        crypto_sha256_add(&hash, cursor_of(bytes, sizeof bytes));
    }
    crypto_sha256_end(&hash, digest);
    crypto_sha256_done(&hash);
    heard.last_len = 0;
    /* stop at the total, which comes before the close */
    heard.error = ERR_CLOSED;
    assert_int_equal(tap_closed(&tap), ERR_CLOSED);
    struct record_body body;
    heard_read(&heard, RECORD_STREAM_TOTAL, &body);
    assert_int_equal(body.stream_total.kind, RECORD_STDOUT);
    assert_true(body.stream_total.seen_bytes == 2100 && body.stream_total.kept_bytes == 1000);
    assert_true(cursor_equal(body.stream_total.sha256, cursor_of(digest, sizeof digest)));
}

static void tap_streams_that_are_counted_have_no_hash(void **state)
{
    (void)state;
    static const uint8_t BYTES[] = "data";
    tap.cap_bytes = 0;
    tap.hashes_streams = false;
    assert_int_equal(tap_data(&tap, TAP_STDIN, cursor_of(BYTES, 4)), ERR_NONE);
    assert_int_equal(heard.count[RECORD_STDIN], 0);
    heard.error = ERR_CLOSED;
    assert_int_equal(tap_closed(&tap), ERR_CLOSED);
    struct record_body body;
    heard_read(&heard, RECORD_STREAM_TOTAL, &body);
    assert_true(body.stream_total.seen_bytes == 4 && body.stream_total.kept_bytes == 0);
    assert_int_equal(cursor_len(&body.stream_total.sha256), 0);
}

static void tap_data_is_not_copied(void **state)
{
    (void)state;
    static const uint8_t BYTES[] = "data";
    assert_int_equal(tap_data(&tap, TAP_STDERR, cursor_of(BYTES, 4)), ERR_NONE);
    assert_ptr_equal(heard.body, BYTES);
    tap_set_terminal(&tap, true);
    assert_int_equal(tap_data(&tap, TAP_STDOUT, cursor_of(BYTES, 4)), ERR_NONE);
    assert_ptr_equal(heard.body, BYTES);
}

static void tap_terminal_is_recorded_whole_and_never_hashed(void **state)
{
    (void)state;
    static uint8_t bytes[700];
    tap_set_terminal(&tap, true);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(tap_data(&tap, TAP_STDOUT, cursor_of(bytes, sizeof bytes)), ERR_NONE);
        assert_int_equal(tap_data(&tap, TAP_STDIN, cursor_of(bytes, 7)), ERR_NONE);
    }
    assert_int_equal(heard.len[RECORD_TERMINAL_OUT], 2100);
    assert_int_equal(heard.count[RECORD_STDIN], 0);
    assert_int_equal(tap_closed(&tap), ERR_NONE);
    assert_int_equal(heard.count[RECORD_STREAM_TOTAL], 0);
    struct record_body body;
    heard_read(&heard, RECORD_CHANNEL_CLOSE, &body);
    assert_true(body.channel_close.to_target_bytes == 21 && body.channel_close.from_target_bytes == 2100);
}

static void tap_texts_of_peers_are_harmless_and_cut(void **state)
{
    (void)state;
    char text[400];
    memset(text, 'n', sizeof text);
    text[1] = 0;
    text[2] = '\033';
    text[sizeof text - 1] = 0;
    struct cursor bytes = cursor_of(text, sizeof text);
    struct record_body body;
    assert_int_equal(tap_pty(&tap, bytes, 1, 2), ERR_NONE);
    heard_read(&heard, RECORD_PTY, &body);
    assert_memory_equal(body.pty.term.at, "n??nnn", 6);
    assert_true(cursor_len(&body.pty.term) < TAP_NAME_BYTES);
    assert_int_equal(tap_subsystem(&tap, bytes), ERR_NONE);
    heard_read(&heard, RECORD_SUBSYSTEM, &body);
    assert_int_equal(tap_signal(&tap, bytes), ERR_NONE);
    heard_read(&heard, RECORD_SIGNAL, &body);
    assert_int_equal(tap_exit_signal(&tap, bytes, true, bytes), ERR_NONE);
    heard_read(&heard, RECORD_EXIT_SIGNAL, &body);
    assert_true(body.exit_signal.has_core);
    assert_int_equal(tap_refused(heard_record, &heard, 5, "exec", bytes, text + 3), ERR_NONE);
    heard_read(&heard, RECORD_REFUSED, &body);
    assert_memory_equal(body.refused.what.at, "exec: n??nnn", 12);
}

static void tap_commands_and_values_stay_exact_up_to_the_limit(void **state)
{
    (void)state;
    static uint8_t bytes[TAP_EXACT_BYTES + 1];
    memset(bytes, 7, sizeof bytes);
    struct record_body body;
    assert_int_equal(tap_exec(&tap, cursor_of(bytes, TAP_EXACT_BYTES)), ERR_NONE);
    heard_read(&heard, RECORD_EXEC, &body);
    assert_true(cursor_equal(body.text, cursor_of(bytes, TAP_EXACT_BYTES)));
    assert_int_equal(tap_exec(&tap, cursor_of(bytes, sizeof bytes)), ERR_TOO_LARGE);
    assert_int_equal(tap_env(&tap, cursor_of("A\0B", 3), cursor_of(bytes, 10)), ERR_NONE);
    heard_read(&heard, RECORD_ENV, &body);
    assert_true(cursor_equal(body.env.name, cursor_of("A\0B", 3)));
    assert_true(cursor_equal(body.env.value, cursor_of(bytes, 10)));
    assert_int_equal(tap_env(&tap, cursor_of_text("A"), cursor_of(bytes, sizeof bytes)), ERR_TOO_LARGE);
}

static void tap_error_of_the_recorder_is_returned(void **state)
{
    (void)state;
    heard.error = ERR_CLOSED;
    assert_int_equal(tap_data(&tap, TAP_STDOUT, cursor_of("x", 1)), ERR_CLOSED);
    assert_int_equal(tap_shell(&tap), ERR_CLOSED);
    assert_int_equal(tap_note(heard_record, &heard, 5, "x"), ERR_CLOSED);
}

int main(void)
{
#define TAP_TEST(test) cmocka_unit_test_setup_teardown(test, tap_setup, tap_teardown)
    static const struct CMUnitTest TESTS[] = {
        TAP_TEST(tap_streams_are_kept_to_the_cap_and_hashed_whole),
        TAP_TEST(tap_streams_that_are_counted_have_no_hash),
        TAP_TEST(tap_data_is_not_copied),
        TAP_TEST(tap_terminal_is_recorded_whole_and_never_hashed),
        TAP_TEST(tap_texts_of_peers_are_harmless_and_cut),
        TAP_TEST(tap_commands_and_values_stay_exact_up_to_the_limit),
        TAP_TEST(tap_error_of_the_recorder_is_returned),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
