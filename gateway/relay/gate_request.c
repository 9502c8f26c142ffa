#include "gate_state.h"

#include <stdio.h>

#include "base/text.h"

/* What may be asked, by whom, and what happens with it. Whatever has no row is refused and recorded as such.
 */

typedef enum err gate_request_step(struct gate *gate, const struct gate_packet *packet,
                                   struct gate_channel *at, const struct relay_request *request);

/* The answers */

static MUST_CHECK enum err gate_pass(struct gate *gate, const struct gate_packet *packet,
                                     struct gate_channel *at, const struct relay_request *request,
                                     enum gate_awaited what)
{
    if (request->wants_reply) {
        TRY(gate_await(gate, &at->pending[packet->from], packet->from, what));
    }
    return gate_forward(gate, packet);
}

static MUST_CHECK enum err gate_answer_refusal(struct gate *gate, const struct gate_packet *packet,
                                               struct gate_channel *at, const struct relay_request *request)
{
    /* RFC 4254 5.3: nothing follows a CLOSE, so a request that crossed one stays without answer. */
    if (!request->wants_reply || at->flow[gate_other(packet->from)].has_sent_close) {
        return ERR_NONE;
    }
    TRY(gate_await(gate, &at->pending[packet->from], packet->from, GATE_ANSWERS_FAILURE));
    return gate_answer_channel(gate, at, packet->from);
}

static MUST_CHECK enum err gate_refuse(struct gate *gate, const struct gate_packet *packet,
                                       struct gate_channel *at, const struct relay_request *request,
                                       const char *reason)
{
    TRY(gate_refused(gate, at->tap.channel, packet->from == GATE_CLIENT ? "request" : "request of the target",
                     request->name, reason));
    return gate_answer_refusal(gate, packet, at, request);
}

/* The same for what an engineer may have asked for by habit (ForwardAgent, ForwardX11): the reason is told on
 * the error stream, and the session goes on. */
static MUST_CHECK enum err gate_refuse_aloud(struct gate *gate, const struct gate_packet *packet,
                                             struct gate_channel *at, const struct relay_request *request,
                                             const char *reason)
{
    TRY(gate_tell(gate, at, reason));
    return gate_refuse(gate, packet, at, request, reason);
}

/* A shell, command or subsystem that may not run: the engineer is told why on the terminal, and the channel
 * ends. `code` is what `bastion policy explain` takes. */
static MUST_CHECK enum err gate_refuse_main(struct gate *gate, struct gate_channel *at,
                                            const struct relay_request *request, struct cursor detail,
                                            const char *reason, const char *code)
{
    char what[TAP_NAME_BYTES];
    char rules[GRANT_RULE_BYTES];
    text_printable(request->name, what, sizeof what);
    text_printable(cursor_of_text(gate->grant->rule), rules, sizeof rules);
    (void)snprintf(at->sentence, sizeof at->sentence, "%s%s%s%s [%s]", reason,
                   rules[0] == 0 ? "" : " (your access is by rule ", rules, rules[0] == 0 ? "" : ")", code);
    TRY(gate_refused(gate, at->tap.channel, what, detail, at->sentence));
    if (at->flow[GATE_TARGET].has_sent_close) {
        return ERR_NONE;
    }
    at->refusal = GATE_REFUSAL_QUEUED;
    at->wants_refusal_reply = request->wants_reply;
    TRY(gate_await(gate, &at->pending[GATE_CLIENT], GATE_CLIENT, GATE_ENDS_CHANNEL));
    return gate_answer_channel(gate, at, GATE_CLIENT);
}

static MUST_CHECK enum err gate_pass_main(struct gate *gate, const struct gate_packet *packet,
                                          struct gate_channel *at, const struct relay_request *request)
{
    at->main = request->wants_reply ? GATE_MAIN_ASKED : GATE_MAIN_RUNNING;
    return gate_pass(gate, packet, at, request, GATE_AWAITS_MAIN);
}

static const char GATE_SECOND_MAIN[] = "this channel runs something already";

/* What a client asks of its session (RFC 4254 section 6) */

