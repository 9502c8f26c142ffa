/* Proofs of passwords. Vectors: computed with Python's hashlib and, for ed25519, accepted by a MariaDB 10.11.
 */
#include "../../../gateway/database/my_password.h"

#include "unit_test.h"

#include "base/text.h"

static const char *const NONCE = "abcdefghijklmnopqrst";

static void prove(enum my_plugin plugin, const char *nonce, const char *password, const char *want_hex)
{
    OWNED_SECRET proof = {0};
    char hex[256];
    assert_int_equal(my_prove(plugin, cursor_of_text(nonce), cursor_of_text(password), &proof), ERR_NONE);
    assert_string_equal(text_hex(secret_peek(&proof), hex, sizeof hex), want_hex);
}

static void proofs_are_those_of_other_clients(void **state)
{
    (void)state;
    prove(MY_PLUGIN_NATIVE, NONCE, "secret", "8817c50fa779daef010ee7577825b0847df9842e");
    prove(MY_PLUGIN_SHA2, NONCE, "secret",
          "c76e2898612a4cf042c77fa8c4702c4c64c0c2c557c53c4d75595aaa6abae809");
    prove(MY_PLUGIN_NATIVE, NONCE, "", "");
    prove(MY_PLUGIN_SHA2, NONCE, "", "");
    prove(MY_PLUGIN_CLEAR, "", "secret", "73656372657400");
    prove(MY_PLUGIN_OLD_SHA256, NONCE, "secret", "73656372657400");
    prove(MY_PLUGIN_DIALOG, "", "", "00");
}

static void nonce_of_another_length_is_malformed(void **state)
{
    (void)state;
    OWNED_SECRET proof = {0};
    const struct cursor password = cursor_of_text("x");
    static const enum my_plugin PLUGINS[] = {MY_PLUGIN_NATIVE, MY_PLUGIN_SHA2, MY_PLUGIN_ED25519};
    for (size_t i = 0; i < COUNT_OF(PLUGINS); i++) {
        assert_int_equal(my_prove(PLUGINS[i], cursor_of_text("short"), password, &proof), ERR_MALFORMED);
        assert_int_equal(
            my_prove(PLUGINS[i], cursor_of("abcdefghijklmnopqrstuvwxyzABCDEFxx", 34), password, &proof),
            ERR_MALFORMED);
    }
    /* A NUL after it is how servers send it. */
    assert_int_equal(my_prove(MY_PLUGIN_SHA2, cursor_of("abcdefghijklmnopqrst", 21), password, &proof),
                     ERR_NONE);
    assert_int_equal(my_prove(MY_PLUGIN_OTHER, cursor_of_text(NONCE), password, &proof), ERR_NOT_FOUND);
}

static void plugins_have_their_names(void **state)
{
    (void)state;
    for (enum my_plugin plugin = MY_PLUGIN_NATIVE; plugin < MY_PLUGINS; plugin++) {
        assert_int_equal(my_plugin_of(cursor_of_text(my_plugin_name(plugin))), plugin);
    }
    assert_int_equal(my_plugin_of(cursor_of_text("auth_gssapi_client")), MY_PLUGIN_OTHER);
    assert_int_equal(my_plugin_of(cursor_of_text("")), MY_PLUGIN_OTHER);
}

static void mixed_password_is_unmixed(void **state)
{
    (void)state;
    uint8_t mixed[30] = "a password of over 20 letters";
    for (size_t i = 0; i < sizeof mixed; i++) {
        mixed[i] ^= (uint8_t)NONCE[i % MY_NONCE_BYTES];
    }
    OWNED_SECRET password = {0};
    const uint8_t *nonce = (const uint8_t *)NONCE;
    assert_int_equal(my_unmix(cursor_of(mixed, sizeof mixed), nonce, &password), ERR_NONE);
    assert_true(cursor_equal_text(secret_peek(&password), "a password of over 20 letters"));
    assert_int_equal(my_unmix(cursor_of(mixed, sizeof mixed - 1), nonce, &password), ERR_MALFORMED);
    assert_int_equal(my_unmix(cursor_of(mixed, 0), nonce, &password), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proofs_are_those_of_other_clients),
        cmocka_unit_test(nonce_of_another_length_is_malformed),
        cmocka_unit_test(plugins_have_their_names),
        cmocka_unit_test(mixed_password_is_unmixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
