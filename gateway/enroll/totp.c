#include "totp.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/writer.h"

void totp_base32(const uint8_t secret[static TOTP_SECRET_BYTES], char ret_text[static TOTP_BASE32_BYTES])
{
    static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    for (size_t i = 0; i < TOTP_BASE32_BYTES - 1; i++) {
        size_t bit = 5 * i;
        /* Five bits lie in at most two bytes. */
        unsigned pair = (unsigned)secret[bit / 8] << 8;
        if (bit / 8 + 1 < TOTP_SECRET_BYTES) {
            pair |= secret[bit / 8 + 1];
        }
        ret_text[i] = LETTERS[pair >> (11 - bit % 8) & 31];
    }
    ret_text[TOTP_BASE32_BYTES - 1] = 0;
}

/* RFC 3986 section 2.3: the unreserved letters stand for themselves. */
static void write_encoded(struct writer *out, const char *text)
{
    static const char DIGITS[] = "0123456789ABCDEF";
    for (; *text != 0; text++) {
        uint8_t byte = (uint8_t)*text;
        if (byte < 0x80 && (isalnum(byte) || strchr("-._~", byte) != NULL)) {
            writer_u8(out, byte);
        } else {
            writer_u8(out, '%');
            writer_u8(out, (uint8_t)DIGITS[byte >> 4]);
            writer_u8(out, (uint8_t)DIGITS[byte & 15]);
        }
    }
}

enum err totp_uri(const char *issuer, const char *person, const char *base32,
                  char ret_uri[static TOTP_URI_BYTES])
{
    struct writer out = writer_of(ret_uri, TOTP_URI_BYTES);
    writer_bytes(&out, cursor_of_text("otpauth://totp/"));
    write_encoded(&out, issuer);
    writer_u8(&out, ':');
    write_encoded(&out, person);
    writer_bytes(&out, cursor_of_text("?secret="));
    writer_bytes(&out, cursor_of_text(base32));
    writer_bytes(&out, cursor_of_text("&issuer="));
    write_encoded(&out, issuer);
    writer_bytes(&out, cursor_of_text("&algorithm=SHA1&digits=6&period=30"));
    writer_u8(&out, 0);
    return out.is_full ? ERR_TOO_LARGE : ERR_NONE;
}
