#include "keys/private_key.h"

#include "crypto/ed25519.h"
#include "openssh.h"

static int make_keys(void **state)
{
    (void)state;
    openssh_start();
    openssh_keygen("ed25519", "-t ed25519");
    openssh_keygen("rsa", "-t rsa -b 2048");
    return 0;
}

static int remove_keys(void **state)
{
    (void)state;
    openssh_stop();
    return 0;
}

static const char *sentence;

static enum err read_bytes(struct cursor file, struct secret *seed, struct keys_blob *blob)
{
    sentence = NULL;
    return keys_private_read(file, seed, blob, &sentence);
}

static void key_of_ssh_keygen_is_read(void **state)
{
    (void)state;
    static char text[OUTPUT_BYTES];
    size_t len = openssh_read_file("ed25519", text);
    OWNED_SECRET seed = {0};
    struct keys_blob blob;
    struct keys_blob expected;
    assert_int_equal(read_bytes(cursor_of(text, len), &seed, &blob), ERR_NONE);
    openssh_blob("ed25519", &expected);
    assert_true(cursor_equal(keys_blob_peek(&blob), keys_blob_peek(&expected)));
    assert_int_equal(seed.len_bytes, KEYS_SEED_BYTES);
}

static void key_cut_anywhere_is_refused(void **state)
{
    (void)state;
    static char text[OUTPUT_BYTES];
    size_t len = openssh_read_file("ed25519", text);
    for (size_t cut = 0; cut < len - 1; cut++) { /* without its last newline it is whole */
        OWNED_SECRET seed = {0};
        struct keys_blob blob;
        assert_int_not_equal(read_bytes(cursor_of(text, cut), &seed, &blob), ERR_NONE);
        assert_non_null(sentence);
        assert_null(seed.bytes);
    }
}

/* Change each byte of the decoded file: only the comment may change unseen. */
static void key_changed_anywhere_is_refused(void **state)
{
    (void)state;
    static char text[OUTPUT_BYTES];
    size_t len = openssh_read_file("ed25519", text);
    unsigned accepted = 0;
    for (size_t at = 0; at < len; at++) {
        OWNED_SECRET seed = {0};
        struct keys_blob blob;
        char kept = text[at];
        text[at] = kept == 'B' ? 'C' : 'B';
        accepted += read_bytes(cursor_of(text, len), &seed, &blob) == ERR_NONE ? 1 : 0;
        text[at] = kept;
    }
    /* "ed25519 comment" is 15 bytes: 20 letters, and the two that it shares with its neighbours. */
    assert_in_range(accepted, 0, 22);
}

static void encrypted_key_says_so(void **state)
{
    (void)state;
    static char output[OUTPUT_BYTES];
    assert_int_equal(run(output, "ssh-keygen -q -t ed25519 -N secret -f locked"), 0);
    static char text[OUTPUT_BYTES];
    size_t len = openssh_read_file("locked", text);
    OWNED_SECRET seed = {0};
    struct keys_blob blob;
    assert_int_equal(read_bytes(cursor_of(text, len), &seed, &blob), ERR_DENIED);
    assert_non_null(strstr(sentence, "is encrypted"));
}

static void other_kinds_of_file_say_so(void **state)
{
    (void)state;
    static char text[OUTPUT_BYTES];
    OWNED_SECRET seed = {0};
    struct keys_blob blob;
    size_t len = openssh_read_file("rsa", text);
    assert_int_equal(read_bytes(cursor_of(text, len), &seed, &blob), ERR_DENIED);
    assert_non_null(strstr(sentence, "no Ed25519 key"));
    len = openssh_read_file("ed25519.pub", text);
    assert_int_equal(read_bytes(cursor_of(text, len), &seed, &blob), ERR_MALFORMED);
    assert_non_null(strstr(sentence, "no private key file"));
    static uint8_t large[KEYS_PRIVATE_FILE_BYTES + 1];
    assert_int_equal(read_bytes(cursor_of(large, sizeof large), &seed, &blob), ERR_TOO_LARGE);
    assert_null(seed.bytes);
}

static void written_key_is_read_by_ssh_keygen(void **state)
{
    (void)state;
    static const char *const COMMENTS[] = {"", "a", "bastion host key", "1234567", "12345678", "123456789"};
    static char output[OUTPUT_BYTES];
    for (size_t i = 0; i < COUNT_OF(COMMENTS); i++) {
        uint8_t seed[KEYS_SEED_BYTES] = {(uint8_t)i, 42};
        OWNED_SECRET file = {0};
        assert_int_equal(keys_private_write(seed, 0x12345678, COMMENTS[i], &file), ERR_NONE);
        openssh_write_file("written", 0600, secret_peek(&file));
        assert_int_equal(run(output, "ssh-keygen -y -f written"), 0);
        uint8_t public_key[32];
        struct keys_blob blob;
        char line[KEYS_LINE_BYTES];
        assert_int_equal(crypto_ed25519_public(seed, public_key), ERR_NONE);
        keys_blob_of_ed25519(public_key, &blob);
        assert_int_equal(keys_line_write(keys_blob_peek(&blob), line, sizeof line), ERR_NONE);
        assert_memory_equal(output, line, strlen(line));
        assert_non_null(strstr(output, COMMENTS[i]));
        OWNED_SECRET read = {0};
        assert_int_equal(read_bytes(secret_peek(&file), &read, &blob), ERR_NONE);
        assert_memory_equal(read.bytes, seed, sizeof seed);
    }
}

static void comment_over_255_bytes_is_too_large(void **state)
{
    (void)state;
    static const uint8_t SEED[KEYS_SEED_BYTES] = {1};
    char comment[257];
    memset(comment, 'x', sizeof comment);
    comment[256] = 0;
    OWNED_SECRET file = {0};
    assert_int_equal(keys_private_write(SEED, 1, comment, &file), ERR_TOO_LARGE);
    comment[255] = 0;
    assert_int_equal(keys_private_write(SEED, 1, comment, &file), ERR_NONE);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(key_of_ssh_keygen_is_read),
        cmocka_unit_test(key_cut_anywhere_is_refused),
        cmocka_unit_test(key_changed_anywhere_is_refused),
        cmocka_unit_test(encrypted_key_says_so),
        cmocka_unit_test(other_kinds_of_file_say_so),
        cmocka_unit_test(written_key_is_read_by_ssh_keygen),
        cmocka_unit_test(comment_over_255_bytes_is_too_large),
    };
    return cmocka_run_group_tests(TESTS, make_keys, remove_keys);
}
