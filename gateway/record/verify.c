#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "verify.h"

enum { DEEPEST = 4 }; /* yyyy/mm/dd/file, and one more so that a stray folder is seen */

struct job {
    const struct record_verify_input *input;
    const struct record_verify_report *report;
    struct record_verify_totals totals;
    struct index index;
    bool has_log, is_only_found;
    char **unlogged; /* OWNED: paths that the log did not know when it was read */
    size_t unlogged_count;
};

/* "<32 hex digits>.rec" -> the session id. Other names are not recordings. */
static bool sid_of_name(const char *name, uint8_t ret_sid[static LIMIT_SID_BYTES])
{
    enum { HEX = 2 * LIMIT_SID_BYTES };
    return strlen(name) == HEX + 4 && strcmp(name + HEX, ".rec") == 0 &&
           text_unhex(cursor_of(name, HEX), ret_sid, LIMIT_SID_BYTES) == ERR_NONE;
}

/* The recorder may be at work: a file that the log does not know can have been opened after the log was read.
 * Such files are kept until the log has been read once more. */
static enum err keep_unlogged(struct job *job, const char *path)
{
    char **longer = realloc(job->unlogged, (job->unlogged_count + 1) * sizeof *longer);
    if (longer == NULL) {
        return ERR_MEMORY;
    }
    job->unlogged = longer;
    longer[job->unlogged_count] = strdup(path);
    return longer[job->unlogged_count++] == NULL ? ERR_MEMORY : ERR_NONE;
}

