#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "format.h"
#include "verify.h"

/* One recording while it is checked. */
struct check {
    const struct index_entry *entry; /* NULL: not logged, or no log */
    bool has_log;
    struct record_reader reader;
    bool is_mark_passed; /* the chain stood at the log's last offset with the log's hash */
    bool is_closed;
    uint64_t frames, tail_bytes;
    char how[RECORD_HOW_BYTES + 1];
    char sentence[LIMIT_SENTENCE_BYTES];
};

const char *record_verdict_name(enum record_verdict verdict)
{
    static const char *const NAMES[RECORD_VERDICT_COUNT] = {
        [RECORD_OK] = "OK",
        [RECORD_UNFINISHED] = "UNFINISHED",
        [RECORD_RECOVERED] = "RECOVERED",
        [RECORD_ABANDONED] = "ABANDONED",
        [RECORD_TAMPERED] = "TAMPERED",
        [RECORD_TRUNCATED] = "TRUNCATED",
        [RECORD_DELETED] = "DELETED",
        [RECORD_NOT_LOGGED] = "NOT_LOGGED",
        [RECORD_WRONG_KEY] = "WRONG_KEY",
        [RECORD_UNREADABLE] = "UNREADABLE",
    };
    return verdict < RECORD_VERDICT_COUNT ? NAMES[verdict] : "?";
}

const char *record_log_verdict_name(enum record_log_verdict verdict)
{
    static const char *const NAMES[RECORD_LOG_VERDICT_COUNT] = {
        [RECORD_LOG_OK] = "OK",
        [RECORD_LOG_TORN] = "TORN",
        [RECORD_LOG_EDITED] = "EDITED",
        [RECORD_LOG_TRUNCATED] = "TRUNCATED",
        [RECORD_LOG_BAD_SIGNATURE] = "BAD_SIGNATURE",
        [RECORD_LOG_MISSING] = "MISSING",
        [RECORD_LOG_ROLLBACK] = "ROLLBACK",
        [RECORD_LOG_FORK] = "FORK",
        [RECORD_LOG_UNREADABLE] = "UNREADABLE",
    };
    return verdict < RECORD_LOG_VERDICT_COUNT ? NAMES[verdict] : "?";
}

static enum record_verdict say(struct check *check, enum record_verdict verdict, const char *sentence)
{
    (void)snprintf(check->sentence, sizeof check->sentence, "%s", sentence);
    return verdict;
}

/* A signature by another key is a fault of the whole file, not of a byte. */
static enum record_verdict judge_open(struct check *check, enum err err)
{
    switch ((int)err) {
    case ERR_MISMATCH:
        return say(check, RECORD_WRONG_KEY, "its head names another log key than the one that you gave");
    case ERR_TRUNCATED:
        return say(check, RECORD_TRUNCATED, "its head is cut short");
    case ERR_MALFORMED:
        return say(check, RECORD_TAMPERED, "its head is not that of a recording");
    default:
        return say(check, RECORD_UNREADABLE, err_text(err));
    }
}

/* Where the log says something about this offset, the chain must be what it says. @return RECORD_OK or a
 * fault. */
static enum record_verdict check_mark(struct check *check)
{
    const struct index_entry *entry = check->entry;
    if (entry == NULL || entry->last == RECORD_LEAF_OPEN ||
        record_reader_offset(&check->reader) != entry->bytes) {
        return RECORD_OK;
    }
    uint8_t chain[CRYPTO_SHA256_BYTES];
    record_reader_chain(&check->reader, chain);
    if (memcmp(chain, entry->hash, sizeof chain) != 0) {
        return say(check, RECORD_TAMPERED, "its frames are not those that the evidence log saw");
    }
    check->is_mark_passed = true;
    return RECORD_OK;
}

static enum record_verdict check_head(struct check *check)
{
    if (check->entry == NULL) {
        return RECORD_OK;
    }
    uint8_t chain[CRYPTO_SHA256_BYTES];
    record_reader_chain(&check->reader, chain);
    if (!check->entry->has_open || check->entry->is_odd) {
        return say(check, RECORD_NOT_LOGGED,
                   "the evidence log has leaves for it, but not in an order that a recorder "
                   "writes");
    }
    if (memcmp(chain, check->entry->open_hash, sizeof chain) != 0) {
        return say(check, RECORD_TAMPERED, "its head is not the one that the evidence log saw");
    }
    return check_mark(check);
}

/* Walks to the end or the first fault. */
static enum record_verdict walk(struct check *check)
{
    for (;;) {
        struct record_step step;
        enum err err = record_reader_next(&check->reader, &step);
        if (err != ERR_NONE) {
            return say(check, err == ERR_SYSTEM ? RECORD_UNREADABLE : RECORD_TAMPERED,
                       err == ERR_SYSTEM ? "the disk does not give its bytes"
                                         : record_reader_why(&check->reader));
        }
        if (step.type == RECORD_STEP_END) {
            check->tail_bytes = step.tail_bytes;
            return RECORD_OK;
        }
        check->frames++;
        if (step.type == RECORD_STEP_CLOSE) {
            check->is_closed = true;
            (void)snprintf(check->how, sizeof check->how, "%.*s", (int)cursor_len(&step.closing.how),
                           (const char *)step.closing.how.at);
        }
        enum record_verdict verdict = check_mark(check);
        if (verdict != RECORD_OK) {
            return verdict;
        }
    }
}

