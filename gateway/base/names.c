#include "base/names.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 16, DISTANCE_BYTES = 64 };

void names_done(struct names *names)
{
    free(names->slots);
    *names = (struct names){0};
}

/* FNV-1a, 64 bit; folded so that the low bits depend on all of it. */
static size_t hash_of(struct cursor name)
{
    uint64_t hash = 0xcbf29ce484222325U;
    for (; name.at != name.end; name.at++) {
        hash = (hash ^ *name.at) * 0x100000001b3U;
    }
    return (size_t)(hash ^ hash >> 32);
}

/* The slot of `name`, or the free one where it belongs. At least half of the slots are free. */
static struct names_slot *slot_of(const struct names *names, struct cursor name)
{
    size_t at = hash_of(name) & (names->capacity - 1);
    while (names->slots[at].is_used && !cursor_equal(names->slots[at].name, name)) {
        at = (at + 1) & (names->capacity - 1);
    }
    return &names->slots[at];
}

static enum err grow(struct names *names)
{
    struct names larger = {.capacity = names->capacity == 0 ? FIRST_CAPACITY : names->capacity * 2,
                           .count = names->count};
    larger.slots = calloc(larger.capacity, sizeof *larger.slots);
    if (larger.slots == NULL) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < names->capacity; i++) {
        if (names->slots[i].is_used) {
            *slot_of(&larger, names->slots[i].name) = names->slots[i];
        }
    }
    free(names->slots);
    *names = larger;
    return ERR_NONE;
}

enum err names_add(struct names *names, struct cursor name, uint32_t number)
{
    if ((names->count + 1) * 2 > names->capacity) {
        TRY(grow(names));
    }
    struct names_slot *slot = slot_of(names, name);
    if (slot->is_used) {
        return ERR_STATE;
    }
    *slot = (struct names_slot){name, number, true};
    names->count++;
    return ERR_NONE;
}

enum err names_find(const struct names *names, struct cursor name, uint32_t *ret_number)
{
    if (names->count == 0) {
        return ERR_NOT_FOUND;
    }
    const struct names_slot *slot = slot_of(names, name);
    if (!slot->is_used) {
        return ERR_NOT_FOUND;
    }
    *ret_number = slot->number;
    return ERR_NONE;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: insertions, deletions, replacements, swapped neighbours; three rows suffice. */
size_t names_distance(struct cursor a, struct cursor b)
{
    size_t a_len = cursor_len(&a);
    size_t b_len = cursor_len(&b);
    if (a_len >= DISTANCE_BYTES || b_len >= DISTANCE_BYTES) {
        return DISTANCE_BYTES - 1;
    }
    size_t rows[3][DISTANCE_BYTES] = {{0}};
    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        const size_t *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t cost = a.at[i - 1] == b.at[j - 1] ? 0 : 1;
            row[j] = smaller(smaller(above[j] + 1, row[j - 1] + 1), above[j - 1] + cost);
            bool is_swap = i > 1 && j > 1 && a.at[i - 1] == b.at[j - 2] && a.at[i - 2] == b.at[j - 1];
            if (is_swap) {
                row[j] = smaller(row[j], two_above[j - 2] + 1);
            }
        }
    }
    return rows[a_len % 3][b_len];
}
