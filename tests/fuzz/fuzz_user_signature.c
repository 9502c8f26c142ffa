/* User signatures. Input: u8 algorithm, string key blob, string signature blob, data. No input may crash;
 * none of the corpus, and nothing that grows from it, is a signature over the data that follows unless it was
 * made so. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "keys/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const ALGORITHMS[] = {
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "rsa-sha2-256",
        "rsa-sha2-512",
        "ecdsa-sha2-nistp521",
        "ssh-rsa",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    };
    struct cursor in = cursor_of(data, size);
    struct cursor blob;
    struct cursor signature;
    uint8_t which = 0;
    if (cursor_u8(&in, &which) != ERR_NONE || cursor_string(&in, 8192, &blob) != ERR_NONE ||
        cursor_string(&in, 8192, &signature) != ERR_NONE) {
        return 0;
    }
    const char *algorithm = ALGORITHMS[which % (sizeof ALGORITHMS / sizeof ALGORITHMS[0])];
    struct keys_proof proof = {.type = KEYS_NONE};
    enum err err =
        keys_signature_verify(blob, cursor_of_text(algorithm), signature, in, KEYS_TOUCH_REQUIRED, &proof);
    bool is_untouched = keys_type_is_sk(proof.type) && (proof.sk_flags & KEYS_SK_USER_PRESENT) == 0;
    if (err == ERR_NONE && (is_untouched || !keys_algorithm_fits(proof.type, cursor_of_text(algorithm)))) {
        abort();
    }
    return 0;
}
