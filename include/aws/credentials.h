/* Where the credentials of the bastion come from: the environment of bastiond, a shared credentials file of
 * the AWS command line, or the metadata service of the EC2 instance (IMDSv2 alone: the first version answers
 * to anybody who can make the instance ask). */
#ifndef AWS_CREDENTIALS_H
#define AWS_CREDENTIALS_H

#include "aws/token.h"
#include "base/limits.h"

enum { AWS_FILE_BYTES = 65536, AWS_PROFILE_BYTES = 128 };

/** What the libraries of this room open files for, before a sandbox is closed. @return ERR_LIBRARY. */
MUST_CHECK enum err aws_start(void);

/* On error, each says in one sentence what is missing and what to do. */

/** AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN. @return ERR_NOT_FOUND; ERR_MALFORMED;
 * ERR_MEMORY. */
MUST_CHECK enum err aws_credentials_from_environment(struct aws_credentials *ret,
                                                     char ret_why[static LIMIT_SENTENCE_BYTES]);
/** One profile of the text of a file. @return ERR_NOT_FOUND; ERR_MALFORMED; ERR_MEMORY. */
MUST_CHECK enum err aws_credentials_from_file(struct cursor text, const char *profile,
                                              struct aws_credentials *ret,
                                              char ret_why[static LIMIT_SENTENCE_BYTES]);
/** The answer of the metadata service for a role. @return ERR_MALFORMED; ERR_NOT_FOUND (its Code says why);
 * ERR_MEMORY. */
MUST_CHECK enum err aws_credentials_from_json(struct cursor text, struct aws_credentials *ret,
                                              char ret_why[static LIMIT_SENTENCE_BYTES]);
/** Ask the metadata service. Takes six seconds at the most.
 *  @return ERR_NOT_FOUND when it does not answer, or the instance has no role; ERR_MALFORMED; ERR_MEMORY. */
MUST_CHECK enum err aws_credentials_from_instance(struct aws_credentials *ret,
                                                  char ret_why[static LIMIT_SENTENCE_BYTES]);

#endif
