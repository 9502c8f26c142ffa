/* The folders that the processes write into, each for its own user. Private to the room. */
#ifndef ENROLL_FOLDERS_H
#define ENROLL_FOLDERS_H

#include <stdbool.h>

#include "config/config.h"

/** Make those that are missing; what exists is never changed. Prints a line for each, complains on stderr.
 *  @return false after a complaint. */
bool folders_make(const struct gateway_config *config);

#endif
