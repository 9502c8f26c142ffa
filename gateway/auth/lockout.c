#include "auth/lockout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { LINE_BYTES_MAX = LIMIT_PERSON_BYTES + 40 };

void lockout_done(struct lockout_table *table)
{
    free(table->entries);
    *table = (struct lockout_table){0};
}

static struct lockout *find(const struct lockout_table *table, const char *person)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->entries[i].person, person) == 0) {
            return &table->entries[i];
        }
    }
    return NULL;
}

static enum err add(struct lockout_table *table, const char *person, struct lockout **ret_entry)
{
    if (table->count == LOCKOUT_COUNT_MAX) {
        return ERR_TOO_LARGE;
    }
    if (table->count == table->capacity) {
        size_t capacity = table->capacity == 0 ? 16 : table->capacity * 2;
        struct lockout *entries = realloc(table->entries, capacity * sizeof *entries);
        if (entries == NULL) {
            return ERR_MEMORY;
        }
        table->entries = entries;
        table->capacity = capacity;
    }
    struct lockout *entry = &table->entries[table->count++];
    *entry = (struct lockout){0};
    (void)snprintf(entry->person, sizeof entry->person, "%s", person);
    *ret_entry = entry;
    return ERR_NONE;
}

static enum err read_line(struct lockout_table *table, struct cursor line)
{
    struct cursor name;
    struct cursor failures;
    struct cursor until;
    if (!cursor_word(&line, &name) || !cursor_word(&line, &failures) || !cursor_word(&line, &until) ||
        !text_is_person(name)) {
        return ERR_MALFORMED;
    }
    char person[LIMIT_PERSON_BYTES];
    (void)snprintf(person, sizeof person, "%.*s", (int)cursor_len(&name), (const char *)name.at);
    uint64_t count = 0;
    uint64_t seconds = 0;
    TRY(text_u64(failures, UINT32_MAX, &count));
    TRY(text_u64(until, INT64_MAX, &seconds));
    if (find(table, person) != NULL) {
        return ERR_MALFORMED;
    }
    struct lockout *entry = NULL;
    TRY(add(table, person, &entry));
    entry->failures = (uint32_t)count;
    entry->until_s = (int64_t)seconds;
    return cursor_end(&line);
}

enum err lockout_read(struct lockout_table *table, struct cursor file)
{
    struct cursor line;
    while (cursor_line(&file, &line)) {
        TRY(read_line(table, line));
    }
    return ERR_NONE;
}

enum err lockout_write(const struct lockout_table *table, char **ret_text, size_t *ret_len_bytes)
{
    size_t size = table->count * LINE_BYTES_MAX + 1;
    char *text = malloc(size);
    if (text == NULL) {
        return ERR_MEMORY;
    }
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < table->count; i++) {
        const struct lockout *entry = &table->entries[i];
        used += (size_t)snprintf(text + used, size - used, "%s %u %lld\n", entry->person, entry->failures,
                                 (long long)entry->until_s);
    }
    *ret_text = text;
    *ret_len_bytes = used;
    return ERR_NONE;
}

int64_t lockout_until_s(const struct lockout_table *table, const char *person, int64_t now_s)
{
    const struct lockout *entry = find(table, person);
    return entry != NULL && entry->until_s > now_s ? entry->until_s : 0;
}

/* 15 minutes after the 5th failure, 30 after the 10th, 60 after the 15th ... */
static int64_t lock_length_s(uint32_t failures)
{
    int64_t length = LOCKOUT_FIRST_S;
    for (uint32_t i = LOCKOUT_FAILURES; i + LOCKOUT_FAILURES <= failures && length < LOCKOUT_LONGEST_S;
         i += LOCKOUT_FAILURES) {
        length *= 2;
    }
    return length < LOCKOUT_LONGEST_S ? length : LOCKOUT_LONGEST_S;
}

enum err lockout_failed(struct lockout_table *table, const char *person, int64_t now_s)
{
    struct lockout *entry = find(table, person);
    if (entry == NULL) {
        TRY(add(table, person, &entry));
    }
    if (entry->failures < UINT32_MAX) {
        entry->failures++;
    }
    if (entry->failures % LOCKOUT_FAILURES == 0) {
        entry->until_s = now_s + lock_length_s(entry->failures);
    }
    return ERR_NONE;
}

void lockout_clear(struct lockout_table *table, const char *person)
{
    struct lockout *entry = find(table, person);
    if (entry != NULL) {
        *entry = table->entries[--table->count];
    }
}
