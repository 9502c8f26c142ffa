/* What an authenticator app reads: base32 and the otpauth URI. Private to the room. */
#ifndef ENROLL_TOTP_H
#define ENROLL_TOTP_H

#include "base/secret.h"

enum {
    TOTP_SECRET_BYTES = 20, /* RFC 4226 section 4 R6 recommends 160 bits */
    TOTP_BASE32_BYTES = TOTP_SECRET_BYTES * 8 / 5 + 1,
    TOTP_URI_BYTES = 512,
};

/** RFC 4648 section 6, without padding, NUL-terminated. */
void totp_base32(const uint8_t secret[static TOTP_SECRET_BYTES], char ret_text[static TOTP_BASE32_BYTES]);
/** "otpauth://totp/issuer:person?secret=...", names percent-encoded.
 *  Source: the Key URI Format that Google Authenticator introduced. @return ERR_TOO_LARGE. */
MUST_CHECK enum err totp_uri(const char *issuer, const char *person, const char *base32,
                             char ret_uri[static TOTP_URI_BYTES]);

#endif
