#include "replay/player.h"

#include <string.h>

#include "unit_test.h"

#define S UINT64_C(1000000)

/* A source of one-letter outputs at given times, and a view that remembers the letters. */
struct fake {
    const uint64_t *times_us;
    size_t count, at;
    unsigned rewinds;
    char shown[64];
    char letter;
    enum err err_at_end;
};

static enum err fake_next(void *context, struct replay_event *ret_event)
{
    struct fake *fake = context;
    if (fake->at == fake->count) {
        return fake->err_at_end;
    }
    fake->letter = (char)('a' + (char)fake->at);
    *ret_event = (struct replay_event){
        .t_us = fake->times_us[fake->at++], .kind = REPLAY_OUTPUT, .bytes = cursor_of(&fake->letter, 1)};
    return ERR_NONE;
}

static enum err fake_rewind(void *context)
{
    struct fake *fake = context;
    fake->at = 0;
    fake->rewinds++;
    return ERR_NONE;
}

static enum err fake_show(void *context, const struct replay_event *event)
{
    struct fake *fake = context;
    size_t len = strlen(fake->shown);
    assert_true(len + 1 < sizeof fake->shown);
    fake->shown[len] = (char)*event->bytes.at;
    return ERR_NONE;
}

static enum err fake_clear(void *context)
{
    struct fake *fake = context;
    memset(fake->shown, 0, sizeof fake->shown);
    return ERR_NONE;
}

static void start(struct replay_player *player, struct fake *fake, const uint64_t *times_us, size_t count,
                  uint64_t at_us, uint64_t now_us)
{
    *fake = (struct fake){.times_us = times_us, .count = count, .err_at_end = ERR_CLOSED};
    replay_player_init(player, (struct replay_source){fake, fake_next, fake_rewind},
                       (struct replay_view){fake, fake_show, fake_clear}, times_us[count - 1]);
    assert_int_equal(replay_player_start(player, at_us, now_us), ERR_NONE);
}

static void expect_tick(struct replay_player *player, struct fake *fake, uint64_t now_us, const char *shown,
                        uint64_t wait_us)
{
    uint64_t wait = 0;
    assert_int_equal(replay_player_tick(player, now_us, &wait), ERR_NONE);
    assert_string_equal(fake->shown, shown);
    assert_true(wait == wait_us);
}

static void player_shows_at_the_recorded_time(void **state)
{
    (void)state;
    static const uint64_t TIMES[] = {0, 1 * S, 1 * S, 4 * S};
    struct replay_player player;
    struct fake fake;
    start(&player, &fake, TIMES, COUNT_OF(TIMES), 0, 100 * (uint64_t)S);
    expect_tick(&player, &fake, 100 * (uint64_t)S, "a", S);
    expect_tick(&player, &fake, 101 * (uint64_t)S - 1, "a", 1);
    expect_tick(&player, &fake, 101 * (uint64_t)S, "abc", 3 * S);
    assert_false(player.is_over);
    expect_tick(&player, &fake, 110 * (uint64_t)S, "abcd", UINT64_MAX);
    assert_true(player.is_over);
    assert_true(replay_player_position_us(&player, 120 * (uint64_t)S) == 4 * S);
}

static void player_speed_changes_the_wait(void **state)
{
    (void)state;
    static const uint64_t TIMES[] = {0, 10 * S, 20 * S};
    struct replay_player player;
    struct fake fake;
    start(&player, &fake, TIMES, COUNT_OF(TIMES), 0, 0);
    player.speed_permille = 2000;
    expect_tick(&player, &fake, 0, "a", 5 * S);
    expect_tick(&player, &fake, 2 * S, "a", 3 * S);
    assert_int_equal(replay_player_key(&player, REPLAY_KEY_FASTER, 2 * S), ERR_NONE);
    assert_int_equal(player.speed_permille, 4000);
    expect_tick(&player, &fake, 2 * S, "a", 3 * S / 2); /* 6 s are left of the ten */
    assert_int_equal(replay_player_key(&player, REPLAY_KEY_SLOWER, 2 * S), ERR_NONE);
    assert_int_equal(replay_player_key(&player, REPLAY_KEY_SLOWER, 2 * S), ERR_NONE);
    expect_tick(&player, &fake, 2 * S, "a", 6 * S);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(replay_player_key(&player, REPLAY_KEY_SLOWER, 2 * S), ERR_NONE);
    }
    assert_true(player.speed_permille >= REPLAY_SPEED_MIN);
    for (int i = 0; i < 60; i++) {
        assert_int_equal(replay_player_key(&player, REPLAY_KEY_FASTER, 2 * S), ERR_NONE);
    }
    assert_true(player.speed_permille <= REPLAY_SPEED_MAX);
    expect_tick(&player, &fake, 3 * S, "abc", UINT64_MAX);
}

