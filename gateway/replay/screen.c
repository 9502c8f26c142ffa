#include "replay/screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
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

VTermPos screen_cursor(const struct replay_screen *screen)
{
    int rows = 0;
    int cols = 0;
    VTermPos at = {0};
    vterm_get_size(screen->vterm, &rows, &cols);
    vterm_state_get_cursorpos(screen->state, &at);
    at.row = at.row < 0 ? 0 : at.row >= rows ? rows - 1 : at.row;
    at.col = at.col < 0 ? 0 : at.col >= cols ? cols - 1 : at.col;
    return at;
}

static void move_cursor(struct replay_screen *screen, VTermPos to)
{
    char text[64];
    int len = snprintf(text, sizeof text, "\x1b[%d;%dH", to.row + 1, to.col + 1);
    (void)vterm_input_write(screen->vterm, text, (size_t)len);
}

/* A saved cursor survives a resize, and a resize may push the cursor up: it can be outside of the screen, and
 * libvterm 0.1.4 then reads outside of its memory at the next character. Never go on from there. */
static void keep_cursor_inside(struct replay_screen *screen)
{
    VTermPos at = {0};
    vterm_state_get_cursorpos(screen->state, &at);
    VTermPos sane = screen_cursor(screen);
    if (at.row != sane.row || at.col != sane.col) {
        move_cursor(screen, sane);
    }
}

static void write_vterm(struct replay_screen *screen, struct cursor bytes)
{
    (void)vterm_input_write(screen->vterm, (const char *)bytes.at, cursor_len(&bytes));
    keep_cursor_inside(screen);
}

static bool is_at_home(const struct replay_screen *screen)
{
    VTermPos at = screen_cursor(screen);
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

/* The last character of a text, for REP; none when the text ends with a control. */
static void remember_last(struct replay_screen *screen, struct cursor text)
{
    const uint8_t *at = text.end - 1;
    while (at != text.at && (*at & 0xc0) == 0x80) {
        at--;
    }
    screen->last_bytes = *at < 0x20 ? 0 : (uint8_t)(text.end - at);
    memcpy(screen->last, at, screen->last_bytes);
}

/* CSI n b, done here: libvterm 0.1.4 never returns from it when nothing was written before, and goes on to
 * the end of the line when it has no count. */
static enum err repeat_last(struct replay_screen *screen, struct cursor sequence)
{
    struct cursor digits = {sequence.at + 2, sequence.end - 1};
    uint64_t count = 1;
    if (digits.at != digits.end) {
        TRY(text_u64(digits, UINT16_MAX, &count));
    }
    for (uint64_t i = 0; i < count && screen->last_bytes > 0 && screen->line_err == ERR_NONE; i++) {
        write_vterm(screen, cursor_of(screen->last, screen->last_bytes));
    }
    return screen->line_err;
}

/* CSI top ; bottom r. Margins of less than two lines are ignored, as in xterm: libvterm 0.1.4 takes them and
 * then moves the cursor to lines that do not exist. */
static bool are_margins_sane(const struct replay_screen *screen, struct cursor sequence)
{
    int rows = 0;
    int cols = 0;
    vterm_get_size(screen->vterm, &rows, &cols);
    uint64_t margins[2] = {1, (uint64_t)rows};
    struct cursor rest = {sequence.at + 2, sequence.end - 1};
    for (size_t i = 0; i < 2 && rest.at != rest.end; i++) {
        const uint8_t *semicolon = memchr(rest.at, ';', cursor_len(&rest));
        struct cursor digits = {rest.at, semicolon == NULL ? rest.end : semicolon};
        uint64_t value = 0;
        if (digits.at != digits.end && text_u64(digits, UINT16_MAX, &value) != ERR_NONE) {
            return false;
        }
        margins[i] = value == 0 ? margins[i] : value;
        rest.at = semicolon == NULL ? rest.end : semicolon + 1;
    }
    return margins[0] < margins[1] && margins[0] < (uint64_t)rows;
}

static enum err put_piece(void *context, enum replay_piece piece, struct cursor bytes)
{
    struct replay_screen *screen = context;
    if (screen->line != NULL && piece == REPLAY_PIECE_SEQUENCE && takes_screen_away(screen, bytes)) {
        TRY(replay_screen_lines(screen));
    }
    if (piece == REPLAY_PIECE_TEXT) {
        remember_last(screen, bytes);
    } else if (bytes.end[-1] == 'b') {
        return repeat_last(screen, bytes);
    } else if (bytes.end[-1] == 'r' && !are_margins_sane(screen, bytes)) {
        return ERR_NONE;
    }
    write_vterm(screen, bytes);
    return screen->line_err;
}

enum err replay_screen_put(struct replay_screen *screen, struct cursor bytes)
{
    return replay_filter_put(&screen->filter, bytes);
}

enum err replay_screen_resize(struct replay_screen *screen, uint32_t cols, uint32_t rows)
{
    /* Margins that were sane before may not be after, see are_margins_sane(). Resetting them moves the
     * cursor. */
    char text[64];
    VTermPos at = screen_cursor(screen);
    (void)snprintf(text, sizeof text, "\x1b[r\x1b[%d;%dH", at.row + 1, at.col + 1);
    (void)vterm_input_write(screen->vterm, text, strlen(text));
    vterm_set_size(screen->vterm, (int)replay_screen_rows(rows), (int)replay_screen_cols(cols));
    keep_cursor_inside(screen);
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
    screen->last_bytes = 0;
    return open_vterm(screen);
}

uint64_t replay_screen_removed(const struct replay_screen *screen)
{
    return screen->filter.removed_count;
}
