#include "keys/signature.h"

#define ERR_STATE openssl_err_state
#include <openssl/ec.h>
#include <openssl/evp.h>
#undef ERR_STATE

#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "openssh.h"

static const struct {
    const char *name, *options, *algorithm;
    uint32_t flags;
} KEYS[] = {
    {"ed25519", "-t ed25519", "ssh-ed25519", 0},
    {"p256", "-t ecdsa -b 256", "ecdsa-sha2-nistp256", 0},
    {"p384", "-t ecdsa -b 384", "ecdsa-sha2-nistp384", 0},
    {"p521", "-t ecdsa -b 521", "ecdsa-sha2-nistp521", 0},
    {"rsa", "-t rsa -b 2048", "rsa-sha2-256", AGENT_SHA256},
    {"rsa", NULL, "rsa-sha2-512", AGENT_SHA512},
};
enum { KEY_RSA = 4 };

static int make_keys(void **state)
{
    (void)state;
    openssh_start();
    openssh_agent_start();
    for (size_t i = 0; i < COUNT_OF(KEYS); i++) {
        if (KEYS[i].options != NULL) {
            openssh_keygen(KEYS[i].name, KEYS[i].options);
            openssh_agent_add(KEYS[i].name);
        }
    }
    return 0;
}

static int remove_keys(void **state)
{
    (void)state;
    openssh_stop();
    return 0;
}

static const uint8_t SESSION_ID[32] = {1, 2, 3};

/* The data that `user` signs in the session, by the code under test. */
static struct cursor request_of(const char *algorithm, struct cursor blob, const char *user,
                                const uint8_t *session_id, uint8_t memory[static 8192])
{
    struct keys_user_request request = {
        .session_id = cursor_of(session_id, 32),
        .user = cursor_of_text(user),
        .method = cursor_of_text(KEYS_METHOD_PLAIN),
        .algorithm = cursor_of_text(algorithm),
        .key_blob = blob,
    };
    struct cursor data;
    assert_int_equal(keys_user_request_write(&request, memory, 8192, &data), ERR_NONE);
    return data;
}

static enum err verify(struct cursor blob, const char *algorithm, struct cursor signature, struct cursor data)
{
    struct keys_proof proof;
    return keys_signature_verify(blob, cursor_of_text(algorithm), signature, data, KEYS_TOUCH_REQUIRED,
                                 &proof);
}

static void signature_of_openssh_is_accepted_for_its_data_only(void **state)
{
    (void)state;
    static const uint8_t OTHER_SESSION[32] = {1, 2, 4};
    for (size_t i = 0; i < COUNT_OF(KEYS); i++) {
        const char *algorithm = KEYS[i].algorithm;
        struct keys_blob blob;
        openssh_blob(KEYS[i].name, &blob);
        struct cursor key = keys_blob_peek(&blob);
        uint8_t memory[8192];
        uint8_t signature[LIMIT_SIGNATURE_BYTES];
        struct cursor data = request_of(algorithm, key, "alice", SESSION_ID, memory);
        struct cursor signed_by = cursor_of(signature, openssh_sign(key, data, KEYS[i].flags, signature));
        assert_int_equal(verify(key, algorithm, signed_by, data), ERR_NONE);
        data = request_of(algorithm, key, "alicf", SESSION_ID, memory);
        assert_int_equal(verify(key, algorithm, signed_by, data), ERR_MISMATCH);
        data = request_of(algorithm, key, "alice", OTHER_SESSION, memory);
        assert_int_equal(verify(key, algorithm, signed_by, data), ERR_MISMATCH);
    }
}

static void signature_cut_or_changed_anywhere_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(KEYS); i++) {
        const char *algorithm = KEYS[i].algorithm;
        struct keys_blob blob;
        openssh_blob(KEYS[i].name, &blob);
        struct cursor key = keys_blob_peek(&blob);
        struct cursor data = cursor_of_text("data");
        uint8_t signature[LIMIT_SIGNATURE_BYTES + 1] = {0};
        size_t len = openssh_sign(key, data, KEYS[i].flags, signature);
        for (size_t cut = 0; cut < len; cut++) {
            assert_int_not_equal(verify(key, algorithm, cursor_of(signature, cut), data), ERR_NONE);
        }
        assert_int_equal(verify(key, algorithm, cursor_of(signature, len + 1), data), ERR_MALFORMED);
        for (size_t at = 0; at < len; at++) {
            signature[at] ^= 0x40;
            assert_int_not_equal(verify(key, algorithm, cursor_of(signature, len), data), ERR_NONE);
            signature[at] ^= 0x40;
        }
        assert_int_equal(verify(key, algorithm, cursor_of(signature, len), data), ERR_NONE);
    }
}

