#include "certified.h"

#include <stdio.h>
#include <string.h>

#include "base/writer.h"
#include "keys/signature.h"

enum { CERTIFICATE_BYTES = LIMIT_KEY_BLOB_BYTES, NONCE_BYTES_MIN = 16, NONCE_BYTES_MAX = 64 };
static const char SUFFIX[] = "-cert-v01@openssh.com";
static const char VENDOR[] = "@openssh.com";

bool keys_certificate_algorithm(struct cursor algorithm, char ret_plain[static KEYS_ALGORITHM_BYTES])
{
    size_t len = cursor_len(&algorithm);
    size_t suffix_len = sizeof SUFFIX - 1;
    if (len <= suffix_len || len >= KEYS_ALGORITHM_BYTES ||
        memcmp(algorithm.end - suffix_len, SUFFIX, suffix_len) != 0) {
        return false;
    }
    /* "sk-ssh-ed25519-cert-v01@openssh.com" is of "sk-ssh-ed25519@openssh.com": the vendor stays. */
    bool is_vendor = memcmp(algorithm.at, "sk-", 3) == 0;
    (void)snprintf(ret_plain, KEYS_ALGORITHM_BYTES, "%.*s%s", (int)(len - suffix_len),
                   (const char *)algorithm.at, is_vendor ? VENDOR : "");
    return true;
}

bool keys_blob_is_certificate(struct cursor blob)
{
    struct cursor name;
    char plain[KEYS_ALGORITHM_BYTES];
    return cursor_string(&blob, CERTIFIED_NAME_BYTES, &name) == ERR_NONE &&
           keys_certificate_algorithm(name, plain);
}

/* How many fields a key of this type has behind its name. */
static unsigned field_count(enum keys_type type)
{
    switch (type) {
    case KEYS_ED25519:
        return 1;
    case KEYS_ECDSA_P256:
    case KEYS_ECDSA_P384:
    case KEYS_ECDSA_P521:
    case KEYS_RSA:
    case KEYS_SK_ED25519:
        return 2;
    case KEYS_SK_ECDSA_P256:
        return 3;
    case KEYS_NONE:
    case KEYS_TYPE_COUNT:
        break;
    }
    return 0;
}

/* Type, nonce and the key's own fields, which are those of the plain key in one piece. */
static enum err read_key(struct cursor *in, struct keys_blob *ret_key)
{
    struct cursor name;
    struct cursor nonce;
    char plain[KEYS_ALGORITHM_BYTES];
    TRY(cursor_string(in, CERTIFIED_NAME_BYTES, &name));
    if (!keys_certificate_algorithm(name, plain)) {
        return ERR_MALFORMED;
    }
    unsigned fields = field_count(keys_type_of(cursor_of_text(plain)));
    if (fields == 0) {
        return ERR_MALFORMED;
    }
    TRY(cursor_string(in, NONCE_BYTES_MAX, &nonce));
    if (cursor_len(&nonce) < NONCE_BYTES_MIN) {
        return ERR_MALFORMED;
    }
    const uint8_t *begin = in->at;
    for (unsigned i = 0; i < fields; i++) {
        struct cursor field;
        TRY(cursor_string(in, LIMIT_KEY_BLOB_BYTES, &field));
    }
    struct writer out = writer_of(ret_key->bytes, sizeof ret_key->bytes);
    writer_text(&out, plain);
    writer_bytes(&out, (struct cursor){begin, in->at});
    struct cursor blob;
    TRY(writer_done(&out, &blob));
    ret_key->len_bytes = cursor_len(&blob);
    struct keys_public key;
    return keys_blob_parse(blob, &key);
}

bool certified_principal(struct cursor *principals, struct cursor *ret_name)
{
    return cursor_string(principals, CERTIFIED_NAME_BYTES, ret_name) == ERR_NONE;
}

