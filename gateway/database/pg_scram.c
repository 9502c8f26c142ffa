#include "pg_scram.h"

#include <string.h>

#include "base/secret.h"
#include "base/text.h"
#include "crypto/base64.h"
#include "crypto/random.h"

static struct cursor written(const struct writer *out)
{
    return cursor_of(out->start, (size_t)(out->at - out->start));
}

static void put(struct writer *out, const char *text)
{
    writer_bytes(out, cursor_of_text(text));
}

void pg_scram_done(struct pg_scram *scram)
{
    secret_wipe(scram, sizeof *scram);
}

static enum err put_base64(struct writer *out, struct cursor bytes)
{
    char text[CRYPTO_BASE64_TEXT_BYTES(128)];
    TRY(crypto_base64_encode(bytes, CRYPTO_BASE64_PADDED, text, sizeof text));
    put(out, text);
    return ERR_NONE;
}

/* RFC 5802 section 6. "y": we could bind and think that the server cannot. A server that can, and was made to
 * look otherwise, says no. */
static const char *binding(bool can_bind, struct cursor end_point)
{
    if (!can_bind) {
        return "y,,";
    }
    return cursor_len(&end_point) > 0 ? "p=tls-server-end-point,," : "n,,";
}

enum err pg_scram_first(struct pg_scram *scram, bool can_bind, struct cursor end_point, struct writer *out)
{
    uint8_t random[PG_SCRAM_NONCE_BYTES / 4 * 3];
    crypto_random(random, sizeof random);
    TRY(crypto_base64_encode(cursor_of(random, sizeof random), CRYPTO_BASE64_PADDED, scram->nonce,
                             sizeof scram->nonce));
    const char *header = binding(can_bind, end_point);
    struct writer bound = writer_of(scram->bound, sizeof scram->bound);
    put(&bound, header);
    if (can_bind) {
        writer_bytes(&bound, end_point);
    }
    struct cursor bytes;
    TRY(writer_done(&bound, &bytes));
    scram->bound_bytes = cursor_len(&bytes);
    put(out, header);
    put(out, "n=,r=");
    put(out, scram->nonce);
    scram->has_begun = true;
    return ERR_NONE;
}

/* "x=value" and the comma after it, if there is one. */
static enum err take_field(struct cursor *in, char letter, struct cursor *ret_value)
{
    struct cursor field;
    if (!cursor_name(in, &field) || cursor_len(&field) < 2 || field.at[0] != (uint8_t)letter ||
        field.at[1] != '=') {
        return ERR_MALFORMED;
    }
    *ret_value = cursor_of(field.at + 2, cursor_len(&field) - 2);
    return ERR_NONE;
}

/* RFC 5802 section 2.2: Hi(), which is PBKDF2 (RFC 8018) with one block. */
static void salted_password(struct cursor password, struct cursor salt, uint64_t iterations,
                            uint8_t ret_key[static CRYPTO_SHA256_BYTES])
{
    uint8_t block[CRYPTO_SHA256_BYTES];
    uint8_t first[256 + 4];
    struct writer out = writer_of(first, sizeof first);
    writer_bytes(&out, salt);
    writer_u32be(&out, 1);
    crypto_hmac_sha256(password, written(&out), block);
    memcpy(ret_key, block, sizeof block);
    for (uint64_t i = 1; i < iterations; i++) {
        crypto_hmac_sha256(password, cursor_of(block, sizeof block), block);
        for (size_t at = 0; at < sizeof block; at++) {
            ret_key[at] ^= block[at];
        }
    }
    secret_wipe(block, sizeof block);
}

/* What both keys sign: client-first-message-bare, server-first-message, client-final-message-without-proof.
 */
static enum err prove(struct pg_scram *scram, struct cursor salted, struct cursor server_first,
                      struct writer *out)
{
    uint8_t memory[3 * PG_SCRAM_MESSAGE_BYTES];
    struct writer message = writer_of(memory, sizeof memory);
    put(&message, "n=,r=");
    put(&message, scram->nonce);
    put(&message, ",");
    writer_bytes(&message, server_first);
    put(&message, ",");
    writer_bytes(&message, written(out));
    struct cursor signed_bytes;
    TRY(writer_done(&message, &signed_bytes));

