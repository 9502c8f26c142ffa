/* The certificates of TLS: a CA of our own, and certificates that it issues for the names of databases. Keys
 * are ECDSA on P-256, which every TLS client of the last ten years takes. */
#ifndef CRYPTO_X509_H
#define CRYPTO_X509_H

#include <stdbool.h>

#include "base/cursor.h"
#include "base/secret.h"
#include "base/writer.h"

enum {
    CRYPTO_X509_DER_BYTES = 1024, /* the largest certificate that is issued here: a name of 253 bytes and two
                                     of a CA take about 800 */
    CRYPTO_X509_PUBLIC_BYTES = 128,   /* a SubjectPublicKeyInfo of P-256 has 91 */
    CRYPTO_X509_CA_FILE_BYTES = 8192, /* the largest file that crypto_ca_load() takes */
    CRYPTO_X509_CA_NAME_BYTES = 64,   /* X.520: the longest common name */
};

/** A private key on P-256. */
struct crypto_x509_key;
/** A new key. @param ret_public  gets its SubjectPublicKeyInfo (DER, RFC 5280 section 4.1)
 *  @return ERR_LIBRARY. */
MUST_CHECK enum err crypto_x509_key_new(struct writer *ret_public, struct crypto_x509_key **ret);
void crypto_x509_key_free(struct crypto_x509_key *key);

/** A CA: its certificate and its private key. */
struct crypto_ca;
/** Make a CA that may issue certificates for servers only.
 *  @param name     its common name, at most CRYPTO_X509_CA_NAME_BYTES
 *  @param ret_pem  private key (PKCS #8) and certificate as one PEM text, for crypto_ca_load()
 *  @return ERR_TOO_LARGE; ERR_LIBRARY. */
MUST_CHECK enum err crypto_ca_create(const char *name, int64_t from_s, int64_t until_s,
                                     struct secret *ret_pem);
/** @param pem  a private key on P-256 and the certificate that belongs to it
 *  @return ERR_MALFORMED when it is not that; ERR_MISMATCH when the two do not belong together or the
 * certificate is no CA's. */
MUST_CHECK enum err crypto_ca_load(struct cursor pem, struct crypto_ca **ret);
void crypto_ca_free(struct crypto_ca *ca);
/** The certificate (DER), borrowed from the CA. */
struct cursor crypto_ca_certificate(const struct crypto_ca *ca);
/** A certificate as PEM text. @return ERR_MALFORMED when it is none; ERR_TOO_LARGE. */
MUST_CHECK enum err crypto_x509_pem(struct cursor der, struct writer *out);

struct crypto_x509_order {
    struct cursor public_key; /* SubjectPublicKeyInfo, P-256 */
    const char *name;         /* a host name or a numeric address: its only subjectAltName */
    int64_t from_s, until_s;  /* seconds since 1970 */
};
/** Issue a certificate for a server (RFC 5280; extendedKeyUsage serverAuth) with a random serial number.
 *  @return ERR_MALFORMED when the key or the name is not what it should be; ERR_TOO_LARGE; ERR_LIBRARY. */
MUST_CHECK enum err crypto_ca_issue(const struct crypto_ca *ca, const struct crypto_x509_order *order,
                                    struct writer *ret_der);

#endif
