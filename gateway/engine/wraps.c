/* The symbols of libssh that wraps.txt takes over. Each replaces one thing that libssh would do with a
 * socket, a file or a private key, or tells us something that no public call tells. */
#include "state.h"

#include <stdlib.h>
#include <string.h>

/* ld makes these names: they cannot follow the house's. */
void __wrap_ssh_socket_set_callbacks(ssh_socket socket, ssh_socket_callbacks callbacks);
void __real_ssh_socket_set_callbacks(ssh_socket socket, ssh_socket_callbacks callbacks);
int __wrap_ssh_socket_write(ssh_socket socket, const void *bytes, uint32_t len);
int __wrap_ssh_socket_connect(ssh_socket socket, const char *host, uint16_t port, const char *bind_address);
int __wrap_ssh_options_apply(ssh_session session);
int __wrap_ssh_handle_packets_termination(ssh_session session, int timeout, int (*is_done)(void *),
                                          void *user);
void __wrap_ssh_packet_set_default_callbacks(ssh_session session);
void __real_ssh_packet_set_default_callbacks(ssh_session session);
int __wrap_ssh_buffer_add_u8(ssh_buffer buffer, uint8_t value);
int __real_ssh_buffer_add_u8(ssh_buffer buffer, uint8_t value);
uint32_t __wrap_ssh_buffer_get_u8(ssh_buffer buffer, uint8_t *ret_value);
uint32_t __real_ssh_buffer_get_u8(ssh_buffer buffer, uint8_t *ret_value);
int __wrap_ssh_send_rekex(ssh_session session);
int __real_ssh_send_rekex(ssh_session session);
int __wrap_ssh_get_key_params(ssh_session session, ssh_key *ret_key, engine_digest *ret_digest);
ssh_signature __wrap_pki_sign_data(ssh_key key, engine_digest digest, const unsigned char *input, size_t len);
int __wrap_ssh_pki_import_pubkey_blob(ssh_string blob, ssh_key *ret_key);
int __real_ssh_pki_import_pubkey_blob(ssh_string blob, ssh_key *ret_key);
char *__wrap_ssh_known_hosts_get_algorithms_names(ssh_session session);
char *__wrap_ssh_find_all_matching(const char *available, const char *preferred);
char *__wrap_ssh_keep_known_algos(enum ssh_kex_types_e algorithms, const char *list);
char *__real_ssh_keep_known_algos(enum ssh_kex_types_e algorithms, const char *list);
int __wrap_ssh_get_random(void *bytes, int len, int is_strong);
int __real_ssh_get_random(void *bytes, int len, int is_strong);

enum {
    PADDING_MOST_BYTES = 19, /* one block and three bytes; keys, which libssh asks for here too, are longer */
    PADDING_POOL_BYTES = 1024,
};

/* Set for the time of engine_find_out_buffer() only. */
static struct {
    bool is_on;
    ssh_buffer found;
} out_buffer;

/* Random bytes for padding, each given out once. */
static struct {
    uint8_t bytes[PADDING_POOL_BYTES];
    size_t left;
} padding_pool;

/* libssh talks to a socket that is not the one of the entered engine: memory would mix between connections.
 */
static struct engine *engine_of_socket(ssh_socket socket)
{
    struct engine *engine = engine_current();
    if (engine == NULL || (engine->socket != NULL && engine->socket != socket)) {
        abort();
    }
    return engine;
}

/* The callbacks are our way in: data() takes bytes that came from the peer. */
void __wrap_ssh_socket_set_callbacks(ssh_socket socket, ssh_socket_callbacks callbacks)
{
    struct engine *engine = engine_of_socket(socket);
    engine->socket = socket;
    engine->socket_callbacks = callbacks;
    __real_ssh_socket_set_callbacks(socket, callbacks);
}

int __wrap_ssh_socket_write(ssh_socket socket, const void *bytes, uint32_t len)
{
    struct engine *engine = engine_of_socket(socket);
    enum err err = queue_append(&engine->output, cursor_of(bytes, len));
    if (err != ERR_NONE) {
        engine_fail(engine, err);
        return SSH_ERROR;
    }
    return SSH_OK;
}

/* A client without descriptor: engine_client_start() tells libssh that the connection stands. */
int __wrap_ssh_socket_connect(ssh_socket socket, const char *host, uint16_t port, const char *bind_address)
{
    (void)host;
    (void)port;
    (void)bind_address;
    (void)engine_of_socket(socket);
    return SSH_OK;
}

