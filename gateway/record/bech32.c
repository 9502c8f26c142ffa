#include "bech32.h"

#include <assert.h>
#include <string.h>

static const char LETTERS[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
enum { CHECKSUM_LETTERS = 6, KEY_LETTERS = 52 }; /* 32 bytes are 51.2 groups of five bits */

static uint32_t polymod_step(uint32_t sum, uint8_t value)
{
    static const uint32_t GENERATOR[5] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
    uint32_t top = sum >> 25;
    sum = (sum & 0x1ffffff) << 5 ^ value;
    for (unsigned i = 0; i < 5; i++) {
        if ((top >> i & 1) != 0) {
            sum ^= GENERATOR[i];
        }
    }
    return sum;
}

static uint32_t polymod_prefix(const char *prefix)
{
    uint32_t sum = 1;
    for (const char *at = prefix; *at != 0; at++) {
        sum = polymod_step(sum, (uint8_t)*at >> 5);
    }
    sum = polymod_step(sum, 0);
    for (const char *at = prefix; *at != 0; at++) {
        sum = polymod_step(sum, (uint8_t)*at & 31);
    }
    return sum;
}

static uint8_t lower(uint8_t letter)
{
    return letter >= 'A' && letter <= 'Z' ? (uint8_t)(letter + 'a' - 'A') : letter;
}

/* BIP 173: "Decoders MUST NOT accept strings where some characters are uppercase and some are lowercase". */
static bool is_one_case(struct cursor text)
{
    bool has_upper = false;
    bool has_lower = false;
    for (; text.at != text.end; text.at++) {
        has_upper = has_upper || (*text.at >= 'A' && *text.at <= 'Z');
        has_lower = has_lower || (*text.at >= 'a' && *text.at <= 'z');
    }
    return !(has_upper && has_lower);
}

static enum err take_prefix(struct cursor *text, const char *prefix)
{
    size_t separator = cursor_len(text);
    while (separator > 0 && text->at[separator - 1] != '1') {
        separator--;
    }
    if (separator == 0) {
        return ERR_MALFORMED;
    }
    if (separator - 1 != strlen(prefix)) {
        return ERR_NOT_FOUND;
    }
    for (size_t i = 0; i < separator - 1; i++) {
        if (lower(text->at[i]) != (uint8_t)prefix[i]) {
            return ERR_NOT_FOUND;
        }
    }
    text->at += separator;
    return ERR_NONE;
}

enum err bech32_key(struct cursor text, const char *prefix, uint8_t ret_key[static BECH32_KEY_BYTES])
{
    if (!is_one_case(text)) {
        return ERR_MALFORMED;
    }
    TRY(take_prefix(&text, prefix));
    if (cursor_len(&text) != KEY_LETTERS + CHECKSUM_LETTERS) {
        return ERR_MALFORMED;
    }
    uint32_t sum = polymod_prefix(prefix);
    uint8_t key[BECH32_KEY_BYTES];
    size_t len = 0;
    uint32_t bits = 0;
    unsigned bit_count = 0;
    for (size_t i = 0; i < KEY_LETTERS + CHECKSUM_LETTERS; i++) {
        uint8_t letter = lower(text.at[i]);
        const char *found = letter == 0 ? NULL : strchr(LETTERS, letter);
        if (found == NULL) {
            return ERR_MALFORMED;
        }
        uint8_t value = (uint8_t)(found - LETTERS);
        sum = polymod_step(sum, value);
        if (i >= KEY_LETTERS) {
            continue;
        }
        bits = (bits << 5 | value) & 0xfff;
        bit_count += 5;
        if (bit_count >= 8) {
            bit_count -= 8;
            key[len++] = (uint8_t)(bits >> bit_count);
        }
    }
    if (sum != 1) {
        return ERR_MISMATCH;
    }
    if ((bits & ((1u << bit_count) - 1)) != 0) {
        return ERR_MALFORMED;
    }
    assert(len == BECH32_KEY_BYTES);
    memcpy(ret_key, key, sizeof key);
    return ERR_NONE;
}

void bech32_text(const uint8_t key[static BECH32_KEY_BYTES], const char *prefix, char *ret_text,
                 size_t size_bytes)
{
    size_t at = strlen(prefix);
    assert(size_bytes >= at + 1 + KEY_LETTERS + CHECKSUM_LETTERS + 1);
    memcpy(ret_text, prefix, at);
    ret_text[at++] = '1';
    uint32_t sum = polymod_prefix(prefix);
    uint32_t bits = 0;
    unsigned bit_count = 0;
    for (size_t i = 0; i < BECH32_KEY_BYTES + 1; i++) {
        /* One zero byte more fills the last group; only the groups that the key needs are written. */
        bits = (bits << 8 | (i < BECH32_KEY_BYTES ? key[i] : 0)) & 0xfff;
        bit_count += 8;
        while (bit_count >= 5 && at < strlen(prefix) + 1 + KEY_LETTERS) {
            bit_count -= 5;
            uint8_t value = bits >> bit_count & 31;
            sum = polymod_step(sum, value);
            ret_text[at++] = LETTERS[value];
        }
    }
    for (unsigned i = 0; i < CHECKSUM_LETTERS; i++) {
        sum = polymod_step(sum, 0);
    }
    sum ^= 1;
    for (unsigned i = 0; i < CHECKSUM_LETTERS; i++) {
        ret_text[at++] = LETTERS[sum >> 5 * (5 - i) & 31];
    }
    ret_text[at] = 0;
}
