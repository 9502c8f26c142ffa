/* The recorder as bastiond and sessions see it: the real program, over its channel and its streams. As root.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "crypto/random.h"
#include "crypto/x25519.h"
#include "ipc/channel.h"
#include "record/container.h"
#include "record/stream.h"
#include "record/verify.h"
#include "unit_test.h"

enum { PATH_BYTES = 256, MANY = 200, WAIT_MS = 20000 };

struct bench {
    char root[64], recordings[128], evidence[128], key[128], recipients[128], public_key[140];
    const char *min_free;
    struct record_identities identities;
    struct record_vkey vkey;
    pid_t pid;
    int fd;
    char ready[LIMIT_SENTENCE_BYTES];
    struct ipc_message message;
};
struct tape {
    uint32_t ref;
    uint8_t sid[LIMIT_SID_BYTES];
    int fd;
    uint64_t sent, durable;
};

/* `command` finds the folder of the test in $R. */
static void run_command(const char *command, const char *root)
{
    assert_int_equal(setenv("R", root, 1), 0);
    assert_int_equal(system(command), 0);
}

static void receive(struct bench *bench, enum ipc_type type)
{
    assert_int_equal(ipc_wait(bench->fd, WAIT_MS), ERR_NONE);
    assert_int_equal(ipc_receive(bench->fd, &bench->message), ERR_NONE);
    if (bench->message.type != type) {
        print_message("got %s: %.*s\n", ipc_name(bench->message.type), (int)cursor_len(&bench->message.body),
                      (const char *)bench->message.body.at);
    }
    assert_int_equal(bench->message.type, type);
}

