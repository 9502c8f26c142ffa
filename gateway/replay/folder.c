#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS = 3, SID_DIGITS = 2 * LIMIT_SID_BYTES };

struct walk {
    folder_file *file;
    enum err (*day_done)(void *context);
    void *context;
    uint64_t unreadable;
};

static bool has_only_digits(const char *name, size_t len, bool is_hex)
{
    if (strlen(name) != len) {
        return false;
    }
    for (const char *at = name; *at != 0; at++) {
        bool is_digit = *at >= '0' && *at <= '9';
        if (!is_digit && !(is_hex && *at >= 'a' && *at <= 'f')) {
            return false;
        }
    }
    return true;
}

bool folder_is_recording(const char *name)
{
    char digits[SID_DIGITS + 1] = "";
    if (strlen(name) != SID_DIGITS + 4 || strcmp(name + SID_DIGITS, ".rec") != 0) {
        return false;
    }
    memcpy(digits, name, SID_DIGITS);
    return has_only_digits(digits, SID_DIGITS, true);
}

static int is_year(const struct dirent *entry)
{
    return has_only_digits(entry->d_name, 4, false);
}

static int is_month_or_day(const struct dirent *entry)
{
    return has_only_digits(entry->d_name, 2, false);
}

static int is_recording(const struct dirent *entry)
{
    return folder_is_recording(entry->d_name);
}

static int newest_first(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*b)->d_name, (*a)->d_name);
}

static int (*const ACCEPT[LEVELS + 1])(const struct dirent *) = {is_year, is_month_or_day, is_month_or_day,
                                                                 is_recording};

static enum err walk_level(struct walk *walk, const char *dir, unsigned level);

static enum err walk_entry(struct walk *walk, const char *dir, const char *name, unsigned level)
{
    char path[REPLAY_PATH_BYTES];
    int len = snprintf(path, sizeof path, "%s/%s", dir, name);
    if (len < 0 || (size_t)len >= sizeof path) {
        walk->unreadable++;
        return ERR_NONE;
    }
    return level == LEVELS ? walk->file(walk->context, path, name) : walk_level(walk, path, level + 1);
}

/* Recursion over three levels of folders that we name ourselves, not over input. */
static enum err walk_level(struct walk *walk, const char *dir, unsigned level)
{
    struct dirent **names = NULL;
    int count = scandir(dir, &names, ACCEPT[level], newest_first);
    if (count < 0) {
        if (level == 0) {
            return errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM;
        }
        walk->unreadable++;
        return ERR_NONE;
    }
    enum err err = ERR_NONE;
    for (int i = 0; i < count; i++) {
        if (err == ERR_NONE) {
            err = walk_entry(walk, dir, names[i]->d_name, level);
        }
        free(names[i]);
    }
    free(names);
    if (err == ERR_NONE && level == LEVELS && walk->day_done != NULL) {
        err = walk->day_done(walk->context);
    }
    return err;
}

enum err folder_walk(const char *dir, folder_file *file, enum err (*day_done)(void *context), void *context,
                     uint64_t *ret_unreadable)
{
    struct walk walk = {.file = file, .day_done = day_done, .context = context};
    enum err err = walk_level(&walk, dir, 0);
    *ret_unreadable = walk.unreadable;
    return err == ERR_CLOSED ? ERR_NONE : err;
}
