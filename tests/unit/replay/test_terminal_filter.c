#include "replay/terminal_filter.h"

#include <stdio.h>
#include <string.h>

#include "base/queue.h"
#include "base/text.h"
#include "unit_test.h"

#define E "\x1b"
#define R "\xef\xbf\xbd" /* U+FFFD */

static enum err collect(void *context, enum replay_piece piece, struct cursor bytes)
{
    (void)piece;
    return queue_append(context, bytes);
}

/* Filter `in`, cut after `cut` bytes. */
static void run(struct cursor in, size_t cut, bool shows_removed, struct queue *out)
{
    queue_init(out, 1 << 20);
    struct replay_filter filter;
    replay_filter_init(&filter, shows_removed, collect, out);
    assert_int_equal(replay_filter_put(&filter, cursor_of(in.at, cut)), ERR_NONE);
    assert_int_equal(replay_filter_put(&filter, cursor_of(in.at + cut, cursor_len(&in) - cut)), ERR_NONE);
    assert_int_equal(replay_filter_end(&filter, false), ERR_NONE);
}

static void expect(struct cursor in, const char *out, size_t cut, bool shows_removed)
{
    struct queue queue;
    run(in, cut, shows_removed, &queue);
    struct cursor got = queue_peek(&queue);
    if (!cursor_equal_text(got, out)) {
        char shown_in[512];
        char shown_got[512];
        text_printable(in, shown_in, sizeof shown_in);
        text_printable(got, shown_got, sizeof shown_got);
        print_error("in %s cut %zu got %s\n", shown_in, cut, shown_got);
        fail();
    }
    queue_done(&queue);
}

