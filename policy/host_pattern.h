/* Names of hosts with wildcards. A pattern is labels between dots; a label is a literal or holds one "*",
 * which stands for one or more characters and never for a dot. So "*.prod.internal" has exactly three labels.
 */
#ifndef POLICY_HOST_PATTERN_H
#define POLICY_HOST_PATTERN_H

#include <stdbool.h>

#include "base/cursor.h"

/** @return NULL, or why `text` is no pattern, as a constant sentence fragment. */
const char *host_pattern_check(struct cursor text);
bool host_pattern_has_wildcard(struct cursor text);
/** Both in lower case. */
bool host_pattern_matches(struct cursor pattern, struct cursor host);
/** Is there a host that both match? Both in lower case. */
bool host_pattern_overlaps(struct cursor a, struct cursor b);
enum { HOST_PATTERN_LABEL_BYTES = 254 };
/** A label that both labels match; they overlap. */
void host_pattern_cross_labels(struct cursor a, struct cursor b, char label[static HOST_PATTERN_LABEL_BYTES]);
/** The literal labels at the end, without a leading dot: "prod.internal" of "*.prod.internal". */
struct cursor host_pattern_suffix(struct cursor pattern);
/** Drops the first label and its dot. @return false when there was only one; then `name` is empty. */
bool host_pattern_drop_label(struct cursor *name);

#endif
