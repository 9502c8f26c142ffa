#include "record/age.h"

#include <string.h>

#include "base/secret.h"
#include "crypto/aead.h"
#include "crypto/base64.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "crypto/x25519.h"

enum {
    FILE_KEY_BYTES = 16,
    NONCE_BYTES = 16,
    WRAPPED_BYTES = FILE_KEY_BYTES + CRYPTO_AEAD_TAG_BYTES,
    KEY_LETTERS = 43, /* 32 bytes in base64 without padding */
    KEY_TEXT_BYTES = KEY_LETTERS + 2,
    BODY_LINE_LETTERS = 64,
};
static const char INTRO[] = "age-encryption.org/v1\n";
static const uint8_t ZERO_NONCE[CRYPTO_AEAD_NONCE_BYTES];

/* The payload is one STREAM chunk: counter 0, last-chunk flag 1. */
static const uint8_t LAST_NONCE[CRYPTO_AEAD_NONCE_BYTES] = {[CRYPTO_AEAD_NONCE_BYTES - 1] = 1};

static struct cursor text_cursor(const char *text)
{
    return cursor_of_text(text);
}

static void wrap_key(const uint8_t shared[static 32], const uint8_t ephemeral[static 32],
                     const uint8_t recipient[static 32], uint8_t ret_key[static 32])
{
    uint8_t salt[64];
    memcpy(salt, ephemeral, 32);
    memcpy(salt + 32, recipient, 32);
    crypto_hkdf_sha256(cursor_of(shared, 32), cursor_of(salt, sizeof salt),
                       text_cursor("age-encryption.org/v1/X25519"), ret_key, 32);
}

static void header_mac(const uint8_t file_key[static FILE_KEY_BYTES], struct cursor header,
                       uint8_t ret_mac[static CRYPTO_SHA256_BYTES])
{
    uint8_t key[32];
    crypto_hkdf_sha256(cursor_of(file_key, FILE_KEY_BYTES), cursor_of(NULL, 0), text_cursor("header"), key,
                       sizeof key);
    crypto_hmac_sha256(cursor_of(key, sizeof key), header, ret_mac);
    secret_wipe(key, sizeof key);
}

static void payload_key(const uint8_t file_key[static FILE_KEY_BYTES], struct cursor nonce,
                        uint8_t ret_key[static 32])
{
    crypto_hkdf_sha256(cursor_of(file_key, FILE_KEY_BYTES), nonce, text_cursor("payload"), ret_key, 32);
}

static enum err write_base64(struct writer *out, struct cursor bytes)
{
    char text[KEY_TEXT_BYTES];
    TRY(crypto_base64_encode(bytes, CRYPTO_BASE64_UNPADDED, text, sizeof text));
    writer_bytes(out, text_cursor(text));
    return ERR_NONE;
}

static enum err write_stanza(struct crypto_aead *aead, const uint8_t recipient[static 32],
                             const uint8_t file_key[static FILE_KEY_BYTES], struct writer *out)
{
    uint8_t ephemeral[32];
    uint8_t ephemeral_public[32];
    uint8_t shared[32] = {0};
    uint8_t key[32];
    uint8_t wrapped[WRAPPED_BYTES];
    TRY(crypto_x25519_generate(ephemeral, ephemeral_public));
    enum err err = crypto_x25519_derive(ephemeral, recipient, shared);
    wrap_key(shared, ephemeral_public, recipient, key);
    if (err == ERR_NONE) {
        err = crypto_aead_seal(aead, key, ZERO_NONCE, cursor_of(NULL, 0), cursor_of(file_key, FILE_KEY_BYTES),
                               wrapped);
    }
    secret_wipe(ephemeral, sizeof ephemeral);
    secret_wipe(shared, sizeof shared);
    secret_wipe(key, sizeof key);
    TRY(err);
    writer_bytes(out, text_cursor("-> X25519 "));
    TRY(write_base64(out, cursor_of(ephemeral_public, sizeof ephemeral_public)));
    writer_u8(out, '\n');
    TRY(write_base64(out, cursor_of(wrapped, sizeof wrapped)));
    writer_u8(out, '\n');
    return ERR_NONE;
}

