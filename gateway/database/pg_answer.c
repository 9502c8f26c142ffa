/* What the answers of the target mean for what was asked. */
#include <string.h>

#include "base/text.h"
#include "pg_state.h"

/* ---- may it come now? ---- */

enum {
    ON_QUERY = 1U << PG_QUERY,
    ON_EXECUTE = 1U << PG_EXECUTE,
    ON_DESCRIBE = 1U << PG_DESCRIBE,
    ON_ANY = 1U << 15
};

/* The operations that a message may answer; zero is forbidden. */
static const uint16_t ANSWERS[256] = {
    ['1'] = 1U << PG_PARSE,
    ['2'] = 1U << PG_BIND,
    ['3'] = 1U << PG_CLOSE,
    ['A'] = ON_ANY,
    ['C'] = ON_QUERY | ON_EXECUTE,
    ['D'] = ON_QUERY | ON_EXECUTE,
    ['E'] = ON_ANY,
    ['G'] = ON_QUERY | ON_EXECUTE,
    ['H'] = ON_QUERY | ON_EXECUTE,
    ['I'] = ON_QUERY | ON_EXECUTE,
    ['N'] = ON_ANY,
    ['S'] = ON_ANY,
    ['T'] = ON_QUERY | ON_DESCRIBE,
    ['V'] = 1U << PG_FUNCTION,
    ['W'] = ON_QUERY,
    ['Z'] = ON_QUERY | 1U << PG_FUNCTION | 1U << PG_SYNC,
    ['c'] = ON_QUERY | ON_EXECUTE,
    ['d'] = ON_QUERY | ON_EXECUTE,
    ['n'] = ON_DESCRIBE,
    ['s'] = ON_EXECUTE,
    ['t'] = ON_DESCRIBE,
};

static enum err login_begins(struct pg_relay *pg, bool *ret_passes)
{
    bool is_open = pg->is_authenticated;
    *ret_passes = pg->type != 'R'; /* the login's own: it decides what the client gets */
    if (strchr("ERNv", pg->type) == NULL && !(is_open && strchr("AKSZ", pg->type) != NULL)) {
        return pg_violation(pg, DB_TARGET, "the target sent a message that has no place in a login");
    }
    if (pg->type == 'R' && pg->message_bytes > PG_CAPTURE_BYTES) {
        return pg_violation(pg, DB_TARGET, "the target's login request is too long");
    }
    return ERR_NONE;
}

static bool is_answer(const struct pg_relay *pg, const struct pg_operation *front)
{
    uint16_t answers = ANSWERS[pg->type];
    if (pg->type == 'Z' && front == NULL) {
        return pg->ignored_syncs > 0;
    }
    if (pg->type == 'd' || pg->type == 'c') {
        return pg->copy.is_out;
    }
    return answers == ON_ANY || (front != NULL && (answers >> front->kind & 1) != 0);
}

enum err pg_answer_begins(struct pg_relay *pg, bool *ret_passes)
{
    if (pg->target == PG_TARGET_LOGIN) {
        return login_begins(pg, ret_passes);
    }
    const struct pg_operation *front = pg_operations_front(&pg->operations);
    if (!is_answer(pg, front)) {
        return pg_violation(pg, DB_TARGET, "the target sent an answer to nothing that was asked");
    }
    switch (pg->type) {
    case 'D':
        pg->rows++;
        pg->result_bytes += PG_HEADER_BYTES + (uint64_t)pg->message_bytes;
        return ERR_NONE;
    case 'd':
        pg->copy.ways[DB_TARGET].messages++;
        pg->result_bytes += PG_HEADER_BYTES + (uint64_t)pg->message_bytes;
        return ERR_NONE;
    case 'V':
        pg->result_bytes += PG_HEADER_BYTES + (uint64_t)pg->message_bytes;
        crypto_sha256_init(&pg->function_hash);
        return ERR_NONE;
    case 'E':
        *ret_passes = !pg->replaces_error;
        return ERR_NONE;
    case 'G':
    case 'H':
    case 'W':
        return pg_copy_begins(pg, front, ret_passes);
    default:
        return ERR_NONE;
    }
}

