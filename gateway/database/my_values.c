/* The parameters of COM_STMT_EXECUTE, read from bytes that are cut anywhere: a bit for each NULL, whether
 * types follow, types, values. Types that do not come are those of the last time. What is not understood is
 * recorded as bytes, under an index that no parameter has. */
#include "my_state.h"

#include <string.h>

enum { TYPE_BYTES = 2 };
#define REST_INDEX UINT32_MAX

/** How long a value of a type is. */
enum form {
    FORM_UNKNOWN = 0,
    FORM_FIXED,
    FORM_SHORT,  /* one byte of length: dates and times */
    FORM_BINARY, /* length-encoded */
    FORM_TEXT,
};
struct type_row {
    uint8_t form, size_bytes;
};
/* MYSQL_TYPE_*; the high byte of a type says "unsigned" and changes no length. */
static const struct type_row TYPES[UINT8_MAX + 1] = {
    [0x00] = {FORM_TEXT, 0},   /* DECIMAL */
    [0x01] = {FORM_FIXED, 1},  /* TINY */
    [0x02] = {FORM_FIXED, 2},  /* SHORT */
    [0x03] = {FORM_FIXED, 4},  /* LONG */
    [0x04] = {FORM_FIXED, 4},  /* FLOAT */
    [0x05] = {FORM_FIXED, 8},  /* DOUBLE */
    [0x06] = {FORM_FIXED, 0},  /* NULL */
    [0x07] = {FORM_SHORT, 0},  /* TIMESTAMP */
    [0x08] = {FORM_FIXED, 8},  /* LONGLONG */
    [0x09] = {FORM_FIXED, 4},  /* INT24 */
    [0x0a] = {FORM_SHORT, 0},  /* DATE */
    [0x0b] = {FORM_SHORT, 0},  /* TIME */
    [0x0c] = {FORM_SHORT, 0},  /* DATETIME */
    [0x0d] = {FORM_FIXED, 2},  /* YEAR */
    [0x0f] = {FORM_TEXT, 0},   /* VARCHAR */
    [0x10] = {FORM_BINARY, 0}, /* BIT */
    [0xf2] = {FORM_BINARY, 0}, /* VECTOR */
    [0xf5] = {FORM_TEXT, 0},   /* JSON */
    [0xf6] = {FORM_TEXT, 0},   /* NEWDECIMAL */
    [0xf7] = {FORM_TEXT, 0},   /* ENUM */
    [0xf8] = {FORM_TEXT, 0},   /* SET */
    [0xf9] = {FORM_BINARY, 0}, /* TINY_BLOB */
    [0xfa] = {FORM_BINARY, 0}, /* MEDIUM_BLOB */
    [0xfb] = {FORM_BINARY, 0}, /* LONG_BLOB */
    [0xfc] = {FORM_BINARY, 0}, /* BLOB */
    [0xfd] = {FORM_TEXT, 0},   /* VAR_STRING */
    [0xfe] = {FORM_TEXT, 0},   /* STRING */
    [0xff] = {FORM_BINARY, 0}, /* GEOMETRY */
};

static uint16_t type_of(const struct my_values *values)
{
    const uint8_t *type = values->statement->types + (size_t)values->index * TYPE_BYTES;
    return (uint16_t)(type[0] | type[1] << 8);
}

static struct type_row row_of(const struct my_values *values)
{
    return TYPES[type_of(values) & UINT8_MAX];
}

static bool is_null(const struct my_values *values)
{
    return (values->nulls[values->index / 8] >> (values->index % 8) & 1) != 0;
}

static enum err record_parameter(struct my_relay *my, uint8_t format, uint32_t type, uint64_t value_bytes,
                                 struct cursor value)
{
    const struct record_body body = {.kind = RECORD_DB_PARAMETER,
                                     .db_parameter = {.number = my->values.number,
                                                      .index = my->values.index,
                                                      .type = type,
                                                      .format = format,
                                                      .value_bytes = value_bytes,
                                                      .value = value}};
    return my->values.params == DB_PARAMS_NONE ? ERR_NONE : db_record(&my->common, &body);
}

/* Values */

enum db_params my_params_of(const struct my_relay *my, const struct my_statement *statement)
{
    return statement != NULL && statement->is_secret ? DB_PARAMS_NONE : my->common.rights.params;
}

