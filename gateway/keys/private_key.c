#include "keys/private_key.h"

#include <stdlib.h>
#include <string.h>

#include "base/writer.h"
#include "crypto/base64.h"
#include "crypto/ed25519.h"

enum {
    PUBLIC_BYTES = 32,
    NAME_MAX_BYTES = 64,
    BLOCK_BYTES = 8, /* the private section is padded to this without a cipher */
    LINE_LETTERS = 70,
    BINARY_BYTES = 1024, /* of a file that we write: 255 bytes of comment and about 250 others */
};
static const char BEGIN[] = "-----BEGIN OPENSSH PRIVATE KEY-----";
static const char END[] = "-----END OPENSSH PRIVATE KEY-----";
static const char MAGIC[] = "openssh-key-v1"; /* its NUL belongs to it */

static enum err say(const char **ret_sentence, const char *sentence, enum err err)
{
    *ret_sentence = sentence;
    return err;
}

static struct cursor line_trimmed(struct cursor line)
{
    while (line.at != line.end && (line.end[-1] == '\r' || line.end[-1] == ' ')) {
        line.end--;
    }
    return line;
}

/* The base64 letters between the two armour lines, joined in `joined`. */
static enum err join_armour(struct cursor file, struct secret *joined)
{
    TRY(secret_set(joined, file)); /* never shorter than the letters in it */
    struct cursor line;
    do {
        if (!cursor_line(&file, &line)) {
            return ERR_MALFORMED;
        }
    } while (!cursor_equal_text(line_trimmed(line), BEGIN));
    struct writer out = writer_of(joined->bytes, joined->len_bytes);
    while (cursor_line(&file, &line)) {
        line = line_trimmed(line);
        if (cursor_equal_text(line, END)) {
            size_t used = (size_t)(out.at - out.start);
            secret_wipe(out.at, joined->len_bytes - used);
            joined->len_bytes = used;
            return ERR_NONE;
        }
        writer_bytes(&out, line);
    }
    return ERR_TRUNCATED;
}

static enum err decode_armour(struct cursor file, struct secret *binary)
{
    OWNED_SECRET joined = {0};
    TRY(join_armour(file, &joined));
    TRY(secret_set(binary, secret_peek(&joined)));
    size_t len = 0;
    TRY(crypto_base64_decode(secret_peek(&joined), CRYPTO_BASE64_PADDED, binary->bytes, binary->len_bytes,
                             &len));
    secret_wipe(binary->bytes + len, binary->len_bytes - len);
    binary->len_bytes = len;
    return ERR_NONE;
}

/* The section that a passphrase would encrypt. */
static enum err read_section(struct cursor section, struct cursor *ret_seed, struct cursor *ret_public,
                             const char **ret_sentence)
{
    uint32_t check[2] = {0, 0};
    TRY(cursor_u32be(&section, &check[0]));
    TRY(cursor_u32be(&section, &check[1]));
    struct cursor type;
    TRY(cursor_string(&section, NAME_MAX_BYTES, &type));
    if (check[0] != check[1] || !cursor_equal_text(type, keys_type_name(KEYS_ED25519))) {
        return ERR_MALFORMED;
    }
    struct cursor both;
    TRY(cursor_string(&section, PUBLIC_BYTES, ret_public));
    TRY(cursor_string(&section, KEYS_SEED_BYTES + PUBLIC_BYTES, &both));
    TRY(cursor_bytes(&both, KEYS_SEED_BYTES, ret_seed));
    if (!cursor_equal(both, *ret_public)) {
        return say(ret_sentence, "is damaged: its private and public half do not belong together",
                   ERR_MISMATCH);
    }
    struct cursor comment;
    TRY(cursor_string(&section, KEYS_PRIVATE_FILE_BYTES, &comment));
    for (uint8_t expected = 1; cursor_len(&section) > 0; expected++) {
        uint8_t pad = 0;
        TRY(cursor_u8(&section, &pad));
        if (pad != expected || expected >= BLOCK_BYTES) {
            return ERR_MALFORMED;
        }
    }
    return ERR_NONE;
}

/* The unencrypted front: cipher, KDF, number of keys, public blob; then the section. */
static enum err read_front(struct cursor *in, struct cursor *ret_public_blob, struct cursor *ret_section,
                           const char **ret_sentence)
{
    struct cursor magic;
    TRY(cursor_bytes(in, sizeof MAGIC, &magic));
    if (!cursor_equal(magic, cursor_of(MAGIC, sizeof MAGIC))) {
        return ERR_MALFORMED;
    }
    struct cursor cipher;
    struct cursor kdf;
    struct cursor kdf_options;
    uint32_t count = 0;
    TRY(cursor_string(in, NAME_MAX_BYTES, &cipher));
    TRY(cursor_string(in, NAME_MAX_BYTES, &kdf));
    TRY(cursor_string(in, NAME_MAX_BYTES, &kdf_options));
    TRY(cursor_u32be(in, &count));
    if (!cursor_equal_text(cipher, "none") || !cursor_equal_text(kdf, "none")) {
        return say(ret_sentence,
                   "is encrypted: nobody is there to type a passphrase (remove it with ssh-keygen -p, "
                   "and protect the file)",
                   ERR_DENIED);
    }
    if (cursor_len(&kdf_options) != 0 || count != 1) {
        return ERR_MALFORMED;
    }
    TRY(cursor_string(in, LIMIT_KEY_BLOB_BYTES, ret_public_blob));
    TRY(cursor_string(in, KEYS_PRIVATE_FILE_BYTES, ret_section));
    return cursor_end(in);
}