static void start(struct bench *bench)
{
    int theirs = -1;
    assert_int_equal(ipc_pair(&bench->fd, &theirs), ERR_NONE);
    bench->pid = fork();
    assert_true(bench->pid >= 0);
    if (bench->pid == 0) {
        (void)dup2(theirs, IPC_CHANNEL_FD);
        (void)execl(BASTION_RECORDER, "bastion-recorder", "--recordings", bench->recordings, "--evidence",
                    bench->evidence, "--log-key", bench->key, "--recipients", bench->recipients, "--min-free",
                    bench->min_free, "--host-id", "test-host", "--uid", "64901", "--gid", "64901",
                    (char *)NULL);
        _exit(127);
    }
    (void)close(theirs);
}
static void start_ready(struct bench *bench)
{
    start(bench);
    receive(bench, IPC_RECORDER_READY);
    struct cursor body = bench->message.body;
    bool is_ok = false;
    assert_int_equal(cursor_bool(&body, &is_ok), ERR_NONE);
    assert_int_equal(cursor_text(&body, bench->ready, sizeof bench->ready), ERR_NONE);
    assert_true(is_ok);
}
static int wait_exit(struct bench *bench)
{
    int status = 0;
    assert_int_equal(waitpid(bench->pid, &status, 0), bench->pid);
    bench->pid = 0;
    fd_close(&bench->fd);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
static int stop(struct bench *bench)
{
    assert_int_equal(shutdown(bench->fd, SHUT_WR), 0);
    return wait_exit(bench);
}

static int setup(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    (void)snprintf(bench->root, sizeof bench->root, "/tmp/recorder-test-XXXXXX");
    assert_non_null(mkdtemp(bench->root));
    assert_int_equal(chmod(bench->root, 0755), 0);
    (void)snprintf(bench->recordings, sizeof bench->recordings, "%s/disk/recordings", bench->root);
    (void)snprintf(bench->evidence, sizeof bench->evidence, "%s/disk/evidence", bench->root);
    (void)snprintf(bench->key, sizeof bench->key, "%s/log.key", bench->root);
    (void)snprintf(bench->public_key, sizeof bench->public_key, "%s.pub", bench->key);
    (void)snprintf(bench->recipients, sizeof bench->recipients, "%s/recipients", bench->root);
    run_command("mkdir -p $R/disk", bench->root);
    bench->min_free = "1MiB";
    uint8_t public_key[32];
    char text[RECORD_AGE_RECIPIENT_BYTES];
    bench->identities.count = 1;
    assert_int_equal(crypto_x25519_generate(bench->identities.keys[0], public_key), ERR_NONE);
    record_age_recipient_text(public_key, text);
    FILE *file = fopen(bench->recipients, "we");
    assert_non_null(file);
    (void)fprintf(file, "# security team\n%s\n", text);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(record_log_key_create(bench->key, "test-host"), ERR_NONE);
    assert_int_equal(record_vkey_load(bench->public_key, &bench->vkey), ERR_NONE);
    *state = bench;
    return 0;
}
static int setup_folders(void **state)
{
    (void)setup(state);
    struct bench *bench = *state;
    run_command("mkdir -p $R/disk/recordings $R/disk/evidence", bench->root);
    run_command("chown -R 64901:64901 $R/disk", bench->root);
    return 0;
}
static int teardown(void **state)
{
    struct bench *bench = *state;
    if (bench->pid > 0) {
        (void)kill(bench->pid, SIGKILL);
        (void)waitpid(bench->pid, NULL, 0);
    }
    fd_close(&bench->fd);
    run_command("rm -rf $R", bench->root);
    free(bench);
    return 0;
}

static void ask_open(struct bench *bench, struct tape *tape, uint32_t ref)
{
    int ends[2];
    uint8_t memory[512];
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor body;
    tape->ref = ref;
    tape->sent = 0;
    tape->durable = 0;
    crypto_random(tape->sid, sizeof tape->sid);
    writer_string(&out, cursor_of(tape->sid, sizeof tape->sid));
    writer_text(&out, "{\"user\":\"mira\"}");
    assert_int_equal(writer_done(&out, &body), ERR_NONE);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(ipc_send(bench->fd, IPC_RECORD_OPEN, ref, body, &ends[1], 1), ERR_NONE);
    (void)close(ends[1]);
    tape->fd = ends[0];
}
static bool take_opened(struct bench *bench, char sentence[static LIMIT_SENTENCE_BYTES])
{
    bool is_ok = false;
    receive(bench, IPC_RECORD_OPENED);
    struct cursor body = bench->message.body;
    assert_int_equal(cursor_bool(&body, &is_ok), ERR_NONE);
    assert_int_equal(cursor_text(&body, sentence, LIMIT_SENTENCE_BYTES), ERR_NONE);
    return is_ok;
}
static void open_tape(struct bench *bench, struct tape *tape, uint32_t ref)
{
    char sentence[LIMIT_SENTENCE_BYTES];
    ask_open(bench, tape, ref);
    assert_true(take_opened(bench, sentence));
    assert_int_equal(bench->message.ref, ref);
}
static void send_bytes(struct tape *tape, struct cursor bytes)
{
    assert_int_equal(fd_write_all(tape->fd, bytes), ERR_NONE);
    tape->sent += cursor_len(&bytes);
}
static void send_text(struct tape *tape, const char *text)
{
    uint8_t memory[1024];
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor bytes;
    record_write_bytes(&out, RECORD_TERMINAL_OUT, 0, cursor_of_text(text));
    assert_int_equal(writer_done(&out, &bytes), ERR_NONE);
    send_bytes(tape, bytes);
}
static void send_end_open(struct tape *tape)
{
    uint8_t memory[128];
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor bytes;
    record_write_end(&out, 0, cursor_of_text("exit"));
    assert_int_equal(writer_done(&out, &bytes), ERR_NONE);
    send_bytes(tape, bytes);
}
static void send_end(struct tape *tape)
{
    send_end_open(tape);
    fd_close(&tape->fd);
}
static void wait_durable(struct tape *tape, uint64_t wanted)
{
    while (tape->durable < wanted) {
        uint8_t bytes[RECORD_DURABLE_BYTES];
        struct pollfd ready = {.fd = tape->fd, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
        assert_int_equal(read(tape->fd, bytes, sizeof bytes), sizeof bytes);
        struct cursor in = cursor_of(bytes, sizeof bytes);
        assert_int_equal(cursor_u64be(&in, &tape->durable), ERR_NONE);
        assert_true(tape->durable <= tape->sent);
    }
}
static void take_closed(struct bench *bench, const char *how)
{
    char text[RECORD_HOW_BYTES];
    receive(bench, IPC_RECORD_CLOSED);
    struct cursor body = bench->message.body;
    assert_int_equal(cursor_text(&body, text, sizeof text), ERR_NONE);
    assert_string_equal(text, how);
}

struct outcome {
    unsigned of[RECORD_VERDICT_COUNT];
    struct record_verify_totals totals;
    char how[RECORD_HOW_BYTES];
};
static void on_log(void *context, const struct record_log_result *result)
{
    (void)context;
    if (result->verdict != RECORD_LOG_OK) {
        print_message("log: %s\n", result->sentence);
    }
}
static void on_recording(void *context, const struct record_result *result)
{
    struct outcome *outcome = context;
    outcome->of[result->verdict]++;
    (void)snprintf(outcome->how, sizeof outcome->how, "%s", result->how);
    if (result->verdict >= RECORD_FAULTS) {
        print_message("%s %s\n", record_verdict_name(result->verdict), result->sentence);
    }
}
static struct outcome verify(const struct bench *bench)
{
    struct outcome outcome = {0};
    struct record_verify_input input = {
        .recordings_dir = bench->recordings, .evidence_dir = bench->evidence, .vkey = &bench->vkey};
    struct record_verify_report report = {&outcome, on_log, on_recording};
    assert_int_equal(record_verify(&input, &report, &outcome.totals), ERR_NONE);
    assert_true(outcome.totals.log < RECORD_LOG_FAULTS);
    assert_int_equal(outcome.totals.faults, 0);
    assert_int_equal(outcome.totals.keys_missing, 0);
    return outcome;
}
/* How many bytes of records the file of a tape gives back with its key. */
static uint64_t read_back(const struct bench *bench, const struct tape *tape)
{
    char hex[2 * LIMIT_SID_BYTES + 1];
    char pattern[PATH_BYTES];
    char path[PATH_BYTES] = "";
    for (size_t i = 0; i < sizeof tape->sid; i++) {
        (void)snprintf(hex + 2 * i, 3, "%02x", tape->sid[i]);
    }
    (void)snprintf(pattern, sizeof pattern, "find %s -name %s.rec", bench->recordings, hex);
    FILE *found = popen(pattern, "r");
    assert_non_null(found);
    assert_non_null(fgets(path, sizeof path, found));
    (void)pclose(found);
    path[strcspn(path, "\n")] = 0;
    struct record_key key;
    struct record_reader reader = {0};
    struct record_step step = {0};
    uint64_t bytes = 0;
    assert_int_equal(record_key_open(path, &bench->identities, &key), ERR_NONE);
    assert_int_equal(record_reader_open(&reader, path, bench->vkey.public_key, &key), ERR_NONE);
    while (step.type != RECORD_STEP_END) {
        assert_int_equal(record_reader_next(&reader, &step), ERR_NONE);
        if (step.type == RECORD_STEP_RECORD) {
            bytes += RECORD_HEADER_BYTES + cursor_len(&step.record.body);
        }
    }
    record_reader_done(&reader);
    return bytes;
}

static void recorder_one_session_is_recorded_and_verifies(void **state)
{
    struct bench *bench = *state;
    struct tape tape;
    start_ready(bench);
    open_tape(bench, &tape, 7);
    send_text(&tape, "$ id\r\n");
    wait_durable(&tape, tape.sent);
    send_text(&tape, "uid=0(root)\r\n");
    send_end_open(&tape);
    assert_int_equal(shutdown(tape.fd, SHUT_WR), 0);
    wait_durable(&tape, tape.sent); /* the last acknowledgement comes before the end of the stream */
    take_closed(bench, "ended");
    fd_close(&tape.fd);
    struct outcome outcome = verify(bench); /* while it runs */
    assert_int_equal(outcome.of[RECORD_OK], 1);
    assert_int_equal(read_back(bench, &tape), tape.sent);
    assert_int_equal(stop(bench), 0);
}

static void recorder_record_in_single_bytes_is_the_same(void **state)
{
    struct bench *bench = *state;
    struct tape tape;
    start_ready(bench);
    open_tape(bench, &tape, 7);
    uint8_t memory[300];
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor bytes;
    record_write_pty(&out, 0, cursor_of_text("xterm"), 80, 24);
    record_write_bytes(&out, RECORD_TERMINAL_OUT, 0, cursor_of_text("hello"));
    assert_int_equal(writer_done(&out, &bytes), ERR_NONE);
    while (cursor_len(&bytes) > 0) {
        send_bytes(&tape, cursor_of(bytes.at++, 1));
    }
    send_end(&tape);
    take_closed(bench, "ended");
    assert_int_equal(read_back(bench, &tape), tape.sent);
    assert_int_equal(stop(bench), 0);
}

static void recorder_large_stream_keeps_every_byte(void **state)
{
    struct bench *bench = *state;
    struct tape tape;
    static uint8_t body[LIMIT_RECORD_BODY_BYTES];
    static uint8_t memory[RECORD_LARGEST_BYTES];
    start_ready(bench);
    open_tape(bench, &tape, 1);
    for (unsigned i = 0; i < 400; i++) { /* 25 MiB: more than may be ahead of the disk */
        memset(body, (int)i, sizeof body);
        crypto_random(body, 256);
        struct writer out = writer_of(memory, sizeof memory);
        struct cursor bytes;
        record_write_bytes(&out, RECORD_STDOUT, 3, cursor_of(body, sizeof body));
        assert_int_equal(writer_done(&out, &bytes), ERR_NONE);
        send_bytes(&tape, bytes);
    }
    wait_durable(&tape, tape.sent);
    send_end(&tape);
    take_closed(bench, "ended");
    assert_int_equal(read_back(bench, &tape), tape.sent);
    assert_int_equal(verify(bench).of[RECORD_OK], 1);
    assert_int_equal(stop(bench), 0);
}

/* Little is fetched by a timer, much is read as it comes: each change from one to the other keeps all. */
static void recorder_little_and_much_in_turns_keeps_every_byte(void **state)
{
    struct bench *bench = *state;
    struct tape tape;
    static uint8_t memory[RECORD_LARGEST_BYTES];
    static const uint8_t BODY[LIMIT_RECORD_BODY_BYTES];
    start_ready(bench);
    open_tape(bench, &tape, 1);
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < 10; i++) {
            send_text(&tape, "x");
        }
        wait_durable(&tape, tape.sent);
        for (unsigned i = 0; i < 8; i++) { /* twice what the socket holds */
            struct writer out = writer_of(memory, sizeof memory);
            struct cursor bytes;
            record_write_bytes(&out, RECORD_STDOUT, 3, cursor_of(BODY, sizeof BODY));
            assert_int_equal(writer_done(&out, &bytes), ERR_NONE);
            send_bytes(&tape, bytes);
        }
        wait_durable(&tape, tape.sent);
    }
    send_end(&tape);
    take_closed(bench, "ended");
    assert_int_equal(read_back(bench, &tape), tape.sent);
    assert_int_equal(stop(bench), 0);
}

