/* What a target sent to a terminal, made harmless for the terminal of the person who replays it.
 *
 * An allow-list: text, a few controls, and sequences that move the cursor, erase, scroll, colour, or switch
 * harmless modes. Everything else is removed: strings (OSC with titles and the clipboard, DCS with DECRQSS,
 * APC, PM, SOS), queries that make a terminal type an answer, mouse and keyboard modes, window operations,
 * printing, character-set switches that end UTF-8, 8-bit controls. Whatever goes in, what comes out is valid
 * UTF-8 and made of whole allowed sequences only. The memory is bounded, the input may be cut anywhere.
 * Source: ECMA-48, DEC STD 070, XTerm control sequences. */
#ifndef REPLAY_TERMINAL_FILTER_H
#define REPLAY_TERMINAL_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "replay/utf8.h"

enum {
    REPLAY_SEQUENCE_BYTES =
        128,                 /* the longest sequence that is passed on: two 24-bit colours need under 50 */
    REPLAY_RUN_BYTES = 1024, /* text is handed on in pieces of at most this size */
    REPLAY_STRING_BYTES = 65536, /* a string that does not end hides at most this much of what follows */
};

enum replay_piece {
    REPLAY_PIECE_TEXT,     /* text and single controls */
    REPLAY_PIECE_SEQUENCE, /* one whole allowed sequence */
};

/** `bytes` are borrowed. What is returned ends the put and is returned from it. */
typedef enum err replay_filter_sink(void *context, enum replay_piece piece, struct cursor bytes);

enum replay_filter_state {
    REPLAY_FILTER_GROUND,
    REPLAY_FILTER_ESCAPE,       /* after ESC */
    REPLAY_FILTER_INTERMEDIATE, /* after ESC and 0x20-0x2f */
    REPLAY_FILTER_CSI,
    REPLAY_FILTER_CSI_IGNORE, /* a control sequence that is already known to be refused */
    REPLAY_FILTER_STRING,
    REPLAY_FILTER_STRING_ESCAPE, /* ESC within a string: perhaps its end */
};

/** Embedded; begin with replay_filter_init(). Private but for the counts. */
struct replay_filter {
    replay_filter_sink *sink;
    void *context;
    enum replay_filter_state state;
    struct replay_utf8 utf8;
    uint8_t sequence[REPLAY_SEQUENCE_BYTES];
    size_t sequence_bytes;
    size_t digits; /* in the parameter that is being read */
    uint8_t run[REPLAY_RUN_BYTES];
    size_t run_bytes;
    size_t string_bytes;
    enum err err;       /* the first that the sink returned */
    bool ends_with_bel; /* an OSC ends with BEL, too */
    bool is_alternate;  /* the alternate screen is shown */
    bool shows_removed; /* removed sequences appear as inverse text */
    uint64_t removed_count;
};

/** @param shows_removed  what is removed appears as inverse, inert text: for finding out what was hidden */
void replay_filter_init(struct replay_filter *filter, bool shows_removed, replay_filter_sink *sink,
                        void *context);
/** @return what the sink returned. */
MUST_CHECK enum err replay_filter_put(struct replay_filter *filter, struct cursor bytes);
/** The input is over: an open character becomes U+FFFD, an open sequence is dropped, and a terminal is put
 *  back into its usual state (colours, character sets, margins, modes, main screen, visible cursor). */
MUST_CHECK enum err replay_filter_end(struct replay_filter *filter, bool resets_terminal);

#endif
