/* age v1 files with X25519 recipients, for small secrets: what stock age(1) writes and reads.
 * Source: C2SP age specification; BIP 173 for the key texts. */
#ifndef RECORD_AGE_H
#define RECORD_AGE_H

#include "base/cursor.h"
#include "base/err.h"
#include "base/writer.h"

enum {
    RECORD_RECIPIENTS_MAX = 32,
    RECORD_IDENTITIES_MAX = 32,
    RECORD_AGE_PLAIN_BYTES = 1024, /* the largest secret */
    RECORD_AGE_FILE_BYTES = 16384, /* the largest file that is read or written */
    RECORD_AGE_SENTENCE_BYTES = 256,
};

/** The public keys of those who may read the recordings. */
struct record_recipients {
    uint8_t keys[RECORD_RECIPIENTS_MAX][32];
    unsigned count;
};
/** Read a recipients file: one "age1..." a line, blank lines and lines that begin with "#" are skipped.
 *  @param ret_sentence  on error: what is wrong, with its line number
 *  @return ERR_MALFORMED; ERR_TOO_LARGE over RECORD_RECIPIENTS_MAX; ERR_NOT_FOUND when it names nobody. */
MUST_CHECK enum err record_recipients_parse(struct cursor text, struct record_recipients *ret_recipients,
                                            char ret_sentence[static RECORD_AGE_SENTENCE_BYTES]);
/** Private keys of a reader; wipe with record_identities_done(). */
struct record_identities {
    uint8_t keys[RECORD_IDENTITIES_MAX][32];
    unsigned count;
};
/** Read an identity file of age-keygen(1): one "AGE-SECRET-KEY-1..." a line, as above. */
MUST_CHECK enum err record_identities_parse(struct cursor text, struct record_identities *ret_identities,
                                            char ret_sentence[static RECORD_AGE_SENTENCE_BYTES]);
void record_identities_done(struct record_identities *identities);

/** Write an age file with `plain` to `out`.
 *  @return ERR_TOO_LARGE over RECORD_AGE_PLAIN_BYTES or `out`; ERR_STATE without recipients; ERR_LIBRARY. */
MUST_CHECK enum err record_age_seal(const struct record_recipients *recipients, struct cursor plain,
                                    struct writer *out);
/** Read one. Stanzas of other types (scrypt, plugins) are skipped.
 *  @return ERR_DENIED when no identity opens it; ERR_MALFORMED; ERR_MISMATCH when header or payload were
 * changed; ERR_TOO_LARGE when the secret is larger than `size_bytes`. */
MUST_CHECK enum err record_age_open(const struct record_identities *identities, struct cursor file,
                                    uint8_t *ret_plain, size_t size_bytes, size_t *ret_len_bytes);
/** The text of a key, for people and tests: "age1..." of a public key. 63 bytes with its NUL. */
enum { RECORD_AGE_RECIPIENT_BYTES = 63 };
void record_age_recipient_text(const uint8_t public_key[static 32],
                               char ret_text[static RECORD_AGE_RECIPIENT_BYTES]);

#endif
