#include "crypto/x509.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certificate.h"
#include "crypto/random.h"

enum { X509_VERSION_OF_3 = 2, SERIAL_BYTES = 16 };

struct crypto_ca {
    X509 *certificate; /* OWNED */
    EVP_PKEY *key;     /* OWNED */
    uint8_t *der;      /* OWNED, the certificate */
    size_t der_bytes;
};

static void free_der(unsigned char **der)
{
    OPENSSL_free(*der);
}
#define OWNED_DER __attribute__((cleanup(free_der))) unsigned char

X509 *certificate_of(struct cursor der)
{
    const unsigned char *at = der.at;
    X509 *certificate = d2i_X509(NULL, &at, (long)cursor_len(&der));
    if (certificate != NULL && at != der.end) {
        X509_free(certificate);
        certificate = NULL;
    }
    return certificate;
}

BIO *certificate_reader(struct cursor bytes)
{
    return cursor_len(&bytes) > INT32_MAX ? NULL : BIO_new_mem_buf(bytes.at, (int)cursor_len(&bytes));
}

static bool is_p256(const EVP_PKEY *key)
{
    char group[32];
    size_t len = 0;
    return key != NULL && EVP_PKEY_is_a(key, "EC") == 1 &&
           EVP_PKEY_get_group_name(key, group, sizeof group, &len) == 1 && strcmp(group, "prime256v1") == 0;
}

enum err crypto_x509_key_new(struct writer *ret_public, struct crypto_x509_key **ret)
{
    (void)crypto_library(); /* before OpenSSL would read openssl.cnf */
    OWNED_PKEY *pair = EVP_EC_gen("P-256");
    OWNED_DER *der = NULL;
    int len = pair == NULL ? -1 : i2d_PUBKEY(pair, &der);
    struct crypto_x509_key *key = len > 0 ? calloc(1, sizeof *key) : NULL;
    if (key == NULL) {
        return certificate_refused(ERR_LIBRARY);
    }
    writer_bytes(ret_public, cursor_of(der, (size_t)len));
    key->pair = pair;
    pair = NULL;
    *ret = key;
    return ERR_NONE;
}

void crypto_x509_key_free(struct crypto_x509_key *key)
{
    if (key != NULL) {
        EVP_PKEY_free(key->pair);
        free(key);
    }
}

/* ---- a certificate, field by field ---- */

static bool set_times(X509 *certificate, int64_t from_s, int64_t until_s)
{
    return ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)from_s) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)until_s) != NULL;
}

/* RFC 5280 section 4.1.2.2: positive, at most 20 octets; unpredictable. */
static bool set_serial(X509 *certificate)
{
    uint8_t bytes[SERIAL_BYTES];
    crypto_random(bytes, sizeof bytes);
    bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40);
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool is_set = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return is_set;
}

static bool add_extension(X509 *certificate, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    bool is_added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return is_added;
}

/* The name goes in as a value, never as text that X509V3_EXT_conf_nid() would parse. */
static bool add_server_name(X509 *certificate, const char *name)
{
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(name);
    bool is_address = address != NULL;
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *one = GENERAL_NAME_new();
    ASN1_STRING *text = is_address ? address : ASN1_IA5STRING_new();
    bool is_good = names != NULL && one != NULL && text != NULL &&
                   (is_address || ASN1_STRING_set(text, name, (int)strlen(name)) == 1);
    if (is_good) {
        GENERAL_NAME_set0_value(one, is_address ? GEN_IPADD : GEN_DNS, text);
        text = NULL; /* belongs to `one` */
        is_good = sk_GENERAL_NAME_push(names, one) > 0;
    }
    if (is_good) {
        one = NULL; /* belongs to `names` */
        /* RFC 5280 section 4.2.1.6: critical where the subject is empty; Java refuses it otherwise. */
        enum { IS_CRITICAL = 1 };
        is_good = X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, IS_CRITICAL, 0) == 1;
    }
    ASN1_STRING_free(text);
    GENERAL_NAME_free(one);
    GENERAL_NAMES_free(names);
    ERR_clear_error(); /* a name is no address */
    return is_good;
}

static bool set_common_name(X509_NAME *subject, const char *name)
{
    return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0) ==
           1;
}

static bool begin_certificate(X509 *certificate, int64_t from_s, int64_t until_s)
{
    return certificate != NULL && X509_set_version(certificate, X509_VERSION_OF_3) == 1 &&
           set_serial(certificate) && set_times(certificate, from_s, until_s);
}

/* ---- the CA ---- */

enum err crypto_ca_create(const char *name, int64_t from_s, int64_t until_s, struct secret *ret_pem)
{
    (void)crypto_library(); /* before OpenSSL would read openssl.cnf */
    if (strlen(name) > CRYPTO_X509_CA_NAME_BYTES) {
        return ERR_TOO_LARGE;
    }
    OWNED_PKEY *key = EVP_EC_gen("P-256");
    OWNED_X509 *certificate = X509_new();
    OWNED_BIO *out = BIO_new(BIO_s_secmem());
    bool is_made =
        key != NULL && out != NULL && begin_certificate(certificate, from_s, until_s) &&
        set_common_name(X509_get_subject_name(certificate), name) &&
        X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1 &&
        X509_set_pubkey(certificate, key) == 1 &&
        add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign") &&
        add_extension(certificate, certificate, NID_ext_key_usage, "serverAuth") &&
        add_extension(certificate, certificate, NID_subject_key_identifier, "hash") &&
        X509_sign(certificate, key, EVP_sha256()) > 0 &&
        PEM_write_bio_PKCS8PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1 &&
        PEM_write_bio_X509(out, certificate) == 1;
    char *bytes = NULL;
    long len = is_made ? BIO_get_mem_data(out, &bytes) : -1;
    if (len <= 0) {
        return certificate_refused(ERR_LIBRARY);
    }
    return secret_set(ret_pem, cursor_of(bytes, (size_t)len));
}

