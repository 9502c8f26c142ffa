/* bastion-recorder: one process that writes the recordings of all sessions and the evidence log of the host.
 */
#ifndef RECORDER_RECORDER_H
#define RECORDER_RECORDER_H

#include "base/queue.h"
#include "ipc/channel.h"
#include "loop/loop.h"
#include "record/age.h"
#include "record/container.h"
#include "record/log.h"
#include "record/stream.h"

enum {
    RECORDER_RECORDINGS_MAX = 16384, /* open at once; each has two descriptors */
    RECORDER_TICK_MS = 250,
    RECORDER_SYNC_AFTER_US = 500000,    /* with a tick and the disk's own time: durable within a second */
    RECORDER_SYNC_AFTER_BYTES = 262144, /* or earlier, when this much waits */
    RECORDER_LEAF_AFTER_US =
        10000000, /* a `ckpt` leaf of each busy recording; closes and opens are logged at once */
    RECORDER_COMMIT_AFTER_US = 500000, /* leaves that nobody waits for */
    RECORDER_DRAIN_US = 2000000,       /* after an order to end: how long the stream may still bring bytes */
    RECORDER_COLLECT_MS = 20,          /* small records are fetched so often; see collect.c */
    RECORDER_DRIFT_US = 60000000,      /* the wall clock may move this far before it is noted */
    RECORDER_SLACK_BYTES =
        16777216, /* kept free on the disk for the closes of a full disk: 4 KiB for each file */
    RECORDER_OUT_BYTES = RECORD_DATA_ROOM_BYTES(RECORD_LARGEST_BYTES + LOOP_BUFFER_BYTES) + RECORD_HEAD_BYTES,
    RECORDER_OUTBOX_BYTES = 1 << 22,
};

enum recording_state {
    RECORDING_FILES = 1, /* its files are being made durable */
    RECORDING_FOLDER,    /* then their folder */
    RECORDING_OPEN_LEAF, /* then the leaf */
    RECORDING_LIVE,
    RECORDING_LAST_SYNC, /* the last frame is written */
    RECORDING_CLOSE_LEAF,
    RECORDING_DONE, /* freed when no operation is in flight */
};

struct recorder;
/** One recording; about 600 bytes while its session is silent. */
struct recording {
    struct recorder *recorder;
    struct recording *next, *previous;
    uint32_t ref;
    enum recording_state state;
    struct record_container container;
    int fd, key_fd, stream_fd;
    struct loop_receive receive;
    uint64_t received_us, much_us; /* when its stream brought bytes last, and much at once */
    bool is_collected;             /* fetched by the timer, see collect.c */
    struct loop_op sync, key_sync;
    struct queue carry; /* the beginning of a record whose end is not here yet */
    uint64_t opened_us, dirty_since_us, leaf_us;
    uint64_t dirty_bytes;   /* in the file, not covered by a sync that was started */
    uint64_t stream_bytes;  /* of the stream that the file holds */
    uint64_t durable_bytes; /* of the stream that is durable */
    struct {
        uint64_t stream_bytes, file_bytes;
        uint8_t chain[CRYPTO_SHA256_BYTES];
    } syncing;               /* what the sync in flight makes durable */
    uint64_t leaf_at;        /* the log's size that holds the leaf it waits for */
    uint64_t drain_until_us; /* 0, or when to stop waiting for the end of the stream */
    uint32_t exit_status;
    bool has_end, is_folder_syncing, has_files_synced, has_key_synced;
    char ordered[RECORD_HOW_BYTES]; /* why it ends, when not by its own END */
    char reason[RECORD_REASON_BYTES];
    char day[sizeof "2026/01/01"];
};

struct recorder_day {
    int fd;
    char name[sizeof "2026/01/01"];
};

enum commit_step { COMMIT_IDLE, COMMIT_LEAVES, COMMIT_NOTE };

struct recorder {
    struct loop *loop;
    struct record_log_key log_key;
    struct record_recipients recipients;
    const char *host_id;
    uint64_t min_free_bytes;
    int recordings_fd, evidence_fd;
    struct recorder_day day;
    bool has_slack;
    struct record_tools tools;
    struct record_log log;

