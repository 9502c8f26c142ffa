#include "redact.h"

#include <string.h>

#include "base/text.h"

/* ---- tokens ---- */

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_LITERAL, TOKEN_SIGN };

struct token {
    enum token_kind kind;
    struct cursor text; /* a literal with its quotes */
};

/** Reads tokens of one text; comments and blanks are passed over. */
struct reader {
    struct cursor left;
    bool is_mysql;
};

static bool is_word_letter(uint8_t letter)
{
    letter = text_lower(letter);
    return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '_' ||
           letter >= 0x80;
}

static bool starts(const struct cursor *in, const char *text)
{
    size_t len = strlen(text);
    return cursor_len(in) >= len && memcmp(in->at, text, len) == 0;
}

static void skip_line(struct reader *reader)
{
    while (reader->left.at != reader->left.end && *reader->left.at != '\n') {
        reader->left.at++;
    }
}

/* PostgreSQL's comments nest. */
static void skip_block(struct reader *reader)
{
    unsigned depth = 0;
    do {
        if (starts(&reader->left, "/*") && (depth == 0 || !reader->is_mysql)) {
            depth++;
            reader->left.at += 2;
        } else if (starts(&reader->left, "*/")) {
            depth--;
            reader->left.at += 2;
        } else {
            reader->left.at++;
        }
    } while (depth > 0 && reader->left.at < reader->left.end);
}

/* MySQL and MariaDB run what stands in such comments. */
static bool is_code(const struct reader *reader)
{
    return reader->is_mysql && (starts(&reader->left, "/*!") || starts(&reader->left, "/*M!"));
}

static void skip_blanks(struct reader *reader)
{
    while (reader->left.at != reader->left.end) {
        uint8_t letter = *reader->left.at;
        if (letter == ' ' || (letter >= '\t' && letter <= '\r')) {
            reader->left.at++;
        } else if (starts(&reader->left, "--") || (reader->is_mysql && letter == '#')) {
            skip_line(reader);
        } else if (starts(&reader->left, "/*") && !is_code(reader)) {
            skip_block(reader);
        } else {
            return;
        }
    }
}

/* Up to the closing quote; a doubled quote is one of the content. An open end is the end of the text. */
static void take_quoted(struct reader *reader, bool has_escapes)
{
    uint8_t quote = *reader->left.at++;
    while (reader->left.at != reader->left.end) {
        uint8_t letter = *reader->left.at++;
        if (has_escapes && letter == '\\' && reader->left.at != reader->left.end) {
            reader->left.at++;
        } else if (letter == quote) {
            if (reader->left.at == reader->left.end || *reader->left.at != quote) {
                return;
            }
            reader->left.at++;
        }
    }
}

/* The opening of a dollar quote: "$$" or "$tag$". @return its length, or 0 */
static size_t dollar_bytes(const struct reader *reader)
{
    if (reader->is_mysql || !starts(&reader->left, "$")) {
        return 0;
    }
    const uint8_t *at = reader->left.at + 1;
    while (at != reader->left.end && is_word_letter(*at)) {
        at++;
    }
    return at != reader->left.end && *at == '$' ? (size_t)(at - reader->left.at) + 1 : 0;
}

static void take_dollar_quoted(struct reader *reader, size_t tag_bytes)
{
    const uint8_t *tag = reader->left.at;
    reader->left.at += tag_bytes;
    const void *end = memmem(reader->left.at, cursor_len(&reader->left), tag, tag_bytes);
    reader->left.at = end == NULL ? reader->left.end : (const uint8_t *)end + tag_bytes;
}

static bool is_string_quote(const struct reader *reader, uint8_t letter)
{
    return letter == '\'' || (reader->is_mysql && letter == '"');
}