    uint8_t client_key[CRYPTO_SHA256_BYTES];
    uint8_t stored_key[CRYPTO_SHA256_BYTES];
    uint8_t server_key[CRYPTO_SHA256_BYTES];
    uint8_t proof[CRYPTO_SHA256_BYTES];
    crypto_hmac_sha256(salted, cursor_of_text("Client Key"), client_key);
    crypto_sha256(cursor_of(client_key, sizeof client_key), stored_key);
    crypto_hmac_sha256(cursor_of(stored_key, sizeof stored_key), signed_bytes, proof);
    for (size_t at = 0; at < sizeof proof; at++) {
        proof[at] ^= client_key[at];
    }
    crypto_hmac_sha256(salted, cursor_of_text("Server Key"), server_key);
    crypto_hmac_sha256(cursor_of(server_key, sizeof server_key), signed_bytes, scram->server_signature);
    put(out, ",p=");
    enum err err = put_base64(out, cursor_of(proof, sizeof proof));
    secret_wipe(client_key, sizeof client_key);
    secret_wipe(stored_key, sizeof stored_key);
    secret_wipe(server_key, sizeof server_key);
    return err;
}

enum err pg_scram_final(struct pg_scram *scram, struct cursor password, struct cursor server_first,
                        struct writer *out)
{
    struct cursor in = server_first;
    struct cursor nonce;
    struct cursor salt_text;
    struct cursor iterations_text;
    uint8_t salt[256];
    size_t salt_bytes = 0;
    uint64_t iterations = 0;
    if (!scram->has_begun || scram->has_proven) {
        return ERR_STATE;
    }
    TRY(take_field(&in, 'r', &nonce));
    TRY(take_field(&in, 's', &salt_text));
    TRY(take_field(&in, 'i', &iterations_text));
    TRY(cursor_end(&in)); /* RFC 5802 section 5.1: extensions that are mandatory make it fail */
    size_t own_bytes = strlen(scram->nonce);
    if (cursor_len(&nonce) <= own_bytes || memcmp(nonce.at, scram->nonce, own_bytes) != 0) {
        return ERR_MISMATCH;
    }
    TRY(crypto_base64_decode(salt_text, CRYPTO_BASE64_PADDED, salt, sizeof salt, &salt_bytes));
    TRY(text_u64(iterations_text, PG_SCRAM_ITERATIONS_MAX, &iterations));
    if (iterations == 0 || salt_bytes == 0) {
        return ERR_MALFORMED;
    }
    put(out, "c=");
    TRY(put_base64(out, cursor_of(scram->bound, scram->bound_bytes)));
    put(out, ",r=");
    writer_bytes(out, nonce);

    uint8_t salted[CRYPTO_SHA256_BYTES];
    salted_password(password, cursor_of(salt, salt_bytes), iterations, salted);
    enum err err = prove(scram, cursor_of(salted, sizeof salted), server_first, out);
    secret_wipe(salted, sizeof salted);
    scram->has_proven = err == ERR_NONE;
    return err;
}

enum err pg_scram_verify(struct pg_scram *scram, struct cursor server_final)
{
    struct cursor text;
    uint8_t signature[CRYPTO_SHA256_BYTES];
    size_t len = 0;
    if (!scram->has_proven) {
        return ERR_STATE;
    }
    TRY(take_field(&server_final, 'v', &text));
    TRY(crypto_base64_decode(text, CRYPTO_BASE64_PADDED, signature, sizeof signature, &len));
    if (!secret_equal(cursor_of(signature, len),
                      cursor_of(scram->server_signature, sizeof scram->server_signature))) {
        return ERR_MISMATCH;
    }
    scram->is_verified = true;
    return ERR_NONE;
}
