/* Who is kept out for now, and until when others may come: a file that operators and configuration management
 * write beside the policy. A line per person, "NAME disabled", "NAME expires=2026-12-31T18:00:00Z" or both;
 * "#" begins a comment. Who has no line is as the policy says. */
#ifndef AUTH_PEOPLE_H
#define AUTH_PEOPLE_H

#include "base/cursor.h"
#include "base/limits.h"
#include "base/secret.h"

enum {
    PEOPLE_FILE_BYTES = 1 << 20,
    PEOPLE_COUNT_MAX = 16384,
    PEOPLE_TIME_BYTES = sizeof "2026-12-31T18:00:00Z",
};

struct people_entry {
    char person[LIMIT_PERSON_BYTES];
    bool is_disabled;
    int64_t expires_s; /* seconds since 1970; 0: never */
};

/** Heap; {0} is empty. */
struct people {
    struct people_entry *entries; /* OWNED, by name */
    size_t count;
};

void people_done(struct people *people);
/** Read the file's bytes into an empty value.
 *  @param ret_line  on error: the line that cannot be used, 1 for the first
 *  @return ERR_MALFORMED, also for a person with two lines; ERR_TOO_LARGE; ERR_MEMORY. `people` stays empty.
 */
MUST_CHECK enum err people_read(struct people *people, struct cursor file, unsigned *ret_line);
/** NULL when there is no line for the person. */
const struct people_entry *people_find(const struct people *people, const char *person);
bool people_keeps_out(const struct people *people, const char *person, int64_t now_s);
/** The file with another line for this person; all other lines stay as they are. A line that says nothing is
 * left out. @return ERR_TOO_LARGE, ERR_MEMORY. */
MUST_CHECK enum err people_set(struct cursor file, const struct people_entry *entry, struct secret *ret_file);

/** "2026-12-31T18:00:00Z", or "2026-12-31" for the begin of that day; UTC. @return ERR_MALFORMED. */
MUST_CHECK enum err people_time_read(struct cursor text, int64_t *ret_time_s);
/** Returns `text`. */
const char *people_time_text(int64_t time_s, char text[static PEOPLE_TIME_BYTES]);

#endif
