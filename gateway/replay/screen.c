#include "replay/screen.h"

#include <stdlib.h>
#include <string.h>

#include "replay/utf8.h"
#include "screen_private.h"

static uint32_t clamp(uint32_t value, uint32_t usual, uint32_t min, uint32_t max)
{
    if (value == 0) {
        return usual;
    }
    return value < min ? min : value > max ? max : value;
}

uint32_t replay_screen_cols(uint32_t cols)
{
    return clamp(cols, REPLAY_COLS_USUAL, REPLAY_COLS_MIN, REPLAY_COLS_MAX);
}

uint32_t replay_screen_rows(uint32_t rows)
{
    return clamp(rows, REPLAY_ROWS_USUAL, REPLAY_ROWS_MIN, REPLAY_ROWS_MAX);
}

/* --- lines ------------------------------------------------------------------------------------------ */

size_t screen_cell_text(const VTermScreenCell *cell, uint8_t *ret_bytes)
{
    if (cell->chars[0] == UINT32_MAX) {
        return 0;
    }
    size_t len = 0;
    for (size_t i = 0; i < VTERM_MAX_CHARS_PER_CELL && cell->chars[i] != 0; i++) {
        if (replay_utf8_is_shown(cell->chars[i])) {
            len += replay_utf8_encode(cell->chars[i], ret_bytes + len);
        }
    }
    if (len == 0) {
        ret_bytes[len++] = ' ';
    }
    return len;
}

static void give_line(struct replay_screen *screen, size_t len)
{
    while (len > 0 && screen->line_bytes[len - 1] == ' ') {
        len--;
    }
    if (screen->line != NULL && screen->line_err == ERR_NONE) {
        screen->line_err = screen->line(screen->line_context, cursor_of(screen->line_bytes, len));
    }
}

/* libvterm calls this when a line leaves the main screen at its top. */
static int push_line(int cols, const VTermScreenCell *cells, void *context)
{
    struct replay_screen *screen = context;
    size_t len = 0;
    for (int col = 0; col < cols && col < REPLAY_COLS_MAX; col++) {
        len += screen_cell_text(&cells[col], screen->line_bytes + len);
    }
    give_line(screen, len);
    return 0;
}

static size_t read_row(struct replay_screen *screen, int row, int cols)
{
    size_t len = 0;
    for (int col = 0; col < cols; col++) {
        VTermScreenCell cell = {0};
        if (vterm_screen_get_cell(screen->cells, (VTermPos){.row = row, .col = col}, &cell) != 0) {
            len += screen_cell_text(&cell, screen->line_bytes + len);
        }
    }
    while (len > 0 && screen->line_bytes[len - 1] == ' ') {
        len--;
    }
    return len;
}

/* FNV-1a: a collision hides one repeated screen of plain text from a reader, never from the recording. */
static uint64_t hash_more(uint64_t hash, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ bytes[i]) * 0x100000001b3U;
    }
    return hash;
}

enum err replay_screen_lines(struct replay_screen *screen)
{
    int rows = 0;
    int cols = 0;
    vterm_get_size(screen->vterm, &rows, &cols);
    int used_rows = 0;
    uint64_t hash = 0xcbf29ce484222325U;
    for (int row = 0; row < rows; row++) {
        size_t len = read_row(screen, row, cols);
        hash = hash_more(hash_more(hash, screen->line_bytes, len), (const uint8_t *)"\n", 1);
        used_rows = len > 0 ? row + 1 : used_rows;
    }
    if (hash == screen->line_hash) {
        return screen->line_err;
    }
    screen->line_hash = hash;
    for (int row = 0; row < used_rows; row++) {
        give_line(screen, read_row(screen, row, cols));
    }
    return screen->line_err;
}

/* --- what libvterm reports --------------------------------------------------------------------------- */

void screen_dirty(struct replay_screen *screen, int from_row, int to_row)
{
    for (int row = from_row < 0 ? 0 : from_row; row < to_row && row < REPLAY_ROWS_MAX; row++) {
        screen->is_dirty[row] = true;
    }
}

static int damaged(VTermRect rect, void *context)
{
    screen_dirty(context, rect.start_row, rect.end_row);
    return 1;
}

static int property_changed(VTermProp property, VTermValue *value, void *context)
{
    struct replay_screen *screen = context;
    if (property == VTERM_PROP_CURSORVISIBLE) {
        screen->is_cursor_visible = value->boolean != 0;
    }
    return 1;
}

