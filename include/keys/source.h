/* Source addresses: what from="..." lists and source-address options are made of. */
#ifndef KEYS_SOURCE_H
#define KEYS_SOURCE_H

#include "base/cursor.h"

enum keys_source_verdict { KEYS_SOURCE_OUTSIDE, KEYS_SOURCE_INSIDE, KEYS_SOURCE_NEGATED };

/** Is `address` within a comma-separated list of addresses and CIDR blocks, where "!" excludes and wins?
 *  An IPv4 address in IPv6 clothes (::ffff:0:0/96) counts as IPv4, in the list as in the address.
 *  @param address   numeric, without zone; NULL checks only the list
 *  @param ret_bad   the item that is neither address nor block, on ERR_MALFORMED
 *  @return ERR_MALFORMED for an empty list, a host name, a wildcard, a block with bits set after its prefix,
 * or an `address` that is none. A list with one bad item is bad as a whole. */
MUST_CHECK enum err keys_source_match(struct cursor list, const char *address,
                                      enum keys_source_verdict *ret_verdict, struct cursor *ret_bad);

#endif
