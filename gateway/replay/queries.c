#include "replay/queries.h"

#include <stdlib.h>
#include <string.h>

#include "base/queue.h"

struct parameter {
    uint32_t index; /* as recorded: MySQL's long data comes in any order */
    struct replay_value value;
    struct queue bytes;
};
struct transfer {
    struct replay_transfer transfer;
    char name[RECORD_DB_NAME_BYTES + 1];
    uint8_t sha256[32];
};
struct statement {
    uint64_t t_us;
    uint32_t number, of;
    uint8_t operation;
    uint64_t text_bytes;
    char name[RECORD_DB_NAME_BYTES + 1];
    struct queue text;
    struct parameter *parameters; /* OWNED */
    size_t parameter_count, parameter_capacity;
    uint64_t parameters_cut;
    struct transfer transfers[REPLAY_QUERY_TRANSFERS_MAX];
    size_t transfer_count;
    unsigned results;
    bool is_told;
};

struct replay_queries {
    replay_query_sink *sink;
    void *context;
    bool includes_all;
    char protocol[16];
    struct statement **statements; /* OWNED, by rising number */
    size_t count;
    size_t held_bytes;
};

enum err replay_queries_new(bool includes_all, replay_query_sink *sink, void *context,
                            struct replay_queries **ret)
{
    struct replay_queries *queries = calloc(1, sizeof *queries);
    if (queries == NULL) {
        return ERR_MEMORY;
    }
    *queries = (struct replay_queries){.sink = sink, .context = context, .includes_all = includes_all};
    queries->statements = calloc(REPLAY_QUERIES_MAX, sizeof(void *));
    if (queries->statements == NULL) {
        free(queries);
        return ERR_MEMORY;
    }
    *ret = queries;
    return ERR_NONE;
}

const char *replay_queries_protocol(const struct replay_queries *queries)
{
    return queries->protocol;
}

/* ---- what is held ---- */

static void free_statement(struct replay_queries *queries, struct statement *statement)
{
    queries->held_bytes -= queue_len(&statement->text);
    queue_done(&statement->text);
    for (size_t i = 0; i < statement->parameter_count; i++) {
        queries->held_bytes -= queue_len(&statement->parameters[i].bytes);
        queue_done(&statement->parameters[i].bytes);
    }
    free(statement->parameters);
    free(statement);
}

void replay_queries_free(struct replay_queries **queries)
{
    if (*queries == NULL) {
        return;
    }
    for (size_t i = 0; i < (*queries)->count; i++) {
        free_statement(*queries, (*queries)->statements[i]);
    }
    free((*queries)->statements);
    free(*queries);
    *queries = NULL;
}