static struct token next_token(struct reader *reader)
{
    skip_blanks(reader);
    struct token token = {.kind = TOKEN_END, .text = {reader->left.at, reader->left.at}};
    if (reader->left.at == reader->left.end) {
        return token;
    }
    uint8_t letter = *reader->left.at;
    bool is_prefixed =
        cursor_len(&reader->left) > 1 && reader->left.at[1] == '\'' && strchr("eEbBxXnN", letter) != NULL;
    if (is_prefixed) {
        token.kind = TOKEN_LITERAL;
        reader->left.at++;
        take_quoted(reader, reader->is_mysql || text_lower(letter) == 'e');
    } else if (is_string_quote(reader, letter)) {
        token.kind = TOKEN_LITERAL;
        take_quoted(reader, reader->is_mysql);
    } else if (letter == '"' || letter == '`') {
        token.kind = TOKEN_SIGN; /* a quoted identifier says nothing here */
        take_quoted(reader, false);
    } else if (dollar_bytes(reader) > 0) {
        token.kind = TOKEN_LITERAL;
        take_dollar_quoted(reader, dollar_bytes(reader));
    } else if (is_word_letter(letter)) {
        token.kind = TOKEN_WORD;
        while (reader->left.at != reader->left.end && is_word_letter(*reader->left.at)) {
            reader->left.at++;
        }
    } else {
        token.kind = TOKEN_SIGN;
        reader->left.at++;
    }
    token.text.end = reader->left.at;
    return token;
}

/* ---- words ---- */

static bool is_word(const struct token *token, const char *word)
{
    return token->kind == TOKEN_WORD && cursor_len(&token->text) == strlen(word) &&
           text_begins_with(token->text, word);
}

static bool is_one_of(const struct token *token, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (is_word(token, *words)) {
            return true;
        }
    }
    return false;
}

/* `word`, in lower case, somewhere in the text. @return where it ends, or NULL */
static const uint8_t *find_word(struct cursor text, const char *word)
{
    size_t len = strlen(word);
    for (; cursor_len(&text) >= len; text.at++) {
        if (text_begins_with(text, word)) {
            return text.at + len;
        }
    }
    return NULL;
}

/* Words after which the next literal is a secret: PASSWORD, MASTER_PASSWORD, IDENTIFIED BY ... */
static bool is_before_secret(const struct token *token)
{
    return token->kind == TOKEN_WORD && (find_word(token->text, "password") != NULL ||
                                         is_word(token, "identified") || is_word(token, "passwd"));
}

/* What may stand between such a word and its literal. */
static bool is_between(const struct token *token)
{
    static const char *const WORDS[] = {"by",     "as",        "to",  "is",     "with", "using", "via",
                                        "values", "encrypted", "old", "plugin", "u",    NULL};
    if (token->kind == TOKEN_SIGN) {
        return cursor_len(&token->text) == 1 && strchr("=(:>&", *token->text.at) != NULL;
    }
    return is_one_of(token, WORDS);
}

/* ---- which literals ---- */

/** Where in a statement the reader is. */
struct place {
    unsigned words;      /* seen of this statement */
    bool is_account;     /* it begins like one that makes accounts, servers, subscriptions */
    bool is_all_secret;  /* every literal of the rest is taken for one */
    bool is_secret_next; /* the next literal is one */
    bool was_secret;     /* the token before was one: a literal behind it goes on with it */
    bool was_set, was_identified;
};

static void see_first_words(struct place *place, const struct token *token)
{
    static const char *const VERBS[] = {"alter", "create", "change", "grant", NULL};
    static const char *const OBJECTS[] = {"role",         "user",   "group",       "server",
                                          "subscription", "master", "replication", NULL};
    if (place->words == 0) {
        place->was_set = is_word(token, "set");
        place->is_account = is_one_of(token, VERBS);
        place->was_identified = false;
    } else if (place->was_set && place->words == 1 && is_word(token, "password")) {
        place->is_all_secret = true; /* SET PASSWORD FOR 'bob'@'%' = 'x' */
    } else if (place->is_account && is_one_of(token, OBJECTS)) {
        place->was_identified = true;
    }
    place->words++;
}

static void see_word(struct place *place, const struct token *token)
{
    enum { FIRST_WORDS = 6 };
    if (place->words < FIRST_WORDS) {
        see_first_words(place, token);
    }
    if (is_before_secret(token) || (place->was_identified && is_word(token, "connection"))) {
        place->is_secret_next = true;
        place->is_all_secret = place->is_all_secret || (place->is_account && !is_word(token, "connection"));
    } else if (place->is_secret_next && !is_between(token) && !is_word(token, "for")) {
        place->is_secret_next = place->was_identified && place->is_all_secret;
    }
}

static void see_sign(struct place *place, const struct token *token)
{
    if (starts(&token->text, ";")) {
        *place = (struct place){0};
    } else if (place->is_secret_next && !is_between(token)) {
        place->is_secret_next = false;
    }
}

/* A connection string, or a statement in a string: dblink('... password=x'), EXECUTE 'alter role r password
 * ''x''' */
