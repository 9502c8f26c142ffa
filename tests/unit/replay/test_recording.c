#include "replay/recording.h"

#include "replay/asciicast.h"
#include "studio.h"

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

static struct record_identities identities_of(const struct host *host)
{
    struct record_identities identities = {.count = 1};
    memcpy(identities.keys[0], host->identity, sizeof identities.keys[0]);
    return identities;
}

static struct replay_recording *open_tape(struct host *host, struct tape *tape)
{
    char path[HOST_PATH_BYTES];
    tape_path(host, tape, ".rec", path);
    struct record_identities identities = identities_of(host);
    struct replay_recording *recording = calloc(1, sizeof *recording);
    assert_non_null(recording);
    assert_int_equal(replay_recording_open(recording, path, host->key.vkey.public_key, &identities),
                     ERR_NONE);
    return recording;
}

static void close_recording(struct replay_recording *recording)
{
    replay_recording_done(recording);
    free(recording);
}

static void survey_finds_parts_and_end(void **state)
{
    struct host *host = *state;
    struct tape *tape = studio_tape_of(host, 0x11, STUDIO_META);
    studio_perform(host, tape);
    struct replay_recording *recording = open_tape(host, tape);
    assert_string_equal(recording->meta.person, "mira");
    assert_true(recording->wall_us == HOST_WALL_US);
    struct replay_survey survey;
    assert_int_equal(replay_recording_survey(recording, &survey), ERR_NONE);
    assert_int_equal(survey.part_count, 3);
    assert_int_equal(survey.refused_count, 1);
    assert_true(survey.is_closed && survey.end_us == 4000000);
    assert_string_equal(survey.how, "ended");
    assert_string_equal(survey.reason, "exit");
    assert_string_equal(survey.damage, "");
    const struct replay_part *terminal = &survey.parts[0];
    assert_int_equal(terminal->kind, REPLAY_PART_TERMINAL);
    assert_true(terminal->has_terminal && terminal->cols == 40 && terminal->rows == 10);
    assert_string_equal(terminal->term, "xterm-256color");
    assert_int_equal(terminal->exit_status, 0);
    assert_true(terminal->from_us == 100000 && terminal->to_us == 3000000);
    const struct replay_part *command = &survey.parts[1];
    assert_int_equal(command->kind, REPLAY_PART_COMMAND);
    assert_false(command->has_terminal);
    assert_string_equal(command->title, "make ?[31mall");
    assert_int_equal(command->exit_status, 3);
    assert_int_equal(survey.parts[2].kind, REPLAY_PART_OTHER);
    size_t part = 9;
    assert_int_equal(replay_survey_choose(&survey, &part), ERR_NONE);
    assert_int_equal(part, 0);
    survey.parts[0].kind = REPLAY_PART_OTHER;
    assert_int_equal(replay_survey_choose(&survey, &part), ERR_NONE);
    assert_int_equal(part, 1);
    replay_survey_done(&survey);
    close_recording(recording);
    free(tape);
}

static void expect_events(struct replay_source source, const char *expected)
{
    struct queue out;
    queue_init(&out, 1 << 20);
    struct replay_event event;
    enum err err = ERR_NONE;
    while ((err = source.next(source.context, &event)) == ERR_NONE) {
        char line[512];
        char text[256];
        text_printable(event.bytes, text, sizeof text);
        (void)snprintf(line, sizeof line, "%u %c %s", (unsigned)(event.t_us / 100000), "oenr"[event.kind],
                       text);
        assert_int_equal(queue_append(&out, cursor_of_text(line)), ERR_NONE);
        if (event.kind == REPLAY_RESIZE) {
            (void)snprintf(line, sizeof line, "%ux%u", event.cols, event.rows);
            assert_int_equal(queue_append(&out, cursor_of_text(line)), ERR_NONE);
        }
        assert_int_equal(queue_append(&out, cursor_of_text("\n")), ERR_NONE);
    }
    assert_int_equal(err, ERR_CLOSED);
    assert_int_equal(queue_append(&out, cursor_of("", 1)), ERR_NONE);
    assert_string_equal((const char *)queue_bytes(&out), expected);
    queue_done(&out);
}

static void source_gives_one_part_and_rewinds(void **state)
{
    struct host *host = *state;
    struct tape *tape = studio_tape_of(host, 0x11, STUDIO_META);
    studio_perform(host, tape);
    struct replay_recording *recording = open_tape(host, tape);
    static const char TERMINAL[] = "1 r 40x10\n"
                                   "10 o ?]0;evil??[32m$ ?[0mpsql prdo??od-db??\n"
                                   "15 o ?]52;c;cm0gLXJmIC8K?caf?\n"
                                   "20 o ??[6n??\n"
                                   "25 r 60x20\n"
                                   "30 n [exit status 0]\n";
    static const char COMMAND[] = "30 n $ make ?[31mall\n"
                                  "31 o out ?P$qm?\\one?two?\n"
                                  "32 e warning?\n"
                                  "40 n [stdout: 22 B of 4.8 KiB were kept; SHA-256 of all of it "
                                  "ab00000000000000000000000000000000000000000000000000000000000000]\n"
                                  "40 n [exit status 3]\n";
    struct replay_source source = replay_recording_source(recording, 0);
    assert_int_equal(source.rewind(source.context), ERR_NONE);
    expect_events(source, TERMINAL);
    assert_int_equal(source.rewind(source.context), ERR_NONE);
    expect_events(source, TERMINAL);
    source = replay_recording_source(recording, 1);
    assert_int_equal(source.rewind(source.context), ERR_NONE);
    expect_events(source, COMMAND);
    source = replay_recording_source(recording, 7);
    assert_int_equal(source.rewind(source.context), ERR_NONE);
    expect_events(source, "");
    close_recording(recording);
    free(tape);
}

