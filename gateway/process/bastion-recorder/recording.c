/* One recording from RECORD_OPEN to RECORD_CLOSED. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/secret.h"
#include "base/text.h"
#include "crypto/random.h"
#include "recorder.h"

enum { FILE_MODE = 0440, NAME_BYTES = sizeof "00112233445566778899aabbccddeeff.key.age" };

static void opened(struct recorder *recorder, uint32_t ref, bool is_ok, const char *sentence)
{
    uint8_t memory[1024];
    struct writer out = writer_of(memory, sizeof memory);
    writer_bool(&out, is_ok);
    writer_text(&out, sentence);
    recorder_send(recorder, IPC_RECORD_OPENED, ref, cursor_of(memory, (size_t)(out.at - out.start)));
}

static void file_name(const uint8_t sid[static LIMIT_SID_BYTES], const char *suffix,
                      char name[static NAME_BYTES])
{
    char hex[2 * LIMIT_SID_BYTES + 1];
    (void)snprintf(name, NAME_BYTES, "%s%s", text_hex(cursor_of(sid, LIMIT_SID_BYTES), hex, sizeof hex),
                   suffix);
}

struct recording *recording_find(const struct recorder *recorder, uint32_t ref)
{
    for (struct recording *at = recorder->first; at != NULL; at = at->next) {
        if (at->ref == ref && at->state != RECORDING_DONE) {
            return at;
        }
    }
    return NULL;
}

static struct recording *recording_new(struct recorder *recorder, uint32_t ref)
{
    struct recording *recording = calloc(1, sizeof *recording);
    if (recording == NULL) {
        return NULL;
    }
    recording->recorder = recorder;
    recording->ref = ref;
    recording->state = RECORDING_DONE;
    recording->fd = -1;
    recording->key_fd = -1;
    recording->stream_fd = -1;
    recording->exit_status = RECORD_NO_STATUS;
    recording->sync.name = "sync of a recording";
    recording->key_sync.name = "sync of a key file";
    queue_init(&recording->carry, RECORD_LARGEST_BYTES + LOOP_BUFFER_BYTES);
    recording->next = recorder->first;
    if (recorder->first != NULL) {
        recorder->first->previous = recording;
    }
    recorder->first = recording;
    recorder->count++;
    return recording;
}

void recording_reap(struct recording *recording)
{
    struct recorder *recorder = recording->recorder;
    if (recording->state != RECORDING_DONE || recording->sync.in_flight || recording->key_sync.in_flight ||
        recording->receive.op.in_flight) {
        recorder->wants_reap = recorder->wants_reap || recording->state == RECORDING_DONE;
        return;
    }
    if (recording->previous == NULL) {
        recorder->first = recording->next;
    } else {
        recording->previous->next = recording->next;
    }
    if (recording->next != NULL) {
        recording->next->previous = recording->previous;
    }
    recorder->count--;
    fd_close(&recording->fd);
    fd_close(&recording->key_fd);
    fd_close(&recording->stream_fd);
    queue_done(&recording->carry);
    record_container_done(&recording->container);
    free(recording);
}

static void set_done(struct recording *recording)
{
    recording->state = RECORDING_DONE;
    recording->recorder->wants_reap = true;
}

static enum err create(int dir_fd, const uint8_t sid[static LIMIT_SID_BYTES], const char *suffix,
                       struct cursor bytes, int *ret_fd)
{
    char name[NAME_BYTES];
    file_name(sid, suffix, name);
    int fd = openat(dir_fd, name, O_CREAT | O_EXCL | O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (fd < 0) {
        return ERR_SYSTEM;
    }
    *ret_fd = fd;
    return fd_write_all(fd, bytes);
}

static void remove_files(struct recording *recording)
{
    char name[NAME_BYTES];
    if (recording->fd >= 0) {
        file_name(recording->container.sid, ".rec", name);
        (void)unlinkat(recording->recorder->day.fd, name, 0);
    }
    if (recording->key_fd >= 0) {
        file_name(recording->container.sid, ".key.age", name);
        (void)unlinkat(recording->recorder->day.fd, name, 0);
    }
}

/* Before its leaf: nobody was told that it exists. */
static void refuse_open(struct recording *recording, const char *sentence)
{
    opened(recording->recorder, recording->ref, false, sentence);
    if (strcmp(recording->day, recording->recorder->day.name) == 0) {
        remove_files(recording);
    }
    set_done(recording);
}

