/* User certificates: no input may crash, and what is read is a key that reads as one. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "keys/user_certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct keys_user_certificate certificate;
    if (keys_user_certificate_read(cursor_of(data, size), &certificate) != ERR_NONE) {
        return 0;
    }
    struct keys_public key;
    if (keys_blob_parse(keys_blob_peek(&certificate.claims.key), &key) != ERR_NONE) {
        abort();
    }
    (void)!keys_user_certificate_refuse(&certificate, certificate.claims.ca_blob, cursor_of_text("alice"),
                                        "10.0.0.1", 1);
    return 0;
}