/* A client without home folder: libssh would ask the system for the user's, to name files that we never use.
 */
int __wrap_ssh_options_apply(ssh_session session)
{
    (void)session;
    return SSH_OK;
}

/* libssh would poll its descriptor here. There is none: what came in has been fed already. */
int __wrap_ssh_handle_packets_termination(ssh_session session, int timeout, int (*is_done)(void *),
                                          void *user)
{
    (void)session;
    (void)timeout;
    return is_done(user) != 0 ? SSH_OK : SSH_AGAIN;
}

/* Callbacks are asked in the order in which they were added: ours come first. */
void __wrap_ssh_packet_set_default_callbacks(ssh_session session)
{
    struct engine *engine = engine_current();
    if (engine == NULL || engine->session != session) {
        abort();
    }
    for (size_t i = 0; i < ENGINE_HOOK_COUNT; i++) {
        ssh_packet_set_callbacks(session, &engine->hooks[i]);
    }
    engine->has_hooks = true;
    __real_ssh_packet_set_default_callbacks(session);
}

int __wrap_ssh_buffer_add_u8(ssh_buffer buffer, uint8_t value)
{
    if (out_buffer.is_on) {
        out_buffer.found = buffer;
        out_buffer.is_on = false;
        return -1;
    }
    return __real_ssh_buffer_add_u8(buffer, value);
}

ssh_buffer engine_find_out_buffer(ssh_session session)
{
    out_buffer.found = NULL;
    out_buffer.is_on = true;
    /* Adding its type fails, so nothing is sent. A wrap that does not act would send NEWKEYS out of turn,
     * which ends the connection: it fails safe. */
    (void)ssh_packet_send_newkeys(session);
    if (out_buffer.is_on || out_buffer.found == NULL) {
        abort();
    }
    return out_buffer.found;
}

/* Passed by every packet with its type, before libssh's filter judges it. */
uint32_t __wrap_ssh_buffer_get_u8(ssh_buffer buffer, uint8_t *ret_value)
{
    uint32_t got_bytes = __real_ssh_buffer_get_u8(buffer, ret_value);
    struct engine *engine = engine_current();
    if (engine != NULL && got_bytes == 1) {
        engine_byte_read(engine, buffer, ret_value);
    }
    return got_bytes;
}

int __wrap_ssh_send_rekex(ssh_session session)
{
    struct engine *engine = engine_current();
    if (engine == NULL || engine->session != session) {
        abort();
    }
    engine->is_rekeying = true;
    int result = __real_ssh_send_rekex(session);
    if (result != SSH_OK) {
        /* libssh hands this on as a count of bytes in one place, so it is noted where it happens. */
        engine_fail(engine, ERR_LIBRARY);
    }
    return result;
}

/* What a server shows and signs with. libssh would derive the public half from the private one that it was
 * given. */
int __wrap_ssh_get_key_params(ssh_session session, ssh_key *ret_key, engine_digest *ret_digest)
{
    struct engine *engine = engine_current();
    if (engine == NULL || engine->session != session || engine->host_blob == NULL) {
        abort();
    }
    *ret_key = engine->host_key;
    *ret_digest = 0; /* ed25519 has its own */
    ssh_string shown = engine->shows_certificate ? engine->host_certificate : engine->host_blob;
    return ssh_dh_import_next_pubkey_blob(session, shown) == 0 ? SSH_OK : SSH_ERROR;
}

static ssh_signature sign_elsewhere(struct engine *engine, ssh_key key, struct cursor hash)
{
    uint8_t memory[ENGINE_SIGNATURE_BYTES];
    struct writer blob = writer_of(memory, sizeof memory);
    struct cursor bytes;
    enum err err = engine->events.sign(engine->owner, hash, &blob);
    if (err == ERR_NONE) {
        err = writer_done(&blob, &bytes);
    }
    if (err != ERR_NONE) {
        engine_fail(engine, err);
        return NULL;
    }
    ssh_signature signature = NULL;
    ssh_string string = ssh_string_new(cursor_len(&bytes));
    if (string == NULL || ssh_string_fill(string, bytes.at, cursor_len(&bytes)) != 0 ||
        ssh_pki_import_signature_blob(string, key, &signature) != SSH_OK) {
        engine_fail(engine, ERR_LIBRARY);
        signature = NULL;
    }
    ssh_string_free(string);
    return signature;
}

