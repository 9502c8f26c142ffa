/* Reading and judging what every certificate says; include/keys/certified.h has the value. */
#ifndef GATEWAY_KEYS_CERTIFIED_H
#define GATEWAY_KEYS_CERTIFIED_H

#include "keys/certified.h"

enum { CERTIFIED_NAME_BYTES = 128, CERTIFIED_OPTION_BYTES = 1024 };

/** One critical option. @return an error for one that is not known, or cannot be kept. */
typedef enum err certified_option(void *owner, struct cursor name, struct cursor data);

/** Read a certificate. Options are held against their order only; the signature is not checked.
 *  @return ERR_TRUNCATED; ERR_TOO_LARGE; ERR_MALFORMED, also for no principal or trailing bytes. */
MUST_CHECK enum err certified_read(struct cursor blob, struct keys_certified *ret);
/** Hand over the critical options one by one. */
MUST_CHECK enum err certified_critical_options(const struct keys_certified *certified, certified_option *each,
                                               void *owner);
/** The next name. @return false at the end. */
bool certified_principal(struct cursor *principals, struct cursor *ret_name);
/** @return NULL, or why it is not valid at `now_s`. */
const char *certified_refuse_time(const struct keys_certified *certified, int64_t now_s);
/** Is it signed by this CA, and does the certificate say so? */
bool certified_is_signed_by(const struct keys_certified *certified, struct cursor ca_blob);

#endif
