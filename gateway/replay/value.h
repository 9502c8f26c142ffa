/* What the files about values of parameters share. Private to the room. */
#ifndef REPLAY_VALUE_H
#define REPLAY_VALUE_H

#include "replay/queries.h"

/** Two's complement of `len_bytes` bytes, 1 to 8. */
int64_t value_as_signed(uint64_t value, size_t len_bytes);
/** IEEE 754 of 4 or 8 bytes. */
void value_say_float(uint64_t bits, size_t len_bytes, char text[static REPLAY_VALUE_BYTES]);
/** A binary value of MySQL. @return false when its type and length have no text here */
bool value_say_mysql(uint32_t type, struct cursor bytes, char text[static REPLAY_VALUE_BYTES]);

#endif
