#include "my_statements.h"

#include <stdlib.h>

enum { BUCKETS = 1024, TYPE_BYTES = 2 };

static struct my_statement **bucket_of(const struct my_statements *statements, uint32_t id)
{
    /* Servers count their statements, so the lowest bits spread them evenly. */
    return &statements->buckets[id % BUCKETS];
}

static void unlink_use(struct my_statements *statements, struct my_statement *statement)
{
    *(statement->newer != NULL ? &statement->newer->older : &statements->newest) = statement->older;
    *(statement->older != NULL ? &statement->older->newer : &statements->oldest) = statement->newer;
}

static void link_newest(struct my_statements *statements, struct my_statement *statement)
{
    statement->newer = NULL;
    statement->older = statements->newest;
    *(statements->newest != NULL ? &statements->newest->newer : &statements->oldest) = statement;
    statements->newest = statement;
}

static void forget(struct my_statements *statements, struct my_statement *statement)
{
    struct my_statement **link = bucket_of(statements, statement->id);
    while (*link != statement) {
        link = &(*link)->next;
    }
    *link = statement->next;
    unlink_use(statements, statement);
    statements->count--;
    if (statement->types != NULL) {
        statements->types_bytes -= (size_t)statement->parameters * TYPE_BYTES;
        free(statement->types);
    }
    free(statement);
}

void my_statements_done(struct my_statements *statements)
{
    while (statements->oldest != NULL) {
        forget(statements, statements->oldest);
    }
    free((void *)statements->buckets);
    *statements = (struct my_statements){0};
}

static struct my_statement *look_up(const struct my_statements *statements, uint32_t id)
{
    struct my_statement *statement = statements->buckets == NULL ? NULL : *bucket_of(statements, id);
    while (statement != NULL && statement->id != id) {
        statement = statement->next;
    }
    return statement;
}

struct my_statement *my_statements_find(struct my_statements *statements, uint32_t id)
{
    struct my_statement *statement = look_up(statements, id);
    if (statement != NULL && statement != statements->newest) {
        unlink_use(statements, statement);
        link_newest(statements, statement);
    }
    return statement;
}

void my_statements_drop(struct my_statements *statements, uint32_t id)
{
    struct my_statement *statement = look_up(statements, id);
    if (statement != NULL) {
        forget(statements, statement);
    }
}

enum err my_statements_add(struct my_statements *statements, uint32_t id, uint32_t number,
                           uint16_t parameters)
{
    if (statements->buckets == NULL) {
        statements->buckets = (struct my_statement **)calloc(BUCKETS, sizeof(struct my_statement *));
        if (statements->buckets == NULL) {
            return ERR_MEMORY;
        }
    }
    my_statements_drop(statements, id);
    if (statements->count == MY_STATEMENTS_MAX) {
        forget(statements, statements->oldest);
    }
    struct my_statement *statement = calloc(1, sizeof *statement);
    if (statement == NULL) {
        return ERR_MEMORY;
    }
    statement->id = id;
    statement->number = number;
    statement->parameters = parameters;
    struct my_statement **bucket = bucket_of(statements, id);
    statement->next = *bucket;
    *bucket = statement;
    link_newest(statements, statement);
    statements->count++;
    return ERR_NONE;
}

enum err my_statements_types(struct my_statements *statements, struct my_statement *statement)
{
    if (statement->types != NULL || statement->parameters == 0) {
        return ERR_NONE;
    }
    size_t needed_bytes = (size_t)statement->parameters * TYPE_BYTES;
    struct my_statement *oldest = statements->oldest;
    while (statements->types_bytes + needed_bytes > MY_STATEMENTS_TYPES_BYTES && oldest != statement) {
        struct my_statement *newer = oldest->newer;
        forget(statements, oldest);
        oldest = newer;
    }
    statement->types = calloc(statement->parameters, TYPE_BYTES);
    if (statement->types == NULL) {
        return ERR_MEMORY;
    }
    statements->types_bytes += needed_bytes;
    return ERR_NONE;
}
