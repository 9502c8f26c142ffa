#include "replay/list.h"

#include "studio.h"

static int setup(void **state)
{
    struct host *host = calloc(1, sizeof *host);
    assert_non_null(host);
    host_init(host);
    *state = host;
    return 0;
}

static int teardown(void **state)
{
    host_done(*state);
    free(*state);
    return 0;
}

#define S UINT64_C(1000000)

/* Session `number` of `person`, `begin_s` after the start of the day, in the folder of that day. */
static void add(struct host *host, uint8_t number, const char *person, const char *day, uint64_t begin_s,
                bool is_closed)
{
    char meta[256];
    uint8_t sid[LIMIT_SID_BYTES];
    memset(sid, number, sizeof sid);
    (void)snprintf(meta, sizeof meta,
                   "{\"person\":\"%s\",\"host\":\"h%u\",\"target\":\"web\",\"rule\":\"r\"}", person,
                   number % 2U);
    struct tape *tape = studio_tape(host, sid, meta, HOST_WALL_US + begin_s * S);
    tape_text(host, tape, "hello");
    if (is_closed) {
        tape_close(host, tape);
    }
    char path[HOST_PATH_BYTES];
    (void)snprintf(path, sizeof path, "mkdir -p %s/%s", host->recordings, day);
    host_run(path);
    (void)snprintf(path, sizeof path, "%s/%s/%s.rec", host->recordings, day, tape->hex);
    host_write(path, tape->bytes, tape->len);
    free(tape);
}

/* The first byte of each id, in the order of the list. */
static void expect(const struct host *host, const struct replay_filter_by *by, const char *ids)
{
    OWNED_LIST list = {0};
    assert_int_equal(replay_list_read(host->recordings, by, &list), ERR_NONE);
    char got[256] = "";
    for (size_t i = 0; i < list.count; i++) {
        (void)snprintf(got + strlen(got), 4, "%.2s ", list.entries[i]->sid);
    }
    assert_string_equal(got, ids);
}

static void list_filters_and_order(void **state)
{
    struct host *host = *state;
    add(host, 0x11, "mira", "2026/11/23", 10, true);
    add(host, 0x22, "tom", "2026/11/23", 20, false);
    add(host, 0x33, "mira", "2026/11/24", 90000, true);
    add(host, 0x44, "mira", "2026/11/23", 30, true);
    static const uint64_t DAY_US = HOST_WALL_US;
    const struct {
        struct replay_filter_by by;
        const char *ids;
    } rows[] = {
        {{.until_us = UINT64_MAX}, "33 44 22 11 "},
        {{.until_us = UINT64_MAX, .person = "mira"}, "33 44 11 "},
        {{.until_us = UINT64_MAX, .person = "mir"}, ""},
        {{.until_us = UINT64_MAX, .target = "h0"}, "44 22 "},
        {{.until_us = UINT64_MAX, .target = "web"}, "33 44 22 11 "},
        {{.until_us = UINT64_MAX, .target = "db"}, ""},
        {{.until_us = UINT64_MAX, .is_open = true}, "22 "},
        {{.until_us = DAY_US + 30 * S, .since_us = DAY_US + 20 * S}, "22 "},
        {{.until_us = UINT64_MAX, .limit = 2}, "33 44 "},
        {{.until_us = UINT64_MAX, .limit = 1}, "33 "},
        {{.until_us = UINT64_MAX, .limit = 4}, "33 44 22 11 "},
        {{.until_us = UINT64_MAX, .limit = 1, .person = "tom"}, "22 "},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect(host, &rows[i].by, rows[i].ids);
    }
    OWNED_LIST list = {0};
    assert_int_equal(replay_list_read(host->recordings, &rows[0].by, &list), ERR_NONE);
    const struct replay_entry *closed = list.entries[3];
    assert_true(closed->is_closed && closed->kept_bytes == 5 && closed->exit_status == 0);
    assert_string_equal(closed->how, "ended");
    assert_string_equal(closed->meta.rule, "r");
    assert_string_equal(closed->damage, "");
    assert_false(list.entries[2]->is_closed);
}

