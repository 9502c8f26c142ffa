#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fd.h"
#include "index.h"
#include "lines.h"
#include "log_files.h"
#include "record/log.h"

/* One pass over the leaves: the tree, the state of each recording, and the root where the checkpoint stands.
 */
struct scan {
    struct lines lines;
    struct index open; /* closed and recovered recordings are removed again */
    struct record_note signed_note, found;
    bool has_note;
    uint64_t torn_bytes;
};

static enum err say(struct record_log_recovery *recovery, enum err err, const char *sentence)
{
    (void)snprintf(recovery->sentence, sizeof recovery->sentence, "evidence log: %s", sentence);
    return err;
}

enum err record_log_lock(int dir_fd)
{
    if (flock(dir_fd, LOCK_EX | LOCK_NB) == 0) {
        return ERR_NONE;
    }
    return errno == EWOULDBLOCK ? ERR_STATE : ERR_SYSTEM;
}

static enum err open_leaves(struct record_log *log, struct record_log_recovery *recovery)
{
    log->leaves_fd =
        openat(log->dir_fd, LOG_LEAVES_NAME, O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
    return log->leaves_fd >= 0
               ? ERR_NONE
               : say(recovery, ERR_SYSTEM,
                     "the file `leaves` cannot be opened: check the owner of the evidence folder");
}

static enum err read_note(const struct record_log *log, struct scan *scan,
                          struct record_log_recovery *recovery)
{
    OWNED_FD fd = openat(log->dir_fd, LOG_CHECKPOINT_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT ? ERR_NONE : say(recovery, ERR_SYSTEM, "the file `checkpoint` cannot be read");
    }
    uint8_t text[RECORD_NOTE_BYTES];
    ssize_t got = read(fd, text, sizeof text);
    if (got < 0) {
        return say(recovery, ERR_SYSTEM, "the file `checkpoint` cannot be read");
    }
    if (record_note_open(cursor_of(text, (size_t)got), &log->key->vkey, &scan->signed_note) != ERR_NONE) {
        return say(
            recovery, ERR_MISMATCH,
            "`checkpoint` is not signed by the log key: give back the key of this log, or move the evidence "
            "folder away to begin a new log");
    }
    scan->has_note = true;
    return ERR_NONE;
}

static enum err apply_line(struct record_log *log, struct scan *scan, struct cursor line)
{
    struct record_leaf leaf;
    TRY(record_leaf_parse(line, &leaf));
    TRY(index_apply(&scan->open, &leaf));
    if (leaf.kind == RECORD_LEAF_CLOSE || leaf.kind == RECORD_LEAF_RECOVER) {
        struct index_entry *entry = index_find(&scan->open, leaf.sid);
        if (entry != NULL) {
            index_remove(&scan->open, entry);
        }
    }
    record_tree_add(&log->tree, &log->hash, line);
    if (log->tree.size == scan->signed_note.size) {
        record_tree_root(&log->tree, &log->hash, scan->found.root);
        scan->found.size = log->tree.size;
    }
    return ERR_NONE;
}

static enum err read_leaves(struct record_log *log, struct scan *scan, struct record_log_recovery *recovery)
{
    lines_init(&scan->lines, log->leaves_fd);
    for (;;) {
        struct cursor line;
        enum err err = lines_next(&scan->lines, &line);
        if (err == ERR_CLOSED) {
            return ERR_NONE;
        }
        if (err == ERR_TRUNCATED) {
            scan->torn_bytes = cursor_len(&line);
            return ERR_NONE;
        }
        if (err == ERR_NONE) {
            err = apply_line(log, scan, line);
        }
        if (err != ERR_NONE) {
            (void)snprintf(recovery->sentence, sizeof recovery->sentence,
                           "evidence log: leaf %" PRIu64
                           " is damaged (%s): move the evidence folder away to begin a "
                           "new log, and keep the old one for `bastion verify`",
                           log->tree.size, err_text(err));
            return err;
        }
    }
}

static enum err compare(const struct record_log *log, const struct scan *scan,
                        struct record_log_recovery *recovery)
{
    if (!scan->has_note) {
        /* Leaves without any checkpoint: the first commit was cut short. */
        return ERR_NONE;
    }
    if (log->tree.size < scan->signed_note.size) {
        return say(recovery, ERR_MISMATCH,
                   "`leaves` is shorter than its signed checkpoint says: someone or something removed "
                   "leaves. Move the "
                   "evidence folder away to begin a new log, and keep the old one for `bastion verify`");
    }
    struct record_note empty = {0};
    bool is_same = scan->signed_note.size == 0
                       ? memcmp(&scan->found, &empty, sizeof empty) == 0
                       : memcmp(scan->found.root, scan->signed_note.root, sizeof empty.root) == 0;
    return is_same
               ? ERR_NONE
               : say(recovery, ERR_MISMATCH,
                     "`leaves` is not what the signed checkpoint says: someone or something changed leaves. "
                     "Move the "
                     "evidence folder away to begin a new log, and keep the old one for `bastion verify`");
}

/* Lines are written before the checkpoint that covers them, so only bytes that no checkpoint covers are cut.
 */
static enum err cut_torn_line(struct record_log *log, const struct scan *scan,
                              struct record_log_recovery *recovery)
{
    log->file_bytes = scan->lines.offset;
    recovery->torn_bytes = scan->torn_bytes;
    if (scan->torn_bytes == 0) {
        return ERR_NONE;
    }
    if (ftruncate(log->leaves_fd, (off_t)log->file_bytes) != 0) {
        return say(recovery, ERR_SYSTEM, "the incomplete last line cannot be cut off");
    }
    char time[CLOCK_TEXT_BYTES];
    char line[128];
    int len = snprintf(line, sizeof line, "event %s log recovered torn=%" PRIu64,
                       clock_text(clock_wall_us(), time), scan->torn_bytes);
    return record_log_add(log, cursor_of(line, (size_t)len));
}

static enum err collect_unclosed(const struct scan *scan, struct record_log_recovery *recovery)
{
    if (scan->open.count == 0) {
        return ERR_NONE;
    }
    recovery->unclosed = calloc(scan->open.count, sizeof *recovery->unclosed);
    if (recovery->unclosed == NULL) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < scan->open.capacity; i++) {
        const struct index_entry *entry = &scan->open.entries[i];
        if (entry->last == RECORD_LEAF_OTHER) {
            continue;
        }
        struct record_unclosed *unclosed = &recovery->unclosed[recovery->unclosed_count++];
        memcpy(unclosed->sid, entry->sid, sizeof unclosed->sid);
        memcpy(unclosed->open_hash, entry->open_hash, sizeof unclosed->open_hash);
        memcpy(unclosed->day, entry->day, sizeof unclosed->day);
    }
    return ERR_NONE;
}