static enum err gate_pty(struct gate *gate, const struct gate_packet *packet, struct gate_channel *at,
                         const struct relay_request *request)
{
    struct cursor rest = request->rest;
    struct cursor term;
    struct cursor modes;
    uint32_t size[4] = {0}; /* columns, rows, and both in pixels */
    GATE_READ(gate, packet, cursor_string(&rest, cursor_len(&rest), &term));
    for (unsigned i = 0; i < sizeof size / sizeof size[0]; i++) {
        GATE_READ(gate, packet, cursor_u32be(&rest, &size[i]));
    }
    GATE_READ(gate, packet, cursor_string(&rest, cursor_len(&rest), &modes));
    GATE_READ(gate, packet, cursor_end(&rest));
    if (cursor_len(&term) > GATE_TERM_BYTES || cursor_len(&modes) > GATE_TERM_MODES_BYTES) {
        return gate_refuse(gate, packet, at, request, "the terminal's type or modes are too long");
    }
    /* A terminal that appears later would change what a tap records in the middle of a stream. */
    if (at->main != GATE_MAIN_NONE || at->has_asked_pty) {
        return gate_refuse(gate, packet, at, request, "a terminal must be asked for once, and first");
    }
    TRY(tap_pty(&at->tap, term, size[0], size[1]));
    at->has_asked_pty = true;
    /* From the request on, not from the reply: what is typed meanwhile is already typed into a terminal. */
    tap_set_terminal(&at->tap, true);
    return gate_pass(gate, packet, at, request, GATE_AWAITS_PTY);
}

static enum err gate_window_change(struct gate *gate, const struct gate_packet *packet,
                                   struct gate_channel *at, const struct relay_request *request)
{
    struct cursor rest = request->rest;
    uint32_t size[4] = {0};
    for (unsigned i = 0; i < sizeof size / sizeof size[0]; i++) {
        GATE_READ(gate, packet, cursor_u32be(&rest, &size[i]));
    }
    GATE_READ(gate, packet, cursor_end(&rest));
    TRY(tap_resize(&at->tap, size[0], size[1]));
    return gate_pass(gate, packet, at, request, GATE_AWAITS_REPLY);
}

static enum err gate_env(struct gate *gate, const struct gate_packet *packet, struct gate_channel *at,
                         const struct relay_request *request)
{
    struct cursor rest = request->rest;
    struct cursor name;
    struct cursor value;
    GATE_READ(gate, packet, cursor_string(&rest, cursor_len(&rest), &name));
    GATE_READ(gate, packet, cursor_string(&rest, cursor_len(&rest), &value));
    GATE_READ(gate, packet, cursor_end(&rest));
    if (cursor_len(&name) > GATE_ENV_NAME_BYTES || cursor_len(&value) > GATE_ENV_VALUE_BYTES ||
        at->env_count >= GATE_ENV_COUNT_MAX) {
        return gate_refuse(gate, packet, at, request, "too many or too long variables");
    }
    at->env_count++;
    TRY(tap_env(&at->tap, name, value));
    return gate_pass(gate, packet, at, request, GATE_AWAITS_REPLY);
}

static enum err gate_shell(struct gate *gate, const struct gate_packet *packet, struct gate_channel *at,
                           const struct relay_request *request)
{
    GATE_READ(gate, packet, cursor_end(&request->rest));
    if (at->main != GATE_MAIN_NONE) {
        return gate_refuse(gate, packet, at, request, GATE_SECOND_MAIN);
    }
    if (!gate->grant->shell) {
        return gate_refuse_main(gate, at, request, request->rest, "you may not open a shell here", "D-SHELL");
    }
    TRY(tap_shell(&at->tap));
    return gate_pass_main(gate, packet, at, request);
}

static enum err gate_exec(struct gate *gate, const struct gate_packet *packet, struct gate_channel *at,
                          const struct relay_request *request)
{
    struct cursor rest = request->rest;
    struct cursor command;
    GATE_READ(gate, packet, cursor_string(&rest, cursor_len(&rest), &command));
    GATE_READ(gate, packet, cursor_end(&rest));
    if (at->main != GATE_MAIN_NONE) {
        return gate_refuse(gate, packet, at, request, GATE_SECOND_MAIN);
    }
    const char *reason = "it is too long to be recorded";
    if (cursor_len(&command) > TAP_EXACT_BYTES || !grant_allows_exec(gate->grant, command, &reason)) {
        char sentence[LIMIT_SENTENCE_BYTES];
        (void)snprintf(sentence, sizeof sentence, "you may not run this command here: %s", reason);
        return gate_refuse_main(gate, at, request, command, sentence, "D-EXEC");
    }
    TRY(tap_exec(&at->tap, command));
    TRY(gate_files_watch(gate, at, command));
    return gate_pass_main(gate, packet, at, request);
}

