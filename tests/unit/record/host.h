/* A small host for tests: a folder with an evidence log and recordings, written with the room's own functions. */
#ifndef TESTS_RECORD_HOST_H
#define TESTS_RECORD_HOST_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "record/container.h"
#include "record/log.h"
#include "record/reader.h"
#include "record/verify.h"
#include "unit_test.h"

#define HOST_DAY "2026/11/23"
#define HOST_WALL_US 1795392000000000ULL /* 2026-11-23T00:00:00Z */

enum { HOST_PATH_BYTES = 512, HOST_FILE_BYTES = 1 << 20 };

struct host {
    char root[64], recordings[128], evidence[128], key_path[128];
    struct record_log_key key;
    struct record_log log;
    struct record_tools tools;
    int evidence_fd;
    uint8_t identity[32];
    struct record_recipients recipients;
};

/* One recording, as bytes and as what is needed to write more of it. */
struct tape {
    struct record_container container;
    struct record_key key;
    uint64_t t_us, stream_bytes;
    uint8_t bytes[HOST_FILE_BYTES];
    size_t len;
    uint8_t key_file[RECORD_AGE_FILE_BYTES];
    size_t key_file_len;
    char hex[2 * LIMIT_SID_BYTES + 1];
};

static inline void host_write(const char *path, const uint8_t *bytes, size_t len)
{
    (void)unlink(path);
    OWNED_FD fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, cursor_of(bytes, len)), ERR_NONE);
}
static inline size_t host_read(const char *path, uint8_t *bytes, size_t size)
{
    FILE *file = fopen(path, "rbe");
    assert_non_null(file);
    size_t got = fread(bytes, 1, size, file);
    (void)fclose(file);
    return got;
}
static inline void host_run(const char *command)
{
    assert_int_equal(system(command), 0);
}

static inline void host_init(struct host *host)
{
    memset(host, 0, sizeof *host);
    (void)snprintf(host->root, sizeof host->root, "/tmp/record-test-XXXXXX");
    assert_non_null(mkdtemp(host->root));
    (void)snprintf(host->recordings, sizeof host->recordings, "%s/recordings", host->root);
    (void)snprintf(host->evidence, sizeof host->evidence, "%s/evidence", host->root);
    (void)snprintf(host->key_path, sizeof host->key_path, "%s/log.key", host->root);
    char command[HOST_PATH_BYTES];
    (void)snprintf(command, sizeof command, "mkdir -p %s/" HOST_DAY " %s", host->recordings, host->evidence);
    host_run(command);
    assert_int_equal(record_log_key_create(host->key_path, "bastion-test"), ERR_NONE);
    assert_int_equal(record_log_key_load(host->key_path, &host->key), ERR_NONE);
    assert_int_equal(record_tools_init(&host->tools), ERR_NONE);
    host->evidence_fd = open(host->evidence, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct record_log_recovery recovery;
    assert_int_equal(record_log_open(&host->log, host->evidence_fd, &host->key, &recovery), ERR_NONE);
    free(recovery.unclosed);
    memset(host->identity, 7, sizeof host->identity);
    static const char RECIPIENT_OF_SEVENS[] = "age17ew4vmhv7yrtpfgt3ss0zrjrawvhe3x4hlnpxftmqw3rn5awzplqwhr0aw";
    (void)RECIPIENT_OF_SEVENS;
}
static inline void host_done(struct host *host)
{
    record_log_done(&host->log);
    record_log_key_done(&host->key);
    record_tools_done(&host->tools);
    fd_close(&host->evidence_fd);
    char command[HOST_PATH_BYTES];
    (void)snprintf(command, sizeof command, "rm -rf %s", host->root);
    host_run(command);
}

#endif
