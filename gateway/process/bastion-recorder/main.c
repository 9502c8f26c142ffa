/* bastion-recorder: writes the recordings of all sessions and the evidence log. It holds the log key, its two
 * folders and one stream from each session; it talks to nobody else. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "recorder.h"
#include "sandbox/sandbox.h"

enum {
    EXIT_USAGE = 2,
    EXIT_KEYS = 3,
    EXIT_SANDBOX = 4,
    EXIT_FOLDERS = 5,
    EXIT_RUNNING = 6,
    RECIPIENTS_FILE_BYTES = 65536
};

static const char USAGE[] =
    "usage: bastion-recorder --recordings DIR --evidence DIR --log-key FILE --recipients FILE\n"
    "                        --min-free SIZE --host-id TEXT --uid N --gid N\n"
    "\n"
    "Writes the recordings of all sessions. bastiond starts it; it talks to bastiond on descriptor 3, and "
    "when\n"
    "bastiond ends it seals what is open and ends too.\n"
    "\n"
    "  --recordings DIR   recordings, in folders by day; owned by the user that --uid names\n"
    "  --evidence DIR     the evidence log: leaves and checkpoint; owned by the same user\n"
    "  --log-key FILE     signs checkpoints (mode 0600)\n"
    "  --recipients FILE  who can read recordings: one age1... key a line\n"
    "  --min-free SIZE    refuse new recordings when less is free, such as 2GiB\n"
    "  --host-id TEXT     the name of this host in its recordings\n"
    "  --uid N --gid N    run as this user and group, once the keys are read\n"
    "  --help, --version\n";

struct arguments {
    const char *recordings, *evidence, *log_key, *recipients, *host_id;
    uint64_t min_free_bytes;
    uint32_t uid, gid;
    bool has_min_free;
};

static void complain(const char *what, const char *sentence)
{
    (void)fprintf(stderr, "bastion-recorder: %s%s%s\n", what, what[0] == 0 ? "" : ": ", sentence);
}

static bool read_id(const char *text, uint32_t *ret_id)
{
    uint64_t value = 0;
    if (text_u64(cursor_of_text(text), UINT32_MAX - 1, &value) != ERR_NONE || value == 0) {
        return false;
    }
    *ret_id = (uint32_t)value;
    return true;
}

static bool take_option(int option, struct arguments *ret)
{
    switch (option) {
    case 'r':
        ret->recordings = optarg;
        return true;
    case 'e':
        ret->evidence = optarg;
        return true;
    case 'k':
        ret->log_key = optarg;
        return true;
    case 'a':
        ret->recipients = optarg;
        return true;
    case 'h':
        ret->host_id = optarg;
        return strlen(optarg) > 0 && strlen(optarg) < LIMIT_HOST_BYTES;
    case 'm':
        ret->has_min_free = true;
        return text_size_bytes(cursor_of_text(optarg), &ret->min_free_bytes) == ERR_NONE;
    case 'u':
        return read_id(optarg, &ret->uid);
    case 'g':
        return read_id(optarg, &ret->gid);
    default:
        return false;
    }
}

/* @return -1 to go on, or the exit status. */
static int read_arguments(int argc, char **argv, struct arguments *ret)
{
    static const struct option OPTIONS[] = {
        {"recordings", required_argument, NULL, 'r'},
        {"evidence", required_argument, NULL, 'e'},
        {"log-key", required_argument, NULL, 'k'},
        {"recipients", required_argument, NULL, 'a'},
        {"host-id", required_argument, NULL, 'h'},
        {"min-free", required_argument, NULL, 'm'},
        {"uid", required_argument, NULL, 'u'},
        {"gid", required_argument, NULL, 'g'},
        {"help", no_argument, NULL, 'H'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    int option = 0;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        if (option == 'H' || option == 'V') {
            (void)fputs(option == 'H' ? USAGE : "bastion-recorder " BASTION_VERSION "\n", stdout);
            return EXIT_SUCCESS;
        }
        if (!take_option(option, ret)) {
            (void)fputs(USAGE, stderr);
            return EXIT_USAGE;
        }
    }
    bool is_whole = ret->recordings != NULL && ret->evidence != NULL && ret->log_key != NULL &&
                    ret->recipients != NULL && ret->host_id != NULL && ret->has_min_free && ret->uid != 0 &&
                    ret->gid != 0 && optind == argc;
    if (!is_whole) {
        (void)fputs(USAGE, stderr);
        return EXIT_USAGE;
    }
    return -1;
}

static bool load_log_key(const char *path, struct recorder *recorder)
{
    enum err err = record_log_key_load(path, &recorder->log_key);
    if (err == ERR_NONE) {
        return true;
    }
    complain(path, err == ERR_NOT_FOUND ? "does not exist; \"bastion init\" makes it"
                   : err == ERR_DENIED  ? "can be read by others: chmod 0600"
                                        : err_text(err));
    return false;
}

static bool load_recipients(const char *path, struct recorder *recorder)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    char sentence[RECORD_AGE_SENTENCE_BYTES];
    enum err err = fd_read_trusted_file(AT_FDCWD, path, RECIPIENTS_FILE_BYTES, &bytes, &len);
    if (err != ERR_NONE) {
        complain(path, err == ERR_NOT_FOUND ? "does not exist; write one age1... key a line into it"
                                            : err_text(err));
        return false;
    }
    err = record_recipients_parse(cursor_of(bytes, len), &recorder->recipients, sentence);
    free(bytes);
    if (err != ERR_NONE) {
        complain(path, sentence);
        return false;
    }
    return true;
}

