/* Host certificates: that a key of the bastion answers for a name. Only for the two keys that are held here,
 * so nothing can be certified that somebody else has. */
#include "signer.h"

#include "base/text.h"
#include "keys/certificate.h"

enum {
    VALIDITY_MAX_S = 7200,
    CLOCK_SLACK_S = 600, /* how far the start may lie from now, for engineers whose clock is late */
};

static enum err read_request(struct cursor body, uint8_t *ret_which, struct keys_certificate *certificate)
{
    uint8_t count = 0;
    TRY(cursor_u8(&body, ret_which));
    TRY(cursor_u64be(&body, &certificate->serial));
    TRY(cursor_string(&body, IPC_BODY_MAX, &certificate->key_id));
    TRY(cursor_u8(&body, &count));
    if (count > KEYS_NAMES_MAX) {
        return ERR_TOO_LARGE;
    }
    for (unsigned i = 0; i < count; i++) {
        TRY(cursor_string(&body, IPC_BODY_MAX, &certificate->principals[i]));
    }
    certificate->principal_count = count;
    TRY(cursor_u64be(&body, &certificate->valid_after_s));
    TRY(cursor_u64be(&body, &certificate->valid_before_s));
    return cursor_end(&body);
}

/* The inner key answers for a name only where somebody has proven who they are; the host key is the same for
 * everybody, and belongs to no connection. */
static const char *refuse_connection(struct signer *signer, uint32_t ref, uint8_t which)
{
    if (which == SIGNER_HOST) {
        return ref == 0 ? NULL : "the host key's certificate belongs to no connection";
    }
    const struct signer_session *session = signer_sessions_find(&signer->sessions, ref);
    return session != NULL && session->has_user ? NULL : "no user was verified on this connection";
}

static const char *refuse_names(const struct keys_certificate *certificate)
{
    if (certificate->principal_count == 0) {
        return "a host certificate without a name would be good for every host";
    }
    for (unsigned i = 0; i < certificate->principal_count; i++) {
        if (!text_is_host(certificate->principals[i])) {
            return "a name is no host";
        }
    }
    return NULL;
}

static const char *refuse(struct signer *signer, uint32_t ref, uint8_t which,
                          const struct keys_certificate *certificate, int64_t now_s)
{
    const char *refusal = refuse_connection(signer, ref, which);
    if (refusal == NULL) {
        refusal = refuse_names(certificate);
    }
    if (refusal == NULL && !signer_is_key_id(certificate->key_id)) {
        refusal = "the key id is empty, too long or not printable";
    }
    if (refusal == NULL && !signer_is_validity(certificate, now_s, VALIDITY_MAX_S, CLOCK_SLACK_S)) {
        refusal = "a host certificate starts within ten minutes of now and is valid for at most two hours";
    }
    return refusal;
}

enum err signer_answer_mint_host(struct signer *signer, uint32_t ref, struct cursor body, int64_t now_s,
                                 struct writer *reply)
{
    struct keys_certificate certificate = {.kind = KEYS_CERTIFICATE_HOST};
    uint8_t which = 0;
    TRY(read_request(body, &which, &certificate));
    if (which != SIGNER_HOST && which != SIGNER_INNER) {
        return ERR_MALFORMED;
    }
    certificate.public_key =
        cursor_of(signer->keys[which].key.public_key, sizeof signer->keys[which].key.public_key);
    signer->refusal = refuse(signer, ref, which, &certificate, now_s);
    struct cursor minted = signer_mint(signer, SIGNER_HOST_CA, &certificate, reply);
    if (which == SIGNER_HOST && signer->refusal == NULL) {
        signer->own_certificates[1] = signer->own_certificates[0];
        TRY(keys_blob_copy(minted, &signer->own_certificates[0]));
    }
    return ERR_NONE;
}
