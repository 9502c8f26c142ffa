/* What the files of this room share: OpenSSL's algorithms, fetched once. Private to the room. */
#ifndef CRYPTO_LIBRARY_H
#define CRYPTO_LIBRARY_H

/* OpenSSL has a type of the same name as a constant of our error enum. */
#define ERR_STATE openssl_err_state
#include <openssl/evp.h>
#undef ERR_STATE

struct crypto_library {
    EVP_MD *sha256;
    EVP_CIPHER *chacha20_poly1305;
};
/** Never NULL members; aborts when OpenSSL lacks an algorithm. */
const struct crypto_library *crypto_library(void);
/** Abort unless a call that fails only for want of memory or by misuse succeeded. */
void crypto_must(int is_ok);

#endif
