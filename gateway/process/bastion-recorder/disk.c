#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "recorder.h"

enum { FOLDER_MODE = 0750, MIB = 1 << 20 };
static const char SLACK_NAME[] = "slack";

/* Opens one level, and makes it where it does not exist; the parent is then made durable at once. That waits
 * for the disk, once a day. */
static enum err open_level(int parent_fd, const char *name, int *ret_fd)
{
    bool is_new = mkdirat(parent_fd, name, FOLDER_MODE) == 0;
    if (!is_new && errno != EEXIST) {
        return ERR_SYSTEM;
    }
    if (is_new && fsync(parent_fd) != 0) {
        return ERR_SYSTEM;
    }
    int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return ERR_SYSTEM;
    }
    *ret_fd = fd;
    return ERR_NONE;
}

static enum err make_day(int recordings_fd, const char *day, int *ret_fd)
{
    char parts[sizeof "2026/01/01"];
    memcpy(parts, day, sizeof parts);
    parts[4] = 0;
    parts[7] = 0;
    OWNED_FD year_fd = -1;
    OWNED_FD month_fd = -1;
    TRY(open_level(recordings_fd, parts, &year_fd));
    TRY(open_level(year_fd, parts + 5, &month_fd));
    return open_level(month_fd, parts + 8, ret_fd);
}

enum err disk_open_day(int recordings_fd, const char *day, int *ret_fd)
{
    int fd = openat(recordings_fd, day, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM;
    }
    *ret_fd = fd;
    return ERR_NONE;
}

enum err disk_day(struct recorder *recorder, uint64_t wall_us)
{
    char time[CLOCK_TEXT_BYTES];
    char name[sizeof "2026/01/01"] = "";
    (void)clock_text(wall_us, time);
    if (strlen(time) < sizeof name) {
        return ERR_MALFORMED; /* a clock beyond the year 9999 */
    }
    memcpy(name, time, sizeof name - 1);
    name[4] = '/';
    name[7] = '/';
    if (recorder->day.fd >= 0 && strcmp(recorder->day.name, name) == 0) {
        return ERR_NONE;
    }
    int fd = -1;
    TRY(make_day(recorder->recordings_fd, name, &fd));
    if (recorder->day.fd >= 0 &&
        fsync(recorder->day.fd) != 0) { /* files of the old day may still wait for it */
        fd_close(&fd);
        return ERR_SYSTEM;
    }
    fd_close(&recorder->day.fd);
    recorder->day.fd = fd;
    memcpy(recorder->day.name, name, sizeof recorder->day.name);
    return ERR_NONE;
}

static uint64_t free_bytes(int dir_fd)
{
    struct statvfs status;
    if (fstatvfs(dir_fd, &status) != 0) {
        return 0;
    }
    return (uint64_t)status.f_bavail * status.f_frsize;
}

bool disk_has_room(struct recorder *recorder, char ret_sentence[static LIMIT_SENTENCE_BYTES])
{
    uint64_t recordings = free_bytes(recorder->recordings_fd);
    uint64_t evidence = free_bytes(recorder->evidence_fd);
    uint64_t smaller = recordings < evidence ? recordings : evidence;
    if (smaller < recorder->min_free_bytes) {
        (void)snprintf(ret_sentence, LIMIT_SENTENCE_BYTES,
                       "no recording can be opened: %" PRIu64 " MiB are free in the %s folder, %" PRIu64
                       " MiB must be; move closed recordings away or lower min_free",
                       smaller / MIB, recordings <= evidence ? "recordings" : "evidence",
                       recorder->min_free_bytes / MIB);
        return false;
    }
    if (!recorder->has_slack) {
        disk_make_slack(recorder);
    }
    return true;
}

void disk_make_slack(struct recorder *recorder)
{
    OWNED_FD fd =
        openat(recorder->evidence_fd, SLACK_NAME, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
    /* Without it a full disk costs the closes of its recordings, nothing else: go on. */
    recorder->has_slack = fd >= 0 && fallocate(fd, 0, 0, RECORDER_SLACK_BYTES) == 0;
}

bool disk_release_slack(struct recorder *recorder)
{
    bool had_slack = recorder->has_slack;
    recorder->has_slack = false;
    return unlinkat(recorder->evidence_fd, SLACK_NAME, 0) == 0 && had_slack;
}

void disk_sentence(int error, char ret_sentence[static LIMIT_SENTENCE_BYTES])
{
    const char *what = "the recording could not be written";
    if (error == ENOSPC || error == EDQUOT) {
        (void)snprintf(
            ret_sentence, LIMIT_SENTENCE_BYTES,
            "%s: the disk of the recordings folder is full. Sessions end until there is room: move closed "
            "recordings away or make the disk larger, then connect again",
            what);
    } else {
        (void)snprintf(ret_sentence, LIMIT_SENTENCE_BYTES,
                       "%s: %s. Look for errors of the disk (dmesg), then connect again", what,
                       strerror(error));
    }
}
