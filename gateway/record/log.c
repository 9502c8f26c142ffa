#include "record/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "log_files.h"

void record_log_done(struct record_log *log)
{
    if (log->key == NULL) {
        return;
    }
    fd_close(&log->leaves_fd);
    crypto_sha256_done(&log->hash);
    queue_done(&log->pending);
    *log = (struct record_log){0};
}

enum err record_log_add(struct record_log *log, struct cursor line)
{
    struct record_leaf leaf;
    TRY(record_leaf_parse(line, &leaf));
    uint8_t *room = NULL;
    size_t len = cursor_len(&line);
    TRY(queue_reserve(&log->pending, len + 1, &room));
    struct writer out = writer_of(room, len + 1);
    writer_bytes(&out, line);
    writer_u8(&out, '\n');
    queue_added(&log->pending, len + 1);
    record_tree_add(&log->tree, &log->hash, line);
    return ERR_NONE;
}

enum err record_log_add_leaf(struct record_log *log, const struct record_leaf *leaf, uint64_t wall_us)
{
    char line[RECORD_LEAF_BYTES];
    size_t len = record_leaf_text(leaf, wall_us, line);
    return record_log_add(log, cursor_of(line, len));
}

bool record_log_is_pending(const struct record_log *log)
{
    return queue_len(&log->pending) > 0;
}

enum err record_log_write(struct record_log *log, struct record_note *ret_note)
{
    struct cursor lines = queue_peek(&log->pending);
    enum err err = fd_write_all(log->leaves_fd, lines);
    if (err != ERR_NONE) {
        /* Half a line must not stay: the next try writes the same lines from the same place. */
        int kept_errno = errno;
        if (ftruncate(log->leaves_fd, (off_t)log->file_bytes) != 0) {
            return ERR_SYSTEM;
        }
        errno = kept_errno;
        return err;
    }
    log->file_bytes += cursor_len(&lines);
    queue_consume(&log->pending, cursor_len(&lines));
    ret_note->size = log->tree.size;
    record_tree_root(&log->tree, &log->hash, ret_note->root);
    return ERR_NONE;
}

enum err record_log_stage(const struct record_log *log, const struct record_note *note, int *ret_fd)
{
    uint8_t text[RECORD_NOTE_BYTES];
    struct writer out = writer_of(text, sizeof text);
    struct cursor bytes;
    TRY(record_note_sign(log->key, note, &out));
    TRY(writer_done(&out, &bytes));
    OWNED_FD fd =
        openat(log->dir_fd, LOG_STAGED_NAME, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) {
        return ERR_SYSTEM;
    }
    TRY(fd_write_all(fd, bytes));
    *ret_fd = fd_take(&fd);
    return ERR_NONE;
}

enum err record_log_publish(const struct record_log *log)
{
    /* The folder is not synced: when a power loss brings back the old checkpoint, the leaves behind it are
     * read again at the next start and signed again. */
    return renameat(log->dir_fd, LOG_STAGED_NAME, log->dir_fd, LOG_CHECKPOINT_NAME) == 0 ? ERR_NONE
                                                                                         : ERR_SYSTEM;
}

enum err record_log_commit(struct record_log *log)
{
    struct record_note note;
    TRY(record_log_write(log, &note));
    if (fdatasync(log->leaves_fd) != 0) {
        return ERR_SYSTEM;
    }
    OWNED_FD staged = -1;
    TRY(record_log_stage(log, &note, &staged));
    if (fdatasync(staged) != 0) {
        return ERR_SYSTEM;
    }
    return record_log_publish(log);
}
