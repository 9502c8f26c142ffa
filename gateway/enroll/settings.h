/* What the commands need to know about the gateway: from its configuration, or from options instead of it.
 * Private to the room. */
#ifndef ENROLL_SETTINGS_H
#define ENROLL_SETTINGS_H

#include "base/err.h"
#include "config/config.h"

#define SETTINGS_DEFAULT_CONFIG "/etc/bastion/bastiond.yaml"

#define SETTINGS_NO_PERSON                                                                                   \
    "is no person's name: a small letter, then small letters, digits, \".\", \"_\" and \"-\", at most 32"

/** "bastion: <what>: <sentence>" on stderr. */
void settings_complain(const char *what, const char *sentence);
/** Read the configuration; every finding is printed.
 *  @return any error; it was complained about. */
MUST_CHECK enum err settings_load(const char *path, struct gateway_config *ret_config);
/** The users file that pam_oath reads: usersfile= in the PAM service of `config`.
 *  @return any error; it was complained about. */
MUST_CHECK enum err settings_users_file(const struct gateway_config *config, char *ret_path,
                                        size_t size_bytes);

#endif
