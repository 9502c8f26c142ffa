#include "sequence.h"

#include <string.h>

#include "base/text.h"

/* ESC and one byte: save and restore cursor, index, next line, tab stop, reverse index. */
static const char ESCAPES[] = "78DEHM";
/* ESC ( or ): only sets that can be undone: ASCII, UK, line drawing. */
static const char CHARACTER_SETS[] = "AB0";

enum { SGR_PARAMETERS = 32 };

/* CSI: no private marker, no intermediate byte; never c n x y i t p q (reports, printing, windows, keyboard).
 */
static const struct {
    uint8_t final;
    uint8_t parameters; /* at most; more means another function (CSI T with five is a mouse mode) */
} CONTROLS[] = {
    {'@', 1}, {'A', 1}, {'B', 1}, {'C', 1}, {'D', 1}, {'E', 1}, {'F', 1}, {'G', 1}, {'H', 2},
    {'I', 1}, {'J', 1}, {'K', 1}, {'L', 1}, {'M', 1}, {'P', 1}, {'S', 1}, {'T', 1}, {'X', 1},
    {'Z', 1}, {'`', 1}, {'a', 1}, {'b', 1}, {'d', 1}, {'e', 1}, {'f', 2}, {'g', 1}, {'m', SGR_PARAMETERS},
    {'r', 2}, {'s', 0}, {'u', 0},
};

/* Modes after CSI ?. Those that change what the keyboard or mouse sends may only be switched off. */
static const struct {
    uint16_t mode;
    bool may_be_set, is_screen;
} MODES[] = {
    {6, true, false},  /* origin */
    {7, true, false},  /* wrap around */
    {25, true, false}, /* cursor is visible */
    {47, true, true},  /* alternate screen */
    {1047, true, true},   {1048, true, false},  {1049, true, true},
    {1, false, false}, /* cursor keys */
    {9, false, false}, /* mouse, old */
    {1000, false, false}, {1002, false, false}, {1003, false, false},
    {1004, false, false}, {1005, false, false}, {1006, false, false},
    {1015, false, false}, {2004, false, false}, /* bracketed paste */
};

static bool append(struct replay_sequence *out, struct cursor bytes)
{
    size_t len = cursor_len(&bytes);
    if (len > sizeof out->bytes - out->len_bytes) {
        return false;
    }
    memcpy(out->bytes + out->len_bytes, bytes.at, len);
    out->len_bytes += len;
    return true;
}

static bool append_text(struct replay_sequence *out, const char *text)
{
    return append(out, cursor_of_text(text));
}

/* Semicolons part parameters; an empty one counts. */
static bool next_parameter(struct cursor *list, bool *is_first, struct cursor *ret_parameter)
{
    if (!*is_first) {
        if (list->at == list->end) {
            return false;
        }
        list->at++; /* the semicolon */
    }
    *is_first = false;
    ret_parameter->at = list->at;
    while (list->at != list->end && *list->at != ';') {
        list->at++;
    }
    ret_parameter->end = list->at;
    return true;
}

static bool has_only(struct cursor bytes, const char *allowed)
{
    for (; bytes.at != bytes.end; bytes.at++) {
        if (*bytes.at == 0 || strchr(allowed, *bytes.at) == NULL) {
            return false;
        }
    }
    return true;
}

static size_t parameter_count(struct cursor list)
{
    if (list.at == list.end) {
        return 0;
    }
    size_t count = 1;
    for (; list.at != list.end; list.at++) {
        count += *list.at == ';';
    }
    return count;
}

static bool is_control_allowed(uint8_t final, struct cursor parameters)
{
    for (size_t i = 0; i < sizeof CONTROLS / sizeof CONTROLS[0]; i++) {
        if (CONTROLS[i].final == final) {
            return parameter_count(parameters) <= CONTROLS[i].parameters &&
                   has_only(parameters, final == 'm' ? "0123456789;:" : "0123456789;");
        }
    }
    /* Insert mode is the only one of ANSI's that is safe: 2 locks the keyboard, 20 changes what Enter sends.
     */
    return (final == 'h' || final == 'l') && cursor_equal_text(parameters, "4");
}

static bool keep_mode(struct replay_sequence *out, struct cursor parameter, bool is_set)
{
    uint64_t mode = 0;
    if (text_u64(parameter, UINT16_MAX, &mode) != ERR_NONE) {
        return false;
    }
    for (size_t i = 0; i < sizeof MODES / sizeof MODES[0]; i++) {
        if (MODES[i].mode == mode && (MODES[i].may_be_set || !is_set)) {
            out->switches_screen = out->switches_screen || MODES[i].is_screen;
            out->is_alternate = out->switches_screen && is_set;
            return true;
        }
    }
    return false;
}

/* CSI ? list h|l, with the allowed ones of the list. */
static bool keep_modes(struct cursor parameters, uint8_t final, struct replay_sequence *out)
{
    if (!append_text(out, "\x1b[?")) {
        return false;
    }
    bool is_first = true;
    bool has_mode = false;
    struct cursor parameter;
    while (next_parameter(&parameters, &is_first, &parameter)) {
        if (!keep_mode(out, parameter, final == 'h')) {
            out->removed_modes++;
            continue;
        }
        if ((has_mode && !append_text(out, ";")) || !append(out, parameter)) {
            return false;
        }
        has_mode = true;
    }
    return has_mode && append(out, cursor_of(&final, 1));
}

static bool check_control(struct cursor body, struct cursor whole, struct replay_sequence *out)
{
    uint8_t final = body.end[-1];
    body.end--;
    if (body.at != body.end && *body.at == '?') {
        body.at++;
        return (final == 'h' || final == 'l') && keep_modes(body, final, out);
    }
    return is_control_allowed(final, body) && append(out, whole);
}

bool replay_sequence_check(struct cursor whole, struct replay_sequence *ret_sequence)
{
    *ret_sequence = (struct replay_sequence){0};
    struct cursor body = whole;
    if (cursor_len(&body) < 2) {
        return false;
    }
    body.at++; /* ESC */
    uint8_t kind = *body.at++;
    if (kind == '[') {
        return body.at != body.end && check_control(body, whole, ret_sequence);
    }
    if (kind == '(' || kind == ')') {
        return cursor_len(&body) == 1 && has_only(body, CHARACTER_SETS) && append(ret_sequence, whole);
    }
    body.at--;
    return cursor_len(&body) == 1 && has_only(body, ESCAPES) && append(ret_sequence, whole);
}
