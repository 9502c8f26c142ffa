/* Tokens by which a database of AWS RDS lets in a user who has no password: a request to connect, signed with
 * the credentials of the bastion (Signature Version 4, as a presigned GET), that serves as the password for
 * 15 minutes. Sources: "IAM database authentication" of the RDS user guide; "Authenticating requests: using
 * query parameters" of the SigV4 reference; RFC 3986 section 2.1 for the encoding. */
#ifndef AWS_TOKEN_H
#define AWS_TOKEN_H

#include "base/secret.h"

enum {
    AWS_TOKEN_SECONDS = 900,
    AWS_TOKEN_BYTES = 16384,  /* the longest token */
    AWS_REGION_BYTES = 64,    /* "eu-central-1" and a NUL */
    AWS_KEY_ID_BYTES = 128,   /* "AKIA..." and a NUL; IAM allows 128 */
    AWS_SESSION_BYTES = 4096, /* the session token of temporary credentials; they have some 1,000 */
};

/** What signs. {0} is none. */
struct aws_credentials {
    char key_id[AWS_KEY_ID_BYTES];
    struct secret secret_key;    /* OWNED */
    struct secret session_token; /* OWNED, empty for credentials of a user */
};
void aws_credentials_done(struct aws_credentials *credentials);
#define OWNED_CREDENTIALS __attribute__((cleanup(aws_credentials_done))) struct aws_credentials

/** A login. The host is the real name of the RDS endpoint, whatever the engineer called it. */
struct aws_login {
    const char *host, *user, *region;
    uint16_t port;
};

/** @param at_s  now, in seconds since 1970; the token is good for AWS_TOKEN_SECONDS
 *  @param ret   OWNED by the caller
 *  @return ERR_STATE without credentials; ERR_MALFORMED for an empty host, user or region; ERR_TOO_LARGE;
 *          ERR_MEMORY. */
MUST_CHECK enum err aws_token(const struct aws_credentials *credentials, const struct aws_login *login,
                              int64_t at_s, struct secret *ret);

#endif
