#include "replay/terminal_filter.h"

#include <assert.h>
#include <string.h>

#include "sequence.h"

enum {
    BEL = 0x07,
    CAN = 0x18,
    SUB = 0x1a,
    ESC = 0x1b,
    DEL = 0x7f,
    DIGITS_MAX =
        4, /* no screen is larger than 9999; a bound on how long one sequence keeps a terminal busy */
};

static void flush(struct replay_filter *filter)
{
    if (filter->run_bytes > 0 && filter->err == ERR_NONE) {
        filter->err =
            filter->sink(filter->context, REPLAY_PIECE_TEXT, cursor_of(filter->run, filter->run_bytes));
    }
    filter->run_bytes = 0;
}

static void emit(struct replay_filter *filter, struct cursor bytes)
{
    size_t len = cursor_len(&bytes);
    assert(len <= sizeof filter->run);
    if (len > sizeof filter->run - filter->run_bytes) {
        flush(filter);
    }
    memcpy(filter->run + filter->run_bytes, bytes.at, len);
    filter->run_bytes += len;
}

static void emit_sequence(struct replay_filter *filter, struct cursor bytes)
{
    flush(filter);
    if (filter->err == ERR_NONE) {
        filter->err = filter->sink(filter->context, REPLAY_PIECE_SEQUENCE, bytes);
    }
}

static void emit_sequence_text(struct replay_filter *filter, const char *text)
{
    emit_sequence(filter, cursor_of_text(text));
}

/* --- what is removed -------------------------------------------------------------------------------- */

static void show_inert(struct replay_filter *filter, struct cursor bytes)
{
    for (; bytes.at != bytes.end; bytes.at++) {
        uint8_t shown = *bytes.at >= 0x20 && *bytes.at < DEL ? *bytes.at : '?';
        emit(filter, cursor_of(&shown, 1));
    }
}

static void begin_removed(struct replay_filter *filter)
{
    filter->removed_count++;
    if (filter->shows_removed) {
        emit_sequence_text(filter, "\x1b[7m");
        emit(filter, cursor_of_text("^["));
        show_inert(filter, cursor_of(filter->sequence + 1, filter->sequence_bytes - 1));
    }
}

static void end_removed(struct replay_filter *filter)
{
    if (filter->shows_removed) {
        emit_sequence_text(filter, "\x1b[27m");
    }
    filter->state = REPLAY_FILTER_GROUND;
}

static void remove_sequence(struct replay_filter *filter)
{
    begin_removed(filter);
    end_removed(filter);
}

/* --- strings ---------------------------------------------------------------------------------------- */

static void begin_string(struct replay_filter *filter, uint8_t introducer)
{
    filter->ends_with_bel = introducer == ']';
    filter->string_bytes = 0;
    filter->state = REPLAY_FILTER_STRING;
    begin_removed(filter);
}

static void put_string(struct replay_filter *filter, uint8_t byte)
{
    if (byte == ESC) {
        filter->state = REPLAY_FILTER_STRING_ESCAPE;
        return;
    }
    bool is_end = byte == CAN || byte == SUB || (byte == BEL && filter->ends_with_bel);
    if (is_end || ++filter->string_bytes > REPLAY_STRING_BYTES) {
        end_removed(filter);
        return;
    }
    if (filter->shows_removed) {
        show_inert(filter, cursor_of(&byte, 1));
    }
}

/* --- escape sequences ------------------------------------------------------------------------------- */

static void begin_escape(struct replay_filter *filter)
{
    filter->sequence[0] = ESC;
    filter->sequence_bytes = 1;
    filter->state = REPLAY_FILTER_ESCAPE;
}

static void finish_sequence(struct replay_filter *filter)
{
    struct cursor whole = cursor_of(filter->sequence, filter->sequence_bytes);
    struct replay_sequence checked;
    if (!replay_sequence_check(whole, &checked)) {
        remove_sequence(filter);
        return;
    }
    if (checked.removed_modes > 0) {
        filter->removed_count++;
    }
    if (checked.switches_screen) {
        filter->is_alternate = checked.is_alternate;
    }
    filter->state = REPLAY_FILTER_GROUND;
    emit_sequence(filter, cursor_of(checked.bytes, checked.len_bytes));
}

