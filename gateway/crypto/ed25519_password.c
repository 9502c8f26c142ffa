#include "crypto/ed25519_password.h"

#include <string.h>

#include "base/secret.h"
#include "library.h"

/* As in library.h: OpenSSL has a type of this name. */
#define ERR_STATE openssl_err_state
#include <openssl/bn.h>
#include <openssl/err.h>
#undef ERR_STATE

/* RFC 8032 section 5.1: the field's prime, the order of the base point, twice the constant d, the base point.
 */
static const char *const PRIME = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed";
static const char *const ORDER = "1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed";
static const char *const TWICE_D = "2406d9dc56dffce7198e80f2eef3d13000e0149a8283b156ebd69b9426b2f159";
static const char *const BASE_X = "216936d3cd6e53fec0a4e231fdd6dc5c692cc7609525a7b2c9562d608f25d51a";
static const char *const BASE_Y = "6666666666666666666666666666666666666666666666666666666666666658";

enum { HASH_BYTES = 64, HALF_BYTES = 32, SCALAR_BITS = 256, POINTS = 2 };

/* Extended coordinates of RFC 8032 section 5.1.4: x = X/Z, y = Y/Z, x * y = T/Z. */
struct point {
    BIGNUM *x, *y, *z, *t;
};
/* What a computation needs; every number belongs to `context`. `is_good` turns false when a call fails. */
struct curve {
    BN_CTX *context;
    BIGNUM *prime, *order, *twice_d;
    BIGNUM *a, *b, *c, *d, *e, *f, *g, *h;
    struct point base;
    bool is_good;
};

static BIGNUM *number(struct curve *curve, const char *hex)
{
    BIGNUM *value = BN_CTX_get(curve->context); /* NULL for each call after one that failed */
    curve->is_good = curve->is_good && value != NULL && (hex == NULL || BN_hex2bn(&value, hex) != 0);
    return value;
}

static struct point new_point(struct curve *curve)
{
    return (struct point){number(curve, NULL), number(curve, NULL), number(curve, NULL), number(curve, NULL)};
}

static void multiply(struct curve *curve, BIGNUM *to, const BIGNUM *a, const BIGNUM *b)
{
    curve->is_good = curve->is_good && BN_mod_mul(to, a, b, curve->prime, curve->context) == 1;
}
static void add(struct curve *curve, BIGNUM *to, const BIGNUM *a, const BIGNUM *b)
{
    curve->is_good = curve->is_good && BN_mod_add(to, a, b, curve->prime, curve->context) == 1;
}
static void subtract(struct curve *curve, BIGNUM *to, const BIGNUM *a, const BIGNUM *b)
{
    curve->is_good = curve->is_good && BN_mod_sub(to, a, b, curve->prime, curve->context) == 1;
}

/* RFC 8032 section 5.1.4; complete, so it doubles as well. `to` may be `p` or `q`. */
static void add_points(struct curve *curve, const struct point *to, const struct point *p,
                       const struct point *q)
{
    subtract(curve, curve->e, p->y, p->x);
    subtract(curve, curve->f, q->y, q->x);
    multiply(curve, curve->a, curve->e, curve->f);
    add(curve, curve->e, p->y, p->x);
    add(curve, curve->f, q->y, q->x);
    multiply(curve, curve->b, curve->e, curve->f);
    multiply(curve, curve->c, p->t, q->t);
    multiply(curve, curve->c, curve->c, curve->twice_d);
    multiply(curve, curve->d, p->z, q->z);
    add(curve, curve->d, curve->d, curve->d);
    subtract(curve, curve->e, curve->b, curve->a);
    subtract(curve, curve->f, curve->d, curve->c);
    add(curve, curve->g, curve->d, curve->c);
    add(curve, curve->h, curve->b, curve->a);
    multiply(curve, to->x, curve->e, curve->f);
    multiply(curve, to->y, curve->g, curve->h);
    multiply(curve, to->t, curve->e, curve->h);
    multiply(curve, to->z, curve->f, curve->g);
}

static void start(struct curve *curve)
{
    curve->is_good = true;
    curve->prime = number(curve, PRIME);
    curve->order = number(curve, ORDER);
    curve->twice_d = number(curve, TWICE_D);
    BIGNUM **const ROOM[] = {&curve->a, &curve->b, &curve->c, &curve->d,
                             &curve->e, &curve->f, &curve->g, &curve->h};
    for (size_t i = 0; i < sizeof ROOM / sizeof ROOM[0]; i++) {
        *ROOM[i] = number(curve, NULL);
    }
    curve->base =
        (struct point){number(curve, BASE_X), number(curve, BASE_Y), number(curve, "1"), number(curve, NULL)};
    multiply(curve, curve->base.t, curve->base.x, curve->base.y);
}

/* A point as RFC 8032 section 5.1.2 writes it: y, and the lowest bit of x on top. */
static void encode(struct curve *curve, const struct point *point, uint8_t ret_bytes[static HALF_BYTES])
{
    BIGNUM *inverse = number(curve, NULL);
    curve->is_good =
        curve->is_good && BN_mod_inverse(inverse, point->z, curve->prime, curve->context) != NULL;
    multiply(curve, curve->a, point->x, inverse);
    multiply(curve, curve->b, point->y, inverse);
    curve->is_good = curve->is_good && BN_bn2lebinpad(curve->b, ret_bytes, HALF_BYTES) == HALF_BYTES;
    if (curve->is_good && BN_is_odd(curve->a)) {
        ret_bytes[HALF_BYTES - 1] |= 0x80;
    }
}

