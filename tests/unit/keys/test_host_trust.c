#include "keys/host_trust.h"

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

static const char *line_of(const char *name)
{
    static char lines[4][KEYS_LINE_BYTES];
    static unsigned next;
    struct keys_blob blob;
    openssh_blob(name, &blob);
    char *line = lines[next++ % COUNT_OF(lines)];
    assert_int_equal(keys_line_write(keys_blob_peek(&blob), line, KEYS_LINE_BYTES), ERR_NONE);
    return line;
}

static struct keys_host_judgement judgement;

/* As between processes: what the known_hosts text says is written, read, and asked. */
static const char *judge(const char *known_hosts, const char *host, struct cursor shown)
{
    static struct keys_host_keys keys;
    static uint8_t memory[65536];
    struct keys_complaints complaints = {0};
    struct keys_host_trust trust;
    struct cursor bytes;
    enum err err = keys_known_hosts_find(cursor_of_text(known_hosts), host, 22, &keys, &complaints);
    assert_true(err == ERR_NONE || err == ERR_NOT_FOUND);
    struct writer out = writer_of(memory, sizeof memory);
    assert_int_equal(keys_host_trust_write(&keys, &out), ERR_NONE);
    assert_int_equal(writer_done(&out, &bytes), ERR_NONE);
    assert_int_equal(keys_host_trust_read(&bytes, &trust), ERR_NONE);
    assert_int_equal(cursor_end(&bytes), ERR_NONE);
    keys_host_trust_judge(&trust, host, (int64_t)time(NULL), shown, &judgement);
    assert_true(judgement.is_trusted == (judgement.reason[0] == 0));
    assert_true(!judgement.is_certified || (judgement.is_trusted && judgement.is_certificate));
    return judgement.is_trusted ? NULL : judgement.reason;
}

static const char *authority(const char *ca)
{
    static char text[KEYS_LINE_BYTES + 64];
    (void)snprintf(text, sizeof text, "@cert-authority *.internal,node1 %s\n", line_of(ca));
    return text;
}

static void certificate_of_every_type_by_every_ca_is_trusted(void **state)
{
    (void)state;
    uint8_t memory[CERTIFICATE_BYTES];
    for (size_t i = 0; i < COUNT_OF(TYPES); i++) {
        for (size_t ca = 0; ca < COUNT_OF(TYPES); ca++) {
            struct cursor blob =
                openssh_certify(TYPES[ca].name, TYPES[i].name, "-h -n node1,other -V -5m:+5m", memory);
            assert_null(judge(authority(TYPES[ca].name), "node1", blob));
            assert_true(judgement.is_certified);
            struct keys_blob key;
            char fingerprint[KEYS_FINGERPRINT_BYTES];
            openssh_blob(TYPES[i].name, &key);
            assert_string_equal(judgement.fingerprint, keys_fingerprint(keys_blob_peek(&key), fingerprint));
        }
    }
}

static void certificate_is_refused_by_its_row(void **state)
{
    (void)state;
    static const struct {
        const char *options, *host, *why;
    } ROWS[] = {
        {"-h -n node1 -V -5m:+5m", "node1", NULL},
        {"-h -n node1 -V -5m:+5m", "NODE1", NULL},
        {"-h -n NODE1 -V -5m:+5m", "node1", NULL},
        {"-h -n a.internal,b.internal -V -5m:+5m", "b.internal", NULL},
        {"-h -n node2 -V -5m:+5m", "node1", "not for this name"},
        {"-h -n node -V -5m:+5m", "node1", "not for this name"},
        {"-h -n node11 -V -5m:+5m", "node1", "not for this name"},
        {"-h -n '*.internal' -V -5m:+5m", "a.internal", "not for this name"},
        {"-h -n '*' -V -5m:+5m", "node1", "not for this name"},
        {"-h -V -5m:+5m", "node1", "not laid out"}, /* no principal */
        {"-n node1 -V -5m:+5m", "node1", "not for a host"},
        {"-h -n node1 -V +5m:+10m", "node1", "not valid yet"},
        {"-h -n node1 -V -10m:-5m", "node1", "expired"},
        {"-h -n node1 -O critical:new@example.com=1", "node1", "critical option"},
        {"-h -n node1 -O critical:source-address=10.0.0.1", "node1", "critical option"},
        {"-h -n node1 -O extension:new@example.com=1", "node1", NULL},
    };
    uint8_t memory[CERTIFICATE_BYTES];
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        const char *why =
            judge(authority("ca"), ROWS[i].host, openssh_certify("ca", "ed25519", ROWS[i].options, memory));
        assert_true(judgement.is_certificate);
        if (ROWS[i].why == NULL ? why != NULL : why == NULL || strstr(why, ROWS[i].why) == NULL) {
            fail_msg("%s for %s: %s", ROWS[i].options, ROWS[i].host, why == NULL ? "trusted" : why);
        }
        assert_true(why == NULL || strstr(why, judgement.fingerprint) != NULL);
    }
}

