/* The program `bastion` itself, on recordings that the room record wrote, opened with a key of stock age. */
#include <pty.h>
#include <sys/wait.h>

#include "studio.h"

enum { OUTPUT_BYTES = 1 << 20, WORDS_MAX = 24 };
#define TERMINAL_ID "11111111111111111111111111111111"

struct lab {
    struct host host;
    char identity[HOST_PATH_BYTES], public_key[HOST_PATH_BYTES];
};

struct result {
    int status;
    char out[OUTPUT_BYTES], err[OUTPUT_BYTES];
};

static int setup(void **state)
{
    struct lab *lab = calloc(1, sizeof *lab);
    assert_non_null(lab);
    struct host *host = &lab->host;
    host_init(host);
    (void)snprintf(lab->identity, sizeof lab->identity, "%s/identity", host->root);
    (void)snprintf(lab->public_key, sizeof lab->public_key, "%s.pub", host->key_path);
    char command[4 * HOST_PATH_BYTES];
    (void)snprintf(command, sizeof command,
                   "age-keygen -o %s 2>/dev/null && age-keygen -y %s > %s/recipients", lab->identity,
                   lab->identity, host->root);
    host_run(command);
    uint8_t text[256];
    char sentence[RECORD_AGE_SENTENCE_BYTES];
    (void)snprintf(command, sizeof command, "%s/recipients", host->root);
    struct cursor recipients = cursor_of(text, host_read(command, text, sizeof text));
    assert_int_equal(record_recipients_parse(recipients, &host->recipients, sentence), ERR_NONE);
    struct tape *tape = studio_tape_of(host, 0x11, STUDIO_META);
    studio_perform(host, tape);
    free(tape);
    *state = lab;
    return 0;
}

static int teardown(void **state)
{
    struct lab *lab = *state;
    host_done(&lab->host);
    free(lab);
    return 0;
}

static void read_back(const char *path, char text[static OUTPUT_BYTES])
{
    size_t len = host_read(path, (uint8_t *)text, OUTPUT_BYTES - 1);
    text[len] = 0;
    (void)unlink(path);
}

/* Run `bastion` with `words` by the shell, and with the lab's folders and keys where `is_equipped`. */
static struct result *run(const struct lab *lab, bool is_equipped, const char *words)
{
    static struct result result;
    char out[HOST_PATH_BYTES];
    char err[HOST_PATH_BYTES];
    char command[8192];
    (void)snprintf(out, sizeof out, "%s/stdout", lab->host.root);
    (void)snprintf(err, sizeof err, "%s/stderr", lab->host.root);
    char equipment[4 * HOST_PATH_BYTES] = "";
    if (is_equipped) {
        (void)snprintf(equipment, sizeof equipment, "--recordings %s --evidence %s --key %s",
                       lab->host.recordings, lab->host.evidence, lab->public_key);
    }
    (void)snprintf(command, sizeof command, "BASTION_IDENTITY=%s %s %s %s >%s 2>%s </dev/null", lab->identity,
                   BASTION_PROGRAM, words, equipment, out, err);
    int status = system(command);
    assert_true(WIFEXITED(status));
    result.status = WEXITSTATUS(status);
    read_back(out, result.out);
    read_back(err, result.err);
    return &result;
}

static void expect_text(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        print_error("no <%s> in:\n%s\n", part, text);
        fail();
    }
}

static void expect_no_text(const char *text, const char *part)
{
    if (strstr(text, part) != NULL) {
        print_error("<%s> in:\n%s\n", part, text);
        fail();
    }
}

