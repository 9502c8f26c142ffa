/* What the records of files say, in words for people. */
#ifndef REPLAY_FILE_WORDS_H
#define REPLAY_FILE_WORDS_H

#include <stddef.h>

#include "record/stream.h"

enum { REPLAY_FILE_WORDS_BYTES = 4096 };

/** FILE_REQUEST, FILE_RESULT or FILE_TOTAL as one printable line, without its number's file: a result and a
 * total alone do not know the path. Returns `words`. */
const char *replay_file_words(const struct record_body *body, char words[static REPLAY_FILE_WORDS_BYTES]);
/** "ok", "permission denied"; "status 77" for numbers without a name. Returns `text`. */
const char *replay_file_status(uint32_t status, char *text, size_t size_bytes);

#endif
