/* authorized_keys files: no input may crash, and no key may be admitted from a line with an option we do not
 * know. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keys/authorized_keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The key that the corpus files hold. */
static const uint8_t BLOB[] = "\0\0\0\x0bssh-ed25519\0\0\0\x20"
                              "0123456789abcdef0123456789abcdef";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct keys_complaints complaints;
    struct keys_authorization found;
    struct cursor file = cursor_of(data, size);
    struct cursor blob = cursor_of(BLOB, sizeof BLOB - 1);
    complaints = (struct keys_complaints){0};
    enum err err = keys_authorized_find(file, blob, "10.1.2.3", 1795435200, &found, &complaints);
    if (err == ERR_NONE && (found.line == 0 || memchr(found.comment, 0, sizeof found.comment) == NULL)) {
        abort();
    }
    unsigned usable = 0;
    if (keys_authorized_check(file, 1795435200, &usable, &complaints) == ERR_NONE && err == ERR_NONE &&
        usable == 0) {
        abort();
    }
    for (unsigned i = 0; i < keys_complaints_kept(&complaints); i++) {
        if (memchr(complaints.rows[i].sentence, 0, sizeof complaints.rows[i].sentence) == NULL) {
            abort();
        }
    }
    return 0;
}
