/* Signatures by which a person proves to hold a key (RFC 4252 section 7), as values. */
#ifndef KEYS_SIGNATURE_H
#define KEYS_SIGNATURE_H

#include "base/writer.h"
#include "keys/blob.h"

/** OpenSSH PROTOCOL.u2f: what a hardware token says about one signature. */
enum {
    KEYS_SK_USER_PRESENT = 0x01,  /* somebody touched it */
    KEYS_SK_USER_VERIFIED = 0x04, /* somebody gave its PIN or fingerprint */
};

/** Whether a token must have been touched for the signature at hand. Other keys need no touch. */
enum keys_touch { KEYS_TOUCH_REQUIRED, KEYS_TOUCH_JUDGED_BY_CALLER };

struct keys_proof {
    enum keys_type type;
    uint8_t sk_flags;    /* 0 for other keys */
    uint32_t sk_counter; /* 0 for other keys */
};

/** Verify `signature` over `data`.
 *  @param algorithm  the name from the request: it must fit the key's type and be the name inside the
 * signature. RSA keys: "rsa-sha2-256" and "rsa-sha2-512" (RFC 8332); never "ssh-rsa", which is SHA-1
 *  @param touch      KEYS_TOUCH_JUDGED_BY_CALLER only where ret_proof->sk_flags is checked afterwards, as
 *                    keys_authorization_admits() does
 *  @return ERR_MISMATCH for a wrong signature or an algorithm of another type; ERR_DENIED for a token that
 * nobody touched; ERR_MALFORMED, ERR_TRUNCATED, ERR_TOO_LARGE for blobs that are none. Source: RFC 8709, RFC
 * 5656 3.1.2, RFC 8332, OpenSSH PROTOCOL.u2f */
MUST_CHECK enum err keys_signature_verify(struct cursor key_blob, struct cursor algorithm,
                                          struct cursor signature, struct cursor data, enum keys_touch touch,
                                          struct keys_proof *ret_proof);
/** May this key sign with this algorithm? The answer to an unsigned offer (RFC 4252 section 7). */
bool keys_algorithm_fits(enum keys_type type, struct cursor algorithm);

/** The request that a signature of user authentication covers. */
struct keys_user_request {
    struct cursor session_id, user, method, algorithm;
    struct cursor key_blob;
    struct cursor host_key_blob; /* only for publickey-hostbound-v00@openssh.com */
};
#define KEYS_METHOD_PLAIN "publickey"
#define KEYS_METHOD_HOSTBOUND "publickey-hostbound-v00@openssh.com"
/** The signed bytes of RFC 4252 section 7; for the hostbound method (OpenSSH PROTOCOL section 3.1) with the
 * host key.
 *  @return ERR_MALFORMED for another method; ERR_TOO_LARGE when `memory` is too small. */
MUST_CHECK enum err keys_user_request_write(const struct keys_user_request *request, uint8_t *memory,
                                            size_t size_bytes, struct cursor *ret_data);

#endif