static enum err write_header(struct crypto_aead *aead, const struct record_recipients *recipients,
                             const uint8_t file_key[static FILE_KEY_BYTES], struct writer *out)
{
    uint8_t *start = out->at;
    writer_bytes(out, text_cursor(INTRO));
    for (unsigned i = 0; i < recipients->count; i++) {
        TRY(write_stanza(aead, recipients->keys[i], file_key, out));
    }
    writer_bytes(out, text_cursor("---"));
    if (out->is_full) {
        return ERR_TOO_LARGE;
    }
    uint8_t mac[CRYPTO_SHA256_BYTES];
    header_mac(file_key, cursor_of(start, (size_t)(out->at - start)), mac);
    writer_u8(out, ' ');
    TRY(write_base64(out, cursor_of(mac, sizeof mac)));
    writer_u8(out, '\n');
    return ERR_NONE;
}

enum err record_age_seal(const struct record_recipients *recipients, struct cursor plain, struct writer *out)
{
    if (recipients->count == 0) {
        return ERR_STATE; /* a file that nobody could open */
    }
    if (cursor_len(&plain) > RECORD_AGE_PLAIN_BYTES) {
        return ERR_TOO_LARGE;
    }
    uint8_t file_key[FILE_KEY_BYTES];
    uint8_t nonce[NONCE_BYTES];
    uint8_t key[32];
    uint8_t sealed[RECORD_AGE_PLAIN_BYTES + CRYPTO_AEAD_TAG_BYTES];
    crypto_random(file_key, sizeof file_key);
    crypto_random(nonce, sizeof nonce);
    struct crypto_aead aead = {0};
    crypto_aead_init(&aead);
    enum err err = write_header(&aead, recipients, file_key, out);
    payload_key(file_key, cursor_of(nonce, sizeof nonce), key);
    if (err == ERR_NONE) {
        err = crypto_aead_seal(&aead, key, LAST_NONCE, cursor_of(NULL, 0), plain, sealed);
    }
    crypto_aead_done(&aead);
    secret_wipe(file_key, sizeof file_key);
    secret_wipe(key, sizeof key);
    TRY(err);
    writer_bytes(out, cursor_of(nonce, sizeof nonce));
    writer_bytes(out, cursor_of(sealed, cursor_len(&plain) + CRYPTO_AEAD_TAG_BYTES));
    return out->is_full ? ERR_TOO_LARGE : ERR_NONE;
}

/* One "-> type arguments" with its body. Only X25519 bodies are decoded. */
struct stanza {
    bool is_x25519;
    uint8_t ephemeral[32], wrapped[WRAPPED_BYTES];
};

static enum err decode_exactly(struct cursor text, uint8_t *ret_bytes, size_t len_bytes)
{
    size_t len = 0;
    if (crypto_base64_decode(text, CRYPTO_BASE64_UNPADDED, ret_bytes, len_bytes, &len) != ERR_NONE ||
        len != len_bytes) {
        return ERR_MALFORMED;
    }
    return ERR_NONE;
}

/* A header line must have its newline: cut files end inside one. */
static enum err take_line(struct cursor *in, struct cursor *ret_line)
{
    struct cursor at = *in;
    if (!cursor_line(&at, ret_line) || ret_line->end == in->end) {
        return ERR_MALFORMED;
    }
    *in = at;
    return ERR_NONE;
}

static enum err read_stanza_arguments(struct cursor line, struct stanza *stanza)
{
    struct cursor word;
    if (!cursor_word(&line, &word)) {
        return ERR_MALFORMED;
    }
    stanza->is_x25519 = cursor_equal_text(word, "X25519");
    if (!stanza->is_x25519) {
        return ERR_NONE;
    }
    struct cursor share;
    struct cursor extra;
    if (!cursor_word(&line, &share) || cursor_word(&line, &extra)) {
        return ERR_MALFORMED;
    }
    return decode_exactly(share, stanza->ephemeral, sizeof stanza->ephemeral);
}

/* `line` is the stanza's first line without "-> "; the body follows: full lines, then one shorter line. */
static enum err read_stanza(struct cursor *in, struct cursor line, struct stanza *ret_stanza)
{
    TRY(read_stanza_arguments(line, ret_stanza));
    for (bool is_first = true;; is_first = false) {
        struct cursor body;
        TRY(take_line(in, &body));
        if (cursor_len(&body) > BODY_LINE_LETTERS) {
            return ERR_MALFORMED;
        }
        if (ret_stanza->is_x25519) {
            return is_first ? decode_exactly(body, ret_stanza->wrapped, WRAPPED_BYTES) : ERR_MALFORMED;
        }
        if (cursor_len(&body) < BODY_LINE_LETTERS) {
            return ERR_NONE;
        }
    }
}