static int open_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        complain(path, strerror(errno));
    }
    return fd;
}

/* The keys were read; no message was. From here on there is the channel, and two folders. */
static int close_sandbox(const struct arguments *arguments, struct recorder *recorder)
{
    const char *const folders[] = {arguments->recordings, arguments->evidence, NULL};
    const struct sandbox_place place = {
        .uid = arguments->uid, .gid = arguments->gid, .writable_paths = folders};
    struct sandbox_refusal why;
    struct loop_refusal loop_why;
    if (sandbox_close_room(&SANDBOX_RECORDER, &place, &why) != ERR_NONE) {
        complain("", why.sentence);
        return EXIT_SANDBOX;
    }
    if (loop_new(LOOP_RECORDER, &recorder->loop, &loop_why) != ERR_NONE) {
        complain("", loop_why.sentence);
        return EXIT_SANDBOX;
    }
    recorder->recordings_fd = open_folder(arguments->recordings);
    recorder->evidence_fd = open_folder(arguments->evidence);
    if (recorder->recordings_fd < 0 || recorder->evidence_fd < 0) {
        return EXIT_FOLDERS;
    }
    if (record_log_lock(recorder->evidence_fd) != ERR_NONE) {
        complain(arguments->evidence, "another recorder has this evidence folder: stop that one first");
        return EXIT_FOLDERS;
    }
    if (sandbox_close_calls(&SANDBOX_RECORDER, &why) != ERR_NONE) {
        complain("", why.sentence);
        return EXIT_SANDBOX;
    }
    return EXIT_SUCCESS;
}

static void say_ready(struct recorder *recorder, bool is_ok, const char *sentence)
{
    uint8_t memory[1024];
    struct writer out = writer_of(memory, sizeof memory);
    writer_bool(&out, is_ok);
    writer_text(&out, sentence);
    writer_u64be(&out, recorder->log.tree.size);
    recorder_send(recorder, IPC_RECORDER_READY, 0, cursor_of(memory, (size_t)(out.at - out.start)));
}

static bool recover(struct recorder *recorder)
{
    struct record_log_recovery recovery;
    enum err err = record_log_open(&recorder->log, recorder->evidence_fd, &recorder->log_key, &recovery);
    char sentence[LIMIT_SENTENCE_BYTES];
    (void)snprintf(sentence, sizeof sentence, "%s", recovery.sentence);
    if (err == ERR_NONE) {
        disk_make_slack(recorder);
        err = recover_all(recorder, &recovery);
        (void)snprintf(sentence, sizeof sentence,
                       "the evidence log holds %" PRIu64
                       " leaves; %zu recordings were open when the recorder stopped "
                       "last, and how far they go is logged now; %" PRIu64 " torn bytes of the log were cut",
                       recorder->log.tree.size, recovery.unclosed_count, recovery.torn_bytes);
        if (err != ERR_NONE) {
            (void)snprintf(sentence, sizeof sentence, "the evidence log cannot be written: %s",
                           err == ERR_SYSTEM ? strerror(errno) : err_text(err));
        }
    }
    free(recovery.unclosed);
    say_ready(recorder, err == ERR_NONE, sentence);
    if (err != ERR_NONE) {
        complain("", sentence);
    }
    return err == ERR_NONE;
}

static int run(const struct arguments *arguments, struct recorder *recorder)
{
    if (!load_log_key(arguments->log_key, recorder) || !load_recipients(arguments->recipients, recorder)) {
        return EXIT_KEYS;
    }
    if (record_tools_init(&recorder->tools) != ERR_NONE) {
        complain("", "no memory");
        return EXIT_KEYS;
    }
    int status = close_sandbox(arguments, recorder);
    if (status != EXIT_SUCCESS) {
        return status;
    }
    if (!recover(recorder)) {
        return EXIT_FOLDERS;
    }
    if (recorder_start(recorder) != ERR_NONE || loop_run(recorder->loop) != ERR_NONE) {
        complain("", strerror(errno));
        return EXIT_RUNNING;
    }
    return recorder->has_failed ? EXIT_RUNNING : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static struct recorder recorder; /* 200 KiB */
    struct arguments arguments = {.uid = 0};
    int status = read_arguments(argc, argv, &arguments);
    if (status >= 0) {
        return status;
    }
    recorder.recordings_fd = -1;
    recorder.evidence_fd = -1;
    recorder.day.fd = -1;
    recorder.staged_fd = -1;
    recorder.host_id = arguments.host_id;
    recorder.min_free_bytes = arguments.min_free_bytes;
    queue_init(&recorder.outbox, RECORDER_OUTBOX_BYTES);
    /* Waking it for a record must not push aside the session that has the keystroke's echo still to send. */
    if (sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){.sched_priority = 0}) != 0) {
        (void)fputs("bastion-recorder: cannot become a batch process; sessions are slower\n", stderr);
    }
    crypto_start();
    status = run(&arguments, &recorder);
    record_log_key_done(&recorder.log_key);
    return status;
}