/* ---- results ---- */

enum err pg_result_out(struct pg_relay *pg, uint8_t transaction)
{
    struct pg_result *result = &pg->result;
    if (!result->is_waiting) {
        return ERR_NONE;
    }
    result->is_waiting = false;
    const struct record_body body = {
        .kind = RECORD_DB_RESULT,
        .db_result = {.number = result->number,
                      .outcome = result->outcome,
                      .transaction = transaction,
                      .rows = result->rows,
                      .bytes = result->bytes,
                      .duration_us = result->duration_us,
                      .code = cursor_of(result->code, result->code_bytes),
                      .message = cursor_of(result->message, result->message_bytes)},
    };
    return db_record(&pg->base, &body);
}

static size_t copy_cut(uint8_t *to, size_t size_bytes, struct cursor from)
{
    size_t len = cursor_len(&from) < size_bytes ? cursor_len(&from) : size_bytes;
    if (from.at != NULL) {
        memcpy(to, from.at, len);
    }
    return len;
}

enum err pg_set_result(struct pg_relay *pg, const struct pg_operation *operation, uint8_t outcome,
                       struct cursor code, struct cursor message)
{
    TRY(pg_result_out(pg, 0));
    struct pg_result *result = &pg->result;
    result->is_waiting = true;
    result->outcome = outcome;
    result->number = operation->number;
    result->rows = pg->rows;
    result->bytes = pg->result_bytes;
    result->duration_us = pg->base.now_us - operation->since_us;
    result->code_bytes = (uint8_t)copy_cut(result->code, sizeof result->code, code);
    result->message_bytes = (uint16_t)copy_cut(result->message, sizeof result->message, message);
    pg->rows = 0;
    pg->result_bytes = 0;
    pg->last_done = operation->number;
    return ERR_NONE;
}

/* The number that a tag ends with: "INSERT 0 5". */
static void rows_of_tag(struct cursor tag, uint64_t *ret_rows)
{
    struct cursor last = {0};
    for (struct cursor word; cursor_word(&tag, &word);) {
        last = word;
    }
    if (cursor_len(&last) > 0) {
        err_ignore(text_u64(last, UINT64_MAX, ret_rows)); /* a tag without a number: the rows were counted */
    }
}

static enum err completed(struct pg_relay *pg, struct pg_operation *front, uint8_t outcome)
{
    struct cursor tag = cursor_of(pg->captured, pg->captured_bytes);
    if (pg->type != 'C') {
        tag.end = tag.at;
    } else if (cursor_len(&tag) > 0 && tag.end[-1] == 0) {
        tag.end--;
    }
    TRY(pg_copy_ends(pg));
    rows_of_tag(tag, &pg->rows);
    TRY(pg_set_result(pg, front, outcome, cursor_of(NULL, 0), tag));
    pg_tag_forgets(pg, front, tag);
    if (front->kind == PG_EXECUTE) {
        pg_drop_operation(pg);
    } else {
        front->has_result = true;
    }
    return ERR_NONE;
}

static enum err function_returned(struct pg_relay *pg, struct pg_operation *front)
{
    uint8_t digest[CRYPTO_SHA256_BYTES];
    crypto_sha256_end(&pg->function_hash, digest);
    const struct record_db_total total = {.number = front->number,
                                          .what = RECORD_DB_WHAT_FUNCTION,
                                          .bytes = pg->message_bytes,
                                          .sha256 = cursor_of(digest, sizeof digest)};
    TRY(pg_record_total(pg, &total));
    front->has_result = true;
    return pg_set_result(pg, front, RECORD_DB_DONE, cursor_of(NULL, 0), cursor_of(NULL, 0));
}

/* ---- ready for query ---- */

static enum err login_done(struct pg_relay *pg)
{
    pg->target = PG_TARGET_OPEN;
    pg->client = PG_CLIENT_OPEN;
    return pg_record_login(pg);
}

