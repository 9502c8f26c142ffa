#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 65536, ALIGNMENT = alignof(max_align_t) };

struct arena_block {
    struct arena_block *next;
    alignas(max_align_t) uint8_t bytes[];
};

void arena_done(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
    *arena = (struct arena){0};
}

static void *add_block(struct arena *arena, size_t size_bytes)
{
    if (size_bytes > SIZE_MAX - sizeof(struct arena_block)) {
        return NULL;
    }
    struct arena_block *block = calloc(1, sizeof *block + size_bytes);
    if (block == NULL) {
        return NULL;
    }
    block->next = arena->blocks;
    arena->blocks = block;
    return block->bytes;
}

static void *take(struct arena *arena, size_t size_bytes)
{
    if (size_bytes > SIZE_MAX - ALIGNMENT) {
        return NULL;
    }
    size_t padded = size_bytes == 0 ? ALIGNMENT : (size_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (arena->at == NULL || (size_t)(arena->end - arena->at) < padded) {
        /* A large thing gets a block of its own; the rest of the block in use stays in use. */
        if (padded > BLOCK_BYTES / 4) {
            return add_block(arena, padded);
        }
        uint8_t *bytes = add_block(arena, BLOCK_BYTES);
        if (bytes == NULL) {
            return NULL;
        }
        arena->at = bytes;
        arena->end = bytes + BLOCK_BYTES;
    }
    uint8_t *at = arena->at;
    arena->at += padded;
    return at;
}

void *arena_array(struct arena *arena, size_t count, size_t size_bytes)
{
    if (size_bytes != 0 && count > SIZE_MAX / size_bytes) {
        return NULL;
    }
    return take(arena, count * size_bytes);
}

char *arena_text(struct arena *arena, struct cursor bytes)
{
    size_t len = cursor_len(&bytes);
    char *text = arena_array(arena, len + 1, 1);
    if (text != NULL && len > 0) {
        memcpy(text, bytes.at, len);
    }
    return text;
}