static enum record_verdict judge_short(struct check *check)
{
    (void)snprintf(check->sentence, sizeof check->sentence,
                   "it ends at offset %" PRIu64 ", but the evidence log saw %" PRIu64 " bytes of it",
                   record_reader_offset(&check->reader) + check->tail_bytes, check->entry->bytes);
    return RECORD_TRUNCATED;
}

static enum record_verdict judge_recovered(struct check *check)
{
    if (record_reader_offset(&check->reader) != check->entry->bytes ||
        check->tail_bytes != check->entry->torn_bytes) {
        return say(check, RECORD_TAMPERED,
                   "bytes were added or removed after the recorder noted how far it went");
    }
    (void)snprintf(check->sentence, sizeof check->sentence,
                   "the recorder stopped while it was open; whole to offset %" PRIu64 ", then %" PRIu64
                   " torn bytes, as noted at its next start",
                   check->entry->bytes, check->tail_bytes);
    return RECORD_RECOVERED;
}

/* The file was walked to its end without a fault of its own. */
static enum record_verdict judge_end(struct check *check)
{
    const struct index_entry *entry = check->entry;
    if (entry == NULL && check->has_log) {
        return check->frames == 0 && check->tail_bytes == 0
                   ? say(check, RECORD_ABANDONED,
                         "only a head, never logged: the recorder stopped while opening it")
                   : say(check, RECORD_NOT_LOGGED, "the evidence log does not know it");
    }
    if (entry != NULL && entry->last != RECORD_LEAF_OPEN && !check->is_mark_passed) {
        return record_reader_offset(&check->reader) < entry->bytes
                   ? judge_short(check)
                   : say(check, RECORD_TAMPERED, "its frames do not end where the evidence log saw them end");
    }
    if (entry != NULL && entry->last == RECORD_LEAF_CLOSE) {
        return check->is_closed && record_reader_offset(&check->reader) == entry->bytes
                   ? say(check, RECORD_OK, "closed and whole")
                   : say(check, RECORD_TAMPERED, "the evidence log closed it elsewhere");
    }
    if (entry != NULL && entry->last == RECORD_LEAF_RECOVER) {
        return judge_recovered(check);
    }
    if (check->is_closed) {
        return say(check, RECORD_OK,
                   entry == NULL ? "closed and whole"
                                 : "closed and whole; its close is not in the evidence log yet");
    }
    return say(check, RECORD_UNFINISHED, record_reader_why(&check->reader));
}

static enum record_verdict run(struct check *check, const char *full_path, const struct record_vkey *vkey)
{
    enum err err = record_reader_open(&check->reader, full_path, vkey->public_key, NULL);
    if (err != ERR_NONE) {
        return judge_open(check, err);
    }
    enum record_verdict verdict = check_head(check);
    if (verdict == RECORD_OK) {
        verdict = walk(check);
    }
    return verdict == RECORD_OK ? judge_end(check) : verdict;
}

/* The key file must be the one whose hash the head names; it may be gone, then nobody can read the recording.
 */
static bool is_key_missing(const char *full_path, const struct record_head *head)
{
    char path[4096];
    size_t len = strlen(full_path);
    static const char SUFFIX[] = ".rec";
    bool has_suffix = len > sizeof SUFFIX - 1 && strcmp(full_path + len - (sizeof SUFFIX - 1), SUFFIX) == 0;
    (void)snprintf(path, sizeof path, "%.*s.key.age", (int)(has_suffix ? len - (sizeof SUFFIX - 1) : len),
                   full_path);
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return true;
    }
    uint8_t bytes[RECORD_AGE_FILE_BYTES];
    uint8_t digest[CRYPTO_SHA256_BYTES];
    size_t got = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    crypto_sha256(cursor_of(bytes, got), digest);
    return memcmp(digest, head->key_file_sha256, sizeof digest) != 0;
}

static void note_missing_key(struct check *check)
{
    size_t len = strlen(check->sentence);
    (void)snprintf(check->sentence + len, sizeof check->sentence - len,
                   "; its key file is missing or another one, so nobody can read it");
}

void verify_recording(const char *full_path, const char *path, const uint8_t *sid,
                      const struct record_vkey *vkey, const struct index_entry *entry, bool has_log,
                      const struct record_verify_report *report, struct record_verify_totals *totals)
{
    struct check check = {.entry = entry, .has_log = has_log};
    struct record_result result = {.path = path, .sentence = check.sentence, .how = check.how};
    result.verdict = run(&check, full_path, vkey);
    result.frames = check.frames;
    if (sid != NULL) {
        memcpy(result.sid, sid, sizeof result.sid);
    }
    result.tail_bytes = check.tail_bytes;
    if (check.reader.reading != NULL) {
        result.has_head = true;
        result.head = *record_reader_head(&check.reader);
        result.file_bytes = record_reader_offset(&check.reader) + check.tail_bytes;
        if (sid == NULL) {
            memcpy(result.sid, result.head.sid, sizeof result.sid);
        }
        result.is_key_missing = is_key_missing(full_path, &result.head);
        if (result.is_key_missing) {
            note_missing_key(&check);
        }
    }
    totals->recordings++;
    totals->faults += result.verdict >= RECORD_FAULTS;
    totals->unfinished += result.verdict == RECORD_UNFINISHED;
    totals->keys_missing += result.is_key_missing;
    report->on_recording(report->context, &result);
    record_reader_done(&check.reader);
}