static void refuse_open_errno(struct recording *recording, int error)
{
    char sentence[LIMIT_SENTENCE_BYTES];
    disk_sentence(error, sentence);
    refuse_open(recording, error == EEXIST ? "a recording with this session id exists already" : sentence);
}

/* The key, sealed for the recipients; afterwards only they and this process's memory have it. */
static enum err seal_key(struct recorder *recorder, struct record_opening *opening, uint8_t *memory,
                         size_t size, struct cursor *ret_file)
{
    struct writer out = writer_of(memory, size);
    crypto_random(opening->key, sizeof opening->key);
    TRY(record_age_seal(&recorder->recipients, cursor_of(opening->key, sizeof opening->key), &out));
    TRY(writer_done(&out, ret_file));
    crypto_sha256(*ret_file, opening->key_file_sha256);
    return ERR_NONE;
}

static enum err create_files(struct recording *recording, struct record_opening *opening)
{
    struct recorder *recorder = recording->recorder;
    uint8_t memory[RECORD_AGE_FILE_BYTES];
    struct cursor key_file;
    struct cursor head;
    struct writer out = writer_of(recorder->out, sizeof recorder->out);
    TRY(disk_day(recorder, opening->wall_us));
    memcpy(recording->day, recorder->day.name, sizeof recording->day);
    TRY(seal_key(recorder, opening, memory, sizeof memory, &key_file));
    TRY(record_container_begin(&recording->container, &recorder->tools, opening, &out));
    TRY(writer_done(&out, &head));
    TRY(create(recorder->day.fd, opening->sid, ".key.age", key_file, &recording->key_fd));
    return create(recorder->day.fd, opening->sid, ".rec", head, &recording->fd);
}

static void files_synced(struct recording *recording, int result)
{
    if (recording->state != RECORDING_FILES) {
        return;
    }
    if (result < 0) {
        refuse_open_errno(recording, -result);
        return;
    }
    if (recording->has_files_synced && recording->has_key_synced) {
        fd_close(&recording->key_fd);
        recording->state = RECORDING_FOLDER; /* the next turn syncs it */
        recording->recorder->wants_folder_sync = true;
    }
}

static void file_synced(struct loop_op *op, int result)
{
    struct recording *recording = OWNER_OF(op, struct recording, sync);
    recording->has_files_synced = true;
    files_synced(recording, result);
}

static void key_synced(struct loop_op *op, int result)
{
    struct recording *recording = OWNER_OF(op, struct recording, key_sync);
    recording->has_key_synced = true;
    files_synced(recording, result);
}

static void start_open(struct recording *recording, struct record_opening *opening)
{
    struct recorder *recorder = recording->recorder;
    errno = 0;
    enum err err = create_files(recording, opening);
    secret_wipe(opening->key, sizeof opening->key);
    if (err != ERR_NONE) {
        refuse_open_errno(recording, err == ERR_SYSTEM ? errno : EIO);
        return;
    }
    recording->state = RECORDING_FILES;
    recording->opened_us = clock_monotonic_us();
    recording->leaf_us = recording->opened_us;
    if (loop_fsync(recorder->loop, &recording->sync, recording->fd, file_synced) != ERR_NONE ||
        loop_fsync(recorder->loop, &recording->key_sync, recording->key_fd, key_synced) != ERR_NONE) {
        refuse_open_errno(recording, errno);
    }
}

static enum err read_open(struct cursor body, struct record_opening *opening)
{
    struct cursor sid;
    TRY(cursor_string(&body, LIMIT_SID_BYTES, &sid));
    TRY(cursor_string(&body, RECORD_META_BYTES, &opening->meta));
    TRY(cursor_end(&body));
    if (cursor_len(&sid) != LIMIT_SID_BYTES) {
        return ERR_MALFORMED;
    }
    memcpy(opening->sid, sid.at, sizeof opening->sid);
    return ERR_NONE;
}

