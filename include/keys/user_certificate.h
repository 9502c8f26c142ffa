/* Certificates by which a company's own CA vouches for a person's key (OpenSSH PROTOCOL.certkeys), of every
 * key type that people may use. Read strictly: what is not understood, or cannot be enforced, refuses. */
#ifndef KEYS_USER_CERTIFICATE_H
#define KEYS_USER_CERTIFICATE_H

#include "keys/certified.h"

/** What a certificate says; the cursors are borrowed from its blob. */
struct keys_user_certificate {
    struct keys_certified claims;
    struct cursor source_address; /* a list; at == NULL: none */
    bool is_verify_required;      /* the token must have asked for PIN or fingerprint */
};

/** Read a user certificate. The signature is not checked.
 *  @return ERR_TRUNCATED; ERR_TOO_LARGE; ERR_MALFORMED, also for a host certificate, no principal, a critical
 *  option other than source-address and verify-required, options out of order, or trailing bytes. */
MUST_CHECK enum err keys_user_certificate_read(struct cursor blob, struct keys_user_certificate *ret);

/** Does it vouch for `person`, used from address `from` at `now_s`, and is it signed by `ca_blob`?
 *  Whether it was revoked is the caller's to ask.
 *  @return NULL, or why not: a constant sentence fragment. */
const char *keys_user_certificate_refuse(const struct keys_user_certificate *certificate,
                                         struct cursor ca_blob, struct cursor person, const char *from,
                                         int64_t now_s);

#endif
