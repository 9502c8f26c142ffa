#include "keys/blob.h"

#include "openssh.h"

static const struct {
    const char *name, *options;
    enum keys_type type;
} KEYS[] = {
    {"ed25519", "-t ed25519", KEYS_ED25519},      {"p256", "-t ecdsa -b 256", KEYS_ECDSA_P256},
    {"p384", "-t ecdsa -b 384", KEYS_ECDSA_P384}, {"p521", "-t ecdsa -b 521", KEYS_ECDSA_P521},
    {"rsa", "-t rsa -b 2048", KEYS_RSA},          {"rsa3072", "-t rsa -b 3072", KEYS_RSA},
};

static int make_keys(void **state)
{
    (void)state;
    openssh_start();
    for (size_t i = 0; i < COUNT_OF(KEYS); i++) {
        openssh_keygen(KEYS[i].name, KEYS[i].options);
    }
    return 0;
}

static int remove_keys(void **state)
{
    (void)state;
    openssh_stop();
    return 0;
}

static void blob_of_ssh_keygen_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(KEYS); i++) {
        struct keys_blob blob;
        openssh_blob(KEYS[i].name, &blob);
        struct keys_public key;
        assert_int_equal(keys_blob_parse(keys_blob_peek(&blob), &key), ERR_NONE);
        assert_int_equal(key.type, KEYS[i].type);
        assert_int_equal(keys_type_of(cursor_of_text(keys_type_name(key.type))), key.type);
    }
}

static void fingerprint_is_that_of_ssh_keygen(void **state)
{
    (void)state;
    static char output[OUTPUT_BYTES];
    for (size_t i = 0; i < COUNT_OF(KEYS); i++) {
        struct keys_blob blob;
        openssh_blob(KEYS[i].name, &blob);
        char text[KEYS_FINGERPRINT_BYTES];
        assert_int_equal(run(output, "ssh-keygen -l -f %s.pub", KEYS[i].name), 0);
        assert_non_null(strstr(output, keys_fingerprint(keys_blob_peek(&blob), text)));
        assert_int_equal(strlen(text), KEYS_FINGERPRINT_BYTES - 1);
    }
}

static void line_is_that_of_ssh_keygen(void **state)
{
    (void)state;
    static char output[OUTPUT_BYTES];
    static char line[KEYS_LINE_BYTES];
    for (size_t i = 0; i < COUNT_OF(KEYS); i++) {
        struct keys_blob blob;
        openssh_blob(KEYS[i].name, &blob);
        assert_int_equal(keys_line_write(keys_blob_peek(&blob), line, sizeof line), ERR_NONE);
        char file[64];
        (void)snprintf(file, sizeof file, "%s.pub", KEYS[i].name);
        (void)openssh_read_file(file, output);
        assert_memory_equal(output, line, strlen(line));
        assert_int_equal(keys_line_write(keys_blob_peek(&blob), line, strlen(line)), ERR_TOO_LARGE);
    }
}

static void blob_cut_anywhere_is_truncated(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(KEYS); i++) {
        struct keys_blob blob;
        openssh_blob(KEYS[i].name, &blob);
        for (size_t len = 0; len < blob.len_bytes; len++) {
            struct keys_public key;
            assert_int_equal(keys_blob_parse(cursor_of(blob.bytes, len), &key), ERR_TRUNCATED);
        }
    }
}

static void blob_with_trailing_byte_is_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(KEYS); i++) {
        struct keys_blob blob;
        openssh_blob(KEYS[i].name, &blob);
        blob.bytes[blob.len_bytes++] = 0;
        struct keys_public key;
        assert_int_equal(keys_blob_parse(keys_blob_peek(&blob), &key), ERR_MALFORMED);
    }
}

static enum err parse_rsa(const uint8_t *exponent, size_t exponent_len, size_t modulus_bits)
{
    static uint8_t modulus[4096];
    memset(modulus, 0xa5, sizeof modulus);
    size_t len = (modulus_bits + 7) / 8;
    modulus[0] = (uint8_t)(1u << (modulus_bits + 7) % 8);
    static uint8_t memory[8192];
    struct writer out = writer_of(memory, sizeof memory);
    writer_text(&out, "ssh-rsa");
    writer_mpint(&out, cursor_of(exponent, exponent_len));
    writer_mpint(&out, cursor_of(modulus, len));
    struct cursor blob;
    assert_int_equal(writer_done(&out, &blob), ERR_NONE);
    struct keys_public key;
    return keys_blob_parse(blob, &key);
}

static void rsa_outside_2048_to_16384_bits_is_refused(void **state)
{
    (void)state;
    static const uint8_t F4[] = {1, 0, 1};
    assert_int_equal(parse_rsa(F4, sizeof F4, 2048), ERR_NONE);
    assert_int_equal(parse_rsa(F4, sizeof F4, 2047), ERR_MALFORMED);
    assert_int_equal(parse_rsa(F4, sizeof F4, 1024), ERR_MALFORMED);
    assert_int_equal(parse_rsa(F4, sizeof F4, 16384), ERR_NONE);
    assert_int_equal(parse_rsa(F4, sizeof F4, 16385), ERR_TOO_LARGE);
}

