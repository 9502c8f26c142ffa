/* Tree, notes, keys, leaves and the log. */
#include "record/host.h"

#include "crypto/base64.h"

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

static void tree_roots_are_those_of_certificate_transparency(void **state)
{
    (void)state;
    /* The leaves and roots of the reference tests of RFC 6962's authors (certificate-transparency,
     * merkle_tree_test). */
    static const struct {
        const char *leaf, *root;
    } ROWS[] = {
        {"", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
        {"00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
        {"10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
        {"2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
        {"3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
        {"40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
        {"5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
        {"606162636465666768696a6b6c6d6e6f",
         "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
    };
    struct record_tree tree = {0};
    OWNED_SHA256 hash = {0};
    uint8_t root[CRYPTO_SHA256_BYTES];
    char hex[2 * CRYPTO_SHA256_BYTES + 1];
    record_tree_root(&tree, &hash, root);
    assert_string_equal(text_hex(cursor_of(root, sizeof root), hex, sizeof hex),
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        uint8_t leaf[16];
        size_t len = strlen(ROWS[i].leaf) / 2;
        assert_int_equal(text_unhex(cursor_of_text(ROWS[i].leaf), leaf, len), ERR_NONE);
        record_tree_add(&tree, &hash, cursor_of(leaf, len));
        record_tree_root(&tree, &hash, root);
        assert_string_equal(text_hex(cursor_of(root, sizeof root), hex, sizeof hex), ROWS[i].root);
    }
    assert_int_equal(tree.size, COUNT_OF(ROWS));
}

/* The example of Go's golang.org/x/mod/sumdb/note. */
static const char GO_SKEY[] =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
static const char GO_VKEY[] = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

static void keys_are_those_of_go_note(void **state)
{
    (void)state;
    struct record_vkey vkey;
    struct record_log_key key = {0};
    char text[RECORD_KEY_TEXT_BYTES];
    assert_int_equal(record_vkey_parse(cursor_of_text(GO_VKEY), &vkey), ERR_NONE);
    assert_string_equal(vkey.name, "PeterNeumann");
    record_vkey_text(&vkey, text);
    assert_string_equal(text, GO_VKEY);
    assert_int_equal(record_log_key_parse(cursor_of_text(GO_SKEY), &key), ERR_NONE);
    record_vkey_text(&key.vkey, text);
    assert_string_equal(text, GO_VKEY);
    record_log_key_done(&key);
    for (size_t i = 0; i < sizeof GO_VKEY - 1; i++) {
        char wrong[sizeof GO_VKEY];
        memcpy(wrong, GO_VKEY, sizeof wrong);
        wrong[i] = wrong[i] == 'B' ? 'C' : 'B';
        assert_int_not_equal(record_vkey_parse(cursor_of_text(wrong), &vkey), ERR_NONE);
        assert_int_not_equal(record_vkey_parse(cursor_of(GO_VKEY, i), &vkey), ERR_NONE);
    }
}

static void note_is_signed_and_opened(void **state)
{
    struct host *host = *state;
    struct record_note note = {.size = 12};
    struct record_note back;
    uint8_t memory[RECORD_NOTE_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor text;
    memset(note.root, 5, sizeof note.root);
    assert_int_equal(record_note_sign(&host->key, &note, &out), ERR_NONE);
    assert_int_equal(writer_done(&out, &text), ERR_NONE);
    assert_int_equal(record_note_open(text, &host->key.vkey, &back), ERR_NONE);
    assert_int_equal(back.size, 12);
    assert_memory_equal(back.root, note.root, sizeof note.root);
    size_t len = cursor_len(&text);
    for (size_t i = 0; i < len; i++) {
        assert_int_not_equal(record_note_open(cursor_of(memory, i), &host->key.vkey, &back), ERR_NONE);
        memory[i] ^= 1;
        assert_int_not_equal(record_note_open(cursor_of(memory, len), &host->key.vkey, &back), ERR_NONE);
        memory[i] ^= 1;
    }
    /* A witness may add its own signature. */
    static const char WITNESS[] = "\xe2\x80\x94 witness AAAAAAAAAAAAAAAA\n";
    memcpy(memory + len, WITNESS, sizeof WITNESS - 1);
    assert_int_equal(record_note_open(cursor_of(memory, len + sizeof WITNESS - 1), &host->key.vkey, &back),
                     ERR_NONE);
}

static void log_key_files_are_made_once_and_private(void **state)
{
    struct host *host = *state;
    char path[HOST_PATH_BYTES];
    struct stat status;
    struct record_log_key key = {0};
    (void)snprintf(path, sizeof path, "%s/new.key", host->root);
    assert_int_equal(record_log_key_create(path, "has blank"), ERR_MALFORMED);
    assert_int_equal(record_log_key_create(path, "has+plus"), ERR_MALFORMED);
    assert_int_equal(record_log_key_create(path, ""), ERR_MALFORMED);
    assert_int_equal(record_log_key_load(path, &key), ERR_NOT_FOUND);
    assert_int_equal(record_log_key_create(path, "host-7"), ERR_NONE);
    assert_int_equal(record_log_key_create(path, "host-7"), ERR_STATE);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(record_log_key_load(path, &key), ERR_NONE);
    record_log_key_done(&key);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(record_log_key_load(path, &key), ERR_DENIED);
}

static void leaf_of_each_kind_goes_both_ways(void **state)
{
    (void)state;
    for (int kind = RECORD_LEAF_OPEN; kind < RECORD_LEAF_KIND_COUNT; kind++) {
        struct record_leaf leaf = {.kind = (enum record_leaf_kind)kind,
                                   .bytes = 77,
                                   .torn_bytes = 3,
                                   .how = cursor_of_text("session lost")};
        struct record_leaf back;
        char line[RECORD_LEAF_BYTES];
        leaf.sid[15] = 9;
        leaf.hash[31] = 8;
        size_t len = record_leaf_text(&leaf, HOST_WALL_US, line);
        assert_int_equal(record_leaf_parse(cursor_of(line, len), &back), ERR_NONE);
        assert_int_equal(back.kind, kind);
        assert_int_equal(back.bytes, kind == RECORD_LEAF_OPEN ? 0 : 77);
        assert_int_equal(back.torn_bytes, kind == RECORD_LEAF_RECOVER ? 3 : 0);
        assert_memory_equal(back.sid, leaf.sid, sizeof leaf.sid);
        assert_memory_equal(back.hash, leaf.hash, sizeof leaf.hash);
        if (kind == RECORD_LEAF_CLOSE) {
            assert_true(cursor_equal_text(back.how, "session lost"));
            continue; /* a shorter `how` is still a close */
        }
        for (size_t cut = strlen("checkpt"); cut < len - 1; cut++) {
            assert_int_not_equal(record_leaf_parse(cursor_of(line, cut), &back), ERR_NONE);
        }
        line[len] = ' ';
        line[len + 1] = 'x';
        assert_int_equal(record_leaf_parse(cursor_of(line, len + 2), &back), ERR_MALFORMED);
    }
}

static void leaf_lines_from_others_are_limited(void **state)
{
    (void)state;
    static const char *const YES[] = {"auth x", "policy sha256=00", "decision allow", "boot v1", "event x"};
    static const char *const NO[] = {"open x", "close x",         "auth",          "auth ",
                                     "",       "event a\nopen b", "event \x1b[0m", "recover x",
                                     "Auth x", "event \xc3\xa4"};
    for (size_t i = 0; i < COUNT_OF(YES); i++) {
        assert_true(record_leaf_may_add(cursor_of_text(YES[i])));
    }
    for (size_t i = 0; i < COUNT_OF(NO); i++) {
        assert_false(record_leaf_may_add(cursor_of_text(NO[i])));
    }
    static char longest[RECORD_LEAF_BYTES + 1];
    memset(longest, 'x', sizeof longest);
    memcpy(longest, "event ", 6);
    assert_true(record_leaf_may_add(cursor_of(longest, RECORD_LEAF_BYTES)));
    assert_false(record_leaf_may_add(cursor_of(longest, RECORD_LEAF_BYTES + 1)));
}

static enum err open_again(struct host *host, struct record_log_recovery *recovery)
{
    record_log_done(&host->log);
    return record_log_open(&host->log, host->evidence_fd, &host->key, recovery);
}
static void leaves_path(const struct host *host, char path[static HOST_PATH_BYTES])
{
    (void)snprintf(path, HOST_PATH_BYTES, "%s/leaves", host->evidence);
}

static void log_goes_on_after_a_restart(void **state)
{
    struct host *host = *state;
    struct record_log_recovery recovery;
    uint8_t before[CRYPTO_SHA256_BYTES];
    uint8_t after[CRYPTO_SHA256_BYTES];
    free(tape_new(host, 0x31));
    for (int i = 0; i < 1000; i++) {
        char line[64];
        int len = snprintf(line, sizeof line, "event number %d", i);
        assert_int_equal(record_log_add(&host->log, cursor_of(line, (size_t)len)), ERR_NONE);
    }
    assert_int_equal(record_log_commit(&host->log), ERR_NONE);
    record_tree_root(&host->log.tree, &host->log.hash, before);
    assert_int_equal(open_again(host, &recovery), ERR_NONE);
    record_tree_root(&host->log.tree, &host->log.hash, after);
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(host->log.tree.size, 1001);
    assert_int_equal(recovery.unclosed_count, 1);
    assert_int_equal(recovery.unclosed[0].sid[0], 0x31);
    assert_string_equal(recovery.unclosed[0].day, HOST_DAY);
    free(recovery.unclosed);
}

static void log_with_torn_line_is_repaired_and_says_so(void **state)
{
    struct host *host = *state;
    struct record_log_recovery recovery;
    char path[HOST_PATH_BYTES];
    assert_int_equal(record_log_add(&host->log, cursor_of_text("event one")), ERR_NONE);
    assert_int_equal(record_log_commit(&host->log), ERR_NONE);
    leaves_path(host, path);
    OWNED_FD fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(fd_write_all(fd, cursor_of_text("event two\nevent thr")), ERR_NONE);
    assert_int_equal(open_again(host, &recovery), ERR_NONE);
    assert_int_equal(recovery.torn_bytes, 9);
    assert_int_equal(record_log_commit(&host->log), ERR_NONE);
    assert_int_equal(host->log.tree.size, 3); /* one, two, and the leaf that names the tear */
    uint8_t leaves[512];
    size_t len = host_read(path, leaves, sizeof leaves - 1);
    leaves[len] = 0;
    assert_non_null(strstr((char *)leaves, "log recovered torn=9\n"));
    assert_null(strstr((char *)leaves, "event thr"));
    assert_int_equal(host_verify(host, &host->key.vkey, NULL).log.verdict, RECORD_LOG_OK);
}

static void log_that_was_changed_is_not_opened(void **state)
{
    struct host *host = *state;
    struct record_log_recovery recovery;
    char path[HOST_PATH_BYTES];
    static uint8_t leaves[4096];
    static uint8_t after[4096];
    for (int i = 0; i < 5; i++) {
        assert_int_equal(record_log_add(&host->log, cursor_of_text("event one")), ERR_NONE);
    }
    assert_int_equal(record_log_commit(&host->log), ERR_NONE);
    leaves_path(host, path);
    size_t len = host_read(path, leaves, sizeof leaves);
    for (size_t i = 0; i < len; i++) {
        leaves[i] ^= 1;
        host_write(path, leaves, len);
        assert_int_not_equal(open_again(host, &recovery), ERR_NONE);
        assert_true(strlen(recovery.sentence) > 0);
        assert_int_equal(host_read(path, after, sizeof after), len); /* nothing was repaired away */
        leaves[i] ^= 1;
    }
    for (size_t cut = 0; cut < len; cut++) {
        host_write(path, leaves, cut);
        assert_int_equal(open_again(host, &recovery), ERR_MISMATCH);
        assert_int_equal(host_read(path, after, sizeof after), cut);
    }
    host_write(path, leaves, len);
    assert_int_equal(open_again(host, &recovery), ERR_NONE);
    struct record_log_key stranger = {0};
    assert_int_equal(record_log_key_parse(cursor_of_text(GO_SKEY), &stranger), ERR_NONE);
    record_log_done(&host->log);
    assert_int_equal(record_log_open(&host->log, host->evidence_fd, &stranger, &recovery), ERR_MISMATCH);
    record_log_key_done(&stranger);
}

static void log_lock_is_for_one(void **state)
{
    struct host *host = *state;
    OWNED_FD other = open(host->evidence, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(record_log_lock(host->evidence_fd), ERR_NONE);
    assert_int_equal(record_log_lock(other), ERR_STATE);
}

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(tree_roots_are_those_of_certificate_transparency),
        cmocka_unit_test(keys_are_those_of_go_note),
        ON_HOST(note_is_signed_and_opened),
        ON_HOST(log_key_files_are_made_once_and_private),
        cmocka_unit_test(leaf_of_each_kind_goes_both_ways),
        cmocka_unit_test(leaf_lines_from_others_are_limited),
        ON_HOST(log_goes_on_after_a_restart),
        ON_HOST(log_with_torn_line_is_repaired_and_says_so),
        ON_HOST(log_that_was_changed_is_not_opened),
        ON_HOST(log_lock_is_for_one),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
