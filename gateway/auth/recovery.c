#include "auth/recovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/people.h"
#include "base/text.h"
#include "base/writer.h"
#include "crypto/hash.h"

enum {
    DIGITS = 16, /* of base 32, five bits each */
    GROUP = 4,
    HEX_BYTES = 2 * CRYPTO_SHA256_BYTES + 1,
    LINE_BYTES = HEX_BYTES + 48,
};
static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyz234567";

const char *recovery_text(const uint8_t random[static RECOVERY_RANDOM_BYTES],
                          char text[static RECOVERY_CODE_BYTES])
{
    size_t used = 0;
    for (size_t i = 0; i < DIGITS; i++) {
        size_t bit = 5 * i;
        unsigned pair = (unsigned)random[bit / 8] << 8;
        pair |= bit / 8 + 1 < RECOVERY_RANDOM_BYTES ? random[bit / 8 + 1] : 0U;
        if (i > 0 && i % GROUP == 0) {
            text[used++] = '-';
        }
        text[used++] = LETTERS[pair >> (11 - bit % 8) & 31U];
    }
    text[used] = 0;
    return text;
}

/* @return false unless it is the digits of a code, and nothing else. */
static bool read_digits(struct cursor text, char ret_digits[static DIGITS + 1])
{
    size_t count = 0;
    for (; text.at != text.end; text.at++) {
        uint8_t byte = *text.at;
        byte = byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte - 'A' + 'a') : byte;
        if (byte == '-' || byte == ' ') {
            continue;
        }
        if (count == DIGITS || byte == 0 || strchr(LETTERS, byte) == NULL) {
            return false;
        }
        ret_digits[count++] = (char)byte;
    }
    ret_digits[count] = 0;
    return count == DIGITS;
}

bool recovery_is_code(struct cursor text)
{
    char digits[DIGITS + 1];
    bool is_code = read_digits(text, digits);
    secret_wipe(digits, sizeof digits);
    return is_code;
}

/* Of name and code, so that a line is worth nothing in another person's file. */
static void hash_code(const char *person, const char digits[static DIGITS + 1],
                      char ret_hex[static HEX_BYTES])
{
    char text[LIMIT_PERSON_BYTES + DIGITS + 32];
    uint8_t digest[CRYPTO_SHA256_BYTES];
    (void)snprintf(text, sizeof text, "bastion recovery %s %s", person, digits);
    crypto_sha256(cursor_of_text(text), digest);
    (void)text_hex(cursor_of(digest, sizeof digest), ret_hex, HEX_BYTES);
    secret_wipe(text, sizeof text);
}

static enum err reserve(size_t size, struct secret *room)
{
    if (size > RECOVERY_FILE_BYTES) {
        return ERR_TOO_LARGE;
    }
    room->bytes = calloc(1, size);
    room->len_bytes = room->bytes == NULL ? 0 : size;
    return room->bytes == NULL ? ERR_MEMORY : ERR_NONE;
}

enum err recovery_write(const char *person, const char codes[][RECOVERY_CODE_BYTES], size_t count,
                        struct secret *ret_file)
{
    OWNED_SECRET room = {0};
    TRY(reserve((count + 1) * LINE_BYTES, &room));
    struct writer out = writer_of(room.bytes, room.len_bytes);
    for (size_t i = 0; i < count; i++) {
        char digits[DIGITS + 1];
        char hex[HEX_BYTES];
        if (!read_digits(cursor_of_text(codes[i]), digits)) {
            return ERR_MALFORMED;
        }
        hash_code(person, digits, hex);
        secret_wipe(digits, sizeof digits);
        writer_bytes(&out, cursor_of_text(hex));
        writer_u8(&out, '\n');
    }
    struct cursor written;
    TRY(writer_done(&out, &written));
    return secret_set(ret_file, written);
}

/* @return false for what is no line of a code. */
static bool split(struct cursor line, struct cursor *ret_hash, bool *ret_is_used)
{
    struct cursor more;
    if (!cursor_word(&line, ret_hash) || cursor_len(ret_hash) != HEX_BYTES - 1) {
        return false;
    }
    *ret_is_used = cursor_word(&line, &more) && *more.at != '#';
    return true;
}

enum err recovery_use(struct cursor file, const char *person, struct cursor code, int64_t now_s,
                      struct secret *ret_file)
{
    char digits[DIGITS + 1];
    char hex[HEX_BYTES];
    if (!read_digits(code, digits)) {
        return ERR_NOT_FOUND;
    }
    hash_code(person, digits, hex);
    secret_wipe(digits, sizeof digits);
    OWNED_SECRET room = {0};
    TRY(reserve(cursor_len(&file) + LINE_BYTES, &room));
    struct writer out = writer_of(room.bytes, room.len_bytes);
    enum err found = ERR_NOT_FOUND;
    struct cursor line;
    while (cursor_line(&file, &line)) {
        struct cursor hash;
        bool is_used = false;
        writer_bytes(&out, line);
        if (found == ERR_NOT_FOUND && split(line, &hash, &is_used) &&
            secret_equal(hash, cursor_of_text(hex))) {
            char time[PEOPLE_TIME_BYTES];
            found = is_used ? ERR_DENIED : ERR_NONE;
            writer_bytes(&out, cursor_of_text(" used="));
            writer_bytes(&out, cursor_of_text(people_time_text(now_s, time)));
        }
        writer_u8(&out, '\n');
    }
    struct cursor written;
    TRY(found);
    TRY(writer_done(&out, &written));
    return secret_set(ret_file, written);
}

unsigned recovery_left(struct cursor file)
{
    unsigned left = 0;
    struct cursor line;
    while (cursor_line(&file, &line)) {
        struct cursor hash;
        bool is_used = false;
        left += split(line, &hash, &is_used) && !is_used ? 1U : 0U;
    }
    return left;
}
