/* What the evidence log says about each recording, by session id. Private to the room. */
#ifndef RECORD_INDEX_H
#define RECORD_INDEX_H

#include "record/leaf.h"

enum { INDEX_DAY_BYTES = sizeof "2026/01/01" };

struct index_entry {
    uint8_t sid[LIMIT_SID_BYTES];
    uint8_t open_hash[CRYPTO_SHA256_BYTES];
    uint8_t hash[CRYPTO_SHA256_BYTES]; /* of the last CHECKPOINT, CLOSE or RECOVER */
    uint64_t bytes, torn_bytes;        /* the same */
    char day[INDEX_DAY_BYTES];         /* the folder of the recording, from the time of its open leaf */
    uint8_t last;          /* enum record_leaf_kind of the last leaf; OTHER: the entry is unused */
    bool has_open, is_odd; /* odd: two opens, or leaves after its end */
    bool is_seen;          /* for the caller */
};
/** OWNED; {0} is empty. */
struct index {
    struct index_entry *entries;
    size_t count, capacity; /* capacity: a power of two, or 0 */
};
void index_done(struct index *index);
struct index_entry *index_find(const struct index *index, const uint8_t sid[static LIMIT_SID_BYTES]);
/** Apply one leaf; OTHER changes nothing. @return ERR_MEMORY. */
MUST_CHECK enum err index_apply(struct index *index, const struct record_leaf *leaf);
/** Forget an entry (pointers into the index are then stale). */
void index_remove(struct index *index, struct index_entry *entry);

#endif
