#include "aws/credentials.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static enum err refuse(char *ret_why, enum err err, const char *sentence, const char *detail)
{
    (void)snprintf(ret_why, LIMIT_SENTENCE_BYTES, "%s%.200s", sentence, detail);
    return err;
}

/* Printable ASCII without blanks: what AWS gives, and what cannot end a line of a request. */
static bool is_plain(struct cursor value, size_t max)
{
    if (cursor_len(&value) == 0 || cursor_len(&value) >= max) {
        return false;
    }
    for (; value.at != value.end; value.at++) {
        if (*value.at <= ' ' || *value.at >= 0x7f) {
            return false;
        }
    }
    return true;
}

enum { SECRET_KEY_BYTES = 256 };

static enum err set(struct aws_credentials *credentials, struct cursor key_id, struct cursor secret_key,
                    struct cursor session_token, char *ret_why)
{
    bool has_token = cursor_len(&session_token) > 0;
    if (!is_plain(key_id, AWS_KEY_ID_BYTES) || !is_plain(secret_key, SECRET_KEY_BYTES) ||
        (has_token && !is_plain(session_token, AWS_SESSION_BYTES))) {
        return refuse(ret_why, ERR_MALFORMED, "the AWS credentials hold what AWS never gives, or too much",
                      "");
    }
    (void)snprintf(credentials->key_id, sizeof credentials->key_id, "%.*s", (int)cursor_len(&key_id),
                   (const char *)key_id.at);
    enum err err = secret_set(&credentials->secret_key, secret_key);
    if (err == ERR_NONE && has_token) {
        err = secret_set(&credentials->session_token, session_token);
    }
    return err == ERR_NONE ? ERR_NONE : refuse(ret_why, err, "the bastion has no memory left", "");
}

static struct cursor text_or_nothing(const char *text)
{
    return text == NULL ? cursor_of(NULL, 0) : cursor_of_text(text);
}

enum err aws_credentials_from_environment(struct aws_credentials *ret,
                                          char ret_why[static LIMIT_SENTENCE_BYTES])
{
    const char *key_id = getenv("AWS_ACCESS_KEY_ID");
    const char *secret_key = getenv("AWS_SECRET_ACCESS_KEY");
    if (key_id == NULL || secret_key == NULL) {
        return refuse(
            ret_why, ERR_NOT_FOUND,
            "bastiond was started without AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in its environment",
            "");
    }
    return set(ret, cursor_of_text(key_id), cursor_of_text(secret_key),
               text_or_nothing(getenv("AWS_SESSION_TOKEN")), ret_why);
}

/* ---- the file ---- */

static struct cursor trim(struct cursor text)
{
    while (text.at != text.end && (*text.at == ' ' || *text.at == '\t' || *text.at == '\r')) {
        text.at++;
    }
    while (text.at != text.end && (text.end[-1] == ' ' || text.end[-1] == '\t' || text.end[-1] == '\r')) {
        text.end--;
    }
    return text;
}

/* "[name]" of a line. @return false for other lines. */
static bool read_section(struct cursor line, struct cursor *ret_name)
{
    if (cursor_len(&line) < 2 || line.at[0] != '[' || line.end[-1] != ']') {
        return false;
    }
    *ret_name = trim((struct cursor){line.at + 1, line.end - 1});
    return true;
}

static bool read_pair(struct cursor line, struct cursor *ret_name, struct cursor *ret_value)
{
    const uint8_t *equals = cursor_len(&line) == 0 ? NULL : memchr(line.at, '=', cursor_len(&line));
    if (equals == NULL) {
        return false;
    }
    *ret_name = trim((struct cursor){line.at, equals});
    *ret_value = trim((struct cursor){equals + 1, line.end});
    return true;
}

enum err aws_credentials_from_file(struct cursor text, const char *profile, struct aws_credentials *ret,
                                   char ret_why[static LIMIT_SENTENCE_BYTES])
{
    struct cursor key_id = {NULL, NULL};
    struct cursor secret_key = {NULL, NULL};
    struct cursor session_token = {NULL, NULL};
    struct {
        const char *name;
        struct cursor *value;
    } fields[] = {{"aws_access_key_id", &key_id},
                  {"aws_secret_access_key", &secret_key},
                  {"aws_session_token", &session_token}};
    bool is_wanted = false;
    bool is_found = false;
    struct cursor line;
    while (cursor_line(&text, &line)) {
        line = trim(line);
        struct cursor name;
        struct cursor value;
        bool is_comment = cursor_len(&line) == 0 || *line.at == '#' || *line.at == ';';
        if (is_comment) {
            continue;
        }
        if (read_section(line, &name)) {
            is_wanted = cursor_equal_text(name, profile);
            is_found = is_found || is_wanted;
            continue;
        }
        bool is_pair = is_wanted && read_pair(line, &name, &value);
        for (size_t i = 0; is_pair && i < sizeof fields / sizeof fields[0]; i++) {
            if (cursor_equal_text(name, fields[i].name)) {
                *fields[i].value = value;
            }
        }
    }
    if (!is_found) {
        return refuse(ret_why, ERR_NOT_FOUND, "the file of AWS credentials has no profile ", profile);
    }
    if (cursor_len(&key_id) == 0 || cursor_len(&secret_key) == 0) {
        return refuse(ret_why, ERR_NOT_FOUND,
                      "aws_access_key_id or aws_secret_access_key is missing in the profile ", profile);
    }
    return set(ret, key_id, secret_key, session_token, ret_why);
}

/* ---- the metadata service ---- */

static void free_json(json_t **json)
{
    json_decref(*json);
}

enum err aws_credentials_from_json(struct cursor text, struct aws_credentials *ret,
                                   char ret_why[static LIMIT_SENTENCE_BYTES])
{
    __attribute__((cleanup(free_json))) json_t *json =
        json_loadb((const char *)text.at, cursor_len(&text), JSON_REJECT_DUPLICATES, NULL);
    const char *code = json_string_value(json_object_get(json, "Code"));
    const char *key_id = json_string_value(json_object_get(json, "AccessKeyId"));
    const char *secret_key = json_string_value(json_object_get(json, "SecretAccessKey"));
    const char *token = json_string_value(json_object_get(json, "Token"));
    if (code != NULL && strcmp(code, "Success") != 0) {
        char printable[64];
        text_printable(cursor_of_text(code), printable, sizeof printable);
        return refuse(ret_why, ERR_NOT_FOUND,
                      "the metadata service gives no credentials for the role: ", printable);
    }
    if (key_id == NULL || secret_key == NULL || token == NULL) {
        return refuse(ret_why, ERR_MALFORMED, "the metadata service does not answer as that of AWS does", "");
    }
    return set(ret, cursor_of_text(key_id), cursor_of_text(secret_key), cursor_of_text(token), ret_why);
}
