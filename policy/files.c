/* The files that make a policy: one, and those of the folder of the same name beside it. They travel as one
 * bundle: repeated { name as a string, bytes as a string }. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/writer.h"
#include "policy/policy.h"
#include "yaml/document.h"

enum { NAME_BYTES = PATH_MAX, FRAME_BYTES = 8, FILE_BYTES_MAX = YAML_FILE_BYTES + 1 };

static void names_free(struct dirent ***names, int count)
{
    for (int i = 0; i < count; i++) {
        free((*names)[i]);
    }
    free((void *)*names);
}

static int is_policy_file(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    static const char END[] = ".yaml";
    return entry->d_name[0] != '.' && len >= sizeof END &&
           strcmp(entry->d_name + len - (sizeof END - 1), END) == 0;
}

/* By bytes: the same order on every machine, whatever its locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* "policy.yaml" gives "policy.d". @return false when the path has no such end, or is too long. */
static bool folder_of(const char *path, char *ret_folder)
{
    static const char END[] = ".yaml";
    size_t len = strlen(path);
    if (len < sizeof END || len >= NAME_BYTES || strcmp(path + len - (sizeof END - 1), END) != 0) {
        return false;
    }
    (void)snprintf(ret_folder, NAME_BYTES, "%.*s.d", (int)(len - (sizeof END - 1)), path);
    return true;
}

static MUST_CHECK enum err read_any_file(const char *path, uint8_t **ret_bytes, size_t *ret_len)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM;
    }
    /* At most one byte over the limit: more would be refused anyway. */
    uint8_t *bytes = malloc(FILE_BYTES_MAX);
    size_t len = bytes == NULL ? 0 : fread(bytes, 1, FILE_BYTES_MAX, file);
    int failed = ferror(file);
    int reason = errno;
    (void)fclose(file);
    errno = reason;
    if (bytes == NULL || failed != 0) {
        free(bytes);
        return failed != 0 ? ERR_SYSTEM : ERR_MEMORY;
    }
    *ret_bytes = bytes;
    *ret_len = len;
    return ERR_NONE;
}

/* One more file at the end of the bundle. */
static MUST_CHECK enum err add_file(const char *path, bool is_trusted, uint8_t **bundle, size_t *bundle_len)
{
    OWNED_BYTES *bytes = NULL;
    size_t len = 0;
    TRY(is_trusted ? fd_read_trusted_file(AT_FDCWD, path, FILE_BYTES_MAX, &bytes, &len)
                   : read_any_file(path, &bytes, &len));
    size_t more = strlen(path) + len + FRAME_BYTES;
    if (*bundle_len + more > 2 * (size_t)FILE_BYTES_MAX) {
        return ERR_TOO_LARGE;
    }
    uint8_t *grown = realloc(*bundle, *bundle_len + more);
    if (grown == NULL) {
        return ERR_MEMORY;
    }
    *bundle = grown;
    struct writer out = writer_of(grown + *bundle_len, more);
    struct cursor written;
    writer_text(&out, path);
    writer_string(&out, cursor_of(bytes, len));
    TRY(writer_done(&out, &written));
    *bundle_len += more;
    return ERR_NONE;
}

static MUST_CHECK enum err add_folder(const char *folder, bool is_trusted, uint8_t **bundle,
                                      size_t *bundle_len, char *ret_path, size_t size_bytes)
{
    struct dirent **names = NULL;
    int count = scandir(folder, &names, is_policy_file, by_name);
    (void)snprintf(ret_path, size_bytes, "%s", folder);
    if (count < 0) {
        return errno == ENOENT ? ERR_NONE : ERR_SYSTEM;
    }
    enum err err = count > YAML_MORE_FILES_MAX ? ERR_TOO_LARGE : ERR_NONE;
    for (int i = 0; i < count && err == ERR_NONE; i++) {
        char path[2 * NAME_BYTES];
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        (void)snprintf(ret_path, size_bytes, "%s", path);
        err = add_file(path, is_trusted, bundle, bundle_len);
        err = err == ERR_NOT_FOUND ? ERR_AGAIN : err; /* it was there a moment ago: somebody is at work */
    }
    names_free(&names, count);
    return err;
}

/* A bundle that the gateway has kept. */
static bool is_kept(const char *path)
{
    static const char END[] = POLICY_BUNDLE_END;
    size_t len = strlen(path);
    return len >= sizeof END && strcmp(path + len - (sizeof END - 1), END) == 0;
}

enum err policy_files_read(const char *path, bool is_trusted, uint8_t **ret_bytes, size_t *ret_len,
                           char *ret_path, size_t size_bytes)
{
    char folder[NAME_BYTES + 2];
    OWNED_BYTES *bundle = NULL;
    size_t len = 0;
    (void)snprintf(ret_path, size_bytes, "%s", path);
    if (is_kept(path)) {
        return is_trusted ? fd_read_trusted_file(AT_FDCWD, path, FILE_BYTES_MAX, ret_bytes, ret_len)
                          : read_any_file(path, ret_bytes, ret_len);
    }
    TRY(add_file(path, is_trusted, &bundle, &len));
    if (folder_of(path, folder)) {
        TRY(add_folder(folder, is_trusted, &bundle, &len, ret_path, size_bytes));
    }
    *ret_bytes = bundle;
    *ret_len = len;
    bundle = NULL;
    return ERR_NONE;
}

static MUST_CHECK enum err read_bundle(struct cursor bundle, char **names, struct policy_source *sources,
                                       size_t *ret_count)
{
    while (cursor_len(&bundle) > 0) {
        struct cursor name;
        if (*ret_count == POLICY_FILES_MAX) {
            return ERR_TOO_LARGE;
        }
        TRY(cursor_string(&bundle, 2 * (size_t)NAME_BYTES, &name));
        TRY(cursor_string(&bundle, FILE_BYTES_MAX, &sources[*ret_count].bytes));
        names[*ret_count] = strndup((const char *)name.at, cursor_len(&name));
        if (names[*ret_count] == NULL) {
            return ERR_MEMORY;
        }
        sources[*ret_count].name = names[*ret_count];
        ++*ret_count;
    }
    return *ret_count == 0 ? ERR_MALFORMED : ERR_NONE;
}

enum err policy_load_bundle(struct cursor bundle, struct policy_report *report, struct policy **ret)
{
    struct policy_source sources[POLICY_FILES_MAX];
    char *names[POLICY_FILES_MAX] = {NULL};
    size_t count = 0;
    *report = (struct policy_report){0};
    enum err err = read_bundle(bundle, names, sources, &count);
    if (err == ERR_NONE) {
        err = policy_load_files(sources, count, report, ret);
    }
    for (size_t i = 0; i < count; i++) {
        free(names[i]);
    }
    return err;
}
