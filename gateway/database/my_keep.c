#include "my_keep.h"

void my_keep_done(struct my_keep *keep)
{
    crypto_sha256_done(&keep->hash);
}

void my_keep_begin(struct my_keep *keep, uint32_t number, uint8_t what, uint32_t index,
                   uint64_t expected_bytes, size_t room_bytes)
{
    keep->number = number;
    keep->what = what;
    keep->index = index;
    keep->seen_bytes = 0;
    keep->room_bytes = room_bytes;
    keep->is_hidden = false;
    keep->is_hashed = expected_bytes > room_bytes || room_bytes == 0;
    if (keep->is_hashed) {
        crypto_sha256_init(&keep->hash);
    }
}

static struct cursor at_most(struct cursor bytes, size_t max_bytes)
{
    return cursor_of(bytes.at, cursor_len(&bytes) < max_bytes ? cursor_len(&bytes) : max_bytes);
}

struct cursor my_keep_first(const struct my_keep *keep, struct cursor bytes)
{
    return at_most(bytes,
                   keep->room_bytes < RECORD_DB_PIECE_BYTES ? keep->room_bytes : RECORD_DB_PIECE_BYTES);
}

enum err my_keep_add(struct db_relay *relay, struct my_keep *keep, struct cursor bytes, size_t told_bytes)
{
    keep->seen_bytes += cursor_len(&bytes);
    if (keep->is_hashed && cursor_len(&bytes) > 0) {
        crypto_sha256_add(&keep->hash, bytes);
    }
    struct cursor rest = bytes;
    struct cursor told;
    TRY(cursor_bytes(&rest, told_bytes, &told));
    keep->room_bytes -= told_bytes;
    rest = at_most(rest, keep->room_bytes);
    while (cursor_len(&rest) > 0) {
        struct cursor piece = at_most(rest, RECORD_DB_PIECE_BYTES);
        rest.at = piece.end;
        keep->room_bytes -= cursor_len(&piece);
        const struct record_body body = {
            .kind = RECORD_DB_MORE,
            .db_more = {.number = keep->number, .what = keep->what, .index = keep->index, .bytes = piece}};
        TRY(db_record(relay, &body));
    }
    return ERR_NONE;
}

void my_keep_hide(struct my_keep *keep, size_t real_bytes)
{
    keep->seen_bytes = real_bytes;
    keep->room_bytes = 0;
    keep->is_hashed = false;
    keep->is_hidden = true;
}

enum err my_keep_end(struct db_relay *relay, struct my_keep *keep, uint64_t rows)
{
    if (!keep->is_hashed && !keep->is_hidden) {
        return ERR_NONE;
    }
    uint8_t digest[CRYPTO_SHA256_BYTES];
    size_t digest_bytes = 0;
    if (keep->is_hashed) {
        crypto_sha256_end(&keep->hash, digest);
        digest_bytes = sizeof digest;
    }
    keep->is_hashed = false;
    keep->is_hidden = false;
    const struct record_body body = {.kind = RECORD_DB_TOTAL,
                                     .db_total = {.number = keep->number,
                                                  .what = keep->what,
                                                  .index = keep->index,
                                                  .bytes = keep->seen_bytes,
                                                  .rows = rows,
                                                  .sha256 = cursor_of(digest, digest_bytes)}};
    return db_record(relay, &body);
}