void recording_open(struct recorder *recorder, const struct ipc_message *message, int stream_fd)
{
    OWNED_FD fd = stream_fd;
    char sentence[LIMIT_SENTENCE_BYTES];
    struct record_opening opening = {.wall_us = clock_wall_us(),
                                     .log_size = recorder->log.tree.size,
                                     .host_id = cursor_of_text(recorder->host_id)};
    if (read_open(message->body, &opening) != ERR_NONE) {
        recorder_fatal(recorder, "the monitor sent a malformed RECORD_OPEN");
        return;
    }
    if (recorder->is_stopping || recorder->count >= RECORDER_RECORDINGS_MAX) {
        opened(recorder, message->ref, false, "the recorder is stopping, or has too many recordings open");
        return;
    }
    if (!disk_has_room(recorder, sentence)) {
        opened(recorder, message->ref, false, sentence);
        return;
    }
    if (recording_find(recorder, message->ref) != NULL) {
        opened(recorder, message->ref, false, "this number is in use by another recording");
        return;
    }
    struct recording *recording = recording_new(recorder, message->ref);
    if (recording == NULL || fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        recorder->wants_reap = true;
        opened(recorder, message->ref, false, "the recorder has no memory for another recording");
        return;
    }
    recording->stream_fd = fd_take(&fd);
    memcpy(opening.log_public_key, recorder->log_key.vkey.public_key, sizeof opening.log_public_key);
    start_open(recording, &opening);
}

static struct record_leaf leaf_of(const struct recording *recording, enum record_leaf_kind kind)
{
    struct record_leaf leaf = {.kind = kind, .bytes = recording->container.file_bytes};
    memcpy(leaf.sid, recording->container.sid, sizeof leaf.sid);
    memcpy(leaf.hash, recording->container.chain, sizeof leaf.hash);
    return leaf;
}

void recording_folder_synced(struct recording *recording, int result)
{
    if (result < 0) {
        refuse_open_errno(recording, -result);
        return;
    }
    struct record_leaf leaf = leaf_of(recording, RECORD_LEAF_OPEN);
    recording->state = RECORDING_OPEN_LEAF;
    recording->leaf_at = evidence_add_leaf(recording->recorder, &leaf, true);
}

static void go_live(struct recording *recording)
{
    struct recorder *recorder = recording->recorder;
    recording->state = RECORDING_LIVE;
    opened(recorder, recording->ref, true, "");
    if (loop_receive_start(recorder->loop, &recording->receive, recording->stream_fd, recording_received) !=
        ERR_NONE) {
        recording_fail(recording, errno);
    }
}

static void closed(struct recording *recording)
{
    uint8_t memory[512];
    struct writer out = writer_of(memory, sizeof memory);
    writer_text(&out, recording->ordered);
    writer_u64be(&out, recording->container.frames);
    writer_u64be(&out, recording->container.file_bytes);
    writer_string(&out, cursor_of(recording->container.chain, sizeof recording->container.chain));
    recorder_send(recording->recorder, IPC_RECORD_CLOSED, recording->ref,
                  cursor_of(memory, (size_t)(out.at - out.start)));
    set_done(recording);
}

void recording_leaf_committed(struct recording *recording)
{
    if (recording->state == RECORDING_OPEN_LEAF) {
        go_live(recording);
    } else {
        closed(recording);
    }
}

static uint64_t elapsed_us(const struct recording *recording)
{
    return clock_monotonic_us() - recording->opened_us;
}

/* Write what was framed; on failure the file and the container are as before. */
static enum err append(struct recording *recording, const struct record_container *before,
                       struct cursor frames)
{
    enum err err = fd_write_all(recording->fd, frames);
    if (err == ERR_NONE) {
        if (recording->dirty_bytes == 0) {
            recording->dirty_since_us = clock_monotonic_us();
        }
        recording->dirty_bytes += cursor_len(&frames);
        return ERR_NONE;
    }
    int kept_errno = errno;
    int ignored = ftruncate(recording->fd, (off_t)before->file_bytes);
    (void)ignored; /* what it leaves is named by verification */
    recording->container = *before;
    errno = kept_errno;
    return err;
}

static struct record_stamp stamp_now(const struct recording *recording)
{
    return (struct record_stamp){elapsed_us(recording), clock_wall_us(), recording->stream_bytes};
}

static void live_synced(struct loop_op *op, int result);

/* Counted before compression: it is what a session is held to, and text shrinks to nothing. */
static bool has_much_unsynced(const struct recording *recording)
{
    return recording->stream_bytes - recording->syncing.stream_bytes >= RECORDER_SYNC_AFTER_BYTES;
}

