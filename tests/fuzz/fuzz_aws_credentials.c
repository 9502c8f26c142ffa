#include <stdint.h>

#include "aws/credentials.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Both texts come from outside: a file of an operator, an answer over the network. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char why[LIMIT_SENTENCE_BYTES];
    struct cursor text = cursor_of(bytes, len);
    OWNED_CREDENTIALS from_file = {.key_id = ""};
    OWNED_CREDENTIALS from_json = {.key_id = ""};
    err_ignore(aws_credentials_from_file(text, "default", &from_file, why));
    err_ignore(aws_credentials_from_json(text, &from_json, why));
    return 0;
}
