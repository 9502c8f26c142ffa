/* The users file of pam_oath as a value: text in, text out. One line is one secret: type, person, PIN or "-",
 * secret in hex, and what pam_oath adds after each login (counter, last code, when). Private to the room. */
#ifndef ENROLL_OATH_USERS_H
#define ENROLL_OATH_USERS_H

#include "base/secret.h"

enum { OATH_FILE_BYTES = 1048576 }; /* about 10,000 people */

struct oath_user {
    struct cursor type, person;
    struct cursor last_used; /* "2026-11-23T12:00:00L"; empty: never */
};

/** The next line that is a user's; comments and empty lines are skipped. @return false at the end. */
bool oath_users_next(struct cursor *file, struct oath_user *ret_user);
bool oath_users_has(struct cursor file, const char *person);
/** The file with exactly one line for `person`: a time based code of 6 digits each 30 seconds (RFC 6238). All
 * other lines stay byte for byte.
 *  @param secret  at most 64 bytes. @return ERR_TOO_LARGE; ERR_MEMORY. */
MUST_CHECK enum err oath_users_set(struct cursor file, const char *person, struct cursor secret,
                                   struct secret *ret_file);
/** The file without the lines of `person`. @return ERR_NOT_FOUND; ERR_MEMORY. */
MUST_CHECK enum err oath_users_remove(struct cursor file, const char *person, struct secret *ret_file);
/** Has `person` exactly this secret? */
bool oath_users_holds(struct cursor file, const char *person, struct cursor secret);

#endif
