/* The leaves of the evidence log: one printable line each. Source: docs/formats/evidence.md. */
#ifndef RECORD_LEAF_H
#define RECORD_LEAF_H

#include "base/clock.h"
#include "base/limits.h"
#include "crypto/hash.h"

enum { RECORD_LEAF_BYTES = 4096 }; /* the longest line, without its newline */

enum record_leaf_kind {
    RECORD_LEAF_OTHER =
        0,            /* a line of another kind: it counts as a leaf and says nothing about a recording */
    RECORD_LEAF_OPEN, /* open TIME SID HASH: the hash of the head */
    RECORD_LEAF_CHECKPOINT, /* ckpt TIME SID BYTES HASH: so far it is durable, this is its chain */
    RECORD_LEAF_CLOSE,      /* close TIME SID BYTES HASH HOW... */
    RECORD_LEAF_RECOVER,    /* recover TIME SID BYTES HASH torn=N: the recorder stopped while it was open */
    RECORD_LEAF_KIND_COUNT
};
struct record_leaf {
    enum record_leaf_kind kind;
    uint64_t bytes; /* 0 for OPEN */
    uint8_t sid[LIMIT_SID_BYTES];
    uint8_t hash[CRYPTO_SHA256_BYTES];
    uint64_t torn_bytes; /* RECOVER */
    struct cursor how;   /* CLOSE; borrowed from the line */
    struct cursor time;  /* of the known kinds, when read; borrowed from the line */
};
/** Read one line without its newline. Unknown first words are no error.
 *  @return ERR_MALFORMED when a line of a known kind does not have its fields, or a byte is not printable. */
MUST_CHECK enum err record_leaf_parse(struct cursor line, struct record_leaf *ret_leaf);
/** Write one of the known kinds. Returns the length, without a newline; `how` is made printable and cut. */
size_t record_leaf_text(const struct record_leaf *leaf, uint64_t wall_us,
                        char ret_line[static RECORD_LEAF_BYTES]);
/** May another process add this line? One printable line that begins with "auth ", "policy ", "decision ",
 * "boot " or "event ". */
bool record_leaf_may_add(struct cursor line);

#endif
