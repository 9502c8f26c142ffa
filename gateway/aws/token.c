#include "aws/token.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "base/writer.h"
#include "crypto/hash.h"

enum { TIME_BYTES = sizeof "20260101T000000Z", DAY_CHARS = 8, HEX_BYTES = 2 * CRYPTO_SHA256_BYTES + 1 };

void aws_credentials_done(struct aws_credentials *credentials)
{
    secret_done(&credentials->secret_key);
    secret_done(&credentials->session_token);
    credentials->key_id[0] = 0;
}

static void add(struct writer *out, const char *text)
{
    writer_bytes(out, cursor_of_text(text));
}

/* RFC 3986: all but the unreserved characters. */
static void add_encoded(struct writer *out, struct cursor bytes)
{
    static const char DIGITS[] = "0123456789ABCDEF";
    for (; bytes.at != bytes.end; bytes.at++) {
        uint8_t byte = *bytes.at;
        bool is_plain = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
                        (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.' ||
                        byte == '~';
        if (is_plain) {
            writer_u8(out, byte);
        } else {
            writer_u8(out, '%');
            writer_u8(out, (uint8_t)DIGITS[byte >> 4]);
            writer_u8(out, (uint8_t)DIGITS[byte & 15]);
        }
    }
}

/* One signature in the making. */
struct signing {
    const struct aws_credentials *credentials;
    const struct aws_login *login;
    char time[TIME_BYTES];
    char scope[AWS_REGION_BYTES + 64]; /* "20260101/eu-central-1/rds-db/aws4_request" */
    char address[512];                 /* "host:port" */
};

static enum err prepare(struct signing *signing, int64_t at_s)
{
    const struct aws_login *login = signing->login;
    time_t now = (time_t)at_s;
    struct tm utc = {0};
    if (gmtime_r(&now, &utc) == NULL) {
        return ERR_MALFORMED;
    }
    /* Not strftime(), which reads /etc/localtime each time: the sandbox has no files. */
    int time = snprintf(signing->time, TIME_BYTES, "%04d%02d%02dT%02d%02d%02dZ", utc.tm_year + 1900,
                        utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
    int scope = snprintf(signing->scope, sizeof signing->scope, "%.*s/%s/rds-db/aws4_request", (int)DAY_CHARS,
                         signing->time, login->region);
    int address = snprintf(signing->address, sizeof signing->address, "%s:%u", login->host, login->port);
    bool fits = time == TIME_BYTES - 1 && scope > 0 && (size_t)scope < sizeof signing->scope && address > 0 &&
                (size_t)address < sizeof signing->address;
    return fits ? ERR_NONE : ERR_TOO_LARGE;
}

/* Names in order, as the canonical form wants them. */
static void add_query(struct writer *out, const struct signing *signing)
{
    char credential[AWS_KEY_ID_BYTES + sizeof signing->scope];
    (void)snprintf(credential, sizeof credential, "%s/%s", signing->credentials->key_id, signing->scope);
    add(out, "Action=connect&DBUser=");
    add_encoded(out, cursor_of_text(signing->login->user));
    add(out, "&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=");
    add_encoded(out, cursor_of_text(credential));
    add(out, "&X-Amz-Date=");
    add(out, signing->time);
    add(out, "&X-Amz-Expires=900");
    if (signing->credentials->session_token.len_bytes > 0) {
        add(out, "&X-Amz-Security-Token=");
        add_encoded(out, secret_peek(&signing->credentials->session_token));
    }
    add(out, "&X-Amz-SignedHeaders=host");
}

static const char *hash_hex(struct cursor bytes, char hex[static HEX_BYTES])
{
    uint8_t hash[CRYPTO_SHA256_BYTES];
    crypto_sha256(bytes, hash);
    return text_hex(cursor_of(hash, sizeof hash), hex, HEX_BYTES);
}

/* Each step's result is the key of the next. */
static enum err derive_key(const struct signing *signing, uint8_t ret_key[static CRYPTO_SHA256_BYTES])
{
    uint8_t first[512];
    struct writer out = writer_of(first, sizeof first);
    struct cursor key;
    add(&out, "AWS4");
    writer_bytes(&out, secret_peek(&signing->credentials->secret_key));
    enum err err = writer_done(&out, &key);
    const struct cursor steps[] = {cursor_of(signing->time, DAY_CHARS),
                                   cursor_of_text(signing->login->region), cursor_of_text("rds-db"),
                                   cursor_of_text("aws4_request")};
    for (size_t i = 0; err == ERR_NONE && i < sizeof steps / sizeof steps[0]; i++) {
        uint8_t next[CRYPTO_SHA256_BYTES];
        crypto_hmac_sha256(key, steps[i], next);
        memcpy(ret_key, next, sizeof next);
        secret_wipe(next, sizeof next);
        key = cursor_of(ret_key, CRYPTO_SHA256_BYTES);
    }
    secret_wipe(first, sizeof first);
    return err;
}

static enum err sign(const struct signing *signing, struct cursor query, char ret_hex[static HEX_BYTES])
{
    static const char EMPTY_HASH[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    uint8_t memory[AWS_TOKEN_BYTES + 1024];
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor canonical;
    add(&out, "GET\n/\n");
    writer_bytes(&out, query);
    add(&out, "\nhost:");
    add(&out, signing->address);
    add(&out, "\n\nhost\n");
    add(&out, EMPTY_HASH);
    TRY(writer_done(&out, &canonical));
    char hash[HEX_BYTES];
    char to_sign[512];
    (void)snprintf(to_sign, sizeof to_sign, "AWS4-HMAC-SHA256\n%s\n%s\n%s", signing->time, signing->scope,
                   hash_hex(canonical, hash));
    uint8_t key[CRYPTO_SHA256_BYTES];
    uint8_t signature[CRYPTO_SHA256_BYTES];
    TRY(derive_key(signing, key));
    crypto_hmac_sha256(cursor_of(key, sizeof key), cursor_of_text(to_sign), signature);
    secret_wipe(key, sizeof key);
    (void)text_hex(cursor_of(signature, sizeof signature), ret_hex, HEX_BYTES);
    return ERR_NONE;
}

static enum err write_token(const struct signing *signing, uint8_t *memory, size_t size_bytes,
                            struct cursor *ret)
{
    struct writer query_out = writer_of(memory, size_bytes);
    struct cursor query;
    char signature[HEX_BYTES];
    add_query(&query_out, signing);
    TRY(writer_done(&query_out, &query));
    TRY(sign(signing, query, signature));
    size_t used = cursor_len(&query);
    struct writer out = writer_of(memory + used, size_bytes - used);
    add(&out, signing->address);
    add(&out, "/?");
    writer_bytes(&out, query);
    add(&out, "&X-Amz-Signature=");
    add(&out, signature);
    return writer_done(&out, ret);
}

enum err aws_token(const struct aws_credentials *credentials, const struct aws_login *login, int64_t at_s,
                   struct secret *ret)
{
    if (credentials->key_id[0] == 0 || credentials->secret_key.len_bytes == 0) {
        return ERR_STATE;
    }
    if (login->host[0] == 0 || login->user[0] == 0 || login->region[0] == 0) {
        return ERR_MALFORMED;
    }
    struct signing signing = {.credentials = credentials, .login = login};
    TRY(prepare(&signing, at_s));
    uint8_t memory[2 * AWS_TOKEN_BYTES];
    struct cursor token;
    enum err err = write_token(&signing, memory, sizeof memory, &token);
    if (err == ERR_NONE) {
        err = cursor_len(&token) < AWS_TOKEN_BYTES ? secret_set(ret, token) : ERR_TOO_LARGE;
    }
    secret_wipe(memory, sizeof memory);
    return err;
}
