/* Bind and FunctionCall: lists of values, each perhaps long. */
#include <stdio.h>
#include <stdlib.h>

#include "pg_state.h"

enum { FORMAT_BITS_BYTES = 8192 }; /* 65,535 values */
#define VALUE_NULL UINT32_MAX      /* its length on the wire is -1 */

/** What stands before the values, and what is known of them. */
struct head {
    struct cursor formats; /* of 16 bits each */
    uint16_t format_count, count;
    uint32_t number;
    uint32_t slot; /* of the prepared statement, or PG_NO_SLOT */
    bool is_hidden;
};

/* ---- the head ---- */

static enum err read_formats(struct cursor *in, struct head *head)
{
    TRY(cursor_u16be(in, &head->format_count));
    TRY(cursor_bytes(in, (size_t)head->format_count * 2, &head->formats));
    TRY(cursor_u16be(in, &head->count));
    return head->format_count <= 1 || head->format_count == head->count ? ERR_NONE : ERR_MALFORMED;
}

static void set_portal(struct pg_relay *pg, struct pg_operation *operation, const struct pg_name *statement)
{
    struct pg_name *portal = pg_names_at(&pg->portals, operation->slot);
    pg_set_name(pg, operation, operation->number);
    portal->deallocates = statement != NULL ? statement->deallocates : PG_NO_SLOT;
    portal->is_secret = operation->is_secret;
    portal->is_unsettling = statement != NULL && statement->is_unsettling;
}

/* While something under way may have given a name another meaning, no statement is named as its meaning. */
static const struct pg_name *statement_named(struct pg_relay *pg, struct cursor name, uint32_t *ret_slot)
{
    *ret_slot = pg->unsettling == 0 ? pg_names_find(&pg->statements, name) : PG_NO_SLOT;
    const struct pg_name *statement = pg_names_at(&pg->statements, *ret_slot);
    return statement != NULL && statement->number != 0 ? statement : NULL;
}

static enum err begin_bind(struct pg_relay *pg, struct cursor *in, struct head *head)
{
    struct cursor portal;
    struct cursor name;
    bool is_secret = false;
    struct pg_operation operation = {.kind = PG_BIND, .is_portal = true, .slot = PG_NO_SLOT};
    TRY(cursor_until_nul(in, PG_SHORT_BYTES, &portal));
    TRY(cursor_until_nul(in, PG_SHORT_BYTES, &name));
    TRY(read_formats(in, head));
    const struct pg_name *statement = statement_named(pg, name, &head->slot);
    const struct record_db_statement record = {.number = ++pg->base.last_number,
                                               .operation = RECORD_DB_EXECUTE,
                                               .of = statement != NULL ? statement->number : 0,
                                               .name = name};
    TRY(pg_record_statement(pg, &record, &is_secret));
    head->number = record.number;
    head->is_hidden = statement != NULL && statement->is_secret;
    operation.number = record.number;
    operation.is_secret = head->is_hidden;
    if (!pg->is_skipping) {
        TRY(pg_names_slot(&pg->portals, portal, &operation.slot));
        set_portal(pg, &operation, statement);
    }
    return pg_expect(pg, operation);
}

static enum err begin_function(struct pg_relay *pg, struct cursor *in, struct head *head)
{
    uint32_t function = 0;
    char name[16];
    bool is_secret = false;
    TRY(cursor_u32be(in, &function));
    TRY(read_formats(in, head));
    (void)snprintf(name, sizeof name, "%u", function);
    const struct record_db_statement record = {
        .number = ++pg->base.last_number, .operation = RECORD_DB_FUNCTION, .name = cursor_of_text(name)};
    TRY(pg_record_statement(pg, &record, &is_secret));
    head->number = record.number;
    head->slot = PG_NO_SLOT;
    return pg_expect(pg,
                     (struct pg_operation){.kind = PG_FUNCTION, .number = record.number, .slot = PG_NO_SLOT});
}

static enum err begin_arguments(struct pg_relay *pg, uint8_t type, struct cursor *in, struct head *head)
{
    return type == 'B' ? begin_bind(pg, in, head) : begin_function(pg, in, head);
}

/* ---- values ---- */

/** One value: `seen` is all of it, or its first RECORD_DB_KEPT_BYTES. */
struct value {
    uint32_t number, index, type;
    bool is_binary, is_null, is_hidden;
    uint64_t bytes;
    struct cursor seen;
};

static enum err record_value_total(struct pg_relay *pg, uint32_t number, uint32_t index, uint64_t bytes)
{
    uint8_t digest[CRYPTO_SHA256_BYTES];
    crypto_sha256_end(&pg->hash, digest);
    const struct record_db_total total = {.number = number,
                                          .what = RECORD_DB_WHAT_PARAMETER,
                                          .index = index,
                                          .bytes = bytes,
                                          .sha256 = cursor_of(digest, sizeof digest)};
    return pg_record_total(pg, &total);
}