static void begin_value(struct my_relay *my, uint64_t value_bytes)
{
    struct my_values *values = &my->values;
    values->left_bytes = value_bytes;
    values->is_told = false;
    my_keep_begin(&values->keep, values->number, RECORD_DB_WHAT_PARAMETER, values->index, value_bytes,
                  values->params == DB_PARAMS_FULL ? RECORD_DB_KEPT_BYTES : 0);
}

static enum err add_to_value(struct my_relay *my, uint8_t format, uint32_t type, uint64_t value_bytes,
                             struct cursor bytes)
{
    struct my_values *values = &my->values;
    if (values->params == DB_PARAMS_NONE) {
        return ERR_NONE;
    }
    struct cursor first = cursor_of(NULL, 0);
    if (!values->is_told) {
        values->is_told = true;
        first = my_keep_first(&values->keep, bytes);
        TRY(record_parameter(my, values->params == DB_PARAMS_HASH ? RECORD_DB_HASH_ONLY : format, type,
                             value_bytes, first));
    }
    return my_keep_add(&my->common, &values->keep, bytes, cursor_len(&first));
}

static enum err end_value(struct my_relay *my)
{
    return my->values.params == DB_PARAMS_NONE ? ERR_NONE : my_keep_end(&my->common, &my->values.keep, 0);
}

/* A parameter that was sent before: its hash says which bytes are meant. */
static enum err record_long(struct my_relay *my, const struct my_long *entry)
{
    if (my->values.params == DB_PARAMS_NONE) {
        return ERR_NONE;
    }
    uint8_t digest[CRYPTO_SHA256_BYTES];
    crypto_sha256_peek(&entry->keep.hash, digest);
    TRY(record_parameter(my, RECORD_DB_HASH_ONLY, type_of(&my->values), entry->keep.seen_bytes,
                         cursor_of(NULL, 0)));
    const struct record_body body = {.kind = RECORD_DB_TOTAL,
                                     .db_total = {.number = my->values.number,
                                                  .what = RECORD_DB_WHAT_PARAMETER,
                                                  .index = my->values.index,
                                                  .bytes = entry->keep.seen_bytes,
                                                  .rows = entry->pieces,
                                                  .sha256 = cursor_of(digest, sizeof digest)}};
    return db_record(&my->common, &body);
}

static void begin_rest(struct my_relay *my)
{
    my->values.state = MY_VALUES_REST;
    my->values.index = REST_INDEX;
    begin_value(my, RECORD_DB_LENGTH_LATER);
}

/* Up to the next parameter that has bytes. */
static enum err next_value(struct my_relay *my)
{
    struct my_values *values = &my->values;
    for (; values->index < values->statement->parameters; values->index++) {
        const struct my_long *entry = my_long_find(my, values->statement->id, values->index);
        struct type_row row = row_of(values);
        if (entry != NULL) {
            TRY(record_long(my, entry));
        } else if (is_null(values) || (row.form == FORM_FIXED && row.size_bytes == 0)) {
            TRY(record_parameter(my, RECORD_DB_NULL, type_of(values), 0, cursor_of(NULL, 0)));
        } else if (row.form == FORM_FIXED) {
            begin_value(my, row.size_bytes);
            values->state = MY_VALUES_BYTES;
            return ERR_NONE;
        } else if (row.form != FORM_UNKNOWN) {
            values->length_bytes = 0;
            values->state = MY_VALUES_LENGTH;
            return ERR_NONE;
        } else {
            break;
        }
    }
    begin_rest(my);
    return ERR_NONE;
}

static enum err add_to_length(struct my_relay *my, struct cursor *in)
{
    struct my_values *values = &my->values;
    uint64_t value_bytes = 0;
    TRY(cursor_u8(in, &values->length[values->length_bytes++]));
    struct cursor length = cursor_of(values->length, values->length_bytes);
    enum err err = ERR_NONE;
    if (row_of(values).form == FORM_SHORT) {
        value_bytes = values->length[0];
    } else {
        err = my_read_length(&length, &value_bytes);
    }
    if (err == ERR_TRUNCATED) {
        return ERR_NONE;
    }
    if (err != ERR_NONE) {
        begin_rest(my);
        return ERR_NONE;
    }
    begin_value(my, value_bytes);
    values->state = MY_VALUES_BYTES;
    return ERR_NONE;
}

static struct cursor take_at_most(struct cursor *in, uint64_t max_bytes)
{
    size_t len_bytes = cursor_len(in) < max_bytes ? cursor_len(in) : (size_t)max_bytes;
    struct cursor piece = cursor_of(in->at, len_bytes);
    in->at += len_bytes;
    return piece;
}