static void rsa_with_odd_exponent_only_is_accepted(void **state)
{
    (void)state;
    static const uint8_t ONE[] = {1};
    static const uint8_t THREE[] = {3};
    static const uint8_t EVEN[] = {2};
    static const uint8_t LONG[] = {1, 0, 0, 0, 0, 0, 0, 0, 1};
    assert_int_equal(parse_rsa(THREE, sizeof THREE, 2048), ERR_NONE);
    assert_int_equal(parse_rsa(ONE, sizeof ONE, 2048), ERR_MALFORMED);
    assert_int_equal(parse_rsa(EVEN, sizeof EVEN, 2048), ERR_MALFORMED);
    assert_int_equal(parse_rsa(LONG, sizeof LONG, 2048), ERR_TOO_LARGE);
}

/* A blob of texts, for what no ssh-keygen would make. */
static enum err parse_texts(const char *name, const char *second, size_t point_len)
{
    static const uint8_t POINT[200] = {4};
    static uint8_t memory[1024];
    struct writer out = writer_of(memory, sizeof memory);
    writer_text(&out, name);
    if (second != NULL) {
        writer_text(&out, second);
    }
    writer_string(&out, cursor_of(POINT, point_len));
    struct cursor blob;
    assert_int_equal(writer_done(&out, &blob), ERR_NONE);
    struct keys_public key;
    return keys_blob_parse(blob, &key);
}

static void type_that_is_not_accepted_is_malformed(void **state)
{
    (void)state;
    assert_int_equal(parse_texts("ssh-ed25519", NULL, 32), ERR_NONE);
    assert_int_equal(parse_texts("ssh-ed25519", NULL, 31), ERR_MALFORMED);
    assert_int_equal(parse_texts("ssh-ed25519", NULL, 33), ERR_TOO_LARGE);
    assert_int_equal(parse_texts("ssh-dss", NULL, 32), ERR_MALFORMED);
    assert_int_equal(parse_texts("none", NULL, 32), ERR_MALFORMED);
    assert_int_equal(parse_texts("", NULL, 32), ERR_MALFORMED);
    assert_int_equal(parse_texts("ssh-ed25519-cert-v01@openssh.com", NULL, 32), ERR_MALFORMED);
    assert_int_equal(parse_texts("ecdsa-sha2-nistp256", "nistp256", 65), ERR_NONE);
    assert_int_equal(parse_texts("ecdsa-sha2-nistp256", "nistp384", 65), ERR_MALFORMED);
    assert_int_equal(parse_texts("ecdsa-sha2-nistp256", "nistp256", 33), ERR_MALFORMED);
}

static void line_whose_type_differs_from_its_blob_is_malformed(void **state)
{
    (void)state;
    struct keys_blob blob;
    openssh_blob("ed25519", &blob);
    static char line[KEYS_LINE_BYTES];
    assert_int_equal(keys_line_write(keys_blob_peek(&blob), line, sizeof line), ERR_NONE);
    struct cursor base64 = cursor_of_text(strchr(line, ' ') + 1);
    assert_int_equal(keys_line_read(cursor_of_text("ssh-ed25519"), base64, &blob), ERR_NONE);
    assert_int_equal(keys_line_read(cursor_of_text("ssh-rsa"), base64, &blob), ERR_MALFORMED);
    base64.end -= 4;
    assert_int_equal(keys_line_read(cursor_of_text("ssh-ed25519"), base64, &blob), ERR_MALFORMED);
}

static void sk_blob_has_an_application(void **state)
{
    (void)state;
    static const uint8_t POINT[32] = {1};
    uint8_t memory[512];
    struct writer out = writer_of(memory, sizeof memory);
    writer_text(&out, "sk-ssh-ed25519@openssh.com");
    writer_string(&out, cursor_of(POINT, sizeof POINT));
    struct cursor without;
    assert_int_equal(writer_done(&out, &without), ERR_NONE);
    writer_text(&out, "ssh:");
    struct cursor with;
    assert_int_equal(writer_done(&out, &with), ERR_NONE);
    struct keys_public key;
    assert_int_equal(keys_blob_parse(without, &key), ERR_TRUNCATED);
    assert_int_equal(keys_blob_parse(with, &key), ERR_NONE);
    assert_true(keys_type_is_sk(key.type));
    assert_true(cursor_equal_text(key.application, "ssh:"));
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(blob_of_ssh_keygen_is_read),
        cmocka_unit_test(fingerprint_is_that_of_ssh_keygen),
        cmocka_unit_test(line_is_that_of_ssh_keygen),
        cmocka_unit_test(blob_cut_anywhere_is_truncated),
        cmocka_unit_test(blob_with_trailing_byte_is_malformed),
        cmocka_unit_test(rsa_outside_2048_to_16384_bits_is_refused),
        cmocka_unit_test(rsa_with_odd_exponent_only_is_accepted),
        cmocka_unit_test(type_that_is_not_accepted_is_malformed),
        cmocka_unit_test(line_whose_type_differs_from_its_blob_is_malformed),
        cmocka_unit_test(sk_blob_has_an_application),
    };
    return cmocka_run_group_tests(TESTS, make_keys, remove_keys);
}
