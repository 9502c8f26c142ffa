/* state_dir/recovery/NAME: the hashes of a person's recovery codes (auth/recovery.h), for root alone. */
#ifndef ENROLL_RECOVERY_FILES_H
#define ENROLL_RECOVERY_FILES_H

#include "auth/recovery.h"
#include "config/config.h"

struct recovery_codes {
    unsigned count; /* 0: none were made */
    char texts[RECOVERY_COUNT][RECOVERY_CODE_BYTES];
};

/** Make new codes in the place of the old ones. @return ERR_SYSTEM, ERR_MEMORY. */
MUST_CHECK enum err recovery_files_make(const struct gateway_config *config, const char *person,
                                        struct recovery_codes *ret);
/** For the person to keep, on stdout. @param is_json  as the member "recovery" of an object */
void recovery_codes_print(const struct recovery_codes *codes, bool is_json);
/** @return ERR_NONE also when there are none; ERR_SYSTEM. */
MUST_CHECK enum err recovery_files_remove(const struct gateway_config *config, const char *person);
/** @return false when the person has no file that can be read. */
bool recovery_files_left(const struct gateway_config *config, const char *person, unsigned *ret_left);

#endif