static enum err unwrap(struct crypto_aead *aead, const struct stanza *stanza,
                       const struct record_identities *identities,
                       uint8_t ret_file_key[static FILE_KEY_BYTES])
{
    enum err result = ERR_DENIED;
    for (unsigned i = 0; i < identities->count && result != ERR_NONE; i++) {
        uint8_t public_key[32];
        uint8_t shared[32];
        uint8_t key[32];
        TRY(crypto_x25519_public(identities->keys[i], public_key));
        TRY(crypto_x25519_derive(identities->keys[i], stanza->ephemeral, shared));
        wrap_key(shared, stanza->ephemeral, public_key, key);
        if (crypto_aead_open(aead, key, ZERO_NONCE, cursor_of(NULL, 0),
                             cursor_of(stanza->wrapped, WRAPPED_BYTES), ret_file_key) == ERR_NONE) {
            result = ERR_NONE;
        }
        secret_wipe(shared, sizeof shared);
        secret_wipe(key, sizeof key);
    }
    return result;
}

/* Reads the header, and leaves `in` at the payload. */
static enum err open_header(struct crypto_aead *aead, const struct record_identities *identities,
                            struct cursor *in, uint8_t ret_file_key[static FILE_KEY_BYTES])
{
    const uint8_t *start = in->at;
    struct cursor line;
    enum err found = ERR_DENIED;
    TRY(take_line(in, &line));
    if (!cursor_equal(line, cursor_of(INTRO, sizeof INTRO - 2))) {
        return ERR_MALFORMED;
    }
    for (;;) {
        TRY(take_line(in, &line));
        struct cursor tag;
        if (cursor_bytes(&line, 3, &tag) != ERR_NONE) {
            return ERR_MALFORMED;
        }
        if (cursor_equal_text(tag, "---")) {
            break;
        }
        if (!cursor_equal_text(tag, "-> ")) {
            return ERR_MALFORMED;
        }
        struct stanza stanza = {0};
        TRY(read_stanza(in, line, &stanza));
        if (found != ERR_NONE && stanza.is_x25519) {
            found = unwrap(aead, &stanza, identities, ret_file_key);
        }
    }
    TRY(found);
    uint8_t wanted[CRYPTO_SHA256_BYTES];
    uint8_t mac[CRYPTO_SHA256_BYTES];
    struct cursor header = {start, line.at};
    struct cursor blank;
    if (cursor_bytes(&line, 1, &blank) != ERR_NONE || *blank.at != ' ') {
        return ERR_MALFORMED;
    }
    TRY(decode_exactly(line, mac, sizeof mac));
    header_mac(ret_file_key, header, wanted);
    return secret_equal(cursor_of(mac, sizeof mac), cursor_of(wanted, sizeof wanted)) ? ERR_NONE
                                                                                      : ERR_MISMATCH;
}

static enum err open_payload(struct crypto_aead *aead, const uint8_t file_key[static FILE_KEY_BYTES],
                             struct cursor in, uint8_t *ret_plain, size_t size_bytes, size_t *ret_len_bytes)
{
    struct cursor nonce;
    if (cursor_bytes(&in, NONCE_BYTES, &nonce) != ERR_NONE || cursor_len(&in) < CRYPTO_AEAD_TAG_BYTES) {
        return ERR_MALFORMED;
    }
    size_t len = cursor_len(&in) - CRYPTO_AEAD_TAG_BYTES;
    if (len > size_bytes || len > RECORD_AGE_PLAIN_BYTES) {
        return ERR_TOO_LARGE;
    }
    uint8_t key[32];
    payload_key(file_key, nonce, key);
    enum err err = crypto_aead_open(aead, key, LAST_NONCE, cursor_of(NULL, 0), in, ret_plain);
    secret_wipe(key, sizeof key);
    TRY(err);
    *ret_len_bytes = len;
    return ERR_NONE;
}

enum err record_age_open(const struct record_identities *identities, struct cursor file, uint8_t *ret_plain,
                         size_t size_bytes, size_t *ret_len_bytes)
{
    if (cursor_len(&file) > RECORD_AGE_FILE_BYTES) {
        return ERR_TOO_LARGE;
    }
    uint8_t file_key[FILE_KEY_BYTES] = {0};
    struct crypto_aead aead = {0};
    crypto_aead_init(&aead);
    enum err err = open_header(&aead, identities, &file, file_key);
    if (err == ERR_NONE) {
        err = open_payload(&aead, file_key, file, ret_plain, size_bytes, ret_len_bytes);
    }
    crypto_aead_done(&aead);
    secret_wipe(file_key, sizeof file_key);
    return err;
}
