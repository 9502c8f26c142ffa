/* Characters that may not be in a file that people review: what is not UTF-8, what a terminal obeys, and what
 * makes a line look different from what it says (bidirectional and invisible marks). */
#ifndef YAML_CHARACTERS_H
#define YAML_CHARACTERS_H

#include "base/cursor.h"

struct character_place {
    unsigned line, column; /* from 1, columns in characters */
};
/** @param allow_lines  newline, carriage return and tab may occur
 *  @return NULL, or what is wrong at the place, as a constant sentence fragment. */
const char *characters_check(struct cursor bytes, bool allow_lines, struct character_place *ret_place);

#endif