static const struct {
    const char *name, *in, *out;
} ROWS[] = {
    {"text", "hello\r\n\tw\b", "hello\r\n\tw\b"},
    {"colour", E "[1;31mred" E "[0m", E "[1;31mred" E "[0m"},
    {"24 bit colour", E "[38;2;255;128;0;48;5;17mx" E "[38:2::1:2:3;4:3m",
     E "[38;2;255;128;0;48;5;17mx" E "[38:2::1:2:3;4:3m"},
    {"cursor", E "[2;3H" E "[A" E "[10C" E "[K" E "[2J" E "[3J",
     E "[2;3H" E "[A" E "[10C" E "[K" E "[2J" E "[3J"},
    {"scroll region", E "[2;20r" E "M" E "D" E "[3S" E "[r", E "[2;20r" E "M" E "D" E "[3S" E "[r"},
    {"save and restore", E "7" E "8" E "[s" E "[u", E "7" E "8" E "[s" E "[u"},
    {"line drawing", E "(0lqk" E "(B" E ")0\x0e\x0f", E "(0lqk" E "(B" E ")0\x0e\x0f"},
    {"alternate screen", E "[?1049h" E "[?25l" E "[?7h" E "[?1049l",
     E "[?1049h" E "[?25l" E "[?7h" E "[?1049l"},
    {"insert mode", E "[4h" E "[4l" E "[20h" E "[2h" E "[12h" E "[4;2h", E "[4h" E "[4l"},
    {"bell is silent", "a\ab", "ab"},
    {"NUL DEL ENQ",
     "a\x7f\x05\x01"
     "b",
     "ab"},
    {"utf-8", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
    /* strings */
    {"OSC title", "a" E "]0;evil title\ab", "ab"},
    {"OSC title with ST", "a" E "]2;evil" E "\\b", "ab"},
    {"OSC 52 clipboard", "a" E "]52;c;cm0gLXJmIC8K\ab", "ab"},
    {"OSC 52 query", E "]52;c;?" E "\\", ""},
    {"OSC 8 link keeps its text", E "]8;;http://evil/\aclick" E "]8;;\a", "click"},
    {"OSC 4 10 11 queries", E "]4;1;?\a" E "]10;?\a" E "]11;?" E "\\", ""},
    {"OSC 1337 file", E "]1337;File=name=x:AAAA\az", "z"},
    {"DCS DECRQSS", E "P$qm" E "\\x", "x"},
    {"DCS is not ended by BEL", E "P$q\amore" E "\\x", "x"},
    {"DCS tmux passthrough", E "Ptmux;" E E "]52;c;QQ==\a" E "\\x", "x"},
    {"XTGETTCAP", E "P+q544e" E "\\", ""},
    {"sixel", E "Pq#0;2;0;0;0~~@@" E "\\x", "x"},
    {"APC", E "_Gf=100;AAAA" E "\\x", "x"},
    {"PM", E "^secret" E "\\x", "x"},
    {"SOS", E "Xsecret" E "\\x", "x"},
    {"screen title", E "ktitle" E "\\x", "x"},
    {"string ended by CAN",
     E "]0;abc\x18"
       "def",
     "def"},
    {"string ended by another", E "]0;abc" E "[31mx", E "[31mx"},
    {"unfinished string", "a" E "]0;abc", "a"},
    /* queries and reports */
    {"DSR", E "[5n" E "[6n" E "[?6n" E "[?15n", ""},
    {"DA", E "[c" E "[0c" E "[>c" E "[=c" E "Z", ""},
    {"DECRQM", E "[?2004$p" E "[4$p", ""},
    {"DECREQTPARM", E "[x", ""},
    {"XTVERSION", E "[>q", ""},
    {"window size reports and title stack", E "[14t" E "[18t" E "[21t" E "[22;0t" E "[23;0t" E "[8;50;200t",
     ""},
    {"DECRQCRA", E "[1;1;1;1;2;2*y", ""},
    {"media copy", E "[i" E "[5i" E "[?5i", ""},
    /* modes */
    {"mouse modes on", E "[?1000h" E "[?1002h" E "[?1003h" E "[?1006h" E "[?1015h" E "[?9h", ""},
    {"mouse modes off", E "[?1000l" E "[?1006l", E "[?1000l" E "[?1006l"},
    {"bracketed paste", E "[?2004hx" E "[?2004l", "x" E "[?2004l"},
    {"cursor keys", E "[?1h" E "=" E ">", ""},
    {"focus events", E "[?1004h", ""},
    {"mixed list", E "[?1;25;2004;7h", E "[?25;7h"},
    {"mixed list, nothing left", E "[?1;2004h", ""},
    {"132 columns, reverse, 8 bit meta", E "[?3h" E "[?5h" E "[?1034h" E "[?8h", ""},
    {"keyboard protocols", E "[>4;2m" E "[>1u" E "[=5u" E "[?u" E "[<u" E "[?4m", ""},
    {"synchronized and unknown modes", E "[?2026h" E "[?99999h" E "[?h" E "[?;h", ""},
    {"mouse highlight by CSI T", E "[1;2;3;4;5T" E "[2T", E "[2T"},
    {"left and right margins", E "[?69h" E "[2;10s", ""},
    {"soft reset, status line, cursor style", E "[!p" E "[1$}" E "[4 q" E "[2\"q", ""},
    {"rectangles", E "[1;1;2;2$z" E "[65;1;1;9;9$x", ""},
    {"leaving UTF-8", E "%@" E "%G" E " G" E "#8" E "#6" E "(1" E "*0" E "$(C" E "((B", ""},
    {"locking shifts", E "n" E "o" E "|" E "}" E "~" E "NxE", "xE"},
    {"full reset becomes its harmless parts", E "c",
     "\x0f" E "[0m" E "(B" E ")B" E "[r" E "[?6l" E "[?7h" E "[?25h" E "[4l" E "[H" E "[2J"},
    /* nesting, cutting, overflow */
    {"ESC within CSI", E "[3" E "[31mx", E "[31mx"},
    {"ESC ESC", E E "[31mx", E "[31mx"},
    {"OSC within CSI", E "[3" E "]0;x\ay", "y"},
    {"CAN within CSI", E "[31\x18mx", "mx"},
    {"SUB within ESC",
     E "\x1a"
       "cx",
     "cx"},
    {"control within CSI acts first", E "[3\r1mx", "\r" E "[31mx"},
    {"DEL within CSI",
     E "[3\x7f"
       "1mx",
     E "[31mx"},
    {"utf-8 within CSI", E "[3\xc3\xa9mx", "\xc3\xa9mx"},
    {"large numbers are cut", E "[99999A" E "[00005B" E "[2147483648C", E "[9999A" E "[5B" E "[9999C"},
    {"private marker in the middle", E "[1?2h" E "[1;>2m", ""},
    {"unfinished CSI", "a" E "[31", "a"},
    {"unfinished ESC", "a" E, "a"},
    {"colon only in colours", E "[1:2H", ""},
    /* 8-bit */
    {"C1 bytes",
     "a\x9b"
     "31mb\x9d"
     "0;x\ac\x90q\x9cz",
     "a" R "31mb" R "0;xc" R "q" R "z"},
    {"C1 as UTF-8",
     "a\xc2\x9b"
     "31mb\xc2\x9d"
     "52;c;x\xc2\x9c",
     "a" R "31mb" R "52;c;x" R},
    {"invalid utf-8", "\xff\xfe\xc0\x80", R R R R},
    {"overlong", "\xe0\x80\x80\xf0\x80\x80\x80x", R R R R R R R "x"},
    {"surrogate", "\xed\xa0\x80x", R R R "x"},
    {"cut character", "\xe2\x82", R},
    {"cut character then text", "\xe2\x82(\xf0\x9f\x98 ", R "(" R " "},
    {"cut character then ESC", "\xe2" E "[31mx", R E "[31mx"},
    {"over 10ffff", "\xf4\x90\x80\x80", R R R R},
    {"text that turns around",
     "a\xe2\x80\xae"
     "b\xe2\x81\xa6"
     "c\xe2\x80\xa8",
     "a" R "b" R "c" R},
};

static void filter_rows_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct cursor in = cursor_of_text(ROWS[i].in);
        for (size_t cut = 0; cut <= cursor_len(&in); cut++) {
            expect(in, ROWS[i].out, cut, false);
        }
    }
}

