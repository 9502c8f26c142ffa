/* The host keys that a target may show: a file in the format of sshd(8) "SSH_KNOWN_HOSTS FILE FORMAT". */
#ifndef KEYS_KNOWN_HOSTS_H
#define KEYS_KNOWN_HOSTS_H

#include "keys/blob.h"
#include "keys/complaints.h"

enum {
    KEYS_KNOWN_HOSTS_FILE_BYTES = 4194304, /* about 30,000 hosts */
    KEYS_HOST_CA_FILE_BYTES = 65536,
    KEYS_HOST_KEYS_MAX = 16, /* one host with more kinds of keys than sshd has is a mistake in the file */
    KEYS_HOST_CAS_MAX = 16,  /* CAs for one host: the old and the new one of each kind, and some */
    KEYS_REVOKED_MAX = 256,  /* 8 KiB of hashes go with every access */
};

/** 140 KiB: keep it on the heap or static, not on a small stack. {0} is empty. */
struct keys_host_keys {
    unsigned count;
    struct keys_blob blobs[KEYS_HOST_KEYS_MAX];
    unsigned dropped_count; /* further keys of this host that did not fit */
    unsigned revoked_count; /* keys and CAs of this host that a @revoked line took away */
    unsigned ca_count;
    struct keys_blob cas[KEYS_HOST_CAS_MAX]; /* whose host certificates are accepted */
    unsigned dropped_ca_count;               /* further CAs that did not fit */
    unsigned revoked_hash_count;             /* SHA-256 of all revoked keys in the file */
    uint8_t revoked[KEYS_REVOKED_MAX][32];
    bool has_too_many_revoked; /* so no CA is accepted: what it certified could be among them */
};

/** Collect the accepted keys of `host` on `port`, and the CAs of @cert-authority lines for it: exact names,
 * "*" and "?", "!name", "[name]:port", hashed names. With a port other than 22 only "[name]:port" counts, as
 * in ssh(1). A key in a @revoked line is never accepted, for whatever host that line is: stricter than
 * ssh(1), where the line must match the host.
 *  @param host        name or address as it was asked for; compared without regard to case
 *  @param complaints  gets every line that cannot be used
 *  @param ret_keys    whatever it held is gone
 *  @return ERR_NOT_FOUND when no key and no CA is accepted (the counts in `ret_keys` are valid then);
 * ERR_TOO_LARGE over 4 MiB; ERR_MALFORMED for a host that is none. */
MUST_CHECK enum err keys_known_hosts_find(struct cursor file, const char *host, uint16_t port,
                                          struct keys_host_keys *ret_keys,
                                          struct keys_complaints *complaints);
/** Add the CAs of a file with one public key a line (ssh_host_ca.pub) to what was found.
 *  @param complaints  gets every line that cannot be used
 *  @return ERR_TOO_LARGE over 64 KiB. */
MUST_CHECK enum err keys_host_cas_add(struct cursor file, struct keys_host_keys *keys,
                                      struct keys_complaints *complaints);

#endif
