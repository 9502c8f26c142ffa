/* What is kept of one text or parameter: its first 64 KiB go into records; when it is longer, all of it is
 * counted and hashed. */
#ifndef DATABASE_MY_KEEP_H
#define DATABASE_MY_KEEP_H

#include "crypto/hash.h"
#include "relay_state.h"

/** Embedded; {0} is empty. Reusable. */
struct my_keep {
    uint32_t number;
    uint8_t what; /* enum record_db_what */
    uint32_t index;
    uint64_t seen_bytes;
    size_t room_bytes; /* how much more goes into records */
    bool is_hashed;
    bool is_hidden;
    struct crypto_sha256 hash;
};

void my_keep_done(struct my_keep *keep);
/** @param expected_bytes  or RECORD_DB_LENGTH_LATER
 *  @param room_bytes      how much goes into records: RECORD_DB_KEPT_BYTES; with 0 it is hashed in any case
 */
void my_keep_begin(struct my_keep *keep, uint32_t number, uint8_t what, uint32_t index,
                   uint64_t expected_bytes, size_t room_bytes);
/** How many of `bytes`, which come first, belong into the record that tells of the text or parameter. */
struct cursor my_keep_first(const struct my_keep *keep, struct cursor bytes);
/** The next bytes, of which a record has told the first `told_bytes` already. @return errors of the owner. */
MUST_CHECK enum err my_keep_add(struct db_relay *relay, struct my_keep *keep, struct cursor bytes,
                                size_t told_bytes);
/** What was given was changed before, to hide a secret of `real_bytes` bytes: no more of it is kept, and its
 * hash would help to guess the secret. */
void my_keep_hide(struct my_keep *keep, size_t real_bytes);
/** The end. @param rows  of the DB_TOTAL, when there is one */
MUST_CHECK enum err my_keep_end(struct db_relay *relay, struct my_keep *keep, uint64_t rows);

#endif
