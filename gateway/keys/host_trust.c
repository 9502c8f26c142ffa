#include "keys/host_trust.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "certified.h"
#include "crypto/hash.h"
#include "keys/certificate.h"

enum { FINGERPRINTS_SHOWN = 2 };

/* ---- between processes ---- */

static void write_blobs(struct writer *out, const struct keys_blob *blobs, unsigned count)
{
    uint8_t *list = writer_string_begin(out);
    for (unsigned i = 0; i < count; i++) {
        writer_string(out, keys_blob_peek(&blobs[i]));
    }
    writer_string_end(out, list);
}

enum err keys_host_trust_write(const struct keys_host_keys *keys, struct writer *out)
{
    write_blobs(out, keys->blobs, keys->count);
    write_blobs(out, keys->cas, keys->ca_count);
    writer_string(out, cursor_of(keys->revoked, keys->revoked_hash_count * sizeof keys->revoked[0]));
    return out->is_full ? ERR_TOO_LARGE : ERR_NONE;
}

static enum err check_blobs(struct cursor list)
{
    while (cursor_len(&list) > 0) {
        struct cursor blob;
        struct keys_public key;
        TRY(cursor_string(&list, LIMIT_KEY_BLOB_BYTES, &blob));
        TRY(keys_blob_parse(blob, &key));
    }
    return ERR_NONE;
}

enum err keys_host_trust_read(struct cursor *in, struct keys_host_trust *ret_trust)
{
    struct keys_host_trust trust;
    TRY(cursor_string(in, (size_t)KEYS_HOST_KEYS_MAX * LIMIT_KEY_BLOB_BYTES, &trust.keys));
    TRY(cursor_string(in, (size_t)KEYS_HOST_CAS_MAX * LIMIT_KEY_BLOB_BYTES, &trust.cas));
    TRY(cursor_string(in, (size_t)KEYS_REVOKED_MAX * CRYPTO_SHA256_BYTES, &trust.revoked));
    TRY(check_blobs(trust.keys));
    TRY(check_blobs(trust.cas));
    if (cursor_len(&trust.revoked) % CRYPTO_SHA256_BYTES != 0) {
        return ERR_MALFORMED;
    }
    *ret_trust = trust;
    return ERR_NONE;
}

/* ---- looking up ---- */

static bool next_blob(struct cursor *list, struct cursor *ret_blob)
{
    return cursor_string(list, LIMIT_KEY_BLOB_BYTES, ret_blob) == ERR_NONE;
}

static bool holds(struct cursor list, struct cursor blob)
{
    struct cursor known;
    while (next_blob(&list, &known)) {
        if (cursor_equal(known, blob)) {
            return true;
        }
    }
    return false;
}

static bool is_revoked(const struct keys_host_trust *trust, struct cursor blob)
{
    struct cursor list = trust->revoked;
    struct cursor hash;
    uint8_t digest[CRYPTO_SHA256_BYTES];
    crypto_sha256(blob, digest);
    while (cursor_bytes(&list, sizeof digest, &hash) == ERR_NONE) {
        if (cursor_equal(hash, cursor_of(digest, sizeof digest))) {
            return true;
        }
    }
    return false;
}

bool keys_host_trust_has_ca(const struct keys_host_trust *trust)
{
    return cursor_len(&trust->cas) > 0;
}

bool keys_host_trust_has_type(const struct keys_host_trust *trust, enum keys_type type)
{
    struct cursor list = trust->keys;
    struct cursor blob;
    while (next_blob(&list, &blob)) {
        struct keys_public key;
        if (keys_blob_parse(blob, &key) == ERR_NONE && key.type == type) {
            return true;
        }
    }
    return false;
}

enum err keys_host_shown(struct cursor shown, struct keys_blob *ret_key, struct keys_blob *ret_ca)
{
    struct keys_certified certified;
    struct keys_public key;
    ret_ca->len_bytes = 0;
    if (!keys_blob_is_certificate(shown)) {
        TRY(keys_blob_parse(shown, &key));
        return keys_blob_copy(shown, ret_key);
    }
    TRY(certified_read(shown, &certified));
    TRY(keys_blob_copy(certified.ca_blob, ret_ca));
    *ret_key = certified.key;
    return ERR_NONE;
}

/* ---- judging ---- */

/* PROTOCOL.certkeys defines no critical option for hosts: what is there is not known, and refuses. */
static enum err refuse_option(void *owner, struct cursor name, struct cursor data)
{
    (void)owner;
    (void)name;
    (void)data;
    return ERR_MALFORMED;
}

static bool names_host(struct cursor principals, const char *host)
{
    struct cursor name;
    while (certified_principal(&principals, &name)) {
        if (cursor_len(&name) == strlen(host) &&
            strncasecmp((const char *)name.at, host, cursor_len(&name)) == 0) {
            return true;
        }
    }
    return false;
}

