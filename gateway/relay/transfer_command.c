#include "record/stream.h"
#include "relay/transfer.h"

enum { WORDS_MAX = 64 };

static struct cursor base_name(struct cursor word)
{
    for (const uint8_t *at = word.end; at != word.at; at--) {
        if (at[-1] == '/') {
            return (struct cursor){at, word.end};
        }
    }
    return word;
}

static bool is_quote(uint8_t byte)
{
    return byte == '\'' || byte == '"';
}

/* From the beginning of the last word on: a quoted one may have spaces in it. */
static struct cursor last_word(struct cursor command)
{
    while (command.at != command.end && command.end[-1] == ' ') {
        command.end--;
    }
    const uint8_t *at = command.end;
    bool is_quoted = cursor_len(&command) > 1 && is_quote(command.end[-1]);
    uint8_t end = is_quoted ? command.end[-1] : ' ';
    at -= is_quoted ? 1 : 0;
    while (at != command.at && at[-1] != end) {
        at--;
    }
    return (struct cursor){at, is_quoted ? command.end - 1 : command.end};
}

static bool has_letter(struct cursor option, uint8_t letter)
{
    if (cursor_len(&option) < 2 || option.at[0] != '-' || option.at[1] == '-') {
        return false;
    }
    for (const uint8_t *at = option.at; at != option.end; at++) {
        if (*at == letter) {
            return true;
        }
    }
    return false;
}

/* scp -t and -f are what scp itself types at the other end. */
static uint8_t scp_op(struct cursor rest)
{
    struct cursor word;
    for (unsigned i = 0; i < WORDS_MAX && cursor_word(&rest, &word) && *word.at == '-'; i++) {
        if (has_letter(word, 't')) {
            return RECORD_FILE_SCP_PUT;
        }
        if (has_letter(word, 'f')) {
            return RECORD_FILE_SCP_GET;
        }
    }
    return RECORD_FILE_NONE;
}

static uint8_t rsync_op(struct cursor rest)
{
    struct cursor word;
    bool is_server = false;
    bool is_sender = false;
    for (unsigned i = 0; i < WORDS_MAX && cursor_word(&rest, &word); i++) {
        is_server = is_server || cursor_equal_text(word, "--server");
        is_sender = is_sender || cursor_equal_text(word, "--sender");
    }
    return !is_server ? RECORD_FILE_NONE : is_sender ? RECORD_FILE_RSYNC_GET : RECORD_FILE_RSYNC_PUT;
}

static uint8_t git_op(struct cursor program, struct cursor rest)
{
    struct cursor word;
    if (cursor_equal_text(program, "git") && cursor_word(&rest, &word)) {
        return cursor_equal_text(word, "receive-pack")     ? RECORD_FILE_GIT_PUSH
               : cursor_equal_text(word, "upload-pack")    ? RECORD_FILE_GIT_FETCH
               : cursor_equal_text(word, "upload-archive") ? RECORD_FILE_GIT_FETCH
                                                           : RECORD_FILE_NONE;
    }
    return cursor_equal_text(program, "git-receive-pack")     ? RECORD_FILE_GIT_PUSH
           : cursor_equal_text(program, "git-upload-pack")    ? RECORD_FILE_GIT_FETCH
           : cursor_equal_text(program, "git-upload-archive") ? RECORD_FILE_GIT_FETCH
                                                              : RECORD_FILE_NONE;
}

struct transfer_command transfer_recognise(struct cursor command)
{
    struct cursor rest = command;
    struct cursor word;
    struct transfer_command found = {.op = RECORD_FILE_NONE, .path = cursor_of(NULL, 0)};
    if (!cursor_word(&rest, &word)) {
        return found;
    }
    struct cursor program = base_name(word);
    if (cursor_equal_text(program, "scp")) {
        found.op = scp_op(rest);
    } else if (cursor_equal_text(program, "rsync")) {
        found.op = rsync_op(rest);
    } else {
        found.op = git_op(program, rest);
    }
    if (found.op != RECORD_FILE_NONE) {
        found.path = last_word(command);
        if (cursor_len(&found.path) > TRANSFER_FOLDER_BYTES) {
            found.path.end = found.path.at + TRANSFER_FOLDER_BYTES;
        }
    }
    return found;
}
