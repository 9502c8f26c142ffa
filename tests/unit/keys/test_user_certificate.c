#include "keys/user_certificate.h"

#include <time.h>

#include "openssh.h"

static const struct {
    const char *name, *options;
} TYPES[] = {{"ed25519", "-t ed25519"},
             {"p256", "-t ecdsa -b 256"},
             {"p384", "-t ecdsa -b 384"},
             {"p521", "-t ecdsa -b 521"},
             {"rsa", "-t rsa -b 2048"}};

static int make_keys(void **state)
{
    (void)state;
    openssh_start();
    for (size_t i = 0; i < COUNT_OF(TYPES); i++) {
        openssh_keygen(TYPES[i].name, TYPES[i].options);
    }
    openssh_keygen("ca", "-t ed25519");
    openssh_keygen("other-ca", "-t ed25519");
    return 0;
}

static int remove_keys(void **state)
{
    (void)state;
    openssh_stop();
    return 0;
}

static const char *judge(struct cursor blob, const char *ca, const char *person, const char *from)
{
    struct keys_user_certificate certificate;
    struct keys_blob ca_blob;
    openssh_blob(ca, &ca_blob);
    if (keys_user_certificate_read(blob, &certificate) != ERR_NONE) {
        return "unreadable";
    }
    return keys_user_certificate_refuse(&certificate, keys_blob_peek(&ca_blob), cursor_of_text(person), from,
                                        (int64_t)time(NULL));
}

static void certificate_of_every_type_vouches_for_its_key(void **state)
{
    (void)state;
    uint8_t memory[CERTIFICATE_BYTES];
    for (size_t i = 0; i < COUNT_OF(TYPES); i++) {
        for (size_t ca = 0; ca < COUNT_OF(TYPES); ca++) {
            const char *ca_name = TYPES[ca].name;
            struct cursor blob = openssh_certify(ca_name, TYPES[i].name, "-n alice,bob -V -5m:+5m", memory);
            assert_null(judge(blob, ca_name, "alice", "10.0.0.1"));
            assert_null(judge(blob, ca_name, "bob", "10.0.0.1"));
            struct keys_user_certificate certificate;
            struct keys_blob plain;
            openssh_blob(TYPES[i].name, &plain);
            assert_int_equal(keys_user_certificate_read(blob, &certificate), ERR_NONE);
            assert_true(cursor_equal(keys_blob_peek(&plain), keys_blob_peek(&certificate.claims.key)));
            assert_int_equal(certificate.claims.serial, 77);
            assert_true(cursor_equal_text(certificate.claims.key_id, "some-id"));
        }
    }
}

static void certificate_is_refused_by_its_row(void **state)
{
    (void)state;
    static const struct {
        const char *options, *person, *from, *why;
    } ROWS[] = {
        {"-n alice -V -5m:+5m", "alice", "10.0.0.1", NULL},
        {"-n alice -V -5m:+5m", "mallory", "10.0.0.1", "not for this person"},
        {"-n alice -V -5m:+5m", "alic", "10.0.0.1", "not for this person"},
        {"-n alice -V -5m:+5m", "", "10.0.0.1", "not for this person"},
        {"-V -5m:+5m", "alice", "10.0.0.1", "unreadable"}, /* no principal */
        {"-n alice -V +5m:+10m", "alice", "10.0.0.1", "not valid yet"},
        {"-n alice -V -10m:-5m", "alice", "10.0.0.1", "expired"},
        {"-h -n alice -V -5m:+5m", "alice", "10.0.0.1", "unreadable"}, /* of a host */
        {"-n alice -O source-address=10.0.0.0/24", "alice", "10.0.0.1", NULL},
        {"-n alice -O source-address=10.0.0.0/24", "alice", "10.0.1.1", "not for this address"},
        {"-n alice -O source-address=10.0.0.0/24", "alice", "", "not for this address"},
        {"-n alice -O force-command=/bin/true", "alice", "10.0.0.1", "unreadable"},
        {"-n alice -O critical:new@example.com=1", "alice", "10.0.0.1", "unreadable"},
        {"-n alice -O extension:new@example.com=1 -O clear", "alice", "10.0.0.1", NULL},
    };
    uint8_t memory[CERTIFICATE_BYTES];
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        const char *why = judge(openssh_certify("ca", "ed25519", ROWS[i].options, memory), "ca",
                                ROWS[i].person, ROWS[i].from);
        if (ROWS[i].why == NULL) {
            assert_null(why);
        } else {
            assert_non_null(why);
            assert_non_null(strstr(why, ROWS[i].why));
        }
    }
}