/* @return NULL, or why the certificate of a trusted CA does not vouch for the host. */
static const char *refuse_certificate(const struct keys_certified *certified, const char *host, int64_t now_s)
{
    if (certified->kind != KEYS_CERTIFICATE_HOST) {
        return "the certificate is not for a host";
    }
    if (certified_critical_options(certified, refuse_option, NULL) != ERR_NONE) {
        return "the certificate has a critical option that nobody here knows";
    }
    if (!names_host(certified->principals, host)) {
        return "the certificate is not for this name";
    }
    const char *late = certified_refuse_time(certified, now_s);
    if (late != NULL) {
        return late;
    }
    return certified_is_signed_by(certified, certified->ca_blob)
               ? NULL
               : "the CA's signature on the certificate is wrong";
}

/* "SHA256:a, SHA256:b and 2 more" */
static void list_fingerprints(struct cursor list, char *ret_text, size_t size_bytes)
{
    struct cursor blob;
    unsigned count = 0;
    size_t len = 0;
    ret_text[0] = 0;
    while (next_blob(&list, &blob)) {
        char one[KEYS_FINGERPRINT_BYTES];
        if (++count > FINGERPRINTS_SHOWN) {
            continue;
        }
        int written = snprintf(ret_text + len, size_bytes - len, "%s%s", count == 1 ? "" : ", ",
                               keys_fingerprint(blob, one));
        len += written > 0 && (size_t)written < size_bytes - len ? (size_t)written : 0;
    }
    if (count > FINGERPRINTS_SHOWN) {
        (void)snprintf(ret_text + len, size_bytes - len, " and %u more", count - FINGERPRINTS_SHOWN);
    }
}

static void refuse(const struct keys_host_trust *trust, struct keys_host_judgement *ret, const char *why)
{
    char known[FINGERPRINTS_SHOWN * KEYS_FINGERPRINT_BYTES + 32];
    bool is_about_ca = ret->is_certificate && keys_host_trust_has_ca(trust);
    list_fingerprints(is_about_ca ? trust->cas : trust->keys, known, sizeof known);
    (void)snprintf(ret->reason, sizeof ret->reason, "%s (key %s%s%s%s%s)", why, ret->fingerprint,
                   ret->is_certificate ? ", CA " : "", ret->ca_fingerprint,
                   known[0] == 0 ? ""
                   : is_about_ca ? "; trusted CA "
                                 : "; known ",
                   known);
}

static void judge_key(const struct keys_host_trust *trust, struct cursor blob,
                      struct keys_host_judgement *ret)
{
    if (is_revoked(trust, blob)) {
        ret->is_revoked = true;
        refuse(trust, ret, "its host key was revoked");
    } else if (holds(trust->keys, blob)) {
        ret->is_trusted = true;
    } else if (ret->is_certificate) {
        refuse(trust, ret, "its host certificate is signed by a CA that is not trusted for it");
    } else if (cursor_len(&trust->keys) == 0) {
        refuse(trust, ret, "it showed a host key without a certificate, and only CAs vouch for it");
    } else {
        refuse(trust, ret, "it showed a host key that the bastion does not know");
    }
}

static void judge_certificate(const struct keys_host_trust *trust, const char *host, int64_t now_s,
                              const struct keys_certified *certified, struct keys_host_judgement *ret)
{
    struct cursor key = keys_blob_peek(&certified->key);
    (void)keys_fingerprint(key, ret->fingerprint);
    (void)keys_fingerprint(certified->ca_blob, ret->ca_fingerprint);
    if (is_revoked(trust, certified->ca_blob)) {
        ret->is_revoked = true;
        refuse(trust, ret, "the CA of its host certificate was revoked");
        return;
    }
    if (!holds(trust->cas, certified->ca_blob)) {
        judge_key(trust, key, ret);
        return;
    }
    ret->is_ca_trusted = true;
    ret->is_revoked = is_revoked(trust, key);
    const char *why =
        ret->is_revoked ? "its host key was revoked" : refuse_certificate(certified, host, now_s);
    if (why != NULL) {
        refuse(trust, ret, why);
        return;
    }
    ret->is_trusted = true;
    ret->is_certified = true;
}

void keys_host_trust_judge(const struct keys_host_trust *trust, const char *host, int64_t now_s,
                           struct cursor shown, struct keys_host_judgement *ret)
{
    struct keys_certified certified;
    *ret = (struct keys_host_judgement){.is_certificate = keys_blob_is_certificate(shown)};
    (void)keys_fingerprint(shown, ret->fingerprint);
    if (!ret->is_certificate) {
        judge_key(trust, shown, ret);
    } else if (certified_read(shown, &certified) != ERR_NONE) {
        refuse(trust, ret, "its host certificate is not laid out as it should be");
    } else {
        judge_certificate(trust, host, now_s, &certified, ret);
    }
}
