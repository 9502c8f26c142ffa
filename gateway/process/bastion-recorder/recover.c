/* After a crash: what was opened and not closed is read as far as it is whole, and that is logged. The files
 * are never changed. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "record/reader.h"
#include "recorder.h"

/* Reads to the end or the first fault. A recording whose close is in the file, but not in the log, is closed.
 */
static void walk(struct record_reader *reader, struct record_leaf *leaf,
                 char how[static RECORD_HOW_BYTES + 1])
{
    struct record_step step = {0};
    while (record_reader_next(reader, &step) == ERR_NONE && step.type != RECORD_STEP_END) {
        if (step.type == RECORD_STEP_CLOSE) {
            leaf->kind = RECORD_LEAF_CLOSE;
            (void)snprintf(how, RECORD_HOW_BYTES + 1, "%.*s", (int)cursor_len(&step.closing.how),
                           (const char *)step.closing.how.at);
            leaf->how = cursor_of_text(how);
        }
    }
    leaf->bytes = record_reader_offset(reader);
    record_reader_chain(reader, leaf->hash);
}

static void examine(const struct recorder *recorder, const struct record_unclosed *unclosed,
                    struct record_leaf *leaf, char how[static RECORD_HOW_BYTES + 1])
{
    OWNED_FD day_fd = -1;
    char name[sizeof "00112233445566778899aabbccddeeff.rec"];
    char hex[2 * LIMIT_SID_BYTES + 1];
    if (unclosed->day[0] == 0 || disk_open_day(recorder->recordings_fd, unclosed->day, &day_fd) != ERR_NONE) {
        return;
    }
    (void)snprintf(name, sizeof name, "%s.rec",
                   text_hex(cursor_of(unclosed->sid, LIMIT_SID_BYTES), hex, sizeof hex));
    OWNED_FD fd = openat(day_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct record_reader reader = {0};
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        return; /* verification will say that it is deleted */
    }
    if (record_reader_open_fd(&reader, fd, recorder->log_key.vkey.public_key, NULL) == ERR_NONE) {
        walk(&reader, leaf, how);
        uint64_t size = (uint64_t)status.st_size;
        leaf->torn_bytes = size > leaf->bytes ? size - leaf->bytes : 0;
    }
    record_reader_done(&reader);
}

enum err recover_all(struct recorder *recorder, struct record_log_recovery *recovery)
{
    for (size_t i = 0; i < recovery->unclosed_count; i++) {
        struct record_leaf leaf = {.kind = RECORD_LEAF_RECOVER};
        char how[RECORD_HOW_BYTES + 1] = "";
        memcpy(leaf.sid, recovery->unclosed[i].sid, sizeof leaf.sid);
        examine(recorder, &recovery->unclosed[i], &leaf, how);
        TRY(record_log_add_leaf(&recorder->log, &leaf, clock_wall_us()));
    }
    /* Also the first checkpoint of a new log, so that an empty log cannot be told from a removed one by
     * nobody. */
    return record_log_commit(&recorder->log);
}