/* A certificate without principals would be good for everybody (PROTOCOL.certkeys). */
static enum err check_principals(struct cursor in)
{
    unsigned count = 0;
    while (cursor_len(&in) > 0) {
        struct cursor principal;
        TRY(cursor_string(&in, CERTIFIED_NAME_BYTES, &principal));
        if (cursor_len(&principal) == 0 || ++count > KEYS_PRINCIPALS_MAX) {
            return ERR_MALFORMED;
        }
    }
    return count == 0 ? ERR_MALFORMED : ERR_NONE;
}

static bool is_after(struct cursor name, struct cursor previous)
{
    size_t len = cursor_len(&name);
    size_t previous_len = cursor_len(&previous);
    size_t common = len < previous_len ? len : previous_len;
    int order = common == 0 ? 0 : memcmp(name.at, previous.at, common);
    return order > 0 || (order == 0 && len > previous_len);
}

/* PROTOCOL.certkeys: names must be in order, and each appear once. */
static enum err walk_options(struct cursor in, certified_option *each, void *owner)
{
    struct cursor previous = cursor_of_text("");
    while (cursor_len(&in) > 0) {
        struct cursor name;
        struct cursor data;
        TRY(cursor_string(&in, CERTIFIED_NAME_BYTES, &name));
        TRY(cursor_string(&in, CERTIFIED_OPTION_BYTES + sizeof(uint32_t), &data));
        if (!is_after(name, previous)) {
            return ERR_MALFORMED;
        }
        previous = name;
        if (each != NULL) {
            TRY(each(owner, name, data));
        }
    }
    return ERR_NONE;
}

enum err certified_critical_options(const struct keys_certified *certified, certified_option *each,
                                    void *owner)
{
    return walk_options(certified->critical_options, each, owner);
}

static enum err read_claims(struct cursor *in, struct keys_certified *ret)
{
    struct cursor reserved;
    TRY(cursor_u64be(in, &ret->serial));
    TRY(cursor_u32be(in, &ret->kind));
    TRY(cursor_string(in, KEYS_KEY_ID_BYTES, &ret->key_id));
    TRY(cursor_string(in, CERTIFICATE_BYTES, &ret->principals));
    TRY(cursor_u64be(in, &ret->valid_after_s));
    TRY(cursor_u64be(in, &ret->valid_before_s));
    TRY(cursor_string(in, CERTIFICATE_BYTES, &ret->critical_options));
    TRY(cursor_string(in, CERTIFICATE_BYTES, &ret->extensions));
    TRY(cursor_string(in, 0, &reserved));
    TRY(check_principals(ret->principals));
    TRY(walk_options(ret->critical_options, NULL, NULL));
    return walk_options(ret->extensions, NULL, NULL);
}

enum err certified_read(struct cursor blob, struct keys_certified *ret)
{
    struct cursor in = blob;
    if (cursor_len(&blob) > CERTIFICATE_BYTES) {
        return ERR_TOO_LARGE;
    }
    *ret = (struct keys_certified){.serial = 0};
    TRY(read_key(&in, &ret->key));
    TRY(read_claims(&in, ret));
    TRY(cursor_string(&in, LIMIT_KEY_BLOB_BYTES, &ret->ca_blob));
    ret->signed_bytes = (struct cursor){blob.at, in.at};
    TRY(cursor_string(&in, LIMIT_SIGNATURE_BYTES, &ret->signature));
    return cursor_end(&in);
}

const char *certified_refuse_time(const struct keys_certified *certified, int64_t now_s)
{
    uint64_t now = now_s < 0 ? 0 : (uint64_t)now_s;
    if (now < certified->valid_after_s) {
        return "the certificate is not valid yet";
    }
    return now >= certified->valid_before_s ? "the certificate has expired" : NULL;
}

bool certified_is_signed_by(const struct keys_certified *certified, struct cursor ca_blob)
{
    struct cursor probe = certified->signature;
    struct cursor algorithm;
    struct keys_proof proof;
    return cursor_equal(certified->ca_blob, ca_blob) &&
           cursor_string(&probe, KEYS_ALGORITHM_BYTES, &algorithm) == ERR_NONE &&
           keys_signature_verify(ca_blob, algorithm, certified->signature, certified->signed_bytes,
                                 KEYS_TOUCH_REQUIRED, &proof) == ERR_NONE;
}
