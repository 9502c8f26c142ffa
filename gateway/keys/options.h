/* The options in front of a key in an authorized_keys line. Private to the room. */
#ifndef KEYS_OPTIONS_H
#define KEYS_OPTIONS_H

#include "keys/complaints.h"

/** What the options of one line ask for. Texts are borrowed from the line. */
struct keys_options {
    bool has_from;
    struct cursor from; /* list, checked */
    int64_t expires_s;  /* 0: never; the earliest of several */
    bool is_verify_required, is_touch_not_required;
    unsigned lacks; /* enum keys_lacks */
};

/** Read options up to the blank that ends them; `line` then starts at the key.
 *  @return ERR_MALFORMED after exactly one complaint. */
MUST_CHECK enum err keys_options_read(struct cursor *line, unsigned line_number,
                                      struct keys_options *ret_options, struct keys_complaints *complaints);

#endif
