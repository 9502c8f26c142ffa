/* What the signer remembers of each connection: the session id that it signed itself. */
#ifndef BASTION_SIGNER_SESSIONS_H
#define BASTION_SIGNER_SESSIONS_H

#include <stdbool.h>

#include "base/cursor.h"
#include "base/err.h"

enum {
    SIGNER_REFS_MAX = 4096,           /* connections at once; eight times the default of max_connections */
    SIGNER_SIGNATURES_PER_REF = 4096, /* key exchanges of one connection, rekeys and targets included */
    SIGNER_HASH_MAX_BYTES = 64,
};

struct signer_session {
    uint16_t signature_count;
    uint8_t id_len_bytes; /* 0: no host key signature yet */
    uint8_t id[SIGNER_HASH_MAX_BYTES];
    bool has_user; /* a signature of a user over this id was verified */
};

/** Dense: rows [0, count) are in use. {0} is empty. */
struct signer_sessions {
    unsigned count;
    uint32_t refs[SIGNER_REFS_MAX];
    struct signer_session rows[SIGNER_REFS_MAX];
};

/** NULL when nothing was signed for `ref`. */
struct signer_session *signer_sessions_find(struct signer_sessions *sessions, uint32_t ref);
/** The row of `ref`, made if need be. @return ERR_TOO_LARGE when the table is full. */
MUST_CHECK enum err signer_sessions_open(struct signer_sessions *sessions, uint32_t ref,
                                         struct signer_session **ret);
/** Nothing happens when there is no such row. */
void signer_sessions_forget(struct signer_sessions *sessions, uint32_t ref);

#endif
