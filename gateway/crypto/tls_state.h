/* One end of a TLS connection, private to the room. */
#ifndef CRYPTO_TLS_STATE_H
#define CRYPTO_TLS_STATE_H

#include "certificate.h"
#include "crypto/tls.h"

/* As in library.h: OpenSSL has a type of this name. */
#define ERR_STATE openssl_err_state
#include <openssl/ssl.h>
#undef ERR_STATE

struct crypto_trust {
    X509_STORE *store; /* OWNED */
};

enum { CRYPTO_TLS_ALPN_BYTES = 32, CRYPTO_TLS_TEXT_BYTES = 96 };

struct crypto_tls {
    SSL *ssl;           /* OWNED */
    BIO_METHOD *memory; /* OWNED */
    struct cursor in;   /* what is being fed; empty between calls */
    struct queue plain, out;
    size_t handshake_bytes; /* that the peer has sent before the handshake was done */
    bool is_client, is_ready, has_ended, has_failed, is_out_full, is_certificate_refused;
    char name[256]; /* that the server's certificate must be for */
    uint8_t
        alpn[CRYPTO_TLS_ALPN_BYTES]; /* one name with its length before it (RFC 7301 section 3.1); 0: none */
    char text[CRYPTO_TLS_TEXT_BYTES];
    char failure[CRYPTO_TLS_FAILURE_BYTES];
};

/** tls_failure.c: OpenSSL's question about each certificate of a server; keeps in words why one is refused.
 */
int tls_judge_certificate(int is_good, X509_STORE_CTX *chain);
/** tls_failure.c: put into words what OpenSSL says of a failed handshake or record, and empty its error
 * queue.
 *  @return ERR_MISMATCH for a certificate that was refused, else ERR_MALFORMED. */
enum err tls_explain(struct crypto_tls *tls);

#endif
