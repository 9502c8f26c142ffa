/* The rule for the future at the end of a TZif file: "CET-1CEST,M3.5.0,M10.5.0/3" (POSIX.1-2017 section 8.3,
 * with the wider times of RFC 9636 section 3.3.1). */
#ifndef POLICY_ZONE_RULE_H
#define POLICY_ZONE_RULE_H

#include "zone.h"

enum { ZONE_RULE_FIRST_YEAR = 1970, ZONE_RULE_CHANGES = 2 * (ZONE_LAST_YEAR - ZONE_RULE_FIRST_YEAR + 1) };

/** Write the rule out behind the changes of a zone, up to ZONE_LAST_YEAR.
 *  @param zone  has room for ZONE_RULE_CHANGES more
 *  @return ERR_MALFORMED, also for days that are counted through the year (no zone of today has them). */
MUST_CHECK enum err zone_rule_append(struct cursor rule, struct zone *zone);

#endif
