#include "policy/line.h"

#include <string.h>

#include "base/text.h"

enum { DEFAULT_PORT = 22, PORT_MAX = 65535 };

static bool read_action(struct cursor word, enum policy_action *ret)
{
    for (unsigned action = 0; action < POLICY_ACTION_COUNT; action++) {
        if (cursor_equal_text(word, policy_action_text((enum policy_action)action))) {
            *ret = (enum policy_action)action;
            return true;
        }
    }
    return false;
}

static void copy_text(struct cursor text, char *ret)
{
    size_t len = cursor_len(&text);
    memcpy(ret, text.at, len);
    ret[len] = 0;
}

/* "host", "host:port", "[fd00::1]:port"; more than one colon without brackets is an IPv6 address. */
static const char *read_host(struct cursor word, struct policy_line *line)
{
    struct cursor host = word;
    struct cursor port = {word.end, word.end};
    size_t len = cursor_len(&word);
    const uint8_t *first = memchr(word.at, ':', len);
    if (*word.at == '[') {
        const uint8_t *close = memchr(word.at, ']', len);
        if (close == NULL) {
            return "a \"]\" is missing";
        }
        host = (struct cursor){word.at + 1, close};
        port.at = close + 1 != word.end && close[1] == ':' ? close + 2 : close + 1;
    } else if (first != NULL && memchr(first + 1, ':', (size_t)(word.end - first) - 1) == NULL) {
        host.end = first;
        port.at = first + 1;
    }
    uint64_t number = DEFAULT_PORT;
    bool has_port = host.end != word.end && !(*word.at == '[' && port.at == port.end && port.at[-1] == ']');
    if (has_port && (text_u64(port, PORT_MAX, &number) != ERR_NONE || number == 0)) {
        return "the port must be a number from 1 to 65535";
    }
    if (!text_is_host(host)) {
        return "the second word must be a host";
    }
    copy_text(host, line->host);
    line->port = (uint16_t)number;
    line->has_port = has_port;
    return NULL;
}

static bool is_database(enum policy_action action)
{
    return action >= POLICY_DB && action <= POLICY_DB_LOCAL_INFILE;
}

/* "host/database": the database goes, the host stays. */
static const char *take_database(struct cursor *word, struct policy_line *line)
{
    const uint8_t *slash = memchr(word->at, '/', cursor_len(word));
    line->database = (struct cursor){word->end, word->end};
    if (slash == NULL) {
        return NULL;
    }
    line->database = (struct cursor){slash + 1, word->end};
    word->end = slash;
    bool is_good = slash != word->at && grant_check_database_name(line->database) == NULL;
    return is_good ? NULL : "behind the host only \"/DATABASE\" can follow";
}

static bool is_account(struct cursor account, enum policy_action action)
{
    return is_database(action) ? grant_check_database_name(account) == NULL : text_is_account(account);
}

/* "as ACCOUNT", or nothing. */
static const char *read_account(struct cursor rest, struct policy_line *line)
{
    struct cursor as;
    struct cursor account;
    struct cursor more;
    if (!cursor_word(&rest, &as)) {
        return NULL;
    }
    if (!cursor_equal_text(as, "as") || !cursor_word(&rest, &account) || !is_account(account, line->action)) {
        return "behind the host only \"as ACCOUNT\" can follow";
    }
    if (cursor_word(&rest, &more)) {
        return "there are words behind the account; a command comes behind \": \"";
    }
    copy_text(account, line->account);
    return NULL;
}

/* A command begins behind the first ": ", which no host or account can hold. */
static struct cursor take_command(struct cursor *text)
{
    for (const uint8_t *at = text->at; at + 1 < text->end; at++) {
        if (at[0] == ':' && at[1] == ' ') {
            struct cursor command = {at + 2, text->end};
            text->end = at;
            return command;
        }
    }
    return (struct cursor){text->end, text->end};
}

static const char *read_line(struct cursor text, struct policy_line *line)
{
    line->command = take_command(&text);
    struct cursor action;
    struct cursor host;
    if (!cursor_word(&text, &action) || !read_action(action, &line->action)) {
        return "the first word must be connect, shell, exec, sftp-read, sftp-write, forward, remote-forward, "
               "agent, x11, db, copy, function-call, replication or local-infile";
    }
    if (!cursor_word(&text, &host)) {
        return "the second word must be a host";
    }
    const char *problem = is_database(line->action) ? take_database(&host, line) : NULL;
    problem = problem == NULL ? read_host(host, line) : problem;
    problem = problem == NULL ? read_account(text, line) : problem;
    bool may_have_place = line->action == POLICY_FORWARD || line->action == POLICY_REMOTE_FORWARD;
    bool may_have_path = (line->action == POLICY_SFTP_READ || line->action == POLICY_SFTP_WRITE) &&
                         (cursor_len(&line->command) == 0 || *line->command.at == '/');
    if (problem == NULL && !may_have_place && !may_have_path &&
        (line->action == POLICY_EXEC) != (cursor_len(&line->command) > 0)) {
        problem = line->action == POLICY_EXEC
                      ? "exec needs a command behind \": \""
                      : "only exec, forwards and, with an absolute path, sftp have something behind \": \"";
    }
    return problem;
}

enum err policy_line_read(struct cursor text, struct policy_line *ret, const char **ret_reason)
{
    struct policy_line line = {0};
    const char *problem = read_line(text, &line);
    if (problem != NULL) {
        *ret_reason = problem;
        return ERR_MALFORMED;
    }
    *ret = line;
    return ERR_NONE;
}
