#include "signer.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "keys/signature.h"
#include "keys/user_certificate.h"

enum {
    REQUEST_BYTES = IPC_BODY_MAX,
    SIGNATURE_BLOB_BYTES = 128, /* 4 + 11 + 4 + 64 */
};

enum err signer_sign(const struct signer_key *key, struct cursor message, struct writer *out)
{
    uint8_t signature[CRYPTO_ED25519_SIGNATURE_BYTES];
    TRY(crypto_ed25519_sign(&key->key, message, signature));
    writer_text(out, keys_type_name(KEYS_ED25519));
    writer_string(out, cursor_of(signature, sizeof signature));
    return out->is_full ? ERR_TOO_LARGE : ERR_NONE;
}

/* The lengths of SHA-256, SHA-384 and SHA-512: nothing else that is worth a signature has one of them AND is
 * signed with a host key. A certificate or a user authentication request is never that short. */
static bool is_hash_length(size_t len_bytes)
{
    return len_bytes == 32 || len_bytes == 48 || len_bytes == 64;
}

/* NULL, or why this exchange hash is not signed. Remembers the session id. */
static const char *admit_kex(struct signer *signer, uint32_t ref, enum signer_key_index which,
                             struct cursor hash)
{
    if (!is_hash_length(cursor_len(&hash))) {
        return "an exchange hash has 32, 48 or 64 bytes";
    }
    struct signer_session *session = NULL;
    if (which == SIGNER_INNER) {
        session = signer_sessions_find(&signer->sessions, ref);
        if (session == NULL || session->id_len_bytes == 0) {
            return "no inner handshake before the outer one";
        }
    } else if (signer_sessions_open(&signer->sessions, ref, &session) != ERR_NONE) {
        return "too many connections";
    }
    if (session->signature_count >= SIGNER_SIGNATURES_PER_REF) {
        return "too many key exchanges of one connection";
    }
    session->signature_count++;
    /* RFC 4253 section 7.2: the exchange hash of the first key exchange is the session id, and stays it. */
    if (session->id_len_bytes == 0) {
        session->id_len_bytes = (uint8_t)cursor_len(&hash);
        memcpy(session->id, hash.at, cursor_len(&hash));
    }
    return NULL;
}

static enum err answer_kex(struct signer *signer, uint32_t ref, struct cursor body, struct writer *reply)
{
    uint8_t which = 0;
    struct cursor hash;
    TRY(cursor_u8(&body, &which));
    TRY(cursor_string(&body, IPC_BODY_MAX, &hash));
    TRY(cursor_end(&body));
    if (which != SIGNER_HOST && which != SIGNER_INNER) {
        return ERR_MALFORMED;
    }
    signer->refusal = admit_kex(signer, ref, (enum signer_key_index)which, hash);
    uint8_t memory[SIGNATURE_BLOB_BYTES];
    struct writer blob = writer_of(memory, sizeof memory);
    if (signer->refusal == NULL && signer_sign(&signer->keys[which], hash, &blob) != ERR_NONE) {
        signer->refusal = "signing failed";
    }
    bool is_ok = signer->refusal == NULL;
    writer_bool(reply, is_ok);
    writer_string(reply, cursor_of(memory, is_ok ? (size_t)(blob.at - blob.start) : 0));
    return ERR_NONE;
}

struct verify_request {
    struct keys_user_request user;
    struct cursor signature;
};

static enum err read_verify(struct cursor body, struct verify_request *request)
{
    TRY(cursor_string(&body, IPC_BODY_MAX, &request->user.user));
    TRY(cursor_string(&body, IPC_BODY_MAX, &request->user.method));
    TRY(cursor_string(&body, IPC_BODY_MAX, &request->user.algorithm));
    TRY(cursor_string(&body, IPC_BODY_MAX, &request->user.key_blob));
    TRY(cursor_string(&body, IPC_BODY_MAX, &request->signature));
    return cursor_end(&body);
}

/* With publickey-hostbound the client signs what it was shown for our host key: the key, or a certificate. */
static struct cursor shown_host_key(const struct signer *signer, unsigned index)
{
    return keys_blob_peek(index == 0 ? &signer->keys[SIGNER_HOST].blob
                                     : &signer->own_certificates[index - 1]);
}

/* Is it that key's signature over the session id that was signed here? @return NULL, or why not. */
static const char *verify_signature(struct signer *signer, const struct signer_session *session,
                                    const struct verify_request *request, struct cursor key_blob,
                                    struct cursor algorithm, enum keys_touch touch,
                                    struct keys_proof *ret_proof)
{
    if (session == NULL || session->id_len_bytes == 0) {
        return "there is no session id to verify against";
    }
    struct keys_user_request user = request->user;
    user.session_id = cursor_of(session->id, session->id_len_bytes);
    unsigned count = cursor_equal_text(user.method, KEYS_METHOD_HOSTBOUND) ? 1 + SIGNER_OWN_CERTIFICATES : 1;
    for (unsigned i = 0; i < count; i++) {
        uint8_t memory[REQUEST_BYTES];
        struct cursor data;
        user.host_key_blob = shown_host_key(signer, i);
        if (keys_user_request_write(&user, memory, sizeof memory, &data) != ERR_NONE) {
            return "the request has an unknown method or is too large";
        }
        if (keys_signature_verify(key_blob, algorithm, request->signature, data, touch, ret_proof) ==
            ERR_NONE) {
            return NULL;
        }
    }
    return "the signature is not that key's over this session";
}

