#include "pg_names.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_NAMES = 16, FIRST_BUCKETS = 64 };

void pg_names_done(struct pg_names *names)
{
    for (uint32_t slot = 0; slot < names->count; slot++) {
        free(names->all[slot].types);
    }
    free(names->all);
    free(names->buckets);
    *names = (struct pg_names){0};
}

/* FNV-1a. Who fills one bucket slows down its own connection, by at most PG_NAMES_MAX comparisons a name. */
static uint32_t hash_of(struct cursor name)
{
    uint32_t hash = 2166136261U;
    for (const uint8_t *at = name.at; at != name.end; at++) {
        hash = (hash ^ *at) * 16777619U;
    }
    return hash;
}

static struct cursor cut(struct cursor name)
{
    return cursor_len(&name) < PG_NAME_BYTES ? name : cursor_of(name.at, PG_NAME_BYTES - 1);
}

static uint32_t *bucket_of(struct pg_names *names, struct cursor name)
{
    return &names->buckets[hash_of(name) & (names->bucket_count - 1)];
}

static struct cursor text_of(const struct pg_name *name)
{
    return cursor_of(name->name, name->name_bytes);
}

/* ---- the order of use; slot 0 takes no part ---- */

static void unlink_use(struct pg_names *names, uint32_t slot)
{
    struct pg_name *name = &names->all[slot];
    if (name->newer != PG_NO_SLOT) {
        names->all[name->newer].older = name->older;
    } else {
        names->newest = name->older;
    }
    if (name->older != PG_NO_SLOT) {
        names->all[name->older].newer = name->newer;
    } else {
        names->oldest = name->newer;
    }
}

static void link_newest(struct pg_names *names, uint32_t slot)
{
    struct pg_name *name = &names->all[slot];
    name->newer = PG_NO_SLOT;
    name->older = names->newest;
    if (names->newest != PG_NO_SLOT) {
        names->all[names->newest].newer = slot;
    } else {
        names->oldest = slot;
    }
    names->newest = slot;
}

/* ---- the table ---- */

static void put_into_bucket(struct pg_names *names, uint32_t slot)
{
    uint32_t *bucket = bucket_of(names, text_of(&names->all[slot]));
    names->all[slot].next = *bucket;
    *bucket = slot;
}

static void take_from_bucket(struct pg_names *names, uint32_t slot)
{
    uint32_t *link = bucket_of(names, text_of(&names->all[slot]));
    while (*link != slot) {
        assert(*link != PG_NO_SLOT);
        link = &names->all[*link].next;
    }
    *link = names->all[slot].next;
}

static enum err grow_buckets(struct pg_names *names, uint32_t bucket_count)
{
    uint32_t *buckets = malloc(bucket_count * sizeof *buckets);
    if (buckets == NULL) {
        return ERR_MEMORY;
    }
    free(names->buckets);
    names->buckets = buckets;
    names->bucket_count = bucket_count;
    for (uint32_t i = 0; i < bucket_count; i++) {
        buckets[i] = PG_NO_SLOT;
    }
    for (uint32_t slot = 1; slot < names->count; slot++) {
        put_into_bucket(names, slot);
    }
    return ERR_NONE;
}

static enum err make_room(struct pg_names *names)
{
    if (names->count == names->capacity) {
        uint32_t capacity = names->capacity == 0 ? FIRST_NAMES : names->capacity * 2;
        struct pg_name *all = realloc(names->all, capacity * sizeof *all);
        if (all == NULL) {
            return ERR_MEMORY;
        }
        names->all = all;
        names->capacity = capacity;
    }
    if (names->bucket_count <= names->count) {
        return grow_buckets(names, names->bucket_count == 0 ? FIRST_BUCKETS : names->bucket_count * 2);
    }
    return ERR_NONE;
}

/* The unnamed one is there from the beginning. */
static enum err begin(struct pg_names *names)
{
    names->newest = PG_NO_SLOT;
    names->oldest = PG_NO_SLOT;
    TRY(make_room(names));
    names->all[0] = (struct pg_name){.deallocates = PG_NO_SLOT, .newer = PG_NO_SLOT, .older = PG_NO_SLOT};
    names->count = 1;
    return ERR_NONE;
}

uint32_t pg_names_find(struct pg_names *names, struct cursor name)
{
    if (names->count == 0) {
        return PG_NO_SLOT;
    }
    name = cut(name);
    if (cursor_len(&name) == 0) {
        return 0;
    }
    uint32_t slot = *bucket_of(names, name);
    while (slot != PG_NO_SLOT && !cursor_equal(text_of(&names->all[slot]), name)) {
        slot = names->all[slot].next;
    }
    return slot;
}

static enum err new_slot(struct pg_names *names, uint32_t *ret_slot)
{
    if (names->count <= PG_NAMES_MAX) {
        TRY(make_room(names));
        *ret_slot = names->count++;
        names->all[*ret_slot] = (struct pg_name){0};
        return ERR_NONE;
    }
    *ret_slot = names->oldest;
    unlink_use(names, *ret_slot);
    take_from_bucket(names, *ret_slot);
    return ERR_NONE;
}

enum err pg_names_slot(struct pg_names *names, struct cursor name, uint32_t *ret_slot)
{
    if (names->count == 0) {
        TRY(begin(names));
    }
    name = cut(name);
    uint32_t slot = pg_names_find(names, name);
    if (slot == PG_NO_SLOT) {
        TRY(new_slot(names, &slot));
        struct pg_name *made = &names->all[slot];
        free(made->types);
        *made = (struct pg_name){.name_bytes = (uint8_t)cursor_len(&name), .deallocates = PG_NO_SLOT};
        memcpy(made->name, name.at, made->name_bytes);
        put_into_bucket(names, slot);
        link_newest(names, slot);
    } else if (slot != 0 && slot != names->newest) {
        unlink_use(names, slot);
        link_newest(names, slot);
    }
    *ret_slot = slot;
    return ERR_NONE;
}

struct pg_name *pg_names_at(struct pg_names *names, uint32_t slot)
{
    return slot < names->count ? &names->all[slot] : NULL;
}

/* ---- what is remembered ---- */

enum err pg_name_set_types(struct pg_name *name, struct cursor types, uint32_t count)
{
    if (count > PG_TYPES_MAX) {
        count = PG_TYPES_MAX;
    }
    name->type_count = 0;
    if (count == 0) {
        return ERR_NONE;
    }
    if (name->types == NULL) {
        name->types = malloc(PG_TYPES_MAX * sizeof *name->types);
        if (name->types == NULL) {
            return ERR_MEMORY;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        TRY(cursor_u32be(&types, &name->types[i]));
    }
    name->type_count = (uint8_t)count;
    return ERR_NONE;
}

uint32_t pg_name_type(const struct pg_name *name, uint32_t index)
{
    return name != NULL && index < name->type_count ? name->types[index] : 0;
}

void pg_names_forget(struct pg_names *names, uint64_t change)
{
    for (uint32_t slot = 0; slot < names->count; slot++) {
        if (names->all[slot].changed_by < change) {
            names->all[slot].number = 0;
        }
    }
}
