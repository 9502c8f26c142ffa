#include "keys/signature.h"

#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "crypto/public_key.h"

enum {
    ALGORITHM_MAX = 64,
    ECDSA_MPINT_MAX = 67, /* 521 bits and the zero before a set top bit */
    ECDSA_MAX = 2 * (4 + ECDSA_MPINT_MAX),
    RSA_MAX = 2048,
    SK_SIGNED_BYTES = 2 * CRYPTO_SHA256_BYTES + 1 + 4,
    SSH_MSG_USERAUTH_REQUEST = 50,
};

bool keys_algorithm_fits(enum keys_type type, struct cursor algorithm)
{
    if (type == KEYS_RSA) {
        return cursor_equal_text(algorithm, "rsa-sha2-256") || cursor_equal_text(algorithm, "rsa-sha2-512");
    }
    return type != KEYS_NONE && keys_type_of(algorithm) == type;
}

static enum err verify_ed25519(struct cursor point, struct cursor signature, struct cursor data)
{
    if (cursor_len(&point) != CRYPTO_ED25519_PUBLIC_BYTES ||
        cursor_len(&signature) != CRYPTO_ED25519_SIGNATURE_BYTES) {
        return ERR_MALFORMED;
    }
    return crypto_ed25519_verify(point.at, data, signature.at);
}

/* RFC 5656 section 3.1.2: r and s as mpints. */
static enum err read_positive(struct cursor *in, struct cursor *ret_magnitude)
{
    struct cursor number;
    TRY(cursor_string(in, ECDSA_MPINT_MAX, &number));
    if (cursor_len(&number) == 0 || (*number.at & 0x80) != 0) {
        return ERR_MALFORMED;
    }
    while (number.at != number.end && *number.at == 0) {
        number.at++;
    }
    *ret_magnitude = number;
    return cursor_len(&number) == 0 ? ERR_MALFORMED : ERR_NONE;
}

static enum err verify_ecdsa(enum crypto_curve curve, struct cursor point, struct cursor signature,
                             struct cursor data)
{
    struct cursor r;
    struct cursor s;
    TRY(read_positive(&signature, &r));
    TRY(read_positive(&signature, &s));
    TRY(cursor_end(&signature));
    return crypto_ecdsa_verify(curve, point, r, s, data);
}

static enum err verify_rsa(const struct keys_public *key, struct cursor algorithm, struct cursor signature,
                           struct cursor data)
{
    enum crypto_rsa_hash hash =
        cursor_equal_text(algorithm, "rsa-sha2-512") ? CRYPTO_RSA_SHA512 : CRYPTO_RSA_SHA256;
    return crypto_rsa_verify(hash, key->exponent, key->modulus, signature, data);
}

/* What a token signs is made of hashes: SHA256(application) || flags || counter || SHA256(data). */
static enum err sk_signed_bytes(const struct keys_public *key, const struct keys_proof *proof,
                                struct cursor data, uint8_t memory[static SK_SIGNED_BYTES],
                                struct cursor *ret_signed)
{
    uint8_t digest[CRYPTO_SHA256_BYTES];
    struct writer out = writer_of(memory, SK_SIGNED_BYTES);
    crypto_sha256(key->application, digest);
    writer_bytes(&out, cursor_of(digest, sizeof digest));
    writer_u8(&out, proof->sk_flags);
    writer_u32be(&out, proof->sk_counter);
    crypto_sha256(data, digest);
    writer_bytes(&out, cursor_of(digest, sizeof digest));
    return writer_done(&out, ret_signed);
}

static enum err verify_with(const struct keys_public *key, struct cursor algorithm, struct cursor signature,
                            struct cursor data)
{
    switch (key->type) {
    case KEYS_ED25519:
    case KEYS_SK_ED25519:
        return verify_ed25519(key->point, signature, data);
    case KEYS_ECDSA_P256:
    case KEYS_SK_ECDSA_P256:
        return verify_ecdsa(CRYPTO_P256, key->point, signature, data);
    case KEYS_ECDSA_P384:
        return verify_ecdsa(CRYPTO_P384, key->point, signature, data);
    case KEYS_ECDSA_P521:
        return verify_ecdsa(CRYPTO_P521, key->point, signature, data);
    case KEYS_RSA:
        return verify_rsa(key, algorithm, signature, data);
    case KEYS_NONE:
    case KEYS_TYPE_COUNT:
        break;
    }
    return ERR_MALFORMED;
}

static size_t signature_max(enum keys_type type)
{
    if (type == KEYS_RSA) {
        return RSA_MAX;
    }
    return type == KEYS_ED25519 || type == KEYS_SK_ED25519 ? CRYPTO_ED25519_SIGNATURE_BYTES : ECDSA_MAX;
}

enum err keys_signature_verify(struct cursor key_blob, struct cursor algorithm, struct cursor signature,
                               struct cursor data, enum keys_touch touch, struct keys_proof *ret_proof)
{
    struct keys_public key;
    TRY(keys_blob_parse(key_blob, &key));
    if (!keys_algorithm_fits(key.type, algorithm)) {
        return ERR_MISMATCH;
    }
    struct cursor inner_algorithm;
    struct cursor inner;
    TRY(cursor_string(&signature, ALGORITHM_MAX, &inner_algorithm));
    TRY(cursor_string(&signature, signature_max(key.type), &inner));
    struct keys_proof proof = {.type = key.type};
    bool is_sk = keys_type_is_sk(key.type);
    if (is_sk) {
        TRY(cursor_u8(&signature, &proof.sk_flags));
        TRY(cursor_u32be(&signature, &proof.sk_counter));
    }
    TRY(cursor_end(&signature));
    /* Else a request for rsa-sha2-512 could carry a signature made with another hash. */
    if (!cursor_equal(inner_algorithm, algorithm)) {
        return ERR_MISMATCH;
    }
    uint8_t memory[SK_SIGNED_BYTES];
    if (is_sk) {
        TRY(sk_signed_bytes(&key, &proof, data, memory, &data));
    }
    TRY(verify_with(&key, algorithm, inner, data));
    if (is_sk && touch == KEYS_TOUCH_REQUIRED && (proof.sk_flags & KEYS_SK_USER_PRESENT) == 0) {
        return ERR_DENIED;
    }
    *ret_proof = proof;
    return ERR_NONE;
}

enum err keys_user_request_write(const struct keys_user_request *request, uint8_t *memory, size_t size_bytes,
                                 struct cursor *ret_data)
{
    bool is_hostbound = cursor_equal_text(request->method, KEYS_METHOD_HOSTBOUND);
    if (!is_hostbound && !cursor_equal_text(request->method, KEYS_METHOD_PLAIN)) {
        return ERR_MALFORMED;
    }
    struct writer out = writer_of(memory, size_bytes);
    writer_string(&out, request->session_id);
    writer_u8(&out, SSH_MSG_USERAUTH_REQUEST);
    writer_string(&out, request->user);
    writer_text(&out, "ssh-connection");
    writer_string(&out, request->method);
    writer_bool(&out, true);
    writer_string(&out, request->algorithm);
    writer_string(&out, request->key_blob);
    if (is_hostbound) {
        writer_string(&out, request->host_key_blob);
    }
    return writer_done(&out, ret_data);
}
