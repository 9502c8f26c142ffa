#include "keys/known_hosts.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "crypto/base64.h"
#include "crypto/hash.h"
#include "crypto/public_key.h"

enum {
    NAME_BYTES = LIMIT_HOST_BYTES + sizeof "[]:65535",
    LINE_MAX_BYTES = 65536,
    SSH_PORT = 22,
};

enum marker { MARKER_NONE, MARKER_REVOKED, MARKER_CERT_AUTHORITY, MARKER_UNKNOWN };

/* One line, split. */
struct entry {
    enum marker marker;
    struct cursor hosts, type, base64;
};

/* The name as it stands in the file: "host" or "[host]:port", in lower case. */
static enum err write_name(const char *host, uint16_t port, char ret_name[static NAME_BYTES])
{
    if (!text_is_host(cursor_of_text(host)) || port == 0) {
        return ERR_MALFORMED;
    }
    int len = port == SSH_PORT ? snprintf(ret_name, NAME_BYTES, "%s", host)
                               : snprintf(ret_name, NAME_BYTES, "[%s]:%u", host, port);
    if (len < 0 || (size_t)len >= NAME_BYTES) {
        return ERR_TOO_LARGE;
    }
    for (char *at = ret_name; *at != 0; at++) {
        *at = (char)tolower((unsigned char)*at);
    }
    return ERR_NONE;
}

/* "*" and "?"; linear in the product of both lengths, because only the last "*" is ever retried. */
static bool pattern_matches(struct cursor pattern, struct cursor name)
{
    struct cursor star_pattern = {NULL, NULL};
    struct cursor star_name = {NULL, NULL};
    while (name.at != name.end) {
        bool has_pattern = pattern.at != pattern.end;
        if (has_pattern && *pattern.at == '*') {
            pattern.at++;
            star_pattern = pattern;
            star_name = name;
        } else if (has_pattern && (*pattern.at == '?' || tolower(*pattern.at) == *name.at)) {
            pattern.at++;
            name.at++;
        } else if (star_pattern.end != NULL) {
            star_name.at++;
            pattern = star_pattern;
            name = star_name;
        } else {
            return false;
        }
    }
    while (pattern.at != pattern.end && *pattern.at == '*') {
        pattern.at++;
    }
    return pattern.at == pattern.end;
}

/* |1|base64(salt)|base64(HMAC-SHA1(salt, name)) */
static enum err hashed_matches(struct cursor text, const char *name, bool *ret_matches)
{
    static const char MAGIC[] = "|1|";
    text.at += sizeof MAGIC - 1;
    const uint8_t *bar = cursor_len(&text) == 0 ? NULL : memchr(text.at, '|', cursor_len(&text));
    if (bar == NULL) {
        return ERR_MALFORMED;
    }
    uint8_t salt[CRYPTO_HMAC_SHA1_BYTES];
    uint8_t wanted[CRYPTO_HMAC_SHA1_BYTES];
    uint8_t mac[CRYPTO_HMAC_SHA1_BYTES];
    size_t salt_len = 0;
    size_t wanted_len = 0;
    struct cursor salt_text = {text.at, bar};
    struct cursor mac_text = {bar + 1, text.end};
    TRY(crypto_base64_decode(salt_text, CRYPTO_BASE64_PADDED, salt, sizeof salt, &salt_len));
    TRY(crypto_base64_decode(mac_text, CRYPTO_BASE64_PADDED, wanted, sizeof wanted, &wanted_len));
    if (salt_len != sizeof salt || wanted_len != sizeof wanted) {
        return ERR_MALFORMED;
    }
    TRY(crypto_hmac_sha1(cursor_of(salt, sizeof salt), cursor_of_text(name), mac));
    *ret_matches = memcmp(mac, wanted, sizeof mac) == 0;
    return ERR_NONE;
}

