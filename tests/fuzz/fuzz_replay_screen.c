/* Hostile output and hostile sizes into the terminal emulation: a byte 0xff and two more resize the screen,
 * 0xfe clears it, everything else is output. What is painted must be harmless for a terminal. */
#include <stdio.h>
#include <stdlib.h>

#include "replay/screen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EXPECT(cond)                                                                                         \
    do {                                                                                                     \
        if (!(cond)) {                                                                                       \
            fprintf(stderr, "%s:%d %s\n", __FILE__, __LINE__, #cond);                                        \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

static enum err count_line(void *context, struct cursor line)
{
    *(size_t *)context += cursor_len(&line);
    return ERR_NONE;
}

/* Painted bytes are text, and ESC [ ... with a final of H G K m l h. */
static void expect_painted(struct cursor out)
{
    while (out.at != out.end) {
        uint8_t byte = *out.at++;
        EXPECT(byte >= 0x20 || byte == 0x1b);
        EXPECT(byte != 0x7f);
        if (byte != 0x1b) {
            continue;
        }
        EXPECT(out.at != out.end && *out.at == '[');
        out.at++;
        while (out.at != out.end &&
               (*out.at == ';' || *out.at == '?' || (*out.at >= '0' && *out.at <= '9'))) {
            out.at++;
        }
        EXPECT(out.at != out.end);
        EXPECT(*out.at == 'H' || *out.at == 'G' || *out.at == 'K' || *out.at == 'm' || *out.at == 'l' ||
               *out.at == 'h');
        out.at++;
    }
}

static void paint(struct replay_screen *screen, uint32_t cols, uint32_t rows)
{
    struct queue out;
    queue_init(&out, REPLAY_PAINT_LIMIT_BYTES);
    EXPECT(replay_screen_paint(screen, cols, rows, false, &out) == ERR_NONE);
    EXPECT(replay_screen_place_cursor(screen, &out) == ERR_NONE);
    expect_painted(queue_peek(&out));
    queue_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t line_bytes = 0;
    OWNED_SCREEN *screen = NULL;
    EXPECT(replay_screen_new(20, 5, count_line, &line_bytes, &screen) == ERR_NONE);
    size_t at = 0;
    while (at < size) {
        size_t run = at;
        while (run < size && data[run] < 0xfe) {
            run++;
        }
        EXPECT(replay_screen_put(screen, cursor_of(data + at, run - at)) == ERR_NONE);
        at = run + 1;
        if (run + 2 < size && data[run] == 0xff) {
            EXPECT(replay_screen_resize(screen, data[run + 1] % 90U, data[run + 2] % 40U) == ERR_NONE);
            at = run + 3;
            paint(screen, 1 + data[run + 2] % 100U, 1 + data[run + 1] % 50U);
        } else if (run < size && data[run] == 0xfe) {
            EXPECT(replay_screen_clear(screen) == ERR_NONE);
        }
    }
    paint(screen, 80, 24);
    EXPECT(replay_screen_lines(screen) == ERR_NONE);
    return 0;
}
