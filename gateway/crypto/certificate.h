/* What the files about certificates and TLS share. Private to the room. */
#ifndef CRYPTO_CERTIFICATE_H
#define CRYPTO_CERTIFICATE_H

#include "base/err.h"
#include "crypto/x509.h"
#include "library.h"

/* As in library.h: OpenSSL has a type of this name. */
#define ERR_STATE openssl_err_state
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

struct crypto_x509_key {
    EVP_PKEY *pair; /* OWNED */
};

static inline void certificate_free(X509 **certificate)
{
    X509_free(*certificate);
}
static inline void certificate_free_bio(BIO **bio)
{
    (void)BIO_free(*bio);
}
static inline void certificate_free_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}
#define OWNED_X509 __attribute__((cleanup(certificate_free))) X509
#define OWNED_BIO __attribute__((cleanup(certificate_free_bio))) BIO
#define OWNED_PKEY __attribute__((cleanup(certificate_free_key))) EVP_PKEY

/* Wrong input leaves entries in OpenSSL's error queue, which nobody reads. */
static inline enum err certificate_refused(enum err err)
{
    ERR_clear_error();
    return err;
}

/* Given where OpenSSL would otherwise ask for one at a terminal. */
#define CERTIFICATE_NO_PASSPHRASE ""

/** One certificate, all of `der`. @return NULL when it is none. */
X509 *certificate_of(struct cursor der);
/** Memory of `bytes` to read from; NULL when there is none, or it is over 2 GiB. */
BIO *certificate_reader(struct cursor bytes);

#endif
