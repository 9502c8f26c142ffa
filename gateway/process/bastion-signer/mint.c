#include "signer.h"

#include "base/text.h"
#include "crypto/random.h"
#include "keys/certificate.h"
#include "keys/source.h"

/* The signer's own rules, so that a monitor gone wrong cannot mint what lasts, or what names anything odd. */
enum {
    VALIDITY_MAX_S = 600,
    CLOCK_SLACK_S = 120, /* how far the start may lie from now, for targets whose clock is late */
    KEY_ID_MAX_BYTES = 512,
};

static enum err read_mint(struct cursor body, struct cursor *ret_subject,
                          struct keys_certificate *certificate)
{
    uint8_t count = 0;
    TRY(cursor_string(&body, IPC_BODY_MAX, ret_subject));
    TRY(cursor_u64be(&body, &certificate->serial));
    TRY(cursor_string(&body, IPC_BODY_MAX, &certificate->key_id));
    TRY(cursor_string(&body, IPC_BODY_MAX, &certificate->principals[0]));
    certificate->principal_count = 1;
    TRY(cursor_u64be(&body, &certificate->valid_after_s));
    TRY(cursor_u64be(&body, &certificate->valid_before_s));
    TRY(cursor_string(&body, IPC_BODY_MAX, &certificate->source_address));
    TRY(cursor_string(&body, IPC_BODY_MAX, &certificate->force_command));
    TRY(cursor_u8(&body, &count));
    if (count > KEYS_EXTENSIONS_MAX) {
        return ERR_TOO_LARGE;
    }
    for (unsigned i = 0; i < count; i++) {
        TRY(cursor_string(&body, IPC_BODY_MAX, &certificate->extensions[i]));
    }
    certificate->extension_count = count;
    return cursor_end(&body);
}

static bool is_printable(struct cursor text, size_t max_bytes)
{
    if (cursor_len(&text) > max_bytes) {
        return false;
    }
    for (; text.at != text.end; text.at++) {
        if (*text.at < 0x20 || *text.at > 0x7e) {
            return false;
        }
    }
    return true;
}

/* Addresses and blocks; sshd knows no "!" here. */
static bool is_source_list(struct cursor list)
{
    for (struct cursor rest = list; rest.at != rest.end; rest.at++) {
        if (*rest.at == '!') {
            return false;
        }
    }
    enum keys_source_verdict ignored = KEYS_SOURCE_OUTSIDE;
    struct cursor bad;
    return keys_source_match(list, NULL, &ignored, &bad) == ERR_NONE;
}

/* Whatever the monitor believes: without somebody's signature over this very connection there is nobody whom
 * a certificate could be for. */
static const char *refuse_connection(struct signer *signer, uint32_t ref)
{
    const struct signer_session *session = signer_sessions_find(&signer->sessions, ref);
    return session != NULL && session->has_user ? NULL : "no user was verified on this connection";
}

bool signer_is_key_id(struct cursor text)
{
    return cursor_len(&text) > 0 && is_printable(text, KEY_ID_MAX_BYTES);
}

bool signer_is_validity(const struct keys_certificate *certificate, int64_t now_s, uint64_t longest_s,
                        uint64_t slack_s)
{
    uint64_t now = (uint64_t)now_s;
    uint64_t after = certificate->valid_after_s;
    uint64_t before = certificate->valid_before_s;
    /* Written so that no sum of theirs can wrap. */
    bool is_short = before > after && before - after <= longest_s;
    bool is_now = after <= now ? now - after <= slack_s : after - now <= slack_s;
    return is_short && is_now;
}

static const char *refuse_texts(const struct keys_certificate *certificate)
{
    if (!signer_is_key_id(certificate->key_id)) {
        return "the key id is empty, too long or not printable";
    }
    if (!text_is_account(certificate->principals[0])) {
        return "the principal is no account name";
    }
    if (!is_printable(certificate->force_command, KEYS_CERTIFICATE_TEXT_BYTES)) {
        return "the forced command is too long or not printable";
    }
    if (cursor_len(&certificate->source_address) > KEYS_CERTIFICATE_TEXT_BYTES ||
        (cursor_len(&certificate->source_address) > 0 && !is_source_list(certificate->source_address))) {
        return "the source address is no list of addresses";
    }
    for (unsigned i = 0; i < certificate->extension_count; i++) {
        if (!keys_certificate_knows_extension(certificate->extensions[i])) {
            return "an extension is unknown";
        }
    }
    return NULL;
}

static const char *refuse_subject(const struct signer *signer, struct cursor subject,
                                  struct keys_certificate *certificate)
{
    struct keys_public key;
    if (keys_blob_parse(subject, &key) != ERR_NONE || key.type != KEYS_ED25519) {
        return "the subject is no Ed25519 key";
    }
    for (unsigned i = 0; i < SIGNER_KEY_COUNT; i++) {
        if (cursor_equal(subject, keys_blob_peek(&signer->keys[i].blob))) {
            return "the subject is a key of the bastion itself";
        }
    }
    certificate->public_key = key.point;
    return NULL;
}

static enum err mint(const struct signer_key *ca, const struct keys_certificate *certificate,
                     struct writer *out, struct cursor *ret_certificate)
{
    uint8_t nonce[KEYS_CERTIFICATE_NONCE_BYTES];
    crypto_random(nonce, sizeof nonce);
    TRY(keys_certificate_write(certificate, nonce, keys_blob_peek(&ca->blob), out));
    struct cursor to_sign;
    TRY(writer_done(out, &to_sign));
    uint8_t memory[128];
    struct writer signature = writer_of(memory, sizeof memory);
    TRY(signer_sign(ca, to_sign, &signature));
    struct cursor blob;
    TRY(writer_done(&signature, &blob));
    return keys_certificate_finish(out, blob, ret_certificate);
}

struct cursor signer_mint(struct signer *signer, enum signer_key_index ca,
                          const struct keys_certificate *certificate, struct writer *reply)
{
    uint8_t memory[KEYS_CERTIFICATE_BYTES];
    struct writer out =
        writer_of(memory, sizeof memory - 8); /* the answer's own fields need room in its row */
    struct cursor blob = {NULL, NULL};
    if (signer->refusal == NULL && mint(&signer->keys[ca], certificate, &out, &blob) != ERR_NONE) {
        signer->refusal = "the certificate would be too large, or names an extension twice";
        blob = cursor_of(NULL, 0);
    }
    writer_bool(reply, signer->refusal == NULL);
    writer_string(reply, blob);
    return cursor_of(reply->at - cursor_len(&blob), cursor_len(&blob));
}

enum err signer_answer_mint(struct signer *signer, uint32_t ref, struct cursor body, int64_t now_s,
                            struct writer *reply)
{
    struct keys_certificate certificate = {.kind = KEYS_CERTIFICATE_USER};
    struct cursor subject;
    TRY(read_mint(body, &subject, &certificate));
    signer->refusal = refuse_connection(signer, ref);
    if (signer->refusal == NULL) {
        signer->refusal = refuse_subject(signer, subject, &certificate);
    }
    if (signer->refusal == NULL) {
        signer->refusal = refuse_texts(&certificate);
    }
    if (signer->refusal == NULL && !signer_is_validity(&certificate, now_s, VALIDITY_MAX_S, CLOCK_SLACK_S)) {
        signer->refusal =
            "a certificate starts within two minutes of now and is valid for at most 10 minutes";
    }
    (void)signer_mint(signer, SIGNER_USER_CA, &certificate, reply);
    return ERR_NONE;
}