static enum err gate_subsystem(struct gate *gate, const struct gate_packet *packet, struct gate_channel *at,
                               const struct relay_request *request)
{
    struct cursor rest = request->rest;
    struct cursor name;
    GATE_READ(gate, packet, cursor_string(&rest, cursor_len(&rest), &name));
    GATE_READ(gate, packet, cursor_end(&rest));
    if (at->main != GATE_MAIN_NONE) {
        return gate_refuse(gate, packet, at, request, GATE_SECOND_MAIN);
    }
    if (!cursor_equal_text(name, "sftp")) {
        return gate_refuse_main(gate, at, request, name, "the bastion lets no subsystem but sftp through",
                                "D-SUBSYSTEM");
    }
    if (!grant_has_sftp(gate->grant)) {
        return gate_refuse_main(gate, at, request, name, "you may not use sftp here", "D-SFTP");
    }
    if (at->has_asked_pty) {
        return gate_refuse_main(gate, at, request, name, "sftp needs no terminal", "D-SFTP");
    }
    TRY(tap_subsystem(&at->tap, name));
    TRY(gate_files_begin(gate, at));
    TRY(gate_pass_main(gate, packet, at, request));
    return request->wants_reply ? ERR_NONE : gate_files_started(gate, at, true);
}

static enum err gate_signal(struct gate *gate, const struct gate_packet *packet, struct gate_channel *at,
                            const struct relay_request *request)
{
    struct cursor rest = request->rest;
    struct cursor name;
    GATE_READ(gate, packet, cursor_string(&rest, cursor_len(&rest), &name));
    GATE_READ(gate, packet, cursor_end(&rest));
    TRY(tap_signal(&at->tap, name));
    return gate_pass(gate, packet, at, request, GATE_AWAITS_REPLY);
}

/* RFC 4335 */
static enum err gate_break(struct gate *gate, const struct gate_packet *packet, struct gate_channel *at,
                           const struct relay_request *request)
{
    struct cursor rest = request->rest;
    uint32_t length_ms = 0;
    GATE_READ(gate, packet, cursor_u32be(&rest, &length_ms));
    GATE_READ(gate, packet, cursor_end(&rest));
    TRY(gate_note(gate, at, "the client sent a break", rest));
    return gate_pass(gate, packet, at, request, GATE_AWAITS_REPLY);
}

static enum err gate_x11(struct gate *gate, const struct gate_packet *packet, struct gate_channel *at,
                         const struct relay_request *request)
{
    struct cursor rest = request->rest;
    struct cursor protocol;
    struct cursor cookie;
    bool is_single = false;
    uint32_t screen = 0;
    GATE_READ(gate, packet, cursor_bool(&rest, &is_single));
    GATE_READ(gate, packet, cursor_string(&rest, cursor_len(&rest), &protocol));
    GATE_READ(gate, packet, cursor_string(&rest, cursor_len(&rest), &cookie));
    GATE_READ(gate, packet, cursor_u32be(&rest, &screen));
    GATE_READ(gate, packet, cursor_end(&rest));
    if (!gate->grant->x11) {
        return gate_refuse_aloud(gate, packet, at, request, "X11 forwarding is not granted here [D-X11]");
    }
    gate->is_asked[GATE_X11] = true;
    TRY(gate_note(gate, at, "X11 forwarding was asked for", rest));
    return gate_pass(gate, packet, at, request, GATE_AWAITS_REPLY);
}

static enum err gate_agent(struct gate *gate, const struct gate_packet *packet, struct gate_channel *at,
                           const struct relay_request *request)
{
    GATE_READ(gate, packet, cursor_end(&request->rest));
    if (!gate->grant->agent) {
        return gate_refuse_aloud(gate, packet, at, request, "agent forwarding is not granted here [D-AGENT]");
    }
    gate->is_asked[GATE_AGENT] = true;
    TRY(gate_note(gate, at, "agent forwarding was asked for", request->rest));
    return gate_pass(gate, packet, at, request, GATE_AWAITS_REPLY);
}

/* What a target tells of a session */

static enum err gate_exit_status(struct gate *gate, const struct gate_packet *packet, struct gate_channel *at,
                                 const struct relay_request *request)
{
    struct cursor rest = request->rest;
    uint32_t status = 0;
    GATE_READ(gate, packet, cursor_u32be(&rest, &status));
    GATE_READ(gate, packet, cursor_end(&rest));
    gate->counters.exit_status = status;
    TRY(tap_exit_status(&at->tap, status));
    return gate_pass(gate, packet, at, request, GATE_AWAITS_REPLY);
}

