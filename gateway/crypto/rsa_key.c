#include "crypto/rsa_key.h"

#include <string.h>

#include "base/secret.h"
#include "library.h"

/* As in library.h: OpenSSL has a type of this name. */
#define ERR_STATE openssl_err_state
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#undef ERR_STATE

enum { KEY_BITS = 2048 };

/* The key of the process: made once, then constant. Processes have one thread. */
static EVP_PKEY **process_key(void)
{
    static EVP_PKEY *key;
    return &key;
}

static void free_bio(BIO **bio)
{
    BIO_free_all(*bio);
}
static void free_context(EVP_PKEY_CTX **context)
{
    EVP_PKEY_CTX_free(*context);
}
#define OWNED(free_function) __attribute__((cleanup(free_function)))

static enum err refused(enum err err)
{
    ERR_clear_error();
    return err;
}

enum err crypto_rsa_pem(char ret_pem[static CRYPTO_RSA_PEM_BYTES])
{
    (void)crypto_library(); /* before OpenSSL would read openssl.cnf */
    EVP_PKEY **key = process_key();
    if (*key == NULL) {
        *key = EVP_RSA_gen(KEY_BITS);
    }
    OWNED(free_bio) BIO *bio = BIO_new(BIO_s_mem());
    if (*key == NULL || bio == NULL || PEM_write_bio_PUBKEY(bio, *key) != 1) {
        return refused(ERR_LIBRARY);
    }
    int len = BIO_read(bio, ret_pem, CRYPTO_RSA_PEM_BYTES - 1);
    if (len <= 0 || BIO_ctrl_pending(bio) != 0) {
        return refused(ERR_LIBRARY);
    }
    ret_pem[len] = 0;
    return ERR_NONE;
}

enum err crypto_rsa_open(struct cursor sealed, uint8_t ret_plain[static CRYPTO_RSA_PLAIN_BYTES],
                         size_t *ret_len_bytes)
{
    EVP_PKEY *key = *process_key();
    if (key == NULL) {
        return ERR_STATE;
    }
    OWNED(free_context) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    if (context == NULL || EVP_PKEY_decrypt_init(context) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) != 1) {
        return refused(ERR_LIBRARY);
    }
    uint8_t plain[CRYPTO_RSA_SEALED_BYTES]; /* OpenSSL asks for room as large as the modulus */
    size_t len = sizeof plain;
    bool is_open = EVP_PKEY_decrypt(context, plain, &len, sealed.at, cursor_len(&sealed)) == 1 &&
                   len <= CRYPTO_RSA_PLAIN_BYTES;
    if (is_open) {
        memcpy(ret_plain, plain, len);
        *ret_len_bytes = len;
    }
    secret_wipe(plain, sizeof plain);
    return is_open ? ERR_NONE : refused(ERR_MISMATCH);
}
