#include "crypto/tls.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls_state.h"

enum { READ_BYTES = SSL3_RT_MAX_PLAIN_LENGTH, SECURITY_BITS_112 = 2 };

/* ---- the memory that OpenSSL takes for a socket ---- */

static int memory_read(BIO *bio, char *ret_bytes, size_t size, size_t *ret_len)
{
    struct crypto_tls *tls = BIO_get_data(bio);
    size_t len = cursor_len(&tls->in);
    BIO_clear_retry_flags(bio);
    if (len == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    len = len < size ? len : size;
    memcpy(ret_bytes, tls->in.at, len);
    tls->in.at += len;
    *ret_len = len;
    return 1;
}

static int memory_write(BIO *bio, const char *bytes, size_t len, size_t *ret_len)
{
    struct crypto_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (queue_append(&tls->out, cursor_of(bytes, len)) != ERR_NONE) {
        tls->is_out_full = true;
        return 0;
    }
    *ret_len = len;
    return 1;
}

static long memory_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static bool attach_memory(struct crypto_tls *tls)
{
    tls->memory = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "memory of the owner");
    if (tls->memory == NULL || BIO_meth_set_read_ex(tls->memory, memory_read) != 1 ||
        BIO_meth_set_write_ex(tls->memory, memory_write) != 1 ||
        BIO_meth_set_ctrl(tls->memory, memory_control) != 1) {
        return false;
    }
    BIO *bio = BIO_new(tls->memory);
    if (bio == NULL) {
        return false;
    }
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio); /* takes the one reference */
    return true;
}

/* ---- making one ---- */

static void free_context(SSL_CTX **context)
{
    SSL_CTX_free(*context);
}
#define OWNED_CONTEXT __attribute__((cleanup(free_context))) SSL_CTX

static SSL_CTX *new_context(void)
{
    (void)crypto_library(); /* before OpenSSL would read openssl.cnf */
    OWNED_CONTEXT *context = SSL_CTX_new(TLS_method());
    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1) {
        return NULL;
    }
    SSL_CTX_set_security_level(context, SECURITY_BITS_112);
    (void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX *taken = context;
    context = NULL;
    return taken;
}

static enum err new_tls(SSL_CTX *context, size_t limit_bytes, struct crypto_tls **ret)
{
    struct crypto_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL) {
        return ERR_MEMORY;
    }
    queue_init(&tls->plain, limit_bytes);
    queue_init(&tls->out, limit_bytes);
    tls->ssl = SSL_new(context);
    if (tls->ssl == NULL || SSL_set_app_data(tls->ssl, tls) != 1 || !attach_memory(tls)) {
        crypto_tls_free(tls);
        return certificate_refused(ERR_MEMORY);
    }
    *ret = tls;
    return ERR_NONE;
}

void crypto_tls_free(struct crypto_tls *tls)
{
    if (tls == NULL) {
        return;
    }
    SSL_free(tls->ssl);
    BIO_meth_free(tls->memory);
    queue_done(&tls->plain);
    queue_done(&tls->out);
    free(tls);
}

static enum err set_alpn(struct crypto_tls *tls, const char *alpn)
{
    size_t len = strlen(alpn);
    if (len == 0 || len >= sizeof tls->alpn) {
        return ERR_MALFORMED;
    }
    tls->alpn[0] = (uint8_t)len;
    memcpy(tls->alpn + 1, alpn, len);
    return ERR_NONE;
}

