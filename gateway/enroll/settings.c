#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/text.h"

enum { CONFIG_FILE_BYTES = 262144, SERVICE_FILE_BYTES = 65536 };

void settings_complain(const char *what, const char *sentence)
{
    (void)fprintf(stderr, "bastion: %s%s%s\n", what, what[0] == 0 ? "" : ": ", sentence);
}

static void complain_file(const char *path, enum err err)
{
    const char *sentence = err == ERR_SYSTEM ? strerror(errno) : err_text(err);
    if (err == ERR_DENIED) {
        sentence = "must be a regular file of root or of yourself that nobody else may change";
    }
    settings_complain(path, err == ERR_NOT_FOUND ? "does not exist" : sentence);
}

enum err settings_load(const char *path, struct gateway_config *ret_config)
{
    OWNED_BYTES *bytes = NULL;
    size_t len = 0;
    enum err err = fd_read_trusted_file(AT_FDCWD, path, CONFIG_FILE_BYTES, &bytes, &len);
    if (err != ERR_NONE) {
        complain_file(path, err);
        return err;
    }
    static struct yaml_report report;
    yaml_report_init(&report, path);
    err = config_load(cursor_of(bytes, len), path, &report, ret_config);
    for (size_t i = 0; i < report.count; i++) {
        char line[YAML_LINE_BYTES];
        (void)fprintf(stderr, "%s\n", yaml_report_line(&report, i, line));
    }
    return err;
}

/* The value of usersfile= in the line of pam_oath.so. */
static bool find_users_file(struct cursor service, struct cursor *ret_path)
{
    static const char OPTION[] = "usersfile=";
    struct cursor line;
    while (cursor_line(&service, &line)) {
        struct cursor word;
        bool is_oath = false;
        while (cursor_word(&line, &word)) {
            size_t len = cursor_len(&word);
            if (*word.at == '#') {
                break;
            }
            is_oath = is_oath || (len >= 11 && memcmp(word.end - 11, "pam_oath.so", 11) == 0);
            if (is_oath && len > sizeof OPTION - 1 && memcmp(word.at, OPTION, sizeof OPTION - 1) == 0) {
                *ret_path = (struct cursor){word.at + sizeof OPTION - 1, word.end};
                return true;
            }
        }
    }
    return false;
}

enum err settings_users_file(const struct gateway_config *config, char *ret_path, size_t size_bytes)
{
    char service_path[CONFIG_PATH_BYTES + CONFIG_NAME_BYTES + 2];
    const char *folder = config->pam.confdir[0] == 0 ? "/etc/pam.d" : config->pam.confdir;
    (void)snprintf(service_path, sizeof service_path, "%s/%s", folder, config->pam.service);
    OWNED_BYTES *bytes = NULL;
    size_t len = 0;
    enum err err = fd_read_trusted_file(AT_FDCWD, service_path, SERVICE_FILE_BYTES, &bytes, &len);
    if (err != ERR_NONE) {
        complain_file(service_path, err);
        return err;
    }
    struct cursor path;
    if (!find_users_file(cursor_of(bytes, len), &path) || cursor_len(&path) >= size_bytes ||
        memchr(path.at, '$', cursor_len(&path)) != NULL) {
        settings_complain(service_path,
                          "names no usersfile= of pam_oath: say --users-file FILE, or configure the other "
                          "second factor with its own tools");
        return ERR_NOT_FOUND;
    }
    memcpy(ret_path, path.at, cursor_len(&path));
    ret_path[cursor_len(&path)] = 0;
    return ERR_NONE;
}
