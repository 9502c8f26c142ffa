#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "bech32.h"
#include "record/age.h"

/* What one line of a key file holds, for the sentence of an error. */
struct key_kind {
    const char *prefix, *file, *wanted;
    unsigned max;
};
static const struct key_kind RECIPIENT = {"age", "recipients file", "age1...", RECORD_RECIPIENTS_MAX};
static const struct key_kind IDENTITY = {"age-secret-key-", "identity file", "AGE-SECRET-KEY-1...",
                                         RECORD_IDENTITIES_MAX};

static struct cursor trim(struct cursor line)
{
    while (line.at != line.end && (*line.at == ' ' || *line.at == '\t')) {
        line.at++;
    }
    while (line.at != line.end && (line.end[-1] == ' ' || line.end[-1] == '\t' || line.end[-1] == '\r')) {
        line.end--;
    }
    return line;
}

static const char *why(enum err err)
{
    switch ((int)err) {
    case ERR_MISMATCH:
        return "its checksum is wrong, so a letter was lost or changed: copy the key again";
    case ERR_NOT_FOUND:
        return "keys of other types (plugins, ssh, passphrases) are not supported";
    default:
        return "it is not a key";
    }
}

static enum err parse_keys(struct cursor text, const struct key_kind *kind, uint8_t keys[][32],
                           unsigned *count, char sentence[static RECORD_AGE_SENTENCE_BYTES])
{
    struct cursor line;
    unsigned number = 0;
    *count = 0;
    while (cursor_line(&text, &line)) {
        number++;
        line = trim(line);
        if (cursor_len(&line) == 0 || *line.at == '#') {
            continue;
        }
        if (*count == kind->max) {
            (void)snprintf(sentence, RECORD_AGE_SENTENCE_BYTES, "%s, line %u: more than %u keys", kind->file,
                           number, kind->max);
            return ERR_TOO_LARGE;
        }
        enum err err = bech32_key(line, kind->prefix, keys[*count]);
        if (err != ERR_NONE) {
            (void)snprintf(sentence, RECORD_AGE_SENTENCE_BYTES, "%s, line %u: wanted %s; %s", kind->file,
                           number, kind->wanted, why(err));
            return ERR_MALFORMED;
        }
        ++*count;
    }
    if (*count == 0) {
        (void)snprintf(sentence, RECORD_AGE_SENTENCE_BYTES,
                       "the %s names no key: add at least one line %s (age-keygen makes one)", kind->file,
                       kind->wanted);
        return ERR_NOT_FOUND;
    }
    return ERR_NONE;
}

enum err record_recipients_parse(struct cursor text, struct record_recipients *ret_recipients,
                                 char ret_sentence[static RECORD_AGE_SENTENCE_BYTES])
{
    struct record_recipients recipients = {0};
    TRY(parse_keys(text, &RECIPIENT, recipients.keys, &recipients.count, ret_sentence));
    *ret_recipients = recipients;
    return ERR_NONE;
}

enum err record_identities_parse(struct cursor text, struct record_identities *ret_identities,
                                 char ret_sentence[static RECORD_AGE_SENTENCE_BYTES])
{
    struct record_identities identities = {0};
    enum err err = parse_keys(text, &IDENTITY, identities.keys, &identities.count, ret_sentence);
    if (err == ERR_NONE) {
        *ret_identities = identities;
    }
    record_identities_done(&identities);
    return err;
}

void record_identities_done(struct record_identities *identities)
{
    secret_wipe(identities, sizeof *identities);
}

void record_age_recipient_text(const uint8_t public_key[static 32],
                               char ret_text[static RECORD_AGE_RECIPIENT_BYTES])
{
    bech32_text(public_key, RECIPIENT.prefix, ret_text, RECORD_AGE_RECIPIENT_BYTES);
}
