/* The client's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS. Source: RFC 5802, RFC 7677; PostgreSQL leaves
 * the user's name empty in it. Passwords are taken as they are: the two differ from SASLprep (RFC 4013) only
 * outside ASCII, and there only where the text is not in its normal form. */
#ifndef DATABASE_PG_SCRAM_H
#define DATABASE_PG_SCRAM_H

#include "base/cursor.h"
#include "base/writer.h"
#include "crypto/hash.h"

enum {
    PG_SCRAM_NONCE_BYTES = 24,
    PG_SCRAM_MESSAGE_BYTES = 1024, /* of one message of either side */
    PG_SCRAM_ITERATIONS_MAX =
        200000, /* fifty times the server's default; more would stop the session's loop */
};

/** Embedded; {0} has not begun. */
struct pg_scram {
    bool has_begun, has_proven; /* its proof was sent */
    bool is_verified;           /* the server knows the password, too */
    uint8_t bound[96];          /* the header and what it binds to */
    size_t bound_bytes;
    char nonce[PG_SCRAM_NONCE_BYTES + 1];
    uint8_t server_signature[CRYPTO_SHA256_BYTES];
};

void pg_scram_done(struct pg_scram *scram);
/** @param can_bind   the server offers SCRAM-SHA-256-PLUS
 *  @param end_point  what the channel is bound to (at most 64 bytes), only where the server can; empty:
 * nothing
 *  @param out        client-first-message */
MUST_CHECK enum err pg_scram_first(struct pg_scram *scram, bool can_bind, struct cursor end_point,
                                   struct writer *out);
/** @param out  empty; client-final-message
 *  @return ERR_MALFORMED; ERR_TOO_LARGE; ERR_MISMATCH for a nonce that does not continue ours */
MUST_CHECK enum err pg_scram_final(struct pg_scram *scram, struct cursor password, struct cursor server_first,
                                   struct writer *out);
/** @return ERR_MISMATCH when the server's signature is wrong */
MUST_CHECK enum err pg_scram_verify(struct pg_scram *scram, struct cursor server_final);

#endif
