/* What a client asks: texts, prepared and run. Each is recorded before it passes. */
#include <string.h>

#include "base/text.h"
#include "pg_state.h"
#include "redact.h"

enum { DEALLOCATE_LETTERS = 10 };

/* ---- records ---- */

enum err pg_record_more(struct pg_relay *pg, struct record_db_more more)
{
    struct cursor left = more.bytes;
    while (cursor_len(&left) > 0) {
        struct record_body body = {.kind = RECORD_DB_MORE, .db_more = more};
        size_t len = cursor_len(&left) < RECORD_DB_PIECE_BYTES ? cursor_len(&left) : RECORD_DB_PIECE_BYTES;
        TRY(cursor_bytes(&left, len, &body.db_more.bytes));
        TRY(db_record(&pg->base, &body));
    }
    return ERR_NONE;
}

enum err pg_record_statement(struct pg_relay *pg, const struct record_db_statement *statement,
                             bool *ret_is_secret)
{
    struct record_body body = {.kind = RECORD_DB_STATEMENT, .db_statement = *statement};
    struct cursor kept = statement->text;
    if (cursor_len(&kept) > RECORD_DB_KEPT_BYTES) {
        kept = cursor_of(kept.at, RECORD_DB_KEPT_BYTES);
    }
    TRY(db_redact(DB_POSTGRES, kept, &pg->redacted, &kept, ret_is_secret));
    if (cursor_len(&kept) > RECORD_DB_KEPT_BYTES) {
        kept = cursor_of(kept.at, RECORD_DB_KEPT_BYTES);
    }
    size_t piece = cursor_len(&kept) < RECORD_DB_PIECE_BYTES ? cursor_len(&kept) : RECORD_DB_PIECE_BYTES;
    TRY(cursor_bytes(&kept, piece, &body.db_statement.text));
    if (*ret_is_secret && body.db_statement.text_bytes < piece) {
        body.db_statement.text_bytes = piece; /* stars may be longer than what they hide */
    }
    TRY(db_record(&pg->base, &body));
    TRY(pg_record_more(pg, (struct record_db_more){statement->number, RECORD_DB_WHAT_TEXT, 0, kept}));
    queue_consume(&pg->redacted, queue_len(&pg->redacted));
    return ERR_NONE;
}

enum err pg_record_total(struct pg_relay *pg, const struct record_db_total *total)
{
    const struct record_body body = {.kind = RECORD_DB_TOTAL, .db_total = *total};
    return db_record(&pg->base, &body);
}

/* The end of a text that was not kept whole. */
static enum err record_text_total(struct pg_relay *pg, uint32_t number, uint64_t text_bytes, bool is_hidden)
{
    uint8_t digest[CRYPTO_SHA256_BYTES];
    crypto_sha256_end(&pg->hash, digest);
    const struct record_db_total total = {.number = number,
                                          .what = RECORD_DB_WHAT_TEXT,
                                          .bytes = text_bytes,
                                          .sha256 = cursor_of(digest, is_hidden ? 0 : sizeof digest)};
    return pg_record_total(pg, &total);
}

/* Of a text that is not kept whole: at once, or as the rest of it comes. */
static enum err hash_text(struct pg_relay *pg, const struct record_db_statement *statement, bool is_whole,
                          bool is_secret)
{
    uint64_t seen_bytes = cursor_len(&statement->text);
    if (is_whole && seen_bytes <= RECORD_DB_KEPT_BYTES) {
        return ERR_NONE;
    }
    crypto_sha256_init(&pg->hash);
    crypto_sha256_add(&pg->hash, statement->text);
    if (is_whole) {
        return record_text_total(pg, statement->number, seen_bytes, is_secret);
    }
    pg->long_message.number = statement->number;
    pg->long_message.value_bytes = seen_bytes;
    pg->long_message.is_hidden = is_secret;
    return ERR_NONE;
}

enum err pg_expect(struct pg_relay *pg, struct pg_operation operation)
{
    operation.change = ++pg->changes;
    operation.since_us = pg->base.now_us;
    if (operation.kind == PG_SYNC) {
        pg->is_skipping = false;
    }
    if (pg->is_skipping) {
        return pg_record_unanswered(pg, operation.number, RECORD_DB_SKIPPED, operation.since_us);
    }
    pg->unsettling += operation.is_unsettling;
    return pg_operations_add(&pg->operations, &operation);
}

/* ---- texts that change what names stand for ---- */

static bool is_identifier(uint8_t letter)
{
    letter = text_lower(letter);
    return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '_' ||
           letter >= 0x80;
}

static bool begins_with_word(struct cursor text, const char *word)
{
    size_t len = strlen(word);
    return text_begins_with(text, word) && (cursor_len(&text) == len || !is_identifier(text.at[len]));
}

/* Whether a statement in it may be DEALLOCATE, DISCARD, DECLARE or CLOSE: then names are not trusted until it
 * was answered. A statement begins at the beginning, behind a semicolon, and perhaps behind a comment. */
