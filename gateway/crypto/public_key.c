#include "crypto/public_key.h"

#include <string.h>

#include "library.h"

/* As in library.h: OpenSSL has a type of this name. */
#define ERR_STATE openssl_err_state
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#undef ERR_STATE

/* RSA-16384, the largest key that keys/blob.h accepts. */
enum { RSA_MODULUS_MAX_BYTES = 2048 };

struct curve_row {
    const char *group, *digest;
    size_t field_bytes;
};
static const struct curve_row CURVES[] = {
    [CRYPTO_P256] = {"P-256", "SHA256", 32},
    [CRYPTO_P384] = {"P-384", "SHA384", 48},
    [CRYPTO_P521] = {"P-521", "SHA512", 66},
};
static const char *const RSA_DIGESTS[] = {[CRYPTO_RSA_SHA256] = "SHA256", [CRYPTO_RSA_SHA512] = "SHA512"};

static void free_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}
static void free_key_context(EVP_PKEY_CTX **context)
{
    EVP_PKEY_CTX_free(*context);
}
static void free_digest_context(EVP_MD_CTX **context)
{
    EVP_MD_CTX_free(*context);
}
static void free_build(OSSL_PARAM_BLD **build)
{
    OSSL_PARAM_BLD_free(*build);
}
static void free_params(OSSL_PARAM **params)
{
    OSSL_PARAM_free(*params);
}
static void free_number(BIGNUM **number)
{
    BN_free(*number);
}
static void free_ecdsa(ECDSA_SIG **signature)
{
    ECDSA_SIG_free(*signature);
}
static void free_der(unsigned char **der)
{
    OPENSSL_free(*der);
}
#define OWNED(free_function) __attribute__((cleanup(free_function)))

/* Wrong input leaves entries in OpenSSL's error queue, which nobody reads. */
static enum err refused(enum err err)
{
    ERR_clear_error();
    return err;
}

static enum err key_from(const char *kind, OSSL_PARAM *params, EVP_PKEY **ret_key)
{
    (void)crypto_library(); /* before OpenSSL would read openssl.cnf */
    OWNED(free_key_context) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
    if (context == NULL || EVP_PKEY_fromdata_init(context) != 1) {
        return refused(ERR_LIBRARY);
    }
    EVP_PKEY *key = NULL;
    if (EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        return refused(ERR_MALFORMED);
    }
    *ret_key = key;
    return ERR_NONE;
}

static enum err verify(EVP_PKEY *key, const char *digest, struct cursor signature, struct cursor data)
{
    OWNED(free_digest_context) EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context == NULL) {
        return refused(ERR_MEMORY);
    }
    if (EVP_DigestVerifyInit_ex(context, NULL, digest, NULL, NULL, key, NULL) != 1) {
        return refused(ERR_LIBRARY);
    }
    int verdict = EVP_DigestVerify(context, signature.at, cursor_len(&signature), data.at, cursor_len(&data));
    return verdict == 1 ? ERR_NONE : refused(ERR_MISMATCH);
}

static enum err ecdsa_key(enum crypto_curve curve, struct cursor point, EVP_PKEY **ret_key)
{
    const struct curve_row *row = &CURVES[curve];
    /* Compressed and hybrid points, and the point at infinity, have no place in RFC 5656 section 3.1. */
    if (cursor_len(&point) != 1 + 2 * row->field_bytes || *point.at != POINT_CONVERSION_UNCOMPRESSED) {
        return ERR_MALFORMED;
    }
    /* OSSL_PARAM serves both ways, so it is not const; nothing is written here. */
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)row->group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)point.at, cursor_len(&point)),
        OSSL_PARAM_construct_end(),
    };
    OWNED(free_key) EVP_PKEY *key = NULL;
    TRY(key_from("EC", params, &key));
    OWNED(free_key_context) EVP_PKEY_CTX *check = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    if (check == NULL) {
        return refused(ERR_MEMORY);
    }
    if (EVP_PKEY_public_check_quick(check) != 1) {
        return refused(ERR_MALFORMED);
    }
    *ret_key = key;
    key = NULL;
    return ERR_NONE;
}

