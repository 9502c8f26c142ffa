/* Certificates that are trusted to vouch for servers. */
#include <stdlib.h>

#include "tls_state.h"

static enum err read_certificates(struct cursor pem, X509_STORE *store)
{
    OWNED_BIO *in = certificate_reader(pem);
    if (in == NULL) {
        return ERR_MEMORY;
    }
    char passphrase[] = CERTIFICATE_NO_PASSPHRASE;
    bool has_one = false;
    for (;;) {
        OWNED_X509 *certificate = PEM_read_bio_X509(in, NULL, NULL, passphrase);
        if (certificate == NULL) {
            break;
        }
        if (X509_STORE_add_cert(store, certificate) != 1) {
            return ERR_MEMORY;
        }
        has_one = true;
    }
    bool is_at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    return has_one && is_at_end ? ERR_NONE : ERR_MALFORMED;
}

enum err crypto_trust_load(struct cursor pem, struct crypto_trust **ret)
{
    (void)crypto_library(); /* before OpenSSL would read openssl.cnf */
    ERR_clear_error();
    struct crypto_trust *trust = calloc(1, sizeof *trust);
    if (trust == NULL) {
        return ERR_MEMORY;
    }
    trust->store = X509_STORE_new();
    enum err err = trust->store == NULL ? ERR_MEMORY : read_certificates(pem, trust->store);
    if (err == ERR_NONE && X509_STORE_set_flags(trust->store, X509_V_FLAG_PARTIAL_CHAIN) != 1) {
        err = ERR_LIBRARY;
    }
    if (err != ERR_NONE) {
        crypto_trust_free(trust);
        return certificate_refused(err);
    }
    ERR_clear_error(); /* the end of the text */
    *ret = trust;
    return ERR_NONE;
}

void crypto_trust_free(struct crypto_trust *trust)
{
    if (trust != NULL) {
        X509_STORE_free(trust->store);
        free(trust);
    }
}
