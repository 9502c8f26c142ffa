/* Bytes of the target: its answer about TLS, then messages, which pass as they come. Only the first bytes of
 * those that mean something are kept. */
#include <string.h>

#include "pg_state.h"

/* Their first bytes are looked at. */
static const bool IS_CAPTURED[256] = {
    ['C'] = true, ['E'] = true, ['K'] = true, ['N'] = true,
    ['R'] = true, ['S'] = true, ['Z'] = true, ['t'] = true,
};
/* Longer than PG_TARGET_SHORT_BYTES, as in libpq; and a list of 65,535 types. */
static const bool IS_LONG[256] = {
    ['A'] = true, ['D'] = true, ['E'] = true, ['N'] = true,
    ['T'] = true, ['V'] = true, ['d'] = true, ['t'] = true,
};

static enum err tls_answer(struct pg_relay *pg, struct cursor *bytes)
{
    uint8_t letter = 0;
    TRY(cursor_u8(bytes, &letter));
    if (letter == 'S') {
        /* What follows in the clear would be somebody else's (CVE-2021-23222): it stays, and the handshake
         * fails. */
        pg->target = PG_TARGET_WANTS_TLS;
        return ERR_NONE;
    }
    return pg_violation(pg, DB_TARGET, "the target offers no TLS");
}

/* The kind of message that may come in runs now; 0: none. */
static uint8_t run_of(struct pg_relay *pg)
{
    if (pg->copy.is_out) {
        return 'd';
    }
    const struct pg_operation *front = pg_operations_front(&pg->operations);
    bool has_rows =
        front != NULL && !pg->copy.is_in && (front->kind == PG_QUERY || front->kind == PG_EXECUTE);
    return has_rows ? 'D' : 0;
}

static enum err pass_rows(struct pg_relay *pg, struct cursor *bytes, uint64_t *ret_count)
{
    const uint8_t *from = bytes->at;
    uint8_t type = run_of(pg);
    if (type == 0 || *bytes->at != type) {
        return ERR_NONE;
    }
    TRY(pg_pass_run(pg, DB_TARGET, bytes, type, ret_count));
    *(type == 'd' ? &pg->copy.ways[DB_TARGET].messages : &pg->rows) += *ret_count;
    pg->result_bytes += (uint64_t)(bytes->at - from);
    return ERR_NONE;
}

/* ---- one message ---- */

static enum err message_ended(struct pg_relay *pg)
{
    TRY(pg_answer_ends(pg));
    pg->type = 0;
    return ERR_NONE;
}

/* @param header  where the five bytes are, so that they pass with what follows */
static enum err message_begins(struct pg_relay *pg, struct cursor header)
{
    struct cursor in = header;
    uint32_t len = 0;
    TRY(cursor_u8(&in, &pg->type));
    TRY(cursor_u32be(&in, &len));
    pg->is_withheld = true; /* until it may pass, the client is between two messages */
    uint32_t most = IS_LONG[pg->type] ? PG_LONGEST_BYTES : PG_TARGET_SHORT_BYTES;
    if (pg->type == 0 || len < 4 || len > most) {
        return pg_violation(pg, DB_TARGET, "the target sent a malformed message");
    }
    pg->left_bytes = len - 4;
    pg->message_bytes = len - 4;
    pg->captured_bytes = 0;
    bool passes = true;
    TRY(pg_answer_begins(pg, &passes));
    if (pg->base.end != DB_END_NONE) {
        return ERR_NONE;
    }
    pg->is_withheld = !passes;
    if (passes) {
        TRY(pg_pass(pg, DB_CLIENT, header));
    }
    return pg->left_bytes == 0 ? message_ended(pg) : ERR_NONE;
}

static enum err header_in_pieces(struct pg_relay *pg, struct cursor *bytes)
{
    while (pg->header_bytes < PG_HEADER_BYTES && cursor_len(bytes) > 0) {
        TRY(cursor_u8(bytes, &pg->header[pg->header_bytes]));
        pg->header_bytes++;
    }
    if (pg->header_bytes < PG_HEADER_BYTES) {
        return ERR_NONE;
    }
    pg->header_bytes = 0;
    TRY(message_begins(pg, cursor_of(pg->header, PG_HEADER_BYTES)));
    return pg_flush(pg); /* the header's memory is used again */
}

static void capture(struct pg_relay *pg, struct cursor part)
{
    size_t room = sizeof pg->captured - pg->captured_bytes;
    size_t len = cursor_len(&part) < room ? cursor_len(&part) : room;
    memcpy(pg->captured + pg->captured_bytes, part.at, len);
    pg->captured_bytes += (uint16_t)len;
}

static enum err message_continues(struct pg_relay *pg, struct cursor *bytes)
{
    struct cursor part;
    size_t len = cursor_len(bytes) < pg->left_bytes ? cursor_len(bytes) : pg->left_bytes;
    TRY(cursor_bytes(bytes, len, &part));
    pg->left_bytes -= (uint32_t)len;
    if (IS_CAPTURED[pg->type]) {
        capture(pg, part);
    } else if (pg->type == 'd') {
        pg_copy_data(pg, DB_TARGET, part);
    } else if (pg->type == 'V') {
        crypto_sha256_add(&pg->function_hash, part);
    }
    if (!pg->is_withheld) {
        TRY(pg_pass(pg, DB_CLIENT, part));
    }
    return pg->left_bytes == 0 ? message_ended(pg) : ERR_NONE;
}

static enum err next(struct pg_relay *pg, struct cursor *bytes)
{
    if (pg->type != 0) {
        return message_continues(pg, bytes);
    }
    if (pg->header_bytes > 0) {
        return header_in_pieces(pg, bytes);
    }
    uint64_t count = 0;
    TRY(pass_rows(pg, bytes, &count));
    if (count > 0) {
        return ERR_NONE;
    }
    struct cursor header;
    if (cursor_bytes(bytes, PG_HEADER_BYTES, &header) != ERR_NONE) {
        return header_in_pieces(pg, bytes);
    }
    return message_begins(pg, header);
}

enum err pg_target_messages(struct pg_relay *pg, struct cursor *bytes)
{
    while (cursor_len(bytes) > 0 && pg->base.end == DB_END_NONE && !pg_is_congested(pg, DB_CLIENT)) {
        if (pg->target == PG_TARGET_ASKED) {
            return tls_answer(pg, bytes);
        }
        if (pg->target == PG_TARGET_WANTS_TLS) {
            return ERR_NONE;
        }
        if (pg->target == PG_TARGET_READY || pg->client == PG_CLIENT_CANCELS) {
            return pg_violation(pg, DB_TARGET, "the target spoke before it was asked");
        }
        TRY(next(pg, bytes));
    }
    return ERR_NONE;
}