static void player_idle_limit_shortens_silence(void **state)
{
    (void)state;
    static const uint64_t TIMES[] = {0, 3600 * (uint64_t)S, 3601 * (uint64_t)S, 9000 * (uint64_t)S};
    struct replay_player player;
    struct fake fake;
    start(&player, &fake, TIMES, COUNT_OF(TIMES), 0, 0);
    player.idle_limit_us = 2 * S;
    expect_tick(&player, &fake, 0, "a", 2 * S);
    expect_tick(&player, &fake, 2 * S, "ab", 1 * S);
    assert_true(replay_player_position_us(&player, 2 * S) == 3600 * (uint64_t)S);
    expect_tick(&player, &fake, 3 * S, "abc", 2 * S);
    expect_tick(&player, &fake, 6 * S, "abcd", UINT64_MAX);
}

static void player_pause_stops_time(void **state)
{
    (void)state;
    static const uint64_t TIMES[] = {0, 10 * S};
    struct replay_player player;
    struct fake fake;
    start(&player, &fake, TIMES, COUNT_OF(TIMES), 0, 0);
    expect_tick(&player, &fake, 0, "a", 10 * S);
    assert_int_equal(replay_player_key(&player, REPLAY_KEY_PAUSE, 4 * S), ERR_NONE);
    expect_tick(&player, &fake, 100 * (uint64_t)S, "a", UINT64_MAX);
    assert_true(replay_player_position_us(&player, 100 * (uint64_t)S) == 4 * S);
    assert_int_equal(replay_player_key(&player, REPLAY_KEY_PAUSE, 100 * (uint64_t)S), ERR_NONE);
    expect_tick(&player, &fake, 100 * (uint64_t)S, "a", 6 * S);
    expect_tick(&player, &fake, 106 * (uint64_t)S, "ab", UINT64_MAX);
}

static void player_step_shows_one_and_pauses(void **state)
{
    (void)state;
    static const uint64_t TIMES[] = {0, 10 * S, 20 * S};
    struct replay_player player;
    struct fake fake;
    start(&player, &fake, TIMES, COUNT_OF(TIMES), 0, 0);
    expect_tick(&player, &fake, 0, "a", 10 * S);
    assert_int_equal(replay_player_key(&player, REPLAY_KEY_STEP, 1 * S), ERR_NONE);
    expect_tick(&player, &fake, 50 * (uint64_t)S, "ab", UINT64_MAX);
    assert_true(player.is_paused);
    assert_true(replay_player_position_us(&player, 50 * (uint64_t)S) == 10 * S);
    assert_int_equal(replay_player_key(&player, REPLAY_KEY_STEP, 51 * (uint64_t)S), ERR_NONE);
    assert_int_equal(replay_player_key(&player, REPLAY_KEY_STEP, 51 * (uint64_t)S), ERR_NONE);
    expect_tick(&player, &fake, 52 * (uint64_t)S, "abc", UINT64_MAX);
}

static void player_seeks(void **state)
{
    (void)state;
    static const uint64_t TIMES[] = {0, 5 * S, 12 * S, 30 * S, 100 * S};
    struct replay_player player;
    struct fake fake;
    start(&player, &fake, TIMES, COUNT_OF(TIMES), 0, 0);
    expect_tick(&player, &fake, 0, "a", 5 * S);
    assert_int_equal(replay_player_key(&player, REPLAY_KEY_FORWARD, 1 * S), ERR_NONE); /* 11 s */
    expect_tick(&player, &fake, 1 * S, "ab", 1 * S);
    assert_int_equal(fake.rewinds, 0);
    expect_tick(&player, &fake, 2 * S, "abc", 18 * S);
    assert_int_equal(replay_player_key(&player, REPLAY_KEY_BACK, 3 * S), ERR_NONE); /* 13 -> 3 s */
    assert_int_equal(fake.rewinds, 1);
    expect_tick(&player, &fake, 3 * S, "a", 2 * S);
    assert_int_equal(replay_player_key(&player, REPLAY_KEY_BACK, 3 * S), ERR_NONE); /* not below 0 */
    assert_true(replay_player_position_us(&player, 3 * S) == 0);
    expect_tick(&player, &fake, 3 * S, "a", 5 * S);
    assert_int_equal(replay_player_key(&player, REPLAY_KEY_FAR_FORWARD, 3 * S), ERR_NONE);
    expect_tick(&player, &fake, 3 * S, "abcd", 40 * S);
    assert_int_equal(replay_player_key(&player, REPLAY_KEY_FAR_FORWARD, 3 * S), ERR_NONE); /* the end */
    expect_tick(&player, &fake, 3 * S, "abcde", UINT64_MAX);
    assert_true(player.is_over);
    assert_int_equal(replay_player_key(&player, REPLAY_KEY_FORWARD, 3 * S), ERR_NONE);
    assert_string_equal(fake.shown, "abcde");
    assert_int_equal(replay_player_key(&player, REPLAY_KEY_BACK, 3 * S), ERR_NONE); /* 90 s */
    assert_false(player.is_over);
    expect_tick(&player, &fake, 3 * S, "abcd", 10 * S);
    assert_int_equal(replay_player_key(&player, REPLAY_KEY_START, 3 * S), ERR_NONE);
    expect_tick(&player, &fake, 3 * S, "a", 5 * S);
}