static enum err read_ca(struct cursor pem, struct crypto_ca *ca)
{
    OWNED_BIO *key_in = certificate_reader(pem);
    OWNED_BIO *certificate_in = certificate_reader(pem);
    if (key_in == NULL || certificate_in == NULL) {
        return certificate_refused(ERR_MEMORY);
    }
    char passphrase[] = CERTIFICATE_NO_PASSPHRASE;
    ca->key = PEM_read_bio_PrivateKey(key_in, NULL, NULL, passphrase);
    ca->certificate = PEM_read_bio_X509(certificate_in, NULL, NULL, passphrase);
    if (ca->certificate == NULL || !is_p256(ca->key)) {
        return certificate_refused(ERR_MALFORMED);
    }
    if (X509_check_private_key(ca->certificate, ca->key) != 1 || X509_check_ca(ca->certificate) != 1) {
        return certificate_refused(ERR_MISMATCH);
    }
    int len = i2d_X509(ca->certificate, &ca->der);
    ca->der_bytes = len > 0 ? (size_t)len : 0;
    return len > 0 ? ERR_NONE : certificate_refused(ERR_MEMORY);
}

enum err crypto_ca_load(struct cursor pem, struct crypto_ca **ret)
{
    (void)crypto_library();
    if (cursor_len(&pem) > CRYPTO_X509_CA_FILE_BYTES) {
        return ERR_TOO_LARGE;
    }
    struct crypto_ca *ca = calloc(1, sizeof *ca);
    if (ca == NULL) {
        return ERR_MEMORY;
    }
    enum err err = read_ca(pem, ca);
    if (err != ERR_NONE) {
        crypto_ca_free(ca);
        return err;
    }
    *ret = ca;
    return ERR_NONE;
}

void crypto_ca_free(struct crypto_ca *ca)
{
    if (ca != NULL) {
        X509_free(ca->certificate);
        EVP_PKEY_free(ca->key);
        OPENSSL_free(ca->der);
        free(ca);
    }
}

struct cursor crypto_ca_certificate(const struct crypto_ca *ca)
{
    return cursor_of(ca->der, ca->der_bytes);
}

enum err crypto_x509_pem(struct cursor der, struct writer *out)
{
    (void)crypto_library();
    OWNED_X509 *certificate = certificate_of(der);
    OWNED_BIO *text = BIO_new(BIO_s_mem());
    if (certificate == NULL || text == NULL || PEM_write_bio_X509(text, certificate) != 1) {
        return certificate_refused(ERR_MALFORMED);
    }
    char *bytes = NULL;
    long len = BIO_get_mem_data(text, &bytes);
    writer_bytes(out, cursor_of(bytes, (size_t)len));
    return out->is_full ? ERR_TOO_LARGE : ERR_NONE;
}

/* The subject stays empty: a common name has room for 64 bytes, and nobody has to look at it. An empty
 * subject makes the subjectAltName the only name (RFC 5280 section 4.1.2.6). */
static bool fill(X509 *certificate, const struct crypto_ca *ca, const struct crypto_x509_order *order,
                 EVP_PKEY *subject)
{
    return begin_certificate(certificate, order->from_s, order->until_s) &&
           X509_set_issuer_name(certificate, X509_get_subject_name(ca->certificate)) == 1 &&
           X509_set_pubkey(certificate, subject) == 1 &&
           add_extension(certificate, ca->certificate, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(certificate, ca->certificate, NID_key_usage, "critical,digitalSignature") &&
           add_extension(certificate, ca->certificate, NID_ext_key_usage, "serverAuth") &&
           add_extension(certificate, ca->certificate, NID_authority_key_identifier, "keyid") &&
           add_server_name(certificate, order->name) && X509_sign(certificate, ca->key, EVP_sha256()) > 0;
}

enum err crypto_ca_issue(const struct crypto_ca *ca, const struct crypto_x509_order *order,
                         struct writer *ret_der)
{
    const unsigned char *at = order->public_key.at;
    OWNED_PKEY *subject = d2i_PUBKEY(NULL, &at, (long)cursor_len(&order->public_key));
    size_t name_len = strlen(order->name);
    if (at != order->public_key.end || !is_p256(subject) || name_len == 0 || name_len > 253) {
        return certificate_refused(ERR_MALFORMED);
    }
    OWNED_X509 *certificate = X509_new();
    OWNED_DER *der = NULL;
    int len = fill(certificate, ca, order, subject) ? i2d_X509(certificate, &der) : -1;
    if (len <= 0) {
        return certificate_refused(ERR_LIBRARY);
    }
    writer_bytes(ret_der, cursor_of(der, (size_t)len));
    return ret_der->is_full ? ERR_TOO_LARGE : ERR_NONE;
}