static uint8_t format_of(const struct pg_relay *pg, const struct value *value)
{
    if (value->is_null) {
        return RECORD_DB_NULL;
    }
    if (value->is_hidden || pg->base.rights.params == DB_PARAMS_HASH) {
        return RECORD_DB_HASH_ONLY;
    }
    return value->is_binary ? RECORD_DB_AS_BINARY : RECORD_DB_AS_TEXT;
}

static enum err record_value_start(struct pg_relay *pg, const struct value *value)
{
    struct record_body body = {.kind = RECORD_DB_PARAMETER};
    struct cursor kept = value->seen;
    uint8_t format = format_of(pg, value);
    if (format == RECORD_DB_HASH_ONLY) {
        kept.end = kept.at;
    } else if (cursor_len(&kept) > RECORD_DB_KEPT_BYTES) {
        kept = cursor_of(kept.at, RECORD_DB_KEPT_BYTES);
    }
    body.db_parameter = (struct record_db_parameter){.number = value->number,
                                                     .index = value->index,
                                                     .type = value->type,
                                                     .format = format,
                                                     .value_bytes = value->bytes};
    size_t piece = cursor_len(&kept) < RECORD_DB_PIECE_BYTES ? cursor_len(&kept) : RECORD_DB_PIECE_BYTES;
    TRY(cursor_bytes(&kept, piece, &body.db_parameter.value));
    TRY(db_record(&pg->base, &body));
    return pg_record_more(
        pg, (struct record_db_more){value->number, RECORD_DB_WHAT_PARAMETER, value->index, kept});
}

/* Whether a value's hash is recorded: where not all of it is. */
static bool is_hashed(const struct pg_relay *pg, const struct value *value)
{
    return !value->is_null && !value->is_hidden &&
           (value->bytes > RECORD_DB_KEPT_BYTES || pg->base.rights.params == DB_PARAMS_HASH);
}

static enum err record_value(struct pg_relay *pg, const struct value *value)
{
    if (pg->base.rights.params == DB_PARAMS_NONE) {
        return ERR_NONE;
    }
    TRY(record_value_start(pg, value));
    if (!is_hashed(pg, value)) {
        return ERR_NONE;
    }
    crypto_sha256_init(&pg->hash);
    crypto_sha256_add(&pg->hash, value->seen);
    return cursor_len(&value->seen) == value->bytes
               ? record_value_total(pg, value->number, value->index, value->bytes)
               : ERR_NONE;
}

/* The next of the formats; the only one is for all. */
static enum err next_format(struct cursor *formats, uint16_t format_count, uint16_t *ret_format)
{
    struct cursor peek = *formats;
    *ret_format = 0;
    return format_count == 0 ? ERR_NONE : cursor_u16be(format_count == 1 ? &peek : formats, ret_format);
}

static enum err read_value(struct pg_relay *pg, struct head *head, uint32_t index, struct cursor *in)
{
    uint16_t format = 0;
    uint32_t len = 0;
    TRY(next_format(&head->formats, head->format_count, &format));
    TRY(cursor_u32be(in, &len));
    struct value value = {.number = head->number,
                          .index = index,
                          .type = pg_name_type(pg_names_at(&pg->statements, head->slot), index),
                          .is_binary = format == 1,
                          .is_null = len == VALUE_NULL,
                          .is_hidden = head->is_hidden};
    if (!value.is_null) {
        value.bytes = len;
        TRY(cursor_bytes(in, len, &value.seen));
    }
    return record_value(pg, &value);
}

/* What stands behind the values: the formats of results. */
static enum err read_tail(uint8_t type, struct cursor in)
{
    uint16_t count = 1;
    struct cursor formats;
    if (type == 'B') {
        TRY(cursor_u16be(&in, &count));
    }
    TRY(cursor_bytes(&in, (size_t)count * 2, &formats));
    return cursor_end(&in);
}

enum err pg_arguments(struct pg_relay *pg, uint8_t type, struct cursor body)
{
    struct head head = {0};
    TRY(begin_arguments(pg, type, &body, &head));
    for (uint32_t index = 0; index < head.count; index++) {
        TRY(read_value(pg, &head, index, &body));
    }
    return read_tail(type, body);
}

/* ---- the same in pieces ---- */