static enum err gate_exit_signal(struct gate *gate, const struct gate_packet *packet, struct gate_channel *at,
                                 const struct relay_request *request)
{
    struct cursor rest = request->rest;
    struct cursor name;
    struct cursor message;
    struct cursor language;
    bool dumped_core = false;
    GATE_READ(gate, packet, cursor_string(&rest, cursor_len(&rest), &name));
    GATE_READ(gate, packet, cursor_bool(&rest, &dumped_core));
    GATE_READ(gate, packet, cursor_string(&rest, cursor_len(&rest), &message));
    GATE_READ(gate, packet, cursor_string(&rest, cursor_len(&rest), &language));
    GATE_READ(gate, packet, cursor_end(&rest));
    gate->counters.exit_status = UINT32_MAX;
    TRY(tap_exit_signal(&at->tap, name, dumped_core, message));
    return gate_pass(gate, packet, at, request, GATE_AWAITS_REPLY);
}

/* Both ways, of no consequence to anyone else: end of writing, signs of life, flow control, PuTTY's window
 * probe. */

static enum err gate_harmless(struct gate *gate, const struct gate_packet *packet, struct gate_channel *at,
                              const struct relay_request *request)
{
    return gate_pass(gate, packet, at, request, GATE_AWAITS_REPLY);
}

static const struct gate_request_rule {
    const char *name;
    uint8_t from;
    bool is_session_only;
    bool is_activity; /* counts against the idle limit */
    gate_request_step *step;
} GATE_REQUEST_RULES[] = {
    {"pty-req", GATE_FROM_CLIENT, true, true, gate_pty},
    {"window-change", GATE_FROM_CLIENT, true, true, gate_window_change},
    {"env", GATE_FROM_CLIENT, true, true, gate_env},
    {"shell", GATE_FROM_CLIENT, true, true, gate_shell},
    {"exec", GATE_FROM_CLIENT, true, true, gate_exec},
    {"subsystem", GATE_FROM_CLIENT, true, true, gate_subsystem},
    {"signal", GATE_FROM_CLIENT, true, true, gate_signal},
    {"break", GATE_FROM_CLIENT, true, true, gate_break},
    {"x11-req", GATE_FROM_CLIENT, true, true, gate_x11},
    {"auth-agent-req@openssh.com", GATE_FROM_CLIENT, true, true, gate_agent},
    {"exit-status", GATE_FROM_TARGET, true, true, gate_exit_status},
    {"exit-signal", GATE_FROM_TARGET, true, true, gate_exit_signal},
    {"xon-xoff", GATE_FROM_BOTH, true, false, gate_harmless},
    {"eow@openssh.com", GATE_FROM_BOTH, false, false, gate_harmless},
    {"keepalive@openssh.com", GATE_FROM_BOTH, false, false, gate_harmless},
    {"simple@putty.projects.tartarus.org", GATE_FROM_CLIENT, true, false, gate_harmless},
    {"winadj@putty.projects.tartarus.org", GATE_FROM_CLIENT, false, false, gate_harmless},
};

static const struct gate_request_rule *gate_find_rule(const struct gate_channel *at, enum gate_side from,
                                                      struct cursor name)
{
    for (size_t i = 0; i < sizeof GATE_REQUEST_RULES / sizeof GATE_REQUEST_RULES[0]; i++) {
        const struct gate_request_rule *rule = &GATE_REQUEST_RULES[i];
        bool is_for_kind = !rule->is_session_only || at->kind == GATE_SESSION;
        if ((rule->from & (1U << from)) != 0 && is_for_kind && cursor_equal_text(name, rule->name)) {
            return rule;
        }
    }
    return NULL;
}

MUST_CHECK enum err gate_channel_request(struct gate *gate, const struct gate_packet *packet)
{
    struct relay_request request;
    struct gate_channel *at = NULL;
    GATE_READ(gate, packet, relay_read_request(packet->payload, &request));
    TRY(gate_find(gate, packet->from, request.recipient, &at));
    if (at->refusal != GATE_ACCEPTED) {
        /* The channel is about to end for the client, who needs no answer any more; the target still gets
         * one. */
        return packet->from == GATE_CLIENT ? ERR_NONE : gate_answer_refusal(gate, packet, at, &request);
    }
    const struct gate_request_rule *rule = gate_find_rule(at, packet->from, request.name);
    if (rule == NULL) {
        return gate_refuse(gate, packet, at, &request, "the bastion does not know this request");
    }
    if (rule->is_activity) {
        gate->active_us = gate->now_us;
    }
    return rule->step(gate, packet, at, &request);
}
