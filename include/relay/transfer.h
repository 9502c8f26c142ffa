/* File transfers that are commands: `scp -O` is taken apart as it passes, rsync and git are known by their
 * command line and counted. Only observed: what the command may do is the grant's `exec`, and its bytes pass
 * whatever is found here. A pure value; bounded, whatever the bytes say. */
#ifndef RELAY_TRANSFER_H
#define RELAY_TRANSFER_H

#include "relay/tap.h"

enum {
    TRANSFER_LINE_BYTES = 4608,   /* one line of scp: mode, size and a name of PATH_MAX */
    TRANSFER_FOLDER_BYTES = 4096, /* the folders that it is in */
};

/** What a command is. */
struct transfer_command {
    uint8_t op; /* enum record_file_op: SCP_PUT, SCP_GET, RSYNC_*, GIT_*; NONE: no transfer */
    struct cursor path;
};
/** Read as its program would get it from a plain shell: words at spaces, quotes around the last one taken
 * off. A command line that hides a transfer (sh -c, sudo, aliases) is not seen. */
struct transfer_command transfer_recognise(struct cursor command);

struct transfer;

/** @param is_hashed  contents of scp. @return OWNED, or NULL without memory. Nothing is recorded yet. */
struct transfer *transfer_new(tap_record *record, void *owner, uint32_t channel,
                              const struct transfer_command *command, bool is_hashed);
void transfer_free(struct transfer *transfer); /* NULL is fine */
/** The beginning of a transfer that is not taken apart. */
MUST_CHECK enum err transfer_begin(struct transfer *transfer);
/** Bytes that are about to pass. @return errors of the record call. */
MUST_CHECK enum err transfer_data(struct transfer *transfer, bool is_to_target, struct cursor bytes);
/** The channel is over. Once. */
MUST_CHECK enum err transfer_end(struct transfer *transfer);

#endif