static void cli_help_and_usage(void **state)
{
    static const struct {
        const char *words;
        int status;
        const char *out, *err;
    } ROWS[] = {
        {"--help", 0, "usage: bastion COMMAND", ""},
        {"--version", 0, "bastion 0.", ""},
        {"", 2, "", "usage: bastion COMMAND"},
        {"nonsense", 2, "", "no such command"},
        {"sessions --help", 0, "exit status:", ""},
        {"replay --help", 0, "exit status:", ""},
        {"export --help", 0, "exit status:", ""},
        {"verify --help", 0, "exit status:", ""},
        {"sessions extra", 2, "", "takes no words"},
        {"sessions --since yesterday", 2, "", "is no time"},
        {"sessions --limit many", 2, "", "is no number"},
        {"sessions --nonsense", 2, "", "bastion sessions --help"},
        {"replay", 2, "", "one session id"},
        {"replay --speed 0 1111", 2, "", "--speed does not take 0"},
        {"replay --channel 0 1111", 2, "", "--channel does not take 0"},
        {"replay --at noon 1111", 2, "", "--at does not take noon"},
        {"export 1111", 2, "", "--asciicast"},
        {"verify 1111 2222", 2, "", "one session id, or --all"},
        {"verify --all 1111", 2, "", "one session id, or --all"},
        {"policy", 2, "", ""},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct result *result = run(*state, false, ROWS[i].words);
        assert_int_equal(result->status, ROWS[i].status);
        expect_text(result->out, ROWS[i].out);
        expect_text(result->err, ROWS[i].err);
    }
}

static void cli_sessions(void **state)
{
    struct result *result = run(*state, true, "sessions");
    assert_int_equal(result->status, 0);
    expect_text(result->out, "ID            START (UTC)");
    expect_text(result->out,
                "111111111111  2026-11-23 00:00:00  00:00:04  mira    ec2-user@web-1.internal  198.51.100.7"
                "  ended  0 ");
    expect_text(result->out, "web-shell\n");
    expect_no_text(result->out, "\x1b");
    result = run(*state, true, "sessions --json --user mira --since 2026-11-22");
    assert_int_equal(result->status, 0);
    expect_text(result->out,
                "{\"id\":\"" TERMINAL_ID "\",\"start\":\"2026-11-23T00:00:00.000000Z\",\"duration_s\":4.0");
    expect_text(result->out, "\"closed\":true,\"how\":\"ended\"");
    result = run(*state, true, "sessions --user tom");
    assert_int_equal(result->status, 1);
    expect_text(result->err, "nothing matches");
    result = run(*state, false, "sessions --recordings /nonexistent --evidence x --key y");
    assert_int_equal(result->status, 3);
    result = run(*state, false, "sessions --config /nonexistent");
    assert_int_equal(result->status, 3);
}

static void cli_replay_writes_filtered_output(void **state)
{
    struct result *result = run(*state, true, "replay 1111");
    assert_int_equal(result->status, 0);
    assert_string_equal(result->out, "\x1b[32m$ \x1b[0mpsql prdo\b\bod-db\r\ncaf\xc3\xa9\r\n");
    expect_text(result->err, "OK  ");
    expect_text(result->err, "mira ec2-user@web-1.internal  from 198.51.100.7  rule web-shell");
    expect_text(result->err, ">   1  00:00:00 - 00:00:03  terminal");
    expect_text(result->err, "make ?[31mall  (exit status 3)");
    expect_text(result->err, "1 requests were refused");
    expect_text(result->err, "3 escape sequences were removed");
    expect_no_text(result->err, "\x1b");
    result = run(*state, true, "replay 1111 --channel 2");
    assert_int_equal(result->status, 0);
    assert_string_equal(result->out, "out one\ntwo\n");
    expect_text(result->err, "$ make ?[31mall\n");
    expect_text(result->err, "warning\n");
    expect_text(result->err, "[stdout: 22 B of 4.8 KiB were kept");
    result = run(*state, true, "replay 1111 --channel 2 --raw");
    assert_string_equal(result->out, "out \x1bP$qm\x1b\\one\ntwo\n");
    result = run(*state, true, "replay 1111 --show-removed");
    expect_text(result->out, "\x1b[7m^[]52;c;cm0gLXJmIC8K\x1b[27m");
    result = run(*state, true, "replay 1111 --channel 9");
    assert_int_equal(result->status, 1);
    result = run(*state, true, "replay 1111 --channel 3 --plain");
    assert_int_equal(result->status, 0);
    assert_string_equal(result->out, "");
}

static void cli_replay_plain_is_what_was_read(void **state)
{
    struct result *result = run(*state, true, "replay 1111 --plain");
    assert_int_equal(result->status, 0);
    assert_string_equal(result->out, "$ psql prod-db\ncaf\xc3\xa9\n");
    result = run(*state, true, "replay 1111 --plain --channel 2");
    assert_string_equal(result->out, "out one\ntwo\nwarning\n");
}

