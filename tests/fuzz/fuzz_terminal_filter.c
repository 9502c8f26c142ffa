/* Whatever a target sends: what the filter lets through is text and allowed sequences, judged here by a
 * reader of its own that shares nothing with the filter; and it does not depend on where the input was cut.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/queue.h"
#include "replay/terminal_filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EXPECT(cond)                                                                                         \
    do {                                                                                                     \
        if (!(cond)) {                                                                                       \
            fprintf(stderr, "%s:%d %s\n", __FILE__, __LINE__, #cond);                                        \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

static enum err collect(void *context, enum replay_piece piece, struct cursor bytes)
{
    (void)piece;
    return queue_append(context, bytes);
}

static bool is_one_of(unsigned value, const unsigned *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i] == value) {
            return true;
        }
    }
    return false;
}

static void expect_modes(const char *at, char final)
{
    static const unsigned ON[] = {6, 7, 25, 47, 1047, 1048, 1049};
    static const unsigned OFF[] = {6,    7,    25,   47,   1047, 1048, 1049, 1,   9,
                                   1000, 1002, 1003, 1004, 1005, 1006, 1015, 2004};
    EXPECT(*at >= '0' && *at <= '9');
    while (*at != final) {
        unsigned mode = 0;
        for (; *at >= '0' && *at <= '9'; at++) {
            mode = mode * 10 + (unsigned)(*at - '0');
        }
        EXPECT(final == 'h' ? is_one_of(mode, ON, sizeof ON / sizeof *ON)
                            : is_one_of(mode, OFF, sizeof OFF / sizeof *OFF));
        EXPECT(*at == ';' || *at == final);
        at += *at == ';';
    }
}

/* Returns the length of the control sequence at `at`, which begins with ESC [. */
static size_t expect_control(const char *at, size_t len)
{
    size_t i = 2;
    size_t digits = 0;
    while (i < len && strchr("0123456789;:?", at[i]) != NULL) {
        digits = at[i] >= '0' && at[i] <= '9' ? digits + 1 : 0;
        EXPECT(digits <= 4);
        EXPECT(at[i] != '?' || i == 2);
        i++;
    }
    EXPECT(i < len && i < 128);
    char final = at[i];
    if (at[2] == '?') {
        EXPECT(final == 'h' || final == 'l');
        expect_modes(at + 3, final);
    } else if (final == 'h' || final == 'l') {
        EXPECT(i == 3 && at[2] == '4');
    } else {
        EXPECT(final != 0 && strchr("@ABCDEFGHIJKLMPSTXZ`abdefgmrsu", final) != NULL);
        EXPECT(final == 'm' || memchr(at, ':', i) == NULL);
        EXPECT((final != 's' && final != 'u') || i == 2);
    }
    return i + 1;
}

static size_t expect_sequence(const char *at, size_t len)
{
    EXPECT(len >= 2 && at[1] != 0);
    if (at[1] == '[') {
        return expect_control(at, len);
    }
    if (at[1] == '(' || at[1] == ')') {
        EXPECT(len >= 3 && at[2] != 0 && strchr("AB0", at[2]) != NULL);
        return 3;
    }
    EXPECT(strchr("78DEHM", at[1]) != NULL);
    return 2;
}

static size_t expect_character(const uint8_t *at, size_t len)
{
    size_t need = at[0] < 0x80 ? 1 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    EXPECT(at[0] < 0x80 || at[0] >= 0xc2);
    EXPECT(at[0] <= 0xf4 && need <= len);
    for (size_t i = 1; i < need; i++) {
        EXPECT((at[i] & 0xc0) == 0x80);
    }
    EXPECT(!(at[0] == 0xc2 && at[1] < 0xa0)); /* C1 */
    EXPECT(at[0] >= 0x20 || (at[0] >= 0x08 && at[0] <= 0x0f));
    EXPECT(at[0] != 0x7f);
    return need;
}

static void expect_harmless(struct cursor out)
{
    while (out.at != out.end) {
        size_t len = cursor_len(&out);
        out.at +=
            *out.at == 0x1b ? expect_sequence((const char *)out.at, len) : expect_character(out.at, len);
    }
}

static void run(const uint8_t *data, size_t size, size_t step, bool shows_removed, struct queue *out)
{
    struct replay_filter filter;
    replay_filter_init(&filter, shows_removed, collect, out);
    for (size_t at = 0; at < size; at += step) {
        size_t len = size - at < step ? size - at : step;
        EXPECT(replay_filter_put(&filter, cursor_of(data + at, len)) == ERR_NONE);
    }
    EXPECT(replay_filter_end(&filter, true) == ERR_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int shows_removed = 0; shows_removed < 2; shows_removed++) {
        struct queue whole;
        struct queue cut;
        queue_init(&whole, 1 << 26);
        queue_init(&cut, 1 << 26);
        run(data, size, size + 1, shows_removed != 0, &whole);
        run(data, size, 1 + (size > 0 ? data[0] % 7 : 0), shows_removed != 0, &cut);
        expect_harmless(queue_peek(&whole));
        EXPECT(cursor_equal(queue_peek(&whole), queue_peek(&cut)));
        queue_done(&whole);
        queue_done(&cut);
    }
    return 0;
}
