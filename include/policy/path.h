/* Paths of files in a policy, held against paths that SFTP requests name. Paths are compared as text: what a
 * symbolic link on the target leads to is not seen here, the account's own rights stay the boundary. */
#ifndef POLICY_PATH_H
#define POLICY_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cursor.h"

enum { PATH_PATTERN_BYTES = 1024, PATH_BYTES = 4096 };

/** A pattern is an absolute path; a "*" in a step stands for any bytes of one step, and "**" as the last step
 * for the folder before it and everything below it. @return NULL, or why it cannot be one. */
const char *path_check(struct cursor pattern);
/** @param path  absolute and plain, as path_plain() makes it; @param pattern  path_check() holds */
bool path_matches(struct cursor pattern, struct cursor path);
/** Make a path absolute and plain: `base` before a relative one, no empty and no "." steps.
 *  @param base      absolute; empty: nobody knows where relative paths begin
 *  @param ret_path  room for `size_bytes`, with a NUL
 *  @return ERR_DENIED for a relative path without base, a ".." step (a link may stand before it) or a NUL;
 *          ERR_TOO_LARGE */
MUST_CHECK enum err path_plain(struct cursor base, struct cursor path, char *ret_path, size_t size_bytes);

#endif
