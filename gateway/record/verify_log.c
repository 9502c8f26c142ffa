#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "lines.h"
#include "log_files.h"
#include "record/tree.h"
#include "verify.h"

/* A signed size and root, and the root that the leaves give there. */
struct mark {
    bool is_wanted, is_reached;
    struct record_note note;
    uint8_t root[CRYPTO_SHA256_BYTES];
};
struct pass {
    struct lines lines;
    struct record_tree tree;
    struct crypto_sha256 hash;
    struct mark own, held;
    uint64_t torn_bytes;
};

static void judge(struct record_log_result *result, enum record_log_verdict verdict,
                  char sentence[static LIMIT_SENTENCE_BYTES], const char *text)
{
    result->verdict = verdict;
    (void)snprintf(sentence, LIMIT_SENTENCE_BYTES, "%s", text);
}

static enum err read_note(const char *path, const struct record_vkey *vkey, struct record_note *ret_note)
{
    OWNED_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_SYSTEM;
    }
    uint8_t text[RECORD_NOTE_BYTES];
    ssize_t got = read(fd, text, sizeof text);
    return got < 0 ? ERR_SYSTEM : record_note_open(cursor_of(text, (size_t)got), vkey, ret_note);
}

static void reach(struct pass *pass, struct mark *mark)
{
    if (mark->is_wanted && !mark->is_reached && mark->note.size == pass->tree.size) {
        record_tree_root(&pass->tree, &pass->hash, mark->root);
        mark->is_reached = true;
    }
}

static enum err read_leaves(struct pass *pass, int fd, struct index *index)
{
    lines_init(&pass->lines, fd);
    for (;;) {
        reach(pass, &pass->own);
        reach(pass, &pass->held);
        struct cursor line;
        struct record_leaf leaf;
        enum err err = lines_next(&pass->lines, &line);
        if (err == ERR_CLOSED) {
            return ERR_NONE;
        }
        if (err == ERR_TRUNCATED) {
            pass->torn_bytes = cursor_len(&line);
            return ERR_NONE;
        }
        TRY(err);
        TRY(record_leaf_parse(line, &leaf));
        if (pass->own.is_wanted && pass->tree.size < pass->own.note.size) {
            TRY(index_apply(index, &leaf)); /* a leaf that no checkpoint covers proves nothing yet */
        }
        record_tree_add(&pass->tree, &pass->hash, line);
    }
}

static bool is_same_root(const struct mark *mark)
{
    return mark->is_reached && memcmp(mark->root, mark->note.root, sizeof mark->root) == 0;
}

static void judge_leaves(const struct pass *pass, enum err read, struct record_log_result *result,
                         char sentence[static LIMIT_SENTENCE_BYTES])
{
    if (read != ERR_NONE) {
        result->verdict = read == ERR_SYSTEM ? RECORD_LOG_UNREADABLE : RECORD_LOG_EDITED;
        (void)snprintf(sentence, LIMIT_SENTENCE_BYTES,
                       "leaf %" PRIu64 " of the evidence log cannot be read: %s", pass->tree.size,
                       err_text(read));
    } else if (!pass->own.is_reached) {
        judge(result, RECORD_LOG_TRUNCATED, sentence,
              "leaves are missing: there are fewer than the checkpoint signed");
    } else if (!is_same_root(&pass->own)) {
        judge(result, RECORD_LOG_EDITED, sentence,
              "leaves were changed: they do not give the root that was signed");
    } else if (pass->held.is_wanted && pass->held.note.size > pass->own.note.size) {
        judge(result, RECORD_LOG_ROLLBACK, sentence,
              "the log is older than the note that you hold: it was rolled back to an earlier state");
    } else if (pass->held.is_wanted && !is_same_root(&pass->held)) {
        judge(result, RECORD_LOG_FORK, sentence,
              "the log is not a continuation of the note that you hold: its history was rewritten and signed "
              "again");
    } else if (pass->torn_bytes > 0) {
        judge(result, RECORD_LOG_TORN, sentence,
              "the last line is incomplete and no checkpoint covers it: the recorder is writing, or it "
              "stopped there");
    } else {
        judge(result, RECORD_LOG_OK, sentence, "the leaves give the root that was signed");
    }
}

/* @return false when there is nothing to compare the leaves with; then the verdict is given. */
static bool read_marks(const struct record_verify_input *input, struct pass *pass,
                       struct record_log_result *result, char sentence[static LIMIT_SENTENCE_BYTES])
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", input->evidence_dir, LOG_CHECKPOINT_NAME);
    enum err err = read_note(path, input->vkey, &pass->own.note);
    pass->own.is_wanted = true;
    if (err == ERR_NOT_FOUND) {
        judge(result, RECORD_LOG_MISSING, sentence, "there is no file `checkpoint` in the evidence folder");
    } else if (err == ERR_SYSTEM) {
        judge(result, RECORD_LOG_UNREADABLE, sentence, "the file `checkpoint` cannot be read");
    } else if (err != ERR_NONE) {
        judge(result, RECORD_LOG_BAD_SIGNATURE, sentence,
              "the checkpoint is not signed by the key that you gave");
    }
    if (err != ERR_NONE) {
        return false;
    }
    result->signed_leaves = pass->own.note.size;
    memcpy(result->root, pass->own.note.root, sizeof result->root);
    if (input->held_note == NULL) {
        return true;
    }
    pass->held.is_wanted = true;
    err = read_note(input->held_note, input->vkey, &pass->held.note);
    if (err == ERR_NOT_FOUND || err == ERR_SYSTEM) {
        judge(result, RECORD_LOG_UNREADABLE, sentence, "the note that you hold cannot be read");
    } else if (err != ERR_NONE) {
        judge(result, RECORD_LOG_BAD_SIGNATURE, sentence,
              "the note that you hold is not signed by the key that you gave");
    }
    return err == ERR_NONE;
}

static enum err run_pass(const struct record_verify_input *input, struct pass *pass, struct index *index,
                         char sentence[static LIMIT_SENTENCE_BYTES], struct record_log_result *result)
{
    bool has_marks = read_marks(input, pass, result, sentence);
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", input->evidence_dir, LOG_LEAVES_NAME);
    OWNED_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        judge(result, RECORD_LOG_MISSING, sentence, "there is no file `leaves` in the evidence folder");
        return ERR_NONE;
    }
    enum err err = read_leaves(pass, fd, index);
    if (err == ERR_MEMORY) {
        return err;
    }
    if (has_marks) {
        judge_leaves(pass, err, result, sentence);
    }
    result->leaves = pass->tree.size;
    return ERR_NONE;
}

enum err verify_log(const struct record_verify_input *input, struct index *index,
                    char sentence[static LIMIT_SENTENCE_BYTES], struct record_log_result *ret_result)
{
    struct pass *pass = calloc(1, sizeof *pass);
    if (pass == NULL) {
        return ERR_MEMORY;
    }
    struct record_log_result result = {.sentence = sentence};
    crypto_sha256_init(&pass->hash);
    enum err err = run_pass(input, pass, index, sentence, &result);
    crypto_sha256_done(&pass->hash);
    free(pass);
    *ret_result = result;
    return err;
}
