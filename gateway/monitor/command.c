/* The bastion's own commands, `ssh bastion WORDS`: found in a table, answered with text that is made here as
 * a value and handed over in pages. No word reaches a shell, a path or a process. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/writer.h"
#include "state.h"

enum {
    TEXT_BYTES = 128 * 1024, /* the most that one command says */
    CUT_BYTES = 256,         /* kept free for saying that it was cut */
    PAGE_BYTES = 8192,
    LINE_BYTES = 4096,
    WORDS_MAX = 4,
    STATUS_UNKNOWN = 127, /* as a shell says "command not found" */
};

enum arguments { TAKES_NOTHING, TAKES_WORD, TAKES_TEXT };
static const struct {
    const char *name;
    void (*run)(struct command *command, const char *argument);
    enum arguments takes;
} COMMANDS[] = {
    {"help", command_help, TAKES_NOTHING},
    {"targets", command_targets, TAKES_WORD},
    {"mfa", command_mfa, TAKES_WORD},
    {"reason", command_reason, TAKES_TEXT},
    {"why", command_why, TAKES_WORD},
    {"sessions", command_sessions, TAKES_NOTHING},
    {"known-hosts", command_known_hosts, TAKES_NOTHING},
    {"db-ca", command_database_ca, TAKES_NOTHING},
    {"ssh-config", command_ssh_config, TAKES_NOTHING},
};

struct command *command_find(const struct connection *connection, uint32_t ref)
{
    for (unsigned i = 0; i < LIMIT_COMMANDS_PER_CONNECTION; i++) {
        struct command *command = connection->commands[i];
        if (command != NULL && command->ref == ref) {
            return command;
        }
    }
    return NULL;
}

static void free_command(struct command *command)
{
    struct connection *connection = command->connection;
    for (unsigned i = 0; i < LIMIT_COMMANDS_PER_CONNECTION; i++) {
        if (connection->commands[i] == command) {
            connection->commands[i] = NULL;
        }
    }
    queue_done(&command->text);
    free(command);
}

void command_free_all(struct connection *connection)
{
    for (unsigned i = 0; i < LIMIT_COMMANDS_PER_CONNECTION; i++) {
        if (connection->commands[i] != NULL) {
            free_command(connection->commands[i]);
        }
    }
}

/* ---- text ---- */

void command_say(struct command *command, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    size_t bytes = len < 0 ? 0 : (size_t)len < sizeof line ? (size_t)len : sizeof line - 1;
    bool fits = queue_len(&command->text) + bytes <= TEXT_BYTES - CUT_BYTES;
    if (command->is_cut || !fits || queue_append(&command->text, cursor_of(line, bytes)) != ERR_NONE) {
        command->is_cut = true;
    }
}

/* Hand over a page when one is wanted and there is something to say. Frees the command with its last page. */
static void send_page(struct command *command)
{
    struct cursor text = queue_peek(&command->text);
    if (!command->is_wanted || (cursor_len(&text) == 0 && !command->is_complete)) {
        return;
    }
    if (cursor_len(&text) > PAGE_BYTES) {
        const uint8_t *newline = memrchr(text.at, '\n', PAGE_BYTES);
        text.end = newline == NULL ? text.at + PAGE_BYTES : newline + 1; /* the session shows whole lines */
    }
    bool is_last = command->is_complete && cursor_len(&text) == queue_len(&command->text);
    uint8_t memory[PAGE_BYTES + 16];
    struct writer out = writer_of(memory, sizeof memory);
    writer_bool(&out, command->is_error);
    writer_bool(&out, is_last);
    writer_u8(&out, command->status);
    writer_string(&out, text);
    struct cursor body;
    if (writer_done(&out, &body) == ERR_NONE) {
        queue_consume(&command->text, cursor_len(&text));
        command->is_wanted = false;
        connection_send(command->connection, IPC_COMMAND_TEXT, command->ref, body, NULL);
    }
    if (is_last) {
        free_command(command);
    }
}

void command_finish(struct command *command, uint8_t status)
{
    static const char CUT[] =
        "\n# ... and more: this text was cut at 128 KiB; name a part of it, for example "
        "with \"targets WORD\"\n";
    if (command->is_cut && queue_append(&command->text, cursor_of_text(CUT)) != ERR_NONE) {
        status = 1;
    }
    command->is_complete = true;
    command->status = status;
    command->is_error = status != 0;
}

