#include "pg_operations.h"

#include <assert.h>
#include <stdlib.h>

enum { FIRST_OPERATIONS = 16 };

void pg_operations_done(struct pg_operations *operations)
{
    free(operations->all);
    *operations = (struct pg_operations){0};
}

bool pg_operations_are_full(const struct pg_operations *operations)
{
    return operations->count == PG_OPERATIONS_MAX;
}

static enum err grow(struct pg_operations *operations)
{
    uint32_t capacity = operations->capacity == 0 ? FIRST_OPERATIONS : operations->capacity * 2;
    struct pg_operation *all = malloc(capacity * sizeof *all);
    if (all == NULL) {
        return ERR_MEMORY;
    }
    for (uint32_t i = 0; i < operations->count; i++) {
        all[i] = *pg_operations_at(operations, i);
    }
    free(operations->all);
    operations->all = all;
    operations->capacity = capacity;
    operations->first = 0;
    return ERR_NONE;
}

enum err pg_operations_add(struct pg_operations *operations, const struct pg_operation *operation)
{
    assert(!pg_operations_are_full(operations));
    if (operations->count == operations->capacity) {
        TRY(grow(operations));
    }
    operations->count++;
    *pg_operations_at(operations, operations->count - 1) = *operation;
    return ERR_NONE;
}

struct pg_operation *pg_operations_front(struct pg_operations *operations)
{
    return operations->count == 0 ? NULL : &operations->all[operations->first];
}

struct pg_operation *pg_operations_at(struct pg_operations *operations, uint32_t index)
{
    assert(index < operations->count);
    return &operations->all[(operations->first + index) & (operations->capacity - 1)];
}

void pg_operations_drop_front(struct pg_operations *operations)
{
    assert(operations->count > 0);
    operations->first = (operations->first + 1) & (operations->capacity - 1);
    operations->count--;
}

void pg_operations_keep(struct pg_operations *operations, uint32_t kept)
{
    assert(kept <= operations->count);
    operations->count = kept;
}