static enum err add_bytes(struct my_relay *my, struct cursor *in)
{
    struct my_values *values = &my->values;
    struct type_row row = row_of(values);
    uint64_t value_bytes = values->keep.seen_bytes + values->left_bytes;
    struct cursor piece = take_at_most(in, values->left_bytes);
    values->left_bytes -= cursor_len(&piece);
    TRY(add_to_value(my, row.form == FORM_TEXT ? RECORD_DB_AS_TEXT : RECORD_DB_AS_BINARY, type_of(values),
                     value_bytes, piece));
    if (values->left_bytes > 0) {
        return ERR_NONE;
    }
    TRY(end_value(my));
    values->index++;
    return next_value(my);
}

/* What comes before the values */

static enum err add_nulls(struct my_values *values, struct cursor *in)
{
    size_t at = (size_t)(values->statement->parameters + 7) / 8 - (size_t)values->left_bytes;
    struct cursor piece = take_at_most(in, values->left_bytes);
    memcpy(values->nulls + at, piece.at, cursor_len(&piece));
    values->left_bytes -= cursor_len(&piece);
    if (values->left_bytes == 0) {
        values->state = MY_VALUES_BOUND;
    }
    return ERR_NONE;
}

static enum err add_bound(struct my_relay *my, struct cursor *in)
{
    struct my_values *values = &my->values;
    uint8_t is_bound = 0;
    TRY(cursor_u8(in, &is_bound));
    if (is_bound != 0) {
        TRY(my_statements_types(&my->statements, values->statement));
        values->left_bytes = (uint64_t)values->statement->parameters * TYPE_BYTES;
        values->state = MY_VALUES_TYPES;
        return ERR_NONE;
    }
    if (!values->statement->has_types) {
        begin_rest(my);
        return ERR_NONE;
    }
    return next_value(my);
}

static enum err add_types(struct my_relay *my, struct cursor *in)
{
    struct my_values *values = &my->values;
    size_t at = (size_t)values->statement->parameters * TYPE_BYTES - (size_t)values->left_bytes;
    struct cursor piece = take_at_most(in, values->left_bytes);
    memcpy(values->statement->types + at, piece.at, cursor_len(&piece));
    values->left_bytes -= cursor_len(&piece);
    if (values->left_bytes > 0) {
        return ERR_NONE;
    }
    values->statement->has_types = true;
    return next_value(my);
}

/* The whole */

void my_values_begin(struct my_relay *my, struct my_statement *statement, uint32_t number)
{
    struct my_values *values = &my->values;
    values->statement = statement;
    values->params = my_params_of(my, statement);
    values->number = number;
    values->index = 0;
    values->state = MY_VALUES_NULLS;
    if (statement == NULL || statement->parameters == 0) {
        begin_rest(my);
        return;
    }
    values->left_bytes = ((uint64_t)statement->parameters + 7) / 8;
}

enum err my_values_add(struct my_relay *my, struct cursor bytes)
{
    struct my_values *values = &my->values;
    /* A value without bytes is told before more of them is asked for. */
    while (cursor_len(&bytes) > 0 || (values->state == MY_VALUES_BYTES && values->left_bytes == 0)) {
        switch (values->state) {
        case MY_VALUES_NULLS:
            TRY(add_nulls(values, &bytes));
            break;
        case MY_VALUES_BOUND:
            TRY(add_bound(my, &bytes));
            break;
        case MY_VALUES_TYPES:
            TRY(add_types(my, &bytes));
            break;
        case MY_VALUES_LENGTH:
            TRY(add_to_length(my, &bytes));
            break;
        case MY_VALUES_BYTES:
            TRY(add_bytes(my, &bytes));
            break;
        case MY_VALUES_REST:
            TRY(add_to_value(my, RECORD_DB_AS_BINARY, 0, RECORD_DB_LENGTH_LATER, bytes));
            return ERR_NONE;
        }
    }
    return ERR_NONE;
}

enum err my_values_end(struct my_relay *my)
{
    struct my_values *values = &my->values;
    if ((values->state == MY_VALUES_BYTES || values->state == MY_VALUES_REST) && values->is_told) {
        TRY(end_value(my));
    }
    if (values->statement != NULL) {
        uint32_t id = values->statement->id;
        values->statement = NULL;
        return my_longs_end(my, &id);
    }
    return ERR_NONE;
}
