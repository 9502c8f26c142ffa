/* One end of a TLS connection as a value: encrypted bytes in and out, plain bytes in and out, no socket and
 * no file. TLS 1.2 with forward secrecy and AEAD, or TLS 1.3; no renegotiation, no resumption, no
 * compression. */
#ifndef CRYPTO_TLS_H
#define CRYPTO_TLS_H

#include <stdbool.h>

#include "base/cursor.h"
#include "base/queue.h"
#include "crypto/hash.h"
#include "crypto/x509.h"

enum {
    CRYPTO_TLS_HANDSHAKE_BYTES = 262144, /* most that a peer may send before the handshake is done: a chain of
                                            ten RSA-4096 certificates has 20 KiB */
    CRYPTO_TLS_FAILURE_BYTES = 256,      /* of crypto_tls_failure() */
    CRYPTO_TLS_END_POINT_BYTES = 64,     /* SHA-512 */
    CRYPTO_TLS_CHAIN_MAX = 4,            /* certificates that a server shows */
};

/** Certificates that are trusted to vouch for servers; may be shared by any number of connections. */
struct crypto_trust;
/** @param pem  certificates one after another; text between them is skipped. Each is trusted by itself, also
 * one of an intermediate CA or of one server.
 *  @return ERR_MALFORMED when one cannot be read, or there is none; ERR_MEMORY. */
MUST_CHECK enum err crypto_trust_load(struct cursor pem, struct crypto_trust **ret);
void crypto_trust_free(struct crypto_trust *trust);

struct crypto_tls_client {
    const struct crypto_trust *trust;
    const char *name;     /* host name or numeric address that the server's certificate must be for, in its
                             subjectAltName: RFC 9525 section 6.1 leaves no room for the common name */
    bool is_name_ignored; /* the chain alone is checked: any server of these CAs will do */
    const char *alpn;     /* NULL: none is offered */
};
struct crypto_tls_server {
    const struct crypto_x509_key *key;
    struct cursor chain[CRYPTO_TLS_CHAIN_MAX]; /* DER, the server's own first; an empty one ends the list */
    const char *alpn; /* a client that offers protocols must offer this one. NULL: what clients offer is not
                         looked at */
};

struct crypto_tls;
/** @param limit_bytes  most that may wait in each of the two queues
 *  @param ret          OWNED; what the configuration points to, but for `trust`, was copied
 *  @return ERR_MALFORMED for a name, key or certificate that is none; ERR_MEMORY; ERR_LIBRARY. */
MUST_CHECK enum err crypto_tls_client_new(const struct crypto_tls_client *config, size_t limit_bytes,
                                          struct crypto_tls **ret);
MUST_CHECK enum err crypto_tls_server_new(const struct crypto_tls_server *config, size_t limit_bytes,
                                          struct crypto_tls **ret);
void crypto_tls_free(struct crypto_tls *tls);

/** Begin: a client's first bytes are made. */
MUST_CHECK enum err crypto_tls_start(struct crypto_tls *tls);
/**
 * Bytes of the peer, all of them. What they say becomes plain bytes in crypto_tls_plain(), what they ask for
 * is answered in crypto_tls_out().
 * @return ERR_MISMATCH when the server's certificate is refused, ERR_MALFORMED for anything else that TLS
 * does not allow, ERR_TOO_LARGE when a queue or the handshake is over its bound: crypto_tls_failure() says
 * which, and crypto_tls_out() may hold an alert for the peer. All later calls fail.
 */
MUST_CHECK enum err crypto_tls_feed(struct crypto_tls *tls, struct cursor bytes);
/** Encrypt all of `plain`. @return ERR_STATE before the handshake is done; ERR_TOO_LARGE; ERR_LIBRARY. */
MUST_CHECK enum err crypto_tls_write(struct crypto_tls *tls, struct cursor plain);
/** Say that nothing follows (close_notify). */
MUST_CHECK enum err crypto_tls_close(struct crypto_tls *tls);

/** Decrypted; the owner drains it. */
struct queue *crypto_tls_plain(struct crypto_tls *tls);
/** Encrypted, for the peer; the owner drains it. */
struct queue *crypto_tls_out(struct crypto_tls *tls);
/** The handshake is done and, for a client, the server is the right one. */
bool crypto_tls_is_ready(const struct crypto_tls *tls);
/** The peer has said that nothing follows. Bytes that end without this were cut. */
bool crypto_tls_has_ended(const struct crypto_tls *tls);
/** Why it failed, in words about the peer: "its certificate has expired, on 2026-01-31". Empty: it has not.
 */
const char *crypto_tls_failure(const struct crypto_tls *tls);

/* What a handshake that is done has agreed on. */

/** "TLSv1.3 TLS_AES_256_GCM_SHA384" */
const char *crypto_tls_text(const struct crypto_tls *tls);
/** Both sides agreed on the protocol that was offered (ALPN, RFC 7301). */
bool crypto_tls_has_alpn(const struct crypto_tls *tls);
/** SHA-256 of the server's certificate, for a client. @return ERR_STATE. */
MUST_CHECK enum err crypto_tls_certificate(const struct crypto_tls *tls,
                                           uint8_t ret_sha256[static CRYPTO_SHA256_BYTES]);
/** tls-server-end-point (RFC 5929 section 4), for a client. @param ret_bytes  its length; 0 where the
 * signature of the certificate has no hash of its own (Ed25519), for which the RFC defines nothing. @return
 * ERR_STATE. */
MUST_CHECK enum err crypto_tls_end_point(const struct crypto_tls *tls,
                                         uint8_t ret_hash[static CRYPTO_TLS_END_POINT_BYTES],
                                         size_t *ret_bytes);

#endif