static void signature_of_one_key_is_refused_for_every_other(void **state)
{
    (void)state;
    struct cursor data = cursor_of_text("data");
    for (size_t i = 0; i < COUNT_OF(KEYS); i++) {
        struct keys_blob blob;
        openssh_blob(KEYS[i].name, &blob);
        uint8_t signature[LIMIT_SIGNATURE_BYTES];
        size_t len = openssh_sign(keys_blob_peek(&blob), data, KEYS[i].flags, signature);
        for (size_t j = 0; j < COUNT_OF(KEYS); j++) {
            struct keys_blob other;
            openssh_blob(KEYS[j].name, &other);
            for (size_t k = 0; k < COUNT_OF(KEYS); k++) {
                enum err err =
                    verify(keys_blob_peek(&other), KEYS[k].algorithm, cursor_of(signature, len), data);
                bool is_right = j == i && k == i;
                bool is_same_rsa = KEYS[j].name == KEYS[i].name && k == i;
                assert_int_equal(err == ERR_NONE, is_right || is_same_rsa);
            }
        }
    }
}

static void rsa_with_sha1_is_refused(void **state)
{
    (void)state;
    struct keys_blob blob;
    openssh_blob("rsa", &blob);
    struct cursor key = keys_blob_peek(&blob);
    struct cursor data = cursor_of_text("data");
    uint8_t signature[LIMIT_SIGNATURE_BYTES];
    struct cursor made = cursor_of(signature, openssh_sign(key, data, AGENT_SHA1, signature));
    struct cursor probe = made;
    struct cursor name;
    assert_int_equal(cursor_string(&probe, 64, &name), ERR_NONE);
    assert_true(cursor_equal_text(name, "ssh-rsa"));
    assert_int_equal(verify(key, "ssh-rsa", made, data), ERR_MISMATCH);
    assert_int_equal(verify(key, "rsa-sha2-256", made, data), ERR_MISMATCH);
    assert_false(keys_algorithm_fits(KEYS_RSA, cursor_of_text("ssh-rsa")));
    assert_true(keys_algorithm_fits(KEYS_RSA, cursor_of_text("rsa-sha2-512")));
    assert_false(keys_algorithm_fits(KEYS_ED25519, cursor_of_text("rsa-sha2-512")));
    assert_false(keys_algorithm_fits(KEYS_NONE, cursor_of_text("none")));
}

static void request_has_the_form_of_rfc4252(void **state)
{
    (void)state;
    uint8_t memory[8192];
    uint8_t expected[8192];
    struct keys_user_request request = {
        .session_id = cursor_of(SESSION_ID, sizeof SESSION_ID),
        .user = cursor_of_text("alice"),
        .method = cursor_of_text(KEYS_METHOD_HOSTBOUND),
        .algorithm = cursor_of_text("ssh-ed25519"),
        .key_blob = cursor_of_text("blob"),
        .host_key_blob = cursor_of_text("host"),
    };
    struct writer out = writer_of(expected, sizeof expected);
    writer_string(&out, request.session_id);
    writer_u8(&out, 50);
    writer_text(&out, "alice");
    writer_text(&out, "ssh-connection");
    writer_text(&out, "publickey-hostbound-v00@openssh.com");
    writer_u8(&out, 1);
    writer_text(&out, "ssh-ed25519");
    writer_text(&out, "blob");
    writer_text(&out, "host");
    struct cursor wanted;
    struct cursor data;
    assert_int_equal(writer_done(&out, &wanted), ERR_NONE);
    assert_int_equal(keys_user_request_write(&request, memory, sizeof memory, &data), ERR_NONE);
    assert_true(cursor_equal(data, wanted));
    assert_int_equal(keys_user_request_write(&request, memory, cursor_len(&wanted) - 1, &data),
                     ERR_TOO_LARGE);
    request.method = cursor_of_text("none");
    assert_int_equal(keys_user_request_write(&request, memory, sizeof memory, &data), ERR_MALFORMED);
}

