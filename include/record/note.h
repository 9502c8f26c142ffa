/* Checkpoints of the evidence log: C2SP signed notes, and the texts of the keys that sign and verify them.
 * Source: C2SP signed-note, tlog-checkpoint. */
#ifndef RECORD_NOTE_H
#define RECORD_NOTE_H

#include "base/cursor.h"
#include "base/err.h"
#include "base/writer.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"

enum {
    RECORD_KEY_NAME_BYTES = 129, /* the name of a log, with its NUL: no blank, no "+" */
    RECORD_KEY_TEXT_BYTES = 256, /* a vkey or skey line, with its NUL */
    RECORD_NOTE_BYTES = 4096,    /* the largest note that is read: cosignatures of witnesses included */
};

/** A public key with its name, "vkey": name+hash+key. */
struct record_vkey {
    char name[RECORD_KEY_NAME_BYTES];
    uint8_t id[4]; /* first bytes of SHA-256(name, newline, 1, public key) */
    uint8_t public_key[CRYPTO_ED25519_PUBLIC_BYTES];
};
/** @param text  one line, its newline may follow. @return ERR_MALFORMED; ERR_MISMATCH when the hash is not
 * the key's. */
MUST_CHECK enum err record_vkey_parse(struct cursor text, struct record_vkey *ret_vkey);
/** Read the first line of a file. @return as above; ERR_NOT_FOUND; ERR_SYSTEM. */
MUST_CHECK enum err record_vkey_load(const char *path, struct record_vkey *ret_vkey);
void record_vkey_text(const struct record_vkey *vkey, char ret_text[static RECORD_KEY_TEXT_BYTES]);

/** The key that signs checkpoints, and its public half. */
struct record_log_key {
    struct crypto_ed25519 key;
    struct record_vkey vkey;
};
/** Make a key: `path` (0600, one line "PRIVATE+KEY+name+hash+seed", as Go's note package writes it) and
 *  `path`.pub (0644, the vkey line). Existing files are never replaced.
 *  @param name  of the log, for example the host's: no blank, no "+"
 *  @return ERR_MALFORMED for the name; ERR_STATE when a file exists; ERR_SYSTEM. */
MUST_CHECK enum err record_log_key_create(const char *path, const char *name);
/** @return ERR_NOT_FOUND; ERR_DENIED when others may read it; ERR_MALFORMED; ERR_MISMATCH; ERR_SYSTEM. */
MUST_CHECK enum err record_log_key_load(const char *path, struct record_log_key *ret_key);
/** From the text itself. */
MUST_CHECK enum err record_log_key_parse(struct cursor text, struct record_log_key *ret_key);
void record_log_key_done(struct record_log_key *key);

/** What a checkpoint says about a log. */
struct record_note {
    uint64_t size; /* leaves */
    uint8_t root[CRYPTO_SHA256_BYTES];
};
/** @return ERR_TOO_LARGE; ERR_LIBRARY. */
MUST_CHECK enum err record_note_sign(const struct record_log_key *key, const struct record_note *note,
                                     struct writer *out);
/** Read a note that must bear `vkey`'s name as origin and its signature; other signatures are skipped.
 *  @return ERR_MALFORMED; ERR_MISMATCH without a valid signature of that key. */
MUST_CHECK enum err record_note_open(struct cursor text, const struct record_vkey *vkey,
                                     struct record_note *ret_note);

#endif
