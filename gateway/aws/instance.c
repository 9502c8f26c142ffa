/* The instance metadata service, version 2. Source: "Use the Instance Metadata Service" of the EC2 user
 * guide: a PUT for a token, then the role's name and its credentials, with the token in a header. */
#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "aws/credentials.h"
#include "base/queue.h"
#include "base/text.h"
#include "crypto/hash.h"

#define SERVICE "http://169.254.169.254/latest/"
enum { ANSWER_BYTES = 16384, TIMEOUT_MS = 2000, HTTP_OK = 200, ROLE_BYTES = 128, TOKEN_BYTES = 512 };

enum err aws_start(void)
{
    crypto_start();
    tzset();             /* for gmtime_r() */
    json_object_seed(0); /* random, against chosen names */
    return curl_global_init(CURL_GLOBAL_NOTHING) == CURLE_OK ? ERR_NONE : ERR_LIBRARY;
}

static size_t take(char *bytes, size_t size, size_t count, void *context)
{
    (void)size; /* always 1 */
    return queue_append(context, cursor_of(bytes, count)) == ERR_NONE ? count : 0;
}

static void free_list(struct curl_slist **list)
{
    curl_slist_free_all(*list);
}

static bool set_options(CURL *curl, const char *url, bool is_put, struct curl_slist *headers,
                        struct queue *answer)
{
    bool is_ok = curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
                 curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http") == CURLE_OK &&
                 curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
                 curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
                 curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
                 curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS) == CURLE_OK &&
                 curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
                 curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take) == CURLE_OK &&
                 curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer) == CURLE_OK;
    return is_ok && (!is_put || curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "PUT") == CURLE_OK);
}

/* @return ERR_NOT_FOUND when there is no answer, or another than 200; ERR_MEMORY. */
static enum err ask(CURL *curl, const char *path, bool is_put, const char *header, struct queue *answer,
                    char *ret_why)
{
    char url[256];
    long status = 0;
    (void)snprintf(url, sizeof url, SERVICE "%s", path);
    __attribute__((cleanup(free_list))) struct curl_slist *headers = curl_slist_append(NULL, header);
    queue_consume(answer, queue_len(answer));
    curl_easy_reset(curl);
    if (headers == NULL || !set_options(curl, url, is_put, headers, answer)) {
        return ERR_MEMORY;
    }
    CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_OK && curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK &&
        status == HTTP_OK) {
        return ERR_NONE;
    }
    if (code != CURLE_OK) {
        (void)snprintf(
            ret_why, LIMIT_SENTENCE_BYTES,
            "the metadata service of AWS does not answer (%s): is this an EC2 instance, and does it allow "
            "IMDSv2?",
            curl_easy_strerror(code));
    } else {
        (void)snprintf(ret_why, LIMIT_SENTENCE_BYTES,
                       "the metadata service of AWS answers %ld to %s: has this instance a role?", status,
                       path);
    }
    return ERR_NOT_FOUND;
}

static enum err not_of_aws(char *ret_why)
{
    (void)snprintf(ret_why, LIMIT_SENTENCE_BYTES, "the metadata service does not answer as that of AWS does");
    return ERR_MALFORMED;
}

/* The first word of an answer, of printable ASCII. @param forbidden  what may not be in it */
static enum err read_word(const struct queue *answer, const char *forbidden, char *ret_word,
                          size_t size_bytes, char *ret_why)
{
    struct cursor text = queue_peek(answer);
    struct cursor line;
    struct cursor word;
    if (!cursor_line(&text, &line) || !cursor_word(&line, &word) || cursor_len(&word) >= size_bytes) {
        return not_of_aws(ret_why);
    }
    for (const uint8_t *at = word.at; at != word.end; at++) {
        if (*at <= ' ' || *at >= 0x7f || strchr(forbidden, *at) != NULL) {
            return not_of_aws(ret_why);
        }
    }
    (void)snprintf(ret_word, size_bytes, "%.*s", (int)cursor_len(&word), (const char *)word.at);
    return ERR_NONE;
}

static enum err ask_all(CURL *curl, struct queue *answer, struct aws_credentials *ret, char *ret_why)
{
    char token[TOKEN_BYTES];
    char header[TOKEN_BYTES + 64];
    char role[ROLE_BYTES];
    char path[ROLE_BYTES + 64];
    TRY(ask(curl, "api/token", true, "X-aws-ec2-metadata-token-ttl-seconds: 60", answer, ret_why));
    TRY(read_word(answer, "", token, sizeof token, ret_why));
    (void)snprintf(header, sizeof header, "X-aws-ec2-metadata-token: %s", token);
    TRY(ask(curl, "meta-data/iam/security-credentials/", false, header, answer, ret_why));
    TRY(read_word(answer, "/?#%", role, sizeof role, ret_why));
    (void)snprintf(path, sizeof path, "meta-data/iam/security-credentials/%s", role);
    TRY(ask(curl, path, false, header, answer, ret_why));
    return aws_credentials_from_json(queue_peek(answer), ret, ret_why);
}

enum err aws_credentials_from_instance(struct aws_credentials *ret, char ret_why[static LIMIT_SENTENCE_BYTES])
{
    CURL *curl = curl_easy_init();
    if (curl == NULL) {
        (void)snprintf(ret_why, LIMIT_SENTENCE_BYTES, "the bastion has no memory left");
        return ERR_MEMORY;
    }
    struct queue answer;
    queue_init(&answer, ANSWER_BYTES);
    enum err err = ask_all(curl, &answer, ret, ret_why);
    secret_wipe(queue_bytes(&answer), queue_len(&answer));
    queue_done(&answer);
    curl_easy_cleanup(curl);
    return err;
}
