/* SSH public keys as values: the wire form ("blob"), its type, its fingerprint and its text form. */
#ifndef KEYS_BLOB_H
#define KEYS_BLOB_H

#include "base/cursor.h"
#include "base/limits.h"

enum keys_type {
    KEYS_NONE = 0,
    KEYS_ED25519,    /* ssh-ed25519, RFC 8709 */
    KEYS_ECDSA_P256, /* ecdsa-sha2-nistp256 and its sisters, RFC 5656 */
    KEYS_ECDSA_P384,
    KEYS_ECDSA_P521,
    KEYS_RSA,           /* ssh-rsa, RFC 4253 section 6.6; 2048 to 16384 bits */
    KEYS_SK_ED25519,    /* sk-ssh-ed25519@openssh.com, OpenSSH PROTOCOL.u2f */
    KEYS_SK_ECDSA_P256, /* sk-ecdsa-sha2-nistp256@openssh.com */
    KEYS_TYPE_COUNT
};

enum {
    KEYS_FINGERPRINT_BYTES = sizeof "SHA256:" + 43, /* as ssh-keygen -l prints it, with its NUL */
    KEYS_LINE_BYTES = 48 + (LIMIT_KEY_BLOB_BYTES + 2) / 3 * 4 + 1, /* type name, blank, base64, NUL */
    KEYS_APPLICATION_BYTES = 256,
};

/** A blob with its own memory. */
struct keys_blob {
    size_t len_bytes;
    uint8_t bytes[LIMIT_KEY_BLOB_BYTES];
};
struct cursor keys_blob_peek(const struct keys_blob *blob);

/** The parts of one public key, borrowed from its blob. */
struct keys_public {
    enum keys_type type;
    struct cursor point;             /* Ed25519: 32 bytes; ECDSA: uncompressed point */
    struct cursor exponent, modulus; /* RSA: magnitudes without leading zeros */
    struct cursor application;       /* sk: what the token was enrolled for, usually "ssh:" */
};

/** "ssh-ed25519" and so on; "none" for KEYS_NONE. The name of a key type, not of a signature algorithm. */
const char *keys_type_name(enum keys_type type);
/** KEYS_NONE for a name that is not accepted here (ssh-dss, certificates, ...). */
enum keys_type keys_type_of(struct cursor name);
/** Is it the key of a hardware token, whose signatures carry flags and a counter? */
bool keys_type_is_sk(enum keys_type type);

/** Read one public key blob and hold it against the limits of its type (length of the point, size of the
 * modulus). Whether a point lies on its curve is checked with the first signature.
 *  @return ERR_TRUNCATED; ERR_MALFORMED, also for a type that is not accepted; ERR_TOO_LARGE. */
MUST_CHECK enum err keys_blob_parse(struct cursor blob, struct keys_public *ret_key);
/** The blob of a raw Ed25519 public key of 32 bytes. */
void keys_blob_of_ed25519(const uint8_t public_key[static 32], struct keys_blob *ret_blob);
/** Copy. @return ERR_TOO_LARGE over LIMIT_KEY_BLOB_BYTES. */
MUST_CHECK enum err keys_blob_copy(struct cursor bytes, struct keys_blob *ret_blob);

/** "SHA256:" and unpadded base64 of the hash of the blob, NUL-terminated. Returns `ret_text`. */
const char *keys_fingerprint(struct cursor blob, char ret_text[static KEYS_FINGERPRINT_BYTES]);
/** "ssh-ed25519 AAAA...", the form of authorized_keys and known_hosts files.
 *  @return ERR_MALFORMED for a blob that keys_blob_parse() refuses; ERR_TOO_LARGE. */
MUST_CHECK enum err keys_line_write(struct cursor blob, char *ret_line, size_t size_bytes);
/** The two words "type base64" of a key file. The type must be the one inside the blob.
 *  @return ERR_MALFORMED; ERR_TOO_LARGE. */
MUST_CHECK enum err keys_line_read(struct cursor type_name, struct cursor base64, struct keys_blob *ret_blob);

#endif
