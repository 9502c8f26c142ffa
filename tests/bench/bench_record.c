/* What a recording costs: framing, compression, encryption, chain and write(2), by size of the records, next
 * to what SHA-256 alone and write(2) alone take in the same run. Usage: bench_record [FOLDER]. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "crypto/random.h"
#include "record/container.h"
#include "record/reader.h"
#include "record/stream.h"

enum { TOTAL_BYTES = 256 << 20, TURN_BYTES = 32768, OUT_BYTES = 1 << 20, CHECKPOINT_BYTES = 262144 };

static uint8_t records[RECORD_LARGEST_BYTES];
static uint8_t out_memory[OUT_BYTES];

static double cpu_s(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

struct meter {
    uint64_t from_us;
    double from_cpu_s;
};
static struct meter start(void)
{
    return (struct meter){clock_monotonic_us(), cpu_s()};
}
static void stop(const struct meter *meter, const char *what, uint64_t bytes, uint64_t file_bytes)
{
    double s = (double)(clock_monotonic_us() - meter->from_us) / 1e6;
    double gib = (double)bytes / (1 << 30);
    printf("%-44s %8.0f MiB/s %8.3f CPU s/GiB   file %5.1f %%\n", what, gib * 1024 / s,
           (cpu_s() - meter->from_cpu_s) / gib, 100.0 * (double)file_bytes / (double)bytes);
}

static void must(enum err err)
{
    if (err != ERR_NONE) {
        (void)fprintf(stderr, "bench_record: %s\n", err_text(err));
        exit(1);
    }
}

static void begin_again(int fd)
{
    if (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0) {
        must(ERR_SYSTEM);
    }
}

/* Text of a terminal: words and numbers, some colour. */
static void fill_text(uint8_t *bytes, size_t len)
{
    size_t at = 0;
    for (unsigned line = 0; at < len; line++) {
        char text[128];
        int text_len = snprintf(text, sizeof text,
                                "\x1b[32m-rw-r--r--\x1b[0m 1 root root %8u Nov 23 %02u:%02u file-%u.c\r\n",
                                line * 7919 % 100000, line % 24, line % 60, line * 31 % 5003);
        size_t part = (size_t)text_len < len - at ? (size_t)text_len : len - at;
        memcpy(bytes + at, text, part);
        at += part;
    }
}

/* Whole records of `size` bytes each, as many as one read of a stream brings. */
static struct cursor make_turn(size_t size, bool is_text)
{
    static uint8_t body[LIMIT_RECORD_BODY_BYTES];
    if (is_text) {
        fill_text(body, size);
    } else {
        for (size_t at = 0; at < size; at += 256) {
            crypto_random(body + at, size - at < 256 ? size - at : 256);
        }
    }
    struct writer out = writer_of(records, sizeof records);
    struct cursor turn;
    do {
        record_write_bytes(&out, RECORD_STDOUT, 0, cursor_of(body, size));
    } while ((size_t)(out.at - out.start) + size + RECORD_HEADER_BYTES <= TURN_BYTES);
    must(writer_done(&out, &turn));
    return turn;
}

static void begin(struct record_container *container, struct record_tools *tools)
{
    struct record_opening opening = {.host_id = cursor_of_text("bench"), .meta = cursor_of_text("{}")};
    struct writer out = writer_of(out_memory, sizeof out_memory);
    crypto_random(opening.key, sizeof opening.key);
    must(record_container_begin(container, tools, &opening, &out));
}

static void bench_write(const char *what, int fd, struct cursor turn, const struct crypto_ed25519 *key)
{
    struct record_tools tools = {0};
    struct record_container container = {0};
    must(record_tools_init(&tools));
    begin(&container, &tools);
    uint64_t since = 0;
    uint64_t bytes = 0;
    uint64_t total = cursor_len(&turn) < 4096 ? TOTAL_BYTES / 16 : TOTAL_BYTES;
    struct meter meter = start();
    while (bytes < total) {
        struct writer out = writer_of(out_memory, sizeof out_memory);
        struct cursor frames;
        struct record_stamp stamp = {bytes, bytes, bytes};
        must(record_container_data(&container, &tools, bytes, turn, &out));
        since += cursor_len(&turn);
        if (since >= CHECKPOINT_BYTES) {
            must(record_container_checkpoint(&container, &tools, key, &stamp, &out));
            since = 0;
        }
        must(writer_done(&out, &frames));
        must(fd_write_all(fd, frames));
        bytes += cursor_len(&turn);
    }
    stop(&meter, what, bytes, container.file_bytes);
    record_tools_done(&tools);
    begin_again(fd);
}

static void bench_single(const char *what, int fd, size_t size, const struct crypto_ed25519 *key)
{
    struct cursor turn = make_turn(size, true);
    turn.end = turn.at + RECORD_HEADER_BYTES + size;
    bench_write(what, fd, turn, key);
}

static void bench_peers(int fd)
{
    struct cursor turn = make_turn(LIMIT_RECORD_BODY_BYTES, false);
    struct crypto_sha256 hash = {0};
    uint8_t digest[CRYPTO_SHA256_BYTES];
    crypto_sha256_init(&hash);
    struct meter meter = start();
    uint64_t bytes = 0;
    for (; bytes < TOTAL_BYTES; bytes += cursor_len(&turn)) {
        crypto_sha256_add(&hash, turn);
    }
    stop(&meter, "peer: SHA-256 alone, 64 KiB", bytes, 0);
    crypto_sha256_end(&hash, digest);
    crypto_sha256_done(&hash);
    meter = start();
    for (bytes = 0; bytes < TOTAL_BYTES; bytes += cursor_len(&turn)) {
        must(fd_write_all(fd, turn));
    }
    stop(&meter, "peer: write(2) alone, 64 KiB", bytes, bytes);
    begin_again(fd);
}

int main(int argc, char **argv)
{
    char path[4096];
    struct crypto_ed25519 key = {0};
    static const uint8_t SEED[CRYPTO_ED25519_SEED_BYTES];
    (void)snprintf(path, sizeof path, "%s/bench_record.XXXXXX", argc > 1 ? argv[1] : "/tmp");
    int fd = mkstemp(path);
    if (fd < 0) {
        perror(path);
        return 1;
    }
    (void)unlink(path);
    must(crypto_ed25519_load(&key, SEED));
    bench_peers(fd);
    bench_write("random bytes, records of 64 KiB", fd, make_turn(LIMIT_RECORD_BODY_BYTES, false), &key);
    bench_write("random bytes, records of 32 KiB", fd, make_turn(32700, false), &key);
    bench_write("terminal text, records of 32 KiB", fd, make_turn(32700, true), &key);
    bench_write("terminal text, 128 records of 244 B at once", fd, make_turn(244, true), &key);
    bench_single("terminal text, one record of 1 KiB a frame", fd, 1024, &key);
    bench_single("terminal text, one record of 64 B a frame", fd, 64, &key);
    printf("one open recording in the writer: %zu bytes\n", sizeof(struct record_container));
    crypto_ed25519_done(&key);
    (void)close(fd);
    return 0;
}
