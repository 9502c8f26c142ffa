#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/secret.h"
#include "base/text.h"
#include "crypto/base64.h"
#include "crypto/random.h"
#include "record/note.h"

enum {
    ALGORITHM_ED25519 = 1, /* signed-note: the byte before an Ed25519 key */
    KEY_BLOB_BYTES = 1 + CRYPTO_ED25519_SEED_BYTES,
};
static const char PRIVATE_LEAD[] = "PRIVATE+KEY+";

static enum err set_name(struct record_vkey *vkey, struct cursor name)
{
    size_t len = cursor_len(&name);
    if (len == 0 || len >= sizeof vkey->name) {
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < len; i++) {
        if (name.at[i] <= ' ' || name.at[i] > '~' || name.at[i] == '+') {
            return ERR_MALFORMED;
        }
        vkey->name[i] = (char)name.at[i];
    }
    vkey->name[len] = 0;
    return ERR_NONE;
}

static void set_id(struct record_vkey *vkey)
{
    static const uint8_t LEAD[] = {'\n', ALGORITHM_ED25519};
    uint8_t digest[CRYPTO_SHA256_BYTES];
    OWNED_SHA256 hash = {0};
    crypto_sha256_init(&hash);
    crypto_sha256_add(&hash, cursor_of_text(vkey->name));
    crypto_sha256_add(&hash, cursor_of(LEAD, sizeof LEAD));
    crypto_sha256_add(&hash, cursor_of(vkey->public_key, sizeof vkey->public_key));
    crypto_sha256_end(&hash, digest);
    memcpy(vkey->id, digest, sizeof vkey->id);
}

/* What is before the next "+". */
static enum err take_field(struct cursor *in, struct cursor *ret_field)
{
    const uint8_t *plus = cursor_len(in) == 0 ? NULL : memchr(in->at, '+', cursor_len(in));
    if (plus == NULL) {
        return ERR_MALFORMED;
    }
    *ret_field = (struct cursor){in->at, plus};
    in->at = plus + 1;
    return ERR_NONE;
}

/* "name+hash+base64(1, key)", the part that both texts share. The base64 itself may hold a "+". */
static enum err parse_fields(struct cursor text, struct record_vkey *vkey, uint8_t ret_id[static 4],
                             uint8_t ret_key[static CRYPTO_ED25519_SEED_BYTES])
{
    struct cursor line;
    struct cursor field;
    if (!cursor_line(&text, &line)) {
        return ERR_MALFORMED;
    }
    TRY(take_field(&line, &field));
    TRY(set_name(vkey, field));
    TRY(take_field(&line, &field));
    TRY(text_unhex(field, ret_id, 4));
    uint8_t blob[KEY_BLOB_BYTES];
    size_t len = 0;
    enum err err = crypto_base64_decode(line, CRYPTO_BASE64_PADDED, blob, sizeof blob, &len);
    if (err != ERR_NONE || len != sizeof blob || blob[0] != ALGORITHM_ED25519) {
        return ERR_MALFORMED;
    }
    memcpy(ret_key, blob + 1, CRYPTO_ED25519_SEED_BYTES);
    secret_wipe(blob, sizeof blob);
    return ERR_NONE;
}

enum err record_vkey_parse(struct cursor text, struct record_vkey *ret_vkey)
{
    struct record_vkey vkey = {0};
    uint8_t id[4];
    TRY(parse_fields(text, &vkey, id, vkey.public_key));
    set_id(&vkey);
    if (memcmp(id, vkey.id, sizeof id) != 0) {
        return ERR_MISMATCH;
    }
    *ret_vkey = vkey;
    return ERR_NONE;
}

/* `key` is the public key of a vkey or the seed of an skey; `lead` tells them apart. */
static void write_text(const struct record_vkey *vkey, const char *lead, const uint8_t key[static 32],
                       char ret_text[static RECORD_KEY_TEXT_BYTES])
{
    uint8_t blob[KEY_BLOB_BYTES] = {ALGORITHM_ED25519};
    memcpy(blob + 1, key, CRYPTO_ED25519_SEED_BYTES);
    char base64[CRYPTO_BASE64_TEXT_BYTES(KEY_BLOB_BYTES)];
    char id[9];
    /* The room for both texts is large enough by construction. */
    if (crypto_base64_encode(cursor_of(blob, sizeof blob), CRYPTO_BASE64_PADDED, base64, sizeof base64) !=
        ERR_NONE) {
        base64[0] = 0;
    }
    (void)snprintf(ret_text, RECORD_KEY_TEXT_BYTES, "%s%s+%s+%s", lead, vkey->name,
                   text_hex(cursor_of(vkey->id, 4), id, sizeof id), base64);
    secret_wipe(blob, sizeof blob);
    secret_wipe(base64, sizeof base64);
}