/* A hardware token made of software. */
struct token {
    struct crypto_ed25519 ed25519;
    EVP_PKEY *p256;
    enum keys_type type;
    uint8_t flags;
    uint32_t counter;
    const char *application; /* that it signs for */
};

static struct cursor token_blob(const struct token *token, uint8_t memory[static 512])
{
    struct writer out = writer_of(memory, 512);
    writer_text(&out, keys_type_name(token->type));
    if (token->type == KEYS_SK_ED25519) {
        writer_string(&out, cursor_of(token->ed25519.public_key, 32));
    } else {
        uint8_t point[65];
        size_t len = 0;
        assert_int_equal(
            EVP_PKEY_get_octet_string_param(token->p256, "encoded-pub-key", point, sizeof point, &len), 1);
        writer_text(&out, "nistp256");
        writer_string(&out, cursor_of(point, len));
    }
    writer_text(&out, "ssh:");
    struct cursor blob;
    assert_int_equal(writer_done(&out, &blob), ERR_NONE);
    return blob;
}

static void token_sign_ecdsa(const struct token *token, struct cursor message, struct writer *out)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t der[128];
    size_t der_len = sizeof der;
    assert_int_equal(EVP_DigestSignInit_ex(context, NULL, "SHA256", NULL, NULL, token->p256, NULL), 1);
    assert_int_equal(EVP_DigestSign(context, der, &der_len, message.at, cursor_len(&message)), 1);
    EVP_MD_CTX_free(context);
    const uint8_t *at = der;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)der_len);
    uint8_t *inner = writer_string_begin(out);
    const BIGNUM *numbers[] = {ECDSA_SIG_get0_r(pair), ECDSA_SIG_get0_s(pair)};
    for (int i = 0; i < 2; i++) {
        uint8_t magnitude[32];
        int len = BN_bn2bin(numbers[i], magnitude);
        writer_mpint(out, cursor_of(magnitude, (size_t)len));
    }
    writer_string_end(out, inner);
    ECDSA_SIG_free(pair);
}

/* OpenSSH PROTOCOL.u2f, written here from the document and not with the code under test. */
static struct cursor token_sign(const struct token *token, struct cursor data, uint8_t memory[static 512])
{
    uint8_t message[32 + 1 + 4 + 32];
    crypto_sha256(cursor_of_text(token->application), message);
    message[32] = token->flags;
    for (int i = 0; i < 4; i++) {
        message[33 + i] = (uint8_t)(token->counter >> (24 - 8 * i));
    }
    crypto_sha256(data, message + 37);
    struct writer out = writer_of(memory, 512);
    writer_text(&out, keys_type_name(token->type));
    if (token->type == KEYS_SK_ED25519) {
        uint8_t signature[64];
        assert_int_equal(crypto_ed25519_sign(&token->ed25519, cursor_of(message, sizeof message), signature),
                         ERR_NONE);
        writer_string(&out, cursor_of(signature, sizeof signature));
    } else {
        token_sign_ecdsa(token, cursor_of(message, sizeof message), &out);
    }
    writer_u8(&out, token->flags);
    writer_u32be(&out, token->counter);
    struct cursor signature;
    assert_int_equal(writer_done(&out, &signature), ERR_NONE);
    return signature;
}