/* --- bytes ------------------------------------------------------------------------------------------ */

static bool is_at_home(const struct replay_screen *screen)
{
    VTermPos at = {0};
    vterm_state_get_cursorpos(screen->state, &at);
    return at.row == 0 && at.col == 0;
}

/* Sequences after which the text on the screen is gone. */
static bool takes_screen_away(const struct replay_screen *screen, struct cursor sequence)
{
    static const char *const ALWAYS[] = {"\x1b[2J", "\x1b[?1049l", "\x1b[?47l", "\x1b[?1047l"};
    for (size_t i = 0; i < sizeof ALWAYS / sizeof ALWAYS[0]; i++) {
        if (cursor_equal_text(sequence, ALWAYS[i])) {
            return true;
        }
    }
    bool erases_rest = cursor_equal_text(sequence, "\x1b[J") || cursor_equal_text(sequence, "\x1b[0J");
    return erases_rest && is_at_home(screen);
}

static enum err put_piece(void *context, enum replay_piece piece, struct cursor bytes)
{
    struct replay_screen *screen = context;
    if (screen->line != NULL && piece == REPLAY_PIECE_SEQUENCE && takes_screen_away(screen, bytes)) {
        TRY(replay_screen_lines(screen));
    }
    (void)vterm_input_write(screen->vterm, (const char *)bytes.at, cursor_len(&bytes));
    return screen->line_err;
}

enum err replay_screen_put(struct replay_screen *screen, struct cursor bytes)
{
    return replay_filter_put(&screen->filter, bytes);
}

enum err replay_screen_resize(struct replay_screen *screen, uint32_t cols, uint32_t rows)
{
    vterm_set_size(screen->vterm, (int)replay_screen_rows(rows), (int)replay_screen_cols(cols));
    screen_dirty(screen, 0, REPLAY_ROWS_MAX);
    return screen->line_err;
}

/* --- life ------------------------------------------------------------------------------------------- */

static enum err open_vterm(struct replay_screen *screen)
{
    static const VTermScreenCallbacks CALLBACKS = {
        .damage = damaged,
        .settermprop = property_changed,
        .sb_pushline = push_line,
    };
    screen->vterm = vterm_new((int)screen->first_rows, (int)screen->first_cols);
    if (screen->vterm == NULL) {
        return ERR_MEMORY;
    }
    vterm_set_utf8(screen->vterm, 1);
    screen->cells = vterm_obtain_screen(screen->vterm);
    screen->state = vterm_obtain_state(screen->vterm);
    vterm_screen_enable_altscreen(screen->cells, 1);
    vterm_screen_set_damage_merge(screen->cells, VTERM_DAMAGE_ROW);
    vterm_screen_set_callbacks(screen->cells, &CALLBACKS, screen);
    vterm_screen_reset(screen->cells, 1);
    screen->is_cursor_visible = true;
    screen_dirty(screen, 0, REPLAY_ROWS_MAX);
    return ERR_NONE;
}

enum err replay_screen_new(uint32_t cols, uint32_t rows, replay_line_sink *line, void *context,
                           struct replay_screen **ret_screen)
{
    OWNED_SCREEN *screen = calloc(1, sizeof *screen);
    if (screen == NULL) {
        return ERR_MEMORY;
    }
    screen->first_cols = replay_screen_cols(cols);
    screen->first_rows = replay_screen_rows(rows);
    screen->line = line;
    screen->line_context = context;
    replay_filter_init(&screen->filter, false, put_piece, screen);
    TRY(open_vterm(screen));
    *ret_screen = screen;
    screen = NULL;
    return ERR_NONE;
}

void replay_screen_free(struct replay_screen **screen)
{
    if (*screen != NULL) {
        if ((*screen)->vterm != NULL) {
            vterm_free((*screen)->vterm);
        }
        free(*screen);
    }
    *screen = NULL;
}

enum err replay_screen_clear(struct replay_screen *screen)
{
    vterm_free(screen->vterm);
    screen->vterm = NULL;
    replay_filter_init(&screen->filter, false, put_piece, screen);
    screen->line_hash = 0;
    return open_vterm(screen);
}

uint64_t replay_screen_removed(const struct replay_screen *screen)
{
    return screen->filter.removed_count;
}
