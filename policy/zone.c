#include "zone.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "zone_rule.h"

#define FOLDER "/usr/share/zoneinfo/"

enum { HEAD_REST_BYTES = 15, TYPE_BYTES = 6, CHANGES_MAX = 2000, TYPES_MAX = 256 };

/* RFC 9636 section 3.1, in the order of the file. */
struct counts {
    uint32_t utc_flags, std_flags, leaps, changes, types, chars;
};

static MUST_CHECK enum err read_head(struct cursor *in, struct counts *ret)
{
    struct cursor magic;
    struct cursor rest;
    uint8_t version = 0;
    TRY(cursor_bytes(in, 4, &magic));
    TRY(cursor_u8(in, &version));
    TRY(cursor_bytes(in, HEAD_REST_BYTES, &rest));
    uint32_t *const fields[] = {&ret->utc_flags, &ret->std_flags, &ret->leaps,
                                &ret->changes,   &ret->types,     &ret->chars};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        TRY(cursor_u32be(in, fields[i]));
    }
    bool is_small = ret->changes <= CHANGES_MAX && ret->types > 0 && ret->types <= TYPES_MAX &&
                    ret->leaps <= CHANGES_MAX && ret->chars <= CHANGES_MAX && ret->std_flags <= TYPES_MAX &&
                    ret->utc_flags <= TYPES_MAX;
    /* Version 1 has times of 32 bits alone. */
    return cursor_equal_text(magic, "TZif") && version >= '2' && is_small ? ERR_NONE : ERR_MALFORMED;
}

static size_t block_bytes(const struct counts *counts, size_t time_bytes)
{
    return counts->changes * (time_bytes + 1) + counts->types * (size_t)TYPE_BYTES + counts->chars +
           counts->leaps * (time_bytes + 4) + counts->std_flags + counts->utc_flags;
}

static MUST_CHECK enum err read_types(struct cursor in, const struct counts *counts, int32_t *ret_offsets)
{
    for (uint32_t i = 0; i < counts->types; i++) {
        uint32_t offset = 0;
        struct cursor rest;
        TRY(cursor_u32be(&in, &offset));
        TRY(cursor_bytes(&in, TYPE_BYTES - 4, &rest));
        ret_offsets[i] = (int32_t)offset;
        /* RFC 9636 section 3.2: more than -25 hours and less than 26 hours */
        if (ret_offsets[i] <= -25 * 3600 || ret_offsets[i] >= 26 * 3600) {
            return ERR_MALFORMED;
        }
    }
    return ERR_NONE;
}

static MUST_CHECK enum err read_changes(struct cursor block, const struct counts *counts, struct zone *zone)
{
    int32_t offsets[TYPES_MAX] = {0};
    struct cursor times;
    struct cursor numbers;
    TRY(cursor_bytes(&block, counts->changes * sizeof(int64_t), &times));
    TRY(cursor_bytes(&block, counts->changes, &numbers));
    TRY(read_types(block, counts, offsets));
    zone->first_offset_s = offsets[0];
    for (uint32_t i = 0; i < counts->changes; i++) {
        uint64_t at = 0;
        uint8_t type = 0;
        TRY(cursor_u64be(&times, &at));
        TRY(cursor_u8(&numbers, &type));
        bool is_later = i == 0 || (int64_t)at > zone->changes[i - 1].at_s;
        if (type >= counts->types || !is_later) {
            return ERR_MALFORMED;
        }
        zone->changes[zone->count++] = (struct zone_change){(int64_t)at, offsets[type]};
    }
    return ERR_NONE;
}

enum err zone_read(struct arena *arena, struct cursor file, struct zone *ret)
{
    struct counts counts = {0};
    struct cursor block;
    struct cursor footer;
    TRY(read_head(&file, &counts));
    TRY(cursor_bytes(&file, block_bytes(&counts, 4), &block));
    TRY(read_head(&file, &counts));
    TRY(cursor_bytes(&file, block_bytes(&counts, sizeof(int64_t)), &block));
    struct zone zone = {.name = ""};
    zone.changes = arena_array(arena, counts.changes + (size_t)ZONE_RULE_CHANGES, sizeof *zone.changes);
    if (zone.changes == NULL) {
        return ERR_MEMORY;
    }
    TRY(read_changes(block, &counts, &zone));
    uint8_t newline = 0;
    TRY(cursor_u8(&file, &newline));
    if (newline != '\n' || file.at == file.end || file.end[-1] != '\n' || !cursor_line(&file, &footer)) {
        return ERR_MALFORMED;
    }
    TRY(zone_rule_append(footer, &zone));
    *ret = zone;
    return cursor_end(&file);
}

static bool is_zone_name(struct cursor name)
{
    size_t len = cursor_len(&name);
    if (len == 0 || len >= ZONE_NAME_BYTES || *name.at == '/' || *name.at == '.') {
        return false;
    }
    for (const uint8_t *at = name.at; at != name.end; at++) {
        bool is_letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z');
        bool is_digit = *at >= '0' && *at <= '9';
        if (!is_letter && !is_digit && (*at == 0 || strchr("/_+-", *at) == NULL)) {
            return false;
        }
    }
    return true;
}

enum err zone_find(struct arena *arena, struct cursor name, struct zone *ret)
{
    char path[sizeof FOLDER + ZONE_NAME_BYTES];
    if (!is_zone_name(name)) {
        return ERR_NOT_FOUND;
    }
    if (cursor_equal_text(name, "UTC")) {
        *ret = (struct zone){.name = "UTC"};
        return ERR_NONE;
    }
    (void)snprintf(path, sizeof path, FOLDER "%.*s", (int)cursor_len(&name), (const char *)name.at);
    /* Many names are links to another; none leads out of the folder. */
    char *real = realpath(path, NULL);
    OWNED_BYTES *file = NULL;
    size_t len = 0;
    enum err err = real == NULL || strncmp(real, FOLDER, sizeof FOLDER - 1) != 0
                       ? ERR_NOT_FOUND
                       : fd_read_trusted_file(AT_FDCWD, real, ZONE_FILE_BYTES, &file, &len);
    free(real);
    TRY(err);
    struct zone zone;
    TRY(zone_read(arena, cursor_of(file, len), &zone));
    zone.name = arena_text(arena, name);
    *ret = zone;
    return zone.name == NULL ? ERR_MEMORY : ERR_NONE;
}

int32_t zone_offset_s(const struct zone *zone, int64_t at_s)
{
    size_t low = 0;
    size_t high = zone->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->changes[middle].at_s <= at_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == 0 ? zone->first_offset_s : zone->changes[low - 1].offset_s;
}