void record_vkey_text(const struct record_vkey *vkey, char ret_text[static RECORD_KEY_TEXT_BYTES])
{
    write_text(vkey, "", vkey->public_key, ret_text);
}

static enum err read_whole(const char *path, uint8_t bytes[static RECORD_KEY_TEXT_BYTES], size_t *ret_len,
                           mode_t *ret_mode)
{
    OWNED_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (fd < 0) {
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM;
    }
    if (fstat(fd, &status) != 0) {
        return ERR_SYSTEM;
    }
    ssize_t got = read(fd, bytes, RECORD_KEY_TEXT_BYTES);
    if (got < 0) {
        return ERR_SYSTEM;
    }
    *ret_len = (size_t)got;
    *ret_mode = status.st_mode;
    return ERR_NONE;
}

enum err record_vkey_load(const char *path, struct record_vkey *ret_vkey)
{
    uint8_t bytes[RECORD_KEY_TEXT_BYTES];
    size_t len = 0;
    mode_t mode = 0;
    TRY(read_whole(path, bytes, &len, &mode));
    return record_vkey_parse(cursor_of(bytes, len), ret_vkey);
}

enum err record_log_key_parse(struct cursor text, struct record_log_key *ret_key)
{
    struct record_log_key key = {0};
    struct cursor lead;
    if (cursor_bytes(&text, sizeof PRIVATE_LEAD - 1, &lead) != ERR_NONE ||
        !cursor_equal_text(lead, PRIVATE_LEAD)) {
        return ERR_MALFORMED;
    }
    uint8_t id[4];
    uint8_t seed[CRYPTO_ED25519_SEED_BYTES];
    TRY(parse_fields(text, &key.vkey, id, seed));
    enum err err = crypto_ed25519_load(&key.key, seed);
    secret_wipe(seed, sizeof seed);
    TRY(err);
    memcpy(key.vkey.public_key, key.key.public_key, sizeof key.vkey.public_key);
    set_id(&key.vkey);
    if (memcmp(id, key.vkey.id, sizeof id) != 0) {
        record_log_key_done(&key);
        return ERR_MISMATCH;
    }
    *ret_key = key;
    return ERR_NONE;
}

enum err record_log_key_load(const char *path, struct record_log_key *ret_key)
{
    uint8_t bytes[RECORD_KEY_TEXT_BYTES];
    size_t len = 0;
    mode_t mode = 0;
    TRY(read_whole(path, bytes, &len, &mode));
    enum err err =
        (mode & (S_IRWXG | S_IRWXO)) != 0 ? ERR_DENIED : record_log_key_parse(cursor_of(bytes, len), ret_key);
    secret_wipe(bytes, sizeof bytes);
    return err;
}

void record_log_key_done(struct record_log_key *key)
{
    crypto_ed25519_done(&key->key);
}

static enum err write_new(const char *path, mode_t mode, const char *text)
{
    OWNED_FD fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) {
        return errno == EEXIST ? ERR_STATE : ERR_SYSTEM;
    }
    if (fchmod(fd, mode) != 0) { /* the mask of the caller must not decide who reads a private key */
        return ERR_SYSTEM;
    }
    TRY(fd_write_all(fd, cursor_of_text(text)));
    TRY(fd_write_all(fd, cursor_of_text("\n")));
    return fsync(fd) == 0 ? ERR_NONE : ERR_SYSTEM;
}

enum err record_log_key_create(const char *path, const char *name)
{
    char public_path[PATH_MAX];
    if (snprintf(public_path, sizeof public_path, "%s.pub", path) >= (int)sizeof public_path) {
        return ERR_TOO_LARGE;
    }
    struct record_vkey vkey = {0};
    TRY(set_name(&vkey, cursor_of_text(name)));
    uint8_t seed[CRYPTO_ED25519_SEED_BYTES];
    crypto_random(seed, sizeof seed);
    enum err err = crypto_ed25519_public(seed, vkey.public_key);
    set_id(&vkey);
    char private_text[RECORD_KEY_TEXT_BYTES];
    char public_text[RECORD_KEY_TEXT_BYTES];
    write_text(&vkey, PRIVATE_LEAD, seed, private_text);
    record_vkey_text(&vkey, public_text);
    if (err == ERR_NONE) {
        err = write_new(path, S_IRUSR | S_IWUSR, private_text);
    }
    if (err == ERR_NONE) {
        err = write_new(public_path, S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH, public_text);
        if (err != ERR_NONE) {
            (void)unlink(path); /* half a pair would only stand in the way of the next try */
        }
    }
    secret_wipe(seed, sizeof seed);
    secret_wipe(private_text, sizeof private_text);
    return err;
}
