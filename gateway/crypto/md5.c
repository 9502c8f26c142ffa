#include "crypto/md5.h"

#include "library.h"

enum err crypto_md5(struct cursor first, struct cursor second, uint8_t ret_digest[static CRYPTO_MD5_BYTES])
{
    (void)crypto_library(); /* before OpenSSL would read openssl.cnf */
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    crypto_must(context != NULL);
    bool is_done = EVP_DigestInit_ex2(context, EVP_md5(), NULL) == 1 &&
                   EVP_DigestUpdate(context, first.at, cursor_len(&first)) == 1 &&
                   EVP_DigestUpdate(context, second.at, cursor_len(&second)) == 1 &&
                   EVP_DigestFinal_ex(context, ret_digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    return is_done ? ERR_NONE : ERR_LIBRARY;
}
