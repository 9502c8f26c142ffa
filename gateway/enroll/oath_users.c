#include "oath_users.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/text.h"
#include "base/writer.h"

enum { SECRET_MAX_BYTES = 64, LINE_BYTES = 64 + LIMIT_PERSON_BYTES + 2 * SECRET_MAX_BYTES };
static const char TYPE[] = "HOTP/T30/6";

struct line {
    struct cursor type, person, pin, secret, counter, code, last_used;
};

/* @return false for a comment or an empty line; fields that are not there stay empty. */
static bool split(struct cursor text, struct line *ret)
{
    *ret = (struct line){.type = {NULL, NULL}};
    while (text.at != text.end && text.end[-1] == '\r') {
        text.end--;
    }
    struct cursor *const fields[] = {&ret->type,    &ret->person, &ret->pin,      &ret->secret,
                                     &ret->counter, &ret->code,   &ret->last_used};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0] && cursor_word(&text, fields[i]); i++) {
    }
    return cursor_len(&ret->person) > 0 && *ret->type.at != '#';
}

bool oath_users_next(struct cursor *file, struct oath_user *ret_user)
{
    struct cursor text;
    struct line line;
    while (cursor_line(file, &text)) {
        if (split(text, &line)) {
            *ret_user = (struct oath_user){line.type, line.person, line.last_used};
            return true;
        }
    }
    return false;
}

bool oath_users_has(struct cursor file, const char *person)
{
    struct oath_user user;
    while (oath_users_next(&file, &user)) {
        if (cursor_equal_text(user.person, person)) {
            return true;
        }
    }
    return false;
}

bool oath_users_holds(struct cursor file, const char *person, struct cursor secret)
{
    char hex[2 * SECRET_MAX_BYTES + 1];
    (void)text_hex(secret, hex, sizeof hex);
    struct cursor text;
    struct line line;
    bool holds = false;
    while (cursor_line(&file, &text)) {
        if (split(text, &line) && cursor_equal_text(line.person, person)) {
            holds = secret_equal(line.secret, cursor_of_text(hex));
        }
    }
    secret_wipe(hex, sizeof hex);
    return holds;
}

/* Everything but the lines of `person`. @return how many lines were left out. */
static unsigned copy_others(struct cursor file, const char *person, struct writer *out)
{
    unsigned dropped = 0;
    struct cursor text;
    struct line line;
    while (cursor_line(&file, &text)) {
        if (split(text, &line) && cursor_equal_text(line.person, person)) {
            dropped++;
            continue;
        }
        writer_bytes(out, text);
        writer_u8(out, '\n');
    }
    return dropped;
}

/* Memory for the old text and one more line. */
static enum err reserve(struct cursor file, struct secret *room)
{
    size_t size = cursor_len(&file) + LINE_BYTES + 1;
    if (size > OATH_FILE_BYTES) {
        return ERR_TOO_LARGE;
    }
    room->bytes = calloc(1, size);
    room->len_bytes = room->bytes == NULL ? 0 : size;
    return room->bytes == NULL ? ERR_MEMORY : ERR_NONE;
}

enum err oath_users_set(struct cursor file, const char *person, struct cursor secret, struct secret *ret_file)
{
    if (cursor_len(&secret) > SECRET_MAX_BYTES) {
        return ERR_TOO_LARGE;
    }
    OWNED_SECRET room = {0};
    TRY(reserve(file, &room));
    struct writer out = writer_of(room.bytes, room.len_bytes);
    (void)copy_others(file, person, &out);
    char hex[2 * SECRET_MAX_BYTES + 1];
    char line[LINE_BYTES];
    (void)snprintf(line, sizeof line, "%s\t%s\t-\t%s\n", TYPE, person, text_hex(secret, hex, sizeof hex));
    writer_bytes(&out, cursor_of_text(line));
    secret_wipe(hex, sizeof hex);
    secret_wipe(line, sizeof line);
    struct cursor written;
    TRY(writer_done(&out, &written));
    return secret_set(ret_file, written);
}

enum err oath_users_remove(struct cursor file, const char *person, struct secret *ret_file)
{
    OWNED_SECRET room = {0};
    TRY(reserve(file, &room));
    struct writer out = writer_of(room.bytes, room.len_bytes);
    if (copy_others(file, person, &out) == 0) {
        return ERR_NOT_FOUND;
    }
    struct cursor written;
    TRY(writer_done(&out, &written));
    return secret_set(ret_file, written);
}