static enum err read_binary(struct cursor in, struct secret *ret_seed, struct keys_blob *ret_public,
                            const char **ret_sentence)
{
    struct cursor public_blob;
    struct cursor section;
    TRY(read_front(&in, &public_blob, &section, ret_sentence));
    struct cursor probe = public_blob;
    struct cursor type;
    TRY(cursor_string(&probe, NAME_MAX_BYTES, &type));
    if (!cursor_equal_text(type, keys_type_name(KEYS_ED25519))) {
        return say(ret_sentence, "is no Ed25519 key: make one with ssh-keygen -t ed25519", ERR_DENIED);
    }
    struct keys_public outer;
    TRY(keys_blob_parse(public_blob, &outer));
    struct cursor seed;
    struct cursor inner;
    TRY(read_section(section, &seed, &inner, ret_sentence));
    uint8_t derived[CRYPTO_ED25519_PUBLIC_BYTES];
    TRY(crypto_ed25519_public(seed.at, derived));
    if (!cursor_equal(inner, outer.point) || !cursor_equal(inner, cursor_of(derived, sizeof derived))) {
        return say(ret_sentence, "is damaged: its private and public half do not belong together",
                   ERR_MISMATCH);
    }
    TRY(keys_blob_copy(public_blob, ret_public));
    return secret_set(ret_seed, seed);
}

enum err keys_private_read(struct cursor file, struct secret *ret_seed, struct keys_blob *ret_public,
                           const char **ret_sentence)
{
    *ret_sentence = "is no private key file of OpenSSH, or is damaged";
    if (cursor_len(&file) > KEYS_PRIVATE_FILE_BYTES) {
        return say(ret_sentence, "is larger than a private key file can be", ERR_TOO_LARGE);
    }
    OWNED_SECRET binary = {0};
    TRY(decode_armour(file, &binary));
    return read_binary(secret_peek(&binary), ret_seed, ret_public, ret_sentence);
}

static void write_section(struct writer *out, const uint8_t *seed, struct cursor public_key, uint32_t check,
                          const char *comment)
{
    uint8_t *section = writer_string_begin(out);
    const uint8_t *start = out->at;
    writer_u32be(out, check);
    writer_u32be(out, check);
    writer_text(out, keys_type_name(KEYS_ED25519));
    writer_string(out, public_key);
    uint8_t *both = writer_string_begin(out);
    writer_bytes(out, cursor_of(seed, KEYS_SEED_BYTES));
    writer_bytes(out, public_key);
    writer_string_end(out, both);
    writer_text(out, comment);
    for (uint8_t pad = 1; !out->is_full && (out->at - start) % BLOCK_BYTES != 0; pad++) {
        writer_u8(out, pad);
    }
    writer_string_end(out, section);
}

static void write_binary(struct writer *out, const uint8_t *seed, const struct keys_blob *public_blob,
                         const uint8_t *public_key, uint32_t check, const char *comment)
{
    writer_bytes(out, cursor_of(MAGIC, sizeof MAGIC));
    writer_text(out, "none");
    writer_text(out, "none");
    writer_text(out, "");
    writer_u32be(out, 1);
    writer_string(out, keys_blob_peek(public_blob));
    write_section(out, seed, cursor_of(public_key, PUBLIC_BYTES), check, comment);
}

static void write_line(struct writer *out, struct cursor text)
{
    writer_bytes(out, text);
    writer_u8(out, '\n');
}

static enum err write_armour(struct cursor binary, struct secret *ret_file)
{
    char letters[CRYPTO_BASE64_TEXT_BYTES(BINARY_BYTES)];
    uint8_t text[sizeof letters + sizeof letters / LINE_LETTERS + sizeof BEGIN + sizeof END + 1];
    enum err err = crypto_base64_encode(binary, CRYPTO_BASE64_PADDED, letters, sizeof letters);
    if (err == ERR_NONE) {
        struct writer out = writer_of(text, sizeof text);
        write_line(&out, cursor_of_text(BEGIN));
        struct cursor rest = cursor_of_text(letters);
        while (cursor_len(&rest) > 0) {
            size_t part = cursor_len(&rest) < LINE_LETTERS ? cursor_len(&rest) : LINE_LETTERS;
            write_line(&out, cursor_of(rest.at, part));
            rest.at += part;
        }
        write_line(&out, cursor_of_text(END));
        struct cursor written = {NULL, NULL};
        err = writer_done(&out, &written);
        if (err == ERR_NONE) {
            err = secret_set(ret_file, written);
        }
    }
    secret_wipe(letters, sizeof letters);
    secret_wipe(text, sizeof text);
    return err;
}

enum err keys_private_write(const uint8_t seed[static KEYS_SEED_BYTES], uint32_t check, const char *comment,
                            struct secret *ret_file)
{
    if (strlen(comment) >= KEYS_PRIVATE_COMMENT_BYTES) {
        return ERR_TOO_LARGE;
    }
    uint8_t public_key[PUBLIC_BYTES];
    TRY(crypto_ed25519_public(seed, public_key));
    struct keys_blob public_blob;
    keys_blob_of_ed25519(public_key, &public_blob);
    uint8_t memory[BINARY_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    write_binary(&out, seed, &public_blob, public_key, check, comment);
    struct cursor binary = {NULL, NULL};
    enum err err = writer_done(&out, &binary);
    if (err == ERR_NONE) {
        err = write_armour(binary, ret_file);
    }
    secret_wipe(memory, sizeof memory);
    return err;
}