static void recorder_many_sessions_at_once_all_verify(void **state)
{
    struct bench *bench = *state;
    static struct tape tapes[MANY];
    char sentence[LIMIT_SENTENCE_BYTES];
    start_ready(bench);
    for (uint32_t i = 0; i < MANY; i++) {
        ask_open(bench, &tapes[i], i);
    }
    for (uint32_t i = 0; i < MANY; i++) {
        assert_true(take_opened(bench, sentence));
    }
    for (int round = 0; round < 5; round++) {
        for (uint32_t i = 0; i < MANY; i++) {
            send_text(&tapes[i], "some output of a program\r\n");
        }
    }
    for (uint32_t i = 0; i < MANY; i++) {
        wait_durable(&tapes[i], tapes[i].sent);
        send_end(&tapes[i]);
    }
    for (uint32_t i = 0; i < MANY; i++) {
        take_closed(bench, "ended");
    }
    assert_int_equal(verify(bench).of[RECORD_OK], MANY);
    assert_int_equal(read_back(bench, &tapes[MANY / 2]), tapes[MANY / 2].sent);
    assert_int_equal(stop(bench), 0);
}

static void recorder_killed_keeps_what_it_acknowledged(void **state)
{
    struct bench *bench = *state;
    static struct tape tapes[50];
    start_ready(bench);
    for (uint32_t i = 0; i < COUNT_OF(tapes); i++) {
        open_tape(bench, &tapes[i], i);
    }
    for (uint32_t i = 0; i < COUNT_OF(tapes); i++) {
        send_text(&tapes[i], "acknowledged\r\n");
    }
    for (uint32_t i = 0; i < COUNT_OF(tapes); i++) {
        wait_durable(&tapes[i], tapes[i].sent);
        send_text(&tapes[i], "not acknowledged\r\n");
    }
    assert_int_equal(kill(bench->pid, SIGKILL), 0);
    assert_int_equal(wait_exit(bench), -SIGKILL);
    assert_int_equal(verify(bench).of[RECORD_UNFINISHED], COUNT_OF(tapes));
    start_ready(bench);
    assert_non_null(strstr(bench->ready, "50 recordings were open"));
    assert_int_equal(verify(bench).of[RECORD_RECOVERED], COUNT_OF(tapes));
    for (uint32_t i = 0; i < COUNT_OF(tapes); i++) {
        assert_true(read_back(bench, &tapes[i]) >= tapes[i].durable);
        fd_close(&tapes[i].fd);
    }
    assert_int_equal(stop(bench), 0);
    start_ready(bench); /* nothing is recovered twice */
    assert_non_null(strstr(bench->ready, " 0 recordings were open"));
    assert_int_equal(stop(bench), 0);
}

