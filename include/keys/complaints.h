/* What is wrong with a file of keys, line by line: a file is judged whole, so that an operator sees every
 * fault. */
#ifndef KEYS_COMPLAINTS_H
#define KEYS_COMPLAINTS_H

#include "base/cursor.h"

enum { KEYS_COMPLAINTS_MAX = 8, KEYS_COMPLAINT_BYTES = 200 };

struct keys_complaint {
    unsigned line; /* 1 for the first */
    char sentence[KEYS_COMPLAINT_BYTES];
};
/** {0} is empty. */
struct keys_complaints {
    unsigned count; /* all complaints; only the first KEYS_COMPLAINTS_MAX are kept */
    struct keys_complaint rows[KEYS_COMPLAINTS_MAX];
};

/** Add "<before><quoted><after>"; `quoted` is made printable and cut to about 60 bytes. */
void keys_complain(struct keys_complaints *complaints, unsigned line, const char *before,
                   struct cursor quoted, const char *after);
/** How many of them are kept in `rows`. */
unsigned keys_complaints_kept(const struct keys_complaints *complaints);

#endif