/* Everything that a session could set, back to what a terminal starts with. */
static void emit_usual_state(struct replay_filter *filter)
{
    static const char *const USUAL[] = {"\x1b[0m",  "\x1b(B",   "\x1b)B",    "\x1b[r",
                                        "\x1b[?6l", "\x1b[?7h", "\x1b[?25h", "\x1b[4l"};
    emit(filter, cursor_of_text("\x0f")); /* SI */
    for (size_t i = 0; i < sizeof USUAL / sizeof USUAL[0]; i++) {
        emit_sequence_text(filter, USUAL[i]);
    }
}

static void leave_alternate(struct replay_filter *filter)
{
    if (filter->is_alternate) {
        emit_sequence_text(filter, "\x1b[?1049l");
        filter->is_alternate = false;
    }
}

/* In place of RIS, which would also clear the scrollback and the tabs of the operator's terminal. */
static void reset_terminal(struct replay_filter *filter)
{
    leave_alternate(filter);
    emit_usual_state(filter);
    emit_sequence_text(filter, "\x1b[H");
    emit_sequence_text(filter, "\x1b[2J");
    filter->state = REPLAY_FILTER_GROUND;
}

static void put_escape(struct replay_filter *filter, uint8_t byte)
{
    filter->sequence[filter->sequence_bytes++] = byte;
    if (byte == '[') {
        filter->digits = 0;
        filter->state = REPLAY_FILTER_CSI;
    } else if (strchr("]P_^Xk", byte) != NULL) { /* OSC DCS APC PM SOS, and the title of screen(1) */
        begin_string(filter, byte);
    } else if (byte >= 0x20 && byte < 0x30) {
        filter->state = REPLAY_FILTER_INTERMEDIATE;
    } else if (byte == 'c') {
        reset_terminal(filter);
    } else if (byte == '\\') {
        filter->state = REPLAY_FILTER_GROUND; /* the end of a string that CAN or BEL ended before */
    } else {
        finish_sequence(filter);
    }
}

static void put_intermediate(struct replay_filter *filter, uint8_t byte)
{
    if (filter->sequence_bytes == sizeof filter->sequence) {
        remove_sequence(filter);
        return;
    }
    filter->sequence[filter->sequence_bytes++] = byte;
    if (byte >= 0x30) {
        finish_sequence(filter);
    }
}

/* A parameter keeps at most four digits: leading zeros go, what is larger becomes 9999. */
static void put_digit(struct replay_filter *filter, uint8_t byte)
{
    uint8_t *end = filter->sequence + filter->sequence_bytes;
    if (filter->digits == 1 && end[-1] == '0') {
        end[-1] = byte;
    } else if (filter->digits == DIGITS_MAX) {
        memset(end - DIGITS_MAX, '9', DIGITS_MAX);
    } else {
        *end = byte;
        filter->sequence_bytes++;
        filter->digits++;
    }
}

static void put_csi(struct replay_filter *filter, uint8_t byte)
{
    if (filter->sequence_bytes == sizeof filter->sequence) {
        filter->state = REPLAY_FILTER_CSI_IGNORE;
        begin_removed(filter);
        if (byte >= 0x40) {
            end_removed(filter);
        }
        return;
    }
    if (byte >= '0' && byte <= '9') {
        put_digit(filter, byte);
        return;
    }
    filter->digits = 0;
    filter->sequence[filter->sequence_bytes++] = byte;
    if (byte >= 0x40) {
        finish_sequence(filter);
    }
}

/* --- bytes ------------------------------------------------------------------------------------------ */

static void put_control(struct replay_filter *filter, uint8_t byte)
{
    /* BS HT LF VT FF CR, and SO SI for line drawing. BEL makes no sound in a replay. */
    bool is_passed = (byte >= 0x08 && byte <= 0x0f);
    if (is_passed) {
        emit(filter, cursor_of(&byte, 1));
    }
}

static void put_replacement(struct replay_filter *filter)
{
    emit(filter, cursor_of_text(REPLAY_REPLACEMENT));
}

static void put_ground(struct replay_filter *filter, uint8_t byte)
{
    enum replay_utf8_step step = replay_utf8_put(&filter->utf8, byte);
    if (step == REPLAY_UTF8_BROKEN) {
        put_replacement(filter);
        step = replay_utf8_put(&filter->utf8, byte);
    }
    if (step == REPLAY_UTF8_INVALID) {
        put_replacement(filter);
        return;
    }
    if (step != REPLAY_UTF8_CHARACTER) {
        return;
    }
    struct cursor character = replay_utf8_bytes(&filter->utf8);
    if (byte == ESC) {
        begin_escape(filter);
    } else if (byte < 0x20) {
        put_control(filter, byte);
    } else if (replay_utf8_is_shown(replay_utf8_point(character))) {
        emit(filter, character);
    } else if (byte != DEL) {
        put_replacement(filter);
    }
}

