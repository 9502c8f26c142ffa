#include "keys/authorized_keys.h"

#include <string.h>

#include "base/text.h"
#include "keys/signature.h"
#include "keys/source.h"
#include "options.h"

/* One usable line. */
struct entry {
    unsigned line;
    struct keys_options options;
    enum keys_type type;
    struct keys_blob blob;
    struct cursor comment;
};

/* A walk through the usable lines of a file. */
struct walk {
    struct cursor file;
    unsigned line;
    struct keys_complaints *complaints;
};

static bool starts_with(struct cursor text, const char *start)
{
    size_t len = strlen(start);
    return cursor_len(&text) >= len && memcmp(text.at, start, len) == 0;
}

/* So that "ssh-dss AAAA..." is called an unknown key type and not an unknown option. */
static bool looks_like_type(struct cursor word)
{
    return starts_with(word, "ssh-") || starts_with(word, "ecdsa-") || starts_with(word, "sk-");
}

static bool refuse(struct walk *walk, const char *before, struct cursor quoted, const char *after)
{
    keys_complain(walk->complaints, walk->line, before, quoted, after);
    return false;
}

static struct cursor trimmed(struct cursor line)
{
    while (line.at != line.end && (*line.at == ' ' || *line.at == '\t')) {
        line.at++;
    }
    while (line.at != line.end && (line.end[-1] == ' ' || line.end[-1] == '\t' || line.end[-1] == '\r')) {
        line.end--;
    }
    return line;
}

static bool read_key(struct walk *walk, struct cursor line, struct entry *entry)
{
    struct cursor type = {NULL, NULL};
    struct cursor base64 = {NULL, NULL};
    if (!cursor_word(&line, &type) || !cursor_word(&line, &base64)) {
        return refuse(walk, "there is no key in this line, only \"", type, "\"");
    }
    entry->type = keys_type_of(type);
    if (entry->type == KEYS_NONE) {
        return refuse(walk, "key type \"", type, "\" is not accepted");
    }
    if (keys_line_read(type, base64, &entry->blob) != ERR_NONE) {
        return refuse(walk, "what follows \"", type,
                      "\" is no such key (damaged base64, another type, or RSA under 2048 bits)");
    }
    if (entry->options.is_verify_required && !keys_type_is_sk(entry->type)) {
        return refuse(walk, "verify-required has a meaning for hardware keys only, and this is an ", type,
                      " key");
    }
    entry->comment = trimmed(line);
    return true;
}

static bool read_entry(struct walk *walk, struct cursor line, struct entry *entry)
{
    static const struct cursor NOTHING = {NULL, NULL};
    if (cursor_len(&line) > KEYS_AUTHORIZED_LINE_BYTES) {
        return refuse(walk, "the line is longer than 16 KiB", NOTHING, "");
    }
    if (memchr(line.at, 0, cursor_len(&line)) != NULL) {
        return refuse(walk, "the line holds a zero byte", NOTHING, "");
    }
    *entry = (struct entry){.line = walk->line};
    struct cursor probe = line;
    struct cursor word;
    bool has_options =
        cursor_word(&probe, &word) && keys_type_of(word) == KEYS_NONE && !looks_like_type(word);
    if (has_options && keys_options_read(&line, walk->line, &entry->options, walk->complaints) != ERR_NONE) {
        return false;
    }
    return read_key(walk, line, entry);
}

/* The next usable line; complains about the others on the way. */
static bool next_entry(struct walk *walk, struct entry *entry)
{
    struct cursor line;
    while (cursor_line(&walk->file, &line)) {
        walk->line++;
        line = trimmed(line);
        if (cursor_len(&line) == 0 || *line.at == '#') {
            continue;
        }
        if (read_entry(walk, line, entry)) {
            return true;
        }
    }
    return false;
}

static bool is_expired(const struct entry *entry, int64_t now_s)
{
    return entry->options.expires_s != 0 && now_s >= entry->options.expires_s;
}

static bool admits_now(struct walk *walk, const struct entry *entry, const char *from, int64_t now_s)
{
    struct cursor type = cursor_of_text(keys_type_name(entry->type));
    if (is_expired(entry, now_s)) {
        return refuse(walk, "this ", type, " key has expired (expiry-time=)");
    }
    if (!entry->options.has_from) {
        return true;
    }
    enum keys_source_verdict verdict = KEYS_SOURCE_OUTSIDE;
    struct cursor bad;
    enum err err = keys_source_match(entry->options.from, from, &verdict, &bad);
    if (err != ERR_NONE || verdict != KEYS_SOURCE_INSIDE) {
        return refuse(walk, "this key may not be used from ", cursor_of_text(from), " (from=)");
    }
    return true;
}

enum err keys_authorized_find(struct cursor file, struct cursor key_blob, const char *from, int64_t now_s,
                              struct keys_authorization *ret, struct keys_complaints *complaints)
{
    if (cursor_len(&file) > KEYS_AUTHORIZED_FILE_BYTES) {
        return ERR_TOO_LARGE;
    }
    struct walk walk = {.file = file, .complaints = complaints};
    struct entry entry;
    enum err result = ERR_NOT_FOUND;
    while (next_entry(&walk, &entry)) {
        bool is_found = result == ERR_NONE; /* the rest of the file is read for its faults only */
        if (is_found || !cursor_equal(keys_blob_peek(&entry.blob), key_blob)) {
            continue;
        }
        result = ERR_DENIED;
        if (admits_now(&walk, &entry, from, now_s)) {
            *ret = (struct keys_authorization){
                .line = entry.line,
                .type = entry.type,
                .is_verify_required = entry.options.is_verify_required,
                .is_touch_not_required = entry.options.is_touch_not_required,
                .expires_s = entry.options.expires_s,
                .lacks = entry.options.lacks,
            };
            text_printable(entry.comment, ret->comment, sizeof ret->comment);
            result = ERR_NONE;
        }
    }
    return result;
}

enum err keys_authorized_check(struct cursor file, int64_t now_s, unsigned *ret_usable_count,
                               struct keys_complaints *complaints)
{
    if (cursor_len(&file) > KEYS_AUTHORIZED_FILE_BYTES) {
        return ERR_TOO_LARGE;
    }
    struct walk walk = {.file = file, .complaints = complaints};
    struct entry entry;
    unsigned usable_count = 0;
    while (next_entry(&walk, &entry)) {
        if (is_expired(&entry, now_s)) {
            struct cursor type = cursor_of_text(keys_type_name(entry.type));
            keys_complain(complaints, entry.line, "this ", type, " key has expired (expiry-time=)");
            continue;
        }
        usable_count++;
    }
    *ret_usable_count = usable_count;
    return ERR_NONE;
}

bool keys_authorization_admits(const struct keys_authorization *authorization, uint8_t sk_flags)
{
    if (!keys_type_is_sk(authorization->type)) {
        return true;
    }
    bool is_touched = (sk_flags & KEYS_SK_USER_PRESENT) != 0 || authorization->is_touch_not_required;
    bool is_verified = (sk_flags & KEYS_SK_USER_VERIFIED) != 0 || !authorization->is_verify_required;
    return is_touched && is_verified;
}