static enum err hosts_match(struct cursor hosts, const char *name, bool *ret_matches)
{
    if (cursor_len(&hosts) > 0 && *hosts.at == '|') {
        bool is_known_form = cursor_len(&hosts) > 3 && memcmp(hosts.at, "|1|", 3) == 0;
        return is_known_form ? hashed_matches(hosts, name, ret_matches) : ERR_MALFORMED;
    }
    struct cursor name_bytes = cursor_of_text(name);
    struct cursor item;
    bool matches = false;
    while (cursor_name(&hosts, &item)) {
        bool is_negated = cursor_len(&item) > 0 && *item.at == '!';
        item.at += is_negated ? 1 : 0;
        if (cursor_len(&item) == 0 || !pattern_matches(item, name_bytes)) {
            continue;
        }
        if (is_negated) {
            matches = false; /* one "!name" that fits takes the whole line away */
            break;
        }
        matches = true;
    }
    *ret_matches = matches;
    return ERR_NONE;
}

static enum marker marker_of(struct cursor word)
{
    if (cursor_len(&word) == 0 || *word.at != '@') {
        return MARKER_NONE;
    }
    if (cursor_equal_text(word, "@revoked")) {
        return MARKER_REVOKED;
    }
    return cursor_equal_text(word, "@cert-authority") ? MARKER_CERT_AUTHORITY : MARKER_UNKNOWN;
}

/* @return ERR_NOT_FOUND for an empty line or a comment */
static enum err read_entry(struct cursor line, struct entry *ret_entry)
{
    if (line.at != line.end && line.end[-1] == '\r') {
        line.end--;
    }
    if (cursor_len(&line) > LINE_MAX_BYTES) {
        return ERR_TOO_LARGE;
    }
    struct cursor word;
    if (!cursor_word(&line, &word) || *word.at == '#') {
        return ERR_NOT_FOUND;
    }
    ret_entry->marker = marker_of(word);
    if (ret_entry->marker == MARKER_UNKNOWN) {
        return ERR_MALFORMED;
    }
    if (ret_entry->marker != MARKER_NONE && !cursor_word(&line, &word)) {
        return ERR_MALFORMED;
    }
    ret_entry->hosts = word;
    bool is_whole = cursor_word(&line, &ret_entry->type) && cursor_word(&line, &ret_entry->base64);
    return is_whole ? ERR_NONE : ERR_MALFORMED;
}

static unsigned find_blob(const struct keys_blob *blobs, unsigned count, struct cursor blob)
{
    unsigned index = 0;
    while (index < count && !cursor_equal(keys_blob_peek(&blobs[index]), blob)) {
        index++;
    }
    return index;
}

static void add_blob(struct keys_blob *blobs, unsigned *count, unsigned max, unsigned *dropped_count,
                     const struct keys_blob *blob)
{
    if (find_blob(blobs, *count, keys_blob_peek(blob)) < *count) {
        return;
    }
    if (*count == max) {
        (*dropped_count)++;
        return;
    }
    blobs[(*count)++] = *blob;
}

static void take_away(struct keys_blob *blobs, unsigned *count, struct cursor blob, unsigned *revoked_count)
{
    unsigned index = find_blob(blobs, *count, blob);
    if (index < *count) {
        blobs[index] = blobs[--*count];
        (*revoked_count)++;
    }
}

static void complain(struct keys_complaints *complaints, unsigned line, struct cursor quoted)
{
    keys_complain(complaints, line, "this line is not used: \"", quoted,
                  "\" is no marker, host list or accepted key");
}

/* First pass: the keys of this host. */
static void collect_line(struct keys_host_keys *keys, const char *name, const struct entry *entry,
                         unsigned line, struct keys_complaints *complaints)
{
    bool matches = false;
    if (hosts_match(entry->hosts, name, &matches) != ERR_NONE) {
        complain(complaints, line, entry->hosts);
        return;
    }
    if (!matches || entry->marker == MARKER_REVOKED) {
        return;
    }
    struct keys_blob blob;
    if (keys_line_read(entry->type, entry->base64, &blob) != ERR_NONE) {
        complain(complaints, line, entry->type);
    } else if (entry->marker == MARKER_CERT_AUTHORITY) {
        add_blob(keys->cas, &keys->ca_count, KEYS_HOST_CAS_MAX, &keys->dropped_ca_count, &blob);
    } else {
        add_blob(keys->blobs, &keys->count, KEYS_HOST_KEYS_MAX, &keys->dropped_count, &blob);
    }
}

static void remember_revoked(struct keys_host_keys *keys, struct cursor blob)
{
    if (keys->revoked_hash_count == KEYS_REVOKED_MAX) {
        keys->has_too_many_revoked = true;
        return;
    }
    crypto_sha256(blob, keys->revoked[keys->revoked_hash_count++]);
}

