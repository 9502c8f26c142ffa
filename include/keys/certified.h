/* What certificates of people and of hosts have in common (OpenSSH PROTOCOL.certkeys), read strictly. */
#ifndef KEYS_CERTIFIED_H
#define KEYS_CERTIFIED_H

#include "keys/blob.h"

enum {
    KEYS_ALGORITHM_BYTES = 64,
    KEYS_PRINCIPALS_MAX = 256,
    KEYS_KEY_ID_BYTES = 256, /* the most that is accepted of a key id */
};

/** What a certificate of any kind says; the cursors are borrowed from its blob. */
struct keys_certified {
    struct keys_blob key; /* the certified key, as a plain blob */
    uint64_t serial;
    uint32_t kind; /* KEYS_CERTIFICATE_USER or _HOST */
    struct cursor key_id;
    struct cursor principals; /* repeated strings, at least one */
    uint64_t valid_after_s, valid_before_s;
    struct cursor critical_options, extensions;
    struct cursor ca_blob, signed_bytes, signature;
};

/** "rsa-sha2-512-cert-v01@openssh.com" is "rsa-sha2-512". @return false for what names no certificate. */
bool keys_certificate_algorithm(struct cursor algorithm, char ret_plain[static KEYS_ALGORITHM_BYTES]);
/** Does the blob say that it is a certificate, of whatever key? */
bool keys_blob_is_certificate(struct cursor blob);

#endif