static void recorder_sees_how_a_session_ends(void **state)
{
    struct bench *bench = *state;
    struct tape tape;
    start_ready(bench);
    open_tape(bench, &tape, 1);
    send_text(&tape, "x");
    fd_close(&tape.fd);
    take_closed(bench, "session lost");

    open_tape(bench, &tape, 2);
    send_text(&tape, "x");
    send_bytes(&tape, cursor_of("\0\0\0\5", 4)); /* the beginning of a header */
    fd_close(&tape.fd);
    take_closed(bench, "session lost");

    uint8_t memory[64];
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor reason;
    writer_text(&out, "policy");
    assert_int_equal(writer_done(&out, &reason), ERR_NONE);
    open_tape(bench, &tape, 3);
    send_text(&tape, "x");
    assert_int_equal(ipc_send(bench->fd, IPC_RECORD_END, 3, reason, NULL, 0), ERR_NONE);
    take_closed(bench, "ended by the monitor"); /* also when the session does not let go */
    fd_close(&tape.fd);

    open_tape(bench, &tape, 4);
    send_text(&tape, "x");
    wait_durable(&tape, tape.sent);
    assert_int_equal(stop(bench), 0);
    fd_close(&tape.fd);
    struct outcome outcome = verify(bench);
    assert_int_equal(outcome.of[RECORD_OK], 4);
}