static enum err set_client(struct crypto_tls *tls, const struct crypto_tls_client *config)
{
    size_t len = strlen(config->name);
    if (len == 0 || len >= sizeof tls->name) {
        return ERR_MALFORMED;
    }
    memcpy(tls->name, config->name, len + 1);
    tls->is_client = true;
    X509_VERIFY_PARAM *check = SSL_get0_param(tls->ssl);
    X509_VERIFY_PARAM_set_hostflags(check, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    bool is_address = X509_VERIFY_PARAM_set1_ip_asc(check, tls->name) == 1;
    bool is_set = is_address || X509_VERIFY_PARAM_set1_host(check, tls->name, len) == 1;
    if (config->is_name_ignored) {
        is_set = X509_VERIFY_PARAM_set1_host(check, NULL, 0) == 1 &&
                 X509_VERIFY_PARAM_set1_ip(check, NULL, 0) == 1;
    }
    /* RFC 6066 section 3: a numeric address is no server name. */
    is_set = is_set && (is_address || SSL_set_tlsext_host_name(tls->ssl, tls->name) == 1);
    ERR_clear_error(); /* a name is no address */
    if (!is_set) {
        return ERR_MALFORMED;
    }
    SSL_set_verify(tls->ssl, SSL_VERIFY_PEER, tls_judge_certificate);
    SSL_set_connect_state(tls->ssl);
    if (config->alpn != NULL) {
        TRY(set_alpn(tls, config->alpn));
        if (SSL_set_alpn_protos(tls->ssl, tls->alpn, 1U + tls->alpn[0]) != 0) {
            return certificate_refused(ERR_MEMORY);
        }
    }
    return ERR_NONE;
}

enum err crypto_tls_client_new(const struct crypto_tls_client *config, size_t limit_bytes,
                               struct crypto_tls **ret)
{
    OWNED_CONTEXT *context = new_context();
    if (context == NULL) {
        return certificate_refused(ERR_LIBRARY);
    }
    SSL_CTX_set1_cert_store(context, config->trust->store);
    struct crypto_tls *tls = NULL;
    TRY(new_tls(context, limit_bytes, &tls));
    enum err err = set_client(tls, config);
    if (err != ERR_NONE) {
        crypto_tls_free(tls);
        return err;
    }
    *ret = tls;
    return ERR_NONE;
}

static int choose_alpn(SSL *ssl, const unsigned char **ret_chosen, unsigned char *ret_len,
                       const unsigned char *offered, unsigned offered_bytes, void *context)
{
    (void)context;
    const struct crypto_tls *tls = SSL_get_app_data(ssl);
    unsigned char *chosen = NULL;
    if (SSL_select_next_proto(&chosen, ret_len, tls->alpn, 1U + tls->alpn[0], offered, offered_bytes) !=
        OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 section 3.2 */
    }
    *ret_chosen = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static enum err set_chain(SSL_CTX *context, const struct crypto_tls_server *config)
{
    for (size_t i = 0; i < CRYPTO_TLS_CHAIN_MAX && cursor_len(&config->chain[i]) > 0; i++) {
        OWNED_X509 *certificate = certificate_of(config->chain[i]);
        if (certificate == NULL || (i == 0 ? SSL_CTX_use_certificate(context, certificate)
                                           : SSL_CTX_add1_chain_cert(context, certificate)) != 1) {
            return certificate_refused(ERR_MALFORMED);
        }
    }
    return SSL_CTX_use_PrivateKey(context, config->key->pair) == 1 ? ERR_NONE
                                                                   : certificate_refused(ERR_MALFORMED);
}

enum err crypto_tls_server_new(const struct crypto_tls_server *config, size_t limit_bytes,
                               struct crypto_tls **ret)
{
    OWNED_CONTEXT *context = new_context();
    if (context == NULL) {
        return certificate_refused(ERR_LIBRARY);
    }
    TRY(set_chain(context, config));
    if (config->alpn != NULL) {
        SSL_CTX_set_alpn_select_cb(context, choose_alpn, NULL);
    }
    struct crypto_tls *tls = NULL;
    TRY(new_tls(context, limit_bytes, &tls));
    SSL_set_accept_state(tls->ssl);
    enum err err = config->alpn == NULL ? ERR_NONE : set_alpn(tls, config->alpn);
    if (err != ERR_NONE) {
        crypto_tls_free(tls);
        return err;
    }
    *ret = tls;
    return ERR_NONE;
}

/* ---- bytes ---- */

static enum err fail(struct crypto_tls *tls, enum err err, const char *failure)
{
    tls->has_failed = true;
    tls->in = cursor_of(NULL, 0);
    if (failure != NULL) {
        (void)snprintf(tls->failure, sizeof tls->failure, "%s", failure);
    }
    return certificate_refused(err);
}

static enum err failed(struct crypto_tls *tls)
{
    if (tls->is_out_full) {
        return fail(tls, ERR_TOO_LARGE, "it does not read what it asks for");
    }
    return fail(tls, tls_explain(tls), NULL);
}

static enum err shake_hands(struct crypto_tls *tls)
{
    int result = SSL_do_handshake(tls->ssl);
    if (result == 1) {
        tls->is_ready = true;
        (void)snprintf(tls->text, sizeof tls->text, "%s %s", SSL_get_version(tls->ssl),
                       SSL_get_cipher_name(tls->ssl));
        return ERR_NONE;
    }
    return SSL_get_error(tls->ssl, result) == SSL_ERROR_WANT_READ ? ERR_AGAIN : failed(tls);
}

static enum err read_one(struct crypto_tls *tls)
{
    uint8_t *room = NULL;
    size_t len = 0;
    enum err err = queue_reserve(&tls->plain, READ_BYTES, &room);
    if (err != ERR_NONE) {
        return fail(tls, err, "it sends more than is read");
    }
    int result = SSL_read_ex(tls->ssl, room, READ_BYTES, &len);
    if (result == 1) {
        queue_added(&tls->plain, len);
        return ERR_NONE;
    }
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return ERR_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        tls->has_ended = true;
        tls->in = cursor_of(NULL, 0); /* RFC 8446 section 6.1: what follows is ignored */
        return ERR_AGAIN;
    default:
        return failed(tls);
    }
}

enum err crypto_tls_start(struct crypto_tls *tls)
{
    ERR_clear_error();
    enum err err = shake_hands(tls);
    return err == ERR_AGAIN ? ERR_NONE : err;
}

enum err crypto_tls_feed(struct crypto_tls *tls, struct cursor bytes)
{
    if (tls->has_failed) {
        return ERR_STATE;
    }
    if (tls->has_ended) {
        return ERR_NONE;
    }
    if (!tls->is_ready) {
        tls->handshake_bytes += cursor_len(&bytes);
    }
    if (!tls->is_ready && tls->handshake_bytes > CRYPTO_TLS_HANDSHAKE_BYTES) {
        return fail(tls, ERR_TOO_LARGE, "its side of the TLS handshake does not end");
    }
    ERR_clear_error();
    tls->in = bytes;
    enum err err = ERR_NONE;
    while (err == ERR_NONE) {
        err = tls->is_ready ? read_one(tls) : shake_hands(tls);
    }
    assert(cursor_len(&tls->in) == 0);
    return err == ERR_AGAIN ? ERR_NONE : err;
}

enum err crypto_tls_write(struct crypto_tls *tls, struct cursor plain)
{
    if (!tls->is_ready || tls->has_failed) {
        return ERR_STATE;
    }
    ERR_clear_error();
    size_t written = 0;
    if (cursor_len(&plain) == 0) {
        return ERR_NONE;
    }
    if (SSL_write_ex(tls->ssl, plain.at, cursor_len(&plain), &written) != 1) {
        return failed(tls);
    }
    assert(written == cursor_len(&plain));
    return ERR_NONE;
}

enum err crypto_tls_close(struct crypto_tls *tls)
{
    if (!tls->is_ready || tls->has_failed) {
        return ERR_STATE;
    }
    ERR_clear_error();
    return SSL_shutdown(tls->ssl) >= 0 ? ERR_NONE : failed(tls);
}

/* ---- what it is ---- */

struct queue *crypto_tls_plain(struct crypto_tls *tls)
{
    return &tls->plain;
}

struct queue *crypto_tls_out(struct crypto_tls *tls)
{
    return &tls->out;
}

bool crypto_tls_is_ready(const struct crypto_tls *tls)
{
    return tls->is_ready && !tls->has_failed;
}

bool crypto_tls_has_ended(const struct crypto_tls *tls)
{
    return tls->has_ended;
}

const char *crypto_tls_failure(const struct crypto_tls *tls)
{
    return tls->failure;
}

const char *crypto_tls_text(const struct crypto_tls *tls)
{
    return tls->text;
}

bool crypto_tls_has_alpn(const struct crypto_tls *tls)
{
    const unsigned char *chosen = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(tls->ssl, &chosen, &len);
    return len > 0;
}

enum err crypto_tls_certificate(const struct crypto_tls *tls, uint8_t ret_sha256[static CRYPTO_SHA256_BYTES])
{
    const X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
    if (!crypto_tls_is_ready(tls) || certificate == NULL) {
        return ERR_STATE;
    }
    crypto_must(X509_digest(certificate, crypto_library()->sha256, ret_sha256, NULL));
    return ERR_NONE;
}

enum err crypto_tls_end_point(const struct crypto_tls *tls,
                              uint8_t ret_hash[static CRYPTO_TLS_END_POINT_BYTES], size_t *ret_bytes)
{
    X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
    if (!crypto_tls_is_ready(tls) || certificate == NULL) {
        return ERR_STATE;
    }
    int digest = NID_undef;
    unsigned len = 0;
    if (X509_get_signature_info(certificate, &digest, NULL, NULL, NULL) == 1 && digest != NID_undef) {
        /* RFC 5929 section 4.1: SHA-256 stands in for MD5 and SHA-1. */
        bool is_old = digest == NID_md5 || digest == NID_sha1;
        const EVP_MD *hash = is_old ? EVP_sha256() : EVP_get_digestbynid(digest);
        if (hash == NULL || X509_digest(certificate, hash, ret_hash, &len) != 1) {
            return certificate_refused(ERR_LIBRARY);
        }
    }
    *ret_bytes = len;
    return ERR_NONE;
}
