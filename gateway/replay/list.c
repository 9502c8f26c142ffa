#include "replay/list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "folder.h"
#include "record/reader.h"

enum { SECOND_US = 1000000, NANOSECONDS_PER_US = 1000, SID_DIGITS = 2 * LIMIT_SID_BYTES };

struct reading {
    const struct replay_filter_by *by;
    struct replay_list list;
    size_t capacity, day_start, seen;
    uint8_t memory[RECORD_SUMMARY_BYTES];
};

static void copy_sid(const char *name, char ret_sid[static REPLAY_SID_BYTES])
{
    memcpy(ret_sid, name, SID_DIGITS);
    ret_sid[SID_DIGITS] = 0;
}

static void describe_damage(struct replay_entry *entry, enum err err)
{
    const char *what = err == ERR_MALFORMED   ? "this is no recording, or its head is damaged"
                       : err == ERR_TRUNCATED ? "its head is cut off"
                       : err == ERR_MISMATCH  ? "its name is not the id in its head"
                                              : err_text(err);
    (void)snprintf(entry->damage, sizeof entry->damage, "%s", what);
}

static void copy_closing(struct replay_entry *entry, const struct record_closing *closing)
{
    entry->is_closed = true;
    entry->duration_us = closing->at.wall_us > entry->start_us ? closing->at.wall_us - entry->start_us : 0;
    entry->kept_bytes = closing->kept_bytes;
    entry->exit_status = closing->exit_status;
    entry->has_moved = closing->has_moved;
    entry->moved = closing->moved;
    text_printable(closing->how, entry->how, sizeof entry->how);
    text_printable(closing->reason, entry->reason, sizeof entry->reason);
}

static enum err read_head(struct replay_entry *entry, uint8_t memory[static RECORD_SUMMARY_BYTES])
{
    uint64_t changed_us = entry->start_us;
    struct record_head head;
    struct record_closing closing;
    bool is_closed = false;
    TRY(record_summary_read(entry->path, memory, &head, &is_closed, &closing));
    char sid[REPLAY_SID_BYTES];
    if (strcmp(text_hex(cursor_of(head.sid, sizeof head.sid), sid, sizeof sid), entry->sid) != 0) {
        return ERR_MISMATCH;
    }
    entry->start_us = head.wall_us;
    entry->duration_us = changed_us > head.wall_us ? changed_us - head.wall_us : 0;
    if (is_closed) {
        copy_closing(entry, &closing);
    }
    return replay_meta_parse(head.meta, &entry->meta);
}

static void read_entry(const char *path, const char *name, uint8_t memory[static RECORD_SUMMARY_BYTES],
                       struct replay_entry *entry)
{
    entry->exit_status = RECORD_NO_STATUS;
    copy_sid(name, entry->sid);
    (void)snprintf(entry->path, sizeof entry->path, "%s", path);
    struct stat status;
    if (lstat(path, &status) == 0) {
        entry->start_us = (uint64_t)status.st_mtim.tv_sec * SECOND_US +
                          (uint64_t)status.st_mtim.tv_nsec / NANOSECONDS_PER_US;
        entry->file_bytes = (uint64_t)status.st_size;
    }
    enum err err = read_head(entry, memory);
    if (err != ERR_NONE) {
        describe_damage(entry, err);
    }
}

static bool is_of_database(const struct replay_meta *meta, const char *name)
{
    bool is_database = strcmp(meta->kind, "postgres") == 0 || strcmp(meta->kind, "mysql") == 0;
    return is_database && (strcmp(name, meta->host) == 0 || strcmp(name, meta->target) == 0 ||
                           strcmp(name, meta->database) == 0);
}

bool replay_entry_matches(const struct replay_entry *entry, const struct replay_filter_by *by)
{
    if (entry->start_us < by->since_us || entry->start_us >= by->until_us) {
        return false;
    }
    if (entry->damage[0] != 0) {
        return true;
    }
    const struct replay_meta *meta = &entry->meta;
    if (by->person != NULL && strcmp(by->person, meta->person) != 0) {
        return false;
    }
    if (by->target != NULL && strcmp(by->target, meta->host) != 0 && strcmp(by->target, meta->target) != 0) {
        return false;
    }
    if (by->database != NULL && !is_of_database(meta, by->database)) {
        return false;
    }
    return !by->is_open || !entry->is_closed;
}

