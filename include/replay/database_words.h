/* What the records of databases say, in words for people. */
#ifndef REPLAY_DATABASE_WORDS_H
#define REPLAY_DATABASE_WORDS_H

#include <stdbool.h>

#include "record/stream.h"
#include "replay/file_words.h"

/** One printable line; long texts are cut. @return false for a record that is none of these (kinds DB_*), or
 * that only goes on with another (DB_MORE). */
bool replay_database_words(const struct record_body *body, char words[static REPLAY_FILE_WORDS_BYTES]);

#endif
