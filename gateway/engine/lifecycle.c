#include "state.h"

#include <assert.h>
#include <stdlib.h>

enum {
    INPUT_LIMIT_BYTES = 512 * 1024, /* libssh accepts packets of 256 KiB; and what is read meanwhile */
    OUTPUT_LIMIT_BYTES = 1024 * 1024,
    OUTPUT_RESERVE_BYTES = 64 * 1024, /* libssh's own packets: KEXINIT, replies, and a filled last packet */
};

static const char KEX[] = "mlkem768x25519-sha256,sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,"
                          "curve25519-sha256,curve25519-sha256@libssh.org";
static const char KEX_OF_0_10[] = "curve25519-sha256,curve25519-sha256@libssh.org";
#define CIPHERS_WITH_TAG "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com"
static const char CIPHERS_OF_SERVER[] =
    CIPHERS_WITH_TAG ",aes256-ctr"; /* last: paramiko 2 knows no cipher with a tag */
static const char CIPHERS_OF_CLIENT[] = CIPHERS_WITH_TAG;
/* A client's order decides, so what must not be paired with aes256-ctr is not offered: authenticate what was
 * encrypted, never what will be. */
static const char MACS_OF_SERVER[] = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com";
/* Not used with its ciphers, but some targets want to find a common one. */
static const char MACS_OF_CLIENT[] =
    "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512";

/* libssh's wraps get no user pointer, so one variable of the process must say whose call it is. */
static struct engine *current;

struct engine *engine_enter(struct engine *engine)
{
    struct engine *previous = current;
    current = engine;
    return previous;
}

void engine_leave(struct engine *previous)
{
    current = previous;
}

struct engine *engine_current(void)
{
    return current;
}

void engine_fail(struct engine *engine, enum err err)
{
    if (engine->failure == ERR_NONE) {
        engine->failure = err;
    }
}

enum err engine_set_algorithms(struct engine *engine, const struct engine_config *config)
{
    bool is_server = config->role == ENGINE_SERVER;
    const char *macs = is_server ? MACS_OF_SERVER : MACS_OF_CLIENT;
    const char *ciphers = config->ciphers;
    if (ciphers == NULL) {
        ciphers = is_server ? CIPHERS_OF_SERVER : CIPHERS_OF_CLIENT;
    }
    const struct {
        enum ssh_options_e option;
        const void *value;
    } OPTIONS[] = {
        {SSH_OPTIONS_CIPHERS_C_S, ciphers}, {SSH_OPTIONS_CIPHERS_S_C, ciphers},
        {SSH_OPTIONS_HMAC_C_S, macs},       {SSH_OPTIONS_HMAC_S_C, macs},
        {SSH_OPTIONS_COMPRESSION, "no"},    {SSH_OPTIONS_PROCESS_CONFIG, &(bool){false}},
    };
    for (size_t i = 0; i < sizeof OPTIONS / sizeof OPTIONS[0]; i++) {
        if (ssh_options_set(engine->session, OPTIONS[i].option, OPTIONS[i].value) != 0) {
            return ERR_MALFORMED;
        }
    }
    /* libssh drops the names that it does not know and fails only if none is left. */
    if (ssh_options_set(engine->session, SSH_OPTIONS_KEY_EXCHANGE, KEX) != 0 &&
        ssh_options_set(engine->session, SSH_OPTIONS_KEY_EXCHANGE, KEX_OF_0_10) != 0) {
        return ERR_LIBRARY;
    }
    if (config->rekey_bytes != 0 &&
        ssh_options_set(engine->session, SSH_OPTIONS_REKEY_DATA, &config->rekey_bytes) != 0) {
        return ERR_LIBRARY;
    }
    if (config->rekey_seconds != 0 &&
        ssh_options_set(engine->session, SSH_OPTIONS_REKEY_TIME, &config->rekey_seconds) != 0) {
        return ERR_LIBRARY;
    }
    return ERR_NONE;
}

static enum err open_session(struct engine *engine, const struct engine_config *config)
{
    engine->session = ssh_new();
    if (engine->session == NULL) {
        return ERR_MEMORY;
    }
    ssh_set_blocking(engine->session, 0);
    engine_hooks_init(engine);
    TRY(engine_set_algorithms(engine, config));
    return config->role == ENGINE_SERVER ? engine_server_open(engine, config)
                                         : engine_client_open(engine, config);
}

enum err engine_new(const struct engine_config *config, const struct engine_events *events, void *owner,
                    struct engine **ret_engine)
{
    assert(config->role == ENGINE_SERVER ? events->sign != NULL : events->host_key != NULL);
    struct engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) {
        return ERR_MEMORY;
    }
    size_t limit = config->output_limit_bytes == 0 ? OUTPUT_LIMIT_BYTES : config->output_limit_bytes;
    engine->role = config->role;
    engine->prefers_fast_cipher = config->role == ENGINE_SERVER && config->prefers_fast_cipher;
    engine->events = *events;
    engine->owner = owner;
    engine->output_limit_bytes = limit;
    queue_init(&engine->input, INPUT_LIMIT_BYTES);
    queue_init(&engine->output, limit + OUTPUT_RESERVE_BYTES);
    struct engine *previous = engine_enter(engine);
    enum err err = open_session(engine, config);
    engine_leave(previous);
    if (err != ERR_NONE) {
        engine_free(engine);
        return err;
    }
    *ret_engine = engine;
    return ERR_NONE;
}

void engine_free(struct engine *engine)
{
    if (engine == NULL) {
        return;
    }
    assert(!engine->is_feeding && current != engine);
    struct engine *previous = engine_enter(engine);
    ssh_message_free(engine->service);
    ssh_key_free(engine->host_key);
    ssh_string_free(engine->host_blob);
    ssh_string_free(engine->host_certificate);
    ssh_key_free(engine->login_key);
    ssh_free(engine->session);
    engine_leave(previous);
    queue_done(&engine->input);
    queue_done(&engine->output);
    free(engine);
}

enum err engine_start(struct engine *engine)
{
    if (engine->is_started || engine->failure != ERR_NONE) {
        return ERR_STATE;
    }
    engine->is_started = true;
    struct engine *previous = engine_enter(engine);
    enum err err = engine->role == ENGINE_SERVER ? engine_server_start(engine) : engine_client_start(engine);
    engine_leave(previous);
    if (err == ERR_NONE) {
        err = engine->failure;
    }
    if (err == ERR_NONE && queue_len(&engine->output) == 0) {
        err = ERR_LIBRARY; /* the banner went elsewhere: our functions are not in place of libssh's */
    }
    if (err != ERR_NONE) {
        engine_fail(engine, err);
    }
    return err;
}

struct queue *engine_output(struct engine *engine)
{
    return &engine->output;
}

bool engine_is_rekeying(const struct engine *engine)
{
    return engine->is_rekeying;
}

const char *engine_algorithms(const struct engine *engine, char *text, size_t size_bytes)
{
    struct writer out = writer_of(text, size_bytes);
    if (engine->has_keys) {
        const char *kex = ssh_get_kex_algo(engine->session);
        const char *cipher = ssh_get_cipher_out(engine->session);
        writer_bytes(&out, cursor_of_text(kex == NULL ? "?" : kex));
        writer_bytes(&out, cursor_of_text(" "));
        writer_bytes(&out, cursor_of_text(cipher == NULL ? "?" : cipher));
    }
    writer_u8(&out, 0);
    if (out.is_full && size_bytes > 0) {
        text[0] = 0;
    }
    return text;
}
