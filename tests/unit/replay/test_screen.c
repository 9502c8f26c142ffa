#include "replay/screen.h"

#include <string.h>

#include "unit_test.h"

#define E "\x1b"

static enum err collect_line(void *context, struct cursor line)
{
    TRY(queue_append(context, line));
    return queue_append(context, cursor_of_text("\n"));
}

static struct replay_screen *new_screen(uint32_t cols, uint32_t rows, struct queue *lines)
{
    struct replay_screen *screen = NULL;
    assert_int_equal(replay_screen_new(cols, rows, lines == NULL ? NULL : collect_line, lines, &screen),
                     ERR_NONE);
    return screen;
}

static void put(struct replay_screen *screen, const char *text)
{
    assert_int_equal(replay_screen_put(screen, cursor_of_text(text)), ERR_NONE);
}

static void expect_queue(struct queue *queue, const char *text)
{
    struct cursor got = queue_peek(queue);
    if (!cursor_equal_text(got, text)) {
        assert_int_equal(queue_append(queue, cursor_of("", 1)), ERR_NONE);
        assert_string_equal((const char *)queue_peek(queue).at, text);
    }
    queue_consume(queue, queue_len(queue));
}

static void screen_lines_rows(void **state)
{
    (void)state;
    static const struct {
        const char *name, *in, *lines;
    } ROWS[] = {
        {"typing errors", "$ psql prdo\b\bod-db\r\n", "$ psql prod-db\n"},
        {"line editing", "abcdef\r" E "[3Pxyz" E "[K", "xyz\n"},
        {"scrolled off", "1\r\n2\r\n3\r\n4\r\n5\r\n6", "1\n2\n3\n4\n5\n6\n"},
        {"before clear", "secret\r\n" E "[H" E "[2J" E "[3Jlater", "secret\nlater\n"},
        {"before the older clear", "secret\r\n" E "[H" E "[Jlater", "secret\nlater\n"},
        {"alternate screen", "shell" E "[?1049h" E "[Htop" E "[?1049l!", "top\nshell!\n"},
        {"the same screen once", E "[?1049h" E "[2J" E "[Hx" E "[2J" E "[Hx" E "[2J" E "[Hx" E "[?1049l",
         "x\n"},
        {"wide and combining", "\xe6\x97\xa5\xe6\x9c\xac e\xcc\x81", "\xe6\x97\xa5\xe6\x9c\xac e\xcc\x81\n"},
        {"clipboard and title", "a" E "]52;c;QQ==\a" E "]0;t\ab", "ab\n"},
        {"empty", "", ""},
        {"line drawing", E "(0q" E "(Bq", "\xe2\x94\x80q\n"},
        {"margins", E "[2;3r" E "[3;1Ha\r\nb" E "[r" E "[1;1Ht", "t\na\nb\n"},
        {"inverted margins", E "[3;2r" E "[4;4r" E "[9;20ra\r\nb", "a\nb\n"},
        {"repeat", "a" E "[b" E "[3b" E "[0b.", "aaaaa.\n"},
        {"repeat nothing", E "[b" E "[9b" E "[Hx\r" E "[9b", "x\n"},
        {"repeat a wide character", "\xe6\x97\xa5" E "[2b", "\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\n"},
        {"reset", "gone" E "cnew", "gone\nnew\n"},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct queue lines;
        queue_init(&lines, 1 << 20);
        OWNED_SCREEN *screen = new_screen(20, 4, &lines);
        put(screen, ROWS[i].in);
        assert_int_equal(replay_screen_lines(screen), ERR_NONE);
        expect_queue(&lines, ROWS[i].lines);
        queue_done(&lines);
    }
}

static void screen_paints_cells(void **state)
{
    (void)state;
    struct queue out;
    queue_init(&out, REPLAY_PAINT_LIMIT_BYTES);
    OWNED_SCREEN *screen = new_screen(10, 3, NULL);
    put(screen, "ab" E "[1;31mred" E "[0m\r\n" E "[38;2;1;2;3;48;5;200mx");
    assert_int_equal(replay_screen_paint(screen, 10, 3, true, &out), ERR_NONE);
    assert_int_equal(replay_screen_place_cursor(screen, &out), ERR_NONE);
    expect_queue(&out,
                 E "[?25l" E "[1;1H" E "[0mab" E "[0;1;38;5;1mred" E "[0m" E "[K" E "[2;1H" E
                   "[0;38;2;1;2;3;48;5;200mx" E "[0m" E "[K" E "[3;1H" E "[0m" E "[K" E "[2;2H" E "[?25h");
    put(screen, "y" E "[?25l");
    assert_int_equal(replay_screen_paint(screen, 10, 3, false, &out), ERR_NONE);
    assert_int_equal(replay_screen_place_cursor(screen, &out), ERR_NONE);
    expect_queue(&out, E "[?25l" E "[2;1H" E "[0;38;2;1;2;3;48;5;200mxy" E "[0m" E "[K" E "[2;3H");
    queue_done(&out);
}