static void recording_cut_or_changed_is_shown_up_to_there(void **state)
{
    struct host *host = *state;
    struct tape *tape = studio_tape_of(host, 0x11, STUDIO_META);
    studio_perform(host, tape);
    for (size_t len = tape->len - 1; len > tape->len / 2; len -= 97) {
        tape_save(host, tape, tape->bytes, len);
        struct replay_recording *recording = open_tape(host, tape);
        struct replay_survey survey;
        assert_int_equal(replay_recording_survey(recording, &survey), ERR_NONE);
        assert_false(survey.is_closed);
        assert_true(survey.part_count > 0);
        replay_survey_done(&survey);
        close_recording(recording);
    }
    tape->bytes[tape->len - 300] ^= 1;
    tape_save(host, tape, tape->bytes, tape->len);
    struct replay_recording *recording = open_tape(host, tape);
    struct replay_survey survey;
    assert_int_equal(replay_recording_survey(recording, &survey), ERR_NONE);
    assert_true(strlen(survey.damage) > 0);
    assert_false(survey.is_closed);
    replay_survey_done(&survey);
    struct replay_source source = replay_recording_source(recording, 0);
    assert_int_equal(source.rewind(source.context), ERR_NONE);
    struct replay_event event;
    assert_int_equal(source.next(source.context, &event), ERR_NONE);
    close_recording(recording);
    free(tape);
}

static void recording_of_other_keys_is_refused(void **state)
{
    struct host *host = *state;
    struct tape *tape = studio_tape_of(host, 0x11, STUDIO_META);
    studio_perform(host, tape);
    char path[HOST_PATH_BYTES];
    tape_path(host, tape, ".rec", path);
    struct record_identities identities = identities_of(host);
    identities.keys[0][5] ^= 1; /* the lowest bits of the first byte do not count (RFC 7748 5) */
    struct replay_recording *recording = calloc(1, sizeof *recording);
    assert_non_null(recording);
    assert_int_equal(replay_recording_open(recording, path, NULL, &identities), ERR_DENIED);
    identities.keys[0][5] ^= 1;
    uint8_t other_key[32] = {1};
    assert_int_equal(replay_recording_open(recording, path, other_key, &identities), ERR_MISMATCH);
    replay_recording_done(recording);
    free(recording);
    free(tape);
}

static void many_parts_are_bounded(void **state)
{
    struct host *host = *state;
    struct tape *tape = studio_tape_of(host, 0x11, STUDIO_META);
    static struct take take;
    for (unsigned i = 0; i < REPLAY_PARTS_MAX + 5; i += 512) {
        take_begin(&take);
        for (unsigned k = i; k < i + 512 && k < REPLAY_PARTS_MAX + 5; k++) {
            record_write_channel_open(&take.out, 0, cursor_of_text("session"));
        }
        take_end(host, tape, &take, 1000 * (i + 1));
    }
    tape_save(host, tape, tape->bytes, tape->len);
    struct replay_recording *recording = open_tape(host, tape);
    struct replay_survey survey;
    assert_int_equal(replay_recording_survey(recording, &survey), ERR_NONE);
    assert_int_equal(survey.part_count, REPLAY_PARTS_MAX);
    assert_int_equal(survey.ignored_records, 5);
    size_t part = 0;
    assert_int_equal(replay_survey_choose(&survey, &part), ERR_NOT_FOUND);
    replay_survey_done(&survey);
    close_recording(recording);
    free(tape);
}

static void returns_are_added(void **state)
{
    (void)state;
    struct queue out;
    queue_init(&out, 100);
    assert_int_equal(replay_add_returns(cursor_of_text("a\nb\r\n\nc"), &out), ERR_NONE);
    assert_true(cursor_equal_text(queue_peek(&out), "a\r\nb\r\r\n\r\nc"));
    queue_done(&out);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test_setup_teardown(survey_finds_parts_and_end, setup, teardown),
        cmocka_unit_test_setup_teardown(source_gives_one_part_and_rewinds, setup, teardown),
        cmocka_unit_test_setup_teardown(recording_cut_or_changed_is_shown_up_to_there, setup, teardown),
        cmocka_unit_test_setup_teardown(recording_of_other_keys_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(many_parts_are_bounded, setup, teardown),
        cmocka_unit_test(returns_are_added),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