static enum err check_file(struct job *job, const char *full_path, const char *path,
                           const uint8_t sid[static LIMIT_SID_BYTES])
{
    if (job->input->only_sid != NULL && memcmp(job->input->only_sid, sid, LIMIT_SID_BYTES) != 0) {
        return ERR_NONE;
    }
    job->is_only_found = true;
    struct index_entry *entry = index_find(&job->index, sid);
    if (entry == NULL && job->has_log) {
        return keep_unlogged(job, path);
    }
    /* A second file of the same name in another day's folder is a copy: the log knows one. */
    bool is_copy = entry != NULL && (entry->is_seen || strncmp(path, entry->day, strlen(entry->day)) != 0);
    if (entry != NULL && !is_copy) {
        entry->is_seen = true;
    }
    verify_recording(full_path, path, sid, job->input->vkey, is_copy ? NULL : entry, job->has_log,
                     job->report, &job->totals);
    return ERR_NONE;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* One folder level at a time, in the order of time, which is the order of names. `path` is relative to the
 * root. */
static enum err walk(struct job *job, const char *path, unsigned depth);

static enum err visit(struct job *job, const char *folder, const char *name, unsigned depth)
{
    char path[PATH_MAX];
    char full_path[PATH_MAX];
    struct stat status;
    uint8_t sid[LIMIT_SID_BYTES];
    int len = snprintf(path, sizeof path, "%s%s%s", folder, *folder == 0 ? "" : "/", name);
    int full_len = snprintf(full_path, sizeof full_path, "%s/%s%s%s", job->input->recordings_dir, folder,
                            *folder == 0 ? "" : "/", name);
    if (len >= (int)sizeof path || full_len >= (int)sizeof full_path) {
        return ERR_TOO_LARGE;
    }
    if (sid_of_name(name, sid)) {
        return check_file(job, full_path, path, sid);
    }
    if (depth < DEEPEST && lstat(full_path, &status) == 0 && S_ISDIR(status.st_mode)) {
        return walk(job, path, depth + 1);
    }
    return ERR_NONE;
}

static enum err walk(struct job *job, const char *path, unsigned depth)
{
    char full_path[PATH_MAX];
    if (snprintf(full_path, sizeof full_path, "%s/%s", job->input->recordings_dir, path) >=
        (int)sizeof full_path) {
        return ERR_TOO_LARGE;
    }
    struct dirent **names = NULL;
    int count = scandir(full_path, &names, is_visible, by_name);
    if (count < 0) {
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND
               : errno == ENOMEM                   ? ERR_MEMORY
                                                   : ERR_SYSTEM;
    }
    enum err err = ERR_NONE;
    for (int i = 0; i < count; i++) {
        if (err == ERR_NONE) {
            err = visit(job, path, names[i]->d_name, depth);
        }
        free(names[i]);
    }
    free(names);
    return err;
}

static void report_missing(struct job *job, const struct index_entry *entry)
{
    struct record_result result = {
        .verdict = RECORD_DELETED,
        .path = "",
        .how = "",
        .sentence = "the evidence log opened it, but there is no such file",
        .is_key_missing = true,
    };
    char sentence[LIMIT_SENTENCE_BYTES];
    if (entry->day[0] != 0) {
        char hex[2 * LIMIT_SID_BYTES + 1];
        (void)snprintf(sentence, sizeof sentence, "the evidence log opened it, but %s/%s.rec does not exist",
                       entry->day, text_hex(cursor_of(entry->sid, sizeof entry->sid), hex, sizeof hex));
        result.sentence = sentence;
    }
    memcpy(result.sid, entry->sid, sizeof result.sid);
    job->is_only_found = true;
    job->totals.recordings++;
    job->totals.faults++;
    job->totals.keys_missing++;
    job->report->on_recording(job->report->context, &result);
}

static void find_missing(struct job *job)
{
    for (size_t i = 0; i < job->index.capacity; i++) {
        const struct index_entry *entry = &job->index.entries[i];
        bool is_wanted =
            job->input->only_sid == NULL || memcmp(job->input->only_sid, entry->sid, sizeof entry->sid) == 0;
        if (entry->last != RECORD_LEAF_OTHER && !entry->is_seen && is_wanted) {
            report_missing(job, entry);
        }
    }
}

/* Deferred files against the log as it is now. What is missing was already found with the earlier log,
 * because files that were opened since then may not have been walked. */
static enum err check_unlogged(struct job *job)
{
    if (job->unlogged_count == 0) {
        return ERR_NONE;
    }
    struct index index = {0};
    char sentence[LIMIT_SENTENCE_BYTES];
    struct record_log_result log = {0};
    enum err err = verify_log(job->input, &index, sentence, &log);
    for (size_t i = 0; i < job->unlogged_count && err == ERR_NONE; i++) {
        char full_path[PATH_MAX];
        uint8_t sid[LIMIT_SID_BYTES] = {0};
        const char *slash = strrchr(job->unlogged[i], '/');
        (void)snprintf(full_path, sizeof full_path, "%s/%s", job->input->recordings_dir, job->unlogged[i]);
        bool is_named = sid_of_name(slash == NULL ? job->unlogged[i] : slash + 1, sid);
        struct index_entry *entry =
            is_named && log.verdict < RECORD_LOG_FAULTS ? index_find(&index, sid) : NULL;
        if (entry != NULL &&
            (entry->is_seen || strncmp(job->unlogged[i], entry->day, strlen(entry->day)) != 0)) {
            entry = NULL;
        }
        if (entry != NULL) {
            entry->is_seen = true;
        }
        verify_recording(full_path, job->unlogged[i], sid, job->input->vkey, entry, true, job->report,
                         &job->totals);
    }
    index_done(&index);
    return err;
}

static enum err run(struct job *job)
{
    char sentence[LIMIT_SENTENCE_BYTES];
    struct record_log_result log = {0};
    TRY(verify_log(job->input, &job->index, sentence, &log));
    job->totals.log = log.verdict;
    job->has_log = log.verdict != RECORD_LOG_MISSING;
    job->report->on_log(job->report->context, &log);
    TRY(walk(job, "", 0));
    find_missing(job);
    TRY(check_unlogged(job));
    return job->input->only_sid == NULL || job->is_only_found ? ERR_NONE : ERR_NOT_FOUND;
}

enum err record_verify(const struct record_verify_input *input, const struct record_verify_report *report,
                       struct record_verify_totals *ret_totals)
{
    struct job job = {.input = input, .report = report};
    enum err err = run(&job);
    index_done(&job.index);
    for (size_t i = 0; i < job.unlogged_count; i++) {
        free(job.unlogged[i]);
    }
    free(job.unlogged);
    *ret_totals = job.totals;
    return err;
}

enum err record_verify_file(const char *path, const struct record_vkey *vkey,
                            const struct record_verify_report *report)
{
    struct record_verify_totals totals = {0};
    struct stat status;
    if (stat(path, &status) != 0) {
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_SYSTEM;
    }
    verify_recording(path, path, NULL, vkey, NULL, false, report, &totals);
    return ERR_NONE;
}
