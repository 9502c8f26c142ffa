#include "auth/people.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "base/writer.h"

enum { LINE_BYTES = LIMIT_PERSON_BYTES + 64 };
static const char DISABLED[] = "disabled";
static const char EXPIRES[] = "expires=";

void people_done(struct people *people)
{
    free(people->entries);
    *people = (struct people){0};
}

static bool take_number(struct cursor *in, size_t digits, uint64_t max, int *ret_value)
{
    struct cursor text;
    uint64_t value = 0;
    if (cursor_bytes(in, digits, &text) != ERR_NONE || text_u64(text, max, &value) != ERR_NONE) {
        return false;
    }
    *ret_value = (int)value;
    return true;
}

static bool take_letter(struct cursor *in, char letter)
{
    uint8_t byte = 0;
    return cursor_u8(in, &byte) == ERR_NONE && byte == (uint8_t)letter;
}

enum err people_time_read(struct cursor text, int64_t *ret_time_s)
{
    struct tm when = {0};
    struct tm same;
    bool is_good = take_number(&text, 4, 9999, &when.tm_year) && take_letter(&text, '-') &&
                   take_number(&text, 2, 12, &when.tm_mon) && take_letter(&text, '-') &&
                   take_number(&text, 2, 31, &when.tm_mday);
    if (is_good && cursor_len(&text) > 0) {
        is_good = take_letter(&text, 'T') && take_number(&text, 2, 23, &when.tm_hour) &&
                  take_letter(&text, ':') && take_number(&text, 2, 59, &when.tm_min) &&
                  take_letter(&text, ':') && take_number(&text, 2, 59, &when.tm_sec) &&
                  take_letter(&text, 'Z') && cursor_len(&text) == 0;
    }
    when.tm_year -= 1900;
    when.tm_mon -= 1;
    same = when;
    time_t time_s = is_good ? timegm(&same) : 0;
    /* The library turns February 30th into March 2nd. */
    if (time_s <= 0 || same.tm_mday != when.tm_mday) {
        return ERR_MALFORMED;
    }
    *ret_time_s = time_s;
    return ERR_NONE;
}

const char *people_time_text(int64_t time_s, char text[static PEOPLE_TIME_BYTES])
{
    time_t at = (time_t)time_s;
    struct tm utc = {0};
    if (gmtime_r(&at, &utc) == NULL || strftime(text, PEOPLE_TIME_BYTES, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0) {
        text[0] = 0;
    }
    return text;
}

static enum err read_word(struct cursor word, struct people_entry *entry)
{
    size_t len = sizeof EXPIRES - 1;
    if (cursor_equal_text(word, DISABLED)) {
        entry->is_disabled = true;
        return ERR_NONE;
    }
    if (cursor_len(&word) <= len || memcmp(word.at, EXPIRES, len) != 0 || entry->expires_s != 0) {
        return ERR_MALFORMED;
    }
    word.at += len;
    return people_time_read(word, &entry->expires_s);
}

/* @param ret_entry  person "" for a comment or an empty line */
static enum err read_line(struct cursor line, struct people_entry *ret_entry)
{
    struct people_entry entry = {.person = ""};
    struct cursor word;
    bool is_first = true;
    while (cursor_word(&line, &word) && *word.at != '#') {
        if (!is_first) {
            TRY(read_word(word, &entry));
            continue;
        }
        if (!text_is_person(word)) {
            return ERR_MALFORMED;
        }
        is_first = false;
        (void)snprintf(entry.person, sizeof entry.person, "%.*s", (int)cursor_len(&word),
                       (const char *)word.at);
    }
    *ret_entry = entry;
    return ERR_NONE;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct people_entry *)a)->person, ((const struct people_entry *)b)->person);
}

