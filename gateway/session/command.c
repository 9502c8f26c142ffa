/* Commands of the bastion itself (`ssh bastion help`): the words go to the monitor, its text comes back in
 * pages and is shown. Nothing is decided, looked up or run here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "base/text.h"
#include "base/writer.h"
#include "state.h"

enum {
    PAGE_BYTES = 16384,
    SHOWN_BYTES = 4 * PAGE_BYTES, /* a page as shown: line ends become longer */
    INPUT_BYTES = 1024,           /* typed before it is asked for */
    LINE_BYTES = 4096,
    COMMANDS_MAX = 500, /* of one connection; the table of messages allows 512 */
    STYLE_HIDDEN = 0,
    STYLE_ECHOED = 1,
    KEY_INTERRUPT = 3, /* the control keys of a terminal in raw mode */
    KEY_END = 4,
    KEY_BACKSPACE = 8,
    KEY_KILL = 21,
    KEY_DELETE = 127,
    STATUS_FAILED = 1,
    STATUS_INTERRUPTED = 130, /* 128 and SIGINT, as shells say it */
};

/* One command on one channel of the outer connection. */
struct command {
    struct session *session;
    uint32_t ref;
    unsigned channel;
    bool has_terminal, is_wanting, is_prompted, is_echoed, has_input_ended;
    bool has_ended; /* the last page has come, or it was given up */
    bool is_known;  /* the monitor has heard of it */
    uint8_t status;
    struct queue out[2]; /* stdout, stderr */
    struct queue input;
    char answer[LIMIT_SENTENCE_BYTES];
    size_t answer_bytes;
};

struct command *command_of_ref(struct session *session, uint32_t ref)
{
    for (unsigned i = 0; i < OUTER_CHANNELS_MAX; i++) {
        struct command *command = session->commands[i];
        if (command != NULL && command->ref == ref && !command->has_ended) {
            return command;
        }
    }
    return NULL;
}

static void free_command(struct command *command)
{
    command->session->commands[command->channel] = NULL;
    secret_wipe(command->answer, sizeof command->answer);
    for (unsigned i = 0; i < 2; i++) {
        queue_done(&command->out[i]);
    }
    queue_done(&command->input);
    free(command);
}

void command_free_all(struct session *session)
{
    for (unsigned i = 0; i < OUTER_CHANNELS_MAX; i++) {
        if (session->commands[i] != NULL) {
            free_command(session->commands[i]);
        }
    }
}

/* ---- showing ---- */

static void show(struct command *command, bool is_error, struct cursor bytes)
{
    enum err ignored = queue_append(&command->out[is_error], bytes);
    (void)ignored; /* its bound is four pages, and no page is asked for before the last is shown */
}

/* Whatever a line holds, it cannot steer the engineer's terminal. */
static void show_lines(struct command *command, bool is_error, struct cursor text)
{
    struct cursor line;
    while (cursor_line(&text, &line)) {
        char printable[LINE_BYTES];
        text_printable(line, printable, sizeof printable);
        show(command, is_error, cursor_of_text(printable));
        show(command, is_error, cursor_of_text(command->has_terminal ? "\r\n" : "\n"));
    }
}

static void finish(struct command *command, uint8_t status, const char *sentence)
{
    if (sentence != NULL) {
        show_lines(command, true, cursor_of_text(sentence));
    }
    command->status = status;
    command->has_ended = true;
    command->is_prompted = false;
}

/* The engineer's side ended it: the monitor need not go on. */
static void give_up(struct command *command, uint8_t status, const char *sentence)
{
    if (command->has_ended) {
        return;
    }
    struct session *session = command->session;
    if (command->is_known) {
        enum err ignored = link_send(session, IPC_COMMAND_END, command->ref, cursor_of(NULL, 0));
        (void)ignored; /* a lost monitor ends the connection by itself */
    }
    finish(command, status, sentence);
}

/* ---- asked ---- */

static unsigned count_open(const struct session *session)
{
    unsigned count = 0;
    for (unsigned i = 0; i < OUTER_CHANNELS_MAX; i++) {
        count += session->commands[i] != NULL && !session->commands[i]->has_ended;
    }
    return count;
}

