/* The screen of a recorded terminal: what a person saw at one moment, as cells, to be painted into a window
 * or written as plain lines. All bytes pass the terminal filter first, so the terminal emulation (libvterm)
 * sees no strings, queries or modes that it does not need; what is painted is made here from the cells. */
#ifndef REPLAY_SCREEN_H
#define REPLAY_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/queue.h"

enum {
    REPLAY_COLS_MAX = 1000, /* a size is a claim of the client; a screen of 1000 x 1000 takes about 100 MB */
    REPLAY_ROWS_MAX = 1000,
    REPLAY_COLS_MIN = 2,    /* libvterm 0.1.4 writes the second half of a wide character without asking */
    REPLAY_ROWS_MIN = 2,    /* on a single line it scrolls without telling what went away */
    REPLAY_COLS_USUAL = 80, /* for recordings that say nothing */
    REPLAY_ROWS_USUAL = 24,
    REPLAY_PAINT_LIMIT_BYTES =
        1 << 27, /* of the queue to paint into: the largest window in the worst colours */
};

/** One line of plain UTF-8 text without its newline and without blanks at its end; borrowed. */
typedef enum err replay_line_sink(void *context, struct cursor line);

struct replay_screen; /* OWNED, replay_screen_free() */

/** A size that a screen can have. 0 stands for the usual one. */
uint32_t replay_screen_cols(uint32_t cols);
uint32_t replay_screen_rows(uint32_t rows);

/** @param line  NULL, or what gets the text of the terminal as it goes away: lines that scroll off the main
 *               screen, and whole screens before they are erased or the alternate screen is left
 *  @return ERR_MEMORY. */
MUST_CHECK enum err replay_screen_new(uint32_t cols, uint32_t rows, replay_line_sink *line, void *context,
                                      struct replay_screen **ret_screen);
void replay_screen_free(struct replay_screen **screen);
#define OWNED_SCREEN __attribute__((cleanup(replay_screen_free))) struct replay_screen

/** Bytes as the target sent them, cut anywhere. @return what the line sink returned. */
MUST_CHECK enum err replay_screen_put(struct replay_screen *screen, struct cursor bytes);
MUST_CHECK enum err replay_screen_resize(struct replay_screen *screen, uint32_t cols, uint32_t rows);
/** Empty, at its first size, as after replay_screen_new(). @return ERR_MEMORY. */
MUST_CHECK enum err replay_screen_clear(struct replay_screen *screen);
/** What is on the screen now goes to the line sink, down to the last line that is not blank. */
MUST_CHECK enum err replay_screen_lines(struct replay_screen *screen);
/** How many sequences the filter took out so far. */
uint64_t replay_screen_removed(const struct replay_screen *screen);

/** Append what brings a terminal from the last paint to this screen, in the upper left `cols` x `rows` of it.
 *  A larger screen is shown around its cursor.
 *  @param is_full  paint every row: the terminal shows something else
 *  @return ERR_TOO_LARGE; ERR_MEMORY. */
MUST_CHECK enum err replay_screen_paint(struct replay_screen *screen, uint32_t cols, uint32_t rows,
                                        bool is_full, struct queue *out);
/** Append what puts the terminal's cursor where the screen's is; after everything else was painted. */
MUST_CHECK enum err replay_screen_place_cursor(struct replay_screen *screen, struct queue *out);

#endif