static enum err keep_formats(struct pg_relay *pg, const struct head *head)
{
    struct cursor formats = head->formats;
    pg->formats = pg->formats != NULL ? pg->formats : calloc(1, FORMAT_BITS_BYTES);
    if (pg->formats == NULL) {
        return ERR_MEMORY;
    }
    for (uint32_t index = 0; index < head->format_count; index++) {
        uint16_t format = 0;
        TRY(cursor_u16be(&formats, &format));
        uint8_t bit = (uint8_t)(1U << (index & 7));
        uint8_t *bits = &pg->formats[index >> 3];
        *bits = (uint8_t)(format == 1 ? *bits | bit : *bits & ~bit);
    }
    return ERR_NONE;
}

static bool kept_format(const struct pg_relay *pg, uint32_t index)
{
    const struct pg_long *message = &pg->long_message;
    uint32_t at = message->format_count == 1 ? 0 : index;
    return at < message->format_count && (pg->formats[at >> 3] >> (at & 7) & 1) != 0;
}

enum err pg_arguments_begin(struct pg_relay *pg, uint8_t type, struct cursor view, size_t *ret_taken_bytes)
{
    struct head head = {0};
    struct cursor rest = view;
    TRY(begin_arguments(pg, type, &rest, &head));
    TRY(keep_formats(pg, &head));
    struct pg_long *message = &pg->long_message;
    message->count = head.count;
    message->format_count = head.format_count;
    message->number = head.number;
    message->slot = head.slot;
    message->is_hidden = head.is_hidden;
    *ret_taken_bytes = (size_t)(rest.at - view.at);
    return ERR_NONE;
}

/* Its length and what is kept of it pass at once, the rest as it comes. */
static enum err begin_value(struct pg_relay *pg, struct cursor *bytes)
{
    struct pg_long *message = &pg->long_message;
    struct cursor view;
    uint32_t len = 0;
    if (message->left_bytes < 4) {
        return ERR_MALFORMED;
    }
    TRY(pg_see(pg, bytes, 4, &view));
    TRY(cursor_u32be(&view, &len));
    struct value value = {.number = message->number,
                          .index = message->index,
                          .type = pg_name_type(pg_names_at(&pg->statements, message->slot), message->index),
                          .is_binary = kept_format(pg, message->index),
                          .is_null = len == VALUE_NULL,
                          .is_hidden = message->is_hidden};
    uint32_t seen_bytes = 0;
    if (!value.is_null) {
        if (len > message->left_bytes - 4) {
            return ERR_MALFORMED;
        }
        seen_bytes = len < RECORD_DB_KEPT_BYTES ? len : RECORD_DB_KEPT_BYTES;
        TRY(pg_see(pg, bytes, 4 + (size_t)seen_bytes, &view));
        value.bytes = len;
        value.seen = cursor_of(view.at + 4, seen_bytes);
    }
    TRY(record_value(pg, &value));
    message->left_bytes -= 4 + seen_bytes;
    message->value_bytes = value.bytes;
    message->value_left_bytes = (uint32_t)value.bytes - seen_bytes;
    message->index += message->value_left_bytes == 0;
    return pg_let_pass(pg, bytes, 4 + (size_t)seen_bytes);
}

static enum err more_of_value(struct pg_relay *pg, struct cursor part)
{
    struct pg_long *message = &pg->long_message;
    bool is_recorded = pg->base.rights.params != DB_PARAMS_NONE && !message->is_hidden;
    if (is_recorded) {
        crypto_sha256_add(&pg->hash, part);
    }
    message->value_left_bytes -= (uint32_t)cursor_len(&part);
    if (message->value_left_bytes > 0) {
        return ERR_NONE;
    }
    uint32_t index = message->index++;
    return is_recorded ? record_value_total(pg, message->number, index, message->value_bytes) : ERR_NONE;
}

enum err pg_arguments_more(struct pg_relay *pg, struct cursor *bytes)
{
    struct pg_long *message = &pg->long_message;
    bool is_in_value = message->value_left_bytes > 0;
    if (!is_in_value && message->index < message->count) {
        return begin_value(pg, bytes);
    }
    /* The rest of a value, or what stands behind the last one. */
    struct cursor part;
    uint32_t most_bytes = is_in_value ? message->value_left_bytes : message->left_bytes;
    size_t there_bytes = queue_len(&pg->held) > 0 ? queue_len(&pg->held) : cursor_len(bytes);
    if (there_bytes == 0 && most_bytes > 0) {
        return ERR_AGAIN;
    }
    size_t part_bytes = there_bytes < most_bytes ? there_bytes : most_bytes;
    TRY(pg_see(pg, bytes, part_bytes, &part));
    if (is_in_value) {
        TRY(more_of_value(pg, part));
    }
    message->left_bytes -= (uint32_t)part_bytes;
    return pg_let_pass(pg, bytes, part_bytes);
}