enum err crypto_ecdsa_check_point(enum crypto_curve curve, struct cursor point)
{
    OWNED(free_key) EVP_PKEY *key = NULL;
    return ecdsa_key(curve, point, &key);
}

static BIGNUM *number_of(struct cursor magnitude)
{
    return BN_bin2bn(magnitude.at, (int)cursor_len(&magnitude), NULL);
}

enum err crypto_ecdsa_verify(enum crypto_curve curve, struct cursor point, struct cursor r, struct cursor s,
                             struct cursor data)
{
    const struct curve_row *row = &CURVES[curve];
    if (cursor_len(&r) > row->field_bytes || cursor_len(&s) > row->field_bytes) {
        return ERR_MISMATCH; /* r and s lie below the order, which is no longer than the field */
    }
    OWNED(free_key) EVP_PKEY *key = NULL;
    TRY(ecdsa_key(curve, point, &key));
    OWNED(free_ecdsa) ECDSA_SIG *pair = ECDSA_SIG_new();
    OWNED(free_number) BIGNUM *r_number = number_of(r);
    OWNED(free_number) BIGNUM *s_number = number_of(s);
    if (pair == NULL || r_number == NULL || s_number == NULL ||
        ECDSA_SIG_set0(pair, r_number, s_number) != 1) {
        return refused(ERR_MEMORY);
    }
    r_number = NULL; /* both belong to `pair` now */
    s_number = NULL;
    OWNED(free_der) unsigned char *der = NULL;
    int len = i2d_ECDSA_SIG(pair, &der);
    if (len <= 0) {
        return refused(ERR_LIBRARY);
    }
    return verify(key, row->digest, cursor_of(der, (size_t)len), data);
}

static enum err rsa_key(struct cursor exponent, struct cursor modulus, EVP_PKEY **ret_key)
{
    OWNED(free_number) BIGNUM *e = number_of(exponent);
    OWNED(free_number) BIGNUM *n = number_of(modulus);
    OWNED(free_build) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    if (e == NULL || n == NULL || build == NULL ||
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) != 1) {
        return refused(ERR_MEMORY);
    }
    OWNED(free_params) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    if (params == NULL) {
        return refused(ERR_MEMORY);
    }
    return key_from("RSA", params, ret_key);
}

enum err crypto_rsa_verify(enum crypto_rsa_hash hash, struct cursor exponent, struct cursor modulus,
                           struct cursor signature, struct cursor data)
{
    if (cursor_len(&modulus) > RSA_MODULUS_MAX_BYTES || cursor_len(&exponent) > cursor_len(&modulus)) {
        return ERR_MALFORMED;
    }
    OWNED(free_key) EVP_PKEY *key = NULL;
    TRY(rsa_key(exponent, modulus, &key));
    uint8_t padded[RSA_MODULUS_MAX_BYTES] = {0};
    size_t size = (size_t)EVP_PKEY_get_size(key);
    size_t len = cursor_len(&signature);
    if (len == 0 || len > size || size > sizeof padded) {
        return ERR_MISMATCH;
    }
    memcpy(padded + size - len, signature.at, len);
    return verify(key, RSA_DIGESTS[hash], cursor_of(padded, size), data);
}

enum err crypto_hmac_sha1(struct cursor key, struct cursor data,
                          uint8_t ret_mac[static CRYPTO_HMAC_SHA1_BYTES])
{
    static const uint8_t NOTHING[1] = {0}; /* HMAC() takes a NULL key for "the key of last time" */
    unsigned len = 0;
    const uint8_t *key_bytes = cursor_len(&key) == 0 ? NOTHING : key.at;
    const uint8_t *mac =
        HMAC(EVP_sha1(), key_bytes, (int)cursor_len(&key), data.at, cursor_len(&data), ret_mac, &len);
    return mac != NULL && len == CRYPTO_HMAC_SHA1_BYTES ? ERR_NONE : refused(ERR_LIBRARY);
}
