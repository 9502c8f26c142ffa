/* What the files of the record stream share. */
#ifndef RECORD_STREAM_PARTS_H
#define RECORD_STREAM_PARTS_H

#include "record/stream.h"

/** The header of a record; its length is filled in by stream_end(). Returns where it begins. */
uint8_t *stream_begin(struct writer *out, enum record_kind kind, uint32_t channel);
void stream_end(struct writer *out, uint8_t *start);
/** At most the first `max_bytes`. */
struct cursor stream_cut(struct cursor bytes, size_t max_bytes);
/** A string without NUL: each becomes "?". */
void stream_write_text(struct writer *out, struct cursor text, size_t max_bytes);

/** @return ERR_MALFORMED when it holds a NUL. */
MUST_CHECK enum err stream_read_text(struct cursor *in, struct cursor *ret_text);
/** A string of 32 bytes, or an empty one. */
MUST_CHECK enum err stream_read_hash(struct cursor *in, struct cursor *ret_hash);
/** The fields of a DB_* record. */
MUST_CHECK enum err stream_read_db(struct cursor *in, struct record_body *body);

#endif