/* Second pass: what is revoked anywhere in the file goes. A damaged revocation cannot be matched: it is
 * complained about in the first pass only where its line cannot be split, so here too. */
static void revoke_line(struct keys_host_keys *keys, const struct entry *entry, unsigned line,
                        struct keys_complaints *complaints)
{
    if (entry->marker != MARKER_REVOKED) {
        return;
    }
    struct keys_blob blob;
    if (keys_line_read(entry->type, entry->base64, &blob) != ERR_NONE) {
        complain(complaints, line, entry->type);
        return;
    }
    remember_revoked(keys, keys_blob_peek(&blob));
    take_away(keys->blobs, &keys->count, keys_blob_peek(&blob), &keys->revoked_count);
    take_away(keys->cas, &keys->ca_count, keys_blob_peek(&blob), &keys->revoked_count);
}

enum err keys_known_hosts_find(struct cursor file, const char *host, uint16_t port,
                               struct keys_host_keys *ret_keys, struct keys_complaints *complaints)
{
    char name[NAME_BYTES];
    TRY(write_name(host, port, name));
    if (cursor_len(&file) > KEYS_KNOWN_HOSTS_FILE_BYTES) {
        return ERR_TOO_LARGE;
    }
    ret_keys->count = ret_keys->dropped_count = ret_keys->revoked_count = 0;
    ret_keys->ca_count = ret_keys->dropped_ca_count = ret_keys->revoked_hash_count = 0;
    ret_keys->has_too_many_revoked = false;
    for (int pass = 0; pass < 2; pass++) {
        struct cursor rest = file;
        struct cursor text;
        for (unsigned line = 1; cursor_line(&rest, &text); line++) {
            struct entry entry;
            enum err err = read_entry(text, &entry);
            if (err == ERR_NONE && pass == 0) {
                collect_line(ret_keys, name, &entry, line, complaints);
            } else if (err == ERR_NONE) {
                revoke_line(ret_keys, &entry, line, complaints);
            } else if (err != ERR_NOT_FOUND && pass == 0) {
                complain(complaints, line, text);
            }
        }
    }
    if (ret_keys->has_too_many_revoked) {
        ret_keys->ca_count = 0;
        keys_complain(complaints, 0, "more than ", cursor_of_text("256"),
                      " @revoked lines: host certificates are not accepted; replace the CA instead");
    }
    return ret_keys->count + ret_keys->ca_count > 0 ? ERR_NONE : ERR_NOT_FOUND;
}

static bool is_revoked(const struct keys_host_keys *keys, struct cursor blob)
{
    uint8_t digest[CRYPTO_SHA256_BYTES];
    crypto_sha256(blob, digest);
    for (unsigned i = 0; i < keys->revoked_hash_count; i++) {
        if (memcmp(keys->revoked[i], digest, sizeof digest) == 0) {
            return true;
        }
    }
    return false;
}

static void add_ca(struct keys_host_keys *keys, const struct keys_blob *blob)
{
    if (keys->has_too_many_revoked || is_revoked(keys, keys_blob_peek(blob))) {
        keys->revoked_count++;
        return;
    }
    add_blob(keys->cas, &keys->ca_count, KEYS_HOST_CAS_MAX, &keys->dropped_ca_count, blob);
}

enum err keys_host_cas_add(struct cursor file, struct keys_host_keys *keys,
                           struct keys_complaints *complaints)
{
    if (cursor_len(&file) > KEYS_HOST_CA_FILE_BYTES) {
        return ERR_TOO_LARGE;
    }
    struct cursor text;
    for (unsigned line = 1; cursor_line(&file, &text); line++) {
        struct cursor type;
        struct cursor base64;
        struct keys_blob blob;
        struct cursor rest = text;
        if (!cursor_word(&rest, &type) || *type.at == '#') {
            continue;
        }
        if (!cursor_word(&rest, &base64) || keys_line_read(type, base64, &blob) != ERR_NONE) {
            keys_complain(complaints, line, "this line is not used: \"", type, "\" begins no public key");
            continue;
        }
        add_ca(keys, &blob);
    }
    return ERR_NONE;
}