static void try_token(struct token *token)
{
    uint8_t blob_memory[512];
    uint8_t memory[512];
    struct cursor blob = token_blob(token, blob_memory);
    struct cursor algorithm = cursor_of_text(keys_type_name(token->type));
    struct cursor data = cursor_of_text("data");
    struct keys_proof proof = {.sk_flags = 0};
    *token = (struct token){token->ed25519, token->p256, token->type, 0x05, 77, "ssh:"};
    struct cursor signature = token_sign(token, data, memory);
    assert_int_equal(keys_signature_verify(blob, algorithm, signature, data, KEYS_TOUCH_REQUIRED, &proof),
                     ERR_NONE);
    assert_int_equal(proof.sk_flags, 0x05);
    assert_int_equal(proof.sk_counter, 77);
    assert_int_equal(proof.type, token->type);
    for (size_t len = 0; len < cursor_len(&signature); len++) {
        struct cursor cut = cursor_of(signature.at, len);
        assert_int_not_equal(keys_signature_verify(blob, algorithm, cut, data, KEYS_TOUCH_REQUIRED, &proof),
                             ERR_NONE);
    }
    memory[cursor_len(&signature) - 1] ^= 1; /* another counter than the signed one */
    assert_int_equal(keys_signature_verify(blob, algorithm, signature, data, KEYS_TOUCH_REQUIRED, &proof),
                     ERR_MISMATCH);
    token->flags = 0; /* nobody touched it */
    signature = token_sign(token, data, memory);
    assert_int_equal(keys_signature_verify(blob, algorithm, signature, data, KEYS_TOUCH_REQUIRED, &proof),
                     ERR_DENIED);
    assert_int_equal(
        keys_signature_verify(blob, algorithm, signature, data, KEYS_TOUCH_JUDGED_BY_CALLER, &proof),
        ERR_NONE);
    assert_int_equal(proof.sk_flags, 0);
    memory[cursor_len(&signature) - 5] = 1; /* claims a touch that was not signed */
    assert_int_equal(keys_signature_verify(blob, algorithm, signature, data, KEYS_TOUCH_REQUIRED, &proof),
                     ERR_MISMATCH);
    token->flags = 1;
    token->application = "ssh:other"; /* enrolled for something else */
    signature = token_sign(token, data, memory);
    assert_int_equal(keys_signature_verify(blob, algorithm, signature, data, KEYS_TOUCH_REQUIRED, &proof),
                     ERR_MISMATCH);
}

static void token_signature_without_touch_is_denied(void **state)
{
    (void)state;
    static const uint8_t SEED[32] = {7};
    struct token token = {.type = KEYS_SK_ED25519};
    assert_int_equal(crypto_ed25519_load(&token.ed25519, SEED), ERR_NONE);
    token.p256 = EVP_EC_gen("P-256");
    assert_non_null(token.p256);
    try_token(&token);
    token.type = KEYS_SK_ECDSA_P256;
    try_token(&token);
    EVP_PKEY_free(token.p256);
    crypto_ed25519_done(&token.ed25519);
}

static void plain_signature_is_refused_for_a_token_key(void **state)
{
    (void)state;
    static const uint8_t SEED[32] = {7};
    struct token token = {.type = KEYS_SK_ED25519};
    assert_int_equal(crypto_ed25519_load(&token.ed25519, SEED), ERR_NONE);
    uint8_t blob_memory[512];
    struct cursor blob = token_blob(&token, blob_memory);
    struct cursor data = cursor_of_text("data");
    uint8_t raw[64];
    assert_int_equal(crypto_ed25519_sign(&token.ed25519, data, raw), ERR_NONE);
    uint8_t memory[256];
    struct writer out = writer_of(memory, sizeof memory);
    writer_text(&out, "ssh-ed25519");
    writer_string(&out, cursor_of(raw, sizeof raw));
    struct cursor signature;
    assert_int_equal(writer_done(&out, &signature), ERR_NONE);
    assert_int_not_equal(verify(blob, "ssh-ed25519", signature, data), ERR_NONE);
    assert_int_not_equal(verify(blob, "sk-ssh-ed25519@openssh.com", signature, data), ERR_NONE);
    crypto_ed25519_done(&token.ed25519);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(signature_of_openssh_is_accepted_for_its_data_only),
        cmocka_unit_test(signature_cut_or_changed_anywhere_is_refused),
        cmocka_unit_test(signature_of_one_key_is_refused_for_every_other),
        cmocka_unit_test(rsa_with_sha1_is_refused),
        cmocka_unit_test(request_has_the_form_of_rfc4252),
        cmocka_unit_test(token_signature_without_touch_is_denied),
        cmocka_unit_test(plain_signature_is_refused_for_a_token_key),
    };
    return cmocka_run_group_tests(TESTS, make_keys, remove_keys);
}
