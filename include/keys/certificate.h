/* OpenSSH certificates for Ed25519 keys (PROTOCOL.certkeys): written, signed by the caller, read back. */
#ifndef KEYS_CERTIFICATE_H
#define KEYS_CERTIFICATE_H

#include "base/writer.h"
#include "keys/blob.h"

enum {
    KEYS_CERTIFICATE_USER = 1,
    KEYS_CERTIFICATE_HOST = 2,
    KEYS_CERTIFICATE_NONCE_BYTES = 32,
    KEYS_CERTIFICATE_BYTES = 4096, /* most bytes of one certificate */
    KEYS_CERTIFICATE_TEXT_BYTES = 1024,
    KEYS_EXTENSIONS_MAX = 8,
    KEYS_NAMES_MAX = 8, /* principals of a certificate that we write */
};

/** What a certificate says. All texts are borrowed. */
struct keys_certificate {
    uint32_t kind;            /* KEYS_CERTIFICATE_USER or _HOST */
    struct cursor public_key; /* subject: 32 bytes of Ed25519 */
    uint64_t serial;
    struct cursor key_id;     /* sshd(8) logs it with each login */
    unsigned principal_count; /* at least one */
    struct cursor principals[KEYS_NAMES_MAX];
    uint64_t valid_after_s,
        valid_before_s; /* seconds since 1970; valid from the first until before the second */
    struct cursor force_command, source_address; /* empty: none */
    unsigned extension_count;
    struct cursor extensions[KEYS_EXTENSIONS_MAX]; /* names; written in the order that the format asks for */
};

/** May sshd(8) be asked for this extension: one of the permit-* names of ssh-keygen(1)? */
bool keys_certificate_knows_extension(struct cursor name);
/** Write everything that the CA signs.
 *  @param ca_blob  public key blob of the CA
 *  @return ERR_MALFORMED for a wrong kind, key length or repeated extension; ERR_TOO_LARGE. */
MUST_CHECK enum err keys_certificate_write(const struct keys_certificate *certificate,
                                           const uint8_t nonce[static KEYS_CERTIFICATE_NONCE_BYTES],
                                           struct cursor ca_blob, struct writer *out);
/** Add the CA's signature blob (string algorithm, string signature) after keys_certificate_write().
 *  @return ERR_TOO_LARGE. */
MUST_CHECK enum err keys_certificate_finish(struct writer *out, struct cursor signature_blob,
                                            struct cursor *ret_certificate);

/** A certificate that was read, borrowed from its blob. */
struct keys_certificate_view {
    struct keys_certificate certificate;
    struct cursor nonce, ca_blob;
    struct cursor signed_bytes, signature_blob;
};
/** Read a certificate that keys_certificate_write() could have written. The signature is not checked: see
 *  keys_certificate_verify().
 *  @return ERR_TRUNCATED; ERR_TOO_LARGE; ERR_MALFORMED, also for an unknown critical option, more principals
 * than fit, options out of order, or trailing bytes. */
MUST_CHECK enum err keys_certificate_read(struct cursor blob, struct keys_certificate_view *ret_view);
/** Is it signed by `ca_blob`? Validity, principal and options are the caller's.
 *  @return ERR_MISMATCH for another CA or a wrong signature. */
MUST_CHECK enum err keys_certificate_verify(const struct keys_certificate_view *view, struct cursor ca_blob);

#endif
