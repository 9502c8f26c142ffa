/* CAs that vouch for keys of people (`user_ca_keys`), and the list of what they took back (`revoked_keys`).
 * Both are operators' files, read at the start and at SIGHUP. A list that is named and cannot be read is no
 * empty list. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/text.h"
#include "state.h"

enum { CA_FILE_BYTES = 65536, REVOKED_FILE_BYTES = 1 << 20, VALUE_BYTES = KEYS_KEY_ID_BYTES + 1 };

void person_ca_done(struct person_cas *cas)
{
    free(cas->blobs);
    free(cas->revoked);
    *cas = (struct person_cas){0};
}

static enum err say(char *ret_sentence, size_t size_bytes, const char *path, unsigned line, const char *what)
{
    (void)snprintf(ret_sentence, size_bytes, "%s:%u: %s", path, line, what);
    return ERR_MALFORMED;
}

static enum err read_file(const char *path, size_t max_bytes, uint8_t **ret_bytes, size_t *ret_len,
                          char *ret_sentence, size_t size_bytes)
{
    enum err err = fd_read_trusted_file(AT_FDCWD, path, max_bytes, ret_bytes, ret_len);
    if (err != ERR_NONE) {
        (void)snprintf(ret_sentence, size_bytes, "%s: %s", path,
                       err == ERR_SYSTEM   ? strerror(errno)
                       : err == ERR_DENIED ? "must be a regular file of root that nobody else may write"
                                           : err_text(err));
    }
    return err;
}

/* A line that says something: its first word. */
static bool first_word(struct cursor *line, struct cursor *ret_word)
{
    return cursor_word(line, ret_word) && *ret_word->at != '#';
}

static enum err add_cas(struct person_cas *cas, const char *path, struct cursor file, char *ret_sentence,
                        size_t size_bytes)
{
    struct cursor line;
    for (unsigned number = 1; cursor_line(&file, &line); number++) {
        struct cursor type;
        struct cursor base64;
        if (!first_word(&line, &type)) {
            continue;
        }
        if (cas->count == PERSON_CAS_MAX) {
            return say(ret_sentence, size_bytes, path, number, "more than 32 CAs");
        }
        if (!cursor_word(&line, &base64) ||
            keys_line_read(type, base64, &cas->blobs[cas->count]) != ERR_NONE) {
            return say(ret_sentence, size_bytes, path, number,
                       "this is no public key (\"ssh-ed25519 AAAA...\")");
        }
        cas->count++;
    }
    return ERR_NONE;
}

/* ---- the list ---- */

struct revoked {
    struct cursor kind; /* "serial", "id", "key" */
    char value[VALUE_BYTES];
};

/* @return false when the line is none of the three. */
static bool read_revoked(struct cursor line, struct revoked *ret)
{
    uint64_t serial = 0;
    if (!cursor_word(&line, &ret->kind)) {
        return false;
    }
    while (cursor_len(&line) > 0 && *line.at == ' ') {
        line.at++;
    }
    while (cursor_len(&line) > 0 && (line.end[-1] == ' ' || line.end[-1] == '\r')) {
        line.end--;
    }
    size_t len = cursor_len(&line);
    if (len == 0 || len >= sizeof ret->value) {
        return false;
    }
    (void)snprintf(ret->value, sizeof ret->value, "%.*s", (int)len, (const char *)line.at);
    if (cursor_equal_text(ret->kind, "serial")) {
        return text_u64(line, UINT64_MAX, &serial) == ERR_NONE;
    }
    if (cursor_equal_text(ret->kind, "key")) {
        return len == KEYS_FINGERPRINT_BYTES - 1 && strncmp(ret->value, "SHA256:", 7) == 0;
    }
    return cursor_equal_text(ret->kind, "id");
}

static enum err check_revoked(struct cursor file, const char *path, char *ret_sentence, size_t size_bytes)
{
    struct cursor line;
    for (unsigned number = 1; cursor_line(&file, &line); number++) {
        struct cursor probe = line;
        struct cursor word;
        struct revoked revoked;
        if (first_word(&probe, &word) && !read_revoked(line, &revoked)) {
            return say(ret_sentence, size_bytes, path, number,
                       "must be \"serial NUMBER\", \"id TEXT\" or \"key SHA256:...\"");
        }
    }
    return ERR_NONE;
}

bool person_ca_is_revoked(const struct person_cas *cas, uint64_t serial, const char *key_id,
                          const char *fingerprint)
{
    struct cursor file = cursor_of(cas->revoked, cas->revoked_bytes);
    struct cursor line;
    char printable[VALUE_BYTES];
    while (cursor_line(&file, &line)) {
        struct revoked revoked;
        uint64_t number = 0;
        if (!read_revoked(line, &revoked)) {
            continue;
        }
        struct cursor value = cursor_of_text(revoked.value);
        text_printable(value, printable, sizeof printable); /* as the signer tells key ids */
        bool is_serial = cursor_equal_text(revoked.kind, "serial") &&
                         text_u64(value, UINT64_MAX, &number) == ERR_NONE && number == serial;
        bool is_id = cursor_equal_text(revoked.kind, "id") && strcmp(printable, key_id) == 0;
        bool is_key = cursor_equal_text(revoked.kind, "key") && strcmp(revoked.value, fingerprint) == 0;
        if (is_serial || is_id || is_key) {
            return true;
        }
    }
    return false;
}

/* ---- loading ---- */

static enum err load(const struct gateway_config *config, struct person_cas *cas, char *ret_sentence,
                     size_t size_bytes)
{
    cas->blobs = calloc(PERSON_CAS_MAX, sizeof *cas->blobs);
    if (cas->blobs == NULL) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < config->user_ca_keys_count; i++) {
        const char *path = config->user_ca_keys[i];
        uint8_t *bytes = NULL;
        size_t len = 0;
        TRY(read_file(path, CA_FILE_BYTES, &bytes, &len, ret_sentence, size_bytes));
        enum err err = add_cas(cas, path, cursor_of(bytes, len), ret_sentence, size_bytes);
        free(bytes);
        TRY(err);
    }
    if (config->revoked_keys[0] == 0) {
        return ERR_NONE;
    }
    TRY(read_file(config->revoked_keys, REVOKED_FILE_BYTES, &cas->revoked, &cas->revoked_bytes, ret_sentence,
                  size_bytes));
    return check_revoked(cursor_of(cas->revoked, cas->revoked_bytes), config->revoked_keys, ret_sentence,
                         size_bytes);
}

enum err person_ca_load(struct monitor *monitor, char *ret_sentence, size_t size_bytes)
{
    struct person_cas cas = {0};
    (void)snprintf(ret_sentence, size_bytes, "no memory for the CAs of people");
    enum err err = load(&monitor->config, &cas, ret_sentence, size_bytes);
    if (err != ERR_NONE) {
        person_ca_done(&cas);
        return err;
    }
    person_ca_done(&monitor->person_cas);
    monitor->person_cas = cas;
    return ERR_NONE;
}

const struct keys_blob *person_ca_find(const struct person_cas *cas, struct cursor certificate)
{
    for (unsigned i = 0; i < cas->count; i++) {
        struct cursor blob = keys_blob_peek(&cas->blobs[i]);
        if (memmem(certificate.at, cursor_len(&certificate), blob.at, cursor_len(&blob)) != NULL) {
            return &cas->blobs[i];
        }
    }
    return NULL;
}
