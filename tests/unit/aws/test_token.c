#include "aws/token.h"

#include <stdio.h>
#include <string.h>

#include "unit_test.h"

/* Expected signatures: botocore 1.29.27, generate_db_auth_token(), with its clock set to AT_S. Key and secret
 * are the examples of the AWS documentation. */
enum { AT_S = 1795428000 }; /* 2026-11-23T10:00:00Z */
#define HOST "orders.abc123.eu-central-1.rds.amazonaws.com"
#define CREDENTIAL                                                                                           \
    "&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20261123%2Feu-central-1%"     \
    "2Frds-db%"                                                                                              \
    "2Faws4_request&X-Amz-Date=20261123T100000Z&X-Amz-Expires=900"

static const struct aws_login LOGIN = {
    .host = HOST, .user = "orders rw+\xc3\xa4", .region = "eu-central-1", .port = 5432};

static void make(const char *session_token, struct aws_credentials *ret)
{
    *ret = (struct aws_credentials){.key_id = "AKIAIOSFODNN7EXAMPLE"};
    assert_int_equal(secret_set(&ret->secret_key, cursor_of_text("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")),
                     ERR_NONE);
    if (session_token != NULL) {
        assert_int_equal(secret_set(&ret->session_token, cursor_of_text(session_token)), ERR_NONE);
    }
}

static void assert_token(const char *session_token, const char *expected)
{
    OWNED_CREDENTIALS credentials = {.key_id = ""};
    OWNED_SECRET token = {0};
    make(session_token, &credentials);
    assert_int_equal(aws_token(&credentials, &LOGIN, AT_S, &token), ERR_NONE);
    char text[2048];
    (void)snprintf(text, sizeof text, "%.*s", (int)token.len_bytes, (const char *)token.bytes);
    assert_string_equal(text, expected);
}

static void token_of_a_user_is_what_botocore_makes(void **state)
{
    (void)state;
    assert_token(NULL, HOST ":5432/?Action=connect&DBUser=orders%20rw%2B%C3%A4" CREDENTIAL
                            "&X-Amz-SignedHeaders=host&X-Amz-Signature="
                            "e8bdfcf0be090d893a25f99ae830009c7b68a7cb58a70defe741d9c58bd6cc38");
}

/* The parts are signed in order; botocore writes the session token behind them, which is the same request. */
static void token_of_a_role_is_what_botocore_makes(void **state)
{
    (void)state;
    assert_token("IQoJb3JpZ2luX2VjE//+==",
                 HOST ":5432/?Action=connect&DBUser=orders%20rw%2B%C3%A4" CREDENTIAL
                      "&X-Amz-Security-Token=IQoJb3JpZ2luX2VjE%2F%2F%2B%3D%3D&X-Amz-SignedHeaders=host"
                      "&X-Amz-Signature=7b5eab0ad14c80460e3e18edab588d19f9c0ae0345687e12ea8ad945dca0bec0");
}

static void token_needs_all_of_its_parts(void **state)
{
    (void)state;
    OWNED_CREDENTIALS credentials = {.key_id = ""};
    OWNED_SECRET token = {0};
    assert_int_equal(aws_token(&credentials, &LOGIN, AT_S, &token), ERR_STATE);
    make(NULL, &credentials);
    struct aws_login login = LOGIN;
    login.user = "";
    assert_int_equal(aws_token(&credentials, &login, AT_S, &token), ERR_MALFORMED);
    login = LOGIN;
    login.host = "";
    assert_int_equal(aws_token(&credentials, &login, AT_S, &token), ERR_MALFORMED);
    login = LOGIN;
    login.region = "";
    assert_int_equal(aws_token(&credentials, &login, AT_S, &token), ERR_MALFORMED);
    char long_host[600];
    memset(long_host, 'a', sizeof long_host - 1);
    long_host[sizeof long_host - 1] = 0;
    login = LOGIN;
    login.host = long_host;
    assert_int_equal(aws_token(&credentials, &login, AT_S, &token), ERR_TOO_LARGE);
    assert_null(token.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_of_a_user_is_what_botocore_makes),
        cmocka_unit_test(token_of_a_role_is_what_botocore_makes),
        cmocka_unit_test(token_needs_all_of_its_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