/* A checkpoint in the file, then one sync that covers all before it. */
static void start_sync(struct recording *recording)
{
    struct recorder *recorder = recording->recorder;
    if (recording->sync.in_flight || recording->dirty_bytes == 0) {
        return;
    }
    struct record_container before = recording->container;
    struct record_stamp stamp = stamp_now(recording);
    struct writer out = writer_of(recorder->out, sizeof recorder->out);
    struct cursor frame = {NULL, NULL};
    enum err err = record_container_checkpoint(&recording->container, &recorder->tools,
                                               &recorder->log_key.key, &stamp, &out);
    if (err == ERR_NONE) {
        err = writer_done(&out, &frame);
    }
    errno = err == ERR_NONE ? 0 : EIO;
    if (err != ERR_NONE || append(recording, &before, frame) != ERR_NONE) {
        secret_wipe(&before, sizeof before);
        recording_fail(recording, errno);
        return;
    }
    secret_wipe(&before, sizeof before);
    recording->dirty_bytes = 0;
    recording->syncing.stream_bytes = recording->stream_bytes;
    recording->syncing.file_bytes = recording->container.file_bytes;
    memcpy(recording->syncing.chain, recording->container.chain, sizeof recording->syncing.chain);
    if (loop_fsync(recorder->loop, &recording->sync, recording->fd, live_synced) != ERR_NONE) {
        recording_fail(recording, errno);
    }
}

bool recording_write(struct recording *recording, struct cursor records, size_t stream_bytes)
{
    struct recorder *recorder = recording->recorder;
    struct record_container before = recording->container;
    struct writer out = writer_of(recorder->out, sizeof recorder->out);
    struct cursor frames = {NULL, NULL};
    enum err err =
        record_container_data(&recording->container, &recorder->tools, elapsed_us(recording), records, &out);
    if (err == ERR_NONE) {
        err = writer_done(&out, &frames);
    }
    errno = err == ERR_NONE ? 0 : EIO;
    if (err == ERR_NONE) {
        err = append(recording, &before, frames);
    }
    secret_wipe(&before, sizeof before);
    if (err != ERR_NONE) {
        recording_fail(recording, errno);
        return false;
    }
    recording->stream_bytes += stream_bytes;
    if (has_much_unsynced(recording)) {
        start_sync(recording);
    }
    return recording->state == RECORDING_LIVE;
}

