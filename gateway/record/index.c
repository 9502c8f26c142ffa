#include "index.h"

#include <stdlib.h>
#include <string.h>

enum { INDEX_SMALLEST = 64 };

void index_done(struct index *index)
{
    free(index->entries);
    *index = (struct index){0};
}

/* Session ids are random, so their first bytes are a good hash. */
static size_t home_of(const struct index *index, const uint8_t sid[static LIMIT_SID_BYTES])
{
    uint64_t hash = 0;
    for (size_t i = 0; i < sizeof hash; i++) {
        hash = hash << 8 | sid[i];
    }
    return (size_t)hash & (index->capacity - 1);
}

static bool is_used(const struct index_entry *entry)
{
    return entry->last != RECORD_LEAF_OTHER;
}

/* The entry of `sid`, or the unused one where it belongs. The table is never full. */
static struct index_entry *place_of(const struct index *index, const uint8_t sid[static LIMIT_SID_BYTES])
{
    size_t at = home_of(index, sid);
    while (is_used(&index->entries[at]) && memcmp(index->entries[at].sid, sid, LIMIT_SID_BYTES) != 0) {
        at = (at + 1) & (index->capacity - 1);
    }
    return &index->entries[at];
}

struct index_entry *index_find(const struct index *index, const uint8_t sid[static LIMIT_SID_BYTES])
{
    if (index->capacity == 0) {
        return NULL;
    }
    struct index_entry *entry = place_of(index, sid);
    return is_used(entry) ? entry : NULL;
}

static enum err grow(struct index *index)
{
    struct index larger = {.count = index->count,
                           .capacity = index->capacity == 0 ? INDEX_SMALLEST : index->capacity * 2};
    larger.entries = calloc(larger.capacity, sizeof *larger.entries);
    if (larger.entries == NULL) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < index->capacity; i++) {
        if (is_used(&index->entries[i])) {
            *place_of(&larger, index->entries[i].sid) = index->entries[i];
        }
    }
    free(index->entries);
    *index = larger;
    return ERR_NONE;
}

/* "2026-01-01T..." -> "2026/01/01"; anything else leaves the day empty, and so the file is not found. */
static void set_day(struct index_entry *entry, struct cursor time)
{
    static const char SHAPE[] = "dddd-dd-ddT";
    if (cursor_len(&time) < sizeof SHAPE - 1) {
        return;
    }
    for (size_t i = 0; i < sizeof SHAPE - 1; i++) {
        bool is_digit = time.at[i] >= '0' && time.at[i] <= '9';
        if (SHAPE[i] == 'd' ? !is_digit : time.at[i] != (uint8_t)SHAPE[i]) {
            return;
        }
    }
    memcpy(entry->day, time.at, sizeof entry->day - 1);
    entry->day[4] = '/';
    entry->day[7] = '/';
    entry->day[sizeof entry->day - 1] = 0;
}

enum err index_apply(struct index *index, const struct record_leaf *leaf)
{
    if (leaf->kind == RECORD_LEAF_OTHER) {
        return ERR_NONE;
    }
    if (index->count * 2 >= index->capacity) {
        TRY(grow(index));
    }
    struct index_entry *entry = place_of(index, leaf->sid);
    if (!is_used(entry)) {
        *entry = (struct index_entry){0};
        memcpy(entry->sid, leaf->sid, sizeof entry->sid);
        index->count++;
    } else if (leaf->kind == RECORD_LEAF_OPEN || entry->last == RECORD_LEAF_CLOSE ||
               entry->last == RECORD_LEAF_RECOVER) {
        entry->is_odd = true;
    }
    entry->last = (uint8_t)leaf->kind;
    if (leaf->kind == RECORD_LEAF_OPEN) {
        entry->has_open = true;
        memcpy(entry->open_hash, leaf->hash, sizeof entry->open_hash);
        set_day(entry, leaf->time);
        return ERR_NONE;
    }
    entry->bytes = leaf->bytes;
    entry->torn_bytes = leaf->torn_bytes;
    memcpy(entry->hash, leaf->hash, sizeof entry->hash);
    return ERR_NONE;
}

void index_remove(struct index *index, struct index_entry *entry)
{
    size_t hole = (size_t)(entry - index->entries);
    size_t mask = index->capacity - 1;
    index->entries[hole] = (struct index_entry){0};
    index->count--;
    /* Entries behind the hole that were pushed past it move back, so that every search still ends at a hole.
     */
    for (size_t at = (hole + 1) & mask; is_used(&index->entries[at]); at = (at + 1) & mask) {
        size_t home = home_of(index, index->entries[at].sid);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            index->entries[hole] = index->entries[at];
            index->entries[at] = (struct index_entry){0};
            hole = at;
        }
    }
}
