#include "record/leaf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const char *const WORDS[RECORD_LEAF_KIND_COUNT] = {
    [RECORD_LEAF_OPEN] = "open",
    [RECORD_LEAF_CHECKPOINT] = "ckpt",
    [RECORD_LEAF_CLOSE] = "close",
    [RECORD_LEAF_RECOVER] = "recover",
};

static bool is_printable(struct cursor line)
{
    for (; line.at != line.end; line.at++) {
        if (*line.at < ' ' || *line.at > '~') {
            return false;
        }
    }
    return true;
}

static enum err read_hex(struct cursor *line, uint8_t *ret_bytes, size_t len_bytes)
{
    struct cursor word;
    return cursor_word(line, &word) ? text_unhex(word, ret_bytes, len_bytes) : ERR_MALFORMED;
}

static enum err read_torn(struct cursor word, uint64_t *ret_bytes)
{
    static const char LEAD[] = "torn=";
    struct cursor lead;
    if (cursor_bytes(&word, sizeof LEAD - 1, &lead) != ERR_NONE || !cursor_equal_text(lead, LEAD)) {
        return ERR_MALFORMED;
    }
    return text_u64(word, UINT64_MAX, ret_bytes) == ERR_NONE ? ERR_NONE : ERR_MALFORMED;
}

/* What follows the time. */
static enum err read_fields(struct cursor line, struct record_leaf *leaf)
{
    struct cursor word;
    TRY(read_hex(&line, leaf->sid, sizeof leaf->sid));
    if (leaf->kind != RECORD_LEAF_OPEN &&
        (!cursor_word(&line, &word) || text_u64(word, UINT64_MAX, &leaf->bytes) != ERR_NONE)) {
        return ERR_MALFORMED;
    }
    TRY(read_hex(&line, leaf->hash, sizeof leaf->hash));
    if (leaf->kind == RECORD_LEAF_RECOVER) {
        if (!cursor_word(&line, &word)) {
            return ERR_MALFORMED;
        }
        TRY(read_torn(word, &leaf->torn_bytes));
    }
    if (leaf->kind == RECORD_LEAF_CLOSE) {
        while (line.at != line.end && *line.at == ' ') {
            line.at++;
        }
        leaf->how = line;
        return ERR_NONE;
    }
    return cursor_word(&line, &word) ? ERR_MALFORMED : ERR_NONE;
}

enum err record_leaf_parse(struct cursor line, struct record_leaf *ret_leaf)
{
    struct record_leaf leaf = {0};
    struct cursor word;
    if (!is_printable(line) || cursor_len(&line) > RECORD_LEAF_BYTES) {
        return ERR_MALFORMED;
    }
    struct cursor rest = line;
    if (cursor_word(&rest, &word)) {
        for (int kind = RECORD_LEAF_OPEN; kind < RECORD_LEAF_KIND_COUNT; kind++) {
            if (cursor_equal_text(word, WORDS[kind])) {
                leaf.kind = (enum record_leaf_kind)kind;
            }
        }
    }
    if (leaf.kind != RECORD_LEAF_OTHER) {
        if (!cursor_word(&rest, &leaf.time)) {
            return ERR_MALFORMED;
        }
        TRY(read_fields(rest, &leaf));
    }
    *ret_leaf = leaf;
    return ERR_NONE;
}

size_t record_leaf_text(const struct record_leaf *leaf, uint64_t wall_us,
                        char ret_line[static RECORD_LEAF_BYTES])
{
    char time[CLOCK_TEXT_BYTES];
    char sid[2 * LIMIT_SID_BYTES + 1];
    char hash[2 * CRYPTO_SHA256_BYTES + 1];
    char bytes[24] = "";
    char tail[128] = "";
    if (leaf->kind != RECORD_LEAF_OPEN) {
        (void)snprintf(bytes, sizeof bytes, "%" PRIu64 " ", leaf->bytes);
    }
    if (leaf->kind == RECORD_LEAF_RECOVER) {
        (void)snprintf(tail, sizeof tail, " torn=%" PRIu64, leaf->torn_bytes);
    }
    if (leaf->kind == RECORD_LEAF_CLOSE) {
        size_t at = 0;
        tail[at++] = ' ';
        for (struct cursor how = leaf->how; how.at != how.end && at < sizeof tail - 1; how.at++) {
            bool is_visible = *how.at >= ' ' && *how.at <= '~';
            tail[at++] = (char)(is_visible ? *how.at : (uint8_t)'?');
        }
        tail[at] = 0;
    }
    int len =
        snprintf(ret_line, RECORD_LEAF_BYTES, "%s %s %s %s%s%s", WORDS[leaf->kind], clock_text(wall_us, time),
                 text_hex(cursor_of(leaf->sid, sizeof leaf->sid), sid, sizeof sid), bytes,
                 text_hex(cursor_of(leaf->hash, sizeof leaf->hash), hash, sizeof hash), tail);
    return len < 0 ? 0 : (size_t)len;
}

bool record_leaf_may_add(struct cursor line)
{
    static const char *const LEADS[] = {"auth ", "policy ", "decision ", "boot ", "event "};
    if (!is_printable(line) || cursor_len(&line) > RECORD_LEAF_BYTES) {
        return false;
    }
    for (size_t i = 0; i < sizeof LEADS / sizeof LEADS[0]; i++) {
        size_t len = strlen(LEADS[i]);
        if (cursor_len(&line) > len && cursor_equal_text(cursor_of(line.at, len), LEADS[i])) {
            return true;
        }
    }
    return false;
}
