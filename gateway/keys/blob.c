#include "keys/blob.h"

#include <stdio.h>
#include <string.h>

#include "base/writer.h"
#include "crypto/base64.h"
#include "crypto/hash.h"

enum {
    ED25519_BYTES = 32,
    RSA_MIN_BITS = 2048,
    RSA_MAX_BITS = 16384,
    RSA_EXPONENT_MAX_BYTES = 8, /* OpenSSL refuses larger ones; everyone uses 65537 */
    TYPE_NAME_MAX = 64,
};

struct type_row {
    const char *name;
    const char *curve; /* RFC 5656 section 6.1; NULL for keys that are no points on a NIST curve */
    size_t point_bytes;
    bool is_sk;
};
static const struct type_row TYPES[KEYS_TYPE_COUNT] = {
    [KEYS_NONE] = {"none", NULL, 0, false},
    [KEYS_ED25519] = {"ssh-ed25519", NULL, ED25519_BYTES, false},
    [KEYS_ECDSA_P256] = {"ecdsa-sha2-nistp256", "nistp256", 65, false},
    [KEYS_ECDSA_P384] = {"ecdsa-sha2-nistp384", "nistp384", 97, false},
    [KEYS_ECDSA_P521] = {"ecdsa-sha2-nistp521", "nistp521", 133, false},
    [KEYS_RSA] = {"ssh-rsa", NULL, 0, false},
    [KEYS_SK_ED25519] = {"sk-ssh-ed25519@openssh.com", NULL, ED25519_BYTES, true},
    [KEYS_SK_ECDSA_P256] = {"sk-ecdsa-sha2-nistp256@openssh.com", "nistp256", 65, true},
};

struct cursor keys_blob_peek(const struct keys_blob *blob)
{
    return cursor_of(blob->bytes, blob->len_bytes);
}

const char *keys_type_name(enum keys_type type)
{
    return (unsigned)type < KEYS_TYPE_COUNT ? TYPES[type].name : TYPES[KEYS_NONE].name;
}

enum keys_type keys_type_of(struct cursor name)
{
    for (unsigned type = KEYS_NONE + 1; type < KEYS_TYPE_COUNT; type++) {
        if (cursor_equal_text(name, TYPES[type].name)) {
            return (enum keys_type)type;
        }
    }
    return KEYS_NONE;
}

bool keys_type_is_sk(enum keys_type type)
{
    return (unsigned)type < KEYS_TYPE_COUNT && TYPES[type].is_sk;
}

/* RFC 4251 section 5: a positive mpint in its one form, without needless zeros. */
static enum err read_mpint(struct cursor *in, size_t max_bytes, struct cursor *ret_magnitude)
{
    struct cursor number;
    TRY(cursor_string(in, max_bytes + 1, &number));
    size_t len = cursor_len(&number);
    if (len == 0 || (*number.at & 0x80) != 0) {
        return ERR_MALFORMED; /* zero or negative */
    }
    if (*number.at == 0) {
        if (len == 1 || (number.at[1] & 0x80) == 0) {
            return ERR_MALFORMED;
        }
        number.at++;
    }
    *ret_magnitude = number;
    return cursor_len(&number) > max_bytes ? ERR_TOO_LARGE : ERR_NONE;
}

static size_t bit_length(struct cursor magnitude)
{
    size_t bits = 8 * cursor_len(&magnitude);
    for (unsigned top = *magnitude.at; top < 0x80; top <<= 1) {
        bits--;
    }
    return bits;
}

static enum err parse_rsa(struct cursor *in, struct keys_public *key)
{
    TRY(read_mpint(in, RSA_EXPONENT_MAX_BYTES, &key->exponent));
    TRY(read_mpint(in, RSA_MAX_BITS / 8, &key->modulus));
    bool is_exponent_odd = (key->exponent.end[-1] & 1) != 0;
    bool is_exponent_one = cursor_len(&key->exponent) == 1 && *key->exponent.at == 1;
    bool is_modulus_odd = (key->modulus.end[-1] & 1) != 0;
    bool is_short = bit_length(key->modulus) < RSA_MIN_BITS;
    return is_exponent_odd && !is_exponent_one && is_modulus_odd && !is_short ? ERR_NONE : ERR_MALFORMED;
}

