/* A server and a client engine in memory, with the keys that both need. What each side was told is counted.
 */
#ifndef TESTS_ENGINE_PAIR_H
#define TESTS_ENGINE_PAIR_H

#include <string.h>

#include "base/limits.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "engine/engine.h"
#include "unit_test.h"

enum {
    PAIR_SERVICE_REQUEST = 5,
    PAIR_USERAUTH_REQUEST = 50,
    PAIR_USERAUTH_FAILURE = 51,
    PAIR_INFO_RESPONSE = 61,
    PAIR_GLOBAL_REQUEST = 80,
    PAIR_CHANNEL_DATA = 94,
    PAIR_BLOB_BYTES = 51,
    PAIR_CERTIFICATE_BYTES = 1024,
};

struct pair {
    struct engine *server, *client; /* OWNED */
    struct crypto_ed25519 host_key, user_ca;
    uint8_t host_blob[PAIR_BLOB_BYTES];
    size_t host_blob_bytes;
    struct cursor shown; /* what the client must see in the place of the host's key; empty: that */

    /* Behaviour, set by a test before it starts. */
    struct engine_config server_config, client_config;
    enum err host_key_answer, sign_answer;
    unsigned refusals; /* so many login requests are answered with USERAUTH_FAILURE */
    bool asks_code;    /* keyboard-interactive before success */
    void (*server_packet)(struct pair *pair, uint8_t type, struct cursor payload);
    void (*client_packet)(struct pair *pair, uint8_t type, struct cursor payload);
    void *user;

    /* What was seen. */
    unsigned sign_count, host_key_count, server_ready_count, client_ready_count, login_count;
    unsigned server_packet_count, client_packet_count;
    enum err login_result;
    uint8_t session_id[ENGINE_HASH_BYTES];
    size_t session_id_bytes;
    uint8_t last_server_type, last_client_type;
    uint8_t last_login[2048];
    size_t last_login_bytes;
    uint8_t server_hash[32], client_hash[32]; /* over all channel data payloads */
    uint64_t server_bytes, client_bytes;
};

static inline size_t pair_key_blob(const struct crypto_ed25519 *key, uint8_t blob[static PAIR_BLOB_BYTES])
{
    struct writer out = writer_of(blob, PAIR_BLOB_BYTES);
    struct cursor bytes;
    writer_text(&out, "ssh-ed25519");
    writer_string(&out, cursor_of(key->public_key, sizeof key->public_key));
    assert_int_equal(writer_done(&out, &bytes), ERR_NONE);
    return cursor_len(&bytes);
}

static inline void pair_sign(const struct crypto_ed25519 *key, struct cursor message, struct writer *ret_blob)
{
    uint8_t signature[CRYPTO_ED25519_SIGNATURE_BYTES];
    assert_int_equal(crypto_ed25519_sign(key, message, signature), ERR_NONE);
    writer_text(ret_blob, "ssh-ed25519");
    writer_string(ret_blob, cursor_of(signature, sizeof signature));
}

/* PROTOCOL.certkeys: a certificate for an ed25519 key, valid for ever. @param kind  1: of a user, 2: of a
 * host */
static inline struct cursor pair_certify(const struct crypto_ed25519 *ca, uint32_t kind,
                                         struct cursor subject_blob, const char *principal,
                                         uint8_t memory[static PAIR_CERTIFICATE_BYTES])
{
    struct cursor type, subject, bytes;
    uint8_t ca_blob[PAIR_BLOB_BYTES];
    struct cursor ca_bytes = cursor_of(ca_blob, pair_key_blob(ca, ca_blob));
    assert_int_equal(cursor_string(&subject_blob, 32, &type), ERR_NONE);
    assert_int_equal(cursor_string(&subject_blob, 32, &subject), ERR_NONE);
    struct writer out = writer_of(memory, PAIR_CERTIFICATE_BYTES);
    writer_text(&out, "ssh-ed25519-cert-v01@openssh.com");
    writer_text(&out, "nonce of no importance in a test");
    writer_string(&out, subject);
    writer_u64be(&out, 1); /* serial */
    writer_u32be(&out, kind);
    writer_text(&out, "test");
    uint8_t *principals = writer_string_begin(&out);
    writer_text(&out, principal);
    writer_string_end(&out, principals);
    writer_u64be(&out, 0);
    writer_u64be(&out, UINT64_MAX);
    writer_text(&out, ""); /* critical options */
    uint8_t *extensions = writer_string_begin(&out);
    writer_text(&out, "permit-pty");
    writer_text(&out, "");
    writer_string_end(&out, extensions);
    writer_text(&out, "");
    writer_string(&out, ca_bytes);
    struct cursor signed_bytes = cursor_of(out.start, (size_t)(out.at - out.start));
    uint8_t *signature = writer_string_begin(&out);
    pair_sign(ca, signed_bytes, &out);
    writer_string_end(&out, signature);
    assert_int_equal(writer_done(&out, &bytes), ERR_NONE);
    return bytes;
}