static void cli_replay_events(void **state)
{
    struct result *result = run(*state, true, "replay 1111 --events");
    assert_int_equal(result->status, 0);
    expect_text(result->out, "00:00:00.100    -  target_login   ec2-user SHA256:abc\n");
    expect_text(result->out, "00:00:00.100    1  pty            xterm-256color 40x10\n");
    expect_text(result->out, "00:00:00.100    1  env            LANG=C.UTF-8\n");
    expect_text(result->out, "00:00:03.000    2  exec           make ?[31mall\n");
    expect_text(result->out, "00:00:04.000    3  refused        x11-req: X11 forwarding is not allowed\n");
    result = run(*state, true, "replay 1111 --events --json");
    expect_text(result->out, "{\"t\":3.0,\"channel\":2,\"event\":\"exec\",\"text\":\"make ?[31mall\"}\n");
    expect_text(result->out,
                "{\"t\":4.0,\"channel\":null,\"event\":\"end\",\"text\":\"exit status 3, exit\"}\n");
}

static void cli_replay_names_what_is_missing(void **state)
{
    struct lab *lab = *state;
    struct result *result = run(lab, true, "replay 2222");
    assert_int_equal(result->status, 1);
    expect_text(result->err, "no recording in");
    result = run(lab, true, "replay xyz1");
    assert_int_equal(result->status, 2);
    char words[2048];
    (void)snprintf(words, sizeof words, "replay 1111 --identity %s/nothing", lab->host.root);
    result = run(lab, true, words);
    assert_int_equal(result->status, 3);
    expect_text(result->err, "the private key file");
    char command[2048];
    (void)snprintf(command, sizeof command, "age-keygen -o %s/other 2>/dev/null", lab->host.root);
    host_run(command);
    (void)snprintf(words, sizeof words, "replay 1111 --identity %s/other", lab->host.root);
    result = run(lab, true, words);
    assert_int_equal(result->status, 3);
    expect_text(result->err, "sealed for other keys");
    (void)snprintf(command, sizeof command, "chmod 644 %s", lab->identity);
    host_run(command);
    result = run(lab, true, "replay 1111");
    assert_int_equal(result->status, 3);
    expect_text(result->err, "chmod 600");
    (void)snprintf(command, sizeof command, "chmod 600 %s; rm %s/" HOST_DAY "/*.age", lab->identity,
                   lab->host.recordings);
    host_run(command);
    result = run(lab, true, "replay 1111");
    assert_int_equal(result->status, 3);
    expect_text(result->err, "key file");
    result = run(lab, false, "replay --identity '' 1111");
    assert_int_equal(result->status == 1 || result->status == 3, true);
}

static void cli_tampered_needs_force(void **state)
{
    struct lab *lab = *state;
    char path[HOST_PATH_BYTES];
    static uint8_t bytes[HOST_FILE_BYTES];
    (void)snprintf(path, sizeof path, "%s/" HOST_DAY "/" TERMINAL_ID ".rec", lab->host.recordings);
    size_t len = host_read(path, bytes, sizeof bytes);
    bytes[len - 300] ^= 1;
    host_write(path, bytes, len);
    struct result *result = run(lab, true, "replay 1111");
    assert_int_equal(result->status, 1);
    assert_string_equal(result->out, "");
    expect_text(result->err, "TAMPERED");
    expect_text(result->err, "--force");
    result = run(lab, true, "replay 1111 --force");
    assert_int_equal(result->status, 0);
    expect_text(result->out, "psql");
    expect_text(result->err, "TAMPERED");
    expect_text(result->err, "cannot be read further");
    result = run(lab, true, "export --asciicast 1111");
    assert_int_equal(result->status, 1);
    result = run(lab, true, "verify --all");
    assert_int_equal(result->status, 1);
    expect_text(result->out, "TAMPERED");
    expect_text(result->out, "1 faults");
    result = run(lab, true, "verify --json 1111");
    assert_int_equal(result->status, 1);
    expect_text(result->out, "\"verdict\":\"TAMPERED\"");
    expect_text(result->out, "\"whole\":false");
}

