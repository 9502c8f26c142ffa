/* What vouches for one host, and the judgement over what the host shows: a plain key that is known, or a host
 * certificate of a CA that is trusted for it. */
#ifndef KEYS_HOST_TRUST_H
#define KEYS_HOST_TRUST_H

#include "base/writer.h"
#include "keys/certified.h"
#include "keys/known_hosts.h"

enum { KEYS_HOST_REASON_BYTES = 384 };

/** Borrowed. The process that reads the operators' files writes it; the one that meets the host reads it. */
struct keys_host_trust {
    struct cursor keys;    /* blobs, each an SSH string */
    struct cursor cas;     /* likewise */
    struct cursor revoked; /* SHA-256 of blobs, in a row: never accepted, as a key or as a CA */
};

/** @return ERR_TOO_LARGE. */
MUST_CHECK enum err keys_host_trust_write(const struct keys_host_keys *keys, struct writer *out);
/** @return ERR_TRUNCATED; ERR_TOO_LARGE; ERR_MALFORMED, also for a blob that is no key. */
MUST_CHECK enum err keys_host_trust_read(struct cursor *in, struct keys_host_trust *ret_trust);

/** Is there a CA? Only then is it of use to ask the host for a certificate. */
bool keys_host_trust_has_ca(const struct keys_host_trust *trust);
/** Is a key of this type known? Asking for that type first lets a host show the key that is known. */
bool keys_host_trust_has_type(const struct keys_host_trust *trust, enum keys_type type);

/** The parts of what a host shows: the key, and the CA of a certificate (else empty). Nothing is judged.
 *  @return ERR_MALFORMED and others for what is neither key nor certificate. */
MUST_CHECK enum err keys_host_shown(struct cursor shown, struct keys_blob *ret_key, struct keys_blob *ret_ca);

struct keys_host_judgement {
    bool is_trusted;
    bool is_certificate;                         /* it showed one */
    bool is_certified;                           /* trusted by it, and not by the key alone */
    bool is_revoked;                             /* not trusted for this reason */
    bool is_ca_trusted;                          /* of what it showed; then the certificate decides */
    char fingerprint[KEYS_FINGERPRINT_BYTES];    /* of the key, also of the one in a certificate */
    char ca_fingerprint[KEYS_FINGERPRINT_BYTES]; /* of what a certificate names as its CA; else "" */
    char reason[KEYS_HOST_REASON_BYTES];         /* not trusted: a sentence fragment with fingerprints */
};

/** Judge what a host shows. As in ssh(1), a certificate of a CA that is not trusted counts as its key alone,
 * and one of a trusted CA must be good: a host certificate, for this very name (no patterns; an address where
 * the host was dialled by its address), valid now, without critical options, with a good signature.
 *  @param host   as it was dialled; without regard to case
 *  @param shown  key or certificate blob */
void keys_host_trust_judge(const struct keys_host_trust *trust, const char *host, int64_t now_s,
                           struct cursor shown, struct keys_host_judgement *ret);

#endif
