/* What one SSH transport costs: start, handshake, each crypto pass, memory. Engines in memory, no socket.
 * Usage: bench_engine [MiB per measurement, default 1024] */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "crypto/ed25519.h"
#include "engine/engine.h"

enum {
    DATA_BYTES = 32768,
    PACKETS_PER_BATCH = 8,
    HANDSHAKES = 200,
    CHANNEL_DATA = 94,
    USERAUTH_REQUEST = 50
};

struct bench {
    struct engine *server, *client; /* OWNED */
    struct crypto_ed25519 host_key, user_ca;
    uint8_t host_blob[64];
    struct cursor host_bytes;
    uint64_t received_bytes;
    bool is_logged_in;
};

static double cpu_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Benchmarks do not measure failures. */
static void must(enum err err)
{
    if (err != ERR_NONE) {
        (void)fprintf(stderr, "bench_engine: %s\n", err_text(err));
        exit(1);
    }
}

static void write_signature(const struct crypto_ed25519 *key, struct cursor message, struct writer *out)
{
    uint8_t signature[CRYPTO_ED25519_SIGNATURE_BYTES];
    must(crypto_ed25519_sign(key, message, signature));
    writer_text(out, "ssh-ed25519");
    writer_string(out, cursor_of(signature, sizeof signature));
}

static enum err on_sign(void *owner, struct cursor hash, struct writer *ret_blob)
{
    write_signature(&((struct bench *)owner)->host_key, hash, ret_blob);
    return ERR_NONE;
}

static enum err on_host_key(void *owner, struct cursor key_blob)
{
    (void)owner;
    (void)key_blob;
    return ERR_NONE;
}

static void on_server_packet(void *owner, uint8_t type, struct cursor payload)
{
    struct bench *bench = owner;
    if (type == USERAUTH_REQUEST) {
        must(engine_accept_user(bench->server));
    }
    bench->received_bytes += cursor_len(&payload);
}

static void on_login_done(void *owner, enum err result)
{
    must(result);
    ((struct bench *)owner)->is_logged_in = true;
}

static struct cursor write_certificate(const struct bench *bench, struct cursor subject_blob, uint8_t *memory,
                                       size_t size)
{
    struct cursor bytes;
    struct writer out = writer_of(memory, size);
    writer_text(&out, "ssh-ed25519-cert-v01@openssh.com");
    writer_text(&out, "nonce");
    writer_string(&out, cursor_of(subject_blob.end - 32, 32));
    /* libssh, which is the only reader here, looks no further. */
    write_signature(&bench->user_ca, subject_blob, &out);
    must(writer_done(&out, &bytes));
    return bytes;
}

static void move(struct engine *from, struct engine *to)
{
    struct queue *output = engine_output(from);
    must(engine_feed(to, queue_peek(output)));
    queue_consume(output, queue_len(output));
}

static void exchange(struct bench *bench)
{
    do {
        move(bench->server, bench->client);
        move(bench->client, bench->server);
    } while (queue_len(engine_output(bench->server)) + queue_len(engine_output(bench->client)) > 0);
}

static void open_pair(struct bench *bench, const char *cipher)
{
    static const struct engine_events SERVER = {.sign = on_sign, .packet = on_server_packet};
    static const struct engine_events CLIENT = {.host_key = on_host_key, .login_done = on_login_done};
    struct engine_config server = {
        .role = ENGINE_SERVER, .host_public_blob = bench->host_bytes, .ciphers = cipher};
    struct engine_config client = {.role = ENGINE_CLIENT, .client_user = "bench", .ciphers = cipher};
    uint8_t memory[64], certificate[512];
    struct cursor blob;
    bench->is_logged_in = false;
    must(engine_new(&server, &SERVER, bench, &bench->server));
    must(engine_new(&client, &CLIENT, bench, &bench->client));
    must(engine_start(bench->server));
    must(engine_start(bench->client));
    must(engine_login_key(bench->client, memory, sizeof memory, &blob));
    must(engine_login(bench->client, write_certificate(bench, blob, certificate, sizeof certificate)));
    exchange(bench);
    must(bench->is_logged_in ? ERR_NONE : ERR_STATE);
}

static void close_pair(struct bench *bench)
{
    engine_free(bench->server);
    engine_free(bench->client);
    bench->server = NULL;
    bench->client = NULL;
}

