/* A QR code for a terminal. Private to the room. */
#ifndef ENROLL_QR_H
#define ENROLL_QR_H

#include <stdio.h>

#include "base/err.h"

/** Print `text` in half blocks, black on white whatever the colours of the terminal are.
 *  @return ERR_TOO_LARGE; ERR_MEMORY; ERR_SYSTEM. */
MUST_CHECK enum err qr_print(FILE *out, const char *text);

#endif
