/* Commits of the evidence log: what a turn collected becomes durable with one sync and one signature, and
 * then all recordings that waited for it go on. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "recorder.h"

static void pend(struct recorder *recorder, bool is_urgent)
{
    if (recorder->pending_since_us == 0) {
        recorder->pending_since_us = clock_monotonic_us();
    }
    recorder->is_urgent = recorder->is_urgent || is_urgent;
}

void evidence_add(struct recorder *recorder, struct cursor line)
{
    if (record_log_add(&recorder->log, line) != ERR_NONE) {
        recorder_fatal(recorder, "too many leaves wait for the disk of the evidence folder");
        return;
    }
    pend(recorder, false);
}

uint64_t evidence_add_leaf(struct recorder *recorder, const struct record_leaf *leaf, bool is_urgent)
{
    if (record_log_add_leaf(&recorder->log, leaf, clock_wall_us()) != ERR_NONE) {
        recorder_fatal(recorder, "too many leaves wait for the disk of the evidence folder");
        return UINT64_MAX;
    }
    pend(recorder, is_urgent);
    return recorder->log.tree.size;
}

bool evidence_is_idle(const struct recorder *recorder)
{
    return recorder->commit_step == COMMIT_IDLE && !record_log_is_pending(&recorder->log);
}

static bool waits_for_leaf(const struct recording *recording)
{
    return recording->state == RECORDING_OPEN_LEAF || recording->state == RECORDING_CLOSE_LEAF;
}

static void committed(struct recorder *recorder)
{
    recorder->commit_step = COMMIT_IDLE;
    struct recording *next = NULL;
    for (struct recording *at = recorder->first; at != NULL; at = next) {
        next = at->next;
        if (waits_for_leaf(at) && at->leaf_at <= recorder->committing.size) {
            recording_leaf_committed(at);
        }
    }
}

static void note_synced(struct loop_op *op, int result)
{
    struct recorder *recorder = OWNER_OF(op, struct recorder, commit);
    fd_close(&recorder->staged_fd);
    if (result < 0 || record_log_publish(&recorder->log) != ERR_NONE) {
        recorder_fatal(recorder, "the checkpoint of the evidence log cannot be made durable");
        return;
    }
    committed(recorder);
}

static void leaves_synced(struct loop_op *op, int result)
{
    struct recorder *recorder = OWNER_OF(op, struct recorder, commit);
    if (result < 0) {
        /* The kernel may have dropped the pages: a second try could claim what is not on the disk. */
        recorder_fatal(recorder, "the evidence log cannot be made durable");
        return;
    }
    enum err err = record_log_stage(&recorder->log, &recorder->committing, &recorder->staged_fd);
    if (err != ERR_NONE && disk_release_slack(recorder)) {
        err = record_log_stage(&recorder->log, &recorder->committing, &recorder->staged_fd);
    }
    recorder->commit_step = COMMIT_NOTE;
    if (err != ERR_NONE ||
        loop_fsync(recorder->loop, &recorder->commit, recorder->staged_fd, note_synced) != ERR_NONE) {
        recorder_fatal(recorder, "the checkpoint of the evidence log cannot be written");
    }
}

static void start_commit(struct recorder *recorder)
{
    enum err err = record_log_write(&recorder->log, &recorder->committing);
    if (err != ERR_NONE && disk_release_slack(recorder)) {
        err = record_log_write(&recorder->log, &recorder->committing);
    }
    if (err != ERR_NONE) {
        recorder_fatal(recorder, "the evidence log cannot be written: is its disk full?");
        return;
    }
    recorder->pending_since_us = 0;
    recorder->is_urgent = false;
    recorder->commit_step = COMMIT_LEAVES;
    if (loop_fsync(recorder->loop, &recorder->commit, recorder->log.leaves_fd, leaves_synced) != ERR_NONE) {
        recorder_fatal(recorder, "the evidence log cannot be synced");
    }
}

static void folder_synced(struct loop_op *op, int result)
{
    struct recorder *recorder = OWNER_OF(op, struct recorder, folder_sync);
    struct recording *next = NULL;
    for (struct recording *at = recorder->first; at != NULL; at = next) {
        next = at->next;
        if (at->state == RECORDING_FOLDER && at->is_folder_syncing) {
            at->is_folder_syncing = false;
            recording_folder_synced(at, result);
        }
    }
}

/* One sync for all files that were made in this folder meanwhile. */
static void sync_folder(struct recorder *recorder)
{
    if (recorder->folder_sync.in_flight || !recorder->wants_folder_sync) {
        return;
    }
    recorder->wants_folder_sync = false;
    bool is_wanted = false;
    for (struct recording *at = recorder->first; at != NULL; at = at->next) {
        if (at->state == RECORDING_FOLDER) {
            at->is_folder_syncing = true;
            is_wanted = true;
        }
    }
    if (is_wanted &&
        loop_fsync(recorder->loop, &recorder->folder_sync, recorder->day.fd, folder_synced) != ERR_NONE) {
        recorder_fatal(recorder, "the recordings folder cannot be synced");
    }
}

void evidence_turn(struct recorder *recorder, uint64_t now_us)
{
    sync_folder(recorder);
    if (recorder->commit_step != COMMIT_IDLE || recorder->pending_since_us == 0) {
        return;
    }
    bool is_due = now_us - recorder->pending_since_us >= RECORDER_COMMIT_AFTER_US;
    if (recorder->is_urgent || recorder->is_stopping || is_due) {
        start_commit(recorder);
    }
}