static enum err ready(struct pg_relay *pg, struct pg_operation *front)
{
    uint8_t status = pg->captured_bytes == 1 ? pg->captured[0] : 0;
    if (pg->message_bytes != 1 || (status != 'I' && status != 'T' && status != 'E')) {
        return pg_violation(pg, DB_TARGET, "the target's state of the transaction is unknown");
    }
    pg->transaction = status;
    if (pg->target == PG_TARGET_LOGIN) {
        return login_done(pg);
    }
    TRY(pg_copy_ends(pg));
    if (front == NULL) {
        pg->ignored_syncs--;
    } else {
        if (front->kind != PG_SYNC && !front->has_result) {
            TRY(pg_set_result(pg, front, RECORD_DB_DONE, cursor_of(NULL, 0), cursor_of(NULL, 0)));
        }
        pg_drop_operation(pg);
    }
    TRY(pg_result_out(pg, status));
    if (status == 'I' && pg->operations.count == 0 && pg->portals.count > 1) {
        pg_names_done(&pg->portals); /* portals end with their transaction */
    }
    return ERR_NONE;
}

/* ---- the others ---- */

static void parameter_status(struct pg_relay *pg)
{
    struct cursor in = cursor_of(pg->captured, pg->captured_bytes);
    struct cursor name;
    struct cursor value;
    if (cursor_until_nul(&in, PG_CAPTURE_BYTES, &name) == ERR_NONE &&
        cursor_until_nul(&in, PG_CAPTURE_BYTES, &value) == ERR_NONE &&
        cursor_equal_text(name, "server_version")) {
        text_printable(value, pg->server_version, sizeof pg->server_version);
    }
}

static enum err key_data(struct pg_relay *pg)
{
    enum { LEAST_BYTES = 8 };
    if (pg->message_bytes < LEAST_BYTES || pg->message_bytes > DB_CANCEL_KEY_BYTES) {
        return pg_violation(pg, DB_TARGET, "the target's key for cancelling has a wrong length");
    }
    return pg->base.owner.cancel_key(pg->base.owner.owner, cursor_of(pg->captured, pg->captured_bytes));
}

static enum err parameter_types(struct pg_relay *pg, const struct pg_operation *front)
{
    struct cursor in = cursor_of(pg->captured, pg->captured_bytes);
    struct pg_name *name = pg_names_at(&pg->statements, front->slot);
    uint16_t count = 0;
    if (front->is_portal || cursor_u16be(&in, &count) != ERR_NONE ||
        pg->message_bytes != 2 + 4 * (uint32_t)count) {
        return pg_violation(pg, DB_TARGET, "the target's list of types is malformed");
    }
    return name != NULL && name->number == front->number ? pg_name_set_types(name, in, count) : ERR_NONE;
}

static void closed(struct pg_relay *pg, const struct pg_operation *front)
{
    struct pg_name *name = front->is_portal ? pg_names_at(&pg->portals, front->slot) : NULL;
    if (name != NULL && name->number == front->previous) {
        name->number = 0;
    }
    pg_drop_operation(pg);
}

static enum err answered(struct pg_relay *pg, struct pg_operation *front)
{
    switch (pg->type) {
    case '1':
    case '2':
    case 'n':
        pg_drop_operation(pg);
        return ERR_NONE;
    case '3':
        closed(pg, front);
        return ERR_NONE;
    case 'T':
        if (front->kind == PG_DESCRIBE) {
            pg_drop_operation(pg);
        }
        return ERR_NONE;
    case 't':
        return parameter_types(pg, front);
    case 'C':
    case 'I':
        return completed(pg, front, RECORD_DB_DONE);
    case 's':
        return completed(pg, front, RECORD_DB_SUSPENDED);
    case 'V':
        return function_returned(pg, front);
    default:
        return ERR_NONE;
    }
}

enum err pg_answer_ends(struct pg_relay *pg)
{
    struct pg_operation *front = pg_operations_front(&pg->operations);
    switch (pg->type) {
    case 'R':
        return pg_target_login(pg, cursor_of(pg->captured, pg->captured_bytes));
    case 'E':
        return pg_failed(pg, front);
    case 'N':
        return pg_noticed(pg);
    case 'S':
        parameter_status(pg);
        return ERR_NONE;
    case 'K':
        return key_data(pg);
    case 'Z':
        return ready(pg, front);
    default:
        return answered(pg, front);
    }
}
