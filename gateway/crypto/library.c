#include "library.h"

#include <stdlib.h>

#include "crypto/hash.h"

const struct crypto_library *crypto_library(void)
{
    /* The one mutable static of the room: written once, then constant. Processes have one thread. */
    static struct crypto_library library;
    if (library.sha256 == NULL) {
        /* openssl.cnf could load engines and providers from disk and replace algorithms. */
        crypto_must(OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS |
                                            OPENSSL_INIT_NO_ATEXIT,
                                        NULL));
        library.chacha20_poly1305 = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
        crypto_must(library.chacha20_poly1305 != NULL);
        library.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
        crypto_must(library.sha256 != NULL);
    }
    return &library;
}

void crypto_must(int is_ok)
{
    if (is_ok != 1) {
        abort();
    }
}

void crypto_start(void)
{
    (void)crypto_library();
}