static void recorder_malformed_stream_ends_only_that_recording(void **state)
{
    struct bench *bench = *state;
    struct tape good;
    struct tape bad;
    start_ready(bench);
    open_tape(bench, &good, 1);
    static const struct {
        const char *bytes;
        size_t len;
    } BAD[] = {
        {"\xff\xff\xff\xff\1\0\0\0\0\0\0\0", 12}, /* too long */
        {"\0\0\0\1\0\0\0\0\0\0\0\0x", 13},        /* kind 0 */
        {"\0\0\0\1\x15\0\0\0\0\0\0\0x", 13},      /* kind 21 */
        {"\0\0\0\1\7\0\0\0\0\0\0\0x", 13},        /* SHELL with a body */
        {"\0\0\0\0\7\1\0\0\0\0\0\0", 12},         /* not zero */
        {"\0\0\0\x08\x14\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0", 32}, /* after END */
    };
    for (uint32_t i = 0; i < COUNT_OF(BAD); i++) {
        open_tape(bench, &bad, 10 + i);
        send_text(&bad, "good");
        (void)write(bad.fd, BAD[i].bytes, BAD[i].len);
        receive(bench, IPC_RECORD_FAILED);
        assert_int_equal(bench->message.ref, 10 + i);
        take_closed(bench, "stream malformed");
        fd_close(&bad.fd);
    }
    send_text(&good, "still here");
    wait_durable(&good, good.sent);
    send_end(&good);
    take_closed(bench, "ended");
    assert_int_equal(verify(bench).of[RECORD_OK], 1 + COUNT_OF(BAD));
    assert_int_equal(stop(bench), 0);
}