static enum err append(struct reading *reading, struct replay_entry *entry)
{
    if (reading->list.count == reading->capacity) {
        size_t capacity = reading->capacity == 0 ? 64 : reading->capacity * 2;
        struct replay_entry **entries = realloc(reading->list.entries, capacity * sizeof(void *));
        if (entries == NULL) {
            return ERR_MEMORY;
        }
        reading->list.entries = entries;
        reading->capacity = capacity;
    }
    reading->list.entries[reading->list.count++] = entry;
    return ERR_NONE;
}

static enum err read_file(void *context, const char *path, const char *name)
{
    struct reading *reading = context;
    if (++reading->seen > REPLAY_LIST_MAX) {
        reading->list.is_cut = true;
        return ERR_CLOSED;
    }
    struct replay_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL) {
        return ERR_MEMORY;
    }
    read_entry(path, name, reading->memory, entry);
    enum err err = replay_entry_matches(entry, reading->by) ? append(reading, entry) : ERR_NOT_FOUND;
    if (err != ERR_NONE) {
        free(entry);
    }
    return err == ERR_NOT_FOUND ? ERR_NONE : err;
}

static int newest_first(const void *left, const void *right)
{
    const struct replay_entry *a = *(struct replay_entry *const *)left;
    const struct replay_entry *b = *(struct replay_entry *const *)right;
    if (a->start_us != b->start_us) {
        return a->start_us < b->start_us ? 1 : -1;
    }
    return strcmp(a->sid, b->sid);
}

/* Folders are days, newest first: with a limit the older ones need not be read. */
static enum err end_day(void *context)
{
    struct reading *reading = context;
    struct replay_list *list = &reading->list;
    if (list->count > reading->day_start) {
        qsort(list->entries + reading->day_start, list->count - reading->day_start, sizeof(void *),
              newest_first);
    }
    reading->day_start = list->count;
    size_t limit = reading->by->limit;
    if (limit == 0 || list->count <= limit) {
        return ERR_NONE;
    }
    while (list->count > limit) {
        free(list->entries[--list->count]);
    }
    list->is_cut = true;
    return ERR_CLOSED;
}

enum err replay_list_read(const char *recordings_dir, const struct replay_filter_by *by,
                          struct replay_list *ret_list)
{
    struct reading *reading = calloc(1, sizeof *reading);
    if (reading == NULL) {
        return ERR_MEMORY;
    }
    reading->by = by;
    enum err err = folder_walk(recordings_dir, read_file, end_day, reading, &reading->list.unreadable);
    if (err == ERR_NONE) {
        *ret_list = reading->list;
    } else {
        replay_list_done(&reading->list);
    }
    free(reading);
    return err;
}

void replay_list_done(struct replay_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->entries[i]);
    }
    free(list->entries);
    *list = (struct replay_list){0};
}

struct finding {
    const char *prefix;
    size_t prefix_bytes;
    char path[REPLAY_PATH_BYTES];
    char sid[REPLAY_SID_BYTES];
    size_t found;
};

static enum err compare_file(void *context, const char *path, const char *name)
{
    struct finding *finding = context;
    if (strncmp(name, finding->prefix, finding->prefix_bytes) != 0) {
        return ERR_NONE;
    }
    if (finding->found++ > 0) {
        return ERR_STATE;
    }
    (void)snprintf(finding->path, sizeof finding->path, "%s", path);
    copy_sid(name, finding->sid);
    return ERR_NONE;
}

enum err replay_list_find(const char *recordings_dir, const char *prefix,
                          char ret_path[static REPLAY_PATH_BYTES], char ret_sid[static REPLAY_SID_BYTES])
{
    size_t len = strlen(prefix);
    if (len < REPLAY_PREFIX_BYTES || len > SID_DIGITS || strspn(prefix, "0123456789abcdef") != len) {
        return ERR_MALFORMED;
    }
    struct finding finding = {.prefix = prefix, .prefix_bytes = len};
    uint64_t unreadable = 0;
    TRY(folder_walk(recordings_dir, compare_file, NULL, &finding, &unreadable));
    if (finding.found == 0) {
        return ERR_NOT_FOUND;
    }
    (void)snprintf(ret_path, REPLAY_PATH_BYTES, "%s", finding.path);
    memcpy(ret_sid, finding.sid, REPLAY_SID_BYTES);
    return ERR_NONE;
}