static void acknowledge(struct recording *recording)
{
    uint8_t memory[RECORD_DURABLE_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u64be(&out, recording->durable_bytes);
    /* A session that does not read its acknowledgements gets a later, larger one; eight bytes are never split
     * on an empty unix socket, and a full one takes none. */
    ssize_t put = write(recording->stream_fd, memory, sizeof memory);
    (void)put;
}

static void log_checkpoint(struct recording *recording)
{
    uint64_t now_us = clock_monotonic_us();
    if (now_us - recording->leaf_us < RECORDER_LEAF_AFTER_US) {
        return;
    }
    recording->leaf_us = now_us;
    struct record_leaf leaf = leaf_of(recording, RECORD_LEAF_CHECKPOINT);
    leaf.bytes = recording->syncing.file_bytes;
    memcpy(leaf.hash, recording->syncing.chain, sizeof leaf.hash);
    (void)evidence_add_leaf(recording->recorder, &leaf, false);
}

static void last_synced(struct loop_op *op, int result);

static void start_last_sync(struct recording *recording)
{
    if (recording->sync.in_flight) {
        return; /* its end starts this one */
    }
    if (loop_fsync(recording->recorder->loop, &recording->sync, recording->fd, last_synced) != ERR_NONE) {
        recorder_fatal(recording->recorder, "a recording cannot be synced");
    }
}

static void live_synced(struct loop_op *op, int result)
{
    struct recording *recording = OWNER_OF(op, struct recording, sync);
    if (recording->state == RECORDING_LAST_SYNC) {
        start_last_sync(recording);
        return;
    }
    if (recording->state != RECORDING_LIVE) {
        return;
    }
    if (result < 0) {
        recording_fail(recording, -result);
        return;
    }
    recording->durable_bytes = recording->syncing.stream_bytes;
    acknowledge(recording);
    log_checkpoint(recording);
    if (recording->stream_bytes - recording->durable_bytes <= LIMIT_UNDURABLE_BYTES) {
        collect_go_on(recording);
    }
    if (has_much_unsynced(recording)) {
        start_sync(recording);
    }
}

static void last_synced(struct loop_op *op, int result)
{
    struct recording *recording = OWNER_OF(op, struct recording, sync);
    if (result >= 0) {
        recording->durable_bytes = recording->stream_bytes;
        acknowledge(recording);
    }
    fd_close(&recording->stream_fd); /* the session sees an end only after its last acknowledgement */
    struct record_leaf leaf = leaf_of(recording, RECORD_LEAF_CLOSE);
    char how[RECORD_HOW_BYTES + 16];
    (void)snprintf(how, sizeof how, "%s%s", recording->ordered, result < 0 ? ", not synced" : "");
    leaf.how = cursor_of_text(how);
    recording->state = RECORDING_CLOSE_LEAF;
    recording->leaf_at = evidence_add_leaf(recording->recorder, &leaf, true);
}

static enum err write_last_frame(struct recording *recording)
{
    struct recorder *recorder = recording->recorder;
    struct record_container before = recording->container;
    struct record_stamp stamp = stamp_now(recording);
    struct record_ending ending = {recording->exit_status, cursor_of_text(recording->ordered),
                                   cursor_of_text(recording->reason)};
    struct writer out = writer_of(recorder->out, sizeof recorder->out);
    struct cursor frame;
    TRY(record_container_close(&recording->container, &recorder->tools, &recorder->log_key.key, &stamp,
                               &ending, &out));
    TRY(writer_done(&out, &frame));
    enum err err = append(recording, &before, frame);
    secret_wipe(&before, sizeof before);
    return err;
}

/* Even its last frame does not fit: the log says how far it is whole, as after a crash. */
static void give_up(struct recording *recording)
{
    struct record_leaf leaf = leaf_of(recording, RECORD_LEAF_RECOVER);
    fd_close(&recording->stream_fd);
    recording->state = RECORDING_CLOSE_LEAF;
    recording->leaf_at = evidence_add_leaf(recording->recorder, &leaf, true);
}

void recording_finish(struct recording *recording, const char *how, const char *reason)
{
    if (recording->state != RECORDING_LIVE) {
        return;
    }
    char kept[RECORD_REASON_BYTES];
    (void)snprintf(kept, sizeof kept, "%s", reason);
    if (how != recording->ordered) {
        (void)snprintf(recording->ordered, sizeof recording->ordered, "%s", how);
    }
    (void)snprintf(recording->reason, sizeof recording->reason, "%s", kept);
    loop_cancel(recording->recorder->loop, &recording->receive.op);
    recording->state = RECORDING_LAST_SYNC;
    enum err err = write_last_frame(recording);
    if (err != ERR_NONE && disk_release_slack(recording->recorder)) {
        err = write_last_frame(recording);
    }
    if (err != ERR_NONE) {
        give_up(recording);
        return;
    }
    start_last_sync(recording);
}

void recording_fail(struct recording *recording, int error)
{
    char sentence[LIMIT_SENTENCE_BYTES];
    if (recording->state != RECORDING_LIVE) {
        return;
    }
    /* One full disk is full for all: who went on writing would use up the slack that the closes need. */
    recording->recorder->is_disk_full =
        recording->recorder->is_disk_full || error == ENOSPC || error == EDQUOT;
    disk_sentence(error, sentence);
    recorder_send_text(recording->recorder, IPC_RECORD_FAILED, recording->ref, sentence);
    recording_finish(recording, error == ENOSPC || error == EDQUOT ? "disk full" : "disk failed", sentence);
}

void recording_order_end(struct recording *recording, const char *how, const char *reason)
{
    if (recording->state > RECORDING_LIVE || recording->drain_until_us != 0) {
        return;
    }
    (void)snprintf(recording->ordered, sizeof recording->ordered, "%s", how);
    (void)snprintf(recording->reason, sizeof recording->reason, "%s", reason);
    recording->drain_until_us = clock_monotonic_us() + RECORDER_DRAIN_US;
}

void recording_tick(struct recording *recording, uint64_t now_us)
{
    if (recording->state != RECORDING_LIVE) {
        return;
    }
    if (recording->drain_until_us != 0 && now_us >= recording->drain_until_us) {
        recording_finish(recording, recording->ordered, recording->reason);
        return;
    }
    if (recording->dirty_bytes > 0 && now_us - recording->dirty_since_us >= RECORDER_SYNC_AFTER_US) {
        start_sync(recording);
    }
}