/* ---- running ---- */

/* @param rest  all that stands behind the name */
static void begin(struct command *command, const char *name, const char *argument, const char *rest,
                  unsigned word_count)
{
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
        if (strcmp(COMMANDS[i].name, name) != 0) {
            continue;
        }
        bool takes_text = COMMANDS[i].takes == TAKES_TEXT;
        if (!takes_text && word_count > (COMMANDS[i].takes == TAKES_WORD ? 2U : 1U)) {
            command_say(command, "bastion: %s takes %s\n", name,
                        COMMANDS[i].takes == TAKES_WORD ? "one word" : "nothing behind it");
            command_finish(command, 2);
            return;
        }
        COMMANDS[i].run(command, takes_text ? rest : argument);
        return;
    }
    command_say(
        command,
        "bastion: there is no command %s here, and no shell; \"help\" lists what there is [D-COMMAND]\n",
        name);
    command_finish(command, STATUS_UNKNOWN);
}

static void split(struct command *command, struct cursor words)
{
    char texts[WORDS_MAX][LIMIT_COMMAND_BYTES];
    char rest[LIMIT_COMMAND_BYTES] = "";
    unsigned count = 0;
    struct cursor word;
    while (count < WORDS_MAX && cursor_word(&words, &word)) {
        text_printable(word, texts[count++], sizeof texts[0]);
        if (count == 1) {
            text_printable(words, rest, sizeof rest);
        }
    }
    begin(command, count > 0 ? texts[0] : "help", count > 1 ? texts[1] : "", rest, count);
}

static struct command **free_place(struct connection *connection)
{
    for (unsigned i = 0; i < LIMIT_COMMANDS_PER_CONNECTION; i++) {
        if (connection->commands[i] == NULL) {
            return &connection->commands[i];
        }
    }
    return NULL;
}

static void report_command(struct connection *connection, struct cursor words)
{
    char text[LIMIT_COMMAND_BYTES];
    text_printable(words, text, sizeof text);
    REPORT(connection->monitor, "command.asked", EVENT_SUCCESS,
           EVENT_NUMBER("connection", connection->number), {.key = "from", .text = connection->from},
           {.key = "person", .text = connection->person}, {.key = "command", .text = text});
}

enum err command_run(struct connection *connection, uint32_t ref, struct cursor body)
{
    struct cursor words;
    TRY(cursor_string(&body, LIMIT_COMMAND_BYTES, &words));
    TRY(cursor_end(&body));
    struct command **place = free_place(connection);
    bool is_new = ref != 0 && command_find(connection, ref) == NULL && target_find(connection, ref) == NULL;
    if (place == NULL || !is_new) {
        return ERR_STATE;
    }
    struct command *command = calloc(1, sizeof *command);
    if (command == NULL) {
        return ERR_MEMORY;
    }
    command->connection = connection;
    command->ref = ref;
    command->is_wanted = true;
    queue_init(&command->text, TEXT_BYTES);
    *place = command;
    report_command(connection, words);
    split(command, words);
    command =
        command_find(connection, ref); /* a factor that is refused at once may have ended the connection */
    if (command != NULL) {
        send_page(command);
    }
    return ERR_NONE;
}

enum err command_more(struct connection *connection, uint32_t ref, struct cursor body)
{
    TRY(cursor_end(&body));
    struct command *command = command_find(connection, ref);
    if (command == NULL || command->is_wanted) {
        return ERR_STATE;
    }
    command->is_wanted = true;
    send_page(command);
    return ERR_NONE;
}

enum err command_end(struct connection *connection, uint32_t ref, struct cursor body)
{
    TRY(cursor_end(&body));
    struct command *command = command_find(connection, ref);
    if (command != NULL) { /* else its last page is on the way */
        free_command(command);
        factor_abandon(connection, ref);
    }
    return ERR_NONE;
}

bool command_factor_result(struct connection *connection, uint32_t ref, bool is_ok, const char *sentence)
{
    struct command *command = command_find(connection, ref);
    if (command == NULL) {
        return false;
    }
    if (is_ok) {
        command_say(command, "Your second factor is fresh again.\n");
    } else {
        command_say(command, "bastion: %s\n", sentence);
    }
    command_finish(command, is_ok ? 0 : 1);
    send_page(command);
    return true;
}
