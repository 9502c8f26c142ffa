/* The files that say who may come: keys_dir/NAME, people_file, and what bastiond keeps in state_dir. */
#ifndef ENROLL_PEOPLE_FILES_H
#define ENROLL_PEOPLE_FILES_H

#include "auth/lockout.h"
#include "auth/people.h"
#include "config/config.h"

enum { PEOPLE_FILES_NAMES_MAX = 65536 };

/** What is known of people; {0} is empty. */
struct people_files {
    const struct gateway_config *config; /* borrowed */
    struct people people;
    struct lockout_table lockouts;
    char (*names)[LIMIT_PERSON_BYTES]; /* OWNED, sorted, each once: who has a key file or a line */
    size_t name_count;
};

void people_files_done(struct people_files *files);
/** Complains on stderr about what cannot be read. @return an error after a complaint. */
MUST_CHECK enum err people_files_read(const struct gateway_config *config, struct people_files *ret);
/** Lines of keys_dir/NAME that could admit a key now. */
unsigned people_files_keys(const struct people_files *files, const char *person);
/** Change the line of one person. Complains. */
MUST_CHECK enum err people_files_set(const struct gateway_config *config, const struct people_entry *entry);
/** Add public keys, lines of authorized_keys. Complains: ERR_MALFORMED for a line that admits nobody,
 * ERR_STATE when all are there already. */
MUST_CHECK enum err people_files_add_keys(const struct gateway_config *config, const char *person,
                                          struct cursor lines);
/** Have the running daemon forget the wrong codes of a person.
 *  @param ret_is_running  false: nobody took the request, and the file of a stopped daemon was changed */
MUST_CHECK enum err people_files_unlock(const struct gateway_config *config, const char *person,
                                        bool *ret_is_running);

#endif
