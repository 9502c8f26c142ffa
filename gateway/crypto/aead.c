#include "crypto/aead.h"

#include "base/secret.h"
#include "library.h"

enum { LARGEST_BYTES = 1 << 30 }; /* OpenSSL counts in int */

void crypto_aead_init(struct crypto_aead *aead)
{
    if (aead->context == NULL) {
        aead->context = EVP_CIPHER_CTX_new();
        crypto_must(aead->context != NULL);
        crypto_must(
            EVP_CipherInit_ex2(aead->context, crypto_library()->chacha20_poly1305, NULL, NULL, 1, NULL));
    }
}

void crypto_aead_done(struct crypto_aead *aead)
{
    EVP_CIPHER_CTX_free(aead->context);
    aead->context = NULL;
}

/* One EVP call takes the associated data when `out` is NULL, else the text. Zero bytes are skipped: there is
 * nothing to do, and a NULL `in` would mean "finish". */
static int update(EVP_CIPHER_CTX *context, uint8_t *out, struct cursor in)
{
    int len = 0;
    return cursor_len(&in) == 0 ? 1 : EVP_CipherUpdate(context, out, &len, in.at, (int)cursor_len(&in));
}

enum err crypto_aead_seal(struct crypto_aead *aead, const uint8_t key[static CRYPTO_AEAD_KEY_BYTES],
                          const uint8_t nonce[static CRYPTO_AEAD_NONCE_BYTES], struct cursor ad,
                          struct cursor plain, uint8_t *ret_out)
{
    size_t len = cursor_len(&plain);
    if (len > LARGEST_BYTES || cursor_len(&ad) > LARGEST_BYTES) {
        return ERR_TOO_LARGE;
    }
    int last = 0;
    bool is_ok =
        EVP_CipherInit_ex2(aead->context, NULL, key, nonce, 1, NULL) == 1 &&
        update(aead->context, NULL, ad) == 1 && update(aead->context, ret_out, plain) == 1 &&
        EVP_CipherFinal_ex(aead->context, ret_out + len, &last) == 1 && last == 0 &&
        EVP_CIPHER_CTX_ctrl(aead->context, EVP_CTRL_AEAD_GET_TAG, CRYPTO_AEAD_TAG_BYTES, ret_out + len) == 1;
    return is_ok ? ERR_NONE : ERR_LIBRARY;
}

enum err crypto_aead_open(struct crypto_aead *aead, const uint8_t key[static CRYPTO_AEAD_KEY_BYTES],
                          const uint8_t nonce[static CRYPTO_AEAD_NONCE_BYTES], struct cursor ad,
                          struct cursor sealed, uint8_t *ret_out)
{
    if (cursor_len(&sealed) < CRYPTO_AEAD_TAG_BYTES) {
        return ERR_TRUNCATED;
    }
    size_t len = cursor_len(&sealed) - CRYPTO_AEAD_TAG_BYTES;
    if (len > LARGEST_BYTES || cursor_len(&ad) > LARGEST_BYTES) {
        return ERR_TOO_LARGE;
    }
    uint8_t tag[CRYPTO_AEAD_TAG_BYTES];
    for (size_t i = 0; i < sizeof tag; i++) {
        tag[i] = sealed.at[len + i];
    }
    if (EVP_CipherInit_ex2(aead->context, NULL, key, nonce, 0, NULL) != 1 ||
        EVP_CIPHER_CTX_ctrl(aead->context, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) != 1 ||
        update(aead->context, NULL, ad) != 1) {
        return ERR_LIBRARY;
    }
    int last = 0;
    uint8_t none[CRYPTO_AEAD_TAG_BYTES];
    if (update(aead->context, ret_out, cursor_of(sealed.at, len)) != 1 ||
        EVP_CipherFinal_ex(aead->context, none, &last) != 1 || last != 0) {
        secret_wipe(ret_out, len);
        return ERR_MISMATCH;
    }
    return ERR_NONE;
}