static void recorder_same_sid_twice_is_refused(void **state)
{
    struct bench *bench = *state;
    struct tape tape;
    char sentence[LIMIT_SENTENCE_BYTES];
    start_ready(bench);
    open_tape(bench, &tape, 1);
    uint8_t memory[64];
    int ends[2];
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor body;
    writer_string(&out, cursor_of(tape.sid, sizeof tape.sid));
    writer_text(&out, "{}");
    assert_int_equal(writer_done(&out, &body), ERR_NONE);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(ipc_send(bench->fd, IPC_RECORD_OPEN, 2, body, &ends[1], 1), ERR_NONE);
    assert_false(take_opened(bench, sentence));
    assert_non_null(strstr(sentence, "exists already"));
    send_end(&tape);
    take_closed(bench, "ended");
    assert_int_equal(verify(bench).of[RECORD_OK], 1);
    (void)close(ends[0]);
    (void)close(ends[1]);
    assert_int_equal(stop(bench), 0);
}

static void add_line(struct bench *bench, const char *line)
{
    uint8_t memory[512];
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor body;
    writer_text(&out, line);
    assert_int_equal(writer_done(&out, &body), ERR_NONE);
    assert_int_equal(ipc_send(bench->fd, IPC_EVIDENCE_ADD, 0, body, NULL, 0), ERR_NONE);
}

static void recorder_evidence_lines_become_signed_leaves(void **state)
{
    struct bench *bench = *state;
    start_ready(bench);
    add_line(bench, "policy 2026-11-23T00:00:00Z sha256=abc");
    add_line(bench, "decision allow mira db");
    assert_int_equal(stop(bench), 0);
    (void)verify(bench);
    char command[PATH_BYTES];
    (void)snprintf(command, sizeof command, "grep -q '^decision allow mira db$' %s/leaves", bench->evidence);
    assert_int_equal(system(command), 0);
    start_ready(bench); /* a line that could pass for a leaf of the recorder ends the recorder, and with it
                           bastiond */
    add_line(bench, "close 2026-11-23T00:00:00Z 00 0 00 ended");
    assert_int_not_equal(wait_exit(bench), 0);
    (void)verify(bench);
}

static void recorder_changed_evidence_is_not_continued(void **state)
{
    struct bench *bench = *state;
    start_ready(bench);
    add_line(bench, "policy one");
    assert_int_equal(stop(bench), 0);
    run_command("sed -i s/one/two/ $R/disk/evidence/leaves", bench->root);
    start(bench);
    receive(bench, IPC_RECORDER_READY);
    assert_int_equal(bench->message.body.at[0], 0);
    assert_int_not_equal(wait_exit(bench), 0);
}

static void recorder_second_one_is_refused(void **state)
{
    struct bench *bench = *state;
    start_ready(bench);
    struct bench second = {.min_free = bench->min_free};
    memcpy(second.recordings, bench->recordings, sizeof second.recordings);
    memcpy(second.evidence, bench->evidence, sizeof second.evidence);
    memcpy(second.key, bench->key, sizeof second.key);
    memcpy(second.recipients, bench->recipients, sizeof second.recipients);
    start(&second);
    assert_int_not_equal(wait_exit(&second), 0);
    assert_int_equal(stop(bench), 0);
}

static void recorder_low_space_refuses_before_anything_is_made(void **state)
{
    struct bench *bench = *state;
    struct tape tape;
    char sentence[LIMIT_SENTENCE_BYTES];
    bench->min_free = "1000000GiB";
    start_ready(bench);
    ask_open(bench, &tape, 1);
    assert_false(take_opened(bench, sentence));
    assert_non_null(strstr(sentence, "MiB are free"));
    fd_close(&tape.fd);
    assert_int_equal(verify(bench).totals.recordings, 0);
    assert_int_equal(stop(bench), 0);
}