static inline struct cursor pair_certificate(const struct crypto_ed25519 *ca, struct cursor subject_blob,
                                             const char *principal,
                                             uint8_t memory[static PAIR_CERTIFICATE_BYTES])
{
    return pair_certify(ca, 1, subject_blob, principal, memory);
}

static inline enum err pair_on_sign(void *owner, struct cursor hash, struct writer *ret_blob)
{
    struct pair *pair = owner;
    if (pair->sign_answer != ERR_NONE) {
        return pair->sign_answer;
    }
    if (pair->sign_count == 0) {
        pair->session_id_bytes = cursor_len(&hash);
        memcpy(pair->session_id, hash.at, cursor_len(&hash));
    }
    pair->sign_count++;
    pair_sign(&pair->host_key, hash, ret_blob);
    return ERR_NONE;
}

static inline enum err pair_on_host_key(void *owner, struct cursor key_blob)
{
    struct pair *pair = owner;
    pair->host_key_count++;
    struct cursor expected =
        cursor_len(&pair->shown) > 0 ? pair->shown : cursor_of(pair->host_blob, pair->host_blob_bytes);
    assert_true(cursor_equal(key_blob, expected));
    return pair->host_key_answer;
}

static inline void pair_add_hash(uint8_t hash[static 32], uint8_t type, struct cursor payload)
{
    uint8_t link[32 + 1 + 32];
    memcpy(link, hash, 32);
    link[32] = type;
    crypto_sha256(payload, link + 33);
    crypto_sha256(cursor_of(link, sizeof link), hash);
}

static inline void pair_answer_login(struct pair *pair, uint8_t type)
{
    static const char *const PROMPTS[] = {"Code: "};
    static const bool ECHO[] = {true};
    if (type == PAIR_USERAUTH_REQUEST && pair->refusals > 0) {
        pair->refusals--;
        static const uint8_t FAILURE[] = {0, 0, 0, 9, 'p', 'u', 'b', 'l', 'i', 'c', 'k', 'e', 'y', 0};
        assert_int_equal(engine_send(pair->server, PAIR_USERAUTH_FAILURE, cursor_of(FAILURE, sizeof FAILURE)),
                         ERR_NONE);
    } else if (type == PAIR_USERAUTH_REQUEST && pair->asks_code) {
        assert_int_equal(engine_prompt_user(pair->server, "Second factor", 1, PROMPTS, ECHO), ERR_NONE);
    } else {
        assert_int_equal(engine_accept_user(pair->server), ERR_NONE);
    }
}

static inline void pair_on_server_packet(void *owner, uint8_t type, struct cursor payload)
{
    struct pair *pair = owner;
    pair->server_packet_count++;
    pair->last_server_type = type;
    if (pair->server_packet != NULL) {
        pair->server_packet(pair, type, payload);
    } else if (type < PAIR_GLOBAL_REQUEST) {
        pair->last_login_bytes = cursor_len(&payload);
        assert_true(pair->last_login_bytes <= sizeof pair->last_login);
        memcpy(pair->last_login, payload.at, pair->last_login_bytes);
        pair_answer_login(pair, type);
    } else {
        pair_add_hash(pair->server_hash, type, payload);
        pair->server_bytes += cursor_len(&payload);
    }
}

static inline void pair_on_client_packet(void *owner, uint8_t type, struct cursor payload)
{
    struct pair *pair = owner;
    pair->client_packet_count++;
    pair->last_client_type = type;
    if (pair->client_packet != NULL) {
        pair->client_packet(pair, type, payload);
    } else {
        pair_add_hash(pair->client_hash, type, payload);
        pair->client_bytes += cursor_len(&payload);
    }
}

static inline void pair_on_server_ready(void *owner)
{
    ((struct pair *)owner)->server_ready_count++;
}

static inline void pair_on_client_ready(void *owner)
{
    ((struct pair *)owner)->client_ready_count++;
}