static enum err parse_point(struct cursor *in, const struct type_row *row, struct keys_public *key)
{
    if (row->curve != NULL) {
        struct cursor curve;
        TRY(cursor_string(in, TYPE_NAME_MAX, &curve));
        if (!cursor_equal_text(curve, row->curve)) {
            return ERR_MALFORMED;
        }
    }
    TRY(cursor_string(in, row->point_bytes, &key->point));
    if (cursor_len(&key->point) != row->point_bytes) {
        return ERR_MALFORMED;
    }
    return ERR_NONE;
}

enum err keys_blob_parse(struct cursor blob, struct keys_public *ret_key)
{
    if (cursor_len(&blob) > LIMIT_KEY_BLOB_BYTES) {
        return ERR_TOO_LARGE;
    }
    struct cursor name;
    TRY(cursor_string(&blob, TYPE_NAME_MAX, &name));
    struct keys_public key = {.type = keys_type_of(name)};
    if (key.type == KEYS_NONE) {
        return ERR_MALFORMED;
    }
    const struct type_row *row = &TYPES[key.type];
    if (key.type == KEYS_RSA) {
        TRY(parse_rsa(&blob, &key));
    } else {
        TRY(parse_point(&blob, row, &key));
    }
    if (row->is_sk) {
        TRY(cursor_string(&blob, KEYS_APPLICATION_BYTES, &key.application));
    }
    TRY(cursor_end(&blob));
    *ret_key = key;
    return ERR_NONE;
}

void keys_blob_of_ed25519(const uint8_t public_key[static 32], struct keys_blob *ret_blob)
{
    struct writer out = writer_of(ret_blob->bytes, sizeof ret_blob->bytes);
    writer_text(&out, TYPES[KEYS_ED25519].name);
    writer_string(&out, cursor_of(public_key, ED25519_BYTES));
    ret_blob->len_bytes = (size_t)(out.at - out.start);
}

enum err keys_blob_copy(struct cursor bytes, struct keys_blob *ret_blob)
{
    size_t len = cursor_len(&bytes);
    if (len > sizeof ret_blob->bytes) {
        return ERR_TOO_LARGE;
    }
    if (len > 0) {
        memcpy(ret_blob->bytes, bytes.at, len);
    }
    ret_blob->len_bytes = len;
    return ERR_NONE;
}

const char *keys_fingerprint(struct cursor blob, char ret_text[static KEYS_FINGERPRINT_BYTES])
{
    static const char PREFIX[] = "SHA256:";
    uint8_t digest[CRYPTO_SHA256_BYTES];
    crypto_sha256(blob, digest);
    memcpy(ret_text, PREFIX, sizeof PREFIX);
    size_t used = sizeof PREFIX - 1;
    if (crypto_base64_encode(cursor_of(digest, sizeof digest), CRYPTO_BASE64_UNPADDED, ret_text + used,
                             KEYS_FINGERPRINT_BYTES - used) != ERR_NONE) {
        ret_text[0] = 0; /* cannot happen: the text of 32 bytes has 43 letters */
    }
    return ret_text;
}

enum err keys_line_write(struct cursor blob, char *ret_line, size_t size_bytes)
{
    struct keys_public key;
    TRY(keys_blob_parse(blob, &key));
    int len = snprintf(ret_line, size_bytes, "%s ", TYPES[key.type].name);
    if (len < 0 || (size_t)len >= size_bytes) {
        return ERR_TOO_LARGE;
    }
    return crypto_base64_encode(blob, CRYPTO_BASE64_PADDED, ret_line + len, size_bytes - (size_t)len);
}

enum err keys_line_read(struct cursor type_name, struct cursor base64, struct keys_blob *ret_blob)
{
    size_t len = 0;
    TRY(crypto_base64_decode(base64, CRYPTO_BASE64_PADDED, ret_blob->bytes, sizeof ret_blob->bytes, &len));
    struct keys_public key;
    enum err err = keys_blob_parse(cursor_of(ret_blob->bytes, len), &key);
    if (err != ERR_NONE) {
        return err == ERR_TRUNCATED ? ERR_MALFORMED : err; /* more bytes of a finished line will not come */
    }
    if (key.type != keys_type_of(type_name)) {
        return ERR_MALFORMED;
    }
    ret_blob->len_bytes = len;
    return ERR_NONE;
}
