/* COM_STMT_SEND_LONG_DATA: a parameter sent piece by piece before its statement is executed. Nothing answers
 * it. All pieces of one parameter are one statement of the recording; the execution repeats their hash. */
#include <stdlib.h>

#include "my_state.h"

struct my_long *my_long_find(struct my_relay *my, uint32_t statement_id, uint32_t index)
{
    for (size_t i = 0; i < my->long_count; i++) {
        if (my->longs[i].statement_id == statement_id && my->longs[i].index == index) {
            return &my->longs[i];
        }
    }
    return NULL;
}

static enum err begin_long(struct my_relay *my, uint32_t statement_id, uint16_t index,
                           struct my_long **ret_long)
{
    if (my->longs == NULL) {
        my->longs = calloc(MY_LONG_MAX, sizeof *my->longs);
        if (my->longs == NULL) {
            return ERR_MEMORY;
        }
    }
    if (my->long_count == MY_LONG_MAX) {
        return my_end(my, DB_END_CLIENT, &MY_UNKNOWN_COMMAND,
                      "too many parameters come piece by piece at once");
    }
    const struct my_statement *statement = my_statements_find(&my->statements, statement_id);
    const struct record_db_statement record = {.number = ++my->common.last_number,
                                               .operation = RECORD_DB_COMMAND,
                                               .of = statement == NULL ? 0 : statement->number,
                                               .name = cursor_of_text("send long data")};
    TRY(my_record_statement(my, &record));
    struct my_long *entry = &my->longs[my->long_count++];
    entry->statement_id = statement_id;
    entry->index = index;
    entry->pieces = 0;
    entry->params = my_params_of(my, statement);
    my_keep_begin(&entry->keep, record.number, RECORD_DB_WHAT_PARAMETER, index, RECORD_DB_LENGTH_LATER,
                  entry->params == DB_PARAMS_FULL ? RECORD_DB_KEPT_BYTES : 0);
    *ret_long = entry;
    return ERR_NONE;
}

/* The first piece has the record that tells of the parameter. */
static enum err add_piece(struct my_relay *my, struct my_long *entry, struct cursor bytes)
{
    struct cursor first = cursor_of(NULL, 0);
    if (entry->pieces++ == 0 && entry->params != DB_PARAMS_NONE) {
        first = my_keep_first(&entry->keep, bytes);
        const struct record_body body = {.kind = RECORD_DB_PARAMETER,
                                         .db_parameter = {.number = entry->keep.number,
                                                          .index = entry->index,
                                                          .format = entry->params == DB_PARAMS_FULL
                                                                        ? RECORD_DB_AS_BINARY
                                                                        : RECORD_DB_HASH_ONLY,
                                                          .value_bytes = RECORD_DB_LENGTH_LATER,
                                                          .value = first}};
        TRY(db_record(&my->common, &body));
    }
    return my_keep_add(&my->common, &entry->keep, bytes, cursor_len(&first));
}

enum err my_decide_long(struct my_relay *my, struct cursor in, struct my_decision *decision)
{
    uint64_t id = 0;
    uint64_t index = 0;
    if (cursor_uint_le(&in, 4, &id) != ERR_NONE || cursor_uint_le(&in, 2, &index) != ERR_NONE) {
        return my_end(my, DB_END_CLIENT, &MY_UNKNOWN_COMMAND, "a piece of a parameter is cut short");
    }
    struct my_long *entry = my_long_find(my, (uint32_t)id, (uint32_t)index);
    if (entry == NULL) {
        TRY(begin_long(my, (uint32_t)id, (uint16_t)index, &entry));
    }
    if (entry == NULL) {
        return ERR_NONE; /* the connection is over */
    }
    my->message.piece_of = entry;
    decision->rest = MY_REST_LONG;
    return add_piece(my, entry, in);
}

enum err my_long_add(struct my_relay *my, struct cursor bytes)
{
    return my_keep_add(&my->common, &my->message.piece_of->keep, bytes, 0);
}

enum err my_longs_end(struct my_relay *my, const uint32_t *statement_id)
{
    for (size_t i = my->long_count; i > 0; i--) {
        struct my_long *entry = &my->longs[i - 1];
        if (statement_id != NULL && entry->statement_id != *statement_id) {
            continue;
        }
        if (entry->params != DB_PARAMS_NONE) {
            TRY(my_keep_end(&my->common, &entry->keep, entry->pieces));
        }
        /* The last one takes its place, and its hash context stays with the free places. */
        struct my_long ended = *entry;
        *entry = my->longs[my->long_count - 1];
        my->longs[my->long_count - 1] = ended;
        my->long_count--;
    }
    return ERR_NONE;
}