static bool holds_secret(struct cursor literal)
{
    static const char *const WORDS[] = {"password", "passwd", "identified by", "pwd"};
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
        const uint8_t *at = find_word(literal, WORDS[i]);
        while (at != NULL && at < literal.end && (*at == ' ' || *at == '\t' || *at == '"')) {
            at++;
        }
        if (at != NULL && at + 1 < literal.end && (*at == '=' || *at == '\'' || *at == ':')) {
            return true;
        }
    }
    const uint8_t *scheme = find_word(literal, "://");
    const uint8_t *at_sign = scheme == NULL ? NULL : memchr(scheme, '@', (size_t)(literal.end - scheme));
    return at_sign != NULL && memchr(scheme, ':', (size_t)(at_sign - scheme)) != NULL;
}

/* ---- the text ---- */

/* Whether one of those words may begin with these two letters: for the sake of speed, since most texts hold
 * none. */
static bool may_begin(uint8_t first, uint8_t second)
{
    switch (first) {
    case 'p':
        return second == 'a' || second == 'w';
    case 'i':
        return second == 'd';
    case 's':
        return second == 'u';
    default:
        return first == ':' && second == '/';
    }
}

static bool may_hold_secret(struct cursor text)
{
    static const char *const WORDS[] = {"password", "passwd", "identified", "pwd", "subscription", "://"};
    for (; cursor_len(&text) > 1; text.at++) {
        if (!may_begin(text_lower(text.at[0]), text_lower(text.at[1]))) {
            continue;
        }
        for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
            if (text_begins_with(text, WORDS[i])) {
                return true;
            }
        }
    }
    return false;
}

/* A body in dollar quotes is code, unless a secret is expected. */
static bool is_body(const struct token *token, const struct place *place)
{
    return starts(&token->text, "$") && !place->is_secret_next && !place->is_all_secret;
}

static bool is_secret(const struct token *token, struct place *place)
{
    bool is_hidden =
        place->is_secret_next || place->is_all_secret || place->was_secret || holds_secret(token->text);
    place->is_secret_next = false;
    return is_hidden;
}

/* MySQL takes 0x... for a string. */
static bool is_hex_secret(const struct reader *reader, const struct token *token, const struct place *place)
{
    return reader->is_mysql && token->kind == TOKEN_WORD && (place->is_secret_next || place->is_all_secret) &&
           (starts(&token->text, "0x") || starts(&token->text, "0X"));
}

static enum err redact_all(struct reader *reader, struct queue *scratch, const uint8_t **kept_to,
                           bool *ret_is_secret)
{
    struct place place = {0};
    for (struct token token = next_token(reader); token.kind != TOKEN_END; token = next_token(reader)) {
        bool is_hidden = is_hex_secret(reader, &token, &place);
        if (token.kind == TOKEN_LITERAL) {
            if (is_body(&token, &place)) {
                struct reader opening = {.left = token.text};
                reader->left.at = token.text.at + dollar_bytes(&opening); /* read on inside */
                place = (struct place){0};
                continue;
            }
            is_hidden = is_secret(&token, &place);
        } else if (token.kind == TOKEN_WORD) {
            see_word(&place, &token);
        } else {
            see_sign(&place, &token);
        }
        place.was_secret = is_hidden;
        if (is_hidden) {
            TRY(queue_append(scratch, cursor_of(*kept_to, (size_t)(token.text.at - *kept_to))));
            TRY(queue_append(scratch, cursor_of_text("'***'")));
            *kept_to = token.text.end;
            *ret_is_secret = true;
        }
    }
    return ERR_NONE;
}

enum err db_redact(enum db_protocol protocol, struct cursor text, struct queue *scratch,
                   struct cursor *ret_text, bool *ret_is_secret)
{
    *ret_is_secret = false;
    *ret_text = text;
    if (!may_hold_secret(text)) {
        return ERR_NONE;
    }
    struct reader reader = {.left = text, .is_mysql = protocol == DB_MYSQL};
    const uint8_t *kept_to = text.at;
    queue_consume(scratch, queue_len(scratch));
    TRY(redact_all(&reader, scratch, &kept_to, ret_is_secret));
    if (*ret_is_secret) {
        TRY(queue_append(scratch, cursor_of(kept_to, (size_t)(text.end - kept_to))));
        *ret_text = queue_peek(scratch);
    }
    return ERR_NONE;
}
