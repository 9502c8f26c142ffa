#include "my_password.h"

#include <string.h>

#include "crypto/ed25519_password.h"
#include "crypto/hash.h"
#include "crypto/rsa_key.h"
#include "crypto/sha1.h"

static const char *const NAMES[MY_PLUGINS] = {
    [MY_PLUGIN_OTHER] = "",
    [MY_PLUGIN_NATIVE] = "mysql_native_password",
    [MY_PLUGIN_SHA2] = "caching_sha2_password",
    [MY_PLUGIN_ED25519] = "client_ed25519",
    [MY_PLUGIN_CLEAR] = "mysql_clear_password",
    [MY_PLUGIN_OLD_SHA256] = "sha256_password",
    [MY_PLUGIN_DIALOG] = "dialog",
};

enum my_plugin my_plugin_of(struct cursor name)
{
    for (enum my_plugin plugin = MY_PLUGIN_NATIVE; plugin < MY_PLUGINS; plugin++) {
        if (cursor_equal_text(name, NAMES[plugin])) {
            return plugin;
        }
    }
    return MY_PLUGIN_OTHER;
}

const char *my_plugin_name(enum my_plugin plugin)
{
    return NAMES[plugin];
}

/* SHA1(password) xor SHA1(nonce, SHA1(SHA1(password))) */
static enum err prove_native(struct cursor nonce, struct cursor password, uint8_t *ret_proof)
{
    const struct cursor none = cursor_of(NULL, 0);
    uint8_t once[CRYPTO_SHA1_BYTES];
    uint8_t twice[CRYPTO_SHA1_BYTES];
    TRY(crypto_sha1(password, none, once));
    TRY(crypto_sha1(cursor_of(once, sizeof once), none, twice));
    TRY(crypto_sha1(nonce, cursor_of(twice, sizeof twice), ret_proof));
    for (size_t i = 0; i < sizeof once; i++) {
        ret_proof[i] ^= once[i];
    }
    secret_wipe(once, sizeof once);
    secret_wipe(twice, sizeof twice);
    return ERR_NONE;
}

/* SHA256(password) xor SHA256(SHA256(SHA256(password)), nonce) */
static void prove_sha2(struct cursor nonce, struct cursor password, uint8_t *ret_proof)
{
    uint8_t once[CRYPTO_SHA256_BYTES];
    uint8_t mixed[CRYPTO_SHA256_BYTES + MY_NONCE_BYTES];
    crypto_sha256(password, once);
    crypto_sha256(cursor_of(once, sizeof once), mixed);
    memcpy(mixed + CRYPTO_SHA256_BYTES, nonce.at, MY_NONCE_BYTES);
    crypto_sha256(cursor_of(mixed, sizeof mixed), ret_proof);
    for (size_t i = 0; i < sizeof once; i++) {
        ret_proof[i] ^= once[i];
    }
    secret_wipe(once, sizeof once);
    secret_wipe(mixed, sizeof mixed);
}

enum err my_clear_proof(struct cursor password, struct secret *ret_proof)
{
    uint8_t text[DB_PASSWORD_BYTES];
    struct writer out = writer_of(text, sizeof text);
    my_write_name(&out, password);
    struct cursor proof;
    enum err err = writer_done(&out, &proof);
    if (err == ERR_NONE) {
        err = secret_set(ret_proof, proof);
    }
    secret_wipe(text, sizeof text);
    return err;
}

static enum err take_nonce(struct cursor data, size_t len_bytes, struct cursor *ret_nonce)
{
    TRY(cursor_bytes(&data, len_bytes, ret_nonce));
    bool has_only_nul = cursor_len(&data) == 0 || (cursor_len(&data) == 1 && *data.at == 0);
    return has_only_nul ? ERR_NONE : ERR_MALFORMED;
}

enum err my_prove(enum my_plugin plugin, struct cursor nonce, struct cursor password,
                  struct secret *ret_proof)
{
    uint8_t proof[CRYPTO_ED25519_SIGNATURE_BYTES];
    size_t proof_bytes = 0;
    size_t nonce_bytes = plugin == MY_PLUGIN_ED25519 ? CRYPTO_ED25519_PASSWORD_NONCE_BYTES : MY_NONCE_BYTES;
    switch (plugin) {
    case MY_PLUGIN_NATIVE:
    case MY_PLUGIN_SHA2:
    case MY_PLUGIN_ED25519:
        if (take_nonce(nonce, nonce_bytes, &nonce) != ERR_NONE) {
            return ERR_MALFORMED;
        }
        break;
    case MY_PLUGIN_CLEAR:
    case MY_PLUGIN_OLD_SHA256:
    case MY_PLUGIN_DIALOG:
        return my_clear_proof(password, ret_proof);
    case MY_PLUGIN_OTHER:
    case MY_PLUGINS:
        return ERR_NOT_FOUND;
    }
    if (plugin == MY_PLUGIN_ED25519) {
        TRY(crypto_ed25519_password_sign(password, nonce, proof));
        proof_bytes = CRYPTO_ED25519_SIGNATURE_BYTES;
    } else if (cursor_len(&password) == 0) {
        proof_bytes = 0; /* no proof says: no password */
    } else if (plugin == MY_PLUGIN_NATIVE) {
        TRY(prove_native(nonce, password, proof));
        proof_bytes = CRYPTO_SHA1_BYTES;
    } else {
        prove_sha2(nonce, password, proof);
        proof_bytes = CRYPTO_SHA256_BYTES;
    }
    return secret_set(ret_proof, cursor_of(proof, proof_bytes));
}

enum err my_unmix(struct cursor mixed, const uint8_t nonce[static MY_NONCE_BYTES],
                  struct secret *ret_password)
{
    uint8_t plain[CRYPTO_RSA_PLAIN_BYTES];
    size_t len_bytes = cursor_len(&mixed);
    if (len_bytes == 0 || len_bytes > sizeof plain) {
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < len_bytes; i++) {
        plain[i] = mixed.at[i] ^ nonce[i % MY_NONCE_BYTES];
    }
    bool has_end = plain[len_bytes - 1] == 0;
    enum err err = has_end ? secret_set(ret_password, cursor_of(plain, len_bytes - 1)) : ERR_MALFORMED;
    secret_wipe(plain, sizeof plain);
    return err;
}
