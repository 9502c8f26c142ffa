#include "policy/decided.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"

enum { VALUE_BYTES = 1024 };

static const char *const KEYS[] = {
    [POLICY_KEY_PLAIN] = "plain", [POLICY_KEY_TOUCHED] = "touched", [POLICY_KEY_VERIFIED] = "verified"};

/* ---- writing ---- */

static bool is_plain(uint8_t byte)
{
    return byte > ' ' && byte < 0x7f && byte != '%';
}

/* A word that does not fit leaves the line as it was. */
static void add_word(char *line, size_t *used, const char *name, const char *value)
{
    static const char DIGITS[] = "0123456789abcdef";
    char word[VALUE_BYTES];
    size_t len = (size_t)snprintf(word, sizeof word, " %s=", name);
    for (const uint8_t *at = (const uint8_t *)value; *at != 0; at++) {
        if (len + 4 > sizeof word) {
            return;
        }
        if (is_plain(*at)) {
            memcpy(&word[len++], at, 1);
        } else {
            word[len++] = '%';
            word[len++] = DIGITS[*at >> 4];
            word[len++] = DIGITS[*at & 15];
        }
    }
    if (*value != 0 && *used + len < DECIDED_LINE_BYTES) {
        memcpy(line + *used, word, len);
        *used += len;
        line[*used] = 0;
    }
}

static void add_number(char *line, size_t *used, const char *name, uint64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    add_word(line, used, name, text);
}

/* One word each: a name may hold whatever would separate them in one. */
static void add_principals(char *line, size_t *used, const struct policy_decided *decided)
{
    struct cursor rest = cursor_of(decided->principals, decided->principals_bytes);
    struct cursor name;
    while (cursor_len(&rest) > 0 && cursor_string(&rest, LIMIT_PRINCIPALS_BYTES, &name) == ERR_NONE) {
        char text[LIMIT_PRINCIPALS_BYTES + 1];
        (void)snprintf(text, sizeof text, "%.*s", (int)cursor_len(&name), (const char *)name.at);
        add_word(line, used, "principal", text);
    }
}

const char *policy_decided_write(const struct policy_decided *decided, char line[static DECIDED_LINE_BYTES])
{
    size_t used =
        (size_t)snprintf(line, DECIDED_LINE_BYTES, "%s", decided->is_allowed ? "allowed" : "denied");
    add_word(line, &used, "session", decided->session);
    add_word(line, &used, "person", decided->person);
    add_word(line, &used, "from", decided->from);
    add_word(line, &used, "host", decided->host);
    add_number(line, &used, "port", decided->port);
    add_word(line, &used, "account", decided->account);
    add_word(line, &used, "database", decided->database);
    if (decided->factor.has) {
        add_number(line, &used, "factor", decided->factor.age_s);
    }
    add_word(line, &used, "key", decided->key == POLICY_KEY_PLAIN ? "" : KEYS[decided->key]);
    add_word(line, &used, decided->is_allowed ? "rule" : "code",
             decided->is_allowed ? decided->rule : decided->code);
    add_word(line, &used, "policy", decided->policy);
    add_word(line, &used, "reason", decided->reason);
    add_principals(line, &used, decided);
    return line;
}

/* ---- reading ---- */

static enum err unescape(struct cursor word, char *ret_value, size_t size_bytes)
{
    size_t used = 0;
    while (cursor_len(&word) > 0) {
        uint8_t byte = 0;
        TRY(cursor_u8(&word, &byte));
        if (byte == '%') {
            struct cursor digits;
            TRY(cursor_bytes(&word, 2, &digits));
            TRY(text_unhex(digits, &byte, 1));
        }
        if (byte == 0 || used + 1 >= size_bytes) {
            return ERR_MALFORMED;
        }
        memcpy(&ret_value[used++], &byte, 1);
    }
    ret_value[used] = 0;
    return ERR_NONE;
}

static enum err read_port(struct policy_decided *ret, const char *value)
{
    uint64_t port = 0;
    TRY(text_u64(cursor_of_text(value), UINT16_MAX, &port));
    ret->port = (uint16_t)port;
    return ERR_NONE;
}

static enum err read_factor(struct policy_decided *ret, const char *value)
{
    ret->factor.has = true;
    return text_u64(cursor_of_text(value), UINT32_MAX, &ret->factor.age_s);
}

static enum err read_key(struct policy_decided *ret, const char *value)
{
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
        if (strcmp(KEYS[i], value) == 0) {
            ret->key = (enum policy_key)i;
            return ERR_NONE;
        }
    }
    return ERR_MALFORMED;
}

static enum err read_principal(struct policy_decided *ret, const char *value)
{
    struct writer out =
        writer_of(ret->principals + ret->principals_bytes, sizeof ret->principals - ret->principals_bytes);
    struct cursor written;
    writer_text(&out, value);
    TRY(writer_done(&out, &written));
    ret->principals_bytes += cursor_len(&written);
    return ERR_NONE;
}

