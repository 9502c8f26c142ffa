/* COPY and replication: bulk data, counted and hashed. */
#include "pg_state.h"

static enum err record_copy(struct pg_relay *pg, uint8_t what)
{
    const struct record_body body = {.kind = RECORD_DB_COPY,
                                     .db_copy = {.number = pg->copy.number, .what = what}};
    return db_record(&pg->base, &body);
}

static enum err record_copy_total(struct pg_relay *pg, enum db_side from, uint8_t what)
{
    uint8_t digest[CRYPTO_SHA256_BYTES];
    crypto_sha256_end(&pg->copy.ways[from].hash, digest);
    const struct record_db_total total = {.number = pg->copy.number,
                                          .what = what,
                                          .bytes = pg->copy.ways[from].bytes,
                                          .rows = pg->copy.ways[from].messages,
                                          .sha256 = cursor_of(digest, sizeof digest)};
    return pg_record_total(pg, &total);
}

static void begin_way(struct pg_relay *pg, enum db_side from)
{
    pg->copy.ways[from].bytes = 0;
    pg->copy.ways[from].messages = 0;
    crypto_sha256_init(&pg->copy.ways[from].hash);
}

/* Only Syncs may wait behind a COPY from the client: the server takes what follows for data, but ignores
 * them. */
static bool only_syncs_follow(struct pg_relay *pg)
{
    bool is_extended = pg_operations_front(&pg->operations)->kind == PG_EXECUTE;
    for (uint32_t i = 1; i < pg->operations.count; i++) {
        if (!is_extended || pg_operations_at(&pg->operations, i)->kind != PG_SYNC) {
            return false;
        }
    }
    return true;
}

/* The target is told that the copy fails; its error is replaced by the refusal. The Syncs that it ignored
 * meanwhile are sent again, because the client waits for their answers. */
static enum err refuse_copy_in(struct pg_relay *pg, bool *ret_passes)
{
    static const char REASON[] = "refused by the bastion";
    TRY(db_record_refused(&pg->base, "COPY", PG_COPY_REFUSED));
    *ret_passes = false;
    pg->replaces_error = true;
    TRY(pg_send(pg, DB_TARGET, 'f', cursor_of(REASON, sizeof REASON)));
    for (uint32_t i = 1; i < pg->operations.count; i++) {
        TRY(pg_send(pg, DB_TARGET, 'S', cursor_of(NULL, 0)));
    }
    return ERR_NONE;
}

static enum err copy_in(struct pg_relay *pg, bool *ret_passes)
{
    if (!only_syncs_follow(pg)) {
        return pg_violation(pg, DB_CLIENT,
                            "the client sent statements behind a COPY that waits for its data");
    }
    if (pg->type == 'G' && !pg->base.rights.copy) {
        return refuse_copy_in(pg, ret_passes);
    }
    pg->ignored_syncs += pg->operations.count - 1;
    pg_operations_keep(&pg->operations, 1);
    pg->copy.is_in = true;
    pg->copy.is_client_done = false;
    begin_way(pg, DB_CLIENT);
    return record_copy(pg, RECORD_DB_WHAT_COPY_IN);
}

static enum err copy_out(struct pg_relay *pg)
{
    pg->copy.is_out = true;
    begin_way(pg, DB_TARGET);
    return record_copy(pg, RECORD_DB_WHAT_COPY_OUT);
}

enum err pg_copy_begins(struct pg_relay *pg, const struct pg_operation *operation, bool *ret_passes)
{
    if (pg->copy.is_in || pg->copy.is_out) {
        return pg_violation(pg, DB_TARGET, "the target began a COPY in another one");
    }
    pg->copy.number = operation->number;
    if (pg->type == 'G') {
        return copy_in(pg, ret_passes);
    }
    if (pg->type == 'W') { /* replication, which the grant allows: else the connection had not begun */
        TRY(copy_in(pg, ret_passes));
        return pg->base.end == DB_END_NONE ? copy_out(pg) : ERR_NONE;
    }
    if (!pg->base.rights.copy) {
        return pg_deny(pg, "COPY", PG_COPY_REFUSED); /* it sends already: nothing but the end stops it */
    }
    return copy_out(pg);
}

enum err pg_copy_ends(struct pg_relay *pg)
{
    if (pg->copy.is_in) {
        pg->copy.is_in = false;
        TRY(record_copy_total(pg, DB_CLIENT, RECORD_DB_WHAT_COPY_IN));
    }
    if (pg->copy.is_out) {
        pg->copy.is_out = false;
        TRY(record_copy_total(pg, DB_TARGET, RECORD_DB_WHAT_COPY_OUT));
    }
    return ERR_NONE;
}

void pg_copy_data(struct pg_relay *pg, enum db_side from, struct cursor bytes)
{
    pg->copy.ways[from].bytes += cursor_len(&bytes);
    crypto_sha256_add(&pg->copy.ways[from].hash, bytes);
}
