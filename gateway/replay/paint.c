/* Cells of a screen as the bytes that show them: everything here is made by us, nothing is copied from the
 * recording but visible characters. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "screen_private.h"

enum { TEXT_BYTES = 64, CELL_BYTES = VTERM_MAX_CHARS_PER_CELL * REPLAY_UTF8_BYTES };

/* What the terminal's pen is set to. */
struct pen {
    VTermScreenCellAttrs attrs;
    VTermColor fg, bg;
    bool is_known;
};

static enum err put_text(struct queue *out, const char *text)
{
    return queue_append(out, cursor_of_text(text));
}

static enum err put_position(struct queue *out, int row, int col)
{
    char text[TEXT_BYTES];
    (void)snprintf(text, sizeof text, "\x1b[%d;%dH", row + 1, col + 1);
    return put_text(out, text);
}

static bool is_same_attrs(const VTermScreenCellAttrs *a, const VTermScreenCellAttrs *b)
{
    return a->bold == b->bold && a->underline == b->underline && a->italic == b->italic &&
           a->blink == b->blink && a->reverse == b->reverse && a->strike == b->strike;
}

static bool is_same_pen(const struct pen *pen, const VTermScreenCell *cell)
{
    return pen->is_known && is_same_attrs(&pen->attrs, &cell->attrs) &&
           vterm_color_is_equal(&pen->fg, &cell->fg) != 0 && vterm_color_is_equal(&pen->bg, &cell->bg) != 0;
}

static enum err put_color(struct queue *out, const VTermColor *color, bool is_default, int base)
{
    char text[TEXT_BYTES];
    if (is_default) {
        return ERR_NONE;
    }
    if (VTERM_COLOR_IS_INDEXED(color)) {
        (void)snprintf(text, sizeof text, ";%d;5;%d", base, color->indexed.idx);
    } else {
        (void)snprintf(text, sizeof text, ";%d;2;%d;%d;%d", base, color->rgb.red, color->rgb.green,
                       color->rgb.blue);
    }
    return put_text(out, text);
}

/* One sequence that begins with 0, so that it does not depend on what was before. */
static enum err put_pen(struct queue *out, struct pen *pen, const VTermScreenCell *cell)
{
    if (is_same_pen(pen, cell)) {
        return ERR_NONE;
    }
    *pen = (struct pen){.attrs = cell->attrs, .fg = cell->fg, .bg = cell->bg, .is_known = true};
    TRY(put_text(out, "\x1b[0"));
    TRY(put_text(out, cell->attrs.bold ? ";1" : ""));
    TRY(put_text(out, cell->attrs.italic ? ";3" : ""));
    TRY(put_text(out, cell->attrs.underline != VTERM_UNDERLINE_OFF ? ";4" : ""));
    TRY(put_text(out, cell->attrs.blink ? ";5" : ""));
    TRY(put_text(out, cell->attrs.reverse ? ";7" : ""));
    TRY(put_text(out, cell->attrs.strike ? ";9" : ""));
    TRY(put_color(out, &cell->fg, VTERM_COLOR_IS_DEFAULT_FG(&cell->fg), 38));
    TRY(put_color(out, &cell->bg, VTERM_COLOR_IS_DEFAULT_BG(&cell->bg), 48));
    return put_text(out, "m");
}

static bool is_blank(const VTermScreenCell *cell)
{
    return (cell->chars[0] == 0 || cell->chars[0] == ' ') && VTERM_COLOR_IS_DEFAULT_BG(&cell->bg) &&
           !cell->attrs.reverse && cell->attrs.underline == VTERM_UNDERLINE_OFF && !cell->attrs.strike;
}

static VTermScreenCell cell_at(const struct replay_screen *screen, int row, int col)
{
    VTermScreenCell cell = {0};
    (void)vterm_screen_get_cell(screen->cells, (VTermPos){.row = row, .col = col}, &cell);
    return cell;
}

/* The first column after which the row is blank. */
static int used_cols(const struct replay_screen *screen, int row, int cols)
{
    int used = cols;
    while (used > 0) {
        VTermScreenCell cell = cell_at(screen, row, used - 1);
        if (!is_blank(&cell)) {
            break;
        }
        used--;
    }
    return used;
}