static enum err ask(struct command *command, struct cursor words)
{
    uint8_t memory[LIMIT_COMMAND_BYTES + 8];
    struct writer out = writer_of(memory, sizeof memory);
    writer_string(&out, words);
    struct cursor body;
    TRY(writer_done(&out, &body));
    command->is_known = true;
    command->is_wanting = true;
    return link_send(command->session, IPC_COMMAND, command->ref, body);
}

enum err command_open(struct session *session, const struct outer_command *asked)
{
    bool has_place = count_open(session) < LIMIT_COMMANDS_PER_CONNECTION;
    bool may_ask = session->command_count < COMMANDS_MAX;
    struct command *command = calloc(1, sizeof *command);
    if (command == NULL) {
        return outer_exit(session->outer, asked->channel, STATUS_FAILED);
    }
    command->session = session;
    command->channel = asked->channel;
    command->ref = ++session->next_ref;
    command->has_terminal = asked->has_terminal;
    queue_init(&command->out[0], SHOWN_BYTES);
    queue_init(&command->out[1], SHOWN_BYTES);
    queue_init(&command->input, INPUT_BYTES);
    session->commands[asked->channel] = command;
    if (!has_place || !may_ask) {
        finish(command, STATUS_FAILED,
               has_place ? "bastion: this connection has asked for many commands; connect again"
                         : "bastion: too many commands at once on this connection; wait for one to end");
        return ERR_NONE;
    }
    session->command_count++;
    return ask(command, asked->words);
}

enum err command_text(struct session *session, uint32_t ref, struct cursor body)
{
    bool is_error = false;
    bool is_last = false;
    uint8_t status = 0;
    struct cursor text;
    TRY(cursor_bool(&body, &is_error));
    TRY(cursor_bool(&body, &is_last));
    TRY(cursor_u8(&body, &status));
    TRY(cursor_string(&body, PAGE_BYTES, &text));
    TRY(cursor_end(&body));
    struct command *command = command_of_ref(session, ref);
    if (command == NULL) {
        return ERR_NONE; /* it was given up meanwhile */
    }
    command->is_wanting = false;
    show_lines(command, is_error, text);
    if (is_last) {
        finish(command, status, NULL);
    }
    return ERR_NONE;
}

/* ---- the second factor, asked inside the channel ---- */

static enum err answer(struct command *command)
{
    uint8_t memory[LIMIT_SENTENCE_BYTES + 8];
    struct writer out = writer_of(memory, sizeof memory);
    writer_string(&out, cursor_of(command->answer, command->answer_bytes));
    struct cursor body;
    enum err err = writer_done(&out, &body);
    if (err == ERR_NONE) {
        err = link_send(command->session, IPC_FACTOR_ANSWER, command->ref, body);
    }
    secret_wipe(memory, sizeof memory);
    secret_wipe(command->answer, sizeof command->answer);
    command->answer_bytes = 0;
    command->is_prompted = false;
    if (command->has_terminal) {
        show(command, false, cursor_of_text("\r\n"));
    }
    return err;
}

static enum err take_key(struct command *command, uint8_t key)
{
    switch (key) {
    case '\r':
    case '\n':
        return answer(command);
    case KEY_END:
    case KEY_INTERRUPT:
        give_up(command, STATUS_INTERRUPTED, command->has_terminal ? "" : NULL);
        return ERR_NONE;
    case KEY_KILL:
        command->answer_bytes = 0;
        return ERR_NONE;
    case KEY_BACKSPACE:
    case KEY_DELETE:
        command->answer_bytes -= command->answer_bytes > 0 ? 1 : 0;
        return ERR_NONE;
    default:
        break;
    }
    if (command->answer_bytes < sizeof command->answer - 1) {
        command->answer[command->answer_bytes++] = (char)key;
        if (command->is_echoed && command->has_terminal && key >= ' ') {
            show(command, false, cursor_of(&key, 1));
        }
    }
    return ERR_NONE;
}

