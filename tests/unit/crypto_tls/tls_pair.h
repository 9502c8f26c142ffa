/* Two ends of TLS in memory, with certificates made for the test. */
#ifndef TESTS_TLS_PAIR_H
#define TESTS_TLS_PAIR_H

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/tls.h"

enum { PAIR_LIMIT_BYTES = 1 << 20, PAIR_DAY_S = 86400 };

struct pair_server {
    struct crypto_ca *ca;
    struct crypto_x509_key *key;
    uint8_t der[CRYPTO_X509_DER_BYTES];
    struct cursor certificate;
    struct crypto_trust *trust; /* in that CA */
};

static inline void pair_must(enum err err)
{
    if (err != ERR_NONE) {
        abort();
    }
}

/** A CA and a certificate for `name`, valid between the two days, counted from now. */
static inline void pair_server_init(struct pair_server *server, const char *name, int from_days,
                                    int until_days)
{
    int64_t now_s = time(NULL);
    OWNED_SECRET pem = {0};
    uint8_t public_bytes[CRYPTO_X509_PUBLIC_BYTES];
    uint8_t ca_text[2048];
    struct writer public_key = writer_of(public_bytes, sizeof public_bytes);
    struct writer der = writer_of(server->der, sizeof server->der);
    struct writer ca = writer_of(ca_text, sizeof ca_text);
    struct crypto_x509_order order = {
        .name = name, .from_s = now_s + from_days * PAIR_DAY_S, .until_s = now_s + until_days * PAIR_DAY_S};
    struct cursor ca_pem;
    pair_must(crypto_ca_create("Test CA", now_s - 900L * PAIR_DAY_S, now_s + 900L * PAIR_DAY_S, &pem));
    pair_must(crypto_ca_load(secret_peek(&pem), &server->ca));
    pair_must(crypto_x509_key_new(&public_key, &server->key));
    pair_must(writer_done(&public_key, &order.public_key));
    pair_must(crypto_ca_issue(server->ca, &order, &der));
    pair_must(writer_done(&der, &server->certificate));
    pair_must(crypto_x509_pem(crypto_ca_certificate(server->ca), &ca));
    pair_must(writer_done(&ca, &ca_pem));
    pair_must(crypto_trust_load(ca_pem, &server->trust));
}

static inline void pair_server_done(struct pair_server *server)
{
    crypto_trust_free(server->trust);
    crypto_x509_key_free(server->key);
    crypto_ca_free(server->ca);
}

static inline struct crypto_tls *pair_server_tls(const struct pair_server *server, const char *alpn)
{
    struct crypto_tls_server config = {.key = server->key, .alpn = alpn};
    config.chain[0] = server->certificate;
    config.chain[1] = crypto_ca_certificate(server->ca);
    struct crypto_tls *tls = NULL;
    pair_must(crypto_tls_server_new(&config, PAIR_LIMIT_BYTES, &tls));
    return tls;
}

static inline struct crypto_tls *pair_client_tls(const struct crypto_trust *trust, const char *name,
                                                 const char *alpn)
{
    struct crypto_tls_client config = {.trust = trust, .name = name, .alpn = alpn};
    struct crypto_tls *tls = NULL;
    pair_must(crypto_tls_client_new(&config, PAIR_LIMIT_BYTES, &tls));
    return tls;
}

/** What one end made goes to the other; at most `chunk_bytes` at once. */
static inline enum err pair_pass(struct crypto_tls *from, struct crypto_tls *to, size_t chunk_bytes)
{
    struct queue *out = crypto_tls_out(from);
    while (queue_len(out) > 0) {
        struct cursor bytes = queue_peek(out);
        if (cursor_len(&bytes) > chunk_bytes) {
            bytes.end = bytes.at + chunk_bytes;
        }
        enum err err = crypto_tls_feed(to, bytes);
        queue_consume(out, cursor_len(&bytes));
        TRY(err);
    }
    return ERR_NONE;
}

/** Both ways until both ends are quiet. @return what the client says; the server's failure is in `server`. */
static inline enum err pair_shake(struct crypto_tls *client, struct crypto_tls *server, size_t chunk_bytes)
{
    TRY(crypto_tls_start(client));
    while (queue_len(crypto_tls_out(client)) > 0 || queue_len(crypto_tls_out(server)) > 0) {
        err_ignore(pair_pass(client, server, chunk_bytes)); /* its alert tells the client */
        TRY(pair_pass(server, client, chunk_bytes));
        if (crypto_tls_failure(server)[0] != 0 && queue_len(crypto_tls_out(server)) == 0) {
            break;
        }
    }
    return ERR_NONE;
}

#endif