static bool is_unsettling(struct cursor text)
{
    bool may_begin = true;
    for (; text.at != text.end; text.at++) {
        uint8_t letter = *text.at;
        if (may_begin && (begins_with_word(text, "deallocate") || begins_with_word(text, "discard") ||
                          begins_with_word(text, "declare") || begins_with_word(text, "close"))) {
            return true;
        }
        bool is_blank = letter == ' ' || (letter >= '\t' && letter <= '\r');
        may_begin = letter == ';' || letter == '\n' || letter == '/' || (may_begin && is_blank);
    }
    return false;
}

static struct cursor skip_blanks(struct cursor text)
{
    while (text.at != text.end && (*text.at == ' ' || (*text.at >= '\t' && *text.at <= '\r'))) {
        text.at++;
    }
    return text;
}

/* The one name in `DEALLOCATE [PREPARE] name [;]`. @return false for anything else */
static bool deallocated_name(struct cursor text, uint8_t ret_name[static PG_NAME_BYTES], size_t *ret_len)
{
    text = skip_blanks(text);
    if (!text_begins_with(text, "deallocate")) {
        return false;
    }
    text = skip_blanks(cursor_of(text.at + DEALLOCATE_LETTERS, cursor_len(&text) - DEALLOCATE_LETTERS));
    bool is_quoted = text.at != text.end && *text.at == '"';
    text.at += is_quoted;
    size_t len = 0;
    while (text.at != text.end && (is_quoted ? *text.at != '"' : is_identifier(*text.at))) {
        if (len < PG_NAME_BYTES) {
            ret_name[len++] = is_quoted ? *text.at : text_lower(*text.at);
        }
        text.at++;
    }
    text.at += is_quoted && text.at != text.end;
    text = skip_blanks(text);
    text.at += text.at != text.end && *text.at == ';';
    text = skip_blanks(text);
    *ret_len = len;
    return len > 0 && text.at == text.end;
}

static uint32_t deallocated_slot(struct pg_relay *pg, struct cursor text)
{
    uint8_t name[PG_NAME_BYTES];
    size_t len = 0;
    return deallocated_name(text, name, &len) ? pg_names_find(&pg->statements, cursor_of(name, len))
                                              : PG_NO_SLOT;
}

/* ---- Query ---- */

enum err pg_query(struct pg_relay *pg, struct cursor body, uint32_t body_bytes)
{
    struct cursor text = body;
    bool is_whole = cursor_len(&body) == body_bytes;
    if (is_whole) {
        TRY(cursor_until_nul(&body, PG_WHOLE_BYTES, &text));
        TRY(cursor_end(&body));
    }
    const struct record_db_statement statement = {.number = ++pg->base.last_number,
                                                  .operation = RECORD_DB_QUERY,
                                                  .text_bytes = body_bytes - 1,
                                                  .text = text};
    bool is_secret = false;
    TRY(pg_record_statement(pg, &statement, &is_secret));
    TRY(hash_text(pg, &statement, is_whole, is_secret));
    const struct pg_operation operation = {.kind = PG_QUERY,
                                           .number = statement.number,
                                           .is_secret = is_secret,
                                           .is_unsettling = is_unsettling(text),
                                           .slot = deallocated_slot(pg, text)};
    return pg_expect(pg, operation);
}

enum err pg_more_text(struct pg_relay *pg, struct cursor bytes)
{
    struct pg_long *message = &pg->long_message;
    bool is_last = message->left_bytes == 0;
    if (message->type == 'Q' && is_last) {
        bytes.end--; /* the NUL, if the server finds it to be one */
    } else if (message->type == 'P' && !message->has_ended_text) {
        const uint8_t *nul = cursor_len(&bytes) == 0 ? NULL : memchr(bytes.at, 0, cursor_len(&bytes));
        message->has_ended_text = nul != NULL;
        bytes.end = nul != NULL ? nul : bytes.end;
    } else if (message->type == 'P') {
        bytes.end = bytes.at; /* types of parameters */
    }
    crypto_sha256_add(&pg->hash, bytes);
    message->value_bytes += cursor_len(&bytes);
    return is_last ? record_text_total(pg, message->number, message->value_bytes, message->is_hidden)
                   : ERR_NONE;
}

/* ---- Parse, Describe, Execute, Close ---- */

static enum err remember_parse(struct pg_relay *pg, struct cursor name,
                               const struct record_db_statement *statement, struct cursor types,
                               uint16_t type_count, bool is_secret)
{
    struct pg_operation operation = {
        .kind = PG_PARSE, .number = statement->number, .is_secret = is_secret, .slot = PG_NO_SLOT};
    if (!pg->is_skipping) {
        TRY(pg_names_slot(&pg->statements, name, &operation.slot));
        struct pg_name *entry = pg_names_at(&pg->statements, operation.slot);
        pg_set_name(pg, &operation, statement->number);
        /* A Parse that fails leaves the older one, whose parameters stay hidden. */
        bool is_older_secret = operation.slot != 0 && operation.previous != 0 && entry->is_secret;
        entry->is_secret = is_secret || is_older_secret;
        entry->is_unsettling = is_unsettling(statement->text);
        entry->deallocates = deallocated_slot(pg, statement->text);
        TRY(pg_name_set_types(entry, types, type_count));
    }
    return pg_expect(pg, operation);
}