/* What was typed becomes the answer as far as one is asked for; the rest waits for the next prompt. */
static enum err take_input(struct command *command)
{
    while (command->is_prompted && queue_len(&command->input) > 0) {
        struct cursor typed = queue_peek(&command->input);
        uint8_t key = *typed.at;
        queue_consume(&command->input, 1);
        TRY(take_key(command, key));
    }
    if (command->is_prompted && command->has_input_ended) {
        give_up(command, STATUS_FAILED, "bastion: there was no answer to read (use ssh -t, and no -n)");
    }
    return ERR_NONE;
}

enum err command_prompt(struct command *command, struct cursor body)
{
    uint8_t style = 0;
    char text[1024];
    char printable[sizeof text];
    TRY(cursor_u8(&body, &style));
    TRY(cursor_text(&body, text, sizeof text));
    TRY(cursor_end(&body));
    if (style != STYLE_HIDDEN && style != STYLE_ECHOED) {
        show_lines(command, false, cursor_of_text(text));
        return ERR_NONE;
    }
    text_printable(cursor_of_text(text), printable, sizeof printable);
    show(command, false, cursor_of_text(printable));
    command->is_prompted = true;
    command->is_echoed = style == STYLE_ECHOED;
    return take_input(command);
}

/* ---- the client ---- */

enum err command_data(struct session *session, unsigned channel, struct cursor bytes)
{
    struct command *command = session->commands[channel];
    enum err ignored = ERR_NONE;
    bool is_interrupt = command != NULL && command->has_terminal && !command->is_prompted &&
                        memchr(bytes.at, KEY_INTERRUPT, cursor_len(&bytes)) != NULL;
    if (is_interrupt) {
        give_up(command, STATUS_INTERRUPTED, NULL);
    } else if (command != NULL && !command->has_ended) {
        ignored = queue_append(&command->input, bytes); /* what is too much was asked by nobody */
    }
    (void)ignored;
    TRY(outer_consumed(session->outer, channel, cursor_len(&bytes)));
    return command == NULL ? ERR_NONE : take_input(command);
}

enum err command_eof(struct session *session, unsigned channel)
{
    struct command *command = session->commands[channel];
    if (command == NULL) {
        return ERR_NONE;
    }
    command->has_input_ended = true;
    return take_input(command);
}

void command_closed(struct session *session, unsigned channel)
{
    struct command *command = session->commands[channel];
    if (command != NULL) {
        give_up(command, STATUS_FAILED, NULL);
        free_command(command);
    }
}

/* ---- the turn ---- */

static enum err pump(struct command *command, bool is_error)
{
    struct session *session = command->session;
    struct queue *from = &command->out[is_error];
    bool can_send = !engine_is_rekeying(session->engine) &&
                    queue_len(engine_output(session->engine)) < SESSION_HIGH_WATER_BYTES;
    if (queue_len(from) == 0 || !can_send) {
        return ERR_NONE;
    }
    size_t taken = 0;
    TRY(is_error ? outer_send_error(session->outer, command->channel, queue_peek(from), &taken)
                 : outer_send(session->outer, command->channel, queue_peek(from), &taken));
    queue_consume(from, taken);
    return ERR_NONE;
}

static enum err turn_one(struct command *command)
{
    TRY(pump(command, false));
    TRY(pump(command, true));
    if (queue_len(&command->out[0]) + queue_len(&command->out[1]) > 0) {
        return ERR_NONE;
    }
    struct session *session = command->session;
    if (command->has_ended) {
        unsigned channel = command->channel;
        uint8_t status = command->status;
        free_command(command);
        return outer_exit(session->outer, channel, status);
    }
    if (!command->is_wanting) {
        command->is_wanting = true;
        return link_send(session, IPC_COMMAND_MORE, command->ref, cursor_of(NULL, 0));
    }
    return ERR_NONE;
}

void command_turn(struct session *session)
{
    for (unsigned i = 0; i < OUTER_CHANNELS_MAX && !session->is_ending; i++) {
        struct command *command = session->commands[i];
        if (command != NULL && turn_one(command) != ERR_NONE) {
            session_end(session, "the bastion had to end this connection; please connect again [D-INTERNAL]");
        }
    }
}