static void cli_verify(void **state)
{
    struct lab *lab = *state;
    struct result *result = run(lab, true, "verify");
    assert_int_equal(result->status, 0);
    expect_text(result->out, "evidence log");
    expect_text(result->out, TERMINAL_ID " mira on web-1.internal");
    expect_text(result->out, "1 recordings: 0 faults");
    result = run(lab, true, "verify --all --quiet");
    assert_int_equal(result->status, 0);
    expect_no_text(result->out, TERMINAL_ID);
    result = run(lab, true, "verify 1111 --json");
    assert_int_equal(result->status, 0);
    expect_text(result->out, "{\"type\":\"log\",\"verdict\":\"OK\"");
    expect_text(result->out, "\"id\":\"" TERMINAL_ID "\",\"verdict\":\"OK\"");
    expect_text(result->out, "{\"type\":\"summary\",\"whole\":true,\"recordings\":1,");
    result = run(lab, true, "verify 22222222222222222222222222222222");
    assert_int_equal(result->status, 1);
    result = run(lab, false, "verify --recordings /nonexistent --evidence /nonexistent --key /nonexistent");
    assert_int_equal(result->status, 3);
    char command[1024];
    (void)snprintf(command, sizeof command, "rm %s/" HOST_DAY "/*.rec", lab->host.recordings);
    host_run(command);
    result = run(lab, true, "verify");
    assert_int_equal(result->status, 1);
    expect_text(result->out, "DELETED");
}

static void cli_export(void **state)
{
    struct lab *lab = *state;
    struct result *result = run(lab, true, "export --asciicast 1111");
    assert_int_equal(result->status, 0);
    expect_text(result->out,
                "{\"version\":2,\"width\":40,\"height\":10,\"timestamp\":1795392000,\"title\":\"mira "
                "ec2-user@web-1.internal: shell\",\"env\":{\"TERM\":\"xterm-256color\"}}\n");
    expect_text(result->out, "[1.0,\"o\",\"\\u001B[32m$ \\u001B[0mpsql prdo\\b\\bod-db\\r\\n\"]\n");
    expect_text(result->out, "[1.5,\"o\",\"caf\"]\n[2.0,\"o\",\"\xc3\xa9\\r\\n\"]\n[2.5,\"r\",\"60x20\"]\n");
    assert_string_equal(result->err, "");
    result = run(lab, true, "export --asciicast --v3 --channel 2 1111");
    expect_text(result->out, "[3.1,\"o\",\"out one\\r\\ntwo\\r\\n\"]\n[0.1,\"o\",\"warning\\r\\n\"]\n");
    expect_text(result->out, "\"x\",\"3\"]\n");
    char words[1024];
    (void)snprintf(words, sizeof words, "export --asciicast 1111 --raw --output %s/x.cast", lab->host.root);
    result = run(lab, true, words);
    assert_int_equal(result->status, 0);
    assert_string_equal(result->out, "");
    result = run(lab, true, words); /* a file is never replaced */
    assert_int_equal(result->status, 3);
    (void)snprintf(words, sizeof words, "%s/x.cast", lab->host.root);
    static uint8_t cast[OUTPUT_BYTES];
    size_t len = host_read(words, cast, sizeof cast - 1);
    cast[len] = 0;
    expect_text((const char *)cast, "]52;c;");
}

static void read_terminal(int terminal, char *text, size_t *len, const char *until)
{
    for (unsigned tries = 0; tries < 1000 && strstr(text, until) == NULL; tries++) {
        ssize_t got = read(terminal, text + *len, OUTPUT_BYTES - 1 - *len);
        if (got <= 0) {
            break;
        }
        *len += (size_t)got;
        text[*len] = 0;
    }
    expect_text(text, until);
}

