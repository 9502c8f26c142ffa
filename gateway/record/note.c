#include "record/note.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "crypto/base64.h"

enum {
    SIGNATURE_BLOB_BYTES = 4 + CRYPTO_ED25519_SIGNATURE_BYTES, /* key id, signature */
    SIGNATURES_MAX = 32,
};
static const char SIGNATURE_LEAD[] = "\xe2\x80\x94 "; /* U+2014 and a blank */

enum err record_note_sign(const struct record_log_key *key, const struct record_note *note,
                          struct writer *out)
{
    char root[CRYPTO_BASE64_TEXT_BYTES(CRYPTO_SHA256_BYTES)];
    TRY(crypto_base64_encode(cursor_of(note->root, sizeof note->root), CRYPTO_BASE64_PADDED, root,
                             sizeof root));
    char text[RECORD_KEY_NAME_BYTES + sizeof root + 32];
    (void)snprintf(text, sizeof text, "%s\n%" PRIu64 "\n%s\n", key->vkey.name, note->size, root);
    uint8_t blob[SIGNATURE_BLOB_BYTES];
    memcpy(blob, key->vkey.id, 4);
    TRY(crypto_ed25519_sign(&key->key, cursor_of_text(text), blob + 4));
    char signature[CRYPTO_BASE64_TEXT_BYTES(SIGNATURE_BLOB_BYTES)];
    TRY(crypto_base64_encode(cursor_of(blob, sizeof blob), CRYPTO_BASE64_PADDED, signature,
                             sizeof signature));
    writer_bytes(out, cursor_of_text(text));
    writer_u8(out, '\n');
    writer_bytes(out, cursor_of_text(SIGNATURE_LEAD));
    writer_bytes(out, cursor_of_text(key->vkey.name));
    writer_u8(out, ' ');
    writer_bytes(out, cursor_of_text(signature));
    writer_u8(out, '\n');
    return out->is_full ? ERR_TOO_LARGE : ERR_NONE;
}

/* signed-note: the text ends with a newline; an empty line separates it from the signatures. */
static enum err split(struct cursor whole, struct cursor *ret_text, struct cursor *ret_signatures)
{
    for (const uint8_t *at = whole.at; at + 1 < whole.end; at++) {
        if (at[0] == '\n' && at[1] == '\n') {
            *ret_text = (struct cursor){whole.at, at + 1};
            *ret_signatures = (struct cursor){at + 2, whole.end};
            return ERR_NONE;
        }
    }
    return ERR_MALFORMED;
}

static enum err read_text(struct cursor text, const struct record_vkey *vkey, struct record_note *ret_note)
{
    struct cursor line;
    if (!cursor_line(&text, &line)) {
        return ERR_MALFORMED;
    }
    if (!cursor_equal_text(line, vkey->name)) {
        return ERR_MISMATCH; /* the checkpoint of another log */
    }
    /* tlog-checkpoint: decimal without leading zeros */
    if (!cursor_line(&text, &line) || cursor_len(&line) == 0 || (*line.at == '0' && cursor_len(&line) > 1) ||
        text_u64(line, UINT64_MAX, &ret_note->size) != ERR_NONE) {
        return ERR_MALFORMED;
    }
    size_t len = 0;
    if (!cursor_line(&text, &line) ||
        crypto_base64_decode(line, CRYPTO_BASE64_PADDED, ret_note->root, sizeof ret_note->root, &len) !=
            ERR_NONE ||
        len != sizeof ret_note->root) {
        return ERR_MALFORMED;
    }
    return ERR_NONE;
}

/* One line "U+2014 name base64". @return ERR_NOT_FOUND for another key's signature. */
static enum err check_signature(struct cursor line, struct cursor text, const struct record_vkey *vkey)
{
    struct cursor lead;
    if (cursor_bytes(&line, sizeof SIGNATURE_LEAD - 1, &lead) != ERR_NONE ||
        !cursor_equal_text(lead, SIGNATURE_LEAD)) {
        return ERR_MALFORMED;
    }
    struct cursor name;
    struct cursor base64;
    struct cursor extra;
    if (!cursor_word(&line, &name) || !cursor_word(&line, &base64) || cursor_word(&line, &extra)) {
        return ERR_MALFORMED;
    }
    uint8_t blob[SIGNATURE_BLOB_BYTES];
    size_t len = 0;
    enum err err = crypto_base64_decode(base64, CRYPTO_BASE64_PADDED, blob, sizeof blob, &len);
    if (!cursor_equal_text(name, vkey->name) || err == ERR_TOO_LARGE) {
        return ERR_NOT_FOUND;
    }
    TRY(err);
    if (len != sizeof blob || memcmp(blob, vkey->id, sizeof vkey->id) != 0) {
        return ERR_NOT_FOUND;
    }
    return crypto_ed25519_verify(vkey->public_key, text, blob + 4);
}

enum err record_note_open(struct cursor text, const struct record_vkey *vkey, struct record_note *ret_note)
{
    struct cursor body;
    struct cursor signatures;
    if (cursor_len(&text) > RECORD_NOTE_BYTES) {
        return ERR_TOO_LARGE;
    }
    TRY(split(text, &body, &signatures));
    struct record_note note = {0};
    TRY(read_text(body, vkey, &note));
    struct cursor line;
    bool is_signed = false;
    unsigned count = 0;
    while (cursor_line(&signatures, &line)) {
        if (++count > SIGNATURES_MAX || line.end == text.end) {
            return ERR_MALFORMED; /* too many, or a last line without its newline */
        }
        enum err err = check_signature(line, body, vkey);
        if (err != ERR_NOT_FOUND) {
            TRY(err);
            is_signed = true;
        }
    }
    if (!is_signed) {
        return ERR_MISMATCH;
    }
    *ret_note = note;
    return ERR_NONE;
}
