/* Recovery codes: ten of them, each good once in the place of the second factor, for who has lost the phone.
 * The file (one per person) holds only hashes: a line "HASH", or "HASH used=2026-12-31T18:00:00Z"; "#" begins
 * a comment. A code is 80 random bits, so a hash without salt gives nothing away. */
#ifndef AUTH_RECOVERY_H
#define AUTH_RECOVERY_H

#include "base/cursor.h"
#include "base/limits.h"
#include "base/secret.h"

enum {
    RECOVERY_COUNT = 10,
    RECOVERY_RANDOM_BYTES = 10,
    RECOVERY_CODE_BYTES = sizeof "abcd-efgh-ijkl-mnop",
    RECOVERY_FILE_BYTES = 16384,
};

/** The text of 80 random bits. Returns `text`. */
const char *recovery_text(const uint8_t random[static RECOVERY_RANDOM_BYTES],
                          char text[static RECOVERY_CODE_BYTES]);
/** Does it have the shape of a code? Capital letters, blanks around it and left out dashes are forgiven. */
bool recovery_is_code(struct cursor text);
/** The file for new codes. @return ERR_MEMORY. */
MUST_CHECK enum err recovery_write(const char *person, const char codes[][RECOVERY_CODE_BYTES], size_t count,
                                   struct secret *ret_file);
/** Spend a code.
 *  @param ret_file  the file with this code marked as used: to be written before anybody is let in
 *  @return ERR_NOT_FOUND: no such code; ERR_DENIED: it was used; ERR_MEMORY, ERR_TOO_LARGE. */
MUST_CHECK enum err recovery_use(struct cursor file, const char *person, struct cursor code, int64_t now_s,
                                 struct secret *ret_file);
/** How many are not used. */
unsigned recovery_left(struct cursor file);

#endif