static enum err add(struct people *people, size_t *capacity, const struct people_entry *entry)
{
    if (people->count == PEOPLE_COUNT_MAX) {
        return ERR_TOO_LARGE;
    }
    if (people->count == *capacity) {
        size_t larger = *capacity == 0 ? 16 : *capacity * 2;
        struct people_entry *entries = realloc(people->entries, larger * sizeof *entries);
        if (entries == NULL) {
            return ERR_MEMORY;
        }
        people->entries = entries;
        *capacity = larger;
    }
    people->entries[people->count++] = *entry;
    return ERR_NONE;
}

static enum err read_lines(struct people *people, struct cursor file, unsigned *ret_line)
{
    size_t capacity = 0;
    struct cursor line;
    for (*ret_line = 1; cursor_line(&file, &line); ++*ret_line) {
        struct people_entry entry;
        TRY(read_line(line, &entry));
        if (entry.person[0] != 0) {
            TRY(add(people, &capacity, &entry));
        }
    }
    if (people->count > 0) {
        qsort(people->entries, people->count, sizeof people->entries[0], by_name);
    }
    for (size_t i = 1; i < people->count; i++) {
        if (by_name(&people->entries[i - 1], &people->entries[i]) == 0) {
            return ERR_MALFORMED;
        }
    }
    return ERR_NONE;
}

enum err people_read(struct people *people, struct cursor file, unsigned *ret_line)
{
    *ret_line = 0;
    enum err err = cursor_len(&file) > PEOPLE_FILE_BYTES ? ERR_TOO_LARGE : read_lines(people, file, ret_line);
    if (err != ERR_NONE) {
        people_done(people);
    }
    return err;
}

const struct people_entry *people_find(const struct people *people, const char *person)
{
    struct people_entry wanted = {.person = ""};
    (void)snprintf(wanted.person, sizeof wanted.person, "%s", person);
    return people->count == 0
               ? NULL
               : bsearch(&wanted, people->entries, people->count, sizeof people->entries[0], by_name);
}

bool people_keeps_out(const struct people *people, const char *person, int64_t now_s)
{
    const struct people_entry *entry = people_find(people, person);
    return entry != NULL && (entry->is_disabled || (entry->expires_s != 0 && entry->expires_s <= now_s));
}

static bool is_line_of(struct cursor line, const char *person)
{
    struct cursor word;
    return cursor_word(&line, &word) && cursor_equal_text(word, person);
}

static void write_line(struct writer *out, const struct people_entry *entry)
{
    char line[LINE_BYTES];
    char time[PEOPLE_TIME_BYTES];
    bool has_end = entry->expires_s != 0;
    if (entry->is_disabled || has_end) {
        (void)snprintf(line, sizeof line, "%s%s%s%s%s%s\n", entry->person, entry->is_disabled ? " " : "",
                       entry->is_disabled ? DISABLED : "", has_end ? " " : "", has_end ? EXPIRES : "",
                       has_end ? people_time_text(entry->expires_s, time) : "");
        writer_bytes(out, cursor_of_text(line));
    }
}

enum err people_set(struct cursor file, const struct people_entry *entry, struct secret *ret_file)
{
    size_t size = cursor_len(&file) + LINE_BYTES + 1;
    if (size > PEOPLE_FILE_BYTES) {
        return ERR_TOO_LARGE;
    }
    OWNED_SECRET room = {.bytes = calloc(1, size), .len_bytes = size};
    if (room.bytes == NULL) {
        room.len_bytes = 0;
        return ERR_MEMORY;
    }
    struct writer out = writer_of(room.bytes, room.len_bytes);
    struct cursor line;
    bool is_written = false;
    while (cursor_line(&file, &line)) {
        if (!is_line_of(line, entry->person)) {
            writer_bytes(&out, line);
            writer_u8(&out, '\n');
        } else if (!is_written) {
            is_written = true;
            write_line(&out, entry);
        }
    }
    if (!is_written) {
        write_line(&out, entry);
    }
    struct cursor written;
    TRY(writer_done(&out, &written));
    return secret_set(ret_file, written);
}