/* A known key does not help a certificate of a trusted CA that is wrong: somebody meant it to expire. */
static void expired_certificate_is_refused_although_its_key_is_known(void **state)
{
    (void)state;
    uint8_t memory[CERTIFICATE_BYTES];
    static char text[2 * KEYS_LINE_BYTES];
    struct cursor blob = openssh_certify("ca", "ed25519", "-h -n node1 -V -10m:-5m", memory);
    (void)snprintf(text, sizeof text, "node1 %s\n@cert-authority * %s\n", line_of("ed25519"), line_of("ca"));
    assert_non_null(strstr(judge(text, "node1", blob), "expired"));
}

static void certificate_of_an_unknown_ca_counts_as_its_key(void **state)
{
    (void)state;
    uint8_t memory[CERTIFICATE_BYTES];
    static char text[2 * KEYS_LINE_BYTES];
    struct cursor blob = openssh_certify("other-ca", "ed25519", "-h -n node1", memory);
    const char *why = judge(authority("ca"), "node1", blob);
    assert_non_null(strstr(why, "a CA that is not trusted"));
    struct keys_blob ca;
    char fingerprint[KEYS_FINGERPRINT_BYTES];
    openssh_blob("ca", &ca);
    assert_non_null(strstr(why, keys_fingerprint(keys_blob_peek(&ca), fingerprint)));
    openssh_blob("other-ca", &ca);
    assert_non_null(strstr(why, keys_fingerprint(keys_blob_peek(&ca), fingerprint)));
    (void)snprintf(text, sizeof text, "node1 %s\n@cert-authority * %s\n", line_of("ed25519"), line_of("ca"));
    assert_null(judge(text, "node1", blob));
    assert_false(judgement.is_certified);
    /* A CA for another host is none for this one. */
    (void)snprintf(text, sizeof text, "@cert-authority node2 %s\n", line_of("other-ca"));
    assert_non_null(judge(text, "node1", blob));
}

static void plain_key_is_trusted_where_it_is_known(void **state)
{
    (void)state;
    static char text[2 * KEYS_LINE_BYTES];
    struct keys_blob key;
    openssh_blob("ed25519", &key);
    (void)snprintf(text, sizeof text, "node1 %s\n", line_of("ed25519"));
    assert_null(judge(text, "node1", keys_blob_peek(&key)));
    assert_false(judgement.is_certificate);
    (void)snprintf(text, sizeof text, "node1 %s\n", line_of("p256"));
    assert_non_null(strstr(judge(text, "node1", keys_blob_peek(&key)), "does not know"));
    assert_non_null(strstr(judge(authority("ca"), "node1", keys_blob_peek(&key)), "without a certificate"));
    /* The key of a CA is no key of a host. */
    openssh_blob("ca", &key);
    assert_non_null(judge(authority("ca"), "node1", keys_blob_peek(&key)));
}

static void what_is_revoked_is_refused_in_every_way(void **state)
{
    (void)state;
    uint8_t memory[CERTIFICATE_BYTES];
    static char text[4 * KEYS_LINE_BYTES];
    struct cursor blob = openssh_certify("ca", "ed25519", "-h -n node1", memory);
    (void)snprintf(text, sizeof text, "@cert-authority * %s\n@revoked * %s\n", line_of("ca"),
                   line_of("ed25519"));
    assert_non_null(strstr(judge(text, "node1", blob), "key was revoked"));
    (void)snprintf(text, sizeof text, "node1 %s\n@cert-authority * %s\n@revoked other %s\n",
                   line_of("ed25519"), line_of("ca"), line_of("ca"));
    assert_non_null(strstr(judge(text, "node1", blob), "CA of its host certificate was revoked"));
    (void)snprintf(text, sizeof text, "node1 %s\n@revoked * %s\n", line_of("ed25519"), line_of("ed25519"));
    assert_non_null(strstr(judge(text, "node1", blob), "key was revoked"));
    struct keys_blob key;
    openssh_blob("ed25519", &key);
    assert_non_null(strstr(judge(text, "node1", keys_blob_peek(&key)), "key was revoked"));
}