/* Within a sequence, controls act at once, ESC begins anew, CAN and SUB end it, and a byte over 0x7f is text
 * again (ECMA-48 leaves it open; a terminal in UTF-8 mode does so). */
static void put_in_sequence(struct replay_filter *filter, uint8_t byte)
{
    bool is_ended = filter->state == REPLAY_FILTER_CSI_IGNORE;
    if (byte == ESC || byte == CAN || byte == SUB || byte >= 0x80) {
        if (is_ended) {
            end_removed(filter);
        } else {
            remove_sequence(filter);
        }
        if (byte == ESC || byte >= 0x80) {
            put_ground(filter, byte);
        }
    } else if (byte < 0x20) {
        put_control(filter, byte);
    } else if (byte == DEL) {
        return;
    } else if (filter->state == REPLAY_FILTER_ESCAPE) {
        put_escape(filter, byte);
    } else if (filter->state == REPLAY_FILTER_INTERMEDIATE) {
        put_intermediate(filter, byte);
    } else if (is_ended) {
        if (byte >= 0x40) {
            end_removed(filter);
        }
    } else {
        put_csi(filter, byte);
    }
}

/* ESC \ ends a string; ESC and anything else ends it too and begins another sequence, as in xterm. */
static void put_string_escape(struct replay_filter *filter, uint8_t byte)
{
    end_removed(filter);
    begin_escape(filter);
    if (byte == '\\') {
        filter->state = REPLAY_FILTER_GROUND;
    } else {
        put_in_sequence(filter, byte);
    }
}

static void put_byte(struct replay_filter *filter, uint8_t byte)
{
    switch (filter->state) {
    case REPLAY_FILTER_GROUND:
        put_ground(filter, byte);
        break;
    case REPLAY_FILTER_STRING:
        put_string(filter, byte);
        break;
    case REPLAY_FILTER_STRING_ESCAPE:
        put_string_escape(filter, byte);
        break;
    case REPLAY_FILTER_ESCAPE:
    case REPLAY_FILTER_INTERMEDIATE:
    case REPLAY_FILTER_CSI:
    case REPLAY_FILTER_CSI_IGNORE:
        put_in_sequence(filter, byte);
        break;
    }
}

void replay_filter_init(struct replay_filter *filter, bool shows_removed, replay_filter_sink *sink,
                        void *context)
{
    *filter = (struct replay_filter){.sink = sink, .context = context, .shows_removed = shows_removed};
}

/* Most of what a terminal gets is ASCII text: it need not go through the states byte by byte. */
static void put_ascii_run(struct replay_filter *filter, struct cursor *in)
{
    if (filter->state != REPLAY_FILTER_GROUND || replay_utf8_is_open(&filter->utf8)) {
        return;
    }
    struct cursor run = {in->at, in->at};
    while (run.end != in->end && cursor_len(&run) < REPLAY_RUN_BYTES && *run.end >= 0x20 && *run.end < DEL) {
        run.end++;
    }
    emit(filter, run);
    in->at = run.end;
}

enum err replay_filter_put(struct replay_filter *filter, struct cursor bytes)
{
    while (bytes.at != bytes.end && filter->err == ERR_NONE) {
        put_ascii_run(filter, &bytes);
        if (bytes.at != bytes.end) {
            put_byte(filter, *bytes.at++);
        }
    }
    flush(filter);
    return filter->err;
}

enum err replay_filter_end(struct replay_filter *filter, bool resets_terminal)
{
    if (replay_utf8_is_open(&filter->utf8)) {
        put_replacement(filter);
        filter->utf8 = (struct replay_utf8){0};
    }
    if (filter->state == REPLAY_FILTER_STRING || filter->state == REPLAY_FILTER_STRING_ESCAPE ||
        filter->state == REPLAY_FILTER_CSI_IGNORE) {
        end_removed(filter);
    } else if (filter->state != REPLAY_FILTER_GROUND) {
        remove_sequence(filter);
    }
    if (resets_terminal) {
        emit_sequence_text(filter, "\x1b\x37"); /* ESC 7 saves the cursor: resetting the margins moves it */
        emit_usual_state(filter);
        emit_sequence_text(filter, "\x1b\x38");
        leave_alternate(filter);
    }
    flush(filter);
    return filter->err;
}
