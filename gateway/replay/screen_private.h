/* What screen.c and paint.c share; private to this room. */
#ifndef REPLAY_SCREEN_PRIVATE_H
#define REPLAY_SCREEN_PRIVATE_H

#include <vterm.h>

#include "replay/screen.h"
#include "replay/terminal_filter.h"

enum { SCREEN_LINE_BYTES = REPLAY_COLS_MAX * VTERM_MAX_CHARS_PER_CELL * REPLAY_UTF8_BYTES };

struct replay_screen {
    VTerm *vterm; /* OWNED */
    VTermScreen *cells;
    VTermState *state;
    struct replay_filter filter;
    replay_line_sink *line;
    void *line_context;
    enum err line_err; /* from within a callback of libvterm, which cannot return it */
    uint64_t
        line_hash; /* of the last whole screen that was given to the sink: full-screen programs repeat it */
    uint8_t line_bytes[SCREEN_LINE_BYTES]; /* the line that is being given to the sink */
    uint8_t last[REPLAY_UTF8_BYTES];       /* the last character of the text, for repeating it */
    uint8_t last_bytes;
    uint32_t first_cols, first_rows;
    bool is_cursor_visible;

    /* painting */
    bool is_dirty[REPLAY_ROWS_MAX];
    int view_row, view_col; /* the cell in the upper left of the window */
    int view_cols, view_rows;
};

/** The visible text of one cell, at least a blank; nothing for the second half of a wide character.
 * `ret_bytes` holds VTERM_MAX_CHARS_PER_CELL * REPLAY_UTF8_BYTES. */
size_t screen_cell_text(const VTermScreenCell *cell, uint8_t *ret_bytes);
/** Where the cursor is; always on the screen. */
VTermPos screen_cursor(const struct replay_screen *screen);
/** Rows that must be painted again. */
void screen_dirty(struct replay_screen *screen, int from_row, int to_row);

#endif