static struct statement *find(const struct replay_queries *queries, uint32_t number)
{
    size_t low = 0;
    size_t high = queries->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (queries->statements[middle]->number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < queries->count && queries->statements[low]->number == number ? queries->statements[low]
                                                                              : NULL;
}

/* What is over the bound is cut: the text that a person sees says how long it was. */
static enum err hold(struct replay_queries *queries, struct queue *to, struct cursor bytes)
{
    size_t room = RECORD_DB_KEPT_BYTES - queue_len(to);
    if (queries->held_bytes + cursor_len(&bytes) > REPLAY_QUERIES_BYTES) {
        return ERR_NONE;
    }
    if (cursor_len(&bytes) > room) {
        bytes.end = bytes.at + room;
    }
    queries->held_bytes += cursor_len(&bytes);
    return queue_append(to, bytes);
}

static void copy_name(char name[static RECORD_DB_NAME_BYTES + 1], struct cursor bytes)
{
    size_t len = cursor_len(&bytes) < RECORD_DB_NAME_BYTES ? cursor_len(&bytes) : RECORD_DB_NAME_BYTES;
    if (len > 0) {
        memcpy(name, bytes.at, len);
    }
    name[len] = 0;
}

/* ---- telling ---- */

static bool is_text_alone(const struct statement *statement)
{
    return statement->operation == RECORD_DB_PREPARE || statement->operation == RECORD_DB_CLOSE;
}

static enum err tell(struct replay_queries *queries, struct statement *statement,
                     const struct record_db_result *result)
{
    statement->is_told = true;
    struct replay_value values[REPLAY_QUERY_PARAMETERS_MAX];
    struct replay_transfer transfers[REPLAY_QUERY_TRANSFERS_MAX];
    for (size_t i = 0; i < statement->parameter_count; i++) {
        values[i] = statement->parameters[i].value;
        values[i].value = queue_peek(&statement->parameters[i].bytes);
    }
    for (size_t i = 0; i < statement->transfer_count; i++) {
        transfers[i] = statement->transfers[i].transfer;
        transfers[i].name = cursor_of_text(statement->transfers[i].name);
    }
    const struct statement *prepared = statement->of == 0 ? NULL : find(queries, statement->of);
    bool has_own_text = queue_len(&statement->text) > 0 || prepared == NULL;
    const struct replay_query query = {
        .t_us = statement->t_us,
        .number = statement->number,
        .operation = statement->operation,
        .of = statement->of,
        .name = cursor_of_text(statement->name),
        .text = queue_peek(has_own_text ? &statement->text : &prepared->text),
        .text_bytes = has_own_text ? statement->text_bytes : prepared->text_bytes,
        .parameters = values,
        .parameter_count = statement->parameter_count,
        .parameters_cut = statement->parameters_cut,
        .transfers = transfers,
        .transfer_count = statement->transfer_count,
        .part = statement->results,
        .result = result == NULL ? (struct record_db_result){.number = statement->number} : *result,
    };
    return queries->sink(queries->context, &query);
}

static enum err tell_without_result(struct replay_queries *queries, struct statement *statement)
{
    bool is_wanted = !statement->is_told && (queries->includes_all || !is_text_alone(statement));
    return is_wanted ? tell(queries, statement, NULL) : ERR_NONE;
}

/* Results come in the order of the statements, so those before this one will get no more; texts that were
 * prepared may still be run. */
static enum err forget_before(struct replay_queries *queries, uint32_t number)
{
    enum err err = ERR_NONE;
    size_t kept = 0;
    for (size_t i = 0; i < queries->count; i++) {
        struct statement *statement = queries->statements[i];
        bool is_over = statement->number < number && statement->operation != RECORD_DB_PREPARE;
        if (is_over) {
            err = err == ERR_NONE ? tell_without_result(queries, statement) : err;
            free_statement(queries, statement);
        } else {
            queries->statements[kept++] = statement;
        }
    }
    queries->count = kept;
    return err;
}

/* The oldest goes, told or not. */
static enum err make_room(struct replay_queries *queries)
{
    if (queries->count < REPLAY_QUERIES_MAX) {
        return ERR_NONE;
    }
    struct statement *oldest = queries->statements[0];
    enum err err = tell_without_result(queries, oldest);
    free_statement(queries, oldest);
    queries->count--;
    memmove(queries->statements, queries->statements + 1, queries->count * sizeof(void *));
    return err;
}

/* ---- records ---- */

static enum err take_statement(struct replay_queries *queries, uint64_t t_us,
                               const struct record_db_statement *record)
{
    struct statement *last = queries->count == 0 ? NULL : queries->statements[queries->count - 1];
    if (last != NULL && is_text_alone(last)) {
        TRY(tell_without_result(queries, last)); /* its text is whole now */
        last->is_told = true;
    }
    if (last != NULL && record->number <= last->number) {
        return ERR_NONE; /* no relay writes that */
    }
    TRY(make_room(queries));
    struct statement *statement = calloc(1, sizeof *statement);
    if (statement == NULL) {
        return ERR_MEMORY;
    }
    statement->t_us = t_us;
    statement->number = record->number;
    statement->of = record->of;
    statement->operation = record->operation;
    statement->text_bytes = record->text_bytes;
    copy_name(statement->name, record->name);
    queue_init(&statement->text, RECORD_DB_KEPT_BYTES);
    queries->statements[queries->count++] = statement;
    return hold(queries, &statement->text, record->text);
}

static enum err take_more(struct replay_queries *queries, const struct record_db_more *record)
{
    struct statement *statement = find(queries, record->number);
    if (statement == NULL) {
        return ERR_NONE;
    }
    if (record->what == RECORD_DB_WHAT_TEXT) {
        return hold(queries, &statement->text, record->bytes);
    }
    for (size_t i = statement->parameter_count; i-- > 0;) {
        if (statement->parameters[i].index == record->index) {
            return hold(queries, &statement->parameters[i].bytes, record->bytes);
        }
    }
    return ERR_NONE; /* one that was cut */
}

static enum err take_parameter(struct replay_queries *queries, const struct record_db_parameter *record)
{
    struct statement *statement = find(queries, record->number);
    if (statement == NULL) {
        return ERR_NONE;
    }
    if (statement->parameter_count == REPLAY_QUERY_PARAMETERS_MAX) {
        statement->parameters_cut++;
        return ERR_NONE;
    }
    if (statement->parameter_count == statement->parameter_capacity) {
        size_t capacity = statement->parameter_capacity == 0 ? 8 : 2 * statement->parameter_capacity;
        struct parameter *more = realloc(statement->parameters, capacity * sizeof *more);
        if (more == NULL) {
            return ERR_MEMORY;
        }
        statement->parameters = more;
        statement->parameter_capacity = capacity;
    }
    struct parameter *parameter = &statement->parameters[statement->parameter_count++];
    *parameter = (struct parameter){
        .index = record->index,
        .value = {.type = record->type, .format = record->format, .value_bytes = record->value_bytes}};
    queue_init(&parameter->bytes, RECORD_DB_KEPT_BYTES);
    return hold(queries, &parameter->bytes, record->value);
}

static void take_copy(struct replay_queries *queries, const struct record_db_copy *record)
{
    struct statement *statement = find(queries, record->number);
    if (statement != NULL && statement->transfer_count < REPLAY_QUERY_TRANSFERS_MAX) {
        struct transfer *transfer = &statement->transfers[statement->transfer_count++];
        transfer->transfer = (struct replay_transfer){.what = record->what};
        copy_name(transfer->name, record->name);
    }
}

static void take_total(struct replay_queries *queries, const struct record_db_total *record)
{
    struct statement *statement = find(queries, record->number);
    if (statement == NULL) {
        return;
    }
    if (record->what == RECORD_DB_WHAT_TEXT) {
        statement->text_bytes = record->bytes;
        return;
    }
    for (size_t i = 0; i < statement->transfer_count; i++) {
        struct transfer *transfer = &statement->transfers[i];
        if (transfer->transfer.what == record->what && !transfer->transfer.has_ended) {
            transfer->transfer.has_ended = true;
            transfer->transfer.bytes = record->bytes;
            transfer->transfer.rows = record->rows;
            if (cursor_len(&record->sha256) == sizeof transfer->sha256) {
                memcpy(transfer->sha256, record->sha256.at, sizeof transfer->sha256);
                transfer->transfer.sha256 = cursor_of(transfer->sha256, sizeof transfer->sha256);
            }
            return;
        }
    }
}

static enum err take_result(struct replay_queries *queries, const struct record_db_result *record)
{
    TRY(forget_before(queries, record->number));
    struct statement *statement = find(queries, record->number);
    if (statement == NULL) {
        return ERR_NONE;
    }
    statement->results++;
    return tell(queries, statement, record);
}

enum err replay_queries_take(struct replay_queries *queries, uint64_t t_us, const struct record_body *body)
{
    switch ((unsigned)body->kind) {
    case RECORD_DB_STARTUP: {
        struct cursor protocol = body->db_startup.protocol;
        if (cursor_len(&protocol) < sizeof queries->protocol) {
            memset(queries->protocol, 0, sizeof queries->protocol);
            memcpy(queries->protocol, protocol.at, cursor_len(&protocol));
        }
        return ERR_NONE;
    }
    case RECORD_DB_STATEMENT:
        return take_statement(queries, t_us, &body->db_statement);
    case RECORD_DB_MORE:
        return take_more(queries, &body->db_more);
    case RECORD_DB_PARAMETER:
        return take_parameter(queries, &body->db_parameter);
    case RECORD_DB_COPY:
        take_copy(queries, &body->db_copy);
        return ERR_NONE;
    case RECORD_DB_TOTAL:
        take_total(queries, &body->db_total);
        return ERR_NONE;
    case RECORD_DB_RESULT:
        return take_result(queries, &body->db_result);
    default:
        return ERR_NONE;
    }
}

enum err replay_queries_finish(struct replay_queries *queries)
{
    enum err err = ERR_NONE;
    for (size_t i = 0; i < queries->count && err == ERR_NONE; i++) {
        err = tell_without_result(queries, queries->statements[i]);
    }
    return err;
}