static void screen_window_follows_the_cursor(void **state)
{
    (void)state;
    struct queue out;
    queue_init(&out, REPLAY_PAINT_LIMIT_BYTES);
    OWNED_SCREEN *screen = new_screen(10, 4, NULL);
    put(screen, "abcdef\r\n2\r\n3\r\n4");
    assert_int_equal(replay_screen_paint(screen, 4, 2, true, &out), ERR_NONE);
    expect_queue(&out, E "[?25l" E "[1;1H" E "[0m3" E "[0m" E "[K" E "[2;1H" E "[0m4" E "[0m" E "[K");
    put(screen, E "[1;6H");
    assert_int_equal(replay_screen_paint(screen, 4, 2, false, &out), ERR_NONE);
    assert_int_equal(replay_screen_place_cursor(screen, &out), ERR_NONE);
    expect_queue(&out, E "[?25l" E "[1;1H" E "[0mcdef" E "[0m" E "[2;1H" E "[0m" E "[K" E "[1;4H" E "[?25h");
    /* A window larger than the screen is cleared around it. */
    assert_int_equal(replay_screen_paint(screen, 12, 6, false, &out), ERR_NONE);
    expect_queue(&out, E "[?25l" E "[1;1H" E "[0mabcdef" E "[0m" E "[K" E "[2;1H" E "[0m2" E "[0m" E "[K" E
                         "[3;1H" E "[0m3" E "[0m" E "[K" E "[4;1H" E "[0m4" E "[0m" E "[K" E "[5;1H" E "[0m" E
                         "[K" E "[6;1H" E "[0m" E "[K");
    queue_done(&out);
}

static void screen_wide_character_at_the_edge(void **state)
{
    (void)state;
    struct queue out;
    queue_init(&out, REPLAY_PAINT_LIMIT_BYTES);
    OWNED_SCREEN *screen = new_screen(4, 1, NULL);
    put(screen, "a\xe6\x97\xa5"
                "b\r");
    assert_int_equal(replay_screen_paint(screen, 4, 1, true, &out), ERR_NONE);
    expect_queue(&out, E "[?25l" E "[1;1H" E "[0ma\xe6\x97\xa5" E "[4Gb" E "[0m");
    assert_int_equal(replay_screen_paint(screen, 2, 1, true, &out), ERR_NONE);
    expect_queue(&out, E "[?25l" E "[1;1H" E "[0ma " E "[0m");
    put(screen, E "[1;4H"); /* the window begins with the second half */
    assert_int_equal(replay_screen_paint(screen, 2, 1, true, &out), ERR_NONE);
    expect_queue(&out, E "[?25l" E "[1;1H" E "[0m b" E "[0m");
    queue_done(&out);
}

static void screen_clear_forgets(void **state)
{
    (void)state;
    struct queue lines;
    queue_init(&lines, 1 << 20);
    OWNED_SCREEN *screen = new_screen(20, 4, &lines);
    put(screen, "text" E "[?25l" E "[3");
    assert_int_equal(replay_screen_resize(screen, 40, 8), ERR_NONE);
    assert_int_equal(replay_screen_clear(screen), ERR_NONE);
    put(screen, "1m");
    assert_int_equal(replay_screen_lines(screen), ERR_NONE);
    expect_queue(&lines, "1m\n");
    queue_done(&lines);
}

static void screen_sizes_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(replay_screen_cols(0), 80);
    assert_int_equal(replay_screen_rows(0), 24);
    assert_int_equal(replay_screen_cols(1), 2);
    assert_int_equal(replay_screen_rows(1), 2);
    assert_int_equal(replay_screen_cols(UINT32_MAX), 1000);
    assert_int_equal(replay_screen_rows(1001), 1000);
    OWNED_SCREEN *screen = new_screen(UINT32_MAX, 1, NULL);
    put(screen, "\xe6\x97\xa5\xe6\x97\xa5");
    assert_int_equal(replay_screen_resize(screen, 1, UINT32_MAX), ERR_NONE);
    put(screen, "\xe6\x97\xa5\xe6\x97\xa5" E "[9999;9999H\xe6\x97\xa5");
    assert_int_equal(replay_screen_resize(screen, 1, 1), ERR_NONE);
    put(screen, "\xe6\x97\xa5\r\n\xe6\x97\xa5");
}

static void screen_restored_cursor_stays_on_the_screen(void **state)
{
    (void)state;
    struct queue lines;
    queue_init(&lines, 1 << 20);
    OWNED_SCREEN *screen = new_screen(20, 10, &lines);
    put(screen, E "[10;20H" E "7" E "[H" E "[s");
    assert_int_equal(replay_screen_resize(screen, 4, 2), ERR_NONE);
    put(screen, E "8x" E "[uy" E "[?1048lz");
    assert_int_equal(replay_screen_lines(screen), ERR_NONE);
    assert_true(queue_len(&lines) > 0);
    queue_done(&lines);
}

static enum err refuse_line(void *context, struct cursor line)
{
    (void)context;
    (void)line;
    return ERR_CLOSED;
}

static void screen_error_of_the_sink_is_returned(void **state)
{
    (void)state;
    OWNED_SCREEN *screen = NULL;
    assert_int_equal(replay_screen_new(10, 1, refuse_line, NULL, &screen), ERR_NONE);
    assert_int_equal(replay_screen_put(screen, cursor_of_text("a\r\nb\r\nc")), ERR_CLOSED);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(screen_lines_rows),
        cmocka_unit_test(screen_paints_cells),
        cmocka_unit_test(screen_window_follows_the_cursor),
        cmocka_unit_test(screen_wide_character_at_the_edge),
        cmocka_unit_test(screen_clear_forgets),
        cmocka_unit_test(screen_sizes_are_bounded),
        cmocka_unit_test(screen_restored_cursor_stays_on_the_screen),
        cmocka_unit_test(screen_error_of_the_sink_is_returned),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