enum err pg_parse(struct pg_relay *pg, struct cursor body, uint32_t body_bytes)
{
    struct cursor name;
    struct cursor types = {0};
    uint16_t type_count = 0;
    bool is_whole = cursor_len(&body) == body_bytes;
    struct record_db_statement statement = {.number = ++pg->base.last_number, .operation = RECORD_DB_PREPARE};
    TRY(cursor_until_nul(&body, PG_SHORT_BYTES, &name));
    statement.name = name;
    if (is_whole) {
        TRY(cursor_until_nul(&body, PG_WHOLE_BYTES, &statement.text));
        TRY(cursor_u16be(&body, &type_count));
        TRY(cursor_bytes(&body, (size_t)type_count * 4, &types));
        TRY(cursor_end(&body));
        statement.text_bytes = cursor_len(&statement.text);
    } else {
        /* PG_WHOLE_BYTES hold all types and what is kept of a text: this text is longer. */
        const uint8_t *nul = memchr(body.at, 0, cursor_len(&body));
        pg->long_message.has_ended_text = nul != NULL;
        statement.text = cursor_of(body.at, nul != NULL ? (size_t)(nul - body.at) : cursor_len(&body));
        statement.text_bytes = nul != NULL ? cursor_len(&statement.text) : RECORD_DB_LENGTH_LATER;
    }
    bool is_secret = false;
    TRY(pg_record_statement(pg, &statement, &is_secret));
    TRY(hash_text(pg, &statement, is_whole, is_secret));
    return remember_parse(pg, name, &statement, types, type_count, is_secret);
}

/* 'S' or 'P' and a name. */
static enum err read_which(struct cursor body, bool *ret_is_portal, struct cursor *ret_name)
{
    uint8_t which = 0;
    TRY(cursor_u8(&body, &which));
    TRY(cursor_until_nul(&body, PG_SHORT_BYTES, ret_name));
    *ret_is_portal = which == 'P';
    return which == 'P' || which == 'S' ? cursor_end(&body) : ERR_MALFORMED;
}

enum err pg_describe(struct pg_relay *pg, struct cursor body)
{
    struct cursor name;
    struct pg_operation operation = {.kind = PG_DESCRIBE};
    TRY(read_which(body, &operation.is_portal, &name));
    struct pg_names *names = operation.is_portal ? &pg->portals : &pg->statements;
    operation.slot = pg_names_find(names, name);
    const struct pg_name *entry = pg_names_at(names, operation.slot);
    operation.number = entry != NULL ? entry->number : 0;
    return pg_expect(pg, operation);
}

enum err pg_execute(struct pg_relay *pg, struct cursor body)
{
    struct cursor portal;
    uint32_t rows = 0;
    bool is_secret = false;
    struct pg_operation operation = {.kind = PG_EXECUTE, .slot = PG_NO_SLOT};
    TRY(cursor_until_nul(&body, PG_SHORT_BYTES, &portal));
    TRY(cursor_u32be(&body, &rows));
    TRY(cursor_end(&body));
    if (pg->is_skipping) {
        return ERR_NONE; /* the server ignores it, and the skipped Bind is recorded */
    }
    const struct pg_name *entry = pg_names_at(&pg->portals, pg_names_find(&pg->portals, portal));
    if (entry != NULL && entry->number != 0 && pg->unsettling == 0) {
        operation.number = entry->number;
        operation.slot = entry->deallocates;
        operation.is_unsettling = entry->is_unsettling;
        operation.is_secret = entry->is_secret;
    } else {
        /* Not of a Bind that was seen: a cursor that SQL declared. */
        const struct record_db_statement statement = {
            .number = ++pg->base.last_number, .operation = RECORD_DB_EXECUTE, .name = portal};
        TRY(pg_record_statement(pg, &statement, &is_secret));
        operation.number = statement.number;
    }
    return pg_expect(pg, operation);
}

enum err pg_close(struct pg_relay *pg, struct cursor body)
{
    struct cursor name;
    struct pg_operation operation = {.kind = PG_CLOSE};
    TRY(read_which(body, &operation.is_portal, &name));
    struct pg_names *names = operation.is_portal ? &pg->portals : &pg->statements;
    operation.slot = pg_names_find(names, name);
    const struct pg_name *entry = pg_names_at(names, operation.slot);
    if (operation.is_portal) {
        operation.previous = entry != NULL ? entry->number : 0;
    } else if (entry != NULL && entry->number != 0) {
        bool is_secret = false;
        const struct record_db_statement statement = {.number = ++pg->base.last_number,
                                                      .operation = RECORD_DB_CLOSE,
                                                      .of = entry->number,
                                                      .name = name};
        TRY(pg_record_statement(pg, &statement, &is_secret));
        operation.number = statement.number;
        if (!pg->is_skipping) {
            pg_set_name(pg, &operation, 0);
        }
    }
    return pg_expect(pg, operation);
}
