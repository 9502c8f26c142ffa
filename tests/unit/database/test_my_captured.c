/* Conversations with a MariaDB 10.11, captured on both sides of the relay: the same bytes come out, and the
 * records say what happened, however the bytes are cut. */
#include "database/talk.h"

enum { VECTOR_BYTES = 65536, FROM_CLIENT = 0, FROM_TARGET = 1, TO_CLIENT = 2 };

struct vector {
    const char *name;
    struct db_config config;
    bool has_infile;
    const char *token;
};
static const struct vector VECTORS[] = {
    {.name = "eof"},
    {.name = "no_eof"},
    {.name = "track"},
    {.name = "infile", .has_infile = true},
    {.name = "ask_ed25519", .config = {.login = DB_LOGIN_ASK}},
    {.name = "client_ed25519"},
    {.name = "token", .config = {.login = DB_LOGIN_TOKEN}, .token = "secret-n"},
    {.name = "terminate", .config = {.client_tls = DB_CLIENT_TLS_TERMINATE}},
    {.name = "wrong_password"},
};

static struct cursor read_file(const char *name, const char *kind, uint8_t *memory)
{
    char path[128];
    (void)snprintf(path, sizeof path, "tests/vectors/mysql/%s.%s", name, kind);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(memory, 1, VECTOR_BYTES, file);
    assert_true(len > 0 && len < VECTOR_BYTES);
    assert_int_equal(fclose(file), 0);
    return cursor_of(memory, len);
}

static bool allows(void *owner, struct cursor user, struct cursor database, const char **ret_reason)
{
    (void)owner;
    *ret_reason = "policy says no to that (code X)";
    return !cursor_equal_text(user, "forbidden") && !cursor_equal_text(database, "forbidden");
}

static void begin(struct talk *talk, const struct vector *vector, size_t chunk_bytes)
{
    struct db_config config = vector->config;
    config.protocol = DB_MYSQL;
    talk_open(talk, config);
    talk->rights.allows = allows;
    talk->rights.local_infile = vector->has_infile;
    talk->token = vector->token;
    talk->chunk_bytes = chunk_bytes;
}

/* The next part of the capture: { u8 which, u32 length, bytes }. */
static bool next_part(struct cursor *in, uint8_t *ret_which, struct cursor *ret_bytes)
{
    return cursor_u8(in, ret_which) == ERR_NONE && cursor_string(in, VECTOR_BYTES, ret_bytes) == ERR_NONE;
}

/* Lines that end with an empty field: files of the tree have no blanks there. */
static void trim_lines(struct talk *talk)
{
    char *to = talk->log;
    for (const char *at = talk->log; *at != 0; at++) {
        while (*at == '\n' && to > talk->log && to[-1] == ' ') {
            to--;
        }
        *to++ = *at;
    }
    *to = 0;
}

static void check(struct talk *talk, struct cursor capture, const char *records)
{
    struct cursor bytes;
    uint8_t which = 0;
    for (struct cursor in = capture; next_part(&in, &which, &bytes);) {
        if (which == FROM_CLIENT || which == FROM_TARGET) {
            talk_bytes(talk, (enum db_side)which, bytes);
        } else {
            struct queue *got = &talk->got[which - TO_CLIENT];
            struct cursor sent = queue_peek(got);
            assert_true(cursor_len(&sent) >= cursor_len(&bytes));
            assert_memory_equal(sent.at, bytes.at, cursor_len(&bytes));
            queue_consume(got, cursor_len(&bytes));
        }
    }
    assert_int_equal(queue_len(&talk->got[0]) + queue_len(&talk->got[1]), 0);
    trim_lines(talk);
    talk_log_is(talk, records);
}

static void captured_conversations_pass_whole_and_cut_anywhere(void **state)
{
    (void)state;
    static const size_t CHUNKS[] = {0, 1, 2, 3, 5, 7, 4096};
    static uint8_t capture_memory[VECTOR_BYTES];
    static uint8_t records_memory[VECTOR_BYTES];
    struct talk *talk = malloc(sizeof *talk);
    assert_non_null(talk);
    for (size_t i = 0; i < COUNT_OF(VECTORS); i++) {
        struct cursor capture = read_file(VECTORS[i].name, "talk", capture_memory);
        struct cursor records = read_file(VECTORS[i].name, "records", records_memory);
        records_memory[cursor_len(&records)] = 0;
        for (size_t j = 0; j < COUNT_OF(CHUNKS); j++) {
            begin(talk, &VECTORS[i], CHUNKS[j]);
            check(talk, capture, (const char *)records_memory);
            talk_end(talk);
        }
    }
    free(talk);
}

/* The connection ends after every single byte: no state is left without an end, and nothing is invented. */
static void captured_conversations_cut_short_end_once(void **state)
{
    (void)state;
    static uint8_t memory[VECTOR_BYTES];
    struct cursor capture = read_file("infile", "talk", memory);
    struct talk *talk = malloc(sizeof *talk);
    assert_non_null(talk);
    size_t total = cursor_len(&capture);
    for (size_t len = 0; len < total; len++) {
        begin(talk, &VECTORS[3], 0);
        struct cursor in = cursor_of(capture.at, len);
        struct cursor bytes;
        uint8_t which = 0;
        while (next_part(&in, &which, &bytes)) {
            if (which < TO_CLIENT) {
                talk_bytes(talk, (enum db_side)which, bytes);
            }
        }
        assert_int_equal(db_relay_eof(talk->relay, (enum db_side)(len % 2), talk->now_us), ERR_NONE);
        assert_int_equal(db_relay_need(talk->relay), DB_NEED_END);
        talk_end(talk);
    }
    free(talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captured_conversations_pass_whole_and_cut_anywhere),
        cmocka_unit_test(captured_conversations_cut_short_end_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