static enum err open_steps(struct record_log *log, struct scan *scan, struct record_log_recovery *recovery)
{
    TRY(open_leaves(log, recovery));
    TRY(read_note(log, scan, recovery));
    TRY(read_leaves(log, scan, recovery));
    TRY(compare(log, scan, recovery));
    recovery->is_new = !scan->has_note && log->tree.size == 0;
    TRY(cut_torn_line(log, scan, recovery));
    return collect_unclosed(scan, recovery);
}

enum err record_log_open(struct record_log *log, int dir_fd, const struct record_log_key *key,
                         struct record_log_recovery *ret_recovery)
{
    *ret_recovery = (struct record_log_recovery){0};
    struct record_log opened = {.dir_fd = dir_fd, .leaves_fd = -1, .key = key};
    queue_init(&opened.pending, RECORD_LOG_PENDING_BYTES);
    crypto_sha256_init(&opened.hash);
    struct scan *scan = calloc(1, sizeof *scan);
    enum err err = scan == NULL ? ERR_MEMORY : open_steps(&opened, scan, ret_recovery);
    if (scan != NULL) {
        index_done(&scan->open);
        free(scan);
    }
    if (err != ERR_NONE) {
        if (ret_recovery->sentence[0] == 0) {
            (void)say(ret_recovery, err, err_text(err));
        }
        record_log_done(&opened);
        return err;
    }
    *log = opened;
    return ERR_NONE;
}
