/* What both fuzzers of the engine need: a server engine, a client engine, keys, and owners that answer. */
#ifndef TESTS_ENGINE_FUZZ_H
#define TESTS_ENGINE_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "crypto/ed25519.h"
#include "engine/engine.h"

#define EXPECT(cond)                                                                                         \
    do {                                                                                                     \
        if (!(cond)) {                                                                                       \
            (void)fprintf(stderr, "%s:%d %s\n", __FILE__, __LINE__, #cond);                                  \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

enum { FUZZ_PROMPTS_MOST = 3 };

struct fuzz {
    struct engine *server, *client; /* OWNED */
    struct crypto_ed25519 host_key;
    uint8_t host_blob[64];
    struct cursor host_bytes;
    bool is_accepted;   /* the server's owner said yes */
    bool accepts_users; /* else it refuses and prompts */
    unsigned request_count;
};

static inline enum err fuzz_sign(void *owner, struct cursor hash, struct writer *ret_blob)
{
    struct fuzz *fuzz = owner;
    uint8_t signature[CRYPTO_ED25519_SIGNATURE_BYTES];
    EXPECT(cursor_len(&hash) <= ENGINE_HASH_BYTES);
    EXPECT(crypto_ed25519_sign(&fuzz->host_key, hash, signature) == ERR_NONE);
    writer_text(ret_blob, "ssh-ed25519");
    writer_string(ret_blob, cursor_of(signature, sizeof signature));
    return ERR_NONE;
}

static inline enum err fuzz_host_key(void *owner, struct cursor key_blob)
{
    struct fuzz *fuzz = owner;
    return cursor_equal(key_blob, fuzz->host_bytes) ? ERR_NONE : ERR_MISMATCH;
}

static inline void fuzz_answer(struct fuzz *fuzz)
{
    static const char *const PROMPTS[] = {"a", "b", "c"};
    static const bool ECHO[FUZZ_PROMPTS_MOST] = {true};
    static const uint8_t FAILURE[] = {0, 0, 0, 1, 'x', 0};
    fuzz->request_count++;
    if (fuzz->accepts_users) {
        fuzz->is_accepted = engine_accept_user(fuzz->server) == ERR_NONE;
    } else if (fuzz->request_count % 2 == 0) {
        (void)!engine_prompt_user(fuzz->server, "", fuzz->request_count % (FUZZ_PROMPTS_MOST + 1), PROMPTS,
                                  ECHO);
    } else {
        (void)!engine_send(fuzz->server, 51, cursor_of(FAILURE, sizeof FAILURE));
    }
}

static inline void fuzz_server_packet(void *owner, uint8_t type, struct cursor payload)
{
    struct fuzz *fuzz = owner;
    /* The promise of the header: nothing of the connection protocol before the owner said yes. */
    EXPECT(fuzz->is_accepted ? type >= 80 && type <= 100 : type >= 50 && type < 80);
    EXPECT(payload.at <= payload.end);
    if (!fuzz->is_accepted) {
        fuzz_answer(fuzz);
    } else {
        (void)!engine_send(fuzz->server, type, payload);
    }
}

static inline void fuzz_client_packet(void *owner, uint8_t type, struct cursor payload)
{
    struct fuzz *fuzz = owner;
    EXPECT(fuzz->is_accepted && type >= 80 && type <= 100);
    EXPECT(payload.at <= payload.end);
}

static inline void fuzz_login_done(void *owner, enum err result)
{
    (void)owner;
    (void)result;
}

static inline void fuzz_open(struct fuzz *fuzz)
{
    static const uint8_t SEED[CRYPTO_ED25519_SEED_BYTES] = {1};
    static const struct engine_events SERVER = {.sign = fuzz_sign, .packet = fuzz_server_packet};
    static const struct engine_events CLIENT = {
        .host_key = fuzz_host_key, .packet = fuzz_client_packet, .login_done = fuzz_login_done};
    static bool is_initialised;
    if (!is_initialised) {
        EXPECT(engine_library_init() == ERR_NONE);
        is_initialised = true;
    }
    *fuzz = (struct fuzz){0};
    EXPECT(crypto_ed25519_load(&fuzz->host_key, SEED) == ERR_NONE);
    struct writer out = writer_of(fuzz->host_blob, sizeof fuzz->host_blob);
    writer_text(&out, "ssh-ed25519");
    writer_string(&out, cursor_of(fuzz->host_key.public_key, sizeof fuzz->host_key.public_key));
    EXPECT(writer_done(&out, &fuzz->host_bytes) == ERR_NONE);
    struct engine_config server = {
        .role = ENGINE_SERVER, .host_public_blob = fuzz->host_bytes, .output_limit_bytes = 65536};
    struct engine_config client = {.role = ENGINE_CLIENT, .client_user = "fuzz", .output_limit_bytes = 65536};
    EXPECT(engine_new(&server, &SERVER, fuzz, &fuzz->server) == ERR_NONE);
    EXPECT(engine_new(&client, &CLIENT, fuzz, &fuzz->client) == ERR_NONE);
    EXPECT(engine_start(fuzz->server) == ERR_NONE);
    EXPECT(engine_start(fuzz->client) == ERR_NONE);
}

static inline void fuzz_close(struct fuzz *fuzz)
{
    engine_free(fuzz->server);
    engine_free(fuzz->client);
    crypto_ed25519_done(&fuzz->host_key);
}

static inline enum err fuzz_move(struct engine *from, struct engine *to)
{
    struct queue *output = engine_output(from);
    enum err err = engine_feed(to, queue_peek(output));
    queue_consume(output, queue_len(output));
    return err;
}

#endif