    struct recording *first;
    unsigned count;
    struct loop_op channel, channel_out, tick, folder_sync, commit;
    struct loop_op collect; /* in flight while there is something to collect */
    struct queue outbox;    /* answers that the monitor did not take yet */
    struct ipc_ledger ledger;

    enum commit_step commit_step;
    struct record_note committing;
    int staged_fd;
    uint64_t pending_since_us; /* of the oldest leaf that is not committed; 0 = none */
    bool is_urgent, is_stopping, has_failed;
    bool is_disk_full;                  /* every recording is to end */
    bool wants_reap, wants_folder_sync; /* some recording is DONE, or in state FOLDER */
    int64_t clock_offset_us;            /* wall minus monotonic, as last noted */

    struct ipc_message message;
    uint8_t out[RECORDER_OUT_BYTES];
};

/* recorder.c: the channel to the monitor, and the turn */
void recorder_send(struct recorder *recorder, enum ipc_type type, uint32_t ref, struct cursor body);
void recorder_send_text(struct recorder *recorder, enum ipc_type type, uint32_t ref, const char *text);
MUST_CHECK enum err recorder_start(struct recorder *recorder);
/** Something that no recording can go on with: say it, end. */
void recorder_fatal(struct recorder *recorder, const char *sentence);

/* recording.c: open, write, sync, close */
void recording_open(struct recorder *recorder, const struct ipc_message *message, int stream_fd);
struct recording *recording_find(const struct recorder *recorder, uint32_t ref);
/** Its leaf is durable and signed. */
void recording_leaf_committed(struct recording *recording);
/** The folder that holds it is durable. */
void recording_folder_synced(struct recording *recording, int result);
/** Frame, write and account for whole records; false when it failed and is closing.
 *  @param stream_bytes  how much of the session's stream they are */
bool recording_write(struct recording *recording, struct cursor records, size_t stream_bytes);
/** End it soon: the stream may still bring what was sent before. */
void recording_order_end(struct recording *recording, const char *how, const char *reason);
/** Write the last frame now. */
void recording_finish(struct recording *recording, const char *how, const char *reason);
/** The disk refused: tell the monitor, close what can be closed. `error` is an errno. */
void recording_fail(struct recording *recording, int error);
void recording_tick(struct recording *recording, uint64_t now_us);
/** Free it when nothing holds it any more. */
void recording_reap(struct recording *recording);

/* collect.c: when a stream is read */
/** Its stream has brought so much at once. */
void collect_received(struct recording *recording, size_t len_bytes);
/** Read no more of it until collect_go_on(): the disk is behind. */
void collect_hold(struct recording *recording);
void collect_go_on(struct recording *recording);

/* stream.c: what the session sends */
loop_received recording_received;

/* evidence.c: commits of the log */
void evidence_add(struct recorder *recorder, struct cursor line);
/** @return the log's size with the leaf in it */
uint64_t evidence_add_leaf(struct recorder *recorder, const struct record_leaf *leaf, bool is_urgent);
void evidence_turn(struct recorder *recorder, uint64_t now_us);
bool evidence_is_idle(const struct recorder *recorder);

/* disk.c: folders, free space, slack */
/** The folder of the day of `wall_us`, made durable when it is new. */
MUST_CHECK enum err disk_day(struct recorder *recorder, uint64_t wall_us);
MUST_CHECK enum err disk_open_day(int recordings_fd, const char *day, int *ret_fd);
/** false: `ret_sentence` says how much is free and what to do. Makes the slack again when there is room. */
bool disk_has_room(struct recorder *recorder, char ret_sentence[static LIMIT_SENTENCE_BYTES]);
void disk_make_slack(struct recorder *recorder);
/** @return false when there was none to release */
bool disk_release_slack(struct recorder *recorder);
/** What a failed write means and what to do about it. */
void disk_sentence(int error, char ret_sentence[static LIMIT_SENTENCE_BYTES]);

/* recover.c: recordings that were open when the recorder stopped */
MUST_CHECK enum err recover_all(struct recorder *recorder, struct record_log_recovery *recovery);

#endif