static const struct {
    const char *name;
    size_t offset, size_bytes; /* of a text */
    enum err (*read)(struct policy_decided *ret, const char *value);
} WORDS[] = {
#define TEXT(name_)                                                                                          \
    {                                                                                                        \
#name_, offsetof(struct policy_decided, name_), sizeof((struct policy_decided *)0)->name_, NULL      \
    }
    TEXT(session),
    TEXT(person),
    TEXT(from),
    TEXT(host),
    TEXT(account),
    TEXT(database),
    TEXT(reason),
    TEXT(rule),
    TEXT(code),
    TEXT(policy),
#undef TEXT
    {.name = "port", .read = read_port},
    {.name = "factor", .read = read_factor},
    {.name = "key", .read = read_key},
    {.name = "principal", .read = read_principal},
};

static enum err read_word(struct cursor word, struct policy_decided *ret)
{
    const uint8_t *equals = memchr(word.at, '=', cursor_len(&word));
    if (equals == NULL) {
        return ERR_MALFORMED;
    }
    struct cursor name = {word.at, equals};
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
        if (cursor_equal_text(name, WORDS[i].name)) {
            char value[VALUE_BYTES];
            struct cursor rest = {equals + 1, word.end};
            TRY(unescape(rest, value, WORDS[i].read == NULL ? WORDS[i].size_bytes : sizeof value));
            if (WORDS[i].read != NULL) {
                return WORDS[i].read(ret, value);
            }
            memcpy((char *)ret + WORDS[i].offset, value, strlen(value) + 1);
            return ERR_NONE;
        }
    }
    return ERR_NONE; /* of a later version */
}

static enum err read_time(struct cursor word, int64_t *ret_s)
{
    char text[CLOCK_TEXT_BYTES];
    struct tm utc = {0};
    TRY(unescape(word, text, sizeof text));
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
    if (end == NULL || *end != '.') {
        return ERR_MALFORMED;
    }
    *ret_s = (int64_t)timegm(&utc);
    return ERR_NONE;
}

enum err policy_decided_read(struct cursor line, struct policy_decided *ret)
{
    *ret = (struct policy_decided){0};
    struct cursor time;
    struct cursor verdict;
    if (!cursor_word(&line, &time) || !cursor_word(&line, &verdict)) {
        return ERR_MALFORMED;
    }
    if (read_time(time, &ret->at_s) != ERR_NONE) {
        return ERR_MALFORMED;
    }
    ret->is_allowed = cursor_equal_text(verdict, "allowed");
    if (!ret->is_allowed && !cursor_equal_text(verdict, "denied")) {
        return ERR_MALFORMED;
    }
    struct cursor word;
    while (cursor_word(&line, &word)) {
        if (read_word(word, ret) != ERR_NONE) {
            return ERR_MALFORMED;
        }
    }
    return ret->person[0] == 0 || ret->host[0] == 0 ? ERR_MALFORMED : ERR_NONE;
}

static void keep(char *ret_text, size_t size_bytes, struct cursor text)
{
    (void)snprintf(ret_text, size_bytes, "%.*s", (int)cursor_len(&text), (const char *)text.at);
}

void policy_decided_of(const struct policy_request *request, struct policy_decided *ret)
{
    *ret = (struct policy_decided){.at_s = request->at_s, .port = request->port, .key = request->key};
    keep(ret->person, sizeof ret->person, cursor_of_text(request->person));
    keep(ret->from, sizeof ret->from, cursor_of_text(request->from));
    keep(ret->host, sizeof ret->host, cursor_of_text(request->host));
    keep(ret->account, sizeof ret->account, cursor_of_text(request->account));
    keep(ret->database, sizeof ret->database, request->database);
    keep(ret->reason, sizeof ret->reason, request->reason);
    size_t len = cursor_len(&request->principals);
    if (len > 0 && len <= sizeof ret->principals) {
        memcpy(ret->principals, request->principals.at, len);
        ret->principals_bytes = len;
    }
    if (request->factor != NULL) {
        ret->factor = *request->factor;
    }
}

struct policy_request policy_decided_request(const struct policy_decided *decided)
{
    return (struct policy_request){.person = decided->person,
                                   .principals = cursor_of(decided->principals, decided->principals_bytes),
                                   .from = decided->from,
                                   .host = decided->host,
                                   .port = decided->port,
                                   .account = decided->account,
                                   .database = cursor_of_text(decided->database),
                                   .factor = decided->factor.has ? &decided->factor : NULL,
                                   .action = decided->database[0] == 0 ? POLICY_ANY : POLICY_DB,
                                   .at_s = decided->at_s,
                                   .reason = cursor_of_text(decided->reason),
                                   .key = decided->key};
}
