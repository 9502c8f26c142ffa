/* age files, recipients files and identity files. */
#include <stdint.h>
#include <stdlib.h>

#include "record/age.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record_identities identities = {.count = 1};
    struct record_identities read_identities;
    struct record_recipients recipients;
    char sentence[RECORD_AGE_SENTENCE_BYTES];
    uint8_t plain[64];
    size_t len = 0;
    for (unsigned i = 0; i < 32; i++) {
        identities.keys[0][i] = 7; /* the key of the file in the corpus */
    }
    if (record_age_open(&identities, cursor_of(data, size), plain, sizeof plain, &len) == ERR_NONE &&
        len > sizeof plain) {
        abort();
    }
    if (record_recipients_parse(cursor_of(data, size), &recipients, sentence) == ERR_NONE &&
        (recipients.count == 0 || recipients.count > RECORD_RECIPIENTS_MAX)) {
        abort();
    }
    if (record_identities_parse(cursor_of(data, size), &read_identities, sentence) == ERR_NONE &&
        (read_identities.count == 0 || read_identities.count > RECORD_IDENTITIES_MAX)) {
        abort();
    }
    return 0;
}
