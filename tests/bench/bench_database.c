/* What the relay of PostgreSQL costs by itself: statements a second, and bulk data next to what copying it
 * once and hashing it take in the same run. Usage: bench_database */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/writer.h"
#include "crypto/hash.h"
#include "database/relay.h"
#include "record/stream.h"

enum {
    STATEMENTS = 1000000,
    BULK_BYTES = 1 << 30,
    CHUNK_BYTES = 65536,
    ROW_BYTES = 100,
    LONG_ROW_BYTES = 8192
};

struct bench {
    struct db_relay *relay;
    uint8_t records[LIMIT_RECORD_BODY_BYTES * 2]; /* where a session would queue them */
    uint64_t record_count, record_bytes;
};

static void must(enum err err)
{
    if (err != ERR_NONE) {
        (void)fprintf(stderr, "bench_database: %s\n", err_text(err));
        exit(1);
    }
}

static double cpu_s(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static enum err keep_record(void *owner, uint8_t kind, struct cursor head, struct cursor body)
{
    struct bench *bench = owner;
    struct writer out = writer_of(bench->records, sizeof bench->records);
    struct cursor written;
    (void)kind;
    writer_bytes(&out, head);
    writer_bytes(&out, body);
    TRY(writer_done(&out, &written));
    bench->record_count++;
    bench->record_bytes += RECORD_HEADER_BYTES + cursor_len(&written);
    return ERR_NONE;
}

static enum err keep_key(void *owner, struct cursor key)
{
    (void)owner;
    (void)key;
    return ERR_NONE;
}

/* What came out is taken at once, as by a socket that never blocks. */
static void feed(struct bench *bench, enum db_side side, struct cursor bytes)
{
    while (cursor_len(&bytes) > 0) {
        must(db_relay_feed(bench->relay, side, &bytes, 1));
        for (unsigned to = DB_CLIENT; to <= DB_TARGET; to++) {
            struct queue *out = db_relay_out(bench->relay, (enum db_side)to);
            queue_consume(out, queue_len(out));
        }
        if (db_relay_need(bench->relay) == DB_NEED_END) {
            (void)fprintf(stderr, "bench_database: the relay ended the connection\n");
            exit(1);
        }
    }
}

static void begin(struct bench *bench)
{
    static const uint8_t STARTUP[] = "\0\0\0\x10\0\3\0\0user\0u\0";
    static const uint8_t READY[] = "R\0\0\0\x08\0\0\0\0Z\0\0\0\5I";
    const struct db_config config = {.protocol = DB_POSTGRES};
    const struct db_owner owner = {.record = keep_record, .cancel_key = keep_key, .owner = bench};
    const struct db_rights rights = {.copy = true};
    const struct db_tls tls = {0};
    bench->record_count = 0;
    bench->record_bytes = 0;
    must(db_relay_new(&config, &owner, &bench->relay));
    feed(bench, DB_TARGET, cursor_of_text("S"));
    must(db_relay_tls_ready(bench->relay, DB_TARGET, &tls, 1));
    feed(bench, DB_CLIENT, cursor_of(STARTUP, sizeof STARTUP));
    must(db_relay_granted(bench->relay, &rights, cursor_of(NULL, 0), 1));
    feed(bench, DB_TARGET, cursor_of(READY, sizeof READY - 1));
}

static void message(struct writer *out, char type, struct cursor body)
{
    writer_u8(out, (uint8_t)type);
    writer_u32be(out, (uint32_t)(4 + cursor_len(&body)));
    writer_bytes(out, body);
}
#define MESSAGE(out, type, text) message(out, type, cursor_of(text, sizeof(text) - 1))

/* ---- statements ---- */

static void statements(struct bench *bench, const char *what, struct cursor asked, struct cursor answered)
{
    double from = cpu_s();
    for (unsigned i = 0; i < STATEMENTS; i++) {
        feed(bench, DB_CLIENT, asked);
        feed(bench, DB_TARGET, answered);
    }
    double us = (cpu_s() - from) * 1e6 / STATEMENTS;
    printf("%-34s %6.2f us each  %9.0f a second  %4.1f records, %4.0f bytes of them each\n", what, us,
           1e6 / us, (double)bench->record_count / STATEMENTS, (double)bench->record_bytes / STATEMENTS);
    db_relay_free(bench->relay);
}

/* What pgbench -S asks: one row of one number. */
static void bench_statements(struct bench *bench)
{
    uint8_t asked_memory[512];
    uint8_t answered_memory[512];
    struct cursor asked;
    struct cursor answered;
    struct writer out = writer_of(asked_memory, sizeof asked_memory);
    struct writer answer = writer_of(answered_memory, sizeof answered_memory);
    MESSAGE(&out, 'Q', "SELECT abalance FROM pgbench_accounts WHERE aid = 12345;\0");
    MESSAGE(&answer, 'T', "\0\1abalance\0\0\0\x40\1\0\3\0\0\0\x17\0\4\xff\xff\xff\xff\0\0");
    MESSAGE(&answer, 'D',
            "\0\1\0\0\0\1"
            "0");
    MESSAGE(&answer, 'C', "SELECT 1\0");
    MESSAGE(&answer, 'Z', "I");
    must(writer_done(&out, &asked));
    must(writer_done(&answer, &answered));
    begin(bench);
    statements(bench, "simple query", asked, answered);

    out = writer_of(asked_memory, sizeof asked_memory);
    answer = writer_of(answered_memory, sizeof answered_memory);
    MESSAGE(&out, 'B',
            "\0P0_1\0\0\0\0\1\0\0\0\5"
            "12345\0\0");
    MESSAGE(&out, 'D', "P\0");
    MESSAGE(&out, 'E', "\0\0\0\0\0");
    MESSAGE(&out, 'S', "");
    MESSAGE(&answer, '2', "");
    MESSAGE(&answer, 'T', "\0\1abalance\0\0\0\x40\1\0\3\0\0\0\x17\0\4\xff\xff\xff\xff\0\0");
    MESSAGE(&answer, 'D',
            "\0\1\0\0\0\1"
            "0");
    MESSAGE(&answer, 'C', "SELECT 1\0");
    MESSAGE(&answer, 'Z', "I");
    must(writer_done(&out, &asked));
    must(writer_done(&answer, &answered));
    begin(bench);
    statements(bench, "prepared statement, 1 parameter", asked, answered);
}

/* ---- bulk ---- */

static uint8_t chunk[CHUNK_BYTES + LONG_ROW_BYTES];

/* Whole messages of one kind; a chunk of the stream that they make begins and ends anywhere. */
static size_t fill(char type, size_t row_bytes)
{
    struct writer out = writer_of(chunk, sizeof chunk);
    static uint8_t row[LONG_ROW_BYTES];
    memset(row, 'x', sizeof row);
    while ((size_t)(out.at - out.start) < CHUNK_BYTES) {
        message(&out, type, cursor_of(row, row_bytes));
    }
    return (size_t)(out.at - out.start);
}

/** What a figure is held against. */
struct peer {
    double s;
    const char *name; /* NULL: against nothing */
};

static double report(const char *what, double from, struct peer peer)
{
    double s = cpu_s() - from;
    printf("%-34s %6.0f MiB/s", what, (double)BULK_BYTES / (1 << 20) / s);
    if (peer.name != NULL) {
        printf("   %.2f of %s", peer.s / s, peer.name);
    }
    printf("\n");
    return s;
}

static void bulk(struct bench *bench, const char *what, enum db_side from, char type, size_t row_bytes,
                 struct peer peer)
{
    size_t len = fill(type, row_bytes);
    double start = cpu_s();
    for (size_t done = 0; done < BULK_BYTES; done += len) {
        feed(bench, from, cursor_of(chunk, len));
    }
    (void)report(what, start, peer);
    db_relay_free(bench->relay);
}

static void bench_bulk(struct bench *bench)
{
    static const uint8_t QUERY[] = "Q\0\0\0\x06x";
    static const uint8_t COPY_OUT[] = "H\0\0\0\x07\0\0\0";
    static const uint8_t COPY_IN[] = "G\0\0\0\x07\0\0\0";
    struct queue copy;
    size_t len = fill('D', LONG_ROW_BYTES);
    queue_init(&copy, sizeof chunk);
    double start = cpu_s();
    for (size_t done = 0; done < BULK_BYTES; done += len) {
        must(queue_append(&copy, cursor_of(chunk, len)));
        queue_consume(&copy, len);
    }
    const struct peer copying = {report("copying through a queue alone", start, (struct peer){0}), "copying"};
    queue_done(&copy);
    struct crypto_sha256 hash = {0};
    crypto_sha256_init(&hash);
    start = cpu_s();
    for (size_t done = 0; done < BULK_BYTES; done += len) {
        crypto_sha256_add(&hash, cursor_of(chunk, len));
    }
    const struct peer hashing = {report("SHA-256 alone", start, (struct peer){0}), "hashing"};
    crypto_sha256_done(&hash);

    static const size_t ROWS[] = {ROW_BYTES, LONG_ROW_BYTES};
    for (size_t i = 0; i < 2; i++) {
        char what[64];
        begin(bench);
        feed(bench, DB_CLIENT, cursor_of(QUERY, sizeof QUERY));
        (void)snprintf(what, sizeof what, "rows of %zu bytes", ROWS[i]);
        bulk(bench, what, DB_TARGET, 'D', ROWS[i], copying);
        begin(bench);
        feed(bench, DB_CLIENT, cursor_of(QUERY, sizeof QUERY));
        feed(bench, DB_TARGET, cursor_of(COPY_OUT, sizeof COPY_OUT - 1));
        (void)snprintf(what, sizeof what, "COPY from the server, %zu bytes", ROWS[i]);
        bulk(bench, what, DB_TARGET, 'd', ROWS[i], hashing);
        begin(bench);
        feed(bench, DB_CLIENT, cursor_of(QUERY, sizeof QUERY));
        feed(bench, DB_TARGET, cursor_of(COPY_IN, sizeof COPY_IN - 1));
        (void)snprintf(what, sizeof what, "COPY to the server, %zu bytes", ROWS[i]);
        bulk(bench, what, DB_CLIENT, 'd', ROWS[i], hashing);
    }
}

int main(void)
{
    static struct bench bench;
    crypto_start();
    bench_statements(&bench);
    bench_bulk(&bench);
    return 0;
}
