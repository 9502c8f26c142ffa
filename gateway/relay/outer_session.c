/* Session channels of the outer connection: `ssh bastion WORDS`. A terminal is accepted, because clients ask
 * for one, and changes nothing but line ends; whatever else a client may ask of a session is refused. */
#include "outer_state.h"

enum { TERM_MODES_BYTES = 1024, TERM_BYTES = 255, SIZES = 4 };

MUST_CHECK enum err outer_open_session(struct outer *outer, const struct relay_open *open)
{
    unsigned channel = 0;
    if (outer->has_no_more_sessions) {
        return outer_give_open_failure(outer, open->sender, RELAY_ADMINISTRATIVELY_PROHIBITED,
                                       "this connection asked for no more sessions");
    }
    if (!outer_find_free(outer, &channel)) {
        return outer_give_open_failure(outer, open->sender, RELAY_RESOURCE_SHORTAGE,
                                       "too many channels are open on this connection: close one first");
    }
    outer->channels[channel] = outer_channel_of(open, OUTER_ASKED);
    outer->channels[channel].is_session = true;
    return outer_confirm(outer, channel);
}

static MUST_CHECK enum err outer_answer(struct outer *outer, const struct outer_channel *at,
                                        const struct relay_request *request, bool is_granted)
{
    if (!request->wants_reply) {
        return ERR_NONE;
    }
    return outer_give_number(outer, is_granted ? RELAY_SUCCESS : RELAY_FAILURE, at->client_number);
}

/* RFC 4254 6.2: string terminal type, four sizes, string modes */
static MUST_CHECK enum err outer_read_terminal(struct cursor rest)
{
    struct cursor text;
    uint32_t size = 0;
    TRY(cursor_string(&rest, TERM_BYTES, &text));
    for (unsigned i = 0; i < SIZES; i++) {
        TRY(cursor_u32be(&rest, &size));
    }
    TRY(cursor_string(&rest, TERM_MODES_BYTES, &text));
    return cursor_end(&rest);
}

static MUST_CHECK enum err outer_run(struct outer *outer, struct outer_channel *at,
                                     const struct relay_request *request, struct cursor words)
{
    bool is_granted = !at->has_command && cursor_len(&words) <= OUTER_COMMAND_BYTES;
    TRY(outer_answer(outer, at, request, is_granted));
    if (!is_granted) {
        return ERR_NONE;
    }
    at->has_command = true;
    const struct outer_command command = {
        .channel = (unsigned)(at - outer->channels), .words = words, .has_terminal = at->has_terminal};
    return outer->calls->command(outer->owner, &command);
}

MUST_CHECK enum err outer_session_request(struct outer *outer, struct outer_channel *at,
                                          const struct relay_request *request)
{
    struct cursor rest = request->rest;
    struct cursor words = cursor_of(NULL, 0);
    if (cursor_equal_text(request->name, "pty-req")) {
        TRY_READ(outer, outer_read_terminal(rest));
        at->has_terminal = at->has_terminal || !at->has_command;
        return outer_answer(outer, at, request, !at->has_command);
    }
    if (cursor_equal_text(request->name, "shell")) {
        TRY_READ(outer, cursor_end(&rest));
        return outer_run(outer, at, request, words);
    }
    if (cursor_equal_text(request->name, "exec")) {
        TRY_READ(outer, cursor_string(&rest, cursor_len(&rest), &words));
        TRY_READ(outer, cursor_end(&rest));
        return outer_run(outer, at, request, words);
    }
    /* Variables, signals and window sizes mean nothing here; subsystems, agents and the like do not exist. */
    return outer_answer(outer, at, request, false);
}
