#include "crypto/base64.h"

static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum err crypto_base64_encode(struct cursor bytes, enum crypto_base64 form, char *ret_text, size_t size_bytes)
{
    size_t len = cursor_len(&bytes);
    size_t rest = len % 3;
    size_t text_len = len / 3 * 4 + (rest == 0 ? 0 : form == CRYPTO_BASE64_PADDED ? 4 : rest + 1);
    if (size_bytes <= text_len) {
        return ERR_TOO_LARGE;
    }
    uint32_t bits = 0;
    unsigned bit_count = 0;
    size_t at = 0;
    while (bytes.at != bytes.end) {
        bits = (bits << 8 | *bytes.at++) & 0xffff;
        bit_count += 8;
        while (bit_count >= 6) {
            bit_count -= 6;
            ret_text[at++] = LETTERS[bits >> bit_count & 63];
        }
    }
    if (bit_count > 0) {
        ret_text[at++] = LETTERS[bits << (6 - bit_count) & 63];
    }
    while (at < text_len) {
        ret_text[at++] = '=';
    }
    ret_text[at] = 0;
    return ERR_NONE;
}

static int letter_value(uint8_t letter)
{
    if (letter >= 'A' && letter <= 'Z') {
        return letter - 'A';
    }
    if (letter >= 'a' && letter <= 'z') {
        return letter - 'a' + 26;
    }
    if (letter >= '0' && letter <= '9') {
        return letter - '0' + 52;
    }
    return letter == '+' ? 62 : letter == '/' ? 63 : -1;
}

/* Takes the padding off a padded text. */
static enum err unpad(struct cursor *text)
{
    if (cursor_len(text) % 4 != 0) {
        return ERR_MALFORMED;
    }
    for (int i = 0; i < 2 && cursor_len(text) > 0 && text->end[-1] == '='; i++) {
        text->end--;
    }
    return ERR_NONE;
}

enum err crypto_base64_decode(struct cursor text, enum crypto_base64 form, uint8_t *ret_bytes,
                              size_t size_bytes, size_t *ret_len_bytes)
{
    if (form == CRYPTO_BASE64_PADDED) {
        TRY(unpad(&text));
    }
    size_t text_len = cursor_len(&text);
    if (text_len % 4 == 1) {
        return ERR_MALFORMED;
    }
    if (text_len / 4 * 3 + text_len % 4 * 3 / 4 > size_bytes) {
        return ERR_TOO_LARGE;
    }
    uint32_t bits = 0;
    unsigned bit_count = 0;
    size_t len = 0;
    while (text.at != text.end) {
        int value = letter_value(*text.at++);
        if (value < 0) {
            return ERR_MALFORMED;
        }
        bits = (bits << 6 | (uint32_t)value) & 0xffff;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            ret_bytes[len++] = (uint8_t)(bits >> bit_count);
        }
    }
    /* RFC 4648 section 3.5: bits after the last byte must be zero, else two texts would mean one value. */
    if ((bits & ((1u << bit_count) - 1)) != 0) {
        return ERR_MALFORMED;
    }
    *ret_len_bytes = len;
    return ERR_NONE;
}