static void filter_nul_is_dropped(void **state)
{
    (void)state;
    static const char IN[] = "a\0b\x1b\0[31m\x1b]0;\0x\ac";
    expect(cursor_of(IN, sizeof IN - 1), "ab" E "[31mc", 3, false);
}

static void filter_shows_what_was_removed(void **state)
{
    (void)state;
    expect(cursor_of_text("a" E "]52;c;QQ==\ab"), "a" E "[7m^[]52;c;QQ==" E "[27mb", 5, true);
    expect(cursor_of_text("a" E "[6nb"), "a" E "[7m^[[6n" E "[27mb", 2, true);
    expect(cursor_of_text(E "P$q" E "[31m\x9b"), E "[7m^[P$q" E "[27m" E "[31m" R, 2, true);
}

static void filter_counts_removed(void **state)
{
    (void)state;
    struct queue out;
    queue_init(&out, 4096);
    struct replay_filter filter;
    replay_filter_init(&filter, false, collect, &out);
    assert_int_equal(replay_filter_put(&filter, cursor_of_text("x" E "]0;t\a" E "[6n" E "[?1;25h" E "[m")),
                     ERR_NONE);
    assert_int_equal(filter.removed_count, 3);
    queue_done(&out);
}

static void filter_endless_string_ends_at_its_limit(void **state)
{
    (void)state;
    struct queue out;
    queue_init(&out, 4096);
    struct replay_filter filter;
    replay_filter_init(&filter, false, collect, &out);
    assert_int_equal(replay_filter_put(&filter, cursor_of_text(E "P")), ERR_NONE);
    for (size_t i = 0; i < REPLAY_STRING_BYTES; i++) {
        assert_int_equal(replay_filter_put(&filter, cursor_of("s", 1)), ERR_NONE);
    }
    assert_int_equal(queue_len(&out), 0);
    assert_int_equal(replay_filter_put(&filter, cursor_of_text("!shown")), ERR_NONE);
    assert_true(cursor_equal_text(queue_peek(&out), "shown"));
    queue_done(&out);
}

static void filter_long_sequence_is_removed(void **state)
{
    (void)state;
    for (size_t parameters = 1; parameters < 400; parameters++) {
        char in[1024] = E "[";
        for (size_t i = 0; i < parameters; i++) {
            (void)strcat(in, "1;");
        }
        (void)strcat(in, "mx");
        bool fits = parameters + 1 <= 32;
        expect(cursor_of_text(in), fits ? in : "x", 3, false);
    }
    char intermediates[512] = E;
    memset(intermediates + 1, '#', 300);
    (void)strcat(intermediates, "8x");
    struct queue out;
    run(cursor_of_text(intermediates), 9, false, &out);
    assert_true(queue_len(&out) < strlen(intermediates)); /* the rest is text, but no ESC is left */
    assert_null(memchr(queue_peek(&out).at, 0x1b, queue_len(&out)));
    queue_done(&out);
}

static void filter_end_resets_the_terminal(void **state)
{
    (void)state;
    struct queue out;
    queue_init(&out, 4096);
    struct replay_filter filter;
    replay_filter_init(&filter, false, collect, &out);
    assert_int_equal(replay_filter_put(&filter, cursor_of_text(E "[?1049h" E "[31m\xe2\x82")), ERR_NONE);
    queue_consume(&out, queue_len(&out));
    assert_int_equal(replay_filter_end(&filter, true), ERR_NONE);
    assert_true(cursor_equal_text(queue_peek(&out), R E "7\x0f" E "[0m" E "(B" E ")B" E "[r" E "[?6l" E
                                                        "[?7h" E "[?25h" E "[4l" E "8" E "[?1049l"));
    queue_done(&out);
}

static void filter_sink_error_stops(void **state)
{
    (void)state;
    struct queue out;
    queue_init(&out, 3);
    struct replay_filter filter;
    replay_filter_init(&filter, false, collect, &out);
    assert_int_equal(replay_filter_put(&filter, cursor_of_text("abcd" E "[31m")), ERR_TOO_LARGE);
    assert_int_equal(replay_filter_put(&filter, cursor_of_text("a")), ERR_TOO_LARGE);
    assert_int_equal(queue_len(&out), 0);
    queue_done(&out);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(filter_rows_cut_anywhere),
        cmocka_unit_test(filter_nul_is_dropped),
        cmocka_unit_test(filter_shows_what_was_removed),
        cmocka_unit_test(filter_counts_removed),
        cmocka_unit_test(filter_endless_string_ends_at_its_limit),
        cmocka_unit_test(filter_long_sequence_is_removed),
        cmocka_unit_test(filter_end_resets_the_terminal),
        cmocka_unit_test(filter_sink_error_stops),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