static void measure_passes(struct bench *bench, const char *cipher, uint64_t total_bytes)
{
    static uint8_t payload[DATA_BYTES];
    uint8_t head[8] = {0, 0, 0, 0, 0, 0, DATA_BYTES >> 8, 0};
    double sending = 0, receiving = 0;
    open_pair(bench, cipher);
    for (uint64_t sent = 0; sent < total_bytes; sent += (uint64_t)DATA_BYTES * PACKETS_PER_BATCH) {
        double start = cpu_s();
        for (int i = 0; i < PACKETS_PER_BATCH; i++) {
            must(engine_send_parts(bench->client, CHANNEL_DATA, cursor_of(head, sizeof head),
                                   cursor_of(payload, sizeof payload)));
        }
        double middle = cpu_s();
        move(bench->client, bench->server);
        sending += middle - start;
        receiving += cpu_s() - middle;
        if (queue_len(engine_output(bench->server)) > 0) {
            exchange(bench); /* libssh makes new keys after some GiB */
        }
    }
    double gib = (double)total_bytes / (1024.0 * 1024 * 1024);
    (void)printf("%-30s encrypt %.3f CPU s/GiB (%5.0f MB/s), decrypt %.3f CPU s/GiB (%5.0f MB/s)\n", cipher,
                 sending / gib, (double)total_bytes / sending / 1e6, receiving / gib,
                 (double)total_bytes / receiving / 1e6);
    close_pair(bench);
}

static void measure_handshakes(struct bench *bench)
{
    double start = cpu_s();
    for (int i = 0; i < HANDSHAKES; i++) {
        open_pair(bench, NULL);
        close_pair(bench);
    }
    (void)printf("handshake and login, both sides  %.2f CPU ms\n", (cpu_s() - start) * 1e3 / HANDSHAKES);
}

static void print_memory(const char *what)
{
    char text[4096];
    int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) {
        (void)close(fd);
    }
    if (len <= 0) {
        return;
    }
    static const char *const FIELDS[] = {"Rss:", "Pss:", "Private_Dirty:"};
    text[len] = 0;
    (void)printf("%-32s", what);
    for (size_t i = 0; i < sizeof FIELDS / sizeof FIELDS[0]; i++) {
        const char *line = strstr(text, FIELDS[i]);
        uint64_t kib = 0;
        struct cursor word;
        struct cursor rest = cursor_of_text(line == NULL ? "" : line + strlen(FIELDS[i]));
        if (cursor_word(&rest, &word) && text_u64(word, UINT64_MAX, &kib) == ERR_NONE) {
            (void)printf(" %s %llu KiB", FIELDS[i], (unsigned long long)kib);
        }
    }
    (void)printf("\n");
}

static void measure_memory(struct bench *bench)
{
    /* As many engines as a session with one target holds, and one more. */
    struct bench second = *bench;
    print_memory("memory after init");
    open_pair(bench, NULL);
    open_pair(&second, NULL);
    print_memory("memory with 4 idle engines");
    close_pair(&second);
    close_pair(bench);
}

static void load_keys(struct bench *bench)
{
    static const uint8_t HOST_SEED[CRYPTO_ED25519_SEED_BYTES] = {1};
    static const uint8_t CA_SEED[CRYPTO_ED25519_SEED_BYTES] = {2};
    must(crypto_ed25519_load(&bench->host_key, HOST_SEED));
    must(crypto_ed25519_load(&bench->user_ca, CA_SEED));
    struct writer out = writer_of(bench->host_blob, sizeof bench->host_blob);
    writer_text(&out, "ssh-ed25519");
    writer_string(&out, cursor_of(bench->host_key.public_key, sizeof bench->host_key.public_key));
    must(writer_done(&out, &bench->host_bytes));
}

int main(int argc, char *argv[])
{
    static const char *const CIPHERS[] = {"aes128-gcm@openssh.com", "aes256-gcm@openssh.com",
                                          "chacha20-poly1305@openssh.com", "aes256-ctr"};
    static struct bench bench;
    uint64_t mib = 1024;
    if (argc > 1) {
        must(text_u64(cursor_of_text(argv[1]), 1 << 20, &mib));
    }
    print_memory("memory at start");
    double start = cpu_s();
    must(engine_library_init());
    (void)printf("engine_library_init()            %.2f CPU ms\n", (cpu_s() - start) * 1e3);
    load_keys(&bench);
    measure_memory(&bench);
    measure_handshakes(&bench);
    print_memory("memory after handshakes");
    for (size_t i = 0; i < sizeof CIPHERS / sizeof CIPHERS[0]; i++) {
        measure_passes(&bench, CIPHERS[i], mib << 20);
    }
    print_memory("memory after data");
    crypto_ed25519_done(&bench.host_key);
    crypto_ed25519_done(&bench.user_ca);
    return 0;
}
