/* Secrets in the texts of statements: passwords of roles and users, options of foreign servers, connection
 * strings. Their literals are replaced by '***' before a text is recorded; what runs is never changed. */
#ifndef DATABASE_REDACT_H
#define DATABASE_REDACT_H

#include <stdbool.h>

#include "base/queue.h"
#include "database/relay.h"

/**
 * @param text     a statement or several, or the beginning of them
 * @param scratch  holds what is returned where the text had a secret; is emptied first
 * @param ret_text `text` itself where it had none
 * @return ERR_MEMORY; ERR_TOO_LARGE when `scratch` is too small: three times the text always fits
 */
MUST_CHECK enum err db_redact(enum db_protocol protocol, struct cursor text, struct queue *scratch,
                              struct cursor *ret_text, bool *ret_is_secret);

#endif