static inline void pair_on_login_done(void *owner, enum err result)
{
    struct pair *pair = owner;
    pair->login_count++;
    pair->login_result = result;
}

static const struct engine_events PAIR_SERVER_EVENTS = {
    .sign = pair_on_sign, .packet = pair_on_server_packet, .ready = pair_on_server_ready};
static const struct engine_events PAIR_CLIENT_EVENTS = {.host_key = pair_on_host_key,
                                                        .packet = pair_on_client_packet,
                                                        .ready = pair_on_client_ready,
                                                        .login_done = pair_on_login_done};

/* Keys and configurations; the test may change these before pair_open(). */
static inline void pair_init(struct pair *pair)
{
    static const uint8_t HOST_SEED[CRYPTO_ED25519_SEED_BYTES] = {1};
    static const uint8_t CA_SEED[CRYPTO_ED25519_SEED_BYTES] = {2};
    *pair = (struct pair){.login_result = ERR_AGAIN};
    assert_int_equal(crypto_ed25519_load(&pair->host_key, HOST_SEED), ERR_NONE);
    assert_int_equal(crypto_ed25519_load(&pair->user_ca, CA_SEED), ERR_NONE);
    pair->host_blob_bytes = pair_key_blob(&pair->host_key, pair->host_blob);
    pair->server_config = (struct engine_config){
        .role = ENGINE_SERVER, .host_public_blob = cursor_of(pair->host_blob, pair->host_blob_bytes)};
    pair->client_config = (struct engine_config){.role = ENGINE_CLIENT, .client_user = "root"};
}

static inline void pair_open(struct pair *pair)
{
    assert_int_equal(engine_new(&pair->server_config, &PAIR_SERVER_EVENTS, pair, &pair->server), ERR_NONE);
    assert_int_equal(engine_new(&pair->client_config, &PAIR_CLIENT_EVENTS, pair, &pair->client), ERR_NONE);
    assert_int_equal(engine_start(pair->server), ERR_NONE);
    assert_int_equal(engine_start(pair->client), ERR_NONE);
}

static inline void pair_done(struct pair *pair)
{
    engine_free(pair->server);
    engine_free(pair->client);
    crypto_ed25519_done(&pair->host_key);
    crypto_ed25519_done(&pair->user_ca);
}

/* All output of one side into the other. */
static inline enum err pair_move(struct engine *from, struct engine *to)
{
    struct queue taken = {0};
    queue_init(&taken, engine_output(from)->limit_bytes);
    queue_swap(engine_output(from), &taken);
    enum err err = engine_feed(to, queue_peek(&taken));
    queue_done(&taken);
    return err;
}

/* Until both are silent or one has failed. */
static inline enum err pair_exchange(struct pair *pair)
{
    do {
        TRY(pair_move(pair->server, pair->client));
        TRY(pair_move(pair->client, pair->server));
    } while (queue_len(engine_output(pair->server)) + queue_len(engine_output(pair->client)) > 0);
    return ERR_NONE;
}

static inline void pair_request_login(struct pair *pair)
{
    uint8_t memory[64];
    uint8_t certificate[PAIR_CERTIFICATE_BYTES];
    struct cursor blob;
    assert_int_equal(engine_login_key(pair->client, memory, sizeof memory, &blob), ERR_NONE);
    struct cursor bytes =
        pair_certificate(&pair->user_ca, blob, pair->client_config.client_user, certificate);
    assert_int_equal(engine_login(pair->client, bytes), ERR_NONE);
}

/* From nothing to an authenticated connection. */
static inline void pair_connect(struct pair *pair)
{
    pair_open(pair);
    pair_request_login(pair);
    assert_int_equal(pair_exchange(pair), ERR_NONE);
    assert_int_equal(pair->login_count, 1);
    assert_int_equal(pair->login_result, ERR_NONE);
}

/* Packet `type` with `len` bytes that depend on `number`, added to `hash`. */
static inline enum err pair_send(struct engine *engine, uint8_t type, unsigned number, size_t len,
                                 uint8_t hash[static 32])
{
    static uint8_t payload[LIMIT_PACKET_PAYLOAD_BYTES];
    assert_true(len <= sizeof payload);
    for (size_t i = 0; i < len; i++) {
        payload[i] = (uint8_t)(i * 17 + number + i / 251);
    }
    TRY(engine_send(engine, type, cursor_of(payload, len)));
    pair_add_hash(hash, type, cursor_of(payload, len));
    return ERR_NONE;
}

#endif