/* The base point times a little-endian number: a ladder, the same steps for every number. */
static void multiply_base(struct curve *curve, const uint8_t scalar[static HALF_BYTES],
                          uint8_t ret_bytes[static HALF_BYTES])
{
    struct point points[POINTS] = {new_point(curve), new_point(curve)};
    curve->is_good =
        curve->is_good && BN_one(points[0].y) == 1 && BN_one(points[0].z) == 1 &&
        BN_copy(points[1].x, curve->base.x) != NULL && BN_copy(points[1].y, curve->base.y) != NULL &&
        BN_copy(points[1].z, curve->base.z) != NULL && BN_copy(points[1].t, curve->base.t) != NULL;
    for (size_t i = SCALAR_BITS; curve->is_good && i > 0; i--) {
        size_t bit = (size_t)(scalar[(i - 1) / 8] >> ((i - 1) % 8)) & 1;
        add_points(curve, &points[1 - bit], &points[0], &points[1]);
        add_points(curve, &points[bit], &points[bit], &points[bit]);
    }
    encode(curve, &points[0], ret_bytes);
}

static enum err sha512(const struct cursor parts[3], uint8_t ret_hash[static HASH_BYTES])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    crypto_must(context != NULL);
    bool is_done = EVP_DigestInit_ex2(context, EVP_sha512(), NULL) == 1;
    for (size_t i = 0; i < 3; i++) {
        is_done = is_done && EVP_DigestUpdate(context, parts[i].at, cursor_len(&parts[i])) == 1;
    }
    is_done = is_done && EVP_DigestFinal_ex(context, ret_hash, NULL) == 1;
    EVP_MD_CTX_free(context);
    return is_done ? ERR_NONE : ERR_LIBRARY;
}

/* A hash as a number below the order. */
static void reduce(struct curve *curve, const uint8_t hash[static HASH_BYTES],
                   uint8_t ret_scalar[static HALF_BYTES])
{
    curve->is_good = curve->is_good && BN_lebin2bn(hash, HASH_BYTES, curve->a) != NULL &&
                     BN_nnmod(curve->a, curve->a, curve->order, curve->context) == 1 &&
                     BN_bn2lebinpad(curve->a, ret_scalar, HALF_BYTES) == HALF_BYTES;
}

/* S = (r + k * s) mod L */
static void combine(struct curve *curve, const uint8_t *r, const uint8_t *k, const uint8_t *s,
                    uint8_t ret_bytes[static HALF_BYTES])
{
    curve->is_good = curve->is_good && BN_lebin2bn(r, HALF_BYTES, curve->a) != NULL &&
                     BN_lebin2bn(k, HALF_BYTES, curve->b) != NULL &&
                     BN_lebin2bn(s, HALF_BYTES, curve->c) != NULL &&
                     BN_mod_mul(curve->b, curve->b, curve->c, curve->order, curve->context) == 1 &&
                     BN_mod_add(curve->a, curve->a, curve->b, curve->order, curve->context) == 1 &&
                     BN_bn2lebinpad(curve->a, ret_bytes, HALF_BYTES) == HALF_BYTES;
}

/* RFC 8032 section 5.1.6, with the password where it says "private key". */
static enum err sign(struct curve *curve, struct cursor password, struct cursor nonce, uint8_t *ret_signature)
{
    const struct cursor none = cursor_of(NULL, 0);
    uint8_t secret[HASH_BYTES]; /* the scalar, then the prefix */
    uint8_t hash[HASH_BYTES];
    uint8_t r[HALF_BYTES];
    uint8_t k[HALF_BYTES];
    uint8_t public_key[HALF_BYTES];
    TRY(sha512((const struct cursor[3]){password, none, none}, secret));
    secret[0] &= 0xf8;
    secret[HALF_BYTES - 1] = (secret[HALF_BYTES - 1] & 0x7f) | 0x40;
    multiply_base(curve, secret, public_key);
    enum err err =
        sha512((const struct cursor[3]){cursor_of(secret + HALF_BYTES, HALF_BYTES), nonce, none}, hash);
    if (err == ERR_NONE) {
        reduce(curve, hash, r);
        multiply_base(curve, r, ret_signature);
        err = sha512((const struct cursor[3]){cursor_of(ret_signature, HALF_BYTES),
                                              cursor_of(public_key, HALF_BYTES), nonce},
                     hash);
    }
    if (err == ERR_NONE) {
        reduce(curve, hash, k);
        combine(curve, r, k, secret, ret_signature + HALF_BYTES);
        err = curve->is_good ? ERR_NONE : ERR_LIBRARY;
    }
    secret_wipe(secret, sizeof secret);
    secret_wipe(r, sizeof r);
    return err;
}

enum err crypto_ed25519_password_sign(struct cursor password, struct cursor nonce,
                                      uint8_t ret_signature[static CRYPTO_ED25519_SIGNATURE_BYTES])
{
    if (cursor_len(&nonce) != CRYPTO_ED25519_PASSWORD_NONCE_BYTES) {
        return ERR_MALFORMED;
    }
    (void)crypto_library();                                /* before OpenSSL would read openssl.cnf */
    struct curve curve = {.context = BN_CTX_secure_new()}; /* its numbers are wiped */
    if (curve.context == NULL) {
        return ERR_MEMORY;
    }
    BN_CTX_start(curve.context);
    start(&curve);
    enum err err = sign(&curve, password, nonce, ret_signature);
    BN_CTX_end(curve.context);
    BN_CTX_free(curve.context);
    ERR_clear_error();
    return err;
}
