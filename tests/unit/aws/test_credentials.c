#include "aws/credentials.h"

#include <stdlib.h>
#include <string.h>

#include "unit_test.h"

static enum err from_file(const char *text, const char *profile, struct aws_credentials *ret, char *why)
{
    *ret = (struct aws_credentials){.key_id = ""};
    return aws_credentials_from_file(cursor_of_text(text), profile, ret, why);
}

static void profile_of_a_file_is_found(void **state)
{
    (void)state;
    static const char TEXT[] =
        "# keys of the bastion\r\n[default]\naws_access_key_id=AKIA1\naws_secret_access_key = s1\n"
        "region = eu-central-1\n\n[ audit ]\n; another\n aws_access_key_id = AKIA2 \n"
        "aws_secret_access_key=s/2+=\naws_session_token = t2";
    char why[LIMIT_SENTENCE_BYTES];
    OWNED_CREDENTIALS first = {.key_id = ""};
    OWNED_CREDENTIALS second = {.key_id = ""};
    assert_int_equal(from_file(TEXT, "default", &first, why), ERR_NONE);
    assert_string_equal(first.key_id, "AKIA1");
    assert_int_equal(first.session_token.len_bytes, 0);
    assert_int_equal(from_file(TEXT, "audit", &second, why), ERR_NONE);
    assert_string_equal(second.key_id, "AKIA2");
    assert_true(cursor_equal_text(secret_peek(&second.secret_key), "s/2+="));
    assert_true(cursor_equal_text(secret_peek(&second.session_token), "t2"));
}

static void file_that_lacks_something_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
        enum err err;
    } ROWS[] = {
        {"", "has no profile default", ERR_NOT_FOUND},
        {"[other]\naws_access_key_id=A\naws_secret_access_key=s\n", "has no profile default", ERR_NOT_FOUND},
        {"[default]\naws_access_key_id=A\n", "missing in the profile default", ERR_NOT_FOUND},
        {"[default]\naws_access_key_id=A B\naws_secret_access_key=s\n", "what AWS never gives",
         ERR_MALFORMED},
        {"[default]\naws_access_key_id=A\naws_secret_access_key=s\naws_session_token=\x01\n",
         "what AWS never gives", ERR_MALFORMED},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        char why[LIMIT_SENTENCE_BYTES] = "";
        OWNED_CREDENTIALS credentials = {.key_id = ""};
        assert_int_equal(from_file(ROWS[i].text, "default", &credentials, why), ROWS[i].err);
        assert_non_null(strstr(why, ROWS[i].says));
    }
}

static void answer_of_the_metadata_service_is_read(void **state)
{
    (void)state;
    static const char TEXT[] =
        "{\"Code\":\"Success\",\"Type\":\"AWS-HMAC\",\"AccessKeyId\":\"ASIA1\",\"SecretAccessKey\":"
        "\"s\",\"Token\":\"t\",\"Expiration\":\"2026-11-23T16:00:00Z\"}";
    char why[LIMIT_SENTENCE_BYTES];
    OWNED_CREDENTIALS credentials = {.key_id = ""};
    assert_int_equal(aws_credentials_from_json(cursor_of_text(TEXT), &credentials, why), ERR_NONE);
    assert_string_equal(credentials.key_id, "ASIA1");
    assert_true(cursor_equal_text(secret_peek(&credentials.session_token), "t"));
}

static void other_answers_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
    } ROWS[] = {
        {"", ERR_MALFORMED},
        {"[]", ERR_MALFORMED},
        {"<html>", ERR_MALFORMED},
        {"{\"Code\":\"Failed\"}", ERR_NOT_FOUND},
        {"{\"Code\":\"Success\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\"}", ERR_MALFORMED},
        {"{\"Code\":\"Success\",\"AccessKeyId\":7,\"SecretAccessKey\":\"s\",\"Token\":\"t\"}", ERR_MALFORMED},
        {"{\"AccessKeyId\":\"A\\n\",\"SecretAccessKey\":\"s\",\"Token\":\"t\"}", ERR_MALFORMED},
        {"{\"AccessKeyId\":\"A\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"Token\":\"t\"}",
         ERR_MALFORMED},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        char why[LIMIT_SENTENCE_BYTES] = "";
        OWNED_CREDENTIALS credentials = {.key_id = ""};
        assert_int_equal(aws_credentials_from_json(cursor_of_text(ROWS[i].text), &credentials, why),
                         ROWS[i].err);
        assert_int_not_equal(why[0], 0);
    }
}

static void environment_needs_both_keys(void **state)
{
    (void)state;
    char why[LIMIT_SENTENCE_BYTES];
    OWNED_CREDENTIALS credentials = {.key_id = ""};
    (void)unsetenv("AWS_SECRET_ACCESS_KEY");
    (void)unsetenv("AWS_SESSION_TOKEN");
    (void)setenv("AWS_ACCESS_KEY_ID", "AKIA3", 1);
    assert_int_equal(aws_credentials_from_environment(&credentials, why), ERR_NOT_FOUND);
    (void)setenv("AWS_SECRET_ACCESS_KEY", "s3", 1);
    assert_int_equal(aws_credentials_from_environment(&credentials, why), ERR_NONE);
    assert_string_equal(credentials.key_id, "AKIA3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(profile_of_a_file_is_found),
        cmocka_unit_test(file_that_lacks_something_is_told),
        cmocka_unit_test(answer_of_the_metadata_service_is_read),
        cmocka_unit_test(other_answers_are_refused),
        cmocka_unit_test(environment_needs_both_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