/* Terminals disagree about the width of what is not ASCII: after such a cell the column is set again. */
static enum err put_column(struct queue *out, int col)
{
    char text[TEXT_BYTES];
    (void)snprintf(text, sizeof text, "\x1b[%dG", col + 1);
    return put_text(out, text);
}

static enum err paint_cell(const struct replay_screen *screen, const VTermScreenCell *cell, int col,
                           struct pen *pen, struct queue *out)
{
    uint8_t text[CELL_BYTES];
    size_t len = screen_cell_text(cell, text);
    if (len == 0) {
        return ERR_NONE;
    }
    TRY(put_pen(out, pen, cell));
    if (cell->width == 2 && col + 1 == screen->view_cols) {
        return put_text(out, " "); /* half of a wide character at the edge of the window */
    }
    TRY(queue_append(out, cursor_of(text, len)));
    int next_col = col + (cell->width == 2 ? 2 : 1);
    return text[0] < 0x80 && len == 1 ? ERR_NONE : put_column(out, next_col);
}

static enum err paint_row(struct replay_screen *screen, int row, int end_col, struct queue *out)
{
    struct pen pen = {0};
    TRY(put_position(out, row - screen->view_row, 0));
    int end = used_cols(screen, row, end_col);
    for (int col = screen->view_col; col < end; col++) {
        VTermScreenCell cell = cell_at(screen, row, col);
        if (col == screen->view_col && cell.chars[0] == UINT32_MAX) {
            cell.chars[0] = ' ';
        }
        TRY(paint_cell(screen, &cell, col - screen->view_col, &pen, out));
    }
    return end < screen->view_col + screen->view_cols ? put_text(out, "\x1b[0m\x1b[K")
                                                      : put_text(out, "\x1b[0m");
}

/* The window follows the cursor. Returns whether it moved. */
static bool place_view(struct replay_screen *screen, int cols, int rows)
{
    VTermPos cursor = screen_cursor(screen);
    int view_row = cursor.row >= rows ? cursor.row - rows + 1 : 0;
    int view_col = cursor.col >= cols ? cursor.col - cols + 1 : 0;
    bool is_moved = view_row != screen->view_row || view_col != screen->view_col ||
                    cols != screen->view_cols || rows != screen->view_rows;
    screen->view_row = view_row;
    screen->view_col = view_col;
    screen->view_cols = cols;
    screen->view_rows = rows;
    return is_moved;
}

enum err replay_screen_paint(struct replay_screen *screen, uint32_t cols, uint32_t rows, bool is_full,
                             struct queue *out)
{
    assert(cols > 0 && rows > 0);
    int view_cols = (int)(cols > REPLAY_COLS_MAX ? REPLAY_COLS_MAX : cols);
    int view_rows = (int)(rows > REPLAY_ROWS_MAX ? REPLAY_ROWS_MAX : rows);
    vterm_screen_flush_damage(screen->cells);
    if (place_view(screen, view_cols, view_rows) || is_full) {
        screen_dirty(screen, 0, REPLAY_ROWS_MAX);
    }
    int screen_rows = 0;
    int screen_cols = 0;
    vterm_get_size(screen->vterm, &screen_rows, &screen_cols);
    int end_col = screen->view_col + view_cols < screen_cols ? screen->view_col + view_cols : screen_cols;
    TRY(put_text(out, "\x1b[?25l"));
    for (int row = screen->view_row; row < screen->view_row + view_rows && row < REPLAY_ROWS_MAX; row++) {
        if (!screen->is_dirty[row]) {
            continue;
        }
        if (row < screen_rows) {
            TRY(paint_row(screen, row, end_col, out));
        } else {
            TRY(put_position(out, row - screen->view_row, 0));
            TRY(put_text(out, "\x1b[0m\x1b[K"));
        }
    }
    memset(screen->is_dirty, 0, sizeof screen->is_dirty);
    return ERR_NONE;
}

enum err replay_screen_place_cursor(struct replay_screen *screen, struct queue *out)
{
    VTermPos cursor = screen_cursor(screen);
    TRY(put_position(out, cursor.row - screen->view_row, cursor.col - screen->view_col));
    return screen->is_cursor_visible ? put_text(out, "\x1b[?25h") : ERR_NONE;
}