/* In a real terminal: it plays, pauses, seeks back, quits and leaves the terminal as it was. */
static void cli_replay_plays_in_a_terminal(void **state)
{
    struct lab *lab = *state;
    int terminal = -1;
    struct winsize size = {.ws_row = 12, .ws_col = 100};
    pid_t child = forkpty(&terminal, NULL, NULL, &size);
    assert_true(child >= 0);
    if (child == 0) {
        (void)execl(BASTION_PROGRAM, "bastion", "replay", "1111", "--identity", lab->identity, "--recordings",
                    lab->host.recordings, "--evidence", lab->host.evidence, "--key", lab->public_key,
                    "--speed", "8", (char *)NULL);
        _exit(127);
    }
    static char text[OUTPUT_BYTES];
    size_t len = 0;
    memset(text, 0, sizeof text);
    read_terminal(terminal, text, &len, "\x1b[?1049h");
    expect_text(text, "OK\x1b[0m  ");
    read_terminal(terminal, text, &len, "od-db");
    read_terminal(terminal, text, &len, "caf\xc3\xa9");
    read_terminal(terminal, text, &len, "  END  ");
    expect_no_text(text, "]52;");
    expect_no_text(text, "\x1b[6n");
    expect_no_text(text, "\x1b]0;evil");
    assert_int_equal(write(terminal, "0 ", 2), 2); /* the beginning, paused */
    read_terminal(terminal, text, &len, "00:00:00 / 00:00:04  8.0x  PAUSED");
    size_t before = len;
    assert_int_equal(write(terminal, "...", 3), 3);
    read_terminal(terminal, text + before, &(size_t){0}, "psql");
    assert_int_equal(write(terminal, "q", 1), 1);
    len = strlen(text);
    read_terminal(terminal, text, &len, "\x1b[?1049l");
    (void)close(terminal);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* --raw in a terminal is what it says: the bytes as they were, and the terminal is reset afterwards. */
static void cli_replay_raw_in_a_terminal(void **state)
{
    struct lab *lab = *state;
    int terminal = -1;
    pid_t child = forkpty(&terminal, NULL, NULL, NULL);
    assert_true(child >= 0);
    if (child == 0) {
        (void)execl(BASTION_PROGRAM, "bastion", "replay", "1111", "--identity", lab->identity, "--recordings",
                    lab->host.recordings, "--evidence", lab->host.evidence, "--key", lab->public_key, "--raw",
                    "--speed", "100", (char *)NULL);
        _exit(127);
    }
    static char text[OUTPUT_BYTES];
    size_t len = 0;
    memset(text, 0, sizeof text);
    read_terminal(terminal, text, &len, "\x1b]52;c;cm0gLXJmIC8K\a");
    read_terminal(terminal, text, &len, "\x1b[?2004l");
    (void)close(terminal);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The vectors of the recording format: what another implementation would read, too. */
static void cli_reads_the_vectors(void **state)
{
    struct lab *lab = *state;
    char words[4096];
    (void)snprintf(words, sizeof words, "install -m 600 %s/identity.txt %s/vector-identity", TEST_VECTORS,
                   lab->host.root);
    host_run(words);
    static const char PLACES[] = "--recordings " TEST_VECTORS "/recordings --evidence " TEST_VECTORS
                                 "/evidence --key " TEST_VECTORS "/log.pub";
    (void)snprintf(words, sizeof words, "verify %s", PLACES);
    struct result *result = run(lab, false, words);
    assert_int_equal(result->status, 0);
    expect_text(result->out, "OK           41414141414141414141414141414141");
    (void)snprintf(words, sizeof words, "replay 4141 --identity %s/vector-identity %s", lab->host.root,
                   PLACES);
    result = run(lab, false, words);
    assert_int_equal(result->status, 0);
    expect_text(result->out, "uid=1000(ec2-user)\n");
    expect_text(result->err, "$ id\n");
}

int main(void)
{
    if (access("/usr/bin/age-keygen", X_OK) != 0) {
        (void)fputs("age-keygen is not installed\n", stderr);
        return 77;
    }
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test_setup_teardown(cli_help_and_usage, setup, teardown),
        cmocka_unit_test_setup_teardown(cli_sessions, setup, teardown),
        cmocka_unit_test_setup_teardown(cli_replay_writes_filtered_output, setup, teardown),
        cmocka_unit_test_setup_teardown(cli_replay_plain_is_what_was_read, setup, teardown),
        cmocka_unit_test_setup_teardown(cli_replay_events, setup, teardown),
        cmocka_unit_test_setup_teardown(cli_replay_names_what_is_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(cli_tampered_needs_force, setup, teardown),
        cmocka_unit_test_setup_teardown(cli_verify, setup, teardown),
        cmocka_unit_test_setup_teardown(cli_export, setup, teardown),
        cmocka_unit_test_setup_teardown(cli_replay_plays_in_a_terminal, setup, teardown),
        cmocka_unit_test_setup_teardown(cli_replay_raw_in_a_terminal, setup, teardown),
        cmocka_unit_test_setup_teardown(cli_reads_the_vectors, setup, teardown),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