/* A server signs nothing but exchange hashes, and holds no private key. A client signs its login. */
ssh_signature __wrap_pki_sign_data(ssh_key key, engine_digest digest, const unsigned char *input, size_t len)
{
    struct engine *engine = engine_current();
    if (engine == NULL || engine->role == ENGINE_CLIENT) {
        return __real_pki_sign_data(key, digest, input, len);
    }
    if (len > ENGINE_HASH_BYTES) {
        engine_fail(engine, ERR_LIBRARY);
        return NULL;
    }
    return sign_elsewhere(engine, key, cursor_of(input, len));
}

/* The first thing that a client does with the target's host key. A server passes here with its own key. */
int __wrap_ssh_pki_import_pubkey_blob(ssh_string blob, ssh_key *ret_key)
{
    struct engine *engine = engine_current();
    if (engine != NULL && engine->role == ENGINE_CLIENT) {
        struct cursor key_blob = cursor_of(ssh_string_data(blob), ssh_string_len(blob));
        enum err err = engine->events.host_key(engine->owner, key_blob);
        if (err != ERR_NONE) {
            engine_fail(engine, err);
            return SSH_ERROR;
        }
        engine->host_key_accepted = true;
    }
    return __real_ssh_pki_import_pubkey_blob(blob, ret_key);
}

/* libssh would open known_hosts files to order its algorithms. */
char *__wrap_ssh_known_hosts_get_algorithms_names(ssh_session session)
{
    (void)session;
    return NULL;
}

/* "a,b" is "a-cert-v01@openssh.com,b-cert-v01@openssh.com,a,b". @return from malloc(); NULL: no memory. */
static char *with_certificates(struct cursor plain)
{
    static const char SUFFIX[] = "-cert-v01@openssh.com,";
    struct cursor rest = plain;
    struct cursor name;
    size_t size_bytes = 2 * cursor_len(&plain) + 1;
    while (cursor_name(&rest, &name)) {
        size_bytes += sizeof SUFFIX;
    }
    char *list = malloc(size_bytes);
    if (list == NULL) {
        return NULL;
    }
    struct writer out = writer_of(list, size_bytes);
    for (rest = plain; cursor_name(&rest, &name);) {
        writer_bytes(&out, name);
        writer_bytes(&out, cursor_of_text(SUFFIX));
    }
    writer_bytes(&out, plain);
    writer_u8(&out, 0);
    return list;
}

/* A client's list of host keys passes here at each key exchange, and libssh takes the certificates out of it.
 * No other list that passes has the words of ours. */
char *__wrap_ssh_find_all_matching(const char *available, const char *preferred)
{
    const struct engine *engine = engine_current();
    char *plain = __real_ssh_find_all_matching(available, preferred);
    bool is_ours = plain != NULL && engine != NULL && engine->is_started && engine->wants_host_certificate &&
                   strcmp(preferred, engine->host_keys) == 0;
    if (!is_ours) {
        return plain;
    }
    char *list = with_certificates(cursor_of_text(plain));
    free(plain);
    return list; /* libssh frees it */
}

/* A server that begins a key exchange offers host keys, and libssh knows plain ones only. Before it is
 * started other lists of the same class pass here. */
char *__wrap_ssh_keep_known_algos(enum ssh_kex_types_e algorithms, const char *list)
{
    const struct engine *engine = engine_current();
    char *known = __real_ssh_keep_known_algos(algorithms, list);
    bool has_certificate = engine != NULL && engine->is_started && engine->host_certificate != NULL;
    return known != NULL && has_certificate && algorithms == SSH_HOSTKEYS ? engine_offer_certificate(known)
                                                                          : known;
}

/* Each packet asks for a few bytes of padding. Asking OpenSSL for many at once saves a tenth of the cost of
 * sending and a system call per packet. The cookies of KEXINIT, 16 public bytes, come from here too. */
int __wrap_ssh_get_random(void *bytes, int len, int is_strong)
{
    if (is_strong != 0 || len <= 0 || len > PADDING_MOST_BYTES) {
        return __real_ssh_get_random(bytes, len, is_strong);
    }
    if (padding_pool.left < (size_t)len) {
        if (__real_ssh_get_random(padding_pool.bytes, PADDING_POOL_BYTES, 0) != 1) {
            return 0;
        }
        padding_pool.left = PADDING_POOL_BYTES;
    }
    padding_pool.left -= (size_t)len;
    memcpy(bytes, padding_pool.bytes + padding_pool.left, (size_t)len);
    return 1;
}