static void recorder_full_disk_fails_closed_and_stays_verifiable(void **state)
{
    struct bench *bench = *state;
    char disk[PATH_BYTES];
    (void)snprintf(disk, sizeof disk, "%s/disk", bench->root);
    assert_int_equal(mount("tmpfs", disk, "tmpfs", 0, "size=24m,mode=0755"), 0);
    run_command("mkdir -p $R/disk/recordings $R/disk/evidence", bench->root);
    run_command("chown -R 64901:64901 $R/disk", bench->root);
    struct tape tapes[3];
    static uint8_t body[LIMIT_RECORD_BODY_BYTES];
    static uint8_t memory[RECORD_LARGEST_BYTES];
    start_ready(bench);
    for (uint32_t i = 0; i < COUNT_OF(tapes); i++) {
        open_tape(bench, &tapes[i], i);
        send_text(&tapes[i], "x");
    }
    (void)signal(SIGPIPE, SIG_IGN);
    for (unsigned i = 0; i < 400; i++) { /* 25 MiB that do not compress, on 8 MiB */
        for (size_t at = 0; at < sizeof body; at += 256) {
            crypto_random(body + at, 256);
        }
        struct writer out = writer_of(memory, sizeof memory);
        struct cursor bytes;
        record_write_bytes(&out, RECORD_STDOUT, 3, cursor_of(body, sizeof body));
        assert_int_equal(writer_done(&out, &bytes), ERR_NONE);
        if (fd_write_all(tapes[0].fd, bytes) != ERR_NONE) {
            break;
        }
    }
    unsigned failed = 0;
    unsigned closed = 0;
    while (closed < COUNT_OF(tapes)) {
        assert_int_equal(ipc_wait(bench->fd, WAIT_MS), ERR_NONE);
        assert_int_equal(ipc_receive(bench->fd, &bench->message), ERR_NONE);
        failed += bench->message.type == IPC_RECORD_FAILED;
        closed += bench->message.type == IPC_RECORD_CLOSED;
    }
    assert_int_equal(failed, COUNT_OF(tapes));
    for (uint32_t i = 0; i < COUNT_OF(tapes); i++) {
        fd_close(&tapes[i].fd);
    }
    struct outcome outcome = verify(bench);
    assert_int_equal(outcome.of[RECORD_OK], COUNT_OF(tapes));
    assert_string_equal(outcome.how, "disk full");
    assert_int_equal(stop(bench), 0);
    (void)umount2(disk, MNT_DETACH);
}

static void recorder_wrong_arguments_say_usage(void **state)
{
    (void)state;
    assert_int_equal(WEXITSTATUS(system(BASTION_RECORDER " 2>/dev/null")), 2);
    assert_int_equal(WEXITSTATUS(system(BASTION_RECORDER " --uid 0 2>/dev/null")), 2);
    assert_int_equal(system(BASTION_RECORDER " --help >/dev/null"), 0);
    assert_int_equal(system(BASTION_RECORDER " --version >/dev/null"), 0);
}

#define WITH_FOLDERS(test) cmocka_unit_test_setup_teardown(test, setup_folders, teardown)
int main(void)
{
    if (geteuid() != 0) {
        print_message("skipped: needs root\n");
        return 77;
    }
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(recorder_wrong_arguments_say_usage),
        WITH_FOLDERS(recorder_one_session_is_recorded_and_verifies),
        WITH_FOLDERS(recorder_record_in_single_bytes_is_the_same),
        WITH_FOLDERS(recorder_large_stream_keeps_every_byte),
        WITH_FOLDERS(recorder_little_and_much_in_turns_keeps_every_byte),
        WITH_FOLDERS(recorder_many_sessions_at_once_all_verify),
        WITH_FOLDERS(recorder_killed_keeps_what_it_acknowledged),
        WITH_FOLDERS(recorder_sees_how_a_session_ends),
        WITH_FOLDERS(recorder_malformed_stream_ends_only_that_recording),
        WITH_FOLDERS(recorder_same_sid_twice_is_refused),
        WITH_FOLDERS(recorder_evidence_lines_become_signed_leaves),
        WITH_FOLDERS(recorder_changed_evidence_is_not_continued),
        WITH_FOLDERS(recorder_second_one_is_refused),
        WITH_FOLDERS(recorder_low_space_refuses_before_anything_is_made),
        WITH_FOLDERS(recorder_full_disk_fails_closed_and_stays_verifiable),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
