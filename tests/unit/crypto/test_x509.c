#include "unit_test.h"

#include <string.h>

#include "crypto/x509.h"

enum { FROM_S = 1700000000, UNTIL_S = 1900000000 };

static struct crypto_ca *make_ca(void)
{
    OWNED_SECRET pem = {0};
    struct crypto_ca *ca = NULL;
    assert_int_equal(crypto_ca_create("Databases", FROM_S, UNTIL_S, &pem), ERR_NONE);
    assert_int_equal(crypto_ca_load(secret_peek(&pem), &ca), ERR_NONE);
    return ca;
}

static void ca_written_as_pem_is_read_again(void **state)
{
    (void)state;
    struct crypto_ca *ca = make_ca();
    uint8_t text[2048];
    struct writer out = writer_of(text, sizeof text);
    assert_int_equal(crypto_x509_pem(crypto_ca_certificate(ca), &out), ERR_NONE);
    assert_memory_equal(text, "-----BEGIN CERTIFICATE-----\n", 28);
    crypto_ca_free(ca);
}

static void ca_cut_anywhere_is_refused(void **state)
{
    (void)state;
    OWNED_SECRET pem = {0};
    assert_int_equal(crypto_ca_create("Databases", FROM_S, UNTIL_S, &pem), ERR_NONE);
    struct cursor all = secret_peek(&pem);
    for (size_t len = 0; len + 1 < cursor_len(&all); len += 7) {
        struct crypto_ca *ca = NULL;
        assert_int_not_equal(crypto_ca_load(cursor_of(all.at, len), &ca), ERR_NONE);
        assert_null(ca);
    }
}

static void ca_with_the_key_of_another_is_refused(void **state)
{
    (void)state;
    OWNED_SECRET one = {0};
    OWNED_SECRET other = {0};
    assert_int_equal(crypto_ca_create("One", FROM_S, UNTIL_S, &one), ERR_NONE);
    assert_int_equal(crypto_ca_create("Other", FROM_S, UNTIL_S, &other), ERR_NONE);
    char mixed[CRYPTO_X509_CA_FILE_BYTES] = "";
    const char *certificate = strstr((const char *)one.bytes, "-----BEGIN CERTIFICATE");
    const char *key_end = strstr((const char *)other.bytes, "-----BEGIN CERTIFICATE");
    size_t key_len = (size_t)(key_end - (const char *)other.bytes);
    size_t certificate_len = one.len_bytes - (size_t)(certificate - (const char *)one.bytes);
    memcpy(mixed, other.bytes, key_len);
    memcpy(mixed + key_len, certificate, certificate_len);
    struct crypto_ca *ca = NULL;
    assert_int_equal(crypto_ca_load(cursor_of(mixed, key_len + certificate_len), &ca), ERR_MISMATCH);
}

static void ca_name_over_the_limit_is_refused(void **state)
{
    (void)state;
    OWNED_SECRET pem = {0};
    char name[CRYPTO_X509_CA_NAME_BYTES + 2];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    assert_int_equal(crypto_ca_create(name, FROM_S, UNTIL_S, &pem), ERR_TOO_LARGE);
    name[sizeof name - 2] = 0;
    assert_int_equal(crypto_ca_create(name, FROM_S, UNTIL_S, &pem), ERR_NONE);
}

static void issue_checks_its_order(void **state)
{
    (void)state;
    struct crypto_ca *ca = make_ca();
    uint8_t public_bytes[CRYPTO_X509_PUBLIC_BYTES];
    struct writer public_key = writer_of(public_bytes, sizeof public_bytes);
    struct crypto_x509_key *key = NULL;
    assert_int_equal(crypto_x509_key_new(&public_key, &key), ERR_NONE);
    uint8_t der[CRYPTO_X509_DER_BYTES];
    char longest[254];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    struct cursor good_key;
    assert_int_equal(writer_done(&public_key, &good_key), ERR_NONE);
    struct cursor cut_key = cursor_of(good_key.at, cursor_len(&good_key) - 1);
    const struct {
        struct cursor key;
        const char *name;
        enum err wanted;
    } rows[] = {
        {good_key, "orders-db", ERR_NONE},
        {good_key, "10.1.2.3", ERR_NONE},
        {good_key, "fd00::1", ERR_NONE},
        {good_key, longest, ERR_NONE},
        {good_key, "", ERR_MALFORMED},
        {cut_key, "orders-db", ERR_MALFORMED},
        {cursor_of("no key", 6), "orders-db", ERR_MALFORMED},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct writer out = writer_of(der, sizeof der);
        struct crypto_x509_order order = {rows[i].key, rows[i].name, FROM_S, UNTIL_S};
        assert_int_equal(crypto_ca_issue(ca, &order, &out), rows[i].wanted);
        /* subjectAltName (2.5.29.17) is the only name: RFC 5280 section 4.2.1.6 wants it critical */
        static const uint8_t CRITICAL_NAME[] = {0x06, 0x03, 0x55, 0x1d, 0x11, 0x01, 0x01, 0xff};
        bool has_name =
            memmem(der, (size_t)(out.at - out.start), CRITICAL_NAME, sizeof CRITICAL_NAME) != NULL;
        assert_int_equal(has_name, rows[i].wanted == ERR_NONE);
    }
    crypto_x509_key_free(key);
    crypto_ca_free(ca);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ca_written_as_pem_is_read_again),
        cmocka_unit_test(ca_cut_anywhere_is_refused),
        cmocka_unit_test(ca_with_the_key_of_another_is_refused),
        cmocka_unit_test(ca_name_over_the_limit_is_refused),
        cmocka_unit_test(issue_checks_its_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
