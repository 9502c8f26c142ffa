/* Key blobs, certificates and private key files: no input may crash, and a blob has one text form. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keys/certificate.h"
#include "keys/private_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_blob(struct cursor blob)
{
    struct keys_public key;
    if (keys_blob_parse(blob, &key) != ERR_NONE) {
        return;
    }
    static char line[KEYS_LINE_BYTES];
    static struct keys_blob again;
    if (keys_line_write(blob, line, sizeof line) != ERR_NONE) {
        abort();
    }
    const char *blank = strchr(line, ' ');
    struct cursor type = cursor_of(line, (size_t)(blank - line));
    if (keys_line_read(type, cursor_of_text(blank + 1), &again) != ERR_NONE ||
        !cursor_equal(keys_blob_peek(&again), blob)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor bytes = cursor_of(data, size);
    fuzz_blob(bytes);
    struct keys_certificate_view view;
    if (keys_certificate_read(bytes, &view) == ERR_NONE) {
        (void)!keys_certificate_verify(&view, view.ca_blob);
    }
    OWNED_SECRET seed = {0};
    static struct keys_blob public_blob;
    const char *sentence = NULL;
    enum err err = keys_private_read(bytes, &seed, &public_blob, &sentence);
    if (sentence == NULL || (err == ERR_NONE) != (seed.bytes != NULL)) {
        abort();
    }
    return 0;
}