static void certificate_with_any_byte_changed_is_refused(void **state)
{
    (void)state;
    uint8_t memory[CERTIFICATE_BYTES];
    struct cursor blob = openssh_certify("ca", "ed25519", "-h -n node1", memory);
    const char *known = authority("ca");
    for (size_t i = 0; i < cursor_len(&blob); i++) {
        memory[i] ^= 1;
        assert_non_null(judge(known, "node1", blob));
        memory[i] ^= 1;
    }
    assert_null(judge(known, "node1", blob));
}

static void certificate_cut_anywhere_is_refused(void **state)
{
    (void)state;
    uint8_t memory[CERTIFICATE_BYTES];
    struct cursor blob = openssh_certify("ca", "p256", "-h -n node1", memory);
    const char *known = authority("ca");
    for (size_t len = 0; len < cursor_len(&blob); len++) {
        assert_non_null(judge(known, "node1", cursor_of(memory, len)));
    }
    assert_non_null(judge(known, "node1", cursor_of(memory, cursor_len(&blob) + 1)));
}

static void trust_tells_what_to_ask_a_host_for(void **state)
{
    (void)state;
    static char text[2 * KEYS_LINE_BYTES];
    static struct keys_host_keys keys;
    static uint8_t memory[65536];
    struct keys_complaints complaints = {0};
    struct keys_host_trust trust;
    struct cursor bytes;
    (void)snprintf(text, sizeof text, "node1 %s\n", line_of("p384"));
    assert_int_equal(keys_known_hosts_find(cursor_of_text(text), "node1", 22, &keys, &complaints), ERR_NONE);
    struct writer out = writer_of(memory, sizeof memory);
    assert_int_equal(keys_host_trust_write(&keys, &out), ERR_NONE);
    assert_int_equal(writer_done(&out, &bytes), ERR_NONE);
    for (size_t len = 0; len < cursor_len(&bytes); len++) {
        struct cursor cut = cursor_of(memory, len);
        assert_int_equal(keys_host_trust_read(&cut, &trust), ERR_TRUNCATED);
    }
    assert_int_equal(keys_host_trust_read(&bytes, &trust), ERR_NONE);
    assert_false(keys_host_trust_has_ca(&trust));
    assert_true(keys_host_trust_has_type(&trust, KEYS_ECDSA_P384));
    assert_false(keys_host_trust_has_type(&trust, KEYS_ED25519));
}

static void trust_of_something_else_is_malformed(void **state)
{
    (void)state;
    static const uint8_t NO_KEY[] = {0, 0, 0, 8, 0, 0, 0, 4, 'x', 'y', 'z', '!', 0, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t HALF_A_HASH[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2};
    struct keys_host_trust trust;
    struct cursor in = cursor_of(NO_KEY, sizeof NO_KEY);
    assert_int_not_equal(keys_host_trust_read(&in, &trust), ERR_NONE);
    in = cursor_of(HALF_A_HASH, sizeof HALF_A_HASH);
    assert_int_equal(keys_host_trust_read(&in, &trust), ERR_MALFORMED);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(certificate_of_every_type_by_every_ca_is_trusted),
        cmocka_unit_test(certificate_is_refused_by_its_row),
        cmocka_unit_test(expired_certificate_is_refused_although_its_key_is_known),
        cmocka_unit_test(certificate_of_an_unknown_ca_counts_as_its_key),
        cmocka_unit_test(plain_key_is_trusted_where_it_is_known),
        cmocka_unit_test(what_is_revoked_is_refused_in_every_way),
        cmocka_unit_test(certificate_with_any_byte_changed_is_refused),
        cmocka_unit_test(certificate_cut_anywhere_is_refused),
        cmocka_unit_test(trust_tells_what_to_ask_a_host_for),
        cmocka_unit_test(trust_of_something_else_is_malformed),
    };
    return cmocka_run_group_tests(TESTS, make_keys, remove_keys);
}