static const char *verify(struct signer *signer, uint32_t ref, struct verify_request *request,
                          struct keys_proof *ret_proof)
{
    struct signer_session *session = signer_sessions_find(&signer->sessions, ref);
    /* Whether a touch is needed stands in the person's authorized_keys file, which the monitor reads; it gets
     * the token's flags with the answer. */
    const char *refusal = verify_signature(signer, session, request, request->user.key_blob,
                                           request->user.algorithm, KEYS_TOUCH_JUDGED_BY_CALLER, ret_proof);
    if (refusal == NULL) {
        session->has_user = true;
    }
    return refusal;
}

static enum err answer_verify(struct signer *signer, uint32_t ref, struct cursor body, struct writer *reply)
{
    struct verify_request request = {.user = {.session_id = {NULL, NULL}}};
    TRY(read_verify(body, &request));
    struct keys_proof proof = {.type = KEYS_NONE};
    signer->refusal = verify(signer, ref, &request, &proof);
    writer_bool(reply, signer->refusal == NULL);
    writer_u8(reply, proof.sk_flags);
    writer_u32be(reply, proof.sk_counter);
    return ERR_NONE;
}

/* A certificate: what it says, who signed it, and that the person holds the key that it is for. */
struct certified {
    struct cursor ca_blob;
    char from[LIMIT_ADDRESS_BYTES];
    struct verify_request request;
    struct keys_user_certificate certificate;
    struct keys_proof proof;
};

static const char *verify_certified(struct signer *signer, uint32_t ref, struct certified *certified,
                                    int64_t now_s)
{
    struct keys_user_request *user = &certified->request.user;
    struct keys_user_certificate *certificate = &certified->certificate;
    char algorithm[KEYS_ALGORITHM_BYTES];
    if (!keys_certificate_algorithm(user->algorithm, algorithm) ||
        keys_user_certificate_read(user->key_blob, certificate) != ERR_NONE) {
        return "the certificate is not laid out as it should be, or asks for what the bastion does not keep";
    }
    if (cursor_len(&certificate->claims.principals) > LIMIT_PRINCIPALS_BYTES) {
        return "the certificate names more principals than the bastion keeps";
    }
    const char *refusal =
        keys_user_certificate_refuse(certificate, certified->ca_blob, user->user, certified->from, now_s);
    if (refusal != NULL) {
        return refusal;
    }
    struct signer_session *session = signer_sessions_find(&signer->sessions, ref);
    refusal = verify_signature(signer, session, &certified->request, keys_blob_peek(&certificate->claims.key),
                               cursor_of_text(algorithm), KEYS_TOUCH_REQUIRED, &certified->proof);
    if (refusal != NULL) {
        return refusal;
    }
    if (certificate->is_verify_required && (certified->proof.sk_flags & KEYS_SK_USER_VERIFIED) == 0) {
        return "the certificate asks for a token with PIN or fingerprint";
    }
    session->has_user = true;
    return NULL;
}

static enum err answer_certified(struct signer *signer, uint32_t ref, struct cursor body, int64_t now_s,
                                 struct writer *reply)
{
    struct certified certified = {.from = ""};
    TRY(cursor_string(&body, LIMIT_KEY_BLOB_BYTES, &certified.ca_blob));
    TRY(cursor_text(&body, certified.from, sizeof certified.from));
    TRY(read_verify(body, &certified.request));
    signer->refusal = verify_certified(signer, ref, &certified, now_s);
    bool is_ok = signer->refusal == NULL;
    char id[KEYS_KEY_ID_BYTES + 1] = "";
    char fingerprint[KEYS_FINGERPRINT_BYTES] = "";
    if (is_ok) {
        text_printable(certified.certificate.claims.key_id, id, sizeof id);
        (void)keys_fingerprint(keys_blob_peek(&certified.certificate.claims.key), fingerprint);
    }
    writer_bool(reply, is_ok);
    writer_text(reply, is_ok ? "" : signer->refusal);
    writer_u64be(reply, is_ok ? certified.certificate.claims.serial : 0);
    writer_text(reply, id);
    writer_text(reply, fingerprint);
    writer_string(reply, is_ok ? certified.certificate.claims.principals : cursor_of(NULL, 0));
    writer_u8(reply, is_ok ? certified.proof.sk_flags : 0);
    return ERR_NONE;
}

enum err signer_answer(struct signer *signer, const struct ipc_message *message, int64_t now_s,
                       enum ipc_type *ret_reply_type, struct writer *reply)
{
    signer->refusal = NULL;
    if (message->type == IPC_SIGN_KEX) {
        *ret_reply_type = IPC_SIGN_KEX_DONE;
        return answer_kex(signer, message->ref, message->body, reply);
    }
    if (message->type == IPC_VERIFY_USER) {
        *ret_reply_type = IPC_VERIFY_USER_DONE;
        return answer_verify(signer, message->ref, message->body, reply);
    }
    if (message->type == IPC_VERIFY_CERTIFIED) {
        *ret_reply_type = IPC_VERIFY_CERTIFIED_DONE;
        return answer_certified(signer, message->ref, message->body, now_s, reply);
    }
    if (message->type == IPC_MINT_USER) {
        *ret_reply_type = IPC_MINT_USER_DONE;
        return signer_answer_mint(signer, message->ref, message->body, now_s, reply);
    }
    if (message->type == IPC_MINT_HOST) {
        *ret_reply_type = IPC_MINT_HOST_DONE;
        return signer_answer_mint_host(signer, message->ref, message->body, now_s, reply);
    }
    if (message->type == IPC_MINT_SERVER) {
        *ret_reply_type = IPC_MINT_SERVER_DONE;
        return signer_answer_mint_server(signer, message->ref, message->body, now_s, reply);
    }
    assert(message->type == IPC_SIGNER_FORGET); /* ipc_check() lets nothing else through to the signer */
    *ret_reply_type = IPC_NONE;
    signer_sessions_forget(&signer->sessions, message->ref);
    return cursor_end(&message->body);
}