static void certificate_of_another_ca_is_refused(void **state)
{
    (void)state;
    uint8_t memory[CERTIFICATE_BYTES];
    struct cursor blob = openssh_certify("other-ca", "ed25519", "-n alice", memory);
    assert_non_null(strstr(judge(blob, "ca", "alice", "10.0.0.1"), "not signed"));
    assert_null(judge(blob, "other-ca", "alice", "10.0.0.1"));
}

static void certificate_with_any_byte_changed_is_refused(void **state)
{
    (void)state;
    uint8_t memory[CERTIFICATE_BYTES];
    struct cursor blob = openssh_certify("ca", "ed25519", "-n alice -O source-address=10.0.0.1", memory);
    for (size_t i = 0; i < cursor_len(&blob); i++) {
        memory[i] ^= 1;
        assert_non_null(judge(blob, "ca", "alice", "10.0.0.1"));
        memory[i] ^= 1;
    }
    assert_null(judge(blob, "ca", "alice", "10.0.0.1"));
}

static void certificate_cut_or_longer_is_unreadable(void **state)
{
    (void)state;
    uint8_t memory[CERTIFICATE_BYTES];
    struct cursor blob = openssh_certify("ca", "p256", "-n alice", memory);
    struct keys_user_certificate certificate;
    size_t whole = cursor_len(&blob);
    for (size_t len = 0; len <= whole + 1; len++) {
        uint8_t *copy = calloc(1, len + 1);
        assert_non_null(copy);
        memcpy(copy, memory, len < whole ? len : whole);
        enum err err = keys_user_certificate_read(cursor_of(copy, len), &certificate);
        assert_int_equal(err == ERR_NONE, len == whole);
        free(copy);
    }
    uint8_t large[CERTIFICATE_BYTES + 1] = {0};
    assert_int_equal(keys_user_certificate_read(cursor_of(large, sizeof large), &certificate), ERR_TOO_LARGE);
}

static void plain_key_is_no_certificate(void **state)
{
    (void)state;
    struct keys_blob plain;
    struct keys_user_certificate certificate;
    openssh_blob("ed25519", &plain);
    assert_int_equal(keys_user_certificate_read(keys_blob_peek(&plain), &certificate), ERR_MALFORMED);
}

static void algorithm_names_lose_what_makes_them_certificates(void **state)
{
    (void)state;
    static const struct {
        const char *name, *plain;
    } ROWS[] = {
        {"ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519"},
        {"rsa-sha2-512-cert-v01@openssh.com", "rsa-sha2-512"},
        {"sk-ssh-ed25519-cert-v01@openssh.com", "sk-ssh-ed25519@openssh.com"},
        {"sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"},
        {"ssh-ed25519", NULL},
        {"-cert-v01@openssh.com", NULL},
        {"", NULL},
        {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-cert-v01@openssh.com", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        char plain[KEYS_ALGORITHM_BYTES] = "";
        bool is_certificate = keys_certificate_algorithm(cursor_of_text(ROWS[i].name), plain);
        assert_int_equal(is_certificate, ROWS[i].plain != NULL);
        assert_string_equal(plain, ROWS[i].plain == NULL ? "" : ROWS[i].plain);
    }
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(certificate_of_every_type_vouches_for_its_key),
        cmocka_unit_test(certificate_is_refused_by_its_row),
        cmocka_unit_test(certificate_of_another_ca_is_refused),
        cmocka_unit_test(certificate_with_any_byte_changed_is_refused),
        cmocka_unit_test(certificate_cut_or_longer_is_unreadable),
        cmocka_unit_test(plain_key_is_no_certificate),
        cmocka_unit_test(algorithm_names_lose_what_makes_them_certificates),
    };
    return cmocka_run_group_tests(TESTS, make_keys, remove_keys);
}
