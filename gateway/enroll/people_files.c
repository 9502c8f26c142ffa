#include "people_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "base/writer.h"
#include "keys/authorized_keys.h"
#include "settings.h"

enum {
    LOCKOUTS_FILE_BYTES = 1 << 20,
    UNLOCK_WAIT_US = 5000000, /* bastiond looks once a second */
    UNLOCK_STEP_US = 50000,
};

static enum err complain(const char *path, enum err err)
{
    const char *sentence = err == ERR_SYSTEM ? strerror(errno) : err_text(err);
    if (err == ERR_DENIED) {
        sentence = "must be a regular file of root that nobody else may write";
    }
    settings_complain(path, sentence);
    return err;
}

/* The folder, open and locked, so that two of these commands do not write over each other. */
static enum err open_folder(const char *path, int *ret_fd)
{
    OWNED_FD fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX) != 0) {
        return complain(path, ERR_SYSTEM);
    }
    *ret_fd = fd_take(&fd);
    return ERR_NONE;
}

/* A file that is not there is empty. */
static enum err read_or_empty(int folder, const char *name, size_t max_bytes, uint8_t **ret_bytes,
                              size_t *ret_len)
{
    enum err err = fd_read_trusted_file(folder, name, max_bytes, ret_bytes, ret_len);
    if (err == ERR_NOT_FOUND) {
        *ret_len = 0;
        return ERR_NONE;
    }
    return err;
}

static enum err read_people(const struct gateway_config *config, struct people *ret)
{
    OWNED_BYTES *bytes = NULL;
    size_t len = 0;
    unsigned line = 0;
    enum err err = read_or_empty(AT_FDCWD, config->people_file, PEOPLE_FILE_BYTES, &bytes, &len);
    if (err == ERR_NONE) {
        err = people_read(ret, cursor_of(bytes, len), &line);
    }
    if (err == ERR_MALFORMED) {
        char path[CONFIG_PATH_BYTES + 32];
        (void)snprintf(path, sizeof path, "%s:%u", config->people_file, line);
        settings_complain(path,
                          "is none of \"NAME disabled\" and \"NAME expires=2026-12-31T18:00:00Z\", or a "
                          "second line for a name");
        return err;
    }
    return err == ERR_NONE ? err : complain(config->people_file, err);
}

static enum err read_lockouts(int state_dir, struct lockout_table *ret)
{
    OWNED_BYTES *bytes = NULL;
    size_t len = 0;
    TRY(read_or_empty(state_dir, "lockouts", LOCKOUTS_FILE_BYTES, &bytes, &len));
    return lockout_read(ret, cursor_of(bytes, len));
}

static enum err add_name(struct people_files *files, const char *name)
{
    if (files->name_count == PEOPLE_FILES_NAMES_MAX) {
        return ERR_TOO_LARGE;
    }
    if (files->names == NULL) {
        files->names = calloc(PEOPLE_FILES_NAMES_MAX, sizeof files->names[0]);
    }
    if (files->names == NULL) {
        return ERR_MEMORY;
    }
    (void)snprintf(files->names[files->name_count++], LIMIT_PERSON_BYTES, "%s", name);
    return ERR_NONE;
}

static void close_folder(DIR **folder)
{
    if (*folder != NULL) {
        (void)closedir(*folder);
    }
}