static void player_starts_in_the_middle(void **state)
{
    (void)state;
    static const uint64_t TIMES[] = {0, 5 * S, 12 * S};
    struct replay_player player;
    struct fake fake;
    start(&player, &fake, TIMES, COUNT_OF(TIMES), 6 * S, 0);
    expect_tick(&player, &fake, 0, "ab", 6 * S);
    start(&player, &fake, TIMES, COUNT_OF(TIMES), 600 * (uint64_t)S, 0);
    expect_tick(&player, &fake, 0, "abc", UINT64_MAX);
}

static void player_seek_into_silence_keeps_the_idle_limit(void **state)
{
    (void)state;
    static const uint64_t TIMES[] = {0, 100 * S};
    struct replay_player player;
    struct fake fake;
    start(&player, &fake, TIMES, COUNT_OF(TIMES), 40 * S, 0);
    player.idle_limit_us = 3 * S;
    expect_tick(&player, &fake, 0, "a", 3 * S);
    expect_tick(&player, &fake, 3 * S, "ab", UINT64_MAX);
}

static void player_time_going_back_is_shown_at_once(void **state)
{
    (void)state;
    static const uint64_t TIMES[] = {5 * S, 1 * S, 6 * S};
    struct replay_player player;
    struct fake fake;
    start(&player, &fake, TIMES, COUNT_OF(TIMES), 0, 0);
    expect_tick(&player, &fake, 5 * S, "ab", 1 * S);
}

static void player_error_of_the_source_is_returned(void **state)
{
    (void)state;
    static const uint64_t TIMES[] = {0, 1 * S};
    struct replay_player player;
    struct fake fake;
    start(&player, &fake, TIMES, COUNT_OF(TIMES), 0, 0);
    fake.err_at_end = ERR_MISMATCH;
    uint64_t wait = 0;
    assert_int_equal(replay_player_tick(&player, 2 * S, &wait), ERR_MISMATCH);
    assert_string_equal(fake.shown, "ab");
    assert_true(player.is_over);
}

static enum err ignore(void *context, const struct replay_event *event)
{
    (void)context;
    (void)event;
    return ERR_NONE;
}

static void player_burst_gives_keys_a_chance(void **state)
{
    (void)state;
    static const uint64_t TIMES[REPLAY_EVENTS_PER_TICK + 2];
    struct replay_player player;
    struct fake fake;
    start(&player, &fake, TIMES, COUNT_OF(TIMES), 0, 0);
    player.view.show = ignore;
    uint64_t wait = 7;
    assert_int_equal(replay_player_tick(&player, 0, &wait), ERR_NONE);
    assert_true(wait == 0 && !player.is_over);
    assert_int_equal(replay_player_tick(&player, 0, &wait), ERR_NONE);
    assert_true(wait == UINT64_MAX && player.is_over);
}

static void keys_rows(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        enum replay_key key;
    } ROWS[] = {
        {" ", REPLAY_KEY_PAUSE},        {".", REPLAY_KEY_STEP},           {"q", REPLAY_KEY_QUIT},
        {"\x03", REPLAY_KEY_QUIT},      {"+", REPLAY_KEY_FASTER},         {"=", REPLAY_KEY_FASTER},
        {"-", REPLAY_KEY_SLOWER},       {"\x1b[C", REPLAY_KEY_FORWARD},   {"\x1b[D", REPLAY_KEY_BACK},
        {"\x1bOC", REPLAY_KEY_FORWARD}, {"\x1b[5~", REPLAY_KEY_FAR_BACK}, {"\x1b[6~", REPLAY_KEY_FAR_FORWARD},
        {"\x1b[H", REPLAY_KEY_START},   {"0", REPLAY_KEY_START},          {"x", REPLAY_KEY_NONE},
        {"\x1bq", REPLAY_KEY_NONE},     {"\x1b[15~", REPLAY_KEY_NONE},    {"\x1b[1;5C", REPLAY_KEY_FORWARD},
        {"\x1b[3~", REPLAY_KEY_NONE},   {"\x1b\x1b[D", REPLAY_KEY_BACK},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct replay_keys keys = {0};
        enum replay_key key = REPLAY_KEY_NONE;
        for (const char *at = ROWS[i].bytes; *at != 0; at++) {
            assert_int_equal(key, REPLAY_KEY_NONE);
            key = replay_keys_put(&keys, (uint8_t)*at);
        }
        assert_int_equal(key, ROWS[i].key);
    }
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(player_shows_at_the_recorded_time),
        cmocka_unit_test(player_speed_changes_the_wait),
        cmocka_unit_test(player_idle_limit_shortens_silence),
        cmocka_unit_test(player_pause_stops_time),
        cmocka_unit_test(player_step_shows_one_and_pauses),
        cmocka_unit_test(player_seeks),
        cmocka_unit_test(player_starts_in_the_middle),
        cmocka_unit_test(player_seek_into_silence_keeps_the_idle_limit),
        cmocka_unit_test(player_time_going_back_is_shown_at_once),
        cmocka_unit_test(player_error_of_the_source_is_returned),
        cmocka_unit_test(player_burst_gives_keys_a_chance),
        cmocka_unit_test(keys_rows),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
