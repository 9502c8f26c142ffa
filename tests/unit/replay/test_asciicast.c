#include "replay/asciicast.h"

#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "unit_test.h"

#define S UINT64_C(1000000)
#define E "\x1b"

static struct replay_event output(uint64_t t_us, const char *text)
{
    return (struct replay_event){.t_us = t_us, .kind = REPLAY_OUTPUT, .bytes = cursor_of_text(text)};
}

static const struct replay_cast_head HEAD = {.cols = 100,
                                             .rows = 30,
                                             .wall_us = 1769855405 * (uint64_t)S + 7,
                                             .title = "alice \"root\"@db",
                                             .term = "xterm"};

static void write_all(unsigned version, bool is_raw, const struct replay_event *events, size_t count,
                      struct queue *out)
{
    queue_init(out, 1 << 22);
    struct replay_cast cast;
    replay_cast_init(&cast, version, is_raw);
    assert_int_equal(replay_cast_begin(&cast, &HEAD, out), ERR_NONE);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(replay_cast_event(&cast, &events[i], out), ERR_NONE);
    }
    assert_int_equal(replay_cast_end(&cast, 4 * S, 3, out), ERR_NONE);
    replay_cast_done(&cast);
    assert_int_equal(queue_append(out, cursor_of("", 1)), ERR_NONE);
}

static void expect(unsigned version, bool is_raw, const struct replay_event *events, size_t count,
                   const char *lines)
{
    struct queue out;
    write_all(version, is_raw, events, count, &out);
    assert_string_equal((const char *)queue_bytes(&out), lines);
    queue_done(&out);
}

static const struct replay_event RESIZE = {.t_us = 1500000, .kind = REPLAY_RESIZE, .cols = 5000, .rows = 1};

static void cast_second_version(void **state)
{
    (void)state;
    struct replay_event events[] = {output(100000, "a\"\r\n" E "[31m" E "]0;t\ax"),
                                    RESIZE,
                                    output(1500001, "caf\xc3"),
                                    output(2 * S, "\xa9\xff"),
                                    output(3 * S, E "[3"),
                                    output(2 * S, "1mz\xe2\x82")};
    expect(2, false, events, COUNT_OF(events),
           "{\"version\":2,\"width\":100,\"height\":30,\"timestamp\":1769855405,\"title\":\"alice "
           "\\\"root\\\"@db\","
           "\"env\":{\"TERM\":\"xterm\"}}\n"
           "[0.1,\"o\",\"a\\\"\\r\\n\\u001B[31mx\"]\n"
           "[1.5,\"r\",\"1000x2\"]\n"
           "[1.500001,\"o\",\"caf\"]\n"
           "[2.0,\"o\",\"\xc3\xa9\xef\xbf\xbd\"]\n"
           "[2.0,\"o\",\"\\u001B[31mz\"]\n"
           "[4.0,\"o\",\"\xef\xbf\xbd\"]\n");
}

static void cast_third_version(void **state)
{
    (void)state;
    struct replay_event events[] = {output(100000, "a"), RESIZE, output(86400 * (uint64_t)S + 1, "b")};
    expect(
        3, false, events, COUNT_OF(events),
        "{\"version\":3,\"timestamp\":1769855405,\"title\":\"alice \\\"root\\\"@db\",\"term\":{\"cols\":100,"
        "\"rows\":30,\"type\":\"xterm\"}}\n"
        "[0.1,\"o\",\"a\"]\n"
        "[1.4,\"r\",\"1000x2\"]\n"
        "[86398.500001,\"o\",\"b\"]\n"
        "[0.0,\"x\",\"3\"]\n");
}

static void cast_raw_keeps_sequences(void **state)
{
    (void)state;
    struct replay_event events[] = {output(0, E "]52;c;QQ==\a\xf0\x9f"),
                                    output(1, "\x98\x80\xed\xa0\x80\xc3")};
    expect(2, true, events, COUNT_OF(events),
           "{\"version\":2,\"width\":100,\"height\":30,\"timestamp\":1769855405,\"title\":\"alice "
           "\\\"root\\\"@db\","
           "\"env\":{\"TERM\":\"xterm\"}}\n"
           "[0.0,\"o\",\"\\u001B]52;c;QQ==\\u0007\"]\n"
           "[1e-6,\"o\",\"\xf0\x9f\x98\x80\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"]\n"
           "[4.0,\"o\",\"\xef\xbf\xbd\"]\n");
}

static void cast_nul_and_large_records(void **state)
{
    (void)state;
    static uint8_t body[65536];
    struct queue out;
    struct replay_event events[] = {{.kind = REPLAY_OUTPUT, .bytes = cursor_of(body, sizeof body)}};
    write_all(2, true, events, 1, &out);
    assert_true(queue_len(&out) > 6 * sizeof body);
    assert_non_null(strstr((const char *)queue_bytes(&out), "\\u0000\\u0000"));
    queue_done(&out);
    memset(body, 0xff, sizeof body); /* three bytes each */
    write_all(2, false, events, 1, &out);
    assert_true(queue_len(&out) > 3 * sizeof body);
    queue_done(&out);
}

/* The real thing: Debian's asciinema prints what we wrote. */
static void cast_is_understood_by_asciinema(void **state)
{
    (void)state;
    if (access("/usr/bin/asciinema", X_OK) != 0) {
        skip();
    }
    char folder[] = "/tmp/test_asciicast.XXXXXX";
    assert_non_null(mkdtemp(folder));
    char path[64];
    (void)snprintf(path, sizeof path, "%s/x.cast", folder);
    struct replay_event events[] = {output(0, "caf\xc3"), output(10000, "\xa9" E "[31m!" E "]0;t\a"), RESIZE,
                                    output(20000, "\r\nend\xff")};
    struct queue out;
    write_all(2, false, events, COUNT_OF(events), &out);
    OWNED_FD fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, cursor_of(queue_bytes(&out), queue_len(&out) - 1)), ERR_NONE);
    queue_done(&out);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int terminal = -1;
    pid_t child = forkpty(&terminal, NULL, NULL, NULL); /* it opens /dev/tty */
    if (child == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)setenv("HOME", folder, 1);
        (void)setenv("LC_ALL", "C.UTF-8", 1);
        (void)setenv("ASCIINEMA_CONFIG_HOME", folder, 1);
        (void)execl("/usr/bin/asciinema", "asciinema", "cat", path, (char *)NULL);
        _exit(127);
    }
    (void)close(ends[1]);
    char text[256] = "";
    size_t len = 0;
    for (ssize_t got = 1; got > 0 && len<sizeof text - 1; len += got> 0 ? (size_t)got : 0) {
        got = read(ends[0], text + len, sizeof text - 1 - len);
    }
    (void)close(ends[0]);
    (void)close(terminal);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_non_null(strstr(text, "caf\xc3\xa9" E "[31m!\r\nend\xef\xbf\xbd"));
    (void)unlink(path);
    char install_id[64];
    (void)snprintf(install_id, sizeof install_id, "%s/install-id", folder);
    (void)unlink(install_id);
    (void)rmdir(folder);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(cast_second_version),
        cmocka_unit_test(cast_third_version),
        cmocka_unit_test(cast_raw_keeps_sequences),
        cmocka_unit_test(cast_nul_and_large_records),
        cmocka_unit_test(cast_is_understood_by_asciinema),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