static enum err add_key_files(struct people_files *files)
{
    __attribute__((cleanup(close_folder))) DIR *folder = opendir(files->config->keys_dir);
    if (folder == NULL) {
        return ERR_SYSTEM;
    }
    const struct dirent *entry = NULL;
    while ((entry = readdir(folder)) != NULL) {
        if (text_is_person(cursor_of_text(entry->d_name))) {
            TRY(add_name(files, entry->d_name));
        }
    }
    return ERR_NONE;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static enum err collect_names(struct people_files *files)
{
    TRY(add_key_files(files));
    for (size_t i = 0; i < files->people.count; i++) {
        TRY(add_name(files, files->people.entries[i].person));
    }
    if (files->name_count == 0) {
        return ERR_NONE;
    }
    qsort(files->names, files->name_count, sizeof files->names[0], by_name);
    size_t kept = 1;
    for (size_t i = 1; i < files->name_count; i++) {
        if (strcmp(files->names[kept - 1], files->names[i]) != 0) {
            memmove(files->names[kept++], files->names[i], sizeof files->names[0]);
        }
    }
    files->name_count = kept;
    return ERR_NONE;
}

void people_files_done(struct people_files *files)
{
    people_done(&files->people);
    lockout_done(&files->lockouts);
    free(files->names);
    files->names = NULL;
}

enum err people_files_read(const struct gateway_config *config, struct people_files *ret)
{
    *ret = (struct people_files){.config = config};
    TRY(read_people(config, &ret->people));
    enum err err = collect_names(ret);
    if (err != ERR_NONE) {
        return complain(config->keys_dir, err);
    }
    OWNED_FD state_dir = -1;
    TRY(open_folder(config->state_dir, &state_dir));
    err = read_lockouts(state_dir, &ret->lockouts);
    return err == ERR_NONE ? err : complain("lockouts", err);
}

/* Lines that admit nobody, each with its place. */
static void say_unused(const char *folder, const char *person, const struct keys_complaints *complaints)
{
    for (unsigned i = 0; i < keys_complaints_kept(complaints); i++) {
        char place[CONFIG_PATH_BYTES + LIMIT_PERSON_BYTES + 16];
        (void)snprintf(place, sizeof place, "%s/%s:%u", folder, person, complaints->rows[i].line);
        settings_complain(place, complaints->rows[i].sentence);
    }
}

unsigned people_files_keys(const struct people_files *files, const char *person)
{
    OWNED_BYTES *bytes = NULL;
    size_t len = 0;
    unsigned usable = 0;
    struct keys_complaints complaints = {0};
    OWNED_FD folder = open(files->config->keys_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err err = fd_read_trusted_file(folder, person, KEYS_AUTHORIZED_FILE_BYTES, &bytes, &len);
    if (err == ERR_NONE) {
        err = keys_authorized_check(cursor_of(bytes, len), clock_wall_s(), &usable, &complaints);
        say_unused(files->config->keys_dir, person, &complaints);
    }
    return err == ERR_NONE ? usable : 0;
}

enum err people_files_set(const struct gateway_config *config, const struct people_entry *entry)
{
    char folder_path[CONFIG_PATH_BYTES];
    const char *slash = strrchr(config->people_file, '/');
    (void)snprintf(folder_path, sizeof folder_path, "%.*s", (int)(slash - config->people_file),
                   config->people_file);
    OWNED_FD folder = -1;
    TRY(open_folder(folder_path[0] == 0 ? "/" : folder_path, &folder));
    struct people known = {0};
    TRY(read_people(config, &known)); /* what we write must not hide what is wrong */
    people_done(&known);
    OWNED_BYTES *bytes = NULL;
    size_t len = 0;
    OWNED_SECRET changed = {0};
    enum err err = read_or_empty(folder, slash + 1, PEOPLE_FILE_BYTES, &bytes, &len);
    if (err == ERR_NONE) {
        err = people_set(cursor_of(bytes, len), entry, &changed);
    }
    if (err == ERR_NONE) {
        err = fd_replace_file(folder, slash + 1, 0644, secret_peek(&changed));
    }
    return err == ERR_NONE ? err : complain(config->people_file, err);
}

/* ---- keys ---- */

static bool holds_line(struct cursor file, struct cursor wanted)
{
    struct cursor line;
    while (cursor_line(&file, &line)) {
        if (cursor_equal(line, wanted)) {
            return true;
        }
    }
    return false;
}

/* Each line must be one that the gateway would use. */
static enum err check_line(struct cursor line)
{
    unsigned usable = 0;
    struct keys_complaints complaints = {0};
    TRY(keys_authorized_check(line, clock_wall_s(), &usable, &complaints));
    if (usable == 1) {
        return ERR_NONE;
    }
    settings_complain("", keys_complaints_kept(&complaints) > 0
                              ? complaints.rows[0].sentence
                              : "a line holds no public key that is good now");
    return ERR_MALFORMED;
}

static enum err join(struct cursor old, struct cursor lines, struct writer *out, unsigned *ret_added)
{
    struct cursor line;
    writer_bytes(out, old);
    if (cursor_len(&old) > 0 && old.end[-1] != '\n') {
        writer_u8(out, '\n');
    }
    while (cursor_line(&lines, &line)) {
        if (cursor_len(&line) == 0 || holds_line(old, line)) {
            continue;
        }
        TRY(check_line(line));
        writer_bytes(out, line);
        writer_u8(out, '\n');
        ++*ret_added;
    }
    return ERR_NONE;
}

enum err people_files_add_keys(const struct gateway_config *config, const char *person, struct cursor lines)
{
    OWNED_FD folder = -1;
    TRY(open_folder(config->keys_dir, &folder));
    OWNED_BYTES *bytes = NULL;
    static uint8_t room[KEYS_AUTHORIZED_FILE_BYTES];
    size_t len = 0;
    enum err err = read_or_empty(folder, person, KEYS_AUTHORIZED_FILE_BYTES, &bytes, &len);
    if (err != ERR_NONE) {
        return complain(person, err);
    }
    unsigned added = 0;
    struct writer out = writer_of(room, sizeof room);
    TRY(join(cursor_of(bytes, len), lines, &out, &added));
    if (added == 0) {
        settings_complain(person, "has these keys already");
        return ERR_STATE;
    }
    struct cursor file;
    err = writer_done(&out, &file);
    if (err == ERR_NONE) {
        err = fd_replace_file(folder, person, 0644, file);
    }
    return err == ERR_NONE ? err : complain(person, err);
}

/* ---- lock-outs ---- */

static enum err clear_file(int state_dir, const char *person)
{
    struct lockout_table lockouts = {0};
    char *text = NULL;
    size_t len = 0;
    enum err err = read_lockouts(state_dir, &lockouts);
    if (err == ERR_NONE) {
        lockout_clear(&lockouts, person);
        err = lockout_write(&lockouts, &text, &len);
    }
    if (err == ERR_NONE) {
        err = fd_replace_file(state_dir, "lockouts", 0600, cursor_of(text, len));
    }
    free(text);
    lockout_done(&lockouts);
    return err;
}

enum err people_files_unlock(const struct gateway_config *config, const char *person, bool *ret_is_running)
{
    static const char UNLOCK_FILE[] = "unlock";
    char line[LIMIT_PERSON_BYTES + 2];
    OWNED_FD state_dir = -1;
    TRY(open_folder(config->state_dir, &state_dir));
    (void)snprintf(line, sizeof line, "%s\n", person);
    enum err err = fd_replace_file(state_dir, UNLOCK_FILE, 0600, cursor_of_text(line));
    if (err != ERR_NONE) {
        return complain(config->state_dir, err);
    }
    for (unsigned waited = 0; waited < UNLOCK_WAIT_US; waited += UNLOCK_STEP_US) {
        if (faccessat(state_dir, UNLOCK_FILE, F_OK, 0) != 0) {
            *ret_is_running = true;
            return ERR_NONE;
        }
        (void)usleep(UNLOCK_STEP_US);
    }
    *ret_is_running = unlinkat(state_dir, UNLOCK_FILE, 0) != 0;
    err = *ret_is_running ? ERR_NONE : clear_file(state_dir, person);
    return err == ERR_NONE ? err : complain("lockouts", err);
}