static void list_shows_damage(void **state)
{
    struct host *host = *state;
    add(host, 0x11, "mira", "2026/11/23", 10, true);
    add(host, 0x22, "tom", "2026/11/23", 20, true);
    char path[HOST_PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/2026/11/23/%032d.rec", host->recordings, 0);
    host_write(path, (const uint8_t *)"BREC1", 5);
    (void)snprintf(path, sizeof path, "%s/2026/11/23/%032d.rec", host->recordings, 1);
    host_write(path, (const uint8_t *)"no recording, but long enough for a magic and a length", 50);
    (void)snprintf(
        path, sizeof path,
        "cd %s/2026/11/23 && cp 11111111111111111111111111111111.rec 99999999999999999999999999999999.rec && "
        "touch notes.txt 1234.rec && mkdir ffffffffffffffffffffffffffffffff.rec && "
        "ln -s /etc/passwd eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee.rec && mkdir -p ../../../lost+found/1/2",
        host->recordings);
    host_run(path);
    const struct replay_filter_by by = {.until_us = UINT64_MAX, .person = "tom"};
    OWNED_LIST list = {0};
    assert_int_equal(replay_list_read(host->recordings, &by, &list), ERR_NONE);
    assert_int_equal(list.count, 6);
    unsigned damaged = 0;
    for (size_t i = 0; i < list.count; i++) {
        damaged += strlen(list.entries[i]->damage) > 0;
    }
    assert_int_equal(damaged, 5);
}

static void list_meta_is_made_printable(void **state)
{
    (void)state;
    struct replay_meta meta;
    const char hostile[] =
        "{\"person\":\"a\\u001b]0;x\\u0007\\u202e\\u0000z\",\"account\":7,\"host\":{\"x\":1},"
        "\"rule\":\"0123456789\"}";
    assert_int_equal(replay_meta_parse(cursor_of_text(hostile), &meta), ERR_NONE);
    assert_string_equal(meta.person, "a?]0;x???z");
    assert_string_equal(meta.account, "");
    assert_string_equal(meta.host, "");
    assert_string_equal(meta.rule, "0123456789");
    static const char *const BAD[] = {
        "", "[]", "{", "{}x", "{\"a\":1,\"a\":2}", "null", "\"x\"", "{\"a\":\"\xff\"}"};
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        assert_int_equal(replay_meta_parse(cursor_of_text(BAD[i]), &meta), ERR_MALFORMED);
    }
}

static void list_find_by_prefix(void **state)
{
    struct host *host = *state;
    add(host, 0x11, "mira", "2026/11/23", 10, true);
    uint8_t sid[LIMIT_SID_BYTES] = {0x11, 0x11, 0x11, 0x22};
    struct tape *tape = studio_tape(host, sid, "{}", HOST_WALL_US);
    tape_save(host, tape, tape->bytes, tape->len);
    free(tape);
    static const struct {
        const char *prefix;
        enum err err;
    } ROWS[] = {
        {"11111111", ERR_NONE},
        {"11111122", ERR_NONE},
        {"1111", ERR_STATE},
        {"111", ERR_MALFORMED},
        {"", ERR_MALFORMED},
        {"2222", ERR_NOT_FOUND},
        {"11/1", ERR_MALFORMED},
        {"AAAA", ERR_MALFORMED},
        {"../../", ERR_MALFORMED},
        {"11111111111111111111111111111111", ERR_NONE},
        {"111111111111111111111111111111111", ERR_MALFORMED},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        char path[REPLAY_PATH_BYTES];
        char found[REPLAY_SID_BYTES];
        assert_int_equal(replay_list_find(host->recordings, ROWS[i].prefix, path, found), ROWS[i].err);
        if (ROWS[i].err == ERR_NONE) {
            assert_int_equal(strncmp(found, ROWS[i].prefix, strlen(ROWS[i].prefix)), 0);
            assert_int_equal(access(path, R_OK), 0);
        }
    }
    char path[REPLAY_PATH_BYTES];
    char found[REPLAY_SID_BYTES];
    assert_int_equal(replay_list_find("/nonexistent", "1111", path, found), ERR_NOT_FOUND);
}

static void list_without_folder_is_not_found(void **state)
{
    (void)state;
    const struct replay_filter_by by = {.until_us = UINT64_MAX};
    OWNED_LIST list = {0};
    assert_int_equal(replay_list_read("/nonexistent", &by, &list), ERR_NOT_FOUND);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test_setup_teardown(list_filters_and_order, setup, teardown),
        cmocka_unit_test_setup_teardown(list_shows_damage, setup, teardown),
        cmocka_unit_test(list_meta_is_made_printable),
        cmocka_unit_test_setup_teardown(list_find_by_prefix, setup, teardown),
        cmocka_unit_test(list_without_folder_is_not_found),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
